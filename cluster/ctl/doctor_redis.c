/* skeinctl doctor: Redis itself: what it keeps, how much fits, who has copies, how fast it answers. */
#include "doctor.h"
#include "human.h"
#include "stopwatch.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <string.h>

enum {
	MEMORY_HIGH_PERCENT = 80,
	MEMORY_FULL_PERCENT = 95,
	CLIENTS_HIGH_PERCENT = 80,
	MESSAGES_ENOUGH = 100, /* for an average */
	RECORD_BYTES = 2100,   /* of a waiting message, beside its body; docs/operations.md */
	CALLS = 100,
	MEDIAN_SLOW_US = 5000,
	WORST_SLOW_US = 100000,
	FORK_SLOW_US = 1000000,
	REPLICA_LATE_S = 10,
};

static bool is(struct span text, const char *word)
{
	return span_eq(text, span_of_str(word));
}

static void check_server(struct doctor *doctor)
{
	doctor_tell(doctor, DOCTOR_OK, "Redis %.*s, %.*s, at %s port %s",
		SPAN_ARGS(doctor_info(doctor, "redis_version")), SPAN_ARGS(doctor_info(doctor, "role")),
		doctor->session->socket_options.host, doctor->session->socket_options.port);
}

static void check_saves(struct doctor *doctor)
{
	if (is(doctor_info(doctor, "aof_enabled"), "1") &&
		!is(doctor_info(doctor, "aof_last_write_status"), "ok")) {
		doctor_tell(doctor, DOCTOR_FAIL, "the last write to the append-only file failed");
		doctor_cure(doctor, "the disk of Redis: room, errors; its log says more");
	}
	if (is(doctor_info(doctor, "aof_enabled"), "1") &&
		!is(doctor_info(doctor, "aof_last_bgrewrite_status"), "ok")) {
		doctor_tell(doctor, DOCTOR_FAIL, "the last rewrite of the append-only file failed");
		doctor_cure(
			doctor, "memory and disk of Redis' host (vm.overcommit_memory=1); then BGREWRITEAOF");
	}
	if (!is(doctor_info(doctor, "rdb_last_bgsave_status"), "ok")) {
		doctor_tell(doctor, DOCTOR_FAIL, "the last snapshot failed: Redis may refuse writes");
		doctor_cure(doctor, "memory and disk of Redis' host (vm.overcommit_memory=1); then BGSAVE");
	}
	if (doctor_info_u64(doctor, "latest_fork_usec") > FORK_SLOW_US) {
		doctor_tell(doctor, DOCTOR_WARN, "making a snapshot stops Redis for %llu ms",
			(unsigned long long)doctor_info_u64(doctor, "latest_fork_usec") / 1000);
		doctor_cure(doctor, "turn transparent huge pages off on its host; a smaller maxmemory");
	}
}

static void check_persistence(struct doctor *doctor)
{
	bool has_replicas = doctor_info_u64(doctor, "connected_slaves") > 0;
	struct span fsync = doctor_setting(doctor, "appendfsync");

	if (is(doctor_info(doctor, "aof_enabled"), "1")) {
		bool is_synced = !is(fsync, "no");

		doctor_tell(doctor, is_synced ? DOCTOR_OK : DOCTOR_WARN, "append-only file, appendfsync %.*s",
			SPAN_ARGS(fsync.len ? fsync : span_of_str("unknown")));
		if (!is_synced)
			doctor_cure(doctor, "CONFIG SET appendfsync everysec, and in redis.conf");
	} else if (redis_link_identity(doctor->session->link)->persistent == REDIS_YES) {
		doctor_tell(doctor, DOCTOR_WARN, "snapshots only: a restart goes back to the last one");
		doctor_cure(doctor, "CONFIG SET appendonly yes, and in redis.conf");
	} else {
		doctor_tell(doctor, has_replicas ? DOCTOR_WARN : DOCTOR_FAIL,
			"nothing is kept on disk: a restart of Redis loses its copy of the mail");
		doctor_cure(doctor, "CONFIG SET appendonly yes, and in redis.conf");
	}
	check_saves(doctor);
}

static void check_eviction(struct doctor *doctor)
{
	struct span policy = doctor_info(doctor, "maxmemory_policy");

	if (is(policy, "noeviction")) {
		doctor_tell(doctor, DOCTOR_OK, "noeviction");
		return;
	}
	doctor_tell(doctor, DOCTOR_FAIL, "a full Redis throws mail away: maxmemory-policy is %.*s",
		SPAN_ARGS(policy));
	doctor_cure(doctor, "CONFIG SET maxmemory-policy noeviction, and in redis.conf");
}

/* How many further messages fit, by those that wait. */
static uint64_t forecast(const struct doctor *doctor, uint64_t left)
{
	uint64_t messages = 0, each = RECORD_BYTES;
	uint64_t dataset = doctor_info_u64(doctor, "used_memory_dataset");

	for (int state = 0; state < QUEUE_STATES; state++)
		messages += doctor->tally->states[state];
	if (messages >= MESSAGES_ENOUGH && dataset / messages > each)
		each = dataset / messages;
	return left / each;
}

static void check_memory(struct doctor *doctor)
{
	uint64_t used = doctor_info_u64(doctor, "used_memory"), max = doctor_info_u64(doctor, "maxmemory");
	enum doctor_state state = DOCTOR_OK;
	struct buf text = { 0 };

	human_bytes(&text, used);
	if (!max) {
		doctor_tell(doctor, DOCTOR_WARN,
			"%.*s used, no maxmemory: the kernel kills Redis when its host is full",
			SPAN_ARGS(buf_span(&text)));
		doctor_cure(doctor, "set maxmemory: docs/sizing.md says how much");
		buf_fini(&text);
		return;
	}
	buf_append_str(&text, " of ");
	human_bytes(&text, max);
	if (used / MEMORY_HIGH_PERCENT >= max / 100)
		state = used / MEMORY_FULL_PERCENT >= max / 100 ? DOCTOR_FAIL : DOCTOR_WARN;
	doctor_tell(doctor, state, "%.*s used; room for about %llu further messages like those that wait",
		SPAN_ARGS(buf_span(&text)),
		(unsigned long long)forecast(doctor, max > used ? max - used : 0));
	if (state != DOCTOR_OK)
		doctor_cure(doctor,
			"a larger maxmemory, or see why mail does not leave: skeinctl queue list --sort age");
	buf_fini(&text);
}

/* "ip=10.0.0.2,port=6379,state=online,offset=14,lag=0" */
static struct span replica_field(struct span line, const char *name)
{
	while (line.len) {
		size_t end = span_find(line, ',');
		struct span field = span_take(line, end);

		line = span_drop(line, end < line.len ? end + 1 : end);
		if (span_starts_with(field, span_of_str(name)))
			return span_drop(field, strlen(name));
	}
	return span_of("", 0);
}

static unsigned check_each_replica(struct doctor *doctor, uint64_t count)
{
	unsigned good = 0;

	for (uint64_t i = 0; i < count; i++) {
		char name[32];
		struct span line;
		uint64_t lag = 0;

		snprintf(name, sizeof(name), "slave%llu", (unsigned long long)i);
		line = doctor_info(doctor, name);
		if (!is(replica_field(line, "state="), "online") ||
			(span_parse_u64(replica_field(line, "lag="), UINT32_MAX, &lag) &&
				lag > REPLICA_LATE_S)) {
			doctor_tell(doctor, DOCTOR_WARN, "replica %.*s is %.*s, %llu s behind",
				SPAN_ARGS(replica_field(line, "ip=")),
				SPAN_ARGS(replica_field(line, "state=")), (unsigned long long)lag);
			doctor_cure(doctor, "its host, its log, the network to it");
		} else {
			good++;
		}
	}
	return good;
}

static void check_replicas(struct doctor *doctor)
{
	uint64_t count = doctor_info_u64(doctor, "connected_slaves");
	unsigned good = check_each_replica(doctor, count);

	if (!count) {
		doctor_tell(
			doctor, DOCTOR_WARN, "no replica: when Redis' host is lost, so are its last writes");
		doctor_cure(doctor, "a replica, and redis.wait_replicas: 1 on all nodes");
	} else {
		doctor_tell(
			doctor, DOCTOR_OK, "%u of %llu replicas keep up", good, (unsigned long long)count);
	}
}

static void check_clients(struct doctor *doctor)
{
	uint64_t now = doctor_info_u64(doctor, "connected_clients"),
		 max = doctor_info_u64(doctor, "maxclients");
	bool is_high = max && now * 100 > max * CLIENTS_HIGH_PERCENT;

	doctor_tell(doctor, is_high ? DOCTOR_WARN : DOCTOR_OK, "%llu clients of at most %llu",
		(unsigned long long)now, (unsigned long long)max);
	if (is_high)
		doctor_cure(
			doctor, "CONFIG SET maxclients, and in redis.conf; CLIENT LIST shows who they are");
}

static void check_latency(struct doctor *doctor)
{
	const struct span argv[] = { SPAN_LIT("PING") };
	uint64_t took_us[CALLS];
	bool is_slow;

	for (size_t i = 0; i < CALLS; i++) {
		struct buf answer = { 0 };
		uint64_t start_us = stopwatch_us();
		bool is_good = doctor_ask(doctor, ARRAY_LEN(argv), argv, &answer);

		took_us[i] = stopwatch_us() - start_us;
		buf_fini(&answer);
		if (!is_good)
			return;
	}
	stopwatch_sort(took_us, CALLS);
	is_slow = took_us[CALLS / 2] > MEDIAN_SLOW_US || took_us[CALLS - 1] > WORST_SLOW_US;
	doctor_tell(doctor, is_slow ? DOCTOR_WARN : DOCTOR_OK,
		"%d calls from here: median %.2f ms, slowest %.2f ms", CALLS,
		(double)took_us[CALLS / 2] / 1000, (double)took_us[CALLS - 1] / 1000);
	if (is_slow)
		doctor_cure(doctor,
			"each 250 waits for that: the network; SLOWLOG GET; disk and CPU of Redis' host");
}

static const struct doctor_check checks[] = {
	{ "server", check_server },
	{ "persistence", check_persistence },
	{ "eviction", check_eviction },
	{ "memory", check_memory },
	{ "replicas", check_replicas },
	{ "clients", check_clients },
	{ "latency", check_latency },
};

const struct doctor_group doctor_redis = { "redis", DOCTOR_NEEDS_REDIS, checks, ARRAY_LEN(checks) };
