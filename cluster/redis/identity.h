/* identity: what Redis says of itself, read from the replies of INFO, CLIENT INFO and CONFIG GET. */
#ifndef CLUSTER_REDIS_IDENTITY_H
#define CLUSTER_REDIS_IDENTITY_H

#include "skein/cluster/redis_link.h"

/* What decides whether we stay; the identity is what others may want to know. */
struct server_state {
	bool loading;
	bool replica;
	bool cluster;
	char master[80]; /* of a replica: "host:port" */
};

/* The text of INFO, whole or one section; fields that it does not have stay as they are. */
void identity_read_info(struct span text, struct redis_identity *identity, struct server_state *state);
/* A line of CLIENT INFO or CLIENT LIST. */
struct client_line {
	struct span name;
	/* Whether the client runs on Redis' host: who connects to an address of the own host comes from that
	 * one. */
	enum redis_fact same_host;
};
struct client_line client_line_read(struct span line);
/* The value of CONFIG GET save: save points, or nothing. */
void identity_read_save(struct span value, struct redis_identity *identity);

#endif
