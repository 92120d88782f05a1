#include "inbound/admission.h"

#include "skein/proto/base/alloc.h"
#include "skein/proto/base/table.h"

#include <pthread.h>

struct client {
	char key[16];
	uint64_t connections;
};

struct admission {
	pthread_mutex_t lock;
	struct table clients; /* under lock; by address without the port */
	size_t total;         /* under lock */
};

struct admission *admission_new(const uint64_t seed[2])
{
	struct admission *admission = mem_zalloc(sizeof(*admission));

	pthread_mutex_init(&admission->lock, NULL);
	table_init(&admission->clients, seed);
	return admission;
}

void admission_free(struct admission **admission)
{
	struct client *client;
	size_t cursor = 0;

	while ((client = table_next(&(*admission)->clients, &cursor)))
		mem_free(client);
	table_fini(&(*admission)->clients);
	pthread_mutex_destroy(&(*admission)->lock);
	mem_free(*admission);
	*admission = NULL;
}

/* An IPv6 client is its /64: that is what one customer has. */
static struct span key_of(const struct address *client, char bytes[16])
{
	memset(bytes, 0, 16);
	if (client->sa.sa_family == AF_INET6) {
		memcpy(bytes, &client->v6.sin6_addr, 8);
		return span_of(bytes, 16);
	}
	memcpy(bytes, &client->v4.sin_addr, 4);
	return span_of(bytes, 4);
}

static struct client *client_of(struct admission *admission, struct span key)
{
	struct client *client = table_get(&admission->clients, key);

	if (!client) {
		client = mem_zalloc(sizeof(*client));
		memcpy(client->key, key.ptr, key.len);
		table_put(&admission->clients, span_of(client->key, key.len), client);
	}
	return client;
}

enum admission_verdict admission_enter(struct admission *admission, const struct address *address,
	uint64_t total_max, uint64_t per_client_max)
{
	enum admission_verdict verdict = ADMISSION_YES;
	char bytes[16];
	struct span key = key_of(address, bytes);
	struct client *client;

	pthread_mutex_lock(&admission->lock);
	client = table_get(&admission->clients, key);
	if (total_max && admission->total >= total_max) {
		verdict = ADMISSION_TOO_MANY;
	} else if (per_client_max && client && client->connections >= per_client_max) {
		verdict = ADMISSION_TOO_MANY_OF_CLIENT;
	} else {
		client_of(admission, key)->connections++;
		admission->total++;
	}
	pthread_mutex_unlock(&admission->lock);
	return verdict;
}

void admission_leave(struct admission *admission, const struct address *address)
{
	char bytes[16];
	struct span key = key_of(address, bytes);
	struct client *client;

	pthread_mutex_lock(&admission->lock);
	client = table_get(&admission->clients, key);
	CHECK(client && client->connections && admission->total);
	admission->total--;
	if (--client->connections == 0) {
		table_remove(&admission->clients, key);
		mem_free(client);
	}
	pthread_mutex_unlock(&admission->lock);
}

size_t admission_count(struct admission *admission)
{
	size_t total;

	pthread_mutex_lock(&admission->lock);
	total = admission->total;
	pthread_mutex_unlock(&admission->lock);
	return total;
}
