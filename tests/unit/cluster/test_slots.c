/* Connections to a route over three nodes with two workers each: never more than the cluster may have. */
#include "queue_driver.h"

#include "skein/cluster/slots.h"

enum { NODES = 3, WORKERS = 6, SLOTS_MAX = 16 };

static const struct span ROUTE = { "provider", 8 };

struct connection {
	struct slot slot;
	bool is_open, is_wanted;
	unsigned grants;
};

struct worker {
	struct slots *slots;
	struct link_driver *driver;
	struct connection connections[SLOTS_MAX];
	unsigned served; /* messages, where a test counts them */
};

struct cluster {
	struct queue_driver *q;
	struct slot_share *shares[NODES];
	struct worker workers[WORKERS];
	uint64_t now_ms, most;
};

static struct link_driver *connect_to(struct queue_driver *q)
{
	static const struct redis_link_options options = {
		.client_name = "n", .prefix = "skein:", .handshake_timeout_ms = 5000, .call_timeout_ms = 5000
	};

	return link_driver_start(q->server.port, &options);
}

static void cluster_init(struct cluster *cluster, struct queue_driver *q, uint64_t most)
{
	const struct slot_share_options options = { .seed = { 1, 2 } };

	*cluster = (struct cluster){ .q = q, .now_ms = 1, .most = most };
	for (unsigned n = 0; n < NODES; n++) {
		cluster->shares[n] = slot_share_new(&options);
		slot_share_set_nodes(cluster->shares[n], NODES, n);
	}
	for (unsigned w = 0; w < WORKERS; w++) {
		struct worker *worker = &cluster->workers[w];
		char holder[SLOT_HOLDER_MAX];
		int len = snprintf(
			holder, sizeof(holder), "%s.%u", node_uuid((char)('a' + w % NODES)).text, w / NODES);

		worker->driver = connect_to(q);
		worker->slots = slots_new(worker->driver->link, cluster->shares[w % NODES],
			span_of(holder, (size_t)len), options.seed);
		for (unsigned c = 0; c < SLOTS_MAX; c++)
			slot_init(&worker->connections[c].slot);
	}
}

static void on_granted(void *arg)
{
	struct connection *connection = arg;

	assert_true(connection->is_wanted && !connection->is_open);
	connection->is_open = true;
	connection->grants++;
}

static void settle(struct cluster *cluster, unsigned w)
{
	link_driver_settle(cluster->workers[w].driver);
}

/* One connection more. */
static struct connection *want(struct cluster *cluster, unsigned w)
{
	struct worker *worker = &cluster->workers[w];

	for (unsigned c = 0; c < SLOTS_MAX; c++) {
		struct connection *connection = &worker->connections[c];

		if (connection->is_wanted)
			continue;
		connection->is_wanted = true;
		if (slots_ask(worker->slots, &connection->slot, ROUTE, cluster->most, cluster->now_ms,
			    on_granted, connection))
			on_granted(connection);
		return connection;
	}
	fail_msg("more connections than the test has");
	return NULL;
}

static void end(struct cluster *cluster, unsigned w, struct connection *connection)
{
	connection->is_open = connection->is_wanted = false;
	slots_release(cluster->workers[w].slots, &connection->slot, cluster->now_ms);
}

static unsigned open_at(const struct cluster *cluster, unsigned w)
{
	unsigned count = 0;

	for (unsigned c = 0; c < SLOTS_MAX; c++)
		count += cluster->workers[w].connections[c].is_open;
	return count;
}

static unsigned open_in_all(const struct cluster *cluster)
{
	unsigned count = 0;

	for (unsigned w = 0; w < WORKERS; w++)
		count += open_at(cluster, w);
	return count;
}

static void end_all(struct cluster *cluster, unsigned w)
{
	for (unsigned c = 0; c < SLOTS_MAX; c++)
		if (cluster->workers[w].connections[c].is_wanted)
			end(cluster, w, &cluster->workers[w].connections[c]);
}

static void pass(struct cluster *cluster, uint64_t ms)
{
	cluster->now_ms += ms;
	pass_ms(cluster->q, ms);
}

static void tick(struct cluster *cluster, unsigned w)
{
	(void)slots_tick(cluster->workers[w].slots, cluster->now_ms);
	settle(cluster, w);
}

/* Time goes on in ticks of the workers whose bit is set. */
static void turn_some(struct cluster *cluster, uint64_t ms, unsigned set)
{
	for (uint64_t end_ms = cluster->now_ms + ms; cluster->now_ms < end_ms;) {
		pass(cluster, SLOTS_AGAIN_MS);
		for (unsigned w = 0; w < WORKERS; w++)
			if (set & 1u << w)
				tick(cluster, w);
	}
}

static void turn(struct cluster *cluster, uint64_t ms)
{
	turn_some(cluster, ms, ~0u);
}

static void cluster_fini(struct cluster *cluster)
{
	for (unsigned w = 0; w < WORKERS; w++) {
		end_all(cluster, w);
		settle(cluster, w);
	}
	for (unsigned w = 0; w < WORKERS; w++) {
		link_driver_stop(&cluster->workers[w].driver);
		slots_free(&cluster->workers[w].slots);
	}
	for (unsigned n = 0; n < NODES; n++)
		slot_share_free(&cluster->shares[n]);
}

/* Closes what has to be given back, as between two messages; those that close want another one at once. */
static unsigned yield_all(struct cluster *cluster, bool wants_another)
{
	unsigned yielded = 0;

	for (unsigned w = 0; w < WORKERS; w++)
		for (unsigned c = 0; c < SLOTS_MAX; c++) {
			struct worker *worker = &cluster->workers[w];
			struct connection *connection = &worker->connections[c];

			if (!connection->is_open ||
				!slots_should_yield(worker->slots, &connection->slot, cluster->now_ms))
				continue;
			end(cluster, w, connection);
			yielded++;
			if (wants_another)
				(void)want(cluster, w);
		}
	return yielded;
}

static uint64_t in_redis(struct cluster *cluster)
{
	return (uint64_t)redis_client_integer(&cluster->q->redis, "EXISTS skein:{slots}:at:provider");
}

static void a_slot_is_granted_after_one_round_trip_and_given_back(void **state)
{
	struct cluster cluster;
	struct connection *first, *second;

	cluster_init(&cluster, *state, 2);
	assert_int_equal(slots_tick(cluster.workers[0].slots, 0), UINT64_MAX);
	first = want(&cluster, 0);
	assert_false(first->is_open);
	settle(&cluster, 0);
	assert_true(first->is_open);
	second = want(&cluster, 1);
	settle(&cluster, 1);
	assert_true(second->is_open);
	(void)want(&cluster, 2);
	turn(&cluster, 2000);
	assert_int_equal(open_in_all(&cluster), 2);
	end(&cluster, 0, first);
	settle(&cluster, 0);
	turn(&cluster, SLOTS_AGAIN_MS);
	assert_int_equal(open_at(&cluster, 2), 1);
	for (unsigned w = 0; w < WORKERS; w++)
		end_all(&cluster, w);
	turn(&cluster, SLOTS_AGAIN_MS);
	assert_int_equal(in_redis(&cluster), 0);
	turn(&cluster, SLOTS_AGAIN_MS);
	assert_int_equal(slots_tick(cluster.workers[0].slots, cluster.now_ms), UINT64_MAX);
	cluster_fini(&cluster);
}

static void all_at_once_get_no_more_than_there_are(void **state)
{
	struct cluster cluster;

	cluster_init(&cluster, *state, 10);
	for (unsigned i = 0; i < 5; i++)
		for (unsigned w = 0; w < WORKERS; w++)
			(void)want(&cluster, w);
	for (unsigned w = 0; w < WORKERS; w++)
		settle(&cluster, w);
	assert_in_range(open_in_all(&cluster), 1, 10);
	for (unsigned i = 0; i < 20; i++) {
		turn(&cluster, SLOTS_AGAIN_MS);
		assert_in_range(open_in_all(&cluster), 1, 10);
	}
	assert_int_equal(open_in_all(&cluster), 10);
	cluster_fini(&cluster);
}

/* One worker has all; the others come. Within seconds each has its part, and nobody goes on changing. */
static void a_busy_worker_gives_back_what_others_wait_for(void **state)
{
	struct cluster cluster;
	unsigned yielded = 0;

	cluster_init(&cluster, *state, 12);
	for (unsigned i = 0; i < 12; i++)
		(void)want(&cluster, 0);
	turn(&cluster, 1000);
	assert_int_equal(open_at(&cluster, 0), 12);
	assert_int_equal(yield_all(&cluster, true), 0);
	for (unsigned i = 0; i < 12; i++)
		for (unsigned w = 1; w < 3; w++)
			(void)want(&cluster, w);
	for (unsigned i = 0; i < 50; i++) {
		turn(&cluster, SLOTS_AGAIN_MS);
		yielded += yield_all(&cluster, true);
		assert_in_range(open_in_all(&cluster), 0, 12);
	}
	for (unsigned w = 0; w < 3; w++)
		assert_int_equal(open_at(&cluster, w), 4);
	assert_in_range(yielded, 8, 10);
	assert_int_equal(yield_all(&cluster, true), 0);
	cluster_fini(&cluster);
}

/* Six workers, two slots: a message each, in turns, however many each would like. */
static void take_turns(struct queue_driver *q, unsigned wants)
{
	struct cluster cluster;
	unsigned least = 1000, most = 0;

	cluster_init(&cluster, q, 2);
	for (unsigned i = 0; i < wants; i++)
		for (unsigned w = 0; w < WORKERS; w++)
			(void)want(&cluster, w);
	for (unsigned i = 0; i < 300; i++) {
		turn(&cluster, SLOTS_AGAIN_MS);
		assert_in_range(open_in_all(&cluster), 0, 2);
		for (unsigned w = 0; w < WORKERS; w++)
			cluster.workers[w].served += open_at(&cluster, w);
		(void)yield_all(&cluster, true);
	}
	for (unsigned w = 0; w < WORKERS; w++) {
		least = cluster.workers[w].served < least ? cluster.workers[w].served : least;
		most = cluster.workers[w].served > most ? cluster.workers[w].served : most;
	}
	assert_true(least > 50);
	assert_true(most < 2 * least);
	cluster_fini(&cluster);
}

static void more_workers_than_slots_take_turns(void **state)
{
	take_turns(*state, 1);
	take_turns(*state, 2);
}

/* Who waits for a second one and gives back his first has no claim from that on it. */
static void who_gives_back_goes_to_the_end(void **state)
{
	struct cluster cluster;

	struct connection *first;

	cluster_init(&cluster, *state, 2);
	(void)want(&cluster, 2);
	settle(&cluster, 2);
	first = want(&cluster, 0);
	(void)want(&cluster, 0);
	turn(&cluster, 10000);
	(void)want(&cluster, 1);
	turn(&cluster, 2000);
	assert_true(first->is_open && open_at(&cluster, 2) == 1);
	assert_true(slots_should_yield(cluster.workers[0].slots, &first->slot, cluster.now_ms));
	end(&cluster, 0, first);
	turn(&cluster, 600);
	assert_int_equal(open_at(&cluster, 0), 0);
	assert_int_equal(open_at(&cluster, 1), 1);
	cluster_fini(&cluster);
}

/* What was released and told is not taken again before the answer. */
static void a_slot_on_its_way_back_is_nobodys(void **state)
{
	struct cluster cluster;
	struct connection *first;

	cluster_init(&cluster, *state, 1);
	first = want(&cluster, 0);
	settle(&cluster, 0);
	assert_true(first->is_open);
	(void)want(&cluster, 1);
	settle(&cluster, 1);
	end(&cluster, 0, first);
	(void)want(&cluster, 0);
	assert_int_equal(open_at(&cluster, 0), 0);
	turn(&cluster, 1000);
	assert_int_equal(open_at(&cluster, 1), 1);
	assert_int_equal(open_at(&cluster, 0), 0);
	cluster_fini(&cluster);
}

static uint64_t draw(uint64_t *seed, uint64_t below)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (*seed >> 33) % below;
}

static void do_something(struct cluster *cluster, uint64_t *seed)
{
	unsigned w = (unsigned)draw(seed, WORKERS);
	struct worker *worker = &cluster->workers[w];
	struct connection *connection = &worker->connections[draw(seed, SLOTS_MAX)];

	switch (draw(seed, 10)) {
	case 0:
		pass(cluster, draw(seed, 50));
		break;
	case 1:
		(void)slots_tick(worker->slots, cluster->now_ms);
		break;
	case 2:
	case 3:
		settle(cluster, w);
		break;
	case 4:
	case 5:
		if (connection->is_open &&
			slots_should_yield(worker->slots, &connection->slot, cluster->now_ms))
			end(cluster, w, connection);
		break;
	case 6:
		if (draw(seed, 20) == 0) {
			link_driver_cut(worker->driver);
			link_driver_connect(worker->driver);
		}
		break;
	default:
		if (connection->is_wanted)
			end(cluster, w, connection);
		else
			(void)want(cluster, w);
	}
}

/* Whatever is asked, given back and lost on the way: never more than there are, and no slot is lost for good.
 */
static void whatever_happens_the_limit_holds(void **state)
{
	uint64_t seed = 17;

	for (unsigned round = 0; round < 10; round++) {
		struct cluster cluster;

		cluster_init(&cluster, *state, 1 + draw(&seed, 12));
		for (unsigned step = 0; step < 2000; step++) {
			do_something(&cluster, &seed);
			if (open_in_all(&cluster) > cluster.most)
				fail_msg("%u of %u in round %u, step %u", open_in_all(&cluster),
					(unsigned)cluster.most, round, step);
			if (step % 50 == 0)
				turn(&cluster, SLOTS_AGAIN_MS);
		}
		for (unsigned w = 0; w < WORKERS; w++)
			(void)want(&cluster, w), (void)want(&cluster, w);
		turn(&cluster, SLOTS_TTL_MS + 2000);
		assert_int_equal(open_in_all(&cluster), cluster.most);
		cluster_fini(&cluster);
	}
}

/* Who wants little keeps nobody from the rest. */
static void what_nobody_wants_is_for_who_does(void **state)
{
	struct cluster cluster;

	cluster_init(&cluster, *state, 10);
	(void)want(&cluster, 1);
	(void)want(&cluster, 2);
	turn(&cluster, 400);
	for (unsigned i = 0; i < 12; i++)
		(void)want(&cluster, 0);
	turn(&cluster, 1000);
	assert_int_equal(open_at(&cluster, 0), 8);
	assert_int_equal(yield_all(&cluster, false), 0);
	cluster_fini(&cluster);
}

static void what_a_dead_worker_held_comes_back(void **state)
{
	struct cluster cluster;

	cluster_init(&cluster, *state, 3);
	for (unsigned i = 0; i < 3; i++)
		(void)want(&cluster, 0);
	turn(&cluster, 400);
	assert_int_equal(open_at(&cluster, 0), 3);
	for (unsigned i = 0; i < 3; i++)
		(void)want(&cluster, 1);
	/* Worker 0 is silent. */
	turn_some(&cluster, SLOTS_TTL_MS - 1000, 1u << 1);
	assert_int_equal(open_at(&cluster, 1), 0);
	turn_some(&cluster, 1200, 1u << 1);
	assert_int_equal(open_at(&cluster, 1), 3);
	/* It was only asleep: what it has counts, and both give back until it is right again. */
	for (unsigned i = 0; i < 20; i++) {
		turn(&cluster, SLOTS_AGAIN_MS);
		(void)yield_all(&cluster, false);
	}
	assert_in_range(open_in_all(&cluster), 2, 3);
	assert_in_range(open_at(&cluster, 0), 1, 2);
	cluster_fini(&cluster);
}

/* The same worker, started again: what it had before is not counted beside what it has. */
static void a_worker_that_restarts_takes_its_own_place(void **state)
{
	struct cluster cluster;
	const uint64_t seed[2] = { 3, 4 };
	struct slots *again;
	struct slot slot;
	struct connection connection = { .is_wanted = true };
	char holder[SLOT_HOLDER_MAX];
	int len = snprintf(holder, sizeof(holder), "%s.0", node_uuid('a').text);

	cluster_init(&cluster, *state, 1);
	(void)want(&cluster, 0);
	settle(&cluster, 0);
	again = slots_new(
		cluster.workers[1].driver->link, cluster.shares[0], span_of(holder, (size_t)len), seed);
	slot_init(&slot);
	assert_false(slots_ask(again, &slot, ROUTE, 1, cluster.now_ms, on_granted, &connection));
	settle(&cluster, 1);
	assert_true(connection.is_open);
	slots_release(again, &slot, cluster.now_ms);
	settle(&cluster, 1);
	slots_free(&again);
	cluster_fini(&cluster);
}

/* A lower limit is kept as fast as messages end. */
static void a_lower_limit_is_reached_by_yielding(void **state)
{
	struct cluster cluster;

	cluster_init(&cluster, *state, 12);
	for (unsigned i = 0; i < 6; i++)
		for (unsigned w = 0; w < 2; w++)
			(void)want(&cluster, w);
	turn(&cluster, 1000);
	assert_int_equal(open_in_all(&cluster), 12);
	cluster.most = 4;
	for (unsigned w = 0; w < 2; w++)
		(void)want(&cluster, w);
	for (unsigned i = 0; i < 20; i++) {
		turn(&cluster, SLOTS_AGAIN_MS);
		(void)yield_all(&cluster, false);
	}
	assert_int_equal(open_at(&cluster, 0), 2);
	assert_int_equal(open_at(&cluster, 1), 2);
	cluster_fini(&cluster);
}

static void cut_all(struct cluster *cluster)
{
	for (unsigned w = 0; w < WORKERS; w++)
		link_driver_cut(cluster->workers[w].driver);
}

/* Nodes 0, 1 and 2 of three: the remainder goes to the first by name. Workers of a node share its part. */
static void without_redis_each_node_has_its_part(void **state)
{
	static const struct {
		uint64_t most;
		unsigned open[NODES];
	} rows[] = { { 1, { 1, 0, 0 } }, { 2, { 1, 1, 0 } }, { 3, { 1, 1, 1 } }, { 8, { 3, 3, 2 } } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct cluster cluster;

		cluster_init(&cluster, *state, rows[i].most);
		cut_all(&cluster);
		for (unsigned c = 0; c < 4; c++)
			for (unsigned w = 0; w < WORKERS; w++)
				(void)want(&cluster, w);
		for (unsigned n = 0; n < NODES; n++)
			assert_int_equal(
				open_at(&cluster, n) + open_at(&cluster, n + NODES), rows[i].open[n]);
		/* What one worker gives back the other one gets. */
		end_all(&cluster, 0);
		turn(&cluster, SLOTS_AGAIN_MS);
		assert_int_equal(open_at(&cluster, NODES), rows[i].open[0]);
		cluster_fini(&cluster);
	}
}

static void without_redis_no_worker_keeps_all_of_the_part(void **state)
{
	struct cluster cluster;
	struct connection *first, *second;

	cluster_init(&cluster, *state, 2 * NODES);
	cut_all(&cluster);
	first = want(&cluster, 0);
	second = want(&cluster, 0);
	(void)want(&cluster, 0);
	assert_int_equal(open_at(&cluster, 0), 2);
	assert_false(slots_should_yield(cluster.workers[0].slots, &second->slot, cluster.now_ms));
	(void)want(&cluster, NODES);
	assert_int_equal(open_at(&cluster, NODES), 0);
	/* One of them is enough, and it is not for the worker's own next one. */
	assert_true(slots_should_yield(cluster.workers[0].slots, &first->slot, cluster.now_ms));
	turn_some(&cluster, SLOTS_AGAIN_MS, 1u << NODES);
	assert_false(slots_should_yield(cluster.workers[0].slots, &second->slot, cluster.now_ms));
	end(&cluster, 0, first);
	assert_int_equal(open_at(&cluster, 0), 1);
	turn_some(&cluster, SLOTS_AGAIN_MS, 1u << NODES);
	assert_int_equal(open_at(&cluster, NODES), 1);
	turn(&cluster, SLOTS_AGAIN_MS);
	assert_false(slots_should_yield(cluster.workers[0].slots, &second->slot, cluster.now_ms));
	cluster_fini(&cluster);
}

/* What Redis granted is trusted for a while; then a node keeps its part, and tells the rest to close. */
static void a_lost_redis_leaves_the_part(void **state)
{
	struct cluster cluster;

	cluster_init(&cluster, *state, 9);
	for (unsigned i = 0; i < 10; i++)
		(void)want(&cluster, 0);
	turn(&cluster, 400);
	assert_int_equal(open_at(&cluster, 0), 9);
	cut_all(&cluster);
	(void)want(&cluster, 1);
	turn(&cluster, SLOTS_TTL_MS - SLOTS_MARGIN_MS - 400);
	assert_int_equal(yield_all(&cluster, false), 0);
	turn(&cluster, 2000);
	assert_int_equal(yield_all(&cluster, false), 6);
	assert_int_equal(open_at(&cluster, 0), 3);
	turn(&cluster, 1000);
	assert_int_equal(yield_all(&cluster, false), 0);
	assert_int_equal(open_at(&cluster, 1), 1);
	/* Redis is back, and knows nothing: it counts what is there. */
	redis_client_command(&cluster.q->redis, "DEL skein:{slots}:at:provider");
	for (unsigned w = 0; w < WORKERS; w++)
		link_driver_connect(cluster.workers[w].driver);
	(void)want(&cluster, 2);
	turn(&cluster, 1000);
	assert_int_equal(slots_stats(cluster.workers[2].slots).by_share, 0);
	/* With the one that waited all the time. */
	assert_int_equal(open_in_all(&cluster), 3 + 1 + 1 + 1);
	cluster_fini(&cluster);
}

/* Redis is there and does not answer: the first slot waits for a second, not for ever. */
static void a_silent_redis_is_waited_for_once(void **state)
{
	struct cluster cluster;
	struct connection *connection;

	cluster_init(&cluster, *state, 3);
	connection = want(&cluster, 0);
	cluster.now_ms += SLOTS_DEADLINE_MS - 1;
	(void)slots_tick(cluster.workers[0].slots, cluster.now_ms);
	assert_false(connection->is_open);
	cluster.now_ms += 1;
	(void)slots_tick(cluster.workers[0].slots, cluster.now_ms);
	assert_true(connection->is_open);
	assert_int_equal(slots_stats(cluster.workers[0].slots).by_share, 1);
	cluster_fini(&cluster);
}

static void a_slot_that_is_not_wanted_any_more_is_not_granted(void **state)
{
	struct cluster cluster;
	struct connection *connection;

	cluster_init(&cluster, *state, 1);
	connection = want(&cluster, 0);
	end(&cluster, 0, connection);
	settle(&cluster, 0);
	assert_int_equal(connection->grants, 0);
	(void)want(&cluster, 1);
	turn(&cluster, SLOTS_AGAIN_MS);
	assert_int_equal(open_at(&cluster, 1), 1);
	cluster_fini(&cluster);
}

/* Redis' clock goes back by a day: a dead worker's slots come back all the same. */
static void a_clock_that_goes_back_holds_nothing(void **state)
{
	struct cluster cluster;

	cluster_init(&cluster, *state, 2);
	(void)want(&cluster, 0);
	(void)want(&cluster, 1);
	turn(&cluster, 400);
	cluster.q->now_ms -= 86400000;
	pass(&cluster, 0);
	(void)want(&cluster, 2);
	turn_some(&cluster, 1000, 1u << 1 | 1u << 2);
	assert_int_equal(open_at(&cluster, 2), 0);
	turn_some(&cluster, SLOTS_TTL_MS + 1000, 1u << 1 | 1u << 2);
	assert_int_equal(open_at(&cluster, 2), 1);
	cluster_fini(&cluster);
}

struct listed {
	size_t count;
	uint64_t held, wanted, waits_ms, most;
	char route[SLOT_ROUTE_MAX + 1];
};

static void on_list(void *arg, const struct outcome *outcome, const struct slot_row *rows, size_t count)
{
	struct listed *listed = arg;

	assert_true(outcome_is_ok(outcome));
	listed->count = count;
	for (size_t i = 0; i < count; i++) {
		listed->held += rows[i].count;
		listed->wanted += rows[i].wants;
		listed->waits_ms += rows[i].waits_ms;
		listed->most = rows[i].most;
		snprintf(listed->route, sizeof(listed->route), "%.*s", SPAN_ARGS(rows[i].route));
	}
}

static void the_list_tells_who_holds_and_waits(void **state)
{
	struct cluster cluster;
	struct listed listed = { .count = 0 };

	cluster_init(&cluster, *state, 2);
	(void)want(&cluster, 0);
	(void)want(&cluster, 0);
	settle(&cluster, 0);
	(void)want(&cluster, 1);
	turn(&cluster, 2000);
	assert_true(slot_store_list(cluster.q->link, 0, on_list, &listed));
	link_driver_settle(cluster.q->driver);
	assert_int_equal(listed.count, 2);
	assert_int_equal(listed.held, 2);
	assert_int_equal(listed.wanted, 3);
	assert_int_equal(listed.most, 2);
	assert_in_range(listed.waits_ms, 1800, 2000);
	assert_string_equal(listed.route, "provider");
	cluster_fini(&cluster);
}

int main(void)
{
#define ROW(test) cmocka_unit_test_setup(test, queue_driver_reset)
	const struct CMUnitTest tests[] = {
		ROW(a_slot_is_granted_after_one_round_trip_and_given_back),
		ROW(all_at_once_get_no_more_than_there_are),
		ROW(a_busy_worker_gives_back_what_others_wait_for),
		ROW(more_workers_than_slots_take_turns),
		ROW(who_gives_back_goes_to_the_end),
		ROW(a_slot_on_its_way_back_is_nobodys),
		ROW(whatever_happens_the_limit_holds),
		ROW(what_nobody_wants_is_for_who_does),
		ROW(what_a_dead_worker_held_comes_back),
		ROW(a_worker_that_restarts_takes_its_own_place),
		ROW(a_lower_limit_is_reached_by_yielding),
		ROW(without_redis_each_node_has_its_part),
		ROW(without_redis_no_worker_keeps_all_of_the_part),
		ROW(a_lost_redis_leaves_the_part),
		ROW(a_silent_redis_is_waited_for_once),
		ROW(a_slot_that_is_not_wanted_any_more_is_not_granted),
		ROW(a_clock_that_goes_back_holds_nothing),
		ROW(the_list_tells_who_holds_and_waits),
	};

	return cmocka_run_group_tests(tests, queue_driver_setup, queue_driver_teardown);
}
