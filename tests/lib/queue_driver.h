/*
 * queue_driver: the typed calls of the cluster as functions that return their answer, on a real Redis whose
 * functions read a clock that the test moves. One per test program; queue_driver_reset() before each test.
 *
 * Answers live until the next reset.
 */
#ifndef TESTS_LIB_QUEUE_DRIVER_H
#define TESTS_LIB_QUEUE_DRIVER_H

#include "link_driver.h"
#include "redis_client.h"
#include "redis_server.h"

#include "skein/cluster/queue_view.h"
#include "skein/cluster/registry.h"
#include "skein/proto/base/arena.h"

enum { SHARD = 3 };
#define GENERATION "0123456789012345678901234567890123456789"

struct queue_driver {
	struct redis_server server;
	struct redis_client redis;
	struct link_driver *driver;
	struct redis_link *link;
	struct arena arena;
	uint64_t now_ms; /* of the functions */
};

/* What a call answered; which fields mean something depends on the call. */
struct answer {
	struct queue_driver *q;
	unsigned calls; /* of the callback */
	struct outcome outcome;
	uint64_t turn;
	struct span settled;
	struct queue_record *records;
	struct queue_view_record *views;
	struct queue_news_item *news;
	struct msg_id *ids;
	size_t count; /* of the above */
	struct span cursor_text, bytes;
	uint64_t cursor, number; /* number: a count, an epoch, a counter */
	struct queue_swept swept;
	struct queue_counts counts;
	struct registry_cluster cluster;
	struct registry_leader leader;
	struct registry_node *nodes;
	bool drain;
};

int queue_driver_setup(void **state);
/* For a program with the real clock, which cannot reset; `args` as for redis_server_start(). */
int queue_driver_setup_with(void **state, const char *const *args);
int queue_driver_teardown(void **state);
/* A new link, whatever became of the old one. */
void queue_driver_reconnect(struct queue_driver *q);
/* Empties Redis and starts with the generation known and no grace. */
int queue_driver_reset(void **state);
void pass_ms(struct queue_driver *q, uint64_t ms);

/* Node `letter` at an epoch; the same letter is the same UUID. */
struct incarnation node_at(char letter, uint64_t epoch);
struct node_uuid node_uuid(char letter);
/* Message `number` of SHARD, one recipient, `pieces` pieces of 5 bytes each. */
struct queue_message message_of(unsigned number, unsigned pieces);
struct msg_id id_of(unsigned number);
struct msg_id_text text_of(unsigned number);

void put_body(struct queue_driver *q, const struct queue_message *message);
/* put_body, then the call. */
struct answer do_accept(struct queue_driver *q, struct incarnation node, struct queue_message message);
/* Without putting a body. */
struct answer do_accept_only(struct queue_driver *q, const struct queue_accept *args);
/* The same, and the connection breaks before the answer; then no call is taken, then there is a new
 * connection. */
struct answer do_accept_cut(struct queue_driver *q, const struct queue_accept *args);
struct answer do_adopt(
	struct queue_driver *q, struct incarnation node, uint64_t turn, struct queue_message message);
struct answer do_adopt_with(struct queue_driver *q, const struct queue_adopt *args);
struct answer do_keep(
	struct queue_driver *q, struct incarnation node, uint64_t turn, struct queue_message message);
struct answer do_claim(struct queue_driver *q, struct incarnation node, unsigned count);
struct answer do_takeup(struct queue_driver *q, struct incarnation node, unsigned number);
struct answer do_own(struct queue_driver *q, struct incarnation node);
struct answer do_own_from(struct queue_driver *q, const struct queue_own *args);
struct answer do_settle(
	struct queue_driver *q, char node, unsigned number, const char *settled, const char *holders);
struct answer do_settle_with(struct queue_driver *q, const struct queue_settle *args);
struct answer do_defer(
	struct queue_driver *q, struct incarnation node, unsigned number, uint64_t turn, uint64_t delay_ms);
struct answer do_defer_with(struct queue_driver *q, const struct queue_defer *args);
struct answer do_bounce(struct queue_driver *q, struct incarnation node, unsigned number, uint64_t turn,
	const char *settled, struct queue_message dsn);
struct answer do_withdraw(struct queue_driver *q, char node, unsigned number);
struct answer do_news(struct queue_driver *q, char node);
struct answer do_news_from(struct queue_driver *q, const struct queue_news *args);
struct answer do_seen(struct queue_driver *q, char node, unsigned number, const char *settled);
struct answer do_recover(struct queue_driver *q, const char *generation);
struct answer do_asserted(
	struct queue_driver *q, struct incarnation node, const char *generation, const char *living);
struct answer do_sweep(
	struct queue_driver *q, unsigned takeovers_max, const struct queue_sweep_node *nodes, size_t count);
struct answer do_sweep_with(struct queue_driver *q, const struct queue_sweep *args);
struct answer do_trim(struct queue_driver *q);
struct answer do_repair(struct queue_driver *q, unsigned number);
struct answer do_scan(struct queue_driver *q, uint64_t cursor);
struct answer do_hold(struct queue_driver *q, unsigned number);
struct answer do_release(struct queue_driver *q, unsigned number);
struct answer do_cancel(struct queue_driver *q, unsigned number);
struct answer do_list(struct queue_driver *q, enum queue_state state, struct span cursor, unsigned count);
struct answer do_show(struct queue_driver *q, unsigned number);
struct answer do_status(struct queue_driver *q);
struct answer do_get_piece(struct queue_driver *q, unsigned number, unsigned index);

struct answer do_open(struct queue_driver *q, const char *cluster_id, bool must_match, unsigned shards);
struct answer do_register(struct queue_driver *q, const struct registry_register *args);
struct answer do_renew(struct queue_driver *q, struct incarnation node);
struct answer do_kill(struct queue_driver *q, struct incarnation node, uint64_t counter);
struct answer do_kill_with(struct queue_driver *q, const struct registry_kill *args);
struct answer do_settled(struct queue_driver *q, struct incarnation node);
struct answer do_lead(struct queue_driver *q, const struct registry_lead *args);
struct answer do_forget(struct queue_driver *q, char node);
struct answer do_drain(struct queue_driver *q, char node, bool drain);
struct answer do_nodes(struct queue_driver *q);

/* The state that show gives, or QUEUE_STATES if there is no record. */
enum queue_state state_of(struct queue_driver *q, unsigned number);
bool has_key(struct queue_driver *q, const char *name);

#define assert_kind(actual, expected)                                                                        \
	do {                                                                                                 \
		struct answer seen_ = (actual);                                                              \
		assert_int_equal(seen_.calls, 1);                                                            \
		if (seen_.outcome.kind != (expected))                                                        \
			fail_msg("got %s (%.*s), expected %s", outcome_kind_name(seen_.outcome.kind),        \
				SPAN_ARGS(seen_.outcome.text), outcome_kind_name(expected));                 \
	} while (0)
#define assert_id(actual, number) assert_string_equal(msg_id_format(&(actual)).text, text_of(number).text)
#define assert_turn(actual, expected)                                                                        \
	do {                                                                                                 \
		struct answer turn_ = (actual);                                                              \
		assert_kind(turn_, OUTCOME_OK);                                                              \
		assert_int_equal(turn_.turn, (expected));                                                    \
	} while (0)
#define assert_gone(actual, expected)                                                                        \
	do {                                                                                                 \
		struct answer gone_ = (actual);                                                              \
		assert_kind(gone_, OUTCOME_GONE);                                                            \
		assert_string_equal(settled_name(gone_.outcome.why), settled_name(expected));                \
	} while (0)
#define assert_state(q, number, expected)                                                                    \
	assert_string_equal(queue_state_or_none(state_of((q), (number))), queue_state_or_none(expected))

static inline const char *queue_state_or_none(enum queue_state state)
{
	return state == QUEUE_STATES ? "none" : queue_state_name(state);
}

#endif
