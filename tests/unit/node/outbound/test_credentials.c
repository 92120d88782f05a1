#include "cmocka_all.h"

#include "outbound/tokens.h"

static const struct route_credentials provider = { .name = "provider",
	.user = "acme",
	.secret = "password",
	.token_url = "",
	.client_id = "",
	.scope = "" };
static const struct route_credentials renamed = { .name = "provider",
	.user = "other",
	.secret = "password",
	.token_url = "",
	.client_id = "",
	.scope = "" };
static const struct login_place here = { &provider, "a.example:587" };
static const struct login_place there = { &provider, "b.example:587" };

static struct {
	struct secrets *secrets;
	struct tokens *tokens;
	struct credentials *credentials;
	struct login login;
	struct login_trouble trouble;
} world;

static void set_secret(struct span text)
{
	const struct secret_value *value = secret_value_new(SPAN_LIT("password"), text);

	secrets_replace(world.secrets, &value, 1);
}

static int set_up(void **state)
{
	(void)state;
	world.secrets = secrets_new(SECRETS_AWAITED);
	world.tokens = tokens_new();
	world.credentials = credentials_new(world.secrets, world.tokens);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	credentials_free(&world.credentials);
	tokens_free(&world.tokens);
	secrets_free(&world.secrets);
	return 0;
}

static enum login_state look(const struct login_place *place, uint64_t now_ms)
{
	return credentials_look(world.credentials, place, now_ms, &world.trouble);
}

static enum login_state take(const struct login_place *place, uint64_t now_ms)
{
	struct login login;
	enum login_state state = credentials_take(world.credentials, place, now_ms, &login, &world.trouble);

	if (state == LOGIN_POSSIBLE) {
		world.login.mark = login.mark;
		login_wipe(&login);
	}
	return state;
}

static void a_login_has_the_secret_as_it_is_now(void **state)
{
	(void)state;
	set_secret(SPAN_LIT("hunter2"));
	assert_int_equal(
		credentials_take(world.credentials, &here, 1, &world.login, &world.trouble), LOGIN_POSSIBLE);
	assert_string_equal(world.login.client.user, "acme");
	assert_string_equal(world.login.client.password, "hunter2");
	assert_null(world.login.client.token);
	assert_int_equal(world.login.client.mechanism, SMTP_MECHANISM_AUTO);
	login_wipe(&world.login);
	assert_null(world.login.client.password);
}

static void without_a_usable_secret_it_says_why_and_not_what(void **state)
{
	static const struct {
		struct span text;
		const char *why;
	} rows[] = {
		{ SPAN_LIT(""), "is empty" },
		{ SPAN_LIT("hun\0ter2"), "zero byte" },
	};
	static char huge[CREDENTIALS_SECRET_MAX + 1];

	(void)state;
	assert_int_equal(take(&here, 1), LOGIN_AWAITED);
	assert_non_null(strstr(world.trouble.why, "not read from Redis yet"));
	secrets_replace(world.secrets, NULL, 0);
	assert_int_equal(take(&here, 1), LOGIN_IMPOSSIBLE);
	assert_true(world.trouble.again_ms > 0);
	assert_non_null(strstr(world.trouble.why, "skeinctl secret set password"));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		set_secret(rows[i].text);
		assert_int_equal(take(&here, 1), LOGIN_IMPOSSIBLE);
		assert_non_null(strstr(world.trouble.why, rows[i].why));
		assert_null(strstr(world.trouble.why, "hun"));
	}
	memset(huge, 'x', sizeof(huge));
	set_secret(span_of(huge, sizeof(huge)));
	assert_int_equal(take(&here, 1), LOGIN_IMPOSSIBLE);
	set_secret(span_of(huge, sizeof(huge) - 1));
	assert_int_equal(take(&here, 1), LOGIN_POSSIBLE);
}

static void one_connection_tries_what_is_not_accepted_yet(void **state)
{
	uint64_t changes;

	(void)state;
	set_secret(SPAN_LIT("hunter2"));
	assert_int_equal(take(&here, 1), LOGIN_POSSIBLE);
	assert_int_equal(take(&here, 1), LOGIN_AWAITED);
	assert_int_equal(take(&there, 1), LOGIN_POSSIBLE);
	changes = credentials_changes(world.credentials);
	credentials_untried(world.credentials, &here, &world.login.mark);
	assert_true(credentials_changes(world.credentials) > changes);
	assert_int_equal(take(&here, 1), LOGIN_POSSIBLE);
	changes = credentials_changes(world.credentials);
	credentials_accepted(world.credentials, &here, &world.login.mark);
	assert_true(credentials_changes(world.credentials) > changes);
	changes = credentials_changes(world.credentials);
	for (int i = 0; i < 3; i++)
		assert_int_equal(take(&here, 1), LOGIN_POSSIBLE);
	credentials_accepted(world.credentials, &here, &world.login.mark);
	assert_int_equal(credentials_changes(world.credentials), changes);
}

static void what_was_refused_is_left_alone_until_the_pause_is_over_or_it_changes(void **state)
{
	const struct login_place other_user = { &renamed, here.host };

	(void)state;
	set_secret(SPAN_LIT("hunter2"));
	assert_int_equal(take(&here, 1000), LOGIN_POSSIBLE);
	assert_int_equal(
		credentials_refused(world.credentials, &here, &world.login.mark, 1000, 5000, "535 no"),
		REFUSAL_FIRST);
	assert_int_equal(take(&here, 5999), LOGIN_IMPOSSIBLE);
	assert_int_equal(world.trouble.again_ms, 1);
	assert_string_equal(world.trouble.why, "535 no");
	assert_int_equal(look(&there, 5999), LOGIN_POSSIBLE);
	assert_int_equal(look(&other_user, 5999), LOGIN_POSSIBLE);
	/* Set anew to the same: nothing has changed. */
	set_secret(SPAN_LIT("hunter2"));
	assert_int_equal(look(&here, 5999), LOGIN_IMPOSSIBLE);
	assert_int_equal(take(&here, 6000), LOGIN_POSSIBLE);
	assert_int_equal(take(&here, 6000), LOGIN_AWAITED);
	assert_int_equal(
		credentials_refused(world.credentials, &here, &world.login.mark, 6000, 5000, "535 no"),
		REFUSAL_AGAIN);
	set_secret(SPAN_LIT("hunter3"));
	assert_int_equal(take(&here, 6001), LOGIN_POSSIBLE);
	assert_int_equal(
		credentials_refused(world.credentials, &here, &world.login.mark, 6001, 5000, "535 no"),
		REFUSAL_FIRST);
	assert_int_equal(look(&here, 6002), LOGIN_IMPOSSIBLE);
}

static void one_that_was_accepted_once_may_be_refused_later(void **state)
{
	(void)state;
	set_secret(SPAN_LIT("hunter2"));
	assert_int_equal(take(&here, 1), LOGIN_POSSIBLE);
	credentials_accepted(world.credentials, &here, &world.login.mark);
	credentials_refused(world.credentials, &here, &world.login.mark, 1, 5000, "535 expired");
	assert_int_equal(take(&here, 2), LOGIN_IMPOSSIBLE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_login_has_the_secret_as_it_is_now),
		TEST(without_a_usable_secret_it_says_why_and_not_what),
		TEST(one_connection_tries_what_is_not_accepted_yet),
		TEST(what_was_refused_is_left_alone_until_the_pause_is_over_or_it_changes),
		TEST(one_that_was_accepted_once_may_be_refused_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
