/* skeinctl nodes, skeinctl node forget */
#include "call.h"
#include "confirm.h"
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

enum ctl_exit cmd_nodes(struct ctl_options *options, const struct call *call)
{
	bool with_forgotten = call_has(call, "all");

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

/* A living node is refused anyway. */
static enum ctl_exit ask(struct session *session, const struct registry_node *node)
{
	struct tally tally;
	enum ctl_exit exit = node->state == NODE_ALIVE ? CTL_OK : tally_load(&tally, session);

	if (exit || node->state == NODE_ALIVE)
		return exit;
	return confirm_ask(session->options,
		"%.*s (%s) is %s, and %llu ends of messages wait for its journal. When it is forgotten, that "
		"journal "
		"is refused for ever, with the mail that is in it.",
		SPAN_ARGS(node->name), node->node.text, roster_state_name(node->state),
		(unsigned long long)tally_of_node(&tally, &node->node).awaited);
}

static enum ctl_exit forget(struct session *session, const struct registry_node *node)
{
	struct forget_answer answer = { node, CTL_OK };
	enum ctl_exit exit = ask(session, node);

	if (exit)
		return exit;
	(void)registry_forget(session->link, &node->node, session_now_ms(), on_forgotten, &answer);
	exit = session_finish(session);
	if (exit || answer.exit)
		return exit ? exit : answer.exit;
	if (session->is_json)
		screen_print_json(json_pack("{s:o, s:o, s:s}", "name", json_of_span(node->name), "uuid",
			json_of_span(node_uuid_span(&node->node)), "state", "forgotten"));
	else
		screen_say("%.*s (%s) is forgotten; its journal will be refused", SPAN_ARGS(node->name),
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

enum ctl_exit cmd_node_forget(struct ctl_options *options, const struct call *call)
{
	return session_run(options, forget_named, (void *)(uintptr_t)call_word(call, 0));
}
