/* The fields of an event: the one table of what they are called. */
#ifndef CLUSTER_TRACK_FIELDS_H
#define CLUSTER_TRACK_FIELDS_H

#include "skein/cluster/track_event.h"

/* In the order of JSON. */
enum track_field_id {
	FIELD_TIME,
	FIELD_NODE,
	FIELD_KIND,
	FIELD_SESSION,
	FIELD_ID,
	FIELD_CLIENT,
	FIELD_USER,
	FIELD_HELO,
	FIELD_TLS,
	FIELD_SENDER,
	FIELD_RECIPIENT,
	FIELD_RECIPIENTS,
	FIELD_SIZE,
	FIELD_HOP,
	FIELD_CODE,
	FIELD_STATUS,
	FIELD_TEXT,
	FIELD_RULE,
	FIELD_ABOUT,
	FIELD_ATTEMPTS,
	FIELD_LATENCY,
	FIELD_QUERY, /* of W3C alone */
	FIELD_COUNT
};

enum track_field_type {
	FIELD_IS_TIME,
	FIELD_IS_KIND,
	FIELD_IS_SESSION,
	FIELD_IS_NUMBER,
	FIELD_IS_DURATION, /* microseconds; W3C has milliseconds */
	FIELD_IS_TEXT,
	FIELD_IS_QUERY,
};

struct track_field {
	enum track_field_type type;
	const char *key;    /* in JSON and for people */
	const char *column; /* in W3C extended format */
	size_t offset;      /* in struct track_event */
};

extern const struct track_field track_fields[FIELD_COUNT];

static inline uint64_t track_field_number(const struct track_event *event, const struct track_field *field)
{
	return *(const uint64_t *)(const void *)((const char *)event + field->offset);
}

static inline struct span track_field_text(const struct track_event *event, const struct track_field *field)
{
	return *(const struct span *)(const void *)((const char *)event + field->offset);
}

#endif
