/*
 * server_tls: what the listeners of this node need for TLS: a context each, made anew by a reload, and the
 * keys of session tickets, which stay.
 */
#ifndef NODE_RUN_SERVER_TLS_H
#define NODE_RUN_SERVER_TLS_H

#include "config/settings.h"
#include "inbound/inbound.h"
#include "io/tls.h"

struct server_tls {
	struct tls_slot
		slots[INBOUND_LISTENERS_MAX]; /* of the running listeners, by index; empty without TLS */
	struct tls_tickets *tickets;
};

void server_tls_init(struct server_tls *tls);
void server_tls_fini(struct server_tls *tls);

/*
 * Reads all files and swaps all contexts, or none: then a line is appended to `why_out`. `running` are the
 * listeners that the process has, which a reload does not change.
 */
WARN_UNUSED enum err server_tls_load(struct server_tls *tls, const struct settings *settings,
	const struct listener_list *running, struct buf *why_out);

#endif
