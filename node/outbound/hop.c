#include "outbound/hop.h"

#include "outbound/destination.h"
#include "outbound/hop_conn.h"
#include "outbound/hop_health.h"
#include "skein/proto/base/alloc.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>

enum { ADDRESS_LIFE_MS = 30000, UNWANTED_MS = 1000 };

static void on_transport(void *arg);

static void init_transport(struct hop *hop)
{
	const struct transport_options options = {
		.loop = hop->outbound->loop,
		.resolver = hop->outbound->lookup.resolver,
		.sts = &hop->outbound->sts,
		.target = hop->target,
		.wish = hop->destination->wish,
		.host = hop->host,
		.fn = on_transport,
		.arg = hop,
	};

	transport_init(&hop->transport, &options);
}

struct hop *hop_new(struct destination *destination, const struct route_target *target, const char *host,
	uint16_t port, unsigned bit)
{
	struct hop *hop = mem_alloc(sizeof(*hop));

	*hop = (struct hop){
		.outbound = destination->outbound,
		.destination = destination,
		.route = destination->route,
		.target = target,
		.bit = bit,
		.window = 1,
		.host = mem_strdup(host),
		.port = port,
	};
	list_init(&hop->conns);
	list_init(&hop->leaving_link);
	init_transport(hop);
	list_init(&hop->permits);
	snprintf(hop->label, sizeof(hop->label), strchr(host, ':') ? "[%s]:%u" : "%s:%u", host,
		(unsigned)port);
	for (char *at = hop->label; *at; at++)
		*at = ascii_lower(*at);
	hop_health_hear(hop);
	return hop;
}

void hop_found(struct hop *hop, const struct dns_hop *at, const char *domain)
{
	struct dns_hop here = *at;

	hop->address_count = at->address_count < HOP_ADDRESSES_MAX ? at->address_count : HOP_ADDRESSES_MAX;
	memcpy(hop->addresses, at->addresses, hop->address_count * sizeof(*at->addresses));
	hop->resolved_at_ms = UINT64_MAX;
	here.port = hop->port;
	transport_found(&hop->transport, &here, domain);
}

void hop_free(struct hop **hop)
{
	CHECK(hop_is_idle(*hop));
	hop_drop_permits(*hop);
	list_remove(&(*hop)->leaving_link);
	transport_fini(&(*hop)->transport);
	mem_free((void *)(uintptr_t)(*hop)->host);
	mem_free(*hop);
	*hop = NULL;
}

void hop_abort(struct hop *hop)
{
	hop_drop_permits(hop);
	LIST_EACH_SAFE(it, &hop->conns)
	hop_conn_abort(hop_conn_of_link(it));
	if (transport_is_asking(&hop->transport)) {
		transport_cancel(&hop->transport);
		hop->connecting--;
	}
	if (hop->is_resolving)
		uv_cancel((uv_req_t *)&hop->resolver);
}

static bool is_looking_up(const struct hop *hop)
{
	return hop->is_resolving || transport_is_asking(&hop->transport);
}

bool hop_is_idle(const struct hop *hop)
{
	return hop->conn_count == 0 && !is_looking_up(hop);
}

void hop_retire(struct hop *hop)
{
	hop_drop_permits(hop);
	LIST_EACH_SAFE(it, &hop->conns)
	hop_conn_retire(hop_conn_of_link(it));
}

bool hop_is_well(const struct hop *hop, uint64_t now_ms)
{
	bool is_waited_for = hop->connecting || hop->trying;

	return hop->breaker.state == BREAKER_CLOSED &&
	       (!is_waited_for || now_ms < hop->alive_ms + HOP_PATIENCE_MS);
}

/* --- success and failure ------------------------------------------------------------------------ */

void hop_is_alive(struct hop *hop)
{
	hop->alive_ms = loop_now_ms(hop->outbound->loop);
}

void hop_conn_opened(struct hop *hop)
{
	if (hop->breaker.state != BREAKER_CLOSED || !hop->is_proven)
		hop->window = hop->route->connections;
	hop->is_proven = true;
	hop_health_connected(hop);
	destination_kick(hop->destination);
}

void hop_served(struct hop *hop)
{
	hop_health_good(hop);
	pace_taken(&hop->pace, loop_now_ms(hop->outbound->loop));
	if (hop->window < hop->route->connections)
		hop->window++;
}

void hop_troubled(struct hop *hop)
{
	hop->window = hop->window > 1 ? hop->window / 2 : 1;
}

static const struct enhanced_code no_answer = { 4, 4, 1 };

bool hop_pushed_back(struct hop *hop, struct span text)
{
	if (!pace_pushed_back(&hop->pace, loop_now_ms(hop->outbound->loop)))
		return false;
	hop_troubled(hop);
	meter_add(hop->outbound->meter, METRIC_HOP_SLOWED, 1);
	log_event(hop->outbound->log, LOG_WARN, "hop-slowed", LOG_STR("hop", hop->label),
		LOG_SPAN("why", span_take(text, text.len < HOP_ERROR_MAX ? text.len : HOP_ERROR_MAX)),
		LOG_U64("per_minute", pace_per_minute(&hop->pace)), LOG_END);
	return true;
}

uint64_t hop_pace_wait_ms(const struct hop *hop)
{
	return pace_wait_ms(&hop->pace, loop_now_ms(hop->outbound->loop));
}

/* `is_ours`: see hop_health_failed(). */
static void fail(struct hop *hop, struct enhanced_code code, const char *why, bool is_ours)
{
	struct outbound *outbound = hop->outbound;
	uint64_t now_ms = loop_now_ms(outbound->loop);
	char status[16];

	if (outbound->is_stopping)
		return;
	hop->is_held = false;
	snprintf(hop->last_error, sizeof(hop->last_error), "%s", why);
	hop->last_code = code;
	snprintf(status, sizeof(status), "%u.%u.%u", code.class, code.subject, code.detail);
	hop_health_failed(hop, why, is_ours);
	hop->window = 1;
	meter_add(outbound->meter, METRIC_HOP_FAILURES, 1);
	meter_add_named(outbound->meter, METRIC_ROUTE_FAILURES, hop->destination->name, 0, 1);
	log_event(outbound->log, LOG_WARN, "hop-failed", LOG_STR("hop", hop->label), LOG_STR("why", why),
		LOG_STR("status", status), LOG_BOOL("open", !breaker_is_usable(&hop->breaker, now_ms)),
		LOG_U64("retry_ms", breaker_wait_ms(&hop->breaker, now_ms)), LOG_END);
	destination_kick(hop->destination);
}

void hop_conn_failed(struct hop *hop, const char *why)
{
	fail(hop, no_answer, why, false);
}

void hop_conn_barred(struct hop *hop, struct enhanced_code code, const char *why)
{
	fail(hop, code, why, true);
}

/* --- permits ------------------------------------------------------------------------------------ */

static void on_permit(void *arg)
{
	struct hop *hop = arg;

	destination_kick(hop->destination);
}

static struct route_gate *slots_of(const struct hop *hop)
{
	struct route_gate *gate = hop->destination->gate;

	return gate && route_gate_has_slots(gate) ? gate : NULL;
}

static struct route_permit *held_permit(const struct hop *hop, unsigned *asked_out)
{
	*asked_out = 0;
	LIST_EACH(it, &hop->permits)
	{
		struct route_permit *permit = LIST_ENTRY(it, struct route_permit, held);

		if (route_permit_is_held(permit))
			return permit;
		++*asked_out;
	}
	return NULL;
}

static bool has_permit(const struct hop *hop)
{
	unsigned asked;

	return !slots_of(hop) || held_permit(hop, &asked);
}

/* Asks for one more, where that would not make more than `most`. */
static bool obtain_permit(struct hop *hop, unsigned most)
{
	struct route_permit *permit;
	unsigned asked;

	if (!slots_of(hop) || held_permit(hop, &asked))
		return true;
	if (asked >= most)
		return false;
	permit = route_permit_new(slots_of(hop), on_permit, hop);
	list_push_back(&hop->permits, &permit->held);
	return route_permit_is_held(permit);
}

struct route_permit *hop_take_permit(struct hop *hop)
{
	unsigned asked;
	struct route_permit *permit = slots_of(hop) ? held_permit(hop, &asked) : NULL;

	if (permit)
		list_remove(&permit->held);
	return permit;
}

void hop_drop_permits(struct hop *hop)
{
	while (!list_is_empty(&hop->permits)) {
		struct route_permit *permit = LIST_FIRST(&hop->permits, struct route_permit, held);

		route_permit_free(&permit);
	}
}

void hop_tidy(struct hop *hop)
{
	if (!hop->is_resolving && loop_now_ms(hop->outbound->loop) > hop->woken_ms + UNWANTED_MS)
		hop_drop_permits(hop);
}

/* --- addresses ---------------------------------------------------------------------------------- */

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *result)
{
	struct hop *hop = CONTAINER_OF(request, struct hop, resolver);
	char why[HOP_ERROR_MAX];

	hop->is_resolving = false;
	hop->connecting--;
	if (status < 0) {
		snprintf(why, sizeof(why), "%s cannot be resolved: %s", hop->host, uv_strerror(status));
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
	if (hop->address_count && !hop->outbound->is_stopping && has_permit(hop))
		hop_conn_open(hop, &hop->addresses[hop->address_next++ % hop->address_count]);
}

/* Counts as a connection under way, so that one look-up is made for many messages. */
static void resolve(struct hop *hop)
{
	static const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG };
	char port[8];

	snprintf(port, sizeof(port), "%u", (unsigned)hop->port);
	if (uv_getaddrinfo(&hop->outbound->loop->uv, &hop->resolver, on_resolved, hop->host, port, &hints)) {
		hop_conn_failed(hop, "the name cannot be looked up");
		return;
	}
	hop->is_resolving = true;
	hop->connecting++;
}

static bool has_address(struct hop *hop)
{
	if (!hop->resolved_at_ms &&
		address_parse(span_of_str(hop->host), hop->port, &hop->addresses[0]) == ERR_OK) {
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
	if (is_looking_up(hop))
		return;
	if (!transport_is_known(&hop->transport)) {
		hop->connecting++;
		transport_ask(&hop->transport);
		return;
	}
	if (hop->transport.level == TRANSPORT_BARRED)
		hop_conn_barred(hop, hop->transport.code, hop->transport.why);
	else if (has_address(hop))
		hop_conn_open(hop, &hop->addresses[hop->address_next++ % hop->address_count]);
	else
		resolve(hop);
}

static void on_transport(void *arg)
{
	struct hop *hop = arg;

	hop->connecting--;
	if (!hop->is_leaving && !hop->outbound->is_stopping)
		open_one(hop);
}

static void fill_connections(struct hop *hop, bool idle)
{
	LIST_EACH_SAFE(it, &hop->conns)
	{
		struct hop_conn *conn = hop_conn_of_link(it);

		if (destination_is_empty(hop->destination))
			return;
		if (hop_conn_is_idle(conn) == idle)
			hop_conn_fill(conn);
	}
}

/* How many connections it may have now. One that is silent may only have lost those that it has. */
static unsigned room(const struct hop *hop, bool is_well)
{
	return is_well || hop->breaker.state != BREAKER_CLOSED ? hop->window : hop->route->connections;
}

static bool has_idle_connection(const struct hop *hop)
{
	LIST_EACH(it, &hop->conns)
	{
		if (hop_conn_is_idle(hop_conn_of_link(it)))
			return true;
	}
	return false;
}

/* Where a rate decides, another connection helps only if those that are there are all at work. */
static bool is_enough_for_rate(const struct hop *hop)
{
	const struct route_gate *gate = hop->destination->gate;

	return gate && route_gate_has_rate(gate) && (hop->connecting || has_idle_connection(hop));
}

static bool may_open(struct hop *hop, unsigned most)
{
	hop->woken_ms = loop_now_ms(hop->outbound->loop);
	if (!outbound_may_connect(hop->outbound, hop->destination) || !hop_may_log_in(hop) ||
		!breaker_is_usable(&hop->breaker, hop->woken_ms) || !obtain_permit(hop, most))
		return false;
	if (hop_health_admits(hop))
		return true;
	hop_drop_permits(hop);
	return false;
}

void hop_wake(struct hop *hop, size_t ready)
{
	uint64_t now_ms = loop_now_ms(hop->outbound->loop);
	bool is_well = hop_is_well(hop, now_ms);

	fill_connections(hop, true);
	fill_connections(hop, false);
	while (destination_waiting(hop->destination) > hop->connecting && hop->connecting < ready &&
		hop->conn_count + (is_looking_up(hop) ? 1 : 0) < room(hop, is_well) &&
		!is_enough_for_rate(hop)) {
		bool probes = hop->breaker.state != BREAKER_CLOSED || !is_well;
		unsigned before = hop->connecting;

		if (hop_pace_wait_ms(hop) || !may_open(hop, room(hop, is_well) - hop->conn_count))
			return;
		if (!hop->connecting && !hop->trying)
			hop_is_alive(hop);
		open_one(hop);
		/* One probe, or a resolver that is not back yet: no more now. */
		if (probes || hop->connecting == before || is_looking_up(hop))
			return;
	}
}
