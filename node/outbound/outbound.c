#include "outbound/outbound.h"

#include "custody/custody.h"
#include "io/wall_clock.h"
#include "outbound/hop_news.h"
#include "outbound/outbound_internal.h"
#include "outbound/routing.h"
#include "skein/proto/base/alloc.h"

enum { DUE_PER_TURN = 1000, DUE_CHECK_MAX_MS = 1000 };

static void on_dispatch(void *arg);
static void on_due(void *arg);

static void open_gates(struct outbound *outbound)
{
	const struct gate_desk_options options = {
		.loop = outbound->loop,
		.limits = outbound->limits,
		.meter = outbound->meter,
		.link = outbound->link,
		.share = outbound->news->share,
		.holder = span_of_str(outbound->holder),
		.seed = { random_u64(outbound->random), random_u64(outbound->random) },
	};

	gate_desk_init(&outbound->gates, &options);
}

void outbound_init(struct outbound *outbound)
{
	const uint64_t seed[2] = { random_u64(outbound->random), random_u64(outbound->random) };

	list_init(&outbound->all);
	list_init(&outbound->capped);
	for (size_t i = 0; i < OUTBOUND_PRIORITIES; i++)
		list_init(&outbound->kicked[i]);
	table_init(&outbound->destinations, seed);
	loop_timer_init(&outbound->due_timer, on_due, outbound);
	loop_timer_init(&outbound->tidy_timer, outbound_on_tidy, outbound);
	loop_timer_init(&outbound->news_timer, outbound_on_news, outbound);
	open_gates(outbound);
	loop_task_init(&outbound->dispatch, on_dispatch, outbound);
	sts_desk_init(&outbound->sts);
	outbound->policy_seen = policy_slot_get(outbound->policy);
	outbound->routing = routing_new(outbound->settings, policy_slot_get(outbound->policy));
	outbound->routings = 1;
}

void outbound_stop(struct outbound *outbound)
{
	outbound->is_stopping = true;
	gate_desk_stop(&outbound->gates);
	EACH_DESTINATION(destination, outbound)
	destination_retire(destination);
}

void outbound_abort(struct outbound *outbound)
{
	outbound->is_stopping = true;
	gate_desk_stop(&outbound->gates);
	EACH_DESTINATION(destination, outbound)
	destination_abort(destination);
}

bool outbound_is_idle(const struct outbound *outbound)
{
	LIST_EACH(it, &outbound->all)
	{
		if (!destination_has_no_hop_busy(LIST_ENTRY(it, struct destination, all_link)))
			return false;
	}
	return outbound->trying == 0 && outbound->signing.under_way == 0;
}

static void drop(struct outbound *outbound, struct message *message)
{
	message_enter(message, MESSAGE_AWAY);
	outbound_remove(outbound, message);
}

static void drop_queue(struct destination *destination)
{
	struct message *message;

	while ((message = destination_first(destination)))
		drop(destination->outbound, message);
}

void outbound_fini(struct outbound *outbound)
{
	CHECK(outbound_is_idle(outbound));
	for (struct heap_node *node; (node = heap_peek(&outbound->waiting));)
		drop(outbound, CONTAINER_OF(node, struct message, due));
	EACH_DESTINATION(destination, outbound)
	{
		drop_queue(destination);
		outbound_forget(destination);
	}
	loop_timer_cancel(outbound->loop, &outbound->due_timer);
	loop_timer_cancel(outbound->loop, &outbound->tidy_timer);
	loop_timer_cancel(outbound->loop, &outbound->news_timer);
	loop_task_cancel(&outbound->dispatch);
	gate_desk_fini(&outbound->gates);
	sts_desk_fini(&outbound->sts);
	table_fini(&outbound->destinations);
	heap_fini(&outbound->waiting);
	heap_fini(&outbound->deadlines);
	buf_fini(&outbound->scratch);
	routing_unref(&outbound->routing);
	policy_snapshot_unref(&outbound->policy_seen);
}

/* --- the queue ---------------------------------------------------------------------------------- */

static void arm_due_timer(struct outbound *outbound)
{
	const struct heap_node *first = heap_peek(&outbound->waiting);
	const struct heap_node *deadline = heap_peek(&outbound->deadlines);
	uint64_t now_ms = wall_clock_ms(), wait_ms;

	if (!first || (deadline && deadline->due < first->due))
		first = deadline;
	if (!first)
		return;
	wait_ms = first->due > now_ms ? first->due - now_ms : 0;
	/* The wall clock may jump: look again every second. */
	loop_timer_set(outbound->loop, &outbound->due_timer,
		wait_ms < DUE_CHECK_MAX_MS ? wait_ms : DUE_CHECK_MAX_MS);
}

void outbound_add(struct outbound *outbound, struct message *message)
{
	message_enter(message, MESSAGE_READY);
	destination_add(outbound_destination_for(outbound, &message->envelope), message);
}

void outbound_add_later(struct outbound *outbound, struct message *message, uint64_t at_ms)
{
	message_enter(message, MESSAGE_WAITING);
	heap_set(&outbound->waiting, &message_ref(message)->due, at_ms);
	arm_due_timer(outbound);
}

void outbound_watch_time(struct outbound *outbound, struct message *message)
{
	if (message->envelope.deliver_by != DELIVER_BY_RETURN)
		return;
	heap_set(&outbound->deadlines, &message->due, message->envelope.deliver_by_ms);
	arm_due_timer(outbound);
}

void outbound_remove(struct outbound *outbound, struct message *message)
{
	if (message->flow) {
		destination_remove(message);
		return;
	}
	CHECK(heap_has(&message->due));
	heap_remove(&outbound->waiting, &message->due);
	message_unref(&message);
}

/* Their time is over while they wait for their turn: they need none any more. */
static void return_overdue(struct outbound *outbound, uint64_t now_ms)
{
	struct heap_node *node;

	for (int i = 0; i < DUE_PER_TURN && (node = heap_peek(&outbound->deadlines)) && node->due <= now_ms;
		i++) {
		struct message *message = message_ref(CONTAINER_OF(node, struct message, due));

		outbound_remove(outbound, message);
		if (custody_may_start(outbound->custody, message))
			outbound_add(outbound, message); /* the clock was set back */
		message_unref(&message);
	}
}

static void on_due(void *arg)
{
	struct outbound *outbound = arg;
	uint64_t now_ms = wall_clock_ms();
	struct heap_node *node;

	return_overdue(outbound, now_ms);

	for (int i = 0; i < DUE_PER_TURN && (node = heap_peek(&outbound->waiting)) && node->due <= now_ms;
		i++) {
		struct message *message = message_ref(CONTAINER_OF(node, struct message, due));

		outbound_remove(outbound, message);
		custody_due(outbound->custody, message);
		message_unref(&message);
	}
	arm_due_timer(outbound);
}

/* --- dispatch ----------------------------------------------------------------------------------- */

void outbound_kick(struct outbound *outbound)
{
	EACH_DESTINATION(destination, outbound)
	destination_kick(destination);
}

/* Those that are kicked meanwhile come in this turn too, after the sockets had theirs. */
static void on_dispatch(void *arg)
{
	struct outbound *outbound = arg;
	struct list now;

	for (size_t priority = OUTBOUND_PRIORITIES; priority-- > 0;) {
		list_init(&now);
		list_splice_back(&now, &outbound->kicked[priority]);
		while (!list_is_empty(&now)) {
			struct destination *destination = LIST_FIRST(&now, struct destination, kick_link);

			list_remove(&destination->kick_link);
			destination_dispatch(destination);
		}
	}
}

bool outbound_may_connect(struct outbound *outbound, struct destination *destination)
{
	if (outbound->connections < outbound->settings->limits.connections_out)
		return true;
	if (!list_is_linked(&destination->cap_link))
		list_push_back(&outbound->capped, &destination->cap_link);
	return false;
}

void outbound_connected(struct outbound *outbound, int change)
{
	struct destination *destination;

	outbound->connections += (size_t)change;
	if (change > 0 || list_is_empty(&outbound->capped))
		return;
	destination = LIST_FIRST(&outbound->capped, struct destination, cap_link);
	list_remove(&destination->cap_link);
	destination_kick(destination);
}

void outbound_attempted(struct outbound *outbound, struct message *message, enum attempt_end end)
{
	message->tried = 0;
	custody_attempted(outbound->custody, message, end);
}
