/*
 * completion: how a command line may go on, from the table of commands: words, options, and what their values
 * are called. What only the cluster knows is offered by offers.h.
 */
#ifndef CTL_COMPLETION_H
#define CTL_COMPLETION_H

#include "call.h"

/* What may stand at the end of a line. */
struct completion {
	struct call call;    /* what stands before; `command` NULL: none yet */
	const char *word;    /* as far as it is typed */
	const char *value;   /* the part of it that is a value; the same, but for "--option=value" */
	enum word_kind kind; /* TEXT: nothing is known of it */
	const char *choices; /* of CHOICE */
	enum {
		COMPLETE_VALUE, /* of `kind` */
		COMPLETE_OPTION,
		COMPLETE_COMMAND, /* its first word */
		COMPLETE_VERB,    /* its second word */
		COMPLETE_NOTHING,
	} what;
	const char *family; /* of VERB */
	char **argv;
};

/* The last of the words is the one to complete; there is one at least. They are borrowed. */
void completion_look(struct completion *completion, size_t count, const char *const *words);
void completion_fini(struct completion *completion);

/* Appends "CANDIDATE\tWHAT IT IS\n", if it goes on as the word is typed. */
void completion_offer(
	struct buf *out, const struct completion *completion, struct span candidate, const char *what);
/* Those that the table knows; ":file\n" where a file is meant. */
void completion_append(struct buf *out, const struct completion *completion);

/* The scripts that a shell reads. */
extern const char completion_bash[], completion_zsh[];

#endif
