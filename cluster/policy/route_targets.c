/* Targets of a route: what a table cannot see of where mail goes and how safely. */
#include "policy/route_internal.h"
#include "skein/cluster/schema/value.h"

#include <arpa/inet.h>
#include <stdio.h>

static bool is_of_type(enum setting_type type, struct span text)
{
	const struct setting_row row = { .type = type, .max = 253 };
	struct arena arena = { 0 };
	struct buf why = { 0 };
	const char *value;
	bool is_fine = value_parse(&row, text, &arena, &value, &why);

	arena_fini(&arena);
	buf_fini(&why);
	return is_fine;
}

static bool is_address(const char *host)
{
	unsigned char bytes[16];

	return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

/* RFC 2782, RFC 6335 5.1: _submission._tcp.example.com */
static bool is_srv_name(struct span text)
{
	size_t dot = span_find(text, '.');
	struct span service = span_take(text, dot);

	if (service.len < 2 || service.len > 16 || service.ptr[0] != '_' || dot == text.len)
		return false;
	for (size_t i = 1; i < service.len; i++) {
		char c = ascii_lower(service.ptr[i]);

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-')
			return false;
	}
	text = span_drop(text, dot + 1);
	return span_starts_with_nocase(text, SPAN_LIT("_tcp.")) &&
	       is_of_type(SETTING_DOMAIN, span_drop(text, strlen("_tcp.")));
}

/* --- where --------------------------------------------------------------------------------------- */

/* False: not exactly one is said. */
static bool read_place(const struct target_text *text, struct route_target *target)
{
	const char *names[ROUTE_PLACES] = {
		[ROUTE_HOST] = text->host,
		[ROUTE_MX] = text->mx,
		[ROUTE_SRV] = text->srv,
		[ROUTE_DIRECT] = "",
	};
	unsigned count = text->is_direct;

	target->place = ROUTE_DIRECT;
	for (enum route_place place = ROUTE_HOST; place < ROUTE_DIRECT; place++) {
		if (!*names[place])
			continue;
		target->place = place;
		count++;
	}
	target->name = names[target->place];
	return count == 1;
}

static void check_name(const struct route_target *target, struct place *place, struct report *report)
{
	if (target->place == ROUTE_SRV && !is_srv_name(span_of_str(target->name)))
		report_error_at(report, place_below(place, "srv"),
			"expected a name such as _submission._tcp.example.com, got %s",
			report_quote(span_of_str(target->name)).text);
	if (target->place == ROUTE_SRV && target->port)
		report_error_at(report, place_below(place, "port"),
			"has no effect: an SRV record says the port itself");
	if (target->place == ROUTE_DIRECT && *target->tls_name)
		report_error_at(report, place_below(place, "tls_name"),
			"cannot be the name of each domain's hosts: leave it out");
}

/* --- how safely ---------------------------------------------------------------------------------- */

/* Nothing is ever sent in clear. */
static bool is_always_tls(enum route_tls tls)
{
	return tls == ROUTE_TLS_ENCRYPT || tls == ROUTE_TLS_VERIFY || tls == ROUTE_TLS_DANE_ONLY;
}

static bool asks_dns(enum route_tls tls)
{
	return tls == ROUTE_TLS_DANE || tls == ROUTE_TLS_DANE_ONLY || tls == ROUTE_TLS_MTA_STS ||
	       tls == ROUTE_TLS_AUTO;
}

static void check_tls(const struct route_target *target, struct place *place, struct report *report)
{
	if (target->tls_first && !is_always_tls(target->tls))
		report_error_at(report, place_below(place, "tls_first"),
			"is TLS always, and tls: %s is not: say verify, encrypt or dane-only",
			route_tls_names[target->tls]);
	if (target->place == ROUTE_HOST && is_address(target->name) && asks_dns(target->tls))
		report_error_at(report, place_below(place, "tls"),
			"%s goes by a name, and %s is an address: give the host's name, or say tls: verify "
			"with tls_name",
			route_tls_names[target->tls], target->name);
}

static void check_credentials(const struct route_target *target, struct place *place, struct report *report)
{
	if (target->place == ROUTE_DIRECT)
		report_error_at(report, place_below(place, "credentials"),
			"would be given to the hosts of any domain: they are for host, mx and srv");
	else if (!is_always_tls(target->tls))
		report_error_at(report, place_below(place, "tls"),
			"a password never goes in clear, as %s would let it: say tls: verify",
			route_tls_names[target->tls]);
	else if (target->tls == ROUTE_TLS_ENCRYPT)
		report_warning_at(report, place_below(place, "tls"),
			"encrypt takes any certificate, so whoever gets in between has the password: tls: "
			"verify keeps it safe");
}

/* --- all of it ----------------------------------------------------------------------------------- */

static void find_credentials(const struct policy *policy, const char *name, struct route_target *target,
	struct place *place, struct report *report)
{
	struct name_list known = { policy->credentials, policy->credentials_count,
		sizeof(*policy->credentials) };

	if (!*name)
		return;
	target->credentials = policy_find_credentials(policy, name);
	if (target->credentials)
		check_credentials(target, place, report);
	else
		policy_complain_of_unknown("are no credentials", span_of_str(name), known,
			place_below(place, "credentials"), report);
}

static void compile_target(struct policy *policy, struct route_target *target, const struct target_text *text,
	struct place *place, struct report *report)
{
	struct arena *arena = &policy->arena;

	if (!read_place(text, target)) {
		report_error_at(report, place->path,
			"expected one of host, mx, srv and direct: true; several are several targets");
		return;
	}
	target->name = arena_strdup(arena, span_of_str(target->name));
	target->port = report_was_given(report, place_below(place, "port")) ? (uint16_t)text->port : 0;
	target->weight = (unsigned)text->weight;
	target->tls = text->tls;
	if (target->place == ROUTE_DIRECT && !report_was_given(report, place_below(place, "tls")))
		target->tls = ROUTE_TLS_AUTO;
	target->tls_first = text->has_tls_first;
	target->tls_name = arena_strdup(arena, span_of_str(text->tls_name));
	check_name(target, place, report);
	check_tls(target, place, report);
	find_credentials(policy, text->credentials, target, place, report);
}

void policy_compile_targets(struct policy *policy, struct route *route, const struct route_text *text,
	struct place *place, struct report *report)
{
	size_t count = text->to.count;
	struct route_target *targets = arena_zalloc(&policy->arena, (count + 1) * sizeof(*targets));

	if (!count)
		report_error_at(report, place_below(place, "to"), "where to? At least one target is wanted");
	for (size_t i = 0; i < count; i++) {
		struct place at;

		snprintf(at.path, sizeof(at.path), "routes[%zu].to[%zu]", route->number, i);
		compile_target(policy, &targets[i], &text->to.items[i], &at, report);
		if (text->order != ROUTE_WEIGHTED && report_was_given(report, place_below(&at, "weight")))
			report_warning_at(
				report, place_below(&at, "weight"), "has no effect without order: weighted");
	}
	route->targets = targets;
	route->target_count = count;
	route->order = text->order;
}
