/* script: what the scenarios of findings are written with. A script is a switch over the step that it is at.
 */
#ifndef SIM_SCRIPT_H
#define SIM_SCRIPT_H

#include "scenario.h"

/* Calls the scenario's script, and holds up who is to be held up. */
void script_go_on(struct world *world, struct happening *happening);
void script_next(struct world *world);
/* Nothing has happened yet, and the cluster is up: the first step's beginning. */
bool script_begins(const struct world *world, const struct happening *happening);
/* A second has passed, and so many since the step began. */
bool script_waited(const struct world *world, const struct happening *happening, unsigned seconds);

/* A client hands in the script's mail at `node`, from now on `from`, and the next step begins. */
void script_send(struct world *world, struct node *node, unsigned recipients, const enum hop_verdict *plan,
	size_t plan_len);
/* A node that does not lead. */
struct node *script_follower(struct world *world);
struct node *script_leader(struct world *world);

/* `name` NULL: any; `node` NULL: any. A command that is about the script's mail, or a claim that hands it
 * out. */
bool script_saw(const struct world *world, const struct happening *happening, enum happening_kind kind,
	const char *name, const struct node *node);
/* A dot, an attempt, an answer, a verdict about the script's mail. */
bool script_saw_mail(const struct world *world, const struct happening *happening, enum happening_kind kind);
/* The dot of another node than `from`. */
bool script_saw_others_dot(const struct world *world, const struct happening *happening);

/* Whatever this node claims does not arrive. */
void script_keep_from_claiming(struct happening *happening, const struct node *node);
/* Nothing from this node reaches Redis for so long. It is no fault: its connections are slow to come back. */
void script_hold_up(struct world *world, struct node *node, unsigned seconds);
/* As soon as what happens now is over. */
void script_crash(struct node *node, bool with_disk, uint64_t down_us);

#endif
