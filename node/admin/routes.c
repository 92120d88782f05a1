#include "admin/routes.h"

#include "access/policy_slot.h"
#include "io/wall_clock.h"
#include "outbound/hop_certificates.h"
#include "track/metrics.h"

#include <jansson.h>
#include <stdlib.h>

typedef void route_fn(const struct admin_options *options, struct http_response *response);

static route_fn answer_live, answer_ready, answer_health, answer_metrics;

static const struct {
	const char *path;
	route_fn *answer;
} routes[] = {
	{ "/livez", answer_live },
	{ "/readyz", answer_ready },
	{ "/healthz", answer_health },
	{ "/metrics", answer_metrics },
};

void routes_answer(void *arg, struct span path, struct http_response *response)
{
	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		if (span_eq(path, span_of_str(routes[i].path))) {
			routes[i].answer(arg, response);
			return;
		}
	}
	response->status = 404;
	buf_append_str(&response->body, "not found: there are /livez, /readyz, /healthz and /metrics\n");
}

/* ---- /livez ---- */

/* The name of a loop that no longer turns, or NULL. */
static const char *find_stalled(const struct admin_options *options, uint64_t *stalled_ms_out)
{
	uint64_t max_ms = options->stall_max_ms ? options->stall_max_ms : HEALTH_STALL_MAX_MS;

	return health_find_stalled(options->health, max_ms, stalled_ms_out);
}

static void answer_live(const struct admin_options *options, struct http_response *response)
{
	uint64_t stalled_ms;
	const char *name = find_stalled(options, &stalled_ms);

	if (!name) {
		buf_append_str(&response->body, "live\n");
		return;
	}
	response->status = 503;
	buf_printf(&response->body, "%s: has not turned for %llu ms\n", name, (unsigned long long)stalled_ms);
}

/* ---- /readyz ---- */

static enum health_part part_behind(enum readiness readiness)
{
	static const enum health_part parts[READINESS_COUNT] = {
		[READINESS_READY] = HEALTH_PART_COUNT,
		[READINESS_STARTING] = HEALTH_PART_COUNT,
		[READINESS_DRAINING] = HEALTH_PART_COUNT,
		[READINESS_JOURNAL] = HEALTH_JOURNAL,
		[READINESS_DISK] = HEALTH_DISK,
		[READINESS_MEMORY] = HEALTH_MEMORY,
		[READINESS_REDIS] = HEALTH_REDIS,
	};

	return parts[readiness];
}

static void answer_ready(const struct admin_options *options, struct http_response *response)
{
	enum readiness readiness = health_readiness(options->health);
	enum health_part part = part_behind(readiness);
	struct buf reason = { 0 };

	if (readiness != READINESS_READY)
		response->status = 503;
	buf_append_str(&response->body, readiness_name(readiness));
	if (part < HEALTH_PART_COUNT)
		health_part_is_ok(options->health, part, &reason);
	if (buf_len(&reason)) {
		buf_append_str(&response->body, ": ");
		buf_append(&response->body, buf_span(&reason));
	}
	buf_append_byte(&response->body, '\n');
	buf_fini(&reason);
}

/* ---- /healthz ---- */

static json_t *parts_json(struct health *health)
{
	json_t *parts = json_object();

	for (enum health_part part = 0; part < HEALTH_PART_COUNT; part++) {
		struct buf reason = { 0 };
		bool is_ok = health_part_is_ok(health, part, &reason);
		json_t *entry = json_pack("{s:b}", "ok", is_ok);

		if (buf_len(&reason))
			json_object_set_new(
				entry, "reason", json_stringn(buf_span(&reason).ptr, buf_len(&reason)));
		json_object_set_new(parts, health_part_name(part), entry);
		buf_fini(&reason);
	}
	return parts;
}

static json_t *loops_json(const struct health *health)
{
	json_t *loops = json_object();
	uint64_t stalled_ms;
	const char *name;

	for (unsigned i = 0; health_loop(health, i, &name, &stalled_ms); i++)
		json_object_set_new(loops, name, json_integer((json_int_t)stalled_ms));
	return loops;
}

static json_t *queue_json(struct metrics *metrics)
{
	static const char *const states[] = {
		[QUEUE_ACTIVE] = "active",
		[QUEUE_KEPT] = "kept",
		[QUEUE_LOCAL] = "local",
	};
	json_t *queue = json_object();

	for (unsigned state = 0; state < ARRAY_LEN(states); state++)
		json_object_set_new(
			queue, states[state], json_integer(metrics_sum(metrics, METRIC_QUEUE, state)));
	return queue;
}

/* "refused": a newer version that this node cannot run. */
static json_t *policy_json(struct policy_slot *slot)
{
	json_t *policy = json_object();

	json_object_set_new(policy, "version", json_integer((json_int_t)policy_slot_version(slot)));
	json_object_set_new(policy, "refused", json_integer((json_int_t)atomic_load(&slot->refused)));
	return policy;
}

static void answer_health(const struct admin_options *options, struct http_response *response)
{
	enum readiness readiness = health_readiness(options->health);
	uint64_t stalled_ms;
	json_t *root = json_pack("{s:s, s:s, s:b, s:b, s:s, s:o, s:o, s:o, s:I, s:b, s:I}", "node",
		options->node_name, "version", SKEIN_VERSION, "live", !find_stalled(options, &stalled_ms),
		"ready", readiness == READINESS_READY, "readiness", readiness_name(readiness), "parts",
		parts_json(options->health), "loops_stalled_ms", loops_json(options->health), "queue",
		queue_json(options->metrics), "connections",
		(json_int_t)metrics_sum(options->metrics, METRIC_CONNECTIONS_OPEN, 0), "leader",
		metrics_sum(options->metrics, METRIC_LEADER, 0) > 0, "lease_remaining_ms",
		(json_int_t)metrics_sum(options->metrics, METRIC_LEASE_REMAINING, 0));
	char *text;

	CHECK(root);
	if (options->policy)
		json_object_set_new(root, "policy", policy_json(options->policy));
	text = json_dumps(root, JSON_INDENT(1));
	CHECK(text);
	response->content_type = "application/json";
	buf_append_str(&response->body, text);
	buf_append_byte(&response->body, '\n');
	free(text); /* of jansson */
	json_decref(root);
}

/* ---- /metrics ---- */

static void answer_metrics(const struct admin_options *options, struct http_response *response)
{
	response->content_type = "text/plain; version=0.0.4; charset=utf-8";
	metrics_write(options->metrics, &response->body);
	hop_certificates_write(options->hop_certificates, (int64_t)(wall_clock_ms() / 1000), &response->body);
}
