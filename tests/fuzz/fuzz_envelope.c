/* Any bytes decode to an envelope or to an error; what decodes comes back the same when encoded again. */
#include "skein/proto/mail/envelope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span bytes = span_of((const char *)data, size);
	struct arena arena = { 0 };
	struct envelope envelope;
	struct buf again = { 0 };

	if (envelope_decode(bytes, &arena, &envelope) == ERR_OK) {
		envelope_encode(&envelope, &again);
		CHECK(span_eq(buf_span(&again), bytes));
	}
	buf_fini(&again);
	arena_fini(&arena);
	return 0;
}
