#include "skein/cluster/limit_share.h"

#include "skein/cluster/limit_store.h"
#include "skein/proto/base/alloc.h"
#include "skein/proto/base/heap.h"
#include "skein/proto/base/table.h"

struct counter {
	struct heap_node by_debt; /* due: when nothing is owed any more */
	struct limit_state state;
	size_t name_len;
	char name[];
};

struct limit_share {
	struct limit_share_options options;
	unsigned nodes;       /* this and all below under the lock */
	struct table by_name; /* of counters */
	struct heap by_debt;
};

struct limit_share *limit_share_new(const struct limit_share_options *options)
{
	struct limit_share *share = mem_zalloc(sizeof(*share));

	CHECK(options->counters_max > 0);
	share->options = *options;
	share->nodes = 1;
	table_init(&share->by_name, options->seed);
	return share;
}

void limit_share_free(struct limit_share **share)
{
	struct counter *counter;
	size_t cursor = 0;

	while ((counter = table_next(&(*share)->by_name, &cursor)))
		mem_free(counter);
	table_fini(&(*share)->by_name);
	heap_fini(&(*share)->by_debt);
	mem_free(*share);
	*share = NULL;
}

void limit_share_set_nodes(struct limit_share *share, unsigned nodes)
{
	shared_lock_take(&share->options.lock);
	share->nodes = nodes ? nodes : 1;
	shared_lock_release(&share->options.lock);
}

static struct counter *find(const struct limit_share *share, const struct limit_take *take)
{
	char name[LIMIT_COUNTER_MAX];
	size_t len = limit_counter_name(take, name);

	return table_get(&share->by_name, span_of(name, len));
}

static void forget(struct limit_share *share, struct counter *counter)
{
	table_remove(&share->by_name, span_of(counter->name, counter->name_len));
	heap_remove(&share->by_debt, &counter->by_debt);
	mem_free(counter);
}

static struct counter *find_or_make(struct limit_share *share, const struct limit_take *take)
{
	char name[LIMIT_COUNTER_MAX];
	size_t len = limit_counter_name(take, name);
	struct counter *counter = table_get(&share->by_name, span_of(name, len));

	if (counter)
		return counter;
	if (share->by_name.count >= share->options.counters_max)
		forget(share, CONTAINER_OF(heap_peek(&share->by_debt), struct counter, by_debt));
	counter = mem_zalloc(sizeof(*counter) + len);
	counter->name_len = len;
	memcpy(counter->name, name, len);
	table_put(&share->by_name, span_of(counter->name, len), counter);
	return counter;
}

/* With n nodes a take weighs n times as much. */
static uint64_t weight_us(const struct limit_share *share, const struct limit_take *take)
{
	uint64_t cost = limit_cost_us(take->rule, take->cost);

	return cost > LIMIT_TIME_US_MAX / share->nodes ? LIMIT_TIME_US_MAX : cost * share->nodes;
}

uint64_t limit_share_take(struct limit_share *share, const struct limit_take *takes, size_t count,
	uint64_t now_us, size_t *refused_out)
{
	uint64_t wait_us = 0;

	(void)limit_share_reserve(share, takes, count, 0, now_us, refused_out, &wait_us);
	return wait_us;
}

bool limit_share_reserve(struct limit_share *share, const struct limit_take *takes, size_t count,
	uint64_t ahead_us, uint64_t now_us, size_t *refused_out, uint64_t *wait_us_out)
{
	static const struct limit_state nothing;
	uint64_t longest = 0;
	bool is_taken;

	CHECK(count > 0 && count <= LIMIT_TAKES_MAX);
	shared_lock_take(&share->options.lock);
	for (size_t i = 0; i < count; i++) {
		const struct counter *counter = find(share, &takes[i]);
		uint64_t wait = limit_wait_us(counter ? &counter->state : &nothing, now_us,
			weight_us(share, &takes[i]), limit_burst_us(takes[i].rule));

		if (wait > longest) {
			longest = wait;
			*refused_out = i;
		}
	}
	is_taken = longest <= ahead_us;
	for (size_t i = 0; i < count && is_taken; i++) {
		struct counter *counter = takes[i].cost ? find_or_make(share, &takes[i]) : NULL;

		if (!counter)
			continue;
		limit_take(&counter->state, now_us, weight_us(share, &takes[i]));
		heap_set(&share->by_debt, &counter->by_debt, counter->state.empty_us);
	}
	shared_lock_release(&share->options.lock);
	*wait_us_out = is_taken ? longest : longest - ahead_us;
	return is_taken;
}

void limit_share_refund(
	struct limit_share *share, const struct limit_take *takes, size_t count, uint64_t now_us)
{
	shared_lock_take(&share->options.lock);
	for (size_t i = 0; i < count; i++) {
		struct counter *counter = find(share, &takes[i]);

		if (!counter)
			continue;
		limit_refund(&counter->state, now_us, weight_us(share, &takes[i]));
		heap_set(&share->by_debt, &counter->by_debt, counter->state.empty_us);
	}
	shared_lock_release(&share->options.lock);
}

uint64_t limit_share_used(struct limit_share *share, const struct limit_take *take, uint64_t now_us)
{
	const struct counter *counter;
	uint64_t used = 0, weight;

	shared_lock_take(&share->options.lock);
	counter = find(share, take);
	weight = weight_us(share, take);
	if (counter && weight)
		used = (limit_owed_us(&counter->state, now_us) + weight - 1) / weight;
	shared_lock_release(&share->options.lock);
	return used;
}
