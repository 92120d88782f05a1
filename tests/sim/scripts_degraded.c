/* Findings 25 to 29: mail while Redis does not answer. A is script.from, B another node. */
#include "script.h"

#include "faults.h"
#include "mail.h"
#include "node.h"

#include <string.h>

static const enum hop_verdict deferred_often[] = { HOP_DEFERS, HOP_DEFERS, HOP_DEFERS, HOP_DEFERS };

/* The accept is executed, and A cut off before it hears of it. */
static void written_is_not_local(struct world *world, struct happening *happening)
{
	struct script *script = &world->script;

	switch (script->step) {
	case 0:
		if (script_begins(world, happening) && script_leader(world))
			script_send(
				world, script_follower(world), 1, deferred_often, ARRAY_LEN(deferred_often));
		break;
	case 1:
		if (script_saw(world, happening, SAW_EXECUTED, "accept", script->from)) {
			node_cut(script->from, 25 * SECOND_US);
			script_next(world);
		}
		break;
	case 2:
		if (script_saw_others_dot(world, happening)) {
			world->hop_latency_us = 30 * SECOND_US;
			script_next(world);
		}
		break;
	}
}

/* The accept is lost with Redis while A is in the window, and the grace lasts as long as it can. */
static void offered_when_redis_is_lost(struct world *world, struct happening *happening)
{
	struct script *script = &world->script;

	switch (script->step) {
	case 0:
		if (script_begins(world, happening)) {
			world->hop_latency_us = 25 * SECOND_US;
			script_send(world, &world->nodes[0], 1, NULL, 0);
		}
		break;
	case 1:
		if (script_saw(world, happening, SAW_EXECUTED, "accept", script->from)) {
			fault_redis_empty(world);
			script_hold_up(world, &world->nodes[1], 4);
			script_next(world);
		}
		break;
	case 2:
		/* It has no room for more. */
		script_keep_from_claiming(happening, script->from);
		break;
	}
}

/* The same by a broken connection alone, while the grace after Redis' start goes on. */
static void offered_in_the_grace(struct world *world, struct happening *happening)
{
	struct script *script = &world->script;

	switch (script->step) {
	case 0:
		if (happening->kind == SAW_SECOND && world->agenda.now_us >= 2 * SECOND_US) {
			world->hop_latency_us = 25 * SECOND_US;
			script_send(world, &world->nodes[0], 1, NULL, 0);
		}
		break;
	case 1:
		/* Sent at once: the mail is not known yet. */
		if (happening->kind == SAW_SENT && strcmp(happening->command->name, "accept") == 0) {
			happening->action = ACTION_LOSE;
			script_next(world);
		}
		break;
	case 2:
		/* It has no room for more. */
		script_keep_from_claiming(happening, script->from);
		break;
	}
}

static void check_unpublished(struct world *world, const struct happening *happening)
{
	const struct mail *mail = world->script.mail;

	if (mail && mail->attempts && mail->attempts->is_in_window &&
		script_saw(world, happening, SAW_SENT, NULL, NULL))
		violation(world, "one_node_is_in_the_window", "m%u is published in its window", mail->number);
}

/* Redis is back while A is in the window with what only A knows; then A is cut off. */
static void publish_after_the_attempt(struct world *world, struct happening *happening)
{
	struct script *script = &world->script;

	check_unpublished(world, happening);
	switch (script->step) {
	case 0:
		if (script_begins(world, happening)) {
			fault_redis_down(world, 4 * SECOND_US);
			script_next(world);
		}
		break;
	case 1:
		if (script_waited(world, happening, 1)) {
			world->hop_latency_us = 15 * SECOND_US;
			script_send(world, &world->nodes[0], 1, NULL, 0);
		}
		break;
	case 2:
		if (script_waited(world, happening, 8)) {
			node_cut(script->from, 12 * SECOND_US);
			script_next(world);
		}
		break;
	}
}

static void no_451_after_a_time_out(struct world *world, struct happening *happening)
{
	switch (world->script.step) {
	case 0:
		if (script_begins(world, happening))
			script_send(world, &world->nodes[0], 1, NULL, 0);
		break;
	case 1:
		if (script_saw(world, happening, SAW_EXECUTED, "accept", NULL)) {
			happening->action = ACTION_LOSE;
			script_next(world);
		}
		break;
	}
}

/* The body does not reach Redis, the client hears 451, and A dies. */
static void no_451_before_done(struct world *world, struct happening *happening)
{
	struct script *script = &world->script;

	switch (script->step) {
	case 0:
		if (script_begins(world, happening)) {
			world->has_bodies_in_files = true;
			script_send(world, &world->nodes[0], 1, NULL, 0);
		}
		break;
	case 1:
		if (script_saw(world, happening, SAW_SENT, "SET", script->from))
			happening->action = ACTION_LOSE;
		if (script_saw_mail(world, happening, SAW_TOLD) && script->mail->told == TOLD_NO) {
			script_crash(script->from, false, 300 * MS_US);
			script_next(world);
		}
		break;
	}
}

const struct scenario degraded_scenarios[] = {
	{ .name = "finding_25_written_is_not_local",
		.about = "what was written and not answered waits when the lease has ended",
		.script = written_is_not_local,
		.steps_of_script = 3,
		.seconds = 80 },
	{ .name = "finding_25_offered_when_redis_is_lost",
		.about = "... and is the offerer's while the lease is good",
		.script = offered_when_redis_is_lost,
		.steps_of_script = 2,
		.seconds = 80 },
	{ .name = "finding_25_offered_in_the_grace",
		.about = "... also when only the connection broke",
		.script = offered_in_the_grace,
		.steps_of_script = 2 },
	{ .name = "finding_26_publish_after_the_attempt",
		.about = "what only a node knows is published when the attempt is over",
		.script = publish_after_the_attempt,
		.steps_of_script = 3 },
	{ .name = "finding_27_no_451_after_a_time_out",
		.about = "when Redis may have it the client hears nothing",
		.is_required = true,
		.script = no_451_after_a_time_out,
		.steps_of_script = 2 },
	{ .name = "finding_29_no_451_before_done",
		.about = "a no waits for the journal's DONE",
		.is_required = true,
		.script = no_451_before_done,
		.steps_of_script = 2 },
	{ .name = NULL },
};
