/*
 * A round of assertion: recover (all our shards) → adopt (in doubt, or owned under an older epoch or on
 * another Redis; past the dot first) → repeat facts → asserted → open, keep.
 *
 * One connection executes in order, so within a phase nothing waits for an answer but for what decides the
 * next step. When the link ends the round ends; when it comes back a new one begins with what is still in
 * doubt.
 */
#include "ownership_internal.h"

#include "skein/proto/base/alloc.h"

#include <stdio.h>

struct round_call {
	struct ownership *ownership;
	uint64_t round;
};

static struct round_call *round_call_new(struct ownership *ownership)
{
	struct round_call *call = mem_alloc(sizeof(*call));

	*call = (struct round_call){ ownership, ownership->round };
	return call;
}

static bool is_of_this_round(const struct ownership *ownership, uint64_t round)
{
	return round == ownership->round && ownership->phase != ASSERTION_NONE;
}

/* --- which holdings ----------------------------------------------------------------------------- */

static bool needs_adopt(const struct ownership *ownership, const struct holding *holding)
{
	if (holding->state == HOLDING_OFFERED)
		return true;
	return holding->state == HOLDING_OWNED &&
	       (ownership->is_regenerated || holding->epoch != ownership->lease.epoch);
}

static void empty_list(struct list *list)
{
	while (!list_is_empty(list))
		list_remove(list->next);
}

static void list_holdings(struct ownership *ownership)
{
	struct holding *holding;
	size_t cursor = 0;

	empty_list(&ownership->to_adopt);
	empty_list(&ownership->to_keep);
	empty_list(&ownership->awaiting_body);
	while ((holding = table_next(&ownership->holdings, &cursor))) {
		if (needs_adopt(ownership, holding)) {
			if (holding->is_windowed)
				list_push_front(&ownership->to_adopt, &holding->queue);
			else
				list_push_back(&ownership->to_adopt, &holding->queue);
		} else if (holding->state == HOLDING_KEPT) {
			holding->is_keep_due |= ownership->is_regenerated;
			if (holding->is_keep_due)
				list_push_back(&ownership->to_keep, &holding->queue);
		}
	}
}

/* --- the phases --------------------------------------------------------------------------------- */

static void on_recovered(void *arg, const struct outcome *outcome)
{
	struct round_call *call = arg;
	struct ownership *ownership = call->ownership;

	if (is_of_this_round(ownership, call->round)) {
		if (outcome_is_ok(outcome))
			ownership->recovering--;
		else
			ownership->phase = ASSERTION_NONE; /* the next tick begins another round */
	}
	mem_free(call);
	assertion_pump(ownership);
}

static void recover_shards(struct ownership *ownership)
{
	ownership->phase = ASSERTION_RECOVERING;
	ownership->recovering = 0;
	for (size_t i = 0; i < ownership->shard_count; i++) {
		const struct queue_recover args = { ownership->shards[i].number,
			ownership_generation(ownership) };
		struct round_call *call = round_call_new(ownership);

		ownership->recovering++;
		if (!queue_recover(ownership->link, &args, ownership->now_ms, on_recovered, call))
			mem_free(call);
	}
}

void assertion_restart(struct ownership *ownership)
{
	const char *generation;

	if (!redis_link_is_ready(ownership->link) || !ownership->lease.epoch || ownership->is_fenced ||
		!ownership->lease.trust_until_ms)
		return;
	generation = redis_link_identity(ownership->link)->replication_id;
	if (strcmp(generation, ownership->lease.generation) != 0)
		return; /* the member will register there too, or this link will come back elsewhere */
	ownership->round++;
	ownership->adopting = 0;
	ownership->is_regenerated |= strcmp(generation, ownership->asserted_generation) != 0;
	list_holdings(ownership);
	recover_shards(ownership);
}

/*
 * What the journal is just being given stays in the list: without a copy of ours Redis would take it for one
 * that was delivered long ago, and with a copy that is not there yet it would count on it.
 */
static void adopt_some(struct ownership *ownership)
{
	LIST_EACH_SAFE(it, &ownership->to_adopt)
	{
		struct holding *holding = LIST_ENTRY(it, struct holding, queue);

		if (ownership->adopting >= ASSERT_IN_FLIGHT)
			return;
		if (holding->is_journaling)
			continue;
		list_remove(&holding->queue);
		if (holding->call != CALL_NONE ||
			(holding->state != HOLDING_OFFERED && holding->state != HOLDING_OWNED))
			continue;
		if (!ownership_adopt(ownership, holding))
			return;
		ownership->adopting++;
	}
}

void assertion_await_body(struct ownership *ownership, struct holding *holding)
{
	list_push_back(&ownership->awaiting_body, &holding->queue);
	ownership->bodies_until_ms = ownership->now_ms + BODY_PATIENCE_MS;
}

/* A body that cannot be put keeps nobody else waiting: it is asked for again once the round is over. */
static bool awaits_bodies(struct ownership *ownership)
{
	if (ownership->now_ms >= ownership->bodies_until_ms)
		empty_list(&ownership->awaiting_body);
	return !list_is_empty(&ownership->awaiting_body);
}

static void keep_some(struct ownership *ownership)
{
	while (!list_is_empty(&ownership->to_keep) && ownership->adopting < ASSERT_IN_FLIGHT) {
		struct holding *holding = LIST_FIRST(&ownership->to_keep, struct holding, queue);

		list_remove(&holding->queue);
		if (holding->call != CALL_NONE || holding->state != HOLDING_KEPT)
			continue;
		if (!ownership_keep(ownership, holding))
			return;
		ownership->adopting++;
	}
}

void assertion_retry(struct ownership *ownership)
{
	struct holding *holding;
	size_t cursor = 0;

	if (ownership->phase != ASSERTION_OPEN ||
		(!ownership->counts[HOLDING_OFFERED] && !ownership->has_keeps_due))
		return;
	ownership->has_keeps_due = false;
	while ((holding = table_next(&ownership->holdings, &cursor))) {
		if (holding->call != CALL_NONE || list_is_linked(&holding->queue))
			continue;
		if (holding->state == HOLDING_OFFERED)
			list_push_back(&ownership->to_adopt, &holding->queue);
		else if (holding->state == HOLDING_KEPT && holding->is_keep_due)
			list_push_back(&ownership->to_keep, &holding->queue);
	}
	assertion_pump(ownership);
}

static void on_asserted(void *arg, const struct outcome *outcome)
{
	struct round_call *call = arg;
	struct ownership *ownership = call->ownership;

	if (outcome->kind == OUTCOME_FENCED && is_of_this_round(ownership, call->round))
		ownership_fence(ownership, ownership->lease.epoch, outcome->fence);
	mem_free(call);
}

static void open_up(struct ownership *ownership)
{
	for (size_t i = 0; i < ownership->shard_count; i++) {
		const struct queue_asserted args = {
			.node = ownership_self(ownership),
			.shard = ownership->shards[i].number,
			.generation = ownership_generation(ownership),
			.living = ownership->lease.living,
			.living_count = ownership->lease.living_count,
		};
		struct round_call *call = round_call_new(ownership);

		if (!queue_asserted(ownership->link, &args, ownership->now_ms, on_asserted, call)) {
			mem_free(call);
			return;
		}
	}
	ownership->phase = ASSERTION_OPEN;
	ownership->is_regenerated = false;
	ownership->asserted_epoch = ownership->lease.epoch;
	snprintf(ownership->asserted_generation, sizeof(ownership->asserted_generation), "%s",
		ownership->lease.generation);
	ownership->owner.on_asserted(ownership->owner.ctx, ownership->lease.epoch);
}

void assertion_pump(struct ownership *ownership)
{
	if (!redis_link_is_ready(ownership->link))
		return;
	if (ownership->phase == ASSERTION_RECOVERING && ownership->recovering == 0)
		ownership->phase = ASSERTION_ADOPTING;
	if (ownership->phase == ASSERTION_ADOPTING) {
		adopt_some(ownership);
		if (!list_is_empty(&ownership->to_adopt) || ownership->adopting || awaits_bodies(ownership))
			return;
		if (ownership->is_regenerated)
			facts_repeat(ownership);
		ownership->phase = ASSERTION_SETTLING;
	}
	if (ownership->phase == ASSERTION_SETTLING) {
		facts_pump(ownership);
		if (facts_are_told(ownership))
			open_up(ownership);
	}
	if (ownership->phase == ASSERTION_OPEN) {
		(void)awaits_bodies(ownership);
		adopt_some(ownership);
		keep_some(ownership);
	}
}

void assertion_adopted(struct ownership *ownership, uint64_t round)
{
	if (!is_of_this_round(ownership, round))
		return;
	CHECK(ownership->adopting > 0);
	ownership->adopting--;
	assertion_pump(ownership);
}
