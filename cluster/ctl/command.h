/* command: the table of what skeinctl can do. A command is one word or two. */
#ifndef CTL_COMMAND_H
#define CTL_COMMAND_H

#include "session.h"

struct command {
	const char *words;    /* "queue list" */
	const char *synopsis; /* what follows the words */
	const char *summary;
	const char *details; /* shown by --help after the command */
	/* argv[0] is the command's last word. Returns the program's exit code. */
	enum ctl_exit (*run)(struct ctl_options *options, int argc, char **argv);
};

/* The command that argv begins with and how many words it took, or NULL with one line in `why_out`. */
const struct command *command_find(int argc, char **argv, int *words_out, struct buf *why_out);
/* The first screen. */
void command_print_all(struct buf *out);
void command_print_one(const struct command *command, struct buf *out);

/* One file each. */
enum ctl_exit cmd_status(struct ctl_options *options, int argc, char **argv);
enum ctl_exit cmd_nodes(struct ctl_options *options, int argc, char **argv);
enum ctl_exit cmd_node_forget(struct ctl_options *options, int argc, char **argv);
enum ctl_exit cmd_drain(struct ctl_options *options, int argc, char **argv);
enum ctl_exit cmd_queue_list(struct ctl_options *options, int argc, char **argv);
enum ctl_exit cmd_queue_show(struct ctl_options *options, int argc, char **argv);
enum ctl_exit cmd_queue_retry(struct ctl_options *options, int argc, char **argv);
enum ctl_exit cmd_queue_hold(struct ctl_options *options, int argc, char **argv);
enum ctl_exit cmd_queue_release(struct ctl_options *options, int argc, char **argv);
enum ctl_exit cmd_queue_cancel(struct ctl_options *options, int argc, char **argv);
enum ctl_exit cmd_policy_show(struct ctl_options *options, int argc, char **argv);
enum ctl_exit cmd_policy_edit(struct ctl_options *options, int argc, char **argv);
enum ctl_exit cmd_policy_apply(struct ctl_options *options, int argc, char **argv);
enum ctl_exit cmd_policy_diff(struct ctl_options *options, int argc, char **argv);
enum ctl_exit cmd_policy_history(struct ctl_options *options, int argc, char **argv);
enum ctl_exit cmd_policy_rollback(struct ctl_options *options, int argc, char **argv);
enum ctl_exit cmd_policy_check(struct ctl_options *options, int argc, char **argv);
enum ctl_exit cmd_acl_add(struct ctl_options *options, int argc, char **argv);
enum ctl_exit cmd_acl_remove(struct ctl_options *options, int argc, char **argv);
enum ctl_exit cmd_acl_list(struct ctl_options *options, int argc, char **argv);
enum ctl_exit cmd_explain(struct ctl_options *options, int argc, char **argv);
enum ctl_exit cmd_dns_check(struct ctl_options *options, int argc, char **argv);
enum ctl_exit cmd_dns_status(struct ctl_options *options, int argc, char **argv);
enum ctl_exit cmd_key_new(struct ctl_options *options, int argc, char **argv);
enum ctl_exit cmd_secret_set(struct ctl_options *options, int argc, char **argv);
enum ctl_exit cmd_secret_list(struct ctl_options *options, int argc, char **argv);
enum ctl_exit cmd_secret_remove(struct ctl_options *options, int argc, char **argv);
enum ctl_exit cmd_secret_rotate(struct ctl_options *options, int argc, char **argv);
enum ctl_exit cmd_dkim_create(struct ctl_options *options, int argc, char **argv);
enum ctl_exit cmd_dkim_publish(struct ctl_options *options, int argc, char **argv);
enum ctl_exit cmd_dkim_activate(struct ctl_options *options, int argc, char **argv);
enum ctl_exit cmd_dkim_retire(struct ctl_options *options, int argc, char **argv);
enum ctl_exit cmd_dkim_list(struct ctl_options *options, int argc, char **argv);
enum ctl_exit cmd_ban_add(struct ctl_options *options, int argc, char **argv);
enum ctl_exit cmd_ban_list(struct ctl_options *options, int argc, char **argv);
enum ctl_exit cmd_ban_remove(struct ctl_options *options, int argc, char **argv);
enum ctl_exit cmd_hops(struct ctl_options *options, int argc, char **argv);
enum ctl_exit cmd_hops_up(struct ctl_options *options, int argc, char **argv);
enum ctl_exit cmd_hops_down(struct ctl_options *options, int argc, char **argv);
enum ctl_exit cmd_user_add(struct ctl_options *options, int argc, char **argv);
enum ctl_exit cmd_user_passwd(struct ctl_options *options, int argc, char **argv);
enum ctl_exit cmd_user_set(struct ctl_options *options, int argc, char **argv);
enum ctl_exit cmd_user_list(struct ctl_options *options, int argc, char **argv);
enum ctl_exit cmd_user_remove(struct ctl_options *options, int argc, char **argv);

#endif
