#include "scratch_dir.h"

#include "custody/body.h"
#include "custody/budget.h"
#include "custody/record.h"
#include "skein/proto/base/alloc.h"

#include <uv.h>

enum { MEMORY_MAX = 64 << 10, LIMIT = 1 << 20, TEXT = 3 << 20, DEADLINE_MS = 30000 };

static struct {
	struct scratch_dir root, body_dir, journal_dir;
	uv_loop_t loop;
	uv_async_t journal_wakes;
	uv_timer_t deadline;
	struct journal *journal;
	struct body_store *store;
	struct budget budget;
	char *text;
	unsigned next_id;
	enum err sealed_err, journal_err;
	unsigned sealed, resumed, ready, answered;
} world;

static void on_journal_wakes(uv_async_t *async)
{
	(void)async;
	journal_poll(world.journal);
}

static void notify(void *arg)
{
	(void)arg;
	uv_async_send(&world.journal_wakes);
}

static void on_deadline(uv_timer_t *timer)
{
	(void)timer;
	fail_msg("waited too long");
}

static void no_live(void *arg, const struct journal_live *live)
{
	(void)arg;
	(void)live;
}

static void open_journal(journal_replay_fn *each, void *arg)
{
	struct journal_options options = {
		.dir = world.journal_dir.path, .segment_bytes = 1 << 20, .workers = 1, .notify = notify
	};
	struct buf problem = { 0 };

	assert_int_equal(journal_open(&options, each, arg, &world.journal, &problem), ERR_OK);
	buf_fini(&problem);
}

static int set_up(void **state)
{
	struct body_store_options options;

	(void)state;
	memset(&world, 0, sizeof(world));
	world.root = scratch_make();
	world.body_dir = scratch_path(&world.root, "body");
	world.journal_dir = scratch_path(&world.root, "0");
	assert_int_equal(mkdir(world.body_dir.path, 0700), 0);
	world.text = mem_alloc(TEXT);
	for (size_t i = 0; i < TEXT; i++)
		world.text[i] = (char)(i * 11 + (i >> 9) * 3);
	assert_int_equal(uv_loop_init(&world.loop), 0);
	assert_int_equal(uv_async_init(&world.loop, &world.journal_wakes, on_journal_wakes), 0);
	assert_int_equal(uv_timer_init(&world.loop, &world.deadline), 0);
	uv_timer_start(&world.deadline, on_deadline, DEADLINE_MS, 0);
	uv_unref((uv_handle_t *)&world.deadline);
	uv_unref((uv_handle_t *)&world.journal_wakes);
	open_journal(no_live, NULL);
	budget_init(&world.budget, LIMIT, 80);
	options = (struct body_store_options){ .loop = &world.loop,
		.dir = world.body_dir.path,
		.journal = world.journal,
		.budget = &world.budget,
		.memory_max = MEMORY_MAX };
	world.store = body_store_new(&options);
	return 0;
}

/* Runs until no file is busy. */
static void run_idle(void)
{
	uv_run(&world.loop, UV_RUN_DEFAULT);
}

static int tear_down(void **state)
{
	(void)state;
	run_idle();
	assert_int_equal(budget_used(&world.budget), 0);
	body_store_free(&world.store);
	journal_close(&world.journal);
	uv_close((uv_handle_t *)&world.journal_wakes, NULL);
	uv_close((uv_handle_t *)&world.deadline, NULL);
	run_idle();
	assert_int_equal(uv_loop_close(&world.loop), 0);
	mem_free(world.text);
	scratch_remove(&world.root);
	return 0;
}

static struct span text_of(size_t len)
{
	return span_of(world.text, len);
}

static struct msg_id new_id(void)
{
	return msg_id_make(1700000000000, 3, ++world.next_id);
}

static unsigned files(void)
{
	return scratch_count(world.body_dir.path, "");
}

static void on_sealed(void *arg, enum err err)
{
	(void)arg;
	world.sealed++;
	world.sealed_err = err;
}

static void on_resume(void *arg)
{
	(void)arg;
	world.resumed++;
}

/* Feeds `len` bytes as a polite session does. */
static struct body *filled(size_t len, size_t chunk, uint64_t hint)
{
	struct msg_id id = new_id();
	struct body *body = body_new(world.store, &id, hint);

	body_on_resume(body, on_resume, NULL);
	for (size_t at = 0; at < len; at += chunk) {
		size_t part = len - at < chunk ? len - at : chunk;
		unsigned resumed = world.resumed;

		if (body_append(body, span_of(world.text + at, part)) == BODY_GO)
			continue;
		while (world.resumed == resumed)
			uv_run(&world.loop, UV_RUN_ONCE);
	}
	return body;
}

static struct body *sealed(size_t len, size_t chunk)
{
	struct body *body = filled(len, chunk, 0);
	unsigned before = world.sealed;

	if (body_seal(body, on_sealed, NULL))
		return body;
	while (world.sealed == before)
		uv_run(&world.loop, UV_RUN_ONCE);
	assert_int_equal(world.sealed_err, ERR_OK);
	return body;
}

static void on_answer(void *arg, enum err err)
{
	(void)arg;
	world.journal_err = err;
	world.answered++;
}

static void write_journal(struct body *body)
{
	struct journal_entry entry = {
		.type = JOURNAL_MESSAGE, .id = *body_id(body), .body = body_for_journal(body)
	};
	unsigned before = world.answered;

	journal_append(world.journal, &entry, on_answer, NULL);
	uv_ref((uv_handle_t *)&world.journal_wakes);
	while (world.answered == before)
		uv_run(&world.loop, UV_RUN_ONCE);
	uv_unref((uv_handle_t *)&world.journal_wakes);
	assert_int_equal(world.journal_err, ERR_OK);
	body_mark_durable(body);
}

static void on_ready(void *arg)
{
	(void)arg;
	world.ready++;
}

/* Reads to the end; returns how it ended. */
static enum body_read read_all(struct body_reader *reader, size_t piece, size_t len)
{
	size_t at = 0;

	for (;;) {
		struct span got = { NULL, 0 };
		unsigned ready = world.ready;
		enum body_read read = body_reader_next(reader, &got);

		if (read == BODY_READ_WAIT) {
			while (world.ready == ready)
				uv_run(&world.loop, UV_RUN_ONCE);
			continue;
		}
		if (read != BODY_READ_PIECE) {
			assert_true(read == BODY_READ_FAILED || at == len);
			return read;
		}
		assert_int_equal(got.len, len - at < piece ? len - at : piece);
		assert_memory_equal(got.ptr, world.text + at, got.len);
		at += got.len;
	}
}

static void expect_content(struct body *body, size_t piece)
{
	struct body_reader *reader = body_reader_new(body, piece, on_ready, NULL);

	assert_int_equal(read_all(reader, piece, (size_t)body_len(body)), BODY_READ_END);
	body_reader_free(&reader);
	assert_null(reader);
}

static void a_body_of_any_length_reads_back_in_pieces_of_any_size(void **state)
{
	static const size_t lens[] = { 0, 1, 5000, MEMORY_MAX - 1, MEMORY_MAX, MEMORY_MAX + 1, 300000, TEXT };
	static const size_t chunks[] = { 977, 65536, TEXT };
	static const size_t pieces[] = { 1000, 65536, 1 << 20 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
		for (size_t k = 0; k < ARRAY_LEN(chunks); k++) {
			struct body *body = sealed(lens[i], chunks[k]);
			struct span all;

			assert_true(body_len(body) == lens[i]);
			assert_true(body_checksum(body) == record_body_sum(text_of(lens[i])));
			assert_int_equal(body_bytes(body, &all), lens[i] <= MEMORY_MAX);
			assert_int_equal(files(), lens[i] > MEMORY_MAX);
			expect_content(body, pieces[k]);
			body_unref(&body);
			assert_null(body);
			run_idle();
			assert_int_equal(files(), 0);
			assert_int_equal(budget_used(&world.budget), 0);
		}
	}
}

static void a_declared_size_decides_where_a_body_begins(void **state)
{
	static const struct {
		uint64_t hint;
		size_t len;
		unsigned files;
	} rows[] = {
		{ MEMORY_MAX + 1, 10, 1 },
		{ MEMORY_MAX, 10, 0 },
		{ MEMORY_MAX, MEMORY_MAX, 0 },
		{ 10, MEMORY_MAX + 1, 1 },
		{ 5000, 5100, 0 },
		{ UINT64_MAX, 0, 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct body *body = filled(rows[i].len, 1000, rows[i].hint);

		if (!body_seal(body, on_sealed, NULL))
			run_idle();
		assert_int_equal(body_error(body), ERR_OK);
		assert_int_equal(files(), rows[i].files);
		expect_content(body, 4096);
		body_unref(&body);
		run_idle();
	}
}

static void a_sealed_short_body_holds_no_more_memory_than_it_needs(void **state)
{
	struct body *body = sealed(100, 100);

	(void)state;
	assert_int_equal(budget_used(&world.budget), 100);
	body_unref(&body);
}

static void a_slow_disk_stops_the_session_and_not_the_loop(void **state)
{
	struct msg_id id = new_id();
	struct body *body = body_new(world.store, &id, TEXT);
	unsigned pauses = 0;

	(void)state;
	body_on_resume(body, on_resume, NULL);
	for (size_t at = 0; at < TEXT; at += 32 << 10) {
		/* Without a turn of the loop nothing is written: all of it is collected. */
		pauses += body_append(body, span_of(world.text + at, 32 << 10)) == BODY_PAUSE;
	}
	assert_true(pauses > 80);
	assert_int_equal(world.resumed, 0);
	run_idle();
	assert_int_equal(world.resumed, 1);
	assert_false(body_seal(body, on_sealed, NULL));
	run_idle();
	assert_int_equal(world.sealed, 1);
	expect_content(body, 1 << 20);
	body_unref(&body);
}

static void a_transaction_can_be_dropped_at_any_moment(void **state)
{
	(void)state;
	for (unsigned turns = 0; turns < 12; turns++) {
		for (unsigned seal = 0; seal < 2; seal++) {
			struct body *body = filled(MEMORY_MAX * 2, 10000, 0);
			bool decided = seal && body_seal(body, on_sealed, NULL);

			(void)decided;
			for (unsigned i = 0; i < turns; i++)
				uv_run(&world.loop, UV_RUN_NOWAIT);
			body_unref(&body);
			run_idle();
			assert_int_equal(files(), 0);
			assert_int_equal(budget_used(&world.budget), 0);
		}
	}
}

static void the_same_message_can_come_again_while_its_old_file_is_removed(void **state)
{
	struct body *first = sealed(MEMORY_MAX + 10, 10000);
	struct msg_id id = *body_id(first);
	struct body *second;

	(void)state;
	body_unref(&first);
	second = body_new(world.store, &id, MEMORY_MAX + 1);
	assert_int_equal(body_append(second, text_of(MEMORY_MAX + 5)), BODY_GO);
	assert_false(body_seal(second, on_sealed, NULL));
	run_idle();
	assert_int_equal(body_error(second), ERR_OK);
	assert_int_equal(files(), 1);
	expect_content(second, 5000);
	body_unref(&second);
}

static void a_file_of_another_body_is_never_overwritten(void **state)
{
	struct msg_id id = new_id();
	struct scratch_dir path = scratch_path(&world.body_dir, msg_id_format(&id).text);
	struct body *body;
	size_t len;
	char *bytes;

	(void)state;
	scratch_write(path.path, "theirs", 6);
	body = body_new(world.store, &id, MEMORY_MAX + 1);
	assert_int_equal(body_append(body, text_of(100)), BODY_GO);
	run_idle();
	assert_int_equal(body_append(body, text_of(100)), BODY_GO);
	assert_true(body_seal(body, on_sealed, NULL));
	assert_int_equal(body_error(body), ERR_IO);
	body_unref(&body);
	run_idle();
	assert_int_equal(world.sealed, 0);
	bytes = scratch_read(path.path, &len);
	assert_int_equal(len, 6);
	free(bytes);
}

static void a_disk_that_fails_is_told_at_the_end(void **state)
{
	struct msg_id id = new_id();
	struct body *body;

	(void)state;
	assert_int_equal(rmdir(world.body_dir.path), 0);
	body = body_new(world.store, &id, MEMORY_MAX + 1);
	for (unsigned i = 0; i < 100; i++)
		(void)body_append(body, text_of(10000));
	assert_false(body_seal(body, on_sealed, NULL));
	run_idle();
	assert_int_equal(world.sealed, 1);
	assert_int_equal(world.sealed_err, ERR_IO);
	assert_int_equal(body_error(body), ERR_IO);
	body_unref(&body);
	run_idle();
	assert_int_equal(mkdir(world.body_dir.path, 0700), 0);
}

static void beyond_the_budget_a_message_that_began_goes_to_its_file(void **state)
{
	struct msg_id id = new_id();
	struct body *body = body_new(world.store, &id, 0);

	(void)state;
	assert_int_equal(body_append(body, text_of(1000)), BODY_GO);
	budget_force(&world.budget, LIMIT);
	assert_int_equal(body_append(body, span_of(world.text + 1000, 1000)), BODY_GO);
	assert_int_equal(body_append(body, span_of(world.text + 2000, 20000)), BODY_GO);
	assert_false(body_seal(body, on_sealed, NULL));
	run_idle();
	budget_give(&world.budget, LIMIT);
	assert_int_equal(files(), 1);
	assert_true(body_len(body) == 22000);
	expect_content(body, 7000);
	body_unref(&body);
}

static void a_durable_body_leaves_memory_and_is_read_back_from_the_journal(void **state)
{
	struct body *body = sealed(5000, 5000);
	struct body_reader *first, *second;
	struct span bytes;

	(void)state;
	assert_false(body_evict(body));
	write_journal(body);
	assert_true(body_bytes(body, &bytes));
	assert_true(body_evict(body));
	assert_false(body_evict(body));
	assert_false(body_bytes(body, &bytes));
	assert_int_equal(budget_used(&world.budget), 0);
	first = body_reader_new(body, 3000, on_ready, NULL);
	second = body_reader_new(body, 1 << 20, on_ready, NULL);
	assert_int_equal(body_reader_next(second, &bytes), BODY_READ_WAIT);
	assert_int_equal(read_all(first, 3000, 5000), BODY_READ_END);
	assert_int_equal(world.ready, 2);
	assert_int_equal(read_all(second, 1 << 20, 5000), BODY_READ_END);
	body_reader_free(&first);
	assert_true(budget_used(&world.budget) >= 5000);
	assert_false(body_evict(body));
	body_reader_free(&second);
	assert_int_equal(budget_used(&world.budget), 0);
	body_mark_done(body);
	body_unref(&body);
}

static void a_tight_budget_takes_durable_bodies_out_of_memory_at_once(void **state)
{
	struct body *body = sealed(5000, 5000), *read = sealed(6000, 6000);
	struct body_reader *reader = body_reader_new(read, 100, on_ready, NULL);
	struct span bytes;

	(void)state;
	budget_force(&world.budget, LIMIT / 2);
	write_journal(body);
	assert_false(body_bytes(body, &bytes));
	/* One that is being read stays until it has been. */
	write_journal(read);
	assert_true(body_bytes(read, &bytes));
	assert_int_equal(read_all(reader, 100, 6000), BODY_READ_END);
	body_reader_free(&reader);
	assert_false(body_bytes(read, &bytes));
	expect_content(body, 4096);
	budget_give(&world.budget, LIMIT / 2);
	body_unref(&body);
	body_unref(&read);
}

static void a_reader_can_leave_at_any_moment(void **state)
{
	struct body *file = sealed(MEMORY_MAX * 3, 10000), *evicted = sealed(5000, 5000);

	(void)state;
	write_journal(file);
	write_journal(evicted);
	assert_true(body_evict(evicted));
	for (unsigned turns = 0; turns < 8; turns++) {
		struct body *bodies[] = { file, evicted };

		for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
			struct body_reader *reader = body_reader_new(bodies[i], 10000, on_ready, NULL);
			struct span piece;

			assert_int_equal(body_reader_next(reader, &piece), BODY_READ_WAIT);
			world.ready = 0;
			for (unsigned t = 0; t < turns && !world.ready; t++)
				uv_run(&world.loop, UV_RUN_NOWAIT);
			if (world.ready)
				assert_int_equal(body_reader_next(reader, &piece), BODY_READ_PIECE);
			world.ready = 0;
			body_reader_free(&reader);
			run_idle();
			assert_int_equal(world.ready, 0);
			assert_int_equal(budget_used(&world.budget), 0);
		}
	}
	body_mark_done(file);
	body_unref(&file);
	body_unref(&evicted);
	run_idle();
	assert_int_equal(files(), 0);
}

static void the_file_of_a_durable_body_stays_until_it_is_done(void **state)
{
	struct body *body = sealed(MEMORY_MAX + 1, 10000);
	struct journal_body where = body_for_journal(body);
	struct msg_id id = *body_id(body);

	(void)state;
	assert_int_equal(where.place, JOURNAL_BODY_FILE);
	write_journal(body);
	body_unref(&body);
	run_idle();
	assert_int_equal(files(), 1);
	body = body_restore(world.store, &id, &where);
	expect_content(body, 4096);
	body_mark_done(body);
	body_unref(&body);
	run_idle();
	assert_int_equal(files(), 0);
}

static void note_live(void *arg, const struct journal_live *live)
{
	*(struct journal_live *)arg = *live;
}

static void after_a_restart_a_body_is_read_from_the_journal(void **state)
{
	struct body *body = sealed(20000, 5000);
	struct journal_live live = { .body.len = 0 };

	(void)state;
	write_journal(body);
	body_unref(&body);
	journal_close(&world.journal);
	open_journal(note_live, &live);
	body_store_set_journal(world.store, world.journal);
	assert_true(live.body.len == 20000);
	body = body_restore(world.store, &live.id, &live.body);
	expect_content(body, 4096);
	body_unref(&body);
}

static void a_body_that_was_changed_or_lost_is_not_given_as_whole(void **state)
{
	static const struct {
		const char *what;
		enum err err;
	} rows[] = { { "flip", ERR_CORRUPT }, { "cut", ERR_CORRUPT }, { "remove", ERR_NOT_FOUND } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct body *body = sealed(MEMORY_MAX * 2, 10000);
		struct scratch_dir path = scratch_path(&world.body_dir, msg_id_format(body_id(body)).text);
		struct body_reader *reader = body_reader_new(body, 4096, on_ready, NULL);
		enum body_read read = BODY_READ_PIECE;

		if (i == 0) {
			int fd = open(path.path, O_WRONLY | O_CLOEXEC);

			assert_int_equal(pwrite(fd, "\0\0", 2, MEMORY_MAX * 2 - 3), 2);
			close(fd);
		} else {
			assert_int_equal(i == 1 ? truncate(path.path, 9999) : unlink(path.path), 0);
		}
		while (read == BODY_READ_PIECE || read == BODY_READ_WAIT) {
			struct span piece;

			read = body_reader_next(reader, &piece);
			if (read == BODY_READ_WAIT)
				run_idle();
		}
		assert_int_equal(read, BODY_READ_FAILED);
		assert_int_equal(body_reader_error(reader), rows[i].err);
		body_reader_free(&reader);
		body_unref(&body);
		run_idle();
	}
}

static void an_evicted_body_that_the_journal_does_not_have_is_an_error(void **state)
{
	struct msg_id id = new_id();
	struct journal_body where = { JOURNAL_BODY_INLINE, { NULL, 0 }, 100, 1 };
	struct body *body = body_restore(world.store, &id, &where);
	struct body_reader *reader = body_reader_new(body, 10, on_ready, NULL);

	(void)state;
	assert_int_equal(read_all(reader, 10, 100), BODY_READ_FAILED);
	assert_int_equal(body_reader_error(reader), ERR_NOT_FOUND);
	body_reader_free(&reader);
	body_unref(&body);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_body_of_any_length_reads_back_in_pieces_of_any_size),
		TEST(a_declared_size_decides_where_a_body_begins),
		TEST(a_sealed_short_body_holds_no_more_memory_than_it_needs),
		TEST(a_slow_disk_stops_the_session_and_not_the_loop),
		TEST(a_transaction_can_be_dropped_at_any_moment),
		TEST(the_same_message_can_come_again_while_its_old_file_is_removed),
		TEST(a_file_of_another_body_is_never_overwritten),
		TEST(a_disk_that_fails_is_told_at_the_end),
		TEST(beyond_the_budget_a_message_that_began_goes_to_its_file),
		TEST(a_durable_body_leaves_memory_and_is_read_back_from_the_journal),
		TEST(a_tight_budget_takes_durable_bodies_out_of_memory_at_once),
		TEST(a_reader_can_leave_at_any_moment),
		TEST(the_file_of_a_durable_body_stays_until_it_is_done),
		TEST(after_a_restart_a_body_is_read_from_the_journal),
		TEST(a_body_that_was_changed_or_lost_is_not_given_as_whole),
		TEST(an_evicted_body_that_the_journal_does_not_have_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
