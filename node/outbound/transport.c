#include "outbound/transport.h"

#include "io/address.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { CLEAR_MS = 600000, BARRED_MS = 60000 };

static const struct enhanced_code encryption_needed = { 5, 7, 10 };
static const struct enhanced_code cannot_be_sure = { 4, 7, 5 };

const struct enhanced_code transport_code_no_requiretls = { 5, 7, 30 };

static void on_done(void *arg);

static bool is_required(const struct transport *transport)
{
	return transport->wish == TRANSPORT_WISH_REQUIRED;
}

struct enhanced_code transport_code_not_offered(const struct transport *transport)
{
	return is_required(transport) ? encryption_needed : (struct enhanced_code){ 4, 7, 4 };
}

struct enhanced_code transport_code_broken(const struct transport *transport)
{
	return is_required(transport) ? encryption_needed : cannot_be_sure;
}

/* Where nothing needs to be asked; else 0 is the time until which it holds. */
static enum transport_level level_of(
	const struct route_target *target, enum transport_wish wish, uint64_t *until_ms_out)
{
	bool requiretls = wish == TRANSPORT_WISH_REQUIRED;

	*until_ms_out = UINT64_MAX;
	if (requiretls && target->tls != ROUTE_TLS_NONE) {
		/* The route's own host is who it says. Of others, and with DANE or MTA-STS, more is to be
		 * known. */
		bool is_plain = target->place == ROUTE_HOST && target->tls <= ROUTE_TLS_VERIFY;

		*until_ms_out = is_plain ? UINT64_MAX : 0;
		return is_plain ? TRANSPORT_NAMED : TRANSPORT_BARRED;
	}
	switch (target->tls) {
	case ROUTE_TLS_NONE:
		return requiretls ? TRANSPORT_BARRED : TRANSPORT_CLEAR;
	case ROUTE_TLS_MAY:
		return TRANSPORT_OFFERED;
	case ROUTE_TLS_ENCRYPT:
		return TRANSPORT_ANY;
	case ROUTE_TLS_VERIFY:
		return TRANSPORT_NAMED;
	case ROUTE_TLS_DANE:
	case ROUTE_TLS_MTA_STS:
	case ROUTE_TLS_AUTO:
		if (wish == TRANSPORT_WISH_OPTIONAL)
			return TRANSPORT_OFFERED;
		/* fallthrough */
	default:
		*until_ms_out = 0;
		return TRANSPORT_BARRED;
	}
}

void transport_init(struct transport *transport, const struct transport_options *options)
{
	*transport = (struct transport){
		.loop = options->loop,
		.resolver = options->resolver,
		.sts = options->sts,
		.target = options->target,
		.wish = options->wish,
		.host = options->host,
		.name = *options->target->tls_name ? options->target->tls_name : options->host,
		.domain = options->target->name,
		.fn = options->fn,
		.arg = options->arg,
	};
	transport->level = level_of(options->target, options->wish, &transport->until_ms);
	if (transport->level == TRANSPORT_BARRED && transport_is_known(transport)) {
		snprintf(transport->why, sizeof(transport->why),
			"the sender asks for TLS, and the route says that there is none");
		transport->code = encryption_needed;
	}
	loop_task_init(&transport->done, on_done, transport);
}

void transport_fini(struct transport *transport)
{
	transport_cancel(transport);
	tlsa_set_free(&transport->set);
	buf_fini(&transport->policy);
	arena_fini(&transport->arena);
}

/* --- what the DNS says ---------------------------------------------------------------------------- */

static bool is_same(const struct dns_hop *a, const struct dns_hop *b)
{
	return a->host && a->port == b->port && a->has_secure_addresses == b->has_secure_addresses &&
	       a->is_secure == b->is_secure && a->is_named_secure == b->is_named_secure &&
	       strcmp(a->host, b->host) == 0 && strcmp(a->alias, b->alias) == 0;
}

void transport_found(struct transport *transport, const struct dns_hop *at, const char *domain)
{
	if (is_same(&transport->at, at) && strcmp(transport->domain, domain) == 0)
		return;
	arena_reset(&transport->arena);
	transport->at = *at;
	transport->at.host = arena_strdup(&transport->arena, span_of_str(at->host));
	transport->at.alias = arena_strdup(&transport->arena, span_of_str(at->alias));
	transport->domain = arena_strdup(&transport->arena, span_of_str(domain));
	if (transport->until_ms != UINT64_MAX)
		transport->until_ms = 0;
}

bool transport_is_known(const struct transport *transport)
{
	return transport->until_ms == UINT64_MAX || loop_now_ms(transport->loop) < transport->until_ms;
}

bool transport_is_asking(const struct transport *transport)
{
	return transport->is_asking;
}

void transport_cancel(struct transport *transport)
{
	tlsa_cancel(&transport->search);
	sts_cancel(&transport->sts_search);
	loop_task_cancel(&transport->done);
	transport->is_asking = false;
}

static void on_done(void *arg)
{
	struct transport *transport = arg;

	transport->is_asking = false;
	transport->fn(transport->arg);
}

static void conclude(struct transport *transport, enum transport_level level, uint64_t keep_ms)
{
	transport->level = level;
	transport->is_tested = false;
	transport->until_ms = loop_now_ms(transport->loop) + keep_ms;
	loop_defer(transport->loop, &transport->done);
}

/* What the policy is, from now on. */
static void set_policy(struct transport *transport, enum tls_policy_kind kind, struct span lines)
{
	transport->kind = kind;
	buf_clear(&transport->policy);
	buf_append(&transport->policy, lines);
}

/* RFC 6698 2.2 */
static void set_tlsa_policy(struct transport *transport, const struct tlsa_set *set)
{
	set_policy(transport, TLS_POLICY_TLSA, span_of("", 0));
	for (size_t i = 0; i < set->count; i++) {
		const struct dns_tlsa *record = &set->records[i];

		buf_printf(
			&transport->policy, "%u %u %u ", record->usage, record->selector, record->matching);
		for (size_t k = 0; k < record->association.len; k++)
			buf_printf(&transport->policy, "%02x", (unsigned char)record->association.ptr[k]);
		buf_append_byte(&transport->policy, '\n');
	}
}

/* Whether a policy of the domain was looked for. */
static bool is_reported(const struct transport *transport)
{
	if (transport->wish == TRANSPORT_WISH_OPTIONAL)
		return false;
	switch (transport->target->tls) {
	case ROUTE_TLS_DANE:
	case ROUTE_TLS_DANE_ONLY:
	case ROUTE_TLS_MTA_STS:
	case ROUTE_TLS_AUTO:
		return true;
	default:
		return false;
	}
}

static void report(const struct transport *transport, enum tls_result result, const char *sending_ip,
	const char *receiving_ip)
{
	const struct tls_session session = {
		.domain = transport->domain,
		.kind = transport->kind,
		.policy = buf_span(&transport->policy),
		.host = transport->host,
		.sending_ip = sending_ip,
		.receiving_ip = receiving_ip,
		.result = result,
	};

	if (is_reported(transport))
		tls_ledger_note(transport->sts->ledger, &session);
}

/* What was found out before there was a connection. */
static void count(const struct transport *transport, enum tls_result result)
{
	meter_add_at(transport->sts->meter, METRIC_TLS_RESULTS, result, 1);
	report(transport, result, "", "");
}

__attribute__((format(printf, 4, 5))) static void bar(
	struct transport *transport, enum tls_result result, uint64_t keep_ms, const char *format, ...)
{
	va_list args;

	count(transport, result);
	va_start(args, format);
	vsnprintf(transport->why, sizeof(transport->why), format, args);
	va_end(args);
	if (result == TLS_RESULT_DNSSEC_INVALID)
		transport->code = cannot_be_sure;
	else if (result == TLS_RESULT_DANE_REQUIRED)
		transport->code = transport_code_not_offered(transport);
	else
		transport->code = transport_code_broken(transport);
	conclude(transport, TRANSPORT_BARRED, keep_ms);
}

/* RFC 8689 4.2.1: by DNSSEC; where nothing was looked up, by the route. */
static bool is_name_sure(const struct transport *transport)
{
	return transport->target->place == ROUTE_HOST || transport->at.is_named_secure;
}

/* By DNSSEC or by MTA-STS the name is nobody's forgery; so its certificate can be asked for. */
static void conclude_requiretls(struct transport *transport, const struct sts_answer *answer)
{
	if (is_name_sure(transport) || (answer->mode != MTA_STS_NONE && answer->is_allowed))
		conclude(transport, TRANSPORT_NAMED, answer->keep_ms);
	else
		bar(transport, TLS_RESULT_VALIDATION_FAILURE, answer->keep_ms,
			"the sender asks for TLS, and neither DNSSEC nor MTA-STS vouches for %s as a host of "
			"%s",
			transport->host, transport->domain);
}

/* RFC 8461 5 */
static void on_policy(void *arg, const struct sts_answer *answer)
{
	struct transport *transport = arg;

	transport->sts_search = NULL;
	set_policy(transport, answer->mode == MTA_STS_NONE ? TLS_POLICY_NONE : TLS_POLICY_STS, answer->text);
	if (answer->mode == MTA_STS_ENFORCE && !answer->is_allowed) {
		bar(transport, TLS_RESULT_VALIDATION_FAILURE, answer->keep_ms,
			"the MTA-STS policy of %s does not name %s", transport->domain, transport->host);
		return;
	}
	if (is_required(transport)) {
		conclude_requiretls(transport, answer);
		return;
	}
	conclude(transport, answer->mode == MTA_STS_ENFORCE ? TRANSPORT_NAMED : TRANSPORT_OFFERED,
		answer->keep_ms);
	if (answer->mode != MTA_STS_TESTING)
		return;
	transport->is_tested = true;
	if (!answer->is_allowed)
		count(transport, TLS_RESULT_VALIDATION_FAILURE);
}

static bool wants_policy(const struct transport *transport)
{
	enum route_tls tls = transport->target->tls;

	return tls == ROUTE_TLS_MTA_STS || tls == ROUTE_TLS_AUTO ||
	       (is_required(transport) && tls != ROUTE_TLS_DANE_ONLY && !is_name_sure(transport));
}

static void go_without_dane(struct transport *transport, uint64_t keep_ms)
{
	enum route_tls tls = transport->target->tls;

	set_policy(transport, TLS_POLICY_NONE, span_of("", 0));
	if (wants_policy(transport))
		transport->sts_search =
			sts_start(transport->sts, transport->domain, transport->host, on_policy, transport);
	else if (tls != ROUTE_TLS_DANE_ONLY)
		conclude(transport, is_required(transport) ? TRANSPORT_NAMED : TRANSPORT_OFFERED, keep_ms);
	else if (transport->at.is_secure)
		bar(transport, TLS_RESULT_DANE_REQUIRED, keep_ms, "%s has no TLSA records that are secure",
			transport->host);
	else
		bar(transport, TLS_RESULT_DANE_REQUIRED, keep_ms,
			"DANE is required, and the way to %s is not secured by DNSSEC", transport->host);
}

static void on_tlsa(void *arg, struct tlsa_set *set)
{
	struct transport *transport = arg;

	transport->search = NULL;
	tlsa_set_free(&transport->set);
	transport->set = set;
	set_tlsa_policy(transport, set);
	switch (set->outcome) {
	case TLSA_NONE:
		go_without_dane(transport, set->keep_ms);
		break;
	case TLSA_USABLE:
		conclude(transport, TRANSPORT_DANE, set->keep_ms);
		break;
	case TLSA_UNUSABLE:
		count(transport, TLS_RESULT_TLSA_INVALID);
		if (is_required(transport))
			go_without_dane(transport, set->keep_ms);
		else
			conclude(transport, TRANSPORT_ANY, set->keep_ms);
		break;
	case TLSA_FAILED:
		bar(transport, TLS_RESULT_DNSSEC_INVALID, set->keep_ms, "%s", set->why);
		break;
	}
}

static bool wants_dane(const struct transport *transport)
{
	enum route_tls tls = transport->target->tls;

	return (is_required(transport) && tls != ROUTE_TLS_VERIFY) || tls == ROUTE_TLS_DANE ||
	       tls == ROUTE_TLS_DANE_ONLY || tls == ROUTE_TLS_AUTO;
}

void transport_ask(struct transport *transport)
{
	const struct tlsa_request request = {
		.resolver = transport->resolver,
		.loop = transport->loop,
		.hop = &transport->at,
		.fn = on_tlsa,
		.arg = transport,
	};

	transport->is_asking = true;
	/* RFC 7672 2.2.1: whoever could forge the MX records would bring TLSA records of his own. */
	if (wants_dane(transport) && transport->at.is_secure)
		transport->search = tlsa_start(&request);
	else
		go_without_dane(transport, BARRED_MS);
}

/* --- what a connection does ------------------------------------------------------------------------ */

bool transport_is_tls_first(const struct transport *transport)
{
	return transport->target->tls_first;
}

enum smtp_client_tls transport_starttls(const struct transport *transport)
{
	if (transport->level == TRANSPORT_CLEAR || transport->target->tls_first)
		return SMTP_CLIENT_TLS_NONE;
	if (transport->level > TRANSPORT_OFFERED)
		return SMTP_CLIENT_TLS_ENCRYPT;
	return loop_now_ms(transport->loop) < transport->clear_until_ms ? SMTP_CLIENT_TLS_NONE
									: SMTP_CLIENT_TLS_MAY;
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

	CHECK(transport->level != TRANSPORT_BARRED);
	if (transport->level == TRANSPORT_NAMED || transport->is_tested) {
		rules.check = transport->is_tested ? TLS_PEER_ANY : TLS_PEER_NAME;
		rules.names = &transport->name;
		rules.name_count = 1;
	} else if (transport->level == TRANSPORT_DANE) {
		rules.check = TLS_PEER_DANE;
		rules.server_name = transport->set->base;
		/* RFC 7672 3.2.2 */
		rules.names = &transport->domain;
		rules.name_count = *transport->domain ? 1 : 0;
		rules.tlsa = transport->set->records;
		rules.tlsa_count = transport->set->count;
	}
	return rules;
}

bool transport_broke(struct transport *transport)
{
	if (transport->level != TRANSPORT_OFFERED || transport->target->tls_first)
		return false;
	transport->clear_until_ms = loop_now_ms(transport->loop) + CLEAR_MS;
	return true;
}

void transport_tell(const struct transport *transport, enum tls_result result, const char *sending_ip,
	const char *receiving_ip)
{
	bool is_asked_for = transport->level >= TRANSPORT_NAMED || transport->is_tested;
	/* Then its handshake failed a while ago, which was told. */
	bool is_by_choice = result == TLS_RESULT_STARTTLS_NOT_SUPPORTED &&
			    transport_starttls(transport) == SMTP_CLIENT_TLS_NONE;

	if (is_asked_for)
		meter_add_at(transport->sts->meter, METRIC_TLS_RESULTS, result, 1);
	if (!is_by_choice)
		report(transport, result, sending_ip, receiving_ip);
}
