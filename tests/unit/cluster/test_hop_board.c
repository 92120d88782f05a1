/* What one node finds out about a hop, at the others: three nodes, real functions, time that the test moves.
 */
#include "queue_driver.h"

#include "skein/cluster/hop_board.h"

#include <time.h>

enum { NODES = 3, PAUSE_MS = 60000 };

static const struct span HOP = { "mx1.example:25", 14 };

struct cluster {
	struct queue_driver *q;
	struct hop_board *boards[NODES];
	struct link_driver *drivers[NODES];
	uint64_t now_ms;
};

static struct hop_board *board_new(size_t hops_max)
{
	const struct hop_board_options options = { .hops_max = hops_max, .seed = { 1, 2 } };

	return hop_board_new(&options);
}

static struct link_driver *connect_to(struct queue_driver *q)
{
	static const struct redis_link_options options = {
		.client_name = "n", .prefix = "skein:", .handshake_timeout_ms = 5000, .call_timeout_ms = 5000
	};

	return link_driver_start(q->server.port, &options);
}

static struct cluster cluster_new(struct queue_driver *q)
{
	static const char *const names[NODES] = { "relay-a", "relay-b", "relay-c" };
	struct cluster cluster = { .q = q, .now_ms = 1 };

	for (unsigned n = 0; n < NODES; n++) {
		cluster.boards[n] = board_new(100);
		hop_board_set_self(cluster.boards[n], names[n]);
		cluster.drivers[n] = connect_to(q);
	}
	return cluster;
}

static void cluster_free(struct cluster *cluster)
{
	for (unsigned n = 0; n < NODES; n++) {
		link_driver_stop(&cluster->drivers[n]);
		hop_board_free(&cluster->boards[n]);
	}
}

static void tick(struct cluster *cluster, unsigned node)
{
	(void)hop_board_tick(cluster->boards[node], cluster->drivers[node]->link, cluster->now_ms);
	link_driver_settle(cluster->drivers[node]);
}

static void pass(struct cluster *cluster, uint64_t ms)
{
	cluster->now_ms += ms;
	pass_ms(cluster->q, ms);
}

/* Time goes on in ticks of all nodes. */
static void turn(struct cluster *cluster, uint64_t ms)
{
	for (uint64_t end_ms = cluster->now_ms + ms; cluster->now_ms < end_ms;) {
		pass(cluster, HOP_BOARD_TICK_MS);
		for (unsigned n = 0; n < NODES; n++)
			tick(cluster, n);
	}
}

/* Long enough for everybody to have heard. */
static void spread(struct cluster *cluster)
{
	turn(cluster, HOP_BOARD_TICK_MS + HOP_BOARD_POLL_MS);
}

static void say(struct cluster *cluster, unsigned node, enum hop_state state, uint64_t pause_ms)
{
	hop_board_report(
		cluster->boards[node], HOP, state, pause_ms, SPAN_LIT("connection refused"), cluster->now_ms);
}

static struct hop_view look(struct cluster *cluster, unsigned node)
{
	return hop_board_state(cluster->boards[node], HOP, cluster->now_ms);
}

static uint64_t probe(struct cluster *cluster, unsigned node)
{
	return hop_board_probe(cluster->boards[node], HOP, cluster->now_ms);
}

static void assert_all(struct cluster *cluster, enum hop_state state)
{
	for (unsigned n = 0; n < NODES; n++)
		assert_string_equal(hop_state_names[look(cluster, n).state], hop_state_names[state]);
}

/* As skeinctl does. */
static void order(struct cluster *cluster, enum hop_state state, uint64_t pause_ms)
{
	const struct hop_report report = { HOP, state, pause_ms, true, SPAN_LIT("ann@admin1"), SPAN_LIT("") };

	assert_true(hop_store_report(cluster->q->link, &report, 0, NULL, NULL));
	link_driver_settle(cluster->q->driver);
}

static void what_one_finds_out_spares_the_others(void **state)
{
	struct cluster cluster = cluster_new(*state);

	spread(&cluster);
	assert_all(&cluster, HOP_UP);
	say(&cluster, 0, HOP_DOWN, PAUSE_MS);
	assert_int_equal(look(&cluster, 0).left_ms, PAUSE_MS);
	spread(&cluster);
	for (unsigned n = 0; n < NODES; n++) {
		struct hop_view view = look(&cluster, n);

		assert_int_equal(view.state, HOP_DOWN);
		assert_in_range(view.left_ms, PAUSE_MS - 1600, PAUSE_MS - 1000);
		assert_false(view.is_forced);
		assert_int_equal(probe(&cluster, n), view.left_ms);
	}
	/* Whoever still had a connection there and delivered. */
	say(&cluster, 2, HOP_UP, 0);
	spread(&cluster);
	assert_all(&cluster, HOP_UP);
	for (unsigned n = 0; n < NODES; n++)
		assert_int_equal(hop_board_count(cluster.boards[n], HOP_DOWN), 0);
	cluster_free(&cluster);
}

static void one_node_probes_and_the_others_wait(void **state)
{
	struct cluster cluster = cluster_new(*state);
	unsigned probing = 0, prober = NODES;

	say(&cluster, 0, HOP_DOWN, PAUSE_MS);
	turn(&cluster, PAUSE_MS + HOP_BOARD_POLL_MS);
	for (unsigned n = 0; n < NODES; n++)
		assert_in_range(probe(&cluster, n), 1, HOP_BOARD_AGAIN_MS);
	turn(&cluster, HOP_BOARD_TICK_MS);
	for (unsigned n = 0; n < NODES; n++) {
		if (probe(&cluster, n) != 0)
			continue;
		probing++;
		prober = n;
	}
	assert_int_equal(probing, 1);
	/* One connection of it, not one for each worker. */
	for (unsigned n = 0; n < NODES; n++)
		assert_in_range(probe(&cluster, n), 1, HOP_BOARD_POLL_MS);
	/* It fails: a longer pause for all. */
	say(&cluster, prober, HOP_DOWN, 2 * PAUSE_MS);
	spread(&cluster);
	for (unsigned n = 0; n < NODES; n++)
		assert_true(probe(&cluster, n) > PAUSE_MS);
	/* The next one does not. */
	turn(&cluster, 2 * PAUSE_MS + HOP_BOARD_POLL_MS);
	(void)probe(&cluster, 1);
	turn(&cluster, HOP_BOARD_TICK_MS);
	assert_int_equal(probe(&cluster, 1), 0);
	say(&cluster, 1, HOP_UP, 0);
	assert_int_equal(probe(&cluster, 1), 0);
	spread(&cluster);
	for (unsigned n = 0; n < NODES; n++)
		assert_int_equal(probe(&cluster, n), 0);
	assert_all(&cluster, HOP_UP);
	cluster_free(&cluster);
}

static void a_prober_that_dies_is_replaced(void **state)
{
	struct cluster cluster = cluster_new(*state);
	uint64_t waited_ms = 0;

	say(&cluster, 0, HOP_DOWN, PAUSE_MS);
	turn(&cluster, PAUSE_MS + HOP_BOARD_POLL_MS);
	(void)probe(&cluster, 0);
	turn(&cluster, HOP_BOARD_TICK_MS);
	assert_int_equal(probe(&cluster, 0), 0);
	while (probe(&cluster, 1) != 0) {
		turn(&cluster, HOP_BOARD_TICK_MS);
		waited_ms += HOP_BOARD_TICK_MS;
		assert_true(waited_ms < 2 * HOP_PROBE_MS);
	}
	assert_in_range(waited_ms, HOP_PROBE_MS - 1000, HOP_PROBE_MS + 2000);
	cluster_free(&cluster);
}

static void an_end_needs_nobody(void **state)
{
	struct cluster cluster = cluster_new(*state);

	say(&cluster, 0, HOP_SLOW, PAUSE_MS);
	spread(&cluster);
	assert_all(&cluster, HOP_SLOW);
	assert_int_equal(probe(&cluster, 1), 0);
	turn(&cluster, PAUSE_MS);
	assert_all(&cluster, HOP_UP);
	/* Down waits for a probe, but not for ever. */
	say(&cluster, 0, HOP_DOWN, PAUSE_MS);
	spread(&cluster);
	turn(&cluster, PAUSE_MS);
	assert_all(&cluster, HOP_DOWN);
	pass(&cluster, HOP_KEEP_MS);
	assert_all(&cluster, HOP_UP);
	for (unsigned n = 0; n < NODES; n++)
		hop_board_link_lost(cluster.boards[n]);
	spread(&cluster);
	assert_all(&cluster, HOP_UP);
	cluster_free(&cluster);
}

/* Two nodes meet one outage: the longer pause holds, and it is one outage. */
static void the_longer_pause_holds(void **state)
{
	struct cluster cluster = cluster_new(*state);

	say(&cluster, 0, HOP_DOWN, PAUSE_MS);
	say(&cluster, 1, HOP_DOWN, 1000);
	assert_int_equal(look(&cluster, 1).left_ms, 1000);
	spread(&cluster);
	spread(&cluster);
	for (unsigned n = 0; n < NODES; n++)
		assert_true(look(&cluster, n).left_ms > 50000);
	cluster_free(&cluster);
}

static void an_operators_word_holds(void **state)
{
	struct cluster cluster = cluster_new(*state);

	order(&cluster, HOP_DOWN, PAUSE_MS);
	/* Before it has heard. */
	say(&cluster, 0, HOP_DOWN, 1000);
	spread(&cluster);
	spread(&cluster);
	for (unsigned n = 0; n < NODES; n++) {
		say(&cluster, n, HOP_UP, 0);
		assert_true(look(&cluster, n).is_forced);
		assert_true(look(&cluster, n).left_ms > 50000);
	}
	spread(&cluster);
	assert_all(&cluster, HOP_DOWN);
	order(&cluster, HOP_UP, 0);
	spread(&cluster);
	assert_all(&cluster, HOP_UP);
	/* What only a node knew is cleared too. */
	say(&cluster, 1, HOP_DOWN, PAUSE_MS);
	spread(&cluster);
	order(&cluster, HOP_UP, 0);
	spread(&cluster);
	assert_all(&cluster, HOP_UP);
	cluster_free(&cluster);
}

static void without_redis_a_node_knows_what_it_found_out(void **state)
{
	struct cluster cluster = cluster_new(*state);

	spread(&cluster);
	link_driver_cut(cluster.drivers[0]);
	hop_board_link_lost(cluster.boards[0]);
	say(&cluster, 0, HOP_DOWN, PAUSE_MS);
	turn(&cluster, PAUSE_MS);
	assert_int_equal(look(&cluster, 0).state, HOP_DOWN);
	assert_int_equal(look(&cluster, 1).state, HOP_UP);
	/* It probes by itself, once at a time. */
	assert_int_equal(probe(&cluster, 0), 0);
	assert_in_range(probe(&cluster, 0), 1, HOP_BOARD_POLL_MS);
	say(&cluster, 0, HOP_DOWN, PAUSE_MS);
	/* Redis is back: the others hear what is left of it. */
	link_driver_connect(cluster.drivers[0]);
	turn(&cluster, 10000);
	for (unsigned n = 0; n < NODES; n++)
		assert_in_range(look(&cluster, n).left_ms, PAUSE_MS - 12000, PAUSE_MS - 9000);
	cluster_free(&cluster);
}

/* What was written on a connection that is gone now is executed. */
static void wait_for_version(struct queue_driver *q)
{
	time_t give_up = time(NULL) + 30;

	while (redis_client_integer(&q->redis, "EXISTS skein:{hops}:version") == 0)
		assert_true(time(NULL) < give_up);
}

/* A connection that ends under a report: it is told again. */
static void a_report_without_an_answer_is_repeated(void **state)
{
	struct cluster cluster = cluster_new(*state);

	spread(&cluster);
	say(&cluster, 0, HOP_DOWN, PAUSE_MS);
	pass(&cluster, HOP_BOARD_TICK_MS);
	(void)hop_board_tick(cluster.boards[0], cluster.drivers[0]->link, cluster.now_ms);
	link_driver_cut(cluster.drivers[0]);
	hop_board_link_lost(cluster.boards[0]);
	wait_for_version(cluster.q);
	redis_client_command(
		&cluster.q->redis, "DEL skein:{hops}:board skein:{hops}:changes skein:{hops}:version");
	link_driver_connect(cluster.drivers[0]);
	spread(&cluster);
	spread(&cluster);
	assert_all(&cluster, HOP_DOWN);
	cluster_free(&cluster);
}

/* Older news of another, on their way while we deliver. */
static void a_success_is_not_lost_to_older_news(void **state)
{
	struct cluster cluster = cluster_new(*state);

	say(&cluster, 0, HOP_DOWN, PAUSE_MS);
	spread(&cluster);
	say(&cluster, 1, HOP_DOWN, 2 * PAUSE_MS);
	pass(&cluster, HOP_BOARD_POLL_MS);
	tick(&cluster, 1);
	(void)hop_board_tick(cluster.boards[0], cluster.drivers[0]->link, cluster.now_ms);
	say(&cluster, 0, HOP_UP, 0);
	link_driver_settle(cluster.drivers[0]);
	assert_int_equal(look(&cluster, 0).state, HOP_UP);
	spread(&cluster);
	assert_all(&cluster, HOP_UP);
	cluster_free(&cluster);
}

/* A Redis that has lost it takes nothing from those who know. */
static void a_redis_that_has_lost_it_clears_nothing(void **state)
{
	struct cluster cluster = cluster_new(*state);

	say(&cluster, 0, HOP_DOWN, PAUSE_MS);
	spread(&cluster);
	redis_client_command(&cluster.q->redis, "FLUSHALL");
	pass(&cluster, 0);
	spread(&cluster);
	assert_all(&cluster, HOP_DOWN);
	/* One that answers with something else is believed. */
	hop_board_report(
		cluster.boards[1], SPAN_LIT("other:25"), HOP_DOWN, PAUSE_MS, SPAN_LIT(""), cluster.now_ms);
	for (unsigned n = 0; n < NODES; n++)
		hop_board_link_lost(cluster.boards[n]);
	spread(&cluster);
	spread(&cluster);
	for (unsigned n = 0; n < NODES; n++) {
		hop_board_link_lost(cluster.boards[n]);
		assert_int_equal(
			hop_board_state(cluster.boards[n], SPAN_LIT("other:25"), cluster.now_ms).state,
			HOP_DOWN);
	}
	spread(&cluster);
	assert_all(&cluster, HOP_UP);
	cluster_free(&cluster);
}

static void a_full_board_forgets_what_ends_first(void **state)
{
	struct hop_board *board = board_new(2);

	(void)state;
	hop_board_report(board, SPAN_LIT("a:25"), HOP_DOWN, 9000, SPAN_LIT(""), 0);
	hop_board_report(board, SPAN_LIT("b:25"), HOP_DOWN, 5000, SPAN_LIT(""), 0);
	hop_board_report(board, SPAN_LIT("c:25"), HOP_DOWN, 7000, SPAN_LIT(""), 0);
	assert_int_equal(hop_board_count(board, HOP_DOWN), 2);
	assert_int_equal(hop_board_count(board, HOP_SLOW), 0);
	assert_int_equal(hop_board_state(board, SPAN_LIT("a:25"), 0).state, HOP_DOWN);
	assert_int_equal(hop_board_state(board, SPAN_LIT("b:25"), 0).state, HOP_UP);
	assert_int_equal(hop_board_state(board, SPAN_LIT("c:25"), 0).left_ms, 7000);
	hop_board_free(&board);
}

static void changes_are_counted(void **state)
{
	struct cluster cluster = cluster_new(*state);
	uint64_t seen;

	spread(&cluster);
	seen = hop_board_changes(cluster.boards[1]);
	spread(&cluster);
	assert_int_equal(hop_board_changes(cluster.boards[1]), seen);
	say(&cluster, 0, HOP_DOWN, PAUSE_MS);
	spread(&cluster);
	assert_true(hop_board_changes(cluster.boards[1]) > seen);
	seen = hop_board_changes(cluster.boards[1]);
	/* Success at a hop that is up, and what comes back of our own words, changes nothing. */
	hop_board_report(cluster.boards[1], SPAN_LIT("fine:25"), HOP_UP, 0, SPAN_LIT(""), cluster.now_ms);
	spread(&cluster);
	assert_int_equal(hop_board_changes(cluster.boards[1]), seen);
	say(&cluster, 0, HOP_UP, 0);
	spread(&cluster);
	assert_true(hop_board_changes(cluster.boards[1]) > seen);
	cluster_free(&cluster);
}

struct listed {
	size_t count;
	struct hop_row row;
	char by[HOP_BY_MAX + 1], why[HOP_WHY_MAX + 1], prober[HOP_BY_MAX + 1];
};

static void on_board(void *arg, const struct outcome *outcome, const struct hop_changes *changes)
{
	struct listed *listed = arg;

	assert_true(outcome_is_ok(outcome));
	listed->count = changes->count;
	if (!changes->count)
		return;
	listed->row = changes->rows[0];
	snprintf(listed->by, sizeof(listed->by), "%.*s", SPAN_ARGS(listed->row.by));
	snprintf(listed->why, sizeof(listed->why), "%.*s", SPAN_ARGS(listed->row.why));
	snprintf(listed->prober, sizeof(listed->prober), "%.*s", SPAN_ARGS(listed->row.prober));
}

static struct listed list(struct cluster *cluster)
{
	struct listed listed = { .count = 0 };

	assert_true(hop_store_board(cluster->q->link, 0, 0, on_board, &listed));
	link_driver_settle(cluster->q->driver);
	return listed;
}

static void the_list_tells_who_and_why(void **state)
{
	struct cluster cluster = cluster_new(*state);
	char why[300];
	struct listed listed;

	memset(why, 'x', sizeof(why));
	why[0] = '\n';
	why[1] = '\xff';
	assert_int_equal(list(&cluster).count, 0);
	hop_board_report(
		cluster.boards[1], HOP, HOP_DOWN, PAUSE_MS, span_of(why, sizeof(why)), cluster.now_ms);
	turn(&cluster, 30000);
	say(&cluster, 1, HOP_DOWN, PAUSE_MS);
	turn(&cluster, PAUSE_MS + HOP_BOARD_POLL_MS);
	listed = list(&cluster);
	assert_int_equal(listed.count, 1);
	assert_string_equal(listed.by, "relay-b");
	assert_string_equal(listed.why, "connection refused");
	assert_in_range(listed.row.since_ms, 90000, 92000);
	assert_int_equal(listed.row.left_ms, 0);
	assert_string_equal(listed.prober, "");
	(void)probe(&cluster, 2);
	turn(&cluster, HOP_BOARD_TICK_MS);
	assert_string_equal(list(&cluster).prober, "relay-c");
	hop_board_report(
		cluster.boards[1], HOP, HOP_DOWN, PAUSE_MS, span_of(why, sizeof(why)), cluster.now_ms);
	turn(&cluster, HOP_BOARD_TICK_MS);
	listed = list(&cluster);
	assert_int_equal(strlen(listed.why), HOP_WHY_MAX);
	assert_int_equal(strncmp(listed.why, "??xx", 4), 0);
	assert_string_equal(listed.prober, "");
	cluster_free(&cluster);
}

/* Redis' clock goes back by a day: nothing lasts longer for it. */
static void a_clock_that_goes_back_prolongs_nothing(void **state)
{
	struct cluster cluster = cluster_new(*state);

	say(&cluster, 0, HOP_DOWN, PAUSE_MS);
	spread(&cluster);
	cluster.q->now_ms -= 86400000;
	pass(&cluster, 0);
	for (unsigned n = 0; n < NODES; n++)
		hop_board_link_lost(cluster.boards[n]);
	spread(&cluster);
	for (unsigned n = 0; n < NODES; n++)
		assert_in_range(look(&cluster, n).left_ms, 1, PAUSE_MS);
	cluster_free(&cluster);
}

int main(void)
{
#define ROW(test) cmocka_unit_test_setup(test, queue_driver_reset)
	const struct CMUnitTest tests[] = {
		ROW(what_one_finds_out_spares_the_others),
		ROW(one_node_probes_and_the_others_wait),
		ROW(a_prober_that_dies_is_replaced),
		ROW(an_end_needs_nobody),
		ROW(the_longer_pause_holds),
		ROW(an_operators_word_holds),
		ROW(without_redis_a_node_knows_what_it_found_out),
		ROW(a_report_without_an_answer_is_repeated),
		ROW(a_success_is_not_lost_to_older_news),
		ROW(a_redis_that_has_lost_it_clears_nothing),
		cmocka_unit_test(a_full_board_forgets_what_ends_first),
		ROW(changes_are_counted),
		ROW(the_list_tells_who_and_why),
		ROW(a_clock_that_goes_back_prolongs_nothing),
	};

	return cmocka_run_group_tests(tests, queue_driver_setup, queue_driver_teardown);
}
