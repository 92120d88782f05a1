#include "outbound/delivery.h"

#include "io/wall_clock.h"

void delivery_open(struct delivery *delivery, struct message *message, size_t rcpt_max)
{
	const struct envelope *envelope = &message->envelope;
	size_t room = envelope->recipient_count < rcpt_max ? envelope->recipient_count : rcpt_max;
	struct smtp_client_rcpt *rcpts = arena_alloc(&delivery->arena, room * sizeof(*rcpts));
	size_t count = 0;

	CHECK(delivery->phase == DELIVERY_FREE);
	delivery->rcpt_idx = arena_alloc(&delivery->arena, room * sizeof(size_t));
	for (size_t i = 0; i < envelope->recipient_count && count < room; i++) {
		const struct envelope_recipient *recipient = &envelope->recipients[i];

		if (recipient->state != RECIPIENT_PENDING || recipient->attempts > envelope->attempts)
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
		.ret = envelope->ret,
		.envid = envelope->envid,
	};
	delivery->message = message;
	delivery->phase = DELIVERY_STARTED;
}

static void note_attempt(struct delivery *delivery, size_t rcpt, struct mail_status status, struct span text,
	const char *remote)
{
	struct message *message = delivery->message;
	struct envelope_recipient *recipient = &message->envelope.recipients[delivery->rcpt_idx[rcpt]];

	if (text.len > ENVELOPE_DIAGNOSTIC_MAX)
		text.len = ENVELOPE_DIAGNOSTIC_MAX;
	recipient->attempts = message->envelope.attempts + 1;
	recipient->last_attempt_ms = wall_clock_ms();
	recipient->status = status;
	recipient->diagnostic = arena_dup(&message->arena, text);
	recipient->remote = span_of_str(arena_strdup(&message->arena, span_of_str(remote)));
}

void delivery_result(struct delivery *delivery, const struct smtp_client_event_data *data, const char *remote)
{
	struct envelope_recipient *recipient =
		&delivery->message->envelope.recipients[delivery->rcpt_idx[data->rcpt_idx]];

	note_attempt(delivery, data->rcpt_idx, data->status, data->text, remote);
	switch (mail_status_classify(data->status)) {
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

void delivery_lost(struct delivery *delivery, const struct smtp_client_event_data *data, const char *why,
	const char *remote)
{
	/* RFC 3463 4.4.2: bad connection; a reply that closed the connection speaks for itself. */
	struct mail_status status = data->status;
	struct span text = data->text;

	if (!status.code || mail_status_classify(status) == MAIL_DELIVERED) {
		status = (struct mail_status){ .enhanced = { 4, 4, 2 } };
		text = span_of_str(why);
	}
	for (size_t i = 0; i < delivery->transaction.rcpt_count; i++) {
		struct envelope_recipient *recipient =
			&delivery->message->envelope.recipients[delivery->rcpt_idx[i]];

		if (recipient->state == RECIPIENT_PENDING &&
			recipient->attempts <= delivery->message->envelope.attempts)
			note_attempt(delivery, i, status, text, remote);
	}
}

struct message *delivery_take_back(struct delivery *delivery)
{
	struct message *message = delivery->message;

	if (delivery->reader)
		body_reader_free(&delivery->reader);
	arena_fini(&delivery->arena);
	*delivery = (struct delivery){ .phase = DELIVERY_FREE };
	return message;
}
