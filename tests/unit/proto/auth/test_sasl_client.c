/* Another's client, libgsasl, and our machine talk with each other. */
#include "sasl_fixture.h"

#include <gsasl.h>
#include <stdio.h>
#include <stdlib.h>

#include "skein/proto/auth/scram.h"
#include "skein/proto/base/base64.h"

#define EXPORTED "0123456789abcdef0123456789abcdef"

static const struct row {
	enum sasl_mechanism mechanism;
	const char *login, *password, *authzid; /* what the client has; "pencil" is right */
	const char *exporter;                   /* what the client has seen of TLS; NULL: it cannot bind */
	enum sasl_step step;
	const char *authzid_seen;
} rows[] = {
	{ SASL_PLAIN, "user", "pencil", NULL, NULL, SASL_ACCEPTED, "" },
	{ SASL_PLAIN, "user", "pencil", "other", NULL, SASL_ACCEPTED, "other" },
	{ SASL_PLAIN, "user", "Pencil", NULL, NULL, SASL_REFUSED, NULL },
	{ SASL_PLAIN, "nobody", "pencil", NULL, NULL, SASL_REFUSED, NULL },
	{ SASL_LOGIN, "user", "pencil", NULL, NULL, SASL_ACCEPTED, "" },
	{ SASL_LOGIN, "user", "Pencil", NULL, NULL, SASL_REFUSED, NULL },
	{ SASL_SCRAM_SHA_256, "user", "pencil", NULL, NULL, SASL_ACCEPTED, "" },
	{ SASL_SCRAM_SHA_256, "us,=er", "pencil", "oth,er", NULL, SASL_ACCEPTED, "oth,er" },
	{ SASL_SCRAM_SHA_256, "user", "Pencil", NULL, NULL, SASL_REFUSED, NULL },
	{ SASL_SCRAM_SHA_256, "nobody", "pencil", NULL, NULL, SASL_REFUSED, NULL },
	{ SASL_SCRAM_SHA_256_PLUS, "user", "pencil", NULL, EXPORTED, SASL_ACCEPTED, "" },
	{ SASL_SCRAM_SHA_256_PLUS, "user", "Pencil", NULL, EXPORTED, SASL_REFUSED, NULL },
	{ SASL_SCRAM_SHA_256_PLUS, "user", "pencil", NULL, "somebody between us", SASL_REFUSED, NULL },
};

static enum sasl_step answer(struct fixture *f)
{
	struct sasl_scram_verifier verifier = { .iterations = 4096, .salt = SPAN_LIT("a salt") };
	bool is_known;

	assert_true(scram_derive(SPAN_LIT("pencil"), &verifier));
	if (f->output.ask.question == SASL_ASK_SCRAM) {
		is_known = !span_eq(f->output.ask.scram.login, SPAN_LIT("nobody"));
		return sasl_answer_scram(f->sasl, is_known ? SASL_YES : SASL_NO, &verifier, &f->output);
	}
	assert_int_equal(f->output.ask.question, SASL_ASK_PASSWORD);
	is_known = !span_eq(f->output.ask.password.login, SPAN_LIT("nobody")) &&
		   scram_verifier_fits(&verifier, f->output.ask.password.password);
	return sasl_answer_password(f->sasl, is_known ? SASL_YES : SASL_NO, &f->output);
}

/* Until the exchange is over on our side; *client_out is what the client says then. */
static enum sasl_step talk(struct fixture *f, Gsasl_session *client, int *client_out)
{
	enum sasl_step step = sasl_begin(f->sasl, false, span_of("", 0), &f->output);

	*client_out = GSASL_NEEDS_MORE;
	while (step == SASL_CHALLENGE || step == SASL_ASK) {
		char *response = NULL;
		size_t len = 0;

		if (step == SASL_ASK) {
			step = answer(f);
			continue;
		}
		/* One that has said all answers a challenge with nothing. */
		if (*client_out == GSASL_NEEDS_MORE)
			*client_out = gsasl_step(
				client, f->output.challenge.ptr, f->output.challenge.len, &response, &len);
		if (*client_out != GSASL_OK && *client_out != GSASL_NEEDS_MORE)
			fail_msg("the client to \"%.*s\": %s", SPAN_ARGS(f->output.challenge),
				gsasl_strerror(*client_out));
		step = respond(f, span_of(response, len));
		gsasl_free(response);
	}
	return step;
}

static void set_properties(Gsasl_session *client, const struct row *row)
{
	struct buf exporter = { 0 };

	gsasl_property_set(client, GSASL_AUTHID, row->login);
	gsasl_property_set(client, GSASL_PASSWORD, row->password);
	if (row->authzid)
		gsasl_property_set(client, GSASL_AUTHZID, row->authzid);
	if (!row->exporter)
		return;
	base64_encode(&exporter, span_of_str(row->exporter));
	buf_append_byte(&exporter, '\0');
	gsasl_property_set(client, GSASL_CB_TLS_EXPORTER, buf_span(&exporter).ptr);
	buf_fini(&exporter);
}

static void run_row(Gsasl *library, const struct row *row)
{
	struct fixture f;
	Gsasl_session *client;
	enum sasl_step step;
	int said;

	set_up(&f);
	f.channel.exporter = SPAN_LIT(EXPORTED);
	f.sasl = sasl_new(row->mechanism, &f.settings, &f.channel);
	assert_int_equal(
		gsasl_client_start(library, sasl_mechanism_name(row->mechanism).ptr, &client), GSASL_OK);
	set_properties(client, row);
	step = talk(&f, client, &said);
	if (step != row->step)
		fail_msg("row %zu: step %d, %s", (size_t)(row - rows), step, gsasl_strerror(said));
	if (step == SASL_ACCEPTED) {
		/* The client is content too: with SCRAM it has checked our signature. */
		assert_int_equal(said, GSASL_OK);
		assert_span_equal(f.output.accepted.name, row->login);
		assert_span_equal(f.output.accepted.authzid, row->authzid_seen);
		assert_int_equal(f.output.accepted.channel_bound, row->mechanism == SASL_SCRAM_SHA_256_PLUS);
	}
	gsasl_finish(client);
	sasl_free(&f.sasl);
}

static void another_client_agrees(void **state)
{
	Gsasl *library;

	(void)state;
	assert_int_equal(gsasl_init(&library), GSASL_OK);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		run_row(library, &rows[i]);
	gsasl_done(library);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(another_client_agrees),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
