/* The function library as it is shipped: its name, its clock, a full Redis, Redis Cluster. */
#include "queue_driver.h"

#include "skein/cluster/abuse_store.h"
#include "skein/cluster/client_counts.h"
#include "skein/cluster/hop_store.h"
#include "skein/cluster/limit_store.h"
#include "skein/cluster/redis_functions.h"
#include "skein/cluster/shelf_store.h"
#include "skein/cluster/slot_store.h"
#include "skein/proto/base/buf.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define A node_at('a', 100)
#define B node_at('b', 100)

static int setup(void **state)
{
	return queue_driver_setup_with(state, NULL);
}

/* Empty, and without a grace. */
static int reset(void **state)
{
	struct queue_driver *q = *state;

	redis_client_command(&q->redis, "CONFIG SET maxmemory 0");
	redis_client_command(&q->redis, "FLUSHALL");
	assert_kind(do_recover(q, GENERATION), OUTCOME_OK);
	assert_kind(do_asserted(q, A, GENERATION, "a"), OUTCOME_OK);
	return 0;
}

static void name_version_and_text_belong_together(void **state)
{
	struct queue_driver *q = *state;
	char first_line[64];

	assert_int_equal(strlen(redis_functions_version), 8);
	snprintf(first_line, sizeof(first_line), "#!lua name=skein_%s\n", redis_functions_version);
	assert_int_equal(strncmp(redis_functions_source, first_line, strlen(first_line)), 0);
	assert_int_equal(strncmp(redis_functions_name, "skein_", 6), 0);
	assert_string_equal(redis_functions_name + 6, redis_functions_version);
	assert_int_equal(redis_client_command(&q->redis, "FUNCTION LIST LIBRARYNAME %s", redis_functions_name)
				 ->elements,
		1);
}

static uint64_t redis_now_us(struct queue_driver *q)
{
	const redisReply *time = redis_client_command(&q->redis, "TIME");
	uint64_t seconds = 0, micros = 0;

	assert_true(span_parse_u64(span_of_str(time->element[0]->str), UINT64_MAX, &seconds));
	assert_true(span_parse_u64(span_of_str(time->element[1]->str), UINT64_MAX, &micros));
	return seconds * 1000000 + micros;
}

static void time_is_redis_clock(void **state)
{
	struct queue_driver *q = *state;
	struct registry_register entry = { .node = node_uuid('a'), .name = SPAN_LIT("one") };
	uint64_t before = redis_now_us(q), epoch;

	epoch = do_register(q, &entry).number;
	assert_true(before <= epoch && epoch <= redis_now_us(q));
	assert_turn(do_accept(q, A, message_of(1, 1)), 1);
	assert_kind(do_defer(q, A, 1, 1, 3600000), OUTCOME_OK);
	assert_in_range(do_show(q, 1).views[0].due_in_ms, 3500000, 3600000);
}

/* 42: what makes Redis emptier works when it is full, and so does everything that keeps the cluster alive. */
static void finding_42_a_full_redis_takes_no_mail_but_lets_go_of_it(void **state)
{
	struct queue_driver *q = *state;
	struct registry_register entry = { .node = node_uuid('a'), .name = SPAN_LIT("one") };
	struct queue_sweep_node row = { node_uuid('b'), 100, 100, FATE_DEAD };
	struct incarnation lease;
	struct answer refused;

	assert_turn(do_accept(q, A, message_of(1, 1)), 1);
	assert_turn(do_accept(q, A, message_of(2, 1)), 1);
	assert_turn(do_accept(q, B, message_of(3, 1)), 1);
	redis_client_command(&q->redis, "CONFIG SET maxmemory 1");

	refused = do_accept(q, A, message_of(4, 0));
	assert_kind(refused, OUTCOME_ERROR);
	assert_int_equal(refused.outcome.error, ERROR_FULL);
	assert_int_equal(do_adopt(q, A, 1, message_of(4, 0)).outcome.error, ERROR_FULL);
	assert_int_equal(do_keep(q, A, 1, message_of(4, 0)).outcome.error, ERROR_FULL);

	assert_kind(do_settle(q, 'a', 1, "5", "a"), OUTCOME_OK);
	assert_gone(do_show(q, 1), SETTLED_DELIVERED);
	assert_kind(do_settle(q, 'a', 9, "50", "a"), OUTCOME_OK);
	assert_kind(do_seen(q, 'a', 1, ""), OUTCOME_OK);
	assert_turn(do_bounce(q, A, 2, 1, "4", message_of(5, 0)), 1);
	assert_int_equal(do_sweep(q, 0, &row, 1).swept.moved, 1);
	assert_int_equal(do_claim(q, A, 1).count, 1);
	assert_int_equal(do_takeup(q, A, 3).count, 1);
	assert_kind(do_defer(q, A, 3, 3, 0), OUTCOME_OK);
	assert_kind(do_hold(q, 3), OUTCOME_OK);
	assert_kind(do_release(q, 3), OUTCOME_OK);
	assert_kind(do_cancel(q, 3), OUTCOME_OK);
	assert_kind(do_withdraw(q, 'a', 5), OUTCOME_OK);
	assert_kind(do_trim(q), OUTCOME_OK);
	assert_kind(do_repair(q, 3), OUTCOME_OK);
	assert_kind(do_recover(q, "other"), OUTCOME_OK);
	assert_kind(do_asserted(q, A, "other", "a"), OUTCOME_OK);
	assert_kind(do_news(q, 'a'), OUTCOME_OK);
	assert_kind(do_status(q), OUTCOME_OK);
	assert_kind(do_list(q, QUEUE_DUE, SPAN_LIT(""), 10), OUTCOME_OK);

	assert_kind(do_open(q, "id", false, 64), OUTCOME_OK);
	lease = node_at('a', do_register(q, &entry).number);
	assert_kind(do_renew(q, lease), OUTCOME_OK);
	assert_kind(do_settled(q, lease), OUTCOME_OK);
	assert_kind(do_lead(q, &(struct registry_lead){ .node = lease }), OUTCOME_OK);
	assert_kind(do_nodes(q), OUTCOME_OK);
	assert_kind(do_kill(q, lease, 1), OUTCOME_OK);
}

/* A DSN's body does not get in either: it stays with the bouncer. */
static void a_full_redis_takes_no_piece(void **state)
{
	struct queue_driver *q = *state;

	assert_turn(do_accept(q, A, message_of(1, 1)), 1);
	redis_client_command(&q->redis, "CONFIG SET maxmemory 1");
	assert_kind(do_bounce(q, A, 1, 1, "4", message_of(2, 1)), OUTCOME_BODY);
}

static void a_read_only_replica_is_told_apart(void **state)
{
	struct queue_driver *q = *state;
	struct answer refused;

	redis_client_command(&q->redis, "REPLICAOF 127.0.0.1 1");
	refused = do_settle(q, 'a', 1, "5", "a");
	redis_client_command(&q->redis, "REPLICAOF NO ONE");
	queue_driver_reconnect(q);
	assert_kind(refused, OUTCOME_ERROR);
	assert_int_equal(refused.outcome.error, ERROR_READONLY);
}

static void a_missing_library_is_told_apart(void **state)
{
	struct queue_driver *q = *state;
	struct answer refused;

	redis_client_command(&q->redis, "FUNCTION DELETE %s", redis_functions_name);
	refused = do_settle(q, 'a', 1, "5", "a");
	queue_driver_reconnect(q);
	assert_kind(refused, OUTCOME_ERROR);
	assert_int_equal(refused.outcome.error, ERROR_FUNCTION);
	assert_kind(do_settle(q, 'a', 1, "5", "a"), OUTCOME_OK);
}

/* A record that another version, or a hand, wrote. */
static void a_reply_of_another_form_is_an_error_and_nothing_else(void **state)
{
	struct queue_driver *q = *state;
	struct answer claimed;

	assert_turn(do_accept(q, A, message_of(1, 1)), 1);
	assert_kind(do_defer(q, A, 1, 1, 0), OUTCOME_OK);
	redis_client_command(&q->redis, "ZADD skein:{s3}:due 1 %s", text_of(1).text);
	redis_client_command(&q->redis, "HSET skein:{s3}:m:%s f nobody", text_of(1).text);
	claimed = do_claim(q, B, 1);
	assert_kind(claimed, OUTCOME_ERROR);
	assert_int_equal(claimed.outcome.error, ERROR_REPLY);
	assert_int_equal(claimed.count, 0);
}

/* ---- Redis Cluster ---- */

/* Every call once, in an order in which each has something to do. */
static void call_everything(struct queue_driver *q)
{
	struct registry_register entry = { .node = node_uuid('a'), .name = SPAN_LIT("one") };
	struct queue_sweep_node row = { node_uuid('b'), 100, 100, FATE_DEAD };
	struct incarnation lease;

	(void)do_open(q, "id", false, 64);
	lease = node_at('a', do_register(q, &entry).number);
	(void)do_renew(q, lease);
	(void)do_settled(q, lease);
	(void)do_lead(q, &(struct registry_lead){ .node = lease });
	(void)do_drain(q, 'a', true);
	(void)do_nodes(q);
	(void)do_kill(q, lease, 1);
	(void)do_forget(q, 'a');
	(void)do_recover(q, GENERATION);
	(void)do_asserted(q, A, GENERATION, "a");
	for (unsigned i = 1; i <= 8; i++)
		(void)do_accept(q, i == 8 ? B : A, message_of(i, i % 3));
	(void)do_sweep(q, 1, &row, 1);
	(void)do_claim(q, A, 1);
	(void)do_takeup(q, A, 8);
	(void)do_own(q, A);
	(void)do_adopt(q, A, 1, message_of(1, 1));
	(void)do_keep(q, B, 1, message_of(1, 1));
	(void)do_settle(q, 'a', 1, "5", "abc");
	(void)do_settle(q, 'a', 20, "50", "ab");
	(void)do_defer(q, A, 2, 1, 0);
	(void)do_defer(q, A, 3, 1, 0);
	(void)do_claim(q, A, 5);
	(void)do_bounce(q, A, 4, 1, "4", message_of(9, 1));
	(void)do_withdraw(q, 'a', 5);
	(void)do_withdraw(q, 'a', 21);
	(void)do_news(q, 'a');
	(void)do_seen(q, 'a', 1, "");
	(void)do_hold(q, 6);
	(void)do_defer(q, A, 6, 1, 0);
	(void)do_release(q, 6);
	(void)do_cancel(q, 6);
	(void)do_get_piece(q, 7, 0);
	(void)do_list(q, QUEUE_DUE, SPAN_LIT(""), 10);
	(void)do_list(q, QUEUE_OWNED, SPAN_LIT(""), 10);
	(void)do_show(q, 7);
	(void)do_status(q);
	(void)do_repair(q, 7);
	(void)do_trim(q);
	row = (struct queue_sweep_node){ node_uuid('a'), 100, 100, FATE_FORGOTTEN };
	(void)do_sweep(q, 1, &row, 1);
}

/* Takes one command off the front of what a client wrote. */
static struct span next_command(struct span *bytes)
{
	struct span start = *bytes;
	long parts = strtol(bytes->ptr + 1, NULL, 10);

	*bytes = span_drop(*bytes, span_find(*bytes, '\n') + 1);
	for (; parts > 0; parts--) {
		size_t len = (size_t)strtol(bytes->ptr + 1, NULL, 10);

		*bytes = span_drop(*bytes, span_find(*bytes, '\n') + 1 + len + 2);
	}
	return span_take(start, start.len - bytes->len);
}

static uint16_t free_port(void)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(name);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&name, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &len), 0);
	close(fd);
	return ntohs(name.sin_port);
}

/* One master with all slots. */
static void make_cluster(struct redis_client *client)
{
	enum { TRIES = 2000, TRY_MS = 10 };

	redis_client_command(client, "CLUSTER ADDSLOTSRANGE 0 16383");
	for (int i = 0; i < TRIES; i++) {
		if (strstr(redis_client_command(client, "CLUSTER INFO")->str, "cluster_state:ok"))
			return;
		poll(NULL, 0, TRY_MS);
	}
	fail_msg("the cluster does not come up");
}

static void check_ok(const struct outcome *outcome)
{
	if (!outcome_is_ok(outcome) && outcome->kind != OUTCOME_NOT)
		fail_msg("%.*s", SPAN_ARGS(outcome->text));
}

static void on_taken(void *arg, const struct outcome *outcome, size_t refused, uint64_t wait_us)
{
	(void)arg, (void)refused, (void)wait_us;
	check_ok(outcome);
}

static void on_attempt(void *arg, const struct outcome *outcome, enum abuse_answer answer, uint64_t wait_ms)
{
	(void)arg, (void)answer, (void)wait_ms;
	check_ok(outcome);
}

static void on_failed(void *arg, const struct outcome *outcome, const struct abuse_counted *counted)
{
	(void)arg, (void)counted;
	check_ok(outcome);
}

static void on_peek(void *arg, const struct outcome *outcome, const uint64_t *owed_us, size_t count)
{
	(void)arg, (void)owed_us, (void)count;
	check_ok(outcome);
}

static void on_bans(void *arg, const struct outcome *outcome, const struct ban_changes *changes)
{
	(void)arg, (void)changes;
	check_ok(outcome);
}

static void on_reported(void *arg, const struct outcome *outcome)
{
	(void)arg;
	check_ok(outcome);
}

static void on_hops(void *arg, const struct outcome *outcome, const struct hop_changes *changes)
{
	(void)arg, (void)changes;
	check_ok(outcome);
}

static void on_probe(void *arg, const struct outcome *outcome, uint64_t wait_ms)
{
	(void)arg, (void)wait_ms;
	check_ok(outcome);
}

static void on_slots(void *arg, const struct outcome *outcome, const struct slot_grant *grants, size_t count)
{
	(void)arg, (void)grants, (void)count;
	check_ok(outcome);
}

static void on_slot_list(void *arg, const struct outcome *outcome, const struct slot_row *rows, size_t count)
{
	(void)arg, (void)rows, (void)count;
	check_ok(outcome);
}

/* Next hops. */
static void call_about_hops(struct queue_driver *q)
{
	const struct hop_report down = { SPAN_LIT("mx:25"), HOP_DOWN, 0, false, SPAN_LIT("a"), SPAN_LIT("") };
	const struct hop_report up = { SPAN_LIT("mx:25"), HOP_UP, 0, true, SPAN_LIT("a"), SPAN_LIT("") };
	const struct slot_ask asks[] = { { SPAN_LIT("one"), 2, 1, 3 }, { SPAN_LIT("two"), 1, 0, 1 } };

	assert_true(hop_store_report(q->link, &down, 0, on_reported, NULL));
	assert_true(hop_store_probe(q->link, down.label, down.by, 1000, 0, on_probe, NULL));
	assert_true(hop_store_board(q->link, 0, 0, on_hops, NULL));
	assert_true(hop_store_report(q->link, &up, 0, on_reported, NULL));
	assert_true(slot_store_hold(q->link, SPAN_LIT("a.0"), 5000, asks, 2, 0, on_slots, NULL));
	assert_true(slot_store_hold(q->link, SPAN_LIT("a.1"), 5000, asks, 2, 0, on_slots, NULL));
	assert_true(slot_store_list(q->link, 0, on_slot_list, NULL));
	link_driver_settle(q->driver);
}

static void on_item(void *arg, const struct outcome *outcome, const struct shelf_item *item)
{
	(void)arg, (void)item;
	check_ok(outcome);
}

static void on_serial(void *arg, const struct outcome *outcome, uint64_t serial)
{
	(void)arg, (void)serial;
	check_ok(outcome);
}

/* What was fetched. One that has ended is removed by the next call. */
static void call_about_shelves(struct queue_driver *q)
{
	const struct shelf_place place = { SHELF_STS, SPAN_LIT("acme.example") };
	const struct shelf_put shorter = { { SHELF_STS, SPAN_LIT("short.example") }, SPAN_LIT("x"), 1 };
	const struct shelf_claim claim = { place, 0, false, SPAN_LIT("a.0"), 1000 };
	const struct shelf_failure failure = { place, SPAN_LIT("a.0"), 1000, SPAN_LIT("why") };

	assert_true(shelf_store_put(q->link, &shorter, 0, on_serial, NULL));
	assert_true(shelf_store_claim(q->link, &claim, 0, on_item, NULL));
	assert_true(shelf_store_failed(q->link, &failure, 0));
	assert_true(shelf_store_put(
		q->link, &(struct shelf_put){ place, SPAN_LIT("x"), 60000 }, 0, on_serial, NULL));
	assert_true(shelf_store_read(q->link, place, 0, 0, on_item, NULL));
	link_driver_settle(q->driver);
}

/* Limits, wrong passwords, connections. */
static void call_the_rest(struct queue_driver *q)
{
	const struct limit_rule rules[] = { { .name = "a", .rate = 1, .period_us = 1000000, .burst = 1 },
		{ .name = "b", .rate = 1, .period_us = 1000000, .burst = 1 } };
	const struct limit_take takes[] = { { &rules[0], SPAN_LIT("x"), 1 },
		{ &rules[1], SPAN_LIT("y"), 1 } };
	const struct abuse_rules abuse = { .address_failures = 1,
		.network_failures = 1,
		.window_ms = 1000,
		.account_window_ms = 1000,
		.ban_first_ms = 1000,
		.ban_max_ms = 1000 };
	struct abuse_failure failure = { { SPAN_LIT("ann"), SPAN_LIT("t") }, { { 1 }, 128 }, true };
	struct ban_order order = { { { 1 }, 128 }, 1000, SPAN_LIT("me"), SPAN_LIT("") };
	const struct incarnation self = node_at('a', 1);
	const uint64_t seed[2] = { 1, 2 };
	const struct shared_lock none = { .ctx = NULL };
	struct client_counts *counts = client_counts_new(seed, &none);

	for (int i = 0; i < 3; i++) {
		assert_true(limit_store_take(q->link, takes, 2, 0, 0, on_taken, NULL));
		assert_true(
			abuse_store_attempt(q->link, &failure.attempt, 5, 1000, 1000, 0, on_attempt, NULL));
		assert_true(abuse_store_failed(q->link, &failure, &abuse, 0, on_failed, NULL));
	}
	assert_true(limit_store_refund(q->link, takes, 2, 0, NULL, NULL));
	assert_true(limit_store_peek(q->link, takes, 2, 0, on_peek, NULL));
	assert_true(abuse_store_ended(q->link, &failure.attempt, &failure.address, true, 0, NULL, NULL));
	assert_true(abuse_store_ban(q->link, &order, 0, NULL, NULL));
	assert_true(abuse_store_bans(q->link, 0, 0, on_bans, NULL));
	assert_true(abuse_store_unban(q->link, &order.network, 0, NULL, NULL));
	client_counts_set_self(counts, &self, 1);
	assert_true(client_counts_enter(counts, &failure.address, 3, 0));
	(void)client_counts_tick(counts, q->link, 0);
	link_driver_settle(q->driver);
	client_counts_leave(counts, &failure.address);
	client_counts_free(&counts);
}

/* 44: each call stays in one slot, with the keys that it names and with those that records name. */
static void finding_44_every_call_stays_in_one_slot(void **state)
{
	struct queue_driver *q = *state;
	char bus_port[8];
	const char *args[] = { "--cluster-enabled", "yes", "--cluster-port", bus_port, NULL };
	struct redis_server server;
	struct redis_client client;
	struct buf written = { 0 };
	struct span rest;
	size_t calls = 0;

	redis_client_command(&q->redis, "FLUSHALL");
	q->driver->record = &written;
	call_everything(q);
	call_the_rest(q);
	call_about_hops(q);
	call_about_shelves(q);
	q->driver->record = NULL;
	snprintf(bus_port, sizeof(bus_port), "%u", free_port());
	redis_server_start(&server, args);
	redis_client_start(&client, server.port);
	redis_client_command(&client, "FUNCTION LOAD %s", redis_functions_source);
	make_cluster(&client);
	for (rest = buf_span(&written); rest.len > 0; calls++) {
		struct span command = next_command(&rest);
		const redisReply *reply = redis_client_raw(&client, command);

		if (reply->type == REDIS_REPLY_ERROR)
			fail_msg("%s: %.300s", reply->str, command.ptr);
	}
	assert_true(calls > 50);
	redis_client_stop(&client);
	redis_server_stop(&server);
	buf_fini(&written);
}

int main(void)
{
#define ROW(test) cmocka_unit_test_setup(test, reset)
	const struct CMUnitTest tests[] = {
		ROW(name_version_and_text_belong_together),
		ROW(time_is_redis_clock),
		ROW(finding_42_a_full_redis_takes_no_mail_but_lets_go_of_it),
		ROW(a_full_redis_takes_no_piece),
		ROW(a_read_only_replica_is_told_apart),
		ROW(a_missing_library_is_told_apart),
		ROW(a_reply_of_another_form_is_an_error_and_nothing_else),
		ROW(finding_44_every_call_stays_in_one_slot),
	};

	return cmocka_run_group_tests(tests, setup, queue_driver_teardown);
}
