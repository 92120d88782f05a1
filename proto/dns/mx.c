#include "skein/proto/dns/mx.h"

#include "skein/proto/dns/name.h"

#include <stdlib.h>

/* SplitMix64: one seed, as many draws as there are records. */
static uint64_t draw(uint64_t *state)
{
	uint64_t value = *state += 0x9e3779b97f4a7c15u;

	value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9u;
	value = (value ^ value >> 27) * 0x94d049bb133111ebu;
	return value ^ value >> 31;
}

static bool names_self(const char *host, const struct mx_self *self)
{
	for (size_t i = 0; i < self->count; i++) {
		if (dns_name_eq(span_of_str(host), span_of_str(self->names[i])))
			return true;
	}
	return false;
}

static bool has_host(const struct mx_choice *choice, const char *name, uint16_t port)
{
	for (size_t i = 0; i < choice->count; i++) {
		if (choice->hosts[i].port == port &&
			dns_name_eq(span_of_str(choice->hosts[i].name), span_of_str(name)))
			return true;
	}
	return false;
}

static void add_host(struct mx_choice *choice, struct mx_host host)
{
	if (choice->count < MX_HOSTS_MAX && !has_host(choice, host.name, host.port))
		choice->hosts[choice->count++] = host;
}

static int by_preference(const void *a, const void *b)
{
	return (int)((const struct dns_mx *)a)->preference - (int)((const struct dns_mx *)b)->preference;
}

/* Fisher and Yates. */
static void shuffle_mx(struct dns_mx *records, size_t count, uint64_t *state)
{
	for (size_t left = count; left > 1; left--) {
		size_t pick = (size_t)(draw(state) % left);
		struct dns_mx last = records[left - 1];

		records[left - 1] = records[pick];
		records[pick] = last;
	}
}

static bool is_null(const char *host)
{
	return strcmp(host, ".") == 0;
}

/* The best preference by which we are named ourselves; nobody at or above it is sent to. */
static unsigned find_own_preference(const struct dns_mx *records, size_t count, const struct mx_self *self)
{
	for (size_t i = 0; i < count; i++) {
		if (names_self(records[i].host, self))
			return records[i].preference;
	}
	return UINT16_MAX + 1u;
}

/* `records` are in order, those of one preference beside each other. */
static void add_mx_hosts(
	struct dns_mx *records, size_t count, unsigned below, uint64_t seed, struct mx_choice *choice)
{
	for (size_t begin = 0, end; begin < count && records[begin].preference < below; begin = end) {
		for (end = begin + 1; end < count && records[end].preference == records[begin].preference;)
			end++;
		shuffle_mx(records + begin, end - begin, &seed);
		for (size_t i = begin; i < end; i++) {
			if (dns_name_is_host(span_of_str(records[i].host)))
				add_host(choice, (struct mx_host){ .name = records[i].host,
							 .preference = records[i].preference });
		}
	}
}

void mx_choose(struct dns_mx *records, size_t count, const struct mx_self *self, uint64_t seed,
	struct mx_choice *choice_out)
{
	unsigned below;

	CHECK(count);
	*choice_out = (struct mx_choice){ .verdict = MX_HOSTS };
	/* RFC 7505 3: alone it is a null MX; beside others it is a name that cannot be a host. */
	if (count == 1 && is_null(records[0].host)) {
		choice_out->verdict = MX_NULL;
		return;
	}
	qsort(records, count, sizeof(*records), by_preference);
	if (count > MX_RECORDS_MAX)
		count = MX_RECORDS_MAX;
	below = find_own_preference(records, count, self);
	add_mx_hosts(records, count, below, seed, choice_out);
	if (!choice_out->count)
		choice_out->verdict = below <= UINT16_MAX ? MX_LOOP : MX_UNUSABLE;
}

/* RFC 2782: those of weight 0 first, so that they have a small chance too. */
static int by_priority(const void *a, const void *b)
{
	const struct dns_srv *left = a, *right = b;

	if (left->priority != right->priority)
		return (int)left->priority - (int)right->priority;
	return (int)left->weight - (int)right->weight;
}

/* The one that the draw meets; of the same priority, not yet taken. */
static size_t pick_by_weight(const struct dns_srv *records, size_t count, uint64_t *state)
{
	uint64_t sum = 0, wanted;
	size_t i = 0;

	for (size_t j = 0; j < count; j++)
		sum += records[j].weight;
	wanted = draw(state) % (sum + 1);
	for (uint64_t seen = records[0].weight; seen < wanted; seen += records[i].weight)
		i++;
	return i;
}

static void add_srv_hosts(struct dns_srv *records, size_t count, uint64_t *state, struct mx_choice *choice)
{
	while (count && choice->count < MX_HOSTS_MAX) {
		size_t pick = pick_by_weight(records, count, state);
		struct dns_srv taken = records[pick];

		memmove(records + pick, records + pick + 1, (count - pick - 1) * sizeof(*records));
		count--;
		if (dns_name_is_host(span_of_str(taken.host)) && taken.port)
			add_host(choice, (struct mx_host){ taken.host, taken.priority, taken.port });
	}
}

void mx_choose_srv(struct dns_srv *records, size_t count, uint64_t seed, struct mx_choice *choice_out)
{
	CHECK(count);
	*choice_out = (struct mx_choice){ .verdict = MX_HOSTS };
	if (count == 1 && is_null(records[0].host)) {
		choice_out->verdict = MX_NULL;
		return;
	}
	qsort(records, count, sizeof(*records), by_priority);
	if (count > MX_RECORDS_MAX)
		count = MX_RECORDS_MAX;
	for (size_t begin = 0, end; begin < count && choice_out->count < MX_HOSTS_MAX; begin = end) {
		for (end = begin + 1; end < count && records[end].priority == records[begin].priority;)
			end++;
		add_srv_hosts(records + begin, end - begin, &seed, choice_out);
	}
	if (!choice_out->count)
		choice_out->verdict = MX_UNUSABLE;
}

void mx_choose_implicit(const char *domain, const struct mx_self *self, struct mx_choice *choice_out)
{
	*choice_out = (struct mx_choice){ .verdict = MX_HOSTS };
	if (names_self(domain, self)) {
		choice_out->verdict = MX_LOOP;
		return;
	}
	add_host(choice_out, (struct mx_host){ .name = domain });
}

void mx_cut(struct mx_choice *choice, size_t index)
{
	size_t kept = 0;
	uint16_t preference;

	CHECK(index < choice->count);
	preference = choice->hosts[index].preference;
	while (kept < choice->count && choice->hosts[kept].preference < preference)
		kept++;
	choice->count = kept;
	if (!kept)
		choice->verdict = MX_LOOP;
}
