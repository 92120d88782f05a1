/*
 * What came of an attempt. Happy path: every recipient was taken; one settle, one DONE, finished.
 *
 * Otherwise, in this order (protocol.md, findings 32 to 35):
 *   1. what is settled without a report is told (settle), so that nobody tries it again;
 *   2. recipients that were delivered to a hop without reports, and whose sender asked for one: a DSN of its
 * own, in the journal. It is made no second time, unless the node dies meanwhile;
 *   3. recipients that failed and whose sender wants to know: the DSN into the journal, then one call that
 * takes it into the cluster's queue and settles them (bounce). Until that is answered the message stays
 * REPORTING;
 *   4. what is still pending goes back to the cluster until its next try (defer), or waits here.
 * Whoever lost ownership meanwhile tells what was delivered, which is a fact, and drops the rest.
 */
#include "custody/custody_internal.h"
#include "custody/trail.h"
#include "io/wall_clock.h"
#include "skein/proto/mail/dsn.h"
#include "skein/proto/mail/retry.h"
#include "track/tracker.h"

static struct retry_schedule schedule_of(const struct custody *custody, const struct message *message)
{
	return outbound_retry(custody->outbound, &message->envelope);
}

static uint64_t age_ms(const struct message *message)
{
	uint64_t now_ms = wall_clock_ms();
	uint64_t from_ms = envelope_release_ms(&message->envelope);

	return now_ms > from_ms ? now_ms - from_ms : 0;
}

static bool is_ours(const struct message *message)
{
	return message->holding.state != HOLDING_KEPT && message->holding.state != HOLDING_ENDED;
}

/* --- telling people ----------------------------------------------------------------------------- */

static void count_delivered(struct custody *custody, const struct message *message, size_t recipients)
{
	meter_add(custody->meter, METRIC_MESSAGES_DELIVERED, 1);
	meter_add(custody->meter, METRIC_RECIPIENTS_DELIVERED, (int64_t)recipients);
	meter_add(custody->meter, METRIC_BYTES_DELIVERED, (int64_t)message->envelope.size);
	if (message->accepted_us)
		meter_observe(
			custody->meter, METRIC_DELIVERY_TIME, uv_hrtime() / 1000 - message->accepted_us);
}

void result_tell(struct custody *custody, struct message *message)
{
	size_t delivered = 0, failed = 0, deferred = 0;

	message->envelope.attempts++;
	for (size_t i = 0; i < message->envelope.recipient_count; i++) {
		const struct envelope_recipient *recipient = &message->envelope.recipients[i];

		if (recipient->attempts != message->envelope.attempts)
			continue;
		trail_recipient(custody->track, message, recipient);
		delivered += recipient->state == RECIPIENT_DELIVERED;
		failed += recipient->state == RECIPIENT_FAILED || recipient->state == RECIPIENT_EXPIRED;
		deferred += recipient->state == RECIPIENT_PENDING;
	}
	if (delivered)
		count_delivered(custody, message, delivered);
	if (failed)
		meter_add(custody->meter, METRIC_MESSAGES_FAILED, 1);
	if (deferred)
		meter_add(custody->meter, METRIC_MESSAGES_DEFERRED, 1);
}

/* --- the last steps ----------------------------------------------------------------------------- */

static bool has_pending(const struct message *message)
{
	return !envelope_is_settled(&message->envelope);
}

static void warn_of_delay(struct custody *custody, struct message *message);

/* Until the next try; sooner where the time to deliver by is over before: it is looked at then. */
static uint64_t wait_ms(const struct message *message)
{
	const struct envelope *envelope = &message->envelope;
	uint64_t now_ms = wall_clock_ms();
	uint64_t left_ms = envelope->deliver_by_ms > now_ms ? envelope->deliver_by_ms - now_ms : UINT64_MAX;

	return message->delay_ms < left_ms ? message->delay_ms : left_ms;
}

/* All facts are told and all reports made. */
static void conclude(struct custody *custody, struct message *message)
{
	message->reported_count = 0;
	arena_reset(&custody->scratch_arena);
	if (message->holding.state == HOLDING_ENDED) {
		custody_finish(custody, message);
	} else if (!is_ours(message)) {
		custody_away(custody, message);
		ownership_abandon(custody->ownership, &message->holding);
	} else if (!has_pending(message)) {
		ownership_settle(custody->ownership, &message->holding,
			message_settled(message, &custody->scratch_arena), custody_now_ms());
		custody_finish(custody, message);
	} else {
		warn_of_delay(custody, message);
		custody_wait(custody, message, wait_ms(message));
		custody_update_journal(custody, message);
	}
}

/* --- reports ------------------------------------------------------------------------------------ */

static void drop_report(struct custody *custody, struct message *message)
{
	struct message *dsn = message->report;

	message->report = NULL;
	if (!dsn)
		return;
	dsn->original = NULL;
	if (dsn->holding.state == HOLDING_LOCAL)
		ownership_end_local(custody->ownership, &dsn->holding);
	/* One that was in the queue after all may have been delivered before this is known of its original.
	 */
	if (dsn->holding.state == HOLDING_ENDED && dsn->stage != MESSAGE_ENDED)
		custody_finish(custody, dsn);
	/* In doubt: assertion will tell. */
	message_unref(&dsn);
}

/* Failed or expired for those that the report is about, pending for the others. */
static struct span reported_settled(const struct message *message, struct arena *arena)
{
	struct span all = message_settled(message, arena);
	char *text = arena_alloc(arena, all.len);

	memset(text, SETTLED_PENDING, all.len);
	for (size_t i = 0; i < message->reported_count; i++)
		text[message->reported[i]] = all.ptr[message->reported[i]];
	return span_of(text, all.len);
}

static void bounce(struct custody *custody, struct message *message)
{
	struct message *dsn = message->report;
	struct arena arena = { 0 }; /* custody's is used again when the DSN is described */
	bool sent = ownership_bounce(custody->ownership, &message->holding, reported_settled(message, &arena),
		&dsn->holding, custody_now_ms());

	(void)sent; /* no link, or no lease: on_owned, on_lost or on_asserted come back here */
	arena_fini(&arena);
}

static void on_report_put(struct custody *custody, struct message *dsn, enum err err)
{
	if (!err && dsn->original && dsn->original->report == dsn && is_ours(dsn->original))
		bounce(custody, dsn->original);
}

/* The report's body first, then the call that names it; a body that is there already is left alone. */
static void put_and_bounce(struct custody *custody, struct message *message)
{
	struct message *dsn = message->report;

	if (dsn->holding.state != HOLDING_LOCAL && dsn->holding.state != HOLDING_OFFERED) {
		/* Assertion found the report in the queue: the bounce was executed, or counts as that. */
		message->report = NULL;
		dsn->original = NULL;
		message_unref(&dsn);
		conclude(custody, message);
		return;
	}
	if (ownership_is_open(custody->ownership) && transfer_put(custody, dsn, on_report_put))
		bounce(custody, message);
}

void result_bounced(
	struct custody *custody, struct message *message, struct message *dsn, enum bounce_end end)
{
	if (message->report != dsn)
		return;
	switch (end) {
	case BOUNCE_DONE:
		message->report = NULL;
		dsn->original = NULL;
		custody_schedule(custody, dsn);
		message_unref(&dsn);
		conclude(custody, message);
		break;
	case BOUNCE_SETTLED:
		drop_report(custody, message);
		conclude(custody, message);
		break;
	case BOUNCE_DROP:
		drop_report(custody, message);
		break;
	case BOUNCE_AGAIN:
		break;
	}
}

/* Nobody was told of them: whoever goes on with the message comes to report them, or we do, when it is ours
 * again. */
static void unreport(struct message *message)
{
	for (size_t i = 0; i < message->reported_count; i++)
		message->envelope.recipients[message->reported[i]].state = RECIPIENT_PENDING;
	message->reported_count = 0;
}

void result_resume(struct custody *custody, struct message *message)
{
	if (!is_ours(message)) {
		drop_report(custody, message);
		if (!message->is_building)
			unreport(message);
		if (!message->is_building)
			conclude(custody, message);
	} else if (message->report) {
		put_and_bounce(custody, message);
	}
}

static void on_report_made(struct custody *custody, struct message *message, struct message *dsn)
{
	message->is_building = false;
	if (!dsn) {
		/* No room for the report: it is tried again. */
		unreport(message);
		conclude(custody, message);
		return;
	}
	message->report = dsn;
	if (message->holding.state == HOLDING_LOCAL) {
		message->report = NULL;
		custody_schedule(custody, dsn);
		message_unref(&dsn);
		conclude(custody, message);
		return;
	}
	dsn->original = message;
	result_resume(custody, message);
}

/* Nobody waits for the news of a delay: it is a message of its own. */
static void on_warning_made(struct custody *custody, struct message *message, struct message *dsn)
{
	(void)message;
	if (!dsn)
		return;
	custody_schedule(custody, dsn);
	message_unref(&dsn);
}

/* By the node's rule, or by the sender's own. */
static bool is_delay_to_be_told(const struct custody *custody, const struct message *message)
{
	uint64_t warn_ms = custody->settings->retry.warn_ms;

	return (warn_ms && age_ms(message) >= warn_ms) ||
	       envelope_is_late(&message->envelope, wall_clock_ms());
}

static void warn_of_delay(struct custody *custody, struct message *message)
{
	struct envelope *envelope = &message->envelope;
	size_t *idx = arena_alloc(&message->arena, envelope->recipient_count * sizeof(*idx));
	size_t count = 0;

	if (!is_delay_to_be_told(custody, message))
		return;
	for (size_t i = 0; i < envelope->recipient_count; i++) {
		if (envelope->recipients[i].state == RECIPIENT_PENDING &&
			dsn_is_wanted(envelope, &envelope->recipients[i], DSN_DELAYED))
			idx[count++] = i;
	}
	if (!count)
		return;
	report_make(custody, message, DSN_DELAYED, idx, count, on_warning_made);
	for (size_t i = 0; i < count; i++)
		envelope->recipients[idx[i]].delay_told = true;
}

/* --- recording ---------------------------------------------------------------------------------- */

static bool wants_report(const struct message *message, size_t i)
{
	const struct envelope_recipient *recipient = &message->envelope.recipients[i];

	return (recipient->state == RECIPIENT_FAILED || recipient->state == RECIPIENT_EXPIRED) &&
	       dsn_is_wanted(&message->envelope, recipient, DSN_FAILED);
}

/* Those that failed since `before` was taken and whose sender wants to know. */
static void collect_failed(struct message *message, struct span before)
{
	message->reported = arena_alloc(&message->arena, message->envelope.recipient_count * sizeof(size_t));
	message->reported_count = 0;
	for (size_t i = 0; i < message->envelope.recipient_count; i++) {
		if (before.ptr[i] == SETTLED_PENDING && wants_report(message, i))
			message->reported[message->reported_count++] = i;
	}
}

/* What may be told at once: all but what waits for its report; of a message that is not ours, deliveries
 * only. */
static void tell_facts(struct custody *custody, struct message *message)
{
	struct span all = message_settled(message, &custody->scratch_arena);
	char *text = arena_alloc(&custody->scratch_arena, all.len);
	bool is_worth_it = false;

	memcpy(text, all.ptr, all.len);
	for (size_t i = 0; i < message->reported_count; i++)
		text[message->reported[i]] = SETTLED_PENDING;
	for (size_t i = 0; i < all.len; i++) {
		if (!is_ours(message) && text[i] != SETTLED_DELIVERED)
			text[i] = SETTLED_PENDING;
		is_worth_it |= text[i] != SETTLED_PENDING;
	}
	/* When everything is settled, conclude() says so in one call. */
	if (is_worth_it && (!is_ours(message) || has_pending(message) || message->reported_count))
		ownership_settle(
			custody->ownership, &message->holding, span_of(text, all.len), custody_now_ms());
}

/* RFC 2852 4.1: it goes back, with what the last attempt came to. */
static void return_overdue(
	struct custody *custody, struct message *message, struct envelope_recipient *recipient)
{
	struct buf text = { 0 };

	buf_append_str(&text, "the time that was given for delivery is over (DELIVERBY)");
	if (recipient->diagnostic.len)
		buf_printf(&text, "; before that: %.*s", SPAN_ARGS(recipient->diagnostic));
	recipient->state = RECIPIENT_FAILED;
	recipient->status = (struct mail_status){ .enhanced = { 5, 4, 7 } };
	recipient->diagnostic = arena_dup(&message->arena, buf_span(&text));
	recipient->remote = span_of(NULL, 0);
	recipient->remote_ip = recipient->remote_tls = NULL;
	trail_recipient(custody->track, message, recipient);
	buf_fini(&text);
}

static void expire(struct custody *custody, struct message *message)
{
	const struct retry_schedule schedule = schedule_of(custody, message);
	bool is_overdue = envelope_is_overdue(&message->envelope, wall_clock_ms());
	bool expired = false;

	if (!is_overdue && !retry_is_expired(&schedule, age_ms(message)))
		return;
	for (size_t i = 0; i < message->envelope.recipient_count; i++) {
		struct envelope_recipient *recipient = &message->envelope.recipients[i];

		if (recipient->state != RECIPIENT_PENDING)
			continue;
		if (is_overdue) {
			return_overdue(custody, message, recipient);
		} else {
			recipient->state = RECIPIENT_EXPIRED;
			trail_recipient(custody->track, message, recipient);
		}
		expired = true;
	}
	if (!expired)
		return;
	meter_add(custody->meter, METRIC_MESSAGES_EXPIRED, 1);
	meter_add_named(custody->meter, METRIC_ROUTE_MESSAGES, message->route, ROUTE_RESULT_EXPIRED, 1);
}

/* Whoever it belongs to has to report them, and finds out by itself. */
static void forget_failed(struct message *message, struct span before)
{
	for (size_t i = 0; i < message->envelope.recipient_count; i++) {
		struct envelope_recipient *recipient = &message->envelope.recipients[i];

		if (before.ptr[i] == SETTLED_PENDING && recipient->state != RECIPIENT_DELIVERED)
			recipient->state = RECIPIENT_PENDING;
	}
}

static void report_failed(struct custody *custody, struct message *message)
{
	if (!message->reported_count) {
		conclude(custody, message);
		return;
	}
	message->is_building = true;
	report_make(custody, message, DSN_FAILED, message->reported, message->reported_count, on_report_made);
}

/* The report of a success is a message of its own. Without room for it there is none: the mail is delivered.
 */
static void on_success_reported(struct custody *custody, struct message *message, struct message *dsn)
{
	message->is_building = false;
	if (dsn) {
		custody_schedule(custody, dsn);
		message_unref(&dsn);
	}
	if (is_ours(message)) {
		report_failed(custody, message);
	} else {
		unreport(message);
		conclude(custody, message);
	}
}

/* RFC 3461 5.2.2: of a hop that sends no reports, we tell that it has the message. False: nobody asked. */
static bool report_success(struct custody *custody, struct message *message, struct span before)
{
	const struct envelope *envelope = &message->envelope;
	size_t *idx = arena_alloc(&custody->scratch_arena, envelope->recipient_count * sizeof(*idx));
	size_t count = 0;

	for (size_t i = 0; i < envelope->recipient_count; i++) {
		const struct envelope_recipient *recipient = &envelope->recipients[i];

		if (before.ptr[i] == SETTLED_PENDING && recipient->state == RECIPIENT_DELIVERED &&
			dsn_is_wanted(envelope, recipient, DSN_RELAYED))
			idx[count++] = i;
	}
	if (!count)
		return false;
	message->is_building = true;
	report_make(custody, message, DSN_RELAYED, idx, count, on_success_reported);
	return true;
}

/* `before`: what was settled when the attempt began, in the scratch arena. */
static void record(struct custody *custody, struct message *message, struct span before)
{
	message->reported_count = 0;
	if (is_ours(message)) {
		expire(custody, message);
		collect_failed(message, before);
	} else {
		forget_failed(message, before);
	}
	tell_facts(custody, message);
	if (!report_success(custody, message, before))
		report_failed(custody, message);
}

static bool has_untried(const struct message *message)
{
	for (size_t i = 0; i < message->envelope.recipient_count; i++) {
		const struct envelope_recipient *recipient = &message->envelope.recipients[i];

		if (recipient->state == RECIPIENT_PENDING &&
			recipient->attempts <= message->envelope.attempts)
			return true;
	}
	return false;
}

/* Before this attempt: those that it touched were pending. */
static struct span settled_before(struct custody *custody, const struct message *message, uint32_t attempt)
{
	struct span all = message_settled(message, &custody->scratch_arena);
	char *text = arena_alloc(&custody->scratch_arena, all.len);

	memcpy(text, all.ptr, all.len);
	for (size_t i = 0; i < all.len; i++) {
		if (message->envelope.recipients[i].attempts == attempt)
			text[i] = SETTLED_PENDING;
	}
	return span_of(text, all.len);
}

void custody_attempted(struct custody *custody, struct message *message, enum attempt_end end)
{
	struct retry_schedule schedule;

	if (message->intake) {
		relay_attempted(message->intake, end);
		return;
	}
	schedule = schedule_of(custody, message);
	message_enter(message, MESSAGE_REPORTING);
	if (!message->holding.is_registered)
		return; /* taken from us before anything was sent: the last reference goes with the courier's
			 */
	if (end == ATTEMPT_DONE && is_ours(message) && has_untried(message) && !custody->is_leaving) {
		outbound_add(custody->outbound, message);
		return;
	}
	result_tell(custody, message);
	message->delay_ms = retry_delay_ms(
		&schedule, message->envelope.attempts, age_ms(message), random_u32(custody->random));
	arena_reset(&custody->scratch_arena);
	record(custody, message, settled_before(custody, message, message->envelope.attempts));
}

static void track_put_off(
	struct custody *custody, const struct message *message, struct mail_status status, const char *why)
{
	struct track_event event = { .kind = TRACK_DEFER };
	struct buf enhanced = { 0 };
	struct msg_id_text id;

	trail_fill(&event, message, &id);
	enhanced_code_append(&enhanced, mail_status_enhanced(status));
	event.attempts = message->envelope.attempts;
	event.code = status.code;
	event.recipients = message->envelope.recipient_count;
	event.text[TRACK_STATUS] = buf_span(&enhanced);
	event.text[TRACK_TEXT] = span_of_str(why);
	track_write(custody->track, &event);
	buf_fini(&enhanced);
}

void custody_put_off(struct custody *custody, struct message *message, uint64_t delay_ms,
	struct mail_status status, const char *why)
{
	struct span before;

	if (message->intake) {
		relay_fall_back(message->intake);
		return;
	}
	message_unpack(message);
	track_put_off(custody, message, status, why);
	message_enter(message, MESSAGE_REPORTING);
	for (size_t i = 0; i < message->envelope.recipient_count; i++) {
		struct envelope_recipient *recipient = &message->envelope.recipients[i];

		if (recipient->state != RECIPIENT_PENDING)
			continue;
		recipient->status = status;
		recipient->diagnostic = arena_dup(&message->arena, span_of_str(why));
	}
	message->delay_ms = delay_ms;
	arena_reset(&custody->scratch_arena);
	before = message_settled(message, &custody->scratch_arena);
	record(custody, message, before);
}

void result_overdue(struct custody *custody, struct message *message)
{
	message_enter(message, MESSAGE_REPORTING);
	message->delay_ms = 0;
	arena_reset(&custody->scratch_arena);
	record(custody, message, message_settled(message, &custody->scratch_arena));
}
