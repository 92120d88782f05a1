#include "queue_driver.h"

#include "skein/cluster/redis_functions.h"
#include "skein/proto/base/alloc.h"

#include <stdio.h>

/* ---- life ---- */

static void connect_driver(struct queue_driver *q)
{
	static const struct redis_link_options options = { .client_name = "test",
		.prefix = "skein:",
		.handshake_timeout_ms = 5000,
		.call_timeout_ms = 5000 };

	q->driver = link_driver_start(q->server.port, &options);
	q->link = q->driver->link;
}

void queue_driver_reconnect(struct queue_driver *q)
{
	link_driver_stop(&q->driver);
	connect_driver(q);
}

int queue_driver_setup(void **state)
{
	/* The link loads what this program is linked with. */
	assert_non_null(strstr(redis_functions_source, "virtual:clock"));
	return queue_driver_setup_with(state, NULL);
}

int queue_driver_setup_with(void **state, const char *const *args)
{
	struct queue_driver *q = mem_zalloc(sizeof(*q));

	redis_server_start(&q->server, args);
	redis_client_start(&q->redis, q->server.port);
	connect_driver(q);
	*state = q;
	return 0;
}

int queue_driver_teardown(void **state)
{
	struct queue_driver *q = *state;

	link_driver_stop(&q->driver);
	redis_client_stop(&q->redis);
	redis_server_stop(&q->server);
	arena_fini(&q->arena);
	mem_free(q);
	return 0;
}

static void set_clock(struct queue_driver *q)
{
	redis_client_command(&q->redis, "SET virtual:clock %llu", (unsigned long long)q->now_ms * 1000);
}

int queue_driver_reset(void **state)
{
	struct queue_driver *q = *state;

	redis_client_command(&q->redis, "FLUSHALL");
	arena_reset(&q->arena);
	q->now_ms = 1800000000000;
	set_clock(q);
	assert_kind(do_recover(q, GENERATION), OUTCOME_OK);
	pass_ms(q, 60000);
	return 0;
}

void pass_ms(struct queue_driver *q, uint64_t ms)
{
	q->now_ms += ms;
	set_clock(q);
}

/* ---- who and what ---- */

struct node_uuid node_uuid(char letter)
{
	struct node_uuid uuid;
	char text[NODE_UUID_LEN + 1];

	snprintf(text, sizeof(text), "00000000-0000-4000-8000-00000000000%c", letter);
	assert_true(node_uuid_parse(span_of_str(text), &uuid));
	return uuid;
}

struct incarnation node_at(char letter, uint64_t epoch)
{
	return (struct incarnation){ node_uuid(letter), epoch };
}

struct msg_id id_of(unsigned number)
{
	return msg_id_make(number, SHARD, number);
}

struct msg_id_text text_of(unsigned number)
{
	struct msg_id id = id_of(number);

	return msg_id_format(&id);
}

struct queue_message message_of(unsigned number, unsigned pieces)
{
	return (struct queue_message){ .id = id_of(number),
		.env = SPAN_LIT("env\0elope"),
		.settled = SPAN_LIT("0"),
		.size = pieces ? pieces * 5 : 999,
		.pieces = pieces,
		.age_ms = 1000,
		.expires_in_ms = 432000000 };
}

void put_body(struct queue_driver *q, const struct queue_message *message)
{
	struct span piece = SPAN_LIT("bo\0dy");

	for (unsigned i = 0; i < message->pieces; i++)
		assert_true(queue_put_piece(q->link, &message->id, i, piece, q->driver->now_ms, NULL, NULL));
}

/* ---- answers ---- */

static struct span keep(struct answer *answer, struct span text)
{
	return arena_dup(&answer->q->arena, text);
}

static void take(struct answer *answer, const struct outcome *outcome)
{
	answer->calls++;
	answer->outcome = *outcome;
	answer->outcome.text = keep(answer, outcome->text);
}

static void on_outcome(void *arg, const struct outcome *outcome)
{
	take(arg, outcome);
}

static void on_turn(void *arg, const struct outcome *outcome, const struct queue_turn *turn)
{
	struct answer *answer = arg;

	take(answer, outcome);
	answer->turn = turn->turn;
	answer->settled = keep(answer, turn->settled);
}

static struct queue_record keep_record(struct answer *answer, const struct queue_record *record)
{
	struct queue_record copy = *record;

	copy.env = keep(answer, record->env);
	copy.settled = keep(answer, record->settled);
	return copy;
}

static void on_records(
	void *arg, const struct outcome *outcome, const struct queue_record *records, size_t count)
{
	struct answer *answer = arg;

	take(answer, outcome);
	answer->count = count;
	answer->records = arena_alloc(&answer->q->arena, (count + 1) * sizeof(*records));
	for (size_t i = 0; i < count; i++)
		answer->records[i] = keep_record(answer, &records[i]);
}

static void on_ids(
	void *arg, const struct outcome *outcome, uint64_t cursor, const struct msg_id *ids, size_t count)
{
	struct answer *answer = arg;

	take(answer, outcome);
	answer->cursor = cursor;
	answer->count = count;
	answer->ids = arena_alloc(&answer->q->arena, (count + 1) * sizeof(*ids));
	if (count)
		memcpy(answer->ids, ids, count * sizeof(*ids));
}

static void on_news(void *arg, const struct outcome *outcome, uint64_t cursor,
	const struct queue_news_item *items, size_t count)
{
	struct answer *answer = arg;

	take(answer, outcome);
	answer->cursor = cursor;
	answer->count = count;
	answer->news = arena_alloc(&answer->q->arena, (count + 1) * sizeof(*items));
	for (size_t i = 0; i < count; i++) {
		answer->news[i] = items[i];
		answer->news[i].settled = keep(answer, items[i].settled);
	}
}

static void on_swept(void *arg, const struct outcome *outcome, const struct queue_swept *swept)
{
	struct answer *answer = arg;
	struct span unknown =
		span_of((const char *)swept->unknown, swept->unknown_count * sizeof(*swept->unknown));

	take(answer, outcome);
	answer->swept = *swept;
	answer->swept.unknown = (const void *)keep(answer, unknown).ptr;
}

static void on_count(void *arg, const struct outcome *outcome, unsigned count)
{
	take(arg, outcome);
	((struct answer *)arg)->number = count;
}

static struct queue_view_record keep_view(struct answer *answer, const struct queue_view_record *view)
{
	struct queue_view_record copy = *view;

	copy.record = keep_record(answer, &view->record);
	copy.holders = keep(answer, view->holders);
	return copy;
}

static void on_page(void *arg, const struct outcome *outcome, const struct queue_page *page)
{
	struct answer *answer = arg;

	take(answer, outcome);
	answer->count = page->count;
	answer->cursor_text = keep(answer, page->cursor);
	answer->views = arena_alloc(&answer->q->arena, (page->count + 1) * sizeof(*page->records));
	for (size_t i = 0; i < page->count; i++)
		answer->views[i] = keep_view(answer, &page->records[i]);
}

static void on_show(void *arg, const struct outcome *outcome, const struct queue_view_record *view)
{
	struct answer *answer = arg;

	take(answer, outcome);
	if (!view)
		return;
	answer->count = 1;
	answer->views = arena_alloc(&answer->q->arena, sizeof(*view));
	answer->views[0] = keep_view(answer, view);
}

static void on_status(void *arg, const struct outcome *outcome, const struct queue_counts *counts)
{
	struct answer *answer = arg;
	struct queue_counts *kept = &answer->counts;
	struct span owners =
		span_of((const char *)counts->owners, counts->owner_count * sizeof(*counts->owners));
	struct span awaited =
		span_of((const char *)counts->awaited, counts->awaited_count * sizeof(*counts->awaited));

	take(answer, outcome);
	*kept = *counts;
	kept->generation = keep(answer, counts->generation);
	kept->owners = (const void *)keep(answer, owners).ptr;
	kept->awaited = (const void *)keep(answer, awaited).ptr;
}

static void on_piece(void *arg, const struct outcome *outcome, struct span bytes)
{
	take(arg, outcome);
	((struct answer *)arg)->bytes = keep(arg, bytes);
}

static void on_open(void *arg, const struct outcome *outcome, const struct registry_cluster *cluster)
{
	struct answer *answer = arg;

	take(answer, outcome);
	answer->cluster = *cluster;
	answer->cluster.cluster_id = keep(answer, cluster->cluster_id);
}

static void on_epoch(void *arg, const struct outcome *outcome, uint64_t epoch)
{
	take(arg, outcome);
	((struct answer *)arg)->number = epoch;
}

static void on_renew(void *arg, const struct outcome *outcome, const struct registry_renewed *renewed)
{
	struct answer *answer = arg;

	take(answer, outcome);
	answer->number = renewed->counter;
	answer->drain = renewed->drain;
}

static void on_lead(void *arg, const struct outcome *outcome, const struct registry_leader *leader)
{
	take(arg, outcome);
	((struct answer *)arg)->leader = *leader;
}

static void on_nodes(void *arg, const struct outcome *outcome, const struct registry_view *view)
{
	struct answer *answer = arg;

	take(answer, outcome);
	answer->leader = view->leader;
	answer->count = view->count;
	answer->nodes = arena_alloc(&answer->q->arena, (view->count + 1) * sizeof(*view->nodes));
	for (size_t i = 0; i < view->count; i++) {
		struct registry_node *node = &answer->nodes[i];

		*node = view->nodes[i];
		node->name = keep(answer, node->name);
		node->host = keep(answer, node->host);
		node->address = keep(answer, node->address);
		node->admin = keep(answer, node->admin);
		node->version = keep(answer, node->version);
		node->load = keep(answer, node->load);
	}
}

/* Calls `function(link, ..., now, callback, &answer)` and waits for the answer. */
#define ASK(q, function, callback, ...)                                                                      \
	struct answer answer = { .q = (q) };                                                                 \
	assert_true(function((q)->link, __VA_ARGS__, (q)->driver->now_ms, callback, &answer));               \
	link_driver_settle((q)->driver);                                                                     \
	return answer

/* ---- the queue ---- */

struct answer do_accept(struct queue_driver *q, struct incarnation node, struct queue_message message)
{
	struct queue_accept args = { node, &message };

	put_body(q, &message);
	ASK(q, queue_accept, on_turn, &args);
}

struct answer do_accept_only(struct queue_driver *q, const struct queue_accept *args)
{
	ASK(q, queue_accept, on_turn, args);
}

struct answer do_accept_cut(struct queue_driver *q, const struct queue_accept *args)
{
	struct answer answer = { .q = q };

	assert_true(queue_accept(q->link, args, q->driver->now_ms, on_turn, &answer));
	link_driver_cut(q->driver);
	assert_false(queue_accept(q->link, args, q->driver->now_ms, on_turn, &answer));
	queue_driver_reconnect(q);
	return answer;
}

struct answer do_adopt_with(struct queue_driver *q, const struct queue_adopt *args)
{
	put_body(q, args->message);
	ASK(q, queue_adopt, on_turn, args);
}

struct answer do_adopt(
	struct queue_driver *q, struct incarnation node, uint64_t turn, struct queue_message message)
{
	struct queue_adopt args = { .node = node, .turn = turn, .holder = true, .message = &message };

	return do_adopt_with(q, &args);
}

struct answer do_keep(
	struct queue_driver *q, struct incarnation node, uint64_t turn, struct queue_message message)
{
	struct queue_keep args = { node, turn, &message };

	put_body(q, &message);
	ASK(q, queue_keep, on_turn, &args);
}

struct answer do_claim(struct queue_driver *q, struct incarnation node, unsigned count)
{
	struct queue_claim args = { node, SHARD, SPAN_LIT(GENERATION), count };

	ASK(q, queue_claim, on_records, &args);
}

struct answer do_takeup(struct queue_driver *q, struct incarnation node, unsigned number)
{
	struct queue_takeup args = { node, id_of(number), SPAN_LIT(GENERATION) };

	ASK(q, queue_takeup, on_records, &args);
}

struct answer do_own_from(struct queue_driver *q, const struct queue_own *args)
{
	ASK(q, queue_own, on_ids, args);
}

struct answer do_own(struct queue_driver *q, struct incarnation node)
{
	struct queue_own args = { node, SHARD, 0 };

	return do_own_from(q, &args);
}

struct answer do_settle_with(struct queue_driver *q, const struct queue_settle *args)
{
	ASK(q, queue_settle, on_outcome, args);
}

/* One letter per node. */
static size_t nodes_of(const char *letters, struct node_uuid *nodes)
{
	size_t count = 0;

	for (; *letters; letters++)
		nodes[count++] = node_uuid(*letters);
	return count;
}

struct answer do_settle(
	struct queue_driver *q, char node, unsigned number, const char *settled, const char *holders)
{
	struct node_uuid list[QUEUE_HOLDERS_MAX];
	struct queue_settle args = { .node = node_uuid(node),
		.id = id_of(number),
		.settled = span_of_str(settled),
		.holders = list,
		.holder_count = nodes_of(holders, list) };

	return do_settle_with(q, &args);
}

struct answer do_defer_with(struct queue_driver *q, const struct queue_defer *args)
{
	ASK(q, queue_defer, on_outcome, args);
}

struct answer do_defer(
	struct queue_driver *q, struct incarnation node, unsigned number, uint64_t turn, uint64_t delay_ms)
{
	struct queue_defer args = {
		.node = node, .id = id_of(number), .turn = turn, .delay_ms = delay_ms, .attempts = 1
	};

	return do_defer_with(q, &args);
}

struct answer do_bounce(struct queue_driver *q, struct incarnation node, unsigned number, uint64_t turn,
	const char *settled, struct queue_message dsn)
{
	struct queue_bounce args = { node, id_of(number), turn, span_of_str(settled), &dsn };

	put_body(q, &dsn);
	ASK(q, queue_bounce, on_turn, &args);
}

struct answer do_withdraw(struct queue_driver *q, char node, unsigned number)
{
	struct queue_withdraw args = { node_uuid(node), id_of(number) };

	ASK(q, queue_withdraw, on_outcome, &args);
}

struct answer do_news_from(struct queue_driver *q, const struct queue_news *args)
{
	ASK(q, queue_news, on_news, args);
}

struct answer do_news(struct queue_driver *q, char node)
{
	struct queue_news args = { node_uuid(node), SHARD, 0 };

	return do_news_from(q, &args);
}

struct answer do_seen(struct queue_driver *q, char node, unsigned number, const char *settled)
{
	struct queue_seen_item item = { id_of(number), span_of_str(settled) };
	struct queue_seen args = { node_uuid(node), SHARD, &item, 1 };

	ASK(q, queue_seen, on_outcome, &args);
}

struct answer do_recover(struct queue_driver *q, const char *generation)
{
	struct queue_recover args = { SHARD, span_of_str(generation) };

	ASK(q, queue_recover, on_outcome, &args);
}

struct answer do_asserted(
	struct queue_driver *q, struct incarnation node, const char *generation, const char *living)
{
	struct node_uuid list[QUEUE_HOLDERS_MAX];
	struct queue_asserted args = { .node = node,
		.shard = SHARD,
		.generation = span_of_str(generation),
		.living = list,
		.living_count = nodes_of(living, list) };

	ASK(q, queue_asserted, on_outcome, &args);
}

struct answer do_sweep_with(struct queue_driver *q, const struct queue_sweep *args)
{
	ASK(q, queue_sweep, on_swept, args);
}

struct answer do_sweep(
	struct queue_driver *q, unsigned takeovers_max, const struct queue_sweep_node *nodes, size_t count)
{
	struct queue_sweep args = { .shard = SHARD,
		.generation = SPAN_LIT(GENERATION),
		.takeovers_max = takeovers_max,
		.nodes = nodes,
		.node_count = count };

	return do_sweep_with(q, &args);
}

struct answer do_trim(struct queue_driver *q)
{
	struct queue_trim args = { SHARD, 600000 };

	ASK(q, queue_trim, on_count, &args);
}

struct answer do_repair(struct queue_driver *q, unsigned number)
{
	struct msg_id id = id_of(number);
	struct queue_repair args = { SHARD, SPAN_LIT(GENERATION), &id, 1 };

	ASK(q, queue_repair, on_count, &args);
}

struct answer do_scan(struct queue_driver *q, uint64_t cursor)
{
	ASK(q, queue_scan, on_ids, cursor);
}

struct answer do_hold(struct queue_driver *q, unsigned number)
{
	struct msg_id id = id_of(number);

	ASK(q, queue_hold, on_outcome, &id);
}

struct answer do_release(struct queue_driver *q, unsigned number)
{
	struct msg_id id = id_of(number);

	ASK(q, queue_release, on_outcome, &id);
}

struct answer do_cancel(struct queue_driver *q, unsigned number)
{
	struct msg_id id = id_of(number);

	ASK(q, queue_cancel, on_outcome, &id);
}

struct answer do_list(struct queue_driver *q, enum queue_state state, struct span cursor, unsigned count)
{
	struct queue_list args = { SHARD, state, cursor, count };

	ASK(q, queue_list, on_page, &args);
}

struct answer do_show(struct queue_driver *q, unsigned number)
{
	struct msg_id id = id_of(number);

	ASK(q, queue_show, on_show, &id);
}

struct answer do_status(struct queue_driver *q)
{
	ASK(q, queue_status, on_status, SHARD);
}

struct answer do_get_piece(struct queue_driver *q, unsigned number, unsigned index)
{
	struct msg_id id = id_of(number);

	ASK(q, queue_get_piece, on_piece, &id, index);
}

enum queue_state state_of(struct queue_driver *q, unsigned number)
{
	struct answer answer = do_show(q, number);

	return answer.count ? answer.views[0].state : QUEUE_STATES;
}

bool has_key(struct queue_driver *q, const char *name)
{
	return redis_client_integer(&q->redis, "EXISTS %s", name) == 1;
}

/* ---- the registry ---- */

struct answer do_open(struct queue_driver *q, const char *cluster_id, bool must_match, unsigned shards)
{
	struct registry_open args = { span_of_str(cluster_id), must_match, shards };

	ASK(q, registry_open, on_open, &args);
}

struct answer do_register(struct queue_driver *q, const struct registry_register *args)
{
	ASK(q, registry_register, on_epoch, args);
}

struct answer do_renew(struct queue_driver *q, struct incarnation node)
{
	struct registry_renew args = { node, SPAN_LIT("{\"sessions\":1}") };

	ASK(q, registry_renew, on_renew, &args);
}

struct answer do_kill_with(struct queue_driver *q, const struct registry_kill *args)
{
	ASK(q, registry_kill, on_outcome, args);
}

struct answer do_kill(struct queue_driver *q, struct incarnation node, uint64_t counter)
{
	struct registry_kill args = { node, counter, false };

	return do_kill_with(q, &args);
}

struct answer do_settled(struct queue_driver *q, struct incarnation node)
{
	ASK(q, registry_settled, on_outcome, &node);
}

struct answer do_lead(struct queue_driver *q, const struct registry_lead *args)
{
	ASK(q, registry_lead, on_lead, args);
}

struct answer do_forget(struct queue_driver *q, char node)
{
	struct node_uuid uuid = node_uuid(node);

	ASK(q, registry_forget, on_outcome, &uuid);
}

struct answer do_drain(struct queue_driver *q, char node, bool drain)
{
	struct registry_drain args = { node_uuid(node), drain };

	ASK(q, registry_drain, on_outcome, &args);
}

struct answer do_nodes(struct queue_driver *q)
{
	struct answer answer = { .q = q };

	assert_true(registry_nodes(q->link, q->driver->now_ms, on_nodes, &answer));
	link_driver_settle(q->driver);
	return answer;
}
