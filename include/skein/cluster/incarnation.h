/*
 * incarnation: one life of a node. The UUID comes with the spool and stays, the epoch is new with every
 * registration and only grows. Everything in Redis that belongs to a node names both.
 */
#ifndef SKEIN_CLUSTER_INCARNATION_H
#define SKEIN_CLUSTER_INCARNATION_H

#include "skein/proto/base/span.h"

enum { NODE_UUID_LEN = 36 };

/* Lower case text with dashes, NUL-terminated; empty: nobody. */
struct node_uuid {
	char text[NODE_UUID_LEN + 1];
};

struct incarnation {
	struct node_uuid node;
	uint64_t epoch;
};

static inline struct span node_uuid_span(const struct node_uuid *uuid)
{
	return span_of_str(uuid->text);
}

static inline bool node_uuid_eq(const struct node_uuid *a, const struct node_uuid *b)
{
	return memcmp(a->text, b->text, NODE_UUID_LEN) == 0;
}

static inline bool node_uuid_is_empty(const struct node_uuid *uuid)
{
	return uuid->text[0] == '\0';
}

/* False, and an empty uuid, when the text is not 36 characters of lower case hex and dashes. */
static inline bool node_uuid_parse(struct span text, struct node_uuid *uuid_out)
{
	memset(uuid_out, 0, sizeof(*uuid_out));
	if (text.len != NODE_UUID_LEN)
		return false;
	for (size_t i = 0; i < NODE_UUID_LEN; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;
		char c = text.ptr[i];

		if (dash ? c != '-' : !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
			return false;
	}
	memcpy(uuid_out->text, text.ptr, NODE_UUID_LEN);
	return true;
}

#endif
