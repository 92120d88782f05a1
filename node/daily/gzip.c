#include "daily/gzip.h"

#include "skein/proto/base/alloc.h"

#include <zlib.h>

/* zlib's word for the format. */
enum { WINDOW_BITS = 15 + 16, MEMORY_LEVEL = 8 };

void gzip_append(struct span text, struct buf *out)
{
	z_stream stream = { .zalloc = Z_NULL };
	char *room;
	size_t most;

	CHECK(text.len <= UINT32_MAX / 2);
	CHECK(deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, WINDOW_BITS, MEMORY_LEVEL,
		      Z_DEFAULT_STRATEGY) == Z_OK);
	most = deflateBound(&stream, (uLong)text.len);
	room = mem_alloc(most);
	stream.next_in = (Bytef *)(uintptr_t)text.ptr;
	stream.avail_in = (uInt)text.len;
	stream.next_out = (Bytef *)room;
	stream.avail_out = (uInt)most;
	CHECK(deflate(&stream, Z_FINISH) == Z_STREAM_END);
	buf_append(out, span_of(room, most - stream.avail_out));
	(void)deflateEnd(&stream);
	mem_free(room);
}
