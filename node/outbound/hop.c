#include "outbound/hop.h"

#include "outbound/hop_conn.h"

#include <netdb.h>
#include <stdio.h>

enum { ADDRESS_LIFE_MS = 30000, CLEAR_MS = 600000 };

void hop_init(struct hop *hop, struct outbound *outbound, const struct hop_settings *settings)
{
	*hop = (struct hop){ .outbound = outbound, .settings = settings };
	list_init(&hop->conns);
	snprintf(hop->label, sizeof(hop->label), "%s:%u", settings->host, (unsigned)settings->port);
}

void hop_abort(struct hop *hop)
{
	LIST_EACH_SAFE(it, &hop->conns)
	hop_conn_abort(hop_conn_of_link(it));
	if (hop->is_resolving)
		uv_cancel((uv_req_t *)&hop->resolver);
}

bool hop_is_idle(const struct hop *hop)
{
	return hop->conn_count == 0 && !hop->is_resolving;
}

void hop_retire(struct hop *hop)
{
	LIST_EACH_SAFE(it, &hop->conns)
	hop_conn_retire(hop_conn_of_link(it));
}

/* --- TLS ---------------------------------------------------------------------------------------- */

enum smtp_client_tls hop_wants_tls(const struct hop *hop)
{
	switch (hop->settings->tls) {
	case HOP_TLS_NONE:
		return SMTP_CLIENT_TLS_NONE;
	case HOP_TLS_ENCRYPT:
		return SMTP_CLIENT_TLS_ENCRYPT;
	case HOP_TLS_MAY:
		break;
	}
	return loop_now_ms(hop->outbound->loop) < hop->clear_until_ms ? SMTP_CLIENT_TLS_NONE
								      : SMTP_CLIENT_TLS_MAY;
}

void hop_tls_broken(struct hop *hop)
{
	if (hop->settings->tls != HOP_TLS_MAY)
		return;
	hop->clear_until_ms = loop_now_ms(hop->outbound->loop) + CLEAR_MS;
	log_event(hop->outbound->log, LOG_WARN, "hop-tls-failed", LOG_STR("hop", hop->label),
		LOG_STR("then", "in clear for ten minutes, because tls is \"may\""), LOG_END);
}

/* --- success and failure ------------------------------------------------------------------------ */

void hop_conn_opened(struct hop *hop)
{
	if (hop->breaker.state != BREAKER_CLOSED)
		log_event(hop->outbound->log, LOG_INFO, "hop-up", LOG_STR("hop", hop->label), LOG_END);
	breaker_succeeded(&hop->breaker);
	outbound_kick(hop->outbound);
}

void hop_conn_failed(struct hop *hop, const char *why)
{
	struct outbound *outbound = hop->outbound;
	const struct breaker_options options = {
		.failures_max = (unsigned)outbound->settings->route.breaker.failures,
		.pause_first_ms = outbound->settings->route.breaker.pause_first_ms,
		.pause_max_ms = outbound->settings->route.breaker.pause_max_ms,
	};
	uint64_t now_ms = loop_now_ms(outbound->loop);

	if (outbound->is_stopping)
		return;
	snprintf(hop->last_error, sizeof(hop->last_error), "%s", why);
	breaker_failed(&hop->breaker, &options, now_ms, random_u32(outbound->random));
	meter_add(outbound->meter, METRIC_HOP_FAILURES, 1);
	log_event(outbound->log, LOG_WARN, "hop-failed", LOG_STR("hop", hop->label), LOG_STR("why", why),
		LOG_BOOL("open", !breaker_is_usable(&hop->breaker, now_ms)),
		LOG_U64("retry_ms", breaker_wait_ms(&hop->breaker, now_ms)), LOG_END);
	outbound_kick(outbound);
}

/* --- addresses ---------------------------------------------------------------------------------- */

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *result)
{
	struct hop *hop = CONTAINER_OF(request, struct hop, resolver);
	char why[HOP_ERROR_MAX];

	hop->is_resolving = false;
	hop->connecting--;
	if (status < 0) {
		snprintf(why, sizeof(why), "%s cannot be resolved: %s", hop->settings->host,
			uv_strerror(status));
		hop_conn_failed(hop, why);
		return;
	}
	hop->address_count = hop->address_next = 0;
	for (struct addrinfo *it = result; it && hop->address_count < HOP_ADDRESSES_MAX; it = it->ai_next) {
		if (address_from_sockaddr(it->ai_addr, &hop->addresses[hop->address_count]))
			hop->address_count++;
	}
	uv_freeaddrinfo(result);
	hop->resolved_at_ms = loop_now_ms(hop->outbound->loop);
	if (hop->address_count && !hop->outbound->is_stopping)
		hop_conn_open(hop, &hop->addresses[hop->address_next++ % hop->address_count]);
}

/* Counts as a connection under way, so that one look-up is made for many messages. */
static void resolve(struct hop *hop)
{
	static const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG };
	char port[8];

	snprintf(port, sizeof(port), "%u", (unsigned)hop->settings->port);
	if (uv_getaddrinfo(&hop->outbound->loop->uv, &hop->resolver, on_resolved, hop->settings->host, port,
		    &hints)) {
		hop_conn_failed(hop, "the name cannot be looked up");
		return;
	}
	hop->is_resolving = true;
	hop->connecting++;
}

static bool has_address(struct hop *hop)
{
	struct span host = span_of_str(hop->settings->host);

	if (!hop->resolved_at_ms &&
		address_parse(host, (uint16_t)hop->settings->port, &hop->addresses[0]) == ERR_OK) {
		hop->address_count = 1;
		hop->resolved_at_ms = UINT64_MAX;
	}
	return hop->address_count &&
	       (hop->resolved_at_ms == UINT64_MAX ||
		       loop_now_ms(hop->outbound->loop) - hop->resolved_at_ms < ADDRESS_LIFE_MS);
}

/* --- connections -------------------------------------------------------------------------------- */

static void open_one(struct hop *hop)
{
	if (has_address(hop))
		hop_conn_open(hop, &hop->addresses[hop->address_next++ % hop->address_count]);
	else if (!hop->is_resolving)
		resolve(hop);
}

static void fill_connections(struct hop *hop, bool idle)
{
	LIST_EACH_SAFE(it, &hop->conns)
	{
		struct hop_conn *conn = hop_conn_of_link(it);

		if (hop->outbound->ready_count == 0)
			return;
		if (hop_conn_is_idle(conn) == idle)
			hop_conn_fill(conn);
	}
}

void hop_wake(struct hop *hop, size_t ready)
{
	uint64_t now_ms = loop_now_ms(hop->outbound->loop);

	fill_connections(hop, true);
	fill_connections(hop, false);
	while (hop->outbound->ready_count > hop->connecting && hop->connecting < ready &&
		hop->conn_count + (hop->is_resolving ? 1 : 0) < hop->outbound->settings->route.connections) {
		bool probes = hop->breaker.state != BREAKER_CLOSED;
		unsigned before = hop->connecting;

		if (!breaker_admit(&hop->breaker, now_ms))
			return;
		open_one(hop);
		/* One probe, or a resolver that is not back yet: no more now. */
		if (probes || hop->connecting == before || hop->is_resolving)
			return;
	}
}
