#include "io/stream_internal.h"

#include "skein/proto/base/alloc.h"

#include <unistd.h>

#define LINGER_DEFAULT_MS 3000

#define TO(phase) (1u << STREAM_##phase)

static const unsigned phase_next[STREAM_PHASE_COUNT] = {
	[STREAM_CONNECTING] = TO(OPEN) | TO(CLOSING),
	[STREAM_OPEN] = TO(FLUSHING) | TO(CLOSING),
	[STREAM_FLUSHING] = TO(LINGERING) | TO(CLOSING),
	[STREAM_LINGERING] = TO(CLOSING),
	[STREAM_CLOSING] = 0,
};

static const struct stream_callbacks no_callbacks = { 0 };
static const struct stream_options default_options = { 0 };

void stream_enter_phase(struct stream *stream, enum stream_phase next)
{
	CHECK(phase_next[stream->phase] & (1u << next));
	stream->phase = next;
}

static void stream_on_deadline(void *arg);
static void stream_on_connected(uv_connect_t *connect, int status);
static void stream_on_handle_closed(uv_handle_t *handle);

static struct stream *stream_new(struct loop *loop, const struct stream_options *options,
	const struct stream_callbacks *callbacks, void *arg)
{
	struct stream *stream = mem_zalloc(sizeof(*stream));

	if (!options)
		options = &default_options;
	stream->loop = loop;
	stream->callbacks = callbacks;
	stream->arg = arg;
	stream->input_max = options->input_max ? options->input_max : LOOP_READ_BUF_SIZE;
	stream->output_low = options->output_low;
	stream->linger_ms = options->linger_ms ? options->linger_ms : LINGER_DEFAULT_MS;
	stream->keepalive_s = options->keepalive_s;
	loop_timer_init(&stream->deadline, stream_on_deadline, stream);
	loop_task_init(&stream->turn, stream_on_turn, stream);
	CHECK(uv_tcp_init(&loop->uv, &stream->tcp) == 0);
	return stream;
}

static void stream_opened(struct stream *stream)
{
	stream_enter_phase(stream, STREAM_OPEN);
	/* Writes are coalesced here; Nagle's algorithm would only delay the end of each batch. */
	uv_tcp_nodelay(&stream->tcp, 1);
	if (stream->keepalive_s)
		uv_tcp_keepalive(&stream->tcp, 1, stream->keepalive_s);
}

struct stream *stream_connect(struct loop *loop, const struct sockaddr *peer,
	const struct stream_options *options, const struct stream_callbacks *callbacks, void *arg)
{
	struct stream *stream = stream_new(loop, options, callbacks, arg);
	struct stream_request *request = mem_zalloc(sizeof(*request));
	int error = uv_tcp_connect(&request->connect, &stream->tcp, peer, stream_on_connected);

	if (error) {
		mem_free(request);
		stream_fail_uv(stream, "connect", error);
		return stream;
	}
	request->connect.data = stream;
	stream->request = request;
	return stream;
}

struct stream *stream_accept(struct loop *loop, int fd, const struct stream_options *options,
	const struct stream_callbacks *callbacks, void *arg)
{
	struct stream *stream = stream_new(loop, options, callbacks, arg);
	int error = uv_tcp_open(&stream->tcp, fd);

	if (error) {
		close(fd);
		stream_fail_uv(stream, "accept", error);
		return stream;
	}
	stream_opened(stream);
	stream_update_reading(stream);
	return stream;
}

static void stream_on_connected(uv_connect_t *connect, int status)
{
	struct stream *stream = connect->data;

	mem_free(stream->request);
	stream->request = NULL;
	if (stream->phase == STREAM_CLOSING)
		return;
	if (status) {
		stream_fail_uv(stream, "connect", status);
		return;
	}
	stream_opened(stream);
	if (stream->callbacks->on_open)
		stream->callbacks->on_open(stream->arg);
	stream_update_reading(stream);
	loop_defer(stream->loop, &stream->turn);
}

void stream_set_owner(struct stream *stream, const struct stream_callbacks *callbacks, void *arg)
{
	stream->callbacks = callbacks;
	stream->arg = arg;
	stream_resume(stream);
}

/* ---- the end ---- */

void stream_begin_close(struct stream *stream, enum err why, const char *what)
{
	if (stream->phase > STREAM_OPEN)
		return;
	if (stream->phase == STREAM_CONNECTING || stream->output_broken) {
		stream_fail(stream, ERR_CLOSED, what, NULL);
		return;
	}
	stream_enter_phase(stream, STREAM_FLUSHING);
	stream->why = why;
	stream->why_text = mem_strdup(what);
	if (stream->tls && !stream_tls_is_open(stream))
		stream_tls_drop_output(stream);
	loop_timer_set(stream->loop, &stream->deadline, stream->linger_ms);
	loop_defer(stream->loop, &stream->turn);
	stream_update_reading(stream);
}

void stream_close(struct stream *stream)
{
	stream_begin_close(stream, ERR_OK, "closed");
}

static void set_reason(struct stream *stream, enum err why, const char *what, const char *detail)
{
	struct buf text = { 0 };

	buf_printf(&text, detail ? "%s: %s" : "%s", what, detail);
	buf_append_byte(&text, '\0');
	mem_free(stream->why_text);
	stream->why = why;
	stream->why_text = text.base;
}

void stream_fail(struct stream *stream, enum err why, const char *what, const char *detail)
{
	if (stream->phase == STREAM_CLOSING)
		return;
	set_reason(stream, why, what, detail);
	stream_close_handle(stream);
}

void stream_fail_uv(struct stream *stream, const char *what, int uv_error)
{
	enum err why = ERR_IO;

	if (uv_error == UV_ECONNRESET || uv_error == UV_EPIPE || uv_error == UV_EOF)
		why = ERR_CLOSED;
	else if (uv_error == UV_ECONNREFUSED)
		why = ERR_REFUSED;
	else if (uv_error == UV_ETIMEDOUT)
		why = ERR_TIMEOUT;
	stream_fail(stream, why, what, uv_strerror(uv_error));
}

/* Ends callbacks, deadline and task; from here on only stream_on_handle_closed() touches the stream. */
static void enter_closing(struct stream *stream)
{
	stream_enter_phase(stream, STREAM_CLOSING);
	loop_timer_cancel(stream->loop, &stream->deadline);
	loop_task_cancel(&stream->turn);
}

void stream_close_handle(struct stream *stream)
{
	enter_closing(stream);
	uv_close((uv_handle_t *)&stream->tcp, stream_on_handle_closed);
}

void stream_abort(struct stream *stream)
{
	if (stream->phase == STREAM_CLOSING)
		return;
	set_reason(stream, ERR_CLOSED, "aborted", NULL);
	enter_closing(stream);
	if (uv_tcp_close_reset(&stream->tcp, stream_on_handle_closed))
		uv_close((uv_handle_t *)&stream->tcp, stream_on_handle_closed);
}

void stream_detach(struct stream **stream)
{
	struct stream *left = *stream;

	*stream = NULL;
	left->callbacks = &no_callbacks;
	stream_close(left);
}

static void abort_stream(uv_handle_t *handle, void *arg)
{
	(void)arg;
	/* Every TCP handle of our loops is a stream's: listeners poll their sockets themselves. */
	if (handle->type == UV_TCP && !uv_is_closing(handle))
		stream_abort(CONTAINER_OF(handle, struct stream, tcp));
}

void stream_abort_all(struct loop *loop)
{
	uv_walk(&loop->uv, abort_stream, NULL);
}

static void stream_on_handle_closed(uv_handle_t *handle)
{
	struct stream *stream = CONTAINER_OF(handle, struct stream, tcp);

	if (stream->callbacks->on_close)
		stream->callbacks->on_close(stream->arg, stream->why,
			stream->why_text ? stream->why_text : err_text(stream->why));
	out_queue_fini(&stream->out);
	stream_tls_free(stream);
	buf_fini(&stream->in);
	mem_free(stream->why_text);
	mem_free(stream);
}

/* ---- deadline ---- */

void stream_set_deadline(struct stream *stream, uint64_t delay_ms)
{
	if (stream->phase > STREAM_OPEN)
		return;
	if (delay_ms)
		loop_timer_set(stream->loop, &stream->deadline, delay_ms);
	else
		loop_timer_cancel(stream->loop, &stream->deadline);
}

static void stream_on_deadline(void *arg)
{
	struct stream *stream = arg;

	if (stream->phase == STREAM_LINGERING || (stream->phase == STREAM_FLUSHING && stream->why))
		stream_close_handle(stream);
	else if (stream->phase == STREAM_FLUSHING)
		stream_fail(stream, ERR_TIMEOUT, "timed out before everything was sent", NULL);
	else if (stream->phase == STREAM_CONNECTING)
		stream_fail(stream, ERR_TIMEOUT, "connect: timed out", NULL);
	else if (stream->tls && !stream_tls_is_open(stream))
		stream_fail(stream, ERR_TIMEOUT, "TLS handshake: timed out", NULL);
	else
		stream_fail(stream, ERR_TIMEOUT, "timed out", NULL);
}

/* ---- addresses ---- */

static enum err address_of(const struct stream *stream,
	int (*getname)(const uv_tcp_t *tcp, struct sockaddr *name, int *len), struct address *address_out)
{
	struct sockaddr_storage name;
	int len = sizeof(name);

	if (getname(&stream->tcp, (struct sockaddr *)&name, &len))
		return ERR_CLOSED;
	return address_from_sockaddr((struct sockaddr *)&name, address_out) ? ERR_OK : ERR_CLOSED;
}

enum err stream_peer(const struct stream *stream, struct address *address_out)
{
	return address_of(stream, uv_tcp_getpeername, address_out);
}

enum err stream_local(const struct stream *stream, struct address *address_out)
{
	return address_of(stream, uv_tcp_getsockname, address_out);
}
