#include "cmocka_all.h"

#include <semaphore.h>
#include <unistd.h>

#include "io/loop.h"

#define POSTERS    4
#define POSTS      20000
#define GIVE_UP_MS 20000

static int set_up(void **state)
{
	static struct loop loop;

	assert_int_equal(loop_init(&loop), ERR_OK);
	*state = &loop;
	return 0;
}

static int tear_down(void **state)
{
	loop_fini(*state);
	return 0;
}

/* ---- mailbox ---- */

struct poster {
	struct loop *loop;
	struct posted {
		struct loop_msg msg;
		struct poster *from;
		unsigned number;
	} posts[POSTS];
	unsigned seen;
};

static void on_post(void *arg)
{
	struct posted *post = arg;

	assert_int_equal(post->number, post->from->seen);
	post->from->seen++;
}

static void *post_all(void *arg)
{
	struct poster *poster = arg;

	for (unsigned i = 0; i < POSTS; i++) {
		poster->posts[i].from = poster;
		poster->posts[i].number = i;
		loop_msg_init(&poster->posts[i].msg, on_post, &poster->posts[i]);
		loop_post(poster->loop, &poster->posts[i].msg);
	}
	return NULL;
}

static void *post_from_many(void *arg)
{
	struct poster *posters = arg;
	pthread_t threads[POSTERS];

	for (unsigned i = 0; i < POSTERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, post_all, &posters[i]), 0);
	for (unsigned i = 0; i < POSTERS; i++)
		pthread_join(threads[i], NULL);
	loop_stop(posters[0].loop);
	return NULL;
}

static void messages_of_many_threads_run_in_each_ones_order_and_before_the_stop(void **state)
{
	static struct poster posters[POSTERS];
	pthread_t thread;

	for (unsigned i = 0; i < POSTERS; i++)
		posters[i].loop = *state;
	assert_int_equal(pthread_create(&thread, NULL, post_from_many, posters), 0);
	loop_run(*state);
	pthread_join(thread, NULL);
	for (unsigned i = 0; i < POSTERS; i++)
		assert_int_equal(posters[i].seen, POSTS);
}

struct echo {
	struct loop *loop;
	struct loop_msg msg;
	unsigned left;
};

static void post_again(void *arg)
{
	struct echo *echo = arg;

	if (--echo->left)
		loop_post(echo->loop, &echo->msg);
	else
		loop_stop(echo->loop);
}

static void a_message_may_be_posted_again_while_it_runs(void **state)
{
	struct echo echo = { .loop = *state, .left = 5000 };

	loop_msg_init(&echo.msg, post_again, &echo);
	loop_post(*state, &echo.msg);
	loop_run(*state);
	assert_int_equal(echo.left, 0);
}

/* ---- tasks ---- */

struct chain {
	struct loop *loop;
	struct loop_task first, second, cancelled;
	struct loop_msg msg;
	char trace[16];
	size_t len;
};

static void on_first(void *arg)
{
	struct chain *chain = arg;

	chain->trace[chain->len++] = '1';
	loop_task_cancel(&chain->cancelled);
	loop_defer(chain->loop, &chain->second);
}

static void on_second(void *arg)
{
	struct chain *chain = arg;

	chain->trace[chain->len++] = '2';
	loop_stop(chain->loop);
}

static void on_cancelled(void *arg)
{
	(void)arg;
	fail_msg("a cancelled task ran");
}

static void defer_all(void *arg)
{
	struct chain *chain = arg;

	loop_defer(chain->loop, &chain->first);
	loop_defer(chain->loop, &chain->first);
	loop_defer(chain->loop, &chain->cancelled);
	chain->trace[chain->len++] = 'm';
}

static void tasks_run_once_at_the_end_of_the_turn_and_may_defer_and_cancel_others(void **state)
{
	struct chain chain = { .loop = *state };

	loop_task_init(&chain.first, on_first, &chain);
	loop_task_init(&chain.second, on_second, &chain);
	loop_task_init(&chain.cancelled, on_cancelled, &chain);
	loop_msg_init(&chain.msg, defer_all, &chain);
	loop_post(*state, &chain.msg);
	loop_run(*state);
	assert_string_equal(chain.trace, "m12");
}

struct hog {
	struct loop *loop;
	struct loop_task task;
	unsigned runs;
	bool stopped;
};

static void run_for_ever(void *arg)
{
	struct hog *hog = arg;

	hog->runs++;
	if (!hog->stopped)
		loop_defer(hog->loop, &hog->task);
}

static void a_task_that_defers_itself_does_not_keep_messages_out(void **state)
{
	struct hog hog = { .loop = *state };

	loop_task_init(&hog.task, run_for_ever, &hog);
	loop_defer(*state, &hog.task);
	loop_stop(*state);
	loop_run(*state);
	assert_true(hog.runs > 1);
	hog.stopped = true;
	loop_task_cancel(&hog.task);
}

/* ---- timers ---- */

struct alarm {
	struct loop_timer timer;
	struct ring *ring;
	uint64_t wanted_ms;
};

struct ring {
	struct loop *loop;
	struct alarm alarms[3000];
	unsigned rung, expected;
	uint64_t last_due_ms;
};

static void on_ring(void *arg)
{
	struct alarm *alarm = arg;
	struct ring *ring = alarm->ring;

	assert_true(loop_now_ms(ring->loop) >= alarm->wanted_ms);
	assert_true(alarm->wanted_ms >= ring->last_due_ms);
	assert_false(loop_timer_is_set(&alarm->timer));
	ring->last_due_ms = alarm->wanted_ms;
	if (++ring->rung == ring->expected)
		loop_stop(ring->loop);
}

static void on_never(void *arg)
{
	(void)arg;
	fail_msg("a cancelled deadline came");
}

static void set_alarm(struct ring *ring, unsigned index, uint64_t delay_ms)
{
	loop_timer_set(ring->loop, &ring->alarms[index].timer, delay_ms);
	ring->alarms[index].wanted_ms = loop_now_ms(ring->loop) + delay_ms;
}

static void deadlines_come_in_order_after_they_were_moved_and_cancelled(void **state)
{
	static struct ring ring;

	ring = (struct ring){ .loop = *state };
	for (unsigned i = 0; i < ARRAY_LEN(ring.alarms); i++) {
		ring.alarms[i].ring = &ring;
		loop_timer_init(&ring.alarms[i].timer, i % 5 == 4 ? on_never : on_ring, &ring.alarms[i]);
		set_alarm(&ring, i, i * 31 % 40);
	}
	for (unsigned i = 0; i < ARRAY_LEN(ring.alarms); i++) {
		if (i % 5 == 4)
			loop_timer_cancel(*state, &ring.alarms[i].timer);
		else
			ring.expected++;
		if (i % 5 == 1)
			set_alarm(&ring, i, 45 + i % 7); /* later */
		if (i % 5 == 2)
			set_alarm(&ring, i, i % 3); /* mostly earlier */
		if (i % 5 == 3) {
			set_alarm(&ring, i, 60);
			set_alarm(&ring, i, 5 + i % 5); /* later, then back */
		}
	}
	loop_run(*state);
	assert_int_equal(ring.rung, ring.expected);
	assert_ptr_equal(heap_peek(&ring.loop->timers), &ring.loop->heartbeat.node);
}

static void a_deadline_too_far_to_count_is_set_and_never_comes(void **state)
{
	struct loop_timer timer;

	loop_timer_init(&timer, on_never, NULL);
	loop_timer_set(*state, &timer, UINT64_MAX);
	assert_true(loop_timer_is_set(&timer));
	loop_stop(*state);
	loop_run(*state);
	loop_timer_cancel(*state, &timer);
	assert_false(loop_timer_is_set(&timer));
}

/* ---- sign of life ---- */

struct watch {
	struct loop *loop;
	struct loop_msg block;
	sem_t seen_stalled;
};

static void block(void *arg)
{
	struct watch *watch = arg;

	sem_wait(&watch->seen_stalled);
}

static void *watch_stall(void *arg)
{
	struct watch *watch = arg;
	uint64_t give_up_ms = loop_boottime_ms() + GIVE_UP_MS;

	while (loop_stalled_ms(watch->loop) < 100 && loop_boottime_ms() < give_up_ms)
		usleep(1000);
	assert_true(loop_stalled_ms(watch->loop) >= 100);
	sem_post(&watch->seen_stalled);
	while (loop_stalled_ms(watch->loop) >= 100 && loop_boottime_ms() < give_up_ms)
		usleep(1000);
	assert_true(loop_boottime_ms() < give_up_ms);
	loop_stop(watch->loop);
	return NULL;
}

static void a_blocked_loop_shows_from_outside_and_so_does_its_recovery(void **state)
{
	struct watch watch = { .loop = *state };
	pthread_t thread;

	assert_int_equal(sem_init(&watch.seen_stalled, 0, 0), 0);
	loop_msg_init(&watch.block, block, &watch);
	loop_post(*state, &watch.block);
	assert_int_equal(pthread_create(&thread, NULL, watch_stall, &watch), 0);
	loop_run(*state);
	pthread_join(thread, NULL);
	sem_destroy(&watch.seen_stalled);
}

static void an_idle_loop_turns_by_its_heartbeat(void **state)
{
	struct loop *loop = *state;
	uint64_t first_due_ms = loop->heartbeat.due_ms;

	assert_true(loop_timer_is_set(&loop->heartbeat));
	while (loop->heartbeat.due_ms == first_due_ms)
		uv_run(&loop->uv, UV_RUN_ONCE);
	assert_true(loop_timer_is_set(&loop->heartbeat));
	assert_in_range(loop->heartbeat.due_ms - first_due_ms, 1, 5000);
}

/* ---- handle_group ---- */

static void count(void *arg)
{
	++*(unsigned *)arg;
}

static void a_group_calls_back_once_after_its_last_handle(void **state)
{
	struct loop *loop = *state;
	struct handle_group group;
	uv_timer_t handles[3];
	unsigned closed = 0;

	handle_group_init(&group, count, &closed);
	for (unsigned i = 0; i < ARRAY_LEN(handles); i++) {
		assert_int_equal(uv_timer_init(&loop->uv, &handles[i]), 0);
		handle_group_add(&group);
	}
	handle_group_close(&group, (uv_handle_t *)&handles[0]);
	handle_group_close(&group, (uv_handle_t *)&handles[1]);
	while (group.open > 1)
		uv_run(&loop->uv, UV_RUN_NOWAIT);
	assert_int_equal(closed, 0);
	handle_group_close(&group, (uv_handle_t *)&handles[2]);
	while (group.open)
		uv_run(&loop->uv, UV_RUN_NOWAIT);
	assert_int_equal(closed, 1);
}

#define LOOP_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOOP_TEST(messages_of_many_threads_run_in_each_ones_order_and_before_the_stop),
		LOOP_TEST(a_message_may_be_posted_again_while_it_runs),
		LOOP_TEST(tasks_run_once_at_the_end_of_the_turn_and_may_defer_and_cancel_others),
		LOOP_TEST(a_task_that_defers_itself_does_not_keep_messages_out),
		LOOP_TEST(deadlines_come_in_order_after_they_were_moved_and_cancelled),
		LOOP_TEST(a_deadline_too_far_to_count_is_set_and_never_comes),
		LOOP_TEST(a_blocked_loop_shows_from_outside_and_so_does_its_recovery),
		LOOP_TEST(an_idle_loop_turns_by_its_heartbeat),
		LOOP_TEST(a_group_calls_back_once_after_its_last_handle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
