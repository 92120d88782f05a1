/*
 * ticket_keeper: gives this process the ticket keys of the cluster, and does this node's part in replacing
 * them, by the rules of ticket_keys.h. As long as there are none, without Redis, or without a cluster key,
 * the process has random keys of its own, and they turn as often. All calls are for the loop's own thread.
 *
 * When Redis is away the keys stay as they are: a turn would part the nodes.
 */
#ifndef NODE_RUN_TICKET_KEEPER_H
#define NODE_RUN_TICKET_KEEPER_H

#include "io/loop.h"
#include "io/tls_tickets.h"
#include "skein/cluster/member.h"
#include "skein/cluster/secret.h"
#include "track/log.h"

struct ticket_keeper;

/* All borrowed. */
struct ticket_keeper_options {
	struct loop *loop;
	struct log *log;
	struct tls_tickets *tickets;
	uint64_t lifetime_ms;
	/* NULL, all of them: keys of its own, for ever. */
	struct redis_link *link;
	const struct member *member;
	const struct secret_keys *keys;
};

struct ticket_keeper *ticket_keeper_new(const struct ticket_keeper_options *options);
/* Nothing is in flight on the link any more. Sets the pointer to NULL. */
void ticket_keeper_free(struct ticket_keeper **keeper);

/* The link is ready, or something else has changed: look now. */
void ticket_keeper_poke(struct ticket_keeper *keeper);
void ticket_keeper_set_lifetime(struct ticket_keeper *keeper, uint64_t lifetime_ms);

#endif
