/*
 * The thread sleeps until an event comes, gathers for BATCH_MS or until a ring is half full, gives what all
 * rings hold to the sinks, and sleeps again when they are empty.
 */
#include "track/tracker.h"

#include "io/random.h"
#include "io/stream.h"
#include "skein/proto/base/alloc.h"
#include "track/log_ring.h"

#include <stdlib.h>
#include <time.h>

enum { BATCH_MS = 5, LEAVE_STEP_MS = 5, RING_SIZE_DEFAULT = 512 * 1024 };

/* What a producer should do once its event is in the ring. */
enum wake {
	WAKE_NEVER, /* the tracker is at work, or told already */
	WAKE_HALF,  /* it gathers a batch: wake it when the ring is half full */
	WAKE_ANY,   /* it sleeps */
};

struct track {
	struct tracker *tracker;
	struct track *next;
	char *thread;
	atomic_ulong dropped; /* the tracker takes it back to 0 */
	struct log_ring ring;
};

struct tracker {
	struct tracker_options options;
	struct span node;
	struct track_sink sinks[TRACKER_SINKS_MAX];
	unsigned sink_count;
	struct track *tracks; /* fixed from the start on */
	atomic_int wake;      /* enum wake */
	bool is_running;
	pthread_t thread;

	uint64_t run;

	/* Of the thread. */
	uint64_t last_number; /* of an event */
	struct loop loop;
	uv_async_t woken;
	struct loop_timer batch_timer, leave_timer;
	struct loop_msg leave_msg;
	uint64_t patience_ms, leave_until_ms;
	struct arena arena; /* of one event that is redacted */
};

struct order {
	struct loop_msg msg;
	struct tracker *tracker;
	const struct settings *settings;
};

static void on_woken(uv_async_t *handle);
static void on_batch(void *arg);
static void on_leave_step(void *arg);

/* --- the threads that track --------------------------------------------------------------------- */

uint64_t track_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void wake_tracker(struct track *track)
{
	struct tracker *tracker = track->tracker;
	int wake = atomic_load(&tracker->wake);

	if (wake == WAKE_NEVER)
		return;
	if (wake == WAKE_HALF && log_ring_used(&track->ring) < track->ring.size / 2)
		return;
	if (atomic_exchange(&tracker->wake, WAKE_NEVER) != WAKE_NEVER)
		uv_async_send(&tracker->woken);
}

void track_write(struct track *track, const struct track_event *event)
{
	struct track_event stamped;
	char *at;

	if (!track)
		return;
	at = log_ring_reserve(&track->ring, TRACK_EVENT_MAX);
	if (!at) {
		atomic_fetch_add_explicit(&track->dropped, 1, memory_order_relaxed);
		return;
	}
	stamped = *event;
	stamped.text[TRACK_NODE_NAME] = track->tracker->node;
	if (!stamped.time_us)
		stamped.time_us = track_now_us();
	log_ring_commit(&track->ring, at, track_event_encode(&stamped, at));
	wake_tracker(track);
}

/* --- the tracker's thread ----------------------------------------------------------------------- */

static bool has_events(const struct tracker *tracker)
{
	for (struct track *track = tracker->tracks; track; track = track->next) {
		if (log_ring_peek(&track->ring).len)
			return true;
	}
	return false;
}

static bool is_half_full(const struct tracker *tracker)
{
	for (struct track *track = tracker->tracks; track; track = track->next) {
		if (log_ring_used(&track->ring) >= track->ring.size / 2)
			return true;
	}
	return false;
}

static void give(struct tracker *tracker, struct track_event *event, struct span encoded)
{
	char again[TRACK_EVENT_MAX];

	event->run = tracker->run;
	event->number = ++tracker->last_number;
	meter_add_at(tracker->options.meter, METRIC_TRACK_EVENTS, event->kind, 1);
	if (tracker->options.redaction.mode != TRACK_REDACT_NONE) {
		track_event_redact(event, &tracker->options.redaction, &tracker->arena);
		encoded = span_of(again, track_event_encode(event, again));
	}
	for (unsigned i = 0; i < tracker->sink_count; i++)
		tracker->sinks[i].take(tracker->sinks[i].arg, event, encoded);
	arena_reset(&tracker->arena);
}

static void give_stretch(struct tracker *tracker, struct span rest)
{
	struct track_event event;

	while (rest.len) {
		struct span before = rest;

		/* We encoded it ourselves. */
		CHECK(track_event_decode(&rest, &event) == ERR_OK);
		give(tracker, &event, span_take(before, before.len - rest.len));
	}
}

/* Two stretches at most per ring and round, so that one busy thread does not hold up the rest. */
static void drain(struct tracker *tracker)
{
	for (struct track *track = tracker->tracks; track; track = track->next) {
		for (unsigned i = 0; i < 2; i++) {
			struct span stretch = log_ring_peek(&track->ring);

			if (!stretch.len)
				break;
			give_stretch(tracker, stretch);
			log_ring_take(&track->ring, stretch);
		}
	}
	for (unsigned i = 0; i < tracker->sink_count; i++)
		tracker->sinks[i].flush(tracker->sinks[i].arg);
}

static void report_losses(struct tracker *tracker)
{
	for (struct track *track = tracker->tracks; track; track = track->next) {
		uint64_t dropped = atomic_exchange_explicit(&track->dropped, 0, memory_order_relaxed);

		if (!dropped)
			continue;
		meter_add_at(tracker->options.meter, METRIC_TRACK_LOST, TRACK_LOST_RING, (int64_t)dropped);
		log_event(tracker->options.log, LOG_WARN, "tracking-dropped",
			LOG_STR("thread", track->thread), LOG_U64("events", dropped), LOG_END);
	}
}

static void gather(struct tracker *tracker)
{
	atomic_store(&tracker->wake, WAKE_HALF);
	/* What came before the store woke nobody. */
	loop_timer_set(&tracker->loop, &tracker->batch_timer, is_half_full(tracker) ? 0 : BATCH_MS);
}

static void on_batch(void *arg)
{
	struct tracker *tracker = arg;

	atomic_store(&tracker->wake, WAKE_NEVER);
	drain(tracker);
	report_losses(tracker);
	if (!has_events(tracker))
		atomic_store(&tracker->wake, WAKE_ANY);
	/* An event that came before the store woke nobody; sequential consistency shows it here. */
	if (has_events(tracker))
		gather(tracker);
}

static void on_woken(uv_async_t *handle)
{
	struct tracker *tracker = handle->data;

	if (!loop_timer_is_set(&tracker->batch_timer)) {
		gather(tracker);
	} else {
		loop_timer_cancel(&tracker->loop, &tracker->batch_timer);
		on_batch(tracker);
	}
}

static void *run(void *arg)
{
	struct tracker *tracker = arg;

	/* What was written before the thread ran. */
	on_batch(tracker);
	loop_run(&tracker->loop);
	return NULL;
}

/* --- the end ------------------------------------------------------------------------------------ */

static bool is_idle(const struct tracker *tracker)
{
	for (unsigned i = 0; i < tracker->sink_count; i++) {
		const struct track_sink *sink = &tracker->sinks[i];

		if (sink->is_idle && !sink->is_idle(sink->arg))
			return false;
	}
	return true;
}

static void on_leave(void *arg)
{
	struct tracker *tracker = arg;

	while (has_events(tracker))
		drain(tracker);
	report_losses(tracker);
	for (unsigned i = 0; i < tracker->sink_count; i++) {
		if (tracker->sinks[i].leave)
			tracker->sinks[i].leave(tracker->sinks[i].arg);
	}
	tracker->leave_until_ms = loop_now_ms(&tracker->loop) + tracker->patience_ms;
	on_leave_step(tracker);
}

static void on_leave_step(void *arg)
{
	struct tracker *tracker = arg;

	if (!is_idle(tracker) && loop_now_ms(&tracker->loop) < tracker->leave_until_ms) {
		loop_timer_set(&tracker->loop, &tracker->leave_timer, LEAVE_STEP_MS);
		return;
	}
	for (unsigned i = 0; i < tracker->sink_count; i++) {
		if (tracker->sinks[i].stop)
			tracker->sinks[i].stop(tracker->sinks[i].arg);
	}
	loop_timer_cancel(&tracker->loop, &tracker->batch_timer);
	uv_close((uv_handle_t *)&tracker->woken, NULL);
	stream_abort_all(&tracker->loop);
	loop_stop(&tracker->loop);
}

static void free_tracks(struct tracker *tracker)
{
	struct track *track, *next;

	for (track = tracker->tracks; track; track = next) {
		next = track->next;
		log_ring_fini(&track->ring);
		mem_free(track->thread);
		free(track); /* of posix_memalign() */
	}
}

void tracker_free(struct tracker **tracker_inout, uint64_t patience_ms)
{
	struct tracker *tracker = *tracker_inout;

	if (!tracker)
		return;
	*tracker_inout = NULL;
	tracker->patience_ms = patience_ms;
	loop_msg_init(&tracker->leave_msg, on_leave, tracker);
	loop_post(&tracker->loop, &tracker->leave_msg);
	/* Without a thread of its own the loop is turned here. */
	if (tracker->is_running)
		pthread_join(tracker->thread, NULL);
	else
		loop_run(&tracker->loop);
	loop_fini(&tracker->loop);
	arena_fini(&tracker->arena);
	free_tracks(tracker);
	mem_free(tracker);
}

/* --- building ----------------------------------------------------------------------------------- */

struct tracker *tracker_new(const struct tracker_options *options)
{
	struct tracker *tracker = mem_zalloc(sizeof(*tracker));
	enum err err = loop_init(&tracker->loop);
	struct random random;

	CHECK(err == ERR_OK);
	random_seed(&random);
	tracker->run = random_u64(&random);
	tracker->options = *options;
	if (!tracker->options.ring_size)
		tracker->options.ring_size = RING_SIZE_DEFAULT;
	tracker->node = span_of_str(options->node);
	CHECK(uv_async_init(&tracker->loop.uv, &tracker->woken, on_woken) == 0);
	tracker->woken.data = tracker;
	loop_timer_init(&tracker->batch_timer, on_batch, tracker);
	loop_timer_init(&tracker->leave_timer, on_leave_step, tracker);
	return tracker;
}

struct loop *tracker_loop(struct tracker *tracker)
{
	return &tracker->loop;
}

uint64_t tracker_run(const struct tracker *tracker)
{
	return tracker->run;
}

void tracker_add(struct tracker *tracker, const struct track_sink *sink)
{
	CHECK(tracker->sink_count < TRACKER_SINKS_MAX && !tracker->is_running);
	tracker->sinks[tracker->sink_count++] = *sink;
}

struct track *track_open(struct tracker *tracker, const char *thread)
{
	struct track *track;

	CHECK(!tracker->is_running);
	if (!tracker->sink_count)
		return NULL;
	/* The ring keeps its two ends on cache lines of their own. */
	CHECK(posix_memalign((void **)&track, _Alignof(struct track), sizeof(*track)) == 0);
	memset(track, 0, sizeof(*track));
	track->tracker = tracker;
	track->thread = mem_strdup(thread);
	log_ring_init(&track->ring, tracker->options.ring_size);
	track->next = tracker->tracks;
	tracker->tracks = track;
	return track;
}

enum err tracker_start(struct tracker *tracker)
{
	sigset_t all, before;
	int error;

	/* Signals are for the threads that expect them. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&tracker->thread, NULL, run, tracker);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	tracker->is_running = error == 0;
	return error ? ERR_IO : ERR_OK;
}

static void on_reload(void *arg)
{
	struct order *order = arg;
	struct tracker *tracker = order->tracker;

	for (unsigned i = 0; i < tracker->sink_count; i++) {
		if (tracker->sinks[i].reload)
			tracker->sinks[i].reload(tracker->sinks[i].arg, order->settings);
	}
	mem_free(order);
}

void tracker_reload(struct tracker *tracker, const struct settings *settings)
{
	struct order *order = mem_zalloc(sizeof(*order));

	order->tracker = tracker;
	order->settings = settings;
	loop_msg_init(&order->msg, on_reload, order);
	loop_post(&tracker->loop, &order->msg);
}
