/* skeinctl status */
#include "call.h"
#include "human.h"
#include "independence.h"
#include "node_rows.h"
#include "overview.h"

#include <stdio.h>

enum {
	MEMORY_HIGH_PERCENT = 80,
	WARNINGS_MAX = 8,
	SILENT_MS = 10000, /* leases are renewed each second */
};

struct status {
	struct session *session;
	struct roster roster;
	struct tally tally;
	struct independence independence;
	struct buf warnings[WARNINGS_MAX];
	size_t warning_count;
};

static enum ctl_exit gather(struct status *status)
{
	struct session *session = status->session;
	enum ctl_exit exit = roster_load(&status->roster, session);

	if (!exit)
		exit = tally_load(&status->tally, session);
	if (!exit)
		exit = independence_load(&status->independence, session, &status->roster);
	return exit;
}

static struct buf *add_warning(struct status *status)
{
	CHECK(status->warning_count < WARNINGS_MAX);
	return &status->warnings[status->warning_count++];
}

static void warn_of_redis(struct status *status, const struct redis_identity *redis)
{
	if (redis->noeviction == REDIS_NO)
		buf_printf(add_warning(status),
			"Redis may throw mail away when its memory is full (maxmemory-policy %s): set "
			"noeviction",
			redis->eviction);
	if (redis->persistent == REDIS_NO && redis->replicas == 0)
		buf_append_str(add_warning(status),
			"Redis keeps nothing on disk and has no replica: set appendonly yes");
	if (redis->memory_max && redis->memory_used / MEMORY_HIGH_PERCENT > redis->memory_max / 100)
		buf_printf(add_warning(status), "Redis has used more than %d%% of its memory",
			MEMORY_HIGH_PERCENT);
}

/* Who died last is called alive for ever: nobody was left to say otherwise. */
static bool is_silent(const struct session *session)
{
	return session->renewed_ago_ms > SILENT_MS;
}

static void warn_of_silence(struct status *status)
{
	struct buf *text = add_warning(status);

	if (status->session->renewed_ago_ms == UINT64_MAX) {
		buf_append_str(text, "no node has ever renewed its lease");
	} else {
		buf_append_str(text, "no node has renewed its lease for ");
		human_duration(text, status->session->renewed_ago_ms);
	}
	buf_append_str(text, ": none runs, or none reaches this Redis");
}

static void warn(struct status *status)
{
	uint64_t quarantined = status->tally.states[QUEUE_QUARANTINED];

	if (roster_count(&status->roster, NODE_ALIVE) == 0)
		buf_append_str(add_warning(status), "no node is alive: mail does not move");
	else if (is_silent(status->session))
		warn_of_silence(status);
	else if (status->roster.leader.node.epoch == 0)
		buf_append_str(add_warning(status), "nobody leads yet: the mail of dead nodes waits");
	if (quarantined) {
		struct buf *text = add_warning(status);

		human_count(text, quarantined, "message");
		buf_append_str(text,
			" in quarantine: nodes died over them. See: skeinctl queue list --state quarantined");
	}
	if (status->tally.shards_in_grace)
		buf_append_str(add_warning(status),
			"nodes are telling a new Redis what they own: nothing is given out meanwhile");
	warn_of_redis(status, redis_link_identity(status->session->link));
}

/* ---- JSON ---- */

static json_t *renewed_json(const struct session *session)
{
	return session->renewed_ago_ms == UINT64_MAX ? json_null() : json_of_u64(session->renewed_ago_ms);
}

static void print_json(const struct status *status)
{
	json_t *warnings = json_array();

	for (size_t i = 0; i < status->warning_count; i++)
		json_array_append_new(warnings, json_of_span(buf_span(&status->warnings[i])));
	screen_print_json(json_pack("{s:{s:s, s:i, s:o}, s:o, s:o, s:o, s:o, s:{s:o, s:o}, s:o}", "cluster",
		"id", status->session->cluster_id, "shards", (int)status->session->shards, "renewed_ago_ms",
		renewed_json(status->session), "leader", overview_leader_json(&status->roster), "nodes",
		node_rows_json(&status->roster, &status->tally, false), "queue",
		overview_queue_json(&status->tally), "redis", overview_redis_json(status->session), "custody",
		"independent", json_of_fact(status->independence.is_given), "text",
		json_of_span(buf_span(&status->independence.text)), "warnings", warnings));
}

/* ---- text ---- */

static const char *persistence(const struct redis_identity *redis)
{
	if (redis->appendonly == REDIS_YES)
		return "append-only file";
	if (redis->persistent == REDIS_YES)
		return "snapshots only";
	return redis->persistent == REDIS_NO ? "nothing on disk" : "persistence unknown";
}

static void append_redis(struct buf *out, const struct session *session)
{
	const struct redis_identity *redis = redis_link_identity(session->link);

	buf_printf(out, "%s at %s port %s, ", redis->version, session->socket_options.host,
		session->socket_options.port);
	overview_append_memory(out, redis);
	buf_printf(out, ", %s, %s, ", redis->eviction[0] ? redis->eviction : "eviction unknown",
		persistence(redis));
	human_count(out, redis->replicas, "replica");
}

static void print_text(struct status *status)
{
	struct screen screen = screen_look();
	struct buf out = { 0 }, text = { 0 };
	bool is_given = status->independence.is_given == REDIS_YES;

	buf_printf(&text, "%s, %u shards", status->session->cluster_id, status->session->shards);
	overview_append_line(&out, &screen, "Cluster", &text, TINT_NONE);
	overview_append_nodes(&text, &status->roster);
	overview_append_line(&out, &screen, "Nodes", &text, TINT_NONE);
	overview_append_queue(&text, &status->tally);
	overview_append_line(&out, &screen, "Queue", &text, TINT_NONE);
	append_redis(&text, status->session);
	overview_append_line(&out, &screen, "Redis", &text, TINT_NONE);
	overview_append_line(
		&out, &screen, "Custody", &status->independence.text, is_given ? TINT_GOOD : TINT_WARN);
	for (size_t i = 0; i < status->warning_count; i++)
		overview_append_line(&out, &screen, "Warning", &status->warnings[i], TINT_WARN);
	buf_append_byte(&out, '\n');
	(void)screen_print(&out);
	node_rows_print(&status->roster, &status->tally, false);
	buf_fini(&out);
	buf_fini(&text);
}

static enum ctl_exit work(struct session *session, void *arg)
{
	struct status status = { .session = session };
	enum ctl_exit exit = gather(&status);

	(void)arg;
	if (!exit) {
		warn(&status);
		if (session->is_json)
			print_json(&status);
		else
			print_text(&status);
		if (roster_count(&status.roster, NODE_ALIVE) == 0 || is_silent(session))
			exit = CTL_NEGATIVE;
	}
	for (size_t i = 0; i < WARNINGS_MAX; i++)
		buf_fini(&status.warnings[i]);
	buf_fini(&status.independence.text);
	roster_fini(&status.roster);
	return exit;
}

enum ctl_exit cmd_status(struct ctl_options *options, const struct call *call)
{
	(void)call;
	return session_run(options, work, NULL);
}
