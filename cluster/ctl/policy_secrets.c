#include "policy_secrets.h"

#include "secret_rows.h"
#include "skein/cluster/dkim_secret.h"
#include "skein/cluster/policy.h"
#include "skein/proto/base/table.h"

struct need {
	const char *secret, *route, *credentials; /* credentials NULL: its return paths */
	const char *channel;                      /* of alerts, instead of a route */
};

struct needs {
	struct table seen; /* by the secret's name */
	struct arena arena;
	struct need *items;
	size_t count, cap;
};

static void add(struct needs *needs, struct need need)
{
	struct span name = span_of_str(need.secret);

	if (!name.len || table_get(&needs->seen, name))
		return;
	if (needs->count == needs->cap) {
		struct need *grown;

		needs->cap = needs->cap ? needs->cap * 2 : 16;
		grown = arena_alloc(&needs->arena, needs->cap * sizeof(*grown));
		if (needs->count)
			memcpy(grown, needs->items, needs->count * sizeof(*grown));
		needs->items = grown;
	}
	needs->items[needs->count++] = need;
	table_put(&needs->seen, name, (void *)(uintptr_t)need.secret);
}

static void collect(struct needs *needs, const struct policy *policy)
{
	const struct alert_policy *alerts = policy_alerts(policy);

	for (size_t i = 0; i < policy_route_count(policy); i++) {
		const struct route *route = policy_route(policy, i);

		for (size_t k = 0; k < route->target_count; k++)
			if (route->targets[k].credentials)
				add(needs, (struct need){ .secret = route->targets[k].credentials->secret,
						   .route = route->name,
						   .credentials = route->targets[k].credentials->name });
		add(needs, (struct need){ .secret = route->rewrite.return_secret, .route = route->name });
	}
	for (size_t i = 0; i < alerts->channel_count; i++) {
		const struct alert_channel *channel = &alerts->channels[i];

		add(needs, (struct need){ .secret = channel->secret, .channel = channel->name });
		add(needs, (struct need){ .secret = channel->url_secret, .channel = channel->name });
	}
}

static void warn(const struct need *need)
{
	if (need->channel)
		session_complain("warning: there is no secret \"%s\", which the channel \"%s\" of alerts "
				 "needs: skeinctl secret set %s",
			need->secret, need->channel, need->secret);
	else if (need->credentials)
		session_complain("warning: there is no secret \"%s\", by which the credentials \"%s\" of the "
				 "route \"%s\" log in: skeinctl secret set %s",
			need->secret, need->credentials, need->route, need->secret);
	else
		session_complain("warning: there is no secret \"%s\", by which the route \"%s\" signs return "
				 "paths: skeinctl secret set %s",
			need->secret, need->route, need->secret);
}

static bool has_key(const struct secret_rows *rows, const char *domain)
{
	struct dkim_secret_name name;

	for (size_t i = 0; i < rows->count; i++)
		if (dkim_secret_name_parse(rows->rows[i].name, &name) &&
			span_eq(name.domain, span_of_str(domain)))
			return true;
	return false;
}

/* Whether a key is active is sealed; whether there is one is not. */
static void look_for_keys(const struct policy *policy, const struct secret_rows *rows)
{
	const struct policy_signing *signings;
	size_t count;

	signings = policy_signings(policy, &count);
	for (size_t i = 0; i < count; i++)
		if (!has_key(rows, signings[i].domain))
			session_complain(
				"warning: there is no key for mail of \"%s\", so it waits: skeinctl dkim "
				"create %s",
				signings[i].domain, signings[i].domain);
}

static void look(const struct needs *needs, const struct policy *policy, struct session *session)
{
	struct secret_rows rows;

	if (secret_rows_load(&rows, session, false) == CTL_OK) {
		for (size_t i = 0; i < needs->count; i++)
			if (!secret_rows_find(&rows, needs->items[i].secret))
				warn(&needs->items[i]);
		look_for_keys(policy, &rows);
	}
	secret_rows_fini(&rows);
}

void policy_secrets_check(struct session *session, struct span text)
{
	struct needs needs = { .count = 0 };
	struct report unheard = { 0 };
	struct policy *policy = policy_parse(text, "policy", &unheard);
	size_t signings = 0;

	if (policy) {
		collect(&needs, policy);
		(void)policy_signings(policy, &signings);
	}
	if (needs.count || signings)
		look(&needs, policy, session);
	table_fini(&needs.seen);
	arena_fini(&needs.arena);
	policy_free(&policy);
	report_fini(&unheard);
}
