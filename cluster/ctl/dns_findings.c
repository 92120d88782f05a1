#include "dns_findings.h"

#include "human.h"
#include "screen.h"

static const struct grid_column columns[] = {
	{ "CHECK", false },
	{ "RESULT", false },
	{ "WHERE", false },
	{ "WHAT", false },
};

static const enum tint tints[] = {
	[DNS_CHECK_OK] = TINT_GOOD,
	[DNS_CHECK_WARN] = TINT_WARN,
	[DNS_CHECK_FAIL] = TINT_BAD,
	[DNS_CHECK_UNKNOWN] = TINT_FAINT,
};

static void append_lines(struct buf *out, const char *title, struct span text)
{
	while (text.len) {
		struct span line = span_take(text, span_find(text, '\n'));

		buf_printf(out, "  %-9s  ", title);
		human_text(out, line);
		buf_append_byte(out, '\n');
		text = span_drop(text, line.len < text.len ? line.len + 1 : line.len);
		title = "";
	}
}

/* Whole, where the table may have cut it. */
static void append_cure(struct buf *out, const struct dns_finding *finding)
{
	buf_printf(out, "\n%s: %s: ", dns_topic_name(finding->topic), dns_severity_name(finding->severity));
	human_text(out, finding->where);
	buf_append_str(out, ": ");
	human_text(out, finding->what);
	buf_append_byte(out, '\n');
	append_lines(out, "there is", finding->found);
	append_lines(out, "publish", finding->publish);
}

void dns_findings_print(const char *domain, const struct dns_report *report)
{
	struct buf cures = { 0 }, title = { 0 };
	struct grid grid;

	human_text(&title, span_of_str(domain));
	buf_append_str(&title, "\n\n");
	grid_init(&grid, columns, ARRAY_LEN(columns));
	for (size_t i = 0; i < report->count; i++) {
		const struct dns_finding *finding = &report->findings[i];

		grid_printf(&grid, TINT_NONE, "%s", dns_topic_name(finding->topic));
		grid_printf(&grid, tints[finding->severity], "%s", dns_severity_name(finding->severity));
		grid_add(&grid, finding->where, TINT_NONE);
		grid_add(&grid, finding->what, TINT_NONE);
		if (finding->severity != DNS_CHECK_OK)
			append_cure(&cures, finding);
	}
	(void)screen_print(&title); /* main looks at the stream before it ends */
	screen_print_grid(&grid);
	(void)screen_print(&cures);
	buf_fini(&cures);
	buf_fini(&title);
}

static json_t *lines_json(struct span text)
{
	json_t *lines = json_array();

	while (text.len) {
		struct span line = span_take(text, span_find(text, '\n'));

		(void)json_array_append_new(lines, json_of_span(line));
		text = span_drop(text, line.len < text.len ? line.len + 1 : line.len);
	}
	return lines;
}

json_t *dns_findings_json(const char *domain, const struct dns_report *report)
{
	json_t *findings = json_array();

	for (size_t i = 0; i < report->count; i++) {
		const struct dns_finding *finding = &report->findings[i];

		(void)json_array_append_new(findings,
			json_pack("{s:s, s:s, s:o, s:o, s:o, s:o}", "check", dns_topic_name(finding->topic),
				"severity", dns_severity_name(finding->severity), "where",
				json_of_span(finding->where), "what", json_of_span(finding->what), "found",
				lines_json(finding->found), "publish", lines_json(finding->publish)));
	}
	return json_pack("{s:o, s:s, s:o}", "domain", json_of_span(span_of_str(domain)), "worst",
		dns_severity_name(dns_report_worst(report)), "findings", findings);
}
