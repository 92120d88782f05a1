#include "sasl_fixture.h"

#include <stdio.h>

#include "auth/ntlmssp_internal.h"
#include "ntlm_vectors.h"

enum { BYTES_MAX = 2048 };
static const uint64_t filetime = 0x01d9abcdef012345;

static int digit(char c)
{
	return c <= '9' ? c - '0' : c - 'a' + 10;
}

/* Into one of a few buffers that take turns. */
static struct span hex(const char *text)
{
	static char buffers[4][BYTES_MAX];
	static unsigned turn;
	char *bytes = buffers[turn++ % 4];
	size_t len = strlen(text) / 2;

	assert_true(len <= BYTES_MAX);
	for (size_t i = 0; i < len; i++)
		bytes[i] = (char)(unsigned char)(digit(text[2 * i]) << 4 | digit(text[2 * i + 1]));
	return span_of(bytes, len);
}

static void set_up_ntlm(struct fixture *f)
{
	set_up(f);
	memcpy(f->channel.random, "\x01\x23\x45\x67\x89\xab\xcd\xef", 8);
	f->channel.filetime = filetime;
	f->settings.ntlm.netbios_domain = SPAN_LIT("ADLAB");
	f->settings.ntlm.netbios_computer = SPAN_LIT("RELAY1");
	f->settings.ntlm.dns_domain = SPAN_LIT("adlab.test");
	f->settings.ntlm.dns_computer = SPAN_LIT("relay1.adlab.test");
}

static void the_example_of_ms_nlmp_parses(void **state)
{
	struct ntlm_authenticate message;
	struct buf text = { 0 };
	uint8_t key[NTLM_KEY_LEN], random_key[NTLM_KEY_LEN];

	(void)state;
	assert_true(ntlmssp_parse_authenticate(hex(sample_authenticate), &message));
	assert_int_equal(message.flags, 0xe2888235);
	assert_true(ntlmssp_to_utf8(message.flags, message.domain, &text));
	assert_span_equal(buf_span(&text), "Domain");
	buf_clear(&text);
	assert_true(ntlmssp_to_utf8(message.flags, message.user, &text));
	assert_span_equal(buf_span(&text), "User");
	buf_clear(&text);
	assert_true(ntlmssp_to_utf8(message.flags, message.workstation, &text));
	assert_span_equal(buf_span(&text), "COMPUTER");
	buf_fini(&text);
	assert_true(span_eq(message.lm, hex("86c35097ac9cec102554764a57cccc19aaaaaaaaaaaaaaaa")));
	assert_int_equal(message.nt.len, 84);
	assert_true(span_starts_with(message.nt, hex("68cd0ab851e51c96aabc927bebef6a1c")));
	assert_false(message.has_mic);
	assert_int_equal(message.binding.len, 0);
	/* 4.2.4.2.3: the random session key under the session base key. */
	memcpy(key, hex("8de40ccadbc14a82f15cb0ad0de95ca3").ptr, sizeof(key));
	ntlmssp_rc4(span_of_bytes(key, sizeof(key)), (const uint8_t *)message.session_key.ptr,
		message.session_key.len, random_key);
	assert_memory_equal(random_key, "UUUUUUUUUUUUUUUU", sizeof(random_key));
}

/* RFC 6229 2, key 0102030405 and its first 16 bytes. */
static void rc4_is_rc4(void **state)
{
	uint8_t bytes[16] = { 0 };

	(void)state;
	ntlmssp_rc4(SPAN_LIT("\x01\x02\x03\x04\x05"), bytes, sizeof(bytes), bytes);
	assert_memory_equal(bytes, hex("b2396305f03dc027ccc3524a0a1118a8").ptr, sizeof(bytes));
}

static void the_binding_is_the_md5_of_the_gss_structure(void **state)
{
	uint8_t out[MD5_LEN];

	(void)state;
	assert_true(ntlmssp_binding(SPAN_LIT("tls-server-end-point:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), out));
	assert_memory_equal(out, hex(binding).ptr, sizeof(out));
}

/* A message that was cut is none, or has no more than what was left of it. */
static void every_cut_stays_inside_the_message(void **state)
{
	static const char *const texts[] = { sample_authenticate, authenticate, authenticate_plain,
		authenticate_curl };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct span whole = hex(texts[i]);

		for (size_t len = 0; len < whole.len; len++) {
			char *cut = test_malloc(len + 1);
			struct ntlm_authenticate message;

			memcpy(cut + 1, whole.ptr, len);
			assert_false(ntlmssp_parse_authenticate(span_of(cut + 1, len), &message));
			test_free(cut);
		}
	}
}

static const struct {
	const char *name;
	const char *negotiate, *authenticate, *session_key;
	enum sasl_binding binding;
	bool other_certificate;
	enum sasl_step step; /* after AUTHENTICATE */
	const char *domain, *user;
	bool bound;
} rows[] = {
	{ "mic and binding", negotiate, authenticate, session_key, SASL_BINDING_ACCEPT, false, SASL_ASK,
		"Domain", "User", true },
	{ "required", negotiate, authenticate, session_key, SASL_BINDING_REQUIRE, false, SASL_ASK, "Domain",
		"User", true },
	{ "not looked at", negotiate, authenticate, session_key, SASL_BINDING_OFF, true, SASL_ASK, "Domain",
		"User", false },
	{ "another certificate", negotiate, authenticate, session_key, SASL_BINDING_ACCEPT, true,
		SASL_REFUSED, NULL, NULL, false },
	{ "mic without key exchange", negotiate_plain, authenticate_plain, session_key_plain,
		SASL_BINDING_ACCEPT, false, SASL_ASK, "", "User@adlab.test", false },
	{ "no binding", negotiate, authenticate_unbound, session_key, SASL_BINDING_ACCEPT, false, SASL_ASK,
		"Domain", "User", false },
	{ "no binding, required", negotiate, authenticate_unbound, session_key, SASL_BINDING_REQUIRE, false,
		SASL_REFUSED, NULL, NULL, false },
	{ "zeros, required", negotiate, authenticate_zero_binding, session_key, SASL_BINDING_REQUIRE, false,
		SASL_REFUSED, NULL, NULL, false },
	{ "zeros", negotiate, authenticate_zero_binding, session_key, SASL_BINDING_ACCEPT, false, SASL_ASK,
		"Domain", "User", false },
	{ "no unicode", negotiate, authenticate_curl, session_key, SASL_BINDING_ACCEPT, false, SASL_ASK,
		"Domain", "User", false },
	{ "no unicode, no ascii", negotiate, authenticate_oem8, session_key, SASL_BINDING_ACCEPT, false,
		SASL_MALFORMED, NULL, NULL, false },
	{ "half a surrogate", negotiate, authenticate_surrogate, session_key, SASL_BINDING_ACCEPT, false,
		SASL_MALFORMED, NULL, NULL, false },
	{ "mic told and not there", negotiate, authenticate_mic_missing, session_key, SASL_BINDING_ACCEPT,
		false, SASL_MALFORMED, NULL, NULL, false },
	{ "NTLMv1", negotiate, authenticate_v1, session_key, SASL_BINDING_ACCEPT, false, SASL_REFUSED, NULL,
		NULL, false },
	{ "anonymous", negotiate, authenticate_anonymous, session_key, SASL_BINDING_ACCEPT, false,
		SASL_REFUSED, NULL, NULL, false },
	{ "another message", negotiate, negotiate, session_key, SASL_BINDING_ACCEPT, false, SASL_MALFORMED,
		NULL, NULL, false },
};

static enum sasl_step run_row(struct fixture *f, size_t i, enum sasl_mechanism mechanism)
{
	set_up_ntlm(f);
	f->settings.binding = rows[i].binding;
	if (rows[i].other_certificate)
		f->channel.server_end_point = SPAN_LIT("BBBB");
	assert_int_equal(begin(f, mechanism, hex(rows[i].negotiate)), SASL_CHALLENGE);
	return respond(f, hex(rows[i].authenticate));
}

static void exchanges_end_as_they_must(void **state)
{
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		enum sasl_step step = run_row(&f, i, SASL_NTLM);

		if (step != rows[i].step)
			fail_msg("%s: step %d", rows[i].name, step);
		if (step == SASL_ASK) {
			assert_int_equal(f.output.ask.question, SASL_ASK_NTLM);
			assert_span_equal(f.output.ask.ntlm.domain, rows[i].domain);
			assert_span_equal(f.output.ask.ntlm.user, rows[i].user);
			assert_true(f.output.ask.ntlm.nt.len > NTLM_V1_RESPONSE_LEN);
			assert_memory_equal(f.output.ask.ntlm.challenge, f.channel.random, 8);
			step = sasl_answer_ntlm(
				f.sasl, SASL_YES, (const uint8_t *)hex(rows[i].session_key).ptr, &f.output);
			if (step != SASL_ACCEPTED)
				fail_msg("%s: in the end %d", rows[i].name, step);
			assert_int_equal(f.output.accepted.proof, SASL_PROOF_NTLM);
			assert_span_equal(f.output.accepted.name, rows[i].user);
			assert_span_equal(f.output.accepted.domain, rows[i].domain);
			assert_int_equal(f.output.accepted.channel_bound, rows[i].bound);
		}
		sasl_free(&f.sasl);
	}
}

static void the_challenge_is_what_another_program_makes_of_it(void **state)
{
	struct fixture f;

	(void)state;
	set_up_ntlm(&f);
	assert_int_equal(begin(&f, SASL_NTLM, hex(negotiate)), SASL_CHALLENGE);
	assert_true(span_eq(f.output.challenge, hex(challenge)));
	sasl_free(&f.sasl);
	f.sasl = sasl_new(SASL_NTLM, &f.settings, &f.channel);
	assert_int_equal(sasl_begin(f.sasl, false, span_of("", 0), &f.output), SASL_CHALLENGE);
	assert_span_equal(f.output.challenge, "");
	assert_int_equal(respond(&f, hex(negotiate)), SASL_CHALLENGE);
	assert_true(span_eq(f.output.challenge, hex(challenge)));
	assert_int_equal(respond(&f, hex(authenticate)), SASL_ASK);
	assert_span_equal(f.output.ask.ntlm.workstation, "PC\xc3\xa9\xf0\x9f\x98\x80");
	assert_int_equal(f.output.ask.ntlm.lm.len, 24);
	sasl_free(&f.sasl);
}

/* Each bit of each message that the client sends, and of the key. */
static void a_changed_bit_breaks_the_mic(void **state)
{
	struct fixture f;
	uint8_t key[NTLM_KEY_LEN];

	(void)state;
	for (size_t at = 12; at < hex(negotiate).len; at++) {
		struct span changed = hex(negotiate);

		set_up_ntlm(&f);
		((char *)changed.ptr)[at] ^= 2;
		assert_int_equal(begin(&f, SASL_NTLM, changed), SASL_CHALLENGE);
		assert_int_equal(respond(&f, hex(authenticate)), SASL_ASK);
		memcpy(key, hex(session_key).ptr, sizeof(key));
		assert_int_equal(sasl_answer_ntlm(f.sasl, SASL_YES, key, &f.output), SASL_REFUSED);
		sasl_free(&f.sasl);
	}
	for (size_t at = 64; at < 88; at++) {
		struct span changed = hex(authenticate);

		set_up_ntlm(&f);
		((char *)changed.ptr)[at] ^= 2;
		assert_int_equal(begin(&f, SASL_NTLM, hex(negotiate)), SASL_CHALLENGE);
		assert_int_equal(respond(&f, changed), SASL_ASK);
		memcpy(key, hex(session_key).ptr, sizeof(key));
		assert_int_equal(sasl_answer_ntlm(f.sasl, SASL_YES, key, &f.output), SASL_REFUSED);
		sasl_free(&f.sasl);
	}
	assert_int_equal(run_row(&f, 0, SASL_NTLM), SASL_ASK);
	key[3] ^= 1;
	assert_int_equal(sasl_answer_ntlm(f.sasl, SASL_YES, key, &f.output), SASL_REFUSED);
	sasl_free(&f.sasl);
}

static void raw_ntlm_inside_gssapi_is_ntlm_where_that_is_offered(void **state)
{
	struct fixture f;

	(void)state;
	assert_int_equal(run_row(&f, 0, SASL_GSSAPI), SASL_ASK);
	assert_int_equal(f.output.ask.question, SASL_ASK_NTLM);
	assert_int_equal(sasl_answer_ntlm(f.sasl, SASL_YES, (const uint8_t *)hex(session_key).ptr, &f.output),
		SASL_ACCEPTED);
	f.channel.offered &= ~SASL_BIT(SASL_NTLM);
	assert_int_equal(begin(&f, SASL_GSSAPI, hex(negotiate)), SASL_REFUSED);
	sasl_free(&f.sasl);
}

static void a_domain_controller_may_refuse_or_not_know(void **state)
{
	struct fixture f;

	(void)state;
	assert_int_equal(run_row(&f, 0, SASL_NTLM), SASL_ASK);
	assert_int_equal(sasl_answer_ntlm(f.sasl, SASL_NO, NULL, &f.output), SASL_REFUSED);
	sasl_free(&f.sasl);
	assert_int_equal(run_row(&f, 0, SASL_NTLM), SASL_ASK);
	assert_int_equal(sasl_answer_ntlm(f.sasl, SASL_CANNOT_SAY, NULL, &f.output), SASL_UNAVAILABLE);
	sasl_free(&f.sasl);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_example_of_ms_nlmp_parses),
		cmocka_unit_test(rc4_is_rc4),
		cmocka_unit_test(the_binding_is_the_md5_of_the_gss_structure),
		cmocka_unit_test(every_cut_stays_inside_the_message),
		cmocka_unit_test(exchanges_end_as_they_must),
		cmocka_unit_test(the_challenge_is_what_another_program_makes_of_it),
		cmocka_unit_test(a_changed_bit_breaks_the_mic),
		cmocka_unit_test(raw_ntlm_inside_gssapi_is_ntlm_where_that_is_offered),
		cmocka_unit_test(a_domain_controller_may_refuse_or_not_know),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
