#include "custody/custody.h"

#include "custody/custody_internal.h"
#include "custody/trail.h"
#include "io/wall_clock.h"
#include "skein/proto/base/alloc.h"

/* A next try that is closer than this is not worth the way over Redis. */
enum { WAIT_HERE_MS = 1000, FINISH_RESERVE_MS = 1000 };

/* The last of a hold is sat out here: to the moment, and without a way over Redis. */
enum { HOLD_HERE_MS = 5000 };

uint64_t custody_now_ms(void)
{
	return loop_boottime_ms();
}

void custody_init(struct custody *custody)
{
	custody->outbound->custody = custody;
	list_init(&custody->frozen);
	relay_init(custody);
	transfer_init(custody);
}

void custody_fini(struct custody *custody)
{
	CHECK(!custody->transfers && !custody->appends);
	transfer_fini(custody);
	relay_fini(custody);
	buf_fini(&custody->scratch);
	arena_fini(&custody->scratch_arena);
}

struct span custody_encode(struct custody *custody, const struct message *message)
{
	buf_clear(&custody->scratch);
	envelope_encode(&message->envelope, &custody->scratch);
	return buf_span(&custody->scratch);
}

void custody_log(
	struct custody *custody, enum log_level level, const char *event, const struct message *message)
{
	struct msg_id_text id = msg_id_format(&message->holding.id);
	const struct log_field fields[] = { LOG_STR("id", id.text), LOG_END };

	if (log_is_on(custody->log, level))
		log_write(custody->log, level, event, fields);
}

/* --- stages ------------------------------------------------------------------------------------- */

bool custody_take_out(struct custody *custody, struct message *message)
{
	switch (message->stage) {
	case MESSAGE_READY:
	case MESSAGE_WAITING:
		outbound_remove(custody->outbound, message);
		return true;
	case MESSAGE_FROZEN:
		list_remove(&message->queue_link);
		return true;
	case MESSAGE_ARRIVING:
	case MESSAGE_AWAY:
		return true;
	case MESSAGE_TRYING:
	case MESSAGE_REPORTING:
	case MESSAGE_ENDED:
	case MESSAGE_STAGE_COUNT:
		break;
	}
	return false;
}

void custody_away(struct custody *custody, struct message *message)
{
	(void)custody;
	message_enter(message, MESSAGE_AWAY);
	message_pack(message);
}

static bool may_deliver(const struct custody *custody, const struct message *message)
{
	return ownership_may_deliver(custody->ownership, &message->holding, custody_now_ms(), 0);
}

void custody_freeze(struct custody *custody, struct message *message)
{
	message_enter(message, MESSAGE_FROZEN);
	list_push_back(&custody->frozen, &message->queue_link);
}

void custody_thaw(struct custody *custody)
{
	LIST_EACH_SAFE(it, &custody->frozen)
	{
		struct message *message = LIST_ENTRY(it, struct message, queue_link);

		if (!may_deliver(custody, message) ||
			(!message->body && !ownership_is_open(custody->ownership)))
			continue;
		list_remove(it);
		custody_schedule(custody, message);
	}
}

static bool is_waiting_for_redis(const struct custody *custody, const struct message *message)
{
	return message->holding.state != HOLDING_LOCAL && !may_deliver(custody, message);
}

/*
 * More than the next hops take: the rest waits where other nodes can help themselves, or, known to this node
 * alone, here but out of memory.
 */
static void join_long_queue(struct custody *custody, struct message *message, uint64_t away_ms)
{
	if (ownership_defer(custody->ownership, &message->holding, away_ms, message->envelope.attempts,
		    custody_encode(custody, message), custody_now_ms())) {
		message_enter(message, MESSAGE_FROZEN);
		return;
	}
	outbound_add(custody->outbound, message);
	message_pack(message);
}

/* RFC 4865: not before its time. */
static void hold(struct custody *custody, struct message *message, uint64_t left_ms)
{
	if (left_ms > HOLD_HERE_MS)
		custody_wait(custody, message, left_ms);
	else
		outbound_add_later(custody->outbound, message, message->envelope.hold_until_ms);
}

static uint64_t ms_until(uint64_t at_ms, uint64_t now_ms)
{
	return at_ms > now_ms ? at_ms - now_ms : 0;
}

/* Leaving, each message goes back to the cluster until it is due. */
static uint64_t due_in_ms(const struct message *message, uint64_t now_ms)
{
	uint64_t next_try_ms = ms_until(message->envelope.next_try_ms, now_ms);
	uint64_t hold_ms = ms_until(message->envelope.hold_until_ms, now_ms);

	return next_try_ms > hold_ms ? next_try_ms : hold_ms;
}

void custody_schedule(struct custody *custody, struct message *message)
{
	uint64_t now_ms = wall_clock_ms(), away_ms;

	if (message->intake || message->is_fetching)
		return; /* whoever is at it looks again when it ends */
	if (message->holding.state == HOLDING_KEPT) {
		if (message->stage != MESSAGE_AWAY)
			custody_away(custody, message);
		return;
	}
	message_unpack(message);
	if (custody->is_leaving) {
		custody_wait(custody, message, due_in_ms(message, now_ms));
	} else if (is_waiting_for_redis(custody, message)) {
		custody_freeze(custody, message);
	} else if (message->envelope.hold_until_ms > now_ms) {
		hold(custody, message, message->envelope.hold_until_ms - now_ms);
	} else if (!message->body) {
		custody_fetch(custody, message);
	} else if (message->envelope.next_try_ms > now_ms + WAIT_HERE_MS) {
		custody_wait(custody, message, message->envelope.next_try_ms - now_ms);
	} else if (!outbound_has_room(custody->outbound, message, &away_ms)) {
		join_long_queue(custody, message, away_ms);
	} else {
		outbound_add(custody->outbound, message);
	}
}

void custody_wait(struct custody *custody, struct message *message, uint64_t delay_ms)
{
	uint64_t now_ms = custody_now_ms();

	message->envelope.next_try_ms = wall_clock_ms() + delay_ms;
	if (message->holding.state == HOLDING_LOCAL &&
		ownership_publish(custody->ownership, &message->holding, now_ms)) {
		/* Its answer brings it to custody_schedule(), and from there to the cluster. */
		message_enter(message, MESSAGE_FROZEN);
		return;
	}
	if (ownership_defer(custody->ownership, &message->holding, delay_ms, message->envelope.attempts,
		    custody_encode(custody, message), now_ms)) {
		message_enter(message, MESSAGE_FROZEN);
		return;
	}
	if (message->holding.state == HOLDING_KEPT)
		custody_away(custody, message);
	else
		outbound_add_later(custody->outbound, message, message->envelope.next_try_ms);
}

void custody_due(struct custody *custody, struct message *message)
{
	message->envelope.next_try_ms = 0;
	custody_schedule(custody, message);
}

void custody_update_journal(struct custody *custody, struct message *message)
{
	const struct journal_entry entry = {
		.type = JOURNAL_UPDATE,
		.urgency = JOURNAL_SOON,
		.id = message->holding.id,
		.envelope = custody_encode(custody, message),
	};

	if (message->holding.is_holder)
		journal_append(custody->journal, &entry, NULL, NULL);
}

/* --- the end of a message ----------------------------------------------------------------------- */

struct finishing {
	struct custody *custody;
	struct message *message;
	bool is_known; /* to Redis */
};

static void forget(struct finishing *finishing, enum err err)
{
	struct custody *custody = finishing->custody;
	struct holding *holding = &finishing->message->holding;

	if (!err && finishing->is_known)
		ownership_journaled(custody->ownership, holding, span_of(NULL, 0));
	ownership_forget(custody->ownership, holding);
	message_unref(&finishing->message);
	mem_free(finishing);
}

static void on_done_durable(void *arg, enum err err)
{
	struct finishing *finishing = arg;

	finishing->custody->appends--;
	if (!err && finishing->message->body)
		body_mark_done(finishing->message->body);
	forget(finishing, err);
}

void custody_finish(struct custody *custody, struct message *message)
{
	/* Of a message that only this node knows, DONE is the only record (protocol.md, finding 31). */
	const struct journal_entry entry = {
		.type = JOURNAL_DONE,
		.urgency = message->holding.epoch ? JOURNAL_SOON : JOURNAL_NOW,
		.id = message->holding.id,
	};
	struct finishing *finishing = mem_alloc(sizeof(*finishing));

	*finishing = (struct finishing){ custody, message_ref(message), message->holding.epoch != 0 };
	message_enter(message, MESSAGE_ENDED);
	if (!message->holding.is_holder) {
		if (message->body)
			body_mark_done(message->body);
		forget(finishing, ERR_OK);
		return;
	}
	custody->appends++;
	journal_append(custody->journal, &entry, on_done_durable, finishing);
}

/* --- what outbound asks ------------------------------------------------------------------------- */

bool custody_may_start(struct custody *custody, struct message *message)
{
	message_unpack(message);
	if (message->intake)
		return true; /* of a client that waits: nobody else knows it */
	if (custody->is_leaving) {
		custody_wait(custody, message, 0);
		return false;
	}
	if (may_deliver(custody, message) && envelope_is_overdue(&message->envelope, wall_clock_ms())) {
		result_overdue(custody, message);
		return false;
	}
	if (may_deliver(custody, message))
		return true;
	if (message->holding.state == HOLDING_KEPT)
		custody_away(custody, message);
	else
		custody_freeze(custody, message);
	return false;
}

bool custody_may_finish(struct custody *custody, struct message *message)
{
	if (message->intake && message->intake->is_relaying)
		return relay_may_finish(message->intake);
	return ownership_may_deliver(
		custody->ownership, &message->holding, custody_now_ms(), FINISH_RESERVE_MS);
}

void custody_window(struct custody *custody, struct message *message, bool is_windowed)
{
	(void)custody;
	ownership_set_window(&message->holding, is_windowed);
}

/* --- replay and hand-over ----------------------------------------------------------------------- */

enum err custody_restore(struct custody *custody, const struct journal_live *live)
{
	struct message *message = message_new(&live->id);
	enum err err = message_set_packed(message, live->envelope);

	if (err) {
		message_unref(&message);
		return err;
	}
	outbound_find_route(custody->outbound, message);
	message->body = body_restore(custody->bodies, &live->id, &live->body);
	ownership_add(custody->ownership, &message->holding,
		custody->is_cluster ? HOLDING_OFFERED : HOLDING_LOCAL, true);
	message->is_restored = custody->is_cluster;
	if (custody->is_cluster) {
		message_enter(message, MESSAGE_FROZEN);
	} else {
		trail_step(custody->track, TRACK_ADOPT, message, NULL, NULL);
		custody_schedule(custody, message);
	}
	return ERR_OK;
}

void custody_hand_over(struct custody *custody)
{
	struct holding *holding;
	size_t cursor = 0;

	custody->is_leaving = true;
	while ((holding = ownership_next(custody->ownership, &cursor))) {
		struct message *message = message_of_holding(holding);

		if (message->stage != MESSAGE_READY && message->stage != MESSAGE_WAITING)
			continue;
		if (!ownership_is_open(custody->ownership))
			break;
		outbound_remove(custody->outbound, message);
		custody_schedule(custody, message);
	}
}

bool custody_is_quiet(const struct custody *custody)
{
	return !custody->transfers && !custody->appends && custody->outbound->trying == 0 &&
	       (!ownership_is_open(custody->ownership) ||
		       ownership_count(custody->ownership, HOLDING_OWNED) == 0);
}
