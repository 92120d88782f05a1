/*
 * Any bytes as a head and a body open to events or to an error, and the events decode or do not. The first
 * two bytes say how long the head is.
 */
#include "skein/cluster/track_chunk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_all(struct span events)
{
	struct track_event event;
	struct buf line = { 0 };
	enum err err = ERR_OK;

	while (events.len && err != ERR_CORRUPT) {
		err = track_event_decode(&events, &event);
		if (err == ERR_OK)
			track_event_json(&event, &line);
		buf_clear(&line);
	}
	buf_fini(&line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span bytes = span_of((const char *)data, size);
	struct track_head head;
	struct buf events = { 0 };
	size_t head_len;

	if (size < 2)
		return 0;
	head_len = (size_t)data[0] << 8 | data[1];
	bytes = span_drop(bytes, 2);
	head_len = head_len < bytes.len ? head_len : bytes.len;
	if (track_head_decode(span_take(bytes, head_len), &head) == ERR_OK) {
		(void)track_filter_may_have(head.filter, track_term(TRACK_TERM_ID, head.node));
		if (track_chunk_open(&head, span_drop(bytes, head_len), &events) == ERR_OK)
			read_all(buf_span(&events));
	}
	buf_fini(&events);
	return 0;
}
