#include "cmocka_all.h"

#include <arpa/inet.h>

#include "skein/proto/base/alloc.h"
#include "skein/proto/base/arena.h"
#include "skein/proto/base/buf.h"
#include "skein/proto/base/check.h"
#include "skein/proto/spf/spf.h"

enum { RECORDS_MAX = 16 };

/*
 * One evaluation as a dialogue: each line is a question that must come next, "TYPE NAME =", and its answer:
 * NXDOMAIN, NODATA, TEMPERROR, or records parted by " | ". Each NULL of what is wanted is "".
 */
struct row {
	const char *client, *mail_from;
	const char *dialogue;
	enum spf_result result;
	const char *matched; /* the term */
	const char *explanation;
	const char *problem;
	const char *where; /* "domain: term" */
};

#define EXAMPLE "TXT example.com = "

static const struct row rows[] = {
	/* Who is asked about. */
	{ "192.0.2.1", "", "TXT helo.example.org = v=spf1 -all\n", SPF_FAIL, "-all", NULL, NULL, NULL },
	{ "192.0.2.1", "example.com.",
		EXAMPLE "v=spf1 -all exp=%{l}.%{o}\nTXT postmaster.example.com = %{s}\n", SPF_FAIL, "-all",
		"postmaster@example.com", NULL, NULL },
	{ "192.0.2.1", "\"a@b\"@example.com", EXAMPLE "v=spf1 ?all\n", SPF_NEUTRAL, "?all", NULL, NULL,
		NULL },
	{ "192.0.2.1", "a@localhost", "", SPF_NONE, NULL, NULL,
		"localhost is no domain name that the DNS could have", ": " },
	{ "192.0.2.1", "a@[192.0.2.1]", "", SPF_NONE, NULL, NULL,
		"[192.0.2.1] is no domain name that the DNS could have", ": " },
	{ "192.0.2.1", "a@ex\xc3\xa4mple.com", "", SPF_NONE, NULL, NULL,
		"ex\xc3\xa4mple.com is no domain name that the DNS could have", ": " },

	/* No record, or no single one. */
	{ "192.0.2.1", "a@example.com", EXAMPLE "NXDOMAIN\n", SPF_NONE, NULL, NULL,
		"example.com does not exist", ": " },
	{ "192.0.2.1", "a@example.com", EXAMPLE "v=spf10 | other\n", SPF_NONE, NULL, NULL,
		"example.com has no SPF record", ": " },
	{ "192.0.2.1", "a@example.com", EXAMPLE "TEMPERROR\n", SPF_TEMPERROR, NULL, NULL,
		"the SPF record of example.com cannot be looked up now", ": " },
	{ "192.0.2.1", "a@example.com", EXAMPLE "v=spf1 | other | V=SPF1 -all\n", SPF_PERMERROR, NULL, NULL,
		"the domain has 2 SPF records", "example.com: " },
	{ "192.0.2.1", "a@example.com", EXAMPLE "v=spf1 ip4:192.0.2.1 moo -all\n", SPF_PERMERROR, NULL, NULL,
		"it is no mechanism that RFC 7208 knows", "example.com: moo" },
	{ "192.0.2.1", "a@example.com", EXAMPLE "v=spf1 ip4:192.0.2.2\n", SPF_NEUTRAL, NULL, NULL, NULL,
		NULL },

	/* Addresses: only the client's kind is asked for. */
	{ "192.0.2.1", "a@example.com", EXAMPLE "v=spf1 a/24 -all\nA example.com = 192.0.3.1 | 192.0.2.200\n",
		SPF_PASS, "a/24", NULL, NULL, NULL },
	{ "::ffff:192.0.2.1", "a@example.com",
		EXAMPLE "v=spf1 ip6:::ffff:192.0.2.1 a -all\nA example.com = 192.0.2.1\n", SPF_PASS, "a",
		NULL, NULL, NULL },
	{ "2001:db8::1", "a@example.com",
		EXAMPLE "v=spf1 ip4:0.0.0.0/0 a//33 -all\nAAAA example.com = 2001:db8:7fff::\n", SPF_PASS,
		"a//33", NULL, NULL, NULL },
	{ "2001:db8::1", "a@example.com", EXAMPLE "v=spf1 a//33 -all\nAAAA example.com = 2001:db8:8000::\n",
		SPF_FAIL, "-all", NULL, NULL, NULL },
	{ "2001:db8::1", "a@example.com",
		EXAMPLE
		"v=spf1 exists:%{ir}.x -all\nA 1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.B.D.0."
		"1.0.0.2.x = 127.0.0.2\n",
		SPF_PASS, "exists:%{ir}.x", NULL, NULL, NULL },
	{ "192.0.2.1", "a@example.com", EXAMPLE "v=spf1 a:x.example -all\nA x.example = TEMPERROR\n",
		SPF_TEMPERROR, NULL, NULL, "x.example cannot be looked up now", "example.com: a:x.example" },

	/* MX: one exchange after the other, a null MX is none. */
	{ "192.0.2.1", "a@example.com",
		EXAMPLE "v=spf1 mx -all\nMX example.com = a.example. | b.example | c.example\nA a.example = "
			"192.0.2.9\nA b.example = 192.0.2.1\n",
		SPF_PASS, "mx", NULL, NULL, NULL },
	{ "192.0.2.1", "a@example.com", EXAMPLE "v=spf1 mx -all\nMX example.com = .\n", SPF_FAIL, "-all",
		NULL, NULL, NULL },
	{ "192.0.2.1", "a@example.com",
		EXAMPLE
		"v=spf1 mx -all\nMX example.com = 1.a | 2.a | 3.a | 4.a | 5.a | 6.a | 7.a | 8.a | 9.a | "
		"10.a | 11.a\n",
		SPF_PERMERROR, NULL, NULL, "the domain has more than 10 MX records", "example.com: mx" },

	/* PTR: only names that would decide are validated; errors are no match. */
	{ "192.0.2.1", "a@example.com",
		EXAMPLE "v=spf1 ptr -all\nPTR 1.2.0.192.in-addr.arpa = x.example.org | a.Example.COM. | "
			"notexample.com\nA a.Example.COM = 192.0.2.1\n",
		SPF_PASS, "ptr", NULL, NULL, NULL },
	{ "192.0.2.1", "a@example.com",
		EXAMPLE "v=spf1 ptr ptr:example.org -all\nPTR 1.2.0.192.in-addr.arpa = a.example.com | "
			"b.example.org\nA a.example.com = TEMPERROR\nA b.example.org = 192.0.2.1\n",
		SPF_PASS, "ptr:example.org", NULL, NULL, NULL },
	{ "192.0.2.1", "a@example.com",
		EXAMPLE "v=spf1 ptr ptr:x.y -all\nPTR 1.2.0.192.in-addr.arpa = TEMPERROR\n", SPF_FAIL, "-all",
		NULL, NULL, NULL },
	/* %{p}: the domain itself before one below it before any; found once. */
	{ "192.0.2.1", "a@example.com",
		EXAMPLE
		"v=spf1 exists:%{p}.x exists:%{p}.y -all\nPTR 1.2.0.192.in-addr.arpa = x.org | "
		"b.example.com | example.com\nA example.com = NXDOMAIN\nA b.example.com = 192.0.2.1\nA "
		"b.example.com.x = NXDOMAIN\nA b.example.com.y = 127.0.0.2\n",
		SPF_PASS, "exists:%{p}.y", NULL, NULL, NULL },
	{ "192.0.2.1", "a@example.com",
		EXAMPLE
		"v=spf1 exists:%{p}.x -all\nPTR 1.2.0.192.in-addr.arpa = NXDOMAIN\nA unknown.x = NODATA\n",
		SPF_FAIL, "-all", NULL, NULL, NULL },

	/* Include and redirect. */
	{ "192.0.2.1", "a@example.com",
		EXAMPLE "v=spf1 ~include:b.example -all\nTXT b.example = v=spf1 include:c.example -all\nTXT "
			"c.example = v=spf1 +all\n",
		SPF_SOFTFAIL, "~include:b.example", NULL, NULL, NULL },
	{ "192.0.2.1", "a@example.com",
		EXAMPLE "v=spf1 include:b.example ?all\nTXT b.example = v=spf1 -all exp=x.y\n", SPF_NEUTRAL,
		"?all", NULL, NULL, NULL },
	{ "192.0.2.1", "a@example.com",
		EXAMPLE "v=spf1 a:x.y include:b.example\nA x.y = 192.0.2.2\nTXT b.example = NODATA\n",
		SPF_PERMERROR, NULL, NULL, "b.example has no SPF record", "example.com: include:b.example" },
	{ "192.0.2.1", "a@example.com",
		EXAMPLE
		"v=spf1 include:b.example\nTXT b.example = v=spf1 redirect=c.example\nTXT c.example = "
		"v=spf1 a/99\n",
		SPF_PERMERROR, NULL, NULL, "an IPv4 prefix is not 0 to 32", "c.example: a/99" },
	{ "192.0.2.1", "a@example.com",
		EXAMPLE
		"v=spf1 exp=x.y redirect=%{d}.b.example.\nTXT example.com.b.example = v=spf1 -all exp=y.z\n"
		"TXT y.z = At %{d}\n",
		SPF_FAIL, "-all", "At example.com.b.example", NULL, NULL },
	{ "192.0.2.1", "a@example.com", EXAMPLE "v=spf1 redirect=b.example\nTXT b.example = NXDOMAIN\n",
		SPF_PERMERROR, NULL, NULL, "b.example does not exist", "example.com: redirect=b.example" },

	/* Explanations may fail in any way. */
	{ "192.0.2.1", "a@example.com", EXAMPLE "v=spf1 -all exp=x.y\nTXT x.y = TEMPERROR\n", SPF_FAIL,
		"-all", NULL, NULL, NULL },
	{ "192.0.2.1", "a@example.com", EXAMPLE "v=spf1 -all exp=x.y\nTXT x.y = one | two\n", SPF_FAIL,
		"-all", NULL, NULL, NULL },
	{ "192.0.2.1", "a@example.com", EXAMPLE "v=spf1 -all exp=x.y\nTXT x.y = 100%\n", SPF_FAIL, "-all",
		NULL, NULL, NULL },
	{ "192.0.2.1", "a@example.com", EXAMPLE "v=spf1 -all exp=x..y\n", SPF_FAIL, "-all", NULL, NULL,
		NULL },
	{ "192.0.2.1", "a@example.com", EXAMPLE "v=spf1 ~all exp=x.y\n", SPF_SOFTFAIL, "~all", NULL, NULL,
		NULL },
	{ "192.0.2.1", "a@example.com",
		EXAMPLE
		"v=spf1 -all exp=x.y\nTXT x.y = %{p} %{r} %{t}\nPTR 1.2.0.192.in-addr.arpa = m.n\nA m.n = "
		"192.0.2.1\n",
		SPF_FAIL, "-all", "m.n unknown 1700000000", NULL, NULL },

	/* What cannot be a name does not exist; RFC 8616 4 of the local part. */
	{ "192.0.2.1", "a@example.com", EXAMPLE "v=spf1 a:x..y mx:x..y exists:x..y ptr:x..y ?all\n",
		SPF_NEUTRAL, "?all", NULL, NULL, NULL },
	{ "192.0.2.1", "\xc3\xa4@example.com", EXAMPLE "v=spf1 include:%{l}.y exists:%{S}.y ?all\n",
		SPF_NEUTRAL, "?all", NULL, NULL, NULL },

	/* Limits. */
	{ "192.0.2.1", "a@example.com",
		EXAMPLE "v=spf1 a:a.x a:b.x a:c.x ?all\nA a.x = NXDOMAIN\nA b.x = NODATA\nA c.x = NXDOMAIN\n",
		SPF_PERMERROR, NULL, NULL, "c.x has no such records, and only 2 lookups may find nothing",
		"example.com: a:c.x" },
	{ "2001:db8::1", "a@example.com",
		EXAMPLE
		"v=spf1 a:a.x a:b.x a:c.x ?all\nAAAA a.x = NODATA\nAAAA b.x = NODATA\nAAAA c.x = NODATA\n",
		SPF_NEUTRAL, "?all", NULL, NULL, NULL },
};

/* Takes up to and with `gap`; without one, all. */
static struct span take_until(struct span *rest, const char *gap)
{
	size_t gap_len = strlen(gap), len = 0;
	struct span taken;

	while (len < rest->len && !span_starts_with(span_drop(*rest, len), span_of_str(gap)))
		len++;
	taken = span_take(*rest, len);
	*rest = span_drop(*rest, len < rest->len ? len + gap_len : len);
	return taken;
}

static struct span parse_record(struct span text, enum spf_query_type type, struct arena *arena)
{
	uint8_t address[16];

	if (type != SPF_QUERY_A && type != SPF_QUERY_AAAA)
		return arena_dup(arena, text);
	assert_int_equal(
		inet_pton(type == SPF_QUERY_A ? AF_INET : AF_INET6, arena_strdup(arena, text), address), 1);
	return arena_dup(arena, span_of((const char *)address, type == SPF_QUERY_A ? 4 : 16));
}

/* The records are gone afterwards: a check that keeps them shows under AddressSanitizer. */
static void answer(struct spf_check *check, enum spf_query_type type, struct span text)
{
	struct arena arena = { 0 };
	struct span records[RECORDS_MAX];
	struct spf_answer reply = { SPF_ANSWER_RECORDS, records, 0 };

	if (span_eq(text, SPAN_LIT("NXDOMAIN")))
		reply.status = SPF_ANSWER_NXDOMAIN;
	else if (span_eq(text, SPAN_LIT("NODATA")))
		reply.status = SPF_ANSWER_NO_DATA;
	else if (span_eq(text, SPAN_LIT("TEMPERROR")))
		reply.status = SPF_ANSWER_TEMPERROR;
	while (reply.status == SPF_ANSWER_RECORDS && text.len) {
		assert_true(reply.count < RECORDS_MAX);
		records[reply.count++] = parse_record(take_until(&text, " | "), type, &arena);
	}
	spf_check_answer(check, &reply);
	arena_fini(&arena);
}

static struct spf_check *start(const char *client, const char *mail_from)
{
	struct spf_request request = {
		.client_len = strchr(client, ':') ? 16 : 4,
		.helo = SPAN_LIT("helo.example.org"),
		.mail_from = span_of_str(mail_from),
		.now = 1700000000,
	};

	assert_int_equal(inet_pton(request.client_len == 4 ? AF_INET : AF_INET6, client, request.client), 1);
	return spf_check_new(&request);
}

/* Plays the dialogue as far as there are lines. */
static void play(struct spf_check *check, struct span dialogue, size_t row)
{
	static const char *const types[] = { "TXT", "A", "AAAA", "MX", "PTR" };

	while (dialogue.len) {
		struct span line = take_until(&dialogue, "\n");
		struct span type = take_until(&line, " "), name = take_until(&line, " = ");
		struct spf_question question;

		if (!spf_check_question(check, &question))
			fail_msg("row %zu: nothing is asked, expected %.*s %.*s", row, SPAN_ARGS(type),
				SPAN_ARGS(name));
		if (!span_eq(type, span_of_str(types[question.type])) || !span_eq(name, question.name))
			fail_msg("row %zu: %s %.*s is asked, expected %.*s %.*s", row, types[question.type],
				SPAN_ARGS(question.name), SPAN_ARGS(type), SPAN_ARGS(name));
		answer(check, question.type, line);
	}
}

static void assert_text(size_t row, struct span seen, const char *wanted)
{
	if (!span_eq(seen, span_of_str(wanted ? wanted : "")))
		fail_msg(
			"row %zu: got \"%.*s\", expected \"%s\"", row, SPAN_ARGS(seen), wanted ? wanted : "");
}

static void assert_verdict(size_t i, const struct spf_verdict *verdict)
{
	struct buf where = { 0 };

	if (verdict->result != rows[i].result)
		fail_msg("row %zu: %s (%.*s)", i, spf_result_name(verdict->result),
			SPAN_ARGS(verdict->problem));
	assert_text(i, verdict->matched.term, rows[i].matched);
	assert_text(i, verdict->explanation, rows[i].explanation);
	assert_text(i, verdict->problem, rows[i].problem);
	buf_append(&where, verdict->where.domain);
	buf_append_str(&where, ": ");
	buf_append(&where, verdict->where.term);
	assert_text(i, buf_span(&where), rows[i].where ? rows[i].where : ": ");
	buf_fini(&where);
}

static void dialogues_come_to_their_verdict(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct spf_check *check = start(rows[i].client, rows[i].mail_from);
		struct spf_question question;

		play(check, span_of_str(rows[i].dialogue), i);
		if (spf_check_question(check, &question))
			fail_msg("row %zu: %.*s is asked", i, SPAN_ARGS(question.name));
		assert_verdict(i, spf_check_verdict(check));
		spf_check_free(&check);
		assert_null(check);
	}
}

static void a_check_may_be_freed_at_any_question(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct span dialogue = span_of_str(rows[i].dialogue);

		for (size_t len = 0; len < dialogue.len; len++) {
			struct spf_check *check;

			if (len && dialogue.ptr[len - 1] != '\n')
				continue;
			check = start(rows[i].client, rows[i].mail_from);
			play(check, span_take(dialogue, len), i);
			spf_check_free(&check);
		}
	}
}

/* `answered` to every question after the first. */
static void assert_limit(const char *record, const char *answered, unsigned questions, const char *term)
{
	struct spf_check *check = start("192.0.2.1", "a@example.com");
	struct spf_question question;
	unsigned count = 0;

	while (spf_check_question(check, &question)) {
		answer(check, question.type, span_of_str(count++ ? answered : record));
		assert_true(count <= SPF_QUESTIONS_MAX);
	}
	assert_int_equal(count, questions);
	assert_int_equal(spf_check_verdict(check)->result, SPF_PERMERROR);
	assert_int_equal(spf_check_verdict(check)->dns_terms, SPF_DNS_TERMS_MAX + 1);
	assert_span_equal(spf_check_verdict(check)->problem,
		"it is one more than the 10 terms that may look something up");
	assert_span_equal(spf_check_verdict(check)->where.term, term);
	spf_check_free(&check);
}

static void loops_and_long_records_end(void **state)
{
	(void)state;
	assert_limit("v=spf1 redirect=a.b", "v=spf1 redirect=a.b", 11, "redirect=a.b");
	assert_limit("v=spf1 include:a.b", "v=spf1 include:a.b", 11, "include:a.b");
	assert_limit("v=spf1 a a a a a a a a a a ~a -all", "192.0.2.2", 11, "~a");
}

static void what_is_too_long_is_no_name(void **state)
{
	struct buf from = { 0 };
	struct spf_check *check;

	(void)state;
	buf_append_str(&from, "a@");
	for (unsigned i = 0; i < 200; i++)
		buf_append_str(&from, "x.");
	buf_append_str(&from, "com");
	buf_append_byte(&from, '\0');
	check = start("192.0.2.1", from.base + from.head);
	assert_int_equal(spf_check_verdict(check)->result, SPF_NONE);
	spf_check_free(&check);
	buf_fini(&from);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dialogues_come_to_their_verdict),
		cmocka_unit_test(a_check_may_be_freed_at_any_question),
		cmocka_unit_test(loops_and_long_records_end),
		cmocka_unit_test(what_is_too_long_is_no_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
