#include "cmocka_all.h"

#include <malloc.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/resource.h>

#include "io_fixture.h"

/* ---- input ---- */

static void bytes_arrive_whole_and_one_by_one_alike(void **state)
{
	static const char text[] = "EHLO client.example\r\nMAIL FROM:<a@b>\r\n";

	for (size_t step = 1; step <= sizeof(text); step += sizeof(text) - 2) {
		struct endpoint server = endpoint_of(*state);
		int peer = endpoint_accept(&server, NULL, &endpoint_callbacks);

		for (size_t at = 0; at < sizeof(text) - 1; at += step) {
			size_t len = sizeof(text) - 1 - at < step ? sizeof(text) - 1 - at : step;

			assert_int_equal(send(peer, text + at, len, 0), len);
			RUN_UNTIL(server.loop, buf_len(&server.data) == at + len);
		}
		assert_span_equal(buf_span(&server.data), text);
		assert_int_equal(server.offers, step == 1 ? sizeof(text) - 1 : 1);
		close(peer);
		stream_abort(server.stream);
		RUN_UNTIL(server.loop, server.closes);
		endpoint_fini(&server);
	}
}

static void what_is_not_consumed_is_offered_again_in_front_of_newer_bytes(void **state)
{
	struct endpoint server = endpoint_of(*state);
	int peer = endpoint_accept(&server, NULL, &endpoint_callbacks);

	server.take_max = 3;
	raw_send(peer, "abcdefgh");
	RUN_UNTIL(server.loop, server.offers == 1);
	settle(server.loop);
	assert_int_equal(server.offers, 1);
	raw_send(peer, "ij");
	RUN_UNTIL(server.loop, server.offers == 2);
	assert_span_equal(buf_span(&server.data), "abcdef");
	stream_resume(server.stream);
	assert_int_equal(server.offers, 2); /* never from inside the call */
	RUN_UNTIL(server.loop, server.offers == 3);
	stream_resume(server.stream);
	RUN_UNTIL(server.loop, server.offers == 4);
	assert_span_equal(buf_span(&server.data), "abcdefghij");
	close(peer);
	endpoint_fini(&server);
}

/* Sends until the socket takes no more, with the loop turning; returns how much went. */
static size_t pump(struct loop *loop, int peer)
{
	static const char block[16384];
	size_t total = 0;

	for (unsigned refused = 0; refused < 50;) {
		ssize_t sent = send(peer, block, sizeof(block), MSG_DONTWAIT);

		uv_run(&loop->uv, UV_RUN_NOWAIT);
		refused = sent < 0 ? refused + 1 : 0;
		total += sent < 0 ? 0 : (size_t)sent;
	}
	return total;
}

static void unconsumed_input_is_bounded_and_the_peer_has_to_wait(void **state)
{
	static const struct stream_options options = { .input_max = 20000 };
	struct endpoint server = endpoint_of(*state);
	int peer = endpoint_accept(&server, &options, &endpoint_callbacks);
	size_t sent;

	server.take_max = 0;
	sent = pump(server.loop, peer);
	assert_int_equal(server.offered_max, 20000);
	server.take_max = SIZE_MAX;
	stream_resume(server.stream);
	RUN_UNTIL(server.loop, buf_len(&server.data) == sent);
	assert_int_equal(server.offered_max, 20000);
	close(peer);
	endpoint_fini(&server);
}

static void a_paused_stream_offers_nothing_until_resumed(void **state)
{
	struct endpoint server = endpoint_of(*state);
	int peer = endpoint_accept(&server, NULL, &endpoint_callbacks);

	stream_pause(server.stream);
	raw_send(peer, "abc");
	settle(server.loop);
	assert_int_equal(server.offers, 0);
	stream_resume(server.stream);
	RUN_UNTIL(server.loop, server.offers == 1);
	server.act = endpoint_pause;
	raw_send(peer, "def");
	RUN_UNTIL(server.loop, server.offers == 2);
	raw_send(peer, "ghi");
	shutdown(peer, SHUT_WR);
	settle(server.loop);
	assert_int_equal(server.offers, 2);
	assert_int_equal(server.eofs, 0);
	stream_resume(server.stream);
	RUN_UNTIL(server.loop, server.eofs == 1);
	assert_span_equal(buf_span(&server.data), "abcdefghi");
	close(peer);
	endpoint_fini(&server);
}

static void pausing_with_a_remainder_keeps_it_for_the_resume(void **state)
{
	struct endpoint server = endpoint_of(*state);
	int peer = endpoint_accept(&server, NULL, &endpoint_callbacks);

	server.take_max = 1;
	server.act = endpoint_pause;
	raw_send(peer, "xyz");
	RUN_UNTIL(server.loop, server.offers == 1);
	settle(server.loop);
	server.take_max = SIZE_MAX;
	stream_resume(server.stream);
	stream_pause(server.stream);
	settle(server.loop);
	assert_int_equal(server.offers, 1);
	stream_resume(server.stream);
	RUN_UNTIL(server.loop, server.offers == 2);
	assert_span_equal(buf_span(&server.data), "xyz");
	close(peer);
	endpoint_fini(&server);
}

/* ---- output ---- */

static void what_one_turn_writes_leaves_in_one_piece(void **state)
{
	struct endpoint server = endpoint_of(*state);
	int peer = endpoint_accept(&server, NULL, &endpoint_callbacks);
	struct buf got = { 0 };

	for (unsigned i = 0; i < 100; i++)
		stream_write(server.stream, SPAN_LIT("0123456789abcdef"));
	assert_int_equal(raw_recv(peer, &got), -1); /* nothing leaves inside the call */
	assert_int_equal(stream_queued_bytes(server.stream), 1600);
	RUN_UNTIL(server.loop, stream_queued_bytes(server.stream) == 0);
	assert_int_equal(raw_recv(peer, &got), 1600);
	RUN_UNTIL(server.loop, server.drains == 1);
	close(peer);
	buf_fini(&got);
	endpoint_fini(&server);
}

static void a_slow_reader_gets_everything_and_costs_bounded_memory(void **state)
{
	static const struct stream_options options = { .output_low = 32 * 1024 };
	struct endpoint server = endpoint_of(*state);
	int peer = endpoint_accept(&server, &options, &endpoint_callbacks);
	size_t total = 8 * 1024 * 1024, written = 0, checked = 0;
	unsigned drains = 0;

	server.write_left = total;
	endpoint_feed(&server, &written);
	while (checked < total) {
		struct buf got = { 0 };

		uv_run(&server.loop->uv, UV_RUN_NOWAIT);
		if (drains != server.drains) {
			drains = server.drains;
			endpoint_feed(&server, &written);
		}
		if (raw_recv(peer, &got) > 0)
			for (size_t i = 0; i < buf_len(&got); i++)
				if (buf_span(&got).ptr[i] != pattern(checked++))
					fail_msg("byte %zu is wrong", checked - 1);
		buf_fini(&got);
	}
	assert_true(server.queued_max < 132 * 1024);
	assert_true(server.drains > 8);
	close(peer);
	endpoint_fini(&server);
}

static void count_release(void *arg)
{
	++*(unsigned *)arg;
}

static void owned_bytes_are_released_once_after_sending_or_dropping(void **state)
{
	static char large[16 * 1024 * 1024];
	struct endpoint server = endpoint_of(*state);
	int peer = endpoint_accept(&server, NULL, &endpoint_callbacks);
	unsigned released = 0;
	struct buf got = { 0 };

	stream_write(server.stream, SPAN_LIT("<"));
	stream_write_owned(server.stream, SPAN_LIT("body"), count_release, &released);
	stream_write_owned(server.stream, SPAN_LIT(""), count_release, &released);
	stream_write(server.stream, SPAN_LIT(">"));
	assert_int_equal(released, 0);
	RUN_UNTIL(server.loop, released == 2);
	RUN_UNTIL(server.loop, buf_len(&got) == 6 || raw_recv(peer, &got) == 0);
	assert_span_equal(buf_span(&got), "<body>");

	stream_write_owned(server.stream, span_of(large, sizeof(large)), count_release, &released);
	settle(server.loop); /* more than the socket takes */
	assert_int_equal(released, 2);
	stream_abort(server.stream);
	stream_write_owned(server.stream, SPAN_LIT("late"), count_release, &released);
	assert_int_equal(released, 2);
	RUN_UNTIL(server.loop, server.closes);
	assert_int_equal(released, 4);
	close(peer);
	buf_fini(&got);
	endpoint_fini(&server);
}

static void one_large_piece_shows_a_slow_readers_progress(void **state)
{
	static char large[16 * 1024 * 1024];
	struct endpoint server = endpoint_of(*state);
	int peer = endpoint_accept(&server, NULL, &endpoint_callbacks);
	unsigned released = 0;
	size_t stuck, taken = 0;

	stream_write_owned(server.stream, span_of(large, sizeof(large)), count_release, &released);
	settle(server.loop);
	stuck = stream_queued_bytes(server.stream);
	assert_true(stuck > 0 && stuck < sizeof(large));
	while (stream_queued_bytes(server.stream) == stuck) {
		struct buf got = { 0 };

		(void)raw_recv(peer, &got);
		taken += buf_len(&got);
		assert_true(taken < sizeof(large) / 2);
		buf_fini(&got);
		uv_run(&server.loop->uv, UV_RUN_NOWAIT);
	}
	stream_abort(server.stream);
	RUN_UNTIL(server.loop, server.closes);
	assert_int_equal(released, 1);
	close(peer);
	endpoint_fini(&server);
}

/* ---- how it ends ---- */

static void a_peer_that_sends_no_more_still_gets_its_answer(void **state)
{
	struct endpoint server = endpoint_of(*state);
	int peer = endpoint_accept(&server, NULL, &endpoint_callbacks);
	struct buf got = { 0 };

	raw_send(peer, "QUIT\r\n");
	shutdown(peer, SHUT_WR);
	RUN_UNTIL(server.loop, server.eofs == 1);
	assert_span_equal(buf_span(&server.data), "QUIT\r\n");
	stream_write(server.stream, SPAN_LIT("221 bye\r\n"));
	stream_close(server.stream);
	RUN_UNTIL(server.loop, server.closes);
	assert_int_equal(server.why, ERR_OK);
	assert_int_equal(raw_recv(peer, &got), 9);
	assert_int_equal(raw_recv(peer, &got), 0);
	close(peer);
	buf_fini(&got);
	endpoint_fini(&server);
}

static void without_on_eof_the_stream_sends_what_is_queued_and_closes(void **state)
{
	struct endpoint server = endpoint_of(*state);
	int peer = endpoint_accept(&server, NULL, &endpoint_callbacks_no_eof);
	struct buf got = { 0 };

	shutdown(peer, SHUT_WR);
	stream_write(server.stream, SPAN_LIT("last"));
	RUN_UNTIL(server.loop, server.closes);
	assert_int_equal(server.why, ERR_CLOSED);
	assert_int_equal(raw_recv(peer, &got), 4);
	close(peer);
	buf_fini(&got);
	endpoint_fini(&server);
}

static void a_reset_ends_the_stream_with_a_reason(void **state)
{
	struct endpoint server = endpoint_of(*state);
	int peer = endpoint_accept(&server, NULL, &endpoint_callbacks);

	raw_close_with_reset(peer);
	RUN_UNTIL(server.loop, server.closes);
	assert_int_equal(server.why, ERR_CLOSED);
	assert_string_equal(server.text, "read: connection reset by peer");
	assert_int_equal(server.eofs, 0);
	endpoint_fini(&server);
}

static void the_last_words_of_a_peer_that_resets_are_heard(void **state)
{
	struct endpoint client = endpoint_of(*state);
	int peer = endpoint_accept(&client, NULL, &endpoint_callbacks);

	raw_send(peer, "421 too busy\r\n");
	raw_close_with_reset(peer);
	/* Leaves before the loop polls: the write fails first. */
	stream_write(client.stream, SPAN_LIT("DATA\r\n"));
	RUN_UNTIL(client.loop, client.closes);
	assert_span_equal(buf_span(&client.data), "421 too busy\r\n");
	assert_int_equal(client.why, ERR_CLOSED);
	endpoint_fini(&client);
}

static void a_paused_stream_whose_writes_fail_ends(void **state)
{
	struct endpoint client = endpoint_of(*state);
	int peer = endpoint_accept(&client, NULL, &endpoint_callbacks);

	stream_pause(client.stream);
	raw_close_with_reset(peer);
	stream_write(client.stream, SPAN_LIT("DATA\r\n"));
	RUN_UNTIL(client.loop, client.closes);
	assert_int_equal(client.why, ERR_CLOSED);
	endpoint_fini(&client);
}

static size_t send_some(int fd, struct span bytes)
{
	ssize_t sent = send(fd, bytes.ptr, bytes.len, MSG_DONTWAIT);

	return sent > 0 ? (size_t)sent : 0;
}

static void close_sends_everything_to_a_slow_reader_and_hears_its_fin(void **state)
{
	static char large[16 * 1024 * 1024];
	static const struct stream_options options = { .linger_ms = GIVE_UP_MS };
	struct endpoint server = endpoint_of(*state);
	int peer = endpoint_accept(&server, &options, &endpoint_callbacks);
	unsigned released = 0;
	size_t total = 0, noise = 0;
	struct buf got = { 0 };

	stream_write_owned(server.stream, span_of(large, sizeof(large)), count_release, &released);
	stream_close(server.stream);
	stream_close(server.stream);
	stream_write(server.stream, SPAN_LIT("too late"));
	/* A peer that reads only after it said everything: what it says is thrown away, more than sockets
	 * hold. */
	RUN_UNTIL(server.loop, (noise += send_some(peer, span_of(large, sizeof(large)))) > 32 * 1024 * 1024);
	for (ssize_t last = -1; last != 0; buf_clear(&got)) {
		uv_run(&server.loop->uv, UV_RUN_NOWAIT);
		last = raw_recv(peer, &got);
		total += buf_len(&got);
	}
	assert_int_equal(total, sizeof(large));
	settle(server.loop);
	assert_int_equal(server.closes, 0); /* its FIN is still to come */
	close(peer);
	RUN_UNTIL(server.loop, server.closes);
	assert_int_equal(server.why, ERR_OK);
	assert_int_equal(server.offers, 0);
	buf_fini(&got);
	endpoint_fini(&server);
}

static void closing_ends_by_itself_when_the_peer_does_nothing(void **state)
{
	static const struct stream_options options = { .linger_ms = 30 };
	static char large[8 * 1024 * 1024];
	static const struct {
		size_t len;
		enum err why;
	} rows[] = { { 100, ERR_OK }, { sizeof(large), ERR_TIMEOUT } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct endpoint server = endpoint_of(*state);
		int peer = endpoint_accept(&server, &options, &endpoint_callbacks);
		unsigned released = 0;

		stream_write_owned(server.stream, span_of(large, rows[i].len), count_release, &released);
		stream_close(server.stream);
		RUN_UNTIL(server.loop, server.closes);
		assert_int_equal(server.why, rows[i].why);
		assert_int_equal(released, 1);
		close(peer);
		endpoint_fini(&server);
	}
}

static void a_deadline_ends_a_silent_stream_and_can_be_moved_and_cleared(void **state)
{
	struct endpoint cleared = endpoint_of(*state), silent = endpoint_of(*state);
	int cleared_peer = endpoint_accept(&cleared, NULL, &endpoint_callbacks);
	int silent_peer = endpoint_accept(&silent, NULL, &endpoint_callbacks);
	uint64_t start_ms = loop_now_ms(silent.loop);

	stream_set_deadline(cleared.stream, 5);
	stream_set_deadline(cleared.stream, 0);
	stream_set_deadline(silent.stream, 1);
	stream_set_deadline(silent.stream, 40);
	RUN_UNTIL(silent.loop, silent.closes);
	assert_true(loop_now_ms(silent.loop) - start_ms >= 40);
	assert_int_equal(silent.why, ERR_TIMEOUT);
	assert_int_equal(cleared.closes, 0);
	close(cleared_peer);
	close(silent_peer);
	endpoint_fini(&cleared);
	endpoint_fini(&silent);
}

static void every_way_to_end_is_safe_inside_on_data(void **state)
{
	static const struct {
		endpoint_fn *act;
		unsigned closes;
		enum err why;
		const char *peer_gets;
	} rows[] = {
		{ endpoint_close, 1, ERR_OK, "reply" },
		{ endpoint_abort, 1, ERR_CLOSED, "" },
		{ endpoint_detach, 0, ERR_OK, "reply" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct endpoint server = endpoint_of(*state);
		int peer = endpoint_accept(&server, NULL, &endpoint_callbacks);
		struct buf got = { 0 };
		ssize_t last;

		server.act = rows[i].act;
		server.take_max = 1;
		stream_write(server.stream, SPAN_LIT("reply"));
		raw_send(peer, "pipelined\r\ncommands\r\n");
		/* Both in the same turn: the write is still queued when the act ends the stream. */
		RUN_UNTIL(
			server.loop, (last = raw_recv(peer, &got)) == 0 || (last < 0 && errno == ECONNRESET));
		close(peer);
		settle(server.loop);
		assert_int_equal(server.offers, 1);
		assert_int_equal(server.closes, rows[i].closes);
		assert_int_equal(server.why, rows[i].why);
		if (rows[i].act != endpoint_abort)
			assert_span_equal(buf_span(&got), rows[i].peer_gets);
		buf_fini(&got);
		endpoint_fini(&server);
	}
}

static void on_close_comes_later_and_once_whatever_is_called(void **state)
{
	struct endpoint server = endpoint_of(*state);
	int peer = endpoint_accept(&server, NULL, &endpoint_callbacks);
	struct address address;

	stream_abort(server.stream);
	stream_abort(server.stream);
	stream_close(server.stream);
	stream_pause(server.stream);
	stream_resume(server.stream);
	stream_set_deadline(server.stream, 1);
	stream_write(server.stream, SPAN_LIT("x"));
	assert_int_equal(stream_peer(server.stream, &address), ERR_CLOSED);
	assert_int_equal(server.closes, 0);
	RUN_UNTIL(server.loop, server.closes);
	settle(server.loop);
	assert_int_equal(server.closes, 1);
	assert_string_equal(server.text, "aborted");
	close(peer);
	endpoint_fini(&server);
}

static void another_owner_takes_over_with_what_was_not_consumed(void **state)
{
	struct endpoint first = endpoint_of(*state), second = endpoint_of(*state);
	int peer = endpoint_accept(&first, NULL, &endpoint_callbacks);

	first.take_max = 6;
	raw_send(peer, "PROXY\nEHLO\n");
	RUN_UNTIL(first.loop, first.offers == 1);
	second.stream = first.stream;
	stream_set_owner(first.stream, &endpoint_callbacks, &second);
	RUN_UNTIL(first.loop, second.offers == 1);
	assert_span_equal(buf_span(&second.data), "EHLO\n");
	close(peer);
	RUN_UNTIL(first.loop, second.eofs == 1);
	assert_int_equal(first.eofs, 0);
	endpoint_fini(&first);
	endpoint_fini(&second);
}

/* ---- connecting ---- */

static void a_connection_opens_later_carries_bytes_and_knows_its_addresses(void **state)
{
	struct endpoint server = endpoint_of(*state), client = endpoint_of(*state);
	struct address client_peer, server_local, client_local, server_peer;
	char a[ADDRESS_TEXT_SIZE], b[ADDRESS_TEXT_SIZE];

	endpoint_pair(&server, &client, NULL);
	assert_int_equal(client.opens, 0);
	stream_write(client.stream, SPAN_LIT("early")); /* waits for the connection */
	RUN_UNTIL(client.loop, buf_len(&server.data) == 5);
	assert_int_equal(client.opens, 1);
	assert_int_equal(server.opens, 0);
	assert_int_equal(stream_peer(client.stream, &client_peer), ERR_OK);
	assert_int_equal(stream_local(server.stream, &server_local), ERR_OK);
	assert_int_equal(stream_local(client.stream, &client_local), ERR_OK);
	assert_int_equal(stream_peer(server.stream, &server_peer), ERR_OK);
	assert_string_equal(address_format(&client_peer, a), address_format(&server_local, b));
	assert_string_equal(address_format(&client_local, a), address_format(&server_peer, b));
	endpoint_fini(&server);
	endpoint_fini(&client);
}

static int option_of(const struct stream *stream, int level, int option)
{
	uv_os_fd_t fd;
	int value = 0;
	socklen_t len = sizeof(value);

	assert_int_equal(uv_fileno((const uv_handle_t *)(const void *)stream, &fd), 0);
	assert_int_equal(getsockopt(fd, level, option, &value, &len), 0);
	return value;
}

static void sockets_do_not_delay_and_probe_when_asked(void **state)
{
	static const struct stream_options options = { .keepalive_s = 77 };
	struct endpoint server = endpoint_of(*state), client = endpoint_of(*state),
			plain = endpoint_of(*state);
	int peer = endpoint_accept(&plain, NULL, &endpoint_callbacks);

	endpoint_pair(&server, &client, &options);
	RUN_UNTIL(client.loop, client.opens);
	assert_int_equal(option_of(client.stream, IPPROTO_TCP, TCP_NODELAY), 1);
	assert_int_equal(option_of(server.stream, IPPROTO_TCP, TCP_NODELAY), 1);
	assert_int_equal(option_of(client.stream, IPPROTO_TCP, TCP_KEEPIDLE), 77);
	assert_int_equal(option_of(server.stream, SOL_SOCKET, SO_KEEPALIVE), 1);
	assert_int_equal(option_of(plain.stream, SOL_SOCKET, SO_KEEPALIVE), 0);
	close(peer);
}

static void a_refused_connection_is_told_by_on_close(void **state)
{
	struct endpoint client = endpoint_of(*state);
	struct sockaddr_in name;

	close(raw_listen(&name));
	client.stream =
		stream_connect(client.loop, (struct sockaddr *)&name, NULL, &endpoint_callbacks, &client);
	assert_int_equal(client.closes, 0);
	RUN_UNTIL(client.loop, client.closes);
	assert_int_equal(client.why, ERR_REFUSED);
	assert_string_equal(client.text, "connect: connection refused");
	assert_int_equal(client.opens, 0);
}

static void an_address_that_cannot_work_is_told_by_on_close_too(void **state)
{
	struct endpoint client = endpoint_of(*state);
	struct sockaddr nonsense = { .sa_family = AF_UNIX };

	client.stream = stream_connect(client.loop, &nonsense, NULL, &endpoint_callbacks, &client);
	assert_int_equal(client.closes, 0);
	RUN_UNTIL(client.loop, client.closes);
	assert_int_equal(client.why, ERR_IO);
}

static void the_deadline_covers_connecting(void **state)
{
	struct endpoint client = endpoint_of(*state);
	struct sockaddr_in name;
	int listening = raw_listen(&name);
	int crowd[4];

	/* A full backlog: the kernel drops further SYNs. */
	assert_int_equal(listen(listening, 0), 0);
	for (size_t i = 0; i < ARRAY_LEN(crowd); i++) {
		crowd[i] = socket_or_fail(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
		(void)connect(crowd[i], (struct sockaddr *)&name, sizeof(name));
	}
	client.stream =
		stream_connect(client.loop, (struct sockaddr *)&name, NULL, &endpoint_callbacks, &client);
	stream_set_deadline(client.stream, 50);
	RUN_UNTIL(client.loop, client.closes);
	assert_int_equal(client.why, ERR_TIMEOUT);
	assert_string_equal(client.text, "connect: timed out");
	for (size_t i = 0; i < ARRAY_LEN(crowd); i++)
		close(crowd[i]);
	close(listening);
}

static void a_connecting_stream_can_be_given_up(void **state)
{
	static endpoint_fn *const acts[] = { endpoint_close, endpoint_abort, endpoint_detach };

	for (size_t i = 0; i < ARRAY_LEN(acts); i++) {
		struct endpoint client = endpoint_of(*state);
		struct sockaddr_in name;
		int listening = raw_listen(&name);

		client.stream = stream_connect(
			client.loop, (struct sockaddr *)&name, NULL, &endpoint_callbacks, &client);
		acts[i](&client);
		settle(client.loop);
		assert_int_equal(client.closes, acts[i] == endpoint_detach ? 0 : 1);
		assert_int_equal(client.opens, 0);
		close(listening);
	}
}

/* ---- memory ---- */

static void an_idle_stream_costs_less_than_one_kib(void **state)
{
	enum { COUNT = 1000 };
	static struct endpoint servers[COUNT];
	static int peers[COUNT];
	struct rlimit limit;
	size_t before, after;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	before = mallinfo2().uordblks;
	for (unsigned i = 0; i < COUNT; i++) {
		servers[i] = endpoint_of(*state);
		peers[i] = endpoint_accept(&servers[i], NULL, &endpoint_callbacks);
		stream_set_deadline(servers[i].stream, 300000);
		/* Each has talked once, in both directions, with a remainder in between. */
		servers[i].take_max = 1;
		raw_send(peers[i], "EHLO");
		RUN_UNTIL(servers[i].loop, servers[i].offers == 1);
		servers[i].take_max = SIZE_MAX;
		stream_write(servers[i].stream, SPAN_LIT("250 ok\r\n"));
		stream_resume(servers[i].stream);
		RUN_UNTIL(servers[i].loop, servers[i].offers == 2);
		endpoint_fini(&servers[i]);
	}
	after = mallinfo2().uordblks;
	print_message("an idle stream: %zu bytes\n", (after - before) / COUNT);
	assert_true((after - before) / COUNT < 1024);
	stream_abort_all(*state);
	RUN_UNTIL(servers[0].loop, servers[COUNT - 1].closes);
	for (unsigned i = 0; i < COUNT; i++) {
		assert_int_equal(servers[i].closes, 1);
		close(peers[i]);
	}
}

#define STREAM_TEST(name) cmocka_unit_test_setup_teardown(name, loop_set_up, loop_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STREAM_TEST(bytes_arrive_whole_and_one_by_one_alike),
		STREAM_TEST(what_is_not_consumed_is_offered_again_in_front_of_newer_bytes),
		STREAM_TEST(unconsumed_input_is_bounded_and_the_peer_has_to_wait),
		STREAM_TEST(a_paused_stream_offers_nothing_until_resumed),
		STREAM_TEST(pausing_with_a_remainder_keeps_it_for_the_resume),
		STREAM_TEST(what_one_turn_writes_leaves_in_one_piece),
		STREAM_TEST(a_slow_reader_gets_everything_and_costs_bounded_memory),
		STREAM_TEST(owned_bytes_are_released_once_after_sending_or_dropping),
		STREAM_TEST(one_large_piece_shows_a_slow_readers_progress),
		STREAM_TEST(a_peer_that_sends_no_more_still_gets_its_answer),
		STREAM_TEST(without_on_eof_the_stream_sends_what_is_queued_and_closes),
		STREAM_TEST(a_reset_ends_the_stream_with_a_reason),
		STREAM_TEST(the_last_words_of_a_peer_that_resets_are_heard),
		STREAM_TEST(a_paused_stream_whose_writes_fail_ends),
		STREAM_TEST(close_sends_everything_to_a_slow_reader_and_hears_its_fin),
		STREAM_TEST(closing_ends_by_itself_when_the_peer_does_nothing),
		STREAM_TEST(a_deadline_ends_a_silent_stream_and_can_be_moved_and_cleared),
		STREAM_TEST(every_way_to_end_is_safe_inside_on_data),
		STREAM_TEST(on_close_comes_later_and_once_whatever_is_called),
		STREAM_TEST(another_owner_takes_over_with_what_was_not_consumed),
		STREAM_TEST(a_connection_opens_later_carries_bytes_and_knows_its_addresses),
		STREAM_TEST(sockets_do_not_delay_and_probe_when_asked),
		STREAM_TEST(a_refused_connection_is_told_by_on_close),
		STREAM_TEST(an_address_that_cannot_work_is_told_by_on_close_too),
		STREAM_TEST(the_deadline_covers_connecting),
		STREAM_TEST(a_connecting_stream_can_be_given_up),
		STREAM_TEST(an_idle_stream_costs_less_than_one_kib),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
