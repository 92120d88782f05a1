/*
 * session: one SMTP connection from a client: the stream, the server machine on it, and the transaction under
 *way.
 *
 *	PROXY header? → TLS? → greeting → commands ⇄ (a decision is awaited) → closed
 *
 * While a decision is awaited nothing is consumed: what the client sends stays in the stream and, when that
 *is full, in TCP. The decision is followed by stream_resume(), which offers it again.
 */
#ifndef NODE_INBOUND_SESSION_H
#define NODE_INBOUND_SESSION_H

#include "inbound/inbound.h"

struct session;

/* `fd` is moved. Joins inbound->sessions and frees itself when the connection has ended. */
void session_open(struct inbound_listener *listener, int fd, const struct address *peer);
struct session *session_of_link(struct list *link);
struct session *session_of_stall(struct list *link);
/* The node is leaving: it ends with a 421 when it is silent between messages. */
void session_linger(struct session *session);
/* With nothing under way it ends with a 421 now, else after the message. */
void session_end(struct session *session);
void session_abort(struct session *session);
/* Memory may be there again: true if the MAIL that waited for it was answered. */
bool session_unstall(struct session *session, bool give_up);

#endif
