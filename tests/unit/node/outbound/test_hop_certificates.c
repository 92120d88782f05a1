/* When certificates of next hops end: the first of each host, of not too many hosts, not for ever. */
#include "cmocka_all.h"

#include "outbound/hop_certificates.h"
#include "skein/proto/base/span.h"

#include <stdio.h>

enum { NOW_S = 1800000000, DAY_S = 86400 };

/* "host days;", as many as are asked for. */
static void expect(struct hop_certificates *certificates, int64_t now_s, size_t most, const char *wanted)
{
	static struct hop_certificate rows[HOP_CERTIFICATES_MAX];
	size_t count = hop_certificates_list(certificates, now_s, most, rows);
	struct buf text = { 0 };

	for (size_t i = 0; i < count; i++)
		buf_printf(&text, "%s %lld;", rows[i].host, (long long)(rows[i].ends_s - NOW_S) / DAY_S);
	if (!span_eq(buf_span(&text), span_of_str(wanted)))
		fail_msg("got %.*s, wanted %s", SPAN_ARGS(buf_span(&text)), wanted);
	buf_fini(&text);
}

static void note(struct hop_certificates *certificates, const char *host, int64_t days, int64_t at_s)
{
	hop_certificates_note(certificates, host, NOW_S + days * DAY_S, NOW_S + at_s);
}

static void the_first_that_ends_comes_first(void **state)
{
	struct hop_certificates *certificates = hop_certificates_new();

	(void)state;
	note(NULL, "mx.example", 1, 0);
	expect(NULL, NOW_S, 5, "");
	note(certificates, "late.example", 90, 0);
	note(certificates, "MX.example", 3, 1);
	hop_certificates_note(certificates, "none.example", 0, NOW_S);
	expect(certificates, NOW_S + 1, 5, "mx.example 3;late.example 90;");
	expect(certificates, NOW_S + 1, 1, "mx.example 3;");
	hop_certificates_free(&certificates);
	assert_null(certificates);
	hop_certificates_free(&certificates);
}

static void a_renewed_one_counts_when_the_old_one_is_not_seen_any_more(void **state)
{
	struct hop_certificates *certificates = hop_certificates_new();

	(void)state;
	note(certificates, "mx.example", 3, 0);
	note(certificates, "mx.example", 90, 60);
	expect(certificates, NOW_S + 60, 5, "mx.example 3;");
	/* Another of its servers has the old one still. */
	note(certificates, "mx.example", 3, 3600);
	note(certificates, "mx.example", 90, 7200);
	expect(certificates, NOW_S + 7200, 5, "mx.example 3;");
	note(certificates, "mx.example", 90, 7201);
	expect(certificates, NOW_S + 7201, 5, "mx.example 90;");
	note(certificates, "mx.example", 2, 7202);
	expect(certificates, NOW_S + 7202, 5, "mx.example 2;");
	hop_certificates_free(&certificates);
}

static void who_is_not_spoken_to_is_forgotten(void **state)
{
	struct hop_certificates *certificates = hop_certificates_new();

	(void)state;
	note(certificates, "mx.example", 3, 0);
	expect(certificates, NOW_S + DAY_S, 5, "mx.example 3;");
	expect(certificates, NOW_S + DAY_S + 1, 5, "");
	note(certificates, "other.example", 4, DAY_S + 1);
	expect(certificates, NOW_S + DAY_S + 1, 5, "other.example 4;");
	hop_certificates_free(&certificates);
}

static void of_too_many_hosts_those_that_end_first_are_known(void **state)
{
	struct hop_certificates *certificates = hop_certificates_new();
	char host[32];

	(void)state;
	for (int i = 0; i < HOP_CERTIFICATES_MAX; i++) {
		snprintf(host, sizeof(host), "mx%d.example", i);
		note(certificates, host, 10 + i, 0);
	}
	note(certificates, "later.example", 1000, 0);
	note(certificates, "sooner.example", 1, 0);
	expect(certificates, NOW_S, 2, "sooner.example 1;mx0.example 10;");
	assert_int_equal(hop_certificates_list(certificates, NOW_S, HOP_CERTIFICATES_MAX,
				 (struct hop_certificate[HOP_CERTIFICATES_MAX]){ { .host = "" } }),
		HOP_CERTIFICATES_MAX);
	hop_certificates_free(&certificates);
}

static void the_metric_has_days_and_nothing_to_escape(void **state)
{
	struct hop_certificates *certificates = hop_certificates_new();
	struct buf text = { 0 };

	(void)state;
	note(certificates, "mx\"\n.example", 3, 0);
	note(certificates, "over.example", -1, 0);
	hop_certificates_write(certificates, NOW_S, &text);
	buf_append_byte(&text, '\0');
	assert_non_null(strstr(buf_span(&text).ptr, "\nskein_hop_certificate_days{host=\"over.example\"} 0\n"
						    "skein_hop_certificate_days{host=\"mx??.example\"} 3\n"));
	buf_fini(&text);
	hop_certificates_free(&certificates);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_that_ends_comes_first),
		cmocka_unit_test(a_renewed_one_counts_when_the_old_one_is_not_seen_any_more),
		cmocka_unit_test(who_is_not_spoken_to_is_forgotten),
		cmocka_unit_test(of_too_many_hosts_those_that_end_first_are_known),
		cmocka_unit_test(the_metric_has_days_and_nothing_to_escape),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
