#include "cmocka_all.h"

#include "daily/gzip.h"
#include "daily/tls_rows.h"
#include "skein/proto/base/alloc.h"

#include <zlib.h>

#define FIELD(name, value)                                                                                   \
	{                                                                                                    \
		{ (name), sizeof(name) - 1 },                                                                \
		{                                                                                            \
			(value), sizeof(value) - 1                                                           \
		}                                                                                            \
	}

static void fields_of_a_day_become_policies(void **state)
{
	static const struct tls_counts_field fields[] = {
		FIELD("+tlsa/mx.a.example success", "7"),
		FIELD("=tlsa/mx.a.example", "3 1 1 ab\n2 1 1 cd\n"),
		FIELD("+sts success", "5326"),
		FIELD("+sts certificate-expired mx1.a.example 192.0.2.1 192.0.2.2", "100"),
		FIELD("+sts sts-policy-fetch-error - - -", "3"),
		FIELD("=sts", "version: STSv1\r\nmode: enforce\r\nmx: *.a.example\r\nmx: mx.b.example\r\n"),
		FIELD("told mailto:t@a.example", "1"),
		FIELD("+none starttls-not-supported mx.a.example - -", "2"),
		FIELD("+nonsense success", "1"),
		FIELD("+sts", "1"),
		FIELD("+sts success more", "x"),
		FIELD("=", "x"),
		FIELD("", "x"),
	};
	const struct tls_counts_day day = { 20000, SPAN_LIT("a.example"), 1, fields, ARRAY_LEN(fields) };
	struct tls_report_policy policies[TLS_ROWS_POLICIES_MAX];
	struct arena arena = { 0 };
	struct tls_report report = { .policies = policies };
	struct buf text = { 0 };
	static const char wanted[] =
		"\"policies\":[{\"policy\":{\"policy-type\":\"no-policy-found\",\"policy-domain\":\"a."
		"example\"},"
		"\"summary\":{\"total-successful-session-count\":0,\"total-failure-session-count\":2},"
		"\"failure-details\":[{\"result-type\":\"starttls-not-supported\",\"receiving-mx-hostname\":"
		"\"mx.a.example\",\"failed-session-count\":2}]},"
		"{\"policy\":{\"policy-type\":\"sts\",\"policy-string\":[\"version: STSv1\",\"mode: "
		"enforce\","
		"\"mx: *.a.example\",\"mx: mx.b.example\"],\"policy-domain\":\"a.example\",\"mx-host\":"
		"[\"*.a.example\",\"mx.b.example\"]},\"summary\":{\"total-successful-session-count\":5326,"
		"\"total-failure-session-count\":103},\"failure-details\":[{\"result-type\":"
		"\"certificate-expired\",\"sending-mta-ip\":\"192.0.2.1\",\"receiving-mx-hostname\":"
		"\"mx1.a.example\",\"receiving-ip\":\"192.0.2.2\",\"failed-session-count\":100},"
		"{\"result-type\":\"sts-policy-fetch-error\",\"failed-session-count\":3}]},"
		"{\"policy\":{\"policy-type\":\"tlsa\",\"policy-string\":[\"3 1 1 ab\",\"2 1 1 cd\"],"
		"\"policy-domain\":\"a.example\",\"mx-host\":[\"mx.a.example\"]},\"summary\":"
		"{\"total-successful-session-count\":7,\"total-failure-session-count\":0}}]}";

	(void)state;
	report.policy_count = tls_rows_policies(&day, &arena, policies);
	tls_report_append(&report, &text);
	if (span_find(buf_span(&text), '{') || !strstr(arena_strdup(&arena, buf_span(&text)), wanted))
		fail_msg("got %.*s", SPAN_ARGS(buf_span(&text)));
	assert_true(tls_rows_is_told(&day, SPAN_LIT("mailto:t@a.example")));
	assert_false(tls_rows_is_told(&day, SPAN_LIT("mailto:t@a.exampl")));
	buf_fini(&text);
	arena_fini(&arena);
}

static void what_is_compressed_is_read_back(void **state)
{
	static const size_t sizes[] = { 0, 1, 1000, 100000 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		char *text = mem_alloc(sizes[i] + 1), *back = mem_alloc(sizes[i] + 1);
		struct buf packed = { 0 };
		z_stream stream = { .zalloc = Z_NULL };

		for (size_t k = 0; k < sizes[i]; k++)
			text[k] = (char)(k * k >> 7);
		gzip_append(span_of(text, sizes[i]), &packed);
		assert_memory_equal(buf_span(&packed).ptr, "\x1f\x8b\x08", 3);
		assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
		stream.next_in = (Bytef *)(uintptr_t)buf_span(&packed).ptr;
		stream.avail_in = (uInt)buf_len(&packed);
		stream.next_out = (Bytef *)back;
		stream.avail_out = (uInt)sizes[i] + 1;
		assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
		assert_int_equal(stream.total_out, sizes[i]);
		assert_memory_equal(back, text, sizes[i]);
		inflateEnd(&stream);
		buf_fini(&packed);
		mem_free(text);
		mem_free(back);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_of_a_day_become_policies),
		cmocka_unit_test(what_is_compressed_is_read_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
