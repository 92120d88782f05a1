/* Events on their way to a real Redis that comes, goes, stands still and is full. */
#include "cmocka_all.h"

#include "io/stream.h"
#include "loop_until.h"
#include "redis_client.h"
#include "redis_server.h"
#include "scratch_dir.h"
#include "skein/cluster/track_chunk.h"
#include "skein/proto/base/alloc.h"
#include "track/track_file.h"
#include "track/track_uplink.h"
#include "track/tracker.h"

#include <signal.h>

enum { CALL_MS = 300, EVENTS_MAX = 30000, FLUSH_MS = 2 };

struct world {
	struct loop loop;
	struct redis_server redis;
	struct metrics *metrics;
	struct track_uplink *uplink;
	struct track_sink sink;
	struct track_file *file; /* NULL: none is written */
	uint64_t run, next;
	struct scratch_dir dir;
	const char *folder; /* its path; NULL: no files */
};

static struct world world;

static void open_uplink(uint64_t queue_max)
{
	const struct redis_conn_options redis = {
		.host = "127.0.0.1",
		.port = world.redis.port,
		.reconnect_first_ms = 5,
		.reconnect_max_ms = 40,
		.link = { .prefix = "skein:", .handshake_timeout_ms = 5000, .call_timeout_ms = CALL_MS },
	};
	const struct track_uplink_options options = {
		.loop = &world.loop,
		.redis = &redis,
		.node = "node-1",
		.run = ++world.run,
		.folder = world.folder,
		.limits = { .size_max = 100000000, .age_max_ms = 3600000, .queue_max = queue_max },
		.flush_ms = FLUSH_MS,
		.meter = metrics_open(world.metrics),
	};

	world.uplink = track_uplink_new(&options);
	world.sink = track_uplink_sink(world.uplink);
	world.next = 1;
}

static int open_world(void **state)
{
	(void)state;
	memset(&world, 0, sizeof(world));
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(loop_init(&world.loop), ERR_OK);
	redis_server_start(&world.redis, NULL);
	world.metrics = metrics_new(10);
	return 0;
}

static int close_world(void **state)
{
	(void)state;
	world.sink.stop(world.sink.arg);
	stream_abort_all(&world.loop);
	loop_fini(&world.loop);
	track_uplink_free(&world.uplink);
	track_file_free(&world.file);
	metrics_free(&world.metrics);
	redis_server_stop(&world.redis);
	if (world.folder)
		scratch_remove(&world.dir);
	return 0;
}

static const struct track_file_limits wide = { 1 << 30, 0, 1 << 30 };

/* From now on events go to a file, too. */
static void open_file(const struct track_file_limits *limits)
{
	struct track_file_options options = { .format = TRACK_FORMAT_JSON, .limits = *limits };
	struct buf why = { 0 };

	world.dir = scratch_make();
	options.folder = world.folder = world.dir.path;
	assert_int_equal(track_file_new(&options, &world.file, &why), ERR_OK);
}

/* As kill -9: what is on its way or in memory is gone. */
static void kill_uplink(void)
{
	world.sink.stop(world.sink.arg);
	track_uplink_free(&world.uplink);
}

static void take(unsigned count)
{
	char bytes[TRACK_EVENT_MAX];

	for (unsigned i = 0; i < count; i++) {
		struct track_event event = {
			.kind = TRACK_DELIVER,
			.time_us = track_now_us(),
			.size = world.next,
			.run = world.run,
			.number = world.next,
		};

		event.text[TRACK_SENDER] = SPAN_LIT("jane@example.net");
		if (world.file)
			track_file_take(world.file, &event);
		world.sink.take(world.sink.arg, &event, span_of(bytes, track_event_encode(&event, bytes)));
		world.next++;
	}
	if (world.file)
		track_file_flush(world.file, track_now_us());
	world.sink.flush(world.sink.arg);
}

static bool is_idle(void)
{
	return world.sink.is_idle(world.sink.arg);
}

/* What Redis has: chunks; events, and whether one is there twice; the lowest number. */
struct kept {
	size_t chunks, events, twice;
	uint64_t lowest;
};

/* Of runs 1 and 2, and so on: an event says its number. */
enum { RUNS_MAX = 8 };

static void add_events(struct kept *kept, bool *seen, const redisReply *head_bytes, const redisReply *body)
{
	struct buf events = { 0 };
	struct track_event event;
	struct track_head head;
	struct span rest;
	size_t at;

	assert_int_equal(track_head_decode(span_of(head_bytes->str, (size_t)head_bytes->len), &head), ERR_OK);
	assert_int_equal(track_chunk_open(&head, span_of(body->str, (size_t)body->len), &events), ERR_OK);
	rest = buf_span(&events);
	for (uint64_t number = head.first; rest.len; number++) {
		assert_int_equal(track_event_decode(&rest, &event), ERR_OK);
		assert_int_equal(event.size, number);
		assert_in_range(number, 1, EVENTS_MAX - 1);
		assert_in_range(head.run, 1, RUNS_MAX - 1);
		at = head.run * EVENTS_MAX + number;
		kept->twice += seen[at];
		kept->events += !seen[at];
		seen[at] = true;
		kept->lowest = kept->lowest && kept->lowest < number ? kept->lowest : number;
	}
	kept->chunks++;
	buf_fini(&events);
}

static struct kept look(void)
{
	bool *seen = mem_zalloc((size_t)RUNS_MAX * EVENTS_MAX);
	struct kept kept = { .chunks = 0 };
	struct redis_client heads, bodies;
	const redisReply *reply;

	redis_client_start(&heads, world.redis.port);
	redis_client_start(&bodies, world.redis.port);
	reply = redis_client_command(&heads, "HGETALL skein:{track}:heads");
	for (size_t i = 0; i < reply->elements; i += 2)
		add_events(&kept, seen, reply->element[i + 1],
			redis_client_command(
				&bodies, "HGET skein:{track}:bodies %s", reply->element[i]->str));
	redis_client_stop(&heads);
	redis_client_stop(&bodies);
	mem_free(seen);
	return kept;
}

static void expect(size_t chunks, size_t events)
{
	struct kept kept = look();

	assert_int_equal(kept.events, events);
	assert_int_equal(kept.twice, 0);
	assert_int_equal(kept.chunks, chunks);
}

static void what_is_new_goes_by_itself_until_it_fills_a_chunk(void **state)
{
	(void)state;
	open_uplink(1000000);
	take(5);
	assert_false(is_idle());
	RUN_UNTIL(&world.loop, is_idle());
	expect(1, 5);
	take(3);
	RUN_UNTIL(&world.loop, is_idle());
	take(1);
	RUN_UNTIL(&world.loop, is_idle());
	expect(3, 9);
	take(TRACK_CHUNK_EVENTS - 9);
	RUN_UNTIL(&world.loop, is_idle());
	expect(1, TRACK_CHUNK_EVENTS);
	take(2500);
	RUN_UNTIL(&world.loop, is_idle());
	expect(4, TRACK_CHUNK_EVENTS + 2500);
}

static void many_small_ones_become_one(void **state)
{
	(void)state;
	open_uplink(1000000);
	for (unsigned i = 1; i <= 200; i++) {
		take(1);
		RUN_UNTIL(&world.loop, is_idle());
	}
	expect(1 + 199 % 65, 200);
}

static void events_wait_while_redis_is_away(void **state)
{
	(void)state;
	redis_server_kill(&world.redis);
	open_uplink(1000000);
	take(700);
	take(2800);
	settle(&world.loop);
	assert_false(is_idle());
	redis_server_restart(&world.redis);
	RUN_UNTIL(&world.loop, is_idle());
	expect(4, 3500);
	assert_int_equal(metrics_sum(world.metrics, METRIC_TRACK_LOST, TRACK_LOST_CLUSTER), 0);
}

static void the_oldest_are_dropped_and_counted(void **state)
{
	struct kept kept;
	int64_t lost;

	(void)state;
	redis_server_kill(&world.redis);
	open_uplink(60000);
	take(25500);
	redis_server_restart(&world.redis);
	RUN_UNTIL(&world.loop, is_idle());
	kept = look();
	lost = metrics_sum(world.metrics, METRIC_TRACK_LOST, TRACK_LOST_CLUSTER);
	assert_in_range(kept.events, 1500, 24500);
	assert_int_equal(kept.events + (size_t)lost, 25500);
	assert_int_equal(kept.lowest, lost + 1);
}

static void a_call_without_an_answer_is_made_again(void **state)
{
	(void)state;
	open_uplink(1000000);
	take(10);
	RUN_UNTIL(&world.loop, is_idle());
	redis_server_pause(&world.redis);
	take(10);
	/* The first is written, and may be executed later. */
	for (unsigned i = 0; i < 5; i++) {
		uint64_t until = loop_boottime_ms() + CALL_MS / 4;

		take(300);
		while (loop_boottime_ms() < until)
			settle(&world.loop);
	}
	redis_server_resume(&world.redis);
	RUN_UNTIL(&world.loop, is_idle());
	assert_int_equal(look().events, 1520);
	assert_int_equal(look().twice, 0);
}

static void a_full_redis_is_asked_again(void **state)
{
	struct redis_client client;

	(void)state;
	open_uplink(1000000);
	take(1);
	RUN_UNTIL(&world.loop, is_idle());
	redis_client_start(&client, world.redis.port);
	redis_client_command(&client, "CONFIG SET maxmemory 1");
	take(10);
	for (uint64_t until = loop_boottime_ms() + 50; loop_boottime_ms() < until;)
		settle(&world.loop);
	assert_false(is_idle());
	redis_client_command(&client, "CONFIG SET maxmemory 0");
	redis_client_stop(&client);
	RUN_UNTIL(&world.loop, is_idle());
	assert_int_equal(look().events, 11);
}

static void who_leaves_sends_at_once(void **state)
{
	(void)state;
	open_uplink(1000000);
	take(1);
	RUN_UNTIL(&world.loop, is_idle());
	take(4);
	world.sink.leave(world.sink.arg);
	take(2);
	RUN_UNTIL(&world.loop, is_idle());
	assert_int_equal(look().events, 7);
}

/* ---- what is in files alone ---- */

static void what_a_run_left_behind_is_sent_by_the_next(void **state)
{
	(void)state;
	open_file(&wide);
	open_uplink(1000000);
	take(10);
	RUN_UNTIL(&world.loop, is_idle());
	take(7);
	kill_uplink();
	open_uplink(1000000);
	take(1);
	RUN_UNTIL(&world.loop, is_idle());
	expect(3, 18);
	/* Nothing is left for the one after it. */
	kill_uplink();
	open_uplink(1000000);
	take(1);
	RUN_UNTIL(&world.loop, is_idle());
	expect(4, 19);
}

static void runs_that_never_reached_redis_are_sent_too(void **state)
{
	(void)state;
	open_file(&wide);
	open_uplink(1000000);
	take(5);
	RUN_UNTIL(&world.loop, is_idle());
	take(1500);
	for (unsigned i = 0; i < 3; i++) {
		kill_uplink();
		open_uplink(1000000);
		take(2);
	}
	RUN_UNTIL(&world.loop, is_idle());
	assert_int_equal(look().events, 5 + 1500 + 6);
	assert_int_equal(look().twice, 0);
}

static void a_first_run_that_was_killed_at_once_has_no_mark(void **state)
{
	(void)state;
	open_file(&wide);
	open_uplink(1000000);
	take(3);
	kill_uplink();
	open_uplink(1000000);
	take(1);
	RUN_UNTIL(&world.loop, is_idle());
	expect(2, 4);
}

static void a_mark_in_an_older_file_is_found(void **state)
{
	/* Each batch begins a new one, some within a second. */
	static const struct track_file_limits narrow = { 1, 0, 1 << 30 };

	(void)state;
	open_file(&narrow);
	open_uplink(1000000);
	take(3);
	RUN_UNTIL(&world.loop, is_idle());
	for (unsigned i = 0; i < 20; i++)
		take(3);
	kill_uplink();
	open_uplink(1000000);
	take(1);
	RUN_UNTIL(&world.loop, is_idle());
	assert_int_equal(look().events, 64);
	assert_int_equal(look().twice, 0);
	assert_int_equal(look().chunks, 3);
}

static void lines_that_are_no_events_are_passed_over(void **state)
{
	struct scratch_dir path;
	FILE *file;

	(void)state;
	open_file(&wide);
	open_uplink(1000000);
	take(3);
	RUN_UNTIL(&world.loop, is_idle());
	take(2);
	path = scratch_path(&world.dir, "tracking.json");
	file = fopen(path.path, "a");
	fputs("nonsense\n\n{\"seq\":\"x\"}\n{\"time\":\"2026-01-15T12:00:00.000000Z\",\"event\":\"NODE\"}\n",
		file);
	fclose(file);
	take(2);
	kill_uplink();
	open_uplink(1000000);
	take(1);
	RUN_UNTIL(&world.loop, is_idle());
	assert_int_equal(look().events, 8);
}

static void what_found_no_room_in_memory_is_sent_from_the_file(void **state)
{
	(void)state;
	open_file(&wide);
	open_uplink(60000);
	take(10);
	RUN_UNTIL(&world.loop, is_idle());
	redis_server_kill(&world.redis);
	for (unsigned i = 0; i < 25; i++)
		take(1000);
	redis_server_restart(&world.redis);
	RUN_UNTIL(&world.loop, is_idle());
	assert_int_equal(look().events, 25010);
	assert_int_equal(look().twice, 0);
	assert_int_equal(metrics_sum(world.metrics, METRIC_TRACK_LOST, TRACK_LOST_CLUSTER), 0);
}

static void a_redis_that_took_over_gets_what_it_lacks(void **state)
{
	struct redis_client client;
	const redisReply *names;
	char name[64];

	(void)state;
	open_file(&wide);
	open_uplink(1000000);
	take(1000);
	RUN_UNTIL(&world.loop, is_idle());
	take(1000);
	RUN_UNTIL(&world.loop, is_idle());
	/* As if the last chunk had not been copied when the master died. */
	redis_client_start(&client, world.redis.port);
	names = redis_client_command(&client, "ZRANGE skein:{track}:order -1 -1");
	assert_int_equal(names->elements, 1);
	snprintf(name, sizeof(name), "%s", names->element[0]->str);
	redis_client_command(&client, "EVAL %s 0 %s",
		"for _, k in ipairs { 'heads', 'bodies' } do redis.call('HDEL', 'skein:{track}:' .. k, "
		"ARGV[1]) end "
		"redis.call('ZREM', 'skein:{track}:order', ARGV[1]) "
		"redis.call('HSET', 'skein:{track}:state', 'at:node-1', '0000000000000001:1000')",
		name);
	assert_int_equal(look().events, 1000);
	redis_client_command(&client, "CLIENT KILL TYPE normal");
	redis_client_stop(&client);
	take(1);
	RUN_UNTIL(&world.loop, look().events == 2001);
	assert_int_equal(look().twice, 0);
}

#define ROW(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		ROW(what_is_new_goes_by_itself_until_it_fills_a_chunk),
		ROW(many_small_ones_become_one),
		ROW(events_wait_while_redis_is_away),
		ROW(the_oldest_are_dropped_and_counted),
		ROW(a_call_without_an_answer_is_made_again),
		ROW(a_full_redis_is_asked_again),
		ROW(who_leaves_sends_at_once),
		ROW(what_a_run_left_behind_is_sent_by_the_next),
		ROW(runs_that_never_reached_redis_are_sent_too),
		ROW(a_first_run_that_was_killed_at_once_has_no_mark),
		ROW(a_mark_in_an_older_file_is_found),
		ROW(lines_that_are_no_events_are_passed_over),
		ROW(what_found_no_room_in_memory_is_sent_from_the_file),
		ROW(a_redis_that_took_over_gets_what_it_lacks),
	};

	return cmocka_run_group_tests_name("track_uplink", tests, NULL, NULL);
}
