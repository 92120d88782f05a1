/*
 * shelf_store: what one node has fetched from somewhere, kept in Redis for all of them, as typed calls over
 * one redis_link. The rules for the calls are those of queue.h. A text has a name and an end; a serial tells
 * it from those before and after it. Who wants to fetch claims the name first: the others wait, and read what
 * came of it. A claim ends by itself, so that nobody waits for a node that has died.
 *
 * Bounded: where there is no room, what ends first goes first. On a full Redis nothing is claimed or put, and
 * each node fetches for itself.
 */
#ifndef SKEIN_CLUSTER_SHELF_STORE_H
#define SKEIN_CLUSTER_SHELF_STORE_H

#include "skein/cluster/redis_link.h"
#include "skein/cluster/redis_outcome.h"

enum {
	SHELF_NAME_MAX = 255,
	SHELF_HOLDER_MAX = 64,
	SHELF_WHY_MAX = 200,
	SHELF_TEXT_MAX = 128 * 1024,
};
#define SHELF_AGE_MAX_MS (366ull * 24 * 3600000)

/* Each is a room of its own in Redis. */
enum shelf {
	SHELF_STS,    /* what domains say about TLS: 10000 of them, 32 MiB */
	SHELF_TOKENS, /* sealed: 1024 of them, 8 MiB */
	SHELVES,
};

struct shelf_place {
	enum shelf shelf;
	struct span name; /* 1..SHELF_NAME_MAX */
};

struct shelf_item {
	uint64_t serial; /* 0: nothing there */
	uint64_t age_ms, left_ms;
	struct span text;   /* borrowed, as all text here; "" too where it is the one that the caller knows */
	uint64_t gone;      /* the serial of a text that was bad for all; 0: none */
	bool is_granted;    /* the caller is to fetch, within its claim */
	uint64_t wait_ms;   /* another fetches, or has failed to: ask again after this at the latest */
	struct span failed; /* why it has; "": it has not */
};
typedef void shelf_item_fn(void *arg, const struct outcome *outcome, const struct shelf_item *item);

/* OK with what is there; `known` is a serial. */
bool shelf_store_read(struct redis_link *link, struct shelf_place place, uint64_t known, uint64_t now_ms,
	shelf_item_fn *fn, void *arg);

struct shelf_claim {
	struct shelf_place place;
	uint64_t known;     /* a text of this serial is of no use to the caller */
	bool is_bad;        /* nor to anybody: it is thrown away */
	struct span holder; /* 1..SHELF_HOLDER_MAX: who asks */
	uint64_t claim_ms;
};
/* OK: there is another text than `known`, or it is granted, or `wait_ms` says how long it is not. */
bool shelf_store_claim(struct redis_link *link, const struct shelf_claim *claim, uint64_t now_ms,
	shelf_item_fn *fn, void *arg);

struct shelf_put {
	struct shelf_place place;
	struct span text; /* 1..SHELF_TEXT_MAX */
	uint64_t left_ms; /* 1..SHELF_AGE_MAX_MS */
};
/* OK with its serial; a claim ends. */
typedef void shelf_serial_fn(void *arg, const struct outcome *outcome, uint64_t serial);
bool shelf_store_put(struct redis_link *link, const struct shelf_put *put, uint64_t now_ms,
	shelf_serial_fn *fn, void *arg);

struct shelf_failure {
	struct shelf_place place;
	struct span holder;
	uint64_t pause_ms; /* that nobody tries again */
	struct span why;   /* 1..SHELF_WHY_MAX */
};
/* A fetch that was granted has failed. Whatever is there stays. */
bool shelf_store_failed(struct redis_link *link, const struct shelf_failure *failure, uint64_t now_ms);

#endif
