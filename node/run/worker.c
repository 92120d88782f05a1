#include "run/worker_internal.h"

#include "io/stream.h"
#include "io/wall_clock.h"
#include "skein/proto/base/alloc.h"
#include "track/tracker.h"

#include <stdio.h>
#include <sys/random.h>

enum { TICK_MAX_MS = 200, PATH_LEN_MAX = 4096 };

/* --- messages to the worker's thread ------------------------------------------------------------ */

struct order {
	struct loop_msg msg;
	struct worker *worker;
	struct lease lease;
	const struct settings *settings;
	struct drain_options drain;
};

static void give_order(struct worker *worker, loop_fn *fn, const struct order *order)
{
	struct order *copy = mem_dup(order, sizeof(*order));

	copy->worker = worker;
	loop_msg_init(&copy->msg, fn, copy);
	loop_post(&worker->loop, &copy->msg);
}

/* --- ownership and Redis ------------------------------------------------------------------------ */

static void on_ownership_timer(void *arg)
{
	struct worker *worker = arg;
	uint64_t now_ms = loop_boottime_ms(), next_ms;

	if (ownership_is_trusted(worker->ownership, now_ms))
		custody_thaw(&worker->custody);
	if (worker->redis)
		health_set(&worker->health, HEALTH_REDIS,
			ownership_is_open(worker->ownership) &&
				ownership_is_trusted(worker->ownership, now_ms),
			"this node's mail is not asserted in Redis yet");
	ownership_set_appetite(
		worker->ownership, worker->custody.is_leaving ? 0 : outbound_appetite(&worker->outbound));
	next_ms = ownership_tick(worker->ownership, now_ms);
	next_ms = next_ms > now_ms + TICK_MAX_MS ? now_ms + TICK_MAX_MS : next_ms;
	loop_timer_set(&worker->loop, &worker->ownership_timer, next_ms - now_ms);
}

static void on_redis_ready(void *arg, const struct redis_identity *identity)
{
	struct worker *worker = arg;

	(void)identity;
	ownership_link_ready(worker->ownership, loop_boottime_ms());
}

static void on_redis_lost(void *arg, const char *why)
{
	struct worker *worker = arg;

	(void)why;
	ownership_link_lost(worker->ownership, loop_boottime_ms());
	meter_add(worker->meter, METRIC_REDIS_RECONNECTS, 1);
}

static void on_asserted(void *arg, uint64_t epoch)
{
	struct worker *worker = arg;

	worker->shared.events.on_asserted(worker->shared.events.node, worker->index, epoch);
}

static void on_fenced(void *arg, uint64_t epoch, uint64_t fence)
{
	struct worker *worker = arg;

	worker->shared.events.on_fenced(worker->shared.events.node, epoch, fence);
}

static void transport_write(void *ctx, struct span bytes)
{
	(void)ctx;
	(void)bytes;
}

static void transport_close(void *ctx)
{
	(void)ctx;
}

static void on_link_event(void *arg, enum redis_link_event event, const char *why)
{
	(void)arg;
	(void)event;
	(void)why;
}

/* A standalone node has the same link, which is never connected: everything stays local by the same code. */
static void make_lone_link(struct worker *worker)
{
	const struct redis_link_options options = {
		.prefix = worker->settings->redis.prefix,
		.handshake_timeout_ms = worker->settings->redis.connect_timeout_ms,
		.call_timeout_ms = worker->settings->redis.call_timeout_ms,
	};
	const struct redis_transport transport = { worker, transport_write, transport_close };

	worker->link = redis_link_new(&options, transport, on_link_event, worker);
}

void worker_redis_options(struct redis_conn_options *options, const struct settings *settings,
	struct redis_master *master, const char *password, struct tls_slot *tls)
{
	*options = (struct redis_conn_options){
		.host = settings->redis.address.host,
		.port = settings->redis.address.port,
		.master = master,
		.tls = settings->redis.tls.enabled ? tls : NULL,
		.server_name = settings->redis.tls.server_name[0] ? settings->redis.tls.server_name : NULL,
		.reconnect_first_ms = settings->redis.reconnect_first_ms,
		.reconnect_max_ms = settings->redis.reconnect_max_ms,
		.link = {
			.user = settings->redis.user[0] ? settings->redis.user : NULL,
			.password = password,
			.client_name = settings->node.name,
			.prefix = settings->redis.prefix,
			.wait_replicas = (unsigned)settings->redis.wait_replicas,
			.handshake_timeout_ms = settings->redis.connect_timeout_ms,
			.call_timeout_ms = settings->redis.call_timeout_ms,
		},
	};
}

static void connect_redis(struct worker *worker)
{
	static const struct redis_conn_callbacks callbacks = { on_redis_ready, on_redis_lost };
	struct redis_conn_options options;

	worker_redis_options(&options, worker->settings, worker->shared.redis_master,
		worker->shared.redis_password, worker->shared.redis_tls);
	worker->redis = redis_conn_new(&worker->loop, &options, &callbacks, worker);
	worker->link = redis_conn_link(worker->redis);
}

static void make_ownership(struct worker *worker)
{
	const struct settings *settings = worker->settings;
	struct ownership_owner owner = custody_as_owner(&worker->custody);
	struct ownership_options options = {
		.shards = (unsigned)settings->redis.shards,
		.worker = worker->index,
		.workers = worker->shared.workers,
		.takeovers_max = (unsigned)settings->cluster.takeovers_max,
		.claim_batch = (unsigned)settings->cluster.claim_batch,
		.claim_interval_ms = settings->cluster.claim_interval_ms,
	};

	CHECK(node_uuid_parse(span_of_str(spool_uuid(worker->shared.spool)), &options.node));
	CHECK(getrandom(options.seed, sizeof(options.seed), 0) == (ssize_t)sizeof(options.seed));
	worker->ownership = ownership_new(&options, worker->link, &owner);
}

/* --- orders -------------------------------------------------------------------------------------- */

static void on_drain_order(void *arg)
{
	struct order *order = arg;

	worker_begin_drain(order->worker, &order->drain);
	mem_free(order);
}

void worker_drain(struct worker *worker, const struct drain_options *options)
{
	const struct order order = { .drain = *options };

	give_order(worker, on_drain_order, &order);
}

static void on_listen_order(void *arg)
{
	struct order *order = arg;
	struct worker *worker = order->worker;
	const struct worker_events *events = &worker->shared.events;
	struct buf why = { 0 };

	if (inbound_listen(&worker->inbound, &why)) {
		buf_append_byte(&why, '\0');
		events->on_failed(events->node, why.base);
	}
	buf_fini(&why);
	events->on_listening(events->node, worker->index);
	mem_free(order);
}

void worker_listen(struct worker *worker)
{
	const struct order order = { 0 };

	give_order(worker, on_listen_order, &order);
}

void worker_send_mail(struct worker *worker, const struct own_mail *mail, custody_fn *fn, void *arg)
{
	own_mail_post(&worker->loop, &worker->custody, mail, fn, arg);
}

static void on_lease_order(void *arg)
{
	struct order *order = arg;

	ownership_set_lease(order->worker->ownership, &order->lease, loop_boottime_ms());
	mem_free(order);
}

void worker_set_lease(struct worker *worker, const struct lease *lease)
{
	const struct order order = { .lease = *lease };

	give_order(worker, on_lease_order, &order);
}

static void on_reload_order(void *arg)
{
	struct order *order = arg;
	struct worker *worker = order->worker;

	worker->settings = order->settings;
	worker->custody.settings = order->settings;
	outbound_reload(&worker->outbound, order->settings);
	inbound_reload(&worker->inbound, order->settings);
	mem_free(order);
}

void worker_reload(struct worker *worker, const struct settings *settings)
{
	const struct order order = { .settings = settings };

	give_order(worker, on_reload_order, &order);
}

void worker_stop(struct worker *worker)
{
	loop_stop(&worker->loop);
}

const struct loop *worker_loop(const struct worker *worker)
{
	return &worker->loop;
}

/* --- the journal -------------------------------------------------------------------------------- */

static void wake_for_journal(void *arg)
{
	struct worker *worker = arg;

	uv_async_send(&worker->journal_wake);
}

static void on_journal_wake(uv_async_t *handle)
{
	struct worker *worker = handle->data;

	journal_poll(worker->journal);
}

struct restoring {
	struct worker *worker;
	size_t unreadable;
};

static void on_live(void *arg, const struct journal_live *live)
{
	struct restoring *restoring = arg;
	struct worker *worker = restoring->worker;
	struct msg_id_text id = msg_id_format(&live->id);

	if (custody_restore(&worker->custody, live) == ERR_OK)
		return;
	restoring->unreadable++;
	log_event(worker->log, LOG_ERROR, "envelope-unreadable", LOG_STR("id", id.text),
		LOG_STR("then", "it stays in the journal"), LOG_END);
}

static enum err open_journal(struct worker *worker, struct buf *why_out)
{
	const struct settings *settings = worker->settings;
	struct restoring restoring = { .worker = worker };
	char dir[PATH_LEN_MAX];
	struct journal_options options = {
		.dir = dir,
		.segment_bytes = settings->journal.segment_size,
		.bytes_max = settings->journal.size_max / worker->shared.workers,
		.worker = worker->index,
		.workers = worker->shared.workers,
		.salvage = settings->journal.salvage,
		.notify = wake_for_journal,
		.notify_arg = worker,
	};

	snprintf(dir, sizeof(dir), "%s/%u", spool_journal_dir(worker->shared.spool), worker->index);
	return journal_open(&options, on_live, &restoring, &worker->journal, why_out);
}

bool worker_has_message(struct worker *worker, const struct msg_id *id)
{
	return journal_has(worker->journal, id);
}

/* --- building ----------------------------------------------------------------------------------- */

static void fill_outbound(struct worker *worker)
{
	const char *ca = worker->settings->route.ca;
	const struct fetcher_options web = { &worker->loop, worker->shared.resolver, *ca ? ca : NULL };

	worker->fetcher = fetcher_new(&web);
	worker->outbound = (struct outbound){
		.loop = &worker->loop,
		.settings = worker->settings,
		.custody = &worker->custody,
		.log = worker->log,
		.meter = worker->meter,
		.random = &worker->random,
		.tls = worker->shared.hop_tls,
		.policy = worker->shared.policy,
		.lookup = { &worker->loop, &worker->random, worker->shared.resolver, worker->shared.self },
		.signing = { &worker->loop, worker->shared.signing, worker->log, worker->meter, 0 },
		.credentials = worker->shared.credentials,
		.preparation = { &worker->loop, &worker->outbound.signing, worker->shared.secrets },
		.news = worker->shared.hop_news,
		.certificates = worker->shared.hop_certificates,
		.limits = &worker->limits,
		.link = worker->link,
		.sts = {
			.loop = &worker->loop,
			.resolver = worker->shared.resolver,
			.fetcher = worker->fetcher,
			.store = worker->shared.sts,
			.share = { worker->link, worker->outbound.holder },
			.log = worker->log,
			.meter = worker->meter,
			.ledger = worker->shared.tls_ledger,
		},
	};
	snprintf(worker->outbound.holder, sizeof(worker->outbound.holder), "%s.%u",
		spool_uuid(worker->shared.spool), worker->index);
	outbound_init(&worker->outbound);
}

static void fill_custody(struct worker *worker)
{
	worker->custody = (struct custody){
		.loop = &worker->loop,
		.settings = worker->settings,
		.log = worker->log,
		.track = worker->track,
		.meter = worker->meter,
		.random = &worker->random,
		.bodies = worker->bodies,
		.outbound = &worker->outbound,
		.is_cluster = worker->redis != NULL,
		.worker = worker,
		.on_asserted = on_asserted,
		.on_fenced = on_fenced,
	};
	custody_init(&worker->custody);
	make_ownership(worker);
	worker->custody.ownership = worker->ownership;
	worker->tally = tally_new(&worker->custody, worker->shared.metrics);
}

/*
 * No two sessions of a node have a number in common, whichever workers and runs of the process they are of:
 * the moment of the start with 22 bits to count in, from a multiple of the step on. Who counts further
 * borrows from moments that have passed by then.
 */
static uint64_t first_session(const struct worker *worker)
{
	uint64_t from = wall_clock_ms() << 22;

	return from - from % worker->shared.workers + worker->index;
}

static void fill_inbound(struct worker *worker)
{
	worker->inbound = (struct inbound){
		.loop = &worker->loop,
		.settings = worker->settings,
		.custody = &worker->custody,
		.bodies = worker->bodies,
		.budget = worker->shared.budget,
		.health = worker->shared.health,
		.connections = worker->shared.connections,
		.policy = worker->shared.policy,
		.secrets = worker->shared.secrets,
		.authenticator = worker->shared.authenticator,
		.throttle = worker->shared.throttle,
		.link = worker->link,
		.limits = &worker->limits,
		.random = &worker->random,
		.tls = worker->shared.server_tls,
		.log = worker->log,
		.track = worker->track,
		.meter = worker->meter,
		.resolver = worker->shared.resolver,
		.inherited = worker->shared.inherited,
		.ledger = worker->shared.alert_ledger,
		.next_session = first_session(worker),
		.session_step = worker->shared.workers,
	};
	inbound_init(&worker->inbound);
}

static void make_bodies(struct worker *worker)
{
	const struct body_store_options options = {
		.loop = &worker->loop.uv,
		.dir = spool_body_dir(worker->shared.spool),
		.budget = worker->shared.budget,
		.memory_max = worker->settings->memory.body,
	};

	worker->bodies = body_store_new(&options);
}

enum err worker_new(unsigned index, const struct settings *settings, const struct worker_shared *shared,
	struct worker **worker_out, struct buf *why_out)
{
	struct worker *worker = mem_zalloc(sizeof(*worker));
	char name[24];
	enum err err;

	*worker_out = worker;
	worker->index = index;
	worker->settings = settings;
	worker->shared = *shared;
	snprintf(name, sizeof(name), "worker-%u", index);
	worker->log = log_open(shared->log, name);
	worker->track = track_open(shared->tracker, name);
	worker->meter = metrics_open(shared->metrics);
	random_seed(&worker->random);
	health_reporter_init(&worker->health, shared->health);
	err = loop_init(&worker->loop);
	CHECK(err == ERR_OK);
	CHECK(uv_async_init(&worker->loop.uv, &worker->journal_wake, on_journal_wake) == 0);
	worker->journal_wake.data = worker;
	loop_timer_init(&worker->ownership_timer, on_ownership_timer, worker);
	worker_watch_init(worker);
	worker_drain_init(worker);
	if (settings_has_redis(settings))
		connect_redis(worker);
	else
		make_lone_link(worker);
	limit_desk_init(&worker->limits, &worker->loop, worker->link, shared->throttle->share,
		settings->limits.redis_wait_ms);
	worker->limits.meter = worker->meter;
	make_bodies(worker);
	fill_outbound(worker);
	fill_custody(worker);
	fill_inbound(worker);
	err = open_journal(worker, why_out);
	if (err)
		return err;
	worker->custody.journal = worker->journal;
	body_store_set_journal(worker->bodies, worker->journal);
	return inbound_bind(&worker->inbound, why_out);
}

static void run(void *arg)
{
	struct worker *worker = arg;

	worker_watch(worker);
	on_ownership_timer(worker);
	outbound_kick(&worker->outbound);
	loop_run(&worker->loop);
}

enum err worker_start(struct worker *worker, struct buf *why_out)
{
	if (uv_thread_create(&worker->thread, run, worker)) {
		buf_append_str(why_out, "no thread for a worker\n");
		return ERR_IO;
	}
	worker->is_running = true;
	return ERR_OK;
}

void worker_join(struct worker *worker)
{
	if (worker->is_running)
		uv_thread_join(&worker->thread);
	worker->is_running = false;
}

/* --- the end ------------------------------------------------------------------------------------ */

/* The thread is gone: what is under way ends while we turn its loop here. */
static void turn_until(struct worker *worker, bool (*is_done)(const struct worker *))
{
	while (!is_done(worker)) {
		loop_stop(&worker->loop);
		loop_run(&worker->loop);
	}
}

static bool are_connections_gone(const struct worker *worker)
{
	return outbound_is_idle(&worker->outbound) && inbound_is_idle(&worker->inbound);
}

static bool are_transfers_over(const struct worker *worker)
{
	return worker->custody.transfers == 0;
}

static void free_links(struct worker *worker)
{
	if (worker->redis)
		redis_conn_free(&worker->redis);
	else
		redis_link_free(&worker->link);
}

static void end_traffic(struct worker *worker)
{
	inbound_stop_listening(&worker->inbound);
	inbound_abort(&worker->inbound);
	outbound_abort(&worker->outbound);
	turn_until(worker, are_connections_gone);
	turn_until(worker, are_transfers_over);
	/* Runs the callbacks that are left. */
	if (worker->journal)
		journal_close(&worker->journal);
	ownership_link_lost(worker->ownership, loop_boottime_ms());
	free_links(worker);
}

void worker_free(struct worker **worker_ptr)
{
	struct worker *worker = *worker_ptr;

	*worker_ptr = NULL;
	end_traffic(worker);
	inbound_fini(&worker->inbound);
	outbound_fini(&worker->outbound);
	limit_desk_fini(&worker->limits);
	fetcher_free(&worker->fetcher);
	tally_free(&worker->tally);
	ownership_free(&worker->ownership);
	custody_fini(&worker->custody);
	body_store_free(&worker->bodies);
	loop_timer_cancel(&worker->loop, &worker->ownership_timer);
	loop_timer_cancel(&worker->loop, &worker->watch_timer);
	loop_timer_cancel(&worker->loop, &worker->drain_timer);
	uv_close((uv_handle_t *)&worker->journal_wake, NULL);
	stream_abort_all(&worker->loop);
	loop_fini(&worker->loop);
	mem_free(worker);
}
