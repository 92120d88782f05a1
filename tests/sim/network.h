/*
 * network: connections to Redis, as they are when they are bad. Commands and replies take time; a connection
 * may end between any two bytes, so that a command is executed or not and its reply is lost; a command that
 * its sender has given up may still be executed, much later (a ghost). Nothing overtakes on one connection.
 */
#ifndef SIM_NETWORK_H
#define SIM_NETWORK_H

#include "world.h"

enum { ARGS_MAX = 1100 }; /* queue_seen() names up to 500 messages */

/* A command on its way: an FCALL by its function's name, any other by its own. */
struct command {
	char name[32];
	struct span argv[ARGS_MAX];
	size_t argc;
	const struct span *keys, *args; /* of an FCALL */
	size_t key_count, arg_count;
	struct span bytes;
};

/* Takes apart one command; false when it is not complete. `len_out`: its bytes. */
bool command_parse(struct span bytes, struct command *command_out, size_t *len_out);

/* `life` and `node` NULL: the operator's. Connects by itself, again and again. */
struct conn *conn_new(struct world *world, struct life *life, struct node *node, unsigned worker,
	void (*on_ready)(void *), void (*on_lost)(void *), void *arg);
/* Sends what was written, and asks the link when it wants to be called again. After each use of the link. */
void conn_pump(struct conn *conn);
/* The connection breaks. What is on its way may arrive all the same. */
void conn_snip(struct conn *conn);
/* The node's process is gone: its connections end, what is on its way may arrive. */
void conn_abandon(struct conn *conn);

#endif
