/*
 * loop: one thread's libuv loop with what all its users share: a mailbox for other threads, cheap deadlines,
 * work put off to the end of the turn, and a sign of life. All calls are for the loop's own thread, except
 * where a comment says "any thread". The process must ignore SIGPIPE (libuv writes with write(2)); main does
 * that.
 *
 * One turn: timers → deferred tasks → poll (sockets, mailbox) → close callbacks.
 */
#ifndef SKEIN_NODE_IO_LOOP_H
#define SKEIN_NODE_IO_LOOP_H

#include "io/handle_group.h"
#include "skein/proto/base/err.h"
#include "skein/proto/base/heap.h"
#include "skein/proto/base/list.h"

#include <pthread.h>
#include <stdatomic.h>
#include <uv.h>

#define LOOP_READ_BUF_SIZE ((size_t)64 * 1024)

typedef void loop_fn(void *arg);

/* A message to a loop. Embedded in what it carries; the receiver finds that through `arg`. */
struct loop_msg {
	struct list link;
	loop_fn *fn;
	void *arg;
};

/* Work for the end of the turn. Embedded in its owner, who cancels it before it frees it. */
struct loop_task {
	struct list link;
	loop_fn *fn;
	void *arg;
};

/* A one-shot deadline. Embedded in its owner, who cancels it before it frees it. */
struct loop_timer {
	struct heap_node node; /* node.due <= due_ms: a deadline that moves later is looked at when the old
				  one comes */
	uint64_t due_ms;       /* what the owner wants, on loop_now_ms()'s clock */
	loop_fn *fn;
	void *arg;
};

struct loop {
	uv_loop_t uv;
	uv_async_t wake;
	uv_timer_t clock; /* armed for the earliest deadline, or earlier */
	uv_prepare_t turn_end;
	uv_idle_t spin; /* active while tasks wait: keeps poll from blocking */
	struct handle_group handles;
	struct heap timers;
	uint64_t armed_ms; /* when `clock` fires; UINT64_MAX: not armed */
	struct list tasks;
	struct list inbox; /* taken from `mail`, not yet run */
	struct loop_timer heartbeat;
	char *read_buf; /* LOOP_READ_BUF_SIZE bytes each; content is valid within one callback only */
	char *plain_buf;
	_Atomic uint64_t turned_at_ms;
	pthread_mutex_t lock;
	struct list mail; /* under lock */
	bool stopping;    /* under lock */
};

WARN_UNUSED enum err loop_init(struct loop *loop);
/* Runs until loop_stop(). May be called again afterwards. */
void loop_run(struct loop *loop);
/*
 * Any thread. Ends loop_run() after everything posted before this call, and what that deferred, has run.
 */
void loop_stop(struct loop *loop);
/*
 * Waits for close callbacks. By now every handle on the loop is closed or closing (see stream_abort_all())
 * and nobody posts any more; messages and tasks that did not run are dropped.
 */
void loop_fini(struct loop *loop);

/*
 * Any thread. Runs msg->fn(msg->arg) on the loop's thread, later, in the order of the posts. The message
 * belongs to the loop until fn begins; then it may be freed or posted again. Never post one that is still on
 * its way.
 */
void loop_msg_init(struct loop_msg *msg, loop_fn *fn, void *arg);
void loop_post(struct loop *loop, struct loop_msg *msg);

/*
 * Runs the task once at the end of this turn, before the loop sleeps. Harmless when it waits already. A task
 * may defer others (they run in the same turn) and itself; after a few rounds the sockets get their turn
 * first.
 */
void loop_task_init(struct loop_task *task, loop_fn *fn, void *arg);
void loop_defer(struct loop *loop, struct loop_task *task);
void loop_task_cancel(struct loop_task *task);

/* Sets or moves the deadline to `delay_ms` from loop_now_ms(). Moving it later costs nothing; all else O(log
 * n). */
void loop_timer_init(struct loop_timer *timer, loop_fn *fn, void *arg);
void loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t delay_ms);
/* Harmless when not set. */
void loop_timer_cancel(struct loop *loop, struct loop_timer *timer);
static inline bool loop_timer_is_set(const struct loop_timer *timer)
{
	return heap_has(&timer->node);
}

/* Monotonic, cached: the time at which this turn's events came. Does not count a suspended machine. For
 * deadlines. */
static inline uint64_t loop_now_ms(const struct loop *loop)
{
	return uv_now(&loop->uv);
}

/*
 * Any thread. CLOCK_BOOTTIME, read at this moment and never cached: it counts the time the machine was
 * suspended, and a process that was stopped sees so at once. For leases.
 */
uint64_t loop_boottime_ms(void);

/*
 * Any thread. How long ago the loop last turned. A healthy loop turns at least once a second, also when idle;
 * more than a few seconds means that a callback blocks.
 */
uint64_t loop_stalled_ms(const struct loop *loop);

#endif
