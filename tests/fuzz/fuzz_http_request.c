#include "admin/http_request.h"
#include "skein/proto/base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is taken is one head and no more; each beginning of it wants more: waiting and judging agree. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of((const char *)data, size);
	struct http_request request, again;
	enum parse_result result;
	unsigned status;

	result = http_request_parse(in, &request, &status);
	if (result == PARSE_MORE)
		CHECK(size <= HTTP_HEAD_MAX);
	if (result == PARSE_BAD)
		CHECK(status >= 400 && status <= 505);
	if (result != PARSE_DONE)
		return 0;
	CHECK(request.len > 0 && request.len <= size && request.len <= HTTP_HEAD_MAX);
	CHECK(span_starts_with(request.path, SPAN_LIT("/")));
	CHECK(request.path.ptr > in.ptr && request.path.ptr + request.path.len < in.ptr + request.len);
	for (size_t len = 0; len < request.len; len++)
		CHECK(http_request_parse(span_take(in, len), &again, &status) == PARSE_MORE);
	CHECK(http_request_parse(span_take(in, request.len), &again, &status) == PARSE_DONE);
	CHECK(again.len == request.len && span_eq(again.path, request.path));
	return 0;
}
