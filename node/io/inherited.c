#include "io/inherited.h"

#include "skein/proto/base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { NAME_SIZE = 64 };

struct inherited_socket {
	int fd;
	struct address address;
	char name[NAME_SIZE]; /* "": none */
	bool is_used;
};

struct inherited {
	struct inherited_socket sockets[INHERITED_MAX];
	size_t count;
};

static bool is_listening_tcp(int fd, struct address *address_out)
{
	struct sockaddr_storage name;
	socklen_t len = sizeof(name);
	int value = 0;
	socklen_t value_len = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &value_len) == 0 && value &&
	       getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &value_len) == 0 && value == SOCK_STREAM &&
	       getsockname(fd, (struct sockaddr *)&name, &len) == 0 &&
	       address_from_sockaddr((struct sockaddr *)&name, address_out);
}

/* Its peers would look IPv4-mapped, and a listener on 0.0.0.0 could not stand beside it. */
static bool takes_ipv4_too(int fd, const struct address *address)
{
	int only = 0;
	socklen_t len = sizeof(only);

	return address->sa.sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&address->v6.sin6_addr) &&
	       getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, &len) == 0 && !only;
}

static enum err adopt(struct inherited_socket *socket, int fd, struct buf *why_out)
{
	int flags;

	socket->fd = fd;
	if (!is_listening_tcp(fd, &socket->address)) {
		buf_printf(why_out,
			"socket activation: descriptor %d is not a listening TCP socket: only ListenStream= "
			"with an IP address and a port can be used, with Accept=no\n",
			fd);
		return ERR_INVALID;
	}
	if (takes_ipv4_too(fd, &socket->address)) {
		char text[ADDRESS_TEXT_SIZE];

		buf_printf(why_out,
			"socket activation: %s takes IPv4 too: set BindIPv6Only=ipv6-only in the socket "
			"unit, and ListenStream=0.0.0.0:%u beside it\n",
			address_format(&socket->address, text), (unsigned)address_port(&socket->address));
		return ERR_INVALID;
	}
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) || fcntl(fd, F_SETFD, FD_CLOEXEC)) {
		buf_printf(why_out, "socket activation: descriptor %d: %s\n", fd, strerror(errno));
		return ERR_IO;
	}
	return ERR_OK;
}

/* The next of "smtp:submission"; one that is too long to be a listener's name is none. */
static void take_name(const char **names, char name_out[NAME_SIZE])
{
	size_t len = *names ? strcspn(*names, ":") : 0;

	if (len < NAME_SIZE)
		memcpy(name_out, *names ? *names : "", len);
	if (*names)
		*names += len + ((*names)[len] == ':');
}

enum err inherited_new(
	int first, size_t count, const char *names, struct inherited **inherited_out, struct buf *why_out)
{
	struct inherited *inherited = mem_zalloc(sizeof(*inherited));
	enum err err = ERR_OK;

	*inherited_out = inherited;
	if (count > INHERITED_MAX) {
		buf_printf(why_out, "socket activation: %zu sockets; at most %d can be used\n", count,
			INHERITED_MAX);
		for (size_t i = 0; i < count; i++)
			close(first + (int)i);
		return ERR_FULL;
	}
	for (; inherited->count < count; inherited->count++) {
		struct inherited_socket *socket = &inherited->sockets[inherited->count];
		enum err one = adopt(socket, first + (int)inherited->count, why_out);

		take_name(&names, socket->name);
		err = err ? err : one;
	}
	return err;
}

void inherited_free(struct inherited **inherited)
{
	if (!*inherited)
		return;
	for (size_t i = 0; i < (*inherited)->count; i++)
		close((*inherited)->sockets[i].fd);
	mem_free(*inherited);
	*inherited = NULL;
}

static bool is_same(const struct address *a, const struct address *b)
{
	char a_text[ADDRESS_TEXT_SIZE], b_text[ADDRESS_TEXT_SIZE];

	return strcmp(address_format(a, a_text), address_format(b, b_text)) == 0;
}

static struct inherited_socket *find(
	struct inherited *inherited, const struct address *address, const char *name)
{
	for (size_t i = 0; i < inherited->count; i++)
		if (is_same(&inherited->sockets[i].address, address))
			return &inherited->sockets[i];
	for (size_t i = 0; i < inherited->count; i++)
		if (*name && strcmp(inherited->sockets[i].name, name) == 0)
			return &inherited->sockets[i];
	return NULL;
}

int inherited_dup(struct inherited *inherited, const struct address *address, const char *name)
{
	struct inherited_socket *socket = inherited ? find(inherited, address, name) : NULL;

	if (!socket)
		return -1;
	socket->is_used = true;
	return fcntl(socket->fd, F_DUPFD_CLOEXEC, 0);
}

enum err inherited_check_used(const struct inherited *inherited, struct buf *why_out)
{
	enum err err = ERR_OK;

	for (size_t i = 0; inherited && i < inherited->count; i++) {
		const struct inherited_socket *socket = &inherited->sockets[i];
		char text[ADDRESS_TEXT_SIZE];

		if (socket->is_used)
			continue;
		buf_printf(why_out,
			"socket activation: no listener takes the socket on %s%s%s: add \"address: %s\" to "
			"listeners, or disable the socket unit\n",
			address_format(&socket->address, text), *socket->name ? ", called " : "",
			socket->name, text);
		err = ERR_INVALID;
	}
	return err;
}
