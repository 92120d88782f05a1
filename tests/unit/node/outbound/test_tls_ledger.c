#include "cmocka_all.h"

#include "outbound/tls_ledger.h"
#include "skein/proto/base/alloc.h"
#include "skein/proto/base/buf.h"

#include <stdio.h>

static const uint64_t seed[2] = { 1, 2 };

/* "domain: field=value;" of all rows, in the order in which they were first noted. */
static void expect(struct tls_ledger *ledger, const char *wanted)
{
	struct buf text = { 0 };
	struct list rows;

	list_init(&rows);
	tls_ledger_take(ledger, &rows);
	LIST_EACH_SAFE(it, &rows)
	{
		struct tls_ledger_row *row = LIST_ENTRY(it, struct tls_ledger_row, link);

		buf_printf(&text, "%.*s: %.*s=", SPAN_ARGS(row->count.domain), SPAN_ARGS(row->count.field));
		if (row->count.field.ptr[0] == '+')
			buf_printf(&text, "%llu;", (unsigned long long)row->count.step);
		else
			buf_printf(&text, "%.*s;", SPAN_ARGS(row->count.text));
		list_remove(it);
		tls_ledger_row_free(row);
	}
	if (!span_eq(buf_span(&text), span_of_str(wanted)))
		fail_msg("got %.*s, wanted %s", SPAN_ARGS(buf_span(&text)), wanted);
	buf_fini(&text);
}

static void sessions_are_counted_by_domain_policy_and_reason(void **state)
{
	struct tls_ledger *ledger = tls_ledger_new(seed);
	struct tls_session good = { "A.example", TLS_POLICY_STS, SPAN_LIT("mode: enforce\nmx: *"),
		"MX.a.example", "192.0.2.1", "192.0.2.2", TLS_RESULT_SUCCESS };
	struct tls_session bad = good, dane = good;

	(void)state;
	bad.result = TLS_RESULT_EXPIRED;
	dane.kind = TLS_POLICY_TLSA;
	dane.policy = SPAN_LIT("3 1 1 ab");
	tls_ledger_note(ledger, &good);
	tls_ledger_note(ledger, &good);
	tls_ledger_note(ledger, &bad);
	tls_ledger_note(ledger, &dane);
	tls_ledger_note(NULL, &good);
	expect(ledger, "a.example: +sts success=2;a.example: =sts=mode: enforce\nmx: *;"
		       "a.example: +sts certificate-expired mx.a.example 192.0.2.1 192.0.2.2=1;"
		       "a.example: +tlsa/mx.a.example success=1;a.example: =tlsa/mx.a.example=3 1 1 ab;");
	tls_ledger_note(ledger, &good);
	expect(ledger, "a.example: +sts success=1;a.example: =sts=mode: enforce\nmx: *;");
	expect(ledger, "");
	tls_ledger_free(&ledger);
}

static void what_is_not_known_is_a_dash_and_what_is_no_name_is_left_out(void **state)
{
	struct tls_ledger *ledger = tls_ledger_new(seed);
	struct tls_session session = { "a.example", TLS_POLICY_STS, SPAN_LIT(""), "", "", "",
		TLS_RESULT_STS_FETCH_ERROR };

	(void)state;
	tls_ledger_note(ledger, &session);
	session.host = "mx one";
	tls_ledger_note(ledger, &session);
	session.host = "";
	session.domain = "";
	tls_ledger_note(ledger, &session);
	session.domain = "a\nexample";
	tls_ledger_note(ledger, &session);
	expect(ledger, "a.example: +sts sts-policy-fetch-error - - -=1;");
	tls_ledger_free(&ledger);
}

static void there_is_a_bound_and_old_rows_still_count(void **state)
{
	struct tls_ledger *ledger = tls_ledger_new(seed);
	struct tls_session session = { "", TLS_POLICY_NONE, SPAN_LIT(""), "", "", "", TLS_RESULT_SUCCESS };
	size_t rows = 0;
	uint64_t first = 0;
	struct list list;
	char domain[32];

	(void)state;
	session.domain = domain;
	for (unsigned i = 0; i < TLS_LEDGER_ROWS_MAX + 10; i++) {
		snprintf(domain, sizeof(domain), "d%u.example", i);
		tls_ledger_note(ledger, &session);
	}
	snprintf(domain, sizeof(domain), "d0.example");
	tls_ledger_note(ledger, &session);
	list_init(&list);
	tls_ledger_take(ledger, &list);
	LIST_EACH_SAFE(it, &list)
	{
		struct tls_ledger_row *row = LIST_ENTRY(it, struct tls_ledger_row, link);

		first = rows++ ? first : row->count.step;
		list_remove(it);
		tls_ledger_row_free(row);
	}
	assert_int_equal(rows, TLS_LEDGER_ROWS_MAX);
	assert_int_equal(first, 2);
	tls_ledger_free(&ledger);
}

static void a_long_policy_is_cut_between_lines(void **state)
{
	struct tls_ledger *ledger = tls_ledger_new(seed);
	struct tls_session session = { "a.example", TLS_POLICY_STS, { NULL, 0 }, "", "", "",
		TLS_RESULT_SUCCESS };
	struct buf text = { 0 }, wanted = { 0 };

	(void)state;
	buf_append_str(&wanted, "a.example: +sts success=1;a.example: =sts=");
	for (unsigned i = 0; i < 500; i++)
		buf_append_str(&text, "mx: x\n");
	session.policy = buf_span(&text);
	tls_ledger_note(ledger, &session);
	for (unsigned i = 0; i < TLS_LEDGER_TEXT_MAX / 6; i++)
		buf_append_str(&wanted, "mx: x\n");
	buf_append_str(&wanted, ";");
	buf_append_byte(&wanted, '\0');
	expect(ledger, buf_span(&wanted).ptr);
	buf_fini(&text);
	buf_fini(&wanted);
	tls_ledger_free(&ledger);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sessions_are_counted_by_domain_policy_and_reason),
		cmocka_unit_test(what_is_not_known_is_a_dash_and_what_is_no_name_is_left_out),
		cmocka_unit_test(there_is_a_bound_and_old_rows_still_count),
		cmocka_unit_test(a_long_policy_is_cut_between_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
