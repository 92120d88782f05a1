/* The node in its cluster: its member, the connection to Redis that this has, and what it hears of others. */
#include "run/node_internal.h"

#include "io/wall_clock.h"
#include "skein/cluster/registry.h"
#include "skein/proto/base/alloc.h"

#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

static void tell_cluster(struct node *node, const struct lease *lease)
{
	struct incarnation self = { .epoch = lease->epoch };

	CHECK(node_uuid_parse(span_of_str(spool_uuid(node->spool)), &self.node));
	access_set_cluster(
		&node->access, &self, member_nodes_alive(node->member), member_nodes_before(node->member));
	meter_set(node->meter, METRIC_NODES, member_nodes_alive(node->member));
}

static long long count(const struct node *node, enum metric metric, unsigned label)
{
	return (long long)metrics_sum(node->metrics, metric, label);
}

/* For `skeinctl top`: since the start, as of `at_ms` by this node's clock. */
static int append_counts(const struct node *node, uint64_t now_ms, char *out, size_t size)
{
	return snprintf(out, size,
		",\"at_ms\":%llu,\"connections\":%lld,\"accepted\":%lld,\"rejected\":%lld,\"delivered\":%lld,"
		"\"deferred\":%lld,\"failed\":%lld}",
		(unsigned long long)now_ms, count(node, METRIC_CONNECTIONS, 0),
		count(node, METRIC_MESSAGES_ACCEPTED, 0),
		count(node, METRIC_MESSAGES_REJECTED, REJECT_TEMPORARY) +
			count(node, METRIC_MESSAGES_REJECTED, REJECT_PERMANENT),
		count(node, METRIC_MESSAGES_DELIVERED, 0), count(node, METRIC_MESSAGES_DEFERRED, 0),
		count(node, METRIC_MESSAGES_FAILED, 0) + count(node, METRIC_MESSAGES_EXPIRED, 0));
}

/* For `skeinctl nodes` and `skeinctl doctor`. */
static void tell_load(struct node *node, uint64_t now_ms)
{
	int len = snprintf(node->load, sizeof(node->load),
		"{\"messages\":%lld,\"sessions\":%zu,\"policy\":%llu,\"policy_refused\":%llu,\"time_ms\":%"
		"llu,"
		"\"ready\":\"%s\",\"disk_free\":%llu,\"disk_min\":%llu,\"journal\":%lld,\"journal_max\":%llu,"
		"\"wait_replicas\":%llu",
		(long long)metrics_sum(node->metrics, METRIC_QUEUE, QUEUE_ACTIVE),
		atomic_load(&node->connections),
		(unsigned long long)policy_slot_version(&node->access.policy),
		(unsigned long long)atomic_load(&node->access.policy.refused),
		(unsigned long long)wall_clock_ms(), readiness_name(health_readiness(node->health)),
		(unsigned long long)node->disk_free,
		(unsigned long long)node->settings->journal.disk_free_min,
		(long long)metrics_sum(node->metrics, METRIC_JOURNAL_BYTES, 0),
		(unsigned long long)node->settings->journal.size_max,
		(unsigned long long)node->settings->redis.wait_replicas);

	CHECK(len > 0 && (size_t)len < sizeof(node->load));
	len += append_counts(node, now_ms, node->load + len, sizeof(node->load) - (size_t)len);
	CHECK((size_t)len < sizeof(node->load));
	member_set_load(node->member, node->load);
}

static void on_member_timer(void *arg)
{
	struct node *node = arg;
	uint64_t now_ms = loop_boottime_ms(), next_ms, wait_ms = 1000;
	const struct lease *lease = member_lease(node->member);

	tell_load(node, now_ms);
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

void membership_poke(struct node *node)
{
	loop_timer_set(&node->loop, &node->member_timer, 0);
}

static void on_granted(void *ctx, uint64_t epoch)
{
	struct node *node = ctx;
	enum err err = spool_set_epoch(node->spool, epoch);

	if (err) {
		log_event(node->log, LOG_ERROR, "registered", LOG_U64("epoch", epoch), LOG_ERR(err), LOG_END);
		node_fail(node, "the epoch cannot be written to the spool");
	} else {
		log_event(node->log, LOG_INFO, "registered", LOG_U64("epoch", epoch), LOG_END);
	}
	member_epoch_is_durable(node->member, epoch, loop_boottime_ms());
	membership_poke(node);
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
	/* Who led before may be dead: the change is told by the new one, and by no other. */
	if (leads)
		track_write(node->track, &(const struct track_event){
						 .kind = TRACK_NODE, .text[TRACK_TEXT] = SPAN_LIT("leads") });
	ticket_keeper_poke(node->ticket_keeper);
}

static void track_death(const struct node *node, const struct incarnation *dead)
{
	struct track_event event = { .kind = TRACK_NODE, .text[TRACK_TEXT] = SPAN_LIT("another is dead") };
	char about[sizeof(dead->node.text) + 24];

	event.text[TRACK_ABOUT] = span_of(about, (size_t)snprintf(about, sizeof(about), "%s#%llu",
							 dead->node.text, (unsigned long long)dead->epoch));
	track_write(node->track, &event);
}

static void on_death(void *ctx, const struct incarnation *dead)
{
	struct node *node = ctx;

	/* `node` is who says so, in every line. */
	log_event(node->log, LOG_WARN, "node-dead", LOG_STR("dead", dead->node.text),
		LOG_U64("epoch", dead->epoch), LOG_END);
	track_death(node, dead);
}

static void on_swept(void *ctx, unsigned moved, unsigned quarantined)
{
	struct node *node = ctx;

	log_event(node->log, LOG_WARN, "swept", LOG_U64("moved", moved), LOG_U64("quarantined", quarantined),
		LOG_END);
}

static void on_drain_wanted(void *ctx, bool drain)
{
	struct node *node = ctx;

	log_event(node->log, LOG_WARN, drain ? "drain-wanted" : "drain-ended", LOG_END);
	if (drain && !node->is_leaving)
		node_begin_drain(node);
}

struct redis_address {
	char text[sizeof(((struct redis_place *)NULL)->host) + 8];
};

/* Of the connection that is, was or was tried last; "" when nobody has said where Redis is. */
static struct redis_address redis_address(const struct node *node)
{
	const struct redis_place *place = redis_conn_place(node->redis);
	struct redis_address address = { "" };

	if (place->host[0])
		snprintf(address.text, sizeof(address.text), strchr(place->host, ':') ? "[%s]:%u" : "%s:%u",
			place->host, (unsigned)place->port);
	return address;
}

static void on_redis_ready(void *arg, const struct redis_identity *identity)
{
	struct node *node = arg;

	meter_set(node->meter, METRIC_REDIS_UP, 1);
	log_event(node->log, LOG_INFO, "redis-up", LOG_STR("address", redis_address(node).text),
		LOG_STR("version", identity->version), LOG_STR("replication", identity->replication_id),
		LOG_U64("replicas", identity->replicas), LOG_END);
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
	membership_poke(node);
	ticket_keeper_poke(node->ticket_keeper);
}

static void on_redis_lost(void *arg, const char *why)
{
	struct node *node = arg;

	meter_set(node->meter, METRIC_REDIS_UP, 0);
	log_event(node->log, LOG_WARN, "redis-down", LOG_STR("address", redis_address(node).text),
		LOG_STR("why", why), LOG_END);
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

void membership_init(struct node *node)
{
	loop_timer_init(&node->member_timer, on_member_timer, node);
}

/* From now on: the master is told to all connections of the process by the main loop. */
static void find_master(struct node *node)
{
	const struct redis_finder_options options = {
		.loop = &node->loop,
		.log = node->log,
		.meter = node->meter,
		.settings = node->settings,
		.password = node->sentinel_password,
		.tls = node->settings->redis.tls.enabled &&
				       node->settings->redis.sentinel_tls == SENTINEL_TLS_SAME
			       ? &node->redis_tls
			       : NULL,
		.master = node->redis_master,
	};

	if (node->redis_master)
		node->finder = redis_finder_new(&options);
}

void membership_join(struct node *node)
{
	static const struct redis_conn_callbacks callbacks = { on_redis_ready, on_redis_lost };
	struct redis_conn_options options;

	if (!settings_has_redis(node->settings))
		return;
	find_master(node);
	worker_redis_options(
		&options, node->settings, node->redis_master, node->redis_password, &node->redis_tls);
	node->redis = redis_conn_new(&node->loop, &options, &callbacks, node);
	make_member(node);
	health_require_redis(node->health, node->settings->redundancy == REDUNDANCY_REQUIRED);
	loop_timer_set(&node->loop, &node->member_timer, 0);
}

static void on_said_goodbye(void *arg, const struct outcome *outcome)
{
	struct node *node = arg;

	(void)outcome;
	loop_stop(&node->loop);
}

void membership_say_goodbye(struct node *node)
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
