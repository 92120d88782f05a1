#include "access/throttle.h"

#include <sys/random.h>

/* A failed login is answered before clients give up, and a ban that doubles ends within days. */
enum { DELAY_MAX_MS = 30000 };
#define BAN_MAX_MS    (24 * 3600000u)
#define BAN_MEMORY_MS (24 * 3600000u)

/* Stricter than what domains have. */
static const struct directory_lockout assumed_lockout = { .threshold = 5, .window_ms = 30 * 60000 };

_Static_assert((int)POLICY_EXEMPT_MAX <= (int)GUARD_EXEMPT_MAX, "a guard takes all networks of a policy");

static void lock(void *ctx)
{
	pthread_mutex_lock(ctx);
}

static void unlock(void *ctx)
{
	pthread_mutex_unlock(ctx);
}

static void on_upkeep(void *arg);

void throttle_init(struct throttle *throttle, const struct throttle_options *options)
{
	struct shared_lock locks[ARRAY_LEN(throttle->locks)];
	struct limit_share_options share = { .counters_max = options->counters_max };
	struct guard_options guard = { .bans_max = options->bans_max, .counters_max = options->counters_max };
	uint64_t seed[2];

	*throttle = (struct throttle){ .meter = options->meter };
	CHECK(getrandom(seed, sizeof(seed), 0) == (ssize_t)sizeof(seed));
	for (size_t i = 0; i < ARRAY_LEN(locks); i++) {
		pthread_mutex_init(&throttle->locks[i], NULL);
		locks[i] = (struct shared_lock){ lock, unlock, &throttle->locks[i] };
	}
	memcpy(share.seed, seed, sizeof(seed));
	memcpy(guard.seed, seed, sizeof(seed));
	share.lock = locks[0];
	guard.lock = locks[1];
	throttle->share = limit_share_new(&share);
	throttle->guard = guard_new(&guard);
	throttle->clients = client_counts_new(seed, &locks[2]);
	loop_timer_init(&throttle->timer, on_upkeep, throttle);
	if (options->has_domain)
		throttle_set_lockout(throttle, &assumed_lockout);
}

void throttle_fini(struct throttle *throttle)
{
	limit_share_free(&throttle->share);
	guard_free(&throttle->guard);
	client_counts_free(&throttle->clients);
	for (size_t i = 0; i < ARRAY_LEN(throttle->locks); i++)
		pthread_mutex_destroy(&throttle->locks[i]);
}

/* ---- upkeep ---- */

static void count_guard(struct throttle *throttle)
{
	struct guard_stats now = guard_stats(throttle->guard);

	meter_add(throttle->meter, METRIC_LOGINS_STOPPED, (int64_t)(now.stopped - throttle->seen.stopped));
	meter_add(throttle->meter, METRIC_LOGINS_UNSHARED, (int64_t)(now.local - throttle->seen.local));
	meter_add(throttle->meter, METRIC_BANS, (int64_t)(now.bans - throttle->seen.bans));
	meter_set(throttle->meter, METRIC_BANS_KNOWN, (int64_t)now.bans_known);
	throttle->seen = now;
}

static void on_upkeep(void *arg)
{
	struct throttle *throttle = arg;
	uint64_t now_ms = loop_boottime_ms();

	if (throttle->link) {
		(void)guard_poll(throttle->guard, throttle->link, now_ms);
		(void)client_counts_tick(throttle->clients, throttle->link, now_ms);
	}
	count_guard(throttle);
	loop_timer_set(throttle->loop, &throttle->timer, CLIENT_COUNTS_REPORT_MS);
}

void throttle_start(struct throttle *throttle, struct loop *loop, struct redis_link *link)
{
	throttle->loop = loop;
	throttle->link = link;
	on_upkeep(throttle);
}

void throttle_stop(struct throttle *throttle)
{
	if (throttle->loop)
		loop_timer_cancel(throttle->loop, &throttle->timer);
	throttle->loop = NULL;
	throttle->link = NULL;
}

void throttle_link_lost(struct throttle *throttle)
{
	guard_link_lost(throttle->guard);
}

/* ---- rules ---- */

static void apply_rules(struct throttle *throttle)
{
	guard_set_rules(throttle->guard, &throttle->rules, throttle->exempt, throttle->exempt_count);
}

static uint64_t at_least(uint64_t value, uint64_t least)
{
	return value > least ? value : least;
}

void throttle_set_abuse(struct throttle *throttle, const struct policy_abuse *abuse)
{
	struct abuse_rules *rules = &throttle->rules;

	rules->address_failures = (unsigned)abuse->failures_address;
	rules->network_failures = (unsigned)abuse->failures_network;
	rules->account_failures = (unsigned)abuse->failures_account;
	rules->window_ms = rules->account_window_ms = abuse->window_ms;
	rules->ban_first_ms = abuse->ban_ms;
	rules->ban_max_ms = at_least(BAN_MAX_MS, abuse->ban_ms);
	rules->ban_memory_ms = BAN_MEMORY_MS;
	rules->delay_first_ms = abuse->delay_ms;
	rules->delay_max_ms = at_least(DELAY_MAX_MS, abuse->delay_ms);
	CHECK(abuse->exempt.count <= POLICY_EXEMPT_MAX);
	throttle->exempt_count = abuse->exempt.count;
	for (size_t i = 0; i < abuse->exempt.count; i++)
		throttle->exempt[i] = network_of_cidr(&abuse->exempt.items[i]);
	apply_rules(throttle);
}

void throttle_set_lockout(struct throttle *throttle, const struct directory_lockout *lockout)
{
	struct abuse_rules *rules = &throttle->rules;

	if (rules->directory_threshold == lockout->threshold &&
		rules->directory_window_ms == lockout->window_ms)
		return;
	rules->directory_threshold = (unsigned)lockout->threshold;
	rules->directory_window_ms = lockout->window_ms;
	apply_rules(throttle);
}

void throttle_set_cluster(struct throttle *throttle, const struct incarnation *self, unsigned nodes)
{
	limit_share_set_nodes(throttle->share, nodes);
	guard_set_nodes(throttle->guard, nodes);
	client_counts_set_self(throttle->clients, self, nodes);
}
