#include "skein/proto/dnscheck/dns_facts.h"

#include "skein/proto/base/alloc.h"

#include <stdlib.h>

struct entry {
	struct dns_wanted question;
	struct dns_fact fact;
	bool is_known;
};

struct dns_facts {
	struct arena arena;
	struct entry *entries[DNS_FACTS_MAX];
	size_t count;
};

static const struct dns_fact too_many = {
	.status = DNS_FACT_FAILED,
	.why = "that were too many questions to the DNS",
};

const char *dns_fact_kind_name(enum dns_fact_kind kind)
{
	static const char *const names[] = {
		[DNS_FACT_TXT] = "TXT",
		[DNS_FACT_A] = "A",
		[DNS_FACT_AAAA] = "AAAA",
		[DNS_FACT_MX] = "MX",
		[DNS_FACT_PTR] = "PTR",
		[DNS_FACT_TLSA] = "TLSA",
		[DNS_FACT_POLICY] = "policy",
	};

	return names[kind];
}

struct dns_facts *dns_facts_new(void)
{
	return mem_zalloc(sizeof(struct dns_facts));
}

void dns_facts_free(struct dns_facts **facts)
{
	if (!*facts)
		return;
	arena_fini(&(*facts)->arena);
	mem_free(*facts);
	*facts = NULL;
}

static struct span without_dot(struct span name)
{
	return name.len > 1 && name.ptr[name.len - 1] == '.' ? span_take(name, name.len - 1) : name;
}

static struct entry *find(const struct dns_facts *facts, enum dns_fact_kind kind, struct span name)
{
	for (size_t i = 0; i < facts->count; i++) {
		struct entry *entry = facts->entries[i];

		if (entry->question.kind == kind && span_eq_nocase(entry->question.name, name))
			return entry;
	}
	return NULL;
}

const struct dns_fact *dns_facts_get(struct dns_facts *facts, enum dns_fact_kind kind, struct span name)
{
	struct entry *entry = find(facts, kind, without_dot(name));

	if (entry)
		return entry->is_known ? &entry->fact : NULL;
	if (facts->count == DNS_FACTS_MAX)
		return &too_many;
	entry = arena_zalloc(&facts->arena, sizeof(*entry));
	entry->question.kind = kind;
	entry->question.name = arena_dup(&facts->arena, without_dot(name));
	facts->entries[facts->count++] = entry;
	return NULL;
}

bool dns_facts_wanted(const struct dns_facts *facts, size_t *index, struct dns_wanted *wanted_out)
{
	while (*index < facts->count) {
		const struct entry *entry = facts->entries[(*index)++];

		if (!entry->is_known) {
			*wanted_out = entry->question;
			return true;
		}
	}
	return false;
}

static int compare(const void *left, const void *right)
{
	const struct span *a = left, *b = right;
	size_t len = a->len < b->len ? a->len : b->len;
	int order = len ? memcmp(a->ptr, b->ptr, len) : 0;

	return order ? order : (a->len > b->len) - (a->len < b->len);
}

void dns_facts_put(struct dns_facts *facts, const struct dns_wanted *question, const struct dns_fact *fact)
{
	struct entry *entry = find(facts, question->kind, question->name);
	struct span *records = arena_alloc(&facts->arena, (fact->count + 1) * sizeof(*records));

	CHECK(entry && !entry->is_known);
	for (size_t i = 0; i < fact->count; i++)
		records[i] = arena_dup(&facts->arena, fact->records[i]);
	/* Servers change the order of what has none; findings are to stay the same. */
	if (question->kind != DNS_FACT_MX)
		qsort(records, fact->count, sizeof(*records), compare);
	entry->fact = *fact;
	entry->fact.records = records;
	entry->fact.why = fact->why ? arena_strdup(&facts->arena, span_of_str(fact->why)) : NULL;
	if (fact->status == DNS_FACT_RECORDS && !fact->count)
		entry->fact.status = DNS_FACT_NO_DATA;
	entry->is_known = true;
}
