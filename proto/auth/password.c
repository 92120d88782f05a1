#include "auth/sasl_internal.h"

/*
 * An empty password is never asked about: a simple bind with a name and without a password succeeds at some
 * directories, as nobody (RFC 4513 5.1.2). Passwords are taken as they are, without SASLprep (RFC 4013): a
 * directory compares bytes that its own clients chose.
 */
enum sasl_step sasl_ask_password(struct sasl *sasl, struct span password, struct sasl_output *output)
{
	if (span_find(password, '\0') < password.len)
		return sasl_malformed(output, "a NUL is in the password");
	if (!sasl->accepted.name.len)
		return sasl_refuse(output, "no login name");
	if (!password.len || password.len > SASL_PASSWORD_MAX)
		return sasl_refuse(output, "an empty or overlong password");
	buf_append(&sasl->secret, password);
	sasl->accepted.proof = SASL_PROOF_PASSWORD;
	output->ask.password.login = sasl->accepted.name;
	output->ask.password.password = buf_span(&sasl->secret);
	output->ask.password.authzid = sasl->accepted.authzid;
	return sasl_ask(sasl, SASL_ASK_PASSWORD, output);
}

enum sasl_step sasl_answer_password(
	struct sasl *sasl, enum sasl_verdict verdict, struct sasl_output *output_out)
{
	enum sasl_step step;

	if (!sasl_take_answer(sasl, SASL_ASK_PASSWORD, verdict, output_out, &step))
		return step;
	return sasl_end_step(sasl, sasl_accept(sasl, output_out));
}
