/* skeinctl nodes, skeinctl node forget */
#include "arguments.h"
#include "command.h"
#include "node_rows.h"
#include "screen.h"

#include <stdio.h>

static enum ctl_exit list_nodes(struct session *session, void *arg)
{
	const bool *with_forgotten = arg;
	struct roster roster = { .count = 0 };
	struct tally tally;
	enum ctl_exit exit = roster_load(&roster, session);

	if (!exit)
		exit = tally_load(&tally, session);
	if (!exit && session->is_json)
		screen_print_json(node_rows_json(&roster, &tally, *with_forgotten));
	else if (!exit)
		node_rows_print(&roster, &tally, *with_forgotten);
	roster_fini(&roster);
	return exit;
}

enum ctl_exit cmd_nodes(struct ctl_options *options, int argc, char **argv)
{
	bool with_forgotten = false;
	struct argument arguments[] = {
		{ .name = "json", .kind = ARGUMENT_FLAG, .to.flag = &options->is_json },
		{ .name = "all", .kind = ARGUMENT_FLAG, .to.flag = &with_forgotten },
	};
	struct buf why = { 0 };

	if (!arguments_parse(argc, argv, arguments, ARRAY_LEN(arguments), NULL, &why))
		return session_usage(&why);
	return session_run(options, list_nodes, &with_forgotten);
}

struct forget_answer {
	const struct registry_node *node;
	enum ctl_exit exit;
};

static void on_forgotten(void *arg, const struct outcome *outcome)
{
	struct forget_answer *answer = arg;

	answer->exit = session_check(outcome, "forgetting the node");
	if (outcome->kind == OUTCOME_ALIVE) {
		session_complain(
			"%.*s is alive: drain it, stop it, then forget it", SPAN_ARGS(answer->node->name));
		answer->exit = CTL_NEGATIVE;
	} else if (outcome->kind == OUTCOME_GONE) {
		session_complain("there is no such node any more");
		answer->exit = CTL_NEGATIVE;
	}
}

static enum ctl_exit forget(struct session *session, const struct registry_node *node)
{
	struct forget_answer answer = { node, CTL_OK };
	enum ctl_exit exit;

	(void)registry_forget(session->link, &node->node, session_now_ms(), on_forgotten, &answer);
	exit = session_finish(session);
	if (exit || answer.exit)
		return exit ? exit : answer.exit;
	if (session->is_json)
		screen_print_json(json_pack("{s:o, s:o, s:s}", "name", json_of_span(node->name), "uuid",
			json_of_span(node_uuid_span(&node->node)), "state", "forgotten"));
	else
		printf("%.*s (%s) is forgotten; its journal will be refused\n", SPAN_ARGS(node->name),
			node->node.text);
	return CTL_OK;
}

static enum ctl_exit forget_named(struct session *session, void *arg)
{
	struct roster roster = { .count = 0 };
	enum ctl_exit exit = roster_load(&roster, session);

	if (!exit) {
		const struct registry_node *node = roster_find(&roster, arg);

		exit = node ? forget(session, node) : CTL_NEGATIVE;
	}
	roster_fini(&roster);
	return exit;
}

enum ctl_exit cmd_node_forget(struct ctl_options *options, int argc, char **argv)
{
	bool is_sure = false;
	struct argument arguments[] = {
		{ .name = "json", .kind = ARGUMENT_FLAG, .to.flag = &options->is_json },
		{ .name = "yes", .kind = ARGUMENT_FLAG, .to.flag = &is_sure },
	};
	struct buf why = { 0 };
	int first;

	if (!arguments_parse(argc, argv, arguments, ARRAY_LEN(arguments), &first, &why))
		return session_usage(&why);
	if (argc - first != 1 || !is_sure) {
		buf_append_str(&why, "node forget NODE --yes: its journal is refused for ever, with the mail "
				     "that is in it");
		return session_usage(&why);
	}
	return session_run(options, forget_named, argv[first]);
}
