/* faults: what goes wrong by itself, at the scenario's odds; and the same faults for scripts. */
#ifndef SIM_FAULTS_H
#define SIM_FAULTS_H

#include "world.h"

void faults_start(struct world *world);
/* Everything is mended: nodes run, networks and disks are well, operators undo what they did. */
void faults_end(struct world *world);

/* For scripts. */
void fault_crash(struct node *node, bool with_disk, uint64_t down_us);
void fault_redis_down(struct world *world, uint64_t us);
/* Keeps Redis' state of now, for fault_redis_older(). */
void fault_redis_remember(struct world *world);
void fault_redis_older(struct world *world);
void fault_redis_empty(struct world *world);
/* The host of this node and of Redis dies: node, disk, and what no replica has. */
void fault_host(struct node *node, uint64_t down_us);
/* Redis' replica becomes the master of all but this node, which stays with the old one. */
void fault_split(struct node *node);
void fault_mend_split(struct node *node);
/* All connections to Redis break. */
void fault_snip_all(struct world *world);

#endif
