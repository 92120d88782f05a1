/* Filters: what a table cannot see of where a milter is and how long it may take. */
#include "policy/route_internal.h"

#include <stdio.h>

static void check_address(const struct filter_text *text, struct place *place, struct report *report)
{
	if (!*text->host && !*text->socket)
		report_error_at(report, place->path,
			"has no place: host and port are wanted, or the path of a socket");
	if (*text->host && *text->socket)
		report_error_at(report, place_below(place, "socket"),
			"is a second place beside host: one of "
			"them has to go");
	if (*text->host && !*text->socket && !text->port)
		report_error_at(report, place_below(place, "host"),
			"needs port too: that on which the filter listens, such as 11332 of rspamd");
	if (!*text->host && text->port)
		report_error_at(report, place_below(place, "port"), "has no effect without host");
	if (*text->socket && text->socket[0] != '/')
		report_error_at(report, place_below(place, "socket"),
			"%s is no path from the root, such as /run/milter.sock",
			report_quote(span_of_str(text->socket)).text);
}

/* A default gives way to a total that is shorter; what was said does not. */
static uint32_t time_within(
	uint64_t ms, uint64_t total_ms, const char *key, struct place *place, struct report *report)
{
	if (ms <= total_ms)
		return (uint32_t)ms;
	if (report_was_given(report, place_below(place, key)))
		report_error_at(report, place_below(place, key), "must not be larger than total");
	return (uint32_t)total_ms;
}

void policy_compile_filters(struct policy *policy, const struct policy_text *text, struct report *report)
{
	struct arena *arena = &policy->arena;

	policy->filter_count = text->filters.count;
	policy->filters = arena_zalloc(arena, (text->filters.count + 1) * sizeof(*policy->filters));
	for (size_t i = 0; i < text->filters.count; i++) {
		const struct filter_text *from = &text->filters.items[i];
		struct place place;

		snprintf(place.path, sizeof(place.path), "filters.%s", from->name);
		check_address(from, &place, report);
		policy->filters[i] = (struct inspection_filter){
			.name = arena_strdup(arena, span_of_str(from->name)),
			.host = arena_strdup(arena, span_of_str(from->host)),
			.port = (uint16_t)from->port,
			.path = arena_strdup(arena, span_of_str(from->socket)),
			.connect_ms =
				time_within(from->connect_ms, from->total_ms, "connect", &place, report),
			.answer_ms = time_within(from->answer_ms, from->total_ms, "answer", &place, report),
			.total_ms = (uint32_t)from->total_ms,
			.on_error = from->on_error,
		};
	}
}

const struct inspection_filter *policy_filters(const struct policy *policy, size_t *count_out)
{
	*count_out = policy->filter_count;
	return policy->filters;
}
