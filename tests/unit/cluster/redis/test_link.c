/* The connection: its handshake, the watch over an idle one, a server that misbehaves. */
#include "scripted_link.h"

/* ---- handshake ---- */

static void it_logs_in_and_asks_everything_in_one_round_trip(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, 0);
	f.options.user = "u";
	f.options.password = "secret";
	f.options.client_name = "skeind:a";
	connect_link(&f);
	assert_written(&f, "*3\r\n$4\r\nAUTH\r\n$1\r\nu\r\n$6\r\nsecret\r\n"
			   "*3\r\n$6\r\nCLIENT\r\n$7\r\nSETNAME\r\n$8\r\nskeind:a\r\n"
			   "*1\r\n$4\r\nINFO\r\n"
			   "*2\r\n$6\r\nCLIENT\r\n$4\r\nINFO\r\n"
			   "*3\r\n$6\r\nCONFIG\r\n$3\r\nGET\r\n$4\r\nsave\r\n"
			   "*4\r\n$8\r\nFUNCTION\r\n$4\r\nLIST\r\n$11\r\nLIBRARYNAME\r\n$5\r\nlib_1\r\n");
	fixture_close(&f);
}

static void it_logs_in_as_it_was_told(void **state)
{
	static const struct {
		const char *user, *password, *written;
	} rows[] = {
		{ NULL, NULL, "*1\r\n$4\r\nINFO\r\n" },
		{ NULL, "p", "*2\r\n$4\r\nAUTH\r\n$1\r\np\r\n*1\r\n" },
		{ "u", NULL, "*3\r\n$4\r\nAUTH\r\n$1\r\nu\r\n$0\r\n\r\n*1\r\n" },
	};
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		fixture_open(&f, 0);
		f.options.user = rows[i].user;
		f.options.password = rows[i].password;
		connect_link(&f);
		assert_true(span_starts_with(buf_span(&f.written), span_of_str(rows[i].written)));
		fixture_close(&f);
	}
}

static void it_is_ready_with_what_the_server_said(void **state)
{
	const struct redis_identity *identity;
	struct fixture f;

	(void)state;
	FOR_EACH_CHUNK(f)
	{
		connect_link(&f);
		feed_bulk(&f, INFO_MASTER);
		feed(&f, CLIENT_LOCAL SAVE_SOME);
		assert_false(redis_link_is_ready(f.link));
		feed(&f, LIBRARY_THERE);
		assert_true(redis_link_is_ready(f.link));
		identity = redis_link_identity(f.link);
		assert_string_equal(identity->replication_id, REPLID);
		assert_string_equal(identity->version, "7.0.15");
		assert_int_equal(identity->replicas, 1);
		assert_int_equal(identity->appendonly, REDIS_NO);
		assert_int_equal(identity->persistent, REDIS_YES);
		assert_int_equal(identity->noeviction, REDIS_YES);
		assert_string_equal(identity->eviction, "noeviction");
		assert_int_equal(identity->same_host, REDIS_YES);
		assert_int_equal(identity->memory_used, 1000);
		assert_int_equal(identity->memory_max, 5000);
		assert_int_equal(f.closes, 0);
		fixture_close(&f);
	}
}

static void what_an_acl_hides_is_unknown_and_no_reason_to_leave(void **state)
{
	const struct redis_identity *identity;
	struct fixture f;

	(void)state;
	FOR_EACH_CHUNK(f)
	{
		f.options.client_name = "x";
		connect_link(&f);
		feed(&f, NOPERM);
		feed_bulk(&f, "redis_version:7.2.1\r\nrole:master\r\nmaster_replid:" REPLID "\r\n");
		feed(&f, NOPERM NOPERM LIBRARY_THERE);
		assert_true(redis_link_is_ready(f.link));
		identity = redis_link_identity(f.link);
		assert_int_equal(identity->persistent, REDIS_FACT_UNKNOWN);
		assert_int_equal(identity->appendonly, REDIS_FACT_UNKNOWN);
		assert_int_equal(identity->noeviction, REDIS_FACT_UNKNOWN);
		assert_int_equal(identity->same_host, REDIS_FACT_UNKNOWN);
		fixture_close(&f);
	}
}

static void persistence_is_told_by_either_of_its_two_signs(void **state)
{
	static const struct {
		const char *aof, *save;
		enum redis_fact persistent;
	} rows[] = {
		{ "0", SAVE_NONE, REDIS_NO },
		{ "0", SAVE_SOME, REDIS_YES },
		{ "1", SAVE_NONE, REDIS_YES },
		{ "1", NOPERM, REDIS_YES },
		{ "0", NOPERM, REDIS_FACT_UNKNOWN },
	};
	struct fixture f;
	char info[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		fixture_open(&f, 0);
		connect_link(&f);
		snprintf(info, sizeof(info), "%saof_enabled:%s\r\n", INFO_MASTER, rows[i].aof);
		feed_bulk(&f, info);
		feed(&f, CLIENT_REMOTE);
		feed(&f, rows[i].save);
		feed(&f, LIBRARY_THERE);
		assert_int_equal(redis_link_identity(f.link)->persistent, rows[i].persistent);
		assert_int_equal(redis_link_identity(f.link)->same_host, REDIS_NO);
		fixture_close(&f);
	}
}

static void a_missing_library_is_loaded(void **state)
{
	static const char *const answers[] = { "$5\r\nlib_1\r\n", "-ERR Library 'lib_1' already exists\r\n" };
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		FOR_EACH_CHUNK(f)
		{
			connect_link(&f);
			feed_bulk(&f, INFO_MASTER);
			buf_clear(&f.written);
			feed(&f, CLIENT_REMOTE SAVE_NONE LIBRARY_MISSING);
			assert_false(redis_link_is_ready(f.link));
			assert_written(
				&f, "*3\r\n$8\r\nFUNCTION\r\n$4\r\nLOAD\r\n$16\r\n#!lua name=lib_1\r\n");
			feed(&f, answers[i]);
			assert_true(redis_link_is_ready(f.link));
			fixture_close(&f);
		}
	}
}

/* `info` NULL: `rest` is all. */
static const struct refusal {
	const char *auth, *info, *rest, *why;
} refusals[] = {
	{ "-WRONGPASS invalid username-password pair\r\n", NULL, "", "check user and password): WRONGPASS" },
	{ OK, NULL, "-ERR max number of clients reached\r\n", "refuses the connection: ERR max number" },
	{ OK OK, NULL, NOPERM, "the user needs +info" },
	{ OK OK, NULL, "-DENIED Redis is running in protected mode\r\n", "refuses the connection: DENIED" },
	{ OK OK, NULL, "-NOAUTH Authentication required.\r\n", "wants a password" },
	{ OK "-NOAUTH Authentication required.\r\n", NULL, "", "wants a password" },
	{ OK OK, "redis_version:6.2.7\r\nrole:master\r\n", "", "Redis 6.2.7 is too old" },
	{ OK OK, "nothing", "", "too old" },
	{ OK OK, "redis_version:7.0.1\r\nrole:master\r\n", "", "replication id" },
	{ OK OK, INFO_MASTER "loading:1\r\n", "", "loading" },
	{ OK OK, INFO_MASTER "cluster_enabled:1\r\n", "", "Cluster" },
	{ OK OK, INFO_MASTER "role:slave\r\nmaster_host:db1\r\nmaster_port:6379\r\n", "",
		"replica of db1:6379: the address of the master is needed" },
	{ OK OK, INFO_MASTER, CLIENT_REMOTE SAVE_NONE NOPERM, "the user needs +function" },
	{ OK OK, INFO_MASTER, CLIENT_REMOTE SAVE_NONE LIBRARY_MISSING "-OOM command not allowed\r\n",
		"does not load the function library lib_1: OOM" },
};

static void a_server_that_will_not_do_is_left_with_the_reason(void **state)
{
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		FOR_EACH_CHUNK(f)
		{
			f.options.password = "p";
			f.options.client_name = "n";
			connect_link(&f);
			feed(&f, refusals[i].auth);
			if (refusals[i].info)
				feed_bulk(&f, refusals[i].info);
			feed(&f, refusals[i].rest);
			assert_lost(&f, refusals[i].why);
			assert_int_equal(f.readies, 0);
			fixture_close(&f);
		}
	}
}

static void one_deadline_covers_connecting_and_the_handshake(void **state)
{
	struct redis_transport transport;
	struct fixture f;

	(void)state;
	fixture_open(&f, 0);
	transport = (struct redis_transport){ &f, on_write, on_close };
	f.link = redis_link_new(&f.options, transport, on_event, &f);
	assert_int_equal(redis_link_tick(f.link, f.now_ms), UINT64_MAX);
	redis_link_connecting(f.link, 100);
	assert_int_equal(redis_link_tick(f.link, 500), 100 + HANDSHAKE_MS);
	redis_link_connected(f.link, 600);
	assert_int_equal(redis_link_tick(f.link, 99 + HANDSHAKE_MS), 100 + HANDSHAKE_MS);
	assert_int_equal(f.closes, 0);
	assert_int_equal(redis_link_tick(f.link, 100 + HANDSHAKE_MS), UINT64_MAX);
	assert_lost(&f, "no connection to Redis within 1000 ms");
	fixture_close(&f);
}

static void a_connection_that_never_came_is_lost_too(void **state)
{
	struct redis_transport transport;
	struct fixture f;

	(void)state;
	fixture_open(&f, 0);
	transport = (struct redis_transport){ &f, on_write, on_close };
	f.link = redis_link_new(&f.options, transport, on_event, &f);
	redis_link_connecting(f.link, 100);
	redis_link_disconnected(f.link, "connection refused", 200);
	assert_int_equal(f.losses, 1);
	assert_string_equal(f.why, "connection refused");
	redis_link_disconnected(f.link, "told again", 200);
	assert_int_equal(f.losses, 1);
	fixture_close(&f);
}

/* ---- the watch ---- */

static void tick_to_watch(struct fixture *f)
{
	buf_clear(&f->written);
	assert_int_equal(redis_link_tick(f->link, f->now_ms), f->now_ms + REDIS_LINK_WATCH_MS);
	f->now_ms += REDIS_LINK_WATCH_MS;
	assert_int_equal(redis_link_tick(f->link, f->now_ms), f->now_ms + CALL_MS);
	assert_written(f, "*3\r\n$4\r\nINFO\r\n$11\r\nreplication\r\n$6\r\nmemory\r\n");
	assert_int_equal(redis_link_in_flight(f->link), 0);
}

static void an_idle_link_watches_its_server(void **state)
{
	struct fixture f;

	(void)state;
	FOR_EACH_CHUNK(f)
	{
		make_ready(&f);
		tick_to_watch(&f);
		feed_bulk(&f, "role:master\r\nconnected_slaves:3\r\nmaster_replid:" REPLID "\r\n");
		assert_int_equal(redis_link_identity(f.link)->replicas, 3);
		tick_to_watch(&f);
		feed(&f, NOPERM);
		assert_true(redis_link_is_ready(f.link));
		tick_to_watch(&f);
		redis_link_tick(f.link, f.now_ms + CALL_MS);
		assert_lost(&f, "did not answer");
		fixture_close(&f);
	}
}

static void a_server_that_is_another_one_now_is_left(void **state)
{
	static const struct {
		const char *info, *why;
	} rows[] = {
		{ "role:master\r\nmaster_replid:ffff456789abcdef0123456789abcdef01234567\r\n",
			"replication id of Redis has changed" },
		{ "role:slave\r\nmaster_host:db2\r\nmaster_port:7\r\nmaster_replid:" REPLID "\r\n",
			"has become a replica of db2:7" },
	};
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		FOR_EACH_CHUNK(f)
		{
			make_ready(&f);
			tick_to_watch(&f);
			feed_bulk(&f, rows[i].info);
			assert_lost(&f, rows[i].why);
			fixture_close(&f);
		}
	}
}

/* ---- a server that misbehaves ---- */

static void a_breach_of_the_protocol_ends_the_connection(void **state)
{
	static const struct {
		const char *bytes, *why;
	} rows[] = {
		{ "hello\r\n", "broke the protocol" },
		{ "%1\r\n", "broke the protocol" }, /* RESP3 */
		{ "_\r\n", "broke the protocol" },
		{ "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n", "broke the protocol" },
		{ "*2147483647\r\n", "broke the protocol" },
		{ "*1048577\r\n", "broke the protocol" },
		{ "+1\r\n+2\r\n", "nobody asked" },
	};
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		FOR_EACH_CHUNK(f)
		{
			make_ready(&f);
			call(&f, "a", REDIS_CALL_PLAIN);
			feed(&f, rows[i].bytes);
			assert_lost(&f, rows[i].why);
			fixture_close(&f);
		}
	}
}

static void a_reply_that_never_ends_is_cut_off(void **state)
{
	static char megabyte[1024 * 1024];
	struct fixture f;

	(void)state;
	fixture_open(&f, 0);
	make_ready(&f);
	call(&f, "a", REDIS_CALL_PLAIN);
	feed(&f, "$400000000\r\n");
	for (unsigned i = 0; i < REDIS_LINK_REPLY_MAX / sizeof(megabyte) && f.closes == 0; i++)
		feed_span(&f, span_of(megabyte, sizeof(megabyte)));
	assert_lost(&f, "the reply is too large");
	fixture_close(&f);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_logs_in_and_asks_everything_in_one_round_trip),
		cmocka_unit_test(it_logs_in_as_it_was_told),
		cmocka_unit_test(it_is_ready_with_what_the_server_said),
		cmocka_unit_test(what_an_acl_hides_is_unknown_and_no_reason_to_leave),
		cmocka_unit_test(persistence_is_told_by_either_of_its_two_signs),
		cmocka_unit_test(a_missing_library_is_loaded),
		cmocka_unit_test(a_server_that_will_not_do_is_left_with_the_reason),
		cmocka_unit_test(one_deadline_covers_connecting_and_the_handshake),
		cmocka_unit_test(a_connection_that_never_came_is_lost_too),
		cmocka_unit_test(an_idle_link_watches_its_server),
		cmocka_unit_test(a_server_that_is_another_one_now_is_left),
		cmocka_unit_test(a_breach_of_the_protocol_ends_the_connection),
		cmocka_unit_test(a_reply_that_never_ends_is_cut_off),
	};

	return cmocka_run_group_tests_name("redis_link", tests, NULL, NULL);
}
