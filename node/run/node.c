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

static void on_worker_listening(void *arg)
{
	struct report_to_node *report = arg;
	struct node *node = report->node;

	node->listening++;
	if (node->listening == node->worker_count && health_phase(node->health) == HEALTH_STARTING) {
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

/* --- building ----------------------------------------------------------------------------------- */

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

static enum err open_log(struct node *node, struct buf *why)
{
	const struct settings *settings = node->settings;
	const struct log_writer_options options = {
		.file = settings->log.file,
		.node = settings->node.name,
		.format = settings->log.format,
		.level = settings->log.level,
		.meter = metrics_open(node->metrics),
	};

	if (log_writer_new(&options, &node->log_writer)) {
		buf_printf(why, "log.file: %s: %s\n", settings->log.file, strerror(errno));
		return ERR_IO;
	}
	node->log = log_open(node->log_writer, "main");
	node->admin_log = log_open(node->log_writer, "admin");
	return ERR_OK;
}

static enum err load_tls(struct node *node, struct buf *why)
{
	const struct settings *settings = node->settings;
	const struct tls_client_options hop = {
		.verify = TLS_VERIFY_NONE, /* connections have rules of their own */
		.ca_file = settings->route.ca[0] ? settings->route.ca : NULL,
	};
	const struct tls_client_options redis = {
		.verify = TLS_VERIFY_PEER,
		.ca_file = settings->redis.tls.ca[0] ? settings->redis.tls.ca : NULL,
		.cert_file = settings->redis.tls.certificate[0] ? settings->redis.tls.certificate : NULL,
		.key_file = settings->redis.tls.key[0] ? settings->redis.tls.key : NULL,
	};
	struct tls_context *redis_context = NULL;
	enum err err = server_tls_load(&node->server_tls, settings, &settings->listeners, why);

	if (!err)
		err = tls_client_new(&hop, &node->hop_tls, why);
	if (!err && settings->redis.tls.enabled)
		err = tls_client_new(&redis, &redis_context, why);
	if (!err)
		tls_slot_set(&node->redis_tls, redis_context);
	return err;
}

static enum err read_password(const char *path, const char *setting, char **password_out, struct buf *why)
{
	if (!path[0])
		return ERR_OK;
	vault_forgo_core_dumps();
	if (secret_read(path, password_out) == ERR_OK)
		return ERR_OK;
	buf_printf(why, "%s: %s: cannot be read as one line\n", setting, path);
	return ERR_IO;
}

static enum err open_tracking(struct node *node, struct buf *why)
{
	const struct tracking_options options = {
		.settings = node->settings,
		.spool = node->spool,
		.log = log_open(node->log_writer, "tracker"),
		.meter = metrics_open(node->metrics),
		.redis_master = node->redis_master,
		.redis_password = node->redis_password,
		.redis_tls = &node->redis_tls,
	};
	enum err err = tracking_open(&node->tracking, &options, why);

	if (!err)
		node->track = track_open(node->tracking.tracker, "main");
	return err;
}

static enum err read_passwords(struct node *node, struct buf *why)
{
	const struct settings *settings = node->settings;
	enum err err = read_password(
		settings->redis.password_file, "redis.password_file", &node->redis_password, why);

	if (err)
		return err;
	return read_password(settings->redis.sentinel_password_file, "redis.sentinel_password_file",
		&node->sentinel_password, why);
}

static enum err open_dns(struct node *node, struct buf *why)
{
	uint64_t seed[2];

	CHECK(getrandom(seed, sizeof(seed), 0) == (ssize_t)sizeof(seed));
	node->sts = sts_store_new(seed);
	if (*node->settings->tls_reports.from)
		node->tls_ledger = tls_ledger_new(seed);
	if (node->settings->redis.address.host[0])
		node->alert_ledger = alert_ledger_new(seed);
	node->self = dns_self_new(node->settings);
	node->resolver = resolver_new(node->settings, why);
	if (node->resolver)
		return ERR_OK;
	buf_append_byte(why, '\n');
	return ERR_INVALID;
}

static bool is_live_somewhere(void *arg, const struct msg_id *id)
{
	struct node *node = arg;

	for (unsigned i = 0; i < node->worker_count; i++) {
		if (worker_has_message(node->workers[i], id))
			return true;
	}
	return false;
}

static enum err build_workers(struct node *node, struct buf *why)
{
	const struct worker_shared shared = {
		.workers = node->worker_count,
		.spool = node->spool,
		.log = node->log_writer,
		.tracker = node->tracking.tracker,
		.metrics = node->metrics,
		.health = node->health,
		.budget = &node->budget,
		.connections = &node->connections,
		.policy = &node->access.policy,
		.signing = node->access.signing,
		.credentials = node->access.credentials,
		.secrets = node->access.secrets,
		.resolver = node->resolver,
		.inherited = node->inherited,
		.sts = node->sts,
		.tls_ledger = node->tls_ledger,
		.alert_ledger = node->alert_ledger,
		.self = node->self,
		.authenticator = node->access.authenticator,
		.throttle = &node->access.throttle,
		.hop_news = &node->access.hop_news,
		.server_tls = node->server_tls.slots,
		.redis_tls = &node->redis_tls,
		.redis_master = node->redis_master,
		.hop_tls = node->hop_tls,
		.redis_password = node->redis_password,
		.events = { node, tell_asserted, tell_fenced, node_fail, tell_listening, tell_drained },
	};
	size_t removed = 0;
	enum err err = redistribute_journals(node->spool, node->settings, node->worker_count, why);

	for (unsigned i = 0; i < node->worker_count && !err; i++)
		err = worker_new(i, node->settings, &shared, &node->workers[i], why);
	if (!err)
		err = inherited_check_used(node->inherited, why);
	if (!err)
		err = spool_remove_orphans(node->spool, is_live_somewhere, node, &removed);
	if (removed)
		log_event(node->log, LOG_INFO, "orphan-bodies-removed", LOG_U64("count", removed), LOG_END);
	return err;
}

static enum err start_admin(struct node *node, struct buf *why)
{
	const struct endpoint *listen = &node->settings->admin.listen;
	struct address address;
	struct admin_options options = {
		.listen = &address,
		.health = node->health,
		.metrics = node->metrics,
		.policy = &node->access.policy,
		.log = node->admin_log,
		.node_name = node->settings->node.name,
	};

	if (!listen->host[0])
		return ERR_OK;
	if (address_parse(span_of_str(listen->host), listen->port, &address)) {
		buf_printf(why, "admin.listen: \"%s\" is not an IP address\n", listen->host);
		return ERR_INVALID;
	}
	return admin_start(&options, &node->admin, why);
}

static enum err start_workers(struct node *node, struct buf *why)
{
	static char names[WORKERS_MAX][24];
	enum err err = ERR_OK;

	health_watch(node->health, "main", &node->loop);
	for (unsigned i = 0; i < node->worker_count; i++) {
		snprintf(names[i], sizeof(names[i]), "worker-%u", i);
		health_watch(node->health, names[i], worker_loop(node->workers[i]));
	}
	for (unsigned i = 0; i < node->worker_count && !err; i++)
		err = worker_start(node->workers[i], why);
	return err;
}

static void prepare(struct node *node)
{
	raise_descriptor_limit();
	CHECK(loop_init(&node->loop) == ERR_OK);
	membership_init(node);
	loop_timer_init(&node->start_timer, on_start_patience, node);
	loop_timer_init(&node->disk_timer, on_disk_timer, node);
	loop_timer_init(&node->leave_timer, on_leave_timer, node);
	node->metrics = metrics_new();
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

static enum err open_access(struct node *node, struct buf *why)
{
	const struct access_options options = {
		.loop = &node->loop,
		.log_writer = node->log_writer,
		.log = node->log,
		.track = node->track,
		.meter = node->meter,
		.spool = node->spool,
		.resolver = node->resolver,
		.settings = node->settings,
	};

	return access_open(&node->access, &options, why);
}

static enum err build(struct node *node, struct buf *why)
{
	enum err err = service_init(&node->service, &node->inherited, why);

	if (!err)
		err = spool_open(node->settings->node.spool, &node->spool, why);
	/* Threads inherit it: none runs yet. */
	if (!err)
		err = confine_enter(node->settings, node->options->config_file, &node->confined, why);
	if (!err)
		err = open_log(node, why);
	if (!err)
		err = load_tls(node, why);
	if (!err)
		err = read_passwords(node, why);
	if (!err)
		err = open_tracking(node, why);
	if (!err)
		err = open_dns(node, why);
	if (!err)
		err = open_access(node, why);
	if (!err)
		err = build_workers(node, why);
	if (!err)
		err = tracking_start(&node->tracking, node->resolver, node->access.secrets, why);
	if (!err)
		err = start_workers(node, why);
	if (!err)
		err = start_admin(node, why);
	return err;
}

static void keep_ticket_keys(struct node *node)
{
	const struct ticket_keeper_options options = {
		.loop = &node->loop,
		.log = node->log,
		.tickets = node->server_tls.tickets,
		.lifetime_ms = node->settings->tls.ticket_lifetime_ms,
		.link = node->redis ? redis_conn_link(node->redis) : NULL,
		.member = node->member,
		.keys = node->access.cluster_keys,
	};

	node->ticket_keeper = ticket_keeper_new(&options);
}

static void begin_daily(struct node *node)
{
	const struct daily_options options = {
		.loop = &node->loop,
		.log = node->log,
		.meter = node->meter,
		.settings = node->settings,
		.link = node->redis ? redis_conn_link(node->redis) : NULL,
		.member = node->member,
		.resolver = node->resolver,
		.policy = &node->access.policy,
		.signing = node->access.signing,
		.tls_ledger = node->tls_ledger,
		.worker = node->workers[0],
	};

	if (node->redis)
		daily_start(&node->daily, &options);
}

static void begin_alerting(struct node *node)
{
	const struct alerting_options options = {
		.loop = &node->loop,
		.log = node->log,
		.metrics = node->metrics,
		.meter = node->meter,
		.settings = node->settings,
		.link = node->redis ? redis_conn_link(node->redis) : NULL,
		.member = node->member,
		.resolver = node->resolver,
		.policy = &node->access.policy,
		.secrets = node->access.secrets,
		.spool = node->spool,
		.ledger = node->alert_ledger,
		.server_tls = node->server_tls.slots,
		.worker = node->workers[0],
	};

	if (node->redis)
		alerting_start(&node->alerting, &options);
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
	keep_ticket_keys(node);
	begin_daily(node);
	begin_alerting(node);
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

static void tear_down(struct node *node)
{
	bool is_log_free; /* no thread that hangs in a back end still has it */

	admin_stop(&node->admin);
	for (unsigned i = 0; i < node->worker_count; i++) {
		if (node->workers[i])
			worker_stop(node->workers[i]);
	}
	for (unsigned i = 0; i < node->worker_count; i++) {
		if (!node->workers[i])
			continue;
		worker_join(node->workers[i]);
		worker_free(&node->workers[i]);
	}
	access_stop(&node->access);
	if (node->redis)
		redis_conn_free(&node->redis);
	redis_finder_free(&node->finder);
	if (node->ticket_keeper)
		ticket_keeper_free(&node->ticket_keeper);
	daily_stop(&node->daily);
	alerting_stop(&node->alerting);
	if (node->member)
		member_free(&node->member);
	/* Hooks use secrets. */
	tracking_close(&node->tracking);
	node->track = NULL;
	is_log_free = access_fini(&node->access);
	loop_timer_cancel(&node->loop, &node->member_timer);
	loop_timer_cancel(&node->loop, &node->start_timer);
	loop_timer_cancel(&node->loop, &node->disk_timer);
	loop_timer_cancel(&node->loop, &node->leave_timer);
	service_fini(&node->service);
	stream_abort_all(&node->loop);
	loop_fini(&node->loop);
	if (node->log_writer && is_log_free)
		log_writer_free(&node->log_writer);
	if (node->spool)
		spool_close(&node->spool);
	inherited_free(&node->inherited);
	sts_store_free(&node->sts);
	tls_ledger_free(&node->tls_ledger);
	alert_ledger_free(&node->alert_ledger);
	resolver_free(&node->resolver);
	if (node->self)
		dns_self_free(&node->self);
	if (node->hop_tls)
		tls_context_unref(&node->hop_tls);
	server_tls_fini(&node->server_tls);
	tls_slot_fini(&node->redis_tls);
	redis_master_free(&node->redis_master);
	health_free(&node->health);
	metrics_free(&node->metrics);
	secret_free(&node->redis_password);
	secret_free(&node->sentinel_password);
	for (size_t i = 0; i < node->older_count; i++)
		settings_free(&node->older[i]);
	settings_free(&node->settings);
}

int node_run(const struct options *options, struct settings *settings)
{
	struct node *node = mem_zalloc(sizeof(*node));
	struct buf why = { 0 };
	int status;

	node->options = options;
	node->settings = settings;
	prepare(node);
	if (build(node, &why)) {
		fprintf(stderr, "skeind: cannot start:\n%.*s", SPAN_ARGS(buf_span(&why)));
		node->status = EXIT_FAILED;
	} else {
		run(node);
	}
	status = node->status;
	tear_down(node);
	buf_fini(&why);
	mem_free(node);
	return status;
}
