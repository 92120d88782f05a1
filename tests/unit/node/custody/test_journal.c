#include "journal_driver.h"
#include "wait_until.h"

#include "skein/proto/base/alloc.h"

enum { SEGMENT = 64 << 10, KIB = 1 << 10 };

struct fixture {
	struct scratch_dir dir, journal_dir;
	struct driver driver;
	char *body; /* 1 MiB of text that does not repeat soon */
};

static int set_up(void **state)
{
	struct fixture *fixture = mem_zalloc(sizeof(*fixture));

	fixture->dir = scratch_make();
	fixture->journal_dir = scratch_path(&fixture->dir, "0");
	fixture->body = mem_alloc(1 << 20);
	for (size_t i = 0; i < 1 << 20; i++)
		fixture->body[i] = (char)(i * 7 + (i >> 8) * 13);
	driver_init(&fixture->driver, fixture->journal_dir.path, SEGMENT, 16 * SEGMENT);
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	driver_fini(&fixture->driver);
	scratch_remove(&fixture->dir);
	mem_free(fixture->body);
	mem_free(fixture);
	return 0;
}

/* The body of message `number`: its own place in the text. */
static struct span body_of(const struct fixture *fixture, unsigned number, size_t len)
{
	return span_of(fixture->body + number % 4096, len);
}

static void expect_body(struct fixture *fixture, unsigned number, size_t len)
{
	struct msg_id id = driver_id(number);
	struct buf body = { 0 };

	assert_int_equal(journal_read_body(fixture->driver.journal, &id, &body), ERR_OK);
	assert_true(span_eq(buf_span(&body), body_of(fixture, number, len)));
	buf_fini(&body);
}

static void what_is_live_comes_back_with_its_last_envelope_in_order_of_arrival(void **state)
{
	struct fixture *fixture = *state;
	struct driver *driver = &fixture->driver;
	uint64_t sum = 0;

	driver_must_open(driver);
	assert_int_equal(driver->found, 0);
	for (unsigned i = 9; i >= 1; i--)
		driver_message(driver, i, SPAN_LIT("first"), body_of(fixture, i, 100 * i));
	driver_update(driver, 3, SPAN_LIT("second"));
	driver_update(driver, 3, SPAN_LIT("third"));
	driver_done(driver, 4);
	driver_update(driver, 4, SPAN_LIT("too late"));
	driver_done(driver, 77);
	driver_wait(driver, 14);
	assert_int_equal(driver->by_err[-ERR_NOT_FOUND], 1);
	assert_int_equal(driver->by_err[0], 13);

	driver_reopen(driver);
	assert_int_equal(driver->found, 8);
	for (unsigned i = 1, at = 0; i <= 9; i++) {
		struct msg_id id = driver_id(i);

		if (i == 4)
			continue;
		assert_true(msg_id_eq(&driver->found_ids[at++], &id));
		sum += driver_sum(&id, i == 3 ? SPAN_LIT("third") : SPAN_LIT("first"),
			record_body_sum(body_of(fixture, i, 100 * i)));
		expect_body(fixture, i, 100 * i);
	}
	assert_true(driver->found_sum == sum);
}

static void a_message_appended_again_replaces_the_first(void **state)
{
	struct fixture *fixture = *state;
	struct driver *driver = &fixture->driver;

	driver_must_open(driver);
	driver_message(driver, 1, SPAN_LIT("old"), SPAN_LIT("old body"));
	driver_update(driver, 1, SPAN_LIT("older"));
	driver_message(driver, 1, SPAN_LIT("new"), body_of(fixture, 1, 50));
	driver_wait(driver, 3);
	expect_body(fixture, 1, 50);
	driver_reopen(driver);
	assert_int_equal(driver->found, 1);
	expect_body(fixture, 1, 50);
}

static void only_inline_bodies_of_live_messages_can_be_read(void **state)
{
	struct fixture *fixture = *state;
	struct driver *driver = &fixture->driver;
	struct journal_entry entry = { .type = JOURNAL_MESSAGE,
		.id = driver_id(2),
		.body = { JOURNAL_BODY_FILE, { NULL, 0 }, 5000000, 99 } };
	struct msg_id id = driver_id(1);
	struct buf body = { 0 };

	driver_must_open(driver);
	assert_int_equal(journal_read_body(driver->journal, &id, &body), ERR_NOT_FOUND);
	driver_message(driver, 1, SPAN_LIT("e"), SPAN_LIT(""));
	journal_append(driver->journal, &entry, driver_on_done, driver);
	driver_wait(driver, 2);
	assert_int_equal(journal_read_body(driver->journal, &id, &body), ERR_OK);
	assert_int_equal(buf_len(&body), 0);
	assert_true(journal_has(driver->journal, &entry.id));
	assert_int_equal(journal_read_body(driver->journal, &entry.id, &body), ERR_NOT_FOUND);
	driver_done(driver, 1);
	driver_wait(driver, 3);
	assert_false(journal_has(driver->journal, &id));
	assert_int_equal(journal_read_body(driver->journal, &id, &body), ERR_NOT_FOUND);
	buf_fini(&body);
}

static void what_nobody_waits_for_is_written_soon(void **state)
{
	struct fixture *fixture = *state;
	struct driver *driver = &fixture->driver;
	struct journal_entry done = { .type = JOURNAL_DONE, .urgency = JOURNAL_SOON, .id = driver_id(1) };

	driver_must_open(driver);
	driver_message(driver, 1, SPAN_LIT("e"), SPAN_LIT("b"));
	driver_wait(driver, 1);
	journal_append(driver->journal, &done, NULL, NULL);
	WAIT_UNTIL(!journal_has(driver->journal, &done.id));
	/* A callback can be had all the same, and the envelope of an UPDATE without one need not be kept. */
	done.id = driver_id(2);
	journal_append(driver->journal, &done, driver_on_done, driver);
	driver_wait(driver, 2);
}

static void an_envelope_without_callback_is_copied(void **state)
{
	struct fixture *fixture = *state;
	struct driver *driver = &fixture->driver;
	struct journal_entry update = { .type = JOURNAL_UPDATE, .id = driver_id(1) };
	char envelope[] = "lasting";
	struct msg_id id = driver_id(1);

	driver_must_open(driver);
	driver_message(driver, 1, SPAN_LIT("e"), SPAN_LIT("b"));
	update.envelope = span_of_str(envelope);
	journal_append(driver->journal, &update, NULL, NULL);
	memset(envelope, 'x', sizeof(envelope));
	driver_wait(driver, 1);
	driver_reopen(driver);
	assert_true(
		driver->found_sum == driver_sum(&id, SPAN_LIT("lasting"), record_body_sum(SPAN_LIT("b"))));
}

static void what_is_longer_than_a_segment_is_invalid(void **state)
{
	static const struct {
		size_t len;
		enum err err;
	} rows[] = {
		{ SEGMENT - 4096 - 64 - 64 - 8, ERR_OK },
		{ SEGMENT - 4096 - 64 - 64, ERR_INVALID },
		{ SEGMENT * 2, ERR_INVALID },
	};
	struct fixture *fixture = *state;

	driver_must_open(&fixture->driver);
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct span body = body_of(fixture, i, rows[i].len);

		assert_int_equal(
			driver_try_message(&fixture->driver, i, SPAN_LIT("12345678"), body), rows[i].err);
	}
	assert_false(journal_has_failed(fixture->driver.journal));
	expect_body(fixture, 0, rows[0].len);
}

static void segments_are_used_again_when_all_in_them_is_settled(void **state)
{
	struct fixture *fixture = *state;
	struct driver *driver = &fixture->driver;
	struct journal_stats stats;

	driver_must_open(driver);
	for (unsigned i = 0; i < 1000; i++) {
		assert_int_equal(
			driver_try_message(driver, i, SPAN_LIT("env"), body_of(fixture, i, 3000)), ERR_OK);
		driver_done(driver, i);
		driver_wait(driver, 2 * i + 2);
	}
	journal_stats(driver->journal, &stats);
	assert_true(stats.bytes > 40 * SEGMENT);
	assert_true(stats.segments <= 6);
	assert_int_equal(stats.live, 0);
	assert_int_equal(stats.live_bytes, 0);
	assert_int_equal(stats.entries, 2000);
	assert_true(stats.commits >= 1000 && stats.commits <= 2000);
	driver_reopen(driver);
	assert_int_equal(driver->found, 0);
	assert_true(scratch_count(fixture->journal_dir.path, ".seg") <= 6);
}

static void a_few_old_messages_do_not_hold_the_log(void **state)
{
	enum { EVERY = 50, COUNT = 4000 };
	struct fixture *fixture = *state;
	struct driver *driver = &fixture->driver;
	struct journal_stats stats;
	unsigned answered = 0;

	driver_must_open(driver);
	for (unsigned i = 0; i < COUNT; i++) {
		driver_message(driver, i, SPAN_LIT("first"), body_of(fixture, i, 1500));
		if (i % EVERY == 0)
			driver_update(driver, i, i % (2 * EVERY) ? SPAN_LIT("changed") : SPAN_LIT("other"));
		else
			driver_done(driver, i);
		answered += 2;
		if (i % 10 == 0)
			driver_wait(driver, answered);
	}
	driver_wait(driver, answered);
	assert_int_equal(driver->by_err[0], answered);
	journal_stats(driver->journal, &stats);
	assert_true(stats.moved_bytes > 0);
	assert_true(stats.moved_bytes < stats.bytes / 3 + SEGMENT);
	assert_int_equal(stats.live, COUNT / EVERY);
	for (unsigned round = 0; round < 2; round++) {
		uint64_t sum = 0;

		for (unsigned i = 0; i < COUNT; i += EVERY) {
			struct msg_id id = driver_id(i);

			expect_body(fixture, i, 1500);
			sum += driver_sum(&id, i % (2 * EVERY) ? SPAN_LIT("changed") : SPAN_LIT("other"),
				record_body_sum(body_of(fixture, i, 1500)));
		}
		driver_reopen(driver);
		assert_int_equal(driver->found, COUNT / EVERY);
		assert_true(driver->found_sum == sum);
	}
}

static void a_full_journal_refuses_messages_and_still_takes_what_ends_them(void **state)
{
	struct fixture *fixture = *state;
	struct driver *driver = &fixture->driver;
	unsigned count = 0;
	enum err err;

	driver->options.bytes_max = 6 * SEGMENT;
	driver_must_open(driver);
	while ((err = driver_try_message(driver, count, SPAN_LIT("e"), body_of(fixture, count, 2000))) ==
		ERR_OK) {
		count++;
		assert_true(count < 6 * SEGMENT / 2000);
	}
	assert_int_equal(err, ERR_FULL);
	assert_true(count > 4 * (SEGMENT / 2200));
	assert_true(journal_is_nearly_full(driver->journal));
	assert_false(journal_has_failed(driver->journal));
	for (unsigned i = 0; i < count; i++)
		driver_update(driver, i, SPAN_LIT("other"));
	for (unsigned i = 0; i < count; i++)
		driver_done(driver, i);
	driver_wait(driver, driver->answered + 2 * count);
	assert_int_equal(driver->by_err[-ERR_FULL], 1);
	assert_int_equal(
		driver_try_message(driver, count, SPAN_LIT("e"), body_of(fixture, count, 2000)), ERR_OK);
	assert_false(journal_is_nearly_full(driver->journal));
	driver_reopen(driver);
	assert_int_equal(driver->found, 1);
}

static void two_journals_share_a_disk_and_nothing_else(void **state)
{
	struct fixture *fixture = *state;
	struct driver *first = &fixture->driver;
	struct driver *second = mem_zalloc(sizeof(*second));
	struct scratch_dir dir = scratch_path(&fixture->dir, "1");

	driver_init(second, dir.path, SEGMENT, 16 * SEGMENT);
	driver_must_open(first);
	driver_must_open(second);
	for (unsigned i = 0; i < 200; i++) {
		driver_message(first, i, SPAN_LIT("e"), body_of(fixture, i, 1000));
		driver_message(second, 1000 + i, SPAN_LIT("e"), body_of(fixture, i, 1000));
	}
	driver_wait(first, 200);
	driver_wait(second, 200);
	driver_reopen(first);
	assert_int_equal(first->found, 200);
	driver_reopen(second);
	assert_int_equal(second->found, 200);
	assert_int_equal(second->found_ids[0].bytes[15], driver_id(1000).bytes[15]);
	driver_fini(second);
	mem_free(second);
}

/* --- damage --- */

/* Sixty messages over several segments; the first `done` of them settled. */
static void fill_some_segments(struct fixture *fixture, unsigned done)
{
	struct driver *driver = &fixture->driver;

	driver_must_open(driver);
	for (unsigned i = 0; i < 60; i++)
		assert_int_equal(
			driver_try_message(driver, i, SPAN_LIT("e"), body_of(fixture, i, 4000)), ERR_OK);
	for (unsigned i = 0; i < done; i++)
		driver_done(driver, i);
	driver_wait(driver, 60 + done);
	journal_close(&driver->journal);
}

/* The file and the offset of a message's body. */
static struct scratch_dir find_body(struct fixture *fixture, unsigned number, size_t *offset_out)
{
	DIR *dir = opendir(fixture->journal_dir.path);
	struct dirent *entry;
	struct scratch_dir found = { "" };

	while ((entry = readdir(dir)) && !found.path[0]) {
		struct scratch_dir path = scratch_path(&fixture->journal_dir, entry->d_name);
		struct span body = body_of(fixture, number, 4000);
		size_t len;
		char *bytes, *at;

		if (entry->d_name[0] == '.')
			continue;
		bytes = scratch_read(path.path, &len);
		at = memmem(bytes, len, body.ptr, body.len);
		if (at) {
			*offset_out = (size_t)(at - bytes);
			found = path;
		}
		free(bytes);
	}
	closedir(dir);
	assert_true(found.path[0]);
	return found;
}

static void overwrite(const char *path, size_t offset, const char *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_int_equal(pwrite(fd, bytes, len, (off_t)offset), len);
	close(fd);
}

static void damage_is_told_with_file_and_offset_and_nothing_is_changed(void **state)
{
	struct fixture *fixture = *state;
	struct driver *driver = &fixture->driver;
	struct scratch_dir file;
	char *before, *after, wanted[64];
	size_t offset, len, len_after;

	fill_some_segments(fixture, 0);
	file = find_body(fixture, 20, &offset);
	overwrite(file.path, offset + 7, "?", 1);
	before = scratch_read(file.path, &len);
	for (unsigned round = 0; round < 2; round++) {
		assert_int_equal(driver_open(driver), ERR_CORRUPT);
		assert_null(driver->journal);
		buf_append_byte(&driver->problem, '\0');
		assert_non_null(strstr(buf_span(&driver->problem).ptr, strrchr(file.path, '/')));
		snprintf(wanted, sizeof(wanted), "at byte %zu:", offset - 65);
		/* The record begins 64 bytes of header and 1 of envelope before its body. */
		assert_non_null(strstr(buf_span(&driver->problem).ptr, wanted));
		assert_non_null(strstr(buf_span(&driver->problem).ptr, "journal.salvage"));
	}
	after = scratch_read(file.path, &len_after);
	assert_int_equal(len, len_after);
	assert_memory_equal(before, after, len);
	free(before);
	free(after);
}

static void salvage_keeps_what_can_be_read_and_the_damaged_file(void **state)
{
	struct fixture *fixture = *state;
	struct driver *driver = &fixture->driver;
	struct msg_id lost = driver_id(20);
	struct scratch_dir file;
	size_t offset;

	fill_some_segments(fixture, 10);
	file = find_body(fixture, 20, &offset);
	overwrite(file.path, offset + 7, "?", 1);
	driver->options.salvage = true;
	driver_must_open(driver);
	driver->options.salvage = false;
	for (unsigned round = 0; round < 3; round++) {
		assert_int_equal(driver->found, 49);
		assert_false(driver_found(driver, &lost));
		for (unsigned i = 10; i < 60; i++) {
			if (i != 20)
				expect_body(fixture, i, 4000);
		}
		driver_reopen(driver);
	}
	assert_int_equal(scratch_count(fixture->journal_dir.path, ".damaged"), 1);
	assert_int_equal(driver_try_message(driver, 100, SPAN_LIT("e"), body_of(fixture, 100, 4000)), ERR_OK);
}

static void salvage_of_a_damaged_header_gives_up_that_segment_only(void **state)
{
	struct fixture *fixture = *state;
	struct driver *driver = &fixture->driver;
	struct msg_id lost = driver_id(20);
	struct scratch_dir file;
	size_t offset;

	fill_some_segments(fixture, 0);
	file = find_body(fixture, 20, &offset);
	overwrite(file.path, 20, "????", 4);
	assert_int_equal(driver_open(driver), ERR_CORRUPT);
	driver->options.salvage = true;
	driver_must_open(driver);
	assert_true(driver->found >= 60 - SEGMENT / 4000 && driver->found < 60);
	assert_false(driver_found(driver, &lost));
}

static void a_lost_end_mark_in_the_middle_of_the_log_is_damage(void **state)
{
	struct fixture *fixture = *state;
	struct driver *driver = &fixture->driver;
	struct scratch_dir file;
	size_t offset, len;
	char *bytes, *end;

	fill_some_segments(fixture, 0);
	file = find_body(fixture, 2, &offset);
	bytes = scratch_read(file.path, &len);
	/* From the last record on: all of the last batch and the mark are gone, as if never written. */
	for (end = bytes + len - 8; *(uint64_t *)(void *)end == 0; end -= 8)
		;
	memset(end - 4096, 0, 4096 + 8);
	scratch_write(file.path, bytes, len);
	free(bytes);
	assert_int_equal(driver_open(driver), ERR_CORRUPT);
	driver->options.salvage = true;
	driver_must_open(driver);
	assert_true(driver->found >= 58);
}

static void settled_mail_stays_settled_after_a_salvage(void **state)
{
	struct fixture *fixture = *state;
	struct driver *driver = &fixture->driver;
	struct scratch_dir file;
	size_t offset;

	/* The DONE records of the first segments are in the last one, which is the damaged one. */
	fill_some_segments(fixture, 50);
	file = find_body(fixture, 59, &offset);
	overwrite(file.path, offset + 7, "?", 1);
	driver->options.salvage = true;
	driver_must_open(driver);
	driver->options.salvage = false;
	assert_int_equal(driver->found, 9);
	driver_reopen(driver);
	assert_int_equal(driver->found, 9);
}

/* --- folders --- */

static void journals_are_listed_by_worker_and_leave_at_once_when_retired(void **state)
{
	struct fixture *fixture = *state;
	struct driver *driver = &fixture->driver;
	static const char *const names[] = { "11", "2", "x", "03" };
	struct scratch_dir leftover = scratch_path(&fixture->dir, "7.retired");
	unsigned workers[8];
	size_t count;

	driver->options.worker = 0;
	driver->options.workers = 3;
	driver_must_open(driver);
	assert_int_equal(journal_origin(driver->journal).workers, 0);
	driver_message(driver, 1, SPAN_LIT("e"), SPAN_LIT("b"));
	driver_wait(driver, 1);
	driver_reopen(driver);
	assert_int_equal(journal_origin(driver->journal).workers, 3);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		assert_int_equal(mkdir(scratch_path(&fixture->dir, names[i]).path, 0700), 0);
	assert_int_equal(mkdir(leftover.path, 0700), 0);
	scratch_write(scratch_path(&leftover, "00000001.seg").path, "x", 1);

	assert_int_equal(journal_list(fixture->dir.path, workers, 8, &count), ERR_OK);
	assert_int_equal(count, 3);
	assert_int_equal(workers[0], 0);
	assert_int_equal(workers[1], 2);
	assert_int_equal(workers[2], 11);
	assert_int_equal(access(leftover.path, F_OK), -1);
	assert_int_equal(journal_list(fixture->dir.path, workers, 2, &count), ERR_FULL);

	assert_int_equal(journal_retire(&driver->journal), ERR_OK);
	assert_null(driver->journal);
	assert_int_equal(access(fixture->journal_dir.path, F_OK), -1);
	assert_int_equal(journal_list(fixture->dir.path, workers, 8, &count), ERR_OK);
	assert_int_equal(count, 2);
}

static void a_folder_that_cannot_be_made_is_told(void **state)
{
	struct fixture *fixture = *state;
	struct scratch_dir deep = scratch_path(&fixture->dir, "no/where");

	fixture->driver.options.dir = deep.path;
	assert_int_equal(driver_open(&fixture->driver), ERR_IO);
	assert_true(buf_len(&fixture->driver.problem) > 0);
}

/* --- threads --- */

struct reading {
	struct fixture *fixture;
	atomic_bool stop;
	atomic_uint read, missing;
};

/* Reads what the owner settles and the thread moves at the same time. */
static void *read_all_the_time(void *arg)
{
	struct reading *reading = arg;

	for (unsigned i = 0; !atomic_load(&reading->stop); i = (i + 1) % 400) {
		struct msg_id id = driver_id(i);
		struct buf body = { 0 };
		enum err err = journal_read_body(reading->fixture->driver.journal, &id, &body);

		if (err == ERR_OK) {
			atomic_fetch_add(&reading->read, 1);
			CHECK(span_eq(buf_span(&body), body_of(reading->fixture, i, 2500)));
		} else {
			CHECK(err == ERR_NOT_FOUND);
			atomic_fetch_add(&reading->missing, 1);
		}
		buf_fini(&body);
	}
	return NULL;
}

static void bodies_can_be_read_by_other_threads_while_the_log_turns(void **state)
{
	struct fixture *fixture = *state;
	struct driver *driver = &fixture->driver;
	struct reading reading = { .fixture = fixture };
	time_t deadline = time(NULL) + DRIVER_DEADLINE_S;
	pthread_t threads[2];
	unsigned answered = 0;

	driver_must_open(driver);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, read_all_the_time, &reading), 0);
	for (unsigned round = 0; round < 8 || atomic_load(&reading.read) < 100; round++) {
		assert_true(time(NULL) < deadline);
		for (unsigned i = 0; i < 400; i++) {
			driver_message(driver, i, SPAN_LIT("e"), body_of(fixture, i, 2500));
			driver_done(driver, (i + 360) % 400);
			answered += 2;
			if (i % 20 == 0)
				driver_wait(driver, answered);
		}
	}
	driver_wait(driver, answered);
	atomic_store(&reading.stop, true);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(driver->by_err[0], answered);
}

static void append_once_more(void *arg, enum err err)
{
	struct driver *driver = arg;

	assert_int_equal(err, ERR_OK);
	driver_done(driver, 1);
}

static void closing_answers_everybody(void **state)
{
	struct fixture *fixture = *state;
	struct driver *driver = &fixture->driver;
	struct journal_entry entry = { .type = JOURNAL_DONE, .id = driver_id(5) };
	struct journal *journal;

	driver_must_open(driver);
	journal = driver->journal;
	driver_message(driver, 1, SPAN_LIT("e"), SPAN_LIT("b"));
	journal_append(journal, &entry, append_once_more, driver);
	journal_close(&journal);
	driver->journal = NULL;
	/* The message is written, and what a callback appends to a closed journal is answered, too. */
	assert_int_equal(driver->by_err[0], 1);
	assert_int_equal(driver->by_err[-ERR_CLOSED], 1);
	driver_must_open(driver);
	assert_int_equal(driver->found, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_live_comes_back_with_its_last_envelope_in_order_of_arrival),
		TEST(a_message_appended_again_replaces_the_first),
		TEST(only_inline_bodies_of_live_messages_can_be_read),
		TEST(what_nobody_waits_for_is_written_soon),
		TEST(an_envelope_without_callback_is_copied),
		TEST(what_is_longer_than_a_segment_is_invalid),
		TEST(segments_are_used_again_when_all_in_them_is_settled),
		TEST(a_few_old_messages_do_not_hold_the_log),
		TEST(a_full_journal_refuses_messages_and_still_takes_what_ends_them),
		TEST(two_journals_share_a_disk_and_nothing_else),
		TEST(damage_is_told_with_file_and_offset_and_nothing_is_changed),
		TEST(salvage_keeps_what_can_be_read_and_the_damaged_file),
		TEST(salvage_of_a_damaged_header_gives_up_that_segment_only),
		TEST(a_lost_end_mark_in_the_middle_of_the_log_is_damage),
		TEST(settled_mail_stays_settled_after_a_salvage),
		TEST(journals_are_listed_by_worker_and_leave_at_once_when_retired),
		TEST(a_folder_that_cannot_be_made_is_told),
		TEST(bodies_can_be_read_by_other_threads_while_the_log_turns),
		TEST(closing_answers_everybody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
