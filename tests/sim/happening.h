/*
 * happening: what can be seen to happen, for the invariants, which look at everything, and for a scenario's
 * script, which may do something about it.
 */
#ifndef SIM_HAPPENING_H
#define SIM_HAPPENING_H

#include "network.h"

enum happening_kind {
	SAW_SENT,      /* a node wrote a command. ACTION_LOSE, ACTION_GHOST, ACTION_DELAY */
	SAW_EXECUTING, /* Redis is about to execute it */
	SAW_EXECUTED,  /* ... has. ACTION_LOSE: the reply, and the connection. */
	SAW_TOLD,      /* a client heard the verdict about `mail` */
	SAW_STARTED,   /* an attempt at `mail` begins */
	SAW_DOT,       /* a final dot was sent */
	SAW_RECEIPT,   /* the hop took `mail` */
	SAW_ANSWER,    /* the hop's answer was read */
	SAW_DURABLE,   /* the journal has an entry about `id` */
	SAW_SECOND,    /* a second has passed */
};

enum action { ACTION_NONE, ACTION_LOSE, ACTION_GHOST, ACTION_DELAY };

struct happening {
	enum happening_kind kind;
	struct conn *conn;
	const struct command *command;
	struct span reply;
	bool is_ghost;
	int db;
	struct mail *mail;
	struct attempt *attempt;
	struct node *node;
	const struct msg_id *id;
	enum journal_type entry;
	/* To be set by the script. */
	enum action action;
	uint64_t delay_us; /* of a ghost, or more than usual */
};

void happened(struct world *world, struct happening *happening);

#endif
