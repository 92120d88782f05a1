/* The section `alerts`: what a table cannot see of channels, and bounds in the unit of their alert. */
#include "policy/route_internal.h"
#include "skein/cluster/schema/value.h"

#include <stdio.h>

/* --- channels ----------------------------------------------------------------------------------- */

static bool begins_with_one_of(const char *url, const char *const *starts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (span_starts_with(span_of_str(url), span_of_str(starts[i])) && url[strlen(starts[i])])
			return true;
	return false;
}

static bool is_address(const char *text)
{
	const char *at = strrchr(text, '@');

	return at && at > text && at[1] && !strpbrk(text, "<>,;\"");
}

static void check_address(const char *text, const char *key, struct place *place, struct report *report)
{
	if (*text && !is_address(text))
		report_error_at(report, place_below(place, key),
			"%s is not an address such as ops@example.net", report_quote(span_of_str(text)).text);
}

static void check_urls(const struct alert_channel_text *text, struct place *place, struct report *report)
{
	static const char *const web[] = { "https://", "http://" };
	static const char *const syslog[] = { "udp://", "tcp://", "tls://" };

	if (*text->webhook && !begins_with_one_of(text->webhook, web, ARRAY_LEN(web)))
		report_error_at(report, place_below(place, "webhook"), "must begin with https:// or http://");
	if (*text->secret && begins_with_one_of(text->webhook, &web[1], 1))
		report_warning_at(report, place_below(place, "webhook"),
			"sends the secret in clear: https:// is better");
	if (*text->syslog && !begins_with_one_of(text->syslog, syslog, ARRAY_LEN(syslog)))
		report_error_at(report, place_below(place, "syslog"),
			"must be udp://HOST:514, tcp://HOST:601 or tls://HOST:6514");
}

static void check_channel(const struct alert_channel_text *text, struct place *place, struct report *report)
{
	bool is_web = *text->webhook || *text->webhook_secret;
	int ways = (*text->mail != '\0') + (*text->webhook != '\0') + (*text->webhook_secret != '\0') +
		   (*text->syslog != '\0');

	if (ways != 1)
		report_error_at(
			report, place->path, "has to have one of mail, webhook, webhook_secret and syslog");
	if (*text->mail && !*text->from)
		report_error_at(report, place_below(place, "mail"),
			"needs from too: the address that these mails come from");
	if (!*text->mail && *text->from)
		report_error_at(report, place_below(place, "from"), "has no effect without mail");
	if (!is_web && *text->secret)
		report_error_at(report, place_below(place, "secret"), "has no effect without webhook");
	if (!is_web && report_was_given(report, place_below(place, "form")))
		report_error_at(report, place_below(place, "form"), "has no effect without webhook");
	check_address(text->mail, "mail", place, report);
	check_address(text->from, "from", place, report);
	check_urls(text, place, report);
}

static void compile_channel(struct policy *policy, const struct alert_channel_text *text,
	struct alert_channel *channel, struct report *report)
{
	struct arena *arena = &policy->arena;
	struct place place;

	snprintf(place.path, sizeof(place.path), "alerts.channels.%s", text->name);
	check_channel(text, &place, report);
	*channel = (struct alert_channel){
		.name = arena_strdup(arena, span_of_str(text->name)),
		.kind = *text->mail     ? ALERT_BY_MAIL
			: *text->syslog ? ALERT_BY_SYSLOG
					: ALERT_BY_WEBHOOK,
		.mail = arena_strdup(arena, span_of_str(text->mail)),
		.from = arena_strdup(arena, span_of_str(text->from)),
		.url = arena_strdup(arena, span_of_str(*text->syslog ? text->syslog : text->webhook)),
		.url_secret = arena_strdup(arena, span_of_str(text->webhook_secret)),
		.form = text->form,
		.secret = arena_strdup(arena, span_of_str(text->secret)),
	};
}

/* --- rules -------------------------------------------------------------------------------------- */

/* "80%" without its sign; the others as a table would read them. */
static bool parse_bound(
	struct policy *policy, enum alert_unit unit, struct span text, uint64_t *bound_out, struct buf *why)
{
	static const struct setting_row number = { .type = SETTING_INTEGER, .max = 1000000000 };
	static const struct setting_row percent = { .type = SETTING_INTEGER, .max = 100 };
	static const struct setting_row age = { .type = SETTING_DURATION, .max = 60ull * 86400000 };
	static const struct setting_row days = { .type = SETTING_DURATION, .max = 1000ull * 86400000 };

	switch (unit) {
	case ALERT_UNIT_PERCENT:
		if (text.len && text.ptr[text.len - 1] == '%')
			text = span_take(text, text.len - 1);
		return value_parse(&percent, text, &policy->arena, bound_out, why);
	case ALERT_UNIT_AGE:
		return value_parse(&age, text, &policy->arena, bound_out, why);
	case ALERT_UNIT_DAYS:
		if (!value_parse(&days, text, &policy->arena, bound_out, why))
			return false;
		*bound_out /= 86400000;
		return true;
	default:
		return value_parse(&number, text, &policy->arena, bound_out, why);
	}
}

static void compile_bound(struct policy *policy, enum alert alert, const struct alert_rule_text *text,
	struct place *place, struct report *report)
{
	enum alert_unit unit = alert_kind(alert)->unit;
	bool is_days = unit == ALERT_UNIT_DAYS;
	const char *said = is_days ? text->below : text->above, *other = is_days ? text->above : text->below;
	struct buf why = { 0 };

	if (*other)
		report_error_at(report, place_below(place, is_days ? "above" : "below"),
			"is nothing that %s has: say %s", alert_kind(alert)->name,
			is_days ? "below" : "above");
	if (*said && !parse_bound(policy, unit, span_of_str(said), &policy->alerts.rules[alert].bound, &why))
		report_error_at(report, place_below(place, is_days ? "below" : "above"), "%.*s",
			SPAN_ARGS(buf_span(&why)));
	buf_fini(&why);
}

static unsigned channels_of(const struct policy *policy, const struct policy_text *text,
	const struct alert_rule_text *rule, struct place *place, struct report *report)
{
	const struct alert_policy *alerts = &policy->alerts;
	unsigned set = 0;

	for (size_t i = 0; i < rule->to.count; i++) {
		struct span name = span_of_str(rule->to.items[i]);
		size_t at = 0;
		char key[32];

		while (at < alerts->channel_count && !span_eq(name, span_of_str(alerts->channels[at].name)))
			at++;
		snprintf(key, sizeof(key), "to[%zu]", i);
		if (at < alerts->channel_count)
			set |= 1u << at;
		else
			policy_complain_of_unknown("is no channel", name, NAMES_OF(text->alerts.channels),
				place_below(place, key), report);
	}
	return set;
}

static void compile_rule(struct policy *policy, const struct policy_text *text,
	const struct alert_rule_text *from, struct report *report)
{
	struct name_list names = { alert_kind(0), ALERT_COUNT, sizeof(struct alert_kind) };
	struct alert_rule *rule;
	struct place place;
	enum alert alert;

	snprintf(place.path, sizeof(place.path), "alerts.rules.%s", from->name);
	if (!alert_find(span_of_str(from->name), &alert)) {
		policy_complain_of_unknown("is no alert", span_of_str(from->name), names, place.path, report);
		return;
	}
	rule = &policy->alerts.rules[alert];
	rule->is_on = from->is_on;
	compile_bound(policy, alert, from, &place, report);
	if (report_was_given(report, place_below(&place, "for")))
		rule->for_ms = from->for_ms;
	if (report_was_given(report, place_below(&place, "severity")))
		rule->severity = from->severity;
	if (report_was_given(report, place_below(&place, "minimum"))) {
		rule->least = from->least;
		if (!alert_kind(alert)->least)
			report_error_at(
				report, place_below(&place, "minimum"), "has no effect on %s", from->name);
	}
	if (report_was_given(report, place_below(&place, "to")))
		rule->channels = channels_of(policy, text, from, &place, report);
}

void policy_compile_alerts(struct policy *policy, const struct policy_text *text, struct report *report)
{
	struct alert_policy *alerts = &policy->alerts;

	alert_policy_preset(alerts);
	alerts->window_ms = text->alerts.window_ms;
	alerts->repeat_ms = text->alerts.repeat_ms;
	alerts->channel_count = text->alerts.channels.count;
	for (size_t i = 0; i < alerts->channel_count; i++)
		compile_channel(policy, &text->alerts.channels.items[i], &alerts->channels[i], report);
	for (enum alert it = 0; it < ALERT_COUNT; it++)
		alerts->rules[it].channels = (1u << alerts->channel_count) - 1;
	for (size_t i = 0; i < text->alerts.rules.count; i++)
		compile_rule(policy, text, &text->alerts.rules.items[i], report);
}

const struct alert_policy *policy_alerts(const struct policy *policy)
{
	return &policy->alerts;
}
