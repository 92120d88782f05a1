/*
 * rehearsal: the end of `skeind --check`: what a start would make of the files that the settings name, which
 * are known to be there: certificates and their keys, passwords, the cluster's key.
 */
#ifndef NODE_RUN_REHEARSAL_H
#define NODE_RUN_REHEARSAL_H

#include "config/settings.h"

/* Prints ok, or a line for each file that is wrong; returns the exit status. `settings` is moved. */
int rehearsal_print(struct settings *settings);

#endif
