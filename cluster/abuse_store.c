#include "skein/cluster/abuse_store.h"

#include "redis/call.h"
#include "skein/proto/base/alloc.h"

static void begin(struct call *call, struct redis_link *link, const char *function, enum call_mode mode)
{
	call_begin(call, link, function, mode);
	call_in_room(call, "abuse");
}

static void put_ban_keys(struct call *call)
{
	call_key(call, ":bans", SPAN_LIT(""));
	call_key(call, ":changes", SPAN_LIT(""));
	call_key(call, ":version", SPAN_LIT(""));
}

static void put_account_key(struct call *call, const struct abuse_attempt *attempt)
{
	CHECK(attempt->account.len <= ABUSE_ACCOUNT_MAX && attempt->token.len <= ABUSE_TOKEN_MAX);
	call_key(call, ":account:", attempt->account);
}

static void put_network_key(struct call *call, const char *kind, const struct network *network)
{
	char text[NETWORK_TEXT_LEN + 1];

	network_format(network, text);
	call_key(call, kind, span_of_str(text));
}

/* Lives until call_send(). */
static void put_network(struct call *call, const struct network *network)
{
	char text[NETWORK_TEXT_LEN + 1];

	network_format(network, text);
	call_arg(call, arena_dup(&call->arena, span_of_str(text)));
}

static void deliver_attempt(
	const struct call_target *target, struct outcome *outcome, const redisReply *reply)
{
	uint64_t answer = ABUSE_ASK, wait_ms = 0;

	if (reply) {
		struct reply_cursor reader = reply_read(reply);

		(void)reply_span(&reader);
		answer = reply_u64(&reader);
		wait_ms = reply_u64(&reader);
		if (reader.bad || answer > ABUSE_BUSY)
			outcome_bad_reply(outcome);
	}
	((abuse_attempt_fn *)target->fn)(target->arg, outcome, (enum abuse_answer)answer, wait_ms);
}

bool abuse_store_attempt(struct redis_link *link, const struct abuse_attempt *attempt, unsigned stop,
	uint64_t window_ms, uint64_t pending_ms, uint64_t now_ms, abuse_attempt_fn *fn, void *arg)
{
	struct call call;

	begin(&call, link, "attempt", CALL_WRITES);
	put_account_key(&call, attempt);
	call_arg(&call, attempt->token);
	call_arg_u64(&call, stop);
	call_arg_u64(&call, window_ms);
	call_arg_u64(&call, pending_ms);
	return call_send(&call, now_ms, deliver_attempt, (struct call_target){ (call_any_fn *)fn, arg });
}

bool abuse_store_ended(struct redis_link *link, const struct abuse_attempt *attempt,
	const struct network *address, bool is_proven, uint64_t now_ms, abuse_outcome_fn *fn, void *arg)
{
	struct call call;

	begin(&call, link, "ended", CALL_WRITES);
	put_account_key(&call, attempt);
	put_network_key(&call, ":from:", address);
	call_arg(&call, attempt->token);
	call_arg_u64(&call, is_proven);
	return call_send_plain(&call, now_ms, fn, arg);
}

static void deliver_failed(const struct call_target *target, struct outcome *outcome, const redisReply *reply)
{
	struct abuse_counted counted = { .account = 0 };

	if (reply) {
		struct reply_cursor reader = reply_read(reply);

		(void)reply_span(&reader);
		counted.account = reply_u64(&reader);
		counted.address = reply_u64(&reader);
		counted.network = reply_u64(&reader);
		counted.address_ban_ms = reply_u64(&reader);
		counted.network_ban_ms = reply_u64(&reader);
		if (reader.bad)
			outcome_bad_reply(outcome);
	}
	((abuse_failed_fn *)target->fn)(target->arg, outcome, &counted);
}

/* What a failure costs, and how much of it may be owed: as limit.h counts. */
static void put_rule(struct call *call, unsigned failures, uint64_t window_ms)
{
	uint64_t cost_us = failures ? window_ms * 1000 / failures : 0;

	call_arg_u64(call, cost_us);
	call_arg_u64(call, cost_us * failures);
}

bool abuse_store_failed(struct redis_link *link, const struct abuse_failure *failure,
	const struct abuse_rules *rules, uint64_t now_ms, abuse_failed_fn *fn, void *arg)
{
	struct network network = network_neighbours(&failure->address);
	struct call call;

	begin(&call, link, "failed", CALL_WRITES);
	put_ban_keys(&call);
	put_account_key(&call, &failure->attempt);
	put_network_key(&call, ":from:", &failure->address);
	put_network_key(&call, ":from:", &network);
	call_arg(&call, failure->attempt.token);
	call_arg_u64(&call, abuse_account_window_ms(rules));
	call_arg_u64(&call, failure->counts_address);
	put_rule(&call, rules->address_failures, rules->window_ms);
	put_rule(&call, rules->network_failures, rules->window_ms);
	call_arg_u64(&call, rules->ban_first_ms);
	call_arg_u64(&call, rules->ban_max_ms);
	call_arg_u64(&call, rules->ban_memory_ms);
	put_network(&call, &failure->address);
	put_network(&call, &network);
	return call_send(&call, now_ms, deliver_failed, (struct call_target){ (call_any_fn *)fn, arg });
}

static bool read_ban(struct reply_cursor *row, struct ban *ban)
{
	struct span subject = reply_span(row);

	ban->left_ms = reply_u64(row);
	ban->made_ago_ms = reply_u64(row);
	ban->bans = reply_u64(row);
	ban->by = reply_span(row);
	ban->why = reply_span(row);
	return !row->bad && network_parse(subject, &ban->network);
}

static void deliver_bans(const struct call_target *target, struct outcome *outcome, const redisReply *reply)
{
	struct ban_changes changes = { .version = 0 };
	struct ban *bans = NULL;

	if (reply) {
		struct reply_cursor rows = reply_read(reply);

		(void)reply_span(&rows);
		changes.version = reply_u64(&rows);
		changes.is_all = reply_u64(&rows) == 1;
		bans = mem_alloc(reply->elements * sizeof(*bans));
		while (reply_has_more(&rows)) {
			struct reply_cursor row = reply_read(reply_array(&rows));

			if (!read_ban(&row, &bans[changes.count++]))
				rows.bad = true;
		}
		if (rows.bad) {
			outcome_bad_reply(outcome);
			changes = (struct ban_changes){ .version = 0 };
		}
		changes.bans = bans;
	}
	((abuse_bans_fn *)target->fn)(target->arg, outcome, &changes);
	mem_free(bans);
}

bool abuse_store_bans(
	struct redis_link *link, uint64_t version, uint64_t now_ms, abuse_bans_fn *fn, void *arg)
{
	struct call call;

	begin(&call, link, "bans", CALL_READS);
	put_ban_keys(&call);
	call_arg_u64(&call, version);
	return call_send(&call, now_ms, deliver_bans, (struct call_target){ (call_any_fn *)fn, arg });
}

bool abuse_store_ban(struct redis_link *link, const struct ban_order *order, uint64_t now_ms,
	abuse_outcome_fn *fn, void *arg)
{
	struct call call;

	CHECK(order->by.len > 0 && order->by.len <= BAN_BY_MAX && order->why.len <= BAN_WHY_MAX);
	CHECK(order->ms > 0 && order->ms <= LIMIT_TIME_US_MAX / 1000);
	begin(&call, link, "ban", CALL_WRITES);
	put_ban_keys(&call);
	put_network(&call, &order->network);
	call_arg_u64(&call, order->ms);
	call_arg(&call, order->by);
	call_arg(&call, order->why);
	return call_send_plain(&call, now_ms, fn, arg);
}

bool abuse_store_unban(struct redis_link *link, const struct network *network, uint64_t now_ms,
	abuse_outcome_fn *fn, void *arg)
{
	struct call call;

	begin(&call, link, "unban", CALL_WRITES);
	put_ban_keys(&call);
	put_network(&call, network);
	return call_send_plain(&call, now_ms, fn, arg);
}
