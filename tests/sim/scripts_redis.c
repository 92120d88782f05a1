/* Findings 13 to 19: Redis loses writes. A is script.from, B another node. */
#include "script.h"

#include "faults.h"
#include "node.h"

#include <string.h>

static const enum hop_verdict deferred_once[] = { HOP_DEFERS };
static const enum hop_verdict deferred_long[] = { HOP_DEFERS, HOP_DEFERS, HOP_DEFERS, HOP_DEFERS, HOP_DEFERS,
	HOP_DEFERS, HOP_DEFERS, HOP_DEFERS, HOP_DEFERS, HOP_DEFERS, HOP_DEFERS, HOP_DEFERS, HOP_DEFERS };

static void send_deferred(struct world *world, const struct happening *happening)
{
	if (script_begins(world, happening))
		script_send(world, &world->nodes[0], 1, deferred_once, 1);
}

/* B is in the window; Redis goes back to before its claim; B is the last to come back. */
static void claims_wait_for_all(struct world *world, struct happening *happening)
{
	switch (world->script.step) {
	case 0:
		send_deferred(world, happening);
		break;
	case 1:
		if (script_saw(world, happening, SAW_EXECUTED, "defer", NULL)) {
			fault_redis_remember(world);
			world->hop_latency_us = 20 * SECOND_US;
			script_next(world);
		}
		break;
	case 2:
		if (script_saw_mail(world, happening, SAW_DOT)) {
			script_hold_up(world, happening->node, 2);
			fault_redis_older(world);
			script_next(world);
		}
		break;
	}
}

/* The same, and A, which was started again meanwhile, knows of nobody. */
static void who_has_just_started(struct world *world, struct happening *happening)
{
	struct script *script = &world->script;

	switch (script->step) {
	case 0:
		send_deferred(world, happening);
		break;
	case 1:
		if (script_saw(world, happening, SAW_EXECUTED, "defer", NULL)) {
			node_leave(script->from);
			world->hop_latency_us = 20 * SECOND_US;
			script_next(world);
		}
		break;
	case 2:
		if (script_waited(world, happening, 1)) {
			fault_redis_remember(world);
			script_next(world);
		}
		break;
	case 3:
		if (script_saw_mail(world, happening, SAW_DOT)) {
			script_hold_up(world, happening->node, 2);
			fault_redis_older(world);
			if (!script->from->life)
				node_start(script->from);
			script_next(world);
		}
		break;
	}
}

/* The older Redis says that A owns what B is sending. */
static void the_higher_turn_wins(struct world *world, struct happening *happening)
{
	struct script *script = &world->script;

	switch (script->step) {
	case 0:
		send_deferred(world, happening);
		break;
	case 1:
		if (script_saw(world, happening, SAW_EXECUTED, "accept", script->from)) {
			fault_redis_remember(world);
			script_next(world);
		}
		break;
	case 2:
		if (script_saw(world, happening, SAW_EXECUTED, "defer", script->from)) {
			world->hop_latency_us = 20 * SECOND_US;
			script_next(world);
		}
		break;
	case 3:
		script_keep_from_claiming(happening, script->from);
		if (script_saw_others_dot(world, happening)) {
			fault_redis_older(world);
			script_next(world);
		}
		break;
	}
}

/* Redis is empty while B is in the window, and A, which has a copy, comes first. */
static void holders_do_not_take(struct world *world, struct happening *happening)
{
	struct script *script = &world->script;

	switch (script->step) {
	case 0:
		send_deferred(world, happening);
		break;
	case 1:
		if (script_saw(world, happening, SAW_EXECUTED, "defer", script->from)) {
			world->hop_latency_us = 30 * SECOND_US;
			script_next(world);
		}
		break;
	case 2:
		script_keep_from_claiming(happening, script->from);
		if (script_saw_others_dot(world, happening)) {
			script_hold_up(world, happening->node, 2);
			fault_redis_empty(world);
			script_next(world);
		}
		break;
	}
}

/* Redis is empty, and A's keep does not arrive. */
static void keep_without_an_answer(struct world *world, struct happening *happening)
{
	struct script *script = &world->script;

	switch (script->step) {
	case 0:
		if (script_begins(world, happening))
			script_send(world, &world->nodes[0], 1, deferred_long, 3);
		break;
	case 1:
		if (script_saw(world, happening, SAW_EXECUTED, "defer", script->from))
			script_next(world);
		break;
	case 2:
		if (script_waited(world, happening, 1)) {
			fault_redis_empty(world);
			script_next(world);
		}
		break;
	case 3:
		if (script_saw(world, happening, SAW_SENT, "keep", script->from)) {
			happening->action = ACTION_LOSE;
			script_next(world);
		}
		break;
	}
}

/* Redis forgets both B's claim and its delivery. */
static void fact_of_no_owner(struct world *world, struct happening *happening)
{
	switch (world->script.step) {
	case 0:
		send_deferred(world, happening);
		break;
	case 1:
		if (script_saw(world, happening, SAW_EXECUTED, "defer", NULL)) {
			fault_redis_remember(world);
			script_next(world);
		}
		break;
	case 2:
		if (script_saw(world, happening, SAW_EXECUTED, "settle", NULL)) {
			fault_redis_older(world);
			script_next(world);
		}
		break;
	}
}

/* The same, eight minutes later. */
static void facts_for_ten_minutes(struct world *world, struct happening *happening)
{
	switch (world->script.step) {
	case 0:
		send_deferred(world, happening);
		break;
	case 1:
		if (script_saw(world, happening, SAW_EXECUTED, "defer", NULL)) {
			fault_redis_remember(world);
			script_next(world);
		}
		break;
	case 2:
		if (script_saw(world, happening, SAW_EXECUTED, "settle", NULL))
			script_next(world);
		break;
	case 3:
		if (script_waited(world, happening, 480)) {
			fault_redis_older(world);
			script_next(world);
		}
		break;
	}
}

/* A's disk is lost, and much later everything in Redis. */
static void who_takes_over_makes_a_copy(struct world *world, struct happening *happening)
{
	struct script *script = &world->script;

	switch (script->step) {
	case 0:
		if (script_begins(world, happening))
			script_send(world, &world->nodes[0], 1, deferred_long, ARRAY_LEN(deferred_long));
		break;
	case 1:
		if (script_saw(world, happening, SAW_EXECUTED, "defer", script->from)) {
			fault_crash(script->from, true, 60 * SECOND_US);
			script_next(world);
		}
		break;
	case 2:
		if (script_waited(world, happening, 30)) {
			fault_redis_empty(world);
			script_next(world);
		}
		break;
	}
}

static void on_host_dies(void *arg)
{
	fault_host(arg, 10 * SECOND_US);
}

/* A and Redis' master die together as soon as the client has its 250. */
static void redis_and_node_on_one_host(struct world *world, struct happening *happening)
{
	switch (world->script.step) {
	case 0:
		send_deferred(world, happening);
		break;
	case 1:
		if (script_saw_mail(world, happening, SAW_TOLD)) {
			world_plan(world, 0, on_host_dies, world->script.from);
			script_next(world);
		}
		break;
	}
}

const struct scenario redis_scenarios[] = {
	{ .name = "finding_13_claims_wait_for_all",
		.about = "nothing is given out before all have said what is theirs",
		.script = claims_wait_for_all,
		.steps_of_script = 3 },
	{ .name = "finding_13_who_has_just_started",
		.about = "... nor when a node that knows of no other comes first",
		.script = who_has_just_started,
		.steps_of_script = 4 },
	{ .name = "finding_14_the_higher_turn_wins",
		.about = "an older record does not say who the owner is",
		.script = the_higher_turn_wins,
		.steps_of_script = 4 },
	{ .name = "finding_15_holders_do_not_take",
		.about = "who has a copy only keeps it",
		.script = holders_do_not_take,
		.steps_of_script = 3 },
	{ .name = "finding_15_keep_without_an_answer",
		.about = "... and says so until Redis has heard it",
		.script = keep_without_an_answer,
		.steps_of_script = 4 },
	{ .name = "finding_16_fact_of_no_owner",
		.about = "facts are taken from who is no owner in an older Redis",
		.script = fact_of_no_owner,
		.steps_of_script = 3 },
	{ .name = "finding_17_facts_for_ten_minutes",
		.about = "facts are told again to a Redis that is minutes older",
		.script = facts_for_ten_minutes,
		.steps_of_script = 4,
		.seconds = 540 },
	{ .name = "finding_18_who_takes_over_makes_a_copy",
		.about = "a disk is lost, and much later Redis",
		.odds = { .apart_s = 1 },
		.script = who_takes_over_makes_a_copy,
		.steps_of_script = 3,
		.seconds = 80 },
	{ .name = "finding_19_redis_and_node_on_one_host",
		.about = "with a replica elsewhere one host is no single point",
		.has_replica = true,
		.script = redis_and_node_on_one_host,
		.steps_of_script = 2 },
	{ .name = NULL },
};
