#include "auth/pool.h"

#include "skein/proto/base/alloc.h"

#include <signal.h>
#include <time.h>

enum { FREE_WAIT_MS = 1000 };

enum job_stage { JOB_QUEUED, JOB_RUNNING, JOB_RETURNED };

struct pool_job {
	struct list link; /* in the pool's queue */
	struct pool *pool;
	struct pool_work work;
	struct pool_asker asker;
	struct loop_timer timer;
	struct loop_msg msg;
	struct pool_turn turn;
	enum job_stage stage; /* under the pool's lock, as the two below */
	bool is_abandoned, is_committed;
};

struct pool {
	struct pool_options options;
	pthread_mutex_t lock;
	pthread_cond_t wake, ended;
	struct list queue;
	size_t queued;
	size_t alive; /* threads */
	bool stopping, is_left;
	uint64_t *busy_until_ms; /* of each thread: the deadline of its job; 0: idle */
};

struct pool_thread {
	struct pool *pool;
	size_t index;
};

static void *run_thread(void *arg);
static void job_on_timer(void *arg);
static void job_on_message(void *arg);

uint64_t pool_now_ms(void)
{
	return uv_hrtime() / 1000000;
}

static void init_condition(pthread_cond_t *condition)
{
	pthread_condattr_t attributes;

	CHECK(pthread_condattr_init(&attributes) == 0);
	CHECK(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
	CHECK(pthread_cond_init(condition, &attributes) == 0);
	pthread_condattr_destroy(&attributes);
}

/* Signals are for the threads that wait for them. */
static void start_threads(struct pool *pool)
{
	sigset_t all, before;

	sigfillset(&all);
	CHECK(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
	for (size_t i = 0; i < pool->options.threads; i++) {
		struct pool_thread *thread = mem_zalloc(sizeof(*thread));
		pthread_t id;

		*thread = (struct pool_thread){ pool, i };
		CHECK(pthread_create(&id, NULL, run_thread, thread) == 0);
		pthread_setname_np(id, pool->options.name);
		CHECK(pthread_detach(id) == 0);
	}
	CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
}

struct pool *pool_new(const struct pool_options *options)
{
	struct pool *pool = mem_zalloc(sizeof(*pool));

	pool->options = *options;
	pool->alive = options->threads;
	pool->busy_until_ms = mem_zalloc(options->threads * sizeof(*pool->busy_until_ms));
	list_init(&pool->queue);
	CHECK(pthread_mutex_init(&pool->lock, NULL) == 0);
	init_condition(&pool->wake);
	init_condition(&pool->ended);
	start_threads(pool);
	return pool;
}

static void destroy(struct pool *pool)
{
	if (pool->options.fini)
		pool->options.fini(pool->options.arg);
	pthread_cond_destroy(&pool->wake);
	pthread_cond_destroy(&pool->ended);
	pthread_mutex_destroy(&pool->lock);
	mem_free(pool->busy_until_ms);
	mem_free(pool);
}

/* Under the lock. */
static void wait_for_threads(struct pool *pool)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += FREE_WAIT_MS / 1000;
	while (pool->alive && pthread_cond_timedwait(&pool->ended, &pool->lock, &until) == 0)
		;
}

bool pool_free(struct pool **pool_ptr)
{
	struct pool *pool = *pool_ptr;
	bool is_last;

	if (!pool)
		return true;
	*pool_ptr = NULL;
	pthread_mutex_lock(&pool->lock);
	CHECK(list_is_empty(&pool->queue));
	pool->stopping = true;
	pthread_cond_broadcast(&pool->wake);
	wait_for_threads(pool);
	is_last = !pool->alive;
	pool->is_left = !is_last;
	pthread_mutex_unlock(&pool->lock);
	if (is_last)
		destroy(pool);
	return is_last;
}

/* ---- the asking loop ---- */

/* Under the lock. */
static enum err find_room(const struct pool *pool)
{
	uint64_t now_ms = pool_now_ms();
	size_t hung = 0;

	for (size_t i = 0; i < pool->options.threads; i++)
		hung += pool->busy_until_ms[i] && pool->busy_until_ms[i] <= now_ms;
	if (hung == pool->options.threads)
		return ERR_BUSY;
	return pool->queued < pool->options.queue_max ? ERR_OK : ERR_FULL;
}

static void job_free(struct pool_job *job)
{
	job->work.free(job->work.data);
	mem_free(job);
}

enum err pool_post(struct pool *pool, const struct pool_work *work, const struct pool_asker *asker,
	struct pool_job **job_out)
{
	struct pool_job *job;
	enum err err;

	pthread_mutex_lock(&pool->lock);
	err = find_room(pool);
	if (err) {
		pthread_mutex_unlock(&pool->lock);
		work->free(work->data);
		return err;
	}
	job = mem_zalloc(sizeof(*job));
	*job = (struct pool_job){ .pool = pool, .work = *work, .asker = *asker };
	job->turn = (struct pool_turn){ pool_now_ms() + asker->timeout_ms, job };
	loop_timer_init(&job->timer, job_on_timer, job);
	loop_msg_init(&job->msg, job_on_message, job);
	loop_timer_set(asker->loop, &job->timer, asker->timeout_ms);
	*job_out = job;
	list_push_back(&pool->queue, &job->link);
	pool->queued++;
	pthread_cond_signal(&pool->wake);
	pthread_mutex_unlock(&pool->lock);
	return ERR_OK;
}

/* False: its result is on the way already. */
static bool abandon(struct pool_job *job, bool *was_committed_out)
{
	struct pool *pool = job->pool;
	bool was_queued;

	pthread_mutex_lock(&pool->lock);
	if (job->stage == JOB_RETURNED) {
		pthread_mutex_unlock(&pool->lock);
		return false;
	}
	was_queued = job->stage == JOB_QUEUED;
	if (was_queued) {
		list_remove(&job->link);
		pool->queued--;
	}
	job->is_abandoned = true;
	*was_committed_out = job->is_committed;
	pthread_mutex_unlock(&pool->lock);
	if (was_queued)
		job_free(job);
	return true;
}

static void job_on_timer(void *arg)
{
	struct pool_job *job = arg;
	struct pool_asker asker = job->asker;
	bool was_committed;

	if (abandon(job, &was_committed))
		asker.done(asker.arg, was_committed ? ERR_UNKNOWN : ERR_TIMEOUT, NULL);
}

void pool_cancel(struct pool_job **job_ptr)
{
	struct pool_job *job = *job_ptr;
	bool was_committed;

	if (!job)
		return;
	*job_ptr = NULL;
	loop_timer_cancel(job->asker.loop, &job->timer);
	if (!abandon(job, &was_committed))
		job->is_abandoned = true; /* the message comes to this thread */
}

static void job_on_message(void *arg)
{
	struct pool_job *job = arg;

	loop_timer_cancel(job->asker.loop, &job->timer);
	if (!job->is_abandoned)
		job->asker.done(job->asker.arg, ERR_OK, job->work.data);
	job_free(job);
}

/* ---- the threads ---- */

/* NULL: stop. */
static struct pool_job *take_job(struct pool *pool, size_t index)
{
	struct pool_job *job = NULL;

	pthread_mutex_lock(&pool->lock);
	while (list_is_empty(&pool->queue) && !pool->stopping)
		pthread_cond_wait(&pool->wake, &pool->lock);
	if (!list_is_empty(&pool->queue)) {
		job = LIST_FIRST(&pool->queue, struct pool_job, link);
		list_remove(&job->link);
		pool->queued--;
		job->stage = JOB_RUNNING;
		pool->busy_until_ms[index] = job->turn.deadline_ms;
	}
	pthread_mutex_unlock(&pool->lock);
	return job;
}

bool pool_commit(const struct pool_turn *turn)
{
	struct pool_job *job = turn->job;
	bool is_wanted;

	if (!job)
		return true;
	pthread_mutex_lock(&job->pool->lock);
	is_wanted = job->is_committed = !job->is_abandoned;
	pthread_mutex_unlock(&job->pool->lock);
	return is_wanted;
}

void pool_settle(const struct pool_turn *turn)
{
	if (!turn->job)
		return;
	pthread_mutex_lock(&turn->job->pool->lock);
	turn->job->is_committed = false;
	pthread_mutex_unlock(&turn->job->pool->lock);
}

/* Posts under the lock: once a loop has abandoned its jobs no thread touches it any more. */
static void give_back(struct pool *pool, size_t index, struct pool_job *job)
{
	bool is_abandoned;

	pthread_mutex_lock(&pool->lock);
	pool->busy_until_ms[index] = 0;
	is_abandoned = job->is_abandoned;
	if (!is_abandoned) {
		job->stage = JOB_RETURNED;
		loop_post(job->asker.loop, &job->msg);
	}
	pthread_mutex_unlock(&pool->lock);
	if (is_abandoned)
		job_free(job);
}

static void end_thread(struct pool *pool)
{
	bool is_mine;

	pthread_mutex_lock(&pool->lock);
	pool->alive--;
	is_mine = !pool->alive && pool->is_left;
	pthread_cond_signal(&pool->ended);
	pthread_mutex_unlock(&pool->lock);
	if (is_mine)
		destroy(pool);
}

static void *run_thread(void *arg)
{
	struct pool_thread self = *(struct pool_thread *)arg;
	struct pool *pool = self.pool;
	const struct pool_options *options = &pool->options;
	void *thread = options->thread_new ? options->thread_new(options->arg) : NULL;
	struct pool_job *job;

	mem_free(arg);
	while ((job = take_job(pool, self.index))) {
		job->work.run(job->work.data, thread, &job->turn);
		give_back(pool, self.index, job);
	}
	if (options->thread_free)
		options->thread_free(thread);
	end_thread(pool);
	return NULL;
}
