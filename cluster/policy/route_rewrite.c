/* Rewriting of a route: what a table cannot see of header fields and return paths. */
#include "policy/route_internal.h"

#include <stdio.h>

/* RFC 5322 3.6.8 */
static bool is_field_name(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] <= ' ' || text.ptr[i] > '~' || text.ptr[i] == ':')
			return false;
	return text.len > 0;
}

static bool is_ascii(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text >= 0x80)
			return false;
	return true;
}

static void check_field_name(const char *name, const char *place, struct report *report)
{
	if (!is_field_name(span_of_str(name)))
		report_error_at(report, place, "%s is no name of a header field, such as X-Mailer",
			report_quote(span_of_str(name)).text);
}

static void compile_remove(struct policy *policy, struct route_rewrite *rewrite, struct text_list names,
	struct place *place, struct report *report)
{
	const char **items = arena_alloc(&policy->arena, (names.count + 1) * sizeof(*items));

	policy_check_not_empty(names, place->path, "rewrite.remove", report);
	for (size_t i = 0; i < names.count; i++) {
		char key[48];

		snprintf(key, sizeof(key), "rewrite.remove[%zu]", i);
		check_field_name(names.items[i], place_below(place, key), report);
		if (span_eq_nocase(span_of_str(names.items[i]), SPAN_LIT("Received")))
			report_warning_at(report, place_below(place, key),
				"without Received nobody sees that mail goes in a circle");
		items[i] = arena_strdup(&policy->arena, span_of_str(names.items[i]));
	}
	rewrite->remove = items;
	rewrite->remove_count = names.count;
}

static void compile_add(struct policy *policy, struct route_rewrite *rewrite, struct field_text_list fields,
	struct place *place, struct report *report)
{
	struct route_field *items = arena_alloc(&policy->arena, (fields.count + 1) * sizeof(*items));

	for (size_t i = 0; i < fields.count; i++) {
		const struct field_text *field = &fields.items[i];
		char key[48];

		snprintf(key, sizeof(key), "rewrite.add[%zu].name", i);
		check_field_name(field->name, place_below(place, key), report);
		snprintf(key, sizeof(key), "rewrite.add[%zu].value", i);
		if (!is_ascii(field->value))
			report_error_at(report, place_below(place, key),
				"is not all ASCII: write it as an encoded word (RFC 2047)");
		items[i] = (struct route_field){
			.name = arena_strdup(&policy->arena, span_of_str(field->name)),
			.value = arena_strdup(&policy->arena, span_of_str(field->value)),
		};
	}
	rewrite->add = items;
	rewrite->add_count = fields.count;
}

static void check_srs(const struct rewrite_text *text, struct place *place, struct report *report)
{
	const char *key = place_below(place, "rewrite.return_path");

	if (!*text->return_domain)
		report_error_at(report, key, "srs needs return_domain, whose mail comes here");
	if (!*text->return_secret)
		report_error_at(report, key, "srs needs return_secret, the secret that it signs with");
	if (*text->sender_domain)
		report_error_at(report, place_below(place, "rewrite.sender_domain"),
			"has no effect: srs gives the sender return_domain");
}

static void check_return_path(const struct rewrite_text *text, struct place *place, struct report *report)
{
	if (text->return_path == ROUTE_RETURN_SRS) {
		check_srs(text, place, report);
		return;
	}
	if (*text->return_secret)
		report_error_at(report, place_below(place, "rewrite.return_secret"),
			"has no effect without return_path: srs");
	if (*text->return_domain && text->return_path == ROUTE_RETURN_KEEP)
		report_error_at(report, place_below(place, "rewrite.return_domain"),
			"has no effect without return_path: srs or verp");
}

void policy_compile_rewrite(struct policy *policy, struct route_rewrite *rewrite,
	const struct rewrite_text *text, struct place *place, struct report *report)
{
	struct arena *arena = &policy->arena;

	compile_remove(policy, rewrite, text->remove, place, report);
	compile_add(policy, rewrite, text->add, place, report);
	check_return_path(text, place, report);
	rewrite->from_domain = arena_strdup(arena, span_of_str(text->from_domain));
	rewrite->sender_domain = arena_strdup(arena, span_of_str(text->sender_domain));
	rewrite->return_path = text->return_path;
	rewrite->return_domain = arena_strdup(arena, span_of_str(text->return_domain));
	rewrite->return_secret = arena_strdup(arena, span_of_str(text->return_secret));
}

static const struct rewrite_text *srs_of(const struct policy_text *text, size_t number)
{
	const struct rewrite_text *rewrite = &text->routes.items[number].rewrite;

	return rewrite->return_path == ROUTE_RETURN_SRS ? rewrite : NULL;
}

/* The first route before this one that gives out addresses of the same domain; `number` itself: none. */
static size_t find_same_domain(const struct policy_text *text, size_t number)
{
	struct span domain = span_of_str(srs_of(text, number)->return_domain);

	for (size_t i = 0; i < number; i++)
		if (srs_of(text, i) && span_eq_nocase(span_of_str(srs_of(text, i)->return_domain), domain))
			return i;
	return number;
}

void policy_check_return_secrets(const struct policy_text *text, struct report *report)
{
	for (size_t i = 1; i < text->routes.count; i++) {
		const struct rewrite_text *own = srs_of(text, i), *first;
		struct place place;

		if (!own || !*own->return_domain || !*own->return_secret)
			continue;
		first = srs_of(text, find_same_domain(text, i));
		if (!*first->return_secret || strcmp(own->return_secret, first->return_secret) == 0)
			continue;
		snprintf(place.path, sizeof(place.path), "routes[%zu]", i);
		report_error_at(report, place_below(&place, "rewrite.return_secret"),
			"%s is another than \"%s\", with which routes[%zu] signs for %s: what comes back to "
			"a "
			"domain is opened with one secret",
			report_quote(span_of_str(own->return_secret)).text, first->return_secret,
			find_same_domain(text, i), own->return_domain);
	}
}
