#include "inbound/session_auth.h"

#include "alerts/alert_ledger.h"
#include "auth/login.h"
#include "inbound/session_internal.h"
#include "io/wall_clock.h"
#include "skein/proto/base/alloc.h"

#include <stdio.h>
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

	/* The exchange under way. */
	struct login_guard guard;
	struct toll toll; /* of the limits on failed logins */
	bool has_initial;
	struct span initial;            /* of the machine, until it has a decision */
	const struct smtp_reply *reply; /* NULL: 235 */
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

struct span session_auth_mechanism(const struct session *session)
{
	return session->visitor.user && session->auth ? sasl_mechanism_name(session->auth->mechanism)
						      : span_of(NULL, 0);
}

/* --- how it ends -------------------------------------------------------------------------------- */

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

static void warn_failed(struct session *session, const struct login_event *event)
{
	char ip[ADDRESS_TEXT_SIZE], number[SESSION_NUMBER_SIZE];

	log_event(session->inbound->log, LOG_WARN, "authentication-failed",
		LOG_STR("session", session_number_text(session, number)),
		LOG_STR("client", session_client_ip(session, ip)),
		LOG_STR("user", event->user ? event->user : ""),
		LOG_SPAN("mechanism", sasl_mechanism_name(session->auth->mechanism)),
		LOG_STR("why", event->why ? event->why : ""), LOG_U64("backend_code", event->code),
		LOG_BOOL("bound", event->channel_bound), LOG_END);
}

static void track_end(const struct session *session, const struct login_event *event)
{
	const struct smtp_reply *reply = reply_of(event->step);
	struct track_event tracked = { .kind = TRACK_AUTH, .code = reply ? reply->code : 235 };
	char code[24];

	tracked.text[TRACK_USER] = span_of_str(event->user);
	tracked.text[TRACK_RULE] = sasl_mechanism_name(session->auth->mechanism);
	tracked.text[TRACK_TEXT] = span_of_str(event->why);
	if (event->code)
		tracked.text[TRACK_STATUS] = span_of(
			code, (size_t)snprintf(code, sizeof(code), "%llu", (unsigned long long)event->code));
	if (event->channel_bound)
		tracked.text[TRACK_ABOUT] = SPAN_LIT("bound");
	session_track(session, &tracked);
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

static void forget_exchange(struct session_auth *auth)
{
	login_free(&auth->login);
	login_guard_cancel(&auth->guard);
	toll_keep(&auth->toll);
}

static void on_ended(void *arg, bool is_banned)
{
	struct session *session = arg;

	forget_exchange(session->auth);
	session_decide_later(
		session, is_banned ? smtp_reply_get(SMTP_REPLY_TOO_MANY_FAILURES) : session->auth->reply);
}

/* What the guard is told. */
static enum guard_end end_of(const struct session_auth *auth, const struct login_event *event)
{
	bool was_stopped = auth->guard.is_begun && !auth->guard.was_let_in;

	switch (event->step) {
	case LOGIN_ACCEPTED:
		return GUARD_PROVEN;
	case LOGIN_REFUSED:
		return event->counts || was_stopped ? GUARD_FAILED : GUARD_REFUSED;
	case LOGIN_UNAVAILABLE:
		return event->may_have_counted ? GUARD_UNKNOWN : GUARD_NOT_ASKED;
	default:
		return GUARD_NOT_ASKED;
	}
}

static void finish(struct session *session, const struct login_event *event)
{
	struct session_auth *auth = session->auth;
	enum guard_end end = end_of(auth, event);
	char ip[ADDRESS_TEXT_SIZE];

	if (event->step != LOGIN_ACCEPTED)
		warn_failed(session, event);
	track_end(session, event);
	count_end(session, event->step);
	if (event->step == LOGIN_REFUSED && session->inbound->ledger)
		alert_ledger_login_failed(session->inbound->ledger, event->user ? event->user : "",
			session_client_ip(session, ip));
	if (event->step == LOGIN_ACCEPTED)
		accept_user(session, event);
	auth->reply = reply_of(event->step);
	if (end != GUARD_FAILED)
		toll_give_back(&auth->toll);
	login_guard_end(&auth->guard, &session->inbound->guard_desk, end, on_ended, session);
}

static void on_may_ask(void *arg, enum login_guard_answer answer)
{
	static const struct login_event crowded = { .step = LOGIN_UNAVAILABLE, .why = "too-many-at-once" };
	struct session *session = arg;

	if (answer == LOGIN_CROWDED)
		finish(session, &crowded);
	else
		login_confirm(session->auth->login, answer == LOGIN_MAY_ASK);
}

static void on_login(void *arg, const struct login_event *event)
{
	struct session *session = arg;
	struct session_auth *auth = session->auth;

	switch (event->step) {
	case LOGIN_CHALLENGE:
		session_challenge(session, event->challenge);
		break;
	case LOGIN_CONFIRM:
		login_guard_ask(&auth->guard, &session->inbound->guard_desk, span_of_str(event->user),
			&session->network, session->inbound->settings->auth.timeout_ms, on_may_ask, session);
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

static void begin_login(struct session *session)
{
	struct session_auth *auth = session->auth;
	unsigned char exporter[TLS_EXPORTER_LEN];
	struct arena arena = { 0 };
	struct sasl_channel channel;
	struct login_options options = {
		.authenticator = session->inbound->authenticator,
		.loop = session->inbound->loop,
		.mechanism = auth->mechanism,
		.channel = &channel,
		.on_event = on_login,
		.arg = session,
	};

	describe_channel(session, &arena, exporter, &channel);
	channel.offered = auth->offered;
	channel.filetime = (wall_clock_ms() + FILETIME_EPOCH_MS) * 10000;
	CHECK(getrandom(channel.random, sizeof(channel.random), 0) == (ssize_t)sizeof(channel.random));
	auth->login = login_new(&options);
	arena_fini(&arena);
	login_begin(auth->login, auth->has_initial, auth->initial);
}

static struct smtp_reply too_often(
	struct session *session, const struct toll_verdict *verdict, char text[LIMIT_TEXT_SIZE])
{
	const struct smtp_reply reply = { 454, "4.7.0", session_limit_text(verdict, text) };
	char ip[ADDRESS_TEXT_SIZE], number[SESSION_NUMBER_SIZE];

	count_end(session, LOGIN_UNAVAILABLE);
	log_event(session->inbound->log, LOG_WARN, "authentication-limited",
		LOG_STR("session", session_number_text(session, number)),
		LOG_STR("client", session_client_ip(session, ip)), LOG_STR("limit", verdict->rule->name),
		LOG_U64("wait_s", verdict->wait_us / 1000000), LOG_END);
	session_track_reject(session, "auth", &reply, span_of(NULL, 0), verdict->rule->name);
	return reply;
}

static void on_limits(void *arg, const struct toll_verdict *verdict)
{
	struct session *session = arg;
	char text[LIMIT_TEXT_SIZE];
	struct smtp_reply reply;

	if (verdict->is_let_in) {
		begin_login(session);
		return;
	}
	reply = too_often(session, verdict, text);
	session_decide_later(session, &reply);
}

/* Each login is counted as a failure until it turns out to be none. */
static bool ask_limits(struct session *session, struct toll_verdict *verdict_out)
{
	struct toll_limits limits;
	struct limit_subject subject;

	session_ask_policy(session);
	limits = session_limits(session, 1u << LIMIT_AUTH_FAILURES);
	subject = session_subject(session, NULL);
	return toll_ask(&session->auth->toll, session->inbound->limits, &limits, &subject, on_limits, session,
		verdict_out);
}

static bool is_banned(const struct session *session)
{
	return guard_banned_until(session->inbound->throttle->guard, &session->network, loop_boottime_ms()) !=
	       0;
}

void session_on_auth(struct session *session, const struct smtp_event_data *data)
{
	struct session_auth *auth = session->auth;
	struct toll_verdict verdict;
	char text[LIMIT_TEXT_SIZE];
	struct smtp_reply reply;

	CHECK(auth && !auth->login && sasl_mechanism_find(data->auth.mechanism, &auth->mechanism));
	if (is_banned(session)) {
		const struct smtp_reply *banned = smtp_reply_get(SMTP_REPLY_TOO_MANY_FAILURES);

		session_track_reject(session, "auth", banned, span_of(NULL, 0), NULL);
		session_decide(session, banned);
		return;
	}
	auth->has_initial = data->auth.has_initial;
	auth->initial = data->auth.initial;
	if (!ask_limits(session, &verdict))
		return;
	if (verdict.is_let_in) {
		begin_login(session);
		return;
	}
	reply = too_often(session, &verdict, text);
	session_decide(session, &reply);
}

void session_on_auth_response(struct session *session, const struct smtp_event_data *data)
{
	login_respond(session->auth->login, data->auth_response);
}

void session_auth_give_up(struct session *session)
{
	if (session->auth)
		forget_exchange(session->auth);
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
	forget_exchange(session->auth);
	identity_unref(&session->auth->identity);
	buf_fini(&session->auth->names);
	mem_free(session->auth);
	session->auth = NULL;
}
