#include "custody/trail.h"

#include "io/wall_clock.h"
#include "track/tracker.h"

#include <stdio.h>

enum { STATUS_SIZE = 24, HOP_SIZE = 400 };

void trail_fill(struct track_event *event, const struct message *message, struct msg_id_text *id_out)
{
	const struct envelope *envelope = &message->envelope;

	*id_out = msg_id_format(&message->holding.id);
	event->session = message->session;
	event->size = envelope->size;
	event->text[TRACK_ID] = span_of(id_out->text, MSG_ID_TEXT_LEN);
	event->text[TRACK_CLIENT] = envelope->client_ip;
	event->text[TRACK_USER] = envelope->user;
	event->text[TRACK_HELO] = envelope->helo;
	event->text[TRACK_SENDER] = envelope->sender;
	event->text[TRACK_RULE] = envelope->rule;
}

void trail_put_recipients(
	struct track_event *event, const struct envelope *envelope, char text[TRAIL_RECIPIENTS_SIZE])
{
	size_t len = 0;

	for (size_t i = 0; i < envelope->recipient_count && len <= TRACK_VALUE_MAX; i++) {
		struct span addr = envelope->recipients[i].addr;
		size_t room = TRAIL_RECIPIENTS_SIZE - len - 1;

		if (i)
			text[len++] = ' ';
		addr.len = addr.len < room ? addr.len : room;
		memcpy(text + len, addr.ptr, addr.len);
		len += addr.len;
	}
	event->text[TRACK_RECIPIENT] = span_of(text, len);
	event->recipients = envelope->recipient_count;
}

static enum track_kind kind_of(enum recipient_state state)
{
	switch (state) {
	case RECIPIENT_DELIVERED:
		return TRACK_DELIVER;
	case RECIPIENT_FAILED:
		return TRACK_FAIL;
	case RECIPIENT_EXPIRED:
		return TRACK_EXPIRE;
	case RECIPIENT_CANCELLED:
		return TRACK_CANCEL;
	case RECIPIENT_PENDING:
	case RECIPIENT_STATE_COUNT:
		break;
	}
	return TRACK_DEFER;
}

/* Since custody: by this process' own clock if it was here, else by the clocks of two nodes. */
static uint64_t latency_us(const struct message *message)
{
	uint64_t now_ms;

	if (message->accepted_us)
		return uv_hrtime() / 1000 - message->accepted_us;
	now_ms = wall_clock_ms();
	return message->envelope.arrival_ms && now_ms > message->envelope.arrival_ms
		       ? (now_ms - message->envelope.arrival_ms) * 1000
		       : 0;
}

static struct span status_text(struct mail_status status, char text[STATUS_SIZE])
{
	struct enhanced_code code = mail_status_enhanced(status);

	return span_of(
		text, (size_t)snprintf(text, STATUS_SIZE, "%u.%u.%u", code.class, code.subject, code.detail));
}

/* "mx.example.com:25 [192.0.2.7]" */
static struct span hop_text(const struct envelope_recipient *recipient, char text[HOP_SIZE])
{
	const char *ip = recipient->remote_ip;
	size_t len;

	if (!ip || !recipient->remote.len || span_starts_with(recipient->remote, span_of_str(ip)))
		return recipient->remote;
	len = (size_t)snprintf(text, HOP_SIZE, "%.*s [%s]", SPAN_ARGS(recipient->remote), ip);
	return span_of(text, len < HOP_SIZE ? len : HOP_SIZE - 1);
}

void trail_recipient(
	struct track *track, const struct message *message, const struct envelope_recipient *recipient)
{
	struct track_event event = { .kind = kind_of(recipient->state) };
	char status[STATUS_SIZE], hop[HOP_SIZE];
	struct msg_id_text id;

	if (!track)
		return;
	trail_fill(&event, message, &id);
	event.code = recipient->status.code;
	event.attempts = recipient->attempts;
	event.latency_us = latency_us(message);
	event.text[TRACK_RECIPIENT] = recipient->addr;
	event.text[TRACK_HOP] = hop_text(recipient, hop);
	event.text[TRACK_TLS_TEXT] = span_of_str(recipient->remote_tls);
	event.text[TRACK_STATUS] = status_text(recipient->status, status);
	event.text[TRACK_TEXT] = recipient->diagnostic;
	if (message->is_cut_through)
		event.text[TRACK_ABOUT] = SPAN_LIT("cut-through");
	track_write(track, &event);
}

void trail_step(struct track *track, enum track_kind kind, struct message *message, const char *text,
	const char *about)
{
	bool was_packed = !message->envelope.recipients;
	struct track_event event = { .kind = kind };
	struct msg_id_text id;

	if (!track)
		return;
	message_unpack(message);
	trail_fill(&event, message, &id);
	event.attempts = message->envelope.attempts;
	event.recipients = message->envelope.recipient_count;
	event.text[TRACK_TEXT] = span_of_str(text);
	event.text[TRACK_ABOUT] = span_of_str(about);
	track_write(track, &event);
	if (was_packed)
		message_pack(message);
}
