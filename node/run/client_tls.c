#include "run/client_tls.h"

static const char *or_null(const char *text)
{
	return text[0] ? text : NULL;
}

enum err client_tls_hop(
	const struct settings *settings, struct tls_context **context_out, struct buf *why_out)
{
	const struct tls_client_options options = {
		.verify = TLS_VERIFY_NONE, /* connections have rules of their own */
		.ca_file = or_null(settings->route.ca),
	};

	return tls_client_new(&options, context_out, why_out);
}

enum err client_tls_redis(
	const struct settings *settings, struct tls_context **context_out, struct buf *why_out)
{
	const struct tls_client_options options = {
		.verify = TLS_VERIFY_PEER,
		.ca_file = or_null(settings->redis.tls.ca),
		.cert_file = or_null(settings->redis.tls.certificate),
		.key_file = or_null(settings->redis.tls.key),
	};

	*context_out = NULL;
	return settings->redis.tls.enabled ? tls_client_new(&options, context_out, why_out) : ERR_OK;
}
