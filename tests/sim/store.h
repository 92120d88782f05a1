/*
 * store: the real Redis under virtual time. Commands are executed one after the other, at once. It can lose
 * its last writes, lose everything, stop, and have its clock jump.
 *
 * Databases stand for servers: DB_MAIN is the master, DB_OTHER the one on the other side of a split, and the
 * others keep older states.
 */
#ifndef SIM_STORE_H
#define SIM_STORE_H

#include "world.h"

/* A replacement in the text of the function library; `from` must be there. */
struct patch {
	const char *from, *to;
};

/* Connects, empties, and loads the library. */
void store_start(struct world *world, uint16_t port, const struct patch *patches, size_t count);
void store_stop(struct world *world);

/* Appends the reply to `reply`. What has no order in Redis is sorted. */
void store_execute(struct world *world, int db, struct span command, struct buf *reply);
/* A question of the simulation's own: the reply is valid until the next. */
struct redisReply *store_ask(struct world *world, int db, const char *fmt, ...);

/* Database `to` becomes a copy of `from`. */
void store_copy(struct world *world, int from, int to);
void store_empty(struct world *world, int db);
/* Whoever connects from now on meets another replication id. */
void store_new_generation(struct world *world);

#endif
