/*
 * What the files of a session share: session.c is the connection, session_mail.c the messages on it.
 */
#ifndef NODE_INBOUND_SESSION_INTERNAL_H
#define NODE_INBOUND_SESSION_INTERNAL_H

#include "access/visitor.h"
#include "inbound/session.h"
#include "inbound/transaction.h"
#include "io/stream.h"
#include "skein/cluster/track_event.h"

enum session_phase {
	SESSION_PROXY,     /* the balancer's header is awaited */
	SESSION_ADMISSION, /* limits on connections are asked about */
	SESSION_HANDSHAKE, /* TLS, implicit or after STARTTLS */
	SESSION_SPEAKING,
	SESSION_CLOSING,
};

struct session {
	struct list link, stall;
	struct inbound_listener *listener;
	struct inbound *inbound;
	struct stream *stream;
	struct smtp_server *server;
	struct transaction *transaction;
	enum session_phase phase;
	bool is_admitted; /* among the node's connections, */
	bool is_counted;  /* and among the connections of its client in the cluster */
	bool is_late;     /* it came when nobody new is taken */
	uint8_t protocol; /* set of enum envelope_protocol */
	struct address client;
	struct network network; /* the same, for what counts by it */
	struct visitor visitor;
	struct session_auth *auth; /* NULL: no TLS, or nobody to ask */
	struct toll toll;          /* of the connection, then of the message under way */
	uint64_t number, messages;
	uint64_t opened_us, body_ended_us; /* uv_hrtime() */
	const char *end;                   /* why it ends, when we know better than the stream; a literal */
	char *tls;                         /* version and cipher; NULL: none */
	uint64_t stalled_at_ms;
	struct loop_timer timer;
};

/* Answers the event that waits, now. */
void session_decide(struct session *session, const struct smtp_reply *reply);
/* The same when the answer came later: the machine goes on with what the client has sent meanwhile. */
void session_decide_later(struct session *session, const struct smtp_reply *reply);
/* An AUTH goes on: the third answer. Later, as the one above. */
void session_challenge(struct session *session, struct span challenge);
/* Answers with a refusal, which is logged and counted; `about` is what was refused. */
void session_reject(struct session *session, const char *step, enum smtp_reply_id id, struct span about);

/* The client's address as text. */
const char *session_client_ip(const struct session *session, char text[ADDRESS_TEXT_SIZE]);
/* Why no mail can be taken now, or SMTP_REPLY_NONE. */
enum smtp_reply_id session_unready_reply(const struct session *session);

/* The first thing: is the connection too many? The session goes on with session_admitted(), now or later. */
void session_admit(struct session *session);
/* `refusal`: said to the client, where it can hear it; NULL: it is welcome. */
void session_admitted(struct session *session, const struct smtp_reply *refusal);
void session_leave(struct session *session);
/* Tells and counts a connection that is turned away; `reply`: what it hears, NULL: nothing. */
void session_log_refused(
	struct session *session, enum refused_reason reason, const char *why, const struct smtp_reply *reply);

/* Tracking. Puts in what every event says of a session, and hands it over. */
void session_track(const struct session *session, struct track_event *event);
void session_track_connect(const struct session *session);
void session_track_tls(const struct session *session, const struct tls_info *info);
/* `about`: the address that is refused, if any. */
void session_track_reject(const struct session *session, const char *step, const struct smtp_reply *reply,
	struct span about, const char *rule);
void session_track_disconnect(const struct session *session, const char *why);
void session_track_received(const struct session *session, const struct message *message);
void session_track_discarded(const struct session *session, const struct message *message);
/* As tracking writes it. */
enum { SESSION_NUMBER_SIZE = 17 };
const char *session_number_text(const struct session *session, char text[SESSION_NUMBER_SIZE]);

/* The limits of the last decision, for these units. */
struct toll_limits session_limits(const struct session *session, unsigned units);
/* What the session and the transaction under way, if any, are counted by. `arena`: for the parts. */
struct limit_subject session_subject(const struct session *session, struct arena *arena);
enum { LIMIT_TEXT_SIZE = LIMIT_NAME_MAX + 64 };
/* "Limit "per-client" is reached, try again in 12 s". */
struct span session_limit_text(const struct toll_verdict *verdict, char text[LIMIT_TEXT_SIZE]);

/* Asks the policy anew: it, or what is known of the client, may have changed. */
void session_ask_policy(struct session *session);

/* Events of the machine about a message. Each that waits is decided, now or later. */
void session_on_mail(struct session *session, const struct smtp_event_data *data);
void session_on_rcpt(struct session *session, const struct smtp_event_data *data);
void session_on_data_begin(struct session *session);
void session_on_body(struct session *session, struct span piece);
void session_on_message_end(struct session *session, const struct smtp_event_data *data);
void session_on_reset(struct session *session, const struct smtp_event_data *data);
void session_drop_transaction(struct session *session);

#endif
