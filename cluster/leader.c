/*
 * Once a second every node looks at all leases; whoever leads acts on what stands still. Nothing here is
 * dangerous in the wrong hands: a dead epoch stays dead and floors only rise, so a stale leader, or two, do
 * no harm (protocol.md, finding 11). Leadership saves work, no more.
 */
#include "member_internal.h"
#include "skein/proto/base/alloc.h"

#include <string.h>

enum { FULL_SWEEP_MS = 10000, STRAY_MS = 60000, TOMBSTONE_AGE_MS = 600000, UPKEEP_PER_TICK = 4 };

struct shard_call {
	struct member *member;
	uint64_t connection;
	unsigned shard;
};

static struct shard_call *shard_call_new(struct member *member, unsigned shard)
{
	struct shard_call *call = mem_alloc(sizeof(*call));

	*call = (struct shard_call){ member, member->connection, shard };
	return call;
}

static struct span generation(const struct member *member)
{
	return span_of_str(redis_link_identity(member->link)->replication_id);
}

static void set_leads(struct member *member, bool leads)
{
	if (member->leads == leads)
		return;
	member->leads = leads;
	member->owner.on_leader(member->owner.ctx, leads);
}

void leader_stop(struct member *member)
{
	member->connection++;
	member->watched_count = 0;
	member->leader_moved_ms = 0;
	member->leader_seen = (struct registry_leader){ 0 };
	member->stray_count = 0;
	member->sweeping = 0;
	member->looking = member->leading = member->scanning = false;
	set_leads(member, false);
}

void leader_fini(struct member *member)
{
	mem_free(member->watched);
	member->watched = NULL;
}

/* --- sweeping ----------------------------------------------------------------------------------- */

static enum node_fate fate_of(const struct watched *watched)
{
	switch (watched->state) {
	case NODE_ALIVE:
		return FATE_ALIVE;
	case NODE_DEAD:
	case NODE_LEFT:
		return FATE_DEAD;
	case NODE_FORGOTTEN:
		return FATE_FORGOTTEN;
	}
	return FATE_ALIVE;
}

static size_t sweep_rows(const struct member *member, struct queue_sweep_node *rows)
{
	size_t count = 0;

	for (size_t i = 0; i < member->watched_count; i++) {
		const struct watched *watched = &member->watched[i];

		rows[count++] = (struct queue_sweep_node){ watched->node, watched->sweep_floor,
			watched->epoch, fate_of(watched) };
	}
	for (size_t i = 0; i < member->stray_count; i++) {
		const struct stray *stray = &member->strays[i];

		if (member->now_ms - stray->seen_ms >= STRAY_MS)
			rows[count++] = (struct queue_sweep_node){ stray->node.node, stray->node.epoch,
				stray->node.epoch, FATE_DEAD };
	}
	return count;
}

static void note_stray(struct member *member, const struct incarnation *node)
{
	for (size_t i = 0; i < member->stray_count; i++) {
		if (member->strays[i].node.epoch == node->epoch &&
			node_uuid_eq(&member->strays[i].node.node, &node->node))
			return;
	}
	if (member->stray_count < STRAYS_MAX)
		member->strays[member->stray_count++] = (struct stray){ *node, member->now_ms };
}

static void on_swept(void *arg, const struct outcome *outcome, const struct queue_swept *swept);

static bool send_sweep(struct member *member, struct shard_call *call)
{
	struct queue_sweep_node *rows =
		mem_alloc((member->watched_count + STRAYS_MAX) * sizeof(struct queue_sweep_node));
	const struct queue_sweep args = {
		.shard = call->shard,
		.generation = generation(member),
		.takeovers_max = member->options.takeovers_max,
		.wait_max_ms = member->options.wait_max_ms,
		.nodes = rows,
		.node_count = sweep_rows(member, rows),
	};
	bool sent = queue_sweep(member->link, &args, member->now_ms, on_swept, call);

	mem_free(rows);
	return sent;
}

static void end_round(struct member *member)
{
	if (!member->sweep_incomplete) {
		for (size_t i = 0; i < member->watched_count; i++)
			member->watched[i].swept_floor = member->watched[i].sweep_floor;
	}
	if (member->swept_moved || member->swept_quarantined)
		member->owner.on_swept(member->owner.ctx, member->swept_moved, member->swept_quarantined);
	member->swept_moved = member->swept_quarantined = 0;
}

static void sweep_ended(struct member *member, struct shard_call *call)
{
	mem_free(call);
	if (--member->sweeping == 0)
		end_round(member);
}

static void on_swept(void *arg, const struct outcome *outcome, const struct queue_swept *swept)
{
	struct shard_call *call = arg;
	struct member *member = call->member;

	if (call->connection != member->connection) {
		mem_free(call);
		return;
	}
	if (outcome->kind == OUTCOME_NEWGEN) {
		const struct queue_recover recover = { call->shard, generation(member) };

		(void)queue_recover(member->link, &recover, member->now_ms, NULL, NULL);
	}
	if (!outcome_is_ok(outcome)) {
		member->sweep_incomplete = true;
		sweep_ended(member, call);
		return;
	}
	member->swept_moved += swept->moved;
	member->swept_quarantined += swept->quarantined;
	for (size_t i = 0; i < swept->unknown_count; i++)
		note_stray(member, &swept->unknown[i]);
	if (!swept->more || !send_sweep(member, call))
		sweep_ended(member, call);
}

static bool needs_sweep(const struct member *member)
{
	if (member->now_ms - member->sweep_began_ms >= FULL_SWEEP_MS)
		return true;
	for (size_t i = 0; i < member->watched_count; i++) {
		if (member->watched[i].floor > member->watched[i].swept_floor)
			return true;
	}
	return false;
}

static void sweep_all(struct member *member)
{
	if (member->sweeping || !needs_sweep(member))
		return;
	member->sweep_began_ms = member->now_ms;
	member->sweep_incomplete = false;
	for (size_t i = 0; i < member->watched_count; i++)
		member->watched[i].sweep_floor = member->watched[i].floor;
	for (unsigned shard = 0; shard < member->options.shards; shard++) {
		struct shard_call *call = shard_call_new(member, shard);

		member->sweeping++;
		if (!send_sweep(member, call)) {
			member->sweep_incomplete = true;
			sweep_ended(member, call);
		}
	}
}

/* --- slow upkeep: old tombstones, records that no index has ------------------------------------- */

static void on_scanned(
	void *arg, const struct outcome *outcome, uint64_t cursor, const struct msg_id *ids, size_t count)
{
	struct shard_call *call = arg;
	struct member *member = call->member;

	if (call->connection == member->connection) {
		member->scanning = false;
		if (outcome->kind == OUTCOME_OK) {
			member->scan_cursor = cursor;
			for (size_t i = 0; i < count; i++) {
				const struct queue_repair args = { msg_id_shard(&ids[i]), generation(member),
					&ids[i], 1 };

				(void)queue_repair(member->link, &args, member->now_ms, NULL, NULL);
			}
		}
	}
	mem_free(call);
}

static void upkeep(struct member *member)
{
	struct shard_call *call;

	for (unsigned i = 0; i < UPKEEP_PER_TICK; i++) {
		const struct queue_trim args = { member->upkeep_shard, TOMBSTONE_AGE_MS };

		member->upkeep_shard = (member->upkeep_shard + 1) % member->options.shards;
		(void)queue_trim(member->link, &args, member->now_ms, NULL, NULL);
	}
	if (member->scanning)
		return;
	call = shard_call_new(member, 0);
	member->scanning = queue_scan(member->link, member->scan_cursor, member->now_ms, on_scanned, call);
	if (!member->scanning)
		mem_free(call);
}

/* --- deaths ------------------------------------------------------------------------------------- */

struct death {
	struct member *member;
	struct incarnation node;
};

static void on_killed(void *arg, const struct outcome *outcome)
{
	struct death *death = arg;

	if (outcome_is_ok(outcome)) {
		death->member->owner.on_death(death->member->owner.ctx, &death->node);
		leader_tick(death->member); /* its floor is known with the next look: no need to wait a second
					       for it */
	}
	mem_free(death);
}

static void declare_deaths(struct member *member)
{
	for (size_t i = 0; i < member->watched_count; i++) {
		struct watched *watched = &member->watched[i];
		const struct registry_kill args = { { watched->node, watched->epoch }, watched->counter,
			false };
		struct death *death;

		if (watched->state != NODE_ALIVE ||
			member->now_ms - watched->moved_ms < member->options.ttl_ms ||
			(!member->is_refused && node_uuid_eq(&watched->node, &member->options.uuid)))
			continue;
		death = mem_alloc(sizeof(*death));
		*death = (struct death){ member, args.node };
		if (!registry_kill(member->link, &args, member->now_ms, on_killed, death))
			mem_free(death);
	}
}

/* --- looking ------------------------------------------------------------------------------------ */

static struct watched *find_watched(struct watched *list, size_t count, const struct node_uuid *uuid)
{
	for (size_t i = 0; i < count; i++) {
		if (node_uuid_eq(&list[i].node, uuid))
			return &list[i];
	}
	return NULL;
}

static void watch_one(struct member *member, struct watched *next, const struct registry_node *node)
{
	const struct watched *old = find_watched(member->watched, member->watched_count, &node->node);

	*next = (struct watched){
		.node = node->node,
		.epoch = node->epoch,
		.counter = node->counter,
		.floor = node->floor,
		.state = node->state,
		.moved_ms = member->now_ms,
		.sweep_floor = old ? old->sweep_floor : 0,
		.swept_floor = old ? old->swept_floor : 0,
	};
	if (old && old->epoch == node->epoch && old->counter == node->counter)
		next->moved_ms = old->moved_ms;
}

/*
 * Nodes come to another Redis one by one, and a process that has just started has seen none of them. Until
 * everybody had the time to come, the living are those of the Redis before (protocol.md, finding 13).
 */
static void note_living(struct member *member, const struct registry_view *view)
{
	struct lease *lease = &member->lease;

	if (member->phase != MEMBER_RENEWING || member->now_ms < member->living_from_ms)
		return;
	lease->living_count = 0;
	for (size_t i = 0; i < view->count && lease->living_count < MEMBER_LIVING_MAX; i++) {
		if (view->nodes[i].state == NODE_ALIVE)
			lease->living[lease->living_count++] = view->nodes[i].node;
	}
}

/* It had just registered when the shard told of it, after our last look. */
static void drop_known_strays(struct member *member)
{
	size_t kept = 0;

	for (size_t i = 0; i < member->stray_count; i++) {
		const struct incarnation *node = &member->strays[i].node;
		const struct watched *known =
			find_watched(member->watched, member->watched_count, &node->node);

		if (!known || known->epoch < node->epoch)
			member->strays[kept++] = member->strays[i];
	}
	member->stray_count = kept;
}

static bool is_before(struct span name, const char *other)
{
	int order = strncmp(name.ptr, other, name.len);

	return order < 0 || (order == 0 && name.len < strlen(other));
}

static void watch(struct member *member, const struct registry_view *view)
{
	struct watched *next = mem_zalloc((view->count + 1) * sizeof(*next));

	member->nodes_alive = member->nodes_before = 0;
	for (size_t i = 0; i < view->count; i++) {
		watch_one(member, &next[i], &view->nodes[i]);
		if (view->nodes[i].state != NODE_ALIVE)
			continue;
		member->nodes_alive++;
		member->nodes_before += is_before(view->nodes[i].name, member->options.name);
	}
	note_living(member, view);
	mem_free(member->watched);
	member->watched = next;
	member->watched_count = view->count;
	drop_known_strays(member);
	if (view->leader.counter != member->leader_seen.counter ||
		view->leader.node.epoch != member->leader_seen.node.epoch || !member->leader_moved_ms) {
		member->leader_seen = view->leader;
		member->leader_moved_ms = member->now_ms;
	}
}

static void on_led(void *arg, const struct outcome *outcome, const struct registry_leader *leader)
{
	struct shard_call *call = arg;
	struct member *member = call->member;

	(void)leader;
	if (call->connection == member->connection) {
		member->leading = false;
		set_leads(member, outcome_is_ok(outcome));
	}
	mem_free(call);
}

static void seek_lead(struct member *member)
{
	struct registry_lead args = { .node = member_self(member) };
	const struct registry_leader *seen = &member->leader_seen;
	struct shard_call *call;

	if (member->leading)
		return;
	if (seen->node.epoch && (!node_uuid_eq(&seen->node.node, &member->options.uuid) ||
					seen->node.epoch != member->lease.epoch)) {
		if (member->now_ms - member->leader_moved_ms < member->options.ttl_ms) {
			set_leads(member, false);
			return;
		}
		args.stale = seen->node;
		args.stale_counter = seen->counter;
	}
	call = shard_call_new(member, 0);
	member->leading = registry_lead(member->link, &args, member->now_ms, on_led, call);
	if (!member->leading)
		mem_free(call);
}

/*
 * Who is refused, because of its name or its host, watches too: when all nodes were replaced at once nobody
 * else is there to see that the old ones are dead.
 */
static void act(struct member *member)
{
	if (member->is_refused) {
		declare_deaths(member);
		return;
	}
	if (member->phase != MEMBER_RENEWING)
		return;
	seek_lead(member);
	if (!member->leads)
		return;
	declare_deaths(member);
	sweep_all(member);
	upkeep(member);
}

static void on_nodes(void *arg, const struct outcome *outcome, const struct registry_view *view)
{
	struct shard_call *call = arg;
	struct member *member = call->member;

	if (call->connection == member->connection) {
		member->looking = false;
		if (outcome_is_ok(outcome)) {
			watch(member, view);
			act(member);
		}
	}
	mem_free(call);
}

void leader_tick(struct member *member)
{
	struct shard_call *call;

	if (member->looking)
		return;
	call = shard_call_new(member, 0);
	member->looking = registry_nodes(member->link, member->now_ms, on_nodes, call);
	if (!member->looking)
		mem_free(call);
}
