/*
 * The calls about one holding, accept, adopt, keep, defer and bounce: what each tells Redis, and where each
 * answer moves the holding (protocol.md, "A holding"). What is settled is no call of its own: it is a fact.
 */
#include "ownership_internal.h"

#include "skein/proto/base/alloc.h"

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
	ownership_vouch(ownership, holding);
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
