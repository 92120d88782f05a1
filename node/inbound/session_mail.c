#include "inbound/session_auth.h"
#include "inbound/session_internal.h"

#include "access/srs_secret.h"
#include "alerts/alert_ledger.h"
#include "io/wall_clock.h"
#include "skein/proto/base/alloc.h"

#include <stdio.h>

enum { STALL_MAX_MS = 30000 };

void session_drop_transaction(struct session *session)
{
	toll_give_back(&session->toll);
	transaction_free(&session->transaction);
}

static void tell_rejected(
	struct session *session, const char *step, const struct smtp_reply *reply, struct span about)
{
	meter_add_at(session->inbound->meter, METRIC_MESSAGES_REJECTED,
		reply->code >= 500 ? REJECT_PERMANENT : REJECT_TEMPORARY, 1);
	session_track_reject(session, step, reply, about, visitor_rule(&session->visitor));
}

static void reject_with(
	struct session *session, const char *step, const struct smtp_reply *reply, struct span about)
{
	tell_rejected(session, step, reply, about);
	session_decide(session, reply);
}

void session_reject(struct session *session, const char *step, enum smtp_reply_id id, struct span about)
{
	reject_with(session, step, smtp_reply_get(id), about);
}

/* A refusal that names what is refused: an address that the client wrote, where a reply can show it. */
static void reject_address(struct session *session, const char *step, enum smtp_reply_id plain,
	const struct smtp_address *address, const char *what)
{
	struct smtp_reply reply = *smtp_reply_get(plain);
	char text[SMTP_MAILBOX_MAX + 160];

	if (!address->has_utf8 && address->text.len <= SMTP_MAILBOX_MAX)
		reply.text = span_of(text,
			(size_t)snprintf(text, sizeof(text), "<%.*s> %s", SPAN_ARGS(address->text), what));
	reject_with(session, step, &reply, address->text);
}

enum smtp_reply_id session_unready_reply(const struct session *session)
{
	if (session->inbound->mode == INBOUND_ENDING)
		return SMTP_REPLY_SHUTTING_DOWN;
	switch (health_trouble(session->inbound->health)) {
	case READINESS_READY:
	case READINESS_STARTING:
	case READINESS_DRAINING:
		break;
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

/* RFC 6710 4.1: whom we do not know may step back, but not jump the queue. */
static int8_t priority_max(const struct session *session)
{
	const struct visitor *visitor = &session->visitor;
	bool is_trusted =
		visitor->user || visitor->cert_subject ||
		cidr_list_contains(&session->inbound->settings->smtp.priority_from, &session->client.sa);

	return is_trusted ? ENVELOPE_PRIORITY_MAX : 0;
}

static void note_lowered(struct session *session, int8_t asked)
{
	char ip[ADDRESS_TEXT_SIZE], number[SESSION_NUMBER_SIZE];

	log_event(session->inbound->log, LOG_INFO, "priority-lowered",
		LOG_STR("session", session_number_text(session, number)),
		LOG_STR("client", session_client_ip(session, ip)), LOG_U64("asked", (uint64_t)asked),
		LOG_STR("why", "neither authenticated nor in smtp.priority_from"), LOG_END);
}

/* To MAIL, when it is taken. */
static const struct smtp_reply *taken_reply(const struct session *session)
{
	return session->transaction->is_priority_lowered ? smtp_reply_get(SMTP_REPLY_PRIORITY_LOWERED) : NULL;
}

static void begin_transaction(struct session *session, const struct smtp_event_data *data)
{
	char ip[ADDRESS_TEXT_SIZE];
	const struct transaction_origin origin = {
		.client_ip = session_client_ip(session, ip),
		.helo = span_of_str(session->visitor.helo),
		.user = span_of_str(session->visitor.user),
		.rule = span_of_str(visitor_rule(&session->visitor)),
		.protocol = session->protocol,
		.hostname = session->inbound->settings->node.hostname,
		.priority_max = priority_max(session),
	};

	session_drop_transaction(session);
	session->transaction = transaction_new(session->inbound->custody, data, &origin);
	session->transaction->message->session = session->number;
	if (session->transaction->is_priority_lowered)
		note_lowered(session, data->mail.params.priority);
}

/*
 * What the client has to do first, or what is wrong with this message whoever gets it. Who may not relay at
 * all is told so at RCPT: the log then has both addresses.
 */
static enum smtp_reply_id policy_objection(struct session *session, const struct smtp_event_data *data)
{
	struct visitor *visitor = &session->visitor;
	uint64_t size_max;

	session_ask_policy(session);
	switch (visitor->decision.verdict) {
	case POLICY_NEEDS_TLS:
		return SMTP_REPLY_NEED_TLS;
	case POLICY_NEEDS_AUTH:
		return visitor->later & POLICY_LATER_TLS ? SMTP_REPLY_NEED_TLS : SMTP_REPLY_NEED_AUTH;
	case POLICY_DENY:
		return SMTP_REPLY_NONE;
	case POLICY_ALLOW:
		break;
	}
	size_max = visitor_size_max(visitor);
	if (size_max && data->mail.params.size > size_max)
		return SMTP_REPLY_TOO_BIG;
	return visitor_may_send_as(visitor, data->mail.from.text) ? SMTP_REPLY_NONE
								  : SMTP_REPLY_SENDER_NOT_ALLOWED;
}

void session_on_mail(struct session *session, const struct smtp_event_data *data)
{
	enum smtp_reply_id refusal = session_unready_reply(session);

	if (!refusal && session_auth_is_stale(session))
		refusal = SMTP_REPLY_AUTH_STALE;
	if (!refusal)
		refusal = policy_objection(session, data);
	if (refusal == SMTP_REPLY_SENDER_NOT_ALLOWED) {
		reject_address(session, "mail", refusal, &data->mail.from,
			session->visitor.user ? "is no address that you may send as"
					      : "is no sender that is allowed from your address");
		return;
	}
	if (refusal) {
		session_reject(session, "mail", refusal, data->mail.from.text);
		return;
	}
	begin_transaction(session, data);
	if (budget_level(session->inbound->budget) < BUDGET_HIGH) {
		session_decide(session, taken_reply(session));
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
	session_decide_later(session, is_easy ? taken_reply(session) : smtp_reply_get(SMTP_REPLY_NO_MEMORY));
	return true;
}

static bool may_send_to(const struct session *session, const struct smtp_address *to)
{
	char full[SMTP_MAILBOX_MAX + SMTP_DOMAIN_MAX + 1];
	struct span address = to->text;

	/* RFC 5321 4.1.1.3: without a domain it is our own postmaster. */
	if (to->kind == SMTP_ADDRESS_POSTMASTER) {
		address = span_of(full, (size_t)snprintf(full, sizeof(full), "%.*s@%s", SPAN_ARGS(to->text),
						session->inbound->settings->node.hostname));
	}
	return visitor_may_send_to(&session->visitor, address);
}

static void reject_return(struct session *session, const struct smtp_address *to, enum smtp_reply_id reply)
{
	meter_add(session->inbound->meter, METRIC_RECIPIENTS_REJECTED, 1);
	session_reject(session, "rcpt", reply, to->text);
}

/* One of our return paths (SRS) is whom it stands for; all others are who they are. */
static void add_recipient(struct session *session, const struct smtp_event_data *data)
{
	struct inbound *inbound = session->inbound;
	const struct smtp_address *to = &data->rcpt.to;
	struct buf original = { 0 };
	enum srs_outcome outcome =
		srs_secret_unwrap(inbound->secrets, session->visitor.snapshot->policy, to->text, &original);

	if (outcome == SRS_DONE &&
		!envelope_addr_is_safe(buf_span(&original), session->transaction->message->envelope.smtputf8))
		outcome = SRS_REFUSED;
	if (outcome == SRS_NO_SECRET) {
		reject_return(session, to, SMTP_REPLY_POLICY_UNAVAILABLE);
	} else if (outcome == SRS_REFUSED) {
		reject_return(session, to, SMTP_REPLY_NO_RETURN);
	} else {
		transaction_add_recipient(session->transaction, data, inbound->settings->node.hostname);
		if (outcome == SRS_DONE)
			transaction_redirect(session->transaction, buf_span(&original));
		meter_add(inbound->meter, METRIC_RECIPIENTS_ACCEPTED, 1);
		session_decide(session, NULL);
	}
	buf_fini(&original);
}

void session_on_rcpt(struct session *session, const struct smtp_event_data *data)
{
	const struct smtp_address *to = &data->rcpt.to;
	bool is_relay = session->visitor.decision.verdict == POLICY_ALLOW;

	if (!is_relay || !may_send_to(session, to)) {
		meter_add(session->inbound->meter, METRIC_RECIPIENTS_REJECTED, 1);
		if (is_relay)
			reject_address(session, "rcpt", SMTP_REPLY_RELAY_DENIED, to,
				"is no recipient that you may send to");
		else
			session_reject(session, "rcpt", SMTP_REPLY_RELAY_DENIED, to->text);
		return;
	}
	add_recipient(session, data);
}

/* True: decided, see *verdict_out. */
static bool ask_limits(struct session *session, unsigned units, toll_fn *fn, struct toll_verdict *verdict_out)
{
	const struct toll_limits limits = session_limits(session, units);
	struct arena arena = { 0 };
	struct limit_subject subject;
	bool is_decided;

	*verdict_out = (struct toll_verdict){ .is_let_in = true };
	if (!toll_is_due(&limits))
		return true;
	subject = session_subject(session, &arena);
	is_decided = toll_ask(
		&session->toll, session->inbound->limits, &limits, &subject, fn, session, verdict_out);
	arena_fini(&arena);
	return is_decided;
}

static struct smtp_reply limit_reply(const struct toll_verdict *verdict, char text[LIMIT_TEXT_SIZE])
{
	struct smtp_reply reply = { 450, "4.7.1", session_limit_text(verdict, text) };

	if (verdict->rule->action == LIMIT_REJECT) {
		reply.code = 550;
		reply.enhanced = "5.7.1";
	}
	return reply;
}

static void begin_body(struct session *session)
{
	transaction_begin_body(
		session->transaction, session->inbound->custody, loop_now_ms(session->inbound->loop));
}

static void on_message_limits(void *arg, const struct toll_verdict *verdict)
{
	struct session *session = arg;
	char text[LIMIT_TEXT_SIZE];
	struct smtp_reply reply;

	if (verdict->is_let_in) {
		begin_body(session);
		session_decide_later(session, NULL);
		return;
	}
	reply = limit_reply(verdict, text);
	tell_rejected(session, "limit", &reply, session->transaction->message->envelope.sender);
	session_decide_later(session, &reply);
}

/* The machine tells of a refused DATA by RESET, which drops the transaction. */
void session_on_data_begin(struct session *session)
{
	struct toll_verdict verdict;
	char text[LIMIT_TEXT_SIZE];
	struct smtp_reply reply;

	if (!ask_limits(session, 1u << LIMIT_MESSAGES | 1u << LIMIT_RECIPIENTS, on_message_limits, &verdict))
		return;
	if (verdict.is_let_in) {
		begin_body(session);
		session_decide(session, NULL);
		return;
	}
	reply = limit_reply(&verdict, text);
	reject_with(session, "limit", &reply, session->transaction->message->envelope.sender);
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

static void tell_accepted(struct session *session, const struct message *message)
{
	char ip[ADDRESS_TEXT_SIZE];

	meter_add(session->inbound->meter, METRIC_MESSAGES_ACCEPTED, 1);
	meter_observe(session->inbound->meter, METRIC_TRANSACTION_TIME,
		uv_hrtime() / 1000 - session->transaction->mail_us);
	meter_add(session->inbound->meter, METRIC_BYTES_ACCEPTED, (int64_t)message->envelope.size);
	alert_ledger_sent(session->inbound->ledger, session->visitor.user ? session->visitor.user : "",
		session_client_ip(session, ip), message->envelope.sender);
	session_track_received(session, message);
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
		tell_accepted(session, message);
		toll_keep(&session->toll);
		say_queued(session, message);
		break;
	case CUSTODY_FULL:
	case CUSTODY_UNAVAILABLE:
		tell_rejected(session, "custody", smtp_reply_get(refusals[verdict]), span_of(NULL, 0));
		session_drop_transaction(session);
		session_decide_later(session, smtp_reply_get(refusals[verdict]));
		break;
	case CUSTODY_UNKNOWN:
		/* RFC 5321 4.5.4.1: without an answer the client tries again; a duplicate is better than a
		 * lie. */
		toll_keep(&session->toll);
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

/* A filter wants it so: the client hears what it always hears. */
static void discard(struct session *session)
{
	struct message *message = message_ref(session->transaction->message);

	session_track_discarded(session, message);
	toll_keep(&session->toll);
	say_queued(session, message);
	message_unref(&message);
}

static void on_inspected(void *arg, enum inspector_end end, const struct smtp_reply *refusal)
{
	struct session *session = arg;

	session->transaction->inspector = NULL;
	switch (end) {
	case INSPECTOR_TAKEN:
		take_custody(session);
		break;
	case INSPECTOR_REFUSED:
		tell_rejected(session, "inspect", refusal, session->transaction->message->envelope.sender);
		session_drop_transaction(session);
		session_decide_later(session, refusal);
		break;
	case INSPECTOR_DISCARDED:
		discard(session);
		break;
	}
}

/* What filters are told of the session. */
static struct milter_facts session_facts(const struct session *session)
{
	struct arena *arena = &session->transaction->message->arena;
	struct milter_facts facts = {
		.client_port = address_port(&session->client),
		.auth_type = session_auth_mechanism(session),
	};
	struct tls_info info;

	if (stream_tls_info(session->stream, arena, &info)) {
		facts.tls_version = span_of_str(info.protocol);
		facts.cipher = span_of_str(info.cipher);
	}
	return facts;
}

/* The answer of the policy at MAIL holds. */
static void inspect(struct session *session)
{
	struct transaction *transaction = session->transaction;
	struct inspector_request request = {
		.inspection = visitor_inspection(&session->visitor),
		.message = transaction->message,
		.own_fields = transaction->own_fields,
		.own_size = transaction->own_size,
	};

	if (!inspector_is_due(request.inspection)) {
		take_custody(session);
		return;
	}
	request.session = session_facts(session);
	transaction->inspector =
		inspector_begin(&session->inbound->inspector, &request, on_inspected, session);
}

static void on_sealed(void *arg, enum err err)
{
	struct session *session = arg;

	if (!err) {
		inspect(session);
		return;
	}
	tell_rejected(session, "custody", smtp_reply_get(SMTP_REPLY_NO_MEMORY), span_of(NULL, 0));
	session_drop_transaction(session);
	session_decide_later(session, smtp_reply_get(SMTP_REPLY_NO_MEMORY));
}

static void seal(struct session *session)
{
	struct body *body = session->transaction->message->body;

	if (body_seal(body, on_sealed, session))
		on_sealed(session, body_error(body));
}

static void on_byte_limits(void *arg, const struct toll_verdict *verdict)
{
	struct session *session = arg;
	char text[LIMIT_TEXT_SIZE];
	struct smtp_reply reply;

	if (verdict->is_let_in) {
		seal(session);
		return;
	}
	reply = limit_reply(verdict, text);
	tell_rejected(session, "limit", &reply, session->transaction->message->envelope.sender);
	session_drop_transaction(session);
	session_decide_later(session, &reply);
}

void session_on_message_end(struct session *session, const struct smtp_event_data *data)
{
	struct transaction *transaction = session->transaction;
	struct toll_verdict verdict;
	enum smtp_reply_id refusal = transaction_end_body(transaction, session->inbound->settings, data);
	uint64_t size_max = visitor_size_max(&session->visitor);

	session->body_ended_us = uv_hrtime() / 1000;
	if (!refusal && size_max && data->message_end.size > size_max)
		refusal = SMTP_REPLY_TOO_BIG;
	if (refusal) {
		session_reject(session, "data", refusal, transaction->message->envelope.sender);
		session_drop_transaction(session);
		return;
	}
	if (!ask_limits(session, 1u << LIMIT_BYTES, on_byte_limits, &verdict))
		return;
	on_byte_limits(session, &verdict);
}

void session_on_reset(struct session *session, const struct smtp_event_data *data)
{
	if (data->reply)
		tell_rejected(session, "data", data->reply, span_of(NULL, 0));
	session_drop_transaction(session);
}
