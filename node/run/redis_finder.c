/*
 * Happy path: connected to each Sentinel → asked, and subscribed → a majority has answered → the master is
 * told. A failover: "+switch-master" from one of them → that one is asked, its epoch is higher → told.
 */
#include "run/redis_finder.h"

#include "io/random.h"
#include "io/redis_conn.h"
#include "skein/cluster/sentinel.h"
#include "skein/proto/base/alloc.h"

#include <stdio.h>

enum {
	ASK_MS = 1000,
	PATIENCE_MS = 1000, /* that a majority gets at the start, before fewer are believed */
	NAME_SIZE = 300,
	WHY_SIZE = 256,
};

/* One Sentinel. */
struct source {
	struct redis_finder *finder;
	struct redis_conn *conn;
	char name[NAME_SIZE];
	bool is_asked;    /* the answer is awaited */
	bool asks_again;  /* and is older than what we want to know */
	bool has_spoken;  /* answered, or failed */
	bool is_believed; /* its last answer stands; told to the log */
	char trouble[WHY_SIZE];
};

struct redis_finder {
	struct redis_finder_options options;
	struct source sources[SENTINELS_MAX];
	struct sentinel_answer answers[SENTINELS_MAX]; /* of each source; "": none */
	size_t count;
	struct sentinel_answer held; /* "": nothing yet */
	uint64_t patient_until_ms;
	struct loop_timer timer;
	struct random random;
	struct arena arena;
};

static void ask(struct source *source);

/* ---- what is made of the answers ---- */

static size_t count_answers(const struct redis_finder *finder)
{
	size_t answered = 0;

	for (size_t i = 0; i < finder->count; i++)
		answered += finder->answers[i].host[0] != '\0';
	return answered;
}

/* At the start one Sentinel alone may be the one that was cut off: the others get the time to speak. */
static bool may_decide(const struct redis_finder *finder)
{
	bool all_spoke = true;

	for (size_t i = 0; i < finder->count; i++)
		all_spoke = all_spoke && finder->sources[i].has_spoken;
	return finder->held.host[0] || all_spoke ||
	       sentinel_is_majority(count_answers(finder), finder->count) ||
	       loop_boottime_ms() >= finder->patient_until_ms;
}

static void tell_trouble(struct redis_finder *finder)
{
	char text[NAME_SIZE + WHY_SIZE + 64];

	for (size_t i = 0; i < finder->count; i++) {
		const struct source *source = &finder->sources[i];

		if (!source->trouble[0])
			continue;
		snprintf(text, sizeof(text), "no Sentinel says where the master is; %s: %s", source->name,
			source->trouble);
		redis_master_set_trouble(finder->options.master, text);
		return;
	}
}

static void decide(struct redis_finder *finder)
{
	const struct sentinel_answer *chosen;
	bool has_moved;

	meter_set(finder->options.meter, METRIC_SENTINELS_UP, (int64_t)count_answers(finder));
	if (!may_decide(finder))
		return;
	chosen = sentinel_choose(finder->answers, finder->count, &finder->held);
	if (!chosen) {
		tell_trouble(finder);
		return;
	}
	has_moved = !sentinel_answers_agree(chosen, &finder->held);
	if (has_moved && finder->held.host[0])
		meter_add(finder->options.meter, METRIC_REDIS_MASTER_CHANGES, 1);
	finder->held = *chosen;
	if (!has_moved)
		return;
	log_event(finder->options.log, LOG_INFO, "redis-master", LOG_STR("host", finder->held.host),
		LOG_U64("port", finder->held.port), LOG_U64("config_epoch", finder->held.epoch),
		LOG_U64("sentinels", count_answers(finder)), LOG_END);
	redis_master_set(finder->options.master, finder->held.host, finder->held.port);
}

/* ---- one Sentinel ---- */

static void lose(struct source *source, const char *why)
{
	struct redis_finder *finder = source->finder;
	bool is_news = source->is_believed || strcmp(source->trouble, why) != 0;

	source->has_spoken = true;
	source->is_believed = false;
	snprintf(source->trouble, sizeof(source->trouble), "%s", why);
	finder->answers[source - finder->sources] = (struct sentinel_answer){ .host = "" };
	if (is_news)
		log_event(finder->options.log, LOG_WARN, "sentinel-down", LOG_STR("sentinel", source->name),
			LOG_STR("why", why), LOG_END);
}

static void believe(struct source *source, const struct sentinel_answer *answer)
{
	struct redis_finder *finder = source->finder;

	if (!source->is_believed)
		log_event(finder->options.log, LOG_INFO, "sentinel-up", LOG_STR("sentinel", source->name),
			LOG_STR("host", answer->host), LOG_U64("port", answer->port),
			LOG_U64("config_epoch", answer->epoch), LOG_END);
	source->has_spoken = source->is_believed = true;
	source->trouble[0] = '\0';
	finder->answers[source - finder->sources] = *answer;
}

static void on_answer(void *arg, const struct sentinel_answer *answer, const char *why)
{
	struct source *source = arg;

	source->is_asked = false;
	if (!source->conn)
		return; /* the finder ends */
	if (answer)
		believe(source, answer);
	else if (redis_link_is_ready(redis_conn_link(source->conn)))
		lose(source, why); /* otherwise on_lost() tells more */
	decide(source->finder);
	if (source->asks_again)
		ask(source);
}

static void ask(struct source *source)
{
	struct redis_finder *finder = source->finder;

	source->asks_again = source->is_asked;
	if (!source->is_asked)
		source->is_asked = sentinel_ask(redis_conn_link(source->conn),
			finder->options.settings->redis.master_name, true, loop_boottime_ms(), on_answer,
			source);
}

static void on_published(void *arg, const struct redisReply *message)
{
	struct source *source = arg;

	if (sentinel_is_switch(message, source->finder->options.settings->redis.master_name))
		ask(source);
}

static void on_ready(void *arg, const struct redis_identity *identity)
{
	(void)identity;
	ask(arg);
}

static void on_lost(void *arg, const char *why)
{
	struct source *source = arg;

	lose(source, why);
	decide(source->finder);
}

static void on_timer(void *arg)
{
	struct redis_finder *finder = arg;

	for (size_t i = 0; i < finder->count; i++) {
		if (!finder->sources[i].is_asked)
			ask(&finder->sources[i]);
	}
	decide(finder);
	loop_timer_set(finder->options.loop, &finder->timer,
		ASK_MS / 2 + random_u32(&finder->random) % (ASK_MS / 2 + 1));
}

static void connect_source(struct redis_finder *finder, const char *text)
{
	static const struct redis_conn_callbacks callbacks = { on_ready, on_lost };
	const struct settings *settings = finder->options.settings;
	struct source *source = &finder->sources[finder->count++];
	struct endpoint endpoint;
	struct redis_conn_options options = {
		.tls = finder->options.tls,
		.server_name = settings->redis.tls.server_name[0] ? settings->redis.tls.server_name : NULL,
		.reconnect_first_ms = settings->redis.reconnect_first_ms,
		.reconnect_max_ms = settings->redis.reconnect_max_ms,
		.link = {
			.user = settings->redis.sentinel_user[0] ? settings->redis.sentinel_user : NULL,
			.password = finder->options.password,
			.client_name = settings->node.name,
			.prefix = "",
			.handshake_timeout_ms = settings->redis.connect_timeout_ms,
			.call_timeout_ms = settings->redis.call_timeout_ms,
			.is_sentinel = true,
			.on_published = on_published,
			.published_arg = source,
		},
	};

	CHECK(settings_read_sentinel(text, &finder->arena, &endpoint, NULL));
	options.host = endpoint.host;
	options.port = endpoint.port;
	source->finder = finder;
	snprintf(source->name, sizeof(source->name), "%s", text);
	source->conn = redis_conn_new(finder->options.loop, &options, &callbacks, source);
}

struct redis_finder *redis_finder_new(const struct redis_finder_options *options)
{
	struct redis_finder *finder = mem_zalloc(sizeof(*finder));
	const struct text_list *sentinels = &options->settings->redis.sentinels;

	finder->options = *options;
	finder->patient_until_ms = loop_boottime_ms() + PATIENCE_MS;
	random_seed(&finder->random);
	loop_timer_init(&finder->timer, on_timer, finder);
	CHECK(sentinels->count <= SENTINELS_MAX);
	for (size_t i = 0; i < sentinels->count; i++)
		connect_source(finder, sentinels->items[i]);
	loop_timer_set(options->loop, &finder->timer, PATIENCE_MS);
	return finder;
}

void redis_finder_free(struct redis_finder **finder_ref)
{
	struct redis_finder *finder = *finder_ref;

	if (!finder)
		return;
	loop_timer_cancel(finder->options.loop, &finder->timer);
	for (size_t i = 0; i < finder->count; i++) {
		struct redis_conn *conn = finder->sources[i].conn;

		finder->sources[i].conn = NULL;
		redis_conn_free(&conn);
	}
	arena_fini(&finder->arena);
	mem_free(finder);
	*finder_ref = NULL;
}
