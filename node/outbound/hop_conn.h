/*
 * hop_conn: one connection to a next hop: the stream, the SMTP client machine on it, and up to two deliveries
 *(the second one's commands travel behind the first one's body).
 *
 *	connect → greeting, EHLO, maybe STARTTLS → ready ⇄ deliveries → idle → QUIT
 *
 * What goes wrong: before ready, the hop is told (breaker) and no message was touched. Later, each delivery
 *under way is reported as lost, or as unknown when its final dot was written. A message whose ownership has
 *ended in the middle of its body is saved from the dot by aborting the connection.
 */
#ifndef NODE_OUTBOUND_HOP_CONN_H
#define NODE_OUTBOUND_HOP_CONN_H

#include "outbound/hop.h"

struct hop_conn;

/* Joins hop->conns; leaves it and frees itself when the connection has ended. */
void hop_conn_open(struct hop *hop, const struct address *address);
struct hop_conn *hop_conn_of_link(struct list *link);
/* Ready and nothing under way. */
bool hop_conn_is_idle(const struct hop_conn *conn);
/* Pulls as many messages as the connection may start now. */
void hop_conn_fill(struct hop_conn *conn);
/* Says QUIT as soon as nothing is under way. */
void hop_conn_retire(struct hop_conn *conn);
void hop_conn_abort(struct hop_conn *conn);

#endif
