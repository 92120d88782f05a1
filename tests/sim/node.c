#include "node.h"

#include "disk.h"
#include "happening.h"
#include "hop.h"
#include "mail.h"

#include "skein/cluster/registry.h"
#include "skein/proto/base/alloc.h"

#include <stdio.h>
#include <string.h>

/* As in worker.c. */
enum { TICK_MAX_MS = 200, MEMBER_TICK_MAX_MS = 1000, DRAIN_STEP_MS = 50, DRAIN_TIMEOUT_MS = 30000 };
static const uint64_t FOR_EVER_MS = 1000000000000;
enum { TAKEOVERS_MAX = 5, TTL_MS = 5000, RENEW_MS = 1000, MARGIN_MS = 500 };

static void plan(struct node *node, uint64_t delay_us, event_fn *fn, void *arg, bool owns_arg)
{
	agenda_plan(&node->world->agenda, node->life, delay_us, fn, arg, owns_arg);
}

/* --- between the threads of a node ------------------------------------------------------------------- */

struct order {
	struct node *node;
	struct worker *worker;
	struct lease lease;
	uint64_t epoch, fence;
};

/* Threads hear of each other a little later. */
static void post(struct node *node, event_fn *fn, const struct order *order)
{
	struct world *world = node->world;
	uint64_t delay_us =
		world_chance(world, 20) ? world_between(world, 1000, 50000) : world_between(world, 1, 300);

	plan(node, delay_us, fn, mem_dup(order, sizeof(*order)), true);
}

/* --- the worker ---------------------------------------------------------------------------------------- */

static void on_worker_timer(void *arg)
{
	struct worker *worker = arg;
	uint64_t now_ms = world_now_ms(worker->node->world), next_ms;

	if (ownership_is_trusted(worker->ownership, now_ms))
		custody_thaw(&worker->custody);
	ownership_set_appetite(worker->ownership, worker->custody.is_leaving ? 0 : hop_appetite(worker));
	next_ms = ownership_tick(worker->ownership, now_ms);
	if (next_ms > now_ms + TICK_MAX_MS)
		next_ms = now_ms + TICK_MAX_MS;
	conn_pump(worker->conn);
	plan(worker->node, (next_ms > now_ms ? next_ms - now_ms : 1) * MS_US, on_worker_timer, worker, false);
}

static void on_worker_ready(void *arg)
{
	struct worker *worker = arg;

	ownership_link_ready(worker->ownership, world_now_ms(worker->node->world));
}

static void on_worker_lost(void *arg)
{
	struct worker *worker = arg;

	ownership_link_lost(worker->ownership, world_now_ms(worker->node->world));
}

static void on_asserted_report(void *arg)
{
	struct order *order = arg;
	struct node *node = order->node;

	node->asserted_epoch[order->worker->index] = order->epoch;
	for (unsigned i = 0; i < node->world->worker_count; i++) {
		if (node->asserted_epoch[i] != order->epoch)
			return;
	}
	member_switched(node->member, order->epoch, world_now_ms(node->world));
	conn_pump(node->conn);
}

static void on_asserted(void *arg, uint64_t epoch)
{
	struct worker *worker = arg;
	const struct order order = { .node = worker->node, .worker = worker, .epoch = epoch };

	trace(worker->node->world, "%s/%u asserted #%llu", worker->node->name, worker->index,
		(unsigned long long)(epoch % 1000000000));
	post(worker->node, on_asserted_report, &order);
}

static void poke_member(struct node *node);

static void on_fenced_report(void *arg)
{
	struct order *order = arg;

	member_fenced(order->node->member, order->epoch, order->fence, world_now_ms(order->node->world));
	poke_member(order->node);
}

static void on_fenced(void *arg, uint64_t epoch, uint64_t fence)
{
	struct worker *worker = arg;
	const struct order order = { .node = worker->node, .worker = worker, .epoch = epoch, .fence = fence };

	trace(worker->node->world, "%s/%u is fenced", worker->node->name, worker->index);
	post(worker->node, on_fenced_report, &order);
}

static void on_lease_order(void *arg)
{
	struct order *order = arg;
	struct worker *worker = order->worker;

	if (worker->node->world->broken == BROKEN_LEASE && order->lease.epoch)
		order->lease.trust_until_ms = FOR_EVER_MS;
	ownership_set_lease(worker->ownership, &order->lease, world_now_ms(worker->node->world));
	conn_pump(worker->conn);
}

static void make_ownership(struct worker *worker)
{
	struct world *world = worker->node->world;
	struct ownership_owner owner = custody_as_owner(&worker->custody);
	const struct ownership_options options = {
		.node = worker->node->uuid,
		.shards = world->shards,
		.worker = worker->index,
		.workers = world->worker_count,
		.takeovers_max = TAKEOVERS_MAX,
		.claim_batch = 10,
		.claim_interval_ms = 500,
		.seed = { random_u64(&world->random), random_u64(&world->random) },
	};

	worker->ownership = ownership_new(&options, worker->conn->link, &owner);
}

static struct worker *make_worker(struct node *node, unsigned index)
{
	struct world *world = node->world;
	struct worker *worker = mem_zalloc(sizeof(*worker));

	worker->node = node;
	worker->life = node->life;
	worker->index = index;
	worker->bodies.worker = worker;
	worker->random.state[0] = random_u64(&world->random) | 1;
	worker->conn = conn_new(world, node->life, node, index, on_worker_ready, on_worker_lost, worker);
	worker->journal = disk_open(worker);
	hop_begin(worker);
	worker->custody = (struct custody){
		.loop = &worker->loop,
		.settings = world->settings,
		.log = (struct log *)(void *)worker,
		.track = (struct track *)(void *)worker,
		.random = &worker->random,
		.journal = worker->journal,
		.bodies = &worker->bodies,
		.outbound = &worker->outbound,
		.is_cluster = true,
		.worker = worker,
		.on_asserted = on_asserted,
		.on_fenced = on_fenced,
	};
	custody_init(&worker->custody);
	make_ownership(worker);
	worker->custody.ownership = worker->ownership;
	return worker;
}

/* --- tasks at the end of a loop's turn, for custody ------------------------------------------------------
 */

void loop_task_init(struct loop_task *task, loop_fn *fn, void *arg)
{
	*task = (struct loop_task){ .fn = fn, .arg = arg };
}

void loop_defer(struct loop *loop, struct loop_task *task)
{
	plan(CONTAINER_OF(loop, struct worker, loop)->node, 1, task->fn, task->arg, false);
}

/* --- the member -------------------------------------------------------------------------------------------
 */

static void tick_member(struct node *node)
{
	struct world *world = node->world;
	uint64_t now_ms = world_now_ms(world);

	(void)member_tick(node->member, now_ms);
	conn_pump(node->conn);
}

static void on_member_timer(void *arg)
{
	struct node *node = arg;
	uint64_t now_ms = world_now_ms(node->world), next_ms = member_tick(node->member, now_ms), wait_ms;

	conn_pump(node->conn);
	wait_ms = next_ms == UINT64_MAX || next_ms > now_ms + MEMBER_TICK_MAX_MS ? MEMBER_TICK_MAX_MS
		  : next_ms > now_ms                                             ? next_ms - now_ms
										 : 1;
	plan(node, wait_ms * MS_US, on_member_timer, node, false);
}

static void on_poke(void *arg)
{
	tick_member(arg);
}

static void poke_member(struct node *node)
{
	plan(node, 1, on_poke, node, false);
}

static void on_epoch_durable(void *arg)
{
	struct order *order = arg;

	uint64_t now_ms = world_now_ms(order->node->world);

	order->node->spool_epoch = order->epoch;
	member_epoch_is_durable(order->node->member, order->epoch, now_ms);
	if (order->node->world->broken == BROKEN_DECLARE)
		member_switched(order->node->member, order->epoch, now_ms);
	poke_member(order->node);
}

static void on_granted(void *ctx, uint64_t epoch)
{
	struct node *node = ctx;
	const struct order order = { .node = node, .epoch = epoch };

	trace(node->world, "%s registered as #%llu", node->name, (unsigned long long)(epoch % 1000000000));
	plan(node, world_between(node->world, 500, 8000), on_epoch_durable, mem_dup(&order, sizeof(order)),
		true);
}

static void on_lease(void *ctx, const struct lease *lease)
{
	struct node *node = ctx;

	for (unsigned i = 0; i < node->world->worker_count; i++) {
		struct order order = { .node = node, .worker = node->workers[i], .lease = *lease };

		hop_note_trust(node->workers[i]);
		post(node, on_lease_order, &order);
	}
}

static void on_refused(void *ctx, const char *why)
{
	struct node *node = ctx;

	trace(node->world, "%s is refused: %s", node->name, why);
}

static void on_leader(void *ctx, bool leads)
{
	struct node *node = ctx;

	trace(node->world, "%s %s", node->name, leads ? "leads" : "does not lead");
}

static void on_death(void *ctx, const struct incarnation *dead)
{
	struct node *node = ctx;

	trace(node->world, "%s declares %.8s dead", node->name, dead->node.text);
}

static void on_swept(void *ctx, unsigned moved, unsigned quarantined)
{
	struct node *node = ctx;

	trace(node->world, "%s swept: %u moved, %u quarantined", node->name, moved, quarantined);
}

static void on_drain_wanted(void *ctx, bool drain)
{
	if (drain)
		node_drain(ctx);
}

static void on_member_ready(void *arg)
{
	struct node *node = arg;

	member_link_ready(node->member, world_now_ms(node->world));
	poke_member(node);
}

static void on_member_lost(void *arg)
{
	struct node *node = arg;

	member_link_lost(node->member, world_now_ms(node->world));
}

static void make_member(struct node *node)
{
	const struct member_owner owner = { node, on_granted, on_lease, on_refused, on_leader, on_death,
		on_swept, on_drain_wanted };
	const struct member_options options = {
		.uuid = node->uuid,
		.name = node->name,
		.host = node->host,
		.address = "",
		.admin_address = "",
		.version = "sim",
		.cluster_id = "sim",
		.epoch = node->spool_epoch,
		.ttl_ms = TTL_MS,
		.renew_ms = RENEW_MS,
		.margin_ms = MARGIN_MS,
		.shards = node->world->shards,
		.wait_max_ms = node->world->settings->retry.max_ms,
		.takeovers_max = TAKEOVERS_MAX,
	};

	node->conn =
		conn_new(node->world, node->life, node, WORKERS_MAX, on_member_ready, on_member_lost, node);
	node->member = member_new(&options, node->conn->link, &owner);
}

/* --- life and death
 * ------------------------------------------------------------------------------------------ */

static void new_uuid(struct node *node)
{
	snprintf(node->uuid.text, sizeof(node->uuid.text), "%08x-0000-4000-8000-%012x", ++node->world->uuids,
		node->index);
}

void node_init(struct world *world, unsigned index)
{
	struct node *node = &world->nodes[index];

	node->world = world;
	node->index = index;
	snprintf(node->name, sizeof(node->name), "%c", 'A' + (char)index);
	snprintf(node->host, sizeof(node->host), "host-%u", index);
	new_uuid(node);
	for (unsigned i = 0; i < world->worker_count; i++)
		table_init(&node->disks[i].lives, (uint64_t[]){ index, i });
}

void node_start(struct node *node)
{
	CHECK(!node->life);
	node->life = mem_zalloc(sizeof(*node->life));
	node->life->node = node;
	node->life->number = ++node->lives;
	node->is_leaving = node->is_draining = node->is_killed = false;
	memset(node->asserted_epoch, 0, sizeof(node->asserted_epoch));
	trace(node->world, "%s starts (life %u, %.8s)", node->name, node->lives, node->uuid.text);
	make_member(node);
	for (unsigned i = 0; i < node->world->worker_count; i++) {
		node->workers[i] = make_worker(node, i);
		disk_replay(node->workers[i]);
		on_worker_timer(node->workers[i]);
	}
	on_member_timer(node);
}

/* What the process had in memory is left where it is: a killed process tidies nothing up. */
static void end_life(struct node *node)
{
	for (unsigned i = 0; i < node->world->worker_count; i++) {
		disk_crash(node->workers[i]);
		conn_abandon(node->workers[i]->conn);
		node->workers[i] = NULL;
	}
	conn_abandon(node->conn);
	node->life->is_over = true;
	node->life = NULL;
	node->member = NULL;
	node->conn = NULL;
}

static void note_fault(struct node *node, uint64_t us)
{
	uint64_t until_us = node->world->agenda.now_us + us;

	node->faults++;
	node->world->faults++;
	if (until_us > node->faulty_until_us)
		node->faulty_until_us = until_us;
}

void node_crash(struct node *node)
{
	if (!node->life)
		return;
	trace(node->world, "%s is killed", node->name);
	note_fault(node, 0);
	node->is_killed = true;
	end_life(node);
}

void node_lose_disk(struct node *node)
{
	struct world *world = node->world;

	CHECK(!node->life && world->gone_uuid_count < ARRAY_LEN(world->gone_uuids));
	trace(world, "%s loses its disk", node->name);
	for (unsigned i = 0; i < world->worker_count; i++)
		disk_clear(&node->disks[i]);
	world->gone_uuids[world->gone_uuid_count++] = node->uuid;
	new_uuid(node);
	node->spool_epoch = 0;
}

void node_pause(struct node *node, uint64_t us)
{
	if (!node->life)
		return;
	trace(node->world, "%s is paused for %llu ms", node->name, (unsigned long long)(us / MS_US));
	note_fault(node, us);
	node->life->paused_until_us = node->world->agenda.now_us + us;
}

void node_cut(struct node *node, uint64_t us)
{
	trace(node->world, "%s is cut off from Redis for %llu ms", node->name,
		(unsigned long long)(us / MS_US));
	note_fault(node, us);
	node->cut_until_us = node->world->agenda.now_us + us;
}

/* --- leaving
 * ---------------------------------------------------------------------------------------------------- */

static void exit_process(void *arg)
{
	struct node *node = arg;

	trace(node->world, "%s has left", node->name);
	end_life(node);
}

static void on_said_goodbye(void *arg, const struct outcome *outcome)
{
	struct node *node = arg;

	(void)outcome;
	plan(node, 1, exit_process, node, false);
}

static void say_goodbye(struct node *node)
{
	const struct lease *lease = member_lease(node->member);
	const struct registry_kill args = {
		.node = { node->uuid, lease->epoch }, .counter = member_counter(node->member), .left = true
	};
	bool sent = lease->epoch &&
		    registry_kill(node->conn->link, &args, world_now_ms(node->world), on_said_goodbye, node);

	conn_pump(node->conn);
	plan(node, sent ? SECOND_US : 1, exit_process, node, false);
}

static void on_drain_step(void *arg)
{
	struct order *order = arg;
	struct node *node = order->node;
	bool is_late = world_now_ms(node->world) >= order->epoch, is_quiet = true;

	for (unsigned i = 0; i < node->world->worker_count; i++) {
		custody_hand_over(&node->workers[i]->custody);
		conn_pump(node->workers[i]->conn);
		is_quiet &= custody_is_quiet(&node->workers[i]->custody);
	}
	if (!is_quiet && !is_late) {
		plan(node, DRAIN_STEP_MS * MS_US, on_drain_step, mem_dup(order, sizeof(*order)), true);
		return;
	}
	trace(node->world, "%s is drained%s", node->name, is_quiet ? "" : " (too late)");
	/* What is still under way when the patience ends is as if killed. */
	if (!is_quiet)
		note_fault(node, 0);
	if (node->is_leaving)
		say_goodbye(node);
}

static void hand_over(struct node *node)
{
	const struct order order = { .node = node, .epoch = world_now_ms(node->world) + DRAIN_TIMEOUT_MS };

	node->is_draining = true;
	plan(node, 1, on_drain_step, mem_dup(&order, sizeof(order)), true);
}

void node_leave(struct node *node)
{
	if (!node->life || node->is_leaving)
		return;
	trace(node->world, "%s leaves", node->name);
	node->is_leaving = true;
	hand_over(node);
}

void node_drain(struct node *node)
{
	if (!node->life || node->is_draining)
		return;
	trace(node->world, "%s drains", node->name);
	hand_over(node);
}

static const char *const state_names[] = {
	[HOLDING_LOCAL] = "local",
	[HOLDING_OFFERED] = "offered",
	[HOLDING_OWNED] = "owned",
	[HOLDING_KEPT] = "kept",
	[HOLDING_ENDED] = "ended",
};

static const char *worker_unfinished(const struct node *node, unsigned index)
{
	static char why[160];
	const struct worker *worker = node->workers[index];
	const struct disk_live *live;
	struct holding *holding;
	size_t cursor = 0, first = 0;

	why[0] = '\0';
	if (!ownership_is_open(worker->ownership))
		snprintf(why, sizeof(why), "%s/%u has not asserted", node->name, index);
	else if ((holding = ownership_next(worker->ownership, &cursor)))
		snprintf(why, sizeof(why), "%s/%u knows of %s: %s, %s", node->name, index,
			msg_id_format(&holding->id).text, state_names[holding->state],
			message_stage_name(message_of_holding(holding)->stage));
	else if ((live = table_next(&node->disks[index].lives, &first)))
		snprintf(why, sizeof(why), "%s/%u has %s in its journal and does not know it", node->name,
			index, msg_id_format(&live->id).text);
	return why[0] ? why : NULL;
}

const char *node_unfinished(const struct node *node)
{
	const char *why = node->life ? NULL : "a node is down";

	for (unsigned i = 0; i < node->world->worker_count && !why; i++)
		why = worker_unfinished(node, i);
	return why;
}
