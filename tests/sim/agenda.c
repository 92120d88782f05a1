#include "agenda.h"

#include "skein/proto/base/alloc.h"

/* Of heap_node.due: time above, order below. */
enum { ORDER_BITS = 24 };

struct event {
	struct heap_node node;
	struct life *life;
	event_fn *fn;
	void *arg;
	bool owns_arg;
};

static void plan(struct agenda *agenda, struct event *event, uint64_t at_us)
{
	uint64_t order = agenda->planned++ & ((1u << ORDER_BITS) - 1);

	heap_set(&agenda->events, &event->node, at_us << ORDER_BITS | order);
}

void agenda_plan(
	struct agenda *agenda, struct life *life, uint64_t delay_us, event_fn *fn, void *arg, bool owns_arg)
{
	struct event *event = mem_zalloc(sizeof(*event));

	event->life = life;
	event->fn = fn;
	event->arg = arg;
	event->owns_arg = owns_arg;
	plan(agenda, event, agenda->now_us + delay_us);
}

static void end_event(struct event *event)
{
	if (event->owns_arg)
		mem_free(event->arg);
	mem_free(event);
}

bool agenda_step(struct agenda *agenda)
{
	struct heap_node *first = heap_peek(&agenda->events);
	struct event *event;

	if (!first)
		return false;
	event = CONTAINER_OF(first, struct event, node);
	heap_remove(&agenda->events, first);
	agenda->now_us = first->due >> ORDER_BITS;
	if (event->life && event->life->is_over) {
		end_event(event);
		return true;
	}
	if (event->life && event->life->paused_until_us > agenda->now_us) {
		plan(agenda, event, event->life->paused_until_us);
		return true;
	}
	agenda->steps++;
	event->fn(event->arg);
	end_event(event);
	return true;
}
