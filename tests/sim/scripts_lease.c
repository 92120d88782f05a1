/* Findings 21 to 24: leases. A is script.from, B another node. */
#include "script.h"

#include "faults.h"
#include "node.h"

#include <string.h>

static const enum hop_verdict deferred_often[] = { HOP_DEFERS, HOP_DEFERS, HOP_DEFERS, HOP_DEFERS, HOP_DEFERS,
	HOP_DEFERS, HOP_DEFERS, HOP_DEFERS, HOP_DEFERS, HOP_DEFERS };

static void send_slowly(struct world *world, const struct happening *happening)
{
	if (!script_begins(world, happening) || !script_leader(world))
		return;
	world->hop_latency_us = 30 * SECOND_US;
	script_send(world, script_follower(world), 1, NULL, 0);
}

static bool is_renewed(const struct world *world, const struct happening *happening, const struct node *node)
{
	(void)world;
	return happening->kind == SAW_EXECUTED && happening->conn->node == node &&
	       strcmp(happening->command->name, "renew") == 0;
}

/* Redis' clock jumps while A is in the window, between the leader's renewal and its look at the others. */
static void redis_clock_jumps(struct world *world, struct happening *happening)
{
	struct script *script = &world->script;

	switch (script->step) {
	case 0:
		send_slowly(world, happening);
		break;
	case 1:
		if (script_saw_mail(world, happening, SAW_DOT)) {
			script->to = script_leader(world);
			script_next(world);
		}
		break;
	case 2:
		if (is_renewed(world, happening, script->to)) {
			world->store.skew_us += 60 * (int64_t)SECOND_US;
			script_hold_up(world, script->from, 1);
			script_next(world);
		}
		break;
	}
}

/* Redis goes back by seven renewals while A is in the window. */
static void failover_loses_renewals(struct world *world, struct happening *happening)
{
	struct script *script = &world->script;

	switch (script->step) {
	case 0:
		send_slowly(world, happening);
		break;
	case 1:
		if (script_saw_mail(world, happening, SAW_DOT)) {
			fault_redis_remember(world);
			script_next(world);
		}
		break;
	case 2:
		if (script_waited(world, happening, 7)) {
			fault_redis_older(world);
			script_hold_up(world, script->from, 2);
			script_next(world);
		}
		break;
	}
}

/* Nothing of A arrives, so it is declared dead; Redis goes back to before that; A is there when B has adopted
 * again. */
static void the_mark_is_lost(struct world *world, struct happening *happening)
{
	struct script *script = &world->script;

	switch (script->step) {
	case 0:
		if (script_begins(world, happening) && script_leader(world))
			script_send(world, script_follower(world), 1, deferred_often, 4);
		break;
	case 1:
		if (script_saw(world, happening, SAW_EXECUTED, "accept", script->from)) {
			fault_redis_remember(world);
			happening->action = ACTION_LOSE;
			script_hold_up(world, script->from, 30);
			script_next(world);
		}
		break;
	case 2:
		if (script_saw_others_dot(world, happening)) {
			script->to = happening->node;
			world->hop_latency_us = 30 * SECOND_US;
			fault_redis_older(world);
			script_next(world);
		}
		break;
	case 3:
		if (script_saw(world, happening, SAW_EXECUTED, "adopt", script->to) ||
			script_waited(world, happening, 2)) {
			script_hold_up(world, script->from, 0);
			script_next(world);
		}
		break;
	}
}

/* A stays with the old master, which goes on, and the others with the new one. */
static void split_brain(struct world *world, struct happening *happening)
{
	struct script *script = &world->script;

	switch (script->step) {
	case 0:
		if (script_begins(world, happening) && script_leader(world))
			script_send(world, script_follower(world), 1, deferred_often, 10);
		break;
	case 1:
		if (script_saw_mail(world, happening, SAW_TOLD))
			script_next(world);
		break;
	case 2:
		if (script_waited(world, happening, 3)) {
			fault_split(script->from);
			script_next(world);
		}
		break;
	case 3:
		if (script_saw_others_dot(world, happening)) {
			world->hop_latency_us = 30 * SECOND_US;
			script_next(world);
		}
		break;
	case 4:
		if (script_waited(world, happening, 20)) {
			fault_mend_split(script->from);
			script_next(world);
		}
		break;
	}
}

/* All nodes are replaced at once, under their old names. */
static void nobody_saw_them_die(struct world *world, struct happening *happening)
{
	switch (world->script.step) {
	case 0:
		if (script_begins(world, happening))
			script_send(world, &world->nodes[0], 1, deferred_often, 4);
		break;
	case 1:
		if (script_saw(world, happening, SAW_EXECUTED, "defer", NULL)) {
			for (unsigned i = 0; i < world->node_count; i++)
				fault_crash(&world->nodes[i], true, 2 * SECOND_US);
			script_next(world);
		}
		break;
	}
}

/* A joins, and owns, between the leader's look at the registry and its sweep; a minute later A is in the
 * window. */
static void who_has_just_joined(struct world *world, struct happening *happening)
{
	struct script *script = &world->script;

	switch (script->step) {
	case 0:
		if (script_begins(world, happening) && script_leader(world)) {
			script->to = script_leader(world);
			script->from = script_follower(world);
			node_leave(script->from);
			script_next(world);
		}
		break;
	case 1:
		if (happening->kind == SAW_SENT && happening->conn->node == script->to &&
			!script->from->life && strcmp(happening->command->name, "sweep") == 0) {
			happening->action = ACTION_DELAY;
			happening->delay_us = 1800 * MS_US;
			node_start(script->from);
			script_next(world);
		}
		break;
	case 2:
		if (happening->kind == SAW_EXECUTED && happening->conn->node == script->from &&
			strcmp(happening->command->name, "asserted") == 0)
			script_send(world, script->from, 1, NULL, 0);
		break;
	case 3:
		if (script_waited(world, happening, 54)) {
			world->hop_latency_us = 25 * SECOND_US;
			script_send(world, script->from, 1, NULL, 0);
		}
		break;
	}
}

const struct scenario lease_scenarios[] = {
	{ .name = "finding_21_redis_clock_jumps",
		.about = "no lease ends by Redis' clock",
		.script = redis_clock_jumps,
		.steps_of_script = 3 },
	{ .name = "finding_22_failover_loses_renewals",
		.about = "no lease ends by a failover",
		.script = failover_loses_renewals,
		.steps_of_script = 3 },
	{ .name = "finding_23_the_mark_is_lost",
		.about = "no epoch is renewed on another Redis",
		.script = the_mark_is_lost,
		.steps_of_script = 4,
		.seconds = 80 },
	{ .name = "finding_24_split_brain",
		.about = "a renewal counts when a replica has it",
		.has_replica = true,
		.script = split_brain,
		.steps_of_script = 5,
		.seconds = 90 },
	{ .name = "finding_37_nobody_saw_them_die",
		.about = "new nodes under old names find somebody to declare the old ones dead",
		.script = nobody_saw_them_die,
		.steps_of_script = 2 },
	{ .name = "finding_49_who_has_just_joined",
		.about = "a node that the registry knows is no stray",
		.script = who_has_just_joined,
		.steps_of_script = 4,
		.seconds = 120 },
	{ .name = NULL },
};
