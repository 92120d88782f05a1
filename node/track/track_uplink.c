/*
 * Events are added to `chunk`. Its first `sent_count` of them are on their way to Redis, or there: first the
 * chunk itself, small, then what has come since as small chunks beside it. When those are SMALLS_MAX, or the
 * chunk is full or old, it is sent again as a whole, which replaces them all.
 *
 * A call that was not answered is made again on the next connection: the same chunk under the same name.
 */
#include "track/track_uplink.h"

#include "config/settings.h"
#include "io/random.h"
#include "skein/cluster/track_chunk.h"
#include "skein/cluster/track_store.h"
#include "skein/proto/base/alloc.h"

enum { SMALLS_MAX = 64, CHUNK_AGE_MS = 600000, RETRY_MS = 1000 };

/* A chunk on its way. */
struct parcel {
	struct list link;
	struct track_name name;
	uint64_t first, count;
	bool is_in_flight;
	struct buf head, body;
	size_t replaces_count;
	struct track_name replaces[SMALLS_MAX];
};

struct track_uplink {
	struct track_uplink_options options;
	struct redis_conn *conn;
	struct random random;
	uint64_t run, next; /* number of the next event */

	struct track_chunk *chunk, *small;
	uint64_t begun_ms;           /* when the chunk got its first event */
	size_t sent_count, sent_len; /* events and bytes of the chunk that were handed to a parcel */
	struct track_name smalls[SMALLS_MAX];
	size_t small_count;

	struct list parcels; /* in the order in which they are sent */
	size_t parcel_bytes;
	uint64_t dropped; /* and not told yet */
	bool is_refused;  /* told */
	bool is_asking, is_leaving;
	struct loop_timer flush_timer, retry_timer;
};

static void on_flush(void *arg);
static void pump(void *arg);

/* ---- parcels ---- */

static size_t parcel_size(const struct parcel *parcel)
{
	return sizeof(*parcel) + buf_len(&parcel->head) + buf_len(&parcel->body);
}

static void drop_parcel(struct track_uplink *uplink, struct parcel *parcel)
{
	list_remove(&parcel->link);
	uplink->parcel_bytes -= parcel_size(parcel);
	buf_fini(&parcel->head);
	buf_fini(&parcel->body);
	mem_free(parcel);
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
		uplink->dropped += parcel->count;
		meter_add_at(
			uplink->options.meter, METRIC_TRACK_LOST, TRACK_LOST_CLUSTER, (int64_t)parcel->count);
		drop_parcel(uplink, parcel);
	}
}

static struct parcel *new_parcel(struct track_uplink *uplink, struct track_chunk *chunk)
{
	struct parcel *parcel = mem_zalloc(sizeof(*parcel));

	parcel->first = track_chunk_first(chunk);
	parcel->count = track_chunk_count(chunk);
	parcel->name = track_name_of(uplink->run, parcel->first);
	track_chunk_seal(chunk, &parcel->head, &parcel->body);
	return parcel;
}

static void send_parcel(struct track_uplink *uplink, struct parcel *parcel)
{
	list_push_back(&uplink->parcels, &parcel->link);
	uplink->parcel_bytes += parcel_size(parcel);
	bound_queue(uplink);
	pump(uplink);
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

static void tell_well(struct track_uplink *uplink)
{
	uplink->is_refused = false;
	if (!uplink->dropped)
		return;
	log_event(uplink->options.log, LOG_WARN, "tracking-dropped", LOG_STR("thread", "cluster"),
		LOG_U64("events", uplink->dropped), LOG_END);
	uplink->dropped = 0;
}

static void on_put(void *arg, const struct outcome *outcome)
{
	struct track_uplink *uplink = arg;
	struct parcel *parcel = LIST_FIRST(&uplink->parcels, struct parcel, link);

	CHECK(parcel->is_in_flight);
	uplink->is_asking = parcel->is_in_flight = false;
	if (outcome_is_ok(outcome)) {
		drop_parcel(uplink, parcel);
		tell_well(uplink);
		pump(uplink);
	} else if (outcome->kind != OUTCOME_UNKNOWN) {
		tell_refused(uplink, outcome);
		loop_timer_set(uplink->options.loop, &uplink->retry_timer,
			RETRY_MS + random_u32(&uplink->random) % RETRY_MS);
	}
}

static void pump(void *arg)
{
	struct track_uplink *uplink = arg;
	struct track_put put = { .size_max = uplink->options.limits.size_max,
		.age_max_ms = uplink->options.limits.age_max_ms };
	struct parcel *parcel;

	if (uplink->is_asking || !uplink->conn || list_is_empty(&uplink->parcels) ||
		loop_timer_is_set(&uplink->retry_timer))
		return;
	parcel = LIST_FIRST(&uplink->parcels, struct parcel, link);
	put.name = parcel->name;
	put.head = buf_span(&parcel->head);
	put.body = buf_span(&parcel->body);
	put.replaces = parcel->replaces;
	put.replaces_count = parcel->replaces_count;
	uplink->is_asking = parcel->is_in_flight =
		track_store_put(redis_conn_link(uplink->conn), &put, loop_boottime_ms(), on_put, uplink);
}

static void on_ready(void *arg, const struct redis_identity *identity)
{
	struct track_uplink *uplink = arg;

	(void)identity;
	loop_timer_cancel(uplink->options.loop, &uplink->retry_timer);
	pump(uplink);
	on_flush(uplink);
}

static void on_lost(void *arg, const char *why)
{
	/* The connections of the workers tell so. */
	(void)arg;
	(void)why;
}

/* ---- from events to parcels ---- */

/* The chunk as it is. What waits to be sent and is part of it need not be, unless it replaces others. */
static void send_whole(struct track_uplink *uplink)
{
	struct parcel *parcel = new_parcel(uplink, uplink->chunk);

	LIST_EACH_SAFE(it, &uplink->parcels)
	{
		struct parcel *other = LIST_ENTRY(it, struct parcel, link);

		if (other->first >= parcel->first && !other->is_in_flight && !other->replaces_count)
			drop_parcel(uplink, other);
	}
	memcpy(parcel->replaces, uplink->smalls, uplink->small_count * sizeof(uplink->smalls[0]));
	parcel->replaces_count = uplink->small_count;
	uplink->small_count = 0;
	send_parcel(uplink, parcel);
}

/* What came since something was sent last. */
static void send_small(struct track_uplink *uplink)
{
	struct span rest = span_drop(track_chunk_raw(uplink->chunk), uplink->sent_len);
	uint64_t number = track_chunk_first(uplink->chunk) + uplink->sent_count;
	struct track_event event;
	struct parcel *parcel;

	track_chunk_clear(uplink->small);
	while (rest.len) {
		struct span before = rest;

		CHECK(track_event_decode(&rest, &event) == ERR_OK);
		track_chunk_add(uplink->small, &event, span_take(before, before.len - rest.len), number++);
	}
	parcel = new_parcel(uplink, uplink->small);
	uplink->smalls[uplink->small_count++] = parcel->name;
	send_parcel(uplink, parcel);
}

static bool has_unsent(const struct track_uplink *uplink)
{
	return track_chunk_count(uplink->chunk) > uplink->sent_count;
}

static void begin_next(struct track_uplink *uplink)
{
	track_chunk_clear(uplink->chunk);
	uplink->sent_count = uplink->sent_len = 0;
}

static void on_flush(void *arg)
{
	struct track_uplink *uplink = arg;
	bool is_old = loop_now_ms(uplink->options.loop) - uplink->begun_ms >= CHUNK_AGE_MS;
	bool is_ready = redis_link_is_ready(redis_conn_link(uplink->conn));

	loop_timer_cancel(uplink->options.loop, &uplink->flush_timer);
	/* Without Redis only chunks that are full wait; the rest goes on filling. */
	if (!has_unsent(uplink) || (!is_ready && !uplink->is_leaving))
		return;
	if (is_old || !uplink->sent_count || uplink->small_count == SMALLS_MAX)
		send_whole(uplink);
	else
		send_small(uplink);
	uplink->sent_count = track_chunk_count(uplink->chunk);
	uplink->sent_len = track_chunk_raw(uplink->chunk).len;
	if (is_old)
		begin_next(uplink);
}

/* ---- the sink ---- */

static void take(void *arg, const struct track_event *event, struct span encoded)
{
	struct track_uplink *uplink = arg;

	if (!track_chunk_count(uplink->chunk))
		uplink->begun_ms = loop_now_ms(uplink->options.loop);
	track_chunk_add(uplink->chunk, event, encoded, uplink->next++);
	if (track_chunk_is_full(uplink->chunk)) {
		send_whole(uplink);
		begin_next(uplink);
	}
}

static void flush(void *arg)
{
	struct track_uplink *uplink = arg;

	if (uplink->is_leaving)
		on_flush(uplink);
	else if (has_unsent(uplink) && !loop_timer_is_set(&uplink->flush_timer))
		loop_timer_set(uplink->options.loop, &uplink->flush_timer, uplink->options.flush_ms);
}

static void reload(void *arg, const struct settings *settings)
{
	struct track_uplink *uplink = arg;

	uplink->options.limits = track_uplink_limits_of(settings);
}

static void leave(void *arg)
{
	struct track_uplink *uplink = arg;

	uplink->is_leaving = true;
	on_flush(uplink);
}

static bool is_idle(void *arg)
{
	const struct track_uplink *uplink = arg;

	return list_is_empty(&uplink->parcels) && !has_unsent(uplink);
}

static void stop(void *arg)
{
	struct track_uplink *uplink = arg;

	redis_conn_free(&uplink->conn);
	loop_timer_cancel(uplink->options.loop, &uplink->flush_timer);
	loop_timer_cancel(uplink->options.loop, &uplink->retry_timer);
}

struct track_sink track_uplink_sink(struct track_uplink *uplink)
{
	return (struct track_sink){ .arg = uplink,
		.take = take,
		.flush = flush,
		.reload = reload,
		.leave = leave,
		.is_idle = is_idle,
		.stop = stop };
}

struct track_uplink_limits track_uplink_limits_of(const struct settings *settings)
{
	return (struct track_uplink_limits){ .size_max = settings->tracking.cluster_size,
		.age_max_ms = settings->tracking.cluster_age_ms,
		.queue_max = settings->tracking.cluster_queue };
}

struct track_uplink *track_uplink_new(const struct track_uplink_options *options)
{
	static const struct redis_conn_callbacks callbacks = { on_ready, on_lost };
	struct track_uplink *uplink = mem_zalloc(sizeof(*uplink));
	struct span node = span_of_str(options->node);

	node = span_take(node, node.len < TRACK_CHUNK_NODE_MAX ? node.len : TRACK_CHUNK_NODE_MAX);
	uplink->options = *options;
	if (!uplink->options.flush_ms)
		uplink->options.flush_ms = UPLINK_FLUSH_MS;
	random_seed(&uplink->random);
	uplink->run = random_u64(&uplink->random);
	uplink->next = 1;
	uplink->chunk = track_chunk_new(node, uplink->run);
	uplink->small = track_chunk_new(node, uplink->run);
	list_init(&uplink->parcels);
	loop_timer_init(&uplink->flush_timer, on_flush, uplink);
	loop_timer_init(&uplink->retry_timer, pump, uplink);
	uplink->conn = redis_conn_new(options->loop, options->redis, &callbacks, uplink);
	return uplink;
}

void track_uplink_free(struct track_uplink **pointer)
{
	struct track_uplink *uplink = *pointer;

	*pointer = NULL;
	if (!uplink)
		return;
	CHECK(!uplink->conn);
	LIST_EACH_SAFE(it, &uplink->parcels)
	drop_parcel(uplink, LIST_ENTRY(it, struct parcel, link));
	track_chunk_free(&uplink->chunk);
	track_chunk_free(&uplink->small);
	mem_free(uplink);
}
