/*
 * Any bytes decode to an envelope or to an error. What decodes comes back the same when encoded again; where
 * fields that this node does not know were passed over, from the second time on.
 */
#include "skein/proto/mail/envelope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span bytes = span_of((const char *)data, size);
	struct arena arena = { 0 };
	struct envelope envelope;
	struct buf again = { 0 }, third = { 0 };

	if (envelope_decode(bytes, &arena, &envelope) == ERR_OK) {
		envelope_encode(&envelope, &again);
		CHECK(bytes.ptr[0] != 1 || span_eq(buf_span(&again), bytes));
		CHECK(envelope_decode(buf_span(&again), &arena, &envelope) == ERR_OK);
		envelope_encode(&envelope, &third);
		CHECK(span_eq(buf_span(&third), buf_span(&again)));
	}
	buf_fini(&again);
	buf_fini(&third);
	arena_fini(&arena);
	return 0;
}
