/*
 * Facts: "these recipients are settled". Each is told to Redis until it is heard, by any epoch, over any
 * link, and kept for ten minutes after that, because a failover may bring back a Redis that has not heard it
 * (protocol.md, findings 6, 16, 17).
 */
#include "ownership_internal.h"

#include "skein/proto/base/alloc.h"

void facts_init(struct ownership *ownership)
{
	list_init(&ownership->facts_pending);
	list_init(&ownership->facts_told);
}

static void free_list(struct list *head)
{
	LIST_EACH_SAFE(it, head)
	{
		list_remove(it);
		mem_free(LIST_ENTRY(it, struct fact, link));
	}
}

void facts_fini(struct ownership *ownership)
{
	free_list(&ownership->facts_pending);
	free_list(&ownership->facts_told);
}

static void forget_oldest(struct ownership *ownership)
{
	struct fact *fact = LIST_FIRST(&ownership->facts_told, struct fact, link);

	list_remove(&fact->link);
	ownership->facts_told_count--;
	mem_free(fact);
}

void facts_expire(struct ownership *ownership)
{
	while (!list_is_empty(&ownership->facts_told)) {
		const struct fact *fact = LIST_FIRST(&ownership->facts_told, struct fact, link);

		if (fact->at_ms + FACT_LIFE_MS > ownership->now_ms &&
			ownership->facts_told_count <= FACTS_MAX)
			return;
		forget_oldest(ownership);
	}
}

static void on_settled(void *arg, const struct outcome *outcome)
{
	struct fact *fact = arg;
	struct ownership *ownership = fact->ownership;

	ownership->facts_in_flight--;
	fact->is_in_flight = false;
	if (!outcome_is_ok(outcome))
		return; /* still pending: the next pump tells it again */
	list_remove(&fact->link);
	list_push_back(&ownership->facts_told, &fact->link);
	ownership->facts_told_count++;
	if (ownership->phase == ASSERTION_SETTLING)
		assertion_pump(ownership);
}

static bool tell(struct ownership *ownership, struct fact *fact)
{
	const struct queue_settle args = {
		.node = ownership->options.node,
		.id = fact->id,
		.settled = span_of(fact->settled, fact->len),
		.holders = &ownership->options.node,
		.holder_count = 1,
	};

	if (!queue_settle(ownership->link, &args, ownership->now_ms, on_settled, fact))
		return false;
	fact->is_in_flight = true;
	ownership->facts_in_flight++;
	return true;
}

void facts_add(struct ownership *ownership, const struct msg_id *id, struct span settled)
{
	struct fact *fact = mem_alloc(sizeof(*fact) + settled.len);

	*fact = (struct fact){
		.ownership = ownership, .id = *id, .at_ms = ownership->now_ms, .len = (uint32_t)settled.len
	};
	memcpy(fact->settled, settled.ptr, settled.len);
	list_push_back(&ownership->facts_pending, &fact->link);
	if (redis_link_is_ready(ownership->link) && ownership->facts_in_flight < FACTS_IN_FLIGHT)
		(void)tell(ownership, fact);
}

void facts_repeat(struct ownership *ownership)
{
	list_splice_back(&ownership->facts_told, &ownership->facts_pending);
	list_splice_back(&ownership->facts_pending, &ownership->facts_told);
	ownership->facts_told_count = 0;
}

void facts_pump(struct ownership *ownership)
{
	if (ownership->facts_in_flight >= FACTS_IN_FLIGHT / 2)
		return;
	LIST_EACH(it, &ownership->facts_pending)
	{
		struct fact *fact = LIST_ENTRY(it, struct fact, link);

		if (ownership->facts_in_flight >= FACTS_IN_FLIGHT)
			return;
		if (!fact->is_in_flight && !tell(ownership, fact))
			return;
	}
}

bool facts_are_told(const struct ownership *ownership)
{
	return list_is_empty(&ownership->facts_pending);
}
