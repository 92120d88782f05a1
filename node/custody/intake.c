/*
 * A new message, happy path: MESSAGE to the journal, and in parallel pieces and accept to Redis; when both
 *have answered the client hears 250 and the message joins the queue.
 *
 * What else can happen, and what the client hears (protocol.md, findings 25 to 29):
 *
 *	journal  Redis                preferred              required
 *	ok       owned, held          250                    250
 *	ok       too few replicas     250, degraded          nothing, connection closed
 *	ok       refused, not written 250, degraded          451, after the journal's DONE is durable
 *	ok       no answer            250, degraded          nothing, connection closed
 *	failed   refused, not written 452 or 451             452 or 451
 *	failed   else                 nothing, closed: Redis has it, or may have it
 *
 * Once anything was written to Redis the client never hears a no that is not sure.
 */
#include "custody/custody_internal.h"
#include "io/wall_clock.h"
#include "skein/proto/base/alloc.h"

struct msg_id custody_new_id(struct custody *custody)
{
	return msg_id_make(wall_clock_ms(),
		ownership_pick_shard(custody->ownership, random_u64(custody->random)),
		random_u64(custody->random));
}

bool custody_can_take(const struct custody *custody)
{
	if (custody->is_leaving || journal_is_nearly_full(custody->journal))
		return false;
	return custody->settings->redundancy != REDUNDANCY_REQUIRED || !custody->is_cluster ||
	       (ownership_is_open(custody->ownership) &&
		       ownership_is_trusted(custody->ownership, custody_now_ms()));
}

/* --- the verdict -------------------------------------------------------------------------------- */

void intake_answer(struct intake *intake, enum custody_verdict verdict)
{
	struct custody *custody = intake->custody;

	if (verdict == CUSTODY_TAKEN && custody->is_cluster && !intake->message->is_cut_through &&
		intake->redis != REDIS_OWNED && intake->redis != REDIS_HELD)
		meter_add(custody->meter, METRIC_ACCEPTED_DEGRADED, 1);
	meter_observe(custody->meter, METRIC_CUSTODY_TIME, uv_hrtime() / 1000 - intake->began_us);
	if (intake->fn)
		intake->fn(intake->arg, verdict);
}

void intake_free(struct intake *intake)
{
	message_unref(&intake->message);
	buf_fini(&intake->env);
	mem_free(intake);
}

/* The next hop may have it, or not: a client that heard "no" now would send it twice. */
static bool waits_for_attempt(const struct intake *intake)
{
	return intake->message->stage == MESSAGE_TRYING && !intake->is_attempted;
}

/* Custody failed, but the next hop took the message: what the client wanted has happened. */
static bool is_delivered(const struct intake *intake)
{
	return intake->is_attempted && relay_is_delivered(intake);
}

/* Another hop was to have it next (relay.c). */
static void take_out(struct intake *intake)
{
	struct message *message = intake->message;

	if (!message->flow)
		return;
	outbound_remove(intake->custody->outbound, message);
	message_enter(message, MESSAGE_ARRIVING);
}

/* Nothing of it is kept: the transaction never was. */
static void discard(struct intake *intake)
{
	struct custody *custody = intake->custody;
	struct message *message = intake->message;

	take_out(intake);
	message->intake = NULL;
	body_mark_done(message->body);
	ownership_end_local(custody->ownership, &message->holding);
	message_enter(message, MESSAGE_ENDED);
	ownership_forget(custody->ownership, &message->holding);
}

static void on_undone(void *arg, enum err err)
{
	struct intake *intake = arg;

	intake->custody->appends--;
	discard(intake);
	/* A "no" that a crash could turn into a delivery is none. */
	intake_answer(intake, err ? CUSTODY_UNKNOWN : CUSTODY_UNAVAILABLE);
	intake_free(intake);
}

static void undo_journal(struct intake *intake)
{
	const struct journal_entry entry = { .type = JOURNAL_DONE, .id = intake->message->holding.id };

	take_out(intake);
	intake->custody->appends++;
	journal_append(intake->custody->journal, &entry, on_undone, intake);
}

static void keep(struct intake *intake, enum custody_verdict verdict)
{
	struct custody *custody = intake->custody;
	struct message *message = intake->message;

	message->intake = NULL;
	intake_answer(intake, verdict);
	if (message->stage == MESSAGE_TRYING) {
		if (intake->is_attempted)
			custody_attempted(custody, message, intake->attempt_end);
		intake_free(intake);
		return;
	}
	switch (message->holding.state) {
	case HOLDING_LOCAL:
	case HOLDING_OFFERED:
	case HOLDING_OWNED:
		if (!message->flow)
			custody_schedule(custody, message);
		break;
	case HOLDING_KEPT:
		take_out(intake);
		custody_away(custody, message);
		break;
	case HOLDING_ENDED:
		take_out(intake);
		custody_finish(custody, message);
		break;
	}
	intake_free(intake);
}

static void decide_kept(struct intake *intake)
{
	bool is_required =
		intake->custody->settings->redundancy == REDUNDANCY_REQUIRED && intake->custody->is_cluster;

	switch (intake->redis) {
	case REDIS_PENDING:
		break;
	case REDIS_OWNED:
	case REDIS_HELD:
		keep(intake, CUSTODY_TAKEN);
		break;
	case REDIS_WEAK:
	case REDIS_IN_DOUBT:
		keep(intake, is_required ? CUSTODY_UNKNOWN : CUSTODY_TAKEN);
		break;
	case REDIS_ABSENT:
		if (waits_for_attempt(intake))
			return;
		if (is_required && !is_delivered(intake))
			undo_journal(intake);
		else
			keep(intake, CUSTODY_TAKEN);
		break;
	}
}

static void decide(struct intake *intake)
{
	if (intake->journal == JOURNAL_PENDING || intake->redis == REDIS_PENDING)
		return;
	if (intake->journal == JOURNAL_KEPT) {
		decide_kept(intake);
	} else if (intake->redis == REDIS_ABSENT && waits_for_attempt(intake)) {
		return;
	} else if (intake->redis == REDIS_ABSENT) {
		bool delivered = is_delivered(intake);

		intake->message->is_cut_through = delivered;
		if (delivered)
			result_tell(intake->custody, intake->message);
		discard(intake);
		intake_answer(intake, delivered                         ? CUSTODY_TAKEN
				      : intake->journal_err == ERR_FULL ? CUSTODY_FULL
									: CUSTODY_UNAVAILABLE);
		intake_free(intake);
	} else {
		keep(intake, CUSTODY_UNKNOWN);
	}
}

/* --- the two halves ----------------------------------------------------------------------------- */

static void on_journaled(void *arg, enum err err)
{
	struct intake *intake = arg;

	intake->custody->appends--;
	intake->journal = err ? JOURNAL_REFUSED : JOURNAL_KEPT;
	intake->journal_err = err;
	ownership_set_holder(&intake->message->holding, !err);
	if (!err)
		body_mark_durable(intake->message->body);
	decide(intake);
}

static void to_journal(struct intake *intake)
{
	struct message *message = intake->message;
	struct journal_entry entry = {
		.type = JOURNAL_MESSAGE,
		.id = message->holding.id,
		.body = body_for_journal(message->body),
	};

	envelope_encode(&message->envelope, &intake->env);
	entry.envelope = buf_span(&intake->env);
	intake->custody->appends++;
	ownership_set_journaling(&message->holding);
	journal_append(intake->custody->journal, &entry, on_journaled, intake);
}

void intake_offered(struct custody *custody, struct message *message, enum offer_end end)
{
	static const enum redis_part parts[] = {
		[OFFER_OWNED] = REDIS_OWNED,
		[OFFER_HELD] = REDIS_HELD,
		[OFFER_WEAK] = REDIS_WEAK,
		[OFFER_REFUSED] = REDIS_ABSENT,
		[OFFER_UNKNOWN] = REDIS_IN_DOUBT,
	};
	struct intake *intake = message->intake;

	(void)custody;
	if (!intake || intake->redis != REDIS_PENDING)
		return;
	intake->redis = parts[end];
	decide(intake);
}

/* The pieces are in Redis, or cannot be. */
static void on_put(struct custody *custody, struct message *message, enum err err)
{
	if (message->intake && message->intake->redis == REDIS_PENDING &&
		(err || !ownership_offer(custody->ownership, &message->holding, custody_now_ms())))
		intake_offered(custody, message, OFFER_REFUSED);
}

static void to_redis(struct intake *intake)
{
	struct custody *custody = intake->custody;
	struct message *message = intake->message;

	intake->redis = REDIS_ABSENT;
	if (!ownership_is_open(custody->ownership) ||
		!ownership_is_trusted(custody->ownership, custody_now_ms()))
		return;
	intake->redis = REDIS_PENDING;
	if (!transfer_put(custody, message, on_put))
		return;
	if (!ownership_offer(custody->ownership, &message->holding, custody_now_ms())) {
		intake->redis = REDIS_ABSENT;
	}
}

void intake_go_on(struct intake *intake)
{
	decide(intake);
}

void intake_begin(struct intake *intake)
{
	struct custody *custody = intake->custody;

	ownership_add(custody->ownership, &message_ref(intake->message)->holding, HOLDING_LOCAL, false);
	/* The journal first: its answer never comes from inside the call, so that the intake outlives both.
	 */
	to_journal(intake);
	to_redis(intake);
}

struct intake *custody_take(struct custody *custody, struct message *message, custody_fn *fn, void *arg)
{
	struct intake *intake = mem_zalloc(sizeof(*intake));

	intake->custody = custody;
	intake->message = message;
	intake->fn = fn;
	intake->arg = arg;
	intake->began_us = uv_hrtime() / 1000;
	list_init(&intake->relay_link);
	message->intake = intake;
	message->accepted_us = intake->began_us;
	if (!relay_begin(intake))
		intake_begin(intake);
	return intake;
}

void intake_cancel(struct intake *intake)
{
	intake->fn = NULL;
	if (intake->is_relaying)
		relay_cancel(intake);
}
