/*
 *         admits()          let in                     use(), more waits
 *   NONE ──────────▶ ASKED ────────▶ PLACED ──────────────────────────────▶ ASKED
 *    ▲                 │ not yet        │ use(), or nobody came: given back
 *    │                 ▼                ▼
 *    └─ in time ─── REFUSED           NONE
 */
#include "outbound/route_gate.h"

#include "skein/proto/base/alloc.h"

enum {
	AHEAD_MS = 2000, /* that a place may be reserved in the future */
	CALL_AT_ONCE = 16,
	CALL_AGAIN_MS = 50, /* while nobody has used a place that is due, */
	UNUSED_MS = 2000,   /* and then it is given back */
	REFUSED_MIN_MS = 10,
	PACE_MAX_MS = 60000,
};

enum place { PLACE_NONE, PLACE_ASKED, PLACE_PLACED, PLACE_REFUSED };

struct route_gate {
	struct list link;
	unsigned refs;
	struct gate_desk *desk;
	const struct route *route;
	enum place place;
	uint64_t at_ms; /* PLACED: when it may be used; REFUSED: when to ask again */
	enum limit_source source;
	bool is_short; /* the last answer was not "now" */
	uint64_t used_ms, pace_ms;
	struct limit_question question;
	struct loop_timer timer;
	struct list waiting; /* gate_waiter.link */
	struct list permits; /* route_permit.link */
};

static uint64_t now_of(const struct route_gate *gate)
{
	return loop_now_ms(gate->desk->loop);
}

static void call_waiting(struct route_gate *gate)
{
	for (int i = 0; i < CALL_AT_ONCE && !list_is_empty(&gate->waiting); i++) {
		struct gate_waiter *waiter = LIST_FIRST(&gate->waiting, struct gate_waiter, link);

		list_remove(&waiter->link);
		waiter->fn(waiter->arg);
	}
}

/* --- the place ---------------------------------------------------------------------------------- */

static struct limit_take take_of(const struct route *route)
{
	return (struct limit_take){ route->rate, span_of_str(route->name), 1 };
}

/* The only place that writes `place`. */
static void enter(struct route_gate *gate, enum place place, uint64_t wait_ms)
{
	gate->place = place;
	gate->at_ms = now_of(gate) + wait_ms;
	if (place == PLACE_PLACED || place == PLACE_REFUSED)
		loop_timer_set(gate->desk->loop, &gate->timer, wait_ms);
	else
		loop_timer_cancel(gate->desk->loop, &gate->timer);
}

static void take_answer(struct route_gate *gate, const struct limit_verdict *verdict)
{
	uint64_t wait_ms = (verdict->wait_us + 999) / 1000;

	gate->is_short = !verdict->is_let_in || wait_ms > 0;
	gate->source = verdict->source;
	if (verdict->is_let_in)
		enter(gate, PLACE_PLACED, wait_ms);
	else
		enter(gate, PLACE_REFUSED, wait_ms > REFUSED_MIN_MS ? wait_ms : REFUSED_MIN_MS);
}

static void on_answer(void *arg, const struct limit_verdict *verdict)
{
	take_answer(arg, verdict);
}

static void ask(struct route_gate *gate)
{
	const struct limit_take take = take_of(gate->route);
	struct limit_verdict verdict;

	enter(gate, PLACE_ASKED, 0);
	if (limiter_reserve(gate->desk->limits->limiter, &gate->question, &take, 1, (uint64_t)AHEAD_MS * 1000,
		    loop_boottime_ms(), on_answer, gate, &verdict))
		take_answer(gate, &verdict);
	else
		limit_desk_watch(gate->desk->limits);
}

static void give_back(struct route_gate *gate)
{
	const struct limit_take take = take_of(gate->route);

	if (gate->place == PLACE_PLACED)
		limiter_refund(gate->desk->limits->limiter, &take, 1, gate->source, loop_boottime_ms());
	limiter_cancel(gate->desk->limits->limiter, &gate->question);
	enter(gate, PLACE_NONE, 0);
}

static void on_gate_timer(void *arg)
{
	struct route_gate *gate = arg;

	if (gate->place == PLACE_REFUSED) {
		enter(gate, PLACE_NONE, 0);
		if (!list_is_empty(&gate->waiting))
			ask(gate);
		return;
	}
	if (now_of(gate) >= gate->at_ms + UNUSED_MS) {
		give_back(gate);
		return;
	}
	call_waiting(gate);
	loop_timer_set(gate->desk->loop, &gate->timer, CALL_AGAIN_MS);
}

void gate_waiter_init(struct gate_waiter *waiter, void (*fn)(void *arg), void *arg)
{
	*waiter = (struct gate_waiter){ .fn = fn, .arg = arg };
	list_init(&waiter->link);
}

bool route_gate_admits(struct route_gate *gate, struct gate_waiter *waiter)
{
	if (!gate->route->rate)
		return true;
	if (gate->desk->is_stopped)
		return false;
	if (gate->place == PLACE_NONE)
		ask(gate);
	if (gate->place == PLACE_PLACED && now_of(gate) >= gate->at_ms)
		return true;
	if (!list_is_linked(&waiter->link))
		list_push_back(&gate->waiting, &waiter->link);
	return false;
}

static void note_pace(struct route_gate *gate)
{
	uint64_t now_ms = now_of(gate), apart_ms = now_ms - gate->used_ms;

	if (gate->is_short && gate->used_ms)
		gate->pace_ms = (7 * gate->pace_ms + (apart_ms < PACE_MAX_MS ? apart_ms : PACE_MAX_MS)) / 8;
	gate->used_ms = now_ms;
}

void route_gate_use(struct route_gate *gate, bool more)
{
	if (!gate->route->rate)
		return;
	CHECK(gate->place == PLACE_PLACED);
	note_pace(gate);
	meter_add(gate->desk->meter, METRIC_RATE_PLACES, 1);
	enter(gate, PLACE_NONE, 0);
	if (more || !list_is_empty(&gate->waiting))
		ask(gate);
}

bool route_gate_is_shut(const struct route_gate *gate)
{
	if (!gate->route->rate)
		return false;
	switch (gate->place) {
	case PLACE_NONE:
		return false;
	case PLACE_ASKED:
		return gate->is_short;
	case PLACE_PLACED:
		return now_of(gate) < gate->at_ms;
	case PLACE_REFUSED:
		return true;
	}
	return false;
}

bool route_gate_has_rate(const struct route_gate *gate)
{
	return gate->route->rate != NULL;
}

uint64_t route_gate_pace_ms(const struct route_gate *gate)
{
	return gate->pace_ms ? gate->pace_ms : 1;
}

/* --- gates -------------------------------------------------------------------------------------- */

static struct route_gate *gate_new(struct gate_desk *desk, const struct route *route)
{
	struct route_gate *gate = mem_zalloc(sizeof(*gate));

	gate->desk = desk;
	gate->route = route;
	if (route->rate)
		gate->pace_ms = route->rate->period_us / route->rate->rate / 1000;
	limit_question_init(&gate->question);
	loop_timer_init(&gate->timer, on_gate_timer, gate);
	list_init(&gate->waiting);
	list_init(&gate->permits);
	list_push_back(&desk->gates, &gate->link);
	return gate;
}

struct route_gate *route_gate_get(struct gate_desk *desk, const struct route *route)
{
	struct route_gate *gate = NULL;

	if (!route->rate && !route->cluster_connections)
		return NULL;
	LIST_EACH(it, &desk->gates)
	{
		if (LIST_ENTRY(it, struct route_gate, link)->route == route)
			gate = LIST_ENTRY(it, struct route_gate, link);
	}
	if (!gate)
		gate = gate_new(desk, route);
	gate->refs++;
	return gate;
}

void route_gate_unref(struct route_gate **pointer)
{
	struct route_gate *gate = *pointer;

	*pointer = NULL;
	if (!gate || --gate->refs > 0)
		return;
	CHECK(list_is_empty(&gate->permits) && list_is_empty(&gate->waiting));
	give_back(gate);
	list_remove(&gate->link);
	mem_free(gate);
}

/* --- permits ------------------------------------------------------------------------------------ */

bool route_gate_has_slots(const struct route_gate *gate)
{
	return gate->route->cluster_connections > 0;
}

static void on_desk_timer(void *arg);

static void watch_slots(struct gate_desk *desk)
{
	if (!loop_timer_is_set(&desk->timer))
		loop_timer_set(desk->loop, &desk->timer, SLOTS_AGAIN_MS);
}

static void on_desk_timer(void *arg)
{
	struct gate_desk *desk = arg;

	if (slots_tick(desk->slots, loop_boottime_ms()) == UINT64_MAX)
		return;
	LIST_EACH(it, &desk->gates)
	{
		struct route_gate *gate = LIST_ENTRY(it, struct route_gate, link);

		LIST_EACH_SAFE(node, &gate->permits)
		{
			struct route_permit *permit = LIST_ENTRY(node, struct route_permit, link);

			if (permit->slot.is_held && permit->look)
				permit->look(permit->arg);
		}
	}
	watch_slots(desk);
}

static void on_granted(void *arg)
{
	struct route_permit *permit = arg;

	permit->granted(permit->arg);
}

struct route_permit *route_permit_new(struct route_gate *gate, void (*granted)(void *arg), void *arg)
{
	struct route_permit *permit = mem_zalloc(sizeof(*permit));
	const struct route *route = gate->route;

	permit->gate = gate;
	permit->granted = granted;
	permit->arg = arg;
	slot_init(&permit->slot);
	list_init(&permit->held);
	list_push_back(&gate->permits, &permit->link);
	(void)slots_ask(gate->desk->slots, &permit->slot, span_of_str(route->name),
		route->cluster_connections, loop_boottime_ms(), on_granted, permit);
	watch_slots(gate->desk);
	return permit;
}

void route_permit_give(struct route_permit *permit, void (*look)(void *arg), void *arg)
{
	permit->look = look;
	permit->arg = arg;
}

bool route_permit_is_held(const struct route_permit *permit)
{
	return permit->slot.is_held;
}

bool route_permit_should_yield(struct route_permit *permit)
{
	return slots_should_yield(permit->gate->desk->slots, &permit->slot, loop_boottime_ms());
}

void route_permit_free(struct route_permit **pointer)
{
	struct route_permit *permit = *pointer;

	*pointer = NULL;
	if (!permit)
		return;
	list_remove(&permit->link);
	list_remove(&permit->held);
	slots_release(permit->gate->desk->slots, &permit->slot, loop_boottime_ms());
	mem_free(permit);
}

/* --- the desk ----------------------------------------------------------------------------------- */

void gate_desk_init(struct gate_desk *desk, const struct gate_desk_options *options)
{
	*desk = (struct gate_desk){
		.loop = options->loop,
		.limits = options->limits,
		.meter = options->meter,
		.slots = slots_new(options->link, options->share, options->holder, options->seed),
	};
	list_init(&desk->gates);
	loop_timer_init(&desk->timer, on_desk_timer, desk);
}

void gate_desk_stop(struct gate_desk *desk)
{
	desk->is_stopped = true;
	LIST_EACH(it, &desk->gates)
	give_back(LIST_ENTRY(it, struct route_gate, link));
}

void gate_desk_fini(struct gate_desk *desk)
{
	CHECK(list_is_empty(&desk->gates));
	loop_timer_cancel(desk->loop, &desk->timer);
	slots_free(&desk->slots);
}

void gate_desk_count(struct gate_desk *desk)
{
	struct slots_stats now = slots_stats(desk->slots);

	meter_add_at(
		desk->meter, METRIC_ROUTE_SLOTS, SLOT_USE_HELD, (int64_t)now.held - (int64_t)desk->seen.held);
	meter_add_at(desk->meter, METRIC_ROUTE_SLOTS, SLOT_USE_WANTED,
		(int64_t)now.waiting - (int64_t)desk->seen.waiting);
	desk->seen = now;
}
