#include "io/redis_master.h"

#include "skein/proto/base/alloc.h"

#include <stdio.h>
#include <string.h>

/* News on their way outlive the watch: who comes last frees it. */
struct redis_master_watch {
	struct list link; /* under the master's lock */
	struct loop *loop;
	loop_fn *fn; /* NULL: given up. On the loop's thread only */
	void *arg;
	atomic_uint refs;
};

struct news {
	struct loop_msg msg;
	struct redis_master_watch *watch;
};

struct redis_master {
	pthread_mutex_t lock;
	struct redis_place place;
	char trouble[256];
	struct list watches;
};

struct redis_master *redis_master_new(void)
{
	struct redis_master *master = mem_zalloc(sizeof(*master));

	CHECK(pthread_mutex_init(&master->lock, NULL) == 0);
	list_init(&master->watches);
	return master;
}

void redis_master_free(struct redis_master **master_ref)
{
	struct redis_master *master = *master_ref;

	if (!master)
		return;
	CHECK(list_is_empty(&master->watches));
	pthread_mutex_destroy(&master->lock);
	mem_free(master);
	*master_ref = NULL;
}

static void unref(struct redis_master_watch *watch)
{
	if (atomic_fetch_sub(&watch->refs, 1) == 1)
		mem_free(watch);
}

static void on_news(void *arg)
{
	struct news *news = arg;
	struct redis_master_watch *watch = news->watch;

	mem_free(news);
	if (watch->fn)
		watch->fn(watch->arg);
	unref(watch);
}

static void tell(struct redis_master_watch *watch)
{
	struct news *news = mem_zalloc(sizeof(*news));

	news->watch = watch;
	atomic_fetch_add(&watch->refs, 1);
	loop_msg_init(&news->msg, on_news, news);
	loop_post(watch->loop, &news->msg);
}

void redis_master_set(struct redis_master *master, const char *host, uint16_t port)
{
	pthread_mutex_lock(&master->lock);
	master->trouble[0] = '\0';
	if (master->place.port != port || strcmp(master->place.host, host) != 0) {
		snprintf(master->place.host, sizeof(master->place.host), "%s", host);
		master->place.port = port;
		LIST_EACH(it, &master->watches)
		tell(LIST_ENTRY(it, struct redis_master_watch, link));
	}
	pthread_mutex_unlock(&master->lock);
}

void redis_master_set_trouble(struct redis_master *master, const char *why)
{
	pthread_mutex_lock(&master->lock);
	snprintf(master->trouble, sizeof(master->trouble), "%s", why);
	pthread_mutex_unlock(&master->lock);
}

bool redis_master_get(
	struct redis_master *master, struct redis_place *place_out, char *why_out, size_t why_size)
{
	pthread_mutex_lock(&master->lock);
	*place_out = master->place;
	snprintf(why_out, why_size, "%s", master->trouble);
	pthread_mutex_unlock(&master->lock);
	return place_out->host[0] != '\0';
}

struct redis_master_watch *redis_master_watch(
	struct redis_master *master, struct loop *loop, loop_fn *fn, void *arg)
{
	struct redis_master_watch *watch = mem_zalloc(sizeof(*watch));

	watch->loop = loop;
	watch->fn = fn;
	watch->arg = arg;
	atomic_init(&watch->refs, 1);
	pthread_mutex_lock(&master->lock);
	list_push_back(&master->watches, &watch->link);
	pthread_mutex_unlock(&master->lock);
	return watch;
}

void redis_master_unwatch(struct redis_master *master, struct redis_master_watch **watch_ref)
{
	struct redis_master_watch *watch = *watch_ref;

	if (!watch)
		return;
	pthread_mutex_lock(&master->lock);
	list_remove(&watch->link);
	pthread_mutex_unlock(&master->lock);
	watch->fn = NULL;
	unref(watch);
	*watch_ref = NULL;
}
