/*
 * command: the table of what skeinctl can do. Its rows stand by topic in group_*.c; parser, help, man page
 * and completion are made from them. A command is one word or two.
 */
#ifndef CTL_COMMAND_H
#define CTL_COMMAND_H

#include "option.h"
#include "session.h"

struct call;

enum { COMMAND_WORDS_MAX = 2, COMMAND_OPTIONS_MAX = 20 };

struct word_row {
	const char *name; /* "NODE"; NULL: no more */
	enum word_kind kind;
	bool is_optional;    /* so are all behind it */
	const char *choices; /* of CHOICE, with blanks between; the command checks them */
	bool is_many;        /* the last one: as many as there are */
};

enum command_flag {
	COMMAND_WATCHED = 1 << 0, /* has --watch: its work may run again and again */
	COMMAND_PLAIN = 1 << 1,   /* has no --json */
	COMMAND_HIDDEN = 1 << 2,  /* for programs of ours: in no list */
};

/* Returns the program's exit code. */
typedef enum ctl_exit command_fn(struct ctl_options *options, const struct call *call);

struct command {
	const char *words; /* "queue list" */
	struct word_row arguments[COMMAND_WORDS_MAX + 1];
	struct option_row options[COMMAND_OPTIONS_MAX + 1];
	unsigned flags;
	const char *summary;  /* one line, without a full stop */
	const char *details;  /* paragraphs, with "\n" between; NULL: none */
	const char *destroys; /* what is lost, "deletes messages"; NULL: nothing. Others have --yes, see
				 confirm.h */
	const char *no_more;  /* why it takes no more words, where somebody may try; NULL: nothing to say */
	command_fn *run;
};

struct command_group {
	const char *title;
	const struct command *commands;
	size_t count;
};

enum { COMMAND_GROUPS = 6 };
extern const struct command_group *const command_groups[COMMAND_GROUPS];

/* The command that argv begins with and how many words it took, or NULL with one line in `why_out`. */
const struct command *command_find(int argc, char **argv, int *words_out, struct buf *why_out);
/* All, group by group: start with NULL; NULL at the end. Hidden ones are among them. */
const struct command *command_next(const struct command *command);
bool command_is_hidden(const struct command *command);
/* Commands of two words begin with this one. */
bool command_has_family(struct span word);
/* The command of this one word, or NULL. */
const struct command *command_of_word(struct span word);
/* "queue" of "queue list" */
struct span command_family(const struct command *command);
/* "list" of "queue list"; "" where there is one word */
const char *command_verb(const struct command *command);

/* The options of the command that are not in its row (--json, --yes, --watch, --help): walks over all, as
 * above. */
const struct option_row *command_option_next(const struct command *command, const struct option_row *option);
const struct option_row *command_option(const struct command *command, struct span name);
const struct option_row *command_option_letter(const struct command *command, char letter);

/* "skeinctl drain NODE [--wait] [--timeout SECONDS]" */
void command_append_synopsis(struct buf *out, const struct command *command);

/* By topic, one file each. */
extern const struct command_group group_cluster, group_mail, group_policy, group_hops, group_secrets,
	group_tools;

/* One file each, or one for a family. */
command_fn cmd_status, cmd_top, cmd_nodes, cmd_node_forget, cmd_drain, cmd_doctor, cmd_backup, cmd_restore;
command_fn cmd_queue_list, cmd_queue_show, cmd_queue_retry, cmd_queue_hold, cmd_queue_release,
	cmd_queue_cancel;
command_fn cmd_trace, cmd_log, cmd_alerts_list, cmd_alerts_silence, cmd_alerts_test;
command_fn cmd_policy_show, cmd_policy_edit, cmd_policy_apply, cmd_policy_diff, cmd_policy_history,
	cmd_policy_rollback, cmd_policy_check;
command_fn cmd_acl_add, cmd_acl_remove, cmd_acl_list, cmd_explain;
command_fn cmd_dns_check, cmd_dns_status, cmd_hops, cmd_hops_up, cmd_hops_down;
command_fn cmd_ban_add, cmd_ban_list, cmd_ban_remove;
command_fn cmd_key_new, cmd_secret_set, cmd_secret_list, cmd_secret_remove, cmd_secret_rotate;
command_fn cmd_dkim_create, cmd_dkim_publish, cmd_dkim_activate, cmd_dkim_retire, cmd_dkim_list;
command_fn cmd_user_add, cmd_user_passwd, cmd_user_set, cmd_user_list, cmd_user_remove;
command_fn cmd_help, cmd_completion, cmd_complete, cmd_manual;

#endif
