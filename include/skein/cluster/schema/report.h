/*
 * report: everything that is wrong with the settings, each with the place to look at. Also remembers where
 * each setting was given, so that a rule over several of them can point there.
 *
 *   node.yaml:4:11: $.listeners[0].port: expected an integer, got "smtp"
 *   --set log.level: $.log.level: "loud" is not one of error, warn, info, debug
 */
#ifndef SKEIN_CLUSTER_SCHEMA_REPORT_H
#define SKEIN_CLUSTER_SCHEMA_REPORT_H

#include "skein/proto/base/arena.h"
#include "skein/proto/base/buf.h"
#include "skein/proto/base/table.h"

enum { REPORT_ERRORS_MAX = 100 }; /* more are counted, not shown */

struct origin {
	const char *source;  /* a file's name or an option */
	size_t line, column; /* from 1; 0: the source has no lines */
};

/* All zero bytes is an empty one. */
struct report {
	struct buf text; /* one line per problem */
	unsigned errors, warnings;
	const char *source; /* of settings that were not given: the file's name, or "command line" */
	struct table notes; /* by path; the operator's own text needs no random seed */
	struct arena arena;
};

void report_fini(struct report *report);

struct quoted {
	char text[72]; /* NUL-terminated, with its quotes */
};

/* Text of a file as it can be shown: one line, printable, cut where it is long. */
struct quoted report_quote(struct span text);

void report_error(struct report *report, const struct origin *origin, struct span path, const char *fmt, ...)
	PRINTF_LIKE(4, 5);

/* The setting at `path` was given at `origin`; the last note counts. `origin->source` is borrowed. */
void report_note(struct report *report, struct span path, const struct origin *origin);
/* The list at `path` begins anew: forgets its items. */
void report_forget_items(struct report *report, struct span path);
bool report_was_given(const struct report *report, const char *path);
/* Points at where `path`, or else what surrounds it, was given. */
void report_error_at(struct report *report, const char *path, const char *fmt, ...) PRINTF_LIKE(3, 4);
void report_warning_at(struct report *report, const char *path, const char *fmt, ...) PRINTF_LIKE(3, 4);

#endif
