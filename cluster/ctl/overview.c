#include "overview.h"

#include "human.h"

void overview_append_line(
	struct buf *out, const struct screen *screen, const char *label, struct buf *text, enum tint tint)
{
	struct buf title = { 0 };

	buf_printf(&title, "%-9s ", label);
	grid_append_tinted(out, buf_span(&title), TINT_FAINT, screen->has_colour);
	grid_append_tinted(out, buf_span(text), tint, screen->has_colour);
	buf_append_byte(out, '\n');
	buf_fini(&title);
	buf_clear(text);
}

void overview_append_nodes(struct buf *out, const struct roster *roster)
{
	buf_printf(out, "%zu alive, %zu dead, %zu left", roster_count(roster, NODE_ALIVE),
		roster_count(roster, NODE_DEAD), roster_count(roster, NODE_LEFT));
}

void overview_append_queue(struct buf *out, const struct tally *tally)
{
	for (int state = 0; state < QUEUE_STATES; state++)
		buf_printf(out, "%s%llu %s", state ? ", " : "", (unsigned long long)tally->states[state],
			queue_state_name((enum queue_state)state));
}

void overview_append_memory(struct buf *out, const struct redis_identity *redis)
{
	human_bytes(out, redis->memory_used);
	if (!redis->memory_max)
		return;
	buf_append_str(out, " of ");
	human_bytes(out, redis->memory_max);
}

json_t *overview_queue_json(const struct tally *tally)
{
	json_t *queue = json_object();

	for (int state = 0; state < QUEUE_STATES; state++)
		json_object_set_new(
			queue, queue_state_name((enum queue_state)state), json_of_u64(tally->states[state]));
	json_object_set_new(queue, "tombstones", json_of_u64(tally->tombstones));
	json_object_set_new(queue, "facts", json_of_u64(tally->facts));
	json_object_set_new(queue, "shards_in_grace", json_of_u64(tally->shards_in_grace));
	return queue;
}

json_t *overview_redis_json(const struct session *session)
{
	const struct redis_identity *redis = redis_link_identity(session->link);
	json_t *value = json_pack("{s:s, s:s, s:s, s:s, s:i}", "host", session->socket_options.host, "port",
		session->socket_options.port, "version", redis->version, "replication_id",
		redis->replication_id, "replicas", (int)redis->replicas);

	json_object_set_new(value, "persistent", json_of_fact(redis->persistent));
	json_object_set_new(value, "appendonly", json_of_fact(redis->appendonly));
	json_object_set_new(
		value, "eviction", redis->eviction[0] ? json_string(redis->eviction) : json_null());
	json_object_set_new(value, "memory_used", json_of_u64(redis->memory_used));
	json_object_set_new(
		value, "memory_max", redis->memory_max ? json_of_u64(redis->memory_max) : json_null());
	return value;
}

json_t *overview_leader_json(const struct roster *roster)
{
	return roster->leader.node.epoch ? json_of_span(roster_name(roster, &roster->leader.node.node))
					 : json_null();
}
