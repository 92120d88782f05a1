/* Jobs come back to the loop that asked, or the loop is told in time that they do not. */
#include "cmocka_all.h"

#include "auth/pool.h"
#include "loop_until.h"
#include "wait_until.h"
#include "skein/proto/base/alloc.h"

#include <signal.h>

enum { THREADS = 2, QUEUE_MAX = 3, LONG_MS = 60000, SHORT_MS = 50 };

struct lab {
	struct loop loop;
	struct pool *pool;
	pthread_mutex_t gate; /* held: jobs hang */
	atomic_uint running, freed, left, threads_ended, finis;
};

struct answer {
	enum err err;
	unsigned calls;
	int value;
	struct pool_job *job;
};

/* What it does around the gate. */
enum commitment { NOTHING, COMMITS, COMMITS_AND_SETTLES, COMMITS_BEHIND };

struct question {
	struct lab *lab;
	bool hangs;
	enum commitment commitment;
	int value;
};

static void run_question(void *data, void *thread, const struct pool_turn *turn)
{
	struct question *question = data;
	enum commitment commitment = question->commitment;

	assert_ptr_equal(thread, question->lab);
	assert_true(turn->deadline_ms > 0);
	if (commitment == COMMITS || commitment == COMMITS_AND_SETTLES)
		assert_true(pool_commit(turn));
	if (commitment == COMMITS_AND_SETTLES)
		pool_settle(turn);
	atomic_fetch_add(&question->lab->running, 1);
	if (question->hangs) {
		pthread_mutex_lock(&question->lab->gate);
		pthread_mutex_unlock(&question->lab->gate);
	}
	if (commitment == COMMITS_BEHIND && !pool_commit(turn))
		atomic_fetch_add(&question->lab->left, 1);
	question->value *= 2;
}

static void free_question(void *data)
{
	struct question *question = data;

	atomic_fetch_add(&question->lab->freed, 1);
	mem_free(question);
}

static void on_answer(void *arg, enum err err, void *data)
{
	struct answer *answer = arg;

	answer->err = err;
	answer->calls++;
	answer->value = data ? ((struct question *)data)->value : 0;
	answer->job = NULL;
}

static enum err ask_committed(
	struct lab *lab, bool hangs, enum commitment commitment, uint64_t timeout_ms, struct answer *answer)
{
	struct question *question = mem_zalloc(sizeof(*question));
	struct pool_work work = { run_question, free_question, question };
	struct pool_asker asker = { &lab->loop, timeout_ms, on_answer, answer };

	*question = (struct question){ lab, hangs, commitment, 21 };
	*answer = (struct answer){ 0 };
	uv_update_time(&lab->loop.uv);
	return pool_post(lab->pool, &work, &asker, &answer->job);
}

static enum err ask(struct lab *lab, bool hangs, uint64_t timeout_ms, struct answer *answer)
{
	return ask_committed(lab, hangs, NOTHING, timeout_ms, answer);
}

static void *new_thread(void *arg)
{
	return arg;
}

static void free_thread(void *thread)
{
	atomic_fetch_add(&((struct lab *)thread)->threads_ended, 1);
}

static void end_all(void *arg)
{
	atomic_fetch_add(&((struct lab *)arg)->finis, 1);
}

static int set_up(void **state)
{
	static struct lab lab;
	struct pool_options options = { "test", THREADS, QUEUE_MAX, new_thread, free_thread, end_all, &lab };

	lab = (struct lab){ 0 };
	assert_int_equal(loop_init(&lab.loop), ERR_OK);
	pthread_mutex_init(&lab.gate, NULL);
	lab.pool = pool_new(&options);
	*state = &lab;
	return 0;
}

static int tear_down(void **state)
{
	struct lab *lab = *state;

	pool_free(&lab->pool); /* gone already, or all its threads end */
	RUN_UNTIL(&lab->loop, lab->finis == 1 && lab->threads_ended == THREADS);
	settle(&lab->loop);
	loop_fini(&lab->loop);
	return 0;
}

static void an_answer_comes_to_the_loop_later_and_once(void **state)
{
	struct lab *lab = *state;
	struct answer answer;

	assert_int_equal(ask(lab, false, LONG_MS, &answer), ERR_OK);
	assert_int_equal(answer.calls, 0);
	RUN_UNTIL(&lab->loop, answer.calls);
	settle(&lab->loop);
	assert_int_equal(answer.calls, 1);
	assert_int_equal(answer.err, ERR_OK);
	assert_int_equal(answer.value, 42);
	assert_int_equal(lab->freed, 1);
}

static void a_job_that_hangs_is_given_up_at_its_deadline_and_its_result_dropped(void **state)
{
	struct lab *lab = *state;
	struct answer answer;

	pthread_mutex_lock(&lab->gate);
	assert_int_equal(ask(lab, true, SHORT_MS, &answer), ERR_OK);
	WAIT_UNTIL(lab->running);
	RUN_UNTIL(&lab->loop, answer.calls);
	assert_int_equal(answer.err, ERR_TIMEOUT);
	assert_int_equal(lab->freed, 0); /* the thread still has it */
	pthread_mutex_unlock(&lab->gate);
	RUN_UNTIL(&lab->loop, lab->freed == 1);
	assert_int_equal(answer.calls, 1);
}

static void a_job_that_waits_is_given_up_at_its_deadline_too(void **state)
{
	struct lab *lab = *state;
	struct answer hanging[THREADS], waiting;

	pthread_mutex_lock(&lab->gate);
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(ask(lab, true, LONG_MS, &hanging[i]), ERR_OK);
	assert_int_equal(ask(lab, true, SHORT_MS, &waiting), ERR_OK);
	RUN_UNTIL(&lab->loop, waiting.calls);
	assert_int_equal(waiting.err, ERR_TIMEOUT);
	assert_int_equal(lab->freed, 1);
	pthread_mutex_unlock(&lab->gate);
	RUN_UNTIL(&lab->loop, hanging[0].calls && hanging[1].calls);
	assert_int_equal(hanging[0].value, 42);
}

static void what_was_done_by_then_is_told_and_the_rest_is_left(void **state)
{
	static const struct {
		enum commitment commitment;
		enum err err;
		unsigned left;
	} rows[] = {
		{ NOTHING, ERR_TIMEOUT, 0 },
		{ COMMITS, ERR_UNKNOWN, 0 },
		{ COMMITS_AND_SETTLES, ERR_TIMEOUT, 0 },
		{ COMMITS_BEHIND, ERR_TIMEOUT, 1 },
	};
	struct lab *lab = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct answer answer;

		lab->running = lab->freed = lab->left = 0;
		pthread_mutex_lock(&lab->gate);
		assert_int_equal(ask_committed(lab, true, rows[i].commitment, SHORT_MS, &answer), ERR_OK);
		WAIT_UNTIL(lab->running);
		RUN_UNTIL(&lab->loop, answer.calls);
		assert_int_equal(answer.err, rows[i].err);
		pthread_mutex_unlock(&lab->gate);
		RUN_UNTIL(&lab->loop, lab->freed == 1);
		assert_int_equal(lab->left, rows[i].left);
		/* In time it is an answer like any other. */
		assert_int_equal(ask_committed(lab, false, rows[i].commitment, LONG_MS, &answer), ERR_OK);
		RUN_UNTIL(&lab->loop, answer.calls);
		assert_int_equal(answer.value, 42);
	}
}

static void a_job_that_was_cancelled_is_left(void **state)
{
	struct lab *lab = *state;
	struct answer answer;

	pthread_mutex_lock(&lab->gate);
	assert_int_equal(ask_committed(lab, true, COMMITS_BEHIND, LONG_MS, &answer), ERR_OK);
	WAIT_UNTIL(lab->running);
	pool_cancel(&answer.job);
	pthread_mutex_unlock(&lab->gate);
	RUN_UNTIL(&lab->loop, lab->freed == 1);
	assert_int_equal(lab->left, 1);
}

static void more_than_the_queue_holds_is_refused_at_once(void **state)
{
	struct lab *lab = *state;
	struct answer answers[THREADS + QUEUE_MAX], extra;

	pthread_mutex_lock(&lab->gate);
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(ask(lab, true, LONG_MS, &answers[i]), ERR_OK);
	/* The threads take theirs a moment later; what they hold does not count as waiting. */
	for (size_t i = THREADS; i < ARRAY_LEN(answers); i++)
		WAIT_UNTIL(ask(lab, true, LONG_MS, &answers[i]) == ERR_OK);
	lab->freed = 0;
	while (ask(lab, true, LONG_MS, &extra) == ERR_OK)
		fail_msg("the queue takes more than it should");
	assert_int_equal(lab->freed, 1);
	assert_int_equal(extra.calls, 0);
	pthread_mutex_unlock(&lab->gate);
	for (size_t i = 0; i < ARRAY_LEN(answers); i++)
		RUN_UNTIL(&lab->loop, answers[i].calls);
}

static void while_all_threads_hang_jobs_are_refused_and_afterwards_taken(void **state)
{
	struct lab *lab = *state;
	struct answer hanging[THREADS], next;

	pthread_mutex_lock(&lab->gate);
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(ask(lab, true, SHORT_MS, &hanging[i]), ERR_OK);
	WAIT_UNTIL(lab->running >= THREADS);
	RUN_UNTIL(&lab->loop, hanging[0].calls && hanging[1].calls);
	assert_int_equal(ask(lab, false, LONG_MS, &next), ERR_BUSY);
	pthread_mutex_unlock(&lab->gate);
	RUN_UNTIL(&lab->loop, lab->freed == THREADS + 1);
	assert_int_equal(ask(lab, false, LONG_MS, &next), ERR_OK);
	RUN_UNTIL(&lab->loop, next.calls);
	assert_int_equal(next.value, 42);
}

static void a_cancelled_job_calls_nobody_back(void **state)
{
	struct lab *lab = *state;
	struct answer running, waiting, returned, other;

	pthread_mutex_lock(&lab->gate);
	assert_int_equal(ask(lab, true, LONG_MS, &running), ERR_OK);
	assert_int_equal(ask(lab, true, LONG_MS, &other), ERR_OK);
	WAIT_UNTIL(lab->running >= THREADS);
	assert_int_equal(ask(lab, true, LONG_MS, &waiting), ERR_OK);
	pool_cancel(&running.job);
	assert_null(running.job);
	pool_cancel(&waiting.job);
	pthread_mutex_unlock(&lab->gate);
	RUN_UNTIL(&lab->loop, other.calls && lab->freed == 3);
	/* Its result is on the way when it is cancelled. */
	assert_int_equal(ask(lab, false, LONG_MS, &returned), ERR_OK);
	WAIT_UNTIL(lab->running >= THREADS + 1);
	pool_cancel(&returned.job);
	RUN_UNTIL(&lab->loop, lab->freed == 4);
	assert_int_equal(running.calls + waiting.calls + returned.calls, 0);
	pool_cancel(&returned.job);
}

static void a_pool_that_hangs_is_left_behind(void **state)
{
	struct lab *lab = *state;
	struct answer answer;
	uint64_t before_ms = pool_now_ms();

	pthread_mutex_lock(&lab->gate);
	assert_int_equal(ask(lab, true, LONG_MS, &answer), ERR_OK);
	WAIT_UNTIL(lab->running);
	pool_cancel(&answer.job);
	assert_false(pool_free(&lab->pool));
	assert_true(pool_now_ms() - before_ms < 5000);
	assert_int_equal(lab->finis, 0);
	pthread_mutex_unlock(&lab->gate);
	/* Its last thread cleans up, see tear_down(). */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			an_answer_comes_to_the_loop_later_and_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_job_that_hangs_is_given_up_at_its_deadline_and_its_result_dropped, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			a_job_that_waits_is_given_up_at_its_deadline_too, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			what_was_done_by_then_is_told_and_the_rest_is_left, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_job_that_was_cancelled_is_left, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			more_than_the_queue_holds_is_refused_at_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			while_all_threads_hang_jobs_are_refused_and_afterwards_taken, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_cancelled_job_calls_nobody_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_pool_that_hangs_is_left_behind, set_up, tear_down),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
