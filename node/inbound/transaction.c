#include "inbound/transaction.h"

#include "inbound/handling.h"
#include "io/wall_clock.h"
#include "skein/proto/base/alloc.h"

#include <stdio.h>

static struct span dup_str(struct message *message, const char *text)
{
	return arena_dup(&message->arena, span_of_str(text));
}

struct transaction *transaction_new(
	struct custody *custody, const struct smtp_event_data *mail, const struct transaction_origin *origin)
{
	struct transaction *transaction = mem_zalloc(sizeof(*transaction));
	struct msg_id id = custody_new_id(custody);
	struct msg_id_text id_text = msg_id_format(&id);
	struct message *message = transaction->message = message_new(&id);
	struct envelope *envelope = &message->envelope;

	transaction->mail_us = uv_hrtime() / 1000;
	envelope->sender = arena_dup(&message->arena, mail->mail.from.text);
	envelope->smtputf8 = mail->mail.params.smtputf8;
	envelope->has_8bit = mail->mail.params.body == SMTP_BODY_8BITMIME;
	envelope->ret = (enum dsn_ret)mail->mail.params.ret;
	envelope->envid = arena_dup(&message->arena, mail->mail.params.envid);
	envelope->size_declared = mail->mail.params.size;
	transaction->is_priority_lowered =
		!handling_take(&mail->mail.params, origin->priority_max, wall_clock_ms(), envelope);
	envelope->client_ip = dup_str(message, origin->client_ip);
	envelope->helo = arena_dup(&message->arena,
		span_take(origin->helo,
			origin->helo.len < ENVELOPE_NAME_MAX ? origin->helo.len : ENVELOPE_NAME_MAX));
	envelope->user = arena_dup(&message->arena,
		span_take(origin->user,
			origin->user.len < ENVELOPE_NAME_MAX ? origin->user.len : ENVELOPE_NAME_MAX));
	envelope->rule = arena_dup(&message->arena, origin->rule);
	envelope->protocol = origin->protocol;
	envelope->origin_id = dup_str(message, id_text.text);
	return transaction;
}

void transaction_free(struct transaction **transaction)
{
	struct transaction *gone = *transaction;

	*transaction = NULL;
	if (!gone)
		return;
	inspector_cancel(&gone->inspector);
	if (gone->intake)
		intake_cancel(gone->intake);
	message_unref(&gone->message);
	buf_fini(&gone->head);
	mem_free(gone);
}

static struct envelope_recipient *next_recipient(struct transaction *transaction)
{
	struct envelope *envelope = &transaction->message->envelope;

	if (envelope->recipient_count == transaction->recipient_cap) {
		size_t cap = transaction->recipient_cap ? transaction->recipient_cap * 4 : 1;
		struct envelope_recipient *grown =
			arena_zalloc(&transaction->message->arena, cap * sizeof(*grown));

		if (envelope->recipient_count)
			memcpy(grown, envelope->recipients, envelope->recipient_count * sizeof(*grown));
		envelope->recipients = grown;
		transaction->recipient_cap = cap;
	}
	return &envelope->recipients[envelope->recipient_count++];
}

void transaction_add_recipient(
	struct transaction *transaction, const struct smtp_event_data *rcpt, const char *hostname)
{
	struct message *message = transaction->message;
	struct envelope_recipient *recipient = next_recipient(transaction);

	recipient->addr = arena_dup(&message->arena, rcpt->rcpt.to.text);
	/* RFC 5321 4.1.1.3: <postmaster> without a domain is ours; the next hop knows whose mailbox that is.
	 */
	if (rcpt->rcpt.to.kind == SMTP_ADDRESS_POSTMASTER) {
		char addr[ENVELOPE_ADDR_MAX];

		snprintf(addr, sizeof(addr), "postmaster@%s", hostname);
		recipient->addr = dup_str(message, addr);
	}
	recipient->notify = (uint8_t)rcpt->rcpt.params.notify;
	recipient->orcpt = arena_dup(&message->arena, rcpt->rcpt.params.orcpt);
}

void transaction_redirect(struct transaction *transaction, struct span addr)
{
	struct envelope *envelope = &transaction->message->envelope;

	envelope->recipients[envelope->recipient_count - 1].addr =
		arena_dup(&transaction->message->arena, addr);
}

void transaction_begin_body(struct transaction *transaction, struct custody *custody, uint64_t now_ms)
{
	struct envelope *envelope = &transaction->message->envelope;

	transaction->began_ms = now_ms;
	transaction->message->body =
		body_new(custody->bodies, &transaction->message->holding.id, envelope->size_declared);
	header_scan_init(&transaction->scan, custody->settings->limits.header_size);
	envelope->arrival_ms = wall_clock_ms();
	envelope->expires_ms = envelope_release_ms(envelope) + custody->settings->retry.expire_ms;
}

static size_t count_own_fields(const struct header_scan *scan)
{
	size_t count = 1;

	if (!(scan->fields & HEADER_DATE))
		count++;
	if (!(scan->fields & HEADER_MESSAGE_ID))
		count++;
	return count;
}

/* Our Received field, what is missing, and the header section as it came. */
static enum body_flow emit_head(struct transaction *transaction, const char *hostname)
{
	struct message *message = transaction->message;
	const struct envelope *envelope = &message->envelope;
	int64_t now_s = (int64_t)(envelope->arrival_ms / 1000);
	const struct header_received received = {
		.helo = envelope->helo,
		.client_ip = envelope->client_ip,
		.host = hostname,
		.protocol = envelope->protocol,
		.smtputf8 = envelope->smtputf8,
		.id = envelope->origin_id,
		.only_rcpt = envelope->recipient_count == 1 ? envelope->recipients[0].addr : span_of(NULL, 0),
		.unix_s = now_s,
		.offset_min = wall_clock_offset_min(now_s),
	};
	struct buf prefix = { 0 };
	enum body_flow flow;

	transaction->is_head_done = true;
	header_append_received(&prefix, &received);
	header_append_missing(&prefix, &transaction->scan, &received);
	transaction->own_fields = count_own_fields(&transaction->scan);
	transaction->own_size = buf_len(&prefix);
	buf_append(&prefix, buf_span(&transaction->head));
	flow = body_append(message->body, buf_span(&prefix));
	buf_fini(&prefix);
	buf_fini(&transaction->head);
	return flow;
}

enum body_flow transaction_body(struct transaction *transaction, struct span piece, const char *hostname)
{
	enum body_flow flow;

	if (transaction->refusal)
		return BODY_GO;
	if (transaction->is_head_done)
		return body_append(transaction->message->body, piece);
	switch (header_scan_feed(&transaction->scan, piece)) {
	case HEADER_SCANNING:
		buf_append(&transaction->head, piece);
		return BODY_GO;
	case HEADER_TOO_LONG:
		transaction->refusal = SMTP_REPLY_BAD_HEADER;
		buf_fini(&transaction->head);
		return BODY_GO;
	case HEADER_ENDED:
		break;
	}
	flow = emit_head(transaction, hostname);
	return body_append(transaction->message->body, piece) == BODY_PAUSE ? BODY_PAUSE : flow;
}

enum smtp_reply_id transaction_end_body(
	struct transaction *transaction, const struct settings *settings, const struct smtp_event_data *end)
{
	struct envelope *envelope = &transaction->message->envelope;

	if (transaction->refusal)
		return transaction->refusal;
	if (!transaction->is_head_done) {
		(void)header_scan_end(&transaction->scan);
		(void)emit_head(transaction, settings->node.hostname);
	}
	if (transaction->scan.received_count >= settings->limits.hops)
		return SMTP_REPLY_LOOP;
	/* RFC 8689 4.1: who asks for both has asked for TLS. */
	envelope->tls_optional = transaction->scan.fields & HEADER_TLS_OPTIONAL && !envelope->requiretls;
	envelope->has_8bit |= end->message_end.has_8bit;
	envelope->size = body_len(transaction->message->body);
	return SMTP_REPLY_NONE;
}
