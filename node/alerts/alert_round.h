/*
 * alert_round: one look: from the state of alerts as Redis has it and the values of now to what is to be
 * written. Nothing is asked here.
 */
#ifndef NODE_ALERTS_ALERT_ROUND_H
#define NODE_ALERTS_ALERT_ROUND_H

#include "skein/cluster/alert_facts.h"
#include "skein/cluster/alert_store.h"

/* What has happened to one subject. */
struct alert_happening {
	enum alert_news news;
	enum alert alert;
	struct span subject, text;
	enum alert_severity severity;
	uint64_t value, since_ms;
	bool is_told;
};

struct alert_round {
	struct arena arena;
	struct alert_values values;
	struct alert_note changes[2 * ALERT_FIRING_MAX];
	size_t change_count;
	struct alert_happening happenings[2 * ALERT_FIRING_MAX];
	size_t happening_count;
	uint64_t firing[ALERT_COUNT]; /* subjects that fire after it */
};

struct alert_round_input {
	const struct alert_facts *facts;
	const struct alert_policy *policy;
	const struct alert_store_view *view;
};

/* All zero bytes before the first. What it holds is in its arena, until the next. */
void alert_round_run(struct alert_round *round, const struct alert_round_input *input);
void alert_round_fini(struct alert_round *round);

#endif
