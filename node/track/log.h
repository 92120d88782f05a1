/*
 * log: structured lines, a constant event name plus key=value fields, as JSON or as text.
 *
 *   log_event(log, LOG_WARN, "message-not-signed", LOG_STR("id", id.text), LOG_SPAN("sender", sender),
 *             LOG_STR("why", why), LOG_END);
 *
 * One `log_writer` per process owns the file and a thread; each thread that logs has a `log` of its own, a
 * ring that it formats its lines into without a lock, an allocation or a system call. The writer takes what
 * the rings hold some milliseconds later and writes it at once. A loop never waits: when its ring is full,
 * lines are dropped and counted, and the count is logged. Lines of one thread stay in order; those of two
 * threads may swap within a batch.
 *
 * Levels: error = somebody must act; warn = it will need action if it goes on; info = a change of
 * the node or the cluster; debug = off. Steps of messages are not here but tracked (tracker.h). Repeated
 * errors and warnings are thinned per thread and event name: LOG_BURST lines in LOG_BURST_MS, then only their
 * number ("log-suppressed").
 *
 * Text of peers is safe in any field: control characters and bytes that are not UTF-8 are escaped, long
 * values are cut to LOG_VALUE_MAX bytes and end in "…" then. Secrets are not: do not hand them in.
 */
#ifndef NODE_TRACK_LOG_H
#define NODE_TRACK_LOG_H

#include "skein/proto/base/check.h"
#include "skein/proto/base/err.h"
#include "skein/proto/base/span.h"

enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };
enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

struct log;
struct log_writer;
struct meter;

enum {
	LOG_VALUE_MAX = 512,
	LOG_LINE_MAX = 4096, /* fields that do not fit are left out, the line then has truncated=true */
	LOG_BURST = 20,
	LOG_BURST_MS = 10000,
};

enum log_field_type {
	LOG_FIELD_END,
	LOG_FIELD_SPAN,
	LOG_FIELD_U64,
	LOG_FIELD_I64,
	LOG_FIELD_BOOL,
	LOG_FIELD_LIST
};

struct log_field {
	const char *key; /* a literal: letters, digits, '-' and '_' */
	unsigned char key_len;
	unsigned char type; /* enum log_field_type */
	union {
		struct span span;
		uint64_t u64;
		int64_t i64;
		bool flag;
		const struct log_field *list;
	};
};

/* All are borrowed during the call only. `key` is a string literal. A NULL text is logged as "". */
#define LOG_KEY(key, type)   (key), sizeof(key "") - 1, (type)
#define LOG_SPAN(key, value) ((struct log_field){ LOG_KEY(key, LOG_FIELD_SPAN), { .span = (value) } })
#define LOG_STR(key, value)                                                                                  \
	((struct log_field){ LOG_KEY(key, LOG_FIELD_SPAN), { .span = span_of_str(value) } })
#define LOG_U64(key, value)  ((struct log_field){ LOG_KEY(key, LOG_FIELD_U64), { .u64 = (value) } })
#define LOG_I64(key, value)  ((struct log_field){ LOG_KEY(key, LOG_FIELD_I64), { .i64 = (value) } })
#define LOG_BOOL(key, value) ((struct log_field){ LOG_KEY(key, LOG_FIELD_BOOL), { .flag = (value) } })
/* "error": the phrase of an enum err. */
#define LOG_ERR(err) LOG_STR("error", err_text(err))
/* "error": the phrase of an errno value. */
#define LOG_ERRNO(number) LOG_STR("error", strerrordesc_np(number))
/* All fields of another LOG_END-terminated array: what an owner repeats on each of its lines. */
#define LOG_FIELDS(array) ((struct log_field){ "", 0, LOG_FIELD_LIST, { .list = (array) } })
#define LOG_END           ((struct log_field){ "", 0, LOG_FIELD_END, { .u64 = 0 } })

/* Fields are evaluated only when the level is on. `target` is the thread's struct log; NULL: nothing is
 * logged. */
#define log_event(target, level, event, ...)                                                                 \
	do {                                                                                                 \
		struct log *log_ = (target);                                                                 \
		if (log_is_on(log_, (level)))                                                                \
			log_write(log_, (level), (event), (const struct log_field[]){ __VA_ARGS__ });        \
	} while (0)

bool log_is_on(const struct log *log, enum log_level level);
/* Behind log_event(). `event` is a string literal. */
void log_write(struct log *log, enum log_level level, const char *event, const struct log_field *fields);

struct log_writer_options {
	const char *file; /* "" or NULL: standard error */
	const char *node; /* a field of every line */
	enum log_format format;
	enum log_level level;
	size_t ring_size;    /* per thread; 0: 256 KiB */
	struct meter *meter; /* of the writer's thread: counts dropped lines; may be NULL */
};

/*
 * Opens the file and starts the thread. On an error nothing is left over and errno says why. Strings are
 * copied.
 */
enum err log_writer_new(const struct log_writer_options *options, struct log_writer **writer_out) WARN_UNUSED;
/* Writes what is left and ends the thread. No thread may log any more; frees the logs of all threads. */
void log_writer_free(struct log_writer **writer);
/* From any thread. The file is opened anew a moment later; if that fails the old one stays, and a line tells
 * so. */
void log_writer_reopen(struct log_writer *writer);
/* From any thread, at any time. */
void log_writer_set_level(struct log_writer *writer, enum log_level level);
/*
 * The way in for one thread: only that thread may log with it. `thread` names it in lines about lost lines.
 * Owned by the writer, valid until log_writer_free(). A process opens a fixed number of them, at start.
 */
struct log *log_open(struct log_writer *writer, const char *thread);

#endif
