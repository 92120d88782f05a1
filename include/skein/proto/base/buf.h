/*
 * buf: a growing byte buffer that its holder owns. All zero bytes is a valid empty one. Taking from the front
 * is cheap: the gap is closed only when room is needed.
 */
#ifndef SKEIN_PROTO_BASE_BUF_H
#define SKEIN_PROTO_BASE_BUF_H

#include "skein/proto/base/check.h"
#include "skein/proto/base/span.h"

#include <stdarg.h>

struct buf {
	char *base;  /* allocation */
	size_t head; /* first live byte; head <= tail <= cap */
	size_t tail;
	size_t cap;
};

void buf_fini(struct buf *buf);
/* Drops the content and keeps the allocation. */
void buf_clear(struct buf *buf);
/* Drops the allocation too if it is empty: an idle connection holds no buffer. */
void buf_shrink(struct buf *buf);
/* Room for at least `len` more bytes at buf_tail(). */
void buf_reserve(struct buf *buf, size_t len);
/* `len` bytes were written at buf_tail() after buf_reserve(). */
void buf_commit(struct buf *buf, size_t len);
void buf_append(struct buf *buf, struct span bytes);
void buf_append_str(struct buf *buf, const char *text);
void buf_append_byte(struct buf *buf, char byte);
void buf_append_u64(struct buf *buf, uint64_t value); /* decimal */
void buf_printf(struct buf *buf, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_vprintf(struct buf *buf, const char *fmt, va_list args) PRINTF_LIKE(2, 0);
/* Removes `len` bytes from the front. */
void buf_consume(struct buf *buf, size_t len);
/* Cuts the content to its first `len` bytes. */
void buf_truncate(struct buf *buf, size_t len);

static inline size_t buf_len(const struct buf *buf)
{
	return buf->tail - buf->head;
}

static inline struct span buf_span(const struct buf *buf)
{
	return span_of(buf->base ? buf->base + buf->head : NULL, buf->tail - buf->head);
}

static inline char *buf_tail(const struct buf *buf)
{
	return buf->base + buf->tail;
}

#endif
