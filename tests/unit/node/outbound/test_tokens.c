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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
