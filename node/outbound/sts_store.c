#include "outbound/sts_store.h"

#include "skein/proto/base/alloc.h"
#include "skein/proto/base/list.h"
#include "skein/proto/base/table.h"

#include <pthread.h>

struct entry {
	struct list link;             /* store->used, the latest first */
	struct span domain, text, id; /* owned; no text: no policy */
	uint64_t fetched_at_s, tried_at_s;
	uint32_t max_age_s;
};

struct sts_store {
	pthread_mutex_t lock;
	struct table entries;
	struct list used;
	size_t bytes; /* of text */
};

static struct span own_copy(struct span text)
{
	return span_of(text.len ? mem_dup(text.ptr, text.len) : NULL, text.len);
}

static void drop_text(struct sts_store *store, struct entry *entry)
{
	store->bytes -= entry->text.len;
	mem_free((void *)(uintptr_t)entry->text.ptr);
	mem_free((void *)(uintptr_t)entry->id.ptr);
	entry->text = entry->id = span_of(NULL, 0);
}

static void forget(struct sts_store *store, struct entry *entry)
{
	table_remove(&store->entries, entry->domain);
	list_remove(&entry->link);
	drop_text(store, entry);
	mem_free((void *)(uintptr_t)entry->domain.ptr);
	mem_free(entry);
}

struct sts_store *sts_store_new(const uint64_t seed[2])
{
	struct sts_store *store = mem_zalloc(sizeof(*store));

	CHECK(pthread_mutex_init(&store->lock, NULL) == 0);
	table_init(&store->entries, seed);
	list_init(&store->used);
	return store;
}

void sts_store_free(struct sts_store **pointer)
{
	struct sts_store *store = *pointer;

	*pointer = NULL;
	if (!store)
		return;
	LIST_EACH_SAFE(it, &store->used)
	forget(store, LIST_ENTRY(it, struct entry, link));
	table_fini(&store->entries);
	pthread_mutex_destroy(&store->lock);
	mem_free(store);
}

static struct entry *find(struct sts_store *store, struct span domain)
{
	struct entry *entry = table_get(&store->entries, domain);

	if (!entry)
		return NULL;
	list_remove(&entry->link);
	list_push_front(&store->used, &entry->link);
	return entry;
}

static void make_room(struct sts_store *store, const struct entry *keep)
{
	while (store->entries.count > STS_DOMAINS_MAX || store->bytes > STS_BYTES_MAX) {
		struct entry *last = LIST_ENTRY(store->used.prev, struct entry, link);

		if (last == keep)
			return;
		forget(store, last);
	}
}

static struct entry *find_or_make(struct sts_store *store, struct span domain)
{
	struct entry *entry = find(store, domain);

	if (entry)
		return entry;
	entry = mem_zalloc(sizeof(*entry));
	entry->domain = own_copy(domain);
	list_init(&entry->link);
	list_push_front(&store->used, &entry->link);
	table_put(&store->entries, entry->domain, entry);
	make_room(store, entry);
	return entry;
}

bool sts_store_get(struct sts_store *store, struct span domain, uint64_t now_s, struct arena *arena,
	struct sts_kept_policy *kept_out)
{
	struct entry *entry;
	bool has_one;

	pthread_mutex_lock(&store->lock);
	entry = find(store, domain);
	has_one = entry && entry->text.len;
	if (has_one) {
		kept_out->text = arena_dup(arena, entry->text);
		kept_out->kept = (struct mta_sts_kept){ entry->fetched_at_s, entry->max_age_s,
			arena_dup(arena, entry->id) };
		has_one = mta_sts_freshness(&kept_out->kept, span_of(NULL, 0), now_s) != MTA_STS_EXPIRED;
	}
	pthread_mutex_unlock(&store->lock);
	return has_one;
}

void sts_store_put(struct sts_store *store, struct span domain, const struct sts_kept_policy *policy)
{
	struct entry *entry;

	pthread_mutex_lock(&store->lock);
	entry = find_or_make(store, domain);
	drop_text(store, entry);
	entry->text = own_copy(policy->text);
	entry->id = own_copy(policy->kept.id);
	entry->fetched_at_s = policy->kept.fetched_at_s;
	entry->max_age_s = policy->kept.max_age_s;
	store->bytes += entry->text.len;
	make_room(store, entry);
	pthread_mutex_unlock(&store->lock);
}

bool sts_store_may_fetch(struct sts_store *store, struct span domain, uint64_t now_s)
{
	const struct entry *entry;
	bool may;

	pthread_mutex_lock(&store->lock);
	entry = find(store, domain);
	/* A clock that was set back forbids nothing. */
	may = !entry || now_s >= entry->tried_at_s + STS_AGAIN_S || now_s < entry->tried_at_s;
	pthread_mutex_unlock(&store->lock);
	return may;
}

void sts_store_tried(struct sts_store *store, struct span domain, uint64_t now_s)
{
	pthread_mutex_lock(&store->lock);
	find_or_make(store, domain)->tried_at_s = now_s;
	pthread_mutex_unlock(&store->lock);
}
