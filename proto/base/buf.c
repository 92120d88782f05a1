#include "skein/proto/base/buf.h"

#include "skein/proto/base/alloc.h"

#include <stdio.h>

void buf_fini(struct buf *buf)
{
	mem_free(buf->base);
	*buf = (struct buf){ 0 };
}

void buf_clear(struct buf *buf)
{
	buf->head = buf->tail = 0;
}

void buf_shrink(struct buf *buf)
{
	if (buf->head == buf->tail)
		buf_fini(buf);
}

void buf_reserve(struct buf *buf, size_t len)
{
	size_t used = buf_len(buf);

	CHECK(len <= SIZE_MAX / 4 && used <= SIZE_MAX / 4);
	if (buf->cap - buf->tail >= len)
		return;
	/* Closing the gap pays only when it frees at least as much as it moves. */
	if (buf->cap >= used + len && buf->head >= used) {
		if (used)
			memmove(buf->base, buf->base + buf->head, used);
	} else {
		size_t cap = buf->cap < 128 ? 256 : buf->cap * 2;
		char *base;

		while (cap < used + len)
			cap *= 2;
		base = mem_alloc(cap);
		if (used)
			memcpy(base, buf->base + buf->head, used);
		mem_free(buf->base);
		buf->base = base;
		buf->cap = cap;
	}
	buf->head = 0;
	buf->tail = used;
}

void buf_commit(struct buf *buf, size_t len)
{
	CHECK(len <= buf->cap - buf->tail);
	buf->tail += len;
}

void buf_append(struct buf *buf, struct span bytes)
{
	if (!bytes.len)
		return;
	buf_reserve(buf, bytes.len);
	memcpy(buf_tail(buf), bytes.ptr, bytes.len);
	buf->tail += bytes.len;
}

void buf_append_str(struct buf *buf, const char *text)
{
	buf_append(buf, span_of_str(text));
}

void buf_append_byte(struct buf *buf, char byte)
{
	buf_append(buf, span_of(&byte, 1));
}

void buf_append_u64(struct buf *buf, uint64_t value)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	buf_append(buf, span_of(digits + at, sizeof(digits) - at));
}

void buf_vprintf(struct buf *buf, const char *fmt, va_list args)
{
	va_list again;
	int len;

	va_copy(again, args);
	len = vsnprintf(NULL, 0, fmt, args);
	CHECK(len >= 0);
	buf_reserve(buf, (size_t)len + 1);
	vsnprintf(buf_tail(buf), (size_t)len + 1, fmt, again);
	va_end(again);
	buf->tail += (size_t)len;
}

void buf_printf(struct buf *buf, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	buf_vprintf(buf, fmt, args);
	va_end(args);
}

void buf_consume(struct buf *buf, size_t len)
{
	CHECK(len <= buf_len(buf));
	buf->head += len;
	if (buf->head == buf->tail)
		buf->head = buf->tail = 0;
}

void buf_truncate(struct buf *buf, size_t len)
{
	CHECK(len <= buf_len(buf));
	buf->tail = buf->head + len;
}
