/* Whom to believe about the master, and the conversation with one Sentinel, whole and byte by byte. */
#include "cmocka_all.h"

#include "skein/cluster/sentinel.h"

#include <hiredis/hiredis.h>
#include <stdio.h>

#define NONE                                                                                                 \
	{                                                                                                    \
		"", 0, 0                                                                                     \
	}
#define AT(host, epoch)                                                                                      \
	{                                                                                                    \
		host, 6379, epoch                                                                            \
	}
#define PONG             "+PONG\r\n"
#define LEFT             "*3\r\n$11\r\nunsubscribe\r\n$14\r\n+switch-master\r\n:0\r\n"
#define JOINED           "*3\r\n$9\r\nsubscribe\r\n$14\r\n+switch-master\r\n:1\r\n"
#define MASTER(epoch)    "*4\r\n$4\r\nname\r\n$4\r\nmail\r\n$12\r\nconfig-epoch\r\n$1\r\n" epoch "\r\n"
#define PLACE            "*2\r\n$8\r\n10.0.0.1\r\n$4\r\n6379\r\n"
#define SWITCHED(master) "*3\r\n$7\r\nmessage\r\n$14\r\n+switch-master\r\n" master
#define MAIL_SWITCHED    SWITCHED("$32\r\nmail 10.0.0.1 6379 10.0.0.2 6379\r\n")
#define WEB_SWITCHED     SWITCHED("$31\r\nweb 10.0.0.1 6379 10.0.0.2 6379\r\n")

static void the_highest_epoch_wins_then_the_votes_then_the_order(void **state)
{
	static const struct {
		const char *why;
		struct sentinel_answer answers[3], held;
		const char *expected; /* NULL: nobody knows */
	} rows[] = {
		{ "nobody answers", { NONE, NONE, NONE }, NONE, NULL },
		{ "nobody answers any more", { NONE, NONE, NONE }, AT("a", 4), "a" },
		{ "all agree", { AT("a", 1), AT("a", 1), AT("a", 1) }, NONE, "a" },
		{ "one is enough", { NONE, NONE, AT("a", 1) }, NONE, "a" },
		{ "one was cut off with the old master", { AT("a", 1), AT("b", 2), AT("b", 2) }, NONE, "b" },
		{ "two have not heard yet", { AT("a", 1), AT("a", 1), AT("b", 2) }, NONE, "b" },
		{ "nor has who is asked", { AT("a", 1), AT("a", 1), AT("b", 2) }, AT("a", 1), "b" },
		{ "only the one that was cut off answers", { AT("a", 1), NONE, NONE }, AT("b", 2), "b" },
		{ "set up anew", { AT("a", 0), AT("a", 0), NONE }, AT("b", 2), "a" },
		{ "set up anew in disagreement", { AT("a", 0), AT("c", 0), NONE }, AT("b", 2), "b" },
		{ "the majority of equal epochs", { AT("a", 0), AT("b", 0), AT("b", 0) }, NONE, "b" },
		{ "the first of equals", { AT("b", 0), AT("a", 0), NONE }, NONE, "b" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct sentinel_answer *chosen = sentinel_choose(rows[i].answers, 3, &rows[i].held);
		const char *found = chosen ? chosen->host : "nobody";

		if (strcmp(found, rows[i].expected ? rows[i].expected : "nobody") != 0)
			fail_msg("%s: %s", rows[i].why, found);
	}
}

static void more_than_half_are_a_majority(void **state)
{
	(void)state;
	assert_true(sentinel_is_majority(1, 1));
	assert_false(sentinel_is_majority(1, 2));
	assert_true(sentinel_is_majority(2, 3));
	assert_false(sentinel_is_majority(2, 4));
}

/* ---- the conversation ---- */

struct fixture {
	struct redis_link *link;
	struct buf written;
	unsigned readies, losses, answers, switches;
	struct sentinel_answer answer;
	char why[256];
	uint64_t now_ms;
};

static void on_write(void *ctx, struct span bytes)
{
	buf_append(&((struct fixture *)ctx)->written, bytes);
}

static void on_close(void *ctx)
{
	struct fixture *f = ctx;

	redis_link_disconnected(f->link, "closed", f->now_ms);
}

static void on_event(void *arg, enum redis_link_event event, const char *why)
{
	struct fixture *f = arg;

	f->readies += event == LINK_READY;
	f->losses += event == LINK_LOST;
	if (why)
		snprintf(f->why, sizeof(f->why), "%s", why);
}

static void on_published(void *arg, const redisReply *message)
{
	((struct fixture *)arg)->switches += sentinel_is_switch(message, "mail");
}

static void on_answer(void *arg, const struct sentinel_answer *answer, const char *why)
{
	struct fixture *f = arg;

	f->answers++;
	f->answer = answer ? *answer : (struct sentinel_answer)NONE;
	snprintf(f->why, sizeof(f->why), "%s", why ? why : "");
}

static void open_fixture(struct fixture *f, const char *password)
{
	const struct redis_transport transport = { f, on_write, on_close };
	const struct redis_link_options options = {
		.prefix = "",
		.password = password,
		.handshake_timeout_ms = 1000,
		.call_timeout_ms = 500,
		.is_sentinel = true,
		.on_published = on_published,
		.published_arg = f,
	};

	*f = (struct fixture){ .now_ms = 1000 };
	f->link = redis_link_new(&options, transport, on_event, f);
	redis_link_connecting(f->link, f->now_ms);
	redis_link_connected(f->link, f->now_ms);
}

static void close_fixture(struct fixture *f)
{
	redis_link_disconnected(f->link, "test ends", f->now_ms);
	redis_link_free(&f->link);
	buf_fini(&f->written);
}

static void feed(struct fixture *f, const char *text, size_t step)
{
	for (struct span bytes = span_of_str(text); bytes.len;) {
		size_t len = step < bytes.len ? step : bytes.len;

		redis_link_received(f->link, span_take(bytes, len), f->now_ms);
		bytes = span_drop(bytes, len);
	}
}

static void it_is_asked_and_tells_of_failovers_between_answers(void **state)
{
	struct fixture f;

	(void)state;
	for (size_t step = 1; step <= 1000; step += 999) {
		open_fixture(&f, NULL);
		assert_false(sentinel_ask(f.link, "mail", true, f.now_ms, on_answer, &f));
		feed(&f, PONG, step);
		assert_int_equal(f.readies, 1);
		assert_true(sentinel_ask(f.link, "mail", true, f.now_ms, on_answer, &f));
		feed(&f, LEFT MASTER("7") PLACE JOINED WEB_SWITCHED MAIL_SWITCHED, step);
		assert_int_equal(f.answers, 1);
		assert_string_equal(f.answer.host, "10.0.0.1");
		assert_int_equal(f.answer.port, 6379);
		assert_int_equal(f.answer.epoch, 7);
		assert_int_equal(f.switches, 1);
		/* What was published on the way does not put answers out of step. */
		assert_true(sentinel_ask(f.link, "mail", true, f.now_ms, on_answer, &f));
		feed(&f, MAIL_SWITCHED LEFT MASTER("8") PLACE JOINED, step);
		assert_int_equal(f.answers, 2);
		assert_int_equal(f.answer.epoch, 8);
		assert_int_equal(f.switches, 2);
		assert_int_equal(f.losses, 0);
		close_fixture(&f);
	}
}

static void what_goes_wrong_is_told_with_its_cure(void **state)
{
	static const struct {
		const char *replies, *why;
	} rows[] = {
		{ "-ERR unknown command 'SENTINEL'\r\n-ERR unknown command 'SENTINEL'\r\n",
			"this is no Sentinel" },
		{ "-ERR No such master with that name\r\n*-1\r\n", "check redis.master_name" },
		{ "-NOPERM no\r\n" PLACE, "+sentinel|master" },
		{ MASTER("1") "*-1\r\n", "knows no place" },
		{ MASTER("1") "*2\r\n$1\r\na\r\n$1\r\n0\r\n", "knows no place" },
		{ MASTER("1") "*2\r\n$3\r\na b\r\n$1\r\n1\r\n", "knows no place" },
		{ MASTER("1") "*2\r\n$0\r\n\r\n$1\r\n1\r\n", "knows no place" },
		{ "*2\r\n$4\r\nname\r\n$4\r\nmail\r\n" PLACE, "no config-epoch" },
		{ MASTER("x") PLACE, "no config-epoch" },
		{ ":1\r\n:1\r\n", "no config-epoch" },
	};
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		open_fixture(&f, NULL);
		feed(&f, PONG, 1000);
		assert_true(sentinel_ask(f.link, "mail", false, f.now_ms, on_answer, &f));
		feed(&f, rows[i].replies, 1000);
		assert_int_equal(f.answers, 1);
		assert_string_equal(f.answer.host, "");
		if (!strstr(f.why, rows[i].why))
			fail_msg("row %zu: %s", i, f.why);
		close_fixture(&f);
	}
}

static void a_login_that_is_refused_or_missing_is_told(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f, "wrong");
	feed(&f, "-WRONGPASS invalid username-password pair\r\n", 1000);
	assert_int_equal(f.losses, 1);
	assert_non_null(strstr(f.why, "refuses the login"));
	close_fixture(&f);
	open_fixture(&f, NULL);
	feed(&f, "-NOAUTH Authentication required.\r\n", 1000);
	assert_int_equal(f.losses, 1);
	assert_non_null(strstr(f.why, "wants a password"));
	close_fixture(&f);
}

static void one_that_does_not_answer_is_left(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f, NULL);
	feed(&f, PONG, 1000);
	assert_int_equal(redis_link_tick(f.link, f.now_ms), UINT64_MAX); /* no watch of its own */
	assert_true(sentinel_ask(f.link, "mail", true, f.now_ms, on_answer, &f));
	assert_int_equal(redis_link_tick(f.link, f.now_ms), f.now_ms + 500);
	f.now_ms += 500;
	(void)redis_link_tick(f.link, f.now_ms);
	assert_int_equal(f.losses, 1);
	assert_int_equal(f.answers, 1);
	assert_string_equal(f.answer.host, "");
	close_fixture(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_highest_epoch_wins_then_the_votes_then_the_order),
		cmocka_unit_test(more_than_half_are_a_majority),
		cmocka_unit_test(it_is_asked_and_tells_of_failovers_between_answers),
		cmocka_unit_test(what_goes_wrong_is_told_with_its_cure),
		cmocka_unit_test(a_login_that_is_refused_or_missing_is_told),
		cmocka_unit_test(one_that_does_not_answer_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
