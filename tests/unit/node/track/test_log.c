#include "cmocka_all.h"

#include "generated_file.h"
#include "skein/proto/base/alloc.h"
#include "track/log.h"
#include "track/log_ring.h"
#include "track/metrics.h"

#include <fcntl.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

static char folder[] = "/tmp/skein-log-XXXXXX";
static char log_path[64];

static struct log_writer *new_writer(size_t ring_size, struct meter *meter)
{
	struct log_writer_options options = {
		.file = log_path,
		.node = "n1",
		.format = LOG_FORMAT_TEXT,
		.level = LOG_INFO,
		.ring_size = ring_size,
		.meter = meter,
	};
	struct log_writer *writer;

	unlink(log_path);
	assert_int_equal(log_writer_new(&options, &writer), ERR_OK);
	return writer;
}

/* Moves `rest` behind the next `text`; false when there is none. (strstr() would measure the whole rest each
 * time.) */
static bool find_next(struct span *rest, const char *text)
{
	size_t len = strlen(text);
	const char *found = rest->len ? memmem(rest->ptr, rest->len, text, len) : NULL;

	if (found)
		*rest = span_drop(*rest, (size_t)(found - rest->ptr) + len);
	return found != NULL;
}

static unsigned count_in(const char *path, const char *text)
{
	struct buf content = { 0 };
	struct span rest;
	unsigned count = 0;

	read_whole_file(path, &content);
	rest = buf_span(&content);
	while (find_next(&rest, text))
		count++;
	buf_fini(&content);
	return count;
}

static void wait_for(const char *path, const char *text)
{
	const struct timespec pause = { 0, 1000000 };

	for (unsigned i = 0; !count_in(path, text); i++) {
		if (i > 5000) /* sooner than the writer would look by itself */
			fail_msg("\"%s\" never came", text);
		nanosleep(&pause, NULL);
	}
}

static void a_line_reaches_the_file_while_nothing_else_happens(void **state)
{
	struct log_writer *writer = new_writer(0, NULL);
	struct log *log = log_open(writer, "main");

	(void)state;
	log_event(log, LOG_INFO, "node-started", LOG_STR("version", "1"), LOG_END);
	wait_for(log_path, "node-started");
	/* The writer sleeps now; the second line must wake it again. */
	log_event(log, LOG_INFO, "node-ready", LOG_END);
	wait_for(log_path, "node-ready");
	log_writer_free(&writer);
	assert_null(writer);
}

static void a_level_that_is_off_costs_nothing_and_may_change(void **state)
{
	struct log_writer *writer = new_writer(0, NULL);
	struct log *log = log_open(writer, "main");
	unsigned evaluated = 0;

	(void)state;
	log_event(NULL, LOG_ERROR, "nobody-listens", LOG_U64("n", ++evaluated), LOG_END);
	log_event(log, LOG_DEBUG, "too-fine", LOG_U64("n", ++evaluated), LOG_END);
	assert_int_equal(evaluated, 0);
	log_writer_set_level(writer, LOG_DEBUG);
	log_event(log, LOG_DEBUG, "fine", LOG_U64("n", ++evaluated), LOG_END);
	log_writer_set_level(writer, LOG_ERROR);
	log_event(log, LOG_WARN, "too-fine", LOG_U64("n", ++evaluated), LOG_END);
	log_event(log, LOG_ERROR, "coarse", LOG_U64("n", ++evaluated), LOG_END);
	log_writer_free(&writer);
	assert_int_equal(evaluated, 2);
	assert_int_equal(count_in(log_path, "fine"), 1);
	assert_int_equal(count_in(log_path, "coarse"), 1);
}

#ifdef __SANITIZE_THREAD__
enum { THREADS = 4, LINES = 2000 };
#else
enum { THREADS = 4, LINES = 20000 };
#endif

static void *log_many(void *arg)
{
	for (unsigned i = 0; i < LINES; i++)
		log_event(arg, LOG_INFO, "tick", LOG_U64("number", i), LOG_STR("text", "some text to write"),
			LOG_END);
	return NULL;
}

/* Adds up what log-dropped tells. */
static unsigned long dropped_in_file(void)
{
	struct buf content = { 0 };
	struct span rest;
	unsigned long sum = 0;

	read_whole_file(log_path, &content);
	rest = buf_span(&content);
	while (find_next(&rest, "log-dropped"))
		if (find_next(&rest, "lines="))
			sum += strtoul(rest.ptr, NULL, 10);
	buf_fini(&content);
	return sum;
}

/* Also with rings so small that most lines do not fit: each is either in the file, whole, or in the count. */
static void every_line_of_every_thread_is_written_or_counted_as_dropped(void **state)
{
	static const size_t ring_sizes[] = { 0, 4 * LOG_LINE_MAX };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ring_sizes); i++) {
		struct metrics *metrics = metrics_new(10);
		struct log_writer *writer = new_writer(ring_sizes[i], metrics_open(metrics));
		pthread_t threads[THREADS];
		unsigned long written, dropped;

		for (unsigned t = 0; t < THREADS; t++) {
			char name[16];

			snprintf(name, sizeof(name), "worker-%u", t);
			pthread_create(&threads[t], NULL, log_many, log_open(writer, name));
		}
		for (unsigned t = 0; t < THREADS; t++)
			pthread_join(threads[t], NULL);
		log_writer_free(&writer);
		written = count_in(log_path, " text=\"some text to write\"\n");
		dropped = dropped_in_file();
		assert_int_equal(written + dropped, THREADS * LINES);
		assert_int_equal(metrics_sum(metrics, METRIC_LOG_DROPPED, 0), dropped);
		metrics_free(&metrics);
	}
}

static void a_repeated_warning_is_thinned_and_the_rest_counted_per_event(void **state)
{
	struct log_writer *writer = new_writer(0, NULL);
	struct log *log = log_open(writer, "main");

	(void)state;
	for (unsigned i = 0; i < LOG_BURST + 37; i++)
		log_event(log, LOG_WARN, "hop-refused", LOG_U64("i", i), LOG_END);
	log_event(log, LOG_WARN, "other", LOG_END);
	for (unsigned i = 0; i < LOG_BURST + 1; i++)
		log_event(log, LOG_INFO, "step", LOG_END);
	log_writer_free(&writer);
	assert_int_equal(count_in(log_path, " hop-refused "), LOG_BURST);
	assert_int_equal(
		count_in(log_path, "log-suppressed           node=n1 of=hop-refused lines=37 thread=main"),
		1);
	assert_int_equal(count_in(log_path, "log-suppressed"), 1);
	assert_int_equal(count_in(log_path, " other "), 1);
	assert_int_equal(count_in(log_path, " step "), LOG_BURST + 1);
}

static void reopening_follows_a_rotated_file_and_survives_a_lost_folder(void **state)
{
	struct log_writer *writer = new_writer(0, NULL);
	struct log *log = log_open(writer, "main");
	char rotated[128], moved[80];

	(void)state;
	snprintf(rotated, sizeof(rotated), "%s.1", log_path);
	snprintf(moved, sizeof(moved), "%s-moved", folder);
	log_event(log, LOG_INFO, "before", LOG_END);
	wait_for(log_path, "before");
	assert_int_equal(rename(log_path, rotated), 0);
	log_writer_reopen(writer);
	for (unsigned i = 0; access(log_path, F_OK) != 0; i++) {
		const struct timespec pause = { 0, 1000000 };

		assert_true(i < 20000);
		nanosleep(&pause, NULL);
	}
	log_event(log, LOG_INFO, "after", LOG_END);
	wait_for(log_path, "after");
	assert_int_equal(count_in(rotated, "after"), 0);
	assert_int_equal(rename(folder, moved), 0);
	log_writer_reopen(writer);
	snprintf(rotated, sizeof(rotated), "%s/skein.log", moved);
	wait_for(rotated, "log-reopen-failed");
	assert_int_equal(rename(moved, folder), 0);
	log_writer_free(&writer);
	snprintf(rotated, sizeof(rotated), "%s.1", log_path);
	unlink(rotated);
}

static void a_file_that_cannot_be_opened_is_an_error_at_the_start(void **state)
{
	struct log_writer_options options = { .file = "/nonexistent/skein.log", .node = "n1" };
	struct log_writer *writer = NULL;

	(void)state;
	assert_int_equal(log_writer_new(&options, &writer), ERR_IO);
	assert_null(writer);
}

static void a_ring_gives_back_every_line_in_order_and_refuses_when_full(void **state)
{
	enum { SIZE = 1000, MAX = 100 };
	static struct log_ring ring; /* a fake stack of the sanitizer would not align it */
	unsigned in = 0, out = 0, refused = 0;

	(void)state;
	log_ring_init(&ring, SIZE);
	for (unsigned step = 0; step < 20000; step++) {
		for (unsigned i = 0; i < step % 13; i++) {
			char *line = log_ring_reserve(&ring, MAX);
			size_t len = 1 + in % MAX;

			if (!line) {
				assert_true(log_ring_used(&ring) >= SIZE - 3 * MAX);
				refused++;
				break;
			}
			memset(line, (int)(in & 0x7f), len);
			log_ring_commit(&ring, line, len);
			in++;
		}
		for (unsigned i = 0; i < step % 3; i++) {
			struct span stretch = log_ring_peek(&ring);
			size_t at = 0;

			while (at < stretch.len) {
				size_t len = 1 + out % MAX;

				assert_true(at + len <= stretch.len);
				for (size_t k = 0; k < len; k++)
					assert_int_equal(stretch.ptr[at + k], out & 0x7f);
				at += len;
				out++;
			}
			if (stretch.len)
				log_ring_take(&ring, stretch);
		}
	}
	for (struct span stretch; (stretch = log_ring_peek(&ring)).len;)
		log_ring_take(&ring, stretch);
	assert_int_equal(log_ring_used(&ring), 0);
	assert_true(refused > 100 && out > 10000);
	log_ring_fini(&ring);
}

static int make_folder(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(log_path, sizeof(log_path), "%s/skein.log", folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	unlink(log_path);
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_reaches_the_file_while_nothing_else_happens),
		cmocka_unit_test(a_level_that_is_off_costs_nothing_and_may_change),
		cmocka_unit_test(every_line_of_every_thread_is_written_or_counted_as_dropped),
		cmocka_unit_test(a_repeated_warning_is_thinned_and_the_rest_counted_per_event),
		cmocka_unit_test(reopening_follows_a_rotated_file_and_survives_a_lost_folder),
		cmocka_unit_test(a_file_that_cannot_be_opened_is_an_error_at_the_start),
		cmocka_unit_test(a_ring_gives_back_every_line_in_order_and_refuses_when_full),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
