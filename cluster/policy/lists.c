#include "policy/policy_internal.h"

#include <stdio.h>

enum { PLACE_MAX = 192 };

#define LIST_MARK "list:"

enum list_kind { LIST_OF_NETWORKS, LIST_OF_ADDRESSES };

static struct text_list entries_of(const struct named_list *list, enum list_kind kind)
{
	return kind == LIST_OF_NETWORKS ? list->networks : list->addresses;
}

void policy_check_not_empty(
	struct text_list entries, const char *path, const char *key, struct report *report)
{
	char place[PLACE_MAX];

	snprintf(place, sizeof(place), "%s.%s", path, key);
	if (!entries.count && report_was_given(report, place))
		report_error_at(report, place, "is empty: leave the key out, or say what it may be");
}

static bool names_list(const char *entry)
{
	return strncmp(entry, LIST_MARK, strlen(LIST_MARK)) == 0;
}

/* What "list:NAME" stands for; empty where that was an error. */
static struct text_list resolve(const struct policy_text *text, const char *entry, enum list_kind kind,
	const char *place, struct report *report)
{
	struct span name = span_of_str(entry + strlen(LIST_MARK));
	struct text_list none = { NULL, 0 };

	for (size_t i = 0; i < text->lists.count; i++) {
		const struct named_list *list = &text->lists.items[i];

		if (!span_eq(span_of_str(list->name), name))
			continue;
		if (!entries_of(list, kind).count)
			report_error_at(report, place, "the list %s has no %s", report_quote(name).text,
				kind == LIST_OF_NETWORKS ? "networks" : "addresses");
		return entries_of(list, kind);
	}
	policy_complain_of_unknown("is no list", name, NAMES_OF(text->lists), place, report);
	return none;
}

static size_t count_entries(const struct policy_text *text, struct text_list entries, enum list_kind kind)
{
	struct report unheard = { 0 };
	size_t count = 0;

	for (size_t i = 0; i < entries.count; i++)
		count += names_list(entries.items[i])
				 ? resolve(text, entries.items[i], kind, "", &unheard).count
				 : 1;
	report_fini(&unheard);
	return count;
}

/* A long list that many rules name is there as many times. */
static bool take_room(struct policy *policy, size_t count, const char *path, struct report *report)
{
	if (count > POLICY_ENTRIES_MAX - policy->entry_count) {
		report_error_at(report, path,
			"has %zu entries, lists written out, and all rules, inspections and routes together "
			"may "
			"have %d: name long lists less often",
			count, POLICY_ENTRIES_MAX);
		return false;
	}
	policy->entry_count += count;
	return true;
}

/* --- networks ------------------------------------------------------------------------------------ */

static void parse_network(const char *entry, const char *place, struct cidr *cidr_out, struct report *report)
{
	const char *fault = cidr_parse(span_of_str(entry), cidr_out);

	if (fault)
		report_error_at(report, place, "%s %s", report_quote(span_of_str(entry)).text, fault);
}

struct cidr_list policy_compile_networks(struct policy *policy, const struct policy_text *text,
	struct text_list entries, const char *path, struct report *report)
{
	size_t room = count_entries(text, entries, LIST_OF_NETWORKS), count = 0;
	struct cidr *items;
	char place[PLACE_MAX];

	if (!take_room(policy, room, path, report))
		return (struct cidr_list){ NULL, 0 };
	items = arena_zalloc(&policy->arena, (room + 1) * sizeof(*items));

	for (size_t i = 0; i < entries.count; i++) {
		struct cidr unused;

		snprintf(place, sizeof(place), "%s[%zu]", path, i);
		if (!names_list(entries.items[i])) {
			parse_network(entries.items[i], place, &items[count++], report);
			continue;
		}
		struct text_list list = resolve(text, entries.items[i], LIST_OF_NETWORKS, place, report);

		/* What is wrong in there was told by policy_check_lists(). */
		for (size_t k = 0; k < list.count; k++)
			if (!cidr_parse(span_of_str(list.items[k]), &unused))
				items[count++] = unused;
	}
	return (struct cidr_list){ items, count };
}

/* --- addresses ----------------------------------------------------------------------------------- */

static bool is_domain_char(char c)
{
	return (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
	       c == '.' || c == '_' || c == '*' || c == '?' || (unsigned char)c >= 0x80;
}

static bool is_domain_pattern(struct span text)
{
	bool has_dot = false;

	for (size_t i = 0; i < text.len; i++) {
		if (!is_domain_char(text.ptr[i]) ||
			(text.ptr[i] == '.' && (i == 0 || i + 1 == text.len || text.ptr[i - 1] == '.')))
			return false;
		has_dot = has_dot || text.ptr[i] == '.';
	}
	return text.len && (has_dot || span_find(text, '*') < text.len);
}

/* The pattern in full: "example.org" and "@example.org" are "*@example.org". False: it is none. */
static bool expand_address(const char *entry, struct buf *out)
{
	struct span text = span_of_str(entry);
	size_t at = span_find(text, '@');

	if (at == text.len) {
		if (!is_domain_pattern(text))
			return false;
		if (!span_eq(text, SPAN_LIT("*")))
			buf_append_str(out, "*@");
	} else if (at == 0) {
		if (!is_domain_pattern(span_drop(text, 1)))
			return false;
		buf_append_byte(out, '*');
	} else if (at + 1 == text.len || span_find(span_drop(text, at + 1), '@') < text.len - at - 1) {
		return false;
	}
	buf_append(out, text);
	return true;
}

static void add_address(struct policy *policy, const char *entry, const char *place, struct pattern_set *set,
	struct report *report)
{
	struct buf pattern = { 0 };

	if (expand_address(entry, &pattern))
		pattern_set_add(set, &policy->arena, buf_span(&pattern),
			arena_strdup(&policy->arena, span_of_str(entry)));
	else
		report_error_at(report, place, "%s is no address, domain or pattern such as *@example.org",
			report_quote(span_of_str(entry)).text);
	buf_fini(&pattern);
}

static bool add_special(const char *entry, const struct address_entries *out)
{
	if (out->own && strcmp(entry, "own") == 0)
		*out->own = "own";
	else if (out->null_sender && strcmp(entry, "<>") == 0)
		*out->null_sender = "<>";
	else
		return false;
	return true;
}

void policy_compile_addresses(struct policy *policy, const struct policy_text *text, struct text_list entries,
	const char *path, const struct address_entries *out, struct report *report)
{
	char place[PLACE_MAX];

	if (!take_room(policy, count_entries(text, entries, LIST_OF_ADDRESSES), path, report))
		return;
	for (size_t i = 0; i < entries.count; i++) {
		const char *entry = entries.items[i];
		struct text_list list;

		snprintf(place, sizeof(place), "%s[%zu]", path, i);
		if (names_list(entry)) {
			struct report unheard = { 0 };

			list = resolve(text, entry, LIST_OF_ADDRESSES, place, report);
			for (size_t k = 0; k < list.count; k++)
				if (!add_special(list.items[k], out))
					add_address(policy, list.items[k], "", out->set, &unheard);
			report_fini(&unheard);
		} else if (!add_special(entry, out)) {
			add_address(policy, entry, place, out->set, report);
		}
	}
	pattern_set_finish(out->set);
}

/* --- the lists themselves ------------------------------------------------------------------------ */

static void check_list(struct policy *scratch, const struct named_list *list, struct report *report)
{
	char place[PLACE_MAX];
	struct pattern_set set = { 0 };

	if (!list->networks.count && !list->addresses.count) {
		snprintf(place, sizeof(place), "lists.%s", list->name);
		report_error_at(report, place, "has neither networks nor addresses");
	}
	for (size_t i = 0; i < list->networks.count; i++) {
		struct cidr cidr;

		snprintf(place, sizeof(place), "lists.%s.networks[%zu]", list->name, i);
		parse_network(list->networks.items[i], place, &cidr, report);
	}
	for (size_t i = 0; i < list->addresses.count; i++) {
		const char *entry = list->addresses.items[i];

		snprintf(place, sizeof(place), "lists.%s.addresses[%zu]", list->name, i);
		if (names_list(entry))
			report_error_at(report, place, "a list cannot name another list");
		else if (strcmp(entry, "own") != 0 && strcmp(entry, "<>") != 0)
			add_address(scratch, entry, place, &set, report);
	}
}

void policy_check_lists(const struct policy_text *text, struct report *report)
{
	struct policy scratch = { .rules = NULL };

	for (size_t i = 0; i < text->lists.count; i++)
		check_list(&scratch, &text->lists.items[i], report);
	arena_fini(&scratch.arena);
}
