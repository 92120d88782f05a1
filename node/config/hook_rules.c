#include "config/settings_internal.h"
#include "notify/target.h"
#include "skein/proto/wire/syslog.h"

#include <stdio.h>

/* Where in the list, for messages. */
struct place {
	char path[64];
	struct report *report;
	size_t index;
};

static const char *at(struct place *place, const char *row)
{
	snprintf(place->path, sizeof(place->path), "tracking.hooks[%zu].%s", place->index, row);
	return place->path;
}

static void check_kinds(const struct hook_settings *hook, struct place *place)
{
	enum track_kind kind;

	for (size_t i = 0; i < hook->events.count; i++)
		if (!track_kind_find(span_of_str(hook->events.items[i]), &kind))
			report_error_at(place->report, at(place, "events"),
				"%s is no event: see docs/tracking.md for their names",
				hook->events.items[i]);
}

static void check_syslog(const struct hook_settings *hook, const struct target *target, struct place *place)
{
	unsigned facility;

	if (!syslog_facility_parse(span_of_str(hook->facility), &facility))
		report_error_at(place->report, at(place, "facility"),
			"%s is none of mail, user, daemon, local0 to local7 and the others of syslog",
			hook->facility);
	if (hook->format == HOOK_FORMAT_NDJSON)
		report_error_at(place->report, at(place, "format"),
			"ndjson is for webhooks; a message of syslog is one event: json or pairs");
	if (*hook->secret || *hook->secret_file)
		report_error_at(place->report, at(place, *hook->secret ? "secret" : "secret_file"),
			"syslog has no header field that a secret could be in");
	if (*hook->ca && target->kind != TARGET_TLS)
		report_warning_at(place->report, at(place, "ca"), "has no effect without tls://");
}

/* "Name:", "Name: text". */
static bool is_header(struct span header)
{
	size_t end = span_find(header, ':');

	for (size_t i = 0; i < end; i++)
		if (header.ptr[i] <= ' ' || header.ptr[i] > '~')
			return false;
	for (size_t i = 0; i < header.len; i++)
		if (header.ptr[i] < ' ' || header.ptr[i] > '~')
			return false;
	return end > 0 && end < header.len;
}

static void check_web(const struct hook_settings *hook, const struct target *target, struct place *place)
{
	bool has_secret = *hook->secret || *hook->secret_file;

	if (hook->format == HOOK_FORMAT_PAIRS)
		report_error_at(place->report, at(place, "format"),
			"pairs is for syslog; a webhook has json or ndjson");
	if (*hook->secret && *hook->secret_file)
		report_error_at(place->report, at(place, "secret_file"),
			"has no place beside secret: one of the two");
	if (!is_header(span_of_str(hook->header)))
		report_error_at(place->report, at(place, "header"),
			"is no header field up to its secret: \"Authorization: Bearer\", \"X-Api-Key:\"");
	if (target->kind != TARGET_HTTP)
		return;
	if (has_secret)
		report_warning_at(
			place->report, at(place, "url"), "sends the secret in clear: https:// is better");
	if (*hook->ca)
		report_warning_at(place->report, at(place, "ca"), "has no effect without https://");
}

static void check_hook(const struct settings *settings, size_t index, struct report *report)
{
	const struct hook_settings *hook = &settings->tracking.hooks.items[index];
	struct place place = { .report = report, .index = index };
	struct target target;
	const char *wrong = target_parse(hook->url, &target);

	check_kinds(hook, &place);
	if (wrong)
		report_error_at(report, at(&place, "url"), "%s", wrong);
	else if (target_is_web(&target))
		check_web(hook, &target, &place);
	else
		check_syslog(hook, &target, &place);
	if (hook->retry_first_ms > hook->retry_max_ms)
		report_error_at(report, at(&place, "retry_first"), "must not be larger than retry_max");
	if (hook->redact == TRACK_REDACT_HASHED && !*settings->tracking.redact_key_file)
		report_error_at(report, at(&place, "redact"), "hashed needs tracking.redact_key_file");
	for (size_t i = 0; i < index; i++)
		if (strcmp(settings->tracking.hooks.items[i].name, hook->name) == 0)
			report_error_at(
				report, at(&place, "name"), "%s is the name of another hook", hook->name);
}

void settings_check_hooks(const struct settings *settings, struct report *report)
{
	for (size_t i = 0; i < settings->tracking.hooks.count; i++)
		check_hook(settings, i, report);
}
