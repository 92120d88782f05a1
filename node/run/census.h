/*
 * census: how many messages the spool of a stopped node holds, for `skeind --count-mail`: what a packager, or
 * an operator who is about to delete the folder, wants to know. Changes no message.
 */
#ifndef NODE_RUN_CENSUS_H
#define NODE_RUN_CENSUS_H

#include "config/settings.h"

/* Prints the number, or why it cannot be told (the node runs, say); returns the exit status. `settings` is
 * moved. */
int census_print(struct settings *settings);

#endif
