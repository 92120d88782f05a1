/*
 * command: encodes one command as RESP and hands it to a transport. Small arguments are gathered in a scratch
 * buffer; a large one (a body) goes to the transport as it is, so that it is copied once, by the transport.
 */
#ifndef CLUSTER_REDIS_COMMAND_H
#define CLUSTER_REDIS_COMMAND_H

#include "skein/cluster/redis_link.h"

/* `scratch` is empty before and after; only its allocation stays. */
void command_write(
	const struct redis_transport *transport, struct buf *scratch, size_t argc, const struct span *argv);

#endif
