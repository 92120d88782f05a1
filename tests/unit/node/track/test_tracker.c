#include "cmocka_all.h"

#include "track/tracker.h"

#include <unistd.h>

struct sink {
	unsigned taken, flushes, reloads, leaves, stops;
	uint64_t last[8]; /* code of the last event of each session */
	bool is_in_order;
	unsigned busy_looks; /* so often it is not idle when it is asked */
	struct buf senders;
};

static void on_take(void *arg, const struct track_event *event, struct span encoded)
{
	struct sink *sink = arg;
	struct track_event same;

	assert_int_equal(track_event_decode(&encoded, &same), ERR_OK);
	assert_true(span_eq(same.text[TRACK_SENDER], event->text[TRACK_SENDER]));
	assert_span_equal(same.text[TRACK_NODE_NAME], "n1");
	assert_true(event->time_us > 0);
	sink->taken++;
	sink->is_in_order = sink->is_in_order && event->code == sink->last[event->session] + 1;
	sink->last[event->session] = event->code;
	buf_append(&sink->senders, event->text[TRACK_SENDER]);
}

static void on_flush(void *arg)
{
	((struct sink *)arg)->flushes++;
}

static void on_reload(void *arg, const struct settings *settings)
{
	(void)settings;
	((struct sink *)arg)->reloads++;
}

static void on_leave(void *arg)
{
	((struct sink *)arg)->leaves++;
}

static bool is_idle(void *arg)
{
	struct sink *sink = arg;

	return !sink->busy_looks || !--sink->busy_looks;
}

static void on_stop(void *arg)
{
	((struct sink *)arg)->stops++;
}

static struct tracker *new_tracker(struct sink *sink, size_t ring_size, enum track_redact_mode mode)
{
	const struct tracker_options options = {
		.node = "n1", .ring_size = ring_size, .redaction = { .mode = mode }
	};
	const struct track_sink made = { sink, on_take, on_flush, on_reload, on_leave, is_idle, on_stop };
	struct tracker *tracker = tracker_new(&options);

	*sink = (struct sink){ .is_in_order = true };
	tracker_add(tracker, &made);
	return tracker;
}

#ifdef __SANITIZE_THREAD__
enum { THREADS = 4, EVENTS = 2000 };
#else
enum { THREADS = 4, EVENTS = 50000 };
#endif

struct producer {
	pthread_t thread;
	struct track *track;
	unsigned number;
};

static void *produce(void *arg)
{
	struct producer *producer = arg;

	for (unsigned i = 1; i <= EVENTS; i++) {
		const struct track_event event = { .kind = TRACK_DELIVER,
			.session = producer->number,
			.code = i,
			.text[TRACK_RECIPIENT] = SPAN_LIT("somebody@example.net") };

		track_write(producer->track, &event);
	}
	return NULL;
}

static void events_of_all_threads_come_each_in_its_order(void **state)
{
	struct producer producers[THREADS];
	struct sink sink;
	/* Room for all: nothing is dropped. */
	struct tracker *tracker = new_tracker(&sink, (size_t)EVENTS * 64, TRACK_REDACT_NONE);

	(void)state;
	for (unsigned i = 0; i < THREADS; i++) {
		producers[i].number = i + 1;
		producers[i].track = track_open(tracker, "producer");
	}
	assert_int_equal(tracker_start(tracker), ERR_OK);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&producers[i].thread, NULL, produce, &producers[i]), 0);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(producers[i].thread, NULL);
	tracker_free(&tracker, 1000);
	assert_null(tracker);
	assert_int_equal(sink.taken, THREADS * EVENTS);
	assert_true(sink.is_in_order);
	assert_true(sink.flushes > 0);
	buf_fini(&sink.senders);
}

static void what_finds_no_room_is_counted(void **state)
{
	struct sink sink;
	struct tracker *tracker = new_tracker(&sink, 4 * TRACK_EVENT_MAX, TRACK_REDACT_NONE);
	struct track *track = track_open(tracker, "one");
	const struct track_event event = { .kind = TRACK_DELIVER, .session = 1 };
	unsigned written = 0;

	(void)state;
	/* Before its thread runs nothing is taken. */
	for (; written < 5000; written++)
		track_write(track, &event);
	assert_int_equal(tracker_start(tracker), ERR_OK);
	tracker_free(&tracker, 1000);
	assert_in_range(sink.taken, 1, written - 1);
	buf_fini(&sink.senders);
}

static void sinks_hear_of_a_reload_and_get_time_to_leave(void **state)
{
	struct sink sink;
	struct tracker *tracker = new_tracker(&sink, 0, TRACK_REDACT_NONE);

	(void)state;
	sink.busy_looks = 5;
	assert_int_equal(tracker_start(tracker), ERR_OK);
	tracker_reload(tracker, NULL);
	tracker_free(&tracker, 60000);
	assert_int_equal(sink.reloads, 1);
	assert_int_equal(sink.leaves, 1);
	assert_int_equal(sink.stops, 1);
	assert_int_equal(sink.busy_looks, 0);
}

static void a_sink_that_never_gets_idle_does_not_hold_up_the_end(void **state)
{
	struct sink sink;
	struct tracker *tracker = new_tracker(&sink, 0, TRACK_REDACT_NONE);

	(void)state;
	sink.busy_looks = UINT32_MAX;
	assert_int_equal(tracker_start(tracker), ERR_OK);
	tracker_free(&tracker, 20);
	assert_int_equal(sink.stops, 1);
}

static void no_sink_sees_what_is_redacted(void **state)
{
	struct sink sink;
	struct tracker *tracker = new_tracker(&sink, 0, TRACK_REDACT_MASKED);
	struct track *track = track_open(tracker, "one");
	const struct track_event event = {
		.kind = TRACK_DELIVER, .code = 1, .text[TRACK_SENDER] = SPAN_LIT("jane@example.net")
	};

	(void)state;
	assert_int_equal(tracker_start(tracker), ERR_OK);
	track_write(track, &event);
	tracker_free(&tracker, 1000);
	assert_span_equal(buf_span(&sink.senders), "j***@example.net");
	buf_fini(&sink.senders);
}

static void without_a_sink_nothing_is_tracked(void **state)
{
	const struct tracker_options options = { .node = "n1" };
	struct tracker *tracker = tracker_new(&options);
	struct track *track = track_open(tracker, "one");

	(void)state;
	assert_null(track);
	track_write(track, &(struct track_event){ .kind = TRACK_NODE });
	/* Neither does it need its thread. */
	tracker_free(&tracker, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_of_all_threads_come_each_in_its_order),
		cmocka_unit_test(what_finds_no_room_is_counted),
		cmocka_unit_test(sinks_hear_of_a_reload_and_get_time_to_leave),
		cmocka_unit_test(a_sink_that_never_gets_idle_does_not_hold_up_the_end),
		cmocka_unit_test(no_sink_sees_what_is_redacted),
		cmocka_unit_test(without_a_sink_nothing_is_tracked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
