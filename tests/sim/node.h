/*
 * node: one node: the real member machine, and per worker the real ownership and custody machines, composed
 * as node.c and worker.c of skeind do it. Its process can be killed at any moment and started again.
 */
#ifndef SIM_NODE_H
#define SIM_NODE_H

#include "world.h"

void node_init(struct world *world, unsigned index);
/* A new process on what the disk has. */
void node_start(struct node *node);
/* kill -9. */
void node_crash(struct node *node);
/* The disk is gone too: the next process has an empty spool, and another UUID. Down only. */
void node_lose_disk(struct node *node);
/* SIGSTOP and, later, SIGCONT. */
void node_pause(struct node *node, uint64_t us);
/* Nothing goes to Redis or comes from it. */
void node_cut(struct node *node, uint64_t us);
/* SIGTERM: hands everything over, says goodbye, ends. */
void node_leave(struct node *node);
/* As an operator's drain does it: hands over and stays. */
void node_drain(struct node *node);
/* NULL when all that this node has about messages is settled; else what is not. */
const char *node_unfinished(const struct node *node);

#endif
