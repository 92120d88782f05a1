#include "cmocka_all.h"

#include "config/file.h"
#include "config/load.h"
#include "run/confine.h"
#include "scratch_dir.h"

#include <errno.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

/*
 * What is given up stays so: each question is put to a child that is confined, and its answer is the exit
 * status. Folders: "spool", "keys" with a key that a setting names, "log", "elsewhere" with a file.
 */
struct place {
	struct scratch_dir top, spool, keys, key, log, elsewhere, file;
};

static int set_up(void **state)
{
	static struct place place;

	place.top = scratch_make();
	place.spool = scratch_path(&place.top, "spool");
	place.keys = scratch_path(&place.top, "keys");
	place.log = scratch_path(&place.top, "log");
	place.elsewhere = scratch_path(&place.top, "elsewhere");
	place.key = scratch_path(&place.keys, "key.pem");
	place.file = scratch_path(&place.elsewhere, "file");
	assert_int_equal(mkdir(place.spool.path, 0700), 0);
	assert_int_equal(mkdir(place.keys.path, 0700), 0);
	assert_int_equal(mkdir(place.log.path, 0700), 0);
	assert_int_equal(mkdir(place.elsewhere.path, 0700), 0);
	scratch_write(place.key.path, "key", 3);
	scratch_write(place.file.path, "file", 4);
	*state = &place;
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;

	scratch_remove(&place->top);
	return 0;
}

static struct settings *settings_for(const struct place *place)
{
	struct settings *settings = settings_new();

	settings->node.spool = place->spool.path;
	settings->tls.key = place->key.path;
	settings->cluster.key_file = place->key.path;
	settings->log.file = "";
	settings->tracking.file = "";
	return settings;
}

/* 0, or errno. */
static int opening(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

typedef int question_fn(const struct place *place);

static int writing_in_the_spool(const struct place *place)
{
	struct scratch_dir a = scratch_path(&place->spool, "a"), dir = scratch_path(&place->spool, "dir"),
			   b = scratch_path(&dir, "b");

	return opening(a.path, O_RDWR | O_CREAT) || mkdir(dir.path, 0700) || rename(a.path, b.path) ||
			       truncate(b.path, 5) || unlink(b.path) || rmdir(dir.path)
		       ? errno
		       : 0;
}

static int reading_the_key(const struct place *place)
{
	return opening(place->key.path, O_RDONLY);
}

static int writing_the_key(const struct place *place)
{
	return opening(place->key.path, O_WRONLY);
}

static int reading_a_key_that_came_in_its_place(const struct place *place)
{
	struct scratch_dir moved = scratch_path(&place->keys, "moved");

	return opening(moved.path, O_RDONLY);
}

static int reading_elsewhere(const struct place *place)
{
	return opening(place->file.path, O_RDONLY);
}

static int making_elsewhere(const struct place *place)
{
	struct scratch_dir path = scratch_path(&place->elsewhere, "new");

	return opening(path.path, O_WRONLY | O_CREAT);
}

static int linking_elsewhere_into_the_spool(const struct place *place)
{
	struct scratch_dir path = scratch_path(&place->spool, "link");

	return link(place->file.path, path.path) ? errno : 0;
}

static int reading_the_hosts(const struct place *place)
{
	(void)place;
	return opening("/etc/hosts", O_RDONLY);
}

static int writing_to_null(const struct place *place)
{
	(void)place;
	return opening("/dev/null", O_WRONLY);
}

static int starting_a_program(const struct place *place)
{
	char *const args[] = { (char *)(uintptr_t) "true", NULL };

	(void)place;
	execv("/bin/true", args);
	return errno;
}

static int starting_a_program_of_the_spool(const struct place *place)
{
	struct scratch_dir path = scratch_path(&place->spool, "program");
	char *const args[] = { path.path, NULL };
	int fd = open(path.path, O_WRONLY | O_CREAT | O_CLOEXEC, 0700);

	if (fd < 0 || write(fd, "#!/bin/sh\n", 10) != 10 || close(fd))
		return errno;
	execv(path.path, args);
	return errno;
}

static int linking_in_the_spool_to_elsewhere(const struct place *place)
{
	struct scratch_dir path = scratch_path(&place->spool, "symbolic");

	return symlink(place->file.path, path.path) ? errno : 0;
}

static int making_a_pipe_in_the_spool(const struct place *place)
{
	struct scratch_dir path = scratch_path(&place->spool, "pipe");

	return mkfifo(path.path, 0600) ? errno : 0;
}

static int making_a_socket_in_the_spool(const struct place *place)
{
	struct scratch_dir path = scratch_path(&place->spool, "socket");
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path.path) >= sizeof(address.sun_path))
		return ENAMETOOLONG;
	memcpy(address.sun_path, path.path, strlen(path.path) + 1);
	return fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) ? errno : 0;
}

static int writing_its_own_memory(const struct place *place)
{
	(void)place;
	return opening("/proc/self/mem", O_RDWR);
}

static int listing_the_root(const struct place *place)
{
	(void)place;
	return opening("/", O_RDONLY | O_DIRECTORY);
}

static int moving_out_of_the_spool(const struct place *place)
{
	struct scratch_dir a = scratch_path(&place->spool, "mine"),
			   b = scratch_path(&place->elsewhere, "mine");

	return opening(a.path, O_RDWR | O_CREAT) || rename(a.path, b.path) ? errno : 0;
}

static int telling_why(const struct place *place)
{
	return strstr(file_why(place->file.path, EACCES), "node.confine") ? 0 : 1;
}

static int gaining_privileges(const struct place *place)
{
	(void)place;
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? EPERM : 0;
}

enum { NOT_ENTERED = 200, NO_LANDLOCK };

static int ask(const struct place *place, question_fn *question)
{
	struct settings *settings = settings_for(place);
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		struct confine_state state;
		struct buf why = { 0 };

		if (confine_enter(settings, NULL, &state, &why))
			_exit(NOT_ENTERED);
		_exit(state.abi ? question(place) : NO_LANDLOCK);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	settings_free(&settings);
	return WEXITSTATUS(status);
}

static void what_is_needed_stays_and_all_else_is_gone(void **state)
{
	static const struct {
		const char *what;
		question_fn *question;
		int answer;
	} rows[] = {
		{ "writing in the spool", writing_in_the_spool, 0 },
		{ "reading the key", reading_the_key, 0 },
		{ "writing the key", writing_the_key, EACCES },
		{ "reading the hosts", reading_the_hosts, 0 },
		{ "writing to /dev/null", writing_to_null, 0 },
		{ "reading elsewhere", reading_elsewhere, EACCES },
		{ "making a file elsewhere", making_elsewhere, EACCES },
		{ "linking into the spool", linking_elsewhere_into_the_spool, EXDEV },
		{ "starting a program", starting_a_program, EACCES },
		{ "starting a program of the spool", starting_a_program_of_the_spool, EACCES },
		{ "a symbolic link in the spool", linking_in_the_spool_to_elsewhere, EACCES },
		{ "a pipe in the spool", making_a_pipe_in_the_spool, EACCES },
		{ "a socket in the spool", making_a_socket_in_the_spool, EACCES },
		{ "moving out of the spool", moving_out_of_the_spool, EACCES },
		{ "writing its own memory", writing_its_own_memory, EACCES },
		{ "listing the root folder", listing_the_root, EACCES },
		{ "gaining privileges", gaining_privileges, EPERM },
		{ "telling why", telling_why, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int answer = ask(*state, rows[i].question);

		if (answer == NO_LANDLOCK) {
			puts("skipped: this kernel has no Landlock");
			skip();
		}
		if (answer != rows[i].answer)
			fail_msg("%s: %s", rows[i].what, strerror(answer));
	}
}

static void a_key_may_be_replaced_by_another_file_or_link(void **state)
{
	struct place *place = *state;
	struct scratch_dir moved = scratch_path(&place->keys, "moved");

	assert_int_equal(symlink(place->file.path, moved.path), 0);
	if (ask(place, reading_the_key) == NO_LANDLOCK)
		skip();
	assert_int_equal(ask(place, reading_a_key_that_came_in_its_place), EACCES);
	assert_int_equal(unlink(moved.path), 0);
	assert_int_equal(symlink(place->key.path, moved.path), 0);
	assert_int_equal(ask(place, reading_a_key_that_came_in_its_place), 0);
}

static void off_gives_nothing_up(void **state)
{
	const struct place *place = *state;
	struct settings *settings = settings_for(place);
	struct confine_state confined;
	struct buf why = { 0 };

	settings->node.confine = CONFINE_OFF;
	assert_int_equal(confine_enter(settings, NULL, &confined, &why), ERR_OK);
	assert_int_equal(confined.abi, 0);
	assert_non_null(confined.why);
	assert_int_equal(reading_elsewhere(place), 0);
	settings_free(&settings);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_needed_stays_and_all_else_is_gone),
		cmocka_unit_test(a_key_may_be_replaced_by_another_file_or_link),
		cmocka_unit_test(off_gives_nothing_up),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
