/* Findings 32 to 35: several recipients, reports. A is script.from, B another node. */
#include "script.h"

#include "faults.h"
#include "mail.h"
#include "network.h"
#include "operator.h"

#include <string.h>

static const enum hop_verdict first_deferred[] = { HOP_DEFERS_RCPT };
static const enum hop_verdict deferred_then_first[] = { HOP_DEFERS, HOP_DEFERS_RCPT };
static const enum hop_verdict refused[] = { HOP_REFUSES };

/* A has delivered to one of two, and dies with its disk. */
static void settle_per_transaction(struct world *world, struct happening *happening)
{
	switch (world->script.step) {
	case 0:
		if (script_begins(world, happening))
			script_send(world, &world->nodes[0], 2, first_deferred, 1);
		break;
	case 1:
		if (script_saw(world, happening, SAW_EXECUTED, "settle", NULL)) {
			fault_crash(world->script.from, true, 30 * SECOND_US);
			script_next(world);
		}
		break;
	}
}

/* B has delivered to one of two; more than ten minutes later only A's journal is left. */
static void news_of_recipients(struct world *world, struct happening *happening)
{
	struct script *script = &world->script;

	switch (script->step) {
	case 0:
		if (script_begins(world, happening))
			script_send(world, &world->nodes[0], 2, deferred_then_first, 2);
		break;
	case 1:
		if (script_saw(world, happening, SAW_EXECUTED, "defer", script->from))
			script_next(world);
		break;
	case 2:
		script_keep_from_claiming(happening, script->from);
		if (script_saw(world, happening, SAW_EXECUTED, "defer", NULL)) {
			operator_hold(world, script->mail);
			script_next(world);
		}
		break;
	case 3:
		if (script_waited(world, happening, 630)) {
			fault_redis_empty(world);
			script_next(world);
		}
		break;
	}
}

/* The same, but Redis is empty before A heard of it, and B speaks before A. */
static void facts_before_the_record(struct world *world, struct happening *happening)
{
	struct script *script = &world->script;

	switch (script->step) {
	case 0:
		if (script_begins(world, happening))
			script_send(world, &world->nodes[0], 2, deferred_then_first, 2);
		break;
	case 1:
		if (script_saw(world, happening, SAW_EXECUTED, "defer", script->from))
			script_next(world);
		break;
	case 2:
		script_keep_from_claiming(happening, script->from);
		if (script_saw(world, happening, SAW_EXECUTED, "settle", NULL)) {
			script_hold_up(world, script->from, 4);
			script_next(world);
		}
		break;
	case 3:
		if (script_waited(world, happening, 1)) {
			fault_redis_empty(world);
			script_next(world);
		}
		break;
	}
}

/* A report is made; when all that is left of its original is the report, Redis is empty. */
static void reports_are_in_the_journal(struct world *world, struct happening *happening)
{
	switch (world->script.step) {
	case 0:
		if (script_begins(world, happening))
			script_send(world, &world->nodes[0], 1, refused, 1);
		break;
	case 1:
		if (script_saw(world, happening, SAW_EXECUTED, "bounce", NULL))
			script_next(world);
		break;
	case 2:
		if (script_waited(world, happening, 5)) {
			fault_redis_empty(world);
			script_next(world);
		}
		break;
	}
}

static bool is_held(const struct world *world, const struct happening *happening)
{
	return script_saw(world, happening, SAW_EXECUTED, "adopt", world->script.from) &&
	       memmem(happening->reply.ptr, happening->reply.len, "HELD", 4);
}

/*
 * A has a report and no answer of Redis until its lease has ended; an older Redis says that the message is
 * nobody's, so the report is dropped; the round breaks, and in the next one A keeps its copy.
 */
static void a_report_that_was_dropped(struct world *world, struct happening *happening)
{
	struct script *script = &world->script;

	switch (script->step) {
	case 0:
		/* A fact, so that the round does not end with the adopt. */
		if (script_begins(world, happening))
			script_send(world, &world->nodes[0], 1, NULL, 0);
		break;
	case 1:
		if (script_waited(world, happening, 3)) {
			fault_redis_remember(world);
			script_send(world, &world->nodes[0], 1, refused, 1);
		}
		break;
	case 2:
		if (script_saw(world, happening, SAW_EXECUTED, "accept", script->from)) {
			happening->action = ACTION_LOSE;
			script_next(world);
		}
		break;
	case 3:
		if (script_saw_mail(world, happening, SAW_ANSWER)) {
			fault_redis_down(world, 7 * SECOND_US);
			script_next(world);
		}
		break;
	case 4:
		if (script_waited(world, happening, 5)) {
			fault_redis_older(world);
			script_next(world);
		}
		break;
	case 5:
		if (is_held(world, happening))
			script_next(world);
		break;
	case 6:
		if (happening->kind == SAW_SENT && happening->conn->node == script->from &&
			strcmp(happening->command->name, "settle") == 0) {
			happening->action = ACTION_LOSE;
			script_next(world);
		}
		break;
	}
}

/*
 * A is in the window when Redis is empty, and had no answer: the message is nobody's until A's attempt is
 * over. It was refused, and nobody is told; then Redis is empty again.
 */
static void refused_when_not_ours(struct world *world, struct happening *happening)
{
	struct script *script = &world->script;

	if (script->step == 2 || script->step == 3) {
		for (unsigned i = 0; i < world->node_count; i++)
			script_keep_from_claiming(happening, &world->nodes[i]);
	}
	switch (script->step) {
	case 0:
		if (script_begins(world, happening)) {
			world->hop_latency_us = 12 * SECOND_US;
			script_send(world, &world->nodes[0], 1, refused, 1);
		}
		break;
	case 1:
		if (script_saw(world, happening, SAW_EXECUTED, "accept", script->from)) {
			fault_redis_empty(world);
			script_next(world);
		}
		break;
	case 2:
		if (script_waited(world, happening, 4)) {
			operator_hold(world, script->mail);
			script_next(world);
		}
		break;
	case 3:
		if (script_waited(world, happening, 1))
			script_next(world);
		break;
	case 4:
		if (script_saw_mail(world, happening, SAW_ANSWER)) {
			world->hop_latency_us = 0;
			script_next(world);
		}
		break;
	case 5:
		if (script_waited(world, happening, 3)) {
			fault_redis_empty(world);
			script_next(world);
		}
		break;
	}
}

/* The bounce has no answer; the report is found in the queue, and delivered, before its original is asked
 * for. */
static void a_report_before_its_original(struct world *world, struct happening *happening)
{
	struct script *script = &world->script;

	switch (script->step) {
	case 0:
		if (script_begins(world, happening))
			script_send(world, &world->nodes[0], 1, refused, 1);
		break;
	case 1:
		if (script_saw(world, happening, SAW_EXECUTED, "bounce", NULL)) {
			happening->action = ACTION_LOSE;
			script_next(world);
		}
		break;
	case 2:
		if (script_saw(world, happening, SAW_SENT, "adopt", script->from)) {
			happening->action = ACTION_LOSE;
			script_next(world);
		}
		break;
	}
}

const struct scenario multi_scenarios[] = {
	{ .name = "finding_32_settle_per_transaction",
		.about = "who has its mail gets it once, though another has not",
		.script = settle_per_transaction,
		.steps_of_script = 2 },
	{ .name = "finding_33_news_of_recipients",
		.about = "other journals hear of single recipients",
		.script = news_of_recipients,
		.steps_of_script = 4,
		.seconds = 670 },
	{ .name = "finding_34_facts_before_the_record",
		.about = "a fact waits for the record that it is about",
		.script = facts_before_the_record,
		.steps_of_script = 4 },
	{ .name = "finding_35_reports_are_in_the_journal",
		.about = "a report is in two places when its original ends",
		.odds = { .apart_s = 1, .hop_defers = 1000 },
		.script = reports_are_in_the_journal,
		.steps_of_script = 3 },
	{ .name = "finding_35_a_report_that_was_dropped",
		.about = "a report that was dropped is made again",
		.script = a_report_that_was_dropped,
		.steps_of_script = 7 },
	{ .name = "finding_35_refused_when_not_ours",
		.about = "who does not own a message gives nobody up",
		.script = refused_when_not_ours,
		.steps_of_script = 6 },
	{ .name = "finding_35_a_report_before_its_original",
		.about = "a report may end before its original",
		.script = a_report_before_its_original,
		.steps_of_script = 3 },
	{ .name = NULL },
};
