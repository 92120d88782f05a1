#include "skein/cluster/limit_subject.h"

#include <stdlib.h>

struct domain {
	struct span name;
	size_t recipients;
};

struct takes {
	struct arena *arena;
	struct limit_take *items;
	size_t count;
};

static struct span domain_of(struct span address)
{
	size_t at = address.len;

	while (at > 0 && address.ptr[at - 1] != '@')
		at--;
	return span_drop(address, at);
}

static int by_name(const void *a, const void *b)
{
	const struct span left = ((const struct domain *)a)->name, right = ((const struct domain *)b)->name;

	for (size_t i = 0; i < left.len && i < right.len; i++) {
		char l = ascii_lower(left.ptr[i]), r = ascii_lower(right.ptr[i]);

		if (l != r)
			return l < r ? -1 : 1;
	}
	return (left.len > right.len) - (left.len < right.len);
}

/* Each once, with how many recipients it has. */
static size_t domains_of(
	const struct limit_subject *subject, struct arena *arena, const struct domain **domains_out)
{
	struct domain *domains = arena_alloc(arena, (subject->recipient_count + 1) * sizeof(*domains));
	size_t count = 0;

	for (size_t i = 0; i < subject->recipient_count; i++)
		domains[i] = (struct domain){ domain_of(subject->recipients[i]), 1 };
	qsort(domains, subject->recipient_count, sizeof(*domains), by_name);
	for (size_t i = 0; i < subject->recipient_count; i++) {
		if (count && by_name(&domains[count - 1], &domains[i]) == 0)
			domains[count - 1].recipients++;
		else
			domains[count++] = domains[i];
	}
	*domains_out = domains;
	return count;
}

static uint64_t cost_of(const struct limit_rule *rule, const struct limit_subject *subject, size_t recipients)
{
	switch (rule->unit) {
	case LIMIT_RECIPIENTS:
		return recipients;
	case LIMIT_BYTES:
		return subject->bytes;
	default:
		return 1;
	}
}

/* A directory, or who asks by hand, may name longer ones than a counter's name has room for. */
static void add(struct takes *takes, const struct limit_rule *rule, struct span value, uint64_t cost)
{
	if (value.len > LIMIT_VALUE_MAX)
		value.len = LIMIT_VALUE_MAX;
	takes->items[takes->count++] = (struct limit_take){ rule, arena_dup(takes->arena, value), cost };
}

/* The one counter of this rule; false: it has none for this subject. */
static bool value_of(enum limit_key key, const struct limit_subject *subject,
	char client[NETWORK_TEXT_LEN + 1], struct span *value_out)
{
	struct network network = network_client(&subject->client);

	switch (key) {
	case LIMIT_PER_CLIENT:
		network_format(&network, client);
		*value_out = span_of_str(client);
		return true;
	case LIMIT_PER_USER:
		*value_out = subject->user;
		return subject->user.len > 0;
	case LIMIT_PER_SENDER:
		*value_out = subject->sender.len ? subject->sender : SPAN_LIT("<>");
		return true;
	case LIMIT_PER_SENDER_DOMAIN:
		*value_out = subject->sender.len ? domain_of(subject->sender) : SPAN_LIT("<>");
		return true;
	case LIMIT_PER_ROUTE:
		*value_out = SPAN_LIT("default"); /* there is one */
		return true;
	default:
		*value_out = SPAN_LIT("all");
		return true;
	}
}

size_t limit_subject_takes(const struct limit_subject *subject, const struct limit_rule *const *limits,
	size_t limit_count, unsigned units, struct arena *arena, const struct limit_take **takes_out)
{
	const struct domain *domains = NULL;
	size_t domain_count = 0, room = limit_count;
	char client[NETWORK_TEXT_LEN + 1];
	struct takes takes = { .arena = arena };

	for (size_t i = 0; i < limit_count; i++) {
		if (limits[i]->key != LIMIT_PER_RECIPIENT_DOMAIN)
			continue;
		if (!domains)
			domain_count = domains_of(subject, arena, &domains);
		room += domain_count;
	}
	takes.items = arena_alloc(arena, (room + 1) * sizeof(*takes.items));
	for (size_t i = 0; i < limit_count; i++) {
		const struct limit_rule *rule = limits[i];
		struct span value;

		if (!(units & 1u << rule->unit))
			continue;
		if (rule->key == LIMIT_PER_RECIPIENT_DOMAIN) {
			for (size_t k = 0; k < domain_count; k++)
				add(&takes, rule, domains[k].name,
					cost_of(rule, subject, domains[k].recipients));
		} else if (value_of(rule->key, subject, client, &value)) {
			add(&takes, rule, value, cost_of(rule, subject, subject->recipient_count));
		}
	}
	*takes_out = takes.items;
	return takes.count;
}
