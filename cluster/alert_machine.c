/*
 * One subject of one alert. What goes well again has to stay so for a time, and by a fifth of the bound: a
 * value that swings around the bound is told once.
 */
#include "skein/cluster/alert.h"

#include "skein/proto/base/check.h"

enum { BACK_PERCENT = 80 };

const char *alert_phase_name(enum alert_phase phase)
{
	static const char *const names[] = {
		[ALERT_CALM] = "calm",
		[ALERT_PENDING] = "pending",
		[ALERT_FIRING] = "firing",
	};

	return names[phase];
}

const char *alert_news_name(enum alert_news news)
{
	static const char *const names[] = {
		[ALERT_NO_NEWS] = "nothing",
		[ALERT_FIRED] = "fired",
		[ALERT_GOES_ON] = "goes-on",
		[ALERT_RECOVERED] = "recovered",
	};

	return names[news];
}

bool alert_is_bad(const struct alert_rule *rule, enum alert_unit unit, uint64_t value)
{
	return unit == ALERT_UNIT_DAYS ? value < rule->bound : value > rule->bound;
}

/* Days left only grow with another certificate. */
static bool is_well(const struct alert_look *look)
{
	uint64_t bound = look->rule->bound;

	if (!look->has_value || look->unit == ALERT_UNIT_DAYS)
		return !look->has_value || !alert_is_bad(look->rule, look->unit, look->value);
	return look->value <= bound / 100 * BACK_PERCENT + bound % 100 * BACK_PERCENT / 100;
}

/* Of a clock that may have gone back. */
static uint64_t passed(uint64_t since_ms, uint64_t now_ms)
{
	return now_ms > since_ms ? now_ms - since_ms : 0;
}

static enum alert_news fire(struct alert_state *state, const struct alert_look *look, bool *tell_out)
{
	state->phase = ALERT_FIRING;
	state->calm_ms = 0;
	*tell_out = !look->is_silenced;
	if (*tell_out)
		state->told_ms = look->now_ms;
	return ALERT_FIRED;
}

static enum alert_news stay(struct alert_state *state, const struct alert_look *look, bool *tell_out)
{
	bool is_late =
		state->told_ms && look->repeat_ms && passed(state->told_ms, look->now_ms) >= look->repeat_ms;

	if (look->is_silenced || (state->told_ms && !is_late))
		return ALERT_NO_NEWS;
	/* Its silence is over and it is still there: nobody knows of it. */
	*tell_out = true;
	state->told_ms = look->now_ms;
	return ALERT_GOES_ON;
}

static uint64_t calm_ms(const struct alert_look *look)
{
	return !look->has_value && look->gone_ms > look->calm_ms ? look->gone_ms : look->calm_ms;
}

static enum alert_news step_firing(struct alert_state *state, const struct alert_look *look, bool *tell_out)
{
	if (!is_well(look)) {
		state->calm_ms = 0;
		return stay(state, look, tell_out);
	}
	if (!state->calm_ms)
		state->calm_ms = look->now_ms;
	if (passed(state->calm_ms, look->now_ms) < calm_ms(look))
		return ALERT_NO_NEWS;
	*tell_out = state->told_ms != 0;
	*state = (struct alert_state){
		.phase = ALERT_CALM, .since_ms = state->since_ms, .value = look->value
	};
	return ALERT_RECOVERED;
}

enum alert_news alert_step(struct alert_state *state, const struct alert_look *look, bool *tell_out)
{
	bool is_bad = look->has_value && alert_is_bad(look->rule, look->unit, look->value);

	*tell_out = false;
	if (look->has_value)
		state->value = look->value;
	if (state->phase == ALERT_FIRING)
		return step_firing(state, look, tell_out);
	if (!is_bad) {
		*state = (struct alert_state){ .phase = ALERT_CALM };
		return ALERT_NO_NEWS;
	}
	if (state->phase == ALERT_CALM)
		*state = (struct alert_state){
			.phase = ALERT_PENDING, .since_ms = look->now_ms, .value = look->value
		};
	if (passed(state->since_ms, look->now_ms) < look->rule->for_ms)
		return ALERT_NO_NEWS;
	return fire(state, look, tell_out);
}

/* --- as text: phase, since, told, calm, value; then the words ----------------------------------- */

void alert_state_write(const struct alert_state *state, struct span text, struct buf *out)
{
	buf_append_str(out, alert_phase_name(state->phase));
	buf_printf(out, " %llu %llu %llu %llu ", (unsigned long long)state->since_ms,
		(unsigned long long)state->told_ms, (unsigned long long)state->calm_ms,
		(unsigned long long)state->value);
	buf_append(out, text);
}

static struct span next_word(struct span *rest)
{
	size_t end = span_find(*rest, ' ');
	struct span word = span_take(*rest, end);

	*rest = span_drop(*rest, end < rest->len ? end + 1 : end);
	return word;
}

bool alert_state_read(struct span from, struct alert_state *state_out, struct span *text_out)
{
	struct span word = next_word(&from);
	struct alert_state state = { .phase = ALERT_CALM };
	uint64_t *const numbers[] = { &state.since_ms, &state.told_ms, &state.calm_ms, &state.value };

	for (enum alert_phase it = ALERT_PENDING; it <= ALERT_FIRING; it++)
		if (span_eq(word, span_of_str(alert_phase_name(it))))
			state.phase = it;
	if (state.phase == ALERT_CALM)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		if (!span_parse_u64(next_word(&from), UINT64_MAX, numbers[i]))
			return false;
	*state_out = state;
	*text_out = from;
	return true;
}
