/*
 * tls_tickets: the keys under which this process seals session tickets, and what a ticket is taken for. One
 * object for all listeners and threads, counted; the keys may be replaced at any time.
 *
 * A ticket carries the session and, with it, the client's certificate and what it was worth. It is good for a
 * time from the full handshake on, however often it was renewed since, ends with the client's certificate,
 * and is only taken by a listener that asks for client certificates in the same way.
 */
#ifndef SKEIN_NODE_IO_TLS_TICKETS_H
#define SKEIN_NODE_IO_TLS_TICKETS_H

#include "skein/cluster/ticket_keys.h"

struct tls_tickets;

/* With random keys of its own. */
struct tls_tickets *tls_tickets_new(void);
/* Any thread. */
struct tls_tickets *tls_tickets_ref(struct tls_tickets *tickets);
/* Any thread. Sets the pointer to NULL. */
void tls_tickets_unref(struct tls_tickets **tickets);

/* Any thread. For handshakes from now on. */
void tls_tickets_set_keys(struct tls_tickets *tickets, const struct ticket_set *keys);
/* Any thread. A fresh random key: the next becomes current, the current one previous. */
void tls_tickets_turn(struct tls_tickets *tickets);

#endif
