/* What is remembered of logins, for how long, and what is not. */
#include "cmocka_all.h"

#include "auth/auth_cache.h"
#include "skein/proto/base/check.h"

enum { T0 = 1000000, PASSWORD_TTL = 120000, IDENTITY_TTL = 60000, WRONG_TTL = 50000, MAX = 4 };

static struct auth_cache *make(void)
{
	static const uint8_t key[32] = { 1, 2, 3 };

	return auth_cache_new(
		&(struct auth_cache_options){ PASSWORD_TTL, IDENTITY_TTL, WRONG_TTL, MAX }, key);
}

static struct identity *alice(void)
{
	return identity_new(&(struct identity){ .user = "alice@x", .sid = "", .backend = "ldap" });
}

static enum cache_answer find(
	struct auth_cache *cache, const char *login, const char *password, uint64_t now_ms)
{
	struct identity *identity;
	enum cache_answer answer =
		auth_cache_find(cache, span_of_str(login), span_of_str(password), now_ms, &identity);

	if (answer == CACHE_RIGHT || answer == CACHE_PROVED)
		assert_string_equal(identity->user, "alice@x");
	identity_unref(&identity);
	return answer;
}

static void add_right(struct auth_cache *cache, const char *login, const char *password)
{
	struct identity *identity = alice();

	auth_cache_add_right(cache, span_of_str(login), span_of_str(password), identity, T0);
	auth_cache_add_identity(cache, span_of_str(identity->user), identity, T0);
	identity_unref(&identity);
}

static void a_right_password_is_known_for_its_time(void **state)
{
	struct auth_cache *cache = make();

	(void)state;
	assert_int_equal(find(cache, "alice", "secret", T0), CACHE_UNKNOWN);
	add_right(cache, "alice", "secret");
	assert_int_equal(find(cache, "alice", "secret", T0), CACHE_RIGHT);
	assert_int_equal(find(cache, "ALICE", "secret", T0), CACHE_RIGHT);
	assert_int_equal(find(cache, "alice", "Secret", T0), CACHE_UNKNOWN);
	assert_int_equal(find(cache, "alic", "esecret", T0), CACHE_UNKNOWN);
	assert_int_equal(find(cache, "bob", "secret", T0), CACHE_UNKNOWN);
	/* What is known of the account ends earlier than what is known of the password. */
	assert_int_equal(find(cache, "alice", "secret", T0 + IDENTITY_TTL - 1), CACHE_RIGHT);
	assert_int_equal(find(cache, "alice", "secret", T0 + IDENTITY_TTL), CACHE_PROVED);
	assert_int_equal(find(cache, "alice", "secret", T0 + PASSWORD_TTL - 1), CACHE_PROVED);
	assert_int_equal(find(cache, "alice", "secret", T0 + PASSWORD_TTL), CACHE_UNKNOWN);
	auth_cache_free(&cache);
}

static void a_wrong_password_is_known_until_it_is_right(void **state)
{
	struct auth_cache *cache = make();

	(void)state;
	auth_cache_add_wrong(cache, SPAN_LIT("alice"), SPAN_LIT("old"), NULL, T0);
	assert_int_equal(find(cache, "alice", "old", T0 + WRONG_TTL - 1), CACHE_WRONG);
	assert_int_equal(find(cache, "alice", "new", T0), CACHE_UNKNOWN);
	assert_int_equal(find(cache, "alice", "old", T0 + WRONG_TTL), CACHE_UNKNOWN);
	auth_cache_add_wrong(cache, SPAN_LIT("alice"), SPAN_LIT("old"), NULL, T0);
	add_right(cache, "alice", "old");
	assert_int_equal(find(cache, "alice", "old", T0), CACHE_RIGHT);
	auth_cache_add_wrong(cache, SPAN_LIT("alice"), SPAN_LIT("old"), NULL, T0);
	assert_int_equal(find(cache, "alice", "old", T0), CACHE_WRONG);
	auth_cache_free(&cache);
}

static void the_oldest_leaves_when_it_is_full(void **state)
{
	static const char *const logins[] = { "a", "b", "c", "d", "e" };
	struct auth_cache *cache = make();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(logins); i++)
		add_right(cache, logins[i], "secret");
	assert_int_equal(find(cache, "a", "secret", T0), CACHE_UNKNOWN);
	for (size_t i = 1; i < ARRAY_LEN(logins); i++)
		assert_int_equal(find(cache, logins[i], "secret", T0), CACHE_RIGHT);
	auth_cache_free(&cache);
}

static void all_or_one_can_be_forgotten(void **state)
{
	struct auth_cache *cache = make();

	(void)state;
	add_right(cache, "a", "1");
	add_right(cache, "b", "2");
	auth_cache_remove(cache, SPAN_LIT("a"), SPAN_LIT("1"));
	assert_int_equal(find(cache, "a", "1", T0), CACHE_UNKNOWN);
	assert_int_equal(find(cache, "b", "2", T0), CACHE_RIGHT);
	auth_cache_clear(cache);
	assert_int_equal(find(cache, "b", "2", T0), CACHE_UNKNOWN);
	assert_null(auth_cache_find_identity(cache, SPAN_LIT("alice@x"), T0));
	auth_cache_free(&cache);
}

static void whose_a_name_is_stays_known_for_longer(void **state)
{
	struct auth_cache *cache = make();
	struct identity *identity = alice(), *known;

	(void)state;
	auth_cache_add_name(cache, SPAN_LIT("X\\Alice"), identity, T0);
	identity_unref(&identity);
	known = auth_cache_find_name(cache, SPAN_LIT("x\\alice"), T0 + 599999);
	assert_string_equal(known->user, "alice@x");
	identity_unref(&known);
	assert_null(auth_cache_find_name(cache, SPAN_LIT("x\\alice"), T0 + 600000));
	assert_null(auth_cache_find_identity(cache, SPAN_LIT("x\\alice"), T0));
	auth_cache_free(&cache);
}

static void a_shorter_time_holds_for_what_is_there(void **state)
{
	struct auth_cache *cache = make();

	(void)state;
	add_right(cache, "a", "1");
	auth_cache_set_options(cache, &(struct auth_cache_options){ 0, IDENTITY_TTL, WRONG_TTL, MAX });
	assert_int_equal(find(cache, "a", "1", T0), CACHE_UNKNOWN);
	add_right(cache, "a", "1");
	assert_int_equal(find(cache, "a", "1", T0), CACHE_UNKNOWN);
	auth_cache_free(&cache);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_right_password_is_known_for_its_time),
		cmocka_unit_test(a_wrong_password_is_known_until_it_is_right),
		cmocka_unit_test(the_oldest_leaves_when_it_is_full),
		cmocka_unit_test(all_or_one_can_be_forgotten),
		cmocka_unit_test(whose_a_name_is_stays_known_for_longer),
		cmocka_unit_test(a_shorter_time_holds_for_what_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
