#include "io/listener.h"

#include "skein/proto/base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define BACKLOG         1024 /* the kernel caps it at net.core.somaxconn */
#define BURST           64   /* connections per turn: the others' bytes come next */
#define TROUBLE_REST_MS 200

struct listener {
	struct loop *loop;
	const struct listener_callbacks *callbacks;
	void *arg;
	uv_poll_t poll;
	struct handle_group handles;
	struct loop_timer rest; /* set: out of descriptors, not accepting */
	struct address address;
	int fd;       /* -1: closed */
	int spare_fd; /* given up to turn a connection away when there is no other */
	bool is_inherited, is_started, paused;
};

static enum err bind_to(const struct address *address, int *fd_out, struct buf *why_out);
static enum err watch(struct loop *loop, int fd, const struct listener_callbacks *callbacks, void *arg,
	struct listener **listener_out, struct buf *why_out);
static struct listener *listener_new(
	struct loop *loop, int fd, const struct listener_callbacks *callbacks, void *arg);
static void close_fds(struct listener *listener);
static void update_polling(struct listener *listener);
static void listener_on_ready(uv_poll_t *poll, int status, int events);
static void listener_on_rested(void *arg);
static void listener_on_closed(void *arg);

enum err listener_open(struct loop *loop, const struct address *address,
	const struct listener_callbacks *callbacks, void *arg, struct listener **listener_out,
	struct buf *why_out)
{
	int fd = -1;
	enum err err = bind_to(address, &fd, why_out);

	return err ? err : watch(loop, fd, callbacks, arg, listener_out, why_out);
}

/* What an administrator does about it. */
static const char *cure_of(int error)
{
	switch (error) {
	case EADDRINUSE:
		return "; another program listens there: see \"ss -ltnp\"";
	case EACCES:
		return "; ports below 1024 need CAP_NET_BIND_SERVICE or socket activation";
	case EADDRNOTAVAIL:
		return "; no interface of this host has that address";
	case EAFNOSUPPORT:
		return "; the kernel has this address family turned off";
	default:
		return "";
	}
}

static enum err refuse(const struct address *address, const char *what, int error, struct buf *why_out)
{
	char text[ADDRESS_TEXT_SIZE];

	buf_printf(why_out, "cannot %s %s: %s%s", what, address_format(address, text), strerror(error),
		cure_of(error));
	return error == EADDRINUSE ? ERR_BUSY : ERR_IO;
}

static enum err bind_to(const struct address *address, int *fd_out, struct buf *why_out)
{
	const char *what = "open a socket for";
	int on = 1;
	int error;
	int fd = socket(address->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return refuse(address, what, errno, why_out);
	what = "set up";
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)))
		goto out;
	if (address->sa.sa_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)))
		goto out;
	what = "listen on";
	if (bind(fd, &address->sa, address_len(address)))
		goto out;
	*fd_out = fd;
	return ERR_OK;
out:
	error = errno;
	close(fd);
	return refuse(address, what, error, why_out);
}

enum err listener_open_fd(struct loop *loop, int fd, const struct listener_callbacks *callbacks, void *arg,
	struct listener **listener_out, struct buf *why_out)
{
	int listens = 0;
	socklen_t len = sizeof(listens);
	enum err err;

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) || !listens) {
		buf_printf(why_out, "descriptor %d is not a listening TCP socket", fd);
		close(fd);
		return ERR_INVALID;
	}
	err = watch(loop, fd, callbacks, arg, listener_out, why_out);
	if (!err)
		(*listener_out)->is_inherited = true;
	return err;
}

/* `fd` is moved, also on failure. */
static enum err watch(struct loop *loop, int fd, const struct listener_callbacks *callbacks, void *arg,
	struct listener **listener_out, struct buf *why_out)
{
	struct listener *listener = listener_new(loop, fd, callbacks, arg);
	struct sockaddr_storage name;
	socklen_t len = sizeof(name);

	if (getsockname(fd, (struct sockaddr *)&name, &len) ||
		!address_from_sockaddr((struct sockaddr *)&name, &listener->address) ||
		uv_poll_init(&loop->uv, &listener->poll, fd)) {
		buf_printf(why_out, "descriptor %d cannot be watched as a TCP socket", fd);
		close_fds(listener);
		mem_free(listener);
		return ERR_INVALID;
	}
	handle_group_add(&listener->handles);
	*listener_out = listener;
	return ERR_OK;
}

enum err listener_start(struct listener *listener, struct buf *why_out)
{
	if (!listener->is_inherited && listen(listener->fd, BACKLOG))
		return refuse(&listener->address, "listen on", errno, why_out);
	listener->is_started = true;
	update_polling(listener);
	return ERR_OK;
}

static int open_spare(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static struct listener *listener_new(
	struct loop *loop, int fd, const struct listener_callbacks *callbacks, void *arg)
{
	struct listener *listener = mem_zalloc(sizeof(*listener));

	listener->loop = loop;
	listener->callbacks = callbacks;
	listener->arg = arg;
	listener->fd = fd;
	listener->spare_fd = open_spare();
	handle_group_init(&listener->handles, listener_on_closed, listener);
	loop_timer_init(&listener->rest, listener_on_rested, listener);
	return listener;
}

static void close_fds(struct listener *listener)
{
	close(listener->fd);
	listener->fd = -1;
	if (listener->spare_fd >= 0)
		close(listener->spare_fd);
}

void listener_close(struct listener **listener)
{
	struct listener *gone = *listener;

	*listener = NULL;
	loop_timer_cancel(gone->loop, &gone->rest);
	handle_group_close(&gone->handles, (uv_handle_t *)&gone->poll);
	close_fds(gone);
}

static void listener_on_closed(void *arg)
{
	mem_free(arg);
}

static bool accepts(const struct listener *listener)
{
	return listener->fd >= 0 && listener->is_started && !listener->paused &&
	       !loop_timer_is_set(&listener->rest);
}

static void update_polling(struct listener *listener)
{
	if (accepts(listener))
		CHECK(uv_poll_start(&listener->poll, UV_READABLE, listener_on_ready) == 0);
	else
		CHECK(uv_poll_stop(&listener->poll) == 0);
}

void listener_pause(struct listener *listener)
{
	listener->paused = true;
	update_polling(listener);
}

void listener_resume(struct listener *listener)
{
	listener->paused = false;
	update_polling(listener);
}

bool listener_is_inherited(const struct listener *listener)
{
	return listener->is_inherited;
}

const struct address *listener_address(const struct listener *listener)
{
	return &listener->address;
}

/* ---- accepting ---- */

static int accept_one(struct listener *listener, struct address *peer_out)
{
	struct sockaddr_storage name;
	socklen_t len = sizeof(name);
	int fd = accept4(listener->fd, (struct sockaddr *)&name, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0 && !address_from_sockaddr((struct sockaddr *)&name, peer_out)) {
		close(fd);
		errno = ECONNABORTED;
		return -1;
	}
	return fd;
}

/*
 * Out of descriptors. The waiting connections are closed with the help of the spare one: the peer (a
 * balancer, another relay) goes elsewhere at once, where a connection left in the backlog would wait for its
 * own time-out.
 */
static void turn_away(struct listener *listener, int error)
{
	struct address peer;
	char text[ADDRESS_TEXT_SIZE];
	struct buf why = { 0 };

	if (listener->spare_fd >= 0)
		close(listener->spare_fd);
	for (unsigned i = 0; i < BURST; i++) {
		int fd = accept_one(listener, &peer);

		if (fd < 0)
			break;
		close(fd);
	}
	listener->spare_fd = open_spare();
	loop_timer_set(listener->loop, &listener->rest, TROUBLE_REST_MS);
	update_polling(listener);
	buf_printf(&why, "cannot accept on %s: %s; connections are turned away",
		address_format(&listener->address, text), strerror(error));
	buf_append_byte(&why, '\0');
	listener->callbacks->on_trouble(listener->arg, why.base);
	buf_fini(&why);
}

/* accept(2): errors of the one connection, or of nothing at all. */
static bool is_passing(int error)
{
	return error == EINTR || error == ECONNABORTED || error == EPROTO || error == EPERM ||
	       error == ENETDOWN || error == EHOSTDOWN || error == ENONET || error == EHOSTUNREACH ||
	       error == ENETUNREACH || error == ENOPROTOOPT || error == EOPNOTSUPP;
}

static void accept_some(struct listener *listener, unsigned count)
{
	for (unsigned i = 0; i < count && accepts(listener); i++) {
		struct address peer;
		int fd = accept_one(listener, &peer);

		if (fd >= 0) {
			listener->callbacks->on_accept(listener->arg, fd, &peer);
		} else if (errno == EAGAIN) {
			return;
		} else if (!is_passing(errno)) {
			turn_away(listener, errno);
			return;
		}
	}
}

static void listener_on_ready(uv_poll_t *poll, int status, int events)
{
	struct listener *listener = CONTAINER_OF(poll, struct listener, poll);

	(void)status; /* accept() says what is wrong */
	(void)events;
	/* Who shares a socket is awake too: one a turn spreads connections over the loops. */
	accept_some(listener, listener->is_inherited ? 1 : BURST);
}

void listener_accept_waiting(struct listener *listener)
{
	accept_some(listener, BACKLOG);
}

static void listener_on_rested(void *arg)
{
	update_polling(arg);
}
