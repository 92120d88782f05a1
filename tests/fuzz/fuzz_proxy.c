#include "skein/proto/base/check.h"
#include "skein/proto/wire/proxy_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever a header's bytes are, each beginning of it wants more: waiting and judging agree. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of((const char *)data, size);
	struct proxy_header header, again;
	size_t consumed, consumed_again;
	enum parse_result result = proxy_header_parse(in, &header, &consumed);

	if (result == PARSE_MORE)
		CHECK(size < PROXY_HEADER_LEN_MAX);
	if (result != PARSE_DONE)
		return 0;
	CHECK(consumed > 0 && consumed <= size && consumed <= PROXY_HEADER_LEN_MAX);
	CHECK(!header.local || header.family == PROXY_FAMILY_NONE);
	for (size_t len = 0; len < consumed; len++)
		CHECK(proxy_header_parse(span_take(in, len), &again, &consumed_again) == PARSE_MORE);
	CHECK(proxy_header_parse(span_take(in, consumed), &again, &consumed_again) == PARSE_DONE);
	CHECK(consumed_again == consumed && again.family == header.family);
	CHECK(memcmp(&again.source, &header.source, sizeof(again.source)) == 0);
	return 0;
}
