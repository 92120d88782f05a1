/* What the cluster says of messages, and what that does to them: custody as the owner of its ownership. */
#include "custody/custody_internal.h"
#include "custody/trail.h"
#include "io/wall_clock.h"
#include "skein/proto/base/alloc.h"

/* --- what the cluster says ---------------------------------------------------------------------- */

/*
 * Recipients whose report is not in the queue yet are still pending for everybody else: whoever goes on with
 * the message must come to report them too.
 */
static void set_reported(struct message *message, enum recipient_state *states, bool is_hidden)
{
	for (size_t i = 0; i < message->reported_count; i++) {
		struct envelope_recipient *recipient = &message->envelope.recipients[message->reported[i]];

		if (is_hidden)
			states[i] = recipient->state;
		recipient->state = is_hidden ? RECIPIENT_PENDING : states[i];
	}
}

static void describe(void *ctx, struct holding *holding, struct queue_message *out)
{
	struct custody *custody = ctx;
	struct message *message = message_of_holding(holding);
	bool was_packed = !message->envelope.recipients;
	uint64_t now_ms = wall_clock_ms();
	const struct envelope *envelope = &message->envelope;
	enum recipient_state *states;

	message_unpack(message);
	arena_reset(&custody->scratch_arena);
	states = arena_alloc(&custody->scratch_arena, (message->reported_count + 1) * sizeof(*states));
	set_reported(message, states, true);
	*out = (struct queue_message){
		.id = holding->id,
		.env = custody_encode(custody, message),
		.settled = message_settled(message, &custody->scratch_arena),
		.size = envelope->size,
		.pieces = transfer_pieces(envelope->size),
		.age_ms = now_ms > envelope->arrival_ms ? now_ms - envelope->arrival_ms : 0,
		.expires_in_ms = envelope->expires_ms > now_ms ? envelope->expires_ms - now_ms : 0,
		.attempts = envelope->attempts,
	};
	set_reported(message, states, false);
	if (was_packed)
		message_pack(message);
}

static void body_is_put(struct custody *custody, struct message *message, enum err err)
{
	if (err && err != ERR_CLOSED)
		custody_log(custody, LOG_ERROR, "body-unreadable", message);
	if (!err)
		ownership_body_is_put(custody->ownership, &message->holding, custody_now_ms());
}

static void on_body_wanted(void *ctx, struct holding *holding)
{
	struct message *message = message_of_holding(holding);

	if (message->body && transfer_put(ctx, message, body_is_put))
		ownership_body_is_put(((struct custody *)ctx)->ownership, holding, custody_now_ms());
}

static void on_offered(void *ctx, struct holding *holding, enum offer_end end)
{
	intake_offered(ctx, message_of_holding(holding), end);
}

static void on_owned(void *ctx, struct holding *holding, struct span settled)
{
	struct custody *custody = ctx;
	struct message *message = message_of_holding(holding);

	meter_add(custody->meter, METRIC_ADOPTED, 1);
	message_unpack(message);
	if (message->is_restored)
		trail_step(custody->track, TRACK_ADOPT, message, NULL, NULL);
	message->is_restored = false;
	if (message_merge_settled(message, settled))
		custody_update_journal(custody, message);
	if (message->intake)
		return;
	if (message->stage == MESSAGE_REPORTING)
		result_resume(custody, message);
	else if (message->stage != MESSAGE_READY && custody_take_out(custody, message))
		custody_schedule(custody, message);
}

static void on_lost(void *ctx, struct holding *holding)
{
	struct custody *custody = ctx;
	struct message *message = message_of_holding(holding);

	if (message->intake)
		return;
	if (custody_take_out(custody, message) && message->stage != MESSAGE_AWAY)
		custody_away(custody, message);
	else if (message->stage == MESSAGE_REPORTING)
		result_resume(custody, message);
}

static void on_let_go(void *ctx, struct holding *holding, bool done)
{
	struct custody *custody = ctx;
	struct message *message = message_of_holding(holding);

	if (message->stage != MESSAGE_FROZEN)
		return;
	if (done)
		custody_away(custody, message);
	else if (holding->state == HOLDING_OWNED)
		outbound_add_later(custody->outbound, message, message->envelope.next_try_ms);
}

static void on_bounced(void *ctx, struct holding *holding, struct holding *dsn, enum bounce_end end)
{
	result_bounced(ctx, message_of_holding(holding), message_of_holding(dsn), end);
}

static void on_ended(void *ctx, struct holding *holding, enum settled why, struct span settled)
{
	struct custody *custody = ctx;
	struct message *message = message_of_holding(holding);

	(void)settled;
	trail_step(custody->track, TRACK_ENDED, message, settled_name(why), NULL);
	if (why == SETTLED_DELIVERED)
		meter_add(custody->meter, METRIC_DUPLICATES_SUPPRESSED, 1);
	if (message->intake || message->is_fetching || !custody_take_out(custody, message)) {
		if (message->stage == MESSAGE_REPORTING)
			result_resume(custody, message);
		return; /* the attempt, or the intake, looks at the holding when it ends */
	}
	custody_finish(custody, message);
}

struct news {
	struct custody *custody;
	struct message *message;
	struct span settled; /* heap */
	struct buf env;
};

static void on_update_durable(void *arg, enum err err)
{
	struct news *news = arg;

	news->custody->appends--;
	if (err == ERR_OK || err == ERR_NOT_FOUND)
		ownership_journaled(news->custody->ownership, &news->message->holding, news->settled);
	mem_free((void *)(uintptr_t)news->settled.ptr);
	buf_fini(&news->env);
	message_unref(&news->message);
	mem_free(news);
}

static void on_news(void *ctx, struct holding *holding, struct span settled)
{
	struct custody *custody = ctx;
	struct message *message = message_of_holding(holding);
	bool was_packed = !message->envelope.recipients;
	struct news *news = mem_zalloc(sizeof(*news));
	struct journal_entry entry = { .type = JOURNAL_UPDATE, .urgency = JOURNAL_SOON, .id = holding->id };

	message_unpack(message);
	(void)message_merge_settled(message, settled);
	news->custody = custody;
	news->message = message_ref(message);
	news->settled = span_of(mem_dup(settled.ptr, settled.len), settled.len);
	envelope_encode(&message->envelope, &news->env);
	if (was_packed)
		message_pack(message);
	custody->appends++;
	entry.envelope = buf_span(&news->env);
	if (holding->is_holder)
		journal_append(custody->journal, &entry, on_update_durable, news);
	else
		on_update_durable(news, ERR_OK);
}

static void on_released(void *ctx, struct holding *holding)
{
	struct message *message = message_of_holding(holding);

	(void)ctx;
	CHECK(message->stage != MESSAGE_READY && message->stage != MESSAGE_WAITING);
	list_remove(&message->queue_link); /* frozen, at the end of the process */
	message_unref(&message);
}

/* --- claims ------------------------------------------------------------------------------------- */

struct copying {
	struct custody *custody;
	struct message *message;
	struct buf env;
};

static void on_copied(void *arg, enum err err)
{
	struct copying *copying = arg;

	copying->custody->appends--;
	if (err)
		ownership_set_holder(&copying->message->holding, false);
	else
		body_mark_durable(copying->message->body);
	message_unref(&copying->message);
	buf_fini(&copying->env);
	mem_free(copying);
}

/* The origin is dead: the pair of copies is made whole again (protocol.md, finding 18). It is delivered
 * meanwhile. */
static void copy_to_journal(struct custody *custody, struct message *message)
{
	struct copying *copying = mem_zalloc(sizeof(*copying));
	struct journal_entry entry = {
		.type = JOURNAL_MESSAGE,
		.id = message->holding.id,
		.body = body_for_journal(message->body),
	};

	copying->custody = custody;
	copying->message = message_ref(message);
	envelope_encode(&message->envelope, &copying->env);
	entry.envelope = buf_span(&copying->env);
	custody->appends++;
	/* From now on: it may be delivered before the answer, and then DONE must follow MESSAGE. */
	ownership_set_holder(&message->holding, true);
	journal_append(custody->journal, &entry, on_copied, copying);
}

/* The body comes from Redis; the message stays where it is until then. */
static void on_fetched(struct custody *custody, struct message *message, enum err err)
{
	message->is_fetching = false;
	if (message->holding.state == HOLDING_ENDED) {
		if (err)
			body_unref(&message->body);
		if (message->holding.is_registered)
			custody_finish(custody, message);
		return;
	}
	if (!err) {
		if (message->wants_copy && !message->holding.is_holder)
			copy_to_journal(custody, message);
		custody_schedule(custody, message);
		return;
	}
	body_unref(&message->body);
	custody_log(custody, err == ERR_CLOSED ? LOG_WARN : LOG_ERROR, "body-not-fetched", message);
	if (message->holding.state == HOLDING_KEPT)
		custody_schedule(custody, message);
	else if (err == ERR_CLOSED)
		custody_freeze(custody, message);
	else
		custody_wait(custody, message, custody->settings->retry.first_ms);
}

void custody_fetch(struct custody *custody, struct message *message)
{
	message->is_fetching = true;
	transfer_get(custody, message, message->envelope.size, transfer_pieces(message->envelope.size),
		on_fetched);
}

static void note_claim(struct custody *custody, struct message *message, const struct queue_record *record)
{
	meter_add(custody->meter, METRIC_CLAIMED, 1);
	if (record->takeovers)
		meter_add(custody->meter, METRIC_TAKEN_OVER, 1);
	trail_step(custody->track, record->takeovers ? TRACK_TAKEOVER : TRACK_CLAIM, message, NULL,
		record->origin.text);
}

static void on_claimed(void *ctx, struct holding *holding, const struct queue_record *record)
{
	struct custody *custody = ctx;
	struct message *message = message_of_holding(holding);

	/* Lost and won back while an attempt went on: the attempt decides; likewise the intake. */
	if (message->intake || message->is_fetching || !custody_take_out(custody, message))
		return;
	message->wants_copy = record->to_journal;
	if (message_set_packed(message, record->env))
		message_unpack(message);
	(void)message_merge_settled(message, record->settled);
	message->envelope.takeovers = record->takeovers;
	message->envelope.next_try_ms = 0; /* Redis says that it is due */
	note_claim(custody, message, record);
	if (record->cancel)
		custody_wait(custody, message, 0);
	else
		custody_schedule(custody, message);
}

static struct holding *on_new(void *ctx, const struct queue_record *record)
{
	struct custody *custody = ctx;
	struct message *message = message_new(&record->id);
	struct msg_id_text id = msg_id_format(&record->id);

	if (message_set_packed(message, record->env)) {
		log_event(custody->log, LOG_ERROR, "envelope-unreadable", LOG_STR("id", id.text),
			LOG_STR("then", "held: skeinctl queue show"), LOG_END);
		(void)queue_hold(
			ownership_link(custody->ownership), &record->id, custody_now_ms(), NULL, NULL);
		message_unref(&message);
		return NULL;
	}
	(void)message_merge_settled(message, record->settled);
	message->envelope.takeovers = record->takeovers;
	message->envelope.next_try_ms = 0;
	ownership_add(custody->ownership, &message->holding, HOLDING_OWNED, false);
	note_claim(custody, message, record);
	message->wants_copy = record->to_journal;
	custody_fetch(custody, message);
	return &message->holding;
}

/* --- the lease and the link --------------------------------------------------------------------- */

static bool waits_for_link(const struct message *message)
{
	return message->stage == MESSAGE_WAITING || (message->stage == MESSAGE_REPORTING && message->report);
}

/* What waited here because there was no cluster goes to it now; reports that could not be made are made. */
static void on_asserted(void *ctx, uint64_t epoch)
{
	struct custody *custody = ctx;
	struct holding *holding;
	size_t cursor = 0;

	while ((holding = ownership_next(custody->ownership, &cursor))) {
		struct message *message = message_of_holding(holding);

		if (!waits_for_link(message))
			continue;
		if (message->stage == MESSAGE_REPORTING) {
			result_resume(custody, message);
		} else {
			outbound_remove(custody->outbound, message);
			custody_schedule(custody, message);
		}
	}
	custody_thaw(custody);
	custody->on_asserted(custody->worker, epoch);
}

static void on_fenced(void *ctx, uint64_t epoch, uint64_t fence)
{
	struct custody *custody = ctx;

	custody->on_fenced(custody->worker, epoch, fence);
}

struct ownership_owner custody_as_owner(struct custody *custody)
{
	return (struct ownership_owner){
		.ctx = custody,
		.describe = describe,
		.on_body_wanted = on_body_wanted,
		.on_offered = on_offered,
		.on_owned = on_owned,
		.on_lost = on_lost,
		.on_let_go = on_let_go,
		.on_bounced = on_bounced,
		.on_ended = on_ended,
		.on_news = on_news,
		.on_claimed = on_claimed,
		.on_new = on_new,
		.on_released = on_released,
		.on_asserted = on_asserted,
		.on_fenced = on_fenced,
	};
}
