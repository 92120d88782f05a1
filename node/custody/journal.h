/*
 * journal: the write-ahead journal of one worker. One journal is one directory of segment files; one thread
 * of its own writes it: it takes everything that is queued, writes it with one pwritev(), makes it durable
 * with one fdatasync() and reports; the next batch forms meanwhile. Needs no event loop.
 *
 * Threads: one owner (the worker) calls everything, except where "any thread" is said.
 *
 * What is live after a start: every MESSAGE without a DONE, with the envelope of its last UPDATE. The log is
 * a ring: segments are reused from the oldest on and only when nothing live is in them, so that what is on
 * disk is always an unbroken end of the log and a DONE never disappears before its MESSAGE. The format is in
 * record.h.
 *
 * A failed write or fdatasync is final (what the kernel did with the pages is unknown): everything pending
 * and everything later is answered with ERR_IO, and the node should leave.
 */
#ifndef NODE_CUSTODY_JOURNAL_H
#define NODE_CUSTODY_JOURNAL_H

#include "skein/cluster/msg_id.h"
#include "skein/proto/base/buf.h"
#include "skein/proto/base/err.h"

struct journal;

struct journal_options {
	const char *dir;      /* made when missing; its parent exists. One process at a time: see spool.h */
	size_t segment_bytes; /* 0: 64 MiB. The longest record is a little shorter than a segment */
	size_t bytes_max;     /* 0: 4 GiB. All segments together; at least four segments */
	unsigned soon_ms;     /* 0: 50. The longest a JOURNAL_SOON entry waits for company */
	unsigned worker;      /* remembered in the journal, see journal_origin() */
	unsigned workers;
	/*
	 * What cannot be read is given up: all readable live records are written anew, and the damaged files
	 * stay beside the others as NAME.damaged. For an operator who was told of damage and chose to go on.
	 */
	bool salvage;
	/* Called from the journal's thread when journal_poll() has something to do: uv_async_send(), say. */
	void (*notify)(void *arg);
	void *notify_arg;
};

enum journal_type {
	JOURNAL_MESSAGE = 1, /* custody begins. An id that is live already is replaced */
	JOURNAL_UPDATE = 2,  /* a new envelope for a live id */
	JOURNAL_DONE = 3,    /* custody ends; harmless for an id that is not live */
};

enum journal_urgency {
	JOURNAL_NOW,  /* somebody waits: committed as soon as the disk is free */
	JOURNAL_SOON, /* goes with the next batch, at the latest after soon_ms */
};

/* Where a body is, as the journal says it. */
enum journal_place {
	JOURNAL_BODY_NONE = 0,   /* known to be elsewhere */
	JOURNAL_BODY_INLINE = 1, /* in the record */
	JOURNAL_BODY_FILE = 2,   /* in the body folder under the text of the id */
};

struct journal_body {
	enum journal_place place;
	struct span bytes; /* INLINE, when appending: exactly `len` bytes. Empty in a replay */
	uint64_t len;
	uint64_t checksum; /* XXH3-64 of the body: body_checksum() has it */
};

struct journal_entry {
	enum journal_type type;
	enum journal_urgency urgency;
	struct msg_id id;
	struct span envelope;     /* MESSAGE, UPDATE; opaque */
	struct journal_body body; /* MESSAGE */
};

/* A live message, as replay reports it. Everything is borrowed for the call. */
struct journal_live {
	struct msg_id id;
	struct span envelope;
	struct journal_body body;
};

typedef void journal_replay_fn(void *arg, const struct journal_live *live);
typedef void journal_done_fn(void *arg, enum err err);

/*
 * Opens or makes the journal, replays it and starts its thread. Blocks; belongs before the loop runs. Each
 * live message is given to `each_live` in the order of its id, which is the order of arrival; bodies are not
 * loaded.
 *
 * A batch that power loss tore at the end of the log was never acknowledged and is dropped quietly. Anything
 * else that does not read back is damage: ERR_CORRUPT, nothing is changed, and `problem_out` names file,
 * offset and cure. ERR_IO: as `problem_out` says. On any error each_live may have run for nobody or for some;
 * *journal_out is NULL.
 */
enum err journal_open(const struct journal_options *options, journal_replay_fn *each_live, void *arg,
	struct journal **journal_out, struct buf *problem_out) WARN_UNUSED;

/*
 * Queues one entry. `entry` itself is copied. With a callback, the bytes that its spans point to are borrowed
 * until the callback runs; without one (`fn` NULL, for UPDATE and DONE only) the envelope is copied.
 *
 * Entries become durable in the order of the calls. The callback runs in journal_poll(), never inside this
 * call: ERR_OK         durable ERR_FULL       bytes_max, or the disk, is reached: answer 452. DONE and UPDATE
 * have room kept for them ERR_INVALID    longer than a segment ERR_NOT_FOUND  UPDATE of an id that is not
 * live (any more); harmless ERR_IO         the journal has failed
 */
void journal_append(
	struct journal *journal, const struct journal_entry *entry, journal_done_fn *fn, void *arg);

/* Runs the callbacks of what is decided. Callbacks may append. */
void journal_poll(struct journal *journal);

/*
 * Any thread. The whole inline body of a live message, verified, appended to `body_out`. Blocks for the disk:
 * from a loop, call it in the pool (body.h does). ERR_NOT_FOUND: not live, or not inline. ERR_CORRUPT,
 * ERR_IO.
 */
enum err journal_read_body(
	struct journal *journal, const struct msg_id *id, struct buf *body_out) WARN_UNUSED;

/* Any thread. True for a live id. */
bool journal_has(struct journal *journal, const struct msg_id *id);

/* Any thread. True from the first failed write on. */
bool journal_has_failed(const struct journal *journal);
/* Any thread. True when little room is left for new messages: refuse them early, at MAIL FROM. */
bool journal_is_nearly_full(const struct journal *journal);

/*
 * Writes what is queued, runs the callbacks that are left, stops the thread. No journal_read_body() may be
 * running.
 */
void journal_close(struct journal **journal);

/*
 * Closes the journal and removes it from the disk, atomically: a crash in between leaves all of it or nothing
 * that journal_list() would report. For a journal whose messages are durable elsewhere. ERR_IO: it is still
 * there.
 */
enum err journal_retire(struct journal **journal) WARN_UNUSED;

/* The worker and the number of workers that the directory was made for; all zero when it is new. */
struct journal_origin {
	unsigned worker, workers;
};
struct journal_origin journal_origin(const struct journal *journal);

/*
 * The journals below a spool's journal folder, each a directory named by its worker's number. Finishes
 * removals that a crash interrupted. With fewer workers than before, those with a higher number are to be
 * opened, their messages appended to the others and, when all that is durable, retired.
 */
enum err journal_list(const char *parent, unsigned *workers_out, size_t max, size_t *count_out) WARN_UNUSED;

enum { JOURNAL_LATENCY_BUCKETS = 20 };

struct journal_stats {
	uint64_t commits;     /* fdatasync calls that made entries durable */
	uint64_t entries;     /* entries they carried */
	uint64_t bytes;       /* written for entries */
	uint64_t moved_bytes; /* written again to free old segments */
	uint64_t refused;     /* ERR_FULL */
	uint64_t batch_entries_max;
	uint64_t commit_us_sum; /* write and fdatasync */
	uint64_t commit_us_max;
	uint64_t commit_us[JOURNAL_LATENCY_BUCKETS]; /* [i]: less than 2^(i+4) µs and in no lower bucket; the
							last: any */
	uint64_t live;                               /* messages */
	uint64_t live_bytes;
	uint64_t disk_bytes;    /* size of all segment files */
	unsigned segments;      /* files */
	unsigned segments_used; /* of which cannot be reused yet */
	int failed_errno;       /* why it failed; 0 while it has not */
	uint64_t damaged;       /* live records that did not read back since the start */
};

/* Any thread. */
void journal_stats(struct journal *journal, struct journal_stats *stats_out);

#endif
