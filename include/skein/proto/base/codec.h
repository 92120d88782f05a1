/*
 * codec: little-endian numbers and counted bytes, for records that we write ourselves (envelopes, the
 * journal). A reader never reads past its end: the first short read sets `bad`, and all later ones give zero.
 */
#ifndef SKEIN_PROTO_BASE_CODEC_H
#define SKEIN_PROTO_BASE_CODEC_H

#include "skein/proto/base/buf.h"

struct reader {
	struct span rest;
	bool bad;
};

void put_u8(struct buf *buf, uint8_t value);
void put_u16(struct buf *buf, uint16_t value);
void put_u32(struct buf *buf, uint32_t value);
void put_u64(struct buf *buf, uint64_t value);
/* A u32 length, then the bytes. */
void put_bytes(struct buf *buf, struct span bytes);

uint8_t get_u8(struct reader *reader);
uint16_t get_u16(struct reader *reader);
uint32_t get_u32(struct reader *reader);
uint64_t get_u64(struct reader *reader);
/* Borrowed from the reader's span. Longer than `max` is bad. */
struct span get_bytes(struct reader *reader, size_t max);

#endif
