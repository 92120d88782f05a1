#include "faults.h"

#include "invariants.h"
#include "mail.h"
#include "network.h"
#include "node.h"
#include "operator.h"
#include "store.h"

#include <string.h>

static struct node *any_node(struct world *world)
{
	return &world->nodes[world_random(world, world->node_count)];
}

/* --- nodes ------------------------------------------------------------------------------------------------
 */

static void on_restart(void *arg)
{
	struct node *node = arg;

	if (!node->life)
		node_start(node);
}

void fault_crash(struct node *node, bool with_disk, uint64_t down_us)
{
	struct world *world = node->world;

	if (!node->life)
		return;
	invariants_before_loss(world);
	node_crash(node);
	if (with_disk)
		node_lose_disk(node);
	invariants_after_loss(world, "a node's disk");
	world_plan(world, down_us, on_restart, node);
}

static uint64_t down_time(struct world *world)
{
	return world_chance(world, 500) ? world_between(world, 200, 2000) * MS_US
					: world_between(world, 2, 20) * SECOND_US;
}

static bool may_lose(const struct world *world)
{
	return !world->odds.apart_s || !world->loss_us ||
	       world->agenda.now_us - world->loss_us >= world->odds.apart_s * SECOND_US;
}

static void crash(struct world *world)
{
	fault_crash(any_node(world), false, down_time(world));
}

static void crash_disk(struct world *world)
{
	if (may_lose(world))
		fault_crash(any_node(world), true, down_time(world));
}

static void pause_one(struct world *world)
{
	node_pause(any_node(world), world_chance(world, 500) ? world_between(world, 50, 2000) * MS_US
							     : world_between(world, 2, 15) * SECOND_US);
}

static void cut(struct world *world)
{
	node_cut(any_node(world), world_chance(world, 500) ? world_between(world, 50, 2000) * MS_US
							   : world_between(world, 2, 15) * SECOND_US);
}

static void snip(struct world *world)
{
	struct node *node = any_node(world);
	uint64_t which = world_random(world, world->worker_count + 1);

	if (node->life)
		conn_snip(which < world->worker_count ? node->workers[which]->conn : node->conn);
}

static void leave(struct world *world)
{
	struct node *node = any_node(world);

	if (!node->life)
		return;
	if (world_chance(world, 700))
		node_leave(node);
	else
		node_drain(node);
	/* Started again once it is gone: see on_second() in scenario.c for one that only drained. */
	world_plan(world, world_between(world, 2, 40) * SECOND_US, on_restart, node);
}

/* --- Redis
 * -------------------------------------------------------------------------------------------------- */

void fault_snip_all(struct world *world)
{
	for (unsigned i = 0; i < world->node_count; i++) {
		struct node *node = &world->nodes[i];

		if (!node->life)
			continue;
		conn_snip(node->conn);
		for (unsigned k = 0; k < world->worker_count; k++)
			conn_snip(node->workers[k]->conn);
	}
	conn_snip(world->operator);
}

static void note_redis_fault(struct world *world)
{
	world->redis_faults++;
	world->faults++;
	fault_snip_all(world);
}

static void on_redis_up(void *arg)
{
	struct world *world = arg;

	trace(world, "Redis is back");
	world->store.is_down = false;
}

void fault_redis_down(struct world *world, uint64_t us)
{
	trace(world, "Redis is down for %llu ms", (unsigned long long)(us / MS_US));
	note_redis_fault(world);
	world->store.is_down = true;
	world_plan(world, us, on_redis_up, world);
}

void fault_redis_remember(struct world *world)
{
	trace(world, "Redis will come back to here");
	store_copy(world, DB_MAIN, DB_SNAPSHOT);
	world->is_snapshot_kept = true;
}

static void go_back_to(struct world *world, int db)
{
	store_copy(world, db, DB_MAIN);
	world->is_snapshot_kept = false;
	store_new_generation(world);
}

void fault_redis_older(struct world *world)
{
	static const char what[] = "Redis lost its last writes";

	trace(world, what);
	invariants_before_loss(world);
	go_back_to(world, DB_SNAPSHOT);
	invariants_after_loss(world, what);
	note_redis_fault(world);
}

void fault_redis_empty(struct world *world)
{
	static const char what[] = "Redis lost everything";

	trace(world, what);
	invariants_before_loss(world);
	store_empty(world, DB_SNAPSHOT);
	go_back_to(world, DB_SNAPSHOT);
	invariants_after_loss(world, what);
	note_redis_fault(world);
}

void fault_host(struct node *node, uint64_t down_us)
{
	struct world *world = node->world;

	invariants_before_loss(world);
	node_crash(node);
	node_lose_disk(node);
	go_back_to(world, DB_REPLICA);
	invariants_after_loss(world, "the host of a node and of Redis");
	note_redis_fault(world);
	world_plan(world, down_us, on_restart, node);
}

void fault_split(struct node *node)
{
	struct world *world = node->world;

	trace(world, "%s stays with the old Redis", node->name);
	invariants_before_loss(world);
	node->is_across = true;
	memcpy(world->store.other_generation, world->store.generation, sizeof(world->store.generation));
	store_copy(world, DB_MAIN, DB_OTHER);
	go_back_to(world, DB_REPLICA);
	invariants_after_loss(world, "a split");
	note_redis_fault(world);
}

void fault_mend_split(struct node *node)
{
	trace(node->world, "%s finds the new Redis", node->name);
	node->is_across = false;
	fault_snip_all(node->world);
}

static void on_older(void *arg)
{
	struct world *world = arg;

	if (world->is_snapshot_kept && may_lose(world))
		fault_redis_older(world);
	world->is_snapshot_kept = false;
}

static void older(struct world *world)
{
	if (world->is_snapshot_kept || !may_lose(world))
		return;
	fault_redis_remember(world);
	world_plan(world,
		world_chance(world, 500) ? world_between(world, 1, 400) * MS_US
					 : world_between(world, 1, 8) * SECOND_US,
		on_older, world);
}

static void empty(struct world *world)
{
	if (may_lose(world))
		fault_redis_empty(world);
}

static void down(struct world *world)
{
	if (!world->store.is_down)
		fault_redis_down(world, world_chance(world, 500) ? world_between(world, 50, 2000) * MS_US
								 : world_between(world, 2, 20) * SECOND_US);
}

static void jump(struct world *world)
{
	int64_t jump_s = (int64_t)world_between(world, 0, 120) - 60;

	trace(world, "Redis' clock jumps by %lld s", (long long)jump_s);
	world->store.skew_us += jump_s * (int64_t)SECOND_US;
}

/* --- by themselves
 * --------------------------------------------------------------------------------------------- */

struct source {
	struct world *world;
	unsigned mean_s;
	void (*fn)(struct world *world);
};

static void on_source(void *arg)
{
	struct source *source = arg;

	if (source->world->is_calm)
		return;
	source->fn(source->world);
	world_plan(source->world, world_between(source->world, 1, 2 * source->mean_s * 1000) * MS_US,
		on_source, source);
}

void faults_start(struct world *world)
{
	const struct odds *odds = &world->odds;
	static struct source sources[10];
	const struct source all[] = {
		{ world, odds->crash_s, crash },
		{ world, odds->crash_disk_s, crash_disk },
		{ world, odds->pause_s, pause_one },
		{ world, odds->cut_s, cut },
		{ world, odds->snip_s, snip },
		{ world, odds->redis_down_s, down },
		{ world, odds->redis_older_s, older },
		{ world, odds->redis_empty_s, empty },
		{ world, odds->jump_s, jump },
		{ world, odds->leave_s, leave },
	};

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		sources[i] = all[i];
		if (sources[i].mean_s)
			world_plan(world, world_between(world, 1000, 2 * sources[i].mean_s * 1000) * MS_US,
				on_source, &sources[i]);
	}
}

void faults_end(struct world *world)
{
	trace(world, "calm: no more faults");
	world->is_calm = true;
	world->is_snapshot_kept = false;
	world->calm_since_us = world->agenda.now_us;
	world->store.is_down = false;
	world->hop_latency_us = world->journal_latency_us = 0;
	for (unsigned i = 0; i < world->node_count; i++) {
		struct node *node = &world->nodes[i];

		node->cut_until_us = 0;
		if (node->life && (node->is_leaving || node->is_draining))
			node_crash(node);
		if (!node->life)
			node_start(node);
	}
}
