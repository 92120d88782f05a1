#include "cmocka_all.h"

#include "outbound/tokens.h"

#include <stdio.h>

static const struct route_credentials office = {
	.name = "office",
	.user = "relay@acme.example",
	.secret = "client",
	.token_url = "https://login.example/token",
	.client_id = "id+1",
	.scope = "https://mail.example/.default",
};

static struct {
	struct tokens *tokens;
	const struct secret_value *secret;
	struct login_mark mark;
	struct login_trouble trouble;
	struct buf text;
	uint64_t number;
	unsigned wanted;
	char why[TOKEN_WHY_MAX];
} world;

static void on_wanted(void *arg)
{
	(void)arg;
	world.wanted++;
}

static int set_up(void **state)
{
	(void)state;
	memset(&world, 0, sizeof(world));
	world.tokens = tokens_new();
	tokens_on_wanted(world.tokens, on_wanted, NULL);
	world.secret = secret_value_new(SPAN_LIT("client"), SPAN_LIT("s3cret&=sauce"));
	world.mark.bytes[0] = 1;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	secret_value_unref(&world.secret);
	tokens_free(&world.tokens);
	buf_fini(&world.text);
	return 0;
}

static enum login_state take(uint64_t now_ms)
{
	const struct token_want want = { &world.mark, &office, world.secret };

	buf_clear(&world.text);
	memset(&world.trouble, 0, sizeof(world.trouble));
	return tokens_take(world.tokens, &want, now_ms, &world.text, &world.number, &world.trouble);
}

/* The request that is due; 0: none. */
static uint64_t next(uint64_t now_ms)
{
	struct token_request request;
	uint64_t id = 0;

	if (tokens_next(world.tokens, now_ms, &request)) {
		id = request.id;
		assert_string_equal(request.url, "https://login.example/token");
		assert_span_equal(buf_span(&request.body),
			"grant_type=client_credentials&client_id=id%2B1"
			"&scope=https%3A%2F%2Fmail.example%2F.default&client_secret=s3cret%26%3Dsauce");
		token_request_wipe(&request);
	}
	return id;
}

static bool answer(uint64_t id, uint64_t now_ms, unsigned status, const char *body)
{
	return tokens_answered(world.tokens, id, now_ms, 0, status, span_of_str(body), world.why);
}

static void fetch(uint64_t now_ms, const char *body)
{
	uint64_t id = next(now_ms);

	assert_true(id > 0);
	assert_true(answer(id, now_ms, 200, body));
}

#define HOUR_TOKEN "{\"token_type\":\"Bearer\",\"expires_in\":3600,\"access_token\":\"abc.def\"}"

static void one_request_fetches_it_for_all_who_wait(void **state)
{
	uint64_t id;

	(void)state;
	assert_int_equal(next(1), 0);
	assert_int_equal(take(1), LOGIN_AWAITED);
	assert_int_equal(world.wanted, 1);
	assert_int_equal(tokens_wait_ms(world.tokens, 1), 0);
	id = next(1);
	assert_true(id > 0);
	assert_int_equal(take(1), LOGIN_AWAITED);
	assert_int_equal(next(1), 0);
	assert_true(answer(id, 2, 200, HOUR_TOKEN));
	assert_int_equal(take(2), LOGIN_POSSIBLE);
	assert_span_equal(buf_span(&world.text), "abc.def");
	assert_int_equal(world.number, 1);
	assert_int_equal(world.wanted, 1);
}

static void it_is_renewed_before_it_ends_and_used_until_then(void **state)
{
	const uint64_t minute = 60 * 1000, end = 60 * minute;
	uint64_t id;

	(void)state;
	assert_int_equal(take(0), LOGIN_AWAITED);
	fetch(0, HOUR_TOKEN);
	assert_int_equal(take(54 * minute), LOGIN_POSSIBLE);
	assert_int_equal(next(55 * minute - 1), 0);
	id = next(55 * minute);
	assert_true(id > 0);
	assert_false(answer(id, 55 * minute, 503, ""));
	assert_int_equal(take(end - 1), LOGIN_POSSIBLE);
	assert_int_equal(take(end), LOGIN_IMPOSSIBLE);
	assert_non_null(strstr(world.trouble.why, "status 503"));
	fetch(end, "{\"access_token\":\"new\",\"expires_in\":\"100\"}");
	assert_int_equal(take(end), LOGIN_POSSIBLE);
	assert_span_equal(buf_span(&world.text), "new");
	assert_int_equal(world.number, 2);
	/* A tenth of a short life. */
	assert_int_equal(next(end + 90 * 1000 - 1), 0);
	assert_true(next(end + 90 * 1000) > 0);
}

static void what_nobody_uses_is_not_renewed(void **state)
{
	(void)state;
	assert_int_equal(take(0), LOGIN_AWAITED);
	fetch(0, HOUR_TOKEN);
	assert_int_equal(next(3600 * 1000 + 1), 0);
	assert_int_equal(take(3600 * 1000 + 2), LOGIN_AWAITED);
	assert_true(next(3600 * 1000 + 2) > 0);
}

static void failures_are_tried_again_after_pauses_that_double(void **state)
{
	static const uint64_t pauses[] = { 1000, 2000, 4000, 8000, 16000, 32000, 64000, 128000, 256000,
		300000, 300000 };
	uint64_t now = 0;

	(void)state;
	assert_int_equal(take(now), LOGIN_AWAITED);
	for (size_t i = 0; i < ARRAY_LEN(pauses); i++) {
		uint64_t id = next(now);

		assert_true(id > 0);
		tokens_failed(world.tokens, id, now, 0, "connection refused");
		assert_int_equal(take(now), LOGIN_IMPOSSIBLE);
		assert_int_equal(world.trouble.again_ms, pauses[i]);
		assert_string_equal(
			world.trouble.why, "no token for credentials \"office\": connection refused");
		assert_int_equal(next(now + pauses[i] - 1), 0);
		now += pauses[i];
	}
	fetch(now, HOUR_TOKEN);
	assert_int_equal(take(now), LOGIN_POSSIBLE);
}

static void a_refused_token_is_fetched_anew_once(void **state)
{
	(void)state;
	assert_int_equal(take(0), LOGIN_AWAITED);
	fetch(0, HOUR_TOKEN);
	assert_int_equal(take(1), LOGIN_POSSIBLE);
	assert_true(tokens_refused(world.tokens, &world.mark, 1));
	assert_int_equal(take(1), LOGIN_AWAITED);
	fetch(1, HOUR_TOKEN);
	assert_int_equal(take(1), LOGIN_POSSIBLE);
	assert_int_equal(world.number, 2);
	/* Another connection had tried the old one. */
	assert_true(tokens_refused(world.tokens, &world.mark, 1));
	assert_int_equal(take(1), LOGIN_POSSIBLE);
	assert_false(tokens_refused(world.tokens, &world.mark, 2));
	assert_int_equal(take(1), LOGIN_POSSIBLE);
	tokens_accepted(world.tokens, &world.mark);
	assert_true(tokens_refused(world.tokens, &world.mark, 2));
}

static void another_secret_has_another_token(void **state)
{
	(void)state;
	assert_int_equal(take(0), LOGIN_AWAITED);
	fetch(0, HOUR_TOKEN);
	world.mark.bytes[0] = 2;
	assert_int_equal(take(0), LOGIN_AWAITED);
}

static void so_many_are_kept_and_no_more(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 300; i++) {
		world.mark.bytes[0] = (unsigned char)i;
		world.mark.bytes[1] = (unsigned char)(i >> 8);
		assert_int_equal(take(i), LOGIN_AWAITED);
	}
	world.mark.bytes[0] = world.mark.bytes[1] = 0;
	assert_int_equal(take(300), LOGIN_AWAITED);
}

static void answers_without_a_token_say_why_and_nothing_secret(void **state)
{
	static char huge[TOKEN_TEXT_MAX + 100];
	static const struct {
		unsigned status;
		const char *body, *why;
	} rows[] = {
		{ 401, "{\"error\":\"invalid_client\",\"error_description\":\"AADSTS7000215:\\r\\nbad\"}",
			"invalid_client: AADSTS7000215:  bad" },
		{ 400, "{\"error\":\"invalid_scope\"}", "invalid_scope" },
		{ 200, "{\"error\":\"x\",\"access_token\":\"abc\"}", "x" },
		{ 400, "{\"error\":\"e\",\"error_description\":\"you sent s3cret&=sauce\"}",
			"the answer repeats the client's secret, and is left out" },
		{ 500, "<html>", "the server answered with status 500" },
		{ 200, "<html>", "the answer is not JSON" },
		{ 200, "", "the answer is not JSON" },
		{ 200, "[]", "the answer is not JSON" },
		{ 200, "{}", "the answer has no usable access_token" },
		{ 200, "{\"access_token\":7}", "the answer has no usable access_token" },
		{ 200, "{\"access_token\":\"a b\"}", "the answer has no usable access_token" },
		{ 200, "{\"access_token\":\"a\\u0001auth=x\"}", "the answer has no usable access_token" },
		{ 200, huge, "the answer has no usable access_token" },
		{ 200, "{\"access_token\":\"abc\",\"token_type\":\"mac\"}",
			"the token's token_type is not Bearer" },
	};

	(void)state;
	snprintf(huge, sizeof(huge), "{\"access_token\":\"%0*d\"}", TOKEN_TEXT_MAX + 1, 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct token_answer read;

		token_answer_read(
			rows[i].status, span_of_str(rows[i].body), SPAN_LIT("s3cret&=sauce"), &read);
		assert_int_equal(buf_len(&read.token), 0);
		assert_string_equal(read.why, rows[i].why);
		token_answer_wipe(&read);
	}
}

static void lifetimes_are_taken_as_servers_write_them(void **state)
{
	static const struct {
		const char *word;
		uint64_t seconds;
	} rows[] = {
		{ "3599", 3599 },
		{ "\"3599\"", 3599 },
		{ "0", 1 },
		{ "-5", 1 },
		{ "1e300", 86400 },
		{ "null", 600 },
		{ "\"soon\"", 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct token_answer read;
		char body[100];

		snprintf(body, sizeof(body), "{\"access_token\":\"abc\",\"expires_in\":%s}", rows[i].word);
		token_answer_read(200, span_of_str(body), SPAN_LIT("secret"), &read);
		assert_span_equal(buf_span(&read.token), "abc");
		assert_int_equal(read.lifetime_ms, rows[i].seconds * 1000);
		token_answer_wipe(&read);
	}
}

/* --- with other nodes --- */

static struct token_request due(uint64_t now_ms)
{
	struct token_request request;

	assert_true(tokens_next(world.tokens, now_ms, &request));
	token_request_wipe(&request);
	assert_memory_equal(&request.mark, &world.mark, sizeof(world.mark));
	return request;
}

static struct token_offer offer(const char *text, uint64_t serial, uint64_t age_ms, uint64_t left_ms)
{
	return (struct token_offer){ span_of_str(text), serial, age_ms, left_ms };
}

/* Taken from another node, with half an hour to go. */
static void hear(uint64_t now_ms, const char *text, uint64_t serial)
{
	const struct token_offer half = offer(text, serial, 1800 * 1000, 1800 * 1000);

	assert_int_equal(take(now_ms), LOGIN_AWAITED);
	assert_true(tokens_offered(world.tokens, due(now_ms).id, now_ms, &half));
	assert_int_equal(take(now_ms), LOGIN_POSSIBLE);
	assert_span_equal(buf_span(&world.text), text);
}

static void what_another_has_fetched_is_taken_and_renewed_in_time(void **state)
{
	const uint64_t minute = 60 * 1000;
	struct token_request request;

	(void)state;
	hear(0, "theirs", 50);
	assert_int_equal(next(25 * minute - 1), 0);
	request = due(25 * minute);
	assert_int_equal(request.known, 50);
	assert_false(request.is_bad);
}

static void an_offer_that_ends_soon_is_of_no_use(void **state)
{
	const struct token_offer old = offer("old", 50, 3300 * 1000, 300 * 1000);

	(void)state;
	assert_int_equal(take(0), LOGIN_AWAITED);
	assert_false(tokens_offered(world.tokens, due(0).id, 0, &old));
	assert_int_equal(take(0), LOGIN_AWAITED);
	assert_int_equal(due(0).known, 50);
}

static void while_another_fetches_it_is_awaited(void **state)
{
	(void)state;
	assert_int_equal(take(0), LOGIN_AWAITED);
	tokens_put_off(world.tokens, due(0).id, 0, 500);
	assert_int_equal(take(0), LOGIN_AWAITED);
	assert_int_equal(tokens_wait_ms(world.tokens, 0), 500);
	assert_int_equal(next(499), 0);
	assert_int_equal(due(500).known, 0);
}

static void of_a_refused_one_the_cluster_is_told(void **state)
{
	struct token_request request;

	(void)state;
	hear(0, "theirs", 50);
	assert_true(tokens_refused(world.tokens, &world.mark, world.number));
	request = due(1);
	assert_int_equal(request.known, 50);
	assert_true(request.is_bad);
	tokens_put_off(world.tokens, request.id, 1, 500);
	/* Until it knows. */
	assert_true(due(501).is_bad);
}

static void what_was_refused_elsewhere_is_dropped_here(void **state)
{
	struct token_offer newer = offer("newer", 51, 0, 3600 * 1000);
	struct login_mark mark;
	uint64_t known;

	(void)state;
	hear(10000, "theirs", 50);
	assert_true(tokens_next_look(world.tokens, 10000, &mark, &known));
	assert_memory_equal(&mark, &world.mark, sizeof(mark));
	assert_int_equal(known, 50);
	assert_false(tokens_next_look(world.tokens, 11999, &mark, &known));
	assert_true(tokens_next_look(world.tokens, 12000, &mark, &known));
	assert_false(tokens_looked(world.tokens, &mark, 12000, 49, NULL));
	assert_int_equal(take(12000), LOGIN_POSSIBLE);
	assert_true(tokens_looked(world.tokens, &mark, 12000, 50, NULL));
	assert_int_equal(take(12000), LOGIN_AWAITED);
	assert_false(tokens_next_look(world.tokens, 20000, &mark, &known));
	assert_true(tokens_looked(world.tokens, &mark, 20000, 50, &newer));
	assert_int_equal(take(20000), LOGIN_POSSIBLE);
	assert_span_equal(buf_span(&world.text), "newer");
	/* It has followed one that was refused: a third would not help. */
	assert_false(tokens_refused(world.tokens, &world.mark, world.number));
}

static void what_another_has_renewed_is_taken_when_it_lasts_longer(void **state)
{
	const struct token_offer shorter = offer("shorter", 51, 0, 600 * 1000);
	const struct token_offer longer = offer("longer", 52, 0, 3600 * 1000);
	const struct token_offer same = offer("longer", 53, 0, 3600 * 1000 + 5);
	uint64_t number;

	(void)state;
	hear(0, "theirs", 50);
	assert_false(tokens_looked(world.tokens, &world.mark, 1, 0, &shorter));
	assert_true(tokens_looked(world.tokens, &world.mark, 1, 0, &longer));
	assert_int_equal(take(1), LOGIN_POSSIBLE);
	assert_span_equal(buf_span(&world.text), "longer");
	number = world.number;
	/* Another node has put the same there again. */
	assert_false(tokens_looked(world.tokens, &world.mark, 2, 0, &same));
	assert_true(tokens_refused(world.tokens, &world.mark, number));
	assert_int_equal(due(3).known, 53);
}

static void what_was_fetched_here_is_shown_and_known_by_its_serial(void **state)
{
	struct buf text = { 0 };
	uint64_t number, left_ms;

	(void)state;
	assert_false(tokens_show(world.tokens, &world.mark, 0, &text, &number, &left_ms));
	assert_int_equal(take(0), LOGIN_AWAITED);
	fetch(0, HOUR_TOKEN);
	assert_true(tokens_show(world.tokens, &world.mark, 1000, &text, &number, &left_ms));
	assert_span_equal(buf_span(&text), "abc.def");
	assert_int_equal(left_ms, 3599 * 1000);
	tokens_are_shared(world.tokens, &world.mark, number + 1, 49);
	tokens_are_shared(world.tokens, &world.mark, number, 50);
	assert_true(tokens_refused(world.tokens, &world.mark, number));
	assert_int_equal(due(1000).known, 50);
	buf_fini(&text);
}

static void the_pause_after_a_failure_is_told(void **state)
{
	(void)state;
	assert_int_equal(take(0), LOGIN_AWAITED);
	tokens_failed(world.tokens, due(0).id, 0, 0, "connection refused");
	tokens_failed(world.tokens, due(1000).id, 1000, 0, "connection refused");
	assert_int_equal(tokens_pause_ms(world.tokens, &world.mark, 1500), 1500);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_request_fetches_it_for_all_who_wait),
		TEST(it_is_renewed_before_it_ends_and_used_until_then),
		TEST(what_nobody_uses_is_not_renewed),
		TEST(failures_are_tried_again_after_pauses_that_double),
		TEST(a_refused_token_is_fetched_anew_once),
		TEST(another_secret_has_another_token),
		TEST(so_many_are_kept_and_no_more),
		TEST(answers_without_a_token_say_why_and_nothing_secret),
		TEST(lifetimes_are_taken_as_servers_write_them),
		TEST(what_another_has_fetched_is_taken_and_renewed_in_time),
		TEST(an_offer_that_ends_soon_is_of_no_use),
		TEST(while_another_fetches_it_is_awaited),
		TEST(of_a_refused_one_the_cluster_is_told),
		TEST(what_was_refused_elsewhere_is_dropped_here),
		TEST(what_another_has_renewed_is_taken_when_it_lasts_longer),
		TEST(what_was_fetched_here_is_shown_and_known_by_its_serial),
		TEST(the_pause_after_a_failure_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
