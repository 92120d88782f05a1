#include "auth/sasl_internal.h"

/* draft-murchison-sasl-login: the name, which may come as an initial response, then the password. */
enum sasl_step sasl_login_respond(struct sasl *sasl, struct span response, struct sasl_output *output)
{
	if (!sasl->has_login_name) {
		if (!sasl_keep_name(sasl, response, &sasl->accepted.name))
			return sasl_malformed(output, "the login name is not text");
		sasl->has_login_name = true;
		return sasl_challenge(sasl, SPAN_LIT("Password:"), output);
	}
	return sasl_ask_password(sasl, response, output);
}
