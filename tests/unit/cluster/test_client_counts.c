/* Connections of a client over three nodes: never above the limit, and right again after whatever happened.
 */
#include "queue_driver.h"

#include "skein/cluster/client_counts.h"

#include <stdlib.h>

enum { NODES = 3 };

struct cluster {
	struct queue_driver *q;
	struct client_counts *counts[NODES];
	struct link_driver *drivers[NODES];
	uint64_t here[NODES]; /* connections of the client */
	uint64_t now_ms;
};

static struct network of(const char *text)
{
	struct network network;

	assert_true(network_parse(span_of_str(text), &network));
	return network;
}

static struct client_counts *counts_new(void)
{
	const uint64_t seed[2] = { 1, 2 };
	const struct shared_lock none = { .ctx = NULL };

	return client_counts_new(seed, &none);
}

static void join(struct cluster *cluster, unsigned node, uint64_t epoch)
{
	struct incarnation self = node_at((char)('a' + node), epoch);

	client_counts_set_self(cluster->counts[node], &self, NODES);
}

static struct cluster cluster_new(struct queue_driver *q)
{
	static const struct redis_link_options options = {
		.client_name = "n", .prefix = "skein:", .handshake_timeout_ms = 5000, .call_timeout_ms = 5000
	};
	struct cluster cluster = { .q = q, .now_ms = 1 };

	for (unsigned n = 0; n < NODES; n++) {
		cluster.counts[n] = counts_new();
		cluster.drivers[n] = link_driver_start(q->server.port, &options);
		join(&cluster, n, 1);
	}
	return cluster;
}

static bool enter(struct cluster *cluster, unsigned node, uint64_t limit)
{
	struct network client = of("10.0.0.1");
	bool is_let_in = client_counts_enter(cluster->counts[node], &client, limit, cluster->now_ms);

	cluster->here[node] += is_let_in;
	return is_let_in;
}

static void leave(struct cluster *cluster, unsigned node)
{
	struct network client = of("10.0.0.1");

	client_counts_leave(cluster->counts[node], &client);
	cluster->here[node]--;
}

static uint64_t total(const struct cluster *cluster)
{
	return cluster->here[0] + cluster->here[1] + cluster->here[2];
}

static void report(struct cluster *cluster, unsigned node)
{
	(void)client_counts_tick(cluster->counts[node], cluster->drivers[node]->link, cluster->now_ms);
	link_driver_settle(cluster->drivers[node]);
}

/* Time goes on; the nodes that are in `nodes` report. */
static void turn(struct cluster *cluster, uint64_t ms, unsigned nodes)
{
	cluster->now_ms += ms;
	pass_ms(cluster->q, ms);
	for (unsigned n = 0; n < nodes; n++)
		report(cluster, n);
}

static void cluster_free(struct cluster *cluster)
{
	for (unsigned n = 0; n < NODES; n++) {
		while (cluster->here[n])
			leave(cluster, n);
		link_driver_stop(&cluster->drivers[n]);
		client_counts_free(&cluster->counts[n]);
	}
}

/* Long enough for what was reserved too much to be given up. */
static void settle(struct cluster *cluster)
{
	for (unsigned i = 0; i < 25; i++)
		turn(cluster, 200, NODES);
}

static void a_client_that_is_at_one_node_gets_nearly_all(void **state)
{
	struct cluster cluster = cluster_new(*state);

	for (unsigned i = 0; i < 100; i++) {
		while (enter(&cluster, 0, 30))
			;
		turn(&cluster, 200, NODES);
	}
	assert_int_equal(total(&cluster), 30);
	cluster_free(&cluster);
}

/* All nodes at once, before any has heard of another. */
static void new_clients_have_a_share_at_each_node(void **state)
{
	struct cluster cluster = cluster_new(*state);

	for (unsigned n = 0; n < NODES; n++)
		while (enter(&cluster, n, 30))
			;
	assert_int_equal(total(&cluster), 30);
	settle(&cluster);
	for (unsigned n = 0; n < NODES; n++)
		assert_false(enter(&cluster, n, 30));
	leave(&cluster, 0);
	settle(&cluster);
	assert_true(enter(&cluster, 1, 30) || enter(&cluster, 2, 30) || enter(&cluster, 0, 30));
	cluster_free(&cluster);
}

/* The slack that the header states, used to the full: newcomers at each node while another has all. */
static void newcomers_bring_no_more_than_their_share(void **state)
{
	struct cluster cluster = cluster_new(*state);

	for (unsigned i = 0; i < 50; i++) {
		while (enter(&cluster, 0, 30))
			;
		turn(&cluster, 200, NODES);
	}
	assert_int_equal(total(&cluster), 30);
	for (unsigned n = 0; n < NODES; n++)
		while (enter(&cluster, n, 30))
			;
	assert_int_equal(total(&cluster), 30 + 10 + 10);
	settle(&cluster);
	for (unsigned n = 0; n < NODES; n++)
		assert_false(enter(&cluster, n, 30));
	cluster_free(&cluster);
}

/* Once each node has heard, no order of things passes the limit, also with reports under way. */
static void the_limit_holds_in_any_order(void **state)
{
	enum { LIMIT = 20 };
	struct cluster cluster = cluster_new(*state);
	unsigned seed = 99, refused = 0;
	uint64_t highest = 0;

	for (unsigned n = 0; n < NODES; n++)
		assert_true(enter(&cluster, n, LIMIT));
	turn(&cluster, 200, NODES);
	for (unsigned step = 0; step < 20000; step++) {
		unsigned node = (unsigned)rand_r(&seed) % NODES, what = (unsigned)rand_r(&seed) % 100;

		if (what < 55) {
			refused += !enter(&cluster, node, LIMIT);
		} else if (what < 80) {
			if (cluster.here[node] > 1)
				leave(&cluster, node);
		} else if (what < 90) {
			cluster.now_ms += 67;
			pass_ms(cluster.q, 67);
			/* Sent, and answered some steps later. */
			(void)client_counts_tick(
				cluster.counts[node], cluster.drivers[node]->link, cluster.now_ms);
		} else {
			link_driver_settle(cluster.drivers[node]);
		}
		assert_true(total(&cluster) <= LIMIT);
		highest = total(&cluster) > highest ? total(&cluster) : highest;
	}
	assert_int_equal(highest, LIMIT);
	assert_true(refused > 1000);
	for (unsigned n = 0; n < NODES; n++)
		link_driver_settle(cluster.drivers[n]);
	cluster_free(&cluster);
}

static void places_of_a_dead_node_are_free_after_a_while(void **state)
{
	struct cluster cluster = cluster_new(*state);
	unsigned turns = 0;

	for (unsigned i = 0; i < 50; i++) {
		while (enter(&cluster, 2, 30))
			;
		turn(&cluster, 200, NODES);
	}
	assert_int_equal(cluster.here[2], 30);
	/* Node 2 is silent from here on. */
	for (; turns < 100 && cluster.here[0] + cluster.here[1] < 30; turns++) {
		(void)enter(&cluster, 0, 30);
		(void)enter(&cluster, 1, 30);
		turn(&cluster, 200, 2);
		if (turns < 40)
			assert_true(cluster.here[0] + cluster.here[1] <= 20); /* their shares as newcomers */
	}
	assert_true(turns >= 49);
	assert_int_equal(cluster.here[0] + cluster.here[1], 30);
	cluster_free(&cluster);
}

static void a_node_that_starts_anew_gives_up_what_it_had(void **state)
{
	struct cluster cluster = cluster_new(*state);

	for (unsigned i = 0; i < 50; i++) {
		while (enter(&cluster, 2, 30))
			;
		turn(&cluster, 200, NODES);
	}
	while (cluster.here[2])
		leave(&cluster, 2);
	join(&cluster, 2, 2);
	for (unsigned i = 0; i < 50; i++) {
		while (enter(&cluster, 0, 30))
			;
		turn(&cluster, 200, NODES);
	}
	assert_true(cluster.here[0] >= 20);
	cluster_free(&cluster);
}

static void a_redis_that_lost_all_hears_it_again(void **state)
{
	struct queue_driver *q = *state;
	struct cluster cluster = cluster_new(q);

	for (unsigned n = 0; n < NODES; n++)
		while (enter(&cluster, n, 30))
			;
	settle(&cluster);
	redis_client_command(&q->redis, "DEL skein:{clients}:nodes skein:{clients}:at:10.0.0.1");
	settle(&cluster);
	assert_int_equal(redis_client_integer(&q->redis, "HLEN skein:{clients}:at:10.0.0.1"), NODES);
	for (unsigned n = 0; n < NODES; n++)
		assert_false(enter(&cluster, n, 30));
	cluster_free(&cluster);
}

static void jumps_of_redis_clock_heal(void **state)
{
	static const int64_t jumps_ms[] = { -86400000, 86400000 };
	struct queue_driver *q = *state;
	struct cluster cluster = cluster_new(q);

	for (unsigned n = 0; n < NODES; n++)
		while (enter(&cluster, n, 30))
			;
	settle(&cluster);
	for (size_t i = 0; i < ARRAY_LEN(jumps_ms); i++) {
		q->now_ms = (uint64_t)((int64_t)q->now_ms + jumps_ms[i]);
		pass_ms(q, 0);
		settle(&cluster);
		assert_int_equal(redis_client_integer(&q->redis, "HLEN skein:{clients}:at:10.0.0.1"), NODES);
		for (unsigned n = 0; n < NODES; n++)
			assert_false(enter(&cluster, n, 30));
	}
	cluster_free(&cluster);
}

static void without_redis_each_node_has_its_share(void **state)
{
	struct queue_driver *q = *state;
	struct cluster cluster = cluster_new(q);

	for (unsigned n = 0; n < NODES; n++)
		assert_true(enter(&cluster, n, 30));
	turn(&cluster, 200, NODES);
	for (unsigned n = 0; n < NODES; n++)
		link_driver_cut(cluster.drivers[n]);
	cluster.now_ms += CLIENT_COUNTS_HEARD_MS;
	for (unsigned n = 0; n < NODES; n++) {
		(void)client_counts_tick(cluster.counts[n], cluster.drivers[n]->link, cluster.now_ms);
		while (enter(&cluster, n, 30))
			;
		assert_int_equal(cluster.here[n], 10);
	}
	cluster_free(&cluster);
}

static void a_client_that_left_is_forgotten(void **state)
{
	struct queue_driver *q = *state;
	struct cluster cluster = cluster_new(q);

	assert_true(enter(&cluster, 0, 30));
	turn(&cluster, 200, 1);
	assert_true(has_key(q, "skein:{clients}:at:10.0.0.1"));
	leave(&cluster, 0);
	for (unsigned i = 0; i < 60; i++)
		turn(&cluster, 200, 1);
	assert_false(has_key(q, "skein:{clients}:at:10.0.0.1"));
	cluster_free(&cluster);
}

/* More clients than one call takes. */
static void many_clients_are_reported_in_batches(void **state)
{
	struct queue_driver *q = *state;
	struct cluster cluster = cluster_new(q);
	char text[32];

	for (unsigned i = 0; i < 250; i++) {
		struct network client;

		snprintf(text, sizeof(text), "10.1.%u.%u", i / 200, i % 200);
		client = of(text);
		assert_true(client_counts_enter(cluster.counts[0], &client, 5, cluster.now_ms));
	}
	turn(&cluster, 200, 1);
	assert_true(has_key(q, "skein:{clients}:at:10.1.1.49"));
	assert_int_equal(redis_client_integer(&q->redis, "DBSIZE"), 250 + 1 + 2); /* nodes, clock, shard */
	for (unsigned i = 0; i < 250; i++) {
		struct network client;

		snprintf(text, sizeof(text), "10.1.%u.%u", i / 200, i % 200);
		client = of(text);
		client_counts_leave(cluster.counts[0], &client);
	}
	cluster_free(&cluster);
}

static void one_who_has_no_cluster_has_all_of_the_limit(void **state)
{
	struct client_counts *counts = counts_new();
	struct network one = of("2001:db8::1"), two = of("2001:db8::2"), far = of("2001:db8:1::1");

	(void)state;
	assert_true(client_counts_enter(counts, &one, 2, 1));
	assert_true(client_counts_enter(counts, &two, 2, 1));
	assert_false(client_counts_enter(counts, &one, 2, 1)); /* the same /64 */
	assert_true(client_counts_enter(counts, &far, 2, 1));
	client_counts_leave(counts, &one);
	client_counts_leave(counts, &one);
	client_counts_leave(counts, &far);
	client_counts_free(&counts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_client_that_is_at_one_node_gets_nearly_all, queue_driver_reset),
		cmocka_unit_test_setup(new_clients_have_a_share_at_each_node, queue_driver_reset),
		cmocka_unit_test_setup(newcomers_bring_no_more_than_their_share, queue_driver_reset),
		cmocka_unit_test_setup(the_limit_holds_in_any_order, queue_driver_reset),
		cmocka_unit_test_setup(places_of_a_dead_node_are_free_after_a_while, queue_driver_reset),
		cmocka_unit_test_setup(a_node_that_starts_anew_gives_up_what_it_had, queue_driver_reset),
		cmocka_unit_test_setup(a_redis_that_lost_all_hears_it_again, queue_driver_reset),
		cmocka_unit_test_setup(jumps_of_redis_clock_heal, queue_driver_reset),
		cmocka_unit_test_setup(without_redis_each_node_has_its_share, queue_driver_reset),
		cmocka_unit_test_setup(a_client_that_left_is_forgotten, queue_driver_reset),
		cmocka_unit_test_setup(many_clients_are_reported_in_batches, queue_driver_reset),
		cmocka_unit_test(one_who_has_no_cluster_has_all_of_the_limit),
	};

	return cmocka_run_group_tests(tests, queue_driver_setup, queue_driver_teardown);
}
