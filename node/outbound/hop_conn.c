#include "outbound/hop_conn.h"

#include "custody/custody.h"
#include "io/stream.h"
#include "outbound/delivery.h"
#include "outbound/destination.h"
#include "outbound/hop_health.h"
#include "skein/proto/base/alloc.h"

#include <stdio.h>

enum { CHAIN_MAX = 2, IDLE_MS = 5000, QUEUED_MAX = 256 * 1024, WHY_MAX = HOP_ERROR_MAX };

/* Room for all that a login writes, so that the scratch buffer does not move while a secret is in it. */
enum { LOGIN_ROOM = 4 * CREDENTIALS_SECRET_MAX };

enum conn_login {
	CONN_LOGIN_NONE,
	CONN_LOGIN_DUE, /* the hop has not said what it thinks of it */
	CONN_LOGIN_JUDGED,
};

enum conn_phase {
	CONN_CONNECTING,
	CONN_READY,    /* EHLO is through */
	CONN_QUITTING, /* QUIT is written, or nothing more will be started */
	CONN_OVER,     /* the client said its last event; the stream is closing */
};

struct hop_conn {
	struct list link;
	struct hop *hop;
	struct stream *stream;
	struct smtp_client *client;
	struct route_permit *permit; /* NULL: it needs none */
	struct delivery deliveries[CHAIN_MAX];
	enum conn_phase phase;
	bool is_retiring;
	bool is_our_abort;  /* the hop did nothing wrong */
	unsigned completed; /* transactions */
	bool is_login_refused;
	enum conn_login login;
	struct login_mark mark; /* of what it logs in with */
	struct progress {
		enum smtp_client_stage stage;
		uint64_t replies, drained;
	} progress; /* when the deadline was set */
	uint64_t drained;
	struct loop_timer idle;
	char why[WHY_MAX];
	enum hop_security security;
	struct enhanced_code bars; /* the hop must not be used, and `why` says why not; 0: it may */
};

struct hop_conn *hop_conn_of_link(struct list *link)
{
	return LIST_ENTRY(link, struct hop_conn, link);
}

static struct delivery *delivery_in(struct hop_conn *conn, enum delivery_phase phase)
{
	for (size_t i = 0; i < CHAIN_MAX; i++) {
		if (conn->deliveries[i].phase == phase)
			return &conn->deliveries[i];
	}
	return NULL;
}

static bool is_busy(const struct hop_conn *conn)
{
	for (size_t i = 0; i < CHAIN_MAX; i++) {
		if (conn->deliveries[i].phase != DELIVERY_FREE)
			return true;
	}
	return false;
}

/* Those under way count: what is chained behind the last one would be one too many. */
static bool is_used_up(const struct hop_conn *conn)
{
	unsigned count = conn->completed;

	for (size_t i = 0; i < CHAIN_MAX; i++)
		count += conn->deliveries[i].phase != DELIVERY_FREE;
	return count >= conn->hop->route->messages_per_connection;
}

bool hop_conn_is_idle(const struct hop_conn *conn)
{
	return conn->phase == CONN_READY && !is_busy(conn);
}

/* --- writing ------------------------------------------------------------------------------------ */

/* What is written before it is ready may be a password. */
static bool writes_secrets(const struct hop_conn *conn)
{
	return conn->login != CONN_LOGIN_NONE && conn->phase == CONN_CONNECTING;
}

/* All command bytes go through one scratch buffer; the stream copies and sends at the end of the turn. */
static void flush_scratch(struct hop_conn *conn)
{
	struct buf *out = &conn->hop->outbound->scratch;

	if (buf_len(out) && writes_secrets(conn)) {
		if (conn->stream)
			stream_write_secret(conn->stream, buf_span(out));
		mem_wipe(out->base, out->cap);
	} else if (buf_len(out) && conn->stream) {
		stream_write(conn->stream, buf_span(out));
	}
	buf_clear(out);
}

static void drain_events(struct hop_conn *conn, struct span *in);

static void after_call(struct hop_conn *conn)
{
	struct span none = { 0 };

	drain_events(conn, &none);
}

/* Since the deadline was set; notes it. */
static bool has_progressed(struct hop_conn *conn)
{
	const struct progress now = { smtp_client_stage(conn->client), smtp_client_replies(conn->client),
		conn->drained };
	const struct progress before = conn->progress;

	conn->progress = now;
	return now.stage != before.stage || now.replies != before.replies || now.drained != before.drained;
}

/* A reply that comes byte by byte puts nothing off. */
static void set_deadline(struct hop_conn *conn)
{
	struct loop *loop = conn->hop->outbound->loop;

	if (!conn->stream)
		return;
	if (has_progressed(conn))
		stream_set_deadline(conn->stream, smtp_client_timeout_ms(conn->client));
	if (hop_conn_is_idle(conn))
		loop_timer_set(loop, &conn->idle, IDLE_MS);
	else
		loop_timer_cancel(loop, &conn->idle);
}

/* --- the body ----------------------------------------------------------------------------------- */

static void end_body(struct hop_conn *conn, struct delivery *delivery)
{
	struct outbound *outbound = conn->hop->outbound;

	outgoing_free(&delivery->outgoing);
	if (!custody_may_finish(outbound->custody, delivery->message)) {
		snprintf(conn->why, sizeof(conn->why), "the message is no longer ours to deliver");
		conn->is_our_abort = true;
		smtp_client_abort(conn->client);
		return;
	}
	delivery->phase = DELIVERY_WINDOW;
	custody_window(outbound->custody, delivery->message, true);
	smtp_client_body_end(conn->client, &outbound->scratch);
}

static void fail_body(struct hop_conn *conn, struct delivery *delivery)
{
	struct outbound *outbound = conn->hop->outbound;
	enum err err = outgoing_error(delivery->outgoing);

	log_event(outbound->log, LOG_ERROR, "body-unreadable",
		LOG_STR("id", msg_id_format(&delivery->message->holding.id).text), LOG_ERR(err), LOG_END);
	snprintf(conn->why, sizeof(conn->why), "the stored message cannot be read: %s", err_text(err));
	outgoing_free(&delivery->outgoing);
	conn->is_our_abort = true;
	smtp_client_abort(conn->client);
}

static void feed_body(struct hop_conn *conn, struct delivery *delivery)
{
	struct outbound *outbound = conn->hop->outbound;
	struct span piece;

	while (conn->stream && stream_queued_bytes(conn->stream) < QUEUED_MAX) {
		switch (outgoing_next(delivery->outgoing, &piece)) {
		case BODY_READ_PIECE:
			smtp_client_body(conn->client, piece, &outbound->scratch);
			flush_scratch(conn);
			break;
		case BODY_READ_WAIT:
			delivery->is_reading = true;
			return;
		case BODY_READ_END:
			end_body(conn, delivery);
			return;
		case BODY_READ_FAILED:
			fail_body(conn, delivery);
			return;
		}
	}
}

static struct delivery *delivery_in_body(struct hop_conn *conn)
{
	return delivery_in(conn, DELIVERY_BODY);
}

static void resume_body(struct hop_conn *conn)
{
	struct delivery *delivery = delivery_in_body(conn);

	if (!delivery || !delivery->outgoing || delivery->is_reading || conn->phase == CONN_OVER)
		return;
	feed_body(conn, delivery);
	after_call(conn);
}

static void on_body_ready(void *arg)
{
	struct delivery *delivery = delivery_in_body(arg);

	if (delivery)
		delivery->is_reading = false;
	resume_body(arg);
}

static void begin_body(struct hop_conn *conn, struct delivery *delivery)
{
	delivery->phase = DELIVERY_BODY;
	smtp_client_body(conn->client, delivery_prefix(delivery), &conn->hop->outbound->scratch);
	delivery->outgoing =
		outgoing_new(delivery->message->body, &delivery->change, DELIVERY_PIECE, on_body_ready, conn);
	feed_body(conn, delivery);
}

/* --- deliveries --------------------------------------------------------------------------------- */

static void hand_back(struct hop_conn *conn, struct delivery *delivery, enum attempt_end end)
{
	struct hop *hop = conn->hop;
	struct outbound *outbound = hop->outbound;
	bool fails_over = delivery_is_hops_trouble(delivery) && !conn->is_our_abort;
	struct message *message;

	if (fails_over)
		delivery_forget(delivery);
	message = delivery_take_back(delivery);
	outbound->trying--;
	hop->trying--;
	hop->destination->trying--;
	custody_window(outbound->custody, message, false);
	if (fails_over && !destination_fail_over(hop->destination, hop, message)) {
		delivery_renote(&hop->destination->part, message);
		fails_over = false;
	}
	if (!fails_over)
		outbound_attempted(outbound, message, end);
	message_unref(&message);
}

/* What the hop said where that explains it; else what went wrong. */
static void note_why(struct hop_conn *conn, const struct smtp_client_event_data *data)
{
	bool is_nonsense = data->failure == SMTP_FAILURE_GARBAGE || data->failure == SMTP_FAILURE_UNSOLICITED;

	if (conn->why[0])
		return;
	if (data->status.code)
		snprintf(conn->why, sizeof(conn->why), "%s%s answered with %u %.*s",
			is_nonsense ? "a reply that makes no sense: " : "",
			smtp_client_stage_name(data->stage), data->status.code,
			(int)(data->text.len < 120 ? data->text.len : 120), data->text.ptr);
	else
		snprintf(conn->why, sizeof(conn->why), "%s while waiting for %s",
			smtp_client_failure_text(data->failure), smtp_client_stage_name(data->stage));
}

static void on_lost(
	struct hop_conn *conn, struct delivery *delivery, const struct smtp_client_event_data *data)
{
	char text[WHY_MAX + 80];

	note_why(conn, data);
	snprintf(text, sizeof(text), "%s%s",
		data->is_outcome_unknown ? "no answer to the final dot, the message may have been delivered: "
					 : "",
		conn->why);
	delivery_lost(delivery, data, text, conn->hop->label);
	if (data->status.code == 421)
		hop_pushed_back(conn->hop, data->text);
	else if (!conn->is_our_abort)
		hop_troubled(conn->hop);
	if (data->status.code == 421)
		hop_health_slow(conn->hop, conn->why);
	hand_back(conn, delivery, data->is_outcome_unknown ? ATTEMPT_UNKNOWN : ATTEMPT_LOST);
}

static void start_ready(struct hop_conn *conn)
{
	struct delivery *delivery = delivery_in(conn, DELIVERY_READY);

	if (!delivery || conn->phase != CONN_READY || !smtp_client_can_start(conn->client))
		return;
	delivery->phase = DELIVERY_STARTED;
	delivery->hop_reports = smtp_client_caps(conn->client)->flags & SMTP_CAP_DSN;
	smtp_client_start(conn->client, &delivery->transaction, &conn->hop->outbound->scratch);
	after_call(conn);
}

static void on_prepared(void *arg, bool is_ready)
{
	struct hop_conn *conn = arg;
	struct delivery *delivery = delivery_in(conn, DELIVERY_PREPARING);

	if (!is_ready)
		hand_back(conn, delivery, ATTEMPT_DONE);
	if (conn->phase == CONN_OVER)
		return;
	hop_conn_fill(conn);
	after_call(conn);
}

/* What the connection's end finds not begun goes back into the queue, without an attempt. */
static void hand_back_not_begun(struct hop_conn *conn)
{
	for (size_t i = 0; i < CHAIN_MAX; i++) {
		enum delivery_phase phase = conn->deliveries[i].phase;

		if (phase == DELIVERY_PREPARING || phase == DELIVERY_READY)
			hand_back(conn, &conn->deliveries[i], ATTEMPT_DONE);
	}
}

/* VERP names the one recipient in the sender. */
static size_t recipients_at_once(const struct route *route)
{
	return route->rewrite.return_path == ROUTE_RETURN_VERP ? 1 : route->recipients_max;
}

/* Another worker waits for a connection: this one ends when its messages are through. */
static void yield_if_told(struct hop_conn *conn)
{
	if (conn->permit && conn->phase == CONN_READY && !conn->is_retiring &&
		route_permit_should_yield(conn->permit))
		hop_conn_retire(conn);
}

static void on_look(void *arg)
{
	if (hop_conn_is_idle(arg))
		yield_if_told(arg);
}

/* Where a rate decides nothing is chained: it would be begun now and sent when the one before is through. */
static struct delivery *free_delivery(struct hop_conn *conn)
{
	const struct route_gate *gate = conn->hop->destination->gate;

	return gate && route_gate_has_rate(gate) && is_busy(conn) ? NULL : delivery_in(conn, DELIVERY_FREE);
}

/* One at a time is prepared; whoever is ready starts before another is pulled. */
void hop_conn_fill(struct hop_conn *conn)
{
	struct hop *hop = conn->hop;
	struct outbound *outbound = hop->outbound;

	start_ready(conn);
	yield_if_told(conn);
	while (conn->phase == CONN_READY && !conn->is_retiring && smtp_client_can_start(conn->client) &&
		!delivery_in(conn, DELIVERY_PREPARING) && !is_used_up(conn)) {
		struct delivery *delivery = free_delivery(conn);
		size_t rcpt_max = recipients_at_once(hop->route);
		uint32_t told = smtp_client_caps(conn->client)->rcpt_max;
		struct message *message = delivery ? destination_pull(hop->destination, hop) : NULL;

		if (!message)
			break;
		outbound->trying++;
		hop->trying++;
		hop->destination->trying++;
		delivery_open(delivery, &hop->destination->part, message,
			told && told < rcpt_max ? told : rcpt_max);
		delivery->preparation = preparation_begin(&outbound->preparation, delivery, hop->route,
			smtp_client_caps(conn->client), on_prepared, conn);
		start_ready(conn);
	}
}

/* --- events of the machine ---------------------------------------------------------------------- */

static void close_stream(struct hop_conn *conn)
{
	if (conn->stream)
		stream_close(conn->stream);
}

/* Did it end for want of a login, without a no to it? */
static bool is_login_in_trouble(const struct hop_conn *conn, const struct smtp_client_event_data *data)
{
	if (conn->login != CONN_LOGIN_DUE)
		return false;
	switch (data->failure) {
	case SMTP_FAILURE_NO_TLS:
	case SMTP_FAILURE_AUTH_IN_CLEAR:
	case SMTP_FAILURE_NO_MECHANISM:
		return true;
	case SMTP_FAILURE_AUTH:
	case SMTP_FAILURE_CLOSING:
		return false;
	default:
		return data->stage == SMTP_STAGE_AUTH;
	}
}

/* Hosts lock accounts that are tried too often. */
static void note_login(struct hop_conn *conn, const struct smtp_client_event_data *data)
{
	static const struct enhanced_code security = { 4, 7, 0 };

	if (is_login_in_trouble(conn, data))
		conn->bars = security;
	conn->is_login_refused = conn->login == CONN_LOGIN_DUE && data->failure == SMTP_FAILURE_AUTH &&
				 data->status.code >= 500;
}

static void tell_failure(struct hop_conn *conn)
{
	if (conn->is_login_refused) {
		conn->login = CONN_LOGIN_JUDGED;
		hop_login_refused(conn->hop, &conn->mark, conn->why);
	} else if (conn->bars.class) {
		hop_conn_barred(conn->hop, conn->bars, conn->why);
	} else {
		hop_conn_failed(conn->hop, conn->why);
	}
}

/* A connection that brought nothing is the hop's failure; one that served and ended is not. */
static void finish(struct hop_conn *conn, bool is_failure)
{
	if (conn->phase == CONN_OVER)
		return;
	if (conn->phase == CONN_CONNECTING)
		conn->hop->connecting--;
	if (conn->bars.class || (is_failure && !conn->completed && !conn->is_our_abort))
		tell_failure(conn);
	conn->phase = CONN_OVER;
	close_stream(conn);
}

static void count_tls(const struct hop_conn *conn, enum tls_result result)
{
	if (transport_is_counted(&conn->hop->transport))
		meter_add_at(conn->hop->outbound->meter, METRIC_TLS_RESULTS, result, 1);
}

static enum tls_result result_of(const struct stream *stream, enum tls_result faultless)
{
	switch (stream_tls_fault(stream)) {
	case TLS_PEER_FAULTLESS:
		break;
	case TLS_PEER_MISNAMED:
		return TLS_RESULT_HOST_MISMATCH;
	case TLS_PEER_EXPIRED:
		return TLS_RESULT_EXPIRED;
	case TLS_PEER_UNTRUSTED:
		return TLS_RESULT_NOT_TRUSTED;
	case TLS_PEER_NO_RECORD:
		return TLS_RESULT_VALIDATION_FAILURE;
	}
	return faultless;
}

static void note_tls_missing(struct hop_conn *conn)
{
	conn->bars = transport_code_not_offered;
	count_tls(conn, TLS_RESULT_STARTTLS_NOT_SUPPORTED);
}

static void on_ready(struct hop_conn *conn)
{
	conn->phase = CONN_READY;
	conn->hop->connecting--;
	if (conn->login == CONN_LOGIN_DUE) {
		conn->login = CONN_LOGIN_JUDGED;
		hop_login_accepted(conn->hop, &conn->mark);
	}
	meter_add_at(conn->hop->outbound->meter, METRIC_HOP_SESSIONS, conn->security, 1);
	if (conn->security == HOP_SECURITY_CLEAR)
		count_tls(conn, TLS_RESULT_STARTTLS_NOT_SUPPORTED);
	hop_conn_opened(conn->hop);
}

static void start_tls(struct hop_conn *conn)
{
	struct hop *hop = conn->hop;
	struct tls_peer_rules rules;

	flush_scratch(conn);
	/* What the DNS says may have changed since it was opened. */
	if (hop->transport.level == TRANSPORT_BARRED) {
		snprintf(conn->why, sizeof(conn->why), "%s", hop->transport.why);
		conn->bars = hop->transport.code;
		stream_abort(conn->stream);
		return;
	}
	rules = transport_rules(&hop->transport);
	stream_start_tls_with(conn->stream, hop->outbound->tls, &rules, STREAM_TLS_DISCARD);
}

static void note_tls_broken(struct hop_conn *conn)
{
	struct hop *hop = conn->hop;

	count_tls(conn, result_of(conn->stream, TLS_RESULT_VALIDATION_FAILURE));
	if (!transport_broke(&hop->transport))
		conn->bars = transport_code_broken;
	else
		log_event(hop->outbound->log, LOG_WARN, "hop-tls-failed", LOG_STR("hop", hop->label),
			LOG_STR("then", "in clear for ten minutes, because TLS is not required"), LOG_END);
}

/*
 * 530 in clear from a hop that has TLS (RFC 3207 4), but not just now: STARTTLS was refused, or the handshake
 * failed. That says nothing about the message.
 */
static bool is_for_want_of_tls(const struct hop_conn *conn, const struct smtp_client_event_data *data)
{
	return data->status.code == 530 && conn->hop->target->tls != ROUTE_TLS_NONE && conn->stream &&
	       !stream_has_tls(conn->stream) && smtp_client_caps(conn->client)->flags & SMTP_CAP_STARTTLS;
}

/* RFC 3463 4.7.0: security. */
static void put_off_until_tls(struct hop_conn *conn, struct smtp_client_event_data *data)
{
	data->status = (struct mail_status){ .enhanced = { 4, 7, 0 } };
	conn->hop->transport.clear_until_ms = 0;
	conn->is_retiring = true;
}

static void on_event(struct hop_conn *conn, enum smtp_client_event event, struct smtp_client_event_data *data)
{
	switch (event) {
	case SMTP_CLIENT_MORE:
		break;
	case SMTP_CLIENT_STARTTLS:
		start_tls(conn);
		break;
	case SMTP_CLIENT_READY:
		on_ready(conn);
		break;
	case SMTP_CLIENT_BODY_WANTED:
		begin_body(conn, data->tag);
		break;
	case SMTP_CLIENT_RESULT:
		if (is_for_want_of_tls(conn, data))
			put_off_until_tls(conn, data);
		if (delivery_result(data->tag, data, conn->hop->label))
			hop_pushed_back(conn->hop, data->text);
		break;
	case SMTP_CLIENT_TRANSACTION_DONE:
		conn->completed++;
		if (!((struct delivery *)data->tag)->is_pushed_back)
			hop_served(conn->hop);
		hand_back(conn, data->tag, ATTEMPT_DONE);
		break;
	case SMTP_CLIENT_TRANSACTION_LOST:
		on_lost(conn, data->tag, data);
		break;
	case SMTP_CLIENT_FAILED:
		note_why(conn, data);
		note_login(conn, data);
		if (data->failure == SMTP_FAILURE_NO_TLS || data->stage == SMTP_STAGE_STARTTLS)
			note_tls_missing(conn);
		finish(conn, data->stage != SMTP_STAGE_IDLE && data->stage != SMTP_STAGE_QUIT);
		break;
	case SMTP_CLIENT_QUIT_DONE:
		finish(conn, false);
		break;
	}
}

static bool must_quit(const struct hop_conn *conn)
{
	return conn->phase == CONN_READY && !is_busy(conn) &&
	       (conn->is_retiring || smtp_client_is_spent(conn->client) ||
		       conn->completed >= conn->hop->route->messages_per_connection);
}

static void drain_events(struct hop_conn *conn, struct span *in)
{
	struct outbound *outbound = conn->hop->outbound;
	struct smtp_client_event_data data;
	enum smtp_client_event event;

	if (writes_secrets(conn))
		buf_reserve(&outbound->scratch, LOGIN_ROOM);
	while ((event = smtp_client_next(conn->client, in, &outbound->scratch, &data)) != SMTP_CLIENT_MORE) {
		flush_scratch(conn);
		on_event(conn, event, &data);
	}
	flush_scratch(conn);
	if (conn->completed >= conn->hop->route->messages_per_connection)
		conn->is_retiring = true;
	if (must_quit(conn)) {
		conn->phase = CONN_QUITTING;
		smtp_client_quit(conn->client, &outbound->scratch);
		flush_scratch(conn);
	}
	if (conn->phase != CONN_OVER)
		set_deadline(conn);
}

/* --- the stream --------------------------------------------------------------------------------- */

static size_t on_data(void *arg, struct span bytes)
{
	struct hop_conn *conn = arg;
	struct span rest = bytes;
	uint64_t before = smtp_client_replies(conn->client);

	drain_events(conn, &rest);
	if (smtp_client_replies(conn->client) != before)
		hop_is_alive(conn->hop);
	hop_conn_fill(conn);
	return bytes.len - rest.len;
}

static void on_drain(void *arg)
{
	struct hop_conn *conn = arg;

	conn->drained++;
	hop_is_alive(conn->hop);
	resume_body(conn);
}

static void on_tls(void *arg, const struct tls_info *info)
{
	struct hop_conn *conn = arg;

	count_tls(conn, result_of(conn->stream, TLS_RESULT_SUCCESS));
	if (info->is_by_dane)
		conn->security = HOP_SECURITY_DANE;
	else if (conn->hop->transport.level == TRANSPORT_NAMED)
		conn->security = HOP_SECURITY_VERIFIED;
	else
		conn->security = HOP_SECURITY_UNVERIFIED;
	if (!transport_is_tls_first(&conn->hop->transport))
		smtp_client_tls_started(conn->client, &conn->hop->outbound->scratch);
	after_call(conn);
}

static void on_close(void *arg, enum err why, const char *text)
{
	struct hop_conn *conn = arg;
	struct hop *hop = conn->hop;

	if (conn->phase == CONN_CONNECTING && why == ERR_TLS)
		note_tls_broken(conn);
	conn->stream = NULL;
	if (!conn->why[0])
		snprintf(conn->why, sizeof(conn->why), "%s while waiting for %s", text,
			smtp_client_stage_name(smtp_client_stage(conn->client)));
	smtp_client_abort(conn->client);
	after_call(conn);
	finish(conn, conn->phase == CONN_CONNECTING || is_busy(conn));
	hand_back_not_begun(conn);
	if (conn->login == CONN_LOGIN_DUE)
		hop_login_untried(hop, &conn->mark);
	loop_timer_cancel(hop->outbound->loop, &conn->idle);
	list_remove(&conn->link);
	hop->conn_count--;
	meter_add(hop->outbound->meter, METRIC_HOP_CONNECTIONS_OPEN, -1);
	smtp_client_free(&conn->client);
	route_permit_free(&conn->permit);
	mem_free(conn);
	destination_kick(hop->destination);
	outbound_connected(hop->outbound, -1);
}

static void on_open(void *arg)
{
	struct hop_conn *conn = arg;

	/* The deadline of the connection is that of the handshake too. */
	if (transport_is_tls_first(&conn->hop->transport))
		start_tls(conn);
	else
		set_deadline(conn);
}

static const struct stream_callbacks callbacks = {
	.on_open = on_open,
	.on_data = on_data,
	.on_drain = on_drain,
	.on_tls = on_tls,
	.on_close = on_close,
};

static void on_idle(void *arg)
{
	hop_conn_retire(arg);
}

static struct smtp_client_options client_options(const struct hop *hop)
{
	const struct route *route = hop->route;
	struct smtp_client_options options =
		smtp_client_default_options(hop->outbound->settings->node.hostname);

	options.tls = transport_starttls(&hop->transport);
	options.is_secure_from_start = transport_is_tls_first(&hop->transport);
	options.timeouts = (struct smtp_client_timeouts){
		.greeting_ms = route->timeout.greeting_ms,
		.ehlo_ms = route->timeout.command_ms,
		.starttls_ms = route->timeout.command_ms,
		.auth_ms = route->timeout.command_ms,
		.mail_ms = route->timeout.command_ms,
		.rcpt_ms = route->timeout.command_ms,
		.data_ms = route->timeout.data_ms,
		.body_ms = route->timeout.body_ms,
		.dot_ms = route->timeout.dot_ms,
		.rset_ms = route->timeout.command_ms,
		.quit_ms = route->timeout.quit_ms,
	};
	return options;
}

void hop_conn_open(struct hop *hop, const struct address *address)
{
	static const struct stream_options stream_options = { .output_low = DELIVERY_PIECE };
	struct smtp_client_options options = client_options(hop);
	struct login login = { .text = { 0 } };
	struct hop_conn *conn;

	if (hop->target->credentials && !hop_log_in(hop, &login))
		return;
	conn = mem_zalloc(sizeof(*conn));
	conn->hop = hop;
	conn->login = hop->target->credentials ? CONN_LOGIN_DUE : CONN_LOGIN_NONE;
	conn->mark = login.mark;
	options.credentials = login.client;
	conn->client = smtp_client_new(&options);
	login_wipe(&login);
	conn->permit = hop_take_permit(hop);
	if (conn->permit)
		route_permit_give(conn->permit, on_look, conn);
	loop_timer_init(&conn->idle, on_idle, conn);
	list_push_back(&hop->conns, &conn->link);
	hop->conn_count++;
	hop->connecting++;
	meter_add(hop->outbound->meter, METRIC_HOP_CONNECTIONS_OPEN, 1);
	outbound_connected(hop->outbound, 1);
	conn->stream = stream_connect(hop->outbound->loop, &address->sa, &stream_options, &callbacks, conn);
	stream_set_deadline(conn->stream, hop->route->timeout.connect_ms);
}

void hop_conn_retire(struct hop_conn *conn)
{
	conn->is_retiring = true;
	if (conn->phase == CONN_READY)
		after_call(conn);
	else if (conn->phase == CONN_CONNECTING) {
		conn->is_our_abort = true;
		hop_conn_abort(conn);
	}
}

void hop_conn_abort(struct hop_conn *conn)
{
	if (conn->stream)
		stream_abort(conn->stream);
}
