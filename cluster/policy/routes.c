/* Routes: the document's section becomes `struct route`, and a recipient finds its own. */
#include "policy/route_internal.h"

#include <stdio.h>

struct compile {
	struct policy *policy;
	const struct policy_text *text;
	struct report *report;
	const struct table *rules; /* of clients, by name */
	struct place place;        /* of the route at hand */
};

const char *place_below(struct place *place, const char *key)
{
	snprintf(place->below, sizeof(place->below), "%s.%s", place->path, key);
	return place->below;
}

/* --- what it takes ------------------------------------------------------------------------------- */

static void compile_addresses(
	struct compile *c, const struct address_entries *out, struct text_list entries, const char *key)
{
	policy_check_not_empty(entries, c->place.path, key, c->report);
	policy_compile_addresses(c->policy, c->text, entries, place_below(&c->place, key), out, c->report);
}

static void compile_match(struct compile *c, struct policy_route *route, const struct route_text *text)
{
	const struct address_entries recipients = { &route->recipients, NULL, NULL };
	const struct address_entries senders = { &route->senders, NULL, &route->null_sender };

	route->has_recipients = text->match.recipient.count > 0;
	route->has_senders = text->match.sender.count > 0;
	route->has_clients = text->match.client.count > 0;
	compile_addresses(c, &recipients, text->match.recipient, "match.recipient");
	compile_addresses(c, &senders, text->match.sender, "match.sender");
	policy_check_not_empty(text->match.client, c->place.path, "match.client", c->report);
	policy_compile_rule_names(c->policy, c->text, c->rules, text->match.client,
		place_below(&c->place, "match.client"), &route->clients, c->report);
}

/* --- how fast, how long -------------------------------------------------------------------------- */

static void compile_rate(struct compile *c, struct route *route, const struct route_text *text)
{
	struct arena *arena = &c->policy->arena;
	struct limit_rule *limit;
	char name[LIMIT_NAME_MAX + 1];

	if (!*text->name && (*text->rate.rate || text->cluster_connections))
		report_error_at(c->report,
			place_below(&c->place, *text->rate.rate ? "rate" : "cluster_connections"),
			"all nodes count it by the route's name: give it one");
	if (!*text->rate.rate && *text->rate.burst)
		report_error_at(c->report, place_below(&c->place, "burst"), "needs rate too");
	if (!*text->rate.rate)
		return;
	snprintf(name, sizeof(name), "route:%s", route->name);
	limit = arena_zalloc(arena, sizeof(*limit));
	limit->name = arena_strdup(arena, span_of_str(name));
	limit->key = LIMIT_PER_ROUTE;
	limit->unit = LIMIT_MESSAGES;
	policy_compile_rate(limit, &text->rate, c->place.path, c->report);
	route->rate = limit;
}

static void require_at_most(
	struct compile *c, uint64_t value, uint64_t limit, const char *key, const char *what)
{
	if (value > limit)
		report_error_at(c->report, place_below(&c->place, key), "must not be larger than %s", what);
}

static void compile_times(struct compile *c, struct route *route, const struct route_text *text)
{
	require_at_most(c, text->retry.first_ms, text->retry.max_ms, "retry.first", "retry.max");
	require_at_most(c, text->retry.max_ms, text->retry.expire_ms, "retry.max", "retry.expire");
	require_at_most(c, text->retry.warn_ms, text->retry.expire_ms, "retry.warn", "retry.expire");
	require_at_most(c, text->breaker.pause_first_ms, text->breaker.pause_max_ms, "breaker.pause_first",
		"breaker.pause_max");
	route->timeout.connect_ms = (uint32_t)text->timeout.connect_ms;
	route->timeout.greeting_ms = (uint32_t)text->timeout.greeting_ms;
	route->timeout.command_ms = (uint32_t)text->timeout.command_ms;
	route->timeout.data_ms = (uint32_t)text->timeout.data_ms;
	route->timeout.body_ms = (uint32_t)text->timeout.body_ms;
	route->timeout.dot_ms = (uint32_t)text->timeout.dot_ms;
	route->timeout.quit_ms = (uint32_t)text->timeout.quit_ms;
	route->retry.first_ms = text->retry.first_ms;
	route->retry.max_ms = text->retry.max_ms;
	route->retry.expire_ms = text->retry.expire_ms;
	route->retry.warn_ms = text->retry.warn_ms;
	route->breaker.failures = (unsigned)text->breaker.failures;
	route->breaker.pause_first_ms = text->breaker.pause_first_ms;
	route->breaker.pause_max_ms = text->breaker.pause_max_ms;
}

static void compile_bounds(struct route *route, const struct route_text *text)
{
	route->connections = (unsigned)text->connections;
	route->cluster_connections = (unsigned)text->cluster_connections;
	route->messages_per_connection = (unsigned)text->messages_per_connection;
	route->recipients_max = (unsigned)text->recipients_max;
	route->priority = (unsigned)text->priority;
	route->chunking = text->is_chunking;
	route->cut_through = text->is_cut_through;
}

/* --- all of it ----------------------------------------------------------------------------------- */

static void compile_route(struct compile *c, size_t number)
{
	const struct route_text *text = &c->text->routes.items[number];
	struct policy_route *entry = &c->policy->routes[number];
	struct route *route = &entry->shown;
	struct arena *arena = &c->policy->arena;

	snprintf(c->place.path, sizeof(c->place.path), "routes[%zu]", number);
	route->name = arena_strdup(arena, span_of_str(*text->name ? text->name : c->place.path));
	route->comment = arena_strdup(arena, span_of_str(text->comment));
	route->number = number;
	compile_match(c, entry, text);
	policy_compile_targets(c->policy, route, text, &c->place, c->report);
	compile_rate(c, route, text);
	compile_times(c, route, text);
	compile_bounds(route, text);
	policy_compile_rewrite(c->policy, &route->rewrite, &text->rewrite, &c->place, c->report);
}

void policy_compile_routes(struct policy *policy, const struct policy_text *text, struct report *report)
{
	struct table rules = policy_rule_names(text);
	struct compile c = { .policy = policy, .text = text, .report = report, .rules = &rules };

	policy->route_count = text->routes.count;
	policy->routes = arena_zalloc(&policy->arena, (policy->route_count + 1) * sizeof(*policy->routes));
	policy_compile_credentials(policy, text, report);
	policy_check_names(NAMES_OF(text->routes), "routes", report);
	for (size_t i = 0; i < policy->route_count; i++)
		compile_route(&c, i);
	policy_check_return_secrets(text, report);
	policy->routes_digest = policy_make_routes_digest(policy);
	table_fini(&rules);
}

/* --- routes that get nothing --------------------------------------------------------------------- */

/* Of comparisons: with long lists in many routes it is not looked at to the end. */
enum { SHADOW_WORK_MAX = 4000000 };

static size_t size_of(const struct pattern_set *set)
{
	return set->whole.count + set->domains.count + set->globs.count;
}

static size_t work_of(const struct pattern_set *outer, const struct pattern_set *inner)
{
	return size_of(inner) * (outer->globs.count + 1);
}

static bool covers_set(
	bool has_outer, const struct pattern_set *outer, bool has_inner, const struct pattern_set *inner)
{
	return !has_outer || (has_inner && pattern_set_covers(outer, inner));
}

static bool covers(const struct policy_route *outer, const struct policy_route *inner)
{
	if (outer->has_senders && inner->null_sender && !outer->null_sender)
		return false;
	return covers_set(outer->has_clients, &outer->clients, inner->has_clients, &inner->clients) &&
	       covers_set(outer->has_senders, &outer->senders, inner->has_senders, &inner->senders) &&
	       covers_set(
		       outer->has_recipients, &outer->recipients, inner->has_recipients, &inner->recipients);
}

/* The first earlier route that covers it; NULL: none, or it was too much to look at. */
static const struct policy_route *find_cover(const struct policy *policy, size_t number, size_t *work)
{
	const struct policy_route *inner = &policy->routes[number];

	for (size_t i = 0; i < number && *work < SHADOW_WORK_MAX; i++) {
		const struct policy_route *outer = &policy->routes[i];

		*work += 1 + work_of(&outer->recipients, &inner->recipients) +
			 work_of(&outer->senders, &inner->senders) +
			 work_of(&outer->clients, &inner->clients);
		if (covers(outer, inner))
			return outer;
	}
	return NULL;
}

void policy_check_route_shadows(const struct policy *policy, struct report *report)
{
	size_t work = 0;

	for (size_t i = 1; i < policy->route_count; i++) {
		const struct policy_route *outer = find_cover(policy, i, &work);
		char place[32];

		if (!outer)
			continue;
		snprintf(place, sizeof(place), "routes[%zu]", i);
		report_warning_at(report, place, "never gets mail: \"%s\" before it takes all that it would",
			outer->shown.name);
	}
}

/* --- questions ----------------------------------------------------------------------------------- */

static bool takes_sender(const struct policy_route *route, struct span sender)
{
	if (!route->has_senders)
		return true;
	return sender.len ? pattern_set_find(&route->senders, sender) != NULL : route->null_sender != NULL;
}

static bool takes(const struct policy_route *route, const struct route_question *question)
{
	return (!route->has_clients || pattern_set_find(&route->clients, question->client)) &&
	       (!route->has_recipients || pattern_set_find(&route->recipients, question->recipient)) &&
	       takes_sender(route, question->sender);
}

const struct route *policy_find_route(const struct policy *policy, const struct route_question *question)
{
	for (size_t i = 0; i < policy->route_count; i++)
		if (takes(&policy->routes[i], question))
			return &policy->routes[i].shown;
	return NULL;
}

size_t policy_route_count(const struct policy *policy)
{
	return policy->route_count;
}

const struct route *policy_route(const struct policy *policy, size_t number)
{
	return &policy->routes[number].shown;
}

struct policy_routes_digest policy_routes_digest(const struct policy *policy)
{
	return policy->routes_digest;
}
