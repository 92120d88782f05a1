#include "skein/cluster/limit_store.h"

#include "redis/call.h"
#include "skein/proto/base/alloc.h"

/* One call's counters, each once, and what its replies need to know. */
struct counters {
	struct {
		char name[LIMIT_COUNTER_MAX];
		size_t len;
		uint64_t cost_us, burst_us;
	} list[LIMIT_TAKES_MAX];
	size_t count;
	size_t of_take[LIMIT_TAKES_MAX]; /* index into `list` */
};

size_t limit_counter_name(const struct limit_take *take, char name[LIMIT_COUNTER_MAX])
{
	size_t len = strlen(take->rule->name);

	CHECK(len <= LIMIT_NAME_MAX && take->value.len <= LIMIT_VALUE_MAX);
	memcpy(name, take->rule->name, len);
	name[len++] = ':';
	for (size_t i = 0; i < take->value.len; i++)
		name[len++] = ascii_lower(take->value.ptr[i]);
	return len;
}

static uint64_t add_up(uint64_t a, uint64_t b)
{
	return a + b > LIMIT_TIME_US_MAX ? LIMIT_TIME_US_MAX : a + b;
}

static void gather(struct counters *counters, const struct limit_take *takes, size_t count)
{
	CHECK(count > 0 && count <= LIMIT_TAKES_MAX);
	counters->count = 0;
	for (size_t i = 0; i < count; i++) {
		size_t at = 0, end = counters->count;
		char *name = counters->list[end].name;
		size_t len = limit_counter_name(&takes[i], name);

		while (at < end && !span_eq(span_of(counters->list[at].name, counters->list[at].len),
					   span_of(name, len)))
			at++;
		if (at == end) {
			counters->list[end].len = len;
			counters->list[end].cost_us = 0;
			counters->list[end].burst_us = limit_burst_us(takes[i].rule);
			counters->count++;
		}
		counters->list[at].cost_us =
			add_up(counters->list[at].cost_us, limit_cost_us(takes[i].rule, takes[i].cost));
		counters->of_take[i] = at;
	}
}

/* All under one tag: one call, one slot. See docs/decisions/limits-in-one-slot.md. */
static void begin(struct call *call, struct redis_link *link, const char *function, enum call_mode mode,
	const struct counters *counters)
{
	call_begin(call, link, function, mode);
	call_in_room(call, "limits");
	for (size_t i = 0; i < counters->count; i++)
		call_key(call, ":", span_of(counters->list[i].name, counters->list[i].len));
}

struct take_call {
	limit_taken_fn *fn;
	void *arg;
	size_t count;
	size_t take_of[LIMIT_TAKES_MAX]; /* the first take of each counter */
};

static void deliver_take(const struct call_target *target, struct outcome *outcome, const redisReply *reply)
{
	struct take_call *asked = target->arg;
	uint64_t counter = 0, wait_us = 0;

	if (reply) {
		struct reply_cursor reader = reply_read(reply);

		(void)reply_span(&reader);
		counter = reply_u64(&reader);
		wait_us = reply_u64(&reader);
		if (reader.bad || counter > asked->count)
			outcome_bad_reply(outcome);
		else if (counter)
			outcome->kind = OUTCOME_NOT;
	}
	asked->fn(
		asked->arg, outcome, outcome->kind == OUTCOME_NOT ? asked->take_of[counter - 1] : 0, wait_us);
	mem_free(asked);
}

bool limit_store_take(struct redis_link *link, const struct limit_take *takes, size_t count,
	uint64_t ahead_us, uint64_t now_ms, limit_taken_fn *fn, void *arg)
{
	struct counters counters;
	struct take_call *asked;
	struct call call;

	if (!redis_link_is_ready(link))
		return false;
	gather(&counters, takes, count);
	asked = mem_alloc(sizeof(*asked));
	*asked = (struct take_call){ .fn = fn, .arg = arg, .count = counters.count };
	for (size_t i = count; i-- > 0;)
		asked->take_of[counters.of_take[i]] = i;
	begin(&call, link, "take", CALL_WRITES, &counters);
	call_arg_u64(&call, ahead_us);
	for (size_t i = 0; i < counters.count; i++) {
		call_arg_u64(&call, counters.list[i].cost_us);
		call_arg_u64(&call, counters.list[i].burst_us);
	}
	if (call_send(&call, now_ms, deliver_take, (struct call_target){ (call_any_fn *)fn, asked }))
		return true;
	mem_free(asked);
	return false;
}

bool limit_store_refund(struct redis_link *link, const struct limit_take *takes, size_t count,
	uint64_t now_ms, limit_outcome_fn *fn, void *arg)
{
	struct counters counters;
	struct call call;

	gather(&counters, takes, count);
	begin(&call, link, "refund", CALL_WRITES, &counters);
	for (size_t i = 0; i < counters.count; i++)
		call_arg_u64(&call, counters.list[i].cost_us);
	return call_send_plain(&call, now_ms, fn, arg);
}

struct peek_call {
	limit_peek_fn *fn;
	void *arg;
	size_t count, counter_count;
	size_t of_take[LIMIT_TAKES_MAX];
};

static void deliver_peek(const struct call_target *target, struct outcome *outcome, const redisReply *reply)
{
	struct peek_call *asked = target->arg;
	uint64_t counters[LIMIT_TAKES_MAX] = { 0 }, owed[LIMIT_TAKES_MAX] = { 0 };

	if (reply) {
		struct reply_cursor reader = reply_read(reply);

		(void)reply_span(&reader);
		for (size_t i = 0; i < asked->counter_count; i++)
			counters[i] = reply_u64(&reader);
		if (reader.bad)
			outcome_bad_reply(outcome);
	}
	for (size_t i = 0; i < asked->count; i++)
		owed[i] = counters[asked->of_take[i]];
	asked->fn(asked->arg, outcome, owed, asked->count);
	mem_free(asked);
}

bool limit_store_peek(struct redis_link *link, const struct limit_take *takes, size_t count, uint64_t now_ms,
	limit_peek_fn *fn, void *arg)
{
	struct counters counters;
	struct peek_call *asked;
	struct call call;

	gather(&counters, takes, count);
	asked = mem_alloc(sizeof(*asked));
	*asked = (struct peek_call){ fn, arg, count, counters.count, { 0 } };
	memcpy(asked->of_take, counters.of_take, count * sizeof(*asked->of_take));
	begin(&call, link, "peek", CALL_READS, &counters);
	if (call_send(&call, now_ms, deliver_peek, (struct call_target){ (call_any_fn *)fn, asked }))
		return true;
	mem_free(asked);
	return false;
}
