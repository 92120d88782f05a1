#include "alerts/alert_round.h"

#include "skein/proto/base/check.h"
#include "skein/proto/base/table.h"

struct known {
	enum alert alert;
	struct span subject, key, text;
	struct alert_state state;
	bool is_seen; /* there was a value of it */
};

struct run {
	struct alert_round *round;
	const struct alert_round_input *input;
	struct table known; /* by key; keys are an operator's and our own words, of bounded number */
};

void alert_round_fini(struct alert_round *round)
{
	arena_fini(&round->arena);
}

/* --- what is known ------------------------------------------------------------------------------- */

/* "queue-age cluster" */
static struct span key_of(struct arena *arena, enum alert alert, struct span subject)
{
	struct buf key = { 0 };
	struct span kept;

	buf_printf(&key, "%s %.*s", alert_kind(alert)->name, SPAN_ARGS(subject));
	kept = arena_dup(arena, buf_span(&key));
	buf_fini(&key);
	return kept;
}

static void change(struct run *run, struct span key, struct span text)
{
	struct alert_round *round = run->round;

	if (round->change_count < ARRAY_LEN(round->changes))
		round->changes[round->change_count++] = (struct alert_note){ .name = key, .text = text };
}

/* What no version of us would write goes. */
static void read_known(struct run *run)
{
	const struct alert_notes *firing = &run->input->view->firing;
	struct arena *arena = &run->round->arena;

	/* The view is gone when what is made of it is logged. */
	for (size_t i = 0; i < firing->count; i++) {
		struct span key = arena_dup(arena, firing->items[i].name);
		struct span text = arena_dup(arena, firing->items[i].text);
		size_t blank = span_find(key, ' ');
		struct known *known = arena_zalloc(arena, sizeof(*known));

		if (blank == key.len || key.len - blank > ALERT_SUBJECT_MAX + 1 ||
			!alert_find(span_take(key, blank), &known->alert) ||
			!alert_state_read(text, &known->state, &known->text) ||
			known->text.len > ALERT_TEXT_MAX) {
			change(run, key, SPAN_LIT(""));
			continue;
		}
		known->key = key;
		known->subject = span_drop(key, blank + 1);
		table_put(&run->known, key, known);
	}
}

static bool is_silenced(const struct run *run, const struct known *known)
{
	const struct alert_notes *silences = &run->input->view->silences;

	for (size_t i = 0; i < silences->count; i++) {
		struct span what = silences->items[i].name;

		if (span_eq(what, known->key) || span_eq(what, span_of_str(alert_kind(known->alert)->name)))
			return true;
	}
	return false;
}

/* --- steps --------------------------------------------------------------------------------------- */

static void note_happening(struct run *run, const struct known *known, enum alert_news news, bool is_told)
{
	struct alert_round *round = run->round;

	if (round->happening_count == ARRAY_LEN(round->happenings))
		return;
	round->happenings[round->happening_count++] = (struct alert_happening){
		.news = news,
		.alert = known->alert,
		.subject = known->subject,
		.text = known->text,
		.severity = run->input->policy->rules[known->alert].severity,
		.value = known->state.value,
		.since_ms = known->state.since_ms,
		.is_told = is_told,
	};
}

static bool is_same(const struct alert_state *a, const struct alert_state *b)
{
	return a->phase == b->phase && a->since_ms == b->since_ms && a->told_ms == b->told_ms &&
	       a->calm_ms == b->calm_ms;
}

static void write_state(struct run *run, const struct known *known)
{
	struct buf text = { 0 };

	if (known->state.phase != ALERT_CALM)
		alert_state_write(&known->state, known->text, &text);
	change(run, known->key, arena_dup(&run->round->arena, buf_span(&text)));
	buf_fini(&text);
}

static void step(struct run *run, struct known *known, const struct alert_value *value)
{
	const struct alert_policy *policy = run->input->policy;
	const struct alert_look look = {
		.rule = &policy->rules[known->alert],
		.unit = alert_kind(known->alert)->unit,
		.has_value = value != NULL,
		.value = value ? value->value : 0,
		.calm_ms = alert_calm_ms(known->alert, policy),
		.gone_ms = alert_gone_ms(known->alert, policy),
		.is_silenced = is_silenced(run, known),
		.repeat_ms = policy->repeat_ms,
		.now_ms = run->input->view->now_ms,
	};
	struct alert_state before = known->state;
	bool is_told;
	enum alert_news news = alert_step(&known->state, &look, &is_told);

	if (value && news != ALERT_RECOVERED)
		known->text = value->text;
	if (news != ALERT_NO_NEWS)
		note_happening(run, known, news, is_told);
	if (!is_same(&before, &known->state) &&
		(before.phase != ALERT_CALM || known->state.phase != ALERT_CALM))
		write_state(run, known);
	run->round->firing[known->alert] += known->state.phase == ALERT_FIRING;
}

static void step_value(struct run *run, const struct alert_value *value)
{
	struct arena *arena = &run->round->arena;
	struct span key = key_of(arena, value->alert, value->subject);
	struct known *known = table_get(&run->known, key);

	if (!known) {
		known = arena_zalloc(arena, sizeof(*known));
		*known = (struct known){ .alert = value->alert, .subject = value->subject, .key = key };
	}
	if (known->is_seen)
		return;
	known->is_seen = true;
	step(run, known, value);
}

void alert_round_run(struct alert_round *round, const struct alert_round_input *input)
{
	static const uint64_t seed[2] = { 0 };
	struct run run = { round, input, { .count = 0 } };
	struct known *known;
	size_t cursor = 0;

	arena_reset(&round->arena);
	round->change_count = round->happening_count = 0;
	memset(round->firing, 0, sizeof(round->firing));
	table_init(&run.known, seed);
	alert_judge(input->facts, input->policy, &round->arena, &round->values);
	read_known(&run);
	for (size_t i = 0; i < round->values.count; i++)
		step_value(&run, &round->values.items[i]);
	while ((known = table_next(&run.known, &cursor)))
		if (!known->is_seen)
			step(&run, known, NULL);
	table_fini(&run.known);
}
