#include "script.h"

#include "faults.h"
#include "mail.h"

#include "skein/proto/base/alloc.h"

#include <string.h>

enum { CLUSTER_IS_UP_S = 9 };

void script_go_on(struct world *world, struct happening *happening)
{
	struct script *script = &world->script;

	if (happening->kind == SAW_SENT && happening->conn->node &&
		happening->conn->node == script->held_up && world->agenda.now_us < script->held_up_until_us)
		happening->action = ACTION_LOSE;
	world->scenario->script(world, happening);
}

void script_next(struct world *world)
{
	world->script.step++;
	world->script.at_us = world->agenda.now_us;
	trace(world, "script: step %u", world->script.step);
}

bool script_begins(const struct world *world, const struct happening *happening)
{
	return happening->kind == SAW_SECOND && world->agenda.now_us >= CLUSTER_IS_UP_S * SECOND_US;
}

bool script_waited(const struct world *world, const struct happening *happening, unsigned seconds)
{
	return happening->kind == SAW_SECOND &&
	       world->agenda.now_us >= world->script.at_us + seconds * SECOND_US;
}

void script_send(struct world *world, struct node *node, unsigned recipients, const enum hop_verdict *plan,
	size_t plan_len)
{
	world->script.from = node;
	script_next(world);
	world->script.mail = client_send(node->workers[0], recipients, plan, plan_len);
	CHECK(world->script.mail);
}

struct node *script_leader(struct world *world)
{
	for (unsigned i = 0; i < world->node_count; i++) {
		if (world->nodes[i].member && member_is_leader(world->nodes[i].member))
			return &world->nodes[i];
	}
	return NULL;
}

struct node *script_follower(struct world *world)
{
	const struct node *leader = script_leader(world);
	unsigned index = (unsigned)world_random(world, world->node_count);

	if (&world->nodes[index] == leader)
		index = (index + 1) % world->node_count;
	return &world->nodes[index];
}

/* --- what is seen ---------------------------------------------------------------------------------- */

static bool names(struct span bytes, const struct mail *mail)
{
	return mail && bytes.len && memmem(bytes.ptr, bytes.len, mail->text.text, strlen(mail->text.text));
}

bool script_saw(const struct world *world, const struct happening *happening, enum happening_kind kind,
	const char *name, const struct node *node)
{
	const struct command *command = happening->command;

	if (happening->kind != kind || happening->is_ghost || !happening->conn->node)
		return false;
	if ((name && strcmp(command->name, name) != 0) || (node && happening->conn->node != node))
		return false;
	return names(command->bytes, world->script.mail) || names(happening->reply, world->script.mail);
}

bool script_saw_mail(const struct world *world, const struct happening *happening, enum happening_kind kind)
{
	return happening->kind == kind && happening->mail && happening->mail == world->script.mail;
}

bool script_saw_others_dot(const struct world *world, const struct happening *happening)
{
	return script_saw_mail(world, happening, SAW_DOT) && happening->node != world->script.from;
}

/* --- what is done ---------------------------------------------------------------------------------- */

void script_keep_from_claiming(struct happening *happening, const struct node *node)
{
	if (happening->kind == SAW_SENT && happening->conn->node == node &&
		strcmp(happening->command->name, "claim") == 0)
		happening->action = ACTION_LOSE;
}

void script_hold_up(struct world *world, struct node *node, unsigned seconds)
{
	trace(world, "%s is held up for %u s", node->name, seconds);
	world->script.held_up = node;
	world->script.held_up_until_us = world->agenda.now_us + seconds * SECOND_US;
}

struct crash {
	struct node *node;
	bool with_disk;
	uint64_t down_us;
};

static void on_crash(void *arg)
{
	const struct crash *crash = arg;

	fault_crash(crash->node, crash->with_disk, crash->down_us);
}

void script_crash(struct node *node, bool with_disk, uint64_t down_us)
{
	const struct crash crash = { node, with_disk, down_us };

	agenda_plan(&node->world->agenda, NULL, 0, on_crash, mem_dup(&crash, sizeof(crash)), true);
}
