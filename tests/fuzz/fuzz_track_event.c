/*
 * Any bytes are events or damage. What decodes is printed in each way, also redacted, and comes back the same
 * when it is encoded again.
 */
#include "skein/cluster/track_event.h"

#include "skein/proto/base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_same(const struct track_event *a, const struct track_event *b)
{
	CHECK(a->kind == b->kind && a->time_us == b->time_us && a->session == b->session &&
		a->code == b->code && a->size == b->size && a->latency_us == b->latency_us &&
		a->attempts == b->attempts && a->recipients == b->recipients);
	for (unsigned i = 0; i < TRACK_TEXT_COUNT; i++)
		CHECK(span_eq(a->text[i], b->text[i]));
}

static void check_prints(const struct track_event *event)
{
	struct buf out = { 0 };

	track_event_json(event, &out);
	CHECK(utf8_is_valid(buf_span(&out)));
	buf_clear(&out);
	track_event_w3c(event, &out);
	CHECK(utf8_is_valid(buf_span(&out)));
	CHECK(span_find(buf_span(&out), '\n') == buf_len(&out));
	buf_fini(&out);
}

static void check_redacted(struct track_event event, enum track_redact_mode mode)
{
	const struct track_redaction redaction = { mode, { 1, 2 } };
	struct arena arena = { 0 };

	track_event_redact(&event, &redaction, &arena);
	check_prints(&event);
	arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span bytes = span_of((const char *)data, size);
	struct track_event event, again;
	char out[TRACK_EVENT_MAX];
	enum err err;

	while ((err = track_event_decode(&bytes, &event)) != ERR_CORRUPT) {
		struct span encoded;
		size_t len;

		if (err)
			continue;
		len = track_event_encode(&event, out);
		encoded = span_of(out, len);
		CHECK(track_event_decode(&encoded, &again) == ERR_OK && !encoded.len);
		/* Tags that come twice take room but once, so it all fits. */
		check_same(&event, &again);
		check_prints(&event);
		check_redacted(event, TRACK_REDACT_MASKED);
		check_redacted(event, TRACK_REDACT_HASHED);
	}
	return 0;
}
