#include "skein/proto/base/codec.h"

static void put_le(struct buf *buf, uint64_t value, size_t len)
{
	char bytes[8];

	for (size_t i = 0; i < len; i++)
		bytes[i] = (char)(unsigned char)(value >> (8 * i));
	buf_append(buf, span_of(bytes, len));
}

void put_u8(struct buf *buf, uint8_t value)
{
	put_le(buf, value, 1);
}

void put_u16(struct buf *buf, uint16_t value)
{
	put_le(buf, value, 2);
}

void put_u32(struct buf *buf, uint32_t value)
{
	put_le(buf, value, 4);
}

void put_u64(struct buf *buf, uint64_t value)
{
	put_le(buf, value, 8);
}

void put_bytes(struct buf *buf, struct span bytes)
{
	CHECK(bytes.len <= UINT32_MAX);
	put_u32(buf, (uint32_t)bytes.len);
	buf_append(buf, bytes);
}

static struct span get_raw(struct reader *reader, size_t len)
{
	struct span taken;

	if (reader->bad || reader->rest.len < len) {
		reader->bad = true;
		reader->rest = span_of(NULL, 0);
		return span_of(NULL, 0);
	}
	taken = span_take(reader->rest, len);
	reader->rest = span_drop(reader->rest, len);
	return taken;
}

static uint64_t get_le(struct reader *reader, size_t len)
{
	struct span raw = get_raw(reader, len);
	uint64_t value = 0;

	for (size_t i = 0; i < raw.len; i++)
		value |= (uint64_t)(unsigned char)raw.ptr[i] << (8 * i);
	return value;
}

uint8_t get_u8(struct reader *reader)
{
	return (uint8_t)get_le(reader, 1);
}

uint16_t get_u16(struct reader *reader)
{
	return (uint16_t)get_le(reader, 2);
}

uint32_t get_u32(struct reader *reader)
{
	return (uint32_t)get_le(reader, 4);
}

uint64_t get_u64(struct reader *reader)
{
	return get_le(reader, 8);
}

struct span get_bytes(struct reader *reader, size_t max)
{
	uint32_t len = get_u32(reader);

	if (len > max) {
		reader->bad = true;
		reader->rest = span_of(NULL, 0);
		return span_of(NULL, 0);
	}
	return get_raw(reader, len);
}
