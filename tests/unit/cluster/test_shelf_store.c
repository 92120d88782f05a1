/* What one has fetched, at the others: the real functions, time that the test moves. */
#include "queue_driver.h"

#include "skein/cluster/shelf_store.h"

#include <stdio.h>

enum { CLAIM_MS = 10000, HOUR_MS = 3600 * 1000 };

static const struct shelf_place PLACE = { SHELF_STS, { "acme.example", 12 } };

struct heard {
	unsigned calls;
	enum outcome_kind kind;
	struct shelf_item item;
	uint64_t serial;
	char text[64], failed[SHELF_WHY_MAX + 1];
};

static void on_item(void *arg, const struct outcome *outcome, const struct shelf_item *item)
{
	struct heard *heard = arg;

	heard->calls++;
	heard->kind = outcome->kind;
	heard->item = *item;
	snprintf(heard->text, sizeof(heard->text), "%.*s", SPAN_ARGS(item->text));
	snprintf(heard->failed, sizeof(heard->failed), "%.*s", SPAN_ARGS(item->failed));
}

static void on_serial(void *arg, const struct outcome *outcome, uint64_t serial)
{
	struct heard *heard = arg;

	heard->calls++;
	heard->kind = outcome->kind;
	heard->serial = serial;
}

static struct heard ended(struct queue_driver *q, struct heard *heard)
{
	link_driver_settle(q->driver);
	assert_int_equal(heard->calls, 1);
	assert_string_equal(outcome_kind_name(heard->kind), "ok");
	return *heard;
}

static struct heard look(struct queue_driver *q, uint64_t known)
{
	struct heard heard = { .calls = 0 };

	assert_true(shelf_store_read(q->link, PLACE, known, q->driver->now_ms, on_item, &heard));
	return ended(q, &heard);
}

static struct heard claim_with(struct queue_driver *q, const struct shelf_claim *claim)
{
	struct heard heard = { .calls = 0 };

	assert_true(shelf_store_claim(q->link, claim, q->driver->now_ms, on_item, &heard));
	return ended(q, &heard);
}

static struct heard claim(struct queue_driver *q, const char *holder, uint64_t known)
{
	return claim_with(q, &(struct shelf_claim){ PLACE, known, false, span_of_str(holder), CLAIM_MS });
}

/* It is of no use to anybody. */
static struct heard condemn(struct queue_driver *q, const char *holder, uint64_t serial)
{
	return claim_with(q, &(struct shelf_claim){ PLACE, serial, true, span_of_str(holder), CLAIM_MS });
}

static uint64_t put_at(struct queue_driver *q, struct shelf_place place, struct span text, uint64_t left_ms)
{
	const struct shelf_put put = { place, text, left_ms };
	struct heard heard = { .calls = 0 };

	assert_true(shelf_store_put(q->link, &put, q->driver->now_ms, on_serial, &heard));
	return ended(q, &heard).serial;
}

static uint64_t put(struct queue_driver *q, const char *text)
{
	return put_at(q, PLACE, span_of_str(text), HOUR_MS);
}

static void give_up(struct queue_driver *q, const char *holder, uint64_t pause_ms)
{
	const struct shelf_failure failure = { PLACE, span_of_str(holder), pause_ms,
		SPAN_LIT("connection refused") };

	assert_true(shelf_store_failed(q->link, &failure, q->driver->now_ms));
	link_driver_settle(q->driver);
}

static long long bytes_of_tokens(struct queue_driver *q)
{
	return redis_client_integer(&q->redis, "INCRBY skein:{tokens}:bytes 0");
}

static bool has_token(struct queue_driver *q, unsigned number)
{
	return redis_client_integer(&q->redis, "EXISTS skein:{tokens}:at:n%u", number) == 1;
}

static void what_one_puts_the_others_read(void **state)
{
	struct queue_driver *q = *state;
	struct heard heard = look(q, 0);
	uint64_t serial;

	assert_int_equal(heard.item.serial, 0);
	serial = put(q, "first");
	pass_ms(q, 1000);
	heard = look(q, 0);
	assert_int_equal(heard.item.serial, serial);
	assert_string_equal(heard.text, "first");
	assert_int_equal(heard.item.age_ms, 1000);
	assert_int_equal(heard.item.left_ms, HOUR_MS - 1000);
	/* Who has it is not sent it again. */
	heard = look(q, serial);
	assert_int_equal(heard.item.serial, serial);
	assert_string_equal(heard.text, "");
	assert_true(put(q, "second") > serial);
	assert_string_equal(look(q, serial).text, "second");
}

static void a_text_ends(void **state)
{
	struct queue_driver *q = *state;

	(void)put(q, "first");
	pass_ms(q, HOUR_MS - 1);
	assert_int_equal(look(q, 0).item.left_ms, 1);
	pass_ms(q, 1);
	assert_int_equal(look(q, 0).item.serial, 0);
	assert_string_equal(look(q, 0).text, "");
}

static void one_fetches_and_the_others_wait(void **state)
{
	struct queue_driver *q = *state;
	struct heard heard;
	uint64_t serial;

	assert_true(claim(q, "a", 0).item.is_granted);
	pass_ms(q, 1000);
	heard = claim(q, "b", 0);
	assert_false(heard.item.is_granted);
	assert_int_equal(heard.item.wait_ms, CLAIM_MS - 1000);
	/* The answer may have been lost. */
	assert_true(claim(q, "a", 0).item.is_granted);
	serial = put(q, "first");
	heard = claim(q, "b", 0);
	assert_false(heard.item.is_granted);
	assert_int_equal(heard.item.wait_ms, 0);
	assert_string_equal(heard.text, "first");
	/* Now that one is old: it counts meanwhile, and again one fetches. */
	assert_true(claim(q, "b", serial).item.is_granted);
	heard = claim(q, "a", serial);
	assert_false(heard.item.is_granted);
	assert_int_equal(heard.item.serial, serial);
	assert_int_equal(heard.item.wait_ms, CLAIM_MS);
}

static void a_claim_ends_with_its_time(void **state)
{
	struct queue_driver *q = *state;

	assert_true(claim(q, "a", 0).item.is_granted);
	pass_ms(q, CLAIM_MS - 1);
	assert_int_equal(claim(q, "b", 0).item.wait_ms, 1);
	pass_ms(q, 1);
	assert_true(claim(q, "b", 0).item.is_granted);
	/* Who comes so late has it all the same, and says nothing of another's fetch. */
	give_up(q, "a", HOUR_MS);
	assert_int_equal(claim(q, "c", 0).item.wait_ms, CLAIM_MS);
	(void)put(q, "of a");
	assert_string_equal(claim(q, "c", 0).text, "of a");
}

static void a_failure_holds_everybody_back_for_a_pause(void **state)
{
	struct queue_driver *q = *state;
	uint64_t serial = put(q, "old");
	struct heard heard;

	assert_true(claim(q, "a", serial).item.is_granted);
	give_up(q, "a", 5000);
	for (unsigned i = 0; i < 2; i++) {
		heard = claim(q, i ? "a" : "b", serial);
		assert_false(heard.item.is_granted);
		assert_int_equal(heard.item.wait_ms, 5000);
		assert_string_equal(heard.failed, "connection refused");
	}
	assert_string_equal(look(q, 0).text, "old");
	pass_ms(q, 5000);
	heard = claim(q, "b", serial);
	assert_true(heard.item.is_granted);
	assert_string_equal(heard.failed, "");
}

static void what_is_bad_is_gone_for_all(void **state)
{
	struct queue_driver *q = *state;
	uint64_t serial = put(q, "bad"), next;
	struct heard heard = condemn(q, "a", serial);

	assert_true(heard.item.is_granted);
	assert_int_equal(heard.item.gone, serial);
	heard = look(q, serial);
	assert_int_equal(heard.item.serial, 0);
	assert_int_equal(heard.item.gone, serial);
	/* Another who found it out waits for the new one, and does not throw that away. */
	assert_int_equal(condemn(q, "b", serial).item.wait_ms, CLAIM_MS);
	next = put(q, "good");
	assert_true(next > serial);
	heard = condemn(q, "b", serial);
	assert_false(heard.item.is_granted);
	assert_string_equal(heard.text, "good");
	assert_int_equal(heard.item.serial, next);
	assert_int_equal(look(q, 0).item.gone, serial);
}

static void what_is_bad_goes_while_another_fetches_too(void **state)
{
	struct queue_driver *q = *state;
	uint64_t serial = put(q, "bad");
	struct heard heard;

	assert_true(claim(q, "a", serial).item.is_granted);
	heard = condemn(q, "b", serial);
	assert_false(heard.item.is_granted);
	assert_int_equal(heard.item.wait_ms, CLAIM_MS);
	assert_int_equal(look(q, 0).item.gone, serial);
	assert_int_equal(look(q, 0).item.serial, 0);
}

static void a_clock_that_was_set_back_lengthens_nothing(void **state)
{
	struct queue_driver *q = *state;
	struct heard heard;
	uint64_t serial;

	pass_ms(q, 10 * HOUR_MS);
	serial = put(q, "first");
	assert_true(claim(q, "a", serial).item.is_granted);
	q->now_ms -= (uint64_t)9 * HOUR_MS;
	pass_ms(q, 0);
	heard = claim(q, "b", serial);
	assert_int_equal(heard.item.wait_ms, CLAIM_MS);
	assert_int_equal(heard.item.left_ms, HOUR_MS);
	assert_int_equal(heard.item.age_ms, 0);
	assert_true(put(q, "second") > serial);
}

static void keys_end_by_themselves(void **state)
{
	struct queue_driver *q = *state;

	(void)put(q, "first");
	assert_in_range(redis_client_integer(&q->redis, "PTTL skein:{sts}:at:acme.example"), HOUR_MS - 60000,
		HOUR_MS);
	assert_int_equal(redis_client_integer(&q->redis, "EXISTS skein:{tokens}:at:acme.example"), 0);
	assert_int_equal(redis_client_integer(&q->redis, "ZCARD skein:{sts}:names"), 1);
}

/* Name after name, each ending a little later. */
static void fill(struct queue_driver *q, unsigned names, struct span text)
{
	for (unsigned i = 0; i < names; i++) {
		char name[16];
		int len = snprintf(name, sizeof(name), "n%u", i);

		(void)put_at(
			q, (struct shelf_place){ SHELF_TOKENS, { name, (size_t)len } }, text, HOUR_MS + i);
	}
}

static void so_many_are_kept_and_no_more(void **state)
{
	struct queue_driver *q = *state;

	fill(q, 1027, SPAN_LIT("x"));
	assert_int_equal(redis_client_integer(&q->redis, "ZCARD skein:{tokens}:names"), 1024);
	assert_int_equal(bytes_of_tokens(q), 1024);
	assert_false(has_token(q, 2));
	assert_true(has_token(q, 3));
}

static void long_texts_take_no_more_room_than_they_may(void **state)
{
	static char text[SHELF_TEXT_MAX];
	struct queue_driver *q = *state;

	memset(text, 'x', sizeof(text));
	fill(q, 70, span_of(text, sizeof(text)));
	assert_int_equal(redis_client_integer(&q->redis, "HLEN skein:{tokens}:sizes"), 64);
	assert_int_equal(bytes_of_tokens(q), 8 * 1024 * 1024);
	assert_false(has_token(q, 5));
	assert_true(has_token(q, 69));
	/* What has ended makes room for the next. */
	pass_ms(q, 2 * HOUR_MS);
	fill(q, 1, SPAN_LIT("y"));
	assert_int_equal(bytes_of_tokens(q), 1);
}

#define ROW(name) cmocka_unit_test_setup(name, queue_driver_reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(what_one_puts_the_others_read),
		ROW(a_text_ends),
		ROW(one_fetches_and_the_others_wait),
		ROW(a_claim_ends_with_its_time),
		ROW(a_failure_holds_everybody_back_for_a_pause),
		ROW(what_is_bad_is_gone_for_all),
		ROW(what_is_bad_goes_while_another_fetches_too),
		ROW(a_clock_that_was_set_back_lengthens_nothing),
		ROW(keys_end_by_themselves),
		ROW(so_many_are_kept_and_no_more),
		ROW(long_texts_take_no_more_room_than_they_may),
	};

	return cmocka_run_group_tests(tests, queue_driver_setup, queue_driver_teardown);
}
