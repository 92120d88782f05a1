/*
 * io_fixture: what tests of streams share: a loop turned by hand until a condition holds, an endpoint that
 * records what a stream tells it, and raw sockets to misbehave with.
 */
#ifndef TESTS_UNIT_NODE_IO_FIXTURE_H
#define TESTS_UNIT_NODE_IO_FIXTURE_H

#include "io/listener.h"
#include "io/stream.h"
#include "loop_until.h"
#include "skein/proto/base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

struct endpoint;
typedef void endpoint_fn(struct endpoint *endpoint);

struct endpoint {
	struct loop *loop;
	struct stream *stream;
	struct buf data;    /* consumed so far */
	size_t offered_max; /* the longest span offered */
	size_t take_max;    /* consumes at most so much of each offer */
	unsigned opens, offers, eofs, drains, tls, closes;
	endpoint_fn *act; /* runs once, in the next on_data, before consuming */
	endpoint_fn *act_on_open, *act_on_tls;
	size_t write_left; /* on_drain writes on, in pieces, up to this */
	size_t queued_max;
	bool verified;
	char cipher[64], protocol[16], subject[128], verify_text[128];
	enum err why;
	char text[160];
};

static inline void endpoint_on_open(void *arg)
{
	struct endpoint *endpoint = arg;

	endpoint->opens++;
	if (endpoint->act_on_open)
		endpoint->act_on_open(endpoint);
}

static inline size_t endpoint_on_data(void *arg, struct span bytes)
{
	struct endpoint *endpoint = arg;
	endpoint_fn *act = endpoint->act;
	size_t used = bytes.len < endpoint->take_max ? bytes.len : endpoint->take_max;

	assert_int_equal(endpoint->closes, 0);
	endpoint->offers++;
	if (endpoint->offered_max < bytes.len)
		endpoint->offered_max = bytes.len;
	endpoint->act = NULL;
	buf_append(&endpoint->data, span_take(bytes, used));
	if (act)
		act(endpoint);
	return used;
}

static inline void endpoint_on_eof(void *arg)
{
	((struct endpoint *)arg)->eofs++;
}

/* Byte n of what endpoint_feed() writes. */
static inline char pattern(size_t n)
{
	return (char)(n * 7 + n / 251);
}

/* Writes the next pieces until 128 KiB wait. */
static inline void endpoint_feed(struct endpoint *endpoint, size_t *written)
{
	char piece[1500];

	while (endpoint->write_left && stream_queued_bytes(endpoint->stream) < 128 * 1024) {
		size_t len = endpoint->write_left < sizeof(piece) ? endpoint->write_left : sizeof(piece);

		for (size_t i = 0; i < len; i++)
			piece[i] = pattern((*written)++);
		stream_write(endpoint->stream, span_of(piece, len));
		endpoint->write_left -= len;
	}
	if (endpoint->queued_max < stream_queued_bytes(endpoint->stream))
		endpoint->queued_max = stream_queued_bytes(endpoint->stream);
}

static inline void endpoint_on_drain(void *arg)
{
	((struct endpoint *)arg)->drains++;
}

static inline void endpoint_on_tls(void *arg, const struct tls_info *info)
{
	struct endpoint *endpoint = arg;

	endpoint->tls++;
	endpoint->verified = info->verified;
	snprintf(endpoint->cipher, sizeof(endpoint->cipher), "%s", info->cipher);
	snprintf(endpoint->protocol, sizeof(endpoint->protocol), "%s", info->protocol);
	snprintf(endpoint->subject, sizeof(endpoint->subject), "%s", info->peer_subject);
	snprintf(endpoint->verify_text, sizeof(endpoint->verify_text), "%s", info->verify_text);
	if (endpoint->act_on_tls)
		endpoint->act_on_tls(endpoint);
}

static inline void endpoint_on_close(void *arg, enum err why, const char *text)
{
	struct endpoint *endpoint = arg;

	endpoint->closes++;
	endpoint->why = why;
	snprintf(endpoint->text, sizeof(endpoint->text), "%s", text);
	endpoint->stream = NULL;
}

static const struct stream_callbacks endpoint_callbacks = {
	.on_open = endpoint_on_open,
	.on_data = endpoint_on_data,
	.on_eof = endpoint_on_eof,
	.on_drain = endpoint_on_drain,
	.on_tls = endpoint_on_tls,
	.on_close = endpoint_on_close,
};

/* An owner that leaves the peer's FIN to the stream. */
static const struct stream_callbacks endpoint_callbacks_no_eof = {
	.on_data = endpoint_on_data,
	.on_close = endpoint_on_close,
};

static inline struct endpoint endpoint_of(struct loop *loop)
{
	return (struct endpoint){ .loop = loop, .take_max = SIZE_MAX };
}

static inline void endpoint_fini(struct endpoint *endpoint)
{
	buf_fini(&endpoint->data);
}

static inline void endpoint_close(struct endpoint *endpoint)
{
	stream_close(endpoint->stream);
}

static inline void endpoint_abort(struct endpoint *endpoint)
{
	stream_abort(endpoint->stream);
}

static inline void endpoint_detach(struct endpoint *endpoint)
{
	stream_detach(&endpoint->stream);
}

static inline void endpoint_pause(struct endpoint *endpoint)
{
	stream_pause(endpoint->stream);
}

static inline int socket_or_fail(int fd)
{
	assert_true(fd >= 0);
	return fd;
}

/* A listening socket on a free loopback port. */
static inline int raw_listen(struct sockaddr_in *name_out)
{
	socklen_t len = sizeof(*name_out);
	int fd = socket_or_fail(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));

	*name_out = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	assert_int_equal(bind(fd, (struct sockaddr *)name_out, len), 0);
	assert_int_equal(listen(fd, 1024), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)name_out, &len), 0);
	return fd;
}

/*
 * A connected pair of TCP sockets; both block. The first takes little that it does not read: how much a
 * kernel would take of its own accord grows with the machine.
 */
static inline void raw_pair(int fds_out[2])
{
	struct sockaddr_in name;
	int listening = raw_listen(&name), window = 64 * 1024;

	fds_out[0] = socket_or_fail(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	assert_int_equal(setsockopt(fds_out[0], SOL_SOCKET, SO_RCVBUF, &window, sizeof(window)), 0);
	assert_int_equal(connect(fds_out[0], (struct sockaddr *)&name, sizeof(name)), 0);
	fds_out[1] = socket_or_fail(accept(listening, NULL, NULL));
	close(listening);
}

/* Accepts one end for the endpoint and returns the other, which does not block. */
static inline int endpoint_accept(struct endpoint *endpoint, const struct stream_options *options,
	const struct stream_callbacks *callbacks)
{
	int fds[2];

	raw_pair(fds);
	assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
	endpoint->stream = stream_accept(endpoint->loop, fds[1], options, callbacks, endpoint);
	return fds[0];
}

/* Two endpoints on one connection. */
static inline void endpoint_pair(
	struct endpoint *server, struct endpoint *client, const struct stream_options *options)
{
	struct sockaddr_in name;
	int listening = raw_listen(&name);

	client->stream =
		stream_connect(client->loop, (struct sockaddr *)&name, options, &endpoint_callbacks, client);
	server->stream = stream_accept(server->loop, socket_or_fail(accept(listening, NULL, NULL)), options,
		&endpoint_callbacks, server);
	close(listening);
}

/* A close() of this socket sends RST. */
static inline void raw_close_with_reset(int fd)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 0 };

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
	close(fd);
}

static inline void raw_send(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), 0), strlen(text));
}

/* What has arrived by now; returns recv()'s result. */
static inline ssize_t raw_recv(int fd, struct buf *buf)
{
	ssize_t got;

	buf_reserve(buf, 65536);
	got = recv(fd, buf_tail(buf), 65536, MSG_DONTWAIT);
	if (got > 0)
		buf_commit(buf, (size_t)got);
	return got;
}

static inline int loop_set_up(void **state)
{
	static struct loop loop;

	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(loop_init(&loop), ERR_OK);
	*state = &loop;
	return 0;
}

static inline void detach_stream(uv_handle_t *handle, void *arg)
{
	struct stream *stream = (struct stream *)(void *)handle; /* the handle is its first member */

	(void)arg;
	if (handle->type == UV_TCP && !uv_is_closing(handle))
		stream_detach(&stream);
}

/* Ends the streams that a test leaves, or left when it failed: their endpoints were on its stack. */
static inline void end_streams(struct loop *loop)
{
	uv_walk(&loop->uv, detach_stream, NULL);
	stream_abort_all(loop);
	settle(loop);
}

static inline int loop_tear_down(void **state)
{
	end_streams(*state);
	loop_fini(*state);
	return 0;
}

#endif
