/* skeinctl doctor: the nodes, as the registry has them and as they tell of themselves with each renewal. */
#include "doctor.h"
#include "human.h"
#include "policy_file.h"
#include "skein/cluster/redis_functions.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum {
	SILENT_MS = 10000,    /* leases are renewed each second */
	CLOCK_WARN_MS = 5000, /* a renewal may be a second old */
	CLOCK_FAIL_MS = 60000,
	LIBRARY_NAME_LEN = 14, /* "skein_1a2b3c4d" */
};

/* --- what a node tells ---------------------------------------------------------------------------- */

struct load {
	json_t *json;
};

static struct load load_of(const struct registry_node *node)
{
	return (struct load){ json_loadb(node->load.ptr ? node->load.ptr : "", node->load.len, 0, NULL) };
}

/* False: a node of an older version does not tell it. */
static bool load_number(const struct load *load, const char *key, uint64_t *number_out)
{
	const json_t *value = json_object_get(load->json, key);

	*number_out = (uint64_t)json_integer_value(value);
	return json_is_integer(value) && json_integer_value(value) >= 0;
}

typedef void node_fn(struct doctor *doctor, const struct registry_node *node, const struct load *load);

static void each_alive(struct doctor *doctor, node_fn *fn)
{
	for (size_t i = 0; i < doctor->roster.count; i++) {
		const struct registry_node *node = &doctor->roster.nodes[i];
		struct load load = load_of(node);

		if (node->state == NODE_ALIVE)
			fn(doctor, node, &load);
		json_decref(load.json);
	}
}

/* --- the checks ----------------------------------------------------------------------------------- */

static void tell_of_others(struct doctor *doctor)
{
	for (size_t i = 0; i < doctor->roster.count; i++) {
		const struct registry_node *node = &doctor->roster.nodes[i];

		if (node->state == NODE_DEAD) {
			doctor_tell(doctor, DOCTOR_WARN,
				"%.*s is dead; its mail has moved, and Redis keeps for it what its "
				"journal is to be told",
				SPAN_ARGS(node->name));
			doctor_cure(doctor,
				"start it; if its disk will not come back: skeinctl node forget %.*s",
				SPAN_ARGS(node->name));
		} else if (node->state == NODE_ALIVE && node->drain) {
			doctor_tell(doctor, DOCTOR_WARN, "%.*s is drained and takes no mail",
				SPAN_ARGS(node->name));
			doctor_cure(doctor, "intended, or: skeinctl drain %.*s --cancel, and restart it",
				SPAN_ARGS(node->name));
		}
	}
}

static void check_alive(struct doctor *doctor)
{
	size_t alive = roster_count(&doctor->roster, NODE_ALIVE);
	bool is_silent = doctor->session->renewed_ago_ms > SILENT_MS;

	if (!alive || is_silent) {
		doctor_tell(doctor, DOCTOR_FAIL,
			"no node is alive, or none reaches this Redis: mail does not move");
		doctor_cure(doctor,
			"start nodes; their log says why they do not (redis-down, registration-refused)");
	} else if (alive == 1) {
		doctor_tell(doctor, DOCTOR_WARN, "one node is alive: when it dies nobody takes mail");
		doctor_cure(doctor, "start the others");
	} else {
		doctor_tell(doctor, DOCTOR_OK, "%zu are alive", alive);
	}
	tell_of_others(doctor);
	if (alive && !is_silent && !doctor->roster.leader.node.epoch) {
		doctor_tell(doctor, DOCTOR_WARN, "nobody leads yet: the mail of dead nodes waits");
		doctor_cure(doctor, "wait some seconds and look again");
	}
}

static void check_readiness_of(
	struct doctor *doctor, const struct registry_node *node, const struct load *load)
{
	const char *ready = json_string_value(json_object_get(load->json, "ready"));

	if (ready && strcmp(ready, "ready") != 0) {
		doctor_tell(doctor, DOCTOR_WARN, "%.*s takes no mail: %s", SPAN_ARGS(node->name), ready);
		doctor_cure(doctor, "the table \"Not ready\" of docs/operations.md; its log");
	} else if (ready) {
		doctor_tell(doctor, DOCTOR_OK, "%.*s takes mail", SPAN_ARGS(node->name));
	}
}

static void check_readiness(struct doctor *doctor)
{
	each_alive(doctor, check_readiness_of);
}

static const struct registry_node *first_alive(const struct doctor *doctor)
{
	for (size_t i = 0; i < doctor->roster.count; i++)
		if (doctor->roster.nodes[i].state == NODE_ALIVE)
			return &doctor->roster.nodes[i];
	return NULL;
}

static bool have_one_version(const struct doctor *doctor)
{
	const struct registry_node *first = first_alive(doctor);

	for (size_t i = 0; i < doctor->roster.count; i++) {
		const struct registry_node *node = &doctor->roster.nodes[i];

		if (node->state == NODE_ALIVE && !span_eq(node->version, first->version))
			return false;
	}
	return true;
}

/* Function libraries that neither we nor, being of one version, the nodes use. */
static void tell_of_libraries(struct doctor *doctor)
{
	const struct span argv[] = { SPAN_LIT("FUNCTION"), SPAN_LIT("LIST"), SPAN_LIT("LIBRARYNAME"),
		SPAN_LIT("skein_*") };
	struct buf answer = { 0 };
	struct span rest;

	if (!doctor_ask(doctor, ARRAY_LEN(argv), argv, &answer))
		buf_clear(&answer);
	rest = buf_span(&answer);
	while (rest.len) {
		size_t end = span_find(rest, '\n');
		struct span line = span_take(rest, end);

		rest = span_drop(rest, end < rest.len ? end + 1 : end);
		if (line.len != LIBRARY_NAME_LEN || !span_starts_with(line, SPAN_LIT("skein_")) ||
			span_eq(line, span_of_str(redis_functions_name)))
			continue;
		doctor_tell(doctor, DOCTOR_WARN,
			"the function library %.*s is of another version than this skeinctl",
			SPAN_ARGS(line));
		doctor_cure(doctor, "when all nodes are of this skeinctl's version: FUNCTION DELETE %.*s",
			SPAN_ARGS(line));
	}
	buf_fini(&answer);
}

static void check_versions(struct doctor *doctor)
{
	const struct registry_node *first = first_alive(doctor);

	if (!first)
		return;
	if (have_one_version(doctor)) {
		doctor_tell(doctor, DOCTOR_OK, "all run %.*s", SPAN_ARGS(first->version));
	} else {
		doctor_tell(doctor, DOCTOR_WARN, "nodes run different versions: see skeinctl nodes");
		doctor_cure(doctor, "that is fine during an upgrade: bring it to its end");
	}
	tell_of_libraries(doctor);
}

static void check_policy_of(
	struct doctor *doctor, const struct registry_node *node, const struct load *load, uint64_t current)
{
	uint64_t running, refused;

	if (!load_number(load, "policy", &running))
		return;
	if (load_number(load, "policy_refused", &refused) && refused) {
		doctor_tell(doctor, DOCTOR_FAIL,
			"%.*s cannot run version %llu of the policy and stays with %llu",
			SPAN_ARGS(node->name), (unsigned long long)refused, (unsigned long long)running);
		doctor_cure(doctor, "its log (policy-refused) names the line; most often it is an older "
				    "Skein: update it");
	} else if (running != current) {
		doctor_tell(doctor, DOCTOR_WARN, "%.*s runs version %llu of the policy, the cluster has %llu",
			SPAN_ARGS(node->name), (unsigned long long)running, (unsigned long long)current);
		doctor_cure(
			doctor, "wait a second and look again; then its log (policy-applied, redis-down)");
	}
}

static void check_policy(struct doctor *doctor)
{
	struct policy_file file = { 0 };
	size_t before = doctor->row_count;

	if (policy_file_load(&file, doctor->session, 0)) {
		policy_file_fini(&file);
		return;
	}
	for (size_t i = 0; i < doctor->roster.count; i++) {
		const struct registry_node *node = &doctor->roster.nodes[i];
		struct load load = load_of(node);

		if (node->state == NODE_ALIVE)
			check_policy_of(doctor, node, &load, file.version.number);
		json_decref(load.json);
	}
	if (doctor->row_count == before && file.version.number)
		doctor_tell(
			doctor, DOCTOR_OK, "all run version %llu", (unsigned long long)file.version.number);
	else if (doctor->row_count == before)
		doctor_tell(doctor, DOCTOR_OK, "none: each node goes by its relay.allow");
	policy_file_fini(&file);
}

static void tell_clock(struct doctor *doctor, struct span whose, uint64_t time_ms)
{
	uint64_t ahead = time_ms > doctor->redis_now_ms ? time_ms - doctor->redis_now_ms : 0;
	uint64_t behind = time_ms < doctor->redis_now_ms ? doctor->redis_now_ms - time_ms : 0;
	uint64_t difference = ahead + behind;
	enum doctor_state state = DOCTOR_OK;
	struct buf text = { 0 };

	if (difference > CLOCK_WARN_MS)
		state = difference > CLOCK_FAIL_MS ? DOCTOR_FAIL : DOCTOR_WARN;
	human_duration(&text, difference);
	if (state == DOCTOR_OK)
		doctor_tell(doctor, state, "%.*s agrees with Redis", SPAN_ARGS(whose));
	else
		doctor_tell(doctor, state, "%.*s is %.*s %s Redis", SPAN_ARGS(whose),
			SPAN_ARGS(buf_span(&text)), ahead ? "ahead of" : "behind");
	if (state != DOCTOR_OK)
		doctor_cure(doctor, "chrony or systemd-timesyncd on both hosts: certificates, Kerberos and "
				    "DKIM go by the clock");
	buf_fini(&text);
}

static void check_clock_of(struct doctor *doctor, const struct registry_node *node, const struct load *load)
{
	uint64_t time_ms;

	if (load_number(load, "time_ms", &time_ms))
		tell_clock(doctor, node->name, time_ms);
}

static void check_clocks(struct doctor *doctor)
{
	if (!doctor->redis_now_ms)
		return;
	each_alive(doctor, check_clock_of);
	tell_clock(doctor, SPAN_LIT("this host"), doctor->now_ms);
}

static struct span bytes_text(struct doctor *doctor, uint64_t bytes)
{
	struct buf text = { 0 };
	struct span kept;

	human_bytes(&text, bytes);
	kept = arena_dup(&doctor->arena, buf_span(&text));
	buf_fini(&text);
	return kept;
}

static void check_disk_of(struct doctor *doctor, const struct registry_node *node, const struct load *load)
{
	uint64_t left, min, journal, journal_max;
	enum doctor_state state = DOCTOR_OK;

	if (!load_number(load, "disk_free", &left) || !load_number(load, "disk_min", &min))
		return;
	if (left < 2 * min)
		state = left < min ? DOCTOR_FAIL : DOCTOR_WARN;
	doctor_tell(
		doctor, state, "%.*s: %.*s free", SPAN_ARGS(node->name), SPAN_ARGS(bytes_text(doctor, left)));
	if (state != DOCTOR_OK)
		doctor_cure(doctor,
			"room on the spool's disk: below %.*s (journal.disk_free_min) it takes no mail",
			SPAN_ARGS(bytes_text(doctor, min)));
	if (load_number(load, "journal", &journal) && load_number(load, "journal_max", &journal_max) &&
		journal / 9 > journal_max / 10) {
		doctor_tell(doctor, DOCTOR_WARN, "%.*s: its journal has reached 90%% of journal.size_max",
			SPAN_ARGS(node->name));
		doctor_cure(doctor,
			"a larger journal.size_max, or see why mail does not leave: skeinctl queue list");
	}
}

static void check_disks(struct doctor *doctor)
{
	each_alive(doctor, check_disk_of);
}

static void check_wait_of(struct doctor *doctor, const struct registry_node *node, const struct load *load)
{
	unsigned replicas = redis_link_identity(doctor->session->link)->replicas;
	uint64_t wanted;

	if (!load_number(load, "wait_replicas", &wanted))
		return;
	if (wanted > replicas) {
		doctor_tell(doctor, DOCTOR_FAIL, "%.*s waits for %llu replicas, and there are %u",
			SPAN_ARGS(node->name), (unsigned long long)wanted, replicas);
		doctor_cure(doctor, "start them, or lower redis.wait_replicas and restart the node");
	} else if (replicas && !wanted) {
		doctor_tell(doctor, DOCTOR_WARN,
			"%.*s does not wait for replicas: what only the master has is lost with it",
			SPAN_ARGS(node->name));
		doctor_cure(doctor, "redis.wait_replicas: 1, and restart the node");
	} else {
		doctor_tell(doctor, DOCTOR_OK, "%.*s waits for %llu of %u replicas", SPAN_ARGS(node->name),
			(unsigned long long)wanted, replicas);
	}
}

static void check_waits(struct doctor *doctor)
{
	each_alive(doctor, check_wait_of);
}

static const struct doctor_check checks[] = {
	{ "alive", check_alive },
	{ "ready", check_readiness },
	{ "versions", check_versions },
	{ "policy", check_policy },
	{ "clocks", check_clocks },
	{ "disk", check_disks },
	{ "replicas", check_waits },
};

const struct doctor_group doctor_nodes = { "nodes", DOCTOR_NEEDS_REDIS, checks, ARRAY_LEN(checks) };
