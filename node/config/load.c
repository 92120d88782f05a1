#include "config/load.h"

#include "config/schema.h"
#include "config/settings_internal.h"

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
