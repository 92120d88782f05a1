#include "cmocka_all.h"

#include "skein/proto/wire/tls_rpt.h"

/* `uris` NULL: it is wrong. */
static void records_are_read(void **state)
{
	static const struct {
		const char *text, *uris;
		bool is_one;
	} rows[] = {
		{ "v=TLSRPTv1; rua=mailto:a@example.org", "mailto:a@example.org", true },
		{ "v=TLSRPTv1;rua=mailto:a@b , https://c.example/d;x=y;", "mailto:a@b , https://c.example/d",
			true },
		{ "v=TLSRPTv1", NULL, true },
		{ "v=TLSRPTv1; rua=", NULL, true },
		{ "v=TLSRPTv1; rua", NULL, true },
		{ "v=TLSRPTv1; rua=a@example.org", NULL, true },
		{ "v=TLSRPTv1; rua=mailto:a@", NULL, true },
		{ "v=TLSRPTv1; rua=mailto:@a", NULL, true },
		{ "v=TLSRPTv1; rua=mail", NULL, true },
		{ "v=TLSRPTv1; rua=https://", NULL, true },
		{ "v=TLSRPTv1; rua=http://a.example/", NULL, true },
		{ "v=TLSRPTv1; rua=mailto:a@b!1m", NULL, true },
		{ "v=TLSRPTv1; rua=mailto:a@b,,mailto:c@d", NULL, true },
		{ "v=TLSRPTv1; rua=mailto:a@b; rua=mailto:c@d", NULL, true },
		{ "v=TLSRPTv2; rua=mailto:a@b", NULL, false },
		{ "rua=mailto:a@b; v=TLSRPTv1", NULL, false },
		{ "", NULL, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct span text = span_of_str(rows[i].text), uris;
		const char *wrong = tls_rpt_record_parse(text, &uris);

		if (tls_rpt_record_is_one(text) != rows[i].is_one ||
			(wrong == NULL) != (rows[i].uris != NULL))
			fail_msg("row %zu: %s: %s", i, rows[i].text, wrong ? wrong : "good");
		if (rows[i].uris)
			assert_span_equal(uris, rows[i].uris);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
