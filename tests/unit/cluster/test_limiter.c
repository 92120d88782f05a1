/* Who decides: Redis in time, else the share. */
#include "queue_driver.h"

#include "skein/cluster/limit_store.h"
#include "skein/cluster/limiter.h"

#define SECOND 1000000u
enum { DEADLINE_MS = 300 };

static const struct limit_rule hundred = {
	.name = "hundred", .rate = 100, .period_us = 60 * SECOND, .burst = 100
};
static const struct limit_take take_a = { &hundred, { "a", 1 }, 1 };

static struct limit_share *share_new(size_t counters_max)
{
	const struct limit_share_options options = { .counters_max = counters_max, .seed = { 1, 2 } };

	return limit_share_new(&options);
}

struct asker {
	struct limit_question question;
	struct limit_verdict verdict;
	unsigned answers;
	char rule[16];
};

static void on_answer(void *arg, const struct limit_verdict *verdict)
{
	struct asker *asker = arg;

	asker->verdict = *verdict;
	snprintf(asker->rule, sizeof(asker->rule), "%s", verdict->rule ? verdict->rule->name : "");
	asker->answers++;
}

/* True: decided at once. */
static bool ask(struct limiter *limiter, struct asker *asker, uint64_t now_ms)
{
	struct limit_verdict verdict;
	bool is_decided;

	limit_question_init(&asker->question);
	is_decided = limiter_ask(limiter, &asker->question, &take_a, 1, now_ms, on_answer, asker, &verdict);
	if (is_decided)
		on_answer(asker, &verdict);
	return is_decided;
}

static uint64_t owed(struct queue_driver *q)
{
	return (uint64_t)redis_client_integer(&q->redis, "EXISTS skein:{limits}:hundred:a");
}

static void redis_decides_where_it_answers(void **state)
{
	struct queue_driver *q = *state;
	struct limit_share *share = share_new(10);
	struct limiter *limiter = limiter_new(q->link, share, DEADLINE_MS);
	struct asker askers[101] = { { .answers = 0 } };

	for (size_t i = 0; i < 101; i++)
		assert_false(ask(limiter, &askers[i], 0));
	assert_int_equal(limiter_tick(limiter, 1), DEADLINE_MS);
	link_driver_settle(q->driver);
	for (size_t i = 0; i < 101; i++) {
		assert_int_equal(askers[i].answers, 1);
		assert_int_equal(askers[i].verdict.source, LIMIT_BY_REDIS);
		assert_int_equal(askers[i].verdict.is_let_in, i < 100);
	}
	assert_string_equal(askers[100].rule, "hundred");
	assert_int_equal(askers[100].verdict.wait_us, 600000);
	assert_int_equal(limiter_tick(limiter, 1000), UINT64_MAX);
	assert_int_equal(limiter_stats(limiter)->asked, 101);
	assert_int_equal(limiter_stats(limiter)->refused, 1);
	limiter_free(&limiter);
	limit_share_free(&share);
}

static void no_limit_asks_nobody(void **state)
{
	struct queue_driver *q = *state;
	struct limit_share *share = share_new(10);
	struct limiter *limiter = limiter_new(q->link, share, DEADLINE_MS);
	struct asker asker = { .answers = 0 };

	limit_question_init(&asker.question);
	assert_true(limiter_ask(limiter, &asker.question, NULL, 0, 0, on_answer, &asker, &asker.verdict));
	assert_true(asker.verdict.is_let_in);
	assert_int_equal(redis_link_in_flight(q->link), 0);
	limiter_free(&limiter);
	limit_share_free(&share);
}

static void without_redis_the_share_decides(void **state)
{
	struct queue_driver *q = *state;
	struct limit_share *share = share_new(10);
	struct limiter *limiter = limiter_new(q->link, share, DEADLINE_MS);
	unsigned let_in = 0;

	link_driver_cut(q->driver);
	limit_share_set_nodes(share, 3);
	for (unsigned i = 0; i < 60; i++) {
		struct asker asker = { .answers = 0 };

		assert_true(ask(limiter, &asker, 1000));
		assert_int_equal(asker.verdict.source, LIMIT_BY_SHARE);
		let_in += asker.verdict.is_let_in;
	}
	assert_int_equal(let_in, 33);
	limiter_free(&limiter);
	limit_share_free(&share);
	queue_driver_reconnect(q);
}

/* A dead connection ends all questions at once, each by the share. */
static void a_connection_that_ends_is_no_refusal(void **state)
{
	struct queue_driver *q = *state;
	struct limit_share *share = share_new(10);
	struct limiter *limiter = limiter_new(q->link, share, DEADLINE_MS);
	struct asker asker = { .answers = 0 };

	assert_false(ask(limiter, &asker, 0));
	link_driver_cut(q->driver);
	assert_int_equal(asker.answers, 1);
	assert_true(asker.verdict.is_let_in);
	assert_int_equal(asker.verdict.source, LIMIT_BY_SHARE);
	assert_int_equal(limiter_stats(limiter)->failed, 1);
	limiter_free(&limiter);
	limit_share_free(&share);
	queue_driver_reconnect(q);
}

/* Late by the share's leave: what Redis took stays taken. Late and refused: it is given back. */
static void late_answers_are_given_back_where_the_share_refused(void **state)
{
	static const struct {
		bool is_share_full;
		uint64_t owed_after, given_back;
	} rows[] = { { false, 1, 0 }, { true, 0, 1 } };
	struct queue_driver *q = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct limit_share *share = share_new(10);
		struct limiter *limiter = limiter_new(q->link, share, DEADLINE_MS);
		struct limit_take all = { &hundred, { "a", 1 }, 100 };
		struct asker asker = { .answers = 0 };
		size_t refused;

		redis_client_command(&q->redis, "DEL skein:{limits}:hundred:a");
		if (rows[i].is_share_full)
			assert_int_equal(limit_share_take(share, &all, 1, 0, &refused), 0);
		assert_false(ask(limiter, &asker, 0));
		assert_int_equal(limiter_tick(limiter, DEADLINE_MS - 1), DEADLINE_MS);
		assert_int_equal(asker.answers, 0);
		assert_int_equal(limiter_tick(limiter, DEADLINE_MS), UINT64_MAX);
		assert_int_equal(asker.answers, 1);
		assert_int_equal(asker.verdict.is_let_in, !rows[i].is_share_full);
		link_driver_settle(q->driver);
		assert_int_equal(asker.answers, 1);
		assert_int_equal(owed(q), rows[i].owed_after);
		assert_int_equal(limiter_stats(limiter)->late, 1);
		assert_int_equal(limiter_stats(limiter)->given_back, rows[i].given_back);
		limiter_free(&limiter);
		limit_share_free(&share);
	}
}

static void a_client_that_leaves_pays_nothing(void **state)
{
	struct queue_driver *q = *state;
	struct limit_share *share = share_new(10);
	struct limiter *limiter = limiter_new(q->link, share, DEADLINE_MS);
	struct asker asker = { .answers = 0 };

	assert_false(ask(limiter, &asker, 0));
	assert_true(limit_question_is_asked(&asker.question));
	limiter_cancel(limiter, &asker.question);
	limiter_cancel(limiter, &asker.question);
	link_driver_settle(q->driver);
	assert_int_equal(asker.answers, 0);
	assert_int_equal(owed(q), 0);
	limiter_free(&limiter);
	limit_share_free(&share);
}

/* The rule may be gone with its policy when the answer comes. */
static void what_is_asked_is_copied(void **state)
{
	struct queue_driver *q = *state;
	struct limit_share *share = share_new(10);
	struct limiter *limiter = limiter_new(q->link, share, DEADLINE_MS);
	char name[] = "hundred", value[] = "a";
	struct limit_rule rule = hundred;
	struct limit_take take = { &rule, { value, 1 }, 1 };
	struct asker asker = { .answers = 0 };

	rule.name = name;
	limit_question_init(&asker.question);
	assert_false(limiter_ask(limiter, &asker.question, &take, 1, 0, on_answer, &asker, &asker.verdict));
	limiter_cancel(limiter, &asker.question);
	memset(name, 'x', 7);
	memset(value, 'x', 1);
	memset(&rule, 0, sizeof(rule));
	link_driver_settle(q->driver);
	assert_int_equal(owed(q), 0);
	limiter_free(&limiter);
	limit_share_free(&share);
}

static void verdicts_can_be_taken_back(void **state)
{
	struct queue_driver *q = *state;
	struct limit_share *share = share_new(10);
	struct limiter *limiter = limiter_new(q->link, share, DEADLINE_MS);
	struct asker asker = { .answers = 0 };
	struct limit_take all = { &hundred, { "a", 1 }, 100 };
	size_t refused;

	assert_false(ask(limiter, &asker, 0));
	link_driver_settle(q->driver);
	assert_int_equal(owed(q), 1);
	limiter_refund(limiter, &take_a, 1, LIMIT_BY_REDIS, 0);
	link_driver_settle(q->driver);
	assert_int_equal(owed(q), 0);
	assert_int_equal(limit_share_take(share, &all, 1, 0, &refused), 0);
	assert_int_not_equal(limit_share_take(share, &take_a, 1, 0, &refused), 0);
	limiter_refund(limiter, &take_a, 1, LIMIT_BY_SHARE, 0);
	assert_int_equal(limit_share_take(share, &take_a, 1, 0, &refused), 0);
	limiter_free(&limiter);
	limit_share_free(&share);
}

static void a_full_table_forgets_who_owes_least(void **state)
{
	struct limit_share *share = share_new(2);
	struct limit_take big = { &hundred, SPAN_LIT("big"), 100 }, mid = { &hundred, SPAN_LIT("mid"), 50 },
			  small = { &hundred, SPAN_LIT("new"), 1 };
	size_t refused;

	(void)state;
	assert_int_equal(limit_share_take(share, &big, 1, 0, &refused), 0);
	assert_int_equal(limit_share_take(share, &mid, 1, 0, &refused), 0);
	assert_int_equal(limit_share_take(share, &small, 1, 0, &refused), 0);
	big.cost = 1;
	assert_int_equal(limit_share_take(share, &big, 1, 0, &refused), 600000);
	mid.cost = 51; /* 101 with what is forgotten */
	assert_int_equal(limit_share_take(share, &mid, 1, 0, &refused), 0);
	limit_share_free(&share);
}

static void a_share_is_never_less_than_one(void **state)
{
	const struct limit_rule two = { .name = "two", .rate = 2, .period_us = SECOND, .burst = 2 };
	struct limit_take take = { &two, SPAN_LIT("v"), 1 };
	struct limit_share *share = share_new(2);
	size_t refused;

	(void)state;
	limit_share_set_nodes(share, 5);
	assert_int_equal(limit_share_take(share, &take, 1, 0, &refused), 0);
	assert_int_equal(limit_share_take(share, &take, 1, 0, &refused), 2500000);
	assert_int_equal(limit_share_take(share, &take, 1, 2500000, &refused), 0);
	limit_share_free(&share);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(redis_decides_where_it_answers, queue_driver_reset),
		cmocka_unit_test_setup(no_limit_asks_nobody, queue_driver_reset),
		cmocka_unit_test_setup(without_redis_the_share_decides, queue_driver_reset),
		cmocka_unit_test_setup(a_connection_that_ends_is_no_refusal, queue_driver_reset),
		cmocka_unit_test_setup(
			late_answers_are_given_back_where_the_share_refused, queue_driver_reset),
		cmocka_unit_test_setup(a_client_that_leaves_pays_nothing, queue_driver_reset),
		cmocka_unit_test_setup(what_is_asked_is_copied, queue_driver_reset),
		cmocka_unit_test_setup(verdicts_can_be_taken_back, queue_driver_reset),
		cmocka_unit_test(a_full_table_forgets_who_owes_least),
		cmocka_unit_test(a_share_is_never_less_than_one),
	};

	return cmocka_run_group_tests(tests, queue_driver_setup, queue_driver_teardown);
}
