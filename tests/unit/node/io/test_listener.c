#include "cmocka_all.h"

#include <stdio.h>
#include <sys/resource.h>

#include "io_fixture.h"

struct door {
	struct listener *listener;
	unsigned accepted, troubles;
	unsigned pause_after; /* connections; 0: never */
	bool close_at_first;
	int fds[256];
	struct address peer;
	char trouble[200];
};

static void door_on_accept(void *arg, int fd, const struct address *peer)
{
	struct door *door = arg;

	door->fds[door->accepted++] = fd;
	door->peer = *peer;
	if (door->accepted == door->pause_after)
		listener_pause(door->listener);
	if (door->close_at_first)
		listener_close(&door->listener);
}

static void door_on_trouble(void *arg, const char *text)
{
	struct door *door = arg;

	door->troubles++;
	snprintf(door->trouble, sizeof(door->trouble), "%s", text);
}

static const struct listener_callbacks door_callbacks = { door_on_accept, door_on_trouble };

static enum err door_open(struct loop *loop, struct door *door, const char *where, struct buf *why)
{
	struct address address;
	enum err err;

	*door = (struct door){ 0 };
	assert_int_equal(address_parse(span_of_str(where), 0, &address), ERR_OK);
	err = listener_open(loop, &address, &door_callbacks, door, &door->listener, why);
	return err ? err : listener_start(door->listener, why);
}

static void door_close(struct door *door)
{
	if (door->listener)
		listener_close(&door->listener);
	for (unsigned i = 0; i < door->accepted; i++)
		close(door->fds[i]);
}

static int dial(const struct address *address)
{
	int fd = socket_or_fail(socket(address->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0));

	assert_int_equal(connect(fd, &address->sa, address_len(address)), 0);
	return fd;
}

static void it_accepts_on_ipv4_and_ipv6_and_names_the_peer(void **state)
{
	static const char *const rows[][2] = { { "127.0.0.1:0", "127.0.0.1" }, { "[::1]:0", "::1" } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct door door;
		struct buf why = { 0 };
		char text[ADDRESS_TEXT_SIZE];
		int client;

		if (door_open(*state, &door, rows[i][0], &why)) {
			buf_fini(&why); /* a host without IPv6 */
			assert_int_equal(i, 1);
			continue;
		}
		client = dial(listener_address(door.listener));
		RUN_UNTIL((struct loop *)*state, door.accepted == 1);
		assert_string_equal(address_format_ip(&door.peer, text), rows[i][1]);
		assert_true(fcntl(door.fds[0], F_GETFL) & O_NONBLOCK);
		assert_true(fcntl(door.fds[0], F_GETFD) & FD_CLOEXEC);
		close(client);
		door_close(&door);
	}
}

static void loops_share_an_address_and_lose_no_connection(void **state)
{
	struct loop *loop = *state;
	struct door a, b;
	struct buf why = { 0 };
	char text[ADDRESS_TEXT_SIZE];
	int clients[64];

	assert_int_equal(door_open(loop, &a, "127.0.0.1:0", &why), ERR_OK);
	address_format(listener_address(a.listener), text);
	assert_int_equal(door_open(loop, &b, text, &why), ERR_OK);
	for (size_t i = 0; i < ARRAY_LEN(clients); i++)
		clients[i] = dial(listener_address(a.listener));
	RUN_UNTIL(loop, a.accepted + b.accepted == ARRAY_LEN(clients));
	assert_true(a.accepted > 0 && b.accepted > 0);
	for (size_t i = 0; i < ARRAY_LEN(clients); i++)
		close(clients[i]);
	door_close(&a);
	door_close(&b);
}

static void a_failure_names_the_address_and_the_cure(void **state)
{
	struct sockaddr_in name;
	int taken = raw_listen(&name);
	char where[64];
	const struct {
		const char *where;
		enum err err;
		const char *text;
	} rows[] = {
		{ where, ERR_BUSY, "Address already in use; another program listens there" },
		{ "192.0.2.1:0", ERR_IO,
			"cannot listen on 192.0.2.1:0: Cannot assign requested address; no interface" },
	};

	snprintf(where, sizeof(where), "127.0.0.1:%u", ntohs(name.sin_port));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct door door;
		struct buf why = { 0 };

		assert_int_equal(door_open(*state, &door, rows[i].where, &why), rows[i].err);
		buf_append_byte(&why, '\0');
		if (!strstr(buf_span(&why).ptr, rows[i].where) || !strstr(buf_span(&why).ptr, rows[i].text))
			fail_msg("row %zu says: %s", i, buf_span(&why).ptr);
		buf_fini(&why);
	}
	close(taken);
}

static void a_pause_takes_effect_at_once_and_the_rest_waits(void **state)
{
	struct loop *loop = *state;
	struct door door;
	struct buf why = { 0 };
	int clients[10];

	assert_int_equal(door_open(loop, &door, "127.0.0.1:0", &why), ERR_OK);
	door.pause_after = 3;
	for (size_t i = 0; i < ARRAY_LEN(clients); i++)
		clients[i] = dial(listener_address(door.listener));
	RUN_UNTIL(loop, door.accepted == 3);
	settle(loop);
	assert_int_equal(door.accepted, 3);
	listener_resume(door.listener);
	RUN_UNTIL(loop, door.accepted == ARRAY_LEN(clients));
	for (size_t i = 0; i < ARRAY_LEN(clients); i++)
		close(clients[i]);
	door_close(&door);
}

static void it_can_be_closed_inside_on_accept(void **state)
{
	struct door door;
	struct buf why = { 0 };
	int first, second;

	assert_int_equal(door_open(*state, &door, "127.0.0.1:0", &why), ERR_OK);
	door.close_at_first = true;
	first = dial(listener_address(door.listener));
	second = dial(listener_address(door.listener));
	RUN_UNTIL((struct loop *)*state, door.accepted == 1);
	settle(*state);
	assert_int_equal(door.accepted, 1);
	close(first);
	close(second);
	door_close(&door);
}

static void a_socket_from_outside_serves_if_it_listens(void **state)
{
	struct sockaddr_in name;
	struct door door = { 0 };
	struct buf why = { 0 };
	int client;
	int plain = socket_or_fail(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	int listening = raw_listen(&name);

	assert_int_equal(
		listener_open_fd(*state, plain, &door_callbacks, &door, &door.listener, &why), ERR_INVALID);
	assert_true(buf_len(&why) > 0);
	assert_int_equal(fcntl(plain, F_GETFD), -1);
	buf_fini(&why);

	assert_int_equal(
		listener_open_fd(*state, listening, &door_callbacks, &door, &door.listener, &why), ERR_OK);
	assert_int_equal(address_port(listener_address(door.listener)), ntohs(name.sin_port));
	assert_true(listener_is_inherited(door.listener));
	client = dial(listener_address(door.listener));
	settle(*state);
	assert_int_equal(door.accepted, 0);
	assert_int_equal(listener_start(door.listener, &why), ERR_OK);
	RUN_UNTIL((struct loop *)*state, door.accepted == 1);
	close(client);
	door_close(&door);
}

static void before_the_start_whoever_connects_is_refused(void **state)
{
	struct door door = { 0 };
	struct buf why = { 0 };
	struct address address;
	const struct address *bound;
	int client = socket_or_fail(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));

	assert_int_equal(address_parse(span_of_str("127.0.0.1:0"), 0, &address), ERR_OK);
	assert_int_equal(
		listener_open(*state, &address, &door_callbacks, &door, &door.listener, &why), ERR_OK);
	bound = listener_address(door.listener);
	assert_int_equal(connect(client, &bound->sa, address_len(bound)), -1);
	assert_int_equal(errno, ECONNREFUSED);
	close(client);
	assert_int_equal(listener_start(door.listener, &why), ERR_OK);
	client = dial(bound);
	RUN_UNTIL((struct loop *)*state, door.accepted == 1);
	close(client);
	door_close(&door);
}

static void who_waits_in_the_backlog_is_taken_before_a_close(void **state)
{
	struct door door;
	struct buf why = { 0 };
	int clients[100];

	assert_int_equal(door_open(*state, &door, "127.0.0.1:0", &why), ERR_OK);
	for (size_t i = 0; i < ARRAY_LEN(clients); i++)
		clients[i] = dial(listener_address(door.listener));
	listener_accept_waiting(door.listener);
	assert_int_equal(door.accepted, ARRAY_LEN(clients));
	for (size_t i = 0; i < ARRAY_LEN(clients); i++)
		close(clients[i]);
	door_close(&door);
}

/* Takes every descriptor there is. */
static unsigned exhaust(int fds_out[], unsigned count)
{
	unsigned taken = 0;

	while (taken < count && (fds_out[taken] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
		taken++;
	assert_in_range(taken, 1, count - 1);
	return taken;
}

static void out_of_descriptors_it_turns_peers_away_tells_it_and_recovers(void **state)
{
	static int fds[1024];
	struct loop *loop = *state;
	struct rlimit before, small;
	struct door door;
	struct buf why = { 0 };
	int clients[5];
	unsigned taken;
	char byte;

	assert_int_equal(door_open(loop, &door, "127.0.0.1:0", &why), ERR_OK);
	for (size_t i = 0; i < ARRAY_LEN(clients); i++)
		clients[i] = dial(listener_address(door.listener));
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	small = (struct rlimit){ .rlim_cur = 256, .rlim_max = before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &small), 0);
	taken = exhaust(fds, ARRAY_LEN(fds));

	RUN_UNTIL(loop, door.troubles == 1);
	assert_non_null(strstr(door.trouble, "Too many open files"));
	for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
		/* At once, not after a time-out of its own. */
		RUN_UNTIL(loop, recv(clients[i], &byte, 1, MSG_DONTWAIT) == 0);
		close(clients[i]);
	}
	assert_int_equal(door.accepted, 0);

	while (taken)
		close(fds[--taken]);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	clients[0] = dial(listener_address(door.listener));
	RUN_UNTIL(loop, door.accepted == 1);
	close(clients[0]);
	door_close(&door);
}

#define LISTENER_TEST(name) cmocka_unit_test_setup_teardown(name, loop_set_up, loop_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LISTENER_TEST(it_accepts_on_ipv4_and_ipv6_and_names_the_peer),
		LISTENER_TEST(loops_share_an_address_and_lose_no_connection),
		LISTENER_TEST(a_failure_names_the_address_and_the_cure),
		LISTENER_TEST(a_pause_takes_effect_at_once_and_the_rest_waits),
		LISTENER_TEST(it_can_be_closed_inside_on_accept),
		LISTENER_TEST(a_socket_from_outside_serves_if_it_listens),
		LISTENER_TEST(before_the_start_whoever_connects_is_refused),
		LISTENER_TEST(who_waits_in_the_backlog_is_taken_before_a_close),
		LISTENER_TEST(out_of_descriptors_it_turns_peers_away_tells_it_and_recovers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
