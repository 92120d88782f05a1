#include "tally.h"

struct tally_answer {
	struct tally *tally;
	enum ctl_exit exit;
};

static struct tally_node *row_of(struct tally *tally, const struct node_uuid *node)
{
	for (size_t i = 0; i < tally->node_count; i++)
		if (node_uuid_eq(&tally->nodes[i].node, node))
			return &tally->nodes[i];
	/* More than that the registry does not hold; the last row then counts for several. */
	if (tally->node_count == TALLY_NODES_MAX)
		return &tally->nodes[TALLY_NODES_MAX - 1];
	tally->nodes[tally->node_count] = (struct tally_node){ .node = *node };
	return &tally->nodes[tally->node_count++];
}

static void on_counts(void *arg, const struct outcome *outcome, const struct queue_counts *counts)
{
	struct tally_answer *answer = arg;
	struct tally *tally = answer->tally;

	/* One complaint will do for all shards. */
	if (answer->exit == CTL_OK)
		answer->exit = session_check(outcome, "the state of the queue");
	if (!outcome_is_ok(outcome) || !counts)
		return;
	for (size_t state = 0; state < QUEUE_STATES; state++)
		tally->states[state] += counts->states[state];
	tally->tombstones += counts->tombstones;
	tally->facts += counts->facts;
	tally->shards_in_grace += counts->grace_ms > 0;
	for (size_t i = 0; i < counts->owner_count; i++)
		row_of(tally, &counts->owners[i].node.node)->owned += counts->owners[i].owned;
	for (size_t i = 0; i < counts->awaited_count; i++)
		row_of(tally, &counts->awaited[i].node)->awaited += counts->awaited[i].news;
}

enum ctl_exit tally_load(struct tally *tally, struct session *session)
{
	struct tally_answer answer = { tally, CTL_OK };
	enum ctl_exit exit;

	memset(tally, 0, sizeof(*tally));
	for (unsigned shard = 0; shard < session->shards; shard++)
		(void)queue_status(session->link, shard, session_now_ms(), on_counts, &answer);
	exit = session_finish(session);
	return exit ? exit : answer.exit;
}

struct tally_node tally_of_node(const struct tally *tally, const struct node_uuid *node)
{
	for (size_t i = 0; i < tally->node_count; i++)
		if (node_uuid_eq(&tally->nodes[i].node, node))
			return tally->nodes[i];
	return (struct tally_node){ .node = *node };
}
