/*
 * The limits on one session: who is let in at all, and what its messages and logins are counted by.
 */
#include "inbound/session_internal.h"

#include <stdio.h>

struct toll_limits session_limits(const struct session *session, unsigned units)
{
	const struct policy_decision *decision = &session->visitor.decision;

	return (struct toll_limits){ decision->limits, decision->limit_count, units,
		session->visitor.snapshot };
}

static struct span *recipients_of(const struct envelope *envelope, struct arena *arena)
{
	struct span *recipients = arena_alloc(arena, envelope->recipient_count * sizeof(*recipients));

	for (size_t i = 0; i < envelope->recipient_count; i++)
		recipients[i] = envelope->recipients[i].addr;
	return recipients;
}

struct limit_subject session_subject(const struct session *session, struct arena *arena)
{
	struct limit_subject subject = { .client = session->network,
		.user = span_of_str(session->visitor.user) };

	if (session->transaction) {
		const struct envelope *envelope = &session->transaction->message->envelope;

		subject.sender = envelope->sender;
		subject.bytes = envelope->size;
		subject.recipient_count = envelope->recipient_count;
		subject.recipients = recipients_of(envelope, arena);
	}
	return subject;
}

static uint64_t seconds_of(uint64_t us)
{
	return (us + 999999) / 1000000;
}

struct span session_limit_text(const struct toll_verdict *verdict, char text[LIMIT_TEXT_SIZE])
{
	return span_of(text, (size_t)snprintf(text, LIMIT_TEXT_SIZE,
				     "Limit %.*s is reached, try again in %llu s", LIMIT_NAME_MAX,
				     verdict->rule->name, (unsigned long long)seconds_of(verdict->wait_us)));
}

/* --- connections -------------------------------------------------------------------------------- */

static void refuse(
	struct session *session, enum refused_reason reason, const char *why, enum smtp_reply_id id)
{
	session_log_refused(session, reason, why, smtp_reply_get(id));
	session_admitted(session, smtp_reply_get(id));
}

static void on_toll(void *arg, const struct toll_verdict *verdict)
{
	struct session *session = arg;

	if (verdict->is_let_in) {
		toll_keep(&session->toll);
		session_admitted(session, NULL);
		return;
	}
	refuse(session, REFUSED_LIMIT, verdict->rule->name, SMTP_REPLY_TOO_MANY_CONNECTIONS);
}

/* What the policy says about connections in a stretch of time. */
static void ask_limits(struct session *session)
{
	struct toll_limits limits;
	struct toll_verdict verdict;
	struct limit_subject subject;

	session_ask_policy(session);
	limits = session_limits(session, 1u << LIMIT_CONNECTIONS);
	if (!toll_is_due(&limits)) {
		session_admitted(session, NULL);
		return;
	}
	subject = session_subject(session, NULL);
	session->phase = SESSION_ADMISSION;
	if (toll_ask(&session->toll, session->inbound->limits, &limits, &subject, on_toll, session, &verdict))
		on_toll(session, &verdict);
}

static bool is_one_too_many(struct session *session)
{
	const struct settings *settings = session->inbound->settings;

	if (atomic_fetch_add(session->inbound->connections, 1) >= settings->limits.connections) {
		atomic_fetch_sub(session->inbound->connections, 1);
		refuse(session, REFUSED_CONNECTIONS, "too many connections, see limits.connections",
			SMTP_REPLY_TOO_MANY_CONNECTIONS);
		return true;
	}
	session->is_admitted = true;
	if (!client_counts_enter(session->inbound->throttle->clients, &session->network,
		    settings->limits.connections_per_client, loop_boottime_ms())) {
		refuse(session, REFUSED_CONNECTIONS_PER_CLIENT,
			"too many connections of this client, see limits.connections_per_client",
			SMTP_REPLY_TOO_MANY_CONNECTIONS);
		return true;
	}
	session->is_counted = true;
	return false;
}

void session_admit(struct session *session)
{
	if (guard_banned_until(session->inbound->throttle->guard, &session->network, loop_boottime_ms()))
		refuse(session, REFUSED_BANNED, "banned, see skeinctl ban list",
			SMTP_REPLY_TOO_MANY_FAILURES);
	else if (!is_one_too_many(session))
		ask_limits(session);
}

void session_leave(struct session *session)
{
	if (session->is_admitted)
		atomic_fetch_sub(session->inbound->connections, 1);
	if (session->is_counted)
		client_counts_leave(session->inbound->throttle->clients, &session->network);
	toll_give_back(&session->toll);
}
