#include "inbound/session_internal.h"

#include "skein/proto/base/alloc.h"

#include <stdio.h>

enum { STALL_MAX_MS = 30000 };

void session_drop_transaction(struct session *session)
{
	transaction_free(&session->transaction);
}

static void log_rejected(
	struct session *session, const char *step, const struct smtp_reply *reply, struct span about)
{
	char ip[ADDRESS_TEXT_SIZE];

	if (reply->code >= 500)
		meter_add_at(session->inbound->meter, METRIC_MESSAGES_REJECTED, REJECT_PERMANENT, 1);
	else
		meter_add_at(session->inbound->meter, METRIC_MESSAGES_REJECTED, REJECT_TEMPORARY, 1);
	log_event(session->inbound->log, LOG_INFO, "rejected", LOG_U64("session", session->number),
		LOG_STR("client", session_client_ip(session, ip)), LOG_STR("step", step),
		LOG_SPAN("about", about), LOG_U64("code", reply->code), LOG_SPAN("text", reply->text),
		LOG_END);
}

void session_reject(struct session *session, const char *step, enum smtp_reply_id id, struct span about)
{
	const struct smtp_reply *reply = smtp_reply_get(id);

	log_rejected(session, step, reply, about);
	session_decide(session, reply);
}

enum smtp_reply_id session_unready_reply(const struct session *session)
{
	switch (health_readiness(session->inbound->health)) {
	case READINESS_READY:
		break;
	case READINESS_STARTING:
		return SMTP_REPLY_NOT_READY;
	case READINESS_DRAINING:
		return SMTP_REPLY_SHUTTING_DOWN;
	case READINESS_JOURNAL:
		return SMTP_REPLY_NOT_READY;
	case READINESS_DISK:
	case READINESS_MEMORY:
		return SMTP_REPLY_NO_MEMORY;
	case READINESS_REDIS:
		return SMTP_REPLY_NO_CUSTODY;
	case READINESS_COUNT:
		break;
	}
	if (!custody_can_take(session->inbound->custody))
		return SMTP_REPLY_NO_CUSTODY;
	return budget_level(session->inbound->budget) == BUDGET_FULL ? SMTP_REPLY_NO_MEMORY : SMTP_REPLY_NONE;
}

static void begin_transaction(struct session *session, const struct smtp_event_data *data)
{
	char ip[ADDRESS_TEXT_SIZE];
	const struct transaction_origin origin = {
		.client_ip = session_client_ip(session, ip),
		.helo = span_of_str(session->helo),
		.protocol = session->protocol,
		.hostname = session->inbound->settings->node.hostname,
	};

	session_drop_transaction(session);
	session->transaction = transaction_new(session->inbound->custody, data, &origin);
}

void session_on_mail(struct session *session, const struct smtp_event_data *data)
{
	enum smtp_reply_id refusal = session_unready_reply(session);

	if (refusal) {
		session_reject(session, "mail", refusal, data->mail.from.text);
		return;
	}
	session_ask_policy(session);
	begin_transaction(session, data);
	if (budget_level(session->inbound->budget) < BUDGET_HIGH) {
		session_decide(session, NULL);
		return;
	}
	session->stalled_at_ms = loop_now_ms(session->inbound->loop);
	list_push_back(&session->inbound->stalled, &session->stall);
	if (!loop_timer_is_set(&session->inbound->stall_timer))
		loop_timer_set(session->inbound->loop, &session->inbound->stall_timer, 20);
}

bool session_unstall(struct session *session, bool give_up)
{
	bool is_late = give_up || loop_now_ms(session->inbound->loop) - session->stalled_at_ms > STALL_MAX_MS;
	bool is_easy = budget_level(session->inbound->budget) < BUDGET_HIGH;

	if (!is_easy && !is_late)
		return false;
	list_remove(&session->stall);
	if (!is_easy)
		session_drop_transaction(session);
	session_decide_later(session, is_easy ? NULL : smtp_reply_get(SMTP_REPLY_NO_MEMORY));
	return true;
}

void session_on_rcpt(struct session *session, const struct smtp_event_data *data)
{
	if (!session->is_relay) {
		meter_add(session->inbound->meter, METRIC_RECIPIENTS_REJECTED, 1);
		session_reject(session, "rcpt", SMTP_REPLY_RELAY_DENIED, data->rcpt.to.text);
		return;
	}
	transaction_add_recipient(session->transaction, data, session->inbound->settings->node.hostname);
	meter_add(session->inbound->meter, METRIC_RECIPIENTS_ACCEPTED, 1);
	session_decide(session, NULL);
}

void session_on_data_begin(struct session *session)
{
	transaction_begin_body(
		session->transaction, session->inbound->custody, loop_now_ms(session->inbound->loop));
	session_decide(session, NULL);
}

static void on_resumed(void *arg)
{
	struct session *session = arg;

	if (session->stream)
		stream_resume(session->stream);
}

void session_on_body(struct session *session, struct span piece)
{
	struct transaction *transaction = session->transaction;

	if (transaction_body(transaction, piece, session->inbound->settings->node.hostname) == BODY_PAUSE) {
		body_on_resume(transaction->message->body, on_resumed, session);
		stream_pause(session->stream);
	}
}

static void log_accepted(struct session *session, const struct message *message)
{
	char ip[ADDRESS_TEXT_SIZE];
	struct msg_id_text id = msg_id_format(&message->holding.id);
	const struct envelope *envelope = &message->envelope;

	meter_add(session->inbound->meter, METRIC_MESSAGES_ACCEPTED, 1);
	meter_add(session->inbound->meter, METRIC_BYTES_ACCEPTED, (int64_t)envelope->size);
	log_event(session->inbound->log, LOG_INFO, "message-accepted", LOG_STR("id", id.text),
		LOG_U64("session", session->number), LOG_STR("client", session_client_ip(session, ip)),
		LOG_STR("helo", session->helo), LOG_SPAN("sender", envelope->sender),
		LOG_U64("recipients", envelope->recipient_count), LOG_U64("size", envelope->size),
		LOG_BOOL("tls", (session->protocol & PROTOCOL_TLS) != 0), LOG_END);
}

static void say_queued(struct session *session, const struct message *message)
{
	struct msg_id_text id = msg_id_format(&message->holding.id);
	char text[64];
	const struct smtp_reply reply = { 250, "2.0.0",
		span_of(text, (size_t)snprintf(text, sizeof(text), "queued as %s", id.text)) };

	session_drop_transaction(session);
	session->messages++;
	session_decide_later(session, &reply);
}

static void on_verdict(void *arg, enum custody_verdict verdict)
{
	static const enum smtp_reply_id refusals[] = {
		[CUSTODY_FULL] = SMTP_REPLY_NO_MEMORY,
		[CUSTODY_UNAVAILABLE] = SMTP_REPLY_NO_CUSTODY,
	};
	struct session *session = arg;
	struct message *message = message_ref(session->transaction->message);

	session->transaction->intake = NULL;
	switch (verdict) {
	case CUSTODY_TAKEN:
		log_accepted(session, message);
		say_queued(session, message);
		break;
	case CUSTODY_FULL:
	case CUSTODY_UNAVAILABLE:
		session_drop_transaction(session);
		log_rejected(session, "custody", smtp_reply_get(refusals[verdict]), span_of(NULL, 0));
		session_decide_later(session, smtp_reply_get(refusals[verdict]));
		break;
	case CUSTODY_UNKNOWN:
		/* RFC 5321 4.5.4.1: without an answer the client tries again; a duplicate is better than a
		 * lie. */
		smtp_server_close(session->server, &session->inbound->scratch, NULL);
		stream_abort(session->stream);
		break;
	}
	message_unref(&message);
}

static void take_custody(struct session *session)
{
	struct transaction *transaction = session->transaction;

	transaction->began_ms = 0;
	transaction->intake = custody_take(
		session->inbound->custody, message_ref(transaction->message), on_verdict, session);
}

static void on_sealed(void *arg, enum err err)
{
	struct session *session = arg;

	if (!err) {
		take_custody(session);
		return;
	}
	session_drop_transaction(session);
	session_decide_later(session, smtp_reply_get(SMTP_REPLY_NO_MEMORY));
}

void session_on_message_end(struct session *session, const struct smtp_event_data *data)
{
	struct transaction *transaction = session->transaction;
	enum smtp_reply_id refusal = transaction_end_body(transaction, session->inbound->settings, data);

	if (refusal) {
		session_reject(session, "data", refusal, transaction->message->envelope.sender);
		session_drop_transaction(session);
		return;
	}
	if (body_seal(transaction->message->body, on_sealed, session))
		on_sealed(session, body_error(transaction->message->body));
}

void session_on_reset(struct session *session, const struct smtp_event_data *data)
{
	if (data->reply)
		log_rejected(session, "data", data->reply, span_of(NULL, 0));
	session_drop_transaction(session);
}
