#include "outbound/hop_conn_internal.h"

#include "io/wall_clock.h"
#include "outbound/hop_certificates.h"
#include "skein/proto/base/alloc.h"

#include <stdio.h>

enum { IDLE_MS = 5000 };

/* Room for all that a login writes, so that the scratch buffer does not move while a secret is in it. */
enum { LOGIN_ROOM = 4 * CREDENTIALS_SECRET_MAX };

struct hop_conn *hop_conn_of_link(struct list *link)
{
	return LIST_ENTRY(link, struct hop_conn, link);
}

bool hop_conn_is_idle(const struct hop_conn *conn)
{
	return conn->phase == CONN_READY && !courier_is_busy(conn);
}

/* --- writing ------------------------------------------------------------------------------------ */

/* What is written before it is ready may be a password. */
static bool writes_secrets(const struct hop_conn *conn)
{
	return conn->login != CONN_LOGIN_NONE && conn->phase == CONN_CONNECTING;
}

/* All command bytes go through one scratch buffer; the stream copies and sends at the end of the turn. */
void hop_conn_flush(struct hop_conn *conn)
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

void hop_conn_proceed(struct hop_conn *conn)
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

/* --- permits ------------------------------------------------------------------------------------ */

void hop_conn_yield_if_told(struct hop_conn *conn)
{
	if (conn->permit && conn->phase == CONN_READY && !conn->is_retiring &&
		route_permit_should_yield(conn->permit))
		hop_conn_retire(conn);
}

static void on_look(void *arg)
{
	if (hop_conn_is_idle(arg))
		hop_conn_yield_if_told(arg);
}

/* --- events of the machine ---------------------------------------------------------------------- */

void hop_conn_note_why(struct hop_conn *conn, const struct smtp_client_event_data *data)
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
	char sending[ADDRESS_TEXT_SIZE] = "", receiving[ADDRESS_TEXT_SIZE] = "";
	struct address address;

	if (conn->stream && !stream_local(conn->stream, &address))
		address_format_ip(&address, sending);
	if (conn->stream && !stream_peer(conn->stream, &address))
		address_format_ip(&address, receiving);
	transport_tell(&conn->hop->transport, result, sending, receiving);
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

/* STARTTLS that is refused for now may come back. */
static void note_tls_missing(struct hop_conn *conn, struct mail_status status)
{
	conn->bars = transport_code_not_offered(&conn->hop->transport);
	if (mail_status_classify(status) == MAIL_TEMPORARY && status.code)
		conn->bars.class = 4;
	count_tls(conn, TLS_RESULT_STARTTLS_NOT_SUPPORTED);
}

/* RFC 8689 4.2.1: it gets none of what must have TLS all the way, but a QUIT. */
static bool keeps_no_promise(const struct hop_conn *conn)
{
	return conn->hop->destination->wish == TRANSPORT_WISH_REQUIRED &&
	       !(smtp_client_caps(conn->client)->flags & SMTP_CAP_REQUIRETLS);
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
	if (keeps_no_promise(conn)) {
		conn->is_retiring = true;
		hop_conn_barred(conn->hop, transport_code_no_requiretls,
			"the sender asks for TLS all the way, and the next hop does not promise that "
			"(REQUIRETLS)");
		return;
	}
	hop_conn_opened(conn->hop);
}

static void start_tls(struct hop_conn *conn)
{
	struct hop *hop = conn->hop;
	struct tls_peer_rules rules;

	hop_conn_flush(conn);
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
		conn->bars = transport_code_broken(&hop->transport);
	else
		log_event(hop->outbound->log, LOG_WARN, "hop-tls-failed", LOG_STR("hop", hop->label),
			LOG_STR("then", "in clear for ten minutes, because TLS is not required"), LOG_END);
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
		courier_begin_body(conn, data->tag);
		break;
	case SMTP_CLIENT_RESULT:
		courier_result(conn, data);
		break;
	case SMTP_CLIENT_TRANSACTION_DONE:
		courier_done(conn, data->tag);
		break;
	case SMTP_CLIENT_TRANSACTION_LOST:
		courier_lost(conn, data->tag, data);
		break;
	case SMTP_CLIENT_FAILED:
		hop_conn_note_why(conn, data);
		note_login(conn, data);
		if (data->failure == SMTP_FAILURE_NO_TLS || data->stage == SMTP_STAGE_STARTTLS)
			note_tls_missing(conn, data->status);
		finish(conn, data->stage != SMTP_STAGE_IDLE && data->stage != SMTP_STAGE_QUIT);
		break;
	case SMTP_CLIENT_QUIT_DONE:
		finish(conn, false);
		break;
	}
}

static bool must_quit(const struct hop_conn *conn)
{
	return conn->phase == CONN_READY && !courier_is_busy(conn) &&
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
		hop_conn_flush(conn);
		on_event(conn, event, &data);
	}
	hop_conn_flush(conn);
	if (conn->completed >= conn->hop->route->messages_per_connection)
		conn->is_retiring = true;
	if (must_quit(conn)) {
		conn->phase = CONN_QUITTING;
		smtp_client_quit(conn->client, &outbound->scratch);
		hop_conn_flush(conn);
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
	courier_fill(conn);
	return bytes.len - rest.len;
}

static void on_drain(void *arg)
{
	struct hop_conn *conn = arg;

	conn->drained++;
	hop_is_alive(conn->hop);
	courier_resume(conn);
}

/* Where nobody checks it, its end changes nothing; a TLSA record stands for the key, whatever the date. */
static void note_certificate(const struct hop_conn *conn, const struct tls_info *info)
{
	const struct hop *hop = conn->hop;

	if (conn->security == HOP_SECURITY_VERIFIED)
		hop_certificates_note(hop->outbound->certificates, hop->host, info->peer_ends_s,
			(int64_t)(wall_clock_ms() / 1000));
}

static void on_tls(void *arg, const struct tls_info *info)
{
	struct hop_conn *conn = arg;

	count_tls(conn, result_of(conn->stream, TLS_RESULT_SUCCESS));
	snprintf(conn->tls, sizeof(conn->tls), "%s %s", info->protocol, info->cipher);
	if (info->is_by_dane)
		conn->security = HOP_SECURITY_DANE;
	else if (conn->hop->transport.level == TRANSPORT_NAMED)
		conn->security = HOP_SECURITY_VERIFIED;
	else
		conn->security = HOP_SECURITY_UNVERIFIED;
	note_certificate(conn, info);
	if (!transport_is_tls_first(&conn->hop->transport))
		smtp_client_tls_started(conn->client, &conn->hop->outbound->scratch);
	hop_conn_proceed(conn);
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
	hop_conn_proceed(conn);
	finish(conn, conn->phase == CONN_CONNECTING || courier_is_busy(conn));
	courier_end(conn);
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
	options.uses_chunking = route->chunking;
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
	(void)address_format_ip(address, conn->ip);
	loop_timer_init(&conn->idle, on_idle, conn);
	list_push_back(&hop->conns, &conn->link);
	hop->conn_count++;
	hop->connecting++;
	meter_add(hop->outbound->meter, METRIC_HOP_CONNECTIONS_OPEN, 1);
	outbound_connected(hop->outbound, 1);
	conn->stream = stream_connect(hop->outbound->loop, &address->sa, &stream_options, &callbacks, conn);
	stream_set_deadline(conn->stream, hop->route->timeout.connect_ms);
}

void hop_conn_fill(struct hop_conn *conn)
{
	courier_fill(conn);
}

void hop_conn_retire(struct hop_conn *conn)
{
	conn->is_retiring = true;
	if (conn->phase == CONN_READY)
		hop_conn_proceed(conn);
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
