#include "run/node_internal.h"

#include "config/secret.h"
#include "config/vault.h"
#include "io/stream.h"
#include "run/redistribute.h"
#include "skein/cluster/registry.h"
#include "skein/proto/base/alloc.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
	START_PATIENCE_MS = 5000,
	DISK_LOOK_MS = 2000,
	EXIT_FAILED = 1,
};

/* --- messages to the main loop ------------------------------------------------------------------ */

struct report_to_node {
	struct loop_msg msg;
	struct node *node;
	unsigned worker;
	uint64_t epoch, fence;
};

static void tell_node(void *arg, loop_fn *fn, unsigned worker, uint64_t epoch, uint64_t fence)
{
	struct node *node = arg;
	struct report_to_node *report = mem_zalloc(sizeof(*report));

	report->node = node;
	report->worker = worker;
	report->epoch = epoch;
	report->fence = fence;
	loop_msg_init(&report->msg, fn, report);
	loop_post(&node->loop, &report->msg);
}

static void track_node(struct node *node, const char *text)
{
	const struct track_event event = { .kind = TRACK_NODE, .text[TRACK_TEXT] = span_of_str(text) };

	track_write(node->track, &event);
}

/* --- what workers report ------------------------------------------------------------------------ */

static void tell_listeners(const struct node *node)
{
	static const char *const tls[] = { [LISTENER_TLS_NONE] = "none",
		[LISTENER_TLS_STARTTLS] = "starttls",
		[LISTENER_TLS_IMPLICIT] = "implicit" };

	for (size_t i = 0; i < node->settings->listeners.count; i++) {
		const struct listener_settings *listener = &node->settings->listeners.items[i];

		log_event(node->log, LOG_INFO, "listening", LOG_STR("name", listener->name),
			LOG_STR("address", listener->address.host), LOG_U64("port", listener->address.port),
			LOG_STR("tls", tls[listener->tls]), LOG_END);
	}
}

static void on_worker_listening(void *arg)
{
	struct report_to_node *report = arg;
	struct node *node = report->node;

	node->listening++;
	if (node->listening == node->worker_count && health_phase(node->health) == HEALTH_STARTING) {
		tell_listeners(node);
		log_event(node->log, LOG_INFO, "serving", LOG_END);
		track_node(node, "serving");
		health_set_phase(node->health, HEALTH_SERVING);
		service_poke(&node->service);
	}
	mem_free(report);
}

static void tell_listening(void *arg, unsigned worker)
{
	tell_node(arg, on_worker_listening, worker, 0, 0);
}

/* Clients first, then the balancer: whom it sends must find all doors open. */
static void serve(struct node *node)
{
	loop_timer_cancel(&node->loop, &node->start_timer);
	if (node->is_opening)
		return;
	node->is_opening = true;
	for (unsigned i = 0; i < node->worker_count; i++)
		worker_listen(node->workers[i]);
}

static void on_start_patience(void *arg)
{
	serve(arg);
}

static bool all_asserted(const struct node *node, uint64_t epoch)
{
	for (unsigned i = 0; i < node->worker_count; i++) {
		if (node->asserted_epoch[i] != epoch)
			return false;
	}
	return true;
}

static void on_worker_asserted(void *arg)
{
	struct report_to_node *report = arg;
	struct node *node = report->node;

	node->asserted_epoch[report->worker] = report->epoch;
	if (node->member && all_asserted(node, report->epoch)) {
		member_switched(node->member, report->epoch, loop_boottime_ms());
		serve(node);
	}
	mem_free(report);
}

static void tell_asserted(void *arg, unsigned worker, uint64_t epoch)
{
	tell_node(arg, on_worker_asserted, worker, epoch, 0);
}

static void on_worker_fenced(void *arg)
{
	struct report_to_node *report = arg;
	struct node *node = report->node;

	log_event(node->log, LOG_WARN, "fenced", LOG_U64("epoch", report->epoch), LOG_END);
	if (node->member)
		member_fenced(node->member, report->epoch, report->fence, loop_boottime_ms());
	membership_poke(node);
	mem_free(report);
}

static void tell_fenced(void *arg, uint64_t epoch, uint64_t fence)
{
	tell_node(arg, on_worker_fenced, 0, epoch, fence);
}

void node_fail(void *arg, const char *why)
{
	(void)arg;
	fprintf(stderr, "skeind: %s: this node ends, so that others take its mail over\n", why);
	_exit(EXIT_FAILED);
}

/* --- the end ------------------------------------------------------------------------------------ */

static void on_worker_drained(void *arg)
{
	struct report_to_node *report = arg;
	struct node *node = report->node;

	node->drained++;
	if (node->drained >= node->worker_count) {
		log_event(node->log, LOG_INFO, "drained", LOG_END);
		if (node->is_leaving)
			membership_say_goodbye(node);
	}
	mem_free(report);
}

static void tell_drained(void *arg, unsigned worker)
{
	tell_node(arg, on_worker_drained, worker, 0, 0);
}

struct worker_events node_worker_events(struct node *node)
{
	return (struct worker_events){ node, tell_asserted, tell_fenced, node_fail, tell_listening,
		tell_drained };
}

static void drain_workers(struct node *node)
{
	const struct drain_options options = {
		.timeout_ms = node->settings->drain.timeout_ms,
		.linger_ms = node->settings->drain.linger_ms,
		.is_leaving = node->is_leaving,
	};

	node->drained = 0;
	for (unsigned i = 0; i < node->worker_count; i++)
		worker_drain(node->workers[i], &options);
}

static void on_leave_timer(void *arg)
{
	struct node *node = arg;

	if (node->is_leaving && node->drained >= node->worker_count)
		loop_stop(&node->loop); /* nobody heard the goodbye */
	else
		drain_workers(node);
}

void node_begin_drain(struct node *node)
{
	health_set_phase(node->health, HEALTH_DRAINING);
	track_node(node, "draining");
	service_poke(&node->service);
	daily_drain(&node->daily);
	node->drained = 0;
	loop_timer_set(&node->loop, &node->leave_timer, node->admin ? node->settings->drain.notice_ms : 0);
}

static void on_terminate(uv_signal_t *handle, int number)
{
	struct node *node = handle->data;

	log_event(node->log, LOG_INFO, "leaving", LOG_STR("signal", strsignal(number)), LOG_END);
	if (node->is_leaving) {
		loop_stop(&node->loop); /* asked twice: at once */
		return;
	}
	node->is_leaving = true;
	service_stopping(&node->service, node->settings->drain.notice_ms + node->settings->drain.timeout_ms);
	node_begin_drain(node);
}

/* --- reload ------------------------------------------------------------------------------------- */

static void on_setting_changed(void *arg, const char *path, bool is_applied)
{
	struct node *node = arg;

	log_event(node->log, is_applied ? LOG_INFO : LOG_WARN,
		is_applied ? "setting-changed" : "setting-needs-restart", LOG_STR("path", path), LOG_END);
}

static void apply_settings(struct node *node, struct settings *loaded, struct policy *policy)
{
	settings_reload(loaded, node->settings, on_setting_changed, node);
	node->older[node->older_count++] = node->settings;
	node->settings = loaded;
	log_writer_set_level(node->log_writer, loaded->log.level);
	health_require_redis(node->health, node->redis && loaded->redundancy == REDUNDANCY_REQUIRED);
	ticket_keeper_set_lifetime(node->ticket_keeper, loaded->tls.ticket_lifetime_ms);
	for (unsigned i = 0; i < node->worker_count; i++)
		worker_reload(node->workers[i], loaded);
	access_reload(&node->access, loaded, policy);
	tracker_reload(node->tracking.tracker, loaded);
	log_event(node->log, LOG_INFO, "reloaded", LOG_END);
}

static void on_reload(uv_signal_t *handle, int number)
{
	struct node *node = handle->data;
	struct report report = { 0 };
	struct buf why = { 0 };
	struct settings *loaded;
	struct policy *policy;

	(void)number;
	service_reloading(&node->service);
	log_writer_reopen(node->log_writer);
	loaded = node->older_count < SETTINGS_MAX ? options_load(node->options, &report) : NULL;
	policy = loaded ? access_read_policy(loaded, &why) : NULL;
	if (loaded &&
		(!policy || server_tls_load(&node->server_tls, loaded, &node->settings->listeners, &why)))
		settings_free(&loaded);
	if (loaded) {
		apply_settings(node, loaded, policy);
	} else {
		policy_free(&policy);
		log_event(node->log, LOG_ERROR, "reload-failed",
			LOG_SPAN("why", buf_len(&why) ? buf_span(&why) : buf_span(&report.text)),
			LOG_STR("then", "the running settings stay"), LOG_END);
	}
	service_reloaded(&node->service);
	buf_fini(&why);
	report_fini(&report);
}

/* --- running ------------------------------------------------------------------------------------ */

static void on_disk_timer(void *arg)
{
	struct node *node = arg;
	bool is_ok = spool_free_bytes(node->spool, &node->disk_free) == ERR_OK &&
		     node->disk_free >= node->settings->journal.disk_free_min;

	health_set(&node->reporter, HEALTH_DISK, is_ok,
		"less free space than journal.disk_free_min in the spool");
	loop_timer_set(&node->loop, &node->disk_timer, DISK_LOOK_MS);
}

static void start_signal(struct node *node, size_t index, int number, uv_signal_cb fn)
{
	CHECK(uv_signal_init(&node->loop.uv, &node->signals[index]) == 0);
	node->signals[index].data = node;
	CHECK(uv_signal_start(&node->signals[index], fn, number) == 0);
}

static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static void prepare(struct node *node)
{
	raise_descriptor_limit();
	CHECK(loop_init(&node->loop) == ERR_OK);
	membership_init(node);
	loop_timer_init(&node->start_timer, on_start_patience, node);
	loop_timer_init(&node->disk_timer, on_disk_timer, node);
	loop_timer_init(&node->leave_timer, on_leave_timer, node);
	node->metrics = metrics_new((unsigned)node->settings->limits.metric_names);
	node->meter = metrics_open(node->metrics);
	node->health = health_new();
	health_reporter_init(&node->reporter, node->health);
	access_init(&node->access);
	budget_init(
		&node->budget, node->settings->memory.budget, (unsigned)node->settings->memory.high_percent);
	server_tls_init(&node->server_tls);
	tls_slot_init(&node->redis_tls, NULL);
	if (node->settings->redis.sentinels.count)
		node->redis_master = redis_master_new();
	node->worker_count = node->settings->node.workers < node->settings->redis.shards
				     ? (unsigned)node->settings->node.workers
				     : (unsigned)node->settings->redis.shards;
	if (node->worker_count > WORKERS_MAX)
		node->worker_count = WORKERS_MAX;
}

static void tell_confined(struct node *node)
{
	if (node->confined.abi)
		log_event(node->log, LOG_INFO, "confined", LOG_U64("landlock", node->confined.abi), LOG_END);
	else
		log_event(node->log, LOG_INFO, "not-confined", LOG_STR("why", node->confined.why), LOG_END);
}

static void run(struct node *node)
{
	start_signal(node, 0, SIGTERM, on_terminate);
	start_signal(node, 1, SIGINT, on_terminate);
	start_signal(node, 2, SIGHUP, on_reload);
	on_disk_timer(node);
	membership_join(node);
	access_start(&node->access, node->redis ? redis_conn_link(node->redis) : NULL);
	node_begin_duties(node);
	log_event(node->log, LOG_INFO, "started", LOG_STR("version", SKEIN_VERSION),
		LOG_STR("name", node->settings->node.name), LOG_STR("uuid", spool_uuid(node->spool)),
		LOG_U64("workers", node->worker_count), LOG_BOOL("cluster", node->redis != NULL), LOG_END);
	track_node(node, "started, version " SKEIN_VERSION);
	tell_confined(node);
	service_start(&node->service, &node->loop, node->health);
	if (node->redis)
		loop_timer_set(&node->loop, &node->start_timer, START_PATIENCE_MS);
	else
		serve(node);
	loop_run(&node->loop);
	track_node(node, "stopping");
	for (size_t i = 0; i < 3; i++)
		uv_close((uv_handle_t *)&node->signals[i], NULL);
}

int node_run(const struct options *options, struct settings *settings)
{
	struct node *node = mem_zalloc(sizeof(*node));
	struct buf why = { 0 };
	int status;

	node->options = options;
	node->settings = settings;
	prepare(node);
	if (node_build(node, &why)) {
		if (buf_len(&why) && buf_tail(&why)[-1] != '\n')
			buf_append_byte(&why, '\n');
		fprintf(stderr, "skeind: cannot start:\n%.*s", SPAN_ARGS(buf_span(&why)));
		node->status = EXIT_FAILED;
	} else {
		run(node);
	}
	status = node->status;
	node_tear_down(node);
	buf_fini(&why);
	mem_free(node);
	return status;
}
