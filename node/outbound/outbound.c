#include "outbound/outbound.h"

#include "custody/custody.h"
#include "io/wall_clock.h"
#include "outbound/hop.h"
#include "outbound/hop_conn.h"
#include "skein/proto/base/alloc.h"

enum {
	DUE_PER_TURN = 1000,
	DEFER_PER_TURN = 200,
	READY_MAX = 500,
	APPETITE = 500,
	PROBE_APPETITE = 4,
	DUE_CHECK_MAX_MS = 1000
};

static void on_dispatch(void *arg);
static void on_due(void *arg);
static void on_hop_timer(void *arg);

static void make_hops(struct outbound *outbound)
{
	const struct hop_list *list = &outbound->settings->route.next_hops;

	outbound->hop_count = list->count < OUTBOUND_HOPS_MAX ? list->count : OUTBOUND_HOPS_MAX;
	for (size_t i = 0; i < outbound->hop_count; i++) {
		outbound->hops[i] = mem_alloc(sizeof(struct hop));
		hop_init(outbound->hops[i], outbound, &list->items[i]);
	}
}

void outbound_init(struct outbound *outbound)
{
	list_init(&outbound->ready);
	loop_timer_init(&outbound->due_timer, on_due, outbound);
	loop_timer_init(&outbound->hop_timer, on_hop_timer, outbound);
	loop_task_init(&outbound->dispatch, on_dispatch, outbound);
	make_hops(outbound);
}

void outbound_stop(struct outbound *outbound)
{
	outbound->is_stopping = true;
	for (size_t i = 0; i < outbound->hop_count; i++)
		hop_retire(outbound->hops[i]);
}

void outbound_abort(struct outbound *outbound)
{
	outbound->is_stopping = true;
	for (size_t i = 0; i < outbound->hop_count; i++)
		hop_abort(outbound->hops[i]);
}

bool outbound_is_idle(const struct outbound *outbound)
{
	for (size_t i = 0; i < outbound->hop_count; i++) {
		if (!hop_is_idle(outbound->hops[i]))
			return false;
	}
	return outbound->trying == 0;
}

static void drop(struct outbound *outbound, struct message *message)
{
	message_enter(message, MESSAGE_AWAY);
	outbound_remove(outbound, message);
}

static void drop_queue(struct outbound *outbound)
{
	while (!list_is_empty(&outbound->ready))
		drop(outbound, LIST_FIRST(&outbound->ready, struct message, queue_link));
	for (struct heap_node *node; (node = heap_peek(&outbound->waiting));)
		drop(outbound, CONTAINER_OF(node, struct message, due));
}

void outbound_fini(struct outbound *outbound)
{
	CHECK(outbound_is_idle(outbound));
	drop_queue(outbound);
	loop_timer_cancel(outbound->loop, &outbound->due_timer);
	loop_timer_cancel(outbound->loop, &outbound->hop_timer);
	loop_task_cancel(&outbound->dispatch);
	for (size_t i = 0; i < outbound->hop_count; i++)
		mem_free(outbound->hops[i]);
	heap_fini(&outbound->waiting);
	buf_fini(&outbound->scratch);
}

void outbound_reload(struct outbound *outbound, const struct settings *settings)
{
	/* next_hops needs a restart, so the list is the same one in the new settings. */
	outbound->settings = settings;
	for (size_t i = 0; i < outbound->hop_count; i++)
		outbound->hops[i]->settings = &settings->route.next_hops.items[i];
}

/* --- the queue ---------------------------------------------------------------------------------- */

static void arm_due_timer(struct outbound *outbound)
{
	struct heap_node *first = heap_peek(&outbound->waiting);
	uint64_t now_ms = wall_clock_ms(), wait_ms;

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
	list_push_back(&outbound->ready, &message_ref(message)->queue_link);
	outbound->ready_count++;
	outbound_kick(outbound);
}

void outbound_add_later(struct outbound *outbound, struct message *message, uint64_t at_ms)
{
	message_enter(message, MESSAGE_WAITING);
	heap_set(&outbound->waiting, &message_ref(message)->due, at_ms);
	arm_due_timer(outbound);
}

void outbound_remove(struct outbound *outbound, struct message *message)
{
	if (list_is_linked(&message->queue_link)) {
		list_remove(&message->queue_link);
		outbound->ready_count--;
	} else {
		CHECK(heap_has(&message->due));
		heap_remove(&outbound->waiting, &message->due);
	}
	message_unref(&message);
}

static void on_due(void *arg)
{
	struct outbound *outbound = arg;
	uint64_t now_ms = wall_clock_ms();
	struct heap_node *node;

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
	if (outbound->ready_count && !outbound->is_stopping)
		loop_defer(outbound->loop, &outbound->dispatch);
}

/* The first hop of the route that is not known to be down; NULL when all are. */
static struct hop *current_hop(const struct outbound *outbound)
{
	uint64_t now_ms = loop_now_ms(outbound->loop);

	for (size_t i = 0; i < outbound->hop_count; i++) {
		const struct breaker *breaker = &outbound->hops[i]->breaker;

		if (breaker_is_usable(breaker, now_ms) && breaker->state == BREAKER_CLOSED)
			return outbound->hops[i];
	}
	return NULL;
}

/* A down hop whose pause is over gets its one probe, beside whatever is used meanwhile. */
static bool probe_hops(struct outbound *outbound, const struct hop *current)
{
	bool is_probing = false;

	for (size_t i = 0; i < outbound->hop_count && outbound->hops[i] != current; i++) {
		struct hop *hop = outbound->hops[i];

		if (hop->breaker.state != BREAKER_CLOSED)
			hop_wake(hop, 1);
		is_probing |= hop->breaker.state != BREAKER_OPEN;
	}
	return is_probing;
}

static uint64_t shortest_wait_ms(const struct outbound *outbound)
{
	uint64_t now_ms = loop_now_ms(outbound->loop), shortest = UINT64_MAX;

	for (size_t i = 0; i < outbound->hop_count; i++) {
		uint64_t wait_ms = breaker_wait_ms(&outbound->hops[i]->breaker, now_ms);

		if (outbound->hops[i]->breaker.state != BREAKER_CLOSED && wait_ms < shortest)
			shortest = wait_ms;
	}
	return shortest;
}

/* Nobody can take it now: it waits where every node can see it. It costs the message no attempt. */
static void put_off_ready(struct outbound *outbound)
{
	uint64_t wait_ms = shortest_wait_ms(outbound);

	for (int i = 0; i < DEFER_PER_TURN && outbound->ready_count; i++) {
		struct message *message =
			message_ref(LIST_FIRST(&outbound->ready, struct message, queue_link));
		uint64_t jitter_ms = random_u32(outbound->random) % (wait_ms / 2 + 1000);

		outbound_remove(outbound, message);
		custody_put_off(
			outbound->custody, message, wait_ms + jitter_ms, outbound->hops[0]->last_error);
		message_unref(&message);
	}
	outbound_kick(outbound);
}

static void on_dispatch(void *arg)
{
	struct outbound *outbound = arg;
	struct hop *hop;
	bool is_probing;

	if (!outbound->ready_count || outbound->is_stopping)
		return;
	hop = current_hop(outbound);
	is_probing = probe_hops(outbound, hop);
	if (hop)
		hop_wake(hop, outbound->ready_count);
	else if (!is_probing)
		put_off_ready(outbound);
	if (!hop || hop != outbound->hops[0]) {
		uint64_t wait_ms = shortest_wait_ms(outbound);

		if (wait_ms != UINT64_MAX)
			loop_timer_set(outbound->loop, &outbound->hop_timer, wait_ms + 1);
	}
}

static void on_hop_timer(void *arg)
{
	outbound_kick(arg);
}

struct message *outbound_pull(struct outbound *outbound, const struct hop *hop)
{
	const struct hop *current = current_hop(outbound);

	/* A better hop is up again: let it have the work. A probe that succeeded is the better hop then. */
	if (outbound->is_stopping || (current && current != hop))
		return NULL;
	while (outbound->ready_count) {
		struct message *message =
			message_ref(LIST_FIRST(&outbound->ready, struct message, queue_link));

		outbound_remove(outbound, message);
		if (custody_may_start(outbound->custody, message)) {
			message_enter(message, MESSAGE_TRYING);
			outbound->trying++;
			return message;
		}
		message_unref(&message);
	}
	return NULL;
}

/* A next hop whose pause is over is tried with a few messages. */
static bool may_probe(const struct outbound *outbound)
{
	for (size_t i = 0; i < outbound->hop_count; i++) {
		if (breaker_is_usable(&outbound->hops[i]->breaker, loop_now_ms(outbound->loop)))
			return true;
	}
	return false;
}

bool outbound_is_long(const struct outbound *outbound)
{
	return outbound->ready_count >= READY_MAX;
}

size_t outbound_appetite(const struct outbound *outbound)
{
	size_t busy = outbound->ready_count + outbound->trying;
	size_t most = APPETITE;

	if (!current_hop(outbound))
		most = may_probe(outbound) ? PROBE_APPETITE : 0;
	return busy < most && !outbound->is_stopping ? most - busy : 0;
}
