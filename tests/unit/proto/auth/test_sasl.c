#include "sasl_fixture.h"

#include <stdio.h>

#define ALL ((1u << SASL_MECHANISM_COUNT) - 1)

static void names_are_found_without_case_and_offered_best_first(void **state)
{
	enum sasl_mechanism mechanism;
	struct buf line = { 0 };

	(void)state;
	for (unsigned i = 0; i < SASL_MECHANISM_COUNT; i++) {
		assert_true(sasl_mechanism_find(sasl_mechanism_name((enum sasl_mechanism)i), &mechanism));
		assert_int_equal(mechanism, i);
	}
	assert_true(sasl_mechanism_find(SPAN_LIT("gssapi"), &mechanism));
	assert_int_equal(mechanism, SASL_GSSAPI);
	assert_false(sasl_mechanism_find(SPAN_LIT("SCRAM-SHA-256-"), &mechanism));
	assert_false(sasl_mechanism_find(SPAN_LIT(""), &mechanism));
	sasl_offer_format(&line, ALL);
	assert_span_equal(buf_span(&line), "SCRAM-SHA-256-PLUS SCRAM-SHA-256 GSSAPI NTLM LOGIN PLAIN");
	buf_clear(&line);
	sasl_offer_format(&line, SASL_BIT(SASL_PLAIN) | SASL_BIT(SASL_NTLM));
	assert_span_equal(buf_span(&line), "NTLM PLAIN");
	buf_fini(&line);
}

static void what_can_be_offered_depends_on_the_binding(void **state)
{
	static const struct {
		enum sasl_binding binding;
		const char *end_point, *exporter;
		unsigned missing;
	} rows[] = {
		{ SASL_BINDING_ACCEPT, "hash", "", 0 },
		{ SASL_BINDING_ACCEPT, "", "key", 0 },
		{ SASL_BINDING_ACCEPT, "", "", SASL_BIT(SASL_SCRAM_SHA_256_PLUS) },
		{ SASL_BINDING_OFF, "hash", "key", SASL_BIT(SASL_SCRAM_SHA_256_PLUS) },
		{ SASL_BINDING_REQUIRE, "hash", "", SASL_BIT(SASL_SCRAM_SHA_256) },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct sasl_settings settings = { .binding = rows[i].binding };
		struct sasl_channel channel = { .server_end_point = span_of_str(rows[i].end_point),
			.exporter = span_of_str(rows[i].exporter) };

		assert_int_equal(sasl_offer(ALL, &settings, &channel), ALL & ~rows[i].missing);
		assert_int_equal(sasl_offer(0, &settings, &channel), 0);
	}
}

static const struct {
	struct span response;
	enum sasl_step step;
	const char *login, *password, *authzid;
} plain_rows[] = {
	/* RFC 4616 4 */
	{ { "\0tim\0tanstaaftanstaaf", 21 }, SASL_ASK, "tim", "tanstaaftanstaaf", "" },
	{ { "Ursel\0Kurt\0xipj3plmq", 20 }, SASL_ASK, "Kurt", "xipj3plmq", "Ursel" },
	{ { "tim\0tim\0x", 9 }, SASL_ASK, "tim", "x", "" },
	{ { "\0ADLAB\\b\xc3\xb6"
	    "b\0 p \xff",
		  16 },
		SASL_ASK,
		"ADLAB\\b\xc3\xb6"
		"b",
		" p \xff", "" },
	{ { "", 0 }, SASL_MALFORMED, NULL, NULL, NULL },
	{ { "\0tim", 4 }, SASL_MALFORMED, NULL, NULL, NULL },
	{ { "tim", 3 }, SASL_MALFORMED, NULL, NULL, NULL },
	{ { "\0tim\0a\0b", 8 }, SASL_MALFORMED, NULL, NULL, NULL },
	{ { "\0t\rm\0a", 6 }, SASL_MALFORMED, NULL, NULL, NULL },
	{ { "\0t\x7fm\0a", 6 }, SASL_MALFORMED, NULL, NULL, NULL },
	{ { "\0t\xc2\x85m\0a", 7 }, SASL_MALFORMED, NULL, NULL, NULL },
	{ { "\0t\xffm\0a", 6 }, SASL_MALFORMED, NULL, NULL, NULL },
	{ { "z\nz\0t\0a", 7 }, SASL_MALFORMED, NULL, NULL, NULL },
	{ { "\0tim\0", 5 }, SASL_REFUSED, NULL, NULL, NULL },
	{ { "\0\0x", 3 }, SASL_REFUSED, NULL, NULL, NULL },
	{ { "\0\0", 2 }, SASL_REFUSED, NULL, NULL, NULL },
};

static void plain_is_three_parts_and_asks_about_nothing_empty(void **state)
{
	struct fixture f;

	(void)state;
	set_up(&f);
	for (size_t i = 0; i < ARRAY_LEN(plain_rows); i++) {
		enum sasl_step step;

		sasl_free(&f.sasl);
		f.sasl = sasl_new(SASL_PLAIN, &f.settings, &f.channel);
		assert_int_equal(sasl_begin(f.sasl, false, span_of("", 0), &f.output), SASL_CHALLENGE);
		assert_span_equal(f.output.challenge, "");
		step = respond(&f, plain_rows[i].response);
		if (step != plain_rows[i].step)
			fail_msg("row %zu: step %d", i, step);
		if (step != SASL_ASK)
			continue;
		assert_int_equal(f.output.ask.question, SASL_ASK_PASSWORD);
		assert_span_equal(f.output.ask.password.login, plain_rows[i].login);
		assert_span_equal(f.output.ask.password.password, plain_rows[i].password);
		assert_span_equal(f.output.ask.password.authzid, plain_rows[i].authzid);
		assert_int_equal(sasl_answer_password(f.sasl, SASL_YES, &f.output), SASL_ACCEPTED);
		assert_int_equal(f.output.accepted.proof, SASL_PROOF_PASSWORD);
		assert_span_equal(f.output.accepted.name, plain_rows[i].login);
		assert_span_equal(f.output.accepted.authzid, plain_rows[i].authzid);
		assert_false(f.output.accepted.channel_bound || f.output.accepted.may_send_empty_line);
	}
	sasl_free(&f.sasl);
}

/* RFC 4616's message cut anywhere: never a question, but where only the password is shorter. */
static void a_plain_message_that_is_cut_asks_for_no_other_name(void **state)
{
	struct span whole = plain_rows[0].response;
	struct fixture f;

	(void)state;
	set_up(&f);
	for (size_t len = 0; len < whole.len; len++) {
		enum sasl_step step = begin(&f, SASL_PLAIN, span_take(whole, len));

		assert_int_equal(step, len < 5 ? SASL_MALFORMED : len == 5 ? SASL_REFUSED : SASL_ASK);
		if (step == SASL_ASK)
			assert_span_equal(f.output.ask.password.login, "tim");
	}
	sasl_free(&f.sasl);
}

static void lengths_are_bounded(void **state)
{
	static char text[SASL_PASSWORD_MAX + SASL_NAME_MAX + 3];
	struct fixture f;

	(void)state;
	set_up(&f);
	for (size_t over = 0; over < 2; over++) {
		memset(text, 'x', sizeof(text));
		text[0] = text[1 + SASL_NAME_MAX + over] = '\0';
		assert_int_equal(begin(&f, SASL_PLAIN, span_of(text, SASL_NAME_MAX + over + 3)),
			over ? SASL_MALFORMED : SASL_ASK);
		text[1 + SASL_NAME_MAX + over] = 'x';
		text[2] = '\0';
		assert_int_equal(begin(&f, SASL_PLAIN, span_of(text, 3 + SASL_PASSWORD_MAX + over)),
			over ? SASL_REFUSED : SASL_ASK);
	}
	sasl_free(&f.sasl);
}

static void login_asks_for_a_name_and_a_password(void **state)
{
	struct fixture f;

	(void)state;
	set_up(&f);
	f.sasl = sasl_new(SASL_LOGIN, &f.settings, &f.channel);
	assert_int_equal(sasl_begin(f.sasl, false, span_of("", 0), &f.output), SASL_CHALLENGE);
	assert_span_equal(f.output.challenge, "Username:");
	assert_int_equal(respond(&f, SPAN_LIT("tim")), SASL_CHALLENGE);
	assert_span_equal(f.output.challenge, "Password:");
	assert_int_equal(respond(&f, SPAN_LIT("secret")), SASL_ASK);
	assert_span_equal(f.output.ask.password.login, "tim");
	assert_span_equal(f.output.ask.password.password, "secret");
	assert_int_equal(sasl_answer_password(f.sasl, SASL_YES, &f.output), SASL_ACCEPTED);
	assert_span_equal(f.output.accepted.name, "tim");
	/* .NET sends the name at once. */
	assert_int_equal(begin(&f, SASL_LOGIN, SPAN_LIT("tim")), SASL_CHALLENGE);
	assert_span_equal(f.output.challenge, "Password:");
	assert_int_equal(respond(&f, SPAN_LIT("")), SASL_REFUSED);
	assert_int_equal(begin(&f, SASL_LOGIN, SPAN_LIT("")), SASL_CHALLENGE);
	assert_int_equal(respond(&f, SPAN_LIT("x")), SASL_REFUSED);
	assert_int_equal(begin(&f, SASL_LOGIN, SPAN_LIT("a\nb")), SASL_MALFORMED);
	assert_int_equal(begin(&f, SASL_LOGIN, SPAN_LIT("tim")), SASL_CHALLENGE);
	assert_int_equal(respond(&f, span_of("a\0b", 3)), SASL_MALFORMED);
	sasl_free(&f.sasl);
	assert_null(f.sasl);
}

static void a_back_end_may_refuse_or_not_know(void **state)
{
	struct fixture f;

	(void)state;
	set_up(&f);
	assert_int_equal(begin(&f, SASL_PLAIN, span_of("\0a\0b", 4)), SASL_ASK);
	assert_int_equal(sasl_answer_password(f.sasl, SASL_NO, &f.output), SASL_REFUSED);
	assert_non_null(f.output.why);
	assert_int_equal(begin(&f, SASL_PLAIN, span_of("\0a\0b", 4)), SASL_ASK);
	assert_int_equal(sasl_answer_password(f.sasl, SASL_CANNOT_SAY, &f.output), SASL_UNAVAILABLE);
	assert_non_null(f.output.why);
	/* The peer goes while the question is open. */
	assert_int_equal(begin(&f, SASL_PLAIN, span_of("\0a\0b", 4)), SASL_ASK);
	sasl_free(&f.sasl);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_found_without_case_and_offered_best_first),
		cmocka_unit_test(what_can_be_offered_depends_on_the_binding),
		cmocka_unit_test(plain_is_three_parts_and_asks_about_nothing_empty),
		cmocka_unit_test(a_plain_message_that_is_cut_asks_for_no_other_name),
		cmocka_unit_test(lengths_are_bounded),
		cmocka_unit_test(login_asks_for_a_name_and_a_password),
		cmocka_unit_test(a_back_end_may_refuse_or_not_know),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
