/*
 * hop_news: what all workers of a node share about next hops: what the cluster has found out about each
 * (hop_board.h), and the node's part of the connections that a route may have (slot_share.h). Workers use
 * both themselves; all calls here are the main thread's.
 */
#ifndef NODE_OUTBOUND_HOP_NEWS_H
#define NODE_OUTBOUND_HOP_NEWS_H

#include "io/loop.h"
#include "skein/cluster/hop_board.h"
#include "skein/cluster/slot_share.h"
#include "track/metrics.h"

struct hop_news {
	struct hop_board *board;
	struct slot_share *share;

	/* The main thread's. */
	pthread_mutex_t locks[2]; /* of those above */
	struct loop *loop;        /* NULL: not started */
	struct redis_link *link;  /* NULL: standalone */
	struct meter *meter;
	struct loop_timer timer;
};

/* `hops_max`: in trouble, that are remembered. `name` is the node's. */
void hop_news_init(struct hop_news *news, size_t hops_max, const char *name, struct meter *meter);
/* Stopped, the link has ended its calls, and workers are gone. */
void hop_news_fini(struct hop_news *news);

/* Begins the upkeep. `link` is the loop's; NULL: standalone. */
void hop_news_start(struct hop_news *news, struct loop *loop, struct redis_link *link);
void hop_news_stop(struct hop_news *news);
void hop_news_link_lost(struct hop_news *news);
/* How many nodes are alive, ourselves included, and how many of these come before us by name. */
void hop_news_set_cluster(struct hop_news *news, unsigned nodes, unsigned rank);

#endif
