/*
 * Happy path: begin → abuse_store_attempt → ASK → (the directory) → end → abuse_store_ended or _failed. Where
 * a call cannot be made or is not answered, the node's own counters decide: accounts in a table here,
 * addresses in a limit_share. An attempt that Redis knows and that cannot be ended there fails by itself.
 *
 * Callbacks of links run in the thread of their link; what they share is under the lock.
 */
#include "skein/cluster/guard.h"

#include "skein/cluster/ban_list.h"
#include "skein/proto/base/alloc.h"

#include <limits.h>
#include <stdio.h>

struct account {
	struct heap_node by_use; /* due: when it was last used */
	struct abuse_account count;
	size_t name_len;
	char name[];
};

struct guard {
	struct guard_options options;
	struct limit_share *addresses; /* has the same lock, so it is never called under it */
	uint64_t token_start;
	/* What follows is under the lock. */
	struct abuse_rules rules;
	struct network exempt[GUARD_EXEMPT_MAX];
	size_t exempt_count;
	unsigned nodes;
	uint64_t token_next;
	struct ban_list bans;
	struct table accounts;
	struct heap by_use;
	struct guard_stats stats;
	/* What follows is the polling thread's. */
	uint64_t version, next_poll_ms, polled_ms;
	bool is_polling;
};

/* A call under way. It outlives an attempt that is cancelled: then `attempt` is NULL. */
struct guard_call {
	struct guard *guard;
	struct redis_link *link;
	struct guard_attempt *attempt;
	struct guard_attempt copy; /* of what was asked for */
	struct abuse_rules rules;
	uint32_t random;
	uint64_t now_ms;
};

struct guard *guard_new(const struct guard_options *options)
{
	struct guard *guard = mem_zalloc(sizeof(*guard));
	const struct limit_share_options share = {
		.counters_max = options->counters_max,
		.seed = { options->seed[0], options->seed[1] },
		.lock = options->lock,
	};

	guard->options = *options;
	guard->addresses = limit_share_new(&share);
	guard->token_start = siphash13(options->seed, SPAN_LIT("token"));
	guard->nodes = 1;
	ban_list_init(&guard->bans, options->bans_max, options->seed);
	table_init(&guard->accounts, options->seed);
	return guard;
}

void guard_free(struct guard **guard)
{
	struct account *account;
	size_t cursor = 0;

	while ((account = table_next(&(*guard)->accounts, &cursor)))
		mem_free(account);
	table_fini(&(*guard)->accounts);
	heap_fini(&(*guard)->by_use);
	ban_list_fini(&(*guard)->bans);
	limit_share_free(&(*guard)->addresses);
	mem_free(*guard);
	*guard = NULL;
}

static void lock(struct guard *guard)
{
	shared_lock_take(&guard->options.lock);
}

static void unlock(struct guard *guard)
{
	shared_lock_release(&guard->options.lock);
}

void guard_set_rules(struct guard *guard, const struct abuse_rules *rules, const struct network *exempt,
	size_t exempt_count)
{
	CHECK(exempt_count <= GUARD_EXEMPT_MAX);
	lock(guard);
	guard->rules = *rules;
	guard->exempt_count = exempt_count;
	if (exempt_count)
		memcpy(guard->exempt, exempt, exempt_count * sizeof(*exempt));
	unlock(guard);
}

void guard_set_nodes(struct guard *guard, unsigned nodes)
{
	lock(guard);
	guard->nodes = nodes ? nodes : 1;
	unlock(guard);
	limit_share_set_nodes(guard->addresses, nodes);
}

uint64_t guard_banned_until(struct guard *guard, const struct network *address, uint64_t now_ms)
{
	uint64_t until_ms;

	lock(guard);
	until_ms = ban_list_find(&guard->bans, address, now_ms);
	unlock(guard);
	return until_ms;
}

struct guard_stats guard_stats(struct guard *guard)
{
	struct guard_stats stats;

	lock(guard);
	stats = guard->stats;
	stats.bans_known = guard->bans.by_network.count;
	unlock(guard);
	return stats;
}

static void count(struct guard *guard, uint64_t *stat)
{
	lock(guard);
	(*stat)++;
	unlock(guard);
}

static struct abuse_rules rules_of(struct guard *guard, const struct network *address, bool *is_exempt_out)
{
	struct abuse_rules rules;

	lock(guard);
	rules = guard->rules;
	*is_exempt_out = false;
	for (size_t i = 0; i < guard->exempt_count; i++)
		*is_exempt_out = *is_exempt_out || network_contains(&guard->exempt[i], address);
	unlock(guard);
	return rules;
}

static struct abuse_attempt asked_of(const struct guard_attempt *attempt)
{
	return (struct abuse_attempt){ span_of(attempt->account, attempt->account_len),
		span_of_str(attempt->token) };
}

static struct guard_call *call_new(
	struct guard *guard, struct redis_link *link, struct guard_attempt *attempt, uint64_t now_ms)
{
	struct guard_call *call = mem_zalloc(sizeof(*call));

	call->guard = guard;
	call->link = link;
	call->attempt = attempt;
	call->copy = *attempt;
	call->now_ms = now_ms;
	attempt->call = call;
	return call;
}

static void call_free(struct guard_call *call)
{
	if (call->attempt)
		call->attempt->call = NULL;
	mem_free(call);
}

void guard_cancel(struct guard_attempt *attempt)
{
	if (!attempt->call)
		return;
	attempt->call->attempt = NULL;
	attempt->call = NULL;
}

/* ---- the node's own counters; under the lock ---- */

static struct account *find_account(struct guard *guard, const struct guard_attempt *attempt)
{
	return table_get(&guard->accounts, span_of(attempt->account, attempt->account_len));
}

static void forget_account(struct guard *guard, struct account *account)
{
	table_remove(&guard->accounts, span_of(account->name, account->name_len));
	heap_remove(&guard->by_use, &account->by_use);
	mem_free(account);
}

static struct account *use_account(struct guard *guard, const struct guard_attempt *attempt, uint64_t now_ms)
{
	struct account *account = find_account(guard, attempt);

	if (!account) {
		if (guard->accounts.count >= guard->options.counters_max)
			forget_account(
				guard, CONTAINER_OF(heap_peek(&guard->by_use), struct account, by_use));
		account = mem_zalloc(sizeof(*account) + attempt->account_len);
		account->name_len = attempt->account_len;
		memcpy(account->name, attempt->account, attempt->account_len);
		table_put(&guard->accounts, span_of(account->name, account->name_len), account);
	}
	heap_set(&guard->by_use, &account->by_use, now_ms);
	abuse_account_age(&account->count, abuse_account_window_ms(&guard->rules), GUARD_PENDING_MS, now_ms);
	return account;
}

/* ---- begin ---- */

static unsigned local_stop(const struct guard *guard)
{
	unsigned stop = abuse_account_stop(&guard->rules);

	if (stop == UINT_MAX)
		return stop;
	return stop / guard->nodes ? stop / guard->nodes : 1;
}

static void count_answer(struct guard *guard, enum abuse_answer answer)
{
	if (answer == ABUSE_STOP)
		count(guard, &guard->stats.stopped);
	else if (answer == ABUSE_BUSY)
		count(guard, &guard->stats.busy);
}

static struct guard_verdict begin_here(struct guard *guard, struct guard_attempt *attempt, uint64_t now_ms)
{
	struct guard_verdict verdict = { .is_local = true };

	lock(guard);
	verdict.answer =
		abuse_account_ask(&use_account(guard, attempt, now_ms)->count, local_stop(guard), now_ms);
	guard->stats.local++;
	unlock(guard);
	attempt->is_local = true;
	if (verdict.answer != ABUSE_ASK)
		attempt->token[0] = '\0';
	count_answer(guard, verdict.answer);
	return verdict;
}

static void on_attempted(void *arg, const struct outcome *outcome, enum abuse_answer answer, uint64_t wait_ms)
{
	struct guard_call *call = arg;
	struct guard_attempt *attempt = call->attempt;
	struct guard_verdict verdict = { .answer = answer };

	(void)wait_ms;
	if (!attempt) {
		struct abuse_attempt asked = asked_of(&call->copy);

		if (outcome_is_ok(outcome) && answer == ABUSE_ASK)
			(void)abuse_store_ended(
				call->link, &asked, &call->copy.address, false, call->now_ms, NULL, NULL);
		call_free(call);
		return;
	}
	if (!outcome_is_ok(outcome)) {
		verdict = begin_here(call->guard, attempt, call->now_ms);
	} else {
		if (answer != ABUSE_ASK)
			attempt->token[0] = '\0';
		count_answer(call->guard, answer);
	}
	call_free(call);
	attempt->on_verdict(attempt->arg, &verdict);
}

static void make_token(struct guard *guard, struct guard_attempt *attempt)
{
	unsigned long long next;

	lock(guard);
	next = guard->token_next++;
	guard->stats.asked++;
	unlock(guard);
	snprintf(attempt->token, sizeof(attempt->token), "%llx.%llx", (unsigned long long)guard->token_start,
		next);
}

bool guard_begin(struct guard *guard, struct redis_link *link, struct guard_attempt *attempt,
	struct span account, const struct network *address, uint64_t now_ms, guard_verdict_fn *fn, void *arg,
	struct guard_verdict *verdict_out)
{
	bool is_exempt;
	struct abuse_rules rules = rules_of(guard, address, &is_exempt);
	unsigned stop = abuse_account_stop(&rules);
	struct abuse_attempt asked;
	struct guard_call *call;

	*attempt = (struct guard_attempt){ .address = *address, .on_verdict = fn, .arg = arg };
	/* No directory has such a name. */
	if (account.len == 0 || account.len > ABUSE_ACCOUNT_MAX) {
		*verdict_out = (struct guard_verdict){ .answer = ABUSE_STOP };
		count_answer(guard, ABUSE_STOP);
		return true;
	}
	attempt->account_len = account.len;
	memcpy(attempt->account, account.ptr, account.len);
	make_token(guard, attempt);
	asked = asked_of(attempt);
	call = call_new(guard, link, attempt, now_ms);
	if (abuse_store_attempt(link, &asked, stop, abuse_account_window_ms(&rules), GUARD_PENDING_MS, now_ms,
		    on_attempted, call))
		return false;
	call_free(call);
	*verdict_out = begin_here(guard, attempt, now_ms);
	return true;
}

/* ---- end ---- */

static void ban_here(struct guard *guard, const struct network *network, uint64_t ban_ms, uint64_t now_ms)
{
	if (!ban_ms)
		return;
	lock(guard);
	ban_list_set(&guard->bans, network, now_ms + ban_ms);
	guard->stats.bans++;
	unlock(guard);
}

static struct guard_result punish(struct guard_call *call, const struct abuse_counted *counted)
{
	struct network network = network_neighbours(&call->copy.address);
	uint64_t most = counted->account > counted->address ? counted->account : counted->address;

	ban_here(call->guard, &call->copy.address, counted->address_ban_ms, call->now_ms);
	ban_here(call->guard, &network, counted->network_ban_ms, call->now_ms);
	return (struct guard_result){ .delay_ms = abuse_delay_ms(&call->rules, most, call->random),
		.ban_ms = counted->address_ban_ms > counted->network_ban_ms ? counted->address_ban_ms
									    : counted->network_ban_ms };
}

/* A failure of an address or a network by our own count; gives the ban that it brings. */
static uint64_t fail_address_here(
	struct guard_call *call, const struct network *subject, unsigned failures, uint64_t *count_out)
{
	struct limit_rule rule = { .name = "failures",
		.rate = failures,
		.period_us = call->rules.window_ms * 1000,
		.burst = failures };
	char text[NETWORK_TEXT_LEN + 1];
	struct limit_take take = { &rule, { text, 0 }, 1 };
	size_t refused;

	if (!failures)
		return 0;
	network_format(subject, text);
	take.value.len = strlen(text);
	if (limit_share_take(call->guard->addresses, &take, 1, call->now_ms * 1000, &refused) > 0)
		return call->rules.ban_first_ms;
	*count_out = limit_share_used(call->guard->addresses, &take, call->now_ms * 1000);
	return 0;
}

static struct guard_result fail_here(struct guard_call *call, bool counts_account)
{
	struct network network = network_neighbours(&call->copy.address);
	struct abuse_counted counted = { .account = 0 };
	bool is_exempt;

	(void)rules_of(call->guard, &call->copy.address, &is_exempt);
	if (counts_account) {
		struct abuse_account *account;

		lock(call->guard);
		account = &use_account(call->guard, &call->copy, call->now_ms)->count;
		account->failures++;
		account->failed_ms = call->now_ms;
		counted.account = account->failures;
		unlock(call->guard);
	}
	if (!is_exempt) {
		counted.address_ban_ms = fail_address_here(
			call, &call->copy.address, call->rules.address_failures, &counted.address);
		counted.network_ban_ms =
			fail_address_here(call, &network, call->rules.network_failures, &counted.network);
	}
	return punish(call, &counted);
}

static void on_failed(void *arg, const struct outcome *outcome, const struct abuse_counted *counted)
{
	struct guard_call *call = arg;
	struct guard_attempt *attempt = call->attempt;
	struct guard_result result;

	if (outcome_is_ok(outcome))
		result = punish(call, counted);
	else
		result = fail_here(call, call->copy.token[0] != '\0');
	call_free(call);
	if (attempt)
		attempt->on_result(attempt->arg, &result);
}

/* Takes a local attempt off the pending ones, if the account is still known. */
static void end_here(struct guard *guard, const struct guard_attempt *attempt, bool is_proven)
{
	struct account *account;

	lock(guard);
	account = find_account(guard, attempt);
	if (account && attempt->is_local && account->count.pending)
		account->count.pending--;
	if (account && is_proven)
		account->count.failures = 0;
	unlock(guard);
}

static bool fail(struct guard *guard, struct guard_call *call, struct guard_result *result_out)
{
	bool is_exempt, has_token = call->copy.token[0] != '\0';
	struct abuse_failure failure = { asked_of(&call->copy), call->copy.address, true };

	call->rules = rules_of(guard, &call->copy.address, &is_exempt);
	failure.counts_address = !is_exempt;
	count(guard, &guard->stats.failed);
	if (call->copy.is_local && has_token)
		end_here(guard, &call->copy, false);
	if (!call->copy.is_local &&
		abuse_store_failed(call->link, &failure, &call->rules, call->now_ms, on_failed, call))
		return false;
	*result_out = fail_here(call, has_token);
	call_free(call);
	return true;
}

/* The account alone; nobody waits. */
static void count_unknown(struct guard_call *call)
{
	struct abuse_failure failure = { asked_of(&call->copy), call->copy.address, false };
	struct guard *guard = call->guard;

	call->rules = rules_of(guard, &call->copy.address, &(bool){ false });
	if (call->copy.is_local) {
		end_here(guard, &call->copy, false);
		lock(guard);
		use_account(guard, &call->copy, call->now_ms)->count.failures++;
		find_account(guard, &call->copy)->count.failed_ms = call->now_ms;
		unlock(guard);
	} else {
		(void)abuse_store_failed(call->link, &failure, &call->rules, call->now_ms, NULL, NULL);
	}
}

/* What is no guess takes as long as the first one. */
static uint64_t first_delay_ms(struct guard *guard, const struct network *address, uint32_t random)
{
	bool is_exempt;
	struct abuse_rules rules = rules_of(guard, address, &is_exempt);

	return abuse_delay_ms(&rules, 1, random);
}

bool guard_end(struct guard *guard, struct redis_link *link, struct guard_attempt *attempt,
	enum guard_end end, uint32_t random, uint64_t now_ms, guard_result_fn *fn, void *arg,
	struct guard_result *result_out)
{
	struct abuse_attempt asked = asked_of(attempt);
	struct guard_call *call;

	CHECK(!attempt->call);
	*result_out = (struct guard_result){ 0 };
	attempt->on_result = fn;
	attempt->arg = arg;
	if (end == GUARD_FAILED) {
		call = call_new(guard, link, attempt, now_ms);
		call->random = random;
		return fail(guard, call, result_out);
	}
	if (end == GUARD_REFUSED)
		result_out->delay_ms = first_delay_ms(guard, &attempt->address, random);
	if (!attempt->token[0])
		return true;
	if (end == GUARD_UNKNOWN) {
		call = call_new(guard, link, attempt, now_ms);
		count_unknown(call);
		call_free(call);
		return true;
	}
	end_here(guard, attempt, end == GUARD_PROVEN);
	if (!attempt->is_local || end == GUARD_PROVEN)
		(void)abuse_store_ended(
			link, &asked, &attempt->address, end == GUARD_PROVEN, now_ms, NULL, NULL);
	return true;
}

/* ---- bans of the cluster ---- */

static void on_bans(void *arg, const struct outcome *outcome, const struct ban_changes *changes)
{
	struct guard *guard = arg;

	guard->is_polling = false;
	if (!outcome_is_ok(outcome))
		return;
	guard->version = changes->version;
	lock(guard);
	/* A Redis that knows nothing has lost it: what we know holds until it ends. */
	if (changes->is_all && changes->version > 0)
		ban_list_clear(&guard->bans);
	for (size_t i = 0; i < changes->count; i++) {
		const struct ban *ban = &changes->bans[i];

		ban_list_set(&guard->bans, &ban->network, ban->left_ms ? guard->polled_ms + ban->left_ms : 0);
	}
	unlock(guard);
}

uint64_t guard_poll(struct guard *guard, struct redis_link *link, uint64_t now_ms)
{
	if (now_ms < guard->next_poll_ms)
		return guard->next_poll_ms;
	guard->next_poll_ms = now_ms + GUARD_POLL_MS;
	if (!guard->is_polling) {
		guard->polled_ms = now_ms;
		guard->is_polling = abuse_store_bans(link, guard->version, now_ms, on_bans, guard);
	}
	return guard->next_poll_ms;
}

void guard_link_lost(struct guard *guard)
{
	guard->version = 0;
	guard->next_poll_ms = 0;
}
