#include "skein/cluster/registry.h"

#include "redis/call.h"

#include "skein/proto/base/alloc.h"

#include <stdlib.h>

/* Keys of every call: the cluster, its nodes, its leader; then the node that the call is about. */
static void begin(struct call *call, struct redis_link *link, const char *function, enum call_mode mode,
	const struct node_uuid *node)
{
	call_begin(call, link, function, mode);
	call_meta_key(call, "", SPAN_LIT(""));
	call_meta_key(call, ":nodes", SPAN_LIT(""));
	call_meta_key(call, ":leader", SPAN_LIT(""));
	if (node)
		call_meta_key(call, ":node:", node_uuid_span(node));
}

static void put_text(struct call *call, struct span text)
{
	CHECK(text.len <= REGISTRY_TEXT_MAX);
	call_arg(call, text);
}

static void deliver_open(const struct call_target *target, struct outcome *outcome, const redisReply *reply)
{
	struct registry_cluster cluster = { .cluster_id = SPAN_LIT("") };

	if (reply) {
		struct reply_cursor reader = reply_read(reply);

		(void)reply_span(&reader);
		cluster.cluster_id = reply_span(&reader);
		cluster.shards = (unsigned)reply_u64(&reader);
		cluster.format = (unsigned)reply_u64(&reader);
		cluster.last_write_ago_ms = reply_u64(&reader);
		if (reader.bad)
			outcome_bad_reply(outcome);
	}
	((registry_open_fn *)target->fn)(target->arg, outcome, &cluster);
}

bool registry_open(struct redis_link *link, const struct registry_open *args, uint64_t now_ms,
	registry_open_fn *fn, void *arg)
{
	struct call call;

	CHECK(args->cluster_id.len > 0 && args->shards > 0);
	begin(&call, link, "open", CALL_WRITES, NULL);
	put_text(&call, args->cluster_id);
	call_arg_u64(&call, args->must_match);
	call_arg_u64(&call, args->shards);
	call_arg_u64(&call, REGISTRY_FORMAT);
	return call_send(&call, now_ms, deliver_open, (struct call_target){ (call_any_fn *)fn, arg });
}

static void deliver_epoch(const struct call_target *target, struct outcome *outcome, const redisReply *reply)
{
	uint64_t epoch = 0;

	if (reply) {
		struct reply_cursor reader = reply_read(reply);

		(void)reply_span(&reader);
		epoch = reply_u64(&reader);
		if (reader.bad)
			outcome_bad_reply(outcome);
	}
	((registry_epoch_fn *)target->fn)(target->arg, outcome, epoch);
}

bool registry_register(struct redis_link *link, const struct registry_register *args, uint64_t now_ms,
	registry_epoch_fn *fn, void *arg)
{
	struct call call;

	CHECK(args->name.len > 0);
	begin(&call, link, "register", CALL_WRITES, &args->node);
	call_arg(&call, node_uuid_span(&args->node));
	put_text(&call, args->name);
	put_text(&call, args->host);
	put_text(&call, args->address);
	put_text(&call, args->admin);
	put_text(&call, args->version);
	call_arg_u64(&call, args->last_epoch);
	call_arg_u64(&call, args->told_fence);
	call.flags = REDIS_CALL_REPLICATED;
	return call_send(&call, now_ms, deliver_epoch, (struct call_target){ (call_any_fn *)fn, arg });
}

static void deliver_renew(const struct call_target *target, struct outcome *outcome, const redisReply *reply)
{
	struct registry_renewed renewed = { 0 };

	if (reply) {
		struct reply_cursor reader = reply_read(reply);

		(void)reply_span(&reader);
		renewed.counter = reply_u64(&reader);
		renewed.drain = reply_u64(&reader) == 1;
		if (reader.bad)
			outcome_bad_reply(outcome);
	}
	((registry_renew_fn *)target->fn)(target->arg, outcome, &renewed);
}

bool registry_renew(struct redis_link *link, const struct registry_renew *args, uint64_t now_ms,
	registry_renew_fn *fn, void *arg)
{
	struct call call;

	CHECK(args->load.len <= REGISTRY_LOAD_MAX);
	begin(&call, link, "renew", CALL_WRITES, &args->node.node);
	call_arg_u64(&call, args->node.epoch);
	call_arg(&call, args->load);
	call.flags = REDIS_CALL_REPLICATED;
	return call_send(&call, now_ms, deliver_renew, (struct call_target){ (call_any_fn *)fn, arg });
}

bool registry_kill(struct redis_link *link, const struct registry_kill *args, uint64_t now_ms,
	registry_outcome_fn *fn, void *arg)
{
	struct call call;

	begin(&call, link, "kill", CALL_WRITES, &args->node.node);
	call_arg_u64(&call, args->node.epoch);
	call_arg_u64(&call, args->counter);
	call_arg_u64(&call, args->left);
	return call_send_plain(&call, now_ms, fn, arg);
}

bool registry_settled(struct redis_link *link, const struct incarnation *node, uint64_t now_ms,
	registry_outcome_fn *fn, void *arg)
{
	struct call call;

	begin(&call, link, "settled", CALL_WRITES, &node->node);
	call_arg_u64(&call, node->epoch);
	call.flags = REDIS_CALL_REPLICATED;
	return call_send_plain(&call, now_ms, fn, arg);
}

static void deliver_lead(const struct call_target *target, struct outcome *outcome, const redisReply *reply)
{
	struct registry_leader leader = { .counter = 0 };

	if (reply) {
		struct reply_cursor reader = reply_read(reply);

		(void)reply_span(&reader);
		if (reply_u64(&reader) == 0)
			outcome->kind = OUTCOME_NOT;
		leader.node = reply_incarnation(&reader);
		leader.counter = reply_u64(&reader);
		if (reader.bad)
			outcome_bad_reply(outcome);
	}
	((registry_lead_fn *)target->fn)(target->arg, outcome, &leader);
}

bool registry_lead(struct redis_link *link, const struct registry_lead *args, uint64_t now_ms,
	registry_lead_fn *fn, void *arg)
{
	struct call call;
	bool replaces = args->stale.epoch > 0;

	begin(&call, link, "lead", CALL_WRITES, &args->node.node);
	call_arg(&call, call_incarnation_text(&call, &args->node));
	call_arg(&call, replaces ? call_incarnation_text(&call, &args->stale) : SPAN_LIT(""));
	call_arg_u64(&call, args->stale_counter);
	return call_send(&call, now_ms, deliver_lead, (struct call_target){ (call_any_fn *)fn, arg });
}

bool registry_forget(struct redis_link *link, const struct node_uuid *node, uint64_t now_ms,
	registry_outcome_fn *fn, void *arg)
{
	struct call call;

	begin(&call, link, "forget", CALL_WRITES, node);
	return call_send_plain(&call, now_ms, fn, arg);
}

bool registry_drain(struct redis_link *link, const struct registry_drain *args, uint64_t now_ms,
	registry_outcome_fn *fn, void *arg)
{
	struct call call;

	begin(&call, link, "drain", CALL_WRITES, &args->node);
	call_arg_u64(&call, args->drain);
	return call_send_plain(&call, now_ms, fn, arg);
}

static struct registry_node read_node(struct reply_cursor *row)
{
	struct registry_node node = { .node = reply_uuid(row) };
	uint64_t state;

	node.name = reply_span(row);
	node.host = reply_span(row);
	node.address = reply_span(row);
	node.admin = reply_span(row);
	node.version = reply_span(row);
	node.load = reply_span(row);
	node.epoch = reply_u64(row);
	node.counter = reply_u64(row);
	node.floor = reply_u64(row);
	state = reply_u64(row);
	node.state = state <= NODE_FORGOTTEN ? (enum registry_state)state : NODE_DEAD;
	node.drain = reply_u64(row) == 1;
	row->bad = row->bad || state > NODE_FORGOTTEN;
	return node;
}

static int by_name(const void *a, const void *b)
{
	struct span one = ((const struct registry_node *)a)->name,
		    two = ((const struct registry_node *)b)->name;
	size_t len = one.len < two.len ? one.len : two.len;
	int order = len ? memcmp(one.ptr, two.ptr, len) : 0;

	return order ? order : (one.len > two.len) - (one.len < two.len);
}

static void deliver_nodes(const struct call_target *target, struct outcome *outcome, const redisReply *reply)
{
	struct registry_view view = { .count = 0 };
	struct registry_node *nodes = NULL;

	if (reply) {
		struct reply_cursor rows = reply_read(reply);

		(void)reply_span(&rows);
		view.leader.node = reply_incarnation(&rows);
		view.leader.counter = reply_u64(&rows);
		nodes = mem_alloc(reply->elements * sizeof(*nodes));
		while (reply_has_more(&rows)) {
			struct reply_cursor row = reply_read(reply_array(&rows));

			nodes[view.count++] = read_node(&row);
			rows.bad = rows.bad || row.bad;
		}
		if (rows.bad) {
			outcome_bad_reply(outcome);
			view = (struct registry_view){ .count = 0 };
		}
		qsort(nodes, view.count, sizeof(*nodes), by_name);
		view.nodes = nodes;
	}
	((registry_nodes_fn *)target->fn)(target->arg, outcome, &view);
	mem_free(nodes);
}

bool registry_nodes(struct redis_link *link, uint64_t now_ms, registry_nodes_fn *fn, void *arg)
{
	struct call call;

	begin(&call, link, "nodes", CALL_READS, NULL);
	return call_send(&call, now_ms, deliver_nodes, (struct call_target){ (call_any_fn *)fn, arg });
}
