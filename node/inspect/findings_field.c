#include "inspect/findings.h"

#include "skein/proto/wire/auth_results.h"

#include <stdio.h>

enum { RESULTS_MAX = DKIM_SIGNATURES_MAX + 2, PROPERTIES_MAX = 4 };

struct field {
	struct auth_resinfo results[RESULTS_MAX];
	struct auth_property properties[RESULTS_MAX][PROPERTIES_MAX];
	size_t count;
};

static struct auth_resinfo *add_result(struct field *field, const char *method, const char *result)
{
	struct auth_resinfo *made = &field->results[field->count];

	*made = (struct auth_resinfo){
		.method = method, .result = result, .properties = field->properties[field->count]
	};
	field->count++;
	return made;
}

static void add_property(
	struct field *field, struct auth_resinfo *result, const char *name, struct span value)
{
	struct auth_property *properties = field->properties[result - field->results];

	properties[result->property_count++] = (struct auth_property){ name, value };
}

static void add_spf(struct field *field, const struct findings *findings)
{
	struct auth_resinfo *result = add_result(field, "spf", spf_result_name(findings->spf->result));

	result->reason = findings->spf->problem;
	if (findings->sender.len)
		add_property(field, result, "smtp.mailfrom", findings->sender);
	else
		add_property(field, result, "smtp.helo", findings->helo);
}

static void add_dkim(struct field *field, const struct dkim_finding *finding)
{
	struct auth_resinfo *result = add_result(field, "dkim", dkim_result_name(finding->result));

	result->reason = span_of_str(finding->why);
	add_property(field, result, "header.d", finding->domain);
	add_property(field, result, "header.i", finding->identity);
	add_property(field, result, "header.s", finding->selector);
	add_property(field, result, "header.b", finding->mark);
}

static void add_all_dkim(struct field *field, const struct findings *findings)
{
	size_t index;
	enum dkim_result overall = findings_dkim(findings, &index);

	for (size_t i = 0; i < findings->dkim_count; i++)
		add_dkim(field, &findings->dkim[i]);
	if (!findings->dkim_count)
		add_result(field, "dkim", dkim_result_name(overall))->reason =
			span_of_str(findings->dkim_why);
}

static void add_dmarc(struct field *field, const struct findings *findings, char comment[32])
{
	struct auth_resinfo *result = add_result(field, "dmarc", dmarc_result_name(findings->dmarc_result));
	const struct dmarc_verdict *verdict = findings->dmarc;

	result->reason = span_of_str(findings->dmarc_why);
	if (!verdict)
		return;
	if (verdict->result == DMARC_PASS || verdict->result == DMARC_FAIL) {
		snprintf(comment, 32, "%s=%s", verdict->is_subdomain ? "sp" : "p",
			dmarc_policy_name(verdict->policy));
		result->comment = span_of_str(comment);
	}
	add_property(field, result, "header.from", verdict->from_domain);
	if (findings->dmarc_result == DMARC_FAIL)
		add_property(
			field, result, "policy.dmarc", span_of_str(dmarc_policy_name(findings->disposition)));
}

void findings_append_field(const struct findings *findings, struct span host, struct buf *out)
{
	struct field field = { .count = 0 };
	char comment[32];

	if (findings_has(findings, INSPECTION_SPF))
		add_spf(&field, findings);
	if (findings_has(findings, INSPECTION_DKIM))
		add_all_dkim(&field, findings);
	if (findings_has(findings, INSPECTION_DMARC))
		add_dmarc(&field, findings, comment);
	auth_results_append(out, host, field.results, field.count);
}
