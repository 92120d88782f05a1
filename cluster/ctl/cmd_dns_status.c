/* skeinctl dns status */
#include "call.h"
#include "dns_findings.h"
#include "human.h"
#include "screen.h"
#include "skein/cluster/daily_store.h"
#include "skein/proto/base/alloc.h"

#include <stdio.h>

struct status {
	json_t *domains; /* array; NULL: it was never checked */
	uint64_t at_ms, age_ms;
	struct arena arena;
	struct span by;
	enum ctl_exit exit;
};

/* --- what nodes wrote (node/daily/dns_record.c) ---------------------------------------------------- */

static struct span text_of(const json_t *json, const char *key)
{
	const json_t *text = json_object_get(json, key);

	return json_is_string(text) ? span_of(json_string_value(text), json_string_length(text))
				    : span_of("", 0);
}

static struct span lines_of(struct arena *arena, const json_t *lines)
{
	struct buf text = { 0 };
	struct span joined;

	for (size_t i = 0; i < json_array_size(lines); i++) {
		const char *line = json_string_value(json_array_get(lines, i));

		buf_printf(&text, "%s%s", i ? "\n" : "", line ? line : "");
	}
	joined = arena_dup(arena, buf_span(&text));
	buf_fini(&text);
	return joined;
}

static enum dns_severity severity_of(struct span name)
{
	for (enum dns_severity it = DNS_CHECK_OK; it < DNS_CHECK_UNKNOWN; it++)
		if (span_eq(name, span_of_str(dns_severity_name(it))))
			return it;
	return DNS_CHECK_UNKNOWN;
}

/* False: a check that this version does not know. */
static bool topic_of(struct span name, enum dns_topic *topic_out)
{
	for (enum dns_topic it = 0; it < DNS_TOPIC_COUNT; it++) {
		if (span_eq(name, span_of_str(dns_topic_name(it)))) {
			*topic_out = it;
			return true;
		}
	}
	return false;
}

static void read_findings(const json_t *findings, struct dns_report *report)
{
	report->count = 0;
	arena_reset(&report->arena);
	for (size_t i = 0; i < json_array_size(findings) && report->count < DNS_FINDINGS_MAX; i++) {
		const json_t *json = json_array_get(findings, i);
		struct dns_finding *finding = &report->findings[report->count];

		*finding = (struct dns_finding){
			.severity = severity_of(text_of(json, "severity")),
			.where = text_of(json, "where"),
			.what = text_of(json, "what"),
			.found = lines_of(&report->arena, json_object_get(json, "found")),
			.publish = lines_of(&report->arena, json_object_get(json, "publish")),
		};
		if (topic_of(text_of(json, "check"), &finding->topic))
			report->count++;
	}
}

/* --- what is shown ------------------------------------------------------------------------------- */

static void print_head(const struct status *status)
{
	struct buf text = { 0 };

	human_duration(&text, status->age_ms);
	buf_append_str(&text, " ago by ");
	human_text(&text, status->by);
	buf_append_str(&text, "\n");
	(void)screen_print(&text);
	buf_fini(&text);
}

static void print_domains(const struct status *status)
{
	struct dns_report *report = mem_zalloc(sizeof(*report));

	print_head(status);
	for (size_t i = 0; i < json_array_size(status->domains); i++) {
		const json_t *domain = json_array_get(status->domains, i);
		const char *name = json_string_value(json_object_get(domain, "domain"));

		read_findings(json_object_get(domain, "findings"), report);
		putchar('\n');
		dns_findings_print(name ? name : "", report);
	}
	dns_report_fini(report);
	mem_free(report);
}

/* As dns check. */
static enum ctl_exit exit_of(const json_t *domains)
{
	enum ctl_exit exit = CTL_OK;

	for (size_t i = 0; i < json_array_size(domains); i++) {
		switch (severity_of(text_of(json_array_get(domains, i), "worst"))) {
		case DNS_CHECK_OK:
			break;
		case DNS_CHECK_WARN:
		case DNS_CHECK_FAIL:
			return CTL_NEGATIVE;
		case DNS_CHECK_UNKNOWN:
			exit = CTL_UNREACHABLE;
			break;
		}
	}
	return exit;
}

static void on_note(void *arg, const struct outcome *outcome, const struct daily_note *note)
{
	struct status *status = arg;
	json_t *json;

	status->exit = session_check(outcome, "reading what the leader found");
	if (status->exit || !note->number)
		return;
	json = json_loadb(note->text.ptr, note->text.len, 0, NULL);
	status->domains = json_incref(json_object_get(json, "domains"));
	status->at_ms = note->at_ms;
	status->age_ms = note->now_ms > note->at_ms ? note->now_ms - note->at_ms : 0;
	status->by = arena_dup(&status->arena, note->by);
	json_decref(json);
}

static enum ctl_exit show(struct session *session, void *arg)
{
	struct status status = { .domains = NULL };
	enum ctl_exit exit;

	(void)arg;
	(void)daily_get(session->link, "dns", session_now_ms(), on_note, &status);
	exit = session_finish(session);
	exit = exit ? exit : status.exit;
	if (!exit && !json_is_array(status.domains)) {
		session_complain("the leader has checked nothing yet: see dns_watch.interval, and "
				 "`skeinctl dns check`");
		exit = CTL_NEGATIVE;
	} else if (!exit) {
		if (session->is_json)
			screen_print_json(json_pack("{s:o, s:o, s:o, s:O}", "at_ms",
				json_of_u64(status.at_ms), "age_ms", json_of_u64(status.age_ms), "by",
				json_of_span(status.by), "domains", status.domains));
		else
			print_domains(&status);
		exit = exit_of(status.domains);
	}
	json_decref(status.domains);
	arena_fini(&status.arena);
	return exit;
}

enum ctl_exit cmd_dns_status(struct ctl_options *options, const struct call *call)
{
	(void)call;
	return session_run(options, show, NULL);
}
