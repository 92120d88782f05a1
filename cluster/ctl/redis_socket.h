/*
 * redis_socket: a redis_link on a blocking socket, for a program that does one thing after the other. All
 * waiting is inside redis_socket_open() and redis_socket_finish(), and ends by the link's deadlines.
 */
#ifndef CTL_REDIS_SOCKET_H
#define CTL_REDIS_SOCKET_H

#include "skein/cluster/redis_link.h"

struct redis_socket;

struct redis_socket_tls {
	bool on;
	const char *ca_file;              /* PEM; NULL: the system's */
	const char *cert_file, *key_file; /* NULL: none */
	const char *server_name;          /* what the certificate must name; NULL: the host */
};

/* All text is borrowed for the socket's life. */
struct redis_socket_options {
	const char *host, *port;
	struct redis_socket_tls tls;
	struct redis_link_options link;
};

/* Connected and ready, or NULL with one line in `why_out`. */
struct redis_socket *redis_socket_open(const struct redis_socket_options *options, struct buf *why_out);
/* Calls in flight get REDIS_UNKNOWN. Sets the pointer to NULL. */
void redis_socket_close(struct redis_socket **socket);

struct redis_link *redis_socket_link(struct redis_socket *socket);
/* Sends what was called and waits until every call is answered. False when the connection ended before. */
WARN_UNUSED bool redis_socket_finish(struct redis_socket *socket);
/* Why the connection ended; "" while it lives. */
const char *redis_socket_why(const struct redis_socket *socket);
/* The clock of the link's calls. */
uint64_t redis_socket_now_ms(void);

#endif
