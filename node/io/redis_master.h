/*
 * redis_master: where the master is, as somebody found out, for all connections of the process. Whoever finds
 * out sets it; connections read it before each attempt and hear at once when it moves.
 */
#ifndef NODE_IO_REDIS_MASTER_H
#define NODE_IO_REDIS_MASTER_H

#include "io/loop.h"

enum { REDIS_PLACE_HOST_MAX = 253 };

struct redis_place {
	char host[REDIS_PLACE_HOST_MAX + 1]; /* an address or a name; "": nobody knows yet */
	uint16_t port;
};

struct redis_master;
struct redis_master_watch;

struct redis_master *redis_master_new(void);
/* Nobody watches any more. Sets the pointer to NULL. */
void redis_master_free(struct redis_master **master);

/* Any thread. Watchers are told when it is another place than before. */
void redis_master_set(struct redis_master *master, const char *host, uint16_t port);
/* Any thread. Why nobody knows, for the log; counts until the place is set. */
void redis_master_set_trouble(struct redis_master *master, const char *why);
/* Any thread. False: not known yet; `why_out` is "" while those who find out have had no time to. */
bool redis_master_get(
	struct redis_master *master, struct redis_place *place_out, char *why_out, size_t why_size);

/* Runs fn(arg) on the loop, on its thread, after each move from now on. */
struct redis_master_watch *redis_master_watch(
	struct redis_master *master, struct loop *loop, loop_fn *fn, void *arg);
/* On the loop's thread, or after it has ended: fn does not run any more. Sets the pointer to NULL. */
void redis_master_unwatch(struct redis_master *master, struct redis_master_watch **watch);

#endif
