#include "outbound/transport.h"

#include "io/address.h"

enum { CLEAR_MS = 600000 };

const struct enhanced_code transport_code_not_offered = { 4, 7, 4 };
const struct enhanced_code transport_code_broken = { 4, 7, 5 };

static enum transport_level level_of(enum route_tls tls)
{
	switch (tls) {
	case ROUTE_TLS_NONE:
		return TRANSPORT_CLEAR;
	case ROUTE_TLS_MAY:
	case ROUTE_TLS_AUTO:
		return TRANSPORT_OFFERED;
	case ROUTE_TLS_VERIFY:
		return TRANSPORT_NAMED;
	default:
		return TRANSPORT_ANY;
	}
}

void transport_init(struct transport *transport, const struct route_target *target, const char *host)
{
	*transport = (struct transport){
		.target = target,
		.host = host,
		.name = *target->tls_name ? target->tls_name : host,
		.level = level_of(target->tls),
	};
}

bool transport_is_tls_first(const struct transport *transport)
{
	return transport->target->tls_first;
}

enum smtp_client_tls transport_starttls(const struct transport *transport, uint64_t now_ms)
{
	if (transport->level == TRANSPORT_CLEAR || transport->target->tls_first)
		return SMTP_CLIENT_TLS_NONE;
	if (transport->level > TRANSPORT_OFFERED)
		return SMTP_CLIENT_TLS_ENCRYPT;
	return now_ms < transport->clear_until_ms ? SMTP_CLIENT_TLS_NONE : SMTP_CLIENT_TLS_MAY;
}

/* An address is nothing that a server could be asked for (RFC 6066 3). */
static const char *server_name(const char *name)
{
	struct address address;

	return address_parse(span_of_str(name), 1, &address) == ERR_OK ? "" : name;
}

struct tls_peer_rules transport_rules(const struct transport *transport)
{
	struct tls_peer_rules rules = {
		.check = TLS_PEER_ANY,
		.server_name = server_name(transport->name),
	};

	if (transport->level == TRANSPORT_NAMED) {
		rules.check = TLS_PEER_NAME;
		rules.names = &transport->name;
		rules.name_count = 1;
	}
	return rules;
}

bool transport_broke(struct transport *transport, uint64_t now_ms)
{
	if (transport->level != TRANSPORT_OFFERED || transport->target->tls_first)
		return false;
	transport->clear_until_ms = now_ms + CLEAR_MS;
	return true;
}
