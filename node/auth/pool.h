/*
 * pool: threads for calls that block: a directory, winbindd, a password hash. A loop posts a job and gets its
 * result back in a callback, or hears at the job's deadline that there is none: the thread then finishes
 * alone and what it found is dropped. So a loop never waits, and a client never waits longer than told.
 *
 * Bounded in all directions: threads, jobs that wait, time. While every thread is busy with a job past its
 * deadline new jobs are refused at once.
 *
 * A job has two owners, the loop and the pool; `stage` and `is_abandoned`, under the pool's lock, say who
 * frees it:
 *
 *   queued → running → returned (a message to the loop is on its way)
 *
 * The deadline and pool_cancel() abandon the job. One that was queued is freed there, one that is running by
 * its thread, one that is returned when the message comes.
 */
#ifndef NODE_AUTH_POOL_H
#define NODE_AUTH_POOL_H

#include "io/loop.h"

struct pool;
struct pool_job;

struct pool_options {
	const char *name; /* of the threads; a literal of at most 15 letters */
	size_t threads, queue_max;
	/* All three may be NULL. A thread's own state, made and ended in it. */
	void *(*thread_new)(void *arg);
	void (*thread_free)(void *thread);
	/* Runs once, after the last thread has ended: in pool_free(), or later in that thread. */
	void (*fini)(void *arg);
	void *arg;
};

/* A thread's turn at a job. */
struct pool_turn {
	uint64_t deadline_ms; /* on pool_now_ms()'s clock: nobody waits after it */
	struct pool_job *job; /* NULL, in tests: nobody gives it up */
};

struct pool_work {
	/* In a thread of the pool. */
	void (*run)(void *data, void *thread, const struct pool_turn *turn);
	/* Once, in any thread, after `done` or in its place. Wipes secrets. */
	void (*free)(void *data);
	void *data;
};

/*
 * ERR_OK: `data` is what `run` worked on, borrowed; otherwise it is NULL. ERR_TIMEOUT: no answer, and nothing
 * was done that counts. ERR_UNKNOWN: no answer, and a thread had pool_commit()ted itself.
 */
typedef void pool_done_fn(void *arg, enum err err, void *data);

struct pool_asker {
	struct loop *loop; /* of the calling thread */
	uint64_t timeout_ms;
	pool_done_fn *done;
	void *arg;
};

struct pool *pool_new(const struct pool_options *options);
/*
 * Every job is done or cancelled, and nobody posts any more. Waits a second for the threads. False: one hangs
 * and was left behind, and what it uses with it. NULL is fine.
 */
bool pool_free(struct pool **pool);

/*
 * Any loop's thread. `work->data` is moved, on an error too. ERR_OK: `done` is called once, later; until then
 * the job may be cancelled. ERR_FULL: too many wait. ERR_BUSY: all threads hang.
 */
enum err pool_post(struct pool *pool, const struct pool_work *work, const struct pool_asker *asker,
	struct pool_job **job_out) WARN_UNUSED;
/* In the thread that posted: `done` is not called. Sets the pointer to NULL; NULL is fine. */
void pool_cancel(struct pool_job **job);

/*
 * For `run`, before something that cannot be taken back. False: the job was given up, so leave it. From here
 * to pool_settle(), which says that its outcome is known, whoever gives up hears ERR_UNKNOWN.
 */
bool pool_commit(const struct pool_turn *turn) WARN_UNUSED;
void pool_settle(const struct pool_turn *turn);

/* Monotonic. */
uint64_t pool_now_ms(void);

#endif
