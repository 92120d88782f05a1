/* A wrong password of the service account is not tried again and again, and another one at once. */
#include "cmocka_all.h"

#include "auth/bind_password.h"
#include "auth/pool.h"

#include <pthread.h>
#include <unistd.h>

enum { MINUTE_MS = 60000, SHORT_MS = 50, LONG_MS = 60000 };

/* Of a test that does not wait. */
#define NOW 1000000u

static void set_secret(struct secrets *secrets, const char *text)
{
	const struct secret_value *value = secret_value_new(SPAN_LIT("svc"), span_of_str(text));

	secrets_replace(secrets, &value, 1);
}

static void expect_attempt(struct bind_password *password, uint64_t now_ms, const char *text, bool is_trial,
	enum bind_outcome outcome)
{
	struct bind_attempt attempt;
	struct buf why = { 0 };

	assert_true(bind_password_begin(password, now_ms, 0, &attempt, &why));
	assert_span_equal(secret_value_text(attempt.value), text);
	assert_int_equal(attempt.is_trial, is_trial);
	bind_password_end(password, &attempt, outcome, now_ms);
	assert_null(attempt.value);
	assert_int_equal(buf_len(&why), 0);
}

static void expect_none(struct bind_password *password, uint64_t now_ms, const char *wanted)
{
	struct bind_attempt attempt;
	struct buf why = { 0 };

	assert_false(bind_password_begin(password, now_ms, 0, &attempt, &why));
	assert_null(attempt.value);
	assert_span_equal(buf_span(&why), wanted);
	buf_fini(&why);
}

static void what_was_accepted_is_no_trial_any_more(void **state)
{
	struct bind_password *password = bind_password_new("given");

	(void)state;
	expect_attempt(password, NOW, "given", true, BIND_UNKNOWN);
	expect_attempt(password, NOW, "given", true, BIND_ACCEPTED);
	expect_attempt(password, NOW, "given", false, BIND_UNKNOWN);
	bind_password_stop(password);
	expect_none(password, NOW, "");
	bind_password_free(&password);
}

static void what_is_missing_is_told_with_its_cure(void **state)
{
	static const struct {
		enum secrets_state state;
		const char *why;
	} rows[] = {
		{ SECRETS_NO_KEY, "secret \"svc\": needs the cluster's key: cluster.key_file" },
		{ SECRETS_AWAITED, "secret \"svc\": the secrets are not read from Redis yet" },
		{ SECRETS_LOADED,
			"secret \"svc\": is not there, or cannot be opened: `skeinctl secret set svc`" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct secrets *secrets = secrets_new(rows[i].state);
		struct bind_password *password = bind_password_new_secret(secrets, "svc");

		expect_none(password, NOW, rows[i].why);
		set_secret(secrets, "");
		expect_none(password, NOW, "secret \"svc\": is empty: `skeinctl secret set svc`");
		set_secret(secrets, "one");
		expect_attempt(password, NOW, "one", true, BIND_ACCEPTED);
		bind_password_free(&password);
		secrets_free(&secrets);
	}
}

static void what_was_refused_is_left_alone_ever_longer(void **state)
{
	struct bind_password *password = bind_password_new("wrong");
	uint64_t now_ms = NOW;

	(void)state;
	expect_attempt(password, now_ms, "wrong", true, BIND_REFUSED);
	for (unsigned minutes = 1; minutes < 100; minutes *= 2) {
		unsigned pause = minutes < 15 ? minutes : 15;

		expect_none(password, now_ms, "");
		expect_none(password, now_ms + pause * MINUTE_MS - 1, "");
		now_ms += pause * MINUTE_MS;
		expect_attempt(password, now_ms, "wrong", true, BIND_REFUSED);
	}
	now_ms += 15 * MINUTE_MS;
	expect_attempt(password, now_ms, "wrong", true, BIND_ACCEPTED);
	/* Changed in the domain: from the beginning. */
	expect_attempt(password, now_ms, "wrong", false, BIND_REFUSED);
	expect_none(password, now_ms + MINUTE_MS - 1, "");
	expect_attempt(password, now_ms + MINUTE_MS, "wrong", true, BIND_ACCEPTED);
	bind_password_free(&password);
}

static void another_password_is_tried_at_once_and_the_same_again_is_not(void **state)
{
	struct secrets *secrets = secrets_new(SECRETS_AWAITED);
	struct bind_password *password = bind_password_new_secret(secrets, "svc");

	(void)state;
	set_secret(secrets, "wrong");
	expect_attempt(password, NOW, "wrong", true, BIND_REFUSED);
	set_secret(secrets, "wrong");
	expect_none(password, NOW, "");
	set_secret(secrets, "right");
	expect_attempt(password, NOW, "right", true, BIND_ACCEPTED);
	set_secret(secrets, "wrong");
	expect_none(password, NOW, "");
	set_secret(secrets, "right");
	expect_attempt(password, NOW, "right", false, BIND_ACCEPTED);
	bind_password_free(&password);
	secrets_free(&secrets);
}

static void several_that_are_refused_together_count_once(void **state)
{
	struct bind_password *password = bind_password_new("old");
	struct bind_attempt attempts[3];
	struct buf why = { 0 };

	(void)state;
	expect_attempt(password, NOW, "old", true, BIND_ACCEPTED);
	for (size_t i = 0; i < ARRAY_LEN(attempts); i++)
		assert_true(bind_password_begin(password, NOW, 0, &attempts[i], &why));
	for (size_t i = 0; i < ARRAY_LEN(attempts); i++)
		bind_password_end(password, &attempts[i], BIND_REFUSED, NOW);
	expect_none(password, NOW + MINUTE_MS - 1, "");
	expect_attempt(password, NOW + MINUTE_MS, "old", true, BIND_ACCEPTED);
	bind_password_free(&password);
}

/* ---- threads ---- */

struct asker {
	struct bind_password *password;
	uint64_t wait_ms;
	struct bind_attempt attempt;
	bool may_try;
};

static void *ask(void *arg)
{
	struct asker *asker = arg;
	struct buf why = { 0 };
	uint64_t now_ms = pool_now_ms();

	asker->may_try =
		bind_password_begin(asker->password, now_ms, now_ms + asker->wait_ms, &asker->attempt, &why);
	buf_fini(&why);
	return NULL;
}

static void who_comes_during_a_trial_waits_for_what_comes_of_it(void **state)
{
	static const struct {
		enum bind_outcome outcome;
		bool may_try, is_trial;
	} rows[] = {
		{ BIND_ACCEPTED, true, false },
		{ BIND_REFUSED, false, false },
		{ BIND_UNKNOWN, true, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bind_password *password = bind_password_new("given");
		struct asker first = { password, LONG_MS, { 0 }, false }, second = first;
		pthread_t thread;

		ask(&first);
		assert_true(first.may_try && first.attempt.is_trial);
		assert_int_equal(pthread_create(&thread, NULL, ask, &second), 0);
		usleep(2000); /* whether it waits already or not, the outcome is the same */
		bind_password_end(password, &first.attempt, rows[i].outcome, pool_now_ms());
		assert_int_equal(pthread_join(thread, NULL), 0);
		assert_int_equal(second.may_try, rows[i].may_try);
		if (second.may_try) {
			assert_int_equal(second.attempt.is_trial, rows[i].is_trial);
			bind_password_end(password, &second.attempt, BIND_ACCEPTED, pool_now_ms());
		}
		bind_password_free(&password);
	}
}

static void who_waits_does_so_until_his_deadline(void **state)
{
	struct bind_password *password = bind_password_new("given");
	struct asker first = { password, LONG_MS, { 0 }, false },
		     second = { password, SHORT_MS, { 0 }, false };
	uint64_t began_ms = pool_now_ms();

	(void)state;
	ask(&first);
	ask(&second);
	assert_false(second.may_try);
	assert_true(pool_now_ms() - began_ms >= SHORT_MS);
	bind_password_end(password, &first.attempt, BIND_ACCEPTED, pool_now_ms());
	bind_password_free(&password);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_accepted_is_no_trial_any_more),
		cmocka_unit_test(what_is_missing_is_told_with_its_cure),
		cmocka_unit_test(what_was_refused_is_left_alone_ever_longer),
		cmocka_unit_test(another_password_is_tried_at_once_and_the_same_again_is_not),
		cmocka_unit_test(several_that_are_refused_together_count_once),
		cmocka_unit_test(who_comes_during_a_trial_waits_for_what_comes_of_it),
		cmocka_unit_test(who_waits_does_so_until_his_deadline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
