/* The admin server over real sockets, on its own thread as in the node. */
#include "cmocka_all.h"

#include "admin/admin.h"
#include "admin/http_server.h"
#include "io/loop.h"
#include "io/stream.h"
#include "skein/proto/base/alloc.h"
#include "track/metrics.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define GIVE_UP_MS 20000

struct fixture {
	struct health *health;
	struct metrics *metrics;
	struct admin *admin;
	struct loop idle; /* a loop that nobody turns */
	uint16_t port;
};

static void start(struct fixture *fixture, uint64_t stall_max_ms)
{
	struct address listen;
	struct buf why = { 0 };

	assert_int_equal(address_parse(SPAN_LIT("127.0.0.1:0"), 1, &listen), ERR_OK);
	fixture->health = health_new();
	fixture->metrics = metrics_new(10);
	assert_int_equal(loop_init(&fixture->idle), ERR_OK);
	health_watch(fixture->health, "worker-0", &fixture->idle);
	assert_int_equal(admin_start(&(struct admin_options){ .listen = &listen,
					     .health = fixture->health,
					     .metrics = fixture->metrics,
					     .node_name = "node1",
					     .stall_max_ms = stall_max_ms },
				 &fixture->admin, &why),
		ERR_OK);
	fixture->port = admin_port(fixture->admin);
	buf_fini(&why);
}

static void stop(struct fixture *fixture)
{
	admin_stop(&fixture->admin);
	assert_null(fixture->admin);
	admin_stop(&fixture->admin);
	health_free(&fixture->health);
	metrics_free(&fixture->metrics);
	loop_fini(&fixture->idle);
}

static int dial(uint16_t port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void send_all(int fd, struct span bytes)
{
	assert_int_equal(send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL), bytes.len);
}

/* Reads until the peer closes or `enough` occurs; NUL-terminated, the caller ends `out`. */
static const char *receive(int fd, const char *enough, struct buf *out)
{
	for (;;) {
		struct pollfd wait = { .fd = fd, .events = POLLIN };
		ssize_t len;

		buf_reserve(out, 65536);
		*buf_tail(out) = '\0';
		if (buf_len(out) && enough && strstr(buf_span(out).ptr, enough))
			break;
		if (poll(&wait, 1, GIVE_UP_MS) != 1)
			fail_msg("no answer and no close after \"%s\"", buf_span(out).ptr);
		len = recv(fd, buf_tail(out), 65535, 0);
		if (len <= 0)
			break;
		buf_commit(out, (size_t)len);
	}
	return buf_span(out).ptr;
}

/* One request on a connection of its own, and all that comes back. */
static const char *ask(uint16_t port, struct span request, struct buf *out)
{
	int fd = dial(port);
	const char *text;

	buf_clear(out);
	(void)!send(fd, request.ptr, request.len, MSG_NOSIGNAL); /* it may be turned away already */
	text = receive(fd, NULL, out);
	close(fd);
	return text;
}

static const char *get(uint16_t port, const char *path, struct buf *out)
{
	char request[200];
	int len = snprintf(
		request, sizeof(request), "GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", path);

	return ask(port, span_of(request, (size_t)len), out);
}

static const char *body_of(const char *answer)
{
	const char *end = strstr(answer, "\r\n\r\n");

	assert_non_null(end);
	return end + 4;
}

static bool is_status(const char *answer, const char *status)
{
	return strncmp(answer, "HTTP/1.1 ", 9) == 0 && strncmp(answer + 9, status, strlen(status)) == 0;
}

static void readyz_tells_the_reason_on_one_line(void **state)
{
	struct fixture fixture = { 0 };
	struct health_reporter reporter;
	struct buf out = { 0 };
	const char *answer;

	(void)state;
	start(&fixture, 0);
	health_reporter_init(&reporter, fixture.health);
	answer = get(fixture.port, "/readyz", &out);
	assert_true(is_status(answer, "503 "));
	assert_string_equal(body_of(answer), "starting\n");
	health_set_phase(fixture.health, HEALTH_SERVING);
	answer = get(fixture.port, "/readyz", &out);
	assert_true(is_status(answer, "200 "));
	assert_string_equal(body_of(answer), "ready\n");
	health_set(&reporter, HEALTH_DISK, false, "12 MiB left in /spool");
	answer = get(fixture.port, "/readyz", &out);
	assert_true(is_status(answer, "503 "));
	assert_string_equal(body_of(answer), "disk: 12 MiB left in /spool\n");
	buf_fini(&out);
	stop(&fixture);
}

static void livez_names_the_loop_that_hangs(void **state)
{
	struct fixture fixture = { 0 };
	struct buf out = { 0 };
	const char *answer;

	(void)state;
	start(&fixture, 60000);
	assert_string_equal(body_of(get(fixture.port, "/livez", &out)), "live\n");
	stop(&fixture);
	start(&fixture, 20);
	do
		answer = get(fixture.port, "/livez", &out);
	while (loop_stalled_ms(&fixture.idle) < GIVE_UP_MS && is_status(answer, "200"));
	assert_true(is_status(answer, "503 "));
	assert_non_null(strstr(body_of(answer), "worker-0: has not turned for "));
	buf_fini(&out);
	stop(&fixture);
}

static void healthz_is_json_with_the_parts(void **state)
{
	struct fixture fixture = { 0 };
	struct health_reporter reporter;
	struct buf out = { 0 };
	json_t *root, *redis;

	(void)state;
	start(&fixture, 0);
	health_reporter_init(&reporter, fixture.health);
	health_set_phase(fixture.health, HEALTH_SERVING);
	health_set(&reporter, HEALTH_REDIS, false, "he said \"no\"");
	meter_set_at(metrics_open(fixture.metrics), METRIC_QUEUE, QUEUE_KEPT, 3);
	root = json_loads(body_of(get(fixture.port, "/healthz", &out)), JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(root);
	assert_string_equal(json_string_value(json_object_get(root, "node")), "node1");
	assert_true(json_is_true(json_object_get(root, "ready")));
	assert_true(json_is_true(json_object_get(root, "live")));
	assert_int_equal(json_integer_value(json_object_get(json_object_get(root, "queue"), "kept")), 3);
	assert_non_null(json_object_get(json_object_get(root, "loops_stalled_ms"), "worker-0"));
	redis = json_object_get(json_object_get(root, "parts"), "redis");
	assert_true(json_is_false(json_object_get(redis, "ok")));
	assert_string_equal(json_string_value(json_object_get(redis, "reason")), "he said \"no\"");
	json_decref(root);
	buf_fini(&out);
	stop(&fixture);
}

static void metrics_are_in_prometheus_format(void **state)
{
	struct fixture fixture = { 0 };
	struct buf out = { 0 };
	const char *answer;

	(void)state;
	start(&fixture, 0);
	meter_add(metrics_open(fixture.metrics), METRIC_MESSAGES_ACCEPTED, 7);
	answer = get(fixture.port, "/metrics", &out);
	assert_true(is_status(answer, "200 "));
	assert_non_null(strstr(answer, "\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
	assert_non_null(strstr(body_of(answer), "\nskein_messages_accepted_total 7\n"));
	buf_fini(&out);
	stop(&fixture);
}

static void hostile_requests_are_answered_and_closed(void **state)
{
	static const struct {
		const char *request, *status;
	} rows[] = {
		{ "GET /readyz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400 " },
		{ "GET /readyz HTTP/1.1\nHost: a\n\n", "400 " },
		{ "POST /readyz HTTP/1.1\r\nHost: a\r\nContent-Length: 30\r\n\r\nGET /readyz "
		  "HTTP/1.1\r\nHost: "
		  "a\r\n\r\n",
			"413 " },
		{ "DELETE /readyz HTTP/1.1\r\nHost: a\r\n\r\n", "405 " },
		{ "GET /readyz HTTP/3.0\r\nHost: a\r\n\r\n", "505 " },
		{ "EHLO client\r\n\r\n", "400 " },
	};
	struct fixture fixture = { 0 };
	struct buf out = { 0 };

	(void)state;
	start(&fixture, 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *answer = ask(fixture.port, span_of_str(rows[i].request), &out);

		/* ask() reads to the end: the server closed, and answered nothing behind. */
		if (!is_status(answer, rows[i].status))
			fail_msg("\"%s\": %s", rows[i].request, answer);
		assert_non_null(strstr(answer, "\r\nConnection: close\r\n"));
		assert_null(strstr(answer + 1, "HTTP/1.1 "));
	}
	assert_true(is_status(get(fixture.port, "/nothing", &out), "404 "));
	buf_fini(&out);
	stop(&fixture);
}

static void a_connection_serves_several_requests_in_order(void **state)
{
	struct fixture fixture = { 0 };
	struct buf out = { 0 };
	int fd;

	(void)state;
	start(&fixture, 0);
	fd = dial(fixture.port);
	send_all(fd, SPAN_LIT("GET /livez HTTP/1.1\r\nHost: a\r\n\r\nHEAD /livez HTTP/1.1\r\nHost: a\r\n\r\n"
			      "GET /readyz HTTP/1.1\r\nHost: a\r\n\r\nGET /nothing HTT"));
	receive(fd, "starting\n", &out);
	assert_non_null(strstr(buf_span(&out).ptr, "live\nHTTP/1.1 200 OK"));
	assert_non_null(strstr(buf_span(&out).ptr, "\r\n\r\nHTTP/1.1 503 "));
	buf_clear(&out);
	send_all(fd, SPAN_LIT("P/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
	assert_true(is_status(receive(fd, NULL, &out), "404 "));
	close(fd);
	buf_fini(&out);
	stop(&fixture);
}

static void a_peer_that_reads_nothing_is_not_served_without_end(void **state)
{
	struct fixture fixture = { 0 };
	struct pollfd wait = { .events = POLLOUT };
	struct buf requests = { 0 };
	size_t sent = 0;
	ssize_t len;

	(void)state;
	start(&fixture, 0);
	for (unsigned i = 0; i < 100; i++)
		buf_append_str(&requests, "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
	wait.fd = dial(fixture.port);
	/* Its answers are some MB: the server stops reading, or ends the connection after its share of
	 * requests. */
	while (poll(&wait, 1, 1000) == 1 && !(wait.revents & (POLLERR | POLLHUP)) &&
		sent < 64 * 1024 * 1024) {
		len = send(wait.fd, buf_span(&requests).ptr, buf_len(&requests), MSG_NOSIGNAL | MSG_DONTWAIT);
		if (len < 0 && errno != EAGAIN)
			break;
		sent += len > 0 ? (size_t)len : 0;
	}
	assert_true(sent < 64 * 1024 * 1024);
	close(wait.fd);
	buf_fini(&requests);
	stop(&fixture);
}

static void connections_beyond_the_limit_are_closed(void **state)
{
	struct fixture fixture = { 0 };
	struct buf out = { 0 };
	uint64_t began_ms = loop_boottime_ms();
	int fds[HTTP_CONNECTIONS_MAX];
	int late;

	(void)state;
	start(&fixture, 0);
	for (unsigned i = 0; i < HTTP_CONNECTIONS_MAX; i++) {
		fds[i] = dial(fixture.port);
		send_all(fds[i], SPAN_LIT("GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"));
		buf_clear(&out);
		receive(fds[i], "live\n", &out);
	}
	late = dial(fixture.port);
	buf_clear(&out);
	assert_string_equal(receive(late, NULL, &out), "");
	close(late);
	for (unsigned i = 0; i < HTTP_CONNECTIONS_MAX; i++)
		close(fds[i]);
	while (!is_status(get(fixture.port, "/livez", &out), "200"))
		assert_true(loop_boottime_ms() - began_ms < GIVE_UP_MS);
	buf_fini(&out);
	stop(&fixture);
}

/* ---- http_server with a patience that a test can wait for ---- */

static void answer_nothing(void *arg, struct span path, struct http_response *response)
{
	(void)arg;
	(void)path;
	(void)response;
}

static void *run_loop(void *arg)
{
	loop_run(arg);
	return NULL;
}

static void a_peer_that_is_slow_with_its_head_is_closed(void **state)
{
	static const struct {
		const char *first, *rest;
	} rows[] = {
		{ "", "" },
		{ "GET / HT", "" },
		/* After an answer, one byte at a time: the deadline of the head does not move. */
		{ "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
			"GET / HTTP/1.1\r\nHost: a\r\nX: 12345678901234567890" },
	};
	static const struct http_timeouts timeouts = { .head_ms = 150, .idle_ms = 300 };
	struct http_server *server;
	struct address address;
	struct buf out = { 0 };
	struct loop loop;
	pthread_t thread;

	(void)state;
	assert_int_equal(address_parse(SPAN_LIT("127.0.0.1:0"), 1, &address), ERR_OK);
	assert_int_equal(loop_init(&loop), ERR_OK);
	assert_int_equal(
		http_server_open(&loop, &address, &timeouts, answer_nothing, NULL, &server, &out), ERR_OK);
	assert_int_equal(pthread_create(&thread, NULL, run_loop, &loop), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t began_ms = loop_boottime_ms();
		int fd = dial(address_port(http_server_address(server)));

		send_all(fd, span_of_str(rows[i].first));
		for (const char *byte = rows[i].rest; *byte; byte++) {
			struct pollfd wait = { .fd = fd, .events = POLLRDHUP };

			if (poll(&wait, 1, 20) == 1 || send(fd, byte, 1, MSG_NOSIGNAL) < 0)
				break;
		}
		buf_clear(&out);
		receive(fd, NULL, &out);
		assert_true(loop_boottime_ms() - began_ms < GIVE_UP_MS);
		close(fd);
	}
	loop_stop(&loop);
	pthread_join(thread, NULL);
	http_server_close(&server);
	stream_abort_all(&loop);
	loop_fini(&loop);
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(readyz_tells_the_reason_on_one_line),
		cmocka_unit_test(livez_names_the_loop_that_hangs),
		cmocka_unit_test(healthz_is_json_with_the_parts),
		cmocka_unit_test(metrics_are_in_prometheus_format),
		cmocka_unit_test(hostile_requests_are_answered_and_closed),
		cmocka_unit_test(a_connection_serves_several_requests_in_order),
		cmocka_unit_test(a_peer_that_reads_nothing_is_not_served_without_end),
		cmocka_unit_test(connections_beyond_the_limit_are_closed),
		cmocka_unit_test(a_peer_that_is_slow_with_its_head_is_closed),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
