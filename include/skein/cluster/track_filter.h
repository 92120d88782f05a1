/*
 * track_filter: what can be searched for in tracking events, and whether a chunk of them may have it. A term
 * is a number made of a kind and a text; a filter says of a term "not here", or "maybe" (a Bloom filter).
 * Pure.
 */
#ifndef SKEIN_CLUSTER_TRACK_FILTER_H
#define SKEIN_CLUSTER_TRACK_FILTER_H

#include "skein/cluster/track_event.h"
#include "skein/proto/base/buf.h"

enum track_term_kind {
	TRACK_TERM_ID,      /* of a message; of a report, both its own and its original's */
	TRACK_TERM_SESSION, /* "<node>/<session>" */
	TRACK_TERM_SENDER,
	TRACK_TERM_SENDER_DOMAIN,
	TRACK_TERM_RECIPIENT,
	TRACK_TERM_RECIPIENT_DOMAIN,
	TRACK_TERM_CLIENT,     /* an address */
	TRACK_TERM_NEIGHBOURS, /* its /24, or /64 of IPv6 (network_neighbours()) */
	TRACK_TERM_USER,
};

enum {
	TRACK_FILTER_BITS = 10, /* for a term: fewer than one in a hundred is there by chance */
	TRACK_FILTER_PROBES = 7,
	TRACK_FILTER_MAX = 64 * 1024, /* bytes */
};

/* ASCII letters in any case are the same; an address of a client is so however it is written. */
uint64_t track_term(enum track_term_kind kind, struct span text);
uint64_t track_term_session(struct span node, uint64_t session);

/* All terms of an event, some maybe twice. */
typedef void track_term_fn(void *arg, uint64_t term);
void track_terms_each(const struct track_event *event, track_term_fn *fn, void *arg);

/* The words of a text that holds several, separated by blanks, such as recipients. Takes one off its front.
 */
bool track_next_word(struct span *rest, struct span *word_out);
/* Behind the last '@'; empty: none. */
struct span track_domain(struct span address);

/* Appends the filter of `count` terms that differ from one another. */
void track_filter_make(const uint64_t *terms, size_t count, struct buf *out);
/* `filter` may be any bytes; an empty one has nothing. */
bool track_filter_may_have(struct span filter, uint64_t term);

#endif
