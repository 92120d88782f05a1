#include "redis_socket.h"

#include "skein/proto/base/alloc.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { READ_SIZE = 65536 };

struct redis_socket {
	const struct redis_socket_options *options;
	struct redis_link *link;
	SSL_CTX *tls_context; /* NULL: in clear */
	SSL *tls;
	int fd;         /* -1: none */
	struct buf out; /* written by the link and not sent yet */
	bool ready, closing;
	char why[320];
};

uint64_t redis_socket_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

struct redis_link *redis_socket_link(struct redis_socket *socket)
{
	return socket->link;
}

const char *redis_socket_why(const struct redis_socket *socket)
{
	return socket->why;
}

/* ---- the link's side ---- */

static void transport_write(void *ctx, struct span bytes)
{
	struct redis_socket *sock = ctx;

	buf_append(&sock->out, bytes);
}

/* The link may be in the middle of its work: the end is made by whoever called it. */
static void transport_close(void *ctx)
{
	struct redis_socket *sock = ctx;

	sock->closing = true;
}

static void on_event(void *arg, enum redis_link_event event, const char *why)
{
	struct redis_socket *sock = arg;

	sock->ready = event == LINK_READY;
	if (event == LINK_LOST)
		snprintf(sock->why, sizeof(sock->why), "%s", why);
}

static void end_connection(struct redis_socket *sock, const char *why)
{
	if (sock->tls)
		SSL_free(sock->tls);
	sock->tls = NULL;
	if (sock->fd >= 0)
		close(sock->fd);
	sock->fd = -1;
	redis_link_disconnected(sock->link, why, redis_socket_now_ms());
}

/* ---- waiting ---- */

/* Until the socket is ready for `events` or the link's deadline. False when the connection is over. */
static bool wait_for(struct redis_socket *sock, short events)
{
	uint64_t now_ms = redis_socket_now_ms();
	uint64_t due_ms = redis_link_tick(sock->link, now_ms);
	uint64_t wait_ms = due_ms > now_ms ? due_ms - now_ms : 0;
	struct pollfd poll_fd = { .fd = sock->fd, .events = events };

	if (buf_len(&sock->out))
		poll_fd.events |= POLLOUT;
	if (!sock->closing)
		(void)poll(&poll_fd, 1, wait_ms < 60000 ? (int)wait_ms : 60000);
	if (!sock->closing && poll_fd.revents == 0)
		(void)redis_link_tick(sock->link, redis_socket_now_ms());
	if (sock->closing)
		end_connection(sock, "closed");
	return sock->fd >= 0;
}

static bool tls_wants_more(struct redis_socket *sock, int result)
{
	int error = SSL_get_error(sock->tls, result);

	return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
}

/* Bytes moved; 0: none at the moment; -1: the connection is over. */
static ssize_t send_some(struct redis_socket *sock, struct span bytes)
{
	ssize_t sent;

	if (sock->tls) {
		int result =
			SSL_write(sock->tls, bytes.ptr, bytes.len < INT32_MAX ? (int)bytes.len : INT32_MAX);

		return result > 0 ? result : tls_wants_more(sock, result) ? 0 : -1;
	}
	sent = send(sock->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
	return sent >= 0 ? sent : errno == EAGAIN || errno == EINTR ? 0 : -1;
}

static ssize_t receive_some(struct redis_socket *sock, char *bytes)
{
	ssize_t got;

	if (sock->tls) {
		int result = SSL_read(sock->tls, bytes, READ_SIZE);

		return result > 0 ? result : tls_wants_more(sock, result) ? 0 : -1;
	}
	got = recv(sock->fd, bytes, READ_SIZE, 0);
	return got > 0 ? got : got < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

static bool send_all_possible(struct redis_socket *sock)
{
	ssize_t sent = 1;

	while (buf_len(&sock->out) && sent > 0) {
		ERR_clear_error();
		sent = send_some(sock, buf_span(&sock->out));
		if (sent > 0)
			buf_consume(&sock->out, (size_t)sent);
	}
	return sent >= 0;
}

static bool receive_all_possible(struct redis_socket *sock)
{
	char bytes[READ_SIZE];
	ssize_t got = 1;

	while (got > 0 && !sock->closing) {
		ERR_clear_error();
		got = receive_some(sock, bytes);
		if (got > 0)
			redis_link_received(sock->link, span_of(bytes, (size_t)got), redis_socket_now_ms());
	}
	return got >= 0;
}

/* One round of sending and receiving. False when the connection is over. */
static bool turn(struct redis_socket *sock)
{
	redis_link_flush(sock->link, redis_socket_now_ms());
	if (!send_all_possible(sock) || !receive_all_possible(sock)) {
		end_connection(sock, "Redis closed the connection");
		return false;
	}
	return true;
}

static bool wait_turn(struct redis_socket *sock)
{
	/* With TLS a write may wait for the peer's bytes; both directions are tried after either event. */
	return wait_for(sock, POLLIN) && turn(sock);
}

bool redis_socket_finish(struct redis_socket *sock)
{
	bool alive = sock->fd >= 0 && turn(sock);

	while (alive && redis_link_in_flight(sock->link) > 0)
		alive = wait_turn(sock);
	if (alive && sock->closing)
		end_connection(sock, "closed");
	return alive;
}

/* ---- connecting ---- */

static bool set_up_tls(struct redis_socket *sock, struct buf *why)
{
	const struct redis_socket_tls *tls = &sock->options->tls;
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	int ok;

	sock->tls_context = context;
	SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
	SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	ok = tls->ca_file ? SSL_CTX_load_verify_file(context, tls->ca_file)
			  : SSL_CTX_set_default_verify_paths(context);
	if (ok != 1) {
		buf_printf(why, "cannot use %s as authority: %s",
			tls->ca_file ? tls->ca_file : "the system's store",
			ERR_reason_error_string(ERR_peek_last_error()));
		return false;
	}
	if (tls->cert_file &&
		(SSL_CTX_use_certificate_chain_file(context, tls->cert_file) != 1 ||
			SSL_CTX_use_PrivateKey_file(context, tls->key_file, SSL_FILETYPE_PEM) != 1)) {
		buf_printf(why, "cannot use certificate %s with key %s: %s", tls->cert_file, tls->key_file,
			ERR_reason_error_string(ERR_peek_last_error()));
		return false;
	}
	return true;
}

static bool is_ip(const char *name)
{
	unsigned char address[16];

	return inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1;
}

static void expect_name(SSL *tls, const char *name)
{
	if (is_ip(name)) {
		CHECK(X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls), name) == 1);
		return;
	}
	(void)SSL_set_tlsext_host_name(tls, name);
	(void)SSL_set1_host(tls, name);
}

static const char *tls_failure(SSL *tls)
{
	long verify = SSL_get_verify_result(tls);
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	if (verify != X509_V_OK)
		return X509_verify_cert_error_string(verify);
	return reason ? reason : "the server closed the connection (is it a TLS port?)";
}

static bool shake_hands(struct redis_socket *sock)
{
	const char *name =
		sock->options->tls.server_name ? sock->options->tls.server_name : sock->options->host;
	char why[256];
	int result;

	sock->tls = SSL_new(sock->tls_context);
	CHECK(sock->tls && SSL_set_fd(sock->tls, sock->fd) == 1);
	expect_name(sock->tls, name);
	for (;;) {
		ERR_clear_error();
		result = SSL_connect(sock->tls);
		if (result == 1)
			return true;
		if (!tls_wants_more(sock, result))
			break;
		if (!wait_for(sock, SSL_want_write(sock->tls) ? POLLOUT : POLLIN))
			return false;
	}
	snprintf(why, sizeof(why), "TLS with %s failed: %s", name, tls_failure(sock->tls));
	end_connection(sock, why);
	return false;
}

static void fail_to_connect(struct redis_socket *sock, int error)
{
	end_connection(sock, strerror(error));
}

static bool connect_one(struct redis_socket *sock, const struct addrinfo *address)
{
	socklen_t len = sizeof(int);
	int error = 0;

	redis_link_connecting(sock->link, redis_socket_now_ms());
	sock->closing = false;
	sock->fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (sock->fd < 0 ||
		(connect(sock->fd, address->ai_addr, address->ai_addrlen) && errno != EINPROGRESS)) {
		fail_to_connect(sock, errno);
		return false;
	}
	if (!wait_for(sock, POLLOUT))
		return false;
	CHECK(getsockopt(sock->fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0);
	if (error) {
		fail_to_connect(sock, error);
		return false;
	}
	return !sock->tls_context || shake_hands(sock);
}

static bool become_ready(struct redis_socket *sock)
{
	bool alive;

	redis_link_connected(sock->link, redis_socket_now_ms());
	alive = turn(sock);
	while (alive && !sock->ready)
		alive = wait_turn(sock);
	return alive;
}

static bool connect_any(struct redis_socket *sock, struct buf *why)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *addresses;
	bool ready = false;
	int status = getaddrinfo(sock->options->host, sock->options->port, &hints, &addresses);

	if (status) {
		buf_printf(why, "cannot resolve %s: %s", sock->options->host, gai_strerror(status));
		return false;
	}
	for (struct addrinfo *at = addresses; at && !ready; at = at->ai_next)
		ready = connect_one(sock, at) && become_ready(sock);
	freeaddrinfo(addresses);
	if (!ready)
		buf_append_str(why, sock->why);
	return ready;
}

struct redis_socket *redis_socket_open(const struct redis_socket_options *options, struct buf *why_out)
{
	struct redis_socket *sock = mem_zalloc(sizeof(*sock));
	struct redis_transport transport = { sock, transport_write, transport_close };

	sock->options = options;
	sock->fd = -1;
	sock->link = redis_link_new(&options->link, transport, on_event, sock);
	if ((options->tls.on && !set_up_tls(sock, why_out)) || !connect_any(sock, why_out))
		redis_socket_close(&sock);
	else
		sock->why[0] = '\0';
	return sock;
}

void redis_socket_close(struct redis_socket **sock_ref)
{
	struct redis_socket *sock = *sock_ref;

	if (!sock)
		return;
	end_connection(sock, "closed");
	redis_link_free(&sock->link);
	SSL_CTX_free(sock->tls_context);
	buf_fini(&sock->out);
	mem_free(sock);
	*sock_ref = NULL;
}
