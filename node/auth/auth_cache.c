#include "auth/auth_cache.h"

#include "skein/proto/base/alloc.h"
#include "skein/proto/base/buf.h"
#include "skein/proto/base/check.h"
#include "skein/proto/base/list.h"
#include "skein/proto/base/table.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>

enum { MARK_LEN = 32, NAME_TTL_MS = 600000 };
enum kind { KIND_RIGHT, KIND_WRONG, KIND_IDENTITY, KIND_NAME, KIND_COUNT };

struct entry {
	struct list link; /* oldest first */
	enum kind kind;
	char mark[MARK_LEN]; /* the table's key */
	uint64_t added_at_ms;
	struct identity *identity; /* counted; may be NULL for what was wrong */
};

/* Entries of one kind. */
struct shelf {
	struct table table;
	struct list order;
	uint64_t ttl_ms;
};

struct auth_cache {
	pthread_mutex_t lock;
	struct shelf shelves[KIND_COUNT];
	uint64_t entries_max;
	uint8_t key[32];
};

static void set_options(struct auth_cache *cache, const struct auth_cache_options *options)
{
	cache->shelves[KIND_RIGHT].ttl_ms = options->password_ttl_ms;
	cache->shelves[KIND_WRONG].ttl_ms = options->wrong_ttl_ms;
	cache->shelves[KIND_IDENTITY].ttl_ms = options->identity_ttl_ms;
	cache->shelves[KIND_NAME].ttl_ms = NAME_TTL_MS;
	cache->entries_max = options->entries_max;
}

struct auth_cache *auth_cache_new(const struct auth_cache_options *options, const uint8_t key[32])
{
	struct auth_cache *cache = mem_zalloc(sizeof(*cache));
	uint64_t seed[2];

	memcpy(cache->key, key, sizeof(cache->key));
	/* Keys of the tables are HMACs: nobody can choose them. */
	memcpy(seed, key, sizeof(seed));
	for (size_t i = 0; i < KIND_COUNT; i++) {
		table_init(&cache->shelves[i].table, seed);
		list_init(&cache->shelves[i].order);
	}
	set_options(cache, options);
	CHECK(pthread_mutex_init(&cache->lock, NULL) == 0);
	return cache;
}

static void drop(struct auth_cache *cache, struct entry *entry)
{
	table_remove(&cache->shelves[entry->kind].table, span_of(entry->mark, MARK_LEN));
	list_remove(&entry->link);
	identity_unref(&entry->identity);
	mem_wipe(entry, sizeof(*entry));
	mem_free(entry);
}

static void drop_all(struct auth_cache *cache)
{
	for (size_t i = 0; i < KIND_COUNT; i++)
		while (!list_is_empty(&cache->shelves[i].order))
			drop(cache, LIST_FIRST(&cache->shelves[i].order, struct entry, link));
}

void auth_cache_free(struct auth_cache **cache)
{
	if (!*cache)
		return;
	drop_all(*cache);
	for (size_t i = 0; i < KIND_COUNT; i++)
		table_fini(&(*cache)->shelves[i].table);
	pthread_mutex_destroy(&(*cache)->lock);
	mem_wipe(*cache, sizeof(**cache));
	mem_free(*cache);
	*cache = NULL;
}

void auth_cache_clear(struct auth_cache *cache)
{
	pthread_mutex_lock(&cache->lock);
	drop_all(cache);
	pthread_mutex_unlock(&cache->lock);
}

void auth_cache_set_options(struct auth_cache *cache, const struct auth_cache_options *options)
{
	pthread_mutex_lock(&cache->lock);
	set_options(cache, options);
	pthread_mutex_unlock(&cache->lock);
}

/* HMAC(key, kind | 0 | lower case of the name | 0 | password); neither name nor password holds a zero byte.
 */
static void mark_of(const struct auth_cache *cache, char kind, struct span name, struct span password,
	char mark_out[MARK_LEN])
{
	struct buf text = { 0 };
	unsigned len = MARK_LEN;

	buf_reserve(&text, name.len + password.len + 3);
	buf_append_byte(&text, kind);
	buf_append_byte(&text, '\0');
	for (size_t i = 0; i < name.len; i++)
		buf_append_byte(&text, ascii_lower(name.ptr[i]));
	buf_append_byte(&text, '\0');
	buf_append(&text, password);
	CHECK(HMAC(EVP_sha256(), cache->key, sizeof(cache->key), (const unsigned char *)buf_span(&text).ptr,
		buf_len(&text), (unsigned char *)mark_out, &len));
	mem_wipe(text.base, text.cap);
	buf_fini(&text);
}

/* Under the lock. NULL when there is none, or none that is young enough. */
static struct entry *find(
	struct auth_cache *cache, enum kind kind, const char mark[MARK_LEN], uint64_t now_ms)
{
	struct shelf *shelf = &cache->shelves[kind];
	struct entry *entry = table_get(&shelf->table, span_of(mark, MARK_LEN));

	if (entry && now_ms >= entry->added_at_ms + shelf->ttl_ms) {
		drop(cache, entry);
		return NULL;
	}
	return entry;
}

/* Under the lock. */
static void make_room(struct auth_cache *cache, struct shelf *shelf, uint64_t now_ms)
{
	while (!list_is_empty(&shelf->order)) {
		struct entry *oldest = LIST_FIRST(&shelf->order, struct entry, link);

		if (now_ms < oldest->added_at_ms + shelf->ttl_ms && shelf->table.count < cache->entries_max)
			break;
		drop(cache, oldest);
	}
}

static void add(struct auth_cache *cache, enum kind kind, const char mark[MARK_LEN],
	struct identity *identity, uint64_t now_ms)
{
	struct shelf *shelf = &cache->shelves[kind];
	struct entry *entry;

	pthread_mutex_lock(&cache->lock);
	entry = table_get(&shelf->table, span_of(mark, MARK_LEN));
	if (entry)
		drop(cache, entry);
	make_room(cache, shelf, now_ms);
	if (shelf->ttl_ms) {
		entry = mem_zalloc(sizeof(*entry));
		entry->kind = kind;
		entry->added_at_ms = now_ms;
		entry->identity = identity ? identity_ref(identity) : NULL;
		memcpy(entry->mark, mark, MARK_LEN);
		list_push_back(&shelf->order, &entry->link);
		table_put(&shelf->table, span_of(entry->mark, MARK_LEN), entry);
	}
	pthread_mutex_unlock(&cache->lock);
}

/* Under the lock. */
static enum cache_answer answer_right(
	struct auth_cache *cache, const struct entry *entry, uint64_t now_ms, struct identity **identity_out)
{
	char mark[MARK_LEN];
	struct entry *fresh;

	mark_of(cache, 'i', span_of_str(entry->identity->user), (struct span){ 0 }, mark);
	fresh = find(cache, KIND_IDENTITY, mark, now_ms);
	*identity_out = identity_ref(fresh ? fresh->identity : entry->identity);
	return fresh ? CACHE_RIGHT : CACHE_PROVED;
}

enum cache_answer auth_cache_find(struct auth_cache *cache, struct span login, struct span password,
	uint64_t now_ms, struct identity **identity_out)
{
	enum cache_answer answer = CACHE_UNKNOWN;
	struct entry *entry;
	char mark[MARK_LEN];

	*identity_out = NULL;
	mark_of(cache, 'p', login, password, mark);
	pthread_mutex_lock(&cache->lock);
	if ((entry = find(cache, KIND_RIGHT, mark, now_ms))) {
		answer = answer_right(cache, entry, now_ms, identity_out);
	} else if ((entry = find(cache, KIND_WRONG, mark, now_ms))) {
		*identity_out = entry->identity ? identity_ref(entry->identity) : NULL;
		answer = CACHE_WRONG;
	}
	pthread_mutex_unlock(&cache->lock);
	return answer;
}

static void forget(struct auth_cache *cache, enum kind kind, const char mark[MARK_LEN])
{
	struct entry *entry;

	pthread_mutex_lock(&cache->lock);
	entry = table_get(&cache->shelves[kind].table, span_of(mark, MARK_LEN));
	if (entry)
		drop(cache, entry);
	pthread_mutex_unlock(&cache->lock);
}

void auth_cache_add_right(struct auth_cache *cache, struct span login, struct span password,
	struct identity *identity, uint64_t now_ms)
{
	char mark[MARK_LEN];

	mark_of(cache, 'p', login, password, mark);
	forget(cache, KIND_WRONG, mark);
	add(cache, KIND_RIGHT, mark, identity, now_ms);
}

void auth_cache_add_wrong(struct auth_cache *cache, struct span login, struct span password,
	struct identity *identity, uint64_t now_ms)
{
	char mark[MARK_LEN];

	mark_of(cache, 'p', login, password, mark);
	forget(cache, KIND_RIGHT, mark);
	add(cache, KIND_WRONG, mark, identity, now_ms);
}

void auth_cache_remove(struct auth_cache *cache, struct span login, struct span password)
{
	char mark[MARK_LEN];

	mark_of(cache, 'p', login, password, mark);
	forget(cache, KIND_RIGHT, mark);
}

static struct identity *find_by_name(
	struct auth_cache *cache, enum kind kind, struct span name, uint64_t now_ms)
{
	struct identity *identity = NULL;
	struct entry *entry;
	char mark[MARK_LEN];

	mark_of(cache, 'i', name, (struct span){ 0 }, mark);
	pthread_mutex_lock(&cache->lock);
	entry = find(cache, kind, mark, now_ms);
	if (entry)
		identity = identity_ref(entry->identity);
	pthread_mutex_unlock(&cache->lock);
	return identity;
}

static void add_by_name(struct auth_cache *cache, enum kind kind, struct span name, struct identity *identity,
	uint64_t now_ms)
{
	char mark[MARK_LEN];

	mark_of(cache, 'i', name, (struct span){ 0 }, mark);
	add(cache, kind, mark, identity, now_ms);
}

struct identity *auth_cache_find_name(struct auth_cache *cache, struct span name, uint64_t now_ms)
{
	return find_by_name(cache, KIND_NAME, name, now_ms);
}

void auth_cache_add_name(
	struct auth_cache *cache, struct span name, struct identity *identity, uint64_t now_ms)
{
	add_by_name(cache, KIND_NAME, name, identity, now_ms);
}

struct identity *auth_cache_find_identity(struct auth_cache *cache, struct span name, uint64_t now_ms)
{
	return find_by_name(cache, KIND_IDENTITY, name, now_ms);
}

void auth_cache_add_identity(
	struct auth_cache *cache, struct span name, struct identity *identity, uint64_t now_ms)
{
	add_by_name(cache, KIND_IDENTITY, name, identity, now_ms);
}
