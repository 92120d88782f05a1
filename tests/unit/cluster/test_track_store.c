#include "queue_driver.h"

#include "skein/cluster/track_store.h"

enum { AGE_MS = 3600000, SIZE = 1000000, OVERHEAD = 300 };

static void on_put(void *arg, const struct outcome *outcome)
{
	*(struct outcome *)arg = *outcome;
}

static struct outcome do_put_with(struct queue_driver *q, const struct track_put *put)
{
	struct outcome outcome = { .kind = OUTCOME_UNKNOWN };

	assert_true(track_store_put(q->link, put, q->driver->now_ms, on_put, &outcome));
	link_driver_settle(q->driver);
	return outcome;
}

static void do_put(struct queue_driver *q, uint64_t first, const char *head)
{
	const struct track_put put = { .name = track_name_of(7, first),
		.head = span_of_str(head),
		.body = SPAN_LIT("body"),
		.size_max = SIZE,
		.age_max_ms = AGE_MS };

	assert_int_equal(do_put_with(q, &put).kind, OUTCOME_OK);
}

struct listed {
	struct buf heads; /* "a b c" */
	uint64_t now_us, kept_us, first, last;
	unsigned calls;
};

static void on_listing(void *arg, const struct outcome *outcome, const struct track_listing *listing)
{
	struct listed *listed = arg;

	assert_int_equal(outcome->kind, OUTCOME_OK);
	listed->calls++;
	listed->now_us = listing->now_us;
	listed->kept_us = listing->kept_us;
	for (size_t i = 0; i < listing->count; i++) {
		buf_printf(&listed->heads, "%s%.*s", i ? " " : "", SPAN_ARGS(listing->entries[i].head));
		listed->first = i ? listed->first : listing->entries[i].place;
		listed->last = listing->entries[i].place;
	}
}

/* Returns the last place. */
static uint64_t expect_after(struct queue_driver *q, uint64_t place, size_t count, const char *heads)
{
	struct listed listed = { .calls = 0 };

	assert_true(track_store_list_after(q->link, place, count, q->driver->now_ms, on_listing, &listed));
	link_driver_settle(q->driver);
	assert_int_equal(listed.calls, 1);
	if (!span_eq(buf_span(&listed.heads), span_of_str(heads)))
		fail_msg("%.*s; wanted %s", SPAN_ARGS(buf_span(&listed.heads)), heads);
	buf_fini(&listed.heads);
	return listed.last;
}

static uint64_t expect_before(struct queue_driver *q, uint64_t place, size_t count, const char *heads)
{
	struct listed listed = { .calls = 0 };

	assert_true(track_store_list_before(q->link, place, count, q->driver->now_ms, on_listing, &listed));
	link_driver_settle(q->driver);
	if (!span_eq(buf_span(&listed.heads), span_of_str(heads)))
		fail_msg("%.*s; wanted %s", SPAN_ARGS(buf_span(&listed.heads)), heads);
	buf_fini(&listed.heads);
	return listed.last;
}

static uint64_t kept_us(struct queue_driver *q)
{
	struct listed listed = { .calls = 0 };

	assert_true(track_store_list_after(q->link, 0, 1, q->driver->now_ms, on_listing, &listed));
	link_driver_settle(q->driver);
	buf_fini(&listed.heads);
	return listed.kept_us;
}

static void chunks_are_listed_in_the_order_in_which_they_came(void **state)
{
	struct queue_driver *q = *state;
	uint64_t place;

	expect_after(q, 0, 10, "");
	for (uint64_t i = 0; i < 12; i++) {
		char head[8];

		snprintf(head, sizeof(head), "%llu", (unsigned long long)i);
		/* Some at the same moment. */
		do_put(q, 100 - i, head);
		if (i % 3 == 0)
			pass_ms(q, 1);
	}
	place = expect_after(q, 0, 5, "0 1 2 3 4");
	place = expect_after(q, place, 5, "5 6 7 8 9");
	place = expect_after(q, place, 5, "10 11");
	expect_after(q, place, 5, "");
	place = expect_before(q, TRACK_PLACE_MAX, 7, "11 10 9 8 7 6 5");
	place = expect_before(q, place, 7, "4 3 2 1 0");
	expect_before(q, place, 7, "");
}

static void places_grow_though_the_clock_goes_back(void **state)
{
	struct queue_driver *q = *state;
	uint64_t place;

	do_put(q, 1, "a");
	place = expect_after(q, 0, 5, "a");
	redis_client_command(&q->redis, "DECRBY virtual:clock 5000000");
	do_put(q, 2, "b");
	expect_after(q, place, 5, "b");
}

static void a_chunk_replaces_what_it_contains(void **state)
{
	struct queue_driver *q = *state;
	const struct track_name small[] = { track_name_of(7, 2), track_name_of(7, 3), track_name_of(8, 3) };
	const struct track_put put = { .name = track_name_of(7, 1),
		.head = SPAN_LIT("large"),
		.body = SPAN_LIT("all"),
		.size_max = SIZE,
		.age_max_ms = AGE_MS,
		.replaces = small,
		.replaces_count = ARRAY_LEN(small) };

	do_put(q, 1, "a");
	do_put(q, 2, "b");
	do_put(q, 3, "c");
	do_put(q, 4, "d");
	assert_int_equal(do_put_with(q, &put).kind, OUTCOME_OK);
	expect_after(q, 0, 10, "d large");
	/* Again, as when the answer was lost. */
	assert_int_equal(do_put_with(q, &put).kind, OUTCOME_OK);
	expect_after(q, 0, 10, "d large");
	assert_int_equal(redis_client_integer(&q->redis, "HINCRBY skein:{track}:state bytes 0"),
		1 + 4 + 5 + 3 + 2 * (3 * 18 + OVERHEAD));
	assert_int_equal(redis_client_integer(&q->redis, "HLEN skein:{track}:bodies"), 2);
	assert_int_equal(redis_client_integer(&q->redis, "HLEN skein:{track}:heads"), 2);
}

struct bodies {
	struct buf text;
	unsigned calls;
};

static void on_bodies(void *arg, const struct outcome *outcome, const struct span *bodies, size_t count)
{
	struct bodies *got = arg;

	assert_int_equal(outcome->kind, OUTCOME_OK);
	got->calls++;
	for (size_t i = 0; i < count; i++)
		buf_printf(&got->text, "%.*s;", SPAN_ARGS(bodies[i]));
}

static void bodies_come_by_name(void **state)
{
	struct queue_driver *q = *state;
	struct track_name one = track_name_of(7, 1), two = track_name_of(7, 2), none = track_name_of(7, 3);
	const struct span names[] = { span_of_str(two.text), span_of_str(none.text), span_of_str(one.text) };
	struct bodies got = { .calls = 0 };

	do_put(q, 1, "a");
	do_put(q, 2, "b");
	assert_true(track_store_bodies(q->link, names, ARRAY_LEN(names), q->driver->now_ms, on_bodies, &got));
	link_driver_settle(q->driver);
	assert_int_equal(got.calls, 1);
	assert_true(span_eq(buf_span(&got.text), SPAN_LIT("body;;body;")));
	buf_fini(&got.text);
}

static void the_oldest_go_when_all_are_too_much(void **state)
{
	enum { CHUNK = 1 + 4 + 3 * 18 + OVERHEAD };
	struct queue_driver *q = *state;
	struct track_put put = { .name = track_name_of(7, 4),
		.head = SPAN_LIT("d"),
		.body = SPAN_LIT("body"),
		.size_max = 2 * CHUNK + 1,
		.age_max_ms = AGE_MS };
	uint64_t place;

	do_put(q, 1, "a");
	do_put(q, 2, "b");
	do_put(q, 3, "c");
	assert_int_equal(kept_us(q), 0);
	place = expect_after(q, 0, 2, "a b");
	assert_int_equal(do_put_with(q, &put).kind, OUTCOME_OK);
	expect_after(q, 0, 10, "c d");
	assert_int_equal(kept_us(q), place);
	assert_int_equal(redis_client_integer(&q->redis, "HINCRBY skein:{track}:state bytes 0"), 2 * CHUNK);
	/* The newest stays. */
	put.size_max = 1;
	assert_int_equal(do_put_with(q, &put).kind, OUTCOME_OK);
	expect_after(q, 0, 10, "d");
}

static void what_is_too_old_goes(void **state)
{
	struct queue_driver *q = *state;

	do_put(q, 1, "a");
	pass_ms(q, 1000);
	do_put(q, 2, "b");
	pass_ms(q, AGE_MS - 500);
	do_put(q, 3, "c");
	expect_after(q, 0, 10, "b c");
}

static void on_mark(void *arg, const struct outcome *outcome, const struct track_mark *mark)
{
	assert_int_equal(outcome->kind, OUTCOME_OK);
	*(struct track_mark *)arg = *mark;
}

static void expect_mark(struct queue_driver *q, const char *node, uint64_t run, uint64_t number)
{
	struct track_mark mark = { 99, 99 };

	assert_true(track_store_mark(q->link, span_of_str(node), q->driver->now_ms, on_mark, &mark));
	link_driver_settle(q->driver);
	assert_int_equal(mark.run, run);
	assert_int_equal(mark.number, number);
}

static void a_chunk_moves_the_mark_of_its_node(void **state)
{
	struct queue_driver *q = *state;
	struct track_put put = { .name = track_name_of(7, 1),
		.head = SPAN_LIT("a"),
		.body = SPAN_LIT("b"),
		.node = SPAN_LIT("node-1"),
		.mark = track_name_of(UINT64_MAX, 42),
		.size_max = SIZE,
		.age_max_ms = AGE_MS };

	expect_mark(q, "node-1", 0, 0);
	assert_int_equal(do_put_with(q, &put).kind, OUTCOME_OK);
	expect_mark(q, "node-1", UINT64_MAX, 42);
	do_put(q, 2, "nobody's");
	expect_mark(q, "node-1", UINT64_MAX, 42);
	expect_mark(q, "node-2", 0, 0);
	redis_client_command(&q->redis, "HSET skein:{track}:state at:node-2 nonsense");
	expect_mark(q, "node-2", 0, 0);
}

static void names_are_read_back(void **state)
{
	static const char *const wrong[] = { "", "1:1", "0123456789abcdef",
		"0123456789abcdef:", "0123456789abcdef:x", "0123456789abcdeg:1", "0123456789abcdef-1",
		"0123456789ABCDEF:1" };
	struct track_name name = track_name_of(0xfedcba9876543210, UINT64_MAX);
	uint64_t run, first;

	(void)state;
	assert_true(track_name_read(span_of_str(name.text), &run, &first));
	assert_int_equal(run, 0xfedcba9876543210);
	assert_int_equal(first, UINT64_MAX);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		if (track_name_read(span_of_str(wrong[i]), &run, &first))
			fail_msg("%s", wrong[i]);
}

static void a_full_redis_takes_no_events(void **state)
{
	struct queue_driver *q = *state;
	const struct track_put put = { .name = track_name_of(7, 1),
		.head = SPAN_LIT("a"),
		.body = SPAN_LIT("b"),
		.size_max = SIZE,
		.age_max_ms = AGE_MS };
	struct outcome outcome;

	redis_client_command(&q->redis, "CONFIG SET maxmemory 1");
	outcome = do_put_with(q, &put);
	redis_client_command(&q->redis, "CONFIG SET maxmemory 0");
	assert_int_equal(outcome.kind, OUTCOME_ERROR);
	assert_int_equal(outcome.error, ERROR_FULL);
	expect_after(q, 0, 10, "");
}

#define ROW(name) cmocka_unit_test_setup(name, queue_driver_reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(chunks_are_listed_in_the_order_in_which_they_came),
		ROW(places_grow_though_the_clock_goes_back),
		ROW(a_chunk_replaces_what_it_contains),
		ROW(bodies_come_by_name),
		ROW(the_oldest_go_when_all_are_too_much),
		ROW(what_is_too_old_goes),
		ROW(a_chunk_moves_the_mark_of_its_node),
		cmocka_unit_test(names_are_read_back),
		ROW(a_full_redis_takes_no_events),
	};

	return cmocka_run_group_tests(tests, queue_driver_setup, queue_driver_teardown);
}
