/* Findings 1 to 12: who owns a message. A is script.from, B another node. */
#include "script.h"

#include "faults.h"
#include "node.h"
#include "operator.h"

#include <string.h>

static const enum hop_verdict deferred_once[] = { HOP_DEFERS };
static const enum hop_verdict taken_then_deferred[] = { HOP_TAKES, HOP_DEFERS, HOP_DEFERS, HOP_DEFERS,
	HOP_DEFERS, HOP_DEFERS, HOP_DEFERS };

/* A is paused before its attempt, and declared dead; it wakes while B is in the window. */
static void renew_revives_nothing(struct world *world, struct happening *happening)
{
	struct script *script = &world->script;

	switch (script->step) {
	case 0:
		if (script_begins(world, happening)) {
			world->hop_latency_us = 20 * SECOND_US;
			script_send(world, script_follower(world), 1, NULL, 0);
		}
		break;
	case 1:
		if (script_saw_mail(world, happening, SAW_TOLD)) {
			node_pause(script->from, 11 * SECOND_US);
			script_next(world);
		}
		break;
	case 2:
		/* It hears of its end from its lease alone. */
		if (happening->kind == SAW_SENT && happening->conn->node == script->from &&
			happening->conn->worker != WORKERS_MAX &&
			world->agenda.now_us < script->at_us + 14 * SECOND_US)
			happening->action = ACTION_LOSE;
		break;
	}
}

/* B claims what A deferred, is killed, and is back before its lease ends. */
static void claimed_then_restarted(struct world *world, struct happening *happening)
{
	struct script *script = &world->script;

	switch (script->step) {
	case 0:
		if (script_begins(world, happening))
			script_send(world, &world->nodes[0], 1, deferred_once, 1);
		break;
	case 1:
		if (script_saw(world, happening, SAW_EXECUTED, "defer", NULL)) {
			fault_crash(script->from, false, 30 * SECOND_US);
			script_next(world);
		}
		break;
	case 2:
		if (script_saw(world, happening, SAW_EXECUTED, "claim", NULL)) {
			fault_crash(happening->conn->node, false, 200 * MS_US);
			script_next(world);
		}
		break;
	}
}

/* A has to register anew while it is in the window, and its worker is slow to adopt. */
static void settled_comes_after_adopt(struct world *world, struct happening *happening)
{
	struct script *script = &world->script;

	switch (script->step) {
	case 0:
		if (script_begins(world, happening)) {
			world->hop_latency_us = 20 * SECOND_US;
			script_send(world, script_follower(world), 1, NULL, 0);
		}
		break;
	case 1:
		if (script_saw_mail(world, happening, SAW_DOT)) {
			/* Another life of this registration, as an older {meta} shows it. */
			(void)store_ask(world, DB_MAIN, "HINCRBY skein:{meta}:node:%s epoch 1",
				script->from->uuid.text);
			script_next(world);
		}
		break;
	case 2:
		if (happening->kind == SAW_SENT && happening->conn->node == script->from &&
			happening->conn->worker != WORKERS_MAX &&
			world->agenda.now_us < script->at_us + 4 * SECOND_US)
			happening->action = ACTION_LOSE;
		break;
	}
}

static void lost_claim_reply(struct world *world, struct happening *happening)
{
	switch (world->script.step) {
	case 0:
		if (script_begins(world, happening))
			script_send(world, &world->nodes[0], 1, deferred_once, 1);
		break;
	case 1:
		if (script_saw(world, happening, SAW_EXECUTED, "claim", NULL)) {
			happening->action = ACTION_LOSE;
			script_next(world);
		}
		break;
	}
}

/* A's defer is stuck, A has the message again and is in the window when it arrives. */
static void late_defer(struct world *world, struct happening *happening)
{
	struct script *script = &world->script;

	switch (script->step) {
	case 0:
		if (script_begins(world, happening))
			script_send(world, &world->nodes[0], 1, deferred_once, 1);
		break;
	case 1:
		if (script_saw(world, happening, SAW_SENT, "defer", script->from)) {
			happening->action = ACTION_GHOST;
			happening->delay_us = 9 * SECOND_US;
			world->hop_latency_us = 20 * SECOND_US;
			script_next(world);
		}
		break;
	case 2:
		if (script_saw_mail(world, happening, SAW_DOT))
			script_next(world);
		break;
	}
}

/* A is cut off in its window and taken over; it tells of its delivery before B delivers. */
static void fact_of_the_fenced(struct world *world, struct happening *happening)
{
	struct script *script = &world->script;

	switch (script->step) {
	case 0:
		if (script_begins(world, happening)) {
			world->hop_latency_us = 4 * SECOND_US;
			script_send(world, script_follower(world), 1, taken_then_deferred,
				ARRAY_LEN(taken_then_deferred));
		}
		break;
	case 1:
		if (script_saw_mail(world, happening, SAW_DOT)) {
			node_cut(script->from, 9 * SECOND_US);
			script_next(world);
		}
		break;
	case 2:
		if (script_saw_mail(world, happening, SAW_ANSWER)) {
			world->hop_latency_us = 0;
			script_next(world);
		}
		break;
	case 3:
		if (script_saw(world, happening, SAW_EXECUTED, "settle", script->from))
			script_next(world);
		break;
	}
}

/* A dies between Redis' end and its journal's, and is back after more than ten minutes. */
static void tombstone_waits_for_done(struct world *world, struct happening *happening)
{
	switch (world->script.step) {
	case 0:
		if (script_begins(world, happening))
			script_send(world, &world->nodes[0], 1, NULL, 0);
		break;
	case 1:
		if (script_saw(world, happening, SAW_EXECUTED, "settle", NULL)) {
			fault_crash(world->script.from, false, 660 * SECOND_US);
			script_next(world);
		}
		break;
	}
}

/* B, whose journal has no copy, is paused before its dot until the tombstone is gone. */
static void adopt_of_no_holder(struct world *world, struct happening *happening)
{
	struct script *script = &world->script;

	switch (script->step) {
	case 0:
		if (script_begins(world, happening))
			script_send(world, &world->nodes[0], 1, deferred_once, 1);
		break;
	case 1:
		script_keep_from_claiming(happening, script->from);
		if (script_saw(world, happening, SAW_EXECUTED, "claim", NULL)) {
			script->to = happening->conn->node;
			script_next(world);
		}
		break;
	case 2:
		if (script_saw_mail(world, happening, SAW_STARTED)) {
			node_pause(script->to, 700 * SECOND_US);
			script_next(world);
		}
		break;
	}
}

/* A's accept is lost, and its journal slower than the link's return. */
static void adopt_before_the_journal(struct world *world, struct happening *happening)
{
	switch (world->script.step) {
	case 0:
		if (script_begins(world, happening)) {
			world->journal_latency_us = 6 * SECOND_US;
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
	}
}

/* An adopt is stuck while A delivers, and arrives when the journal's DONE has been seen. */
static void adopt_after_seen(struct world *world, struct happening *happening)
{
	struct script *script = &world->script;

	switch (script->step) {
	case 0:
		if (script_begins(world, happening)) {
			world->hop_latency_us = 8 * SECOND_US;
			script_send(world, &world->nodes[0], 1, NULL, 0);
		}
		break;
	case 1:
		if (script_saw(world, happening, SAW_EXECUTED, "accept", script->from)) {
			happening->action = ACTION_LOSE;
			script_next(world);
		}
		break;
	case 2:
		if (script_saw(world, happening, SAW_SENT, "adopt", script->from)) {
			happening->action = ACTION_GHOST;
			happening->delay_us = 30 * SECOND_US;
			script_next(world);
		}
		break;
	}
}

/* A is paused before its dot; when it wakes its lease has ended, and B is in the window. */
static void no_dot_without_a_lease(struct world *world, struct happening *happening)
{
	struct script *script = &world->script;

	switch (script->step) {
	case 0:
		if (script_begins(world, happening)) {
			world->hop_latency_us = 20 * SECOND_US;
			script_send(world, script_follower(world), 1, NULL, 0);
		}
		break;
	case 1:
		if (script_saw_mail(world, happening, SAW_STARTED)) {
			node_pause(script->from, 10 * SECOND_US);
			script_next(world);
		}
		break;
	}
}

/* The sweep of a stale leader arrives after the death that it knows nothing of. */
static void stale_leader(struct world *world, struct happening *happening)
{
	struct script *script = &world->script;

	switch (script->step) {
	case 0:
		if (script_begins(world, happening) && script_leader(world)) {
			script->to = script_leader(world);
			script->from = script_follower(world);
			script_next(world);
		}
		break;
	case 1:
		if (happening->kind == SAW_SENT && happening->conn->node == script->to &&
			strcmp(happening->command->name, "sweep") == 0) {
			happening->action = ACTION_GHOST;
			happening->delay_us = 25 * SECOND_US;
			node_pause(script->from, 18 * SECOND_US);
			script_next(world);
		}
		break;
	case 2:
		if (happening->kind == SAW_EXECUTED && happening->is_ghost &&
			strcmp(happening->command->name, "sweep") == 0)
			script_next(world);
		break;
	}
}

static void cancel_of_an_owned_message(struct world *world, struct happening *happening)
{
	switch (world->script.step) {
	case 0:
		if (script_begins(world, happening))
			script_send(world, &world->nodes[0], 1, NULL, 0);
		break;
	case 1:
		if (script_saw_mail(world, happening, SAW_STARTED)) {
			operator_cancel(world, world->script.mail);
			script_next(world);
		}
		break;
	}
}

const struct scenario ownership_scenarios[] = {
	{ .name = "finding_01_renew_revives_nothing",
		.about = "a lease that ended is not renewed",
		.script = renew_revives_nothing,
		.steps_of_script = 2 },
	{ .name = "finding_02_claimed_then_restarted",
		.about = "what an older epoch of a living node owns comes free",
		.script = claimed_then_restarted,
		.steps_of_script = 3 },
	{ .name = "finding_03_settled_comes_after_adopt",
		.about = "an older epoch ends when all that goes on is adopted",
		.script = settled_comes_after_adopt,
		.steps_of_script = 2 },
	{ .name = "finding_04_lost_claim_reply",
		.about = "what was claimed without an answer is found",
		.script = lost_claim_reply,
		.steps_of_script = 2 },
	{ .name = "finding_05_late_defer",
		.about = "a late defer does not end the next turn",
		.script = late_defer,
		.steps_of_script = 3 },
	{ .name = "finding_06_fact_of_the_fenced",
		.about = "who was taken over may still tell what it delivered",
		.script = fact_of_the_fenced,
		.steps_of_script = 4,
		.seconds = 90 },
	{ .name = "finding_07_tombstone_waits_for_done",
		.about = "a journal without its DONE revives nothing, however late",
		.script = tombstone_waits_for_done,
		.steps_of_script = 2,
		.seconds = 700 },
	{ .name = "finding_08_adopt_of_no_holder",
		.about = "who has no copy revives nothing, however late",
		.script = adopt_of_no_holder,
		.steps_of_script = 3,
		.seconds = 760 },
	{ .name = "finding_08_adopt_before_the_journal",
		.about = "nothing is adopted before the journal has answered",
		.script = adopt_before_the_journal,
		.steps_of_script = 2 },
	{ .name = "finding_09_adopt_after_seen",
		.about = "a late adopt revives nothing",
		.script = adopt_after_seen,
		.steps_of_script = 3 },
	{ .name = "finding_10_no_dot_without_a_lease",
		.about = "the lease is looked at before the dot",
		.script = no_dot_without_a_lease,
		.steps_of_script = 2 },
	{ .name = "finding_11_stale_leader",
		.about = "what a stale leader sends does no harm",
		.script = stale_leader,
		.steps_of_script = 3 },
	{ .name = "finding_12_cancel_of_an_owned_message",
		.about = "what is owned is not cancelled at once, and nobody is told so",
		.script = cancel_of_an_owned_message,
		.steps_of_script = 2 },
	{ .name = NULL },
};
