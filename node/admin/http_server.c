#include "admin/http_server.h"

#include "admin/http_request.h"
#include "io/listener.h"
#include "io/stream.h"
#include "skein/proto/base/alloc.h"

#include <http_parser.h>
#include <unistd.h>

/* Answers of a peer that sends requests and reads nothing: above this its requests wait. */
#define QUEUED_MAX ((size_t)256 * 1024)

struct http_server {
	struct loop *loop;
	struct listener *listener;
	struct http_timeouts timeouts;
	http_handler *handler;
	void *arg;
	struct list connections;
	unsigned connection_count;
};

struct http_connection {
	struct list link;
	struct http_server *server;
	struct stream *stream;
	unsigned requests;
	bool is_in_head; /* some bytes of the next request are here, and its deadline runs */
};

static void http_on_accept(void *arg, int fd, const struct address *peer);
static void http_on_trouble(void *arg, const char *text);
static size_t http_on_data(void *arg, struct span bytes);
static void http_on_drain(void *arg);
static void http_on_close(void *arg, enum err why, const char *text);

static const struct listener_callbacks listener_callbacks = {
	.on_accept = http_on_accept,
	.on_trouble = http_on_trouble,
};
static const struct stream_callbacks stream_callbacks = {
	.on_data = http_on_data,
	.on_drain = http_on_drain,
	.on_close = http_on_close,
};
static const struct stream_options stream_options = { .input_max = HTTP_HEAD_MAX + 1 };

enum err http_server_open(struct loop *loop, const struct address *address,
	const struct http_timeouts *timeouts, http_handler *handler, void *arg,
	struct http_server **server_out, struct buf *why_out)
{
	struct http_server *server = mem_zalloc(sizeof(*server));
	enum err err;

	server->loop = loop;
	server->timeouts.head_ms = timeouts && timeouts->head_ms ? timeouts->head_ms : 10000;
	server->timeouts.idle_ms = timeouts && timeouts->idle_ms ? timeouts->idle_ms : 60000;
	server->handler = handler;
	server->arg = arg;
	list_init(&server->connections);
	err = listener_open(loop, address, &listener_callbacks, server, &server->listener, why_out);
	if (!err)
		err = listener_start(server->listener, why_out);
	if (err != ERR_OK) {
		if (server->listener)
			listener_close(&server->listener);
		mem_free(server);
		return err;
	}
	*server_out = server;
	return ERR_OK;
}

static void connection_free(struct http_connection *connection)
{
	list_remove(&connection->link);
	connection->server->connection_count--;
	mem_free(connection);
}

void http_server_close(struct http_server **server)
{
	if (!*server)
		return;
	listener_close(&(*server)->listener);
	LIST_EACH_SAFE(it, &(*server)->connections)
	{
		struct http_connection *connection = LIST_ENTRY(it, struct http_connection, link);

		stream_detach(&connection->stream);
		connection_free(connection);
	}
	mem_free(*server);
	*server = NULL;
}

const struct address *http_server_address(const struct http_server *server)
{
	return listener_address(server->listener);
}

/* ---- connections ---- */

static void http_on_accept(void *arg, int fd, const struct address *peer)
{
	struct http_server *server = arg;
	struct http_connection *connection;

	(void)peer;
	if (server->connection_count == HTTP_CONNECTIONS_MAX) {
		close(fd);
		return;
	}
	connection = mem_zalloc(sizeof(*connection));
	connection->server = server;
	list_push_back(&server->connections, &connection->link);
	server->connection_count++;
	connection->stream = stream_accept(server->loop, fd, &stream_options, &stream_callbacks, connection);
	stream_set_deadline(connection->stream, server->timeouts.head_ms);
}

/* The listener rests and tries again; a balancer that gets no answer tells the operator by itself. */
static void http_on_trouble(void *arg, const char *text)
{
	(void)arg;
	(void)text;
}

static void http_on_close(void *arg, enum err why, const char *text)
{
	(void)why;
	(void)text;
	connection_free(arg);
}

static void http_on_drain(void *arg)
{
	struct http_connection *connection = arg;

	stream_resume(connection->stream);
}

/* ---- requests ---- */

static void send_response(struct http_connection *connection, const struct http_response *response,
	bool is_head, bool keep_alive)
{
	struct buf head = { 0 };

	buf_printf(&head,
		"HTTP/1.1 %u %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nCache-Control: no-store\r\n"
		"X-Content-Type-Options: nosniff\r\n%s%s\r\n",
		response->status, http_status_str((enum http_status)response->status), response->content_type,
		buf_len(&response->body), response->status == 405 ? "Allow: GET, HEAD\r\n" : "",
		keep_alive ? "" : "Connection: close\r\n");
	stream_write(connection->stream, buf_span(&head));
	if (!is_head)
		stream_write(connection->stream, buf_span(&response->body));
	buf_fini(&head);
	if (!keep_alive)
		stream_close(connection->stream);
}

static void answer_request(struct http_connection *connection, const struct http_request *request)
{
	struct http_response response = { .status = 200, .content_type = "text/plain; charset=utf-8" };
	bool keep_alive = request->keep_alive && ++connection->requests < HTTP_REQUESTS_MAX;

	connection->server->handler(connection->server->arg, request->path, &response);
	send_response(connection, &response, request->is_head, keep_alive);
	buf_fini(&response.body);
	connection->is_in_head = false;
	if (keep_alive)
		stream_set_deadline(connection->stream, connection->server->timeouts.idle_ms);
}

static void answer_bad(struct http_connection *connection, unsigned status)
{
	struct http_response response = { .status = status, .content_type = "text/plain; charset=utf-8" };

	buf_printf(&response.body, "%s\n", http_status_str((enum http_status)status));
	send_response(connection, &response, false, false);
	buf_fini(&response.body);
}

/* The deadline of a head runs from its first byte: one byte now and then does not move it. */
static void await_more(struct http_connection *connection, struct span rest)
{
	if (rest.len == 0 || connection->is_in_head || connection->requests == 0)
		return;
	connection->is_in_head = true;
	stream_set_deadline(connection->stream, connection->server->timeouts.head_ms);
}

static size_t http_on_data(void *arg, struct span bytes)
{
	struct http_connection *connection = arg;
	struct http_request request;
	size_t used = 0;
	unsigned status;

	while (stream_queued_bytes(connection->stream) < QUEUED_MAX) {
		struct span rest = span_drop(bytes, used);

		switch (http_request_parse(rest, &request, &status)) {
		case PARSE_MORE:
			await_more(connection, rest);
			return used;
		case PARSE_BAD:
			answer_bad(connection, status);
			return bytes.len;
		case PARSE_DONE:
			answer_request(connection, &request);
			used += request.len;
			if (connection->requests == HTTP_REQUESTS_MAX || !request.keep_alive)
				return bytes.len;
		}
	}
	return used;
}
