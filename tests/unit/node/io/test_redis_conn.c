/* A connection of a loop to a real Redis: in clear, over TLS, and through everything that ends it. */
#include "cmocka_all.h"

#include "io/redis_conn.h"
#include "io_fixture.h"
#include "redis_server.h"
#include "skein/cluster/redis_functions.h"
#include "test_certs.h"

#include <hiredis/hiredis.h>

/* A library that needs nothing but Redis itself. */
const char redis_functions_name[] = "skein_test_1";
const char redis_functions_version[] = "1";
const char redis_functions_source[] = "#!lua name=skein_test_1\n"
				      "redis.register_function('skein_test_1_echo', function(keys, args)\n"
				      "  redis.call('SET', keys[1], args[1])\n"
				      "  return args[1]\n"
				      "end)\n";

enum { CALL_MS = 300, HANDSHAKE_MS = 5000 };

struct world {
	struct loop loop;
	struct redis_server redis;
	struct test_certs certs;
	struct redis_conn_options options;
	struct redis_conn *conn;
	unsigned readies, losses, replies, unreplicated, unknowns;
	char replication_id[41], why[256], text[64];
	enum redis_fact same_host;
};

static struct world world;

static void on_ready(void *arg, const struct redis_identity *identity)
{
	(void)arg;
	assert_true(redis_link_is_ready(redis_conn_link(world.conn)));
	world.readies++;
	snprintf(world.replication_id, sizeof(world.replication_id), "%s", identity->replication_id);
	world.same_host = identity->same_host;
}

static void on_lost(void *arg, const char *why)
{
	(void)arg;
	world.losses++;
	snprintf(world.why, sizeof(world.why), "%s", why);
}

static const struct redis_conn_callbacks callbacks = { on_ready, on_lost };

static void on_reply(void *arg, enum redis_outcome outcome, const redisReply *reply)
{
	(void)arg;
	if (outcome == REDIS_UNKNOWN) {
		world.unknowns++;
		return;
	}
	world.replies++;
	world.unreplicated += outcome == REDIS_UNREPLICATED;
	snprintf(world.text, sizeof(world.text), "%s", reply->str ? reply->str : "");
}

static bool echo(const char *text)
{
	struct span argv[] = { SPAN_LIT("FCALL"), SPAN_LIT("skein_test_1_echo"), SPAN_LIT("1"),
		SPAN_LIT("key"), span_of_str(text) };

	return redis_link_call(redis_conn_link(world.conn), ARRAY_LEN(argv), argv, REDIS_CALL_REPLICATED,
		loop_boottime_ms(), on_reply, NULL);
}

static int open_world(void **state)
{
	(void)state;
	memset(&world, 0, sizeof(world));
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(loop_init(&world.loop), ERR_OK);
	certs_init(&world.certs);
	certs_issue(&world.certs, "server", "redis.example", "DNS:redis.example,IP:127.0.0.1");
	certs_issue(&world.certs, "client", "skein", "DNS:skein");
	world.options = (struct redis_conn_options){
		.host = "127.0.0.1",
		.reconnect_first_ms = 5,
		.reconnect_max_ms = 40,
		.link = { .prefix = "skein:",
			.client_name = "skeind:test",
			.handshake_timeout_ms = HANDSHAKE_MS,
			.call_timeout_ms = CALL_MS },
	};
	return 0;
}

static int close_world(void **state)
{
	(void)state;
	redis_conn_free(&world.conn);
	redis_server_stop(&world.redis);
	stream_abort_all(&world.loop);
	settle(&world.loop);
	loop_fini(&world.loop);
	certs_fini(&world.certs);
	return 0;
}

static void start(const char *const *redis_args)
{
	redis_server_start(&world.redis, redis_args);
	world.options.port = world.redis.port;
	world.conn = redis_conn_new(&world.loop, &world.options, &callbacks, NULL);
}

static void assert_echo_works(const char *text)
{
	unsigned before = world.replies;

	assert_true(echo(text));
	RUN_UNTIL(&world.loop, world.replies == before + 1);
	assert_string_equal(world.text, text);
}

static void assert_why_has(const char *words)
{
	if (!strstr(world.why, words))
		fail_msg("lost for \"%s\", expected \"%s\"", world.why, words);
}

static void it_connects_loads_the_library_and_carries_calls(void **state)
{
	(void)state;
	start(NULL);
	assert_false(echo("early"));
	RUN_UNTIL(&world.loop, world.readies == 1);
	assert_echo_works("hello");
	assert_int_equal(strlen(world.replication_id), 40);
	assert_int_equal(world.same_host, REDIS_YES);
	assert_int_equal(world.losses, 0);
}

static void a_name_is_resolved_and_its_addresses_are_tried_in_turn(void **state)
{
	(void)state;
	world.options.host = "localhost"; /* ::1 too, maybe; Redis listens on 127.0.0.1 */
	start(NULL);
	RUN_UNTIL(&world.loop, world.readies == 1);
	assert_echo_works("hello");
}

static void a_name_that_does_not_exist_is_told(void **state)
{
	(void)state;
	world.options.host = "no-such-host.invalid";
	start(NULL);
	RUN_UNTIL(&world.loop, world.losses == 1);
	assert_why_has("cannot resolve no-such-host.invalid");
}

static void it_tries_for_ever_and_tells_equal_failures_once(void **state)
{
	struct sockaddr_in name;
	int listening = raw_listen(&name);
	int fd = -1;

	(void)state;
	assert_int_equal(fcntl(listening, F_SETFL, O_NONBLOCK), 0);
	world.options.port = ntohs(name.sin_port);
	world.conn = redis_conn_new(&world.loop, &world.options, &callbacks, NULL);
	for (unsigned attempts = 0; attempts < 8; attempts++) {
		RUN_UNTIL(&world.loop, (fd = accept(listening, NULL, NULL)) >= 0);
		close(fd);
	}
	assert_true(world.losses >= 1 && world.losses <= 2); /* closed or reset, as it comes */
	close(listening);
}

static void it_comes_back_after_redis_was_killed_and_sees_another_generation(void **state)
{
	char before[41];

	(void)state;
	start(NULL);
	RUN_UNTIL(&world.loop, world.readies == 1);
	assert_echo_works("one");
	memcpy(before, world.replication_id, sizeof(before));
	redis_server_kill(&world.redis);
	RUN_UNTIL(&world.loop, world.losses >= 1);
	assert_false(echo("nobody there"));
	/* The first loss, then one that says why reconnecting fails, however often it is tried. */
	RUN_UNTIL(&world.loop, strstr(world.why, "refused"));
	redis_server_restart(&world.redis);
	RUN_UNTIL(&world.loop, world.readies == 2);
	assert_true(world.losses <= 3);
	assert_string_not_equal(world.replication_id, before);
	assert_echo_works("two");
}

static void it_waits_until_the_master_is_known_and_tells_why_nobody_knows(void **state)
{
	struct redis_master *master = redis_master_new();

	(void)state;
	redis_server_start(&world.redis, NULL);
	world.options.master = master;
	world.conn = redis_conn_new(&world.loop, &world.options, &callbacks, NULL);
	redis_master_set_trouble(master, "nobody knows");
	RUN_UNTIL(&world.loop, world.losses == 1);
	assert_why_has("nobody knows");
	redis_master_set(master, "127.0.0.1", world.redis.port);
	RUN_UNTIL(&world.loop, world.readies == 1);
	assert_echo_works("hello");
	redis_conn_free(&world.conn);
	redis_master_free(&master);
}

static void it_leaves_the_old_master_at_once_when_the_master_moves(void **state)
{
	struct redis_master *master = redis_master_new();
	struct redis_server other;

	(void)state;
	redis_server_start(&world.redis, NULL);
	redis_server_start(&other, NULL);
	redis_master_set(master, "127.0.0.1", world.redis.port);
	world.options.master = master;
	world.options.link.call_timeout_ms = 60000;
	world.conn = redis_conn_new(&world.loop, &world.options, &callbacks, NULL);
	RUN_UNTIL(&world.loop, world.readies == 1);
	/* Paused: nothing but the news ends the call. */
	redis_server_pause(&world.redis);
	assert_true(echo("never answered"));
	redis_master_set(master, "127.0.0.1", other.port);
	redis_master_set(master, "127.0.0.1", other.port); /* no news */
	RUN_UNTIL(&world.loop, world.readies == 2);
	assert_why_has("the master is 127.0.0.1");
	assert_int_equal(world.losses, 1);
	assert_int_equal(world.unknowns, 1);
	assert_echo_works("hello");
	redis_conn_free(&world.conn);
	redis_master_free(&master);
	redis_server_stop(&other);
}

static void a_paused_redis_is_left_when_a_call_is_late(void **state)
{
	(void)state;
	start(NULL);
	RUN_UNTIL(&world.loop, world.readies == 1);
	redis_server_pause(&world.redis);
	assert_true(echo("lost"));
	RUN_UNTIL(&world.loop, world.unknowns == 1);
	assert_int_equal(world.losses, 1);
	assert_why_has("did not answer within 300 ms");
	redis_server_resume(&world.redis);
	RUN_UNTIL(&world.loop, world.readies == 2);
	assert_echo_works("again");
}

static void one_deadline_ends_an_attempt_that_nobody_answers(void **state)
{
	(void)state;
	world.options.link.handshake_timeout_ms = 100;
	redis_server_start(&world.redis, NULL);
	redis_server_pause(&world.redis);
	world.options.port = world.redis.port;
	world.conn = redis_conn_new(&world.loop, &world.options, &callbacks, NULL);
	RUN_UNTIL(&world.loop, world.losses == 1);
	assert_why_has("no connection to Redis within 100 ms");
	redis_server_resume(&world.redis);
	RUN_UNTIL(&world.loop, world.readies == 1);
}

static void an_acl_user_with_just_enough_rights_will_do(void **state)
{
	static const char *const args[] = { "--user", "default", "off", "--user", "skein", "on", ">secret",
		"~skein:*", "~key", "+info", "+function", "+fcall", "+set", "+wait", NULL };

	(void)state;
	world.options.link.user = "skein";
	world.options.link.password = "secret";
	start(args);
	RUN_UNTIL(&world.loop, world.readies == 1);
	assert_echo_works("hello");
}

static void a_wrong_password_is_told_with_the_cure(void **state)
{
	static const char *const args[] = { "--requirepass", "right", NULL };

	(void)state;
	world.options.link.password = "wrong";
	start(args);
	RUN_UNTIL(&world.loop, world.losses == 1);
	assert_why_has("check user and password");
	assert_int_equal(world.readies, 0);
}

static void a_replica_is_not_connected_to(void **state)
{
	static const char *const args[] = { "--replicaof", "127.0.0.1 1", NULL };

	(void)state;
	start(args);
	RUN_UNTIL(&world.loop, world.losses == 1);
	assert_why_has("replica of 127.0.0.1:1: the address of the master is needed");
}

static void a_master_that_becomes_a_replica_is_left(void **state)
{
	struct span argv[] = { SPAN_LIT("REPLICAOF"), SPAN_LIT("127.0.0.1"), SPAN_LIT("1") };

	(void)state;
	start(NULL);
	RUN_UNTIL(&world.loop, world.readies == 1);
	assert_true(redis_link_call(redis_conn_link(world.conn), 3, argv, 0, loop_boottime_ms(), NULL, NULL));
	assert_true(echo("refused"));
	RUN_UNTIL(&world.loop, world.losses == 1);
	assert_int_equal(world.replies + world.unknowns, 1);
}

static void functions_that_vanish_are_loaded_again(void **state)
{
	struct span argv[] = { SPAN_LIT("FUNCTION"), SPAN_LIT("FLUSH") };

	(void)state;
	start(NULL);
	RUN_UNTIL(&world.loop, world.readies == 1);
	assert_true(redis_link_call(redis_conn_link(world.conn), 2, argv, 0, loop_boottime_ms(), NULL, NULL));
	assert_true(echo("refused"));
	RUN_UNTIL(&world.loop, world.readies == 2);
	assert_why_has("functions are gone");
	assert_echo_works("back");
}

static void without_replicas_a_call_that_wants_one_says_so(void **state)
{
	(void)state;
	world.options.link.wait_replicas = 1;
	start(NULL);
	RUN_UNTIL(&world.loop, world.readies == 1);
	assert_echo_works("alone");
	assert_int_equal(world.unreplicated, 1);
}

/* A master takes another replication id when its first replica comes: who saw the old one must look again. */
static void a_first_replica_is_noticed_and_then_waited_for(void **state)
{
	const char *args[] = { "--replicaof", NULL, NULL };
	struct redis_server replica;
	char before[41], master[32];
	unsigned short_of;

	(void)state;
	world.options.link.wait_replicas = 1;
	world.options.link.call_timeout_ms = 5000;
	start(NULL);
	RUN_UNTIL(&world.loop, world.readies == 1);
	memcpy(before, world.replication_id, sizeof(before));
	snprintf(master, sizeof(master), "127.0.0.1 %u", world.redis.port);
	args[1] = master;
	redis_server_start(&replica, args);
	RUN_UNTIL(&world.loop, world.readies == 2);
	assert_why_has("replication id of Redis has changed");
	assert_string_not_equal(world.replication_id, before);
	do {
		short_of = world.unreplicated;
		assert_echo_works("copied");
	} while (world.unreplicated > short_of);
	redis_server_stop(&replica);
}

static const char *path(const char *name)
{
	return certs_path(&world.certs, name);
}

static void start_tls(struct tls_slot *slot, const struct tls_client_options *client)
{
	const char *args[] = { "--tls-port", "--tls-cert-file", path("server.crt"), "--tls-key-file",
		path("server.key"), "--tls-ca-cert-file", path("ca.crt"), NULL };
	struct tls_context *context;
	struct buf why = { 0 };

	assert_int_equal(tls_client_new(client, &context, &why), ERR_OK);
	tls_slot_init(slot, context);
	world.options.tls = slot;
	start(args);
}

static void tls_carries_calls_when_both_certificates_fit(void **state)
{
	struct tls_client_options client = { .verify = TLS_VERIFY_PEER,
		.ca_file = path("ca.crt"),
		.cert_file = path("client.crt"),
		.key_file = path("client.key") };
	struct tls_slot slot;

	(void)state;
	world.options.server_name = "redis.example";
	start_tls(&slot, &client);
	RUN_UNTIL(&world.loop, world.readies == 1);
	assert_echo_works("secret");
	redis_server_restart(&world.redis);
	RUN_UNTIL(&world.loop, world.readies == 2);
	assert_echo_works("again");
	redis_conn_free(&world.conn);
	tls_slot_fini(&slot);
}

static void tls_is_refused_under_another_name(void **state)
{
	struct tls_client_options client = { .verify = TLS_VERIFY_PEER, .ca_file = path("ca.crt") };
	struct tls_slot slot;

	(void)state;
	world.options.server_name = "other.example";
	start_tls(&slot, &client);
	RUN_UNTIL(&world.loop, world.losses == 1);
	assert_int_equal(world.readies, 0);
	assert_why_has("TLS");
	redis_conn_free(&world.conn);
	tls_slot_fini(&slot);
}

static void tls_against_a_plain_port_ends_by_the_deadline(void **state)
{
	struct tls_client_options client = { .verify = TLS_VERIFY_NONE };
	struct tls_context *context;
	struct buf why = { 0 };
	struct tls_slot slot;

	(void)state;
	world.options.link.handshake_timeout_ms = 200;
	assert_int_equal(tls_client_new(&client, &context, &why), ERR_OK);
	tls_slot_init(&slot, context);
	world.options.tls = &slot;
	start(NULL);
	RUN_UNTIL(&world.loop, world.losses == 1);
	assert_int_equal(world.readies, 0);
	redis_conn_free(&world.conn);
	tls_slot_fini(&slot);
}

static void freeing_answers_what_is_in_flight(void **state)
{
	(void)state;
	start(NULL);
	RUN_UNTIL(&world.loop, world.readies == 1);
	redis_server_pause(&world.redis);
	assert_true(echo("one"));
	assert_true(echo("two"));
	redis_conn_free(&world.conn);
	assert_int_equal(world.unknowns, 2);
	assert_int_equal(world.losses, 0);
	redis_server_resume(&world.redis);
}

static void it_may_be_freed_in_any_phase_of_an_attempt(void **state)
{
	(void)state;
	redis_server_start(&world.redis, NULL);
	world.options.port = world.redis.port;
	for (unsigned turns = 0; turns < 12; turns++) {
		world.options.host = turns % 2 ? "localhost" : "127.0.0.1";
		world.conn = redis_conn_new(&world.loop, &world.options, &callbacks, NULL);
		for (unsigned i = 0; i < turns / 2; i++)
			uv_run(&world.loop.uv, UV_RUN_NOWAIT);
		redis_conn_free(&world.conn);
		assert_null(world.conn);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(it_connects_loads_the_library_and_carries_calls),
		TEST(a_name_is_resolved_and_its_addresses_are_tried_in_turn),
		TEST(a_name_that_does_not_exist_is_told),
		TEST(it_tries_for_ever_and_tells_equal_failures_once),
		TEST(it_comes_back_after_redis_was_killed_and_sees_another_generation),
		TEST(it_waits_until_the_master_is_known_and_tells_why_nobody_knows),
		TEST(it_leaves_the_old_master_at_once_when_the_master_moves),
		TEST(a_paused_redis_is_left_when_a_call_is_late),
		TEST(one_deadline_ends_an_attempt_that_nobody_answers),
		TEST(an_acl_user_with_just_enough_rights_will_do),
		TEST(a_wrong_password_is_told_with_the_cure),
		TEST(a_replica_is_not_connected_to),
		TEST(a_master_that_becomes_a_replica_is_left),
		TEST(functions_that_vanish_are_loaded_again),
		TEST(without_replicas_a_call_that_wants_one_says_so),
		TEST(a_first_replica_is_noticed_and_then_waited_for),
		TEST(tls_carries_calls_when_both_certificates_fit),
		TEST(tls_is_refused_under_another_name),
		TEST(tls_against_a_plain_port_ends_by_the_deadline),
		TEST(freeing_answers_what_is_in_flight),
		TEST(it_may_be_freed_in_any_phase_of_an_attempt),
	};

	return cmocka_run_group_tests_name("redis_conn", tests, NULL, NULL);
}
