#include "policy/pattern_set.h"

#include <stdlib.h>

bool pattern_matches(struct span pattern, struct span text)
{
	size_t p = 0, t = 0, star = SIZE_MAX, resume = 0;

	/* What a star has to swallow grows only when what follows it does not fit. */
	while (t < text.len) {
		if (p < pattern.len && pattern.ptr[p] == '*') {
			star = p++;
			resume = t;
		} else if (p < pattern.len &&
			   (pattern.ptr[p] == '?' || pattern.ptr[p] == ascii_lower(text.ptr[t]))) {
			p++;
			t++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			t = ++resume;
		} else {
			return false;
		}
	}
	while (p < pattern.len && pattern.ptr[p] == '*')
		p++;
	return p == pattern.len;
}

static bool has_wildcard(struct span text)
{
	return span_find(text, '*') < text.len || span_find(text, '?') < text.len;
}

static struct pattern_group *group_for(struct pattern_set *set, struct span *text)
{
	if (!has_wildcard(*text))
		return &set->whole;
	if (span_starts_with(*text, SPAN_LIT("*@")) && !has_wildcard(span_drop(*text, 2))) {
		*text = span_drop(*text, 2);
		return &set->domains;
	}
	return &set->globs;
}

void pattern_set_add(struct pattern_set *set, struct arena *arena, struct span text, const char *entry)
{
	struct pattern_group *group = group_for(set, &text);
	char *copy = arena_strdup(arena, text);

	for (char *at = copy; *at; at++)
		*at = ascii_lower(*at);
	if (group->count == group->cap) {
		struct pattern *grown;

		group->cap = group->cap ? group->cap * 2 : 4;
		grown = arena_alloc(arena, group->cap * sizeof(*grown));
		if (group->count)
			memcpy(grown, group->items, group->count * sizeof(*grown));
		group->items = grown;
	}
	group->items[group->count++] = (struct pattern){ span_of(copy, text.len), entry };
}

/* `pattern` is in lower case. */
static int compare(struct span text, struct span pattern)
{
	for (size_t i = 0; i < text.len && i < pattern.len; i++) {
		int difference = (unsigned char)ascii_lower(text.ptr[i]) - (unsigned char)pattern.ptr[i];

		if (difference)
			return difference;
	}
	return (text.len > pattern.len) - (text.len < pattern.len);
}

static int by_text(const void *a, const void *b)
{
	return compare(((const struct pattern *)a)->text, ((const struct pattern *)b)->text);
}

static void sort(struct pattern_group *group)
{
	if (group->count)
		qsort(group->items, group->count, sizeof(*group->items), by_text);
}

void pattern_set_finish(struct pattern_set *set)
{
	sort(&set->whole);
	sort(&set->domains);
}

bool pattern_set_is_empty(const struct pattern_set *set)
{
	return !set->whole.count && !set->domains.count && !set->globs.count;
}

static const char *bisect(const struct pattern_group *group, struct span text)
{
	size_t low = 0, high = group->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = compare(text, group->items[middle].text);

		if (order == 0)
			return group->items[middle].entry;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

static struct span domain_of(struct span address)
{
	size_t at = address.len;

	while (at && address.ptr[at - 1] != '@')
		at--;
	return at ? span_drop(address, at) : (struct span){ 0 };
}

const char *pattern_set_find(const struct pattern_set *set, struct span text)
{
	const char *entry = bisect(&set->whole, text);
	struct span domain = domain_of(text);

	if (!entry && domain.len)
		entry = bisect(&set->domains, domain);
	for (size_t i = 0; i < set->globs.count && !entry; i++)
		if (pattern_matches(set->globs.items[i].text, text))
			entry = set->globs.items[i].entry;
	return entry;
}

static bool covers_glob(const struct pattern_set *outer, struct span glob)
{
	for (size_t i = 0; i < outer->globs.count; i++)
		if (span_eq(outer->globs.items[i].text, SPAN_LIT("*")) ||
			span_eq(outer->globs.items[i].text, glob))
			return true;
	return false;
}

bool pattern_set_covers(const struct pattern_set *outer, const struct pattern_set *inner)
{
	for (size_t i = 0; i < inner->whole.count; i++)
		if (!pattern_set_find(outer, inner->whole.items[i].text))
			return false;
	for (size_t i = 0; i < inner->domains.count; i++)
		if (!bisect(&outer->domains, inner->domains.items[i].text) &&
			!covers_glob(outer, SPAN_LIT("*")))
			return false;
	for (size_t i = 0; i < inner->globs.count; i++)
		if (!covers_glob(outer, inner->globs.items[i].text))
			return false;
	return true;
}
