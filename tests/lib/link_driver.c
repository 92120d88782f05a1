#include "link_driver.h"

#include "skein/proto/base/alloc.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ_BYTES = 256 * 1024, WAIT_MS = 20000 };

static void on_event(void *arg, enum redis_link_event event, const char *why)
{
	(void)arg;
	if (event == LINK_LOST)
		print_message("link lost: %s\n", why ? why : "");
}

static void write_all(void *ctx, struct span bytes)
{
	struct link_driver *driver = ctx;

	if (driver->record)
		buf_append(driver->record, bytes);
	while (bytes.len > 0) {
		ssize_t sent = send(driver->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);

		assert_true(sent > 0);
		bytes = span_drop(bytes, (size_t)sent);
	}
}

static void request_close(void *ctx)
{
	((struct link_driver *)ctx)->closing = true;
}

static int connect_to(uint16_t port)
{
	struct sockaddr_in name = {
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&name, sizeof(name)), 0);
	return fd;
}

/* Waits for bytes and feeds them. */
static void read_some(struct link_driver *driver)
{
	static char bytes[READ_BYTES];
	struct pollfd wait = { .fd = driver->fd, .events = POLLIN };
	ssize_t len;

	assert_int_equal(poll(&wait, 1, WAIT_MS), 1);
	len = recv(driver->fd, bytes, sizeof(bytes), 0);
	assert_true(len > 0);
	redis_link_received(driver->link, span_of(bytes, (size_t)len), driver->now_ms);
	if (driver->closing)
		link_driver_cut(driver);
}

void link_driver_connect(struct link_driver *driver)
{
	driver->fd = connect_to(driver->port);
	driver->closing = false;
	redis_link_connecting(driver->link, driver->now_ms);
	redis_link_connected(driver->link, driver->now_ms);
	while (!redis_link_is_ready(driver->link)) {
		assert_true(driver->fd >= 0);
		read_some(driver);
	}
}

struct link_driver *link_driver_start(uint16_t port, const struct redis_link_options *options)
{
	struct link_driver *driver = mem_zalloc(sizeof(*driver));
	struct redis_transport transport = { driver, write_all, request_close };

	driver->port = port;
	driver->link = redis_link_new(options, transport, on_event, driver);
	link_driver_connect(driver);
	return driver;
}

void link_driver_settle(struct link_driver *driver)
{
	redis_link_flush(driver->link, driver->now_ms);
	while (driver->fd >= 0 && redis_link_in_flight(driver->link) > 0)
		read_some(driver);
}

void link_driver_cut(struct link_driver *driver)
{
	close(driver->fd);
	driver->fd = -1;
	redis_link_disconnected(driver->link, "cut by the test", driver->now_ms);
}

void link_driver_stop(struct link_driver **driver)
{
	if (!*driver)
		return;
	if ((*driver)->fd >= 0)
		link_driver_cut(*driver);
	redis_link_free(&(*driver)->link);
	mem_free(*driver);
	*driver = NULL;
}
