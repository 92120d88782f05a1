#include "inbound/toll.h"

/* One piece that was let in. */
struct toll_charge {
	struct toll_charge *older;
	const struct policy_snapshot *policy;
	const struct limit_take *takes;
	size_t count;
	enum limit_source source;
};

/* ---- counting ---- */

static void count_one(const struct toll *toll, const struct policy_snapshot *policy,
	const struct limit_rule *rule, enum limit_result result)
{
	if (policy)
		meter_add_named(toll->desk->meter, METRIC_LIMIT_RESULTS,
			policy_snapshot_limit_name(policy, rule), result, 1);
}

static void count_charge(const struct toll *toll, const struct toll_charge *charge, enum limit_result result)
{
	for (size_t i = 0; i < charge->count; i++)
		count_one(toll, charge->policy, charge->takes[i].rule, result);
}

/* ---- asking ---- */

bool toll_is_due(const struct toll_limits *limits)
{
	for (size_t i = 0; i < limits->count; i++)
		if (limits->units & 1u << limits->items[i]->unit)
			return true;
	return false;
}

static size_t piece_len(const struct toll *toll)
{
	size_t left = toll->count - toll->next;

	return left < LIMIT_TAKES_MAX ? left : LIMIT_TAKES_MAX;
}

/* The rule in a verdict may be the limiter's own copy; the policy's lives longer. */
static const struct limit_rule *own_rule(const struct toll *toll, const struct limit_rule *rule)
{
	for (size_t i = 0; i < toll->count; i++)
		if (rule && strcmp(toll->takes[i].rule->name, rule->name) == 0)
			return toll->takes[i].rule;
	return rule;
}

static void charge(struct toll *toll, enum limit_source source)
{
	struct toll_charge *charge = arena_alloc(&toll->arena, sizeof(*charge));

	*charge = (struct toll_charge){ toll->charges, toll->policy, toll->takes + toll->next,
		piece_len(toll), source };
	count_charge(toll, charge, LIMIT_RESULT_LET_IN);
	toll->charges = charge;
	toll->next += charge->count;
}

/* True: that was the last word. */
static bool take_answer(
	struct toll *toll, const struct limit_verdict *answer, struct toll_verdict *verdict_out)
{
	*verdict_out = (struct toll_verdict){ .is_let_in = answer->is_let_in,
		.rule = own_rule(toll, answer->rule),
		.wait_us = answer->wait_us };
	if (!answer->is_let_in) {
		count_one(toll, toll->policy, verdict_out->rule, LIMIT_RESULT_REFUSED);
		toll_give_back(toll);
		return true;
	}
	charge(toll, answer->source);
	return toll->next == toll->count;
}

static bool go_on(struct toll *toll, struct toll_verdict *verdict_out);

static void on_answer(void *arg, const struct limit_verdict *answer)
{
	struct toll *toll = arg;
	struct toll_verdict verdict;

	if (take_answer(toll, answer, &verdict) || go_on(toll, &verdict))
		toll->fn(toll->arg, &verdict);
}

static bool go_on(struct toll *toll, struct toll_verdict *verdict_out)
{
	struct limit_verdict answer;

	do {
		if (limiter_ask(toll->desk->limiter, &toll->question, toll->takes + toll->next,
			    piece_len(toll), loop_boottime_ms(), on_answer, toll, &answer))
			continue;
		limit_desk_watch(toll->desk);
		return false;
	} while (!take_answer(toll, &answer, verdict_out));
	return true;
}

bool toll_ask(struct toll *toll, struct limit_desk *desk, const struct toll_limits *limits,
	const struct limit_subject *subject, toll_fn *fn, void *arg, struct toll_verdict *verdict_out)
{
	*verdict_out = (struct toll_verdict){ .is_let_in = true };
	if (!toll_is_due(limits))
		return true;
	if (!toll->desk)
		limit_question_init(&toll->question);
	CHECK(!toll_is_asked(toll));
	toll->desk = desk;
	toll->fn = fn;
	toll->arg = arg;
	toll->next = 0;
	toll->policy = limits->policy;
	toll->count = limit_subject_takes(
		subject, limits->items, limits->count, limits->units, &toll->arena, &toll->takes);
	return toll->count == 0 || go_on(toll, verdict_out);
}

bool toll_is_asked(const struct toll *toll)
{
	return toll->desk && limit_question_is_asked(&toll->question);
}

/* ---- the end ---- */

void toll_keep(struct toll *toll)
{
	if (!toll->desk)
		return;
	limiter_cancel(toll->desk->limiter, &toll->question);
	toll->charges = NULL;
	toll->takes = NULL;
	toll->count = toll->next = 0;
	arena_fini(&toll->arena);
	toll->desk = NULL;
}

void toll_give_back(struct toll *toll)
{
	for (struct toll_charge *it = toll->charges; it; it = it->older) {
		limiter_refund(toll->desk->limiter, it->takes, it->count, it->source, loop_boottime_ms());
		count_charge(toll, it, LIMIT_RESULT_GIVEN_BACK);
	}
	toll_keep(toll);
}
