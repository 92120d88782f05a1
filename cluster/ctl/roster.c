#include "roster.h"

enum { UUID_START_MIN = 4 };

struct roster_answer {
	struct roster *roster;
	enum ctl_exit exit;
};

static void keep(struct arena *arena, struct span *text)
{
	*text = arena_dup(arena, *text);
}

static void on_nodes(void *arg, const struct outcome *outcome, const struct registry_view *view)
{
	struct roster_answer *answer = arg;
	struct roster *roster = answer->roster;

	answer->exit = session_check(outcome, "the list of nodes");
	if (answer->exit || !view)
		return;
	roster->count = view->count;
	roster->leader = view->leader;
	roster->nodes = arena_alloc(&roster->arena, (view->count + 1) * sizeof(*roster->nodes));
	for (size_t i = 0; i < view->count; i++) {
		struct registry_node *node = &roster->nodes[i];

		*node = view->nodes[i];
		keep(&roster->arena, &node->name);
		keep(&roster->arena, &node->host);
		keep(&roster->arena, &node->address);
		keep(&roster->arena, &node->admin);
		keep(&roster->arena, &node->version);
		keep(&roster->arena, &node->load);
	}
}

enum ctl_exit roster_load(struct roster *roster, struct session *session)
{
	struct roster_answer answer = { roster, CTL_OK };
	enum ctl_exit exit;

	roster_fini(roster);
	(void)registry_nodes(session->link, session_now_ms(), on_nodes, &answer);
	exit = session_finish(session);
	return exit ? exit : answer.exit;
}

void roster_fini(struct roster *roster)
{
	arena_fini(&roster->arena);
	*roster = (struct roster){ .count = 0 };
}

static bool is_uuid_start(const struct registry_node *node, struct span text)
{
	return text.len >= UUID_START_MIN && span_starts_with(node_uuid_span(&node->node), text);
}

static void complain_unknown(const struct roster *roster, const char *text)
{
	struct buf names = { 0 };

	for (size_t i = 0; i < roster->count; i++)
		if (roster->nodes[i].state != NODE_FORGOTTEN)
			buf_printf(&names, "%s%.*s", buf_len(&names) ? ", " : "",
				SPAN_ARGS(roster->nodes[i].name));
	session_complain("there is no node \"%s\"; the cluster has: %.*s", text, SPAN_ARGS(buf_span(&names)));
	buf_fini(&names);
}

const struct registry_node *roster_find(const struct roster *roster, const char *text)
{
	const struct registry_node *found = NULL;
	struct span wanted = span_of_str(text);
	size_t by_uuid = 0;

	for (size_t i = 0; i < roster->count; i++) {
		const struct registry_node *node = &roster->nodes[i];

		if (span_eq(node->name, wanted) && (!found || node->state == NODE_ALIVE))
			found = node;
	}
	if (found)
		return found;
	for (size_t i = 0; i < roster->count; i++) {
		if (is_uuid_start(&roster->nodes[i], wanted)) {
			found = &roster->nodes[i];
			by_uuid++;
		}
	}
	if (by_uuid > 1)
		session_complain("\"%s\" begins %zu UUIDs: give more of it", text, by_uuid);
	else if (!found)
		complain_unknown(roster, text);
	return by_uuid == 1 ? found : NULL;
}

const struct registry_node *roster_of(const struct roster *roster, const struct node_uuid *node)
{
	for (size_t i = 0; i < roster->count; i++)
		if (node_uuid_eq(&roster->nodes[i].node, node))
			return &roster->nodes[i];
	return NULL;
}

struct span roster_name(const struct roster *roster, const struct node_uuid *node)
{
	const struct registry_node *known = roster_of(roster, node);

	return known ? known->name : node_uuid_span(node);
}

bool roster_is_leader(const struct roster *roster, const struct registry_node *node)
{
	return roster->leader.node.epoch != 0 && node_uuid_eq(&roster->leader.node.node, &node->node);
}

size_t roster_count(const struct roster *roster, enum registry_state state)
{
	size_t count = 0;

	for (size_t i = 0; i < roster->count; i++)
		count += roster->nodes[i].state == state;
	return count;
}

const char *roster_state_name(enum registry_state state)
{
	static const char *const names[] = { [NODE_ALIVE] = "alive",
		[NODE_DEAD] = "dead",
		[NODE_LEFT] = "left",
		[NODE_FORGOTTEN] = "forgotten" };

	return names[state];
}
