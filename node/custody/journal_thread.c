/* The thread of a journal: takes what is queued, commits it, gives the results back, works ahead, sleeps. */
#include "custody/journal_internal.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

enum { FULL_DISK_RETRY_MS = 1000 };

uint64_t journal_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void journal_fail(struct journal *journal)
{
	if (!atomic_exchange(&journal->failed, true))
		journal->counted.failed_errno = errno;
}

/* Under queue_lock. Sleeps until `wake`, or the time for what waits in the queue. */
static void sleep_until_needed(struct journal *journal)
{
	uint64_t until_ms = journal->soon_at_ms;
	struct timespec until;

	journal->asleep = true;
	if (!until_ms && journal->disk_full)
		until_ms = journal_now_ms() + FULL_DISK_RETRY_MS;
	if (until_ms) {
		until.tv_sec = (time_t)(until_ms / 1000);
		until.tv_nsec = (long)(until_ms % 1000) * 1000000;
		pthread_cond_timedwait(&journal->wake, &journal->queue_lock, &until);
	} else {
		pthread_cond_wait(&journal->wake, &journal->queue_lock);
	}
	journal->asleep = false;
}

/* Under queue_lock. */
static bool is_due(const struct journal *journal)
{
	return journal->queued_now || journal->stopping ||
	       (journal->soon_at_ms && journal_now_ms() >= journal->soon_at_ms);
}

/* Waits for a batch, or with an empty one for chores. False: stop. */
static bool take_batch(struct journal *journal, struct list *batch)
{
	bool stop;

	pthread_mutex_lock(&journal->queue_lock);
	while (!is_due(journal) && !journal->has_chores) {
		sleep_until_needed(journal);
		journal->has_chores = journal->disk_full; /* time to see if there is room again */
	}
	stop = journal->stopping && list_is_empty(&journal->queue);
	if (is_due(journal)) {
		list_splice_back(batch, &journal->queue);
		journal->queued_now = 0;
		journal->soon_at_ms = 0;
	}
	pthread_mutex_unlock(&journal->queue_lock);
	return !stop;
}

/* Hands what is decided back. Returns true when more is queued already. */
static bool give_results(struct journal *journal, struct list *decided)
{
	bool tell_owner = false;
	bool is_busy;

	ring_publish(journal);
	pthread_mutex_lock(&journal->queue_lock);
	LIST_EACH_SAFE(it, decided)
	{
		bool has_owner = LIST_ENTRY(it, struct request, node)->fn != NULL;

		list_remove(it);
		list_push_back(has_owner ? &journal->done : &journal->idle, it);
		tell_owner = tell_owner || has_owner;
	}
	journal->stats = journal->counted;
	is_busy = journal->queued_now > 0;
	pthread_mutex_unlock(&journal->queue_lock);
	if (tell_owner && journal->notify)
		journal->notify(journal->notify_arg);
	return is_busy;
}

/* One small piece of work ahead of need. Returns true when there is more. */
static bool do_chore(struct journal *journal, bool is_busy)
{
	if (atomic_load(&journal->failed))
		return false;
	if (compact_is_wanted(journal) && compact_step(journal))
		return true;
	return ring_tend(journal, is_busy);
}

static void *run(void *arg)
{
	struct journal *journal = arg;
	struct list batch, decided;

	list_init(&batch);
	list_init(&decided);
	while (take_batch(journal, &batch)) {
		bool is_busy = false;

		while (!list_is_empty(&batch)) {
			commit_some(journal, &batch, &decided);
			is_busy = give_results(journal, &decided);
		}
		journal->has_chores = do_chore(journal, is_busy);
		give_results(journal, &decided);
	}
	return NULL;
}

/* Signals are for the threads that wait for them. */
void journal_thread_start(struct journal *journal)
{
	sigset_t all, before;

	journal->has_chores = true;
	sigfillset(&all);
	CHECK(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
	CHECK(pthread_create(&journal->thread, NULL, run, journal) == 0);
	CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
	pthread_setname_np(journal->thread, "journal");
}

void journal_thread_stop(struct journal *journal)
{
	pthread_mutex_lock(&journal->queue_lock);
	journal->stopping = true;
	pthread_cond_signal(&journal->wake);
	pthread_mutex_unlock(&journal->queue_lock);
	CHECK(pthread_join(journal->thread, NULL) == 0);
	journal->closed = true;
}
