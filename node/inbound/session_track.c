/* What tracking is told of a session and of the messages that it brings (docs/tracking.md). */
#include "custody/trail.h"
#include "inbound/session_internal.h"
#include "io/wall_clock.h"
#include "track/tracker.h"

#include <stdio.h>

void session_track(const struct session *session, struct track_event *event)
{
	char ip[ADDRESS_TEXT_SIZE];

	event->session = session->number;
	event->text[TRACK_CLIENT] = span_of_str(session_client_ip(session, ip));
	if (!event->text[TRACK_USER].len)
		event->text[TRACK_USER] = span_of_str(session->visitor.user);
	event->text[TRACK_HELO] = span_of_str(session->visitor.helo);
	event->text[TRACK_TLS_TEXT] = span_of_str(session->tls);
	track_write(session->inbound->track, event);
}

const char *session_number_text(const struct session *session, char text[SESSION_NUMBER_SIZE])
{
	snprintf(text, SESSION_NUMBER_SIZE, "%016llx", (unsigned long long)session->number);
	return text;
}

void session_track_connect(const struct session *session)
{
	struct track_event event = { .kind = TRACK_CONNECT };

	event.text[TRACK_TEXT] = span_of_str(session->visitor.listener);
	session_track(session, &event);
}

void session_track_tls(const struct session *session, const struct tls_info *info)
{
	struct track_event event = { .kind = TRACK_TLS };

	if (info->is_resumed)
		event.text[TRACK_RULE] = SPAN_LIT("resumed");
	if (info->has_peer) {
		event.text[TRACK_TEXT] = span_of_str(info->peer_subject);
		event.text[TRACK_ABOUT] = span_of_str(session->visitor.cert_sha256);
		event.text[TRACK_STATUS] = span_of_str(info->verified ? "trusted" : info->verify_text);
	}
	session_track(session, &event);
}

/* RFC 5321 2.3.11: one mailbox, or what the client wrote instead. */
static void put_refused(const struct session *session, struct track_event *event, const char *step,
	struct span about, struct msg_id_text *id)
{
	const struct transaction *transaction = session->transaction;

	if (transaction) {
		*id = msg_id_format(&transaction->message->holding.id);
		event->text[TRACK_ID] = span_of(id->text, MSG_ID_TEXT_LEN);
		event->text[TRACK_SENDER] = transaction->message->envelope.sender;
		event->size = transaction->message->envelope.size;
	}
	if (strcmp(step, "rcpt") == 0)
		event->text[TRACK_RECIPIENT] = about;
	else if (about.len)
		event->text[TRACK_SENDER] = about;
}

void session_track_reject(const struct session *session, const char *step, const struct smtp_reply *reply,
	struct span about, const char *rule)
{
	struct track_event event = { .kind = TRACK_REJECT };
	struct msg_id_text id;

	put_refused(session, &event, step, about, &id);
	event.code = reply->code;
	event.text[TRACK_STATUS] = span_of_str(reply->enhanced);
	event.text[TRACK_TEXT] = reply->text;
	event.text[TRACK_RULE] = span_of_str(rule);
	event.text[TRACK_ABOUT] = span_of_str(step);
	session_track(session, &event);
}

void session_track_disconnect(const struct session *session, const char *why)
{
	struct track_event event = { .kind = TRACK_DISCONNECT, .attempts = session->messages };

	event.latency_us = uv_hrtime() / 1000 - session->opened_us;
	event.text[TRACK_TEXT] = span_of_str(session->end ? session->end : why);
	session_track(session, &event);
}

/* --- messages ----------------------------------------------------------------------------------- */

static void track_message(const struct session *session, enum track_kind kind, const struct message *message)
{
	struct track_event event = { .kind = kind };
	char recipients[TRAIL_RECIPIENTS_SIZE];
	struct buf asks = { 0 };
	struct msg_id_text id;

	trail_fill(&event, message, &id);
	trail_put_recipients(&event, &message->envelope, recipients);
	envelope_append_handling(&message->envelope, wall_clock_ms(), &asks);
	event.code = 250;
	event.latency_us = uv_hrtime() / 1000 - session->body_ended_us;
	event.text[TRACK_STATUS] = SPAN_LIT("2.0.0");
	event.text[TRACK_TEXT] = buf_span(&asks);
	if (message->is_cut_through)
		event.text[TRACK_ABOUT] = SPAN_LIT("cut-through");
	session_track(session, &event);
	buf_fini(&asks);
}

static void track_hold(const struct session *session, const struct message *message)
{
	struct track_event event = { .kind = TRACK_HOLD };
	char time[TRACK_TIME_LEN], text[TRACK_TIME_LEN + 16];
	struct msg_id_text id;

	trail_fill(&event, message, &id);
	track_time_format(message->envelope.hold_until_ms * 1000, time);
	event.text[TRACK_TEXT] = span_of(text, (size_t)snprintf(text, sizeof(text), "until %.19sZ", time));
	session_track(session, &event);
}

void session_track_received(const struct session *session, const struct message *message)
{
	if (!session->inbound->track)
		return;
	track_message(session, TRACK_RECEIVE, message);
	if (message->envelope.hold_until_ms > wall_clock_ms())
		track_hold(session, message);
}

void session_track_discarded(const struct session *session, const struct message *message)
{
	if (session->inbound->track)
		track_message(session, TRACK_DISCARD, message);
}
