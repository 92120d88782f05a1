#include "config/load.h"

#include "config/file.h"
#include "config/schema.h"
#include "config/settings_internal.h"

#include <errno.h>

struct settings *settings_load(const struct load_input *input, struct report *report)
{
	struct settings *settings = settings_new();
	const struct schema_target target = { &schema, (char *)settings, &settings->arena, report };

	report->source = input->file ? input->file : "command line";
	if (input->file)
		schema_read(&target, input->text, input->file);
	for (size_t i = 0; i < input->override_count; i++)
		schema_override(&target, &input->overrides[i]);
	settings_derive(settings);
	/* The rules would only repeat what is wrong already. */
	if (!report->errors)
		settings_check_rules(settings, report);
	if (report->errors)
		settings_free(&settings);
	return settings;
}

struct policy *settings_load_policy(const struct settings *settings, struct report *report)
{
	const char *file = settings->policy.file;
	struct report found = { 0 }; /* its places are those of another document */
	struct policy *policy = NULL;
	struct buf text = { 0 };

	if (!*file)
		return NULL;
	if (file_read(file, POLICY_TEXT_MAX, &text))
		report_error_at(report, "policy.file", "cannot read %s: %s", file, file_why(file, errno));
	else
		policy = policy_parse(buf_span(&text), file, &found);
	buf_append(&report->text, buf_span(&found.text));
	report->errors += found.errors;
	report->warnings += found.warnings;
	report_fini(&found);
	buf_fini(&text);
	return policy;
}
