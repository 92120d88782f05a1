/*
 * link_driver: a redis_link over a blocking socket, for tests that ask and wait. Time is a number that the
 * test moves; the link's deadlines only pass when it does.
 */
#ifndef TESTS_LIB_LINK_DRIVER_H
#define TESTS_LIB_LINK_DRIVER_H

#include "cmocka_all.h"

#include "skein/cluster/redis_link.h"

struct link_driver {
	struct redis_link *link;
	int fd;
	uint16_t port;
	uint64_t now_ms;
	bool closing;
	struct buf *record; /* when set: what the link writes is appended here too */
};

/* Connects and waits until the link is ready. */
struct link_driver *link_driver_start(uint16_t port, const struct redis_link_options *options);
void link_driver_stop(struct link_driver **driver);
/* Reads until nothing is in flight, or the link has closed the connection. */
void link_driver_settle(struct link_driver *driver);
/* The connection breaks; calls in flight end as unknown. */
void link_driver_cut(struct link_driver *driver);
/* Again, after a cut. */
void link_driver_connect(struct link_driver *driver);

#endif
