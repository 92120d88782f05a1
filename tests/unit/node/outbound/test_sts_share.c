/* Policies of two workers in one Redis. */
#include "queue_driver.h"

#include "outbound/sts_share.h"

enum { NOW_S = 1800000000 };

static const struct span DOMAIN = { "acme.example", 12 };

static struct {
	struct sts_share a, b;
	unsigned calls;
	struct sts_shared heard; /* without its texts */
	char text[64], id[64];
} world;

static int setup(void **state)
{
	return queue_driver_setup_with(state, NULL);
}

static int reset(void **state)
{
	struct queue_driver *q = *state;

	redis_client_command(&q->redis, "FLUSHALL");
	memset(&world, 0, sizeof(world));
	world.a = (struct sts_share){ q->link, "a.0" };
	world.b = (struct sts_share){ q->link, "b.1" };
	return 0;
}

static void on_shared(void *arg, const struct sts_shared *shared)
{
	(void)arg;
	world.calls++;
	world.heard = *shared;
	snprintf(world.text, sizeof(world.text), "%.*s", SPAN_ARGS(shared->text));
	snprintf(world.id, sizeof(world.id), "%.*s", SPAN_ARGS(shared->id));
}

static void settle(struct queue_driver *q)
{
	link_driver_settle(q->driver);
	assert_int_equal(world.calls, 1);
	world.calls = 0;
	assert_true(world.heard.is_answer);
}

static void look(struct queue_driver *q)
{
	assert_non_null(sts_share_read(&world.b, DOMAIN, on_shared, NULL));
	settle(q);
}

static void claim(struct queue_driver *q, const struct sts_share *share, uint64_t known)
{
	assert_non_null(sts_share_claim(share, DOMAIN, known, on_shared, NULL));
	settle(q);
}

static void put(struct queue_driver *q, const char *id, uint64_t fetched_at_s, uint32_t max_age_s)
{
	const struct sts_kept_policy policy = { SPAN_LIT("version: STSv1\nmode: none\n"),
		{ fetched_at_s, max_age_s, span_of_str(id) } };

	sts_share_put(&world.a, DOMAIN, &policy, NOW_S);
	link_driver_settle(q->driver);
}

static void a_policy_goes_over_with_its_id_and_what_is_left_of_it(void **state)
{
	static const char *const ids[] = { "20260101", "" };
	struct queue_driver *q = *state;

	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		put(q, ids[i], NOW_S - 100, 1100);
		look(q);
		assert_string_equal(world.id, ids[i]);
		assert_string_equal(world.text, "version: STSv1\nmode: none\n");
		assert_in_range(world.heard.left_ms, 940000, 1000000);
	}
}

static void what_has_ended_or_comes_from_the_future_is_not_put(void **state)
{
	struct queue_driver *q = *state;

	put(q, "1", NOW_S - 100, 100);
	put(q, "1", NOW_S, 0);
	put(q, "1", NOW_S + 1, 100);
	look(q);
	assert_true(world.heard.serial == 0);
}

static void one_fetches_and_a_failure_holds_all_back(void **state)
{
	struct queue_driver *q = *state;

	claim(q, &world.a, 0);
	assert_true(world.heard.is_granted);
	claim(q, &world.b, 0);
	assert_false(world.heard.is_granted);
	assert_false(world.heard.has_failed);
	sts_share_failed(&world.a, DOMAIN, SPAN_LIT("the server does not answer with 200"));
	link_driver_settle(q->driver);
	claim(q, &world.b, 0);
	assert_false(world.heard.is_granted);
	assert_true(world.heard.has_failed);
	assert_in_range(world.heard.wait_ms, 240000, 300000);
}

static void what_is_no_policy_there_is_none(void **state)
{
	struct queue_driver *q = *state;

	put(q, "1", NOW_S, 100);
	redis_client_command(&q->redis, "HSET skein:{sts}:at:acme.example text nonsense");
	look(q);
	assert_string_equal(world.text, "");
}

static void a_name_that_is_too_long_is_nobodys(void **state)
{
	static char text[300];
	const struct span names[] = { { text, sizeof(text) }, { text, 0 } };
	const struct sts_kept_policy policy = { SPAN_LIT("x"), { NOW_S, 100, SPAN_LIT("1") } };

	(void)state;
	memset(text, 'a', sizeof(text));
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		assert_null(sts_share_read(&world.a, names[i], on_shared, NULL));
		assert_null(sts_share_claim(&world.a, names[i], 0, on_shared, NULL));
		sts_share_put(&world.a, names[i], &policy, NOW_S);
		sts_share_failed(&world.a, names[i], SPAN_LIT("why"));
	}
}

static void who_is_gone_is_not_called(void **state)
{
	struct queue_driver *q = *state;
	struct sts_question *question = sts_share_read(&world.a, DOMAIN, on_shared, NULL);

	assert_non_null(question);
	sts_question_cancel(&question);
	assert_null(question);
	link_driver_settle(q->driver);
	assert_int_equal(world.calls, 0);
}

static void an_answer_that_is_lost_is_told(void **state)
{
	struct queue_driver *q = *state;

	assert_non_null(sts_share_claim(&world.a, DOMAIN, 0, on_shared, NULL));
	link_driver_cut(q->driver);
	assert_int_equal(world.calls, 1);
	assert_false(world.heard.is_answer);
	assert_null(sts_share_read(&world.a, DOMAIN, on_shared, NULL));
	assert_null(sts_share_claim(&world.a, DOMAIN, 0, on_shared, NULL));
	queue_driver_reconnect(q);
}

#define ROW(name) cmocka_unit_test_setup(name, reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(a_policy_goes_over_with_its_id_and_what_is_left_of_it),
		ROW(what_has_ended_or_comes_from_the_future_is_not_put),
		ROW(one_fetches_and_a_failure_holds_all_back),
		ROW(what_is_no_policy_there_is_none),
		ROW(a_name_that_is_too_long_is_nobodys),
		ROW(who_is_gone_is_not_called),
		ROW(an_answer_that_is_lost_is_told),
	};

	return cmocka_run_group_tests(tests, setup, queue_driver_teardown);
}
