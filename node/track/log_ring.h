/*
 * log_ring: finished lines on their way from one thread to the writer. One producer, one consumer, no lock. A
 * line is formatted in place and never wraps, so the consumer writes whole stretches of memory to the file.
 *
 * Live bytes are [tail, head), or after a wrap [tail, end) and [0, head). head == tail is empty; the producer
 * never fills up to it.
 */
#ifndef NODE_TRACK_LOG_RING_H
#define NODE_TRACK_LOG_RING_H

#include "skein/proto/base/span.h"

#include <stdatomic.h>

struct log_ring {
	char *base;
	size_t size;
	_Alignas(64) atomic_size_t head; /* written by the producer */
	size_t end;                      /* before the release of a head that wrapped */
	size_t tail_seen;                /* the producer's last look at tail */
	_Alignas(64) atomic_size_t tail; /* written by the consumer */
};

/* `size` is at least three times `line_max` of all later calls. */
void log_ring_init(struct log_ring *ring, size_t size);
void log_ring_fini(struct log_ring *ring);

/* Producer: room for one line of up to `line_max` bytes, or NULL when the ring is full. */
char *log_ring_reserve(struct log_ring *ring, size_t line_max);
/* Producer: `len` bytes of the reserved room are a line. */
void log_ring_commit(struct log_ring *ring, char *line, size_t len);
/* Producer: bytes not yet taken, about. */
size_t log_ring_used(const struct log_ring *ring);

/* Consumer: the next stretch of whole lines, empty when there is none. */
struct span log_ring_peek(struct log_ring *ring);
/* Consumer: the stretch was dealt with. */
void log_ring_take(struct log_ring *ring, struct span stretch);

#endif
