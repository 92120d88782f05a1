/* Tokens of two nodes in one Redis: what the shelf holds is sealed, and only for its name. */
#include "queue_driver.h"

#include "outbound/token_share.h"

enum { HOUR_MS = 3600 * 1000 };

static struct {
	struct secret_keys keys, other_keys;
	struct token_share a, b, stranger;
	struct token_request request;
	unsigned calls;
	struct token_shared heard; /* without its texts */
	char text[64], failed[64];
	uint64_t serial;
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
	memset(world.keys.current.bytes, 1, SECRET_KEY_LEN);
	memset(world.other_keys.current.bytes, 2, SECRET_KEY_LEN);
	secret_key_id(world.keys.current.bytes, world.keys.current.id);
	secret_key_id(world.other_keys.current.bytes, world.other_keys.current.id);
	world.a = (struct token_share){ q->link, &world.keys, "a" };
	world.b = (struct token_share){ q->link, &world.keys, "b" };
	world.stranger = (struct token_share){ q->link, &world.other_keys, "c" };
	world.request.mark.bytes[0] = 7;
	return 0;
}

static void on_shared(void *arg, const struct token_shared *shared)
{
	(void)arg;
	world.calls++;
	world.heard = *shared;
	snprintf(world.text, sizeof(world.text), "%.*s", SPAN_ARGS(shared->offer.text));
	snprintf(world.failed, sizeof(world.failed), "%.*s", SPAN_ARGS(shared->failed));
}

static void on_put(void *arg, uint64_t serial)
{
	(void)arg;
	world.calls++;
	world.serial = serial;
}

static void settle(struct queue_driver *q)
{
	link_driver_settle(q->driver);
	assert_int_equal(world.calls, 1);
	world.calls = 0;
}

static void claim(struct queue_driver *q, const struct token_share *share)
{
	assert_true(token_share_claim(share, &world.request, on_shared, NULL));
	settle(q);
	assert_true(world.heard.is_answer);
}

static void look(struct queue_driver *q, const struct token_share *share, uint64_t known)
{
	assert_true(token_share_read(share, &world.request.mark, known, on_shared, NULL));
	settle(q);
	assert_true(world.heard.is_answer);
}

static void put(struct queue_driver *q, const struct token_share *share, const char *text)
{
	assert_true(token_share_put(share, &world.request.mark, span_of_str(text), HOUR_MS, on_put, NULL));
	settle(q);
	assert_true(world.serial > 0);
}

static void one_fetches_and_the_other_reads(void **state)
{
	struct queue_driver *q = *state;

	claim(q, &world.a);
	assert_true(world.heard.is_granted);
	claim(q, &world.b);
	assert_false(world.heard.is_granted);
	assert_true(world.heard.wait_ms > 0);
	put(q, &world.a, "abc.def");
	claim(q, &world.b);
	assert_false(world.heard.is_granted);
	assert_string_equal(world.text, "abc.def");
	assert_true(world.heard.offer.serial == world.serial);
	assert_in_range(world.heard.offer.left_ms, HOUR_MS - 60000, HOUR_MS);
	look(q, &world.b, world.serial);
	assert_string_equal(world.text, "");
	/* Another's token. */
	world.request.mark.bytes[0] = 8;
	look(q, &world.b, 0);
	assert_true(world.heard.offer.serial == 0);
}

static void redis_never_sees_it(void **state)
{
	struct queue_driver *q = *state;
	const redisReply *reply;

	put(q, &world.a, "abc.def");
	reply = redis_client_command(&q->redis, "HGET skein:{tokens}:at:07%062d text", 0);
	assert_int_equal(reply->type, REDIS_REPLY_STRING);
	assert_int_equal(reply->len, SECRET_OVERHEAD + 7);
	assert_null(memmem(reply->str, reply->len, "abc", 3));
}

static void without_the_key_and_under_another_name_it_is_nothing(void **state)
{
	struct queue_driver *q = *state;

	put(q, &world.a, "abc.def");
	look(q, &world.stranger, 0);
	assert_string_equal(world.text, "");
	assert_true(world.heard.offer.serial == world.serial);
	redis_client_command(&q->redis, "RENAME skein:{tokens}:at:07%062d skein:{tokens}:at:08%062d", 0, 0);
	world.request.mark.bytes[0] = 8;
	look(q, &world.a, 0);
	assert_string_equal(world.text, "");
	assert_true(world.heard.offer.serial == world.serial);
}

static void a_refusal_and_a_failure_are_told_to_all(void **state)
{
	struct queue_driver *q = *state;
	uint64_t bad;

	put(q, &world.a, "abc.def");
	bad = world.serial;
	world.request.known = bad;
	world.request.is_bad = true;
	claim(q, &world.a);
	assert_true(world.heard.is_granted);
	look(q, &world.b, bad);
	assert_true(world.heard.gone == bad);
	token_share_failed(&world.a, &world.request.mark, 30000, "connection refused");
	world.request.is_bad = false;
	claim(q, &world.b);
	assert_false(world.heard.is_granted);
	assert_string_equal(world.failed, "connection refused");
}

static void without_redis_nothing_is_asked(void **state)
{
	struct queue_driver *q = *state;

	link_driver_cut(q->driver);
	assert_false(token_share_claim(&world.a, &world.request, on_shared, NULL));
	assert_false(token_share_read(&world.a, &world.request.mark, 0, on_shared, NULL));
	assert_false(token_share_put(&world.a, &world.request.mark, SPAN_LIT("abc"), HOUR_MS, on_put, NULL));
	token_share_failed(&world.a, &world.request.mark, 30000, "connection refused");
	assert_int_equal(world.calls, 0);
	queue_driver_reconnect(q);
}

#define ROW(name) cmocka_unit_test_setup(name, reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(one_fetches_and_the_other_reads),
		ROW(redis_never_sees_it),
		ROW(without_the_key_and_under_another_name_it_is_nothing),
		ROW(a_refusal_and_a_failure_are_told_to_all),
		ROW(without_redis_nothing_is_asked),
	};

	return cmocka_run_group_tests(tests, setup, queue_driver_teardown);
}
