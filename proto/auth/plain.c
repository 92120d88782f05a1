#include "auth/sasl_internal.h"

/* RFC 4616 2: [authzid] NUL authcid NUL passwd */
enum sasl_step sasl_plain_respond(struct sasl *sasl, struct span response, struct sasl_output *output)
{
	struct span authzid = span_take(response, span_find(response, '\0')), login, password;

	if (authzid.len == response.len)
		return sasl_malformed(output, "PLAIN without its two NULs");
	login = span_drop(response, authzid.len + 1);
	password = span_drop(login, span_find(login, '\0'));
	login = span_take(login, login.len - password.len);
	if (!password.len)
		return sasl_malformed(output, "PLAIN without its two NULs");
	password = span_drop(password, 1);
	if (!sasl_keep_name(sasl, login, &sasl->accepted.name) || !sasl_keep_authzid(sasl, authzid))
		return sasl_malformed(output, "a name is not text");
	return sasl_ask_password(sasl, password, output);
}
