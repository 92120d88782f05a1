#include "skein/cluster/slot_share.h"

#include "skein/proto/base/alloc.h"
#include "skein/proto/base/check.h"
#include "skein/proto/base/table.h"

/* Of one route; there while anything is counted. */
struct counter {
	uint64_t used, yielding;
	bool is_wanted; /* by a worker that has none */
	size_t route_len;
	char route[];
};

struct slot_share {
	struct shared_lock lock;
	/* What follows is under the lock. */
	struct table by_route;
	unsigned nodes, rank;
};

struct slot_share *slot_share_new(const struct slot_share_options *options)
{
	struct slot_share *share = mem_zalloc(sizeof(*share));

	share->lock = options->lock;
	share->nodes = 1;
	table_init(&share->by_route, options->seed);
	return share;
}

void slot_share_free(struct slot_share **share)
{
	CHECK((*share)->by_route.count == 0);
	table_fini(&(*share)->by_route);
	mem_free(*share);
	*share = NULL;
}

void slot_share_set_nodes(struct slot_share *share, unsigned nodes, unsigned rank)
{
	CHECK(nodes == 0 || rank < nodes);
	shared_lock_take(&share->lock);
	share->nodes = nodes ? nodes : 1;
	share->rank = nodes ? rank : 0;
	shared_lock_release(&share->lock);
}

static uint64_t part_of(const struct slot_share *share, uint64_t most)
{
	return most / share->nodes + (share->rank < most % share->nodes);
}

uint64_t slot_share_part(struct slot_share *share, uint64_t most)
{
	uint64_t part;

	shared_lock_take(&share->lock);
	part = part_of(share, most);
	shared_lock_release(&share->lock);
	return part;
}

static struct counter *find_or_make(struct slot_share *share, struct span route)
{
	struct counter *counter = table_get(&share->by_route, route);

	if (counter)
		return counter;
	counter = mem_zalloc(sizeof(*counter) + route.len);
	counter->route_len = route.len;
	memcpy(counter->route, route.ptr, route.len);
	table_put(&share->by_route, span_of(counter->route, route.len), counter);
	return counter;
}

bool slot_share_take(struct slot_share *share, struct span route, uint64_t most)
{
	const struct counter *counter;
	bool is_taken;

	shared_lock_take(&share->lock);
	counter = table_get(&share->by_route, route);
	is_taken = (counter ? counter->used : 0) < part_of(share, most);
	if (is_taken)
		find_or_make(share, route)->used++;
	shared_lock_release(&share->lock);
	return is_taken;
}

void slot_share_add(struct slot_share *share, struct span route)
{
	shared_lock_take(&share->lock);
	find_or_make(share, route)->used++;
	shared_lock_release(&share->lock);
}

void slot_share_want(struct slot_share *share, struct span route)
{
	struct counter *counter;

	shared_lock_take(&share->lock);
	counter = table_get(&share->by_route, route);
	if (counter)
		counter->is_wanted = true;
	shared_lock_release(&share->lock);
}

bool slot_share_yield(struct slot_share *share, struct span route, uint64_t most)
{
	struct counter *counter;
	bool is_over;

	shared_lock_take(&share->lock);
	counter = table_get(&share->by_route, route);
	CHECK(counter);
	is_over = counter->used - counter->yielding > part_of(share, most) ||
		  (counter->is_wanted && counter->yielding == 0);
	counter->is_wanted = false;
	counter->yielding += is_over;
	shared_lock_release(&share->lock);
	return is_over;
}

void slot_share_remove(struct slot_share *share, struct span route, bool is_yielding)
{
	struct counter *counter;

	shared_lock_take(&share->lock);
	counter = table_get(&share->by_route, route);
	CHECK(counter && counter->used > 0 && counter->yielding >= is_yielding);
	counter->yielding -= is_yielding;
	if (--counter->used == 0) {
		table_remove(&share->by_route, span_of(counter->route, counter->route_len));
		mem_free(counter);
	}
	shared_lock_release(&share->lock);
}
