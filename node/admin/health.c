#include "admin/health.h"

#include "io/loop.h"
#include "skein/proto/base/alloc.h"

#include <stdatomic.h>

struct watched_loop {
	const char *name;
	const struct loop *loop;
};

struct health {
	_Atomic unsigned phase; /* enum health_phase */
	_Atomic bool is_redis_required;
	_Atomic unsigned failing[HEALTH_PART_COUNT]; /* reporters that say so */
	pthread_mutex_t lock;
	char reason[HEALTH_PART_COUNT][HEALTH_REASON_MAX + 1]; /* under lock: the last one told */
	struct watched_loop *loops;                            /* does not change once threads run */
	unsigned loop_count;
};

static const char *const part_names[HEALTH_PART_COUNT] = {
	[HEALTH_JOURNAL] = "journal",
	[HEALTH_DISK] = "disk",
	[HEALTH_MEMORY] = "memory",
	[HEALTH_REDIS] = "redis",
};

static const char *const readiness_names[READINESS_COUNT] = {
	[READINESS_READY] = "ready",
	[READINESS_STARTING] = "starting",
	[READINESS_DRAINING] = "draining",
	[READINESS_JOURNAL] = "journal",
	[READINESS_DISK] = "disk",
	[READINESS_MEMORY] = "memory",
	[READINESS_REDIS] = "redis",
};

struct health *health_new(void)
{
	struct health *health = mem_zalloc(sizeof(*health));

	CHECK(pthread_mutex_init(&health->lock, NULL) == 0);
	return health;
}

void health_free(struct health **health)
{
	if (!*health)
		return;
	pthread_mutex_destroy(&(*health)->lock);
	mem_free((*health)->loops);
	mem_free(*health);
	*health = NULL;
}

void health_reporter_init(struct health_reporter *reporter, struct health *health)
{
	*reporter = (struct health_reporter){ .health = health };
}

/* One line of plain ASCII, so that it can go into an answer, JSON and a log as it is. */
static void keep_reason(struct health *health, enum health_part part, const char *reason)
{
	char *out = health->reason[part];
	size_t len = 0;

	pthread_mutex_lock(&health->lock);
	for (; reason && reason[len] && len < HEALTH_REASON_MAX; len++)
		out[len] = reason[len] >= ' ' && reason[len] <= '~' ? reason[len] : '?';
	out[len] = '\0';
	pthread_mutex_unlock(&health->lock);
}

void health_set(struct health_reporter *reporter, enum health_part part, bool is_ok, const char *reason)
{
	struct health *health = reporter->health;

	if (!is_ok)
		keep_reason(health, part, reason);
	if (reporter->is_failing[part] == !is_ok)
		return;
	reporter->is_failing[part] = !is_ok;
	if (is_ok)
		CHECK(atomic_fetch_sub(&health->failing[part], 1) > 0);
	else
		atomic_fetch_add(&health->failing[part], 1);
}

void health_set_phase(struct health *health, enum health_phase phase)
{
	unsigned now = atomic_load(&health->phase);

	while (now < phase && !atomic_compare_exchange_weak(&health->phase, &now, phase))
		;
}

enum health_phase health_phase(const struct health *health)
{
	return (enum health_phase)atomic_load(&health->phase);
}

void health_require_redis(struct health *health, bool is_required)
{
	atomic_store(&health->is_redis_required, is_required);
}

static bool is_failing(const struct health *health, enum health_part part)
{
	return atomic_load_explicit(&health->failing[part], memory_order_relaxed) > 0;
}

enum readiness health_readiness(const struct health *health)
{
	enum health_phase phase = health_phase(health);

	if (phase != HEALTH_SERVING)
		return phase == HEALTH_STARTING ? READINESS_STARTING : READINESS_DRAINING;
	return health_trouble(health);
}

enum readiness health_trouble(const struct health *health)
{
	if (is_failing(health, HEALTH_JOURNAL))
		return READINESS_JOURNAL;
	if (is_failing(health, HEALTH_DISK))
		return READINESS_DISK;
	if (is_failing(health, HEALTH_MEMORY))
		return READINESS_MEMORY;
	if (is_failing(health, HEALTH_REDIS) && atomic_load(&health->is_redis_required))
		return READINESS_REDIS;
	return READINESS_READY;
}

const char *readiness_name(enum readiness readiness)
{
	CHECK(readiness < READINESS_COUNT);
	return readiness_names[readiness];
}

bool health_part_is_ok(struct health *health, enum health_part part, struct buf *reason_out)
{
	if (!is_failing(health, part))
		return true;
	if (reason_out) {
		pthread_mutex_lock(&health->lock);
		buf_append_str(reason_out, health->reason[part]);
		pthread_mutex_unlock(&health->lock);
	}
	return false;
}

const char *health_part_name(enum health_part part)
{
	CHECK(part < HEALTH_PART_COUNT);
	return part_names[part];
}

void health_watch(struct health *health, const char *name, const struct loop *loop)
{
	unsigned at = health->loop_count++;

	health->loops = mem_realloc(health->loops, health->loop_count * sizeof(*health->loops));
	health->loops[at] = (struct watched_loop){ name, loop };
}

bool health_loop(const struct health *health, unsigned index, const char **name_out, uint64_t *stalled_ms_out)
{
	if (index >= health->loop_count)
		return false;
	*name_out = health->loops[index].name;
	*stalled_ms_out = loop_stalled_ms(health->loops[index].loop);
	return true;
}

const char *health_find_stalled(const struct health *health, uint64_t max_ms, uint64_t *stalled_ms_out)
{
	const char *name;

	for (unsigned i = 0; health_loop(health, i, &name, stalled_ms_out); i++)
		if (*stalled_ms_out > max_ms)
			return name;
	return NULL;
}
