/* A node is put together, and taken apart. */
#include "config/secret.h"
#include "config/vault.h"
#include "io/stream.h"
#include "outbound/hop_certificates.h"
#include "run/client_tls.h"
#include "run/node_internal.h"
#include "run/redistribute.h"
#include "skein/proto/base/alloc.h"

#include <errno.h>
#include <stdio.h>
#include <sys/random.h>

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
	struct tls_context *redis_context = NULL;
	enum err err = server_tls_load(&node->server_tls, settings, &settings->listeners, why);

	if (!err)
		err = client_tls_hop(settings, &node->hop_tls, why);
	if (!err)
		err = client_tls_redis(settings, &redis_context, why);
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
	node->hop_certificates = hop_certificates_new();
	if (*node->settings->tls_reports.from)
		node->tls_ledger = tls_ledger_new(seed);
	if (settings_has_redis(node->settings))
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
		.hop_certificates = node->hop_certificates,
		.self = node->self,
		.authenticator = node->access.authenticator,
		.throttle = &node->access.throttle,
		.hop_news = &node->access.hop_news,
		.server_tls = node->server_tls.slots,
		.redis_tls = &node->redis_tls,
		.redis_master = node->redis_master,
		.hop_tls = node->hop_tls,
		.redis_password = node->redis_password,
		.events = node_worker_events(node),
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
		.hop_certificates = node->hop_certificates,
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

static enum err open_access(struct node *node, struct buf *why)
{
	const struct access_options options = {
		.loop = &node->loop,
		.log_writer = node->log_writer,
		.log = node->log,
		.track = node->track,
		.metrics = node->metrics,
		.meter = node->meter,
		.spool = node->spool,
		.resolver = node->resolver,
		.settings = node->settings,
	};

	return access_open(&node->access, &options, why);
}

enum err node_build(struct node *node, struct buf *why_out)
{
	enum err err = service_init(&node->service, &node->inherited, why_out);

	if (!err)
		err = spool_open(node->settings->node.spool, &node->spool, why_out);
	/* Threads inherit it: none runs yet. */
	if (!err)
		err = confine_enter(node->settings, node->options->config_file, &node->confined, why_out);
	if (!err)
		err = open_log(node, why_out);
	if (!err)
		err = load_tls(node, why_out);
	if (!err)
		err = read_passwords(node, why_out);
	if (!err)
		err = open_tracking(node, why_out);
	if (!err)
		err = open_dns(node, why_out);
	if (!err)
		err = open_access(node, why_out);
	if (!err)
		err = build_workers(node, why_out);
	if (!err)
		err = tracking_start(&node->tracking, node->resolver, node->access.secrets, why_out);
	if (!err)
		err = start_workers(node, why_out);
	if (!err)
		err = start_admin(node, why_out);
	return err;
}

void node_tear_down(struct node *node)
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
	hop_certificates_free(&node->hop_certificates);
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
