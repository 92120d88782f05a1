/*
 * log_line: one line of the log as bytes, in memory the caller brings. Pure: no clock, no file.
 */
#ifndef NODE_TRACK_LOG_LINE_H
#define NODE_TRACK_LOG_LINE_H

#include "skein/proto/base/buf.h"
#include "track/log.h"

enum { LOG_TIME_LEN = 24 };

/* The text of a moment, with the part that changes once per second kept. All zero bytes is a valid empty one.
 */
struct log_clock {
	uint64_t second;
	char text[LOG_TIME_LEN + 1]; /* 2025-11-25T02:44:01.123Z */
};

/* RFC 3339, UTC, milliseconds. */
void log_clock_set(struct log_clock *clock, uint64_t unix_ms);

struct log_head {
	enum log_format format;
	enum log_level level;
	const char *event;
	const char *time; /* LOG_TIME_LEN bytes */
	struct span node; /* the node field, rendered by log_line_node() */
};

/* The field every line has, rendered once. */
void log_line_node(enum log_format format, const char *node, struct buf *out);
/* Writes at most LOG_LINE_MAX bytes, the newline included, and returns how many. */
size_t log_line_format(const struct log_head *head, const struct log_field *fields, char out[LOG_LINE_MAX]);

#endif
