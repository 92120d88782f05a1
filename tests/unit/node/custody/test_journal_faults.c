/* A disk that says no, at the first, the second, the third call. */
#include "disk_fault.h"
#include "journal_driver.h"
#include "wait_until.h"

#include "skein/proto/base/alloc.h"

enum { SEGMENT = 32 << 10, MESSAGES = 60 };

static char text[4096];

static void fail_none(void)
{
	atomic_store(&disk.fail_write_at, 0);
	atomic_store(&disk.fail_sync_at, 0);
	atomic_store(&disk.is_full, false);
}

/* Whoever is answered OK is noted; after the first ERR_IO nobody is. */
static void append_many(struct driver *driver, bool *ok)
{
	bool has_failed = false;

	for (unsigned i = 0; i < MESSAGES; i++) {
		enum err err = driver_try_message(driver, i, SPAN_LIT("e"), span_of(text, 2000));

		assert_true(err == ERR_IO || (err == ERR_OK && !has_failed));
		has_failed = err == ERR_IO;
		assert_true(!has_failed || journal_has_failed(driver->journal));
		ok[i] = err == ERR_OK;
	}
}

static void expect_all_that_were_acknowledged(struct driver *driver, const bool *ok)
{
	driver_reopen(driver);
	for (unsigned i = 0; i < MESSAGES; i++) {
		struct msg_id id = driver_id(i);

		assert_true(!ok[i] || driver_found(driver, &id));
	}
}

static void fail_at(atomic_int *counter, int call)
{
	struct driver *driver = mem_zalloc(sizeof(*driver));
	struct scratch_dir root = scratch_make(), dir = scratch_path(&root, "0");
	bool ok[MESSAGES] = { false };
	struct journal_stats stats;

	driver_init(driver, dir.path, SEGMENT, 64 * SEGMENT);
	driver_must_open(driver);
	atomic_store(counter, call);
	append_many(driver, ok);
	assert_true(journal_has_failed(driver->journal));
	assert_false(ok[MESSAGES - 1]);
	/* It refuses from then on, although the disk is well again. */
	assert_int_equal(driver_try_message(driver, 900, SPAN_LIT("e"), span_of(text, 10)), ERR_IO);
	driver_done(driver, 0);
	driver_wait(driver, driver->answered + 1);
	assert_int_equal(driver->by_err[0] + driver->by_err[-ERR_IO], MESSAGES + 2);
	journal_stats(driver->journal, &stats);
	assert_int_equal(stats.failed_errno, EIO);
	fail_none();
	expect_all_that_were_acknowledged(driver, ok);
	driver_fini(driver);
	mem_free(driver);
	scratch_remove(&root);
}

static void a_failed_write_is_final_and_what_was_acknowledged_is_kept(void **state)
{
	(void)state;
	for (int call = 1; call <= 30; call++)
		fail_at(&disk.fail_write_at, call);
}

static void a_failed_fdatasync_is_final_and_what_was_acknowledged_is_kept(void **state)
{
	(void)state;
	for (int call = 1; call <= 30; call++)
		fail_at(&disk.fail_sync_at, call);
}

static void all_that_wait_together_hear_of_the_failure(void **state)
{
	struct driver *driver = mem_zalloc(sizeof(*driver));
	struct scratch_dir root = scratch_make(), dir = scratch_path(&root, "0");
	struct journal_entry done = { .type = JOURNAL_DONE, .urgency = JOURNAL_SOON, .id = driver_id(1) };

	(void)state;
	driver_init(driver, dir.path, SEGMENT, 64 * SEGMENT);
	driver_must_open(driver);
	assert_int_equal(driver_try_message(driver, 999, SPAN_LIT("e"), span_of(text, 10)), ERR_OK);
	atomic_store(&disk.fail_sync_at, 1);
	for (unsigned i = 0; i < 50; i++)
		driver_message(driver, i, SPAN_LIT("e"), span_of(text, 100));
	journal_append(driver->journal, &done, NULL, NULL);
	driver_wait(driver, 51);
	fail_none();
	assert_true(driver->by_err[-ERR_IO] > 0);
	assert_true(journal_has_failed(driver->journal));
	driver_fini(driver);
	mem_free(driver);
	scratch_remove(&root);
}

static void a_disk_that_fails_at_the_start_is_told_and_nothing_is_lost(void **state)
{
	struct driver *driver = mem_zalloc(sizeof(*driver));
	struct scratch_dir root = scratch_make(), dir = scratch_path(&root, "0");

	(void)state;
	driver_init(driver, dir.path, SEGMENT, 64 * SEGMENT);
	driver_must_open(driver);
	for (unsigned i = 0; i < 30; i++)
		assert_int_equal(driver_try_message(driver, i, SPAN_LIT("e"), span_of(text, 2000)), ERR_OK);
	journal_close(&driver->journal);
	for (int call = 1; call <= 2; call++) {
		atomic_store(&disk.fail_sync_at, call);
		assert_int_equal(driver_open(driver), ERR_IO);
		assert_true(buf_len(&driver->problem) > 0);
		fail_none();
	}
	driver_must_open(driver);
	assert_int_equal(driver->found, 30);
	driver_fini(driver);
	mem_free(driver);
	scratch_remove(&root);
}

static void a_full_disk_refuses_messages_until_there_is_room_again(void **state)
{
	struct driver *driver = mem_zalloc(sizeof(*driver));
	struct scratch_dir root = scratch_make(), dir = scratch_path(&root, "0");
	unsigned taken = 0;

	(void)state;
	driver_init(driver, dir.path, SEGMENT, 64 * SEGMENT);
	driver_must_open(driver);
	atomic_store(&disk.is_full, true);
	while (driver_try_message(driver, taken, SPAN_LIT("e"), span_of(text, 2000)) == ERR_OK)
		assert_true(++taken < 100);
	assert_int_equal(driver->by_err[-ERR_FULL], 1);
	assert_false(journal_has_failed(driver->journal));
	assert_true(journal_is_nearly_full(driver->journal));
	/* What ends custody has its room: a DONE is 64 bytes. */
	for (unsigned i = 0; i < 100; i++)
		driver_update(driver, i % (taken ? taken : 1), SPAN_LIT("an envelope of some length"));
	driver_wait(driver, driver->answered + 100);
	assert_int_equal(driver->by_err[-ERR_FULL], 1);
	fail_none();
	WAIT_UNTIL(!journal_is_nearly_full(driver->journal));
	assert_int_equal(driver_try_message(driver, taken, SPAN_LIT("e"), span_of(text, 2000)), ERR_OK);
	driver_reopen(driver);
	assert_int_equal(driver->found, taken + 1);
	driver_fini(driver);
	mem_free(driver);
	scratch_remove(&root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failed_write_is_final_and_what_was_acknowledged_is_kept),
		cmocka_unit_test(a_failed_fdatasync_is_final_and_what_was_acknowledged_is_kept),
		cmocka_unit_test(all_that_wait_together_hear_of_the_failure),
		cmocka_unit_test(a_disk_that_fails_at_the_start_is_told_and_nothing_is_lost),
		cmocka_unit_test(a_full_disk_refuses_messages_until_there_is_room_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
