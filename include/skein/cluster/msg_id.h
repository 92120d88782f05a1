/*
 * msg_id: what a message is called in the journal, in Redis, in the log and in the Received header.
 *
 * 16 bytes: 48 bits of milliseconds since 1970, 16 bits of shard, 64 random bits; 26 characters of
 * Crockford's base32 in text, which sort by time. The shard is part of the id, so whoever holds an id knows
 * where it lives.
 */
#ifndef SKEIN_CLUSTER_MSG_ID_H
#define SKEIN_CLUSTER_MSG_ID_H

#include "skein/proto/base/check.h"
#include "skein/proto/base/span.h"

enum { MSG_ID_LEN = 16, MSG_ID_TEXT_LEN = 26 };

struct msg_id {
	unsigned char bytes[MSG_ID_LEN];
};

struct msg_id_text {
	char text[MSG_ID_TEXT_LEN + 1]; /* NUL-terminated */
};

struct msg_id msg_id_make(uint64_t unix_ms, unsigned shard, uint64_t random);
unsigned msg_id_shard(const struct msg_id *id);
/* When it was made, in ms since 1970. */
uint64_t msg_id_unix_ms(const struct msg_id *id);
struct msg_id_text msg_id_format(const struct msg_id *id);
/* Upper or lower case. False when the text is not exactly an id. */
bool msg_id_parse(struct span text, struct msg_id *id_out) WARN_UNUSED;

static inline bool msg_id_eq(const struct msg_id *a, const struct msg_id *b)
{
	return memcmp(a->bytes, b->bytes, MSG_ID_LEN) == 0;
}

static inline struct span msg_id_span(const struct msg_id *id)
{
	return span_of((const char *)id->bytes, MSG_ID_LEN);
}

#endif
