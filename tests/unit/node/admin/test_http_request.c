#include "cmocka_all.h"

#include "admin/http_request.h"
#include "skein/proto/base/buf.h"

#define HOST     "Host: a\r\n"
#define GET(...) "GET /readyz HTTP/1.1\r\n" __VA_ARGS__ "\r\n"

enum { MORE = 0 };

static const struct row {
	const char *name;
	struct span request;
	unsigned status; /* 200: taken; MORE: not whole */
	const char *path;
	bool is_head, keep_alive;
} rows[] = {
	/* Fine */
	{ "plain", SPAN_LIT(GET(HOST)), 200, "/readyz", false, true },
	{ "with a query", SPAN_LIT("GET /metrics?x=1 HTTP/1.1\r\n" HOST "\r\n"), 200, "/metrics", false,
		true },
	{ "HEAD", SPAN_LIT("HEAD / HTTP/1.1\r\n" HOST "\r\n"), 200, "/", true, true },
	{ "asked to close", SPAN_LIT(GET(HOST "Connection: close\r\n")), 200, "/readyz", false, false },
	{ "HTTP/1.0 without Host", SPAN_LIT("GET /readyz HTTP/1.0\r\n\r\n"), 200, "/readyz", false, false },
	{ "IPv6 host with port", SPAN_LIT(GET("Host: [::1]:8025\r\n")), 200, "/readyz", false, true },
	{ "empty value", SPAN_LIT(GET(HOST "X-A:\r\n")), 200, "/readyz", false, true },
	{ "length of nothing", SPAN_LIT(GET(HOST "Content-Length: 0\r\n")), 200, "/readyz", false, true },
	/* Not whole */
	{ "nothing", SPAN_LIT(""), MORE, NULL, false, false },
	{ "half a line", SPAN_LIT("GET /rea"), MORE, NULL, false, false },
	{ "no empty line", SPAN_LIT("GET / HTTP/1.1\r\n" HOST), MORE, NULL, false, false },
	/* Two readers, two requests */
	{ "CL and TE", SPAN_LIT(GET(HOST "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n")), 400, NULL,
		0, 0 },
	{ "two lengths", SPAN_LIT(GET(HOST "Content-Length: 4\r\nContent-Length: 5\r\n")), 400, NULL, 0, 0 },
	{ "length +4", SPAN_LIT(GET(HOST "Content-Length: +4\r\n")), 400, NULL, 0, 0 },
	{ "length 4, 4", SPAN_LIT(GET(HOST "Content-Length: 4, 4\r\n")), 400, NULL, 0, 0 },
	{ "NUL in a field", SPAN_LIT(GET(HOST "X-A: a\0b\r\n")), 400, NULL, 0, 0 },
	{ "TE gzip, chunked", SPAN_LIT(GET(HOST "Transfer-Encoding: gzip, chunked\r\n")), 413, NULL, 0, 0 },
	{ "TE chunked", SPAN_LIT(GET(HOST "Transfer-Encoding: chunked\r\n")), 413, NULL, 0, 0 },
	{ "a body", SPAN_LIT(GET(HOST "Content-Length: 4\r\n")), 413, NULL, 0, 0 },
	{ "space before the colon", SPAN_LIT(GET("Host : a\r\n")), 400, NULL, 0, 0 },
	{ "tab before the colon", SPAN_LIT(GET(HOST "X-A\t: a\r\n")), 400, NULL, 0, 0 },
	{ "no Host", SPAN_LIT(GET("X-A: a\r\n")), 400, NULL, 0, 0 },
	{ "two Hosts", SPAN_LIT(GET(HOST HOST)), 400, NULL, 0, 0 },
	{ "two Hosts in HTTP/1.0", SPAN_LIT("GET / HTTP/1.0\r\n" HOST HOST "\r\n"), 400, NULL, 0, 0 },
	{ "two Hosts in one", SPAN_LIT(GET("Host: a, b\r\n")), 400, NULL, 0, 0 },
	{ "empty Host", SPAN_LIT(GET("Host:\r\n")), 400, NULL, 0, 0 },
	{ "bare LF after the request line", SPAN_LIT("GET / HTTP/1.1\n" HOST "\r\n"), 400, NULL, 0, 0 },
	{ "bare LF after a field", SPAN_LIT("GET / HTTP/1.1\r\nHost: a\n\n"), 400, NULL, 0, 0 },
	{ "bare CR", SPAN_LIT(GET("Host: a\rb\r\n")), 400, NULL, 0, 0 },
	{ "CR CR LF", SPAN_LIT("GET / HTTP/1.1\r\r\n" HOST "\r\n"), 400, NULL, 0, 0 },
	{ "folded field", SPAN_LIT(GET(HOST "X-A: a\r\n b\r\n")), 400, NULL, 0, 0 },
	{ "field without a colon", SPAN_LIT(GET(HOST "X-A\r\n")), 400, NULL, 0, 0 },
	{ "field without a name", SPAN_LIT(GET(HOST ": a\r\n")), 400, NULL, 0, 0 },
	{ "upgrade", SPAN_LIT(GET(HOST "Connection: Upgrade\r\nUpgrade: h2c\r\n")), 400, NULL, 0, 0 },
	/* The request line */
	{ "HTTP/9.9", SPAN_LIT("GET / HTTP/9.9\r\n" HOST "\r\n"), 505, NULL, 0, 0 },
	{ "HTTP/2", SPAN_LIT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 400, NULL, 0, 0 },
	{ "HTTP/1.10", SPAN_LIT("GET / HTTP/1.10\r\n" HOST "\r\n"), 400, NULL, 0, 0 },
	{ "lower-case protocol", SPAN_LIT("GET / http/1.1\r\n" HOST "\r\n"), 400, NULL, 0, 0 },
	{ "HTTP/0.9", SPAN_LIT("GET /\r\n\r\n"), 400, NULL, 0, 0 },
	{ "two spaces", SPAN_LIT("GET  / HTTP/1.1\r\n" HOST "\r\n"), 400, NULL, 0, 0 },
	{ "a space at the end", SPAN_LIT("GET / HTTP/1.1 \r\n" HOST "\r\n"), 400, NULL, 0, 0 },
	{ "a tab in the target", SPAN_LIT("GET /\tx HTTP/1.1\r\n" HOST "\r\n"), 400, NULL, 0, 0 },
	{ "absolute target", SPAN_LIT("GET http://a/ HTTP/1.1\r\n" HOST "\r\n"), 400, NULL, 0, 0 },
	{ "an empty line first", SPAN_LIT("\r\nGET / HTTP/1.1\r\n" HOST "\r\n"), 400, NULL, 0, 0 },
	{ "POST", SPAN_LIT("POST / HTTP/1.1\r\n" HOST "\r\n"), 405, NULL, 0, 0 },
	{ "CONNECT", SPAN_LIT("CONNECT a:1 HTTP/1.1\r\n" HOST "\r\n"), 400, NULL, 0, 0 },
	{ "unknown method", SPAN_LIT("FETCH / HTTP/1.1\r\n" HOST "\r\n"), 400, NULL, 0, 0 },
	{ "TLS", SPAN_LIT("\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03"), 400, NULL, 0, 0 },
	{ "PROXY header", SPAN_LIT("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\n\r\n"), 400, NULL, 0, 0 },
};

static void assert_verdict(
	const struct row *row, enum parse_result result, const struct http_request *request, unsigned status)
{
	if (result != (row->status == 200 ? PARSE_DONE : row->status == MORE ? PARSE_MORE : PARSE_BAD))
		fail_msg("%s: result %d, status %u", row->name, result, status);
	if (result == PARSE_BAD && status != row->status)
		fail_msg("%s: answered %u instead of %u", row->name, status, row->status);
	if (result != PARSE_DONE)
		return;
	assert_span_equal(request->path, row->path);
	assert_int_equal(request->is_head, row->is_head);
	assert_int_equal(request->keep_alive, row->keep_alive);
}

static void every_request_gets_its_verdict_whole_and_byte_by_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *row = &rows[i];
		struct http_request request = { 0 };
		enum parse_result result;
		unsigned status;

		result = http_request_parse(row->request, &request, &status);
		assert_verdict(row, result, &request, status);
		for (size_t len = 0; len <= row->request.len; len++) {
			result = http_request_parse(span_take(row->request, len), &request, &status);
			if (result != PARSE_MORE)
				break;
		}
		assert_verdict(row, result, &request, status);
	}
}

static void what_follows_a_head_is_left_alone(void **state)
{
	struct http_request request;
	unsigned status;

	(void)state;
	assert_int_equal(http_request_parse(SPAN_LIT(GET(HOST) "GET /next"), &request, &status), PARSE_DONE);
	assert_int_equal(request.len, sizeof(GET(HOST)) - 1);
}

static void a_head_has_a_size_and_a_number_of_fields(void **state)
{
	static const struct {
		unsigned fields;
		size_t filler;
		enum parse_result result;
	} cases[] = {
		{ HTTP_FIELDS_MAX - 1, 0, PARSE_DONE }, /* and Host */
		{ HTTP_FIELDS_MAX, 0, PARSE_BAD },
		{ 0, HTTP_HEAD_MAX, PARSE_BAD },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct http_request request;
		struct buf bytes = { 0 };
		unsigned status;

		buf_append_str(&bytes, "GET / HTTP/1.1\r\nHost: a\r\n");
		for (unsigned k = 0; k < cases[i].fields; k++)
			buf_append_str(&bytes, "X: y\r\n");
		for (size_t k = 0; k < cases[i].filler; k++)
			buf_append_byte(&bytes, 'x');
		buf_append_str(&bytes, "\r\n");
		assert_int_equal(http_request_parse(buf_span(&bytes), &request, &status), cases[i].result);
		if (cases[i].result == PARSE_BAD)
			assert_int_equal(status, 431);
		buf_fini(&bytes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_request_gets_its_verdict_whole_and_byte_by_byte),
		cmocka_unit_test(what_follows_a_head_is_left_alone),
		cmocka_unit_test(a_head_has_a_size_and_a_number_of_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
