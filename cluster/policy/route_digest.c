/* All that routes and credentials say, one word after the other, into two hashes. */
#include "policy/route_internal.h"
#include "skein/proto/base/table.h"

/* What was added before is the key, so each word counts with its place. */
static void add(struct policy_routes_digest *digest, struct span bytes)
{
	const uint64_t seed[2] = { digest->words[0], digest->words[1] };
	const uint64_t other[2] = { ~digest->words[1], digest->words[0] };

	digest->words[0] = siphash13(seed, bytes);
	digest->words[1] = siphash13(other, bytes);
}

static void add_number(struct policy_routes_digest *digest, uint64_t number)
{
	add(digest, span_of((const char *)&number, sizeof(number)));
}

static void add_text(struct policy_routes_digest *digest, const char *text)
{
	add(digest, span_of_str(text));
}

/* In any order. */
static void add_group(struct policy_routes_digest *digest, const struct pattern_group *group)
{
	struct policy_routes_digest sum = { { 0, 0 } };

	for (size_t i = 0; i < group->count; i++) {
		struct policy_routes_digest one = { { 0, 0 } };

		add(&one, group->items[i].text);
		sum.words[0] += one.words[0];
		sum.words[1] += one.words[1];
	}
	add_number(digest, group->count);
	add_number(digest, sum.words[0]);
	add_number(digest, sum.words[1]);
}

static void add_set(struct policy_routes_digest *digest, bool has_any, const struct pattern_set *set)
{
	add_number(digest, has_any);
	add_group(digest, &set->whole);
	add_group(digest, &set->domains);
	add_group(digest, &set->globs);
}

static void add_target(struct policy_routes_digest *digest, const struct route_target *target)
{
	add_number(digest, target->place);
	add_text(digest, target->name);
	add_number(digest, target->port);
	add_number(digest, target->weight);
	add_number(digest, target->tls);
	add_number(digest, target->tls_first);
	add_text(digest, target->tls_name);
	add_text(digest, target->credentials ? target->credentials->name : "");
}

static void add_rewrite(struct policy_routes_digest *digest, const struct route_rewrite *rewrite)
{
	add_number(digest, rewrite->remove_count);
	for (size_t i = 0; i < rewrite->remove_count; i++)
		add_text(digest, rewrite->remove[i]);
	add_number(digest, rewrite->add_count);
	for (size_t i = 0; i < rewrite->add_count; i++) {
		add_text(digest, rewrite->add[i].name);
		add_text(digest, rewrite->add[i].value);
	}
	add_text(digest, rewrite->from_domain);
	add_text(digest, rewrite->sender_domain);
	add_number(digest, rewrite->return_path);
	add_text(digest, rewrite->return_domain);
	add_text(digest, rewrite->return_secret);
}

static void add_pace(struct policy_routes_digest *digest, const struct route *route)
{
	const struct limit_rule none = { .rate = 0 }, *rate = route->rate ? route->rate : &none;
	const uint64_t numbers[] = {
		route->connections,
		route->cluster_connections,
		rate->rate,
		rate->period_us,
		rate->burst,
		route->messages_per_connection,
		route->recipients_max,
		route->priority,
		route->chunking,
		route->cut_through,
		route->timeout.connect_ms,
		route->timeout.greeting_ms,
		route->timeout.command_ms,
		route->timeout.data_ms,
		route->timeout.body_ms,
		route->timeout.dot_ms,
		route->timeout.quit_ms,
		route->retry.first_ms,
		route->retry.max_ms,
		route->retry.expire_ms,
		route->retry.warn_ms,
		route->breaker.failures,
		route->breaker.pause_first_ms,
		route->breaker.pause_max_ms,
	};

	add(digest, span_of((const char *)numbers, sizeof(numbers)));
}

static void add_route(struct policy_routes_digest *digest, const struct policy_route *entry)
{
	const struct route *route = &entry->shown;

	add_text(digest, route->name);
	add_set(digest, entry->has_recipients, &entry->recipients);
	add_set(digest, entry->has_senders, &entry->senders);
	add_number(digest, entry->null_sender != NULL);
	add_set(digest, entry->has_clients, &entry->clients);
	add_number(digest, route->order);
	add_number(digest, route->target_count);
	for (size_t i = 0; i < route->target_count; i++)
		add_target(digest, &route->targets[i]);
	add_pace(digest, route);
	add_rewrite(digest, &route->rewrite);
}

/* In any order. */
static void add_credentials(struct policy_routes_digest *digest, const struct policy *policy)
{
	struct policy_routes_digest sum = { { 0, 0 } };

	for (size_t i = 0; i < policy->credentials_count; i++) {
		const struct route_credentials *credentials = &policy->credentials[i];
		struct policy_routes_digest one = { { 0, 0 } };

		add_text(&one, credentials->name);
		add_number(&one, credentials->mechanism);
		add_text(&one, credentials->user);
		add_text(&one, credentials->secret);
		add_text(&one, credentials->token_url);
		add_text(&one, credentials->client_id);
		add_text(&one, credentials->scope);
		sum.words[0] += one.words[0];
		sum.words[1] += one.words[1];
	}
	add_number(digest, sum.words[0]);
	add_number(digest, sum.words[1]);
}

struct policy_routes_digest policy_make_routes_digest(const struct policy *policy)
{
	struct policy_routes_digest digest = { { 0, 0 } };

	add_credentials(&digest, policy);
	add_number(&digest, policy->route_count);
	for (size_t i = 0; i < policy->route_count; i++)
		add_route(&digest, &policy->routes[i]);
	return digest;
}
