/*
 * http_server: HTTP/1.0 and 1.1 for small answers on one loop, with a bound on everything a peer can use up:
 * connections, the size of a head and the time it may take, requests per connection, answers that nobody
 * reads. GET and HEAD only. All calls are for the loop's own thread.
 */
#ifndef NODE_ADMIN_HTTP_SERVER_H
#define NODE_ADMIN_HTTP_SERVER_H

#include "io/address.h"
#include "io/loop.h"
#include "skein/proto/base/buf.h"

struct http_server;

struct http_response {
	unsigned status;
	const char *content_type; /* a literal */
	struct buf body;          /* the server frees it */
};

/* Fills *response, which comes as 200 text/plain with an empty body. `path` is borrowed. */
typedef void http_handler(void *arg, struct span path, struct http_response *response);

enum {
	HTTP_CONNECTIONS_MAX = 64, /* more are closed at once */
	HTTP_REQUESTS_MAX = 1000,  /* on one connection */
};

/* Times a peer has; 0: the default. */
struct http_timeouts {
	uint32_t head_ms; /* for the whole head, from its first byte or the connection: 10 s */
	uint32_t idle_ms; /* between requests, and for reading the answer: 60 s */
};

/* Binds and listens. `timeouts` may be NULL. On failure appends one line to `why_out`. */
WARN_UNUSED enum err http_server_open(struct loop *loop, const struct address *address,
	const struct http_timeouts *timeouts, http_handler *handler, void *arg,
	struct http_server **server_out, struct buf *why_out);
/* Stops listening and gives up all connections. Sets the pointer to NULL. */
void http_server_close(struct http_server **server);
const struct address *http_server_address(const struct http_server *server);

#endif
