/*
 * ascii_name: a name as people write it, as the DNS is asked for it.
 */
#ifndef NODE_DNS_ASCII_NAME_H
#define NODE_DNS_ASCII_NAME_H

#include "skein/proto/base/arena.h"

/* In A-labels, without a dot at its end, in the arena. NULL: no host can have this name. */
const char *dns_ascii_name(struct arena *arena, struct span name);

#endif
