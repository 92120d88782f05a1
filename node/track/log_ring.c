#include "track/log_ring.h"

#include "skein/proto/base/alloc.h"
#include "skein/proto/base/check.h"

void log_ring_init(struct log_ring *ring, size_t size)
{
	*ring = (struct log_ring){ .base = mem_alloc(size), .size = size };
}

void log_ring_fini(struct log_ring *ring)
{
	mem_free(ring->base);
	ring->base = NULL;
}

/* Where a line of up to `line_max` bytes can go for the tail last seen; SIZE_MAX when nowhere. */
static size_t place(const struct log_ring *ring, size_t head, size_t line_max)
{
	if (head < ring->tail_seen)
		return ring->tail_seen - head > line_max ? head : SIZE_MAX;
	if (ring->size - head >= line_max)
		return head;
	return ring->tail_seen > line_max ? 0 : SIZE_MAX;
}

char *log_ring_reserve(struct log_ring *ring, size_t line_max)
{
	size_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
	size_t at = place(ring, head, line_max);

	if (at == SIZE_MAX) {
		ring->tail_seen = atomic_load_explicit(&ring->tail, memory_order_acquire);
		at = place(ring, head, line_max);
	}
	return at == SIZE_MAX ? NULL : ring->base + at;
}

void log_ring_commit(struct log_ring *ring, char *line, size_t len)
{
	size_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
	size_t at = (size_t)(line - ring->base);

	CHECK(at + len <= ring->size);
	if (at != head)
		ring->end = head;
	/* Sequentially consistent, because the producer looks next at whether the consumer sleeps. */
	atomic_store(&ring->head, at + len);
}

size_t log_ring_used(const struct log_ring *ring)
{
	size_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
	size_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);

	return head >= tail ? head - tail : ring->size - tail + head;
}

struct span log_ring_peek(struct log_ring *ring)
{
	size_t head = atomic_load(&ring->head);
	size_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);

	if (head >= tail)
		return span_of(ring->base + tail, head - tail);
	if (tail < ring->end)
		return span_of(ring->base + tail, ring->end - tail);
	return span_of(ring->base, head);
}

void log_ring_take(struct log_ring *ring, struct span stretch)
{
	size_t tail = (size_t)(stretch.ptr - ring->base) + stretch.len;

	atomic_store_explicit(&ring->tail, tail, memory_order_release);
}
