/*
 * What it costs the thread that tracks to write an event of a usual size, printed. Not a test: run it on a
 * quiet machine.
 */
#include "track/tracker.h"

#include <stdio.h>
#include <time.h>

enum { ROUNDS = 200, EVENTS = 1000 };

static void take(void *arg, const struct track_event *event, struct span encoded)
{
	(void)event;
	*(uint64_t *)arg += encoded.len;
}

static void flush(void *arg)
{
	(void)arg;
}

static double now_s(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* In bursts with pauses, so that the ring has room and the tracker sleeps in between, as in a node. */
int main(void)
{
	const struct tracker_options options = { .node = "relay-1.example.net" };
	const struct timespec pause = { 0, 10000000 };
	const struct track_event event = {
		.kind = TRACK_DELIVER,
		.session = 0x6925d3f100000007,
		.code = 250,
		.size = 1234,
		.latency_us = 1500000,
		.attempts = 1,
		.text = {
			[TRACK_ID] = SPAN_LIT("01KAWCQZ0G0000000000000001"),
			[TRACK_SENDER] = SPAN_LIT("jane.doe@example.net"),
			[TRACK_RECIPIENT] = SPAN_LIT("bob.builder@example.com"),
			[TRACK_HOP] = SPAN_LIT("mx.example.com:192.0.2.7:25"),
			[TRACK_STATUS] = SPAN_LIT("2.0.0"),
			[TRACK_TEXT] = SPAN_LIT("OK queued as 4bKx2p3Jz1z1H"),
			[TRACK_TLS_TEXT] = SPAN_LIT("TLSv1.3 TLS_AES_256_GCM_SHA384"),
		},
	};
	uint64_t bytes = 0;
	const struct track_sink sink = { .arg = &bytes, .take = take, .flush = flush };
	struct tracker *tracker = tracker_new(&options);
	struct track *track;
	double spent = 0;

	tracker_add(tracker, &sink);
	track = track_open(tracker, "bench");
	if (tracker_start(tracker))
		return 1;
	for (unsigned round = 0; round < ROUNDS; round++) {
		double began = now_s();

		for (unsigned i = 0; i < EVENTS; i++)
			track_write(track, &event);
		spent += now_s() - began;
		nanosleep(&pause, NULL);
	}
	tracker_free(&tracker, 1000);
	printf("%.0f ns an event of %.0f bytes\n", spent * 1e9 / ROUNDS / EVENTS,
		(double)bytes / ROUNDS / EVENTS);
	return 0;
}
