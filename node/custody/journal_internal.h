/*
 * What the files of the journal share. Who does what:
 *
 *   journal.c         the owner's side: the queue; and done, for journal_poll()
 *   journal_thread.c  takes a batch from the queue and, when it is decided, puts it into done
 *   commit.c          a batch: records, write, sync, index
 *   ring.c            the next segment, when this one is full; between batches zeros and spares ahead of need
 *   compact.c         between batches: copies out of the oldest segment
 *   replay.c          at the start, before there is a thread
 */
#ifndef NODE_CUSTODY_JOURNAL_INTERNAL_H
#define NODE_CUSTODY_JOURNAL_INTERNAL_H

#include "custody/live.h"

#include <pthread.h>
#include <stdatomic.h>

/* One entry on its way to the disk. */
struct request {
	struct list node;
	struct journal_entry entry;
	journal_done_fn *fn;
	void *arg;
	struct buf copy;      /* what the spans of `entry` point to, when nobody else keeps it */
	bool is_move;         /* compaction's, not the owner's */
	struct record record; /* of `entry`: request_init() */
	size_t offset;
	enum err result;
};

/* Keeps request->copy. */
void request_init(struct request *request, const struct journal_entry *entry, journal_done_fn *fn, void *arg);
void request_free(struct request *request);

struct journal {
	/* Fixed after opening. */
	char *dir;
	int dir_fd;
	size_t segment_bytes;
	unsigned segments_max;
	unsigned soon_ms;
	struct journal_origin origin, origin_before;
	void (*notify)(void *arg);
	void *notify_arg;
	pthread_t thread;

	/* Under queue_lock. A request is in the queue, with the thread, in done or idle. */
	pthread_mutex_t queue_lock;
	pthread_cond_t wake;
	struct list queue, done, idle;
	size_t queued_now;   /* JOURNAL_NOW entries in the queue */
	uint64_t soon_at_ms; /* when the queue must go even so; 0 when there is nothing in it */
	bool asleep;         /* the thread waits for `wake` */
	bool stopping;
	bool closed; /* the thread is gone */
	struct journal_stats stats;

	/*
	 * Under index_lock, with the live lists, live_bytes and readers of the segments. Only the thread
	 * changes the index, so it reads without the lock.
	 */
	pthread_mutex_t index_lock;
	pthread_cond_t unread; /* a segment lost its last reader */
	struct live_index index;

	/* The thread's own. */
	struct list ring; /* all segments, oldest first; what is in front of the first live one is spare */
	struct segment *current; /* the last in the ring */
	unsigned segments;
	uint32_t last_number, last_generation;
	bool growing_freely; /* salvage: take no old segment, and have as many new ones as it needs */
	bool disk_full;      /* the last try to get room from the disk failed */
	bool has_chores;
	struct buf heads; /* records of the batch, but for the inline bodies */
	struct iovec *iov;
	size_t iov_cap;
	struct journal_stats counted; /* published under queue_lock */

	atomic_bool failed, nearly_full;
};

/* journal_thread.c */
uint64_t journal_now_ms(void); /* CLOCK_MONOTONIC */
void journal_thread_start(struct journal *journal);
/* Behind everything that is queued. */
void journal_thread_stop(struct journal *journal);
/* The journal is over: `errno` says why. */
void journal_fail(struct journal *journal);

/* commit.c */
/*
 * Takes requests from the front of `requests`, as many as fit into one segment and one batch, makes them
 * durable, changes the index and moves them, with their result, to the end of `done`. Always takes at least
 * one.
 */
void commit_some(struct journal *journal, struct list *requests, struct list *done);

/* ring.c */
unsigned ring_spares(const struct journal *journal);
/* A new spare. ERR_FULL: bytes_max or the disk is reached. */
enum err ring_grow(struct journal *journal) WARN_UNUSED;
/* Makes sure that there are so many. ERR_FULL as above. */
enum err ring_want_spares(struct journal *journal, unsigned count) WARN_UNUSED;
/*
 * Ends the current segment and begins the next. One spare is kept for what ends custody: with `for_message`
 * ERR_FULL comes one segment earlier.
 */
enum err ring_roll(struct journal *journal, bool for_message) WARN_UNUSED;
/* Room for one record of `size` bytes in the current segment. */
bool ring_has_room(const struct journal *journal, uint64_t size);
uint64_t ring_record_max(const struct journal *journal);
/* One step of zero-filling, growing or shrinking ahead of need. True when there is more to do. */
bool ring_tend(struct journal *journal, bool is_busy);
void ring_publish(struct journal *journal);

/* compact.c */
bool compact_is_wanted(const struct journal *journal);
/* Writes some live messages of the oldest used segment anew. False when it cannot, for want of room, say. */
bool compact_step(struct journal *journal);
/* All of them. ERR_IO, ERR_FULL; what cannot be read is skipped and counted. */
enum err compact_empty(struct journal *journal, struct segment *segment) WARN_UNUSED;

/* replay.c */
/* Fills ring and index from the folder. Seals the end of the log. Sets segment->damaged only with `salvage`.
 */
enum err replay_segments(struct journal *journal, bool salvage, struct buf *problem_out) WARN_UNUSED;
enum err replay_report(struct journal *journal, journal_replay_fn *each_live, void *arg,
	struct buf *problem_out) WARN_UNUSED;
/* Moves what lives out of all segments up to the last damaged one, and those out of the way. */
enum err replay_salvage(struct journal *journal, struct buf *problem_out) WARN_UNUSED;

#endif
