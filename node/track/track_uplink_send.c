/*
 * A call that was not answered is made again on the next connection: the same chunk under the same name.
 *
 * Chunks go in the order of their events, and with each the mark moves: what this node has brought so far.
 * After each connect, and where parcels were dropped, the mark is asked for, and what the backlog has between
 * it and the oldest event in memory goes first.
 */
#include "track/track_uplink_internal.h"

#include "skein/proto/base/alloc.h"
#include "track/tracker.h"

enum { RETRY_MS = 1000 };

static void catch_up(struct track_uplink *uplink);

/* ---- parcels ---- */

static struct parcel *first_parcel(const struct track_uplink *uplink)
{
	return list_is_empty(&uplink->parcels) ? NULL : LIST_FIRST(&uplink->parcels, struct parcel, link);
}

static size_t parcel_size(const struct parcel *parcel)
{
	return sizeof(*parcel) + buf_len(&parcel->head) + buf_len(&parcel->body);
}

static void free_parcel(struct parcel *parcel)
{
	buf_fini(&parcel->head);
	buf_fini(&parcel->body);
	mem_free(parcel);
}

void uplink_drop(struct track_uplink *uplink, struct parcel *parcel)
{
	list_remove(&parcel->link);
	uplink->parcel_bytes -= parcel_size(parcel);
	free_parcel(parcel);
}

/* What the backlog does not have, or may not have any more, is lost for the cluster. */
void uplink_lose_dropped(struct track_uplink *uplink)
{
	if (!uplink->dropped)
		return;
	meter_add_at(uplink->options.meter, METRIC_TRACK_LOST, TRACK_LOST_CLUSTER, (int64_t)uplink->dropped);
	log_event(uplink->options.log, LOG_WARN, "tracking-dropped", LOG_STR("thread", "cluster"),
		LOG_U64("events", uplink->dropped), LOG_END);
	uplink->dropped = 0;
}

/* What waits for too long goes, but never what is under way, nor the newest. */
static void bound_queue(struct track_uplink *uplink)
{
	LIST_EACH_SAFE(it, &uplink->parcels)
	{
		struct parcel *parcel = LIST_ENTRY(it, struct parcel, link);

		if (uplink->parcel_bytes <= uplink->options.limits.queue_max || it->next == &uplink->parcels)
			return;
		if (parcel->is_in_flight)
			continue;
		/* What the chunk holds comes again. */
		if (!track_chunk_count(uplink->chunk) || parcel->first < track_chunk_first(uplink->chunk))
			uplink->dropped += parcel->count;
		LIST_ENTRY(it->next, struct parcel, link)->follows_gap = true;
		uplink_drop(uplink, parcel);
	}
}

struct parcel *uplink_parcel_new(uint64_t run, struct track_chunk *chunk)
{
	struct parcel *parcel = mem_zalloc(sizeof(*parcel));

	list_init(&parcel->link);
	parcel->run = run;
	parcel->first = track_chunk_first(chunk);
	parcel->count = track_chunk_count(chunk);
	parcel->name = track_name_of(run, parcel->first);
	track_chunk_seal(chunk, &parcel->head, &parcel->body);
	return parcel;
}

void uplink_send(struct track_uplink *uplink, struct parcel *parcel)
{
	list_push_back(&uplink->parcels, &parcel->link);
	uplink->parcel_bytes += parcel_size(parcel);
	bound_queue(uplink);
	uplink_pump(uplink);
}

/* ---- to Redis ---- */

static void tell_refused(struct track_uplink *uplink, const struct outcome *outcome)
{
	if (!uplink->is_refused)
		log_event(uplink->options.log, LOG_WARN, "tracking-refused",
			LOG_STR("error", outcome_error_name(outcome->error)), LOG_SPAN("why", outcome->text),
			LOG_END);
	uplink->is_refused = true;
}

/* The answer was no; an outcome that is not known means that the connection is lost. */
static void retry_later(struct track_uplink *uplink, const struct outcome *outcome)
{
	if (outcome->kind == OUTCOME_UNKNOWN)
		return;
	tell_refused(uplink, outcome);
	loop_timer_set(uplink->options.loop, &uplink->retry_timer,
		RETRY_MS + random_u32(&uplink->random) % RETRY_MS);
}

static void on_put(void *arg, const struct outcome *outcome)
{
	struct track_uplink *uplink = arg;
	struct parcel *parcel = uplink->late ? uplink->late : first_parcel(uplink);

	CHECK(parcel && parcel->is_in_flight);
	uplink->is_asking = parcel->is_in_flight = false;
	if (!outcome_is_ok(outcome)) {
		retry_later(uplink, outcome);
		return;
	}
	uplink->is_refused = false;
	if (parcel == uplink->late) {
		uplink->caught_up += parcel->count;
		uplink->late = NULL;
		free_parcel(parcel);
	} else {
		uplink_drop(uplink, parcel);
	}
	uplink_pump(uplink);
}

static void put_parcel(struct track_uplink *uplink, struct parcel *parcel)
{
	struct track_put put = { .size_max = uplink->options.limits.size_max,
		.age_max_ms = uplink->options.limits.age_max_ms };

	put.node = span_of_str(uplink->node);
	put.mark = track_name_of(parcel->run, parcel->first + parcel->count - 1);
	put.name = parcel->name;
	put.head = buf_span(&parcel->head);
	put.body = buf_span(&parcel->body);
	put.replaces = parcel->replaces;
	put.replaces_count = parcel->replaces_count;
	uplink->is_asking = parcel->is_in_flight =
		track_store_put(redis_conn_link(uplink->conn), &put, loop_boottime_ms(), on_put, uplink);
}

/* What is to be sent next, if it can be now. */
void uplink_pump(void *arg)
{
	struct track_uplink *uplink = arg;
	struct parcel *first = first_parcel(uplink);

	if (uplink->is_asking || !uplink->conn || loop_timer_is_set(&uplink->retry_timer) ||
		!redis_link_is_ready(redis_conn_link(uplink->conn)))
		return;
	if (uplink->late)
		put_parcel(uplink, uplink->late);
	else if (uplink->catch_up != CATCH_UP_DONE || (first && first->follows_gap))
		catch_up(uplink);
	else if (first)
		put_parcel(uplink, first);
}

/* ---- what is in files alone ---- */

/* The oldest event in memory that may be lacking. */
static uint64_t first_held(const struct track_uplink *uplink)
{
	const struct parcel *first = first_parcel(uplink);

	if (first)
		return first->first;
	return track_chunk_count(uplink->chunk) ? track_chunk_first(uplink->chunk) : uplink->next;
}

static void on_mark(void *arg, const struct outcome *outcome, const struct track_mark *mark)
{
	struct track_uplink *uplink = arg;
	uint64_t age_us = uplink->options.limits.age_max_ms * 1000, now_us = track_now_us();

	uplink->is_asking = false;
	if (!outcome_is_ok(outcome)) {
		uplink->catch_up = CATCH_UP_DUE;
		retry_later(uplink, outcome);
		return;
	}
	track_backlog_begin(uplink->backlog, mark, now_us > age_us ? now_us - age_us : 0);
	uplink->catch_up = CATCH_UP_READING;
	uplink_pump(uplink);
}

static void finish_catching_up(struct track_uplink *uplink)
{
	uint64_t missing =
		uplink->backlog ? track_backlog_missing(uplink->backlog, first_held(uplink)) : UINT64_MAX;
	const struct parcel *first = first_parcel(uplink);

	uplink->catch_up = CATCH_UP_DONE;
	if (uplink->caught_up)
		log_event(uplink->options.log, LOG_INFO, "tracking-caught-up",
			LOG_U64("events", uplink->caught_up), LOG_END);
	uplink->caught_up = 0;
	/* If more was dropped meanwhile, that is for the next round. */
	if (!first || !first->follows_gap) {
		if (missing < uplink->dropped)
			uplink->dropped = missing;
		uplink_lose_dropped(uplink);
	}
	uplink_pump(uplink);
}

static void read_on(struct track_uplink *uplink)
{
	struct track_chunk *chunk;

	switch (track_backlog_step(uplink->backlog, first_held(uplink), &chunk)) {
	case BACKLOG_MORE:
		/* The loop turns between two steps. */
		if (!loop_timer_is_set(&uplink->step_timer))
			loop_timer_set(uplink->options.loop, &uplink->step_timer, 0);
		return;
	case BACKLOG_CHUNK:
		uplink->late = uplink_parcel_new(track_backlog_run(uplink->backlog), chunk);
		uplink_pump(uplink);
		return;
	case BACKLOG_END:
		finish_catching_up(uplink);
	}
}

static void begin_catching_up(struct track_uplink *uplink)
{
	struct parcel *first = first_parcel(uplink);

	if (first)
		first->follows_gap = false;
	if (!uplink->backlog) {
		finish_catching_up(uplink);
		return;
	}
	uplink->catch_up = CATCH_UP_ASKING;
	uplink->is_asking = track_store_mark(redis_conn_link(uplink->conn), span_of_str(uplink->node),
		loop_boottime_ms(), on_mark, uplink);
}

static void catch_up(struct track_uplink *uplink)
{
	if (uplink->catch_up == CATCH_UP_READING)
		read_on(uplink);
	else
		begin_catching_up(uplink);
}

void uplink_free_parcels(struct track_uplink *uplink)
{
	LIST_EACH_SAFE(it, &uplink->parcels)
	uplink_drop(uplink, LIST_ENTRY(it, struct parcel, link));
	if (uplink->late)
		free_parcel(uplink->late);
	uplink->late = NULL;
}
