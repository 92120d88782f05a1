#include "scratch_dir.h"

#include "custody/spool.h"
#include "skein/proto/base/check.h"

#include <signal.h>
#include <sys/wait.h>

static struct scratch_dir root, dir;
static struct buf problem;

static int set_up(void **state)
{
	(void)state;
	root = scratch_make();
	dir = scratch_path(&root, "spool");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	buf_fini(&problem);
	scratch_remove(&root);
	return 0;
}

static struct spool *must_open(void)
{
	struct spool *spool;

	buf_clear(&problem);
	if (spool_open(dir.path, &spool, &problem) != ERR_OK)
		fail_msg("%.*s", SPAN_ARGS(buf_span(&problem)));
	return spool;
}

static void expect_problem(const char *part)
{
	buf_append_byte(&problem, '\0');
	if (!strstr(buf_span(&problem).ptr, part))
		fail_msg("\"%s\" is not in \"%s\"", part, buf_span(&problem).ptr);
	buf_clear(&problem);
}

static void a_new_spool_is_private_and_has_an_identity_that_stays(void **state)
{
	struct spool *spool = must_open();
	char uuid[SPOOL_UUID_TEXT_LEN + 1];
	struct scratch_dir other = scratch_path(&root, "other");
	struct stat stat_of;
	uint64_t bytes = 0;

	(void)state;
	assert_int_equal(stat(dir.path, &stat_of), 0);
	assert_int_equal(stat_of.st_mode & 0777, 0700);
	assert_int_equal(access(spool_journal_dir(spool), R_OK | W_OK), 0);
	assert_int_equal(access(spool_body_dir(spool), R_OK | W_OK), 0);
	assert_int_equal(strlen(spool_uuid(spool)), SPOOL_UUID_TEXT_LEN);
	assert_int_equal(spool_uuid(spool)[14], '4');
	assert_int_equal(spool_free_bytes(spool, &bytes), ERR_OK);
	assert_true(bytes > 0);
	snprintf(uuid, sizeof(uuid), "%s", spool_uuid(spool));
	spool_close(&spool);
	assert_null(spool);
	spool = must_open();
	assert_string_equal(spool_uuid(spool), uuid);
	spool_close(&spool);
	dir = other;
	spool = must_open();
	assert_string_not_equal(spool_uuid(spool), uuid);
	spool_close(&spool);
}

static void an_epoch_only_rises_and_is_there_after_a_restart(void **state)
{
	struct spool *spool = must_open();

	(void)state;
	assert_true(spool_epoch(spool) == 0);
	assert_int_equal(spool_set_epoch(spool, 1700000000000000), ERR_OK);
	assert_int_equal(spool_set_epoch(spool, 1700000000000000), ERR_OK);
	assert_int_equal(spool_set_epoch(spool, 5), ERR_INVALID);
	spool_close(&spool);
	spool = must_open();
	assert_true(spool_epoch(spool) == 1700000000000000);
	assert_int_equal(spool_set_epoch(spool, UINT64_MAX), ERR_OK);
	spool_close(&spool);
	spool = must_open();
	assert_true(spool_epoch(spool) == UINT64_MAX);
	spool_close(&spool);
}

static void damaged_identity_is_told_and_never_replaced(void **state)
{
	static const struct {
		const char *file, *content;
	} rows[] = {
		{ "uuid", "" },
		{ "uuid", "0123" },
		{ "uuid", "00000000-0000-4000-8000-00000000000G\n" },
		{ "uuid", "00000000-0000-4000-8000-0000000000000\n" },
		{ "epoch", "" },
		{ "epoch", "17" },
		{ "epoch", "17 0000000000000000\n" },
		{ "epoch", "-1 0000000000000000\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct spool *spool = must_open();
		struct scratch_dir file = scratch_path(&dir, rows[i].file);

		spool_close(&spool);
		scratch_write(file.path, rows[i].content, strlen(rows[i].content));
		assert_int_equal(spool_open(dir.path, &spool, &problem), ERR_CORRUPT);
		assert_null(spool);
		expect_problem(rows[i].file);
		assert_int_equal(unlink(file.path), 0);
	}
}

/* Holds the lock in another process until `release` is closed. */
static pid_t lock_elsewhere(int release, int locked)
{
	pid_t pid = fork();
	char byte = 'x';
	struct spool *spool;
	struct buf why = { 0 };

	if (pid)
		return pid;
	if (spool_open(dir.path, &spool, &why) != ERR_OK || write(locked, &byte, 1) != 1)
		_exit(1);
	while (read(release, &byte, 1) > 0)
		;
	_exit(0);
}

static void one_process_has_it_and_the_error_says_which(void **state)
{
	struct spool *spool;
	int release[2], locked[2], status;
	char byte, wanted[32];
	pid_t pid;

	(void)state;
	assert_int_equal(pipe2(release, O_CLOEXEC), 0);
	assert_int_equal(pipe2(locked, O_CLOEXEC), 0);
	pid = lock_elsewhere(release[0], locked[1]);
	if (pid)
		close(release[0]);
	assert_int_equal(read(locked[0], &byte, 1), 1);
	assert_int_equal(spool_open(dir.path, &spool, &problem), ERR_BUSY);
	assert_null(spool);
	snprintf(wanted, sizeof(wanted), "pid %d", (int)pid);
	expect_problem(wanted);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	spool = must_open();
	spool_close(&spool);
	close(release[1]);
	close(locked[0]);
	close(locked[1]);
}

static bool is_even(void *arg, const struct msg_id *id)
{
	(void)arg;
	return id->bytes[15] % 2 == 0;
}

static void only_files_of_messages_that_are_not_live_are_removed(void **state)
{
	struct spool *spool = must_open();
	struct scratch_dir body = { "" };
	size_t removed;

	(void)state;
	snprintf(body.path, sizeof(body.path), "%s", spool_body_dir(spool));
	for (uint64_t i = 0; i < 9; i++) {
		struct msg_id id = msg_id_make(1700000000000, 1, i);

		scratch_write(scratch_path(&body, msg_id_format(&id).text).path, "x", 1);
	}
	scratch_write(scratch_path(&body, "README").path, "x", 1);
	assert_int_equal(spool_remove_orphans(spool, is_even, NULL, &removed), ERR_OK);
	assert_int_equal(removed, 4);
	assert_int_equal(spool_remove_orphans(spool, is_even, NULL, &removed), ERR_OK);
	assert_int_equal(removed, 0);
	assert_int_equal(access(scratch_path(&body, "README").path, F_OK), 0);
	spool_close(&spool);
}

static void a_folder_that_cannot_be_made_is_told(void **state)
{
	struct spool *spool;

	(void)state;
	dir = scratch_path(&root, "no/where");
	assert_int_equal(spool_open(dir.path, &spool, &problem), ERR_IO);
	expect_problem("no/where");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_new_spool_is_private_and_has_an_identity_that_stays),
		TEST(an_epoch_only_rises_and_is_there_after_a_restart),
		TEST(damaged_identity_is_told_and_never_replaced),
		TEST(one_process_has_it_and_the_error_says_which),
		TEST(only_files_of_messages_that_are_not_live_are_removed),
		TEST(a_folder_that_cannot_be_made_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
