#include "queue_driver.h"

#include "skein/cluster/tls_counts.h"

enum { HOUR_MS = 3600000, DAY = 20833, TO_MIDNIGHT_MS = 57600000 }; /* of the driver's time */

struct claimed {
	struct arena arena;
	uint64_t day, attempts;
	struct span domain, fields; /* "name=value;..." in the order of names */
	unsigned calls;
};

static int compare_fields(const void *left, const void *right)
{
	const struct tls_counts_field *a = left, *b = right;
	size_t len = a->name.len < b->name.len ? a->name.len : b->name.len;
	int order = memcmp(a->name.ptr, b->name.ptr, len);

	return order ? order : (a->name.len > b->name.len) - (a->name.len < b->name.len);
}

static void on_claimed(void *arg, const struct outcome *outcome, const struct tls_counts_day *day)
{
	struct claimed *claimed = arg;
	struct buf text = { 0 };
	struct tls_counts_field *fields =
		arena_alloc(&claimed->arena, (day->field_count + 1) * sizeof(*fields));

	assert_int_equal(outcome->kind, OUTCOME_OK);
	claimed->calls++;
	claimed->day = day->day;
	claimed->attempts = day->attempts;
	claimed->domain = arena_dup(&claimed->arena, day->domain);
	for (size_t i = 0; i < day->field_count; i++)
		fields[i] = day->fields[i];
	qsort(fields, day->field_count, sizeof(*fields), compare_fields);
	for (size_t i = 0; i < day->field_count; i++)
		buf_printf(&text, "%.*s=%.*s;", SPAN_ARGS(fields[i].name), SPAN_ARGS(fields[i].value));
	claimed->fields = arena_dup(&claimed->arena, buf_span(&text));
	buf_fini(&text);
}

/* What is claimed now: of this domain ("": nothing), for the so-manieth time, with these fields. */
static void expect_claim(struct queue_driver *q, const char *domain, uint64_t attempts, const char *fields)
{
	struct claimed claimed = { .calls = 0 };

	assert_true(tls_counts_claim(q->link, HOUR_MS, q->driver->now_ms, on_claimed, &claimed));
	link_driver_settle(q->driver);
	assert_int_equal(claimed.calls, 1);
	if (!span_eq(claimed.domain, span_of_str(domain)) || !span_eq(claimed.fields, span_of_str(fields)))
		fail_msg("%.*s: %.*s; wanted %s: %s", SPAN_ARGS(claimed.domain), SPAN_ARGS(claimed.fields),
			domain, fields);
	assert_int_equal(claimed.attempts, attempts);
	if (*domain)
		assert_int_equal(claimed.day, DAY);
	arena_fini(&claimed.arena);
}

static void add(
	struct queue_driver *q, const char *domain, const char *field, uint64_t step, const char *text)
{
	const struct tls_count count = { span_of_str(domain), span_of_str(field), step, span_of_str(text) };
	const struct tls_counts_add args = { &count, 1, HOUR_MS, 12345678 };

	assert_true(tls_counts_add(q->link, &args, q->driver->now_ms, NULL, NULL));
	link_driver_settle(q->driver);
}

static void a_day_of_a_domain_is_summed_up_and_due_when_it_is_over(void **state)
{
	struct queue_driver *q = *state;

	add(q, "a.example", "+sts success", 3, "");
	add(q, "a.example", "=sts", 0, "mode: testing");
	pass_ms(q, HOUR_MS);
	add(q, "a.example", "+sts success", 4, "");
	add(q, "a.example", "=sts", 0, "mode: enforce");
	pass_ms(q, TO_MIDNIGHT_MS - HOUR_MS - 1);
	expect_claim(q, "", 0, "");
	pass_ms(q, HOUR_MS + 1);
	/* The next day is another. */
	add(q, "a.example", "+sts success", 100, "");
	expect_claim(q, "a.example", 1, "+sts success=7;=sts=mode: enforce;");
	expect_claim(q, "", 0, "");
}

static void what_nobody_says_to_be_done_is_due_again_later_and_later(void **state)
{
	struct queue_driver *q = *state;

	add(q, "a.example", "+x", 1, "");
	pass_ms(q, TO_MIDNIGHT_MS + HOUR_MS);
	expect_claim(q, "a.example", 1, "+x=1;");
	pass_ms(q, HOUR_MS - 1);
	expect_claim(q, "", 0, "");
	pass_ms(q, 1);
	expect_claim(q, "a.example", 2, "+x=1;");
	assert_true(tls_counts_told(q->link, DAY, SPAN_LIT("a.example"), SPAN_LIT("mailto:t@a.example"),
		q->driver->now_ms, NULL, NULL));
	pass_ms(q, 2 * HOUR_MS - 1);
	expect_claim(q, "", 0, "");
	pass_ms(q, 1);
	expect_claim(q, "a.example", 3, "+x=1;told mailto:t@a.example=1;");
	assert_true(tls_counts_done(q->link, DAY, SPAN_LIT("a.example"), q->driver->now_ms, NULL, NULL));
	pass_ms(q, 24 * HOUR_MS);
	expect_claim(q, "", 0, "");
	assert_int_equal(redis_client_integer(&q->redis, "EXISTS skein:{tls}:due"), 0);
	assert_int_equal(redis_client_integer(&q->redis, "EXISTS skein:{tls}:rows:%d:a.example", DAY), 0);
}

static void what_was_done_is_not_told_of_again(void **state)
{
	struct queue_driver *q = *state;

	add(q, "a.example", "+x", 1, "");
	assert_true(tls_counts_done(q->link, DAY, SPAN_LIT("a.example"), q->driver->now_ms, NULL, NULL));
	assert_true(tls_counts_told(q->link, DAY, SPAN_LIT("a.example"), SPAN_LIT("https://a.example/"),
		q->driver->now_ms, NULL, NULL));
	link_driver_settle(q->driver);
	assert_int_equal(redis_client_integer(&q->redis, "EXISTS skein:{tls}:rows:%d:a.example", DAY), 0);
}

static void counts_that_are_gone_are_passed_over(void **state)
{
	struct queue_driver *q = *state;

	add(q, "a.example", "+x", 1, "");
	add(q, "b.example", "+x", 1, "");
	redis_client_command(&q->redis, "DEL skein:{tls}:rows:%d:a.example", DAY);
	redis_client_command(&q->redis, "ZADD skein:{tls}:due 1 nonsense");
	pass_ms(q, TO_MIDNIGHT_MS + HOUR_MS);
	expect_claim(q, "b.example", 1, "+x=1;");
	assert_int_equal(redis_client_integer(&q->redis, "ZCARD skein:{tls}:due"), 1);
}

static void a_domain_has_a_bounded_number_of_fields(void **state)
{
	struct queue_driver *q = *state;
	char field[32];

	for (unsigned i = 0; i < 210; i++) {
		snprintf(field, sizeof(field), "+%u", i);
		add(q, "a.example", field, 1, "");
	}
	add(q, "a.example", "+7", 1, "");
	assert_int_equal(redis_client_integer(&q->redis, "HLEN skein:{tls}:rows:%d:a.example", DAY), 200);
	assert_int_equal(
		redis_client_integer(&q->redis, "HINCRBY skein:{tls}:rows:%d:a.example +7 0", DAY), 2);
	assert_in_range(redis_client_integer(&q->redis, "PTTL skein:{tls}:rows:%d:a.example", DAY),
		71 * HOUR_MS, 72 * HOUR_MS);
}

#define ROW(name) cmocka_unit_test_setup(name, queue_driver_reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(a_day_of_a_domain_is_summed_up_and_due_when_it_is_over),
		ROW(what_nobody_says_to_be_done_is_due_again_later_and_later),
		ROW(what_was_done_is_not_told_of_again),
		ROW(counts_that_are_gone_are_passed_over),
		ROW(a_domain_has_a_bounded_number_of_fields),
	};

	return cmocka_run_group_tests(tests, queue_driver_setup, queue_driver_teardown);
}
