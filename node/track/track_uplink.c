/*
 * Events are added to `chunk`. Its first `sent_count` of them are on their way to Redis, or there: first the
 * chunk itself, small, then what has come since as small chunks beside it. When those are SMALLS_MAX, or the
 * chunk is full or old, it is sent again as a whole, which replaces them all.
 */
#include "track/track_uplink_internal.h"

#include "config/settings.h"
#include "skein/proto/base/alloc.h"

enum { CHUNK_AGE_MS = 600000 };

static void on_flush(void *arg);

static void on_ready(void *arg, const struct redis_identity *identity)
{
	struct track_uplink *uplink = arg;

	(void)identity;
	loop_timer_cancel(uplink->options.loop, &uplink->retry_timer);
	/* A Redis that took over may lack what the one before it had. */
	uplink->catch_up = CATCH_UP_DUE;
	on_flush(uplink);
	uplink_pump(uplink);
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
	struct parcel *parcel = uplink_parcel_new(uplink->options.run, uplink->chunk);

	LIST_EACH_SAFE(it, &uplink->parcels)
	{
		struct parcel *other = LIST_ENTRY(it, struct parcel, link);

		if (other->first >= parcel->first && !other->is_in_flight && !other->replaces_count)
			uplink_drop(uplink, other);
	}
	memcpy(parcel->replaces, uplink->smalls, uplink->small_count * sizeof(uplink->smalls[0]));
	parcel->replaces_count = uplink->small_count;
	uplink->small_count = 0;
	uplink_send(uplink, parcel);
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
	parcel = uplink_parcel_new(uplink->options.run, uplink->small);
	uplink->smalls[uplink->small_count++] = parcel->name;
	uplink_send(uplink, parcel);
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
	track_chunk_add(uplink->chunk, event, encoded, event->number);
	uplink->next = event->number + 1;
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

	return list_is_empty(&uplink->parcels) && !uplink->late && !has_unsent(uplink);
}

static void stop(void *arg)
{
	struct track_uplink *uplink = arg;

	redis_conn_free(&uplink->conn);
	loop_timer_cancel(uplink->options.loop, &uplink->flush_timer);
	loop_timer_cancel(uplink->options.loop, &uplink->retry_timer);
	loop_timer_cancel(uplink->options.loop, &uplink->step_timer);
	uplink_lose_dropped(uplink);
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
	uplink->options.folder = NULL;
	random_seed(&uplink->random);
	uplink->node = mem_strdup(options->node);
	uplink->next = 1;
	uplink->chunk = track_chunk_new(node, options->run);
	uplink->small = track_chunk_new(node, options->run);
	if (options->folder)
		uplink->backlog = track_backlog_new(options->folder, node, options->run);
	list_init(&uplink->parcels);
	loop_timer_init(&uplink->flush_timer, on_flush, uplink);
	loop_timer_init(&uplink->retry_timer, uplink_pump, uplink);
	loop_timer_init(&uplink->step_timer, uplink_pump, uplink);
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
	uplink_free_parcels(uplink);
	track_chunk_free(&uplink->chunk);
	track_chunk_free(&uplink->small);
	track_backlog_free(&uplink->backlog);
	mem_free(uplink->node);
	mem_free(uplink);
}
