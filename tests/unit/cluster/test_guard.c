/* Guessers of passwords against real functions: three nodes, one cluster; and one node without it. */
#include "queue_driver.h"

#include "skein/cluster/guard.h"

#include <limits.h>

static const struct abuse_rules rules = {
	.address_failures = 20,
	.network_failures = 500,
	.window_ms = 600000,
	.ban_first_ms = 60000,
	.ban_max_ms = 3600000,
	.ban_memory_ms = 3600000,
	.delay_first_ms = 500,
	.delay_max_ms = 8000,
	.account_window_ms = 600000,
	.directory_threshold = 10,
	.directory_window_ms = 600000,
};
enum { STOP = 5 };

static struct guard *guard_make(void)
{
	static uint64_t serial = 1;
	const struct guard_options options = {
		.bans_max = 100, .counters_max = 100, .seed = { serial++, 7 }
	};
	struct guard *guard = guard_new(&options);

	guard_set_rules(guard, &rules, NULL, 0);
	return guard;
}

static struct network of(const char *text)
{
	struct network network;

	assert_true(network_parse(span_of_str(text), &network));
	return network;
}

/* A session, a connection, and the directory behind them. */
struct session {
	struct guard *guard;
	struct link_driver *driver;
	struct guard_attempt attempt;
	struct guard_verdict verdict;
	struct guard_result result;
	unsigned verdicts, results;
};

static void on_verdict(void *arg, const struct guard_verdict *verdict)
{
	struct session *session = arg;

	session->verdict = *verdict;
	session->verdicts++;
}

static void on_result(void *arg, const struct guard_result *result)
{
	struct session *session = arg;

	session->result = *result;
	session->results++;
}

static void send_begin(struct session *session, const char *account, const char *from, uint64_t now_ms)
{
	struct network address = of(from);
	struct guard_verdict verdict;

	if (guard_begin(session->guard, session->driver->link, &session->attempt, span_of_str(account),
		    &address, now_ms, on_verdict, session, &verdict))
		on_verdict(session, &verdict);
}

static void send_end(struct session *session, enum guard_end end, uint64_t now_ms)
{
	struct guard_result result;

	if (guard_end(session->guard, session->driver->link, &session->attempt, end, 0, now_ms, on_result,
		    session, &result))
		on_result(session, &result);
}

static enum abuse_answer begin(
	struct session *session, const char *account, const char *from, uint64_t now_ms)
{
	session->verdicts = 0;
	send_begin(session, account, from, now_ms);
	link_driver_settle(session->driver);
	assert_int_equal(session->verdicts, 1);
	return session->verdict.answer;
}

static struct guard_result end(struct session *session, enum guard_end how, uint64_t now_ms)
{
	session->results = 0;
	send_end(session, how, now_ms);
	link_driver_settle(session->driver);
	assert_int_equal(session->results, 1);
	return session->result;
}

static struct guard_result try_wrong(struct session *session, const char *account, const char *from)
{
	(void)begin(session, account, from, 0);
	return end(session, GUARD_FAILED, 0);
}

static struct session session_on(struct queue_driver *q)
{
	return (struct session){ .guard = guard_make(), .driver = q->driver };
}

static void the_directory_is_asked_until_the_stop(void **state)
{
	struct queue_driver *q = *state;
	struct session session = session_on(q);

	for (unsigned i = 0; i < STOP; i++) {
		assert_int_equal(begin(&session, "ann", "10.0.0.1", 0), ABUSE_ASK);
		(void)end(&session, GUARD_FAILED, 0);
		pass_ms(q, 60000);
	}
	assert_int_equal(begin(&session, "ann", "10.0.0.1", 0), ABUSE_STOP);
	(void)end(&session, GUARD_FAILED, 0);
	assert_int_equal(begin(&session, "bob", "10.0.0.1", 0), ABUSE_ASK);
	(void)end(&session, GUARD_PROVEN, 0);
	pass_ms(q, 599999); /* since the last one that the directory saw: a minute ago */
	assert_int_equal(begin(&session, "ann", "10.0.0.1", 0), ABUSE_STOP);
	pass_ms(q, 1);
	assert_int_equal(begin(&session, "ann", "10.0.0.1", 0), ABUSE_ASK);
	(void)end(&session, GUARD_NOT_ASKED, 0);
	guard_free(&session.guard);
}

static void the_right_password_clears_account_and_address(void **state)
{
	struct queue_driver *q = *state;
	struct session session = session_on(q);

	for (unsigned round = 0; round < 10; round++) {
		for (unsigned i = 0; i + 1 < STOP; i++)
			assert_int_equal(try_wrong(&session, "ann", "10.0.0.1").ban_ms, 0);
		assert_int_equal(begin(&session, "ann", "10.0.0.1", 0), ABUSE_ASK);
		(void)end(&session, GUARD_PROVEN, 0);
	}
	assert_int_equal(try_wrong(&session, "ann", "10.0.0.1").delay_ms, rules.delay_first_ms);
	assert_false(has_key(q, "skein:{abuse}:bans"));
	guard_free(&session.guard);
}

static void answers_take_longer_with_each_failure(void **state)
{
	static const uint64_t delays[] = { 500, 1000, 2000, 4000, 8000, 8000 };
	struct session session = session_on(*state);

	for (size_t i = 0; i < ARRAY_LEN(delays); i++)
		assert_int_equal(
			try_wrong(&session, i % 2 ? "ann" : "nobody", "10.0.0.1").delay_ms, delays[i]);
	guard_free(&session.guard);
}

/* Unknown, known and stopped: the same counts, the same delays. */
static void a_stopped_account_is_answered_like_a_wrong_password(void **state)
{
	struct session session = session_on(*state);

	for (unsigned i = 0; i < STOP; i++)
		(void)try_wrong(&session, "ann", "10.0.9.9");
	for (unsigned i = 0; i < STOP; i++)
		assert_int_equal(try_wrong(&session, "ann", "10.0.0.1").delay_ms,
			try_wrong(&session, "nobody", "10.0.1.1").delay_ms);
	guard_free(&session.guard);
}

static void an_attempt_without_an_end_has_failed(void **state)
{
	struct queue_driver *q = *state;
	struct session sessions[STOP + 1];

	for (unsigned i = 0; i < STOP; i++) {
		sessions[i] = session_on(q);
		assert_int_equal(begin(&sessions[i], "ann", "10.0.0.1", 0), ABUSE_ASK);
	}
	sessions[STOP] = session_on(q);
	assert_int_equal(begin(&sessions[STOP], "ann", "10.0.0.1", 0), ABUSE_BUSY);
	pass_ms(q, GUARD_PENDING_MS);
	assert_int_equal(begin(&sessions[STOP], "ann", "10.0.0.1", 0), ABUSE_STOP);
	/* One comes after all, and it was right. */
	(void)end(&sessions[0], GUARD_PROVEN, 0);
	assert_int_equal(begin(&sessions[STOP], "ann", "10.0.0.1", 0), ABUSE_ASK);
	for (unsigned i = 0; i <= STOP; i++)
		guard_free(&sessions[i].guard);
}

static void an_unknown_outcome_counts_for_the_account_alone(void **state)
{
	struct queue_driver *q = *state;
	struct session session = session_on(q);

	for (unsigned i = 0; i < STOP; i++) {
		assert_int_equal(begin(&session, "ann", "10.0.0.1", 0), ABUSE_ASK);
		(void)end(&session, GUARD_UNKNOWN, 0);
	}
	assert_int_equal(begin(&session, "ann", "10.0.0.1", 0), ABUSE_STOP);
	assert_false(has_key(q, "skein:{abuse}:from:10.0.0.1"));
	guard_free(&session.guard);
}

static void a_refusal_over_no_password_counts_for_nobody(void **state)
{
	struct queue_driver *q = *state;
	struct session session = session_on(q);

	for (unsigned i = 0; i < 2 * STOP; i++) {
		assert_int_equal(begin(&session, "ann", "10.0.0.1", 0), ABUSE_ASK);
		assert_int_equal(end(&session, GUARD_REFUSED, 0).delay_ms, rules.delay_first_ms);
	}
	assert_false(has_key(q, "skein:{abuse}:from:10.0.0.1"));
	guard_free(&session.guard);
}

static void a_session_that_leaves_gives_its_attempt_back(void **state)
{
	struct queue_driver *q = *state;
	struct session session = session_on(q);

	session.verdicts = 0;
	send_begin(&session, "ann", "10.0.0.1", 0);
	guard_cancel(&session.attempt);
	link_driver_settle(q->driver);
	assert_int_equal(session.verdicts, 0);
	assert_int_equal(redis_client_integer(&q->redis, "HLEN skein:{abuse}:account:ann"), 2);
	guard_free(&session.guard);
}

static void bans_end_and_grow_with_repetition(void **state)
{
	static const uint64_t bans_ms[] = { 60000, 120000, 240000 };
	struct queue_driver *q = *state;
	struct session session = session_on(q);
	struct network address = of("10.0.0.1");
	uint64_t now_ms = 0;

	for (size_t round = 0; round < ARRAY_LEN(bans_ms); round++) {
		struct guard_result result = { .ban_ms = 0 };
		unsigned tries = 0;

		while (!result.ban_ms && tries++ < 100) {
			char account[16];

			snprintf(account, sizeof(account), "user%u", tries);
			assert_int_equal(begin(&session, account, "10.0.0.1", now_ms), ABUSE_ASK);
			result = end(&session, GUARD_FAILED, now_ms);
		}
		assert_int_equal(tries, rules.address_failures + 1);
		assert_int_equal(result.ban_ms, bans_ms[round]);
		assert_int_equal(
			guard_banned_until(session.guard, &address, now_ms), now_ms + bans_ms[round]);
		now_ms += bans_ms[round];
		pass_ms(q, bans_ms[round]);
		assert_int_equal(guard_banned_until(session.guard, &address, now_ms), 0);
		redis_client_command(&q->redis, "DEL skein:{abuse}:account:user1");
		for (unsigned i = 1; i <= tries; i++)
			redis_client_command(&q->redis, "DEL skein:{abuse}:account:user%u", i);
	}
	guard_free(&session.guard);
}

static void exempt_networks_are_not_banned_but_accounts_stop(void **state)
{
	struct session session = session_on(*state);
	struct network exempt = of("10.0.0.0/24");

	guard_set_rules(session.guard, &rules, &exempt, 1);
	for (unsigned i = 0; i < 60; i++)
		assert_int_equal(try_wrong(&session, "ann", "10.0.0.1").ban_ms, 0);
	assert_int_equal(begin(&session, "ann", "10.0.0.1", 0), ABUSE_STOP);
	guard_free(&session.guard);
}

static void poll(struct session *session, uint64_t now_ms)
{
	(void)guard_poll(session->guard, session->driver->link, now_ms);
	link_driver_settle(session->driver);
}

static void on_outcome(void *arg, const struct outcome *outcome)
{
	*(enum outcome_kind *)arg = outcome->kind;
}

static void order_ban(struct queue_driver *q, const char *network, uint64_t ms)
{
	struct ban_order order = { of(network), ms, SPAN_LIT("admin"), SPAN_LIT("has a virus") };
	enum outcome_kind kind;

	assert_true(abuse_store_ban(q->link, &order, 0, on_outcome, &kind));
	link_driver_settle(q->driver);
	assert_int_equal(kind, OUTCOME_OK);
}

static enum outcome_kind order_unban(struct queue_driver *q, const char *text)
{
	struct network network = of(text);
	enum outcome_kind kind;

	assert_true(abuse_store_unban(q->link, &network, 0, on_outcome, &kind));
	link_driver_settle(q->driver);
	return kind;
}

static void nodes_learn_of_bans_within_a_poll(void **state)
{
	struct queue_driver *q = *state;
	struct session one = session_on(q), two = session_on(q);
	struct network address = of("10.0.0.1"), other = of("10.7.1.1");

	poll(&two, 0);
	for (unsigned i = 0; i <= rules.address_failures; i++)
		(void)try_wrong(&one, "ann", "10.0.0.1");
	order_ban(q, "10.7.0.0/16", 5000);
	assert_int_equal(guard_banned_until(two.guard, &address, 1), 0);
	poll(&two, 999); /* too early */
	assert_int_equal(guard_banned_until(two.guard, &address, 999), 0);
	poll(&two, 1000);
	assert_int_equal(guard_banned_until(two.guard, &address, 1000), 61000);
	assert_int_equal(guard_banned_until(two.guard, &other, 1000), 6000);
	assert_int_equal(order_unban(q, "10.0.0.1"), OUTCOME_OK);
	assert_int_equal(order_unban(q, "10.0.0.1"), OUTCOME_NOT);
	poll(&two, 2000);
	assert_int_equal(guard_banned_until(two.guard, &address, 2000), 0);
	assert_int_equal(guard_banned_until(two.guard, &other, 2000), 6000);
	guard_free(&one.guard);
	guard_free(&two.guard);
}

static void a_redis_that_lost_all_frees_nobody_and_one_that_knows_more_decides(void **state)
{
	struct queue_driver *q = *state;
	struct session session = session_on(q);
	struct network address = of("10.0.0.1"), other = of("10.0.0.2");

	order_ban(q, "10.0.0.1", 60000);
	poll(&session, 0);
	assert_int_equal(guard_banned_until(session.guard, &address, 0), 60000);
	redis_client_command(&q->redis, "DEL skein:{abuse}:bans skein:{abuse}:changes skein:{abuse}:version");
	guard_link_lost(session.guard);
	poll(&session, 1000);
	assert_int_equal(guard_banned_until(session.guard, &address, 1000), 60000);
	order_ban(q, "10.0.0.2", 60000);
	guard_link_lost(session.guard);
	poll(&session, 2000);
	assert_int_equal(guard_banned_until(session.guard, &address, 2000), 0);
	assert_int_equal(guard_banned_until(session.guard, &other, 2000), 62000);
	guard_free(&session.guard);
}

static void jumps_of_redis_clock_do_not_ban_for_ever(void **state)
{
	struct queue_driver *q = *state;
	struct session session = session_on(q);
	struct network address = of("10.0.0.1");

	order_ban(q, "10.0.0.1", 60000);
	for (unsigned i = 0; i < STOP; i++)
		(void)try_wrong(&session, "ann", "10.0.0.9");
	q->now_ms -= 86400000;
	pass_ms(q, 0);
	poll(&session, 0);
	assert_int_equal(guard_banned_until(session.guard, &address, 0), 60000);
	assert_int_equal(begin(&session, "ann", "10.0.0.9", 0), ABUSE_STOP);
	(void)end(&session, GUARD_FAILED, 0);
	pass_ms(q, abuse_account_window_ms(&rules));
	assert_int_equal(begin(&session, "ann", "10.0.0.9", 0), ABUSE_ASK);
	guard_free(&session.guard);
}

/* 10,000 wrong passwords from 50 addresses through three nodes, many at a time; a directory counts as AD
 * does. */
static void a_flood_is_banned_and_locks_nobody(void **state)
{
	enum { NODES = 3, ADDRESSES = 50, ACCOUNTS = 4, TRIES = 10000, AT_ONCE = 30 };
	static const struct redis_link_options options = {
		.client_name = "n", .prefix = "skein:", .handshake_timeout_ms = 5000, .call_timeout_ms = 5000
	};
	static struct session sessions[AT_ONCE];
	struct queue_driver *q = *state;
	struct guard *guards[NODES];
	struct link_driver *drivers[NODES];
	unsigned directory[ACCOUNTS] = { 0 }, banned = 0, refused = 0;
	uint64_t now_ms = 0;

	for (unsigned n = 0; n < NODES; n++) {
		guards[n] = guard_make();
		guard_set_nodes(guards[n], NODES);
		drivers[n] = link_driver_start(q->server.port, &options);
	}
	for (unsigned try = 0; try < TRIES; try += AT_ONCE) {
		bool is_open[AT_ONCE] = { false };

		for (unsigned i = 0; i < AT_ONCE; i++) {
			char from[24], account[16];
			unsigned number = try + i, n = number % NODES;
			struct network address;

			snprintf(from, sizeof(from), "10.%u.0.1", number % ADDRESSES);
			snprintf(account, sizeof(account), "user%u", number % ACCOUNTS);
			sessions[i] = (struct session){ .guard = guards[n], .driver = drivers[n] };
			address = of(from);
			if (guard_banned_until(guards[n], &address, now_ms)) {
				refused++;
				continue;
			}
			is_open[i] = true;
			send_begin(&sessions[i], account, from, now_ms);
		}
		for (unsigned n = 0; n < NODES; n++)
			link_driver_settle(drivers[n]);
		for (unsigned i = 0; i < AT_ONCE; i++) {
			if (!is_open[i])
				continue;
			assert_int_equal(sessions[i].verdicts, 1);
			if (sessions[i].verdict.answer == ABUSE_ASK)
				directory[(try + i) % ACCOUNTS]++;
			send_end(&sessions[i], GUARD_FAILED, now_ms);
		}
		for (unsigned n = 0; n < NODES; n++) {
			link_driver_settle(drivers[n]);
			(void)guard_poll(guards[n], drivers[n]->link, now_ms);
			link_driver_settle(drivers[n]);
		}
		for (unsigned i = 0; i < AT_ONCE; i++)
			banned += is_open[i] && sessions[i].result.ban_ms > 0;
		now_ms += 100;
		pass_ms(q, 100);
	}
	for (unsigned a = 0; a < ACCOUNTS; a++)
		assert_int_equal(directory[a], STOP);
	assert_true(banned >= ADDRESSES);
	assert_true(refused > TRIES / 2);
	for (unsigned n = 0; n < NODES; n++) {
		link_driver_stop(&drivers[n]);
		guard_free(&guards[n]);
	}
}

static void a_node_without_redis_counts_by_itself(void **state)
{
	struct queue_driver *q = *state;
	struct session session = session_on(q);
	struct network address = of("10.0.0.1");
	unsigned asked = 0, tries = 0;
	struct guard_result result = { .ban_ms = 0 };

	guard_set_nodes(session.guard, 2);
	link_driver_cut(q->driver);
	while (!result.ban_ms && tries++ < 100) {
		asked += begin(&session, "ann", "10.0.0.1", 1000) == ABUSE_ASK;
		assert_true(session.verdict.is_local);
		result = end(&session, GUARD_FAILED, 1000);
		if (tries < 3)
			assert_int_equal(result.delay_ms, 500u << (tries - 1));
	}
	assert_int_equal(asked, STOP / 2);
	assert_int_equal(tries, rules.address_failures / 2 + 1);
	assert_int_equal(guard_banned_until(session.guard, &address, 1000), 61000);
	assert_int_equal(begin(&session, "bob", "10.0.0.2", 1000), ABUSE_ASK);
	assert_int_equal(begin(&session, "bob", "10.0.0.2", 1000), ABUSE_ASK);
	assert_int_equal(begin(&session, "bob", "10.0.0.2", 1000), ABUSE_BUSY);
	guard_free(&session.guard);
	queue_driver_reconnect(q);
}

/* The connection ends while the answer is awaited: the node decides, once. */
static void a_connection_that_ends_leaves_nobody_waiting(void **state)
{
	struct queue_driver *q = *state;
	struct session session = session_on(q);

	session.verdicts = session.results = 0;
	send_begin(&session, "ann", "10.0.0.1", 0);
	link_driver_cut(q->driver);
	assert_int_equal(session.verdicts, 1);
	assert_int_equal(session.verdict.answer, ABUSE_ASK);
	queue_driver_reconnect(q);
	session.driver = q->driver;
	(void)end(&session, GUARD_PROVEN, 0);
	assert_int_equal(begin(&session, "ann", "10.0.0.1", 0), ABUSE_ASK);
	session.results = 0;
	send_end(&session, GUARD_FAILED, 0);
	link_driver_cut(q->driver);
	assert_int_equal(session.results, 1);
	assert_int_equal(session.result.delay_ms, 500);
	guard_free(&session.guard);
	queue_driver_reconnect(q);
}

static void names_that_no_directory_has_are_not_asked(void **state)
{
	struct session session = session_on(*state);
	char name[ABUSE_ACCOUNT_MAX + 2];

	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(begin(&session, name, "10.0.0.1", 0), ABUSE_STOP);
	assert_int_equal(end(&session, GUARD_FAILED, 0).delay_ms, 500);
	assert_int_equal(end(&session, GUARD_FAILED, 0).delay_ms, 1000);
	guard_free(&session.guard);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_directory_is_asked_until_the_stop, queue_driver_reset),
		cmocka_unit_test_setup(the_right_password_clears_account_and_address, queue_driver_reset),
		cmocka_unit_test_setup(answers_take_longer_with_each_failure, queue_driver_reset),
		cmocka_unit_test_setup(
			a_stopped_account_is_answered_like_a_wrong_password, queue_driver_reset),
		cmocka_unit_test_setup(an_attempt_without_an_end_has_failed, queue_driver_reset),
		cmocka_unit_test_setup(an_unknown_outcome_counts_for_the_account_alone, queue_driver_reset),
		cmocka_unit_test_setup(a_refusal_over_no_password_counts_for_nobody, queue_driver_reset),
		cmocka_unit_test_setup(a_session_that_leaves_gives_its_attempt_back, queue_driver_reset),
		cmocka_unit_test_setup(bans_end_and_grow_with_repetition, queue_driver_reset),
		cmocka_unit_test_setup(exempt_networks_are_not_banned_but_accounts_stop, queue_driver_reset),
		cmocka_unit_test_setup(nodes_learn_of_bans_within_a_poll, queue_driver_reset),
		cmocka_unit_test_setup(a_redis_that_lost_all_frees_nobody_and_one_that_knows_more_decides,
			queue_driver_reset),
		cmocka_unit_test_setup(jumps_of_redis_clock_do_not_ban_for_ever, queue_driver_reset),
		cmocka_unit_test_setup(a_flood_is_banned_and_locks_nobody, queue_driver_reset),
		cmocka_unit_test_setup(a_node_without_redis_counts_by_itself, queue_driver_reset),
		cmocka_unit_test_setup(a_connection_that_ends_leaves_nobody_waiting, queue_driver_reset),
		cmocka_unit_test_setup(names_that_no_directory_has_are_not_asked, queue_driver_reset),
	};

	return cmocka_run_group_tests(tests, queue_driver_setup, queue_driver_teardown);
}
