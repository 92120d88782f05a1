/*
 * node: the whole of skeind: builds everything, hands it to whoever uses it, and runs the main loop: signals,
 * this node's membership in the cluster, and the orderly end. The only file that knows all modules.
 */
#ifndef NODE_RUN_NODE_H
#define NODE_RUN_NODE_H

#include "config/options.h"

/* Runs until a signal or a failure ends it; returns the exit status. `settings` is moved. */
int node_run(const struct options *options, struct settings *settings);

#endif
