#include "skein/cluster/ban_list.h"

#include "skein/proto/base/alloc.h"

struct entry {
	struct heap_node by_end;
	struct network network;
};

void ban_list_init(struct ban_list *list, size_t bans_max, const uint64_t seed[2])
{
	CHECK(bans_max > 0);
	*list = (struct ban_list){ .bans_max = bans_max };
	table_init(&list->by_network, seed);
}

static void forget(struct ban_list *list, struct entry *entry)
{
	table_remove(&list->by_network, network_key(&entry->network));
	heap_remove(&list->by_end, &entry->by_end);
	list->count_of_prefix[entry->network.prefix]--;
	mem_free(entry);
}

static struct entry *first_to_end(const struct ban_list *list)
{
	struct heap_node *node = heap_peek(&list->by_end);

	return node ? CONTAINER_OF(node, struct entry, by_end) : NULL;
}

void ban_list_clear(struct ban_list *list)
{
	struct entry *entry;

	while ((entry = first_to_end(list)))
		forget(list, entry);
}

void ban_list_fini(struct ban_list *list)
{
	ban_list_clear(list);
	table_fini(&list->by_network);
	heap_fini(&list->by_end);
}

void ban_list_set(struct ban_list *list, const struct network *network, uint64_t until_ms)
{
	struct entry *entry = table_get(&list->by_network, network_key(network));

	if (until_ms == 0) {
		if (entry)
			forget(list, entry);
		return;
	}
	if (!entry) {
		if (list->by_network.count >= list->bans_max)
			forget(list, first_to_end(list));
		entry = mem_zalloc(sizeof(*entry));
		entry->network = *network;
		table_put(&list->by_network, network_key(&entry->network), entry);
		list->count_of_prefix[network->prefix]++;
	}
	heap_set(&list->by_end, &entry->by_end, until_ms);
}

uint64_t ban_list_find(struct ban_list *list, const struct network *address, uint64_t now_ms)
{
	uint64_t until_ms = 0;
	struct entry *entry;

	while ((entry = first_to_end(list)) && entry->by_end.due <= now_ms)
		forget(list, entry);
	for (unsigned prefix = 0; prefix <= address->prefix && list->by_network.count; prefix++) {
		struct network wide;

		if (!list->count_of_prefix[prefix])
			continue;
		wide = network_widen(address, prefix);
		entry = table_get(&list->by_network, network_key(&wide));
		if (entry && entry->by_end.due > until_ms)
			until_ms = entry->by_end.due;
	}
	return until_ms;
}
