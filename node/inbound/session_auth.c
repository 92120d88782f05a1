#include "inbound/session_auth.h"

#include "auth/login.h"
#include "inbound/session_internal.h"
#include "io/wall_clock.h"
#include "skein/proto/base/alloc.h"

#include <sys/random.h>

/* From 1601 to 1970, in milliseconds. */
#define FILETIME_EPOCH_MS 11644473600000u

struct session_auth {
	unsigned offered; /* SASL_BIT()s of the EHLO reply */
	struct buf names; /* the same as text, borrowed by the machine */
	struct login *login;
	enum sasl_mechanism mechanism;
	struct identity *identity; /* who has authenticated; NULL: nobody */
	uint64_t proved_at_ms;     /* loop clock */
};

/* --- what is offered ---------------------------------------------------------------------------- */

/* What binds an exchange to this connection. Text lives in the arena, the exporter in `exporter`. */
static void describe_channel(const struct session *session, struct arena *arena,
	unsigned char exporter[TLS_EXPORTER_LEN], struct sasl_channel *channel_out)
{
	struct tls_info info;

	*channel_out = (struct sasl_channel){ 0 };
	if (!stream_tls_info(session->stream, arena, &info))
		return;
	channel_out->server_end_point = info.end_point;
	if (info.is_tls13 && stream_tls_exporter(session->stream, exporter))
		channel_out->exporter = span_of((const char *)exporter, TLS_EXPORTER_LEN);
}

void session_auth_offer(struct session *session)
{
	const struct authenticator *authenticator = session->inbound->authenticator;
	unsigned char exporter[TLS_EXPORTER_LEN];
	struct arena arena = { 0 };
	struct sasl_channel channel;

	if (!authenticator || !session->stream || !stream_has_tls(session->stream))
		return;
	if (!session->auth)
		session->auth = mem_zalloc(sizeof(*session->auth));
	describe_channel(session, &arena, exporter, &channel);
	session->auth->offered = sasl_offer(
		authenticator_mechanisms(authenticator), authenticator_sasl(authenticator), &channel);
	buf_clear(&session->auth->names);
	sasl_offer_format(&session->auth->names, session->auth->offered);
	smtp_server_offer_auth(session->server, buf_span(&session->auth->names));
	arena_fini(&arena);
}

bool session_auth_may_come(const struct session *session)
{
	const struct authenticator *authenticator = session->inbound->authenticator;

	if (!authenticator || session->visitor.user)
		return false;
	return session->auth ? session->auth->offered != 0
			     : (session->visitor.later & POLICY_LATER_TLS) != 0 &&
				       authenticator_mechanisms(authenticator) != 0;
}

/* --- how it ends -------------------------------------------------------------------------------- */

static void log_end(struct session *session, const struct login_event *event)
{
	char ip[ADDRESS_TEXT_SIZE];
	bool is_accepted = event->step == LOGIN_ACCEPTED;

	log_event(session->inbound->log, is_accepted ? LOG_INFO : LOG_WARN,
		is_accepted ? "authenticated" : "authentication-failed", LOG_U64("session", session->number),
		LOG_STR("client", session_client_ip(session, ip)),
		LOG_STR("user", event->user ? event->user : ""),
		LOG_SPAN("mechanism", sasl_mechanism_name(session->auth->mechanism)),
		LOG_STR("why", event->why ? event->why : ""), LOG_U64("backend_code", event->code),
		LOG_BOOL("bound", event->channel_bound), LOG_END);
}

/* The user's name, groups and addresses are the identity's: it stays as long as the session. */
static void accept_user(struct session *session, const struct login_event *event)
{
	struct session_auth *auth = session->auth;

	auth->identity = identity_ref(event->identity);
	auth->proved_at_ms = loop_now_ms(session->inbound->loop);
	session->visitor.user = auth->identity->user;
	session->visitor.groups = auth->identity->groups;
	session->visitor.addresses = auth->identity->addresses;
	session->protocol |= PROTOCOL_AUTH;
	if (event->may_send_empty_line)
		smtp_server_empty_line_may_come(session->server);
}

static const struct smtp_reply *reply_of(enum login_step step)
{
	switch (step) {
	case LOGIN_MALFORMED:
		return smtp_reply_get(SMTP_REPLY_AUTH_MALFORMED);
	case LOGIN_UNAVAILABLE:
		return smtp_reply_get(SMTP_REPLY_AUTH_UNAVAILABLE);
	case LOGIN_REFUSED:
		return smtp_reply_get(SMTP_REPLY_AUTH_REFUSED);
	default:
		return NULL;
	}
}

static void count_end(struct session *session, enum login_step step)
{
	static const enum auth_result results[] = {
		[LOGIN_ACCEPTED] = AUTH_RESULT_ACCEPTED,
		[LOGIN_REFUSED] = AUTH_RESULT_REFUSED,
		[LOGIN_MALFORMED] = AUTH_RESULT_REFUSED,
		[LOGIN_UNAVAILABLE] = AUTH_RESULT_UNAVAILABLE,
	};

	meter_add_at(session->inbound->meter, METRIC_AUTHENTICATIONS, results[step], 1);
}

static void finish(struct session *session, const struct login_event *event)
{
	const struct smtp_reply *reply = reply_of(event->step);

	log_end(session, event);
	count_end(session, event->step);
	if (event->step == LOGIN_ACCEPTED)
		accept_user(session, event);
	login_free(&session->auth->login);
	session_decide_later(session, reply);
}

static void on_login(void *arg, const struct login_event *event)
{
	struct session *session = arg;

	switch (event->step) {
	case LOGIN_CHALLENGE:
		session_challenge(session, event->challenge);
		break;
	case LOGIN_CONFIRM:
		login_confirm(session->auth->login, true);
		break;
	case LOGIN_ACCEPTED:
	case LOGIN_REFUSED:
	case LOGIN_MALFORMED:
	case LOGIN_UNAVAILABLE:
		finish(session, event);
		break;
	}
}

/* --- events of the machine ---------------------------------------------------------------------- */

void session_on_auth(struct session *session, const struct smtp_event_data *data)
{
	struct session_auth *auth = session->auth;
	unsigned char exporter[TLS_EXPORTER_LEN];
	struct arena arena = { 0 };
	struct sasl_channel channel;
	struct login_options options = {
		.authenticator = session->inbound->authenticator,
		.loop = session->inbound->loop,
		.channel = &channel,
		.on_event = on_login,
		.arg = session,
	};

	CHECK(auth && !auth->login && sasl_mechanism_find(data->auth.mechanism, &auth->mechanism));
	describe_channel(session, &arena, exporter, &channel);
	channel.offered = auth->offered;
	channel.filetime = (wall_clock_ms() + FILETIME_EPOCH_MS) * 10000;
	CHECK(getrandom(channel.random, sizeof(channel.random), 0) == (ssize_t)sizeof(channel.random));
	options.mechanism = auth->mechanism;
	auth->login = login_new(&options);
	arena_fini(&arena);
	login_begin(auth->login, data->auth.has_initial, data->auth.initial);
}

void session_on_auth_response(struct session *session, const struct smtp_event_data *data)
{
	login_respond(session->auth->login, data->auth_response);
}

void session_auth_give_up(struct session *session)
{
	if (session->auth && session->auth->login)
		login_free(&session->auth->login);
}

bool session_auth_is_stale(const struct session *session)
{
	uint64_t age_max_ms = session->inbound->settings->auth.session_age_ms;

	return session->visitor.user && age_max_ms &&
	       loop_now_ms(session->inbound->loop) - session->auth->proved_at_ms > age_max_ms;
}

void session_auth_free(struct session *session)
{
	if (!session->auth)
		return;
	login_free(&session->auth->login);
	identity_unref(&session->auth->identity);
	buf_fini(&session->auth->names);
	mem_free(session->auth);
	session->auth = NULL;
}
