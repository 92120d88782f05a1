#include "inbound/session_internal.h"

#include "inbound/handling.h"
#include "inbound/session_auth.h"
#include "io/wall_clock.h"
#include "skein/proto/base/alloc.h"
#include "skein/proto/wire/proxy_header.h"

#include <stdio.h>

enum {
	INPUT_MAX = 64 * 1024,
	LINGER_SILENCE_MS = 2000, /* of a session between messages, when the node leaves */
};

struct session *session_of_link(struct list *link)
{
	return LIST_ENTRY(link, struct session, link);
}

struct session *session_of_stall(struct list *link)
{
	return LIST_ENTRY(link, struct session, stall);
}

static void pump(struct session *session, struct span *in);

/* --- replies ------------------------------------------------------------------------------------ */

static void flush(struct session *session)
{
	struct buf *out = &session->inbound->scratch;

	if (buf_len(out) && session->stream)
		stream_write(session->stream, buf_span(out));
	buf_clear(out);
}

void session_decide(struct session *session, const struct smtp_reply *reply)
{
	smtp_server_decide(session->server, &session->inbound->scratch, reply);
	flush(session);
}

/*
 * After a decision that came later. The machine goes on with what the client has sent meanwhile, and wants
 * all of that at once: by it a refused DATA is told from one whose body is under way already.
 */
static void go_on(struct session *session)
{
	struct span none = { 0 };

	if (session->stream && !stream_has_unconsumed(session->stream))
		pump(session, &none);
	if (session->stream)
		stream_resume(session->stream);
}

void session_decide_later(struct session *session, const struct smtp_reply *reply)
{
	session_decide(session, reply);
	go_on(session);
}

void session_challenge(struct session *session, struct span challenge)
{
	smtp_server_challenge(session->server, &session->inbound->scratch, challenge);
	flush(session);
	go_on(session);
}

static void close_with(struct session *session, const struct smtp_reply *reply)
{
	smtp_server_close(session->server, &session->inbound->scratch, reply);
	flush(session);
	session->phase = SESSION_CLOSING;
	stream_close(session->stream);
}

/* --- deadlines ---------------------------------------------------------------------------------- */

/* Between two messages, of a node that leaves. */
static bool is_lingering(const struct session *session)
{
	return session->inbound->mode == INBOUND_LINGERING && session->phase == SESSION_SPEAKING &&
	       smtp_server_is_idle(session->server);
}

static void arm_timer(struct session *session)
{
	const struct settings *settings = session->inbound->settings;
	uint64_t wait_ms = settings->limits.idle_timeout_ms;
	uint64_t now_ms = loop_now_ms(session->inbound->loop);

	if (session->phase == SESSION_PROXY || session->phase == SESSION_HANDSHAKE)
		wait_ms = settings->limits.handshake_timeout_ms;
	if (is_lingering(session) && wait_ms > LINGER_SILENCE_MS)
		wait_ms = LINGER_SILENCE_MS;
	if (session->transaction && session->transaction->began_ms) {
		uint64_t end_ms = session->transaction->began_ms + settings->limits.data_timeout_ms;
		uint64_t left_ms = end_ms > now_ms ? end_ms - now_ms : 0;

		wait_ms = left_ms < wait_ms ? left_ms : wait_ms;
	}
	/* Custody has deadlines of its own; the client does nothing wrong while it waits. */
	if (session->phase == SESSION_CLOSING || (session->server && smtp_server_is_waiting(session->server)))
		loop_timer_cancel(session->inbound->loop, &session->timer);
	else
		loop_timer_set(session->inbound->loop, &session->timer, wait_ms);
}

static void on_timeout(void *arg)
{
	struct session *session = arg;

	session->end = "timed out";
	if (session->phase == SESSION_SPEAKING)
		close_with(session, smtp_reply_get(is_lingering(session) ? SMTP_REPLY_SHUTTING_DOWN
									 : SMTP_REPLY_TIMEOUT));
	else
		stream_abort(session->stream);
}

/* --- who it is ---------------------------------------------------------------------------------- */

const char *session_client_ip(const struct session *session, char text[ADDRESS_TEXT_SIZE])
{
	return address_format_ip(&session->client, text);
}

static const struct listener_settings *listener_settings(const struct session *session)
{
	return &session->inbound->settings->listeners.items[session->listener->index];
}

static struct tls_slot *tls_slot(const struct session *session)
{
	return &session->inbound->tls[session->listener->index];
}

void session_log_refused(
	struct session *session, enum refused_reason reason, const char *why, const struct smtp_reply *reply)
{
	struct smtp_reply said = reply ? *reply : (struct smtp_reply){ .enhanced = "" };
	char ip[ADDRESS_TEXT_SIZE];

	meter_add_at(session->inbound->meter, METRIC_CONNECTIONS_REFUSED, reason, 1);
	log_event(session->inbound->log, LOG_WARN, "connection-refused",
		LOG_STR("client", session_client_ip(session, ip)), LOG_STR("why", why), LOG_END);
	said.text = span_of_str(why);
	session_track_reject(session, "connect", &said, span_of(NULL, 0), NULL);
}

/* --- events of the machine ---------------------------------------------------------------------- */

static void on_helo(struct session *session, const struct smtp_event_data *data)
{
	mem_free(session->visitor.helo);
	session->visitor.helo = mem_strndup(data->helo.name.ptr,
		data->helo.name.len < ENVELOPE_NAME_MAX ? data->helo.name.len : ENVELOPE_NAME_MAX);
	session->protocol = (uint8_t)((session->protocol & ~PROTOCOL_EXTENDED) |
				      (data->helo.extended ? PROTOCOL_EXTENDED : 0));
	session_auth_offer(session);
	handling_offer(session->server, listener_settings(session), wall_clock_ms());
	session_decide(session, NULL);
}

static void on_starttls(struct session *session)
{
	struct tls_context *tls = tls_slot_get(tls_slot(session));

	if (!tls) {
		session_decide(session, smtp_reply_get(SMTP_REPLY_TLS_UNAVAILABLE));
		return;
	}
	session_decide(session, NULL);
	session->phase = SESSION_HANDSHAKE;
	stream_start_tls(session->stream, tls, NULL, STREAM_TLS_DISCARD);
	tls_context_unref(&tls);
}

static void on_event(struct session *session, enum smtp_event event, const struct smtp_event_data *data)
{
	if (event != SMTP_EVENT_AUTH_RESPONSE)
		session_auth_give_up(session);
	switch (event) {
	case SMTP_EVENT_NONE:
		break;
	case SMTP_EVENT_HELO:
		on_helo(session, data);
		break;
	case SMTP_EVENT_MAIL:
		session_on_mail(session, data);
		break;
	case SMTP_EVENT_RCPT:
		session_on_rcpt(session, data);
		break;
	case SMTP_EVENT_DATA_BEGIN:
		session_on_data_begin(session);
		break;
	case SMTP_EVENT_BODY:
		session_on_body(session, data->body);
		break;
	case SMTP_EVENT_MESSAGE_END:
		session_on_message_end(session, data);
		break;
	case SMTP_EVENT_STARTTLS:
		on_starttls(session);
		break;
	case SMTP_EVENT_AUTH:
		session_on_auth(session, data);
		break;
	case SMTP_EVENT_AUTH_RESPONSE:
		session_on_auth_response(session, data);
		break;
	case SMTP_EVENT_RESET:
		session_on_reset(session, data);
		break;
	case SMTP_EVENT_QUIT:
	case SMTP_EVENT_CLOSE:
		session->end = event == SMTP_EVENT_QUIT ? "QUIT" : "closed by us";
		session->phase = SESSION_CLOSING;
		session_drop_transaction(session);
		flush(session);
		stream_close(session->stream);
		break;
	}
}

static bool is_paused(const struct session *session)
{
	return session->phase != SESSION_SPEAKING || list_is_linked(&session->stall);
}

/* A password was in there, and the buffer lives on. */
static void wipe_consumed(struct span before, struct span after)
{
	if (after.ptr > before.ptr)
		explicit_bzero((void *)(uintptr_t)before.ptr, (size_t)(after.ptr - before.ptr));
}

static void pump(struct session *session, struct span *in)
{
	struct smtp_event_data data;
	enum smtp_event event;

	for (;;) {
		struct span before = *in;

		event = smtp_server_next(session->server, in, &session->inbound->scratch, &data);
		if (event == SMTP_EVENT_NONE)
			break;
		flush(session);
		on_event(session, event, &data);
		if (event == SMTP_EVENT_AUTH || event == SMTP_EVENT_AUTH_RESPONSE)
			wipe_consumed(before, *in);
		if (is_paused(session))
			break;
	}
	flush(session);
	if (session->inbound->mode == INBOUND_ENDING && session->phase == SESSION_SPEAKING &&
		smtp_server_is_idle(session->server)) {
		session->end = "this node is draining";
		close_with(session, smtp_reply_get(SMTP_REPLY_SHUTTING_DOWN));
	}
	arm_timer(session);
}

/* --- the beginning ------------------------------------------------------------------------------ */

static void greet(struct session *session, const struct smtp_reply *reply)
{
	struct span none = { 0 };

	session->phase = SESSION_SPEAKING;
	smtp_server_greet(session->server, &session->inbound->scratch, reply);
	pump(session, &none);
}

/* At the greeting it is 421 whatever the reason (RFC 5321 3.8). */
static const struct smtp_reply *unready(struct session *session)
{
	const struct smtp_reply *reply;

	if (!session->is_late && !session_unready_reply(session))
		return NULL;
	meter_add_at(session->inbound->meter, METRIC_CONNECTIONS_REFUSED, REFUSED_NOT_READY, 1);
	reply = smtp_reply_get(session->is_late ? SMTP_REPLY_SHUTTING_DOWN : SMTP_REPLY_NOT_READY);
	session_track_reject(session, "connect", reply, span_of(NULL, 0), NULL);
	return reply;
}

static unsigned may_learn(const struct session *session)
{
	unsigned later = session->visitor.helo ? 0 : POLICY_LATER_HELO;

	if (session->visitor.tls == POLICY_TLS_NONE && listener_settings(session)->tls != LISTENER_TLS_NONE)
		later |= POLICY_LATER_TLS;
	return later;
}

void session_ask_policy(struct session *session)
{
	session->visitor.later = may_learn(session);
	if (session_auth_may_come(session))
		session->visitor.later |= POLICY_LATER_AUTH;
	visitor_ask(&session->visitor, session->inbound->policy);
}

/* The client's address is known. */
static void begin(struct session *session)
{
	CHECK(network_of_address(&session->client.sa, &session->network));
	session->visitor.address = &session->client.sa;
	session->visitor.listener = listener_settings(session)->name;
	session_track_connect(session);
	session_admit(session);
}

/* Whoever is turned away where TLS comes first is not worth a handshake. */
static void start_implicit_tls(struct session *session, bool is_refused)
{
	struct tls_context *tls;

	if (is_refused) {
		session->phase = SESSION_CLOSING;
		stream_close(session->stream);
		return;
	}
	tls = tls_slot_get(tls_slot(session));
	CHECK(tls); /* the settings ask for a certificate where a listener is implicit */
	session->phase = SESSION_HANDSHAKE;
	arm_timer(session);
	stream_start_tls(session->stream, tls, NULL, STREAM_TLS_KEEP);
	tls_context_unref(&tls);
}

void session_admitted(struct session *session, const struct smtp_reply *refusal)
{
	bool had_to_wait = session->phase == SESSION_ADMISSION;

	if (listener_settings(session)->tls == LISTENER_TLS_IMPLICIT)
		start_implicit_tls(session, refusal != NULL);
	else
		greet(session, refusal ? refusal : unready(session));
	if (had_to_wait && session->stream)
		stream_resume(session->stream);
}

static void take_client_address(struct session *session, const struct proxy_header *header)
{
	if (header->family == PROXY_FAMILY_IPV4) {
		session->client.v4 =
			(struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(header->source.port) };
		memcpy(&session->client.v4.sin_addr, header->source.bytes, 4);
	} else if (header->family == PROXY_FAMILY_IPV6) {
		session->client.v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6,
			.sin6_port = htons(header->source.port) };
		memcpy(&session->client.v6.sin6_addr, header->source.bytes, 16);
	}
}

static size_t read_proxy_header(struct session *session, struct span bytes)
{
	struct proxy_header header;
	size_t consumed = 0;

	switch (proxy_header_parse(bytes, &header, &consumed)) {
	case PARSE_MORE:
		return 0;
	case PARSE_BAD:
		session_log_refused(session, REFUSED_PROXY_HEADER,
			"no valid PROXY header, which peers in proxy_from must send: check the balancer's "
			"send-proxy",
			NULL);
		session->phase = SESSION_CLOSING;
		stream_abort(session->stream);
		return bytes.len;
	case PARSE_DONE:
		break;
	}
	take_client_address(session, &header);
	begin(session);
	return consumed;
}

/* --- the stream --------------------------------------------------------------------------------- */

static size_t on_data(void *arg, struct span bytes)
{
	struct session *session = arg;
	struct span rest = bytes;

	if (session->phase == SESSION_PROXY) {
		rest = span_drop(rest, read_proxy_header(session, bytes));
		if (session->phase == SESSION_PROXY || session->phase == SESSION_HANDSHAKE)
			return bytes.len - rest.len;
	}
	if (session->phase == SESSION_ADMISSION)
		return bytes.len - rest.len;
	if (session->phase == SESSION_CLOSING)
		return bytes.len;
	if (session->phase == SESSION_SPEAKING)
		pump(session, &rest);
	return bytes.len - rest.len;
}

/* Whoever is trusted to sign says what a subject means; a fingerprint means itself. */
static void take_client_certificate(struct session *session, const struct tls_info *info)
{
	_Static_assert(
		sizeof(session->visitor.cert_sha256) == 2 * TLS_FINGERPRINT_LEN + 1, "hex of a fingerprint");
	for (size_t i = 0; i < TLS_FINGERPRINT_LEN; i++)
		snprintf(session->visitor.cert_sha256 + 2 * i, 3, "%02x", info->peer_fingerprint[i]);
	if (info->verified)
		session->visitor.cert_subject = mem_strdup(info->peer_subject);
}

static void note_tls(struct session *session, const struct tls_info *info)
{
	char text[TLS_TEXT_SIZE];

	snprintf(text, sizeof(text), "%s %s", info->protocol, info->cipher);
	mem_free(session->tls);
	session->tls = mem_strdup(text);
	session_track_tls(session, info);
}

static void on_tls(void *arg, const struct tls_info *info)
{
	struct session *session = arg;

	session->visitor.tls = strcmp(info->protocol, "TLSv1.3") == 0 ? POLICY_TLS_1_3 : POLICY_TLS_1_2;
	if (info->has_peer)
		take_client_certificate(session, info);
	note_tls(session, info);
	session->protocol |= PROTOCOL_TLS;
	smtp_server_tls_started(session->server);
	if (listener_settings(session)->tls == LISTENER_TLS_IMPLICIT) {
		greet(session, unready(session));
		return;
	}
	session->phase = SESSION_SPEAKING;
	arm_timer(session);
}

static void on_close(void *arg, enum err why, const char *text)
{
	struct session *session = arg;
	struct inbound *inbound = session->inbound;

	session->stream = NULL;
	if (session->phase == SESSION_HANDSHAKE && why == ERR_TLS)
		session_log_refused(session, REFUSED_TLS, text, NULL);
	if (session->transaction && session->transaction->message->body)
		body_on_resume(session->transaction->message->body, NULL, NULL);
	session_drop_transaction(session);
	session_track_disconnect(session, text);
	loop_timer_cancel(inbound->loop, &session->timer);
	list_remove(&session->link);
	list_remove(&session->stall);
	session_leave(session);
	inbound->session_count--;
	meter_add(inbound->meter, METRIC_CONNECTIONS_OPEN, -1);
	smtp_server_free(&session->server);
	session_auth_free(session);
	visitor_fini(&session->visitor);
	mem_free(session->tls);
	mem_free(session);
}

static const struct stream_callbacks callbacks = {
	.on_data = on_data,
	.on_tls = on_tls,
	.on_close = on_close,
};

void session_open(struct inbound_listener *listener, int fd, const struct address *peer)
{
	static const struct stream_options options = { .input_max = INPUT_MAX, .keepalive_s = 60 };
	struct inbound *inbound = listener->inbound;
	struct session *session = mem_zalloc(sizeof(*session));

	session->listener = listener;
	session->inbound = inbound;
	session->client = *peer;
	session->is_late = inbound->mode != INBOUND_OPEN;
	session->number = inbound->next_session;
	session->opened_us = uv_hrtime() / 1000;
	inbound->next_session += inbound->session_step;
	list_init(&session->stall);
	list_push_back(&inbound->sessions, &session->link);
	inbound->session_count++;
	meter_add(inbound->meter, METRIC_CONNECTIONS, 1);
	meter_add(inbound->meter, METRIC_CONNECTIONS_OPEN, 1);
	session->server = smtp_server_new(&listener->options->options);
	session->stream = stream_accept(inbound->loop, fd, &options, &callbacks, session);
	session->phase = cidr_list_contains(&listener_settings(session)->proxy_from, &peer->sa)
				 ? SESSION_PROXY
				 : SESSION_SPEAKING;
	loop_timer_init(&session->timer, on_timeout, session);
	if (session->phase == SESSION_PROXY)
		arm_timer(session);
	else
		begin(session);
}

void session_linger(struct session *session)
{
	if (is_lingering(session))
		arm_timer(session);
}

void session_end(struct session *session)
{
	struct span none = { 0 };

	if (list_is_linked(&session->stall))
		(void)session_unstall(session, true);
	else if (session->phase == SESSION_SPEAKING)
		pump(session, &none);
	else if (session->phase != SESSION_CLOSING)
		stream_abort(session->stream);
}

void session_abort(struct session *session)
{
	if (session->stream)
		stream_abort(session->stream);
}
