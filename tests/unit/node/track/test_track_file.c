#include "cmocka_all.h"

#include "generated_file.h"
#include "track/track_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* 2025-11-25T02:44:01Z, in this machine's past. */
static const uint64_t noon_us = 1764038641000000, day_us = 86400000000;

static char folder[64];

static int make_folder(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/skein-track-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;

	(void)state;
	while ((entry = readdir(dir)))
		unlinkat(dirfd(dir), entry->d_name, 0);
	closedir(dir);
	return rmdir(folder);
}

static struct track_file *open_file(enum track_format format, const struct track_file_limits *limits)
{
	const struct track_file_options options = { .folder = folder, .format = format, .limits = *limits };
	struct buf why = { 0 };
	struct track_file *file;

	assert_int_equal(track_file_new(&options, &file, &why), ERR_OK);
	assert_int_equal(buf_len(&why), 0);
	return file;
}

static const struct track_file_limits wide = { 1 << 20, 0, 1 << 30 };

static void write_one(struct track_file *file, const char *text, uint64_t now_us)
{
	const struct track_event event = {
		.kind = TRACK_NODE, .time_us = now_us, .text[TRACK_TEXT] = span_of_str(text)
	};

	track_file_take(file, &event);
	track_file_flush(file, now_us);
}

static const char *in_folder(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static unsigned count_in(const char *name, const char *text)
{
	struct buf content = { 0 };
	unsigned count = 0;
	const char *at;

	read_whole_file(in_folder(name), &content);
	buf_append_byte(&content, '\0');
	for (at = content.base + content.head; (at = strstr(at, text)); at++)
		count++;
	buf_fini(&content);
	return count;
}

static unsigned count_files(void)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;
	unsigned count = 0;

	while ((entry = readdir(dir)))
		count += entry->d_name[0] != '.';
	closedir(dir);
	return count;
}

static uint64_t today_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000;
}

static void an_event_is_a_line_and_a_new_run_goes_on_below(void **state)
{
	struct track_file *file = open_file(TRACK_FORMAT_JSON, &wide);
	uint64_t now_us = today_us();

	(void)state;
	write_one(file, "first", now_us);
	write_one(file, "second", now_us);
	track_file_free(&file);
	assert_null(file);
	file = open_file(TRACK_FORMAT_JSON, &wide);
	write_one(file, "third", now_us);
	track_file_free(&file);
	assert_int_equal(count_in("tracking.json", "\n"), 3);
	assert_int_equal(count_in("tracking.json", "\"text\":\"third\"}\n"), 1);
	assert_int_equal(count_files(), 1);
}

static void w3c_begins_with_its_directives(void **state)
{
	struct track_file *file = open_file(TRACK_FORMAT_W3C, &wide);

	(void)state;
	write_one(file, "first", noon_us);
	write_one(file, "second", noon_us);
	track_file_free(&file);
	assert_int_equal(count_in("tracking.log", "#Fields: date time c-ip"), 1);
	assert_int_equal(count_in("tracking.log", "2025-11-25 02:44:01 - - - NODE"), 2);
	assert_int_equal(count_in("tracking.log", "\n"), 4 + 2);
}

static void a_full_file_and_a_past_day_are_put_aside(void **state)
{
	const struct track_file_limits limits = { 250, 0, 1 << 30 };
	struct track_file *file = open_file(TRACK_FORMAT_JSON, &limits);

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		write_one(
			file, "a text that makes the line longer, so that few of them fill a file", noon_us);
	/* Each has some 130 bytes: two fill a file, the third begins the next. */
	assert_int_equal(count_files(), 2);
	assert_int_equal(count_in("tracking-20251125T024401Z.json", "\n"), 2);
	write_one(file, "x", noon_us);
	assert_int_equal(count_in("tracking-20251125T024401Z.001.json", "\n"), 2);
	assert_int_equal(count_in("tracking.json", "\n"), 1);
	write_one(file, "tomorrow", noon_us + day_us);
	assert_int_equal(count_in("tracking-20251126T024401Z.json", "\n"), 1);
	assert_int_equal(count_in("tracking.json", "tomorrow"), 1);
	track_file_free(&file);
}

static void put(const char *name, size_t size, unsigned age_days)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { 0 } };
	int fd = open(in_folder(name), O_WRONLY | O_CREAT, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	times[1].tv_sec = (time_t)(today_us() / 1000000) - (time_t)age_days * 86400;
	assert_int_equal(futimens(fd, times), 0);
	close(fd);
}

static bool is_there(const char *name)
{
	return access(in_folder(name), F_OK) == 0;
}

static void old_files_go_by_age_and_by_size(void **state)
{
	const struct track_file_limits limits = { 1 << 20, 10, 2500 };
	struct track_file *file;

	(void)state;
	put("tracking-20250101T000000Z.json", 10, 11);
	put("tracking-20250102T000000Z.json", 1000, 3);
	put("tracking-20250103T000000Z.json", 1000, 2);
	put("tracking-20250104T000000Z.json", 1000, 1);
	put("tracking-20250101T000000Z.log", 5000, 50); /* of another format */
	put("notes.json", 5000, 50);
	file = open_file(TRACK_FORMAT_JSON, &limits);
	assert_false(is_there("tracking-20250101T000000Z.json"));
	assert_false(is_there("tracking-20250102T000000Z.json"));
	assert_true(is_there("tracking-20250103T000000Z.json"));
	assert_true(is_there("tracking-20250104T000000Z.json"));
	assert_true(is_there("tracking-20250101T000000Z.log"));
	assert_true(is_there("notes.json"));
	track_file_free(&file);
}

/* A bound on the size of files stands for a full disk: the write that meets it is cut short. */
static void limit_files(rlim_t bytes)
{
	const struct rlimit limit = { bytes, RLIM_INFINITY };

	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void half_a_line_of_one_that_was_killed_goes(void **state)
{
	FILE *half = fopen(in_folder("tracking.json"), "w");
	struct track_file *file;

	(void)state;
	fputs("{\"whole\":1}\n{\"hal", half);
	fclose(half);
	file = open_file(TRACK_FORMAT_JSON, &wide);
	write_one(file, "next", today_us());
	track_file_free(&file);
	assert_int_equal(count_in("tracking.json", "\n"), 2);
	assert_int_equal(count_in("tracking.json", "{\"whole\":1}\n{\"time\""), 1);
}

static void what_a_full_disk_takes_only_half_is_lost_as_a_whole(void **state)
{
	struct metrics *metrics = metrics_new(10);
	const struct track_file_options options = {
		.folder = folder, .format = TRACK_FORMAT_JSON, .limits = wide, .meter = metrics_open(metrics)
	};
	struct buf why = { 0 };
	struct track_file *file;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(track_file_new(&options, &file, &why), ERR_OK);
	limit_files(100);
	write_one(file, "before", noon_us);
	write_one(file, "lost", noon_us);
	write_one(file, "lost", noon_us);
	assert_int_equal(metrics_sum(metrics, METRIC_TRACK_LOST, TRACK_LOST_FILE), 2);
	assert_int_equal(metrics_sum(metrics, METRIC_TRACK_LOST, TRACK_LOST_RING), 0);
	limit_files(RLIM_INFINITY);
	write_one(file, "after", noon_us);
	assert_int_equal(metrics_sum(metrics, METRIC_TRACK_LOST, TRACK_LOST_FILE), 2);
	assert_int_equal(count_in("tracking.json", "\n"), 2);
	assert_int_equal(count_in("tracking.json", "}\n{"), 1);
	assert_int_equal(count_in("tracking.json", "before"), 1);
	assert_int_equal(count_in("tracking.json", "after"), 1);
	track_file_free(&file);
	metrics_free(&metrics);
}

static void a_folder_that_cannot_be_made_is_told(void **state)
{
	const struct track_file_options options = { .folder = "/dev/null/x", .limits = wide };
	struct buf why = { 0 };
	struct track_file *file;

	(void)state;
	assert_int_equal(track_file_new(&options, &file, &why), ERR_IO);
	assert_null(file);
	assert_span_equal(buf_span(&why), "tracking.file: /dev/null/x: Not a directory\n");
	buf_fini(&why);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			an_event_is_a_line_and_a_new_run_goes_on_below, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(w3c_begins_with_its_directives, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(
			a_full_file_and_a_past_day_are_put_aside, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(old_files_go_by_age_and_by_size, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(
			half_a_line_of_one_that_was_killed_goes, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(
			what_a_full_disk_takes_only_half_is_lost_as_a_whole, make_folder, remove_folder),
		cmocka_unit_test(a_folder_that_cannot_be_made_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
