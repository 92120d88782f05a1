/*
 * Rates: AMOUNT/PERIOD. An amount of bytes has a unit, a period is a word (s, min, h, day) or a duration.
 */
#include "policy/policy_internal.h"
#include "skein/cluster/schema/value.h"

#include <stdio.h>

static bool parse_amount(enum limit_unit unit, struct span text, uint64_t *amount_out, struct buf *why)
{
	const struct setting_row row = {
		.type = unit == LIMIT_BYTES ? SETTING_SIZE : SETTING_INTEGER,
		.min = 1,
		.max = unit == LIMIT_BYTES ? 1ull << 50 : 1000000000000,
	};

	return value_parse(&row, text, NULL, amount_out, why);
}

static bool parse_period(struct span text, uint64_t *period_us_out, struct buf *why)
{
	static const struct setting_row row = {
		.type = SETTING_DURATION, .min = 1, .max = 366ull * 86400000
	};
	static const struct {
		const char *name;
		uint64_t ms;
	} words[] = {
		{ "s", 1000 },
		{ "sec", 1000 },
		{ "second", 1000 },
		{ "min", 60000 },
		{ "minute", 60000 },
		{ "h", 3600000 },
		{ "hour", 3600000 },
		{ "d", 86400000 },
		{ "day", 86400000 },
	};
	uint64_t ms = 0;

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (span_eq(text, span_of_str(words[i].name)))
			ms = words[i].ms;
	if (!ms && !value_parse(&row, text, NULL, &ms, why)) {
		buf_clear(why);
		buf_printf(why, "the period %s is not s, min, h, day or a duration such as 10m",
			report_quote(text).text);
		return false;
	}
	*period_us_out = ms * 1000;
	return true;
}

static bool parse_rate(struct span rate, struct limit_rule *limit, struct buf *why)
{
	size_t slash = span_find(rate, '/');

	if (slash == rate.len) {
		buf_printf(why, "expected a rate such as 100/min, 14/s or 10GiB/day, got %s",
			report_quote(rate).text);
		return false;
	}
	return parse_amount(limit->unit, span_take(rate, slash), &limit->rate, why) &&
	       parse_period(span_drop(rate, slash + 1), &limit->period_us, why);
}

enum { PATH_SIZE = LIMIT_NAME_MAX + 32, PLACE_SIZE = PATH_SIZE + 16 };

static void complain(const char *path, const char *key, struct buf *why, struct report *report)
{
	char place[PLACE_SIZE];

	snprintf(place, sizeof(place), "%s.%s", path, key);
	report_error_at(report, place, "%.*s", SPAN_ARGS(buf_span(why)));
}

/* Whoever connects or logs in has no sender, recipient or route yet. */
static void check_key(const struct limit_text *text, const char *path, struct report *report)
{
	bool is_failure = text->unit == LIMIT_AUTH_FAILURES;
	char place[PLACE_SIZE];

	if ((text->unit != LIMIT_CONNECTIONS && !is_failure) || text->key == LIMIT_PER_CLIENT ||
		text->key == LIMIT_PER_CLUSTER)
		return;
	snprintf(place, sizeof(place), "%s.count", path);
	if (is_failure && text->key == LIMIT_PER_USER)
		report_warning_at(report, place,
			"counts nothing: who fails to log in is no user yet. abuse.failures.account counts "
			"by account");
	else
		report_error_at(report, place, "%s are counted by client or cluster, not by %s",
			limit_unit_names[text->unit], limit_key_names[text->key]);
}

void policy_compile_rate(
	struct limit_rule *limit, const struct rate_text *text, const char *path, struct report *report)
{
	struct span burst = span_of_str(text->burst);
	struct buf why = { 0 };

	limit->rate = limit->period_us = limit->burst = 1;
	if (!parse_rate(span_of_str(text->rate), limit, &why)) {
		complain(path, "rate", &why, report);
	} else {
		limit->burst = limit->rate;
		if (burst.len && !parse_amount(limit->unit, burst, &limit->burst, &why))
			complain(path, "burst", &why, report);
		else if (limit_rule_check(limit)) {
			buf_append_str(&why, limit_rule_check(limit));
			complain(path, burst.len ? "burst" : "rate", &why, report);
		}
	}
	buf_fini(&why);
}

static struct limit_rule compile(struct policy *policy, const struct limit_text *text, struct report *report)
{
	struct limit_rule limit = {
		.name = arena_strdup(&policy->arena, span_of_str(text->name)),
		.key = text->key,
		.unit = text->unit,
		.action = text->action,
	};
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "limits.%s", text->name);
	check_key(text, path, report);
	policy_compile_rate(&limit, &text->rate, path, report);
	return limit;
}

void policy_compile_limits(struct policy *policy, const struct policy_text *text, struct report *report)
{
	policy->limits = arena_zalloc(&policy->arena, (text->limits.count + 1) * sizeof(*policy->limits));
	policy->global_limits = arena_zalloc(&policy->arena, (text->limits.count + 1) * sizeof(void *));
	for (size_t i = 0; i < text->limits.count; i++) {
		policy->limits[i] = compile(policy, &text->limits.items[i], report);
		if (text->limits.items[i].is_global)
			policy->global_limits[policy->global_count++] = &policy->limits[i];
	}
	policy->limit_count = text->limits.count;
}

static const struct limit_rule *find_limit(const struct policy *policy, const char *name)
{
	for (size_t i = 0; i < policy->limit_count; i++)
		if (strcmp(policy->limits[i].name, name) == 0)
			return &policy->limits[i];
	return NULL;
}

static void add_once(const struct limit_rule **limits, size_t *count, const struct limit_rule *limit)
{
	for (size_t i = 0; i < *count; i++)
		if (limits[i] == limit)
			return;
	limits[(*count)++] = limit;
}

void policy_compile_rule_limits(struct policy *policy, struct rule *rule, struct text_list names,
	const char *path, struct report *report)
{
	const struct limit_rule **limits =
		arena_alloc(&policy->arena, (names.count + policy->global_count + 1) * sizeof(*limits));
	struct name_list known = { policy->limits, policy->limit_count, sizeof(*policy->limits) };
	size_t count = 0;

	for (size_t i = 0; i < names.count; i++) {
		const struct limit_rule *limit = find_limit(policy, names.items[i]);
		char place[96];

		snprintf(place, sizeof(place), "%s.limits[%zu]", path, i);
		if (limit)
			add_once(limits, &count, limit);
		else
			policy_complain_of_unknown(
				"is no limit", span_of_str(names.items[i]), known, place, report);
	}
	for (size_t i = 0; i < policy->global_count; i++)
		add_once(limits, &count, policy->global_limits[i]);
	if (count > LIMIT_TAKES_MAX)
		report_error_at(
			report, path, "has more than %d limits, the global ones included", LIMIT_TAKES_MAX);
	rule->shown.limits = limits;
	rule->shown.limit_count = count;
}

const struct limit_rule *policy_limits(const struct policy *policy, size_t *count_out)
{
	*count_out = policy->limit_count;
	return policy->limits;
}
