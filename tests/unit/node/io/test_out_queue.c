#include "cmocka_all.h"

#include "io/out_queue.h"
#include "skein/proto/base/alloc.h"

static size_t wiped;

/* What mem_wipe() ends in, in place of libc's. */
void explicit_bzero(void *ptr, size_t size);
void __explicit_bzero_chk(void *ptr, size_t size, size_t room);

void explicit_bzero(void *ptr, size_t size)
{
	wiped += size;
	memset(ptr, 0, size);
}

void __explicit_bzero_chk(void *ptr, size_t size, size_t room)
{
	assert_true(size <= room);
	explicit_bzero(ptr, size);
}

static void count_release(void *arg)
{
	++*(unsigned *)arg;
}

static void bytes_leave_in_the_order_they_came_whatever_the_sizes(void **state)
{
	struct out_queue queue = { 0 };
	unsigned in = 0, out = 0, owned = 0, released = 0;
	char *pieces[500];

	(void)state;
	for (unsigned step = 0; step < ARRAY_LEN(pieces); step++) {
		size_t len = step * 37 % 3000;
		uv_buf_t iov[7];
		unsigned count;
		size_t taken = 0;

		pieces[step] = mem_alloc(len);
		for (size_t i = 0; i < len; i++)
			pieces[step][i] = (char)(in++ & 0x7f);
		if (step % 3 == 0) {
			out_queue_append_owned(&queue, span_of(pieces[step], len), count_release, &released);
			owned++;
		} else {
			out_queue_append(&queue, span_of(pieces[step], len));
		}
		assert_int_equal(queue.bytes, in - out);
		count = out_queue_iov(&queue, step * 53 % 2500, ARRAY_LEN(iov), iov);
		for (unsigned i = 0; i < count; i++) {
			for (size_t j = 0; j < iov[i].len; j++)
				assert_int_equal(iov[i].base[j], (char)(out++ & 0x7f));
			taken += iov[i].len;
		}
		assert_true(taken <= step * 53 % 2500);
		out_queue_consume(&queue, taken);
	}
	assert_true(released > 0 && released < owned);
	out_queue_consume(&queue, queue.bytes);
	assert_null(queue.head);
	assert_int_equal(released, owned);
	for (unsigned step = 0; step < ARRAY_LEN(pieces); step++)
		mem_free(pieces[step]);
}

static void dropping_and_empty_pieces_release_each_owner_once(void **state)
{
	struct out_queue queue = { 0 };
	unsigned released = 0;

	(void)state;
	out_queue_append_owned(&queue, span_of(NULL, 0), count_release, &released);
	assert_int_equal(released, 0);
	out_queue_consume(&queue, 0);
	assert_int_equal(released, 1);
	assert_null(queue.head);

	out_queue_append(&queue, SPAN_LIT("abc"));
	out_queue_append_owned(&queue, SPAN_LIT("def"), count_release, &released);
	out_queue_append(&queue, SPAN_LIT("ghi"));
	out_queue_consume(&queue, 4);
	assert_span_equal(out_queue_front(&queue), "ef");
	out_queue_fini(&queue);
	assert_int_equal(released, 2);
	assert_int_equal(queue.bytes, 0);
}

static void copies_of_secrets_are_overwritten_when_they_leave_and_when_they_are_dropped(void **state)
{
	struct out_queue queue = { 0 };
	unsigned released = 0;

	(void)state;
	wiped = 0;
	out_queue_append(&queue, SPAN_LIT("abc"));
	out_queue_consume(&queue, 3);
	assert_int_equal(wiped, 0);

	/* In a block of its own, in one that has other bytes, behind another owner's, and partly sent. */
	out_queue_append_secret(&queue, SPAN_LIT("secret"));
	out_queue_consume(&queue, 4);
	assert_int_equal(wiped, 0);
	out_queue_consume(&queue, 2);
	assert_int_equal(wiped, 6);
	out_queue_append(&queue, SPAN_LIT("abc"));
	out_queue_append_secret(&queue, SPAN_LIT("secret"));
	out_queue_append(&queue, SPAN_LIT("abc"));
	out_queue_fini(&queue);
	assert_int_equal(wiped, 6 + 12);
	out_queue_append_owned(&queue, SPAN_LIT("def"), count_release, &released);
	out_queue_append_secret(&queue, SPAN_LIT("secret"));
	out_queue_consume(&queue, 9);
	assert_int_equal(wiped, 18 + 6);
	assert_int_equal(released, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_leave_in_the_order_they_came_whatever_the_sizes),
		cmocka_unit_test(dropping_and_empty_pieces_release_each_owner_once),
		cmocka_unit_test(copies_of_secrets_are_overwritten_when_they_leave_and_when_they_are_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
