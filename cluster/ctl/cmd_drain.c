/* skeinctl drain */
#include "call.h"
#include "human.h"
#include "queue_walk.h"
#include "roster.h"
#include "screen.h"
#include "tally.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { TIMEOUT_DEFAULT_S = 300, TIMEOUT_MAX_S = 7 * 86400 };

struct draining {
	const char *name;
	bool waits, is_cancelled;
	uint64_t timeout_s;

	struct node_uuid node;
	char node_name[256];
	enum registry_state state;
	uint64_t owned;       /* by the node */
	uint64_t only_copies; /* messages whose only journal is the node's */
	bool is_drained;
	enum ctl_exit exit;
};

static enum ctl_exit find_node(struct draining *draining, struct session *session)
{
	struct roster roster = { .count = 0 };
	const struct registry_node *node;
	enum ctl_exit exit = roster_load(&roster, session);

	if (!exit) {
		node = roster_find(&roster, draining->name);
		exit = node ? CTL_OK : CTL_NEGATIVE;
		if (node) {
			draining->node = node->node;
			draining->state = node->state;
			snprintf(draining->node_name, sizeof(draining->node_name), "%.*s",
				SPAN_ARGS(node->name));
		}
	}
	roster_fini(&roster);
	return exit;
}

static void on_asked(void *arg, const struct outcome *outcome)
{
	struct draining *draining = arg;

	draining->exit = session_check(outcome, "asking the node");
	if (outcome->kind == OUTCOME_GONE) {
		session_complain("there is no such node any more");
		draining->exit = CTL_NEGATIVE;
	}
}

static enum ctl_exit ask(struct draining *draining, struct session *session)
{
	struct registry_drain args = { .node = draining->node, .drain = !draining->is_cancelled };
	enum ctl_exit exit;

	(void)registry_drain(session->link, &args, session_now_ms(), on_asked, draining);
	exit = session_finish(session);
	return exit ? exit : draining->exit;
}

/* ---- waiting ---- */

/* The holders are exactly this one. */
static bool count_only_copy(void *arg, const struct queue_view_record *record)
{
	struct draining *draining = arg;

	draining->only_copies += span_eq(span_trim(record->holders), node_uuid_span(&draining->node));
	return true;
}

static enum ctl_exit look(struct draining *draining, struct session *session)
{
	struct tally tally;
	enum ctl_exit exit = find_node(draining, session);

	if (!exit)
		exit = tally_load(&tally, session);
	if (exit)
		return exit;
	draining->owned = tally_of_node(&tally, &draining->node).owned;
	draining->only_copies = 0;
	if (draining->owned == 0)
		exit = queue_walk(session, NULL, count_only_copy, draining);
	draining->is_drained = !exit && draining->owned == 0 && draining->only_copies == 0;
	return exit;
}

static void tell_progress(const struct draining *draining)
{
	if (!isatty(STDERR_FILENO))
		return;
	if (draining->owned)
		fprintf(stderr, "%s still owns %llu\n", draining->node_name,
			(unsigned long long)draining->owned);
	else
		fprintf(stderr, "%llu have their only journal copy at %s\n",
			(unsigned long long)draining->only_copies, draining->node_name);
}

static enum ctl_exit wait_until_drained(struct draining *draining, struct session *session)
{
	uint64_t give_up_ms = session_now_ms() + draining->timeout_s * 1000;
	struct timespec second = { .tv_sec = 1 };
	enum ctl_exit exit = look(draining, session);

	while (!exit && !draining->is_drained) {
		tell_progress(draining);
		if (session_now_ms() >= give_up_ms)
			return CTL_LATE;
		nanosleep(&second, NULL);
		exit = look(draining, session);
	}
	return exit;
}

/* ---- output ---- */

static void print_json(const struct draining *draining)
{
	json_t *value = json_pack("{s:o, s:s, s:b, s:s}", "name",
		json_of_span(span_of_str(draining->node_name)), "uuid", draining->node.text, "drain",
		!draining->is_cancelled, "state", roster_state_name(draining->state));

	if (draining->waits) {
		json_object_set_new(value, "drained", json_boolean(draining->is_drained));
		json_object_set_new(value, "owns", json_of_u64(draining->owned));
		json_object_set_new(value, "only_journal_copies", json_of_u64(draining->only_copies));
	}
	screen_print_json(value);
}

static void print_text(const struct draining *draining)
{
	const char *name = draining->node_name;

	if (draining->is_cancelled)
		printf("%s may take mail again\n", name);
	else if (!draining->waits)
		printf("%s is asked to drain; skeinctl drain %s --wait tells when it is done\n", name, name);
	else if (draining->is_drained)
		printf("%s is drained: it owns nothing, and nothing depends on its disk\n", name);
	else if (draining->owned)
		printf("%s still owns %llu\n", name, (unsigned long long)draining->owned);
	else
		printf("%s owns nothing, but keep its disk: %llu waiting messages have their only journal "
		       "copy there\n",
			name, (unsigned long long)draining->only_copies);
}

static enum ctl_exit work(struct session *session, void *arg)
{
	struct draining *draining = arg;
	enum ctl_exit exit = find_node(draining, session);

	if (!exit)
		exit = ask(draining, session);
	if (!exit && draining->waits)
		exit = wait_until_drained(draining, session);
	if (exit && exit != CTL_LATE)
		return exit;
	if (session->is_json)
		print_json(draining);
	else
		print_text(draining);
	return exit;
}

enum ctl_exit cmd_drain(struct ctl_options *options, const struct call *call)
{
	struct draining draining = { .name = call_word(call, 0),
		.waits = call_has(call, "wait"),
		.is_cancelled = call_has(call, "cancel"),
		.timeout_s = call_number(call, "timeout", TIMEOUT_DEFAULT_S) };
	struct buf why = { 0 };

	if (draining.waits && draining.is_cancelled) {
		buf_append_str(&why, "drain NODE [--wait [--timeout SECONDS]], or drain NODE --cancel");
		return session_usage(&why);
	}
	return session_run(options, work, &draining);
}
