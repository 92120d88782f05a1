/*
 * http_request: the head of one HTTP request, by http-parser behind stricter checks. http-parser itself lets
 * pass what two readers of the same bytes can take for two different requests: bare LF, folded fields, a
 * space before the colon, two Hosts, any HTTP version. Here that is refused, and so is every body: nothing
 * this server offers takes one. Pure: bytes in, a verdict out.
 */
#ifndef NODE_ADMIN_HTTP_REQUEST_H
#define NODE_ADMIN_HTTP_REQUEST_H

#include "skein/proto/base/parse.h"
#include "skein/proto/base/span.h"

enum { HTTP_HEAD_MAX = 8192, HTTP_FIELDS_MAX = 64 };

struct http_request {
	struct span path; /* starts with '/'; without the query; not decoded */
	bool is_head;     /* HEAD, else GET */
	bool keep_alive;
	size_t len; /* of the head */
};

/*
 * Looks at the start of `bytes`. PARSE_DONE: *request_out is a request, its path borrowed from `bytes`.
 * PARSE_MORE: so far it could become one. PARSE_BAD: *status_out is the answer, after which the connection
 * must be closed.
 */
enum parse_result http_request_parse(
	struct span bytes, struct http_request *request_out, unsigned *status_out);

#endif
