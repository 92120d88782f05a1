#include "ownership_internal.h"

#include "skein/proto/base/alloc.h"

#include <stdio.h>

#define TO(state) (1u << HOLDING_##state)

static const unsigned next_states[] = {
	[HOLDING_LOCAL] = TO(OFFERED) | TO(OWNED) | TO(ENDED),
	[HOLDING_OFFERED] = TO(LOCAL) | TO(OWNED) | TO(KEPT) | TO(ENDED),
	[HOLDING_OWNED] = TO(OFFERED) | TO(OWNED) | TO(KEPT) | TO(ENDED),
	[HOLDING_KEPT] = TO(OWNED) | TO(ENDED),
	[HOLDING_ENDED] = TO(ENDED),
};

void holding_init(struct holding *holding, const struct msg_id *id)
{
	*holding = (struct holding){ .id = *id };
	list_init(&holding->queue);
}

/* The only place that writes holding->state. */
void ownership_enter(struct ownership *ownership, struct holding *holding, enum holding_state next)
{
	CHECK(next_states[holding->state] & (1u << next));
	ownership->counts[holding->state]--;
	ownership->counts[next]++;
	holding->state = next;
	if (next == HOLDING_LOCAL)
		holding->epoch = holding->offered_epoch = 0; /* Redis knows nothing of it after all */
}

struct ownership *ownership_new(
	const struct ownership_options *options, struct redis_link *link, const struct ownership_owner *owner)
{
	struct ownership *ownership = mem_zalloc(sizeof(*ownership));

	ownership->options = *options;
	ownership->owner = *owner;
	ownership->link = link;
	table_init(&ownership->holdings, options->seed);
	list_init(&ownership->to_adopt);
	list_init(&ownership->to_keep);
	list_init(&ownership->awaiting_body);
	facts_init(ownership);
	claims_init(ownership);
	return ownership;
}

void ownership_free(struct ownership **ownership)
{
	struct ownership *gone = *ownership;
	struct holding *holding;
	size_t cursor = 0;

	while ((holding = table_next(&gone->holdings, &cursor))) {
		table_remove(&gone->holdings, msg_id_span(&holding->id));
		holding->is_registered = false;
		list_remove(&holding->queue);
		gone->owner.on_released(gone->owner.ctx, holding);
	}
	facts_fini(gone);
	claims_fini(gone);
	table_fini(&gone->holdings);
	mem_free(gone);
	*ownership = NULL;
}

/* --- what is known ------------------------------------------------------------------------------ */

struct incarnation ownership_self(const struct ownership *ownership)
{
	return (struct incarnation){ ownership->options.node, ownership->lease.epoch };
}

struct span ownership_generation(const struct ownership *ownership)
{
	return span_of_str(ownership->lease.generation);
}

bool ownership_is_open(const struct ownership *ownership)
{
	return ownership->phase == ASSERTION_OPEN && redis_link_is_ready(ownership->link);
}

bool ownership_is_trusted(const struct ownership *ownership, uint64_t now_ms)
{
	return ownership->is_up && now_ms < ownership->lease.trust_until_ms;
}

struct redis_link *ownership_link(const struct ownership *ownership)
{
	return ownership->link;
}

unsigned ownership_pick_shard(const struct ownership *ownership, uint64_t random)
{
	return ownership->shards[random % ownership->shard_count].number;
}

struct shard_state *ownership_shard(struct ownership *ownership, unsigned number)
{
	size_t index = number / ownership->options.workers;

	CHECK(index < ownership->shard_count && ownership->shards[index].number == number);
	return &ownership->shards[index];
}

size_t ownership_count(const struct ownership *ownership, enum holding_state state)
{
	return ownership->counts[state];
}

struct holding *ownership_find(const struct ownership *ownership, const struct msg_id *id)
{
	return table_get(&ownership->holdings, msg_id_span(id));
}

struct holding *ownership_next(const struct ownership *ownership, size_t *cursor)
{
	return table_next(&ownership->holdings, cursor);
}

bool ownership_may_deliver(const struct ownership *ownership, const struct holding *holding, uint64_t now_ms,
	uint64_t reserve_ms)
{
	switch (holding->state) {
	case HOLDING_LOCAL:
		return true;
	case HOLDING_OFFERED:
	case HOLDING_OWNED:
		return holding->call != CALL_DEFER && holding->epoch == ownership->lease.epoch &&
		       now_ms + reserve_ms < ownership->lease.trust_until_ms;
	case HOLDING_KEPT:
	case HOLDING_ENDED:
		break;
	}
	return false;
}

/* --- into and out of the table ------------------------------------------------------------------ */

void ownership_add(
	struct ownership *ownership, struct holding *holding, enum holding_state state, bool is_holder)
{
	CHECK(!holding->is_registered);
	holding->is_registered = true;
	holding->is_holder = is_holder;
	holding->state = state;
	ownership->counts[state]++;
	CHECK(!table_put(&ownership->holdings, msg_id_span(&holding->id), holding));
	/* One that a replay brought after the round began. */
	if (state == HOLDING_OFFERED && ownership->phase != ASSERTION_NONE) {
		list_push_back(&ownership->to_adopt, &holding->queue);
		assertion_pump(ownership);
	}
}

void ownership_set_journaling(struct holding *holding)
{
	holding->is_journaling = true;
}

void ownership_set_holder(struct holding *holding, bool is_holder)
{
	holding->is_journaling = false;
	holding->is_holder = is_holder;
}

void ownership_set_window(struct holding *holding, bool is_windowed)
{
	holding->is_windowed = is_windowed;
}

static void take_out(struct ownership *ownership, struct holding *holding)
{
	if (!holding->is_registered)
		return;
	CHECK(table_remove(&ownership->holdings, msg_id_span(&holding->id)) == holding);
	holding->is_registered = false;
	list_remove(&holding->queue);
	ownership->counts[holding->state]--;
}

static void release_if_free(struct ownership *ownership, struct holding *holding)
{
	if (!holding->is_registered && holding->call == CALL_NONE && !holding->pins)
		ownership->owner.on_released(ownership->owner.ctx, holding);
}

void ownership_pin(struct holding *holding)
{
	holding->pins++;
	CHECK(holding->pins);
}

void ownership_unpin(struct ownership *ownership, struct holding *holding)
{
	CHECK(holding->pins);
	holding->pins--;
	release_if_free(ownership, holding);
}

void ownership_forget(struct ownership *ownership, struct holding *holding)
{
	CHECK(holding->state == HOLDING_ENDED && holding->is_registered);
	take_out(ownership, holding);
	release_if_free(ownership, holding);
}

void ownership_abandon(struct ownership *ownership, struct holding *holding)
{
	if (holding->state != HOLDING_KEPT || holding->is_holder || !holding->is_registered)
		return;
	take_out(ownership, holding);
	release_if_free(ownership, holding);
}

void ownership_own(struct ownership *ownership, struct holding *holding, uint64_t turn)
{
	ownership_enter(ownership, holding, HOLDING_OWNED);
	holding->turn = turn;
	holding->epoch = ownership->lease.epoch;
}

void ownership_lose(struct ownership *ownership, struct holding *holding)
{
	if (holding->state == HOLDING_ENDED || holding->state == HOLDING_KEPT)
		return;
	ownership_enter(ownership, holding, HOLDING_KEPT);
	ownership_pin(holding);
	ownership->owner.on_lost(ownership->owner.ctx, holding);
	if (!holding->is_windowed)
		ownership_abandon(ownership, holding);
	ownership_unpin(ownership, holding);
}

void ownership_end(
	struct ownership *ownership, struct holding *holding, enum settled why, struct span settled)
{
	if (holding->state == HOLDING_ENDED)
		return;
	ownership_enter(ownership, holding, HOLDING_ENDED);
	ownership->owner.on_ended(ownership->owner.ctx, holding, why, settled);
}

void ownership_fence(struct ownership *ownership, uint64_t epoch, uint64_t fence)
{
	if (epoch != ownership->lease.epoch || ownership->is_fenced)
		return;
	ownership->is_fenced = true;
	ownership->lease.trust_until_ms = 0;
	ownership->phase = ASSERTION_NONE;
	ownership->owner.on_fenced(ownership->owner.ctx, epoch, fence);
}

/* --- link and lease ----------------------------------------------------------------------------- */

void ownership_link_ready(struct ownership *ownership, uint64_t now_ms)
{
	ownership->now_ms = now_ms;
	ownership->is_up = true;
	assertion_restart(ownership);
	facts_pump(ownership);
}

void ownership_link_lost(struct ownership *ownership, uint64_t now_ms)
{
	ownership->now_ms = now_ms;
	ownership->is_up = false;
	ownership->phase = ASSERTION_NONE;
	claims_reset(ownership);
}

/*
 * Offered under the present epoch, which was good until now, and not answered: nobody else can have owned it
 * meanwhile, so it has the turn that the answer would have told, if there was one. Without it an adopt in a
 * grace would make it nobody's, and somebody's while we are in its window (protocol.md, finding 25).
 */
static void vouch(const struct ownership *ownership, struct holding *holding)
{
	if (holding->state == HOLDING_OFFERED && !holding->turn &&
		holding->offered_epoch == ownership->lease.epoch)
		holding->turn = FIRST_TURN;
}

/* Redis is another one: the epoch ends, and what was offered under it is vouched for while that can be said.
 */
static void vouch_for_offered(struct ownership *ownership)
{
	struct holding *holding;
	size_t cursor = 0;

	while (ownership->counts[HOLDING_OFFERED] && (holding = table_next(&ownership->holdings, &cursor)))
		vouch(ownership, holding);
}

void ownership_set_lease(struct ownership *ownership, const struct lease *lease, uint64_t now_ms)
{
	bool is_new = lease->epoch != ownership->lease.epoch;

	ownership->now_ms = now_ms;
	if (!is_new && ownership->is_fenced)
		return;
	if (now_ms < ownership->lease.trust_until_ms && (is_new || !lease->trust_until_ms))
		vouch_for_offered(ownership);
	ownership->lease = *lease;
	if (is_new) {
		ownership->is_fenced = false;
		ownership->phase = ASSERTION_NONE;
	}
	if (ownership->phase == ASSERTION_NONE)
		assertion_restart(ownership);
}

uint64_t ownership_tick(struct ownership *ownership, uint64_t now_ms)
{
	ownership->now_ms = now_ms;
	facts_expire(ownership);
	if (!redis_link_is_ready(ownership->link))
		return UINT64_MAX;
	facts_pump(ownership);
	if (ownership->phase == ASSERTION_NONE)
		assertion_restart(ownership);
	else
		assertion_pump(ownership);
	return claims_tick(ownership);
}

void ownership_set_appetite(struct ownership *ownership, size_t count)
{
	ownership->appetite = count;
}

/* --- calls about one holding -------------------------------------------------------------------- */

struct own_call {
	struct ownership *ownership;
	struct holding *holding, *dsn;
	uint64_t epoch, round;
};

static struct own_call *begin_call(
	struct ownership *ownership, struct holding *holding, enum holding_call kind)
{
	struct own_call *call = mem_zalloc(sizeof(*call));

	CHECK(holding->call == CALL_NONE);
	holding->call = kind;
	call->ownership = ownership;
	call->holding = holding;
	call->epoch = ownership->lease.epoch;
	call->round = ownership->round;
	return call;
}

/* Frees the call and keeps what it said. The holding is pinned: the caller ends with ownership_unpin(). */
static struct own_call end_call(struct own_call *call)
{
	struct own_call copy = *call;

	ownership_pin(copy.holding);
	copy.holding->call = CALL_NONE;
	mem_free(call);
	return copy;
}

static bool never_sent(struct own_call *call, bool sent)
{
	if (!sent) {
		struct own_call ended = end_call(call);

		ended.holding->pins--;
	}
	return sent;
}

static void note_fence(const struct own_call *call, const struct outcome *outcome)
{
	if (outcome->kind == OUTCOME_FENCED)
		ownership_fence(call->ownership, call->epoch, outcome->fence);
}

static enum offer_end offer_end_of(struct ownership *ownership, struct holding *holding,
	const struct outcome *outcome, const struct queue_turn *turn)
{
	switch (outcome->kind) {
	case OUTCOME_OK:
		ownership_own(ownership, holding, turn->turn);
		return OFFER_OWNED;
	case OUTCOME_UNREPLICATED:
		ownership_own(ownership, holding, turn->turn);
		return OFFER_WEAK;
	case OUTCOME_HELD:
		ownership_enter(ownership, holding, HOLDING_KEPT);
		return OFFER_HELD;
	case OUTCOME_UNKNOWN:
		return OFFER_UNKNOWN;
	default:
		/* An answer that is no OK changed nothing. */
		ownership_enter(ownership, holding, HOLDING_LOCAL);
		return OFFER_REFUSED;
	}
}

static void on_accepted(void *arg, const struct outcome *outcome, const struct queue_turn *turn)
{
	struct own_call call = end_call(arg);
	struct ownership *ownership = call.ownership;
	struct holding *holding = call.holding;
	enum offer_end end = OFFER_UNKNOWN;

	if (holding->state == HOLDING_OFFERED)
		end = offer_end_of(ownership, holding, outcome, turn);
	note_fence(&call, outcome);
	if (holding->is_registered)
		ownership->owner.on_offered(ownership->owner.ctx, holding, end);
	ownership_unpin(ownership, holding);
}

bool ownership_offer(struct ownership *ownership, struct holding *holding, uint64_t now_ms)
{
	struct queue_message message;
	struct queue_accept args = { .node = ownership_self(ownership), .message = &message };
	struct own_call *call;

	ownership->now_ms = now_ms;
	if (!ownership_is_open(ownership) || !ownership_is_trusted(ownership, now_ms))
		return false;
	CHECK(holding->state == HOLDING_LOCAL);
	ownership->owner.describe(ownership->owner.ctx, holding, &message);
	call = begin_call(ownership, holding, CALL_ACCEPT);
	if (!never_sent(call, queue_accept(ownership->link, &args, now_ms, on_accepted, call)))
		return false;
	holding->epoch = holding->offered_epoch = ownership->lease.epoch;
	ownership_enter(ownership, holding, HOLDING_OFFERED);
	return true;
}

static void want_body(struct ownership *ownership, struct holding *holding)
{
	ownership->owner.on_body_wanted(ownership->owner.ctx, holding);
}

static void adopt_answered(struct ownership *ownership, struct holding *holding,
	const struct outcome *outcome, const struct queue_turn *turn)
{
	switch (outcome->kind) {
	case OUTCOME_OK:
	case OUTCOME_UNREPLICATED:
		ownership_own(ownership, holding, turn->turn);
		ownership->owner.on_owned(ownership->owner.ctx, holding, turn->settled);
		break;
	case OUTCOME_HELD:
	case OUTCOME_NOT:
		ownership_lose(ownership, holding);
		break;
	case OUTCOME_GONE:
		ownership_end(ownership, holding, outcome->why, span_of(NULL, 0));
		break;
	case OUTCOME_BODY:
		assertion_await_body(ownership, holding);
		want_body(ownership, holding);
		break;
	default:
		break; /* in doubt: the next round asks again */
	}
}

static void on_adopted(void *arg, const struct outcome *outcome, const struct queue_turn *turn)
{
	struct own_call call = end_call(arg);
	struct ownership *ownership = call.ownership;
	struct holding *holding = call.holding;

	if (holding->is_registered &&
		(holding->state == HOLDING_OFFERED || holding->state == HOLDING_OWNED) &&
		call.epoch == ownership->lease.epoch)
		adopt_answered(ownership, holding, outcome, turn);
	note_fence(&call, outcome);
	assertion_adopted(ownership, call.round);
	ownership_unpin(ownership, holding);
}

bool ownership_adopt(struct ownership *ownership, struct holding *holding)
{
	struct queue_message message;
	struct queue_adopt args = {
		.node = ownership_self(ownership),
		.turn = holding->turn,
		.holder = holding->is_holder,
		.takeovers_max = ownership->options.takeovers_max,
		.message = &message,
	};
	struct own_call *call;

	/* The connection broke, no more: the epoch lives. */
	vouch(ownership, holding);
	args.turn = holding->turn;
	ownership->owner.describe(ownership->owner.ctx, holding, &message);
	call = begin_call(ownership, holding, CALL_ADOPT);
	if (!never_sent(call, queue_adopt(ownership->link, &args, ownership->now_ms, on_adopted, call)))
		return false;
	holding->epoch = ownership->lease.epoch;
	/* Whatever Redis thinks of it now: nothing is let go or reported before this is answered. */
	if (holding->state == HOLDING_OWNED)
		ownership_enter(ownership, holding, HOLDING_OFFERED);
	return true;
}

bool ownership_publish(struct ownership *ownership, struct holding *holding, uint64_t now_ms)
{
	ownership->now_ms = now_ms;
	if (!ownership_is_open(ownership) || !ownership_is_trusted(ownership, now_ms) ||
		holding->call != CALL_NONE)
		return false;
	CHECK(holding->state == HOLDING_LOCAL && holding->is_holder && !holding->is_windowed);
	holding->turn = 0;
	if (!ownership_adopt(ownership, holding))
		return false;
	holding->offered_epoch = ownership->lease.epoch;
	ownership_enter(ownership, holding, HOLDING_OFFERED);
	/* It counts in no round: a round only waits for those it began with. */
	ownership->adopting++;
	return true;
}

static void on_kept(void *arg, const struct outcome *outcome, const struct queue_turn *turn)
{
	struct own_call call = end_call(arg);
	struct ownership *ownership = call.ownership;
	struct holding *holding = call.holding;

	(void)turn;
	if (outcome_is_ok(outcome))
		holding->is_keep_due = false;
	else
		ownership->has_keeps_due = true;
	if (holding->is_registered && holding->state == HOLDING_KEPT) {
		if (outcome->kind == OUTCOME_GONE)
			ownership_end(ownership, holding, outcome->why, span_of(NULL, 0));
		else if (outcome->kind == OUTCOME_BODY)
			want_body(ownership, holding);
	}
	note_fence(&call, outcome);
	assertion_adopted(ownership, call.round);
	ownership_unpin(ownership, holding);
}

bool ownership_keep(struct ownership *ownership, struct holding *holding)
{
	struct queue_message message;
	struct queue_keep args = {
		.node = ownership_self(ownership),
		.turn = holding->turn,
		.message = &message,
	};
	struct own_call *call;

	ownership->owner.describe(ownership->owner.ctx, holding, &message);
	call = begin_call(ownership, holding, CALL_KEEP);
	return never_sent(call, queue_keep(ownership->link, &args, ownership->now_ms, on_kept, call));
}

void ownership_body_is_put(struct ownership *ownership, struct holding *holding, uint64_t now_ms)
{
	ownership->now_ms = now_ms;
	if (!holding->is_registered || holding->call != CALL_NONE || ownership->phase == ASSERTION_NONE)
		return;
	list_remove(&holding->queue);
	if (holding->state == HOLDING_KEPT)
		list_push_back(&ownership->to_keep, &holding->queue);
	else if (holding->state == HOLDING_OFFERED)
		list_push_back(&ownership->to_adopt, &holding->queue);
	assertion_pump(ownership);
}

/* --- ends and delays ---------------------------------------------------------------------------- */

void ownership_end_local(struct ownership *ownership, struct holding *holding)
{
	ownership_enter(ownership, holding, HOLDING_ENDED);
}

void ownership_settle(
	struct ownership *ownership, struct holding *holding, struct span settled, uint64_t now_ms)
{
	bool is_known = holding->state != HOLDING_LOCAL;

	ownership->now_ms = now_ms;
	if (holding->state != HOLDING_ENDED && span_find(settled, SETTLED_PENDING) == settled.len)
		ownership_enter(ownership, holding, HOLDING_ENDED);
	if (is_known)
		facts_add(ownership, &holding->id, settled);
}

static void on_deferred(void *arg, const struct outcome *outcome)
{
	struct own_call call = end_call(arg);
	struct ownership *ownership = call.ownership;
	struct holding *holding = call.holding;

	note_fence(&call, outcome);
	if (!holding->is_registered || holding->state != HOLDING_OWNED) {
		ownership_unpin(ownership, holding);
		return;
	}
	switch (outcome->kind) {
	case OUTCOME_OK:
		ownership_enter(ownership, holding, HOLDING_KEPT);
		ownership->owner.on_let_go(ownership->owner.ctx, holding, true);
		ownership_abandon(ownership, holding);
		break;
	case OUTCOME_NOT:
		ownership_lose(ownership, holding);
		break;
	case OUTCOME_GONE:
		ownership_end(ownership, holding, outcome->why, span_of(NULL, 0));
		break;
	case OUTCOME_ERROR:
		ownership->owner.on_let_go(ownership->owner.ctx, holding, false);
		break;
	default:
		ownership_enter(ownership, holding, HOLDING_OFFERED);
		ownership->owner.on_let_go(ownership->owner.ctx, holding, false);
		break;
	}
	ownership_unpin(ownership, holding);
}

bool ownership_defer(struct ownership *ownership, struct holding *holding, uint64_t delay_ms,
	unsigned attempts, struct span env, uint64_t now_ms)
{
	const struct queue_defer args = {
		.node = ownership_self(ownership),
		.id = holding->id,
		.turn = holding->turn,
		.delay_ms = delay_ms,
		.attempts = attempts,
		.env = env,
	};
	struct own_call *call;

	ownership->now_ms = now_ms;
	if (!ownership_is_open(ownership) || holding->state != HOLDING_OWNED || holding->call != CALL_NONE ||
		holding->epoch != ownership->lease.epoch)
		return false;
	call = begin_call(ownership, holding, CALL_DEFER);
	return never_sent(call, queue_defer(ownership->link, &args, now_ms, on_deferred, call));
}

/* The DSN's holding follows the answer: OWNED, back to LOCAL, or in doubt. */
static enum bounce_end bounce_end_of(
	const struct own_call *call, const struct outcome *outcome, const struct queue_turn *turn)
{
	struct ownership *ownership = call->ownership;

	switch (outcome->kind) {
	case OUTCOME_OK:
	case OUTCOME_UNREPLICATED:
	case OUTCOME_HELD:
		if (outcome->kind != OUTCOME_HELD && turn->turn) {
			ownership_own(ownership, call->dsn, turn->turn);
			return BOUNCE_DONE;
		}
		ownership_enter(ownership, call->dsn, HOLDING_ENDED);
		return BOUNCE_SETTLED;
	case OUTCOME_GONE:
	case OUTCOME_NOT:
		ownership_enter(ownership, call->dsn, HOLDING_ENDED);
		return BOUNCE_DROP;
	case OUTCOME_BODY:
	case OUTCOME_ERROR:
		ownership_enter(ownership, call->dsn, HOLDING_LOCAL);
		return BOUNCE_AGAIN;
	default:
		return BOUNCE_AGAIN;
	}
}

static void on_bounced(void *arg, const struct outcome *outcome, const struct queue_turn *turn)
{
	struct own_call call = end_call(arg);
	struct ownership *ownership = call.ownership;
	enum bounce_end end;

	ownership_pin(call.dsn);
	call.dsn->call = CALL_NONE;
	note_fence(&call, outcome);
	end = bounce_end_of(&call, outcome, turn);
	if (outcome->kind == OUTCOME_UNKNOWN || outcome->kind == OUTCOME_FENCED) {
		if (call.holding->state == HOLDING_OWNED)
			ownership_enter(ownership, call.holding, HOLDING_OFFERED);
	}
	ownership->owner.on_bounced(ownership->owner.ctx, call.holding, call.dsn, end);
	if (outcome->kind == OUTCOME_NOT)
		ownership_lose(ownership, call.holding);
	else if (outcome->kind == OUTCOME_GONE)
		ownership_end(ownership, call.holding, outcome->why, span_of(NULL, 0));
	ownership_unpin(ownership, call.dsn);
	ownership_unpin(ownership, call.holding);
}

bool ownership_bounce(struct ownership *ownership, struct holding *holding, struct span settled,
	struct holding *dsn, uint64_t now_ms)
{
	struct queue_message message;
	const struct queue_bounce args = {
		.node = ownership_self(ownership),
		.id = holding->id,
		.turn = holding->turn,
		.settled = settled,
		.dsn = &message,
	};
	struct own_call *call;

	ownership->now_ms = now_ms;
	if (!ownership_is_open(ownership) || holding->state != HOLDING_OWNED || holding->call != CALL_NONE ||
		dsn->call != CALL_NONE || holding->epoch != ownership->lease.epoch)
		return false;
	CHECK(dsn->is_holder && (dsn->state == HOLDING_LOCAL || dsn->state == HOLDING_OFFERED));
	ownership->owner.describe(ownership->owner.ctx, dsn, &message);
	call = begin_call(ownership, holding, CALL_BOUNCE);
	call->dsn = dsn;
	if (!never_sent(call, queue_bounce(ownership->link, &args, now_ms, on_bounced, call)))
		return false;
	dsn->call = CALL_BOUNCE;
	dsn->epoch = ownership->lease.epoch;
	if (dsn->state == HOLDING_LOCAL) {
		dsn->offered_epoch = ownership->lease.epoch;
		ownership_enter(ownership, dsn, HOLDING_OFFERED);
	}
	return true;
}
