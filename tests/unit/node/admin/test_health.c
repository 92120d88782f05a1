#include "cmocka_all.h"

#include "admin/health.h"
#include "io/loop.h"

static void a_node_is_not_ready_before_it_serves_nor_while_it_drains(void **state)
{
	struct health *health = health_new();

	(void)state;
	assert_int_equal(health_readiness(health), READINESS_STARTING);
	health_set_phase(health, HEALTH_SERVING);
	assert_int_equal(health_readiness(health), READINESS_READY);
	health_set_phase(health, HEALTH_DRAINING);
	assert_int_equal(health_readiness(health), READINESS_DRAINING);
	assert_int_equal(health_trouble(health), READINESS_READY);
	health_set_phase(health, HEALTH_SERVING);
	assert_int_equal(health_readiness(health), READINESS_DRAINING);
	health_free(&health);
	assert_null(health);
}

static void each_part_that_fails_is_the_reason(void **state)
{
	static const struct {
		enum health_part part;
		bool redis_is_required;
		enum readiness wanted;
		const char *name;
	} rows[] = {
		{ HEALTH_JOURNAL, false, READINESS_JOURNAL, "journal" },
		{ HEALTH_DISK, false, READINESS_DISK, "disk" },
		{ HEALTH_MEMORY, false, READINESS_MEMORY, "memory" },
		{ HEALTH_REDIS, true, READINESS_REDIS, "redis" },
		{ HEALTH_REDIS, false, READINESS_READY, "ready" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct health *health = health_new();
		struct health_reporter reporter;
		struct buf reason = { 0 };

		health_reporter_init(&reporter, health);
		health_set_phase(health, HEALTH_SERVING);
		health_require_redis(health, rows[i].redis_is_required);
		health_set(&reporter, rows[i].part, false, "it\nbroke");
		assert_int_equal(health_readiness(health), rows[i].wanted);
		assert_string_equal(readiness_name(health_readiness(health)), rows[i].name);
		assert_false(health_part_is_ok(health, rows[i].part, &reason));
		assert_span_equal(buf_span(&reason), "it?broke");
		health_set(&reporter, rows[i].part, true, NULL);
		assert_int_equal(health_readiness(health), READINESS_READY);
		assert_true(health_part_is_ok(health, rows[i].part, NULL));
		buf_fini(&reason);
		health_free(&health);
	}
}

static void the_first_reason_in_order_is_told(void **state)
{
	struct health *health = health_new();
	struct health_reporter reporter;

	(void)state;
	health_reporter_init(&reporter, health);
	health_require_redis(health, true);
	for (enum health_part part = HEALTH_PART_COUNT; part-- > 0;)
		health_set(&reporter, part, false, "down");
	assert_int_equal(health_readiness(health), READINESS_STARTING);
	health_set_phase(health, HEALTH_SERVING);
	for (enum readiness wanted = READINESS_JOURNAL; wanted <= READINESS_REDIS; wanted++) {
		assert_int_equal(health_readiness(health), wanted);
		health_set(&reporter, (enum health_part)(wanted - READINESS_JOURNAL), true, NULL);
	}
	assert_int_equal(health_readiness(health), READINESS_READY);
	health_free(&health);
}

static void a_part_is_well_only_when_every_thread_says_so(void **state)
{
	struct health *health = health_new();
	struct health_reporter a, b;

	(void)state;
	health_reporter_init(&a, health);
	health_reporter_init(&b, health);
	health_set_phase(health, HEALTH_SERVING);
	for (unsigned i = 0; i < 3; i++)
		health_set(&a, HEALTH_DISK, false, "full");
	health_set(&b, HEALTH_DISK, false, "full");
	health_set(&b, HEALTH_DISK, true, NULL);
	assert_int_equal(health_readiness(health), READINESS_DISK);
	health_set(&b, HEALTH_DISK, true, NULL);
	assert_int_equal(health_readiness(health), READINESS_DISK);
	health_set(&a, HEALTH_DISK, true, NULL);
	assert_int_equal(health_readiness(health), READINESS_READY);
	health_free(&health);
}

static void a_long_reason_is_cut(void **state)
{
	struct health *health = health_new();
	struct health_reporter reporter;
	struct buf reason = { 0 };
	char text[HEALTH_REASON_MAX * 2];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	health_reporter_init(&reporter, health);
	health_set(&reporter, HEALTH_REDIS, false, text);
	assert_false(health_part_is_ok(health, HEALTH_REDIS, &reason));
	assert_int_equal(buf_len(&reason), HEALTH_REASON_MAX);
	buf_fini(&reason);
	health_free(&health);
}

static void watched_loops_are_told_with_their_names(void **state)
{
	struct health *health = health_new();
	struct loop loop;
	const char *name;
	uint64_t stalled_ms;

	(void)state;
	assert_false(health_loop(health, 0, &name, &stalled_ms));
	assert_int_equal(loop_init(&loop), ERR_OK);
	health_watch(health, "worker-0", &loop);
	assert_true(health_loop(health, 0, &name, &stalled_ms));
	assert_string_equal(name, "worker-0");
	assert_true(stalled_ms < 60000);
	assert_false(health_loop(health, 1, &name, &stalled_ms));
	health_free(&health);
	loop_fini(&loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_node_is_not_ready_before_it_serves_nor_while_it_drains),
		cmocka_unit_test(each_part_that_fails_is_the_reason),
		cmocka_unit_test(the_first_reason_in_order_is_told),
		cmocka_unit_test(a_part_is_well_only_when_every_thread_says_so),
		cmocka_unit_test(a_long_reason_is_cut),
		cmocka_unit_test(watched_loops_are_told_with_their_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
