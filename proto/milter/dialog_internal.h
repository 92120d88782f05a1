/*
 * What the files of a dialog share: dialog.c steers and judges, dialog_stages.c tells the filter what it has
 * to hear, dialog_changes.c takes what it changes.
 */
#ifndef PROTO_MILTER_DIALOG_INTERNAL_H
#define PROTO_MILTER_DIALOG_INTERNAL_H

#include "skein/proto/milter/dialog.h"
#include "skein/proto/milter/frame.h"

/* In the order in which they are gone through. */
enum milter_stage {
	MILTER_STAGE_NEGOTIATE,
	MILTER_STAGE_CONNECT,
	MILTER_STAGE_HELO,
	MILTER_STAGE_MAIL,
	MILTER_STAGE_RCPT,
	MILTER_STAGE_DATA,
	MILTER_STAGE_HEADERS,
	MILTER_STAGE_END_OF_HEADERS,
	MILTER_STAGE_BODY,
	MILTER_STAGE_END_OF_BODY,
	MILTER_STAGE_OVER,
};

struct milter_dialog {
	const struct milter_facts *facts;
	struct header_list *list;
	enum milter_stage stage;
	bool is_waiting;                  /* for the answer to what was sent last */
	size_t at;                        /* of what the stage sends: recipients, fields */
	uint32_t version, actions, steps; /* as agreed upon */
	struct span body;
	bool has_body, is_last; /* a piece is there; no other follows it */
	bool is_list_saved;
	struct buf in, out;
	struct milter_result result;
	struct milter_reply reply;
	struct span *added;
	size_t added_cap;
	bool *is_removed;
	struct arena arena;
};

void milter_dialog_enter_next_stage(struct milter_dialog *dialog);
/* Goes on until an answer is awaited. False: the body is wanted. */
bool milter_dialog_tell(struct milter_dialog *dialog);

/* The MILTER_MAY_... bits of which one allows it; 0: it is no change. */
uint32_t milter_action_of(enum milter_answer_kind kind);
/* What was agreed upon is changed. NULL, or what is wrong. */
const char *milter_dialog_change(struct milter_dialog *dialog, const struct milter_answer *answer);

#endif
