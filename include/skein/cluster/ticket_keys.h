/*
 * ticket_keys: the keys under which all nodes seal TLS session tickets, so that a client may come back to any
 * of them, and the rules for replacing them. Three keys are known at a time: `current` seals, `previous`
 * still opens, and `next` is known everywhere before anybody seals with it. A turn makes next current and a
 * fresh key next; it is due every half lifetime, so a ticket can be opened for at least that and at most a
 * lifetime.
 *
 * In Redis the set is one sealed text beside its serial and the time of the last turn. Whoever leads turns
 * it; the others only when that is overdue, because a leader without the right cluster key cannot. A turn
 * names the serial that it replaces: of two, one wins.
 *
 * Pure: random bytes, sealing and opening are the caller's. The rules for the calls are those of queue.h.
 */
#ifndef SKEIN_CLUSTER_TICKET_KEYS_H
#define SKEIN_CLUSTER_TICKET_KEYS_H

#include "skein/cluster/redis_link.h"
#include "skein/cluster/redis_outcome.h"

enum {
	TICKET_KEY_LEN = 80, /* name, cipher key, MAC key */
	TICKET_SET_TEXT_LEN = 8 + 3 * TICKET_KEY_LEN,
	TICKET_SEALED_MAX = 1024,
};

struct ticket_key {
	unsigned char name[16], cipher[32], mac[32];
};

/* Holds secrets: wipe it with mem_wipe(). */
struct ticket_set {
	uint64_t serial; /* grows with each turn; 0: no set */
	struct ticket_key previous, current, next;
};

/* The first set, with this serial; `fresh` is random. */
void ticket_set_make(struct ticket_set *set, uint64_t serial, const unsigned char fresh[3 * TICKET_KEY_LEN]);
void ticket_set_turn(struct ticket_set *set, const unsigned char fresh[TICKET_KEY_LEN]);
/* The text that is sealed. */
void ticket_set_encode(const struct ticket_set *set, unsigned char text[TICKET_SET_TEXT_LEN]);
/* False when it is none, or another serial's. */
WARN_UNUSED bool ticket_set_decode(struct ticket_set *set, struct span text, uint64_t serial);

/* What Redis has. */
struct ticket_store {
	uint64_t now_ms, turned_ms; /* by Redis' clock */
	uint64_t serial;            /* 0: nothing */
	struct span sealed;         /* borrowed */
};

enum ticket_step {
	TICKET_WAIT, /* nothing to do */
	TICKET_MAKE, /* write a new set, above the serial that is there */
	TICKET_TURN, /* write the set that is there, turned */
	TICKET_GIVE, /* Redis has lost the set: write the one that we know again */
};

struct ticket_view {
	const struct ticket_store *store;
	uint64_t lifetime_ms;
	bool can_open; /* what is in `store`; false too when there is nothing */
	bool has_set;  /* we know a set of the cluster from before */
	bool leads;
};

enum ticket_step ticket_keys_decide(const struct ticket_view *view);
/* How long to wait before looking again; `jitter` is any number. */
uint64_t ticket_keys_pause_ms(uint64_t lifetime_ms, bool has_set, uint64_t jitter);

/* OK with what is there. */
typedef void ticket_keys_read_fn(void *arg, const struct outcome *outcome, const struct ticket_store *store);
bool ticket_keys_read(struct redis_link *link, uint64_t now_ms, ticket_keys_read_fn *fn, void *arg);

/* OK: written. NOT: the serial there is not `replaces` any more; read again. */
struct ticket_keys_write {
	uint64_t replaces, serial;
	uint64_t age_ms;    /* since the set was turned; 0: now */
	struct span sealed; /* <= TICKET_SEALED_MAX */
};
typedef void ticket_keys_write_fn(void *arg, const struct outcome *outcome);
bool ticket_keys_write(struct redis_link *link, const struct ticket_keys_write *args, uint64_t now_ms,
	ticket_keys_write_fn *fn, void *arg);

#endif
