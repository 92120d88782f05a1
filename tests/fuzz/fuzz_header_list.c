/*
 * Any message and any changes: the edits are valid, and applied to the message they give one that reads as
 * the list does. The first bytes choose the changes, the rest is the message.
 */
#include "skein/proto/base/buf.h"
#include "skein/proto/mail/header_list.h"
#include "skein/proto/mail/rewrite.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEPS_MAX = 15, SIZE_BOUND = 1 << 16 };

static void change(struct header_list *list, uint8_t step, uint8_t number)
{
	static const struct span names[] = { SPAN_LIT("A"), SPAN_LIT("b"), SPAN_LIT("To"), SPAN_LIT("X-Y") };
	static const struct span values[] = { SPAN_LIT(""), SPAN_LIT(" 1"), SPAN_LIT("\nA: 2\r\n"),
		SPAN_LIT(" x\r\n y") };
	struct span name = names[step >> 2 & 3], value = values[step >> 4 & 3];
	bool is_good = true;

	if ((step & 3) == 0)
		is_good = header_list_insert(list, number, name, value);
	else if ((step & 3) == 1)
		is_good = header_list_append(list, name, value);
	else
		is_good = header_list_change(list, name, number, value);
	CHECK(is_good);
}

static struct header_list *read_list(struct span message, size_t piece)
{
	struct header_list *list = header_list_new(0, SIZE_BOUND);

	while (message.len) {
		size_t len = message.len < piece ? message.len : piece;

		if (header_list_feed(list, span_take(message, len)) != HEADER_LIST_READING)
			break;
		message = span_drop(message, len);
	}
	if (header_list_end(list) != HEADER_LIST_ENDED)
		header_list_free(&list);
	return list;
}

static bool next_seen(const struct header_list *list, size_t *place, struct span *name, struct span *value)
{
	while (*place < header_list_count(list)) {
		if (header_list_get(list, (*place)++, name, value))
			return true;
	}
	return false;
}

static void check_same(const struct header_list *a, const struct header_list *b)
{
	size_t place_a = 0, place_b = 0;
	struct span name_a, value_a, name_b, value_b;

	while (next_seen(a, &place_a, &name_a, &value_a)) {
		CHECK(next_seen(b, &place_b, &name_b, &value_b));
		CHECK(span_eq(name_a, name_b) && span_eq(value_a, value_b));
	}
	CHECK(!next_seen(b, &place_b, &name_b, &value_b));
	CHECK(header_list_size(a) == header_list_size(b));
}

static void check_edits(struct header_list *list, struct span message)
{
	struct arena arena = { 0 };
	struct header_edits edits;
	struct rewrite_rules rules = { .edits = &edits };
	struct rewrite *rewrite;
	struct header_list *again;
	struct buf out = { 0 };

	CHECK(header_list_edits(list, &arena, &edits));
	CHECK(header_edits_are_valid(&edits));
	rewrite = rewrite_new(&rules);
	rewrite_feed(rewrite, message, &out);
	rewrite_end(rewrite, &out);
	rewrite_free(&rewrite);
	again = read_list(buf_span(&out), SIZE_MAX);
	CHECK(again);
	check_same(list, again);
	header_list_free(&again);
	buf_fini(&out);
	arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t steps = size ? data[0] & STEPS_MAX : 0;
	struct buf message = { 0 };
	struct header_list *list, *bytes;

	if (size < 1 + 2 * steps || size > SIZE_BOUND / 2)
		return 0;
	/* As every stored message has: a field of ours in front, a line end behind. */
	buf_append_str(&message, "Received: x\r\n");
	buf_append(&message, span_of((const char *)data + 1 + 2 * steps, size - 1 - 2 * steps));
	buf_append_str(&message, "\r\n");
	list = read_list(buf_span(&message), SIZE_MAX);
	bytes = read_list(buf_span(&message), 1);
	CHECK(!list == !bytes);
	if (list) {
		check_same(list, bytes);
		for (size_t i = 0; i < steps; i++)
			change(list, data[1 + 2 * i], data[2 + 2 * i]);
		check_edits(list, buf_span(&message));
	}
	header_list_free(&list);
	header_list_free(&bytes);
	buf_fini(&message);
	return 0;
}
