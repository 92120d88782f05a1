#include "io/loop.h"

#include "skein/proto/base/alloc.h"

#include <time.h>

/* Bounds of one turn, so that neither mail nor timers nor tasks that defer tasks starve the sockets. */
#define MESSAGES_PER_TURN 512
#define TIMERS_PER_TURN   1024
#define TASK_ROUNDS       16

#define HEARTBEAT_MS 1000

static void loop_on_wake(uv_async_t *wake);
static void loop_on_clock(uv_timer_t *clock);
static void loop_on_turn_end(uv_prepare_t *turn_end);
static void loop_on_spin(uv_idle_t *spin);
static void loop_on_heartbeat(void *arg);
static uint64_t monotonic_ms(void);

enum err loop_init(struct loop *loop)
{
	*loop = (struct loop){ .armed_ms = UINT64_MAX };
	if (uv_loop_init(&loop->uv))
		return ERR_IO;
	if (uv_async_init(&loop->uv, &loop->wake, loop_on_wake)) {
		CHECK(uv_loop_close(&loop->uv) == 0);
		return ERR_IO;
	}
	CHECK(uv_timer_init(&loop->uv, &loop->clock) == 0);
	CHECK(uv_prepare_init(&loop->uv, &loop->turn_end) == 0);
	CHECK(uv_idle_init(&loop->uv, &loop->spin) == 0);
	handle_group_init(&loop->handles, NULL, NULL);
	for (int i = 0; i < 4; i++)
		handle_group_add(&loop->handles);
	loop->uv.data = loop;
	list_init(&loop->tasks);
	list_init(&loop->inbox);
	list_init(&loop->mail);
	CHECK(pthread_mutex_init(&loop->lock, NULL) == 0);
	loop->read_buf = mem_alloc(LOOP_READ_BUF_SIZE);
	loop->plain_buf = mem_alloc(LOOP_READ_BUF_SIZE);
	loop->turned_at_ms = monotonic_ms();
	CHECK(uv_prepare_start(&loop->turn_end, loop_on_turn_end) == 0);
	loop_timer_init(&loop->heartbeat, loop_on_heartbeat, loop);
	loop_timer_set(loop, &loop->heartbeat, HEARTBEAT_MS);
	return ERR_OK;
}

void loop_run(struct loop *loop)
{
	uv_run(&loop->uv, UV_RUN_DEFAULT);
	/* uv_stop() ends the turn after poll: what the last messages deferred is still to do. */
	loop_on_turn_end(&loop->turn_end);
}

void loop_stop(struct loop *loop)
{
	pthread_mutex_lock(&loop->lock);
	loop->stopping = true;
	pthread_mutex_unlock(&loop->lock);
	uv_async_send(&loop->wake);
}

static void check_is_closing(uv_handle_t *handle, void *arg)
{
	(void)arg;
	CHECK(uv_is_closing(handle));
}

void loop_fini(struct loop *loop)
{
	/* Deadlines that owners set in their last callbacks find no clock any more. */
	loop->armed_ms = 0;
	handle_group_close(&loop->handles, (uv_handle_t *)&loop->wake);
	handle_group_close(&loop->handles, (uv_handle_t *)&loop->clock);
	handle_group_close(&loop->handles, (uv_handle_t *)&loop->turn_end);
	handle_group_close(&loop->handles, (uv_handle_t *)&loop->spin);
	uv_walk(&loop->uv, check_is_closing, NULL);
	uv_run(&loop->uv, UV_RUN_DEFAULT);
	CHECK(loop->handles.open == 0);
	CHECK(uv_loop_close(&loop->uv) == 0);
	heap_fini(&loop->timers);
	pthread_mutex_destroy(&loop->lock);
	mem_free(loop->read_buf);
	mem_free(loop->plain_buf);
}

/* ---- mailbox ---- */

void loop_msg_init(struct loop_msg *msg, loop_fn *fn, void *arg)
{
	*msg = (struct loop_msg){ .fn = fn, .arg = arg };
	list_init(&msg->link);
}

void loop_post(struct loop *loop, struct loop_msg *msg)
{
	CHECK(!list_is_linked(&msg->link));
	pthread_mutex_lock(&loop->lock);
	list_push_back(&loop->mail, &msg->link);
	pthread_mutex_unlock(&loop->lock);
	uv_async_send(&loop->wake);
}

static void run_messages(struct list *inbox)
{
	for (unsigned i = 0; i < MESSAGES_PER_TURN && !list_is_empty(inbox); i++) {
		struct loop_msg *msg = LIST_FIRST(inbox, struct loop_msg, link);

		list_remove(&msg->link);
		msg->fn(msg->arg);
	}
}

static void loop_on_wake(uv_async_t *wake)
{
	struct loop *loop = CONTAINER_OF(wake, struct loop, wake);
	bool stopping;

	pthread_mutex_lock(&loop->lock);
	list_splice_back(&loop->inbox, &loop->mail);
	stopping = loop->stopping;
	pthread_mutex_unlock(&loop->lock);
	run_messages(&loop->inbox);
	if (!list_is_empty(&loop->inbox)) {
		uv_async_send(&loop->wake);
	} else if (stopping) {
		pthread_mutex_lock(&loop->lock);
		loop->stopping = false;
		pthread_mutex_unlock(&loop->lock);
		uv_stop(&loop->uv);
	}
}

/* ---- end of turn ---- */

void loop_task_init(struct loop_task *task, loop_fn *fn, void *arg)
{
	*task = (struct loop_task){ .fn = fn, .arg = arg };
	list_init(&task->link);
}

void loop_defer(struct loop *loop, struct loop_task *task)
{
	if (!list_is_linked(&task->link))
		list_push_back(&loop->tasks, &task->link);
}

void loop_task_cancel(struct loop_task *task)
{
	list_remove(&task->link);
}

/* One round takes what waits now; what these defer belongs to the next. A task may cancel another in the
 * round. */
static void run_round(struct loop *loop)
{
	struct list round;

	list_init(&round);
	list_splice_back(&round, &loop->tasks);
	while (!list_is_empty(&round)) {
		struct loop_task *task = LIST_FIRST(&round, struct loop_task, link);

		list_remove(&task->link);
		task->fn(task->arg);
	}
}

static void loop_on_turn_end(uv_prepare_t *turn_end)
{
	struct loop *loop = CONTAINER_OF(turn_end, struct loop, turn_end);

	for (unsigned i = 0; i < TASK_ROUNDS && !list_is_empty(&loop->tasks); i++)
		run_round(loop);
	if (!list_is_empty(&loop->tasks))
		uv_idle_start(&loop->spin, loop_on_spin);
	else
		uv_idle_stop(&loop->spin);
	atomic_store_explicit(&loop->turned_at_ms, monotonic_ms(), memory_order_relaxed);
}

/* Its being active is what matters: poll returns at once. */
static void loop_on_spin(uv_idle_t *spin)
{
	(void)spin;
}

/* ---- time ---- */

uint64_t loop_boottime_ms(void)
{
	struct timespec now;

	CHECK(clock_gettime(CLOCK_BOOTTIME, &now) == 0);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Not the boot time: a machine that was suspended has no stalled loops. */
static uint64_t monotonic_ms(void)
{
	return uv_hrtime() / 1000000;
}

uint64_t loop_stalled_ms(const struct loop *loop)
{
	/* Read in this order: a turn in between may only make the answer larger than it is, never negative.
	 */
	uint64_t turned_at_ms = atomic_load_explicit(&loop->turned_at_ms, memory_order_relaxed);
	uint64_t now_ms = loop_boottime_ms();

	return now_ms > turned_at_ms ? now_ms - turned_at_ms : 0;
}

/* Turning is its purpose. */
static void loop_on_heartbeat(void *arg)
{
	struct loop *loop = arg;

	loop_timer_set(loop, &loop->heartbeat, HEARTBEAT_MS);
}

static void arm(struct loop *loop, uint64_t due_ms)
{
	uint64_t now_ms = loop_now_ms(loop);

	if (due_ms >= loop->armed_ms)
		return;
	loop->armed_ms = due_ms;
	CHECK(uv_timer_start(&loop->clock, loop_on_clock, due_ms > now_ms ? due_ms - now_ms : 0, 0) == 0);
}

void loop_timer_init(struct loop_timer *timer, loop_fn *fn, void *arg)
{
	*timer = (struct loop_timer){ .fn = fn, .arg = arg };
}

void loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t delay_ms)
{
	uint64_t now_ms = loop_now_ms(loop);

	timer->due_ms = delay_ms < UINT64_MAX - now_ms ? now_ms + delay_ms : UINT64_MAX - 1;
	if (heap_has(&timer->node) && timer->node.due <= timer->due_ms)
		return;
	heap_set(&loop->timers, &timer->node, timer->due_ms);
	arm(loop, timer->due_ms);
}

void loop_timer_cancel(struct loop *loop, struct loop_timer *timer)
{
	heap_remove(&loop->timers, &timer->node);
}

/* Takes the first timer off the heap if it is really due; moves one whose owner pushed it later. */
static struct loop_timer *next_due(struct loop *loop, uint64_t now_ms)
{
	struct heap_node *node;

	while ((node = heap_peek(&loop->timers)) && node->due <= now_ms) {
		struct loop_timer *timer = CONTAINER_OF(node, struct loop_timer, node);

		if (timer->due_ms > node->due) {
			heap_set(&loop->timers, node, timer->due_ms);
			continue;
		}
		heap_remove(&loop->timers, node);
		return timer;
	}
	return NULL;
}

static void loop_on_clock(uv_timer_t *clock)
{
	struct loop *loop = CONTAINER_OF(clock, struct loop, clock);
	uint64_t now_ms = loop_now_ms(loop);
	struct loop_timer *timer;
	struct heap_node *node;

	loop->armed_ms = 0; /* one arming at the end, not one for each timer that a callback sets */
	for (unsigned i = 0; i < TIMERS_PER_TURN && (timer = next_due(loop, now_ms)); i++)
		timer->fn(timer->arg);
	loop->armed_ms = UINT64_MAX;
	node = heap_peek(&loop->timers);
	/* Not before the next millisecond: libuv runs timers until none is due, and sockets would wait. */
	if (node)
		arm(loop, node->due > now_ms ? node->due : now_ms + 1);
}
