/*
 * session_auth: AUTH on one session (RFC 4954): what is offered, the exchange under way, and who has
 * authenticated. There is one once TLS is on, for passwords cross no clear line.
 */
#ifndef NODE_INBOUND_SESSION_AUTH_H
#define NODE_INBOUND_SESSION_AUTH_H

#include "skein/proto/smtp/server.h"

#include <stdbool.h>

struct session;
struct session_auth;

/* What EHLO names after AUTH from now on: what has a back end that works. Needs TLS. */
void session_auth_offer(struct session *session);
/* AUTH may still be said, now or after STARTTLS. */
bool session_auth_may_come(const struct session *session);

/* Events of the machine; each is decided, now or later. */
/* By which mechanism the user has authenticated; empty: nobody has. */
struct span session_auth_mechanism(const struct session *session);
void session_on_auth(struct session *session, const struct smtp_event_data *data);
void session_on_auth_response(struct session *session, const struct smtp_event_data *data);
/* Another event came: the client has given the exchange up. */
void session_auth_give_up(struct session *session);

/*
 * Who authenticated so long ago that the account may be another by now: it has to connect again. Policy is
 * asked with what was known of the account then.
 */
bool session_auth_is_stale(const struct session *session);
/* The end of the session. */
void session_auth_free(struct session *session);

#endif
