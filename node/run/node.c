#include "run/node.h"

#include "admin/admin.h"
#include "config/secret.h"
#include "config/vault.h"
#include "dns/resolver.h"
#include "dns/self.h"
#include "io/redis_conn.h"
#include "io/stream.h"
#include "outbound/sts_store.h"
#include "run/access.h"
#include "run/redistribute.h"
#include "run/server_tls.h"
#include "run/ticket_keeper.h"
#include "run/worker.h"
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
	WORKERS_MAX = 256,
	SETTINGS_MAX = 64, /* reloads of one process that are remembered */
	START_PATIENCE_MS = 5000,
	BALANCER_MS = 2000, /* the time a balancer gets to see that we are leaving */
	DISK_LOOK_MS = 2000,
	HOST_LEN_MAX = 128,
	EXIT_FAILED = 1,
};

struct node {
	const struct options *options;
	struct settings *settings, *older[SETTINGS_MAX]; /* sessions borrow from the older ones */
	size_t older_count;
	struct loop loop;
	uv_signal_t signals[3];
	struct log_writer *log_writer;
	struct log *log, *admin_log;
	struct metrics *metrics;
	struct meter *meter;
	struct health *health;
	struct health_reporter reporter;
	struct admin *admin;
	struct spool *spool;
	struct budget budget;
	atomic_size_t connections; /* SMTP clients that were let in */
	struct access access;
	struct server_tls server_tls;
	struct tls_slot redis_tls;
	struct tls_context *hop_tls;
	struct resolver *resolver;
	struct sts_store *sts;
	struct dns_self *self;
	char *redis_password;
	struct worker *workers[WORKERS_MAX];
	unsigned worker_count;

	struct redis_conn *redis; /* NULL: standalone */
	struct member *member;
	struct ticket_keeper *ticket_keeper;
	char host[HOST_LEN_MAX], cluster_id[40], load[256], address[300], admin_address[300];
	struct loop_timer member_timer, start_timer, disk_timer, leave_timer;
	uint64_t asserted_epoch[WORKERS_MAX];
	unsigned drained;
	bool is_leaving; /* SIGTERM: the process ends; else an operator's drain */
	int status;
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

/* --- the member --------------------------------------------------------------------------------- */

static void tell_cluster(struct node *node, const struct lease *lease)
{
	struct incarnation self = { .epoch = lease->epoch };

	CHECK(node_uuid_parse(span_of_str(spool_uuid(node->spool)), &self.node));
	access_set_cluster(
		&node->access, &self, member_nodes_alive(node->member), member_nodes_before(node->member));
	meter_set(node->meter, METRIC_NODES, member_nodes_alive(node->member));
}

static void on_member_timer(void *arg)
{
	struct node *node = arg;
	uint64_t now_ms = loop_boottime_ms(), next_ms, wait_ms = 1000;
	const struct lease *lease = member_lease(node->member);

	snprintf(node->load, sizeof(node->load),
		"{\"messages\":%lld,\"sessions\":%zu,\"policy\":%llu,\"policy_refused\":%llu}",
		(long long)metrics_sum(node->metrics, METRIC_QUEUE, QUEUE_ACTIVE),
		atomic_load(&node->connections),
		(unsigned long long)policy_slot_version(&node->access.policy),
		(unsigned long long)atomic_load(&node->access.policy.refused));
	member_set_load(node->member, node->load);
	next_ms = member_tick(node->member, now_ms);
	tell_cluster(node, lease);
	if (next_ms != UINT64_MAX)
		wait_ms = next_ms > now_ms ? next_ms - now_ms : 0;
	meter_set(node->meter, METRIC_LEASE_REMAINING,
		lease->trust_until_ms > now_ms ? (int64_t)(lease->trust_until_ms - now_ms) : 0);
	health_set(&node->reporter, HEALTH_REDIS, lease->trust_until_ms > now_ms,
		"no lease: Redis does not answer");
	loop_timer_set(&node->loop, &node->member_timer, wait_ms < 1000 ? wait_ms : 1000);
}

static void poke_member(struct node *node)
{
	loop_timer_set(&node->loop, &node->member_timer, 0);
}

static void tell_failed(void *arg, const char *why);

static void on_granted(void *ctx, uint64_t epoch)
{
	struct node *node = ctx;
	enum err err = spool_set_epoch(node->spool, epoch);

	log_event(node->log, err ? LOG_ERROR : LOG_INFO, "registered", LOG_U64("epoch", epoch), LOG_ERR(err),
		LOG_END);
	if (err)
		tell_failed(node, "the epoch cannot be written to the spool");
	member_epoch_is_durable(node->member, epoch, loop_boottime_ms());
	poke_member(node);
}

static void on_lease(void *ctx, const struct lease *lease)
{
	struct node *node = ctx;

	for (unsigned i = 0; i < node->worker_count; i++)
		worker_set_lease(node->workers[i], lease);
}

static void on_refused(void *ctx, const char *why)
{
	struct node *node = ctx;

	health_set(&node->reporter, HEALTH_REDIS, false, why);
	log_event(node->log, LOG_ERROR, "registration-refused", LOG_STR("why", why), LOG_END);
}

static void on_leader(void *ctx, bool leads)
{
	struct node *node = ctx;

	meter_set(node->meter, METRIC_LEADER, leads);
	log_event(node->log, LOG_INFO, leads ? "leader" : "not-leader", LOG_END);
	ticket_keeper_poke(node->ticket_keeper);
}

static void on_death(void *ctx, const struct incarnation *dead)
{
	struct node *node = ctx;

	log_event(node->log, LOG_WARN, "node-dead", LOG_STR("node", dead->node.text),
		LOG_U64("epoch", dead->epoch), LOG_END);
}

static void on_swept(void *ctx, unsigned moved, unsigned quarantined)
{
	struct node *node = ctx;

	log_event(node->log, LOG_WARN, "swept", LOG_U64("moved", moved), LOG_U64("quarantined", quarantined),
		LOG_END);
}

static void begin_drain(struct node *node);

static void on_drain_wanted(void *ctx, bool drain)
{
	struct node *node = ctx;

	log_event(node->log, LOG_WARN, drain ? "drain-wanted" : "drain-ended", LOG_END);
	if (drain && !node->is_leaving)
		begin_drain(node);
}

static void on_redis_ready(void *arg, const struct redis_identity *identity)
{
	struct node *node = arg;

	meter_set(node->meter, METRIC_REDIS_UP, 1);
	log_event(node->log, LOG_INFO, "redis-up", LOG_STR("version", identity->version),
		LOG_STR("replication", identity->replication_id), LOG_U64("replicas", identity->replicas),
		LOG_END);
	if (identity->noeviction == REDIS_NO)
		log_event(node->log, LOG_WARN, "redis-evicts", LOG_STR("policy", identity->eviction),
			LOG_STR("cure", "set maxmemory-policy noeviction: Redis would throw mail away"),
			LOG_END);
	if (identity->persistent == REDIS_NO && !identity->replicas)
		log_event(node->log, LOG_WARN, "redis-forgets",
			LOG_STR("cure", "turn appendonly on, or add a replica: a restart of Redis loses its "
					"copy of the mail"),
			LOG_END);
	member_link_ready(node->member, loop_boottime_ms());
	poke_member(node);
	ticket_keeper_poke(node->ticket_keeper);
}

static void on_redis_lost(void *arg, const char *why)
{
	struct node *node = arg;

	meter_set(node->meter, METRIC_REDIS_UP, 0);
	log_event(node->log, LOG_WARN, "redis-down", LOG_STR("why", why), LOG_END);
	member_link_lost(node->member, loop_boottime_ms());
	access_link_lost(&node->access);
}

/* Copies of one spool are told apart by the machine they run on. */
static void read_host(struct node *node)
{
	FILE *file = fopen("/etc/machine-id", "re");
	char id[40] = "";

	if (file) {
		if (fscanf(file, "%39s", id) != 1)
			id[0] = '\0';
		fclose(file);
	}
	if (!id[0])
		gethostname(id, sizeof(id) - 1);
	snprintf(node->host, sizeof(node->host), "%s", id);
}

static void format_endpoint(char *out, size_t size, const struct endpoint *endpoint)
{
	snprintf(out, size, strchr(endpoint->host, ':') ? "[%s]:%u" : "%s:%u", endpoint->host,
		(unsigned)endpoint->port);
}

static void make_cluster_id(struct node *node)
{
	unsigned char bytes[16];

	CHECK(getrandom(bytes, sizeof(bytes), 0) == (ssize_t)sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(node->cluster_id + 2 * i, 3, "%02x", bytes[i]);
}

static void make_member(struct node *node)
{
	const struct settings *settings = node->settings;
	const struct member_owner owner = { node, on_granted, on_lease, on_refused, on_leader, on_death,
		on_swept, on_drain_wanted };
	struct member_options options = {
		.name = settings->node.name,
		.host = node->host,
		.address = node->address,
		.admin_address = node->admin_address,
		.version = SKEIN_VERSION,
		.cluster_id = node->cluster_id,
		.epoch = spool_epoch(node->spool),
		.ttl_ms = settings->lease.ttl_ms,
		.renew_ms = settings->lease.renew_ms,
		.margin_ms = settings->lease.margin_ms,
		.shards = (unsigned)settings->redis.shards,
		.wait_max_ms = settings->retry.max_ms,
		.takeovers_max = (unsigned)settings->cluster.takeovers_max,
	};

	CHECK(node_uuid_parse(span_of_str(spool_uuid(node->spool)), &options.uuid));
	read_host(node);
	make_cluster_id(node);
	if (settings->listeners.count)
		format_endpoint(node->address, sizeof(node->address), &settings->listeners.items[0].address);
	if (settings->admin.listen.host[0])
		format_endpoint(node->admin_address, sizeof(node->admin_address), &settings->admin.listen);
	node->member = member_new(&options, redis_conn_link(node->redis), &owner);
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

static void join_cluster(struct node *node)
{
	static const struct redis_conn_callbacks callbacks = { on_redis_ready, on_redis_lost };
	struct redis_conn_options options;

	if (!node->settings->redis.address.host[0])
		return;
	worker_redis_options(&options, node->settings, node->redis_password, &node->redis_tls);
	node->redis = redis_conn_new(&node->loop, &options, &callbacks, node);
	make_member(node);
	health_require_redis(node->health, node->settings->redundancy == REDUNDANCY_REQUIRED);
	loop_timer_set(&node->loop, &node->member_timer, 0);
}

/* --- what workers report ------------------------------------------------------------------------ */

static void serve(struct node *node)
{
	if (health_phase(node->health) == HEALTH_STARTING)
		log_event(node->log, LOG_INFO, "serving", LOG_END);
	health_set_phase(node->health, HEALTH_SERVING);
	loop_timer_cancel(&node->loop, &node->start_timer);
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
	poke_member(node);
	mem_free(report);
}

static void tell_fenced(void *arg, uint64_t epoch, uint64_t fence)
{
	tell_node(arg, on_worker_fenced, 0, epoch, fence);
}

/* What a failed write left on the disk is unknown: another node goes on with the mail. */
static void tell_failed(void *arg, const char *why)
{
	(void)arg;
	fprintf(stderr, "skeind: %s: this node ends, so that others take its mail over\n", why);
	_exit(EXIT_FAILED);
}

/* --- the end ------------------------------------------------------------------------------------ */

static void on_said_goodbye(void *arg, const struct outcome *outcome)
{
	struct node *node = arg;

	(void)outcome;
	loop_stop(&node->loop);
}

/* A node that says goodbye is swept at once instead of after its lease. */
static void say_goodbye(struct node *node)
{
	struct registry_kill args = { .left = true };
	bool sent = false;

	if (node->member && member_lease(node->member)->epoch) {
		CHECK(node_uuid_parse(span_of_str(spool_uuid(node->spool)), &args.node.node));
		args.node.epoch = member_lease(node->member)->epoch;
		args.counter = member_counter(node->member);
		sent = registry_kill(
			redis_conn_link(node->redis), &args, loop_boottime_ms(), on_said_goodbye, node);
	}
	loop_timer_set(&node->loop, &node->leave_timer, sent ? 1000 : 0);
}

static void on_worker_drained(void *arg)
{
	struct report_to_node *report = arg;
	struct node *node = report->node;

	node->drained++;
	if (node->drained >= node->worker_count) {
		log_event(node->log, LOG_INFO, "drained", LOG_END);
		if (node->is_leaving)
			say_goodbye(node);
	}
	mem_free(report);
}

static void tell_drained(void *arg, unsigned worker)
{
	tell_node(arg, on_worker_drained, worker, 0, 0);
}

static void drain_workers(struct node *node)
{
	node->drained = 0;
	for (unsigned i = 0; i < node->worker_count; i++)
		worker_drain(node->workers[i], node->settings->drain.timeout_ms);
}

static void on_leave_timer(void *arg)
{
	struct node *node = arg;

	if (node->is_leaving && node->drained >= node->worker_count)
		loop_stop(&node->loop); /* nobody heard the goodbye */
	else
		drain_workers(node);
}

/* Not ready first: whoever balances gets the time to look. */
static void begin_drain(struct node *node)
{
	health_set_phase(node->health, HEALTH_DRAINING);
	node->drained = 0;
	loop_timer_set(&node->loop, &node->leave_timer, node->admin ? BALANCER_MS : 0);
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
	begin_drain(node);
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
	buf_fini(&why);
	report_fini(&report);
}

/* --- building ----------------------------------------------------------------------------------- */

static void on_disk_timer(void *arg)
{
	struct node *node = arg;
	uint64_t free_bytes = 0;
	bool is_ok = spool_free_bytes(node->spool, &free_bytes) == ERR_OK &&
		     free_bytes >= node->settings->journal.disk_free_min;

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

static enum err read_password(struct node *node, struct buf *why)
{
	const char *path = node->settings->redis.password_file;

	if (!path[0])
		return ERR_OK;
	vault_forgo_core_dumps();
	if (secret_read(path, &node->redis_password) == ERR_OK)
		return ERR_OK;
	buf_printf(why, "redis.password_file: %s: cannot be read as one line\n", path);
	return ERR_IO;
}

static enum err open_dns(struct node *node, struct buf *why)
{
	uint64_t seed[2];

	CHECK(getrandom(seed, sizeof(seed), 0) == (ssize_t)sizeof(seed));
	node->sts = sts_store_new(seed);
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
		.metrics = node->metrics,
		.health = node->health,
		.budget = &node->budget,
		.connections = &node->connections,
		.policy = &node->access.policy,
		.signing = node->access.signing,
		.credentials = node->access.credentials,
		.secrets = node->access.secrets,
		.resolver = node->resolver,
		.sts = node->sts,
		.self = node->self,
		.authenticator = node->access.authenticator,
		.throttle = &node->access.throttle,
		.hop_news = &node->access.hop_news,
		.server_tls = node->server_tls.slots,
		.redis_tls = &node->redis_tls,
		.hop_tls = node->hop_tls,
		.redis_password = node->redis_password,
		.events = { node, tell_asserted, tell_fenced, tell_failed, tell_drained },
	};
	size_t removed = 0;
	enum err err = redistribute_journals(node->spool, node->settings, node->worker_count, why);

	for (unsigned i = 0; i < node->worker_count && !err; i++)
		err = worker_new(i, node->settings, &shared, &node->workers[i], why);
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
	loop_timer_init(&node->member_timer, on_member_timer, node);
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
		.meter = node->meter,
		.spool = node->spool,
		.resolver = node->resolver,
		.settings = node->settings,
	};

	return access_open(&node->access, &options, why);
}

static enum err build(struct node *node, struct buf *why)
{
	enum err err = open_log(node, why);

	if (!err)
		err = load_tls(node, why);
	if (!err)
		err = read_password(node, why);
	if (!err)
		err = spool_open(node->settings->node.spool, &node->spool, why);
	if (!err)
		err = open_dns(node, why);
	if (!err)
		err = open_access(node, why);
	if (!err)
		err = build_workers(node, why);
	if (!err)
		err = start_workers(node, why);
	if (!err)
		err = start_admin(node, why);
	return err;
}

static void run(struct node *node)
{
	start_signal(node, 0, SIGTERM, on_terminate);
	start_signal(node, 1, SIGINT, on_terminate);
	start_signal(node, 2, SIGHUP, on_reload);
	on_disk_timer(node);
	join_cluster(node);
	access_start(&node->access, node->redis ? redis_conn_link(node->redis) : NULL);
	keep_ticket_keys(node);
	log_event(node->log, LOG_INFO, "started", LOG_STR("version", SKEIN_VERSION),
		LOG_STR("name", node->settings->node.name), LOG_STR("uuid", spool_uuid(node->spool)),
		LOG_U64("workers", node->worker_count), LOG_BOOL("cluster", node->redis != NULL), LOG_END);
	if (node->redis)
		loop_timer_set(&node->loop, &node->start_timer, START_PATIENCE_MS);
	else
		serve(node);
	loop_run(&node->loop);
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
	if (node->ticket_keeper)
		ticket_keeper_free(&node->ticket_keeper);
	if (node->member)
		member_free(&node->member);
	is_log_free = access_fini(&node->access);
	loop_timer_cancel(&node->loop, &node->member_timer);
	loop_timer_cancel(&node->loop, &node->start_timer);
	loop_timer_cancel(&node->loop, &node->disk_timer);
	loop_timer_cancel(&node->loop, &node->leave_timer);
	stream_abort_all(&node->loop);
	loop_fini(&node->loop);
	if (node->log_writer && is_log_free)
		log_writer_free(&node->log_writer);
	if (node->spool)
		spool_close(&node->spool);
	sts_store_free(&node->sts);
	resolver_free(&node->resolver);
	if (node->self)
		dns_self_free(&node->self);
	if (node->hop_tls)
		tls_context_unref(&node->hop_tls);
	server_tls_fini(&node->server_tls);
	tls_slot_fini(&node->redis_tls);
	health_free(&node->health);
	metrics_free(&node->metrics);
	secret_free(&node->redis_password);
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
