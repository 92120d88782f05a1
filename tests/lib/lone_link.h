/* lone_link: a Redis link that is never connected, so that whoever asks it decides by itself. */
#ifndef TESTS_LIB_LONE_LINK_H
#define TESTS_LIB_LONE_LINK_H

#include "skein/cluster/redis_link.h"

static void lone_link_write(void *ctx, struct span bytes)
{
	(void)ctx;
	(void)bytes;
}

static void lone_link_close(void *ctx)
{
	(void)ctx;
}

static void lone_link_event(void *arg, enum redis_link_event event, const char *why)
{
	(void)arg;
	(void)event;
	(void)why;
}

static inline struct redis_link *lone_link_new(void)
{
	const struct redis_link_options options = {
		.prefix = "skein",
		.handshake_timeout_ms = 1000,
		.call_timeout_ms = 1000,
	};
	const struct redis_transport transport = { NULL, lone_link_write, lone_link_close };

	return redis_link_new(&options, transport, lone_link_event, NULL);
}

#endif
