#include "cmocka_all.h"

#include <malloc.h>
#include <stdio.h>
#include <sys/resource.h>

#include "io_fixture.h"
#include "test_certs.h"

struct world {
	struct loop loop;
	struct test_certs certs;
	struct tls_context *server, *strict, *lax;
};

static struct world world;

static struct tls_context *server_context(const char *cert, const char *key)
{
	struct tls_context *context;
	struct buf why = { 0 };

	assert_int_equal(certs_server(&world.certs, cert, key, &context, &why), ERR_OK);
	return context;
}

static struct tls_context *client_context(enum tls_verify verify, const char *ca)
{
	struct tls_client_options options = { .verify = verify,
		.ca_file = ca ? certs_path(&world.certs, ca) : NULL };
	struct tls_context *context;
	struct buf why = { 0 };

	assert_int_equal(tls_client_new(&options, &context, &why), ERR_OK);
	return context;
}

static int set_up_group(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	certs_init(&world.certs);
	certs_issue(&world.certs, "server", "mx.example", "DNS:mx.example,IP:127.0.0.1");
	certs_issue(&world.certs, "second", "mx2.example", "DNS:mx2.example");
	world.server = server_context("server.crt", "server.key");
	world.strict = client_context(TLS_VERIFY_PEER, "ca.crt");
	world.lax = client_context(TLS_VERIFY_NONE, "ca.crt");
	return 0;
}

static int tear_down_group(void **state)
{
	(void)state;
	tls_context_unref(&world.server);
	tls_context_unref(&world.strict);
	tls_context_unref(&world.lax);
	certs_fini(&world.certs);
	return 0;
}

static int set_up(void **state)
{
	(void)state;
	assert_int_equal(loop_init(&world.loop), ERR_OK);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	end_streams(&world.loop);
	loop_fini(&world.loop);
	return 0;
}

static void start_strict(struct endpoint *client)
{
	stream_start_tls(client->stream, world.strict, "mx.example", STREAM_TLS_KEEP);
}

static void start_server(struct endpoint *server)
{
	stream_start_tls(server->stream, world.server, NULL, STREAM_TLS_KEEP);
}

/* Implicit TLS on both ends of one connection, through the handshake. */
static void tls_pair(struct endpoint *server, struct endpoint *client, const struct stream_options *options)
{
	*server = endpoint_of(&world.loop);
	*client = endpoint_of(&world.loop);
	client->act_on_open = start_strict;
	endpoint_pair(server, client, options);
	start_server(server);
	RUN_UNTIL(&world.loop, server->tls && client->tls);
}

static void fini_pair(struct endpoint *server, struct endpoint *client)
{
	if (server->stream)
		stream_abort(server->stream);
	if (client->stream)
		stream_abort(client->stream);
	RUN_UNTIL(&world.loop, !server->stream && !client->stream);
	endpoint_fini(server);
	endpoint_fini(client);
}

/* ---- handshake ---- */

static void bytes_cross_both_ways_and_on_tls_says_how(void **state)
{
	struct endpoint server, client;

	(void)state;
	tls_pair(&server, &client, NULL);
	stream_write(client.stream, SPAN_LIT("EHLO\r\n"));
	stream_write(server.stream, SPAN_LIT("220 ready\r\n"));
	RUN_UNTIL(&world.loop, buf_len(&server.data) == 6 && buf_len(&client.data) == 11);
	assert_span_equal(buf_span(&server.data), "EHLO\r\n");
	assert_span_equal(buf_span(&client.data), "220 ready\r\n");
	assert_string_equal(client.protocol, "TLSv1.3");
	assert_string_equal(client.cipher, server.cipher);
	assert_string_equal(client.subject, "CN=mx.example");
	assert_true(client.verified);
	assert_false(server.verified);
	assert_string_equal(server.verify_text, "no certificate");
	assert_true(stream_has_tls(client.stream));
	fini_pair(&server, &client);
}

static void what_was_agreed_on_can_be_asked_for_later(void **state)
{
	struct endpoint server, client, clear = endpoint_of(&world.loop);
	int peer = endpoint_accept(&clear, NULL, &endpoint_callbacks);
	struct arena arena = { 0 };
	struct tls_info ours, theirs;

	(void)state;
	assert_false(stream_tls_info(clear.stream, &arena, &ours));
	stream_abort(clear.stream);
	tls_pair(&server, &client, NULL);
	assert_true(stream_tls_info(server.stream, &arena, &ours));
	assert_true(stream_tls_info(client.stream, &arena, &theirs));
	assert_string_equal(ours.server_name, "mx.example");
	assert_true(ours.is_tls13 && theirs.is_tls13);
	assert_false(ours.has_peer);
	assert_string_equal(theirs.peer_subject, "CN=mx.example");
	assert_in_range(
		theirs.peer_ends_s, time(NULL) + TEST_CERTS_LIFE_S - 600, time(NULL) + TEST_CERTS_LIFE_S);
	assert_string_equal(theirs.peer_dns.items[0], "mx.example");
	/* Both ends bind to the same certificate. */
	assert_int_equal(ours.end_point.len, 32);
	assert_true(span_eq(ours.end_point, theirs.end_point));
	arena_fini(&arena);
	fini_pair(&server, &client);
	close(peer);
	RUN_UNTIL(&world.loop, clear.closes);
	endpoint_fini(&clear);
}

/* RFC 9266: both ends derive the same, every connection another. */
static void the_exporter_binds_one_connection(void **state)
{
	unsigned char ours[TLS_EXPORTER_LEN], theirs[TLS_EXPORTER_LEN], other[TLS_EXPORTER_LEN];
	struct endpoint server, client, clear = endpoint_of(&world.loop);
	int peer = endpoint_accept(&clear, NULL, &endpoint_callbacks);

	(void)state;
	assert_false(stream_tls_exporter(clear.stream, ours));
	close(peer);
	RUN_UNTIL(&world.loop, clear.eofs);
	stream_abort(clear.stream);
	tls_pair(&server, &client, NULL);
	assert_true(stream_tls_exporter(server.stream, ours));
	assert_true(stream_tls_exporter(client.stream, theirs));
	assert_memory_equal(ours, theirs, sizeof(ours));
	fini_pair(&server, &client);
	tls_pair(&server, &client, NULL);
	assert_true(stream_tls_exporter(server.stream, other));
	assert_memory_not_equal(ours, other, sizeof(ours));
	fini_pair(&server, &client);
	RUN_UNTIL(&world.loop, clear.closes);
	endpoint_fini(&clear);
}

static void the_certificate_must_be_trusted_and_name_the_peer(void **state)
{
	static const struct {
		const char *name;
		enum tls_verify verify;
		const char *ca;
		bool connects, verified;
		const char *text;
	} rows[] = {
		{ "mx.example", TLS_VERIFY_PEER, "ca.crt", true, true, "ok" },
		{ "127.0.0.1", TLS_VERIFY_PEER, "ca.crt", true, true, "ok" },
		{ NULL, TLS_VERIFY_PEER, "ca.crt", true, true, "ok" },
		{ "evil.example", TLS_VERIFY_PEER, "ca.crt", false, false,
			"TLS handshake: hostname mismatch" },
		{ "127.0.0.2", TLS_VERIFY_PEER, "ca.crt", false, false,
			"TLS handshake: IP address mismatch" },
		{ "mx.example", TLS_VERIFY_PEER, NULL, false, false,
			"TLS handshake: unable to get local issuer certificate" },
		{ "mx.example", TLS_VERIFY_NONE, "ca.crt", true, true, "ok" },
		{ "evil.example", TLS_VERIFY_NONE, "ca.crt", true, false, "hostname mismatch" },
		{ "mx.example", TLS_VERIFY_NONE, NULL, true, false,
			"unable to get local issuer certificate" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct tls_context *context = client_context(rows[i].verify, rows[i].ca);
		struct endpoint server = endpoint_of(&world.loop), client = endpoint_of(&world.loop);

		endpoint_pair(&server, &client, NULL);
		start_server(&server);
		RUN_UNTIL(&world.loop, client.opens);
		stream_start_tls(client.stream, context, rows[i].name, STREAM_TLS_KEEP);
		if (rows[i].connects) {
			RUN_UNTIL(&world.loop, client.tls && server.tls);
			assert_string_equal(client.verify_text, rows[i].text);
		} else {
			RUN_UNTIL(&world.loop, client.closes && server.closes);
			assert_int_equal(client.why, ERR_TLS);
			assert_string_equal(client.text, rows[i].text);
			/* The alert arrived: the server knows more than that the connection went. */
			assert_int_equal(server.why, ERR_TLS);
			assert_non_null(strstr(server.text, "alert"));
		}
		assert_int_equal(client.verified, rows[i].verified);
		tls_context_unref(&context);
		fini_pair(&server, &client);
	}
}

static void a_name_that_cannot_be_one_ends_the_stream(void **state)
{
	struct endpoint server = endpoint_of(&world.loop), client = endpoint_of(&world.loop);
	char name[400];

	(void)state;
	memset(name, 'a', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	endpoint_pair(&server, &client, NULL);
	RUN_UNTIL(&world.loop, client.opens);
	stream_start_tls(client.stream, world.strict, name, STREAM_TLS_KEEP);
	RUN_UNTIL(&world.loop, client.closes);
	assert_int_equal(client.why, ERR_TLS);
	fini_pair(&server, &client);
}

static void connections_keep_the_certificate_they_began_with(void **state)
{
	struct endpoint server, client, server2 = endpoint_of(&world.loop),
					client2 = endpoint_of(&world.loop);
	struct tls_context *current = world.server;

	(void)state;
	tls_pair(&server, &client, NULL);
	world.server = server_context("second.crt", "second.key");
	tls_context_unref(&current);
	endpoint_pair(&server2, &client2, NULL);
	start_server(&server2);
	RUN_UNTIL(&world.loop, client2.opens);
	stream_start_tls(client2.stream, world.strict, "mx2.example", STREAM_TLS_KEEP);
	stream_write(client.stream, SPAN_LIT("still here"));
	RUN_UNTIL(&world.loop, client2.tls && buf_len(&server.data) == 10);
	assert_string_equal(client2.subject, "CN=mx2.example");
	fini_pair(&server, &client);
	fini_pair(&server2, &client2);
	tls_context_unref(&world.server);
	world.server = server_context("server.crt", "server.key");
}

/* ---- STARTTLS ---- */

static void answer_starttls(struct endpoint *server)
{
	stream_write(server->stream, SPAN_LIT("220 go ahead\r\n"));
	stream_start_tls(server->stream, world.server, NULL, STREAM_TLS_DISCARD);
	server->take_max = SIZE_MAX;
}

static void start_discard(struct endpoint *client)
{
	stream_start_tls(client->stream, world.strict, "mx.example", STREAM_TLS_DISCARD);
}

/* CVE-2011-0411: a command slipped in behind STARTTLS must not run inside the encrypted session. */
static void commands_injected_before_the_handshake_are_thrown_away(void **state)
{
	struct endpoint server = endpoint_of(&world.loop), client = endpoint_of(&world.loop);

	(void)state;
	endpoint_pair(&server, &client, NULL);
	server.take_max = 10;
	server.act = answer_starttls;
	client.act = start_discard;
	stream_write(client.stream, SPAN_LIT("STARTTLS\r\nMAIL FROM:<evil@example>\r\n"));
	RUN_UNTIL(&world.loop, server.tls && client.tls);
	assert_span_equal(buf_span(&client.data), "220 go ahead\r\n");
	stream_write(client.stream, SPAN_LIT("EHLO again\r\n"));
	RUN_UNTIL(&world.loop, buf_len(&server.data) == 22);
	assert_span_equal(buf_span(&server.data), "STARTTLS\r\nEHLO again\r\n");
	fini_pair(&server, &client);
}

static void answer_with_injection(struct endpoint *server)
{
	stream_write(server->stream, SPAN_LIT("220 go\r\n250 injected\r\n"));
	stream_start_tls(server->stream, world.server, NULL, STREAM_TLS_DISCARD);
}

static void start_after_reply(struct endpoint *client)
{
	start_discard(client);
	client->take_max = SIZE_MAX;
}

static void replies_injected_before_the_handshake_are_thrown_away(void **state)
{
	struct endpoint server = endpoint_of(&world.loop), client = endpoint_of(&world.loop);

	(void)state;
	endpoint_pair(&server, &client, NULL);
	server.act = answer_with_injection;
	client.take_max = 8;
	client.act = start_after_reply;
	stream_write(client.stream, SPAN_LIT("STARTTLS\r\n"));
	RUN_UNTIL(&world.loop, server.tls && client.tls);
	stream_write(server.stream, SPAN_LIT("250 genuine\r\n"));
	RUN_UNTIL(&world.loop, buf_len(&client.data) == 21);
	assert_span_equal(buf_span(&client.data), "220 go\r\n250 genuine\r\n");
	fini_pair(&server, &client);
}

static void start_behind_header(struct endpoint *server)
{
	start_server(server);
	server->take_max = SIZE_MAX;
}

static void a_handshake_may_follow_a_proxy_header_in_the_same_segment(void **state)
{
	struct endpoint server = endpoint_of(&world.loop), client = endpoint_of(&world.loop);

	(void)state;
	endpoint_pair(&server, &client, NULL);
	server.take_max = 12;
	server.act = start_behind_header;
	RUN_UNTIL(&world.loop, client.opens);
	stream_write(client.stream, SPAN_LIT("PROXY dummy\n"));
	start_strict(&client);
	stream_write(client.stream, SPAN_LIT("EHLO\r\n"));
	RUN_UNTIL(&world.loop, buf_len(&server.data) == 18);
	assert_span_equal(buf_span(&server.data), "PROXY dummy\nEHLO\r\n");
	assert_int_equal(server.tls, 1);
	fini_pair(&server, &client);
}

/* ---- hostile and unlucky peers ---- */

static void a_handshake_that_fails_says_why(void **state)
{
	static const struct {
		const char *sent;
		bool closes;
		enum err why;
		const char *text;
	} rows[] = {
		{ "EHLO client.example\r\n", false, ERR_TLS, "TLS handshake: wrong version number" },
		{ "GET / HTTP/1.1\r\n\r\n", false, ERR_TLS, "TLS handshake: http request" },
		{ "\x16\x03\x01\x01\x00\x01", true, ERR_CLOSED,
			"TLS handshake: the peer closed the connection" },
		{ "", true, ERR_CLOSED, "TLS handshake: the peer closed the connection" },
		{ "\x16\x03\x01\x01", false, ERR_TIMEOUT, "TLS handshake: timed out" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct endpoint server = endpoint_of(&world.loop);
		int peer = endpoint_accept(&server, NULL, &endpoint_callbacks);

		start_server(&server);
		if (rows[i].why == ERR_TIMEOUT)
			stream_set_deadline(server.stream, 40);
		raw_send(peer, rows[i].sent);
		if (rows[i].closes)
			shutdown(peer, SHUT_WR);
		RUN_UNTIL(&world.loop, server.closes);
		assert_int_equal(server.why, rows[i].why);
		if (strncmp(server.text, rows[i].text, strlen(rows[i].text)) != 0)
			fail_msg("row %zu says: %s", i, server.text);
		assert_int_equal(server.tls, 0);
		close(peer);
		endpoint_fini(&server);
	}
}

static void a_record_that_was_tampered_with_ends_the_stream(void **state)
{
	static const char forged[] = "\x17\x03\x03\x00\x20nothing that this key ever sealed";
	struct endpoint server, client;
	uv_os_fd_t fd;

	(void)state;
	tls_pair(&server, &client, NULL);
	settle(&world.loop);
	assert_int_equal(
		uv_fileno((uv_handle_t *)client.stream, &fd), 0); /* the handle is the first member */
	assert_int_equal(send(fd, forged, sizeof(forged) - 1, 0), sizeof(forged) - 1);
	RUN_UNTIL(&world.loop, server.closes);
	assert_int_equal(server.why, ERR_TLS);
	assert_int_equal(server.offers, 0);
	fini_pair(&server, &client);
}

static void close_tells_the_peer_by_close_notify_after_the_last_bytes(void **state)
{
	struct endpoint server, client;

	(void)state;
	tls_pair(&server, &client, NULL);
	stream_write(server.stream, SPAN_LIT("221 bye\r\n"));
	stream_close(server.stream);
	RUN_UNTIL(&world.loop, client.eofs == 1);
	assert_span_equal(buf_span(&client.data), "221 bye\r\n");
	stream_write(client.stream, SPAN_LIT("ignored"));
	stream_close(client.stream);
	RUN_UNTIL(&world.loop, server.closes && client.closes);
	assert_int_equal(server.why, ERR_OK);
	assert_int_equal(client.why, ERR_OK);
	fini_pair(&server, &client);
}

static void every_way_to_end_is_safe_inside_the_callbacks(void **state)
{
	static const struct {
		endpoint_fn *act;
		unsigned closes;
		bool in_handshake;
	} rows[] = {
		{ endpoint_close, 1, true },
		{ endpoint_abort, 1, true },
		{ endpoint_detach, 0, true },
		{ endpoint_close, 1, false },
		{ endpoint_abort, 1, false },
		{ endpoint_detach, 0, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct endpoint server = endpoint_of(&world.loop), client = endpoint_of(&world.loop);

		client.act_on_open = start_strict;
		endpoint_pair(&server, &client, NULL);
		start_server(&server);
		if (rows[i].in_handshake)
			server.act_on_tls = rows[i].act;
		else
			server.act = rows[i].act;
		RUN_UNTIL(&world.loop, client.opens);
		for (unsigned j = 0; j < 20; j++)
			stream_write(client.stream, SPAN_LIT("one record of many, maybe\r\n"));
		RUN_UNTIL(&world.loop, client.eofs || client.closes);
		if (client.stream)
			stream_close(client.stream);
		RUN_UNTIL(&world.loop, client.closes && (server.closes || rows[i].act == endpoint_detach));
		settle(&world.loop);
		assert_int_equal(server.tls, 1);
		assert_int_equal(server.closes, rows[i].closes);
		assert_int_equal(server.offers, rows[i].in_handshake ? 0 : 1);
		endpoint_fini(&server);
		endpoint_fini(&client);
	}
}

/* ---- flow ---- */

static void count_release(void *arg)
{
	++*(unsigned *)arg;
}

static bool feed_and_check(struct endpoint *from, size_t *written, const struct endpoint *to, size_t total)
{
	endpoint_feed(from, written);
	return buf_len(&to->data) == total;
}

static bool resume_and_check(struct endpoint *endpoint, size_t total)
{
	stream_resume(endpoint->stream);
	endpoint->act = buf_len(&endpoint->data) < 200000 ? endpoint_pause : NULL;
	return buf_len(&endpoint->data) == total;
}

static void bulk_is_bounded_on_the_way_and_arrives_in_order(void **state)
{
	static const struct stream_options options = { .output_low = 32 * 1024 };
	struct endpoint server, client;
	size_t total = 4 * 1024 * 1024, written = 0;

	(void)state;
	tls_pair(&server, &client, &options);
	server.write_left = total;
	RUN_UNTIL(&world.loop, feed_and_check(&server, &written, &client, total));
	for (size_t i = 0; i < total; i++)
		if (buf_span(&client.data).ptr[i] != pattern(i))
			fail_msg("byte %zu is wrong", i);
	assert_true(server.queued_max < 132 * 1024);
	fini_pair(&server, &client);
}

static void a_paused_stream_makes_the_peer_wait_and_loses_nothing(void **state)
{
	static const struct stream_options options = { .input_max = 5000 };
	static char large[6 * 1024 * 1024];
	struct endpoint server, client;
	unsigned released = 0;
	size_t stuck;

	(void)state;
	tls_pair(&server, &client, &options);
	for (size_t i = 0; i < sizeof(large); i++)
		large[i] = pattern(i);
	server.take_max = 1000;
	server.act = endpoint_pause;
	stream_write_owned(client.stream, span_of(large, sizeof(large)), count_release, &released);
	RUN_UNTIL(&world.loop, server.offers == 1);
	settle(&world.loop);
	stuck = stream_queued_bytes(client.stream);
	settle(&world.loop);
	assert_true(stuck > 0);
	assert_int_equal(stream_queued_bytes(client.stream), stuck);
	assert_int_equal(server.offers, 1);
	/* Taking it in small bites: each offer must bring the rest of what OpenSSL and the stream still hold.
	 */
	server.take_max = 4000;
	RUN_UNTIL(&world.loop, resume_and_check(&server, sizeof(large)));
	assert_memory_equal(buf_span(&server.data).ptr, large, sizeof(large));
	assert_int_equal(server.offered_max, 5000);
	assert_int_equal(released, 1);
	fini_pair(&server, &client);
}

/* Data and close_notify come in one segment: OpenSSL knows of the end before the owner wants to. */
static void a_paused_stream_hears_of_the_end_after_it_took_the_rest(void **state)
{
	struct endpoint server, client;

	(void)state;
	tls_pair(&server, &client, NULL);
	server.act = endpoint_pause;
	server.take_max = 6;
	stream_write(client.stream, SPAN_LIT("DATA\r\nQUIT\r\n"));
	stream_close(client.stream);
	RUN_UNTIL(&world.loop, server.offers == 1);
	settle(&world.loop);
	assert_int_equal(server.eofs, 0);
	stream_resume(server.stream);
	RUN_UNTIL(&world.loop, server.eofs == 1);
	assert_span_equal(buf_span(&server.data), "DATA\r\nQUIT\r\n");
	stream_close(server.stream);
	RUN_UNTIL(&world.loop, server.closes && client.closes);
	assert_int_equal(server.why, ERR_OK);
	fini_pair(&server, &client);
}

/* Passes on one byte per turn, both ways. */
struct relay {
	struct stream *from, *to;
};

static size_t relay_on_data(void *arg, struct span bytes)
{
	struct relay *relay = arg;

	if (!relay->to)
		return bytes.len;
	stream_write(relay->to, span_take(bytes, 1));
	stream_resume(relay->from);
	return 1;
}

static void relay_on_close(void *arg, enum err why, const char *text)
{
	(void)arg;
	(void)why;
	(void)text;
}

static const struct stream_callbacks relay_callbacks = { .on_data = relay_on_data,
	.on_close = relay_on_close };

static void handshake_and_data_may_come_byte_by_byte(void **state)
{
	struct endpoint server = endpoint_of(&world.loop), client = endpoint_of(&world.loop);
	struct relay up = { 0 }, down = { 0 };
	int left[2], right[2];

	(void)state;
	raw_pair(left);
	raw_pair(right);
	client.stream = stream_accept(&world.loop, left[0], NULL, &endpoint_callbacks, &client);
	server.stream = stream_accept(&world.loop, right[0], NULL, &endpoint_callbacks, &server);
	up.from = down.to = stream_accept(&world.loop, left[1], NULL, &relay_callbacks, &up);
	up.to = down.from = stream_accept(&world.loop, right[1], NULL, &relay_callbacks, &down);
	start_strict(&client);
	start_server(&server);
	stream_write(client.stream, SPAN_LIT("EHLO\r\n"));
	stream_write(server.stream, SPAN_LIT("220 ready\r\n"));
	RUN_UNTIL(&world.loop, buf_len(&server.data) == 6 && buf_len(&client.data) == 11);
	stream_abort(up.from);
	stream_abort(down.from);
	fini_pair(&server, &client);
}

/* ---- memory ---- */

static void an_idle_stream_with_tls_stays_under_32_kib(void **state)
{
	enum { COUNT = 200 };
	static struct endpoint servers[COUNT], clients[COUNT];
	size_t before = mallinfo2().uordblks, after;

	(void)state;
	for (unsigned i = 0; i < COUNT; i++) {
		tls_pair(&servers[i], &clients[i], NULL);
		stream_write(clients[i].stream, SPAN_LIT("EHLO\r\n"));
		stream_write(servers[i].stream, SPAN_LIT("250 ok\r\n"));
		RUN_UNTIL(&world.loop, servers[i].offers && clients[i].offers);
		endpoint_fini(&servers[i]);
		endpoint_fini(&clients[i]);
	}
	settle(&world.loop);
	after = mallinfo2().uordblks;
	print_message(
		"an idle stream with TLS: %zu bytes, both ends' average\n", (after - before) / COUNT / 2);
	assert_true((after - before) / COUNT / 2 < 32 * 1024);
	for (unsigned i = 0; i < COUNT; i++)
		fini_pair(&servers[i], &clients[i]);
}

#define TLS_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TLS_TEST(bytes_cross_both_ways_and_on_tls_says_how),
		TLS_TEST(what_was_agreed_on_can_be_asked_for_later),
		TLS_TEST(the_exporter_binds_one_connection),
		TLS_TEST(the_certificate_must_be_trusted_and_name_the_peer),
		TLS_TEST(a_name_that_cannot_be_one_ends_the_stream),
		TLS_TEST(connections_keep_the_certificate_they_began_with),
		TLS_TEST(commands_injected_before_the_handshake_are_thrown_away),
		TLS_TEST(replies_injected_before_the_handshake_are_thrown_away),
		TLS_TEST(a_handshake_may_follow_a_proxy_header_in_the_same_segment),
		TLS_TEST(a_handshake_that_fails_says_why),
		TLS_TEST(a_record_that_was_tampered_with_ends_the_stream),
		TLS_TEST(close_tells_the_peer_by_close_notify_after_the_last_bytes),
		TLS_TEST(every_way_to_end_is_safe_inside_the_callbacks),
		TLS_TEST(bulk_is_bounded_on_the_way_and_arrives_in_order),
		TLS_TEST(a_paused_stream_makes_the_peer_wait_and_loses_nothing),
		TLS_TEST(a_paused_stream_hears_of_the_end_after_it_took_the_rest),
		TLS_TEST(handshake_and_data_may_come_byte_by_byte),
		TLS_TEST(an_idle_stream_with_tls_stays_under_32_kib),
	};

	return cmocka_run_group_tests(tests, set_up_group, tear_down_group);
}
