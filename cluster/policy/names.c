/* Names that things of the document have, and that others call them by. */
#include "policy/policy_internal.h"
#include "skein/cluster/schema/suggest.h"
#include "skein/proto/base/table.h"

#include <stdio.h>

static const char *name_at(struct name_list names, size_t index)
{
	const char *name;

	memcpy(&name, (const char *)names.items + index * names.item_size, sizeof(name));
	return name;
}

void policy_check_names(struct name_list names, const char *section, struct report *report)
{
	struct table seen = { .count = 0 };

	for (size_t i = 0; i < names.count; i++) {
		const char *name = name_at(names, i), *item = (const char *)names.items + i * names.item_size;
		const char *other;
		char place[64];

		if (!*name)
			continue;
		other = table_get(&seen, span_of_str(name));
		if (!other) {
			table_put(&seen, span_of_str(name), (void *)(uintptr_t)item);
			continue;
		}
		snprintf(place, sizeof(place), "%s[%zu].name", section, i);
		report_error_at(report, place, "%s is also the name of %s[%zu]",
			report_quote(span_of_str(name)).text, section,
			(size_t)(other - (const char *)names.items) / names.item_size);
	}
	table_fini(&seen);
}

void policy_complain_of_unknown(
	const char *what, struct span name, struct name_list known, const char *place, struct report *report)
{
	struct suggestion near = suggest_begin(name);

	for (size_t i = 0; i < known.count; i++)
		suggest_offer(&near, span_of_str(name_at(known, i)));
	if (near.best.len)
		report_error_at(report, place, "there %s %s, did you mean \"%.*s\"?", what,
			report_quote(name).text, SPAN_ARGS(near.best));
	else
		report_error_at(report, place, "there %s %s", what, report_quote(name).text);
}

struct table policy_rule_names(const struct policy_text *text)
{
	struct table rules = { .count = 0 };

	for (size_t i = 0; i < text->clients.count; i++)
		table_put(&rules, span_of_str(text->clients.items[i].name),
			(void *)(uintptr_t)&text->clients.items[i]);
	return rules;
}

void policy_compile_rule_names(struct policy *policy, const struct policy_text *text,
	const struct table *rules, struct text_list names, const char *path, struct pattern_set *out,
	struct report *report)
{
	struct name_list known = NAMES_OF(text->clients);

	for (size_t i = 0; i < names.count; i++) {
		struct span name = span_of_str(names.items[i]);
		char place[160];

		snprintf(place, sizeof(place), "%s[%zu]", path, i);
		if (table_get(rules, name))
			pattern_set_add(out, &policy->arena, name, "");
		else
			policy_complain_of_unknown("is no rule", name, known, place, report);
	}
	pattern_set_finish(out);
}
