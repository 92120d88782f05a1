#include "network.h"

#include "happening.h"
#include "mail.h"
#include "store.h"

#include "skein/proto/base/alloc.h"

#include <stdio.h>
#include <string.h>

enum { RECONNECT_FIRST_US = 100000, RECONNECT_MAX_US = 900000, CALL_TIMEOUT_MS = 2000 };

/* A command or a reply under way. */
struct packet {
	struct conn *conn;
	uint64_t connection;
	bool is_ghost; /* was decided on when its connection ended; executed, unanswered */
	bool loses_reply;
	int db;
	unsigned server; /* store.generations when it was sent: another server never sees it */
	size_t len;
	char bytes[];
};

/* --- parsing ------------------------------------------------------------------------------------ */

static bool take_number(struct span *rest, char kind, uint64_t *number_out)
{
	size_t end = span_find(*rest, '\r');

	if (!rest->len || rest->ptr[0] != kind || end + 2 > rest->len)
		return false;
	CHECK(span_parse_u64(span_drop(span_take(*rest, end), 1), UINT32_MAX, number_out));
	*rest = span_drop(*rest, end + 2);
	return true;
}

/* "skein_1a2b3c4d_accept" → "accept" */
static struct span function_name(struct span full)
{
	struct span rest = span_drop(full, span_find(full, '_') + 1);

	return span_drop(rest, span_find(rest, '_') + 1);
}

static void sort_out(struct command *command)
{
	struct span name = command->argv[0];
	bool is_call = span_starts_with(name, SPAN_LIT("FCALL"));
	uint64_t keys = 0;

	if (is_call) {
		name = function_name(command->argv[1]);
		CHECK(span_parse_u64(command->argv[2], ARGS_MAX, &keys));
		command->keys = command->argv + 3;
		command->key_count = keys;
		command->args = command->keys + keys;
		command->arg_count = command->argc - 3 - keys;
	}
	snprintf(command->name, sizeof(command->name), "%.*s", SPAN_ARGS(name));
}

bool command_parse(struct span bytes, struct command *command, size_t *len_out)
{
	struct span rest = bytes;
	uint64_t count, len;

	*command = (struct command){ .argc = 0 };
	if (!take_number(&rest, '*', &count))
		return false;
	CHECK(count >= 1 && count <= ARGS_MAX);
	while (command->argc < count) {
		if (!take_number(&rest, '$', &len) || rest.len < len + 2)
			return false;
		command->argv[command->argc++] = span_take(rest, len);
		rest = span_drop(rest, len + 2);
	}
	*len_out = bytes.len - rest.len;
	command->bytes = span_take(bytes, *len_out);
	sort_out(command);
	return true;
}

/* --- a node's way to Redis ------------------------------------------------------------------------ */

static bool is_cut(const struct conn *conn)
{
	const struct world *world = conn->world;

	return world->store.is_down || (conn->node && conn->node->cut_until_us > world->agenda.now_us);
}

static uint64_t latency_us(struct world *world)
{
	/* Seldom something is stuck on the way. */
	return world_chance(world, 10) ? world_between(world, 1000, 300000) : world_between(world, 50, 900);
}

static uint64_t in_order(struct world *world, uint64_t *last_us)
{
	uint64_t at_us = world->agenda.now_us + latency_us(world);

	if (at_us <= *last_us)
		at_us = *last_us + 1;
	*last_us = at_us;
	return at_us - world->agenda.now_us;
}

static void take_bytes(void *arg);

static void send_reply(struct conn *conn, struct span bytes)
{
	/* In two parts, now and then. */
	size_t part = world_chance(conn->world, 20) && bytes.len > 1 ? world_random(conn->world, bytes.len)
								     : bytes.len;

	for (struct span rest = bytes; rest.len; rest = span_drop(rest, part), part = rest.len) {
		struct packet *packet;

		if (!part)
			part = rest.len;
		packet = mem_alloc(sizeof(*packet) + part);
		*packet = (struct packet){ .conn = conn, .connection = conn->number, .len = part };
		memcpy(packet->bytes, rest.ptr, part);
		agenda_plan(&conn->world->agenda, conn->life, in_order(conn->world, &conn->last_reply_us),
			take_bytes, packet, true);
	}
}

/* TCP sends it again when the network is back; by then the link may have given up. Nothing is left out. */
static void hold_back(struct conn *conn, const struct packet *packet)
{
	struct world *world = conn->world;

	if (!conn->node || conn->node->cut_until_us <= world->agenda.now_us)
		return; /* Redis itself is down: its connections have ended */
	if (conn->last_reply_us < conn->node->cut_until_us)
		conn->last_reply_us = conn->node->cut_until_us;
	agenda_plan(&world->agenda, conn->life, in_order(world, &conn->last_reply_us), take_bytes,
		mem_dup(packet, sizeof(*packet) + packet->len), true);
}

static void take_bytes(void *arg)
{
	struct packet *packet = arg;
	struct conn *conn = packet->conn;

	if (packet->connection != conn->number || conn->state != CONN_UP || conn->is_closing)
		return;
	if (is_cut(conn)) {
		hold_back(conn, packet);
		return;
	}
	redis_link_received(conn->link, span_of(packet->bytes, packet->len), world_now_ms(conn->world));
	conn_pump(conn);
}

/* --- what the server says of itself ---------------------------------------------------------------- */

static void answer_info(struct conn *conn, struct buf *out)
{
	const struct store *store = &conn->world->store;
	struct buf text = { 0 };

	buf_printf(&text,
		"redis_version:7.0.15\r\ncluster_enabled:0\r\nloading:0\r\nrole:master\r\nmaster_replid:%"
		"s\r\n"
		"connected_slaves:%d\r\naof_enabled:1\r\nmaxmemory_policy:noeviction\r\n",
		conn->world->broken == BROKEN_GENERATION ? "always the same"
		: conn->db == DB_OTHER                   ? store->other_generation
							 : store->generation,
		store->has_replica);
	buf_printf(out, "$%zu\r\n", buf_len(&text));
	buf_append(out, buf_span(&text));
	buf_append_str(out, "\r\n");
	buf_fini(&text);
}

/* WAIT: everything that was executed before is on the replica, if that can be reached. */
static void answer_wait(struct conn *conn, struct buf *out)
{
	struct store *store = &conn->world->store;
	bool is_copied = store->has_replica && store->replica_is_reachable && conn->db == DB_MAIN;

	if (conn->world->broken == BROKEN_WAIT)
		is_copied = true;
	else if (is_copied)
		store_copy(conn->world, DB_MAIN, DB_REPLICA);
	buf_printf(out, ":%d\r\n", is_copied);
}

/* A settle of what was recorded before. */
static bool is_repeated_fact(struct world *world, const struct command *command)
{
	struct mail *mail =
		strcmp(command->name, "settle") == 0 ? mail_find_text(world, command->args[0]) : NULL;

	for (const struct attempt *it = mail ? mail->attempts : NULL; it; it = it->next) {
		if (it->is_recorded)
			return true;
	}
	return false;
}

/* Rules taken out. */
static bool answer_wrongly(struct world *world, const struct command *command, struct buf *out)
{
	if (world->broken == BROKEN_RECONCILE && strcmp(command->name, "SSCAN") == 0)
		buf_append_str(out, "*2\r\n$1\r\n0\r\n*0\r\n");
	else if (world->broken == BROKEN_FACTS && is_repeated_fact(world, command))
		buf_append_str(out, "$2\r\nOK\r\n");
	else
		return false;
	return true;
}

/* True when the simulation answers itself. */
static bool answer_itself(struct conn *conn, const struct command *command, struct buf *out)
{
	if (strcmp(command->name, "INFO") == 0)
		answer_info(conn, out);
	else if (strcmp(command->name, "WAIT") == 0)
		answer_wait(conn, out);
	else if (strcmp(command->name, "CONFIG") == 0)
		buf_append_str(out, "*2\r\n$4\r\nsave\r\n$0\r\n\r\n");
	else if (strcmp(command->name, "FUNCTION") == 0)
		buf_append_str(out, "*1\r\n$5\r\nskein\r\n");
	else if (strcmp(command->name, "CLIENT") == 0 && span_eq(command->argv[1], SPAN_LIT("INFO")))
		buf_append_str(out, "$32\r\naddr=10.0.0.1:9 laddr=10.0.0.2:9\r\n");
	else if (strcmp(command->name, "CLIENT") == 0)
		buf_append_str(out, "+OK\r\n");
	else
		return answer_wrongly(conn->world, command, out);
	return true;
}

/* What is worth a line: calls about a message, and what is given out. */
static void trace_call(const struct happening *happening)
{
	const struct command *command = happening->command;
	struct conn *conn = happening->conn;
	char reply[100];
	size_t len = 0;

	if (happening->reply.len <= 8 && strcmp(command->name, "claim") == 0)
		return;
	if (command->arg_count == 0 || strcmp(command->name, "news") == 0 ||
		strcmp(command->name, "nodes") == 0 || strcmp(command->name, "renew") == 0 ||
		strcmp(command->name, "lead") == 0 || strcmp(command->name, "trim") == 0 ||
		strcmp(command->name, "repair") == 0 || strcmp(command->name, "sweep") == 0 ||
		span_eq(happening->reply, SPAN_LIT("*1\r\n$2\r\nOK\r\n")))
		return;
	for (size_t i = 0; i < happening->reply.len && len < sizeof(reply) - 1; i++) {
		char c = happening->reply.ptr[i];

		reply[len++] = c >= ' ' && c <= '~' ? c : '.';
	}
	reply[len] = '\0';
	trace(conn->world, "%s/%u%s %s %.*s %.*s -> %s", conn->node ? conn->node->name : "operator",
		conn->worker, happening->is_ghost ? " (late)" : "", command->name,
		SPAN_ARGS(command->args[0]), command->arg_count > 1 ? (int)command->args[1].len : 0,
		command->arg_count > 1 ? command->args[1].ptr : "", reply);
}

/* --- arrival --------------------------------------------------------------------------------------- */

/* "Subject: mail 12" → "Subject: nail 12" */
static void alter_body(struct buf *reply)
{
	char *subject = memmem(reply->base + reply->head, buf_len(reply), "mail", 4);

	if (subject)
		*subject = 'n';
}

static void execute(struct packet *packet)
{
	struct conn *conn = packet->conn;
	struct world *world = conn->world;
	struct span bytes = span_of(packet->bytes, packet->len);
	bool is_live = packet->connection == conn->number && conn->state == CONN_UP && !packet->is_ghost;
	struct buf reply = { 0 };
	struct command command;
	size_t len;

	CHECK(command_parse(bytes, &command, &len) && len == packet->len);
	if (!answer_itself(conn, &command, &reply)) {
		struct happening happening = { .kind = SAW_EXECUTING,
			.conn = conn,
			.command = &command,
			.is_ghost = !is_live,
			.db = packet->db };

		happened(world, &happening);
		store_execute(world, packet->db, bytes, &reply);
		if (world->broken == BROKEN_BODY && strcmp(command.name, "GET") == 0)
			alter_body(&reply);
		happening.kind = SAW_EXECUTED;
		happening.reply = buf_span(&reply);
		trace_call(&happening);
		happened(world, &happening);
		packet->loses_reply |= happening.action == ACTION_LOSE;
	}
	is_live = is_live && conn->state == CONN_UP && packet->connection == conn->number;
	if (is_live && packet->loses_reply)
		conn_snip(conn);
	else if (is_live)
		send_reply(conn, buf_span(&reply));
	buf_fini(&reply);
}

static void arrive(void *arg)
{
	struct packet *packet = arg, *late;
	struct conn *conn = packet->conn;
	struct world *world = conn->world;
	bool is_live = packet->connection == conn->number && conn->state == CONN_UP && !conn->is_closing;

	if (world->store.is_down || packet->server != world->store.generations)
		return;
	if (conn->node && conn->node->cut_until_us > world->agenda.now_us) {
		/* Sent again by TCP when the network is back, if ever. */
		if (!is_live && !packet->is_ghost && !world_chance(world, world->odds.ghosts))
			return;
		late = mem_dup(packet, sizeof(*packet) + packet->len);
		if (conn->last_arrival_us < conn->node->cut_until_us)
			conn->last_arrival_us = conn->node->cut_until_us;
		agenda_plan(
			&world->agenda, NULL, in_order(world, &conn->last_arrival_us), arrive, late, true);
		return;
	}
	if (is_live || packet->is_ghost) {
		execute(packet);
		return;
	}
	/* Its connection has ended: still in a socket somewhere, or gone. */
	if (!world_chance(world, world->odds.ghosts))
		return;
	late = mem_dup(packet, sizeof(*packet) + packet->len);
	late->is_ghost = true;
	agenda_plan(&world->agenda, NULL, world_between(world, 0, 20 * SECOND_US), arrive, late, true);
}

static void send_command(struct conn *conn, const struct command *command)
{
	struct world *world = conn->world;
	struct packet *packet = mem_alloc(sizeof(*packet) + command->bytes.len);
	struct happening happening = { .kind = SAW_SENT, .conn = conn, .command = command };
	uint64_t delay_us = in_order(world, &conn->last_arrival_us);

	*packet = (struct packet){ .conn = conn, .connection = conn->number, .len = command->bytes.len };
	packet->db = conn->db;
	packet->server = world->store.generations;
	packet->loses_reply = world_chance(world, world->is_calm ? 0 : world->odds.lost_replies);
	memcpy(packet->bytes, command->bytes.ptr, command->bytes.len);
	happened(world, &happening);
	if (conn->is_stuck || happening.action == ACTION_LOSE) {
		conn->is_stuck = true;
		mem_free(packet);
		return;
	}
	if (happening.action == ACTION_DELAY) {
		delay_us += happening.delay_us;
		conn->last_arrival_us += happening.delay_us;
	}
	if (happening.action == ACTION_GHOST) {
		conn->is_stuck = true;
		packet->is_ghost = true;
		delay_us = happening.delay_us;
	}
	agenda_plan(&world->agenda, NULL, delay_us, arrive, packet, true);
}

static void transport_write(void *ctx, struct span bytes)
{
	struct conn *conn = ctx;
	struct command command;
	size_t len;

	buf_append(&conn->out, bytes);
	while (command_parse(buf_span(&conn->out), &command, &len)) {
		send_command(conn, &command);
		buf_consume(&conn->out, len);
	}
}

/* --- life of a connection --------------------------------------------------------------------------- */

struct conn_event {
	struct conn *conn;
	uint64_t number;
};

static void plan(struct conn *conn, uint64_t delay_us, event_fn *fn)
{
	struct conn_event *event = mem_alloc(sizeof(*event));

	*event = (struct conn_event){ conn, conn->number };
	agenda_plan(&conn->world->agenda, conn->life, delay_us, fn, event, true);
}

static void begin(void *arg);

static void end(void *arg)
{
	struct conn_event *event = arg;
	struct conn *conn = event->conn;

	if (event->number != conn->number || conn->state == CONN_DOWN)
		return;
	conn->state = CONN_DOWN;
	conn->is_closing = conn->is_stuck = false;
	conn->number++;
	conn->last_arrival_us = conn->last_reply_us = 0;
	buf_clear(&conn->out);
	redis_link_disconnected(conn->link, "the connection broke", world_now_ms(conn->world));
	plan(conn, world_between(conn->world, RECONNECT_FIRST_US, RECONNECT_MAX_US), begin);
}

static void transport_close(void *ctx)
{
	struct conn *conn = ctx;

	if (conn->is_closing)
		return;
	conn->is_closing = true;
	plan(conn, 0, end);
}

void conn_snip(struct conn *conn)
{
	if (conn->state == CONN_DOWN || conn->is_closing)
		return;
	conn->is_closing = true;
	plan(conn, latency_us(conn->world), end);
}

void conn_abandon(struct conn *conn)
{
	conn->number++;
	conn->state = CONN_DOWN;
}

static void opened(void *arg)
{
	struct conn_event *event = arg;
	struct conn *conn = event->conn;

	if (event->number != conn->number || conn->state != CONN_CONNECTING || conn->is_closing)
		return;
	if (is_cut(conn)) {
		plan(conn, 100 * MS_US, opened); /* the link's deadline ends it if this lasts */
		return;
	}
	conn->state = CONN_UP;
	conn->db = conn->node && conn->node->is_across ? DB_OTHER : DB_MAIN;
	redis_link_connected(conn->link, world_now_ms(conn->world));
	conn_pump(conn);
}

static void begin(void *arg)
{
	struct conn_event *event = arg;
	struct conn *conn = event->conn;

	if (event->number != conn->number || conn->state != CONN_DOWN)
		return;
	conn->state = CONN_CONNECTING;
	redis_link_connecting(conn->link, world_now_ms(conn->world));
	plan(conn, latency_us(conn->world), opened);
	conn_pump(conn);
}

static void on_event(void *arg, enum redis_link_event event, const char *why)
{
	struct conn *conn = arg;

	trace(conn->world, "%s/%u Redis %s%s%s", conn->node ? conn->node->name : "operator", conn->worker,
		event == LINK_READY ? "ready" : "lost", why ? ": " : "", why ? why : "");
	if (event == LINK_READY)
		conn->on_ready(conn->arg);
	else
		conn->on_lost(conn->arg);
}

static void tick(void *arg)
{
	struct conn_event *event = arg;
	struct conn *conn = event->conn;

	if (conn->tick_us <= conn->world->agenda.now_us)
		conn->tick_us = 0;
	conn_pump(conn);
}

void conn_pump(struct conn *conn)
{
	struct world *world = conn->world;
	uint64_t now_ms = world_now_ms(world), next_ms, delay_us;

	redis_link_flush(conn->link, now_ms);
	next_ms = redis_link_tick(conn->link, now_ms);
	if (next_ms == UINT64_MAX)
		return;
	delay_us = next_ms > now_ms ? (next_ms - now_ms) * MS_US : 1;
	if (conn->tick_us && conn->tick_us <= world->agenda.now_us + delay_us)
		return;
	conn->tick_us = world->agenda.now_us + delay_us;
	plan(conn, delay_us, tick);
}

struct conn *conn_new(struct world *world, struct life *life, struct node *node, unsigned worker,
	void (*on_ready)(void *), void (*on_lost)(void *), void *arg)
{
	struct conn *conn = mem_zalloc(sizeof(*conn));
	const struct redis_link_options options = {
		.client_name = node ? node->name : "operator",
		.prefix = "skein:",
		.wait_replicas = world->store.has_replica,
		.handshake_timeout_ms = CALL_TIMEOUT_MS,
		.call_timeout_ms = CALL_TIMEOUT_MS,
	};
	const struct redis_transport transport = { conn, transport_write, transport_close };

	conn->world = world;
	conn->life = life;
	conn->node = node;
	conn->worker = worker;
	conn->on_ready = on_ready;
	conn->on_lost = on_lost;
	conn->arg = arg;
	conn->link = redis_link_new(&options, transport, on_event, conn);
	plan(conn, world_between(world, 1, RECONNECT_FIRST_US), begin);
	return conn;
}
