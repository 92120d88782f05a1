/* A login's way past the guard: held back, stopped, crowded, gone. Without Redis: by the node's own counts.
 */
#include "cmocka_all.h"

#include "inbound/login_guard.h"
#include "lone_link.h"
#include "loop_until.h"

enum { STOP = 3, DELAY_MS = 40, PATIENCE_MS = 60000 };

struct lab {
	struct loop loop;
	struct random random;
	struct redis_link *link;
	struct guard *guard;
	struct login_guard_desk desk;
};

struct client {
	struct login_guard login;
	struct lab *lab;
	unsigned answers, ends;
	enum login_guard_answer answer;
	bool is_banned;
};

static void set_rules(struct lab *lab, unsigned address_failures)
{
	const struct abuse_rules rules = {
		.address_failures = address_failures,
		.window_ms = 600000,
		.account_window_ms = 600000,
		.ban_first_ms = 60000,
		.ban_max_ms = 60000,
		.delay_first_ms = DELAY_MS,
		.delay_max_ms = DELAY_MS,
		.account_failures = STOP,
	};

	guard_set_rules(lab->guard, &rules, NULL, 0);
}

static int setup(void **state)
{
	static struct lab lab;
	const struct guard_options guard = { .bans_max = 100, .counters_max = 100, .seed = { 1, 2 } };

	lab = (struct lab){ .guard = guard_new(&guard) };
	assert_int_equal(loop_init(&lab.loop), ERR_OK);
	random_seed(&lab.random);
	lab.link = lone_link_new();
	lab.desk = (struct login_guard_desk){ &lab.loop, &lab.random, lab.guard, lab.link };
	set_rules(&lab, 0);
	*state = &lab;
	return 0;
}

static int teardown(void **state)
{
	struct lab *lab = *state;

	redis_link_free(&lab->link);
	guard_free(&lab->guard);
	loop_fini(&lab->loop);
	return 0;
}

static void on_answer(void *arg, enum login_guard_answer answer)
{
	struct client *client = arg;

	client->answer = answer;
	client->answers++;
}

static void on_ended(void *arg, bool is_banned)
{
	struct client *client = arg;

	client->is_banned = is_banned;
	client->ends++;
}

static struct network somewhere(void)
{
	struct network network;

	assert_true(network_parse(SPAN_LIT("192.0.2.7"), &network));
	return network;
}

static void ask(struct client *client, uint64_t patience_ms)
{
	const struct network from = somewhere();

	login_guard_ask(
		&client->login, &client->lab->desk, SPAN_LIT("ann"), &from, patience_ms, on_answer, client);
}

static void end(struct client *client, enum guard_end how)
{
	client->ends = 0;
	login_guard_end(&client->login, &client->lab->desk, how, on_ended, client);
}

static void fail_login(struct client *client)
{
	ask(client, PATIENCE_MS);
	end(client, GUARD_FAILED);
	RUN_UNTIL(&client->lab->loop, client->ends);
}

static void a_refusal_is_held_back_and_a_success_is_not(void **state)
{
	struct client client = { .lab = *state };

	ask(&client, PATIENCE_MS);
	assert_int_equal(client.answer, LOGIN_MAY_ASK);
	end(&client, GUARD_PROVEN);
	assert_int_equal(client.ends, 1);

	ask(&client, PATIENCE_MS);
	end(&client, GUARD_FAILED);
	assert_int_equal(client.ends, 0);
	assert_true(loop_timer_is_set(&client.login.timer));
	RUN_UNTIL(&client.lab->loop, client.ends);
	assert_false(client.is_banned);
}

static void what_was_never_asked_about_takes_its_time_too(void **state)
{
	struct client client = { .lab = *state };

	end(&client, GUARD_REFUSED);
	assert_int_equal(client.ends, 0);
	RUN_UNTIL(&client.lab->loop, client.ends);
	end(&client, GUARD_NOT_ASKED);
	assert_int_equal(client.ends, 1);
}

static void after_too_many_nobody_is_asked(void **state)
{
	struct client client = { .lab = *state };

	for (unsigned i = 0; i < STOP; i++)
		fail_login(&client);
	ask(&client, PATIENCE_MS);
	assert_int_equal(client.answer, LOGIN_STOPPED);
	end(&client, GUARD_FAILED);
	RUN_UNTIL(&client.lab->loop, client.ends);
}

static void the_one_too_many_is_banned(void **state)
{
	struct client client = { .lab = *state };
	const struct network from = somewhere();

	set_rules(client.lab, 2);
	fail_login(&client);
	fail_login(&client);
	assert_false(client.is_banned);
	fail_login(&client);
	assert_true(client.is_banned);
	assert_true(guard_banned_until(client.lab->guard, &from, loop_boottime_ms()) > 0);
}

static void a_crowd_waits_its_turn(void **state)
{
	struct client crowd[STOP + 1] = { { .answers = 0 } }, *last = &crowd[STOP];

	for (unsigned i = 0; i <= STOP; i++)
		crowd[i].lab = *state;
	for (unsigned i = 0; i < STOP; i++)
		ask(&crowd[i], PATIENCE_MS);
	ask(last, PATIENCE_MS);
	assert_int_equal(last->answers, 0);
	end(&crowd[0], GUARD_PROVEN);
	RUN_UNTIL(&last->lab->loop, last->answers);
	assert_int_equal(last->answer, LOGIN_MAY_ASK);

	ask(&crowd[0], 0);
	assert_int_equal(crowd[0].answer, LOGIN_CROWDED);
	end(&crowd[0], GUARD_NOT_ASKED);
	assert_int_equal(crowd[0].ends, 1);
}

/* Whoever hangs up before the directory has spoken may have cost the account a failure. */
static void who_leaves_is_counted_for_the_account(void **state)
{
	struct client client = { .lab = *state };

	for (unsigned i = 0; i < STOP; i++) {
		ask(&client, PATIENCE_MS);
		assert_int_equal(client.answer, LOGIN_MAY_ASK);
		login_guard_cancel(&client.login);
	}
	ask(&client, PATIENCE_MS);
	assert_int_equal(client.answer, LOGIN_STOPPED);
	login_guard_cancel(&client.login);
}

static void who_leaves_while_held_back_hears_nothing(void **state)
{
	struct client client = { .lab = *state };

	ask(&client, PATIENCE_MS);
	end(&client, GUARD_FAILED);
	assert_true(loop_timer_is_set(&client.login.timer));
	login_guard_cancel(&client.login);
	assert_false(loop_timer_is_set(&client.login.timer));
	settle(&client.lab->loop);
	assert_int_equal(client.ends, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_refusal_is_held_back_and_a_success_is_not, setup, teardown),
		cmocka_unit_test_setup_teardown(
			what_was_never_asked_about_takes_its_time_too, setup, teardown),
		cmocka_unit_test_setup_teardown(after_too_many_nobody_is_asked, setup, teardown),
		cmocka_unit_test_setup_teardown(the_one_too_many_is_banned, setup, teardown),
		cmocka_unit_test_setup_teardown(a_crowd_waits_its_turn, setup, teardown),
		cmocka_unit_test_setup_teardown(who_leaves_is_counted_for_the_account, setup, teardown),
		cmocka_unit_test_setup_teardown(who_leaves_while_held_back_hears_nothing, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
