/*
 * One thing at a time: asking for the version, fetching or restoring a text, compiling. Each ends before the
 * timer asks again.
 */
#include "access/policy_watch.h"

#include "access/policy_copy.h"
#include "skein/proto/base/alloc.h"
#include "track/tracker.h"

#include <stdio.h>

enum { ASK_MS = 500 };

struct policy_job {
	uv_work_t work;
	struct policy_watch *watch; /* NULL: nobody waits for it any more */
	char *spool_dir;
	struct policy_copy copy;
	struct policy *policy;
	struct report report;
	enum err kept;
};

struct policy_watch {
	struct policy_watch_options options;
	struct redis_link *link;
	struct loop_timer timer;
	struct policy_copy running; /* version 0: none */
	bool is_from_redis;         /* in the life of this process */
	struct policy_version refused;
	bool is_busy; /* a call or a job is under way */
	struct policy_job *job;
};

static bool is_same(const struct policy_version *a, const struct policy_version *b)
{
	return a->number == b->number && a->at_ms == b->at_ms;
}

static void run(struct policy_watch *watch, struct policy *policy, struct policy_copy *copy)
{
	policy_copy_fini(&watch->running);
	watch->running = *copy;
	*copy = (struct policy_copy){ .text = { 0 } };
	policy_slot_set(watch->options.slot, policy_snapshot_new(policy, watch->running.version));
	atomic_store(&watch->options.slot->refused, 0);
}

/* The first line: where, and what. */
static struct span first_of(const struct report *report)
{
	struct span text = buf_span(&report->text);

	return span_take(text, span_find(text, '\n'));
}

/* --- the copy in the spool ----------------------------------------------------------------------- */

static void load_copy(struct policy_watch *watch)
{
	struct policy_copy copy = { .text = { 0 } };
	struct report report = { 0 };
	enum err err = policy_copy_read(watch->options.spool_dir, &copy);
	struct policy *policy = err ? NULL : policy_parse(buf_span(&copy.text), "policy", &report);

	if (policy) {
		run(watch, policy, &copy);
		log_event(watch->options.log, LOG_INFO, "policy-kept",
			LOG_U64("version", watch->running.version.number), LOG_END);
	} else if (err != ERR_NOT_FOUND) {
		log_event(watch->options.log, LOG_ERROR, "policy-copy-unreadable",
			LOG_SPAN("why", err ? span_of_str(err_text(err)) : first_of(&report)), LOG_END);
	}
	policy_copy_fini(&copy);
	report_fini(&report);
}

/* --- compiling, in the pool ---------------------------------------------------------------------- */

static void work_in_pool(uv_work_t *work)
{
	struct policy_job *job = work->data;

	job->policy = policy_parse(buf_span(&job->copy.text), "policy", &job->report);
	if (job->policy)
		job->kept = policy_copy_write(job->spool_dir, &job->copy);
}

static void tell_refused(struct policy_watch *watch, const struct policy_job *job)
{
	watch->refused = job->copy.version;
	atomic_store(&watch->options.slot->refused, watch->refused.number);
	log_event(watch->options.log, LOG_ERROR, "policy-refused", LOG_U64("version", watch->refused.number),
		LOG_U64("running", watch->running.version.number), LOG_SPAN("why", first_of(&job->report)),
		LOG_END);
}

static void track_applied(const struct policy_watch *watch)
{
	struct track_event event = { .kind = TRACK_POLICY };
	char version[24];

	event.text[TRACK_ABOUT] =
		span_of(version, (size_t)snprintf(version, sizeof(version), "%llu",
					 (unsigned long long)watch->running.version.number));
	event.text[TRACK_USER] = buf_span(&watch->running.author);
	event.text[TRACK_TEXT] = buf_span(&watch->running.comment);
	track_write(watch->options.track, &event);
}

static void apply(struct policy_watch *watch, struct policy_job *job)
{
	if (!job->policy) {
		tell_refused(watch, job);
		return;
	}
	watch->is_from_redis = true;
	run(watch, job->policy, &job->copy);
	job->policy = NULL;
	log_event(watch->options.log, LOG_INFO, "policy-applied",
		LOG_U64("version", watch->running.version.number),
		LOG_SPAN("author", buf_span(&watch->running.author)),
		LOG_SPAN("comment", buf_span(&watch->running.comment)), LOG_END);
	track_applied(watch);
	if (job->kept)
		log_event(watch->options.log, LOG_ERROR, "policy-not-kept", LOG_ERR(job->kept), LOG_END);
}

static void free_job(struct policy_job *job)
{
	policy_free(&job->policy);
	policy_copy_fini(&job->copy);
	report_fini(&job->report);
	mem_free(job->spool_dir);
	mem_free(job);
}

static void on_worked(uv_work_t *work, int status)
{
	struct policy_job *job = work->data;
	struct policy_watch *watch = job->watch;

	(void)status;
	if (watch) {
		watch->job = NULL;
		watch->is_busy = false;
		apply(watch, job);
	}
	free_job(job);
}

static void start_job(struct policy_watch *watch, const struct policy_note *note, struct span text)
{
	struct policy_job *job = mem_zalloc(sizeof(*job));

	job->work.data = job;
	job->watch = watch;
	job->spool_dir = mem_strdup(watch->options.spool_dir);
	policy_copy_set(&job->copy, note, text);
	watch->job = job;
	watch->is_busy = true;
	CHECK(uv_queue_work(&watch->options.loop->uv, &job->work, work_in_pool, on_worked) == 0);
}

/* --- what Redis has ------------------------------------------------------------------------------ */

static void on_text(
	void *arg, const struct outcome *outcome, const struct policy_note *note, struct span text)
{
	struct policy_watch *watch = arg;

	watch->is_busy = false;
	if (outcome_is_ok(outcome))
		start_job(watch, note, text);
}

static void on_restored(void *arg, const struct outcome *outcome, const struct policy_note *note)
{
	struct policy_watch *watch = arg;

	watch->is_busy = false;
	if (outcome_is_ok(outcome))
		log_event(watch->options.log, LOG_WARN, "policy-restored",
			LOG_U64("version", note->version.number), LOG_END);
}

static void restore(struct policy_watch *watch)
{
	const struct policy_note note = policy_copy_note(&watch->running);

	watch->is_busy = policy_restore(
		watch->link, &note, buf_span(&watch->running.text), loop_boottime_ms(), on_restored, watch);
}

/* A copy of the spool counts against nothing at all only: it may be old, or another cluster's. */
static bool has_lost_ours(const struct policy_watch *watch, const struct policy_version *found)
{
	return found->number < watch->running.version.number && (watch->is_from_redis || found->number == 0);
}

static void on_version(void *arg, const struct outcome *outcome, const struct policy_version *version)
{
	struct policy_watch *watch = arg;

	watch->is_busy = false;
	if (!outcome_is_ok(outcome))
		return;
	if (has_lost_ours(watch, version)) {
		restore(watch);
	} else if (is_same(version, &watch->running.version)) {
		watch->is_from_redis = true;
	} else if (version->number && !is_same(version, &watch->refused)) {
		watch->is_busy = policy_get(watch->link, version->number, loop_boottime_ms(), on_text, watch);
	}
}

static void on_timer(void *arg)
{
	struct policy_watch *watch = arg;

	if (!watch->is_busy)
		watch->is_busy = policy_current(watch->link, loop_boottime_ms(), on_version, watch);
	loop_timer_set(watch->options.loop, &watch->timer, ASK_MS);
}

/* --- life ---------------------------------------------------------------------------------------- */

struct policy_watch *policy_watch_new(const struct policy_watch_options *options)
{
	struct policy_watch *watch = mem_zalloc(sizeof(*watch));

	watch->options = *options;
	loop_timer_init(&watch->timer, on_timer, watch);
	load_copy(watch);
	return watch;
}

void policy_watch_follow(struct policy_watch *watch, struct redis_link *link)
{
	watch->link = link;
	loop_timer_set(watch->options.loop, &watch->timer, 0);
}

void policy_watch_free(struct policy_watch **watch_ptr)
{
	struct policy_watch *watch = *watch_ptr;

	if (!watch)
		return;
	*watch_ptr = NULL;
	loop_timer_cancel(watch->options.loop, &watch->timer);
	if (watch->job)
		watch->job->watch = NULL;
	policy_copy_fini(&watch->running);
	mem_free(watch);
}
