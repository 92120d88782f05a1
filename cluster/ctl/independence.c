#include "independence.h"

#include "redis/identity.h"

#include <hiredis/hiredis.h>

/* A node names its connections by its own name, maybe followed by ":" and what the connection is for. */
static bool is_client_of(struct span client_name, struct span node)
{
	return node.len && span_starts_with(client_name, node) &&
	       (client_name.len == node.len || client_name.ptr[node.len] == ':');
}

static enum redis_fact shares_host(struct span clients, struct span node)
{
	while (clients.len) {
		size_t end = span_find(clients, '\n');
		struct client_line client = client_line_read(span_take(clients, end));

		clients = span_drop(clients, end < clients.len ? end + 1 : end);
		if (is_client_of(client.name, node))
			return client.same_host;
	}
	return REDIS_FACT_UNKNOWN;
}

static void append_name(struct buf *names, struct span name)
{
	buf_printf(names, "%s%.*s", buf_len(names) ? ", " : "", SPAN_ARGS(name));
}

struct independence independence_judge(const struct roster *roster, struct span clients, unsigned replicas)
{
	struct independence result = { .is_given = REDIS_YES };
	struct buf shared = { 0 }, unknown = { 0 };

	for (size_t i = 0; i < roster->count; i++) {
		enum redis_fact fact = shares_host(clients, roster->nodes[i].name);

		if (roster->nodes[i].state == NODE_ALIVE && fact != REDIS_NO)
			append_name(fact == REDIS_YES ? &shared : &unknown, roster->nodes[i].name);
	}
	if (buf_len(&shared)) {
		result.is_given = replicas ? REDIS_FACT_UNKNOWN : REDIS_NO;
		buf_printf(&result.text, "Redis runs on the host of %.*s: for mail that comes in there ",
			SPAN_ARGS(buf_span(&shared)));
		buf_append_str(&result.text,
			replicas ? "250 means two independent places only with redis.wait_replicas above 0"
				 : "250 does not mean two independent places");
	} else if (buf_len(&unknown)) {
		result.is_given = REDIS_FACT_UNKNOWN;
		buf_printf(&result.text,
			"250 means two independent places if Redis does not run on the host of %.*s, "
			"which cannot be seen",
			SPAN_ARGS(buf_span(&unknown)));
	} else {
		buf_append_str(&result.text,
			"250 means two independent places: a node's journal, and Redis on another host");
	}
	buf_fini(&shared);
	buf_fini(&unknown);
	return result;
}

static void on_clients(void *arg, enum redis_outcome outcome, const redisReply *reply)
{
	if (outcome != REDIS_UNKNOWN && reply->type == REDIS_REPLY_STRING)
		buf_append(arg, span_of(reply->str, (size_t)reply->len));
}

enum ctl_exit independence_load(
	struct independence *independence, struct session *session, const struct roster *roster)
{
	struct span argv[] = { SPAN_LIT("CLIENT"), SPAN_LIT("LIST"), SPAN_LIT("TYPE"), SPAN_LIT("normal") };
	struct buf clients = { 0 };
	enum ctl_exit exit;

	(void)redis_link_call(
		session->link, ARRAY_LEN(argv), argv, 0, session_now_ms(), on_clients, &clients);
	exit = session_finish(session);
	if (!exit)
		*independence = independence_judge(
			roster, buf_span(&clients), redis_link_identity(session->link)->replicas);
	buf_fini(&clients);
	return exit;
}
