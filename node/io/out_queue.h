/*
 * out_queue: bytes on their way out, in order: copies packed into blocks, and large pieces of other owners
 * without a copy. All zero bytes is a valid empty one, and an empty one holds no memory.
 */
#ifndef SKEIN_NODE_IO_OUT_QUEUE_H
#define SKEIN_NODE_IO_OUT_QUEUE_H

#include "io/loop.h"
#include "skein/proto/base/span.h"

struct out_queue {
	struct out_block *head, *tail;
	size_t bytes;
};

void out_queue_append(struct out_queue *queue, struct span bytes);
/* The same; the copy is overwritten when it is consumed or dropped. */
void out_queue_append_secret(struct out_queue *queue, struct span bytes);
/* `release(arg)` runs when the last byte is consumed or dropped. */
void out_queue_append_owned(struct out_queue *queue, struct span bytes, loop_fn *release, void *arg);
/* The first block's bytes; empty when the queue is. Valid until something is consumed. */
struct span out_queue_front(const struct out_queue *queue);
/* Fills `iov` from the front with up to `bytes_max` bytes; returns how many entries it used. */
unsigned out_queue_iov(const struct out_queue *queue, size_t bytes_max, unsigned iov_max, uv_buf_t *iov_out);
/* 0 bytes too: drops empty blocks at the front. */
void out_queue_consume(struct out_queue *queue, size_t len);
/* Drops everything. */
void out_queue_fini(struct out_queue *queue);

#endif
