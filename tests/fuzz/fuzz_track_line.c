/*
 * Any bytes as a line of a tracking file are an event or none. What is one is shown and can be stored, and
 * its line is read as the same event again.
 */
#include "human.h"
#include "skein/cluster/track_line.h"
#include "track_tell.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Nothing in a line that is shown moves the cursor. */
static void check_shown(const struct track_event *event)
{
	struct track_telling telling = { .is_utc = true, .with_id = true };
	struct buf line = { 0 }, clean = { 0 };

	track_tell_line(&telling, event, &line);
	human_lines(&clean, buf_span(&line));
	CHECK(span_eq(buf_span(&line), buf_span(&clean)));
	CHECK(span_find(buf_span(&line), '\n') == buf_len(&line) - 1);
	buf_fini(&line);
	buf_fini(&clean);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena = { 0 };
	struct track_event event, again;
	struct buf line = { 0 };
	char bytes[TRACK_EVENT_MAX];

	if (track_line_read(span_of((const char *)data, size), &arena, &event)) {
		struct span encoded = span_of(bytes, track_event_encode(&event, bytes));

		CHECK(track_event_decode(&encoded, &again) == ERR_OK);
		check_shown(&event);
		json_decref(track_tell_json(&event));
		track_event_json(&event, &line);
		CHECK(track_line_read(buf_span(&line), &arena, &again) && event.time_us == again.time_us);
	}
	buf_fini(&line);
	arena_fini(&arena);
	return 0;
}
