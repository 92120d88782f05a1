#include "outbound/delivery.h"

#include "io/wall_clock.h"
#include "outbound/preparation.h"

#include <stdio.h>

/* Is it to be tried in this attempt, and here? */
static bool takes_part(const struct delivery_part *part, const struct envelope *envelope, size_t recipient)
{
	const struct envelope_recipient *it = &envelope->recipients[recipient];

	return it->state == RECIPIENT_PENDING && it->attempts <= envelope->attempts &&
	       (!part || part->takes(part->arg, envelope, recipient));
}

void delivery_open(
	struct delivery *delivery, const struct delivery_part *part, struct message *message, size_t rcpt_max)
{
	const struct envelope *envelope = &message->envelope;
	size_t room = envelope->recipient_count < rcpt_max ? envelope->recipient_count : rcpt_max;
	struct smtp_client_rcpt *rcpts = arena_alloc(&delivery->arena, room * sizeof(*rcpts));
	size_t count = 0;

	CHECK(delivery->phase == DELIVERY_FREE);
	delivery->rcpt_idx = arena_alloc(&delivery->arena, room * sizeof(size_t));
	for (size_t i = 0; i < envelope->recipient_count && count < room; i++) {
		const struct envelope_recipient *recipient = &envelope->recipients[i];

		if (!takes_part(part, envelope, i))
			continue;
		rcpts[count] =
			(struct smtp_client_rcpt){ recipient->addr, recipient->orcpt, recipient->notify };
		delivery->rcpt_idx[count++] = i;
	}
	CHECK(count > 0);
	delivery->transaction = (struct smtp_client_transaction){
		.tag = delivery,
		.sender = envelope->sender,
		.rcpts = rcpts,
		.rcpt_count = count,
		.body_size = envelope->size,
		.needs_8bit = envelope->has_8bit,
		.needs_smtputf8 = envelope->smtputf8,
		.needs_requiretls = envelope->requiretls,
		.priority = envelope->priority,
		.deliver_by = envelope_deliver_by(envelope, wall_clock_ms()),
		.ret = envelope->ret,
		.envid = envelope->envid,
	};
	delivery->message = message;
	delivery->phase = DELIVERY_PREPARING;
}

void delivery_ready(struct delivery *delivery)
{
	delivery->transaction.body_size += delivery_prefix(delivery).len;
	delivery->phase = DELIVERY_READY;
}

struct span delivery_prefix(const struct delivery *delivery)
{
	return buf_span(&delivery->message->signature.fields);
}

static const struct delivery_remote nobody = { .label = "" };

static char *dup_text(struct message *message, const char *text)
{
	return text ? arena_strdup(&message->arena, span_of_str(text)) : NULL;
}

static void note_attempt(struct message *message, size_t idx, struct mail_status status, struct span text,
	const struct delivery_remote *remote)
{
	struct envelope_recipient *recipient = &message->envelope.recipients[idx];

	if (text.len > ENVELOPE_DIAGNOSTIC_MAX)
		text.len = ENVELOPE_DIAGNOSTIC_MAX;
	recipient->attempts = message->envelope.attempts + 1;
	recipient->last_attempt_ms = wall_clock_ms();
	recipient->status = status;
	recipient->diagnostic = arena_dup(&message->arena, text);
	recipient->remote = span_of_str(dup_text(message, remote->label));
	recipient->remote_ip = dup_text(message, remote->ip);
	recipient->remote_tls = dup_text(message, remote->tls);
}

static void settle(struct envelope_recipient *recipient)
{
	switch (mail_status_classify(recipient->status)) {
	case MAIL_DELIVERED:
		recipient->state = RECIPIENT_DELIVERED;
		break;
	case MAIL_PERMANENT:
		recipient->state = RECIPIENT_FAILED;
		break;
	case MAIL_TEMPORARY:
		break;
	}
}

/* 4xx, and not to a recipient: that would be his affair. */
static bool is_pushback(const struct smtp_client_event_data *data)
{
	return mail_status_classify(data->status) == MAIL_TEMPORARY && data->status.code &&
	       (data->stage == SMTP_STAGE_MAIL || data->stage == SMTP_STAGE_DATA ||
		       data->stage == SMTP_STAGE_DOT);
}

/* RFC 2852 4.2: to a hop that does not know of it, or with the trace that was asked for. */
static bool passes_time_on(const struct delivery *delivery)
{
	const struct deliver_by *by = &delivery->transaction.deliver_by;

	return by->mode != DELIVER_BY_NONE && (by->trace || !delivery->hop_keeps_time);
}

bool delivery_result(struct delivery *delivery, const struct smtp_client_event_data *data,
	const struct delivery_remote *remote)
{
	struct envelope_recipient *recipient =
		&delivery->message->envelope.recipients[delivery->rcpt_idx[data->rcpt_idx]];
	bool is_first = !delivery->is_pushed_back && is_pushback(data);
	char text[300];
	struct span said = data->text;

	if (data->stage == SMTP_STAGE_NONE && delivery->obstacle) {
		snprintf(text, sizeof(text), "%.*s. %s", (int)(said.len < 150 ? said.len : 150), said.ptr,
			delivery->obstacle);
		said = span_of_str(text);
	}
	note_attempt(delivery->message, delivery->rcpt_idx[data->rcpt_idx], data->status, said, remote);
	settle(recipient);
	recipient->is_unreported = recipient->state == RECIPIENT_DELIVERED && !delivery->hop_reports;
	recipient->is_untimed = recipient->state == RECIPIENT_DELIVERED && passes_time_on(delivery);
	if (recipient->state == RECIPIENT_PENDING)
		delivery->is_troubled = data->stage == SMTP_STAGE_MAIL || data->stage == SMTP_STAGE_DATA ||
					data->status.code == MAIL_CODE_CLOSING;
	delivery->is_pushed_back |= is_first;
	return is_first;
}

static bool is_nonsense(enum smtp_client_failure failure)
{
	return failure == SMTP_FAILURE_GARBAGE || failure == SMTP_FAILURE_UNSOLICITED ||
	       failure == SMTP_FAILURE_TOO_LONG;
}

void delivery_lost(struct delivery *delivery, const struct smtp_client_event_data *data, const char *why,
	const struct delivery_remote *remote)
{
	/* A reply that closed the connection speaks for itself. */
	struct mail_status status = data->status;
	struct span text = data->text;

	/* RFC 3463 4.4.2: bad connection; 4.5.0: protocol. */
	if (status.code < 400) {
		status = (struct mail_status){ .enhanced = { 4, is_nonsense(data->failure) ? 5 : 4,
						       is_nonsense(data->failure) ? 0 : 2 } };
		text = span_of_str(why);
	}
	for (size_t i = 0; i < delivery->transaction.rcpt_count; i++) {
		struct envelope_recipient *recipient =
			&delivery->message->envelope.recipients[delivery->rcpt_idx[i]];

		if (recipient->state == RECIPIENT_PENDING &&
			recipient->attempts <= delivery->message->envelope.attempts)
			note_attempt(delivery->message, delivery->rcpt_idx[i], status, text, remote);
	}
	delivery->is_troubled = !data->is_outcome_unknown;
}

bool delivery_is_hops_trouble(const struct delivery *delivery)
{
	const struct envelope *envelope = &delivery->message->envelope;

	if (!delivery->is_troubled)
		return false;
	for (size_t i = 0; i < delivery->transaction.rcpt_count; i++) {
		if (envelope->recipients[delivery->rcpt_idx[i]].state == RECIPIENT_PENDING)
			return true;
	}
	return false;
}

bool delivery_has(const struct delivery *delivery, enum recipient_state state)
{
	const struct envelope *envelope = &delivery->message->envelope;

	for (size_t i = 0; i < delivery->transaction.rcpt_count; i++) {
		const struct envelope_recipient *recipient = &envelope->recipients[delivery->rcpt_idx[i]];

		if (recipient->state == state && recipient->attempts > envelope->attempts)
			return true;
	}
	return false;
}

void delivery_forget(struct delivery *delivery)
{
	const struct envelope *envelope = &delivery->message->envelope;

	for (size_t i = 0; i < delivery->transaction.rcpt_count; i++) {
		struct envelope_recipient *recipient = &envelope->recipients[delivery->rcpt_idx[i]];

		if (recipient->state == RECIPIENT_PENDING)
			recipient->attempts = envelope->attempts;
	}
}

void delivery_verdict(const struct delivery_part *part, struct message *message, struct mail_status status,
	const char *text)
{
	struct envelope *envelope = &message->envelope;

	for (size_t i = 0; i < envelope->recipient_count; i++) {
		if (!takes_part(part, envelope, i))
			continue;
		note_attempt(message, i, status, span_of_str(text), &nobody);
		settle(&envelope->recipients[i]);
	}
}

void delivery_renote(const struct delivery_part *part, struct message *message)
{
	struct envelope *envelope = &message->envelope;

	for (size_t i = 0; i < envelope->recipient_count; i++) {
		if (takes_part(part, envelope, i))
			envelope->recipients[i].attempts = envelope->attempts + 1;
	}
}

void delivery_hold_back(struct delivery *delivery, struct mail_status status, const char *why)
{
	struct envelope *envelope = &delivery->message->envelope;
	char text[ENVELOPE_DIAGNOSTIC_MAX];

	snprintf(text, sizeof(text), "not sent, because %s", why);
	for (size_t i = 0; i < delivery->transaction.rcpt_count; i++) {
		note_attempt(delivery->message, delivery->rcpt_idx[i], status, span_of_str(text), &nobody);
		settle(&envelope->recipients[delivery->rcpt_idx[i]]);
	}
}

struct message *delivery_take_back(struct delivery *delivery)
{
	struct message *message = delivery->message;

	preparation_cancel(&delivery->preparation);
	outgoing_free(&delivery->outgoing);
	arena_fini(&delivery->arena);
	*delivery = (struct delivery){ .phase = DELIVERY_FREE };
	return message;
}
