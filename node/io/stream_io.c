#include "io/stream_internal.h"

#include "skein/proto/base/alloc.h"

#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define IOV_COUNT 16
/* What waits in one libuv request, so that stream_queued_bytes() shows a slow peer's progress. */
#define WAIT_BYTES ((size_t)64 * 1024)

static void start_what_is_due(struct stream *stream);
static void tell_eof(struct stream *stream);
static void flush(struct stream *stream);
static void advance_close(struct stream *stream);
static void tell_drained(struct stream *stream);

/*
 * The end of a turn in which something happened to the stream: start TLS, offer what a resume asked for, send
 * what was written, and take the next step of closing. Any callback in here may close the stream; each step
 * looks.
 */
void stream_on_turn(void *arg)
{
	struct stream *stream = arg;

	start_what_is_due(stream);
	tell_eof(stream);
	flush(stream);
	tell_drained(stream);
	advance_close(stream);
	stream_update_reading(stream);
}

static void start_what_is_due(struct stream *stream)
{
	if (stream->phase != STREAM_OPEN)
		return;
	if (stream->tls && stream_tls_is_starting(stream)) {
		stream_tls_begin(stream);
	} else if (stream->resumed && !stream->paused) {
		stream->resumed = false;
		stream_offer(stream, span_of(NULL, 0));
		if (stream->tls && stream->phase == STREAM_OPEN)
			stream_tls_feed(stream, span_of(NULL, 0));
	}
}

/* ---- input ---- */

bool stream_wants_data(const struct stream *stream)
{
	return stream->phase == STREAM_OPEN && !stream->paused && stream->input == STREAM_INPUT_OPEN &&
	       buf_len(&stream->in) < stream->input_max;
}

static bool wants_reading(const struct stream *stream)
{
	if (stream->phase == STREAM_FLUSHING || stream->phase == STREAM_LINGERING)
		return stream->input == STREAM_INPUT_OPEN;
	if (stream->tls && stream_tls_is_starting(stream))
		return false;
	return stream_wants_data(stream);
}

static void stream_on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf_out);
static void stream_on_read(uv_stream_t *tcp, ssize_t nread, const uv_buf_t *buf);

void stream_update_reading(struct stream *stream)
{
	bool wanted = wants_reading(stream);

	if (stream->phase == STREAM_CLOSING || stream->phase == STREAM_CONNECTING)
		return;
	if (wanted && !stream->reading)
		CHECK(uv_read_start((uv_stream_t *)&stream->tcp, stream_on_alloc, stream_on_read) == 0);
	else if (!wanted && stream->reading)
		uv_read_stop((uv_stream_t *)&stream->tcp);
	stream->reading = wanted;
	/* Nobody is going to hear the peer's last words. */
	if (stream->output_broken && !wanted && stream->phase == STREAM_OPEN)
		stream_fail(stream, ERR_CLOSED, "write: the peer is gone", NULL);
}

void stream_pause(struct stream *stream)
{
	stream->paused = true;
	stream_update_reading(stream);
}

void stream_resume(struct stream *stream)
{
	stream->paused = false;
	stream->resumed = true;
	if (stream->phase < STREAM_CLOSING)
		loop_defer(stream->loop, &stream->turn);
}

bool stream_has_unconsumed(const struct stream *stream)
{
	return buf_len(&stream->in) > 0;
}

static void stream_on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf_out)
{
	struct stream *stream = CONTAINER_OF(handle, struct stream, tcp);
	size_t len = LOOP_READ_BUF_SIZE;

	(void)suggested;
	if (stream->tls)
		len = STREAM_TLS_READ_MAX;
	else if (stream->phase == STREAM_OPEN && stream->input_max - buf_len(&stream->in) < len)
		len = stream->input_max - buf_len(&stream->in);
	*buf_out = uv_buf_init(stream->loop->read_buf, (unsigned)len);
}

static void stream_on_read(uv_stream_t *tcp, ssize_t nread, const uv_buf_t *buf)
{
	struct stream *stream = CONTAINER_OF(tcp, struct stream, tcp);

	if (nread < 0) {
		stream->reading = false;
		uv_read_stop(tcp);
		stream_input_ended(stream, (int)nread);
		tell_eof(stream);
	} else if (nread > 0 && stream->phase == STREAM_OPEN) {
		if (stream->tls)
			stream_tls_feed(stream, span_of(buf->base, (size_t)nread));
		else
			stream_offer(stream, span_of(buf->base, (size_t)nread));
		tell_eof(stream); /* TLS ends the input by close_notify */
	}
	stream_update_reading(stream);
}

void stream_offer(struct stream *stream, struct span fresh)
{
	bool is_kept = buf_len(&stream->in) > 0;
	struct span all = fresh;
	size_t used;

	if (is_kept) {
		buf_append(&stream->in, fresh);
		all = buf_span(&stream->in);
	}
	if (!all.len)
		return;
	used = stream->callbacks->on_data(stream->arg, all);
	CHECK(used <= all.len);
	if (stream->phase != STREAM_OPEN) {
		buf_fini(&stream->in);
	} else if (is_kept) {
		buf_consume(&stream->in, used);
		buf_shrink(&stream->in);
	} else {
		buf_append(&stream->in, span_drop(fresh, used));
	}
}

void stream_input_ended(struct stream *stream, int uv_error)
{
	stream->input = STREAM_INPUT_EOF;
	if (stream->phase == STREAM_LINGERING)
		stream_close_handle(stream);
	else if (stream->output_broken)
		stream_fail(stream, ERR_CLOSED, "write: the peer is gone", NULL);
	else if (uv_error != UV_EOF)
		stream_fail_uv(stream, "read", uv_error);
	else if (stream->phase == STREAM_OPEN && stream->tls && !stream_tls_is_open(stream))
		stream_fail(stream, ERR_CLOSED, "TLS handshake: the peer closed the connection", NULL);
}

/* After the bytes that came before it were offered; a paused owner hears of it when it resumes. */
static void tell_eof(struct stream *stream)
{
	if (stream->phase != STREAM_OPEN || stream->input != STREAM_INPUT_EOF || stream->paused)
		return;
	stream->input = STREAM_INPUT_TOLD;
	if (stream->callbacks->on_eof)
		stream->callbacks->on_eof(stream->arg);
	else
		stream_begin_close(stream, ERR_CLOSED, "the peer closed the connection");
}

/* ---- output ---- */

static bool takes_output(const struct stream *stream)
{
	return stream->phase <= STREAM_OPEN && !stream->output_broken;
}

static void note_output(struct stream *stream)
{
	if (stream_queued_bytes(stream) > stream->output_low)
		stream->above_low = true;
	if (stream->phase == STREAM_OPEN)
		loop_defer(stream->loop, &stream->turn);
}

void stream_write(struct stream *stream, struct span bytes)
{
	if (!takes_output(stream))
		return;
	out_queue_append(stream_clear_queue(stream), bytes);
	note_output(stream);
}

void stream_write_secret(struct stream *stream, struct span bytes)
{
	if (!takes_output(stream))
		return;
	out_queue_append_secret(stream_clear_queue(stream), bytes);
	note_output(stream);
}

void stream_write_owned(struct stream *stream, struct span bytes, loop_fn *release, void *arg)
{
	/* A stream that sends no more holds the bytes to its end: release() never runs inside this call. */
	out_queue_append_owned(
		stream_clear_queue(stream), takes_output(stream) ? bytes : span_of(NULL, 0), release, arg);
	if (takes_output(stream))
		note_output(stream);
}

size_t stream_queued_bytes(const struct stream *stream)
{
	const struct out_queue *clear = stream_clear_queue((struct stream *)stream);

	return stream->out.bytes + (clear == &stream->out ? 0 : clear->bytes);
}

size_t stream_unacknowledged_bytes(const struct stream *stream)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);
	uv_os_fd_t fd;
	int count = 0;

	if (uv_fileno((const uv_handle_t *)&stream->tcp, &fd) || ioctl(fd, SIOCOUTQ, &count))
		return SIZE_MAX;
	/* A reset empties the queue, too: the state is looked at after the count. */
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) || info.tcpi_state == TCP_CLOSE)
		return SIZE_MAX;
	return (size_t)count;
}

/*
 * The peer reset the connection or closed both ways. What it said before (an SMTP server's last 4xx or 5xx)
 * may still wait in the socket: the read side goes on and ends the stream.
 */
static void break_output(struct stream *stream, int uv_error)
{
	if (stream->phase != STREAM_OPEN) {
		stream_fail_uv(stream, "write", uv_error);
		return;
	}
	stream->output_broken = true;
	out_queue_fini(&stream->out);
	if (stream->tls)
		stream_tls_drop_output(stream);
	if (stream->input != STREAM_INPUT_OPEN)
		stream_fail_uv(stream, "write", uv_error);
}

static void stream_on_written(uv_write_t *write, int status)
{
	struct stream *stream = write->data;
	size_t len = stream->request->len;

	mem_free(stream->request);
	stream->request = NULL;
	if (stream->phase == STREAM_CLOSING)
		return;
	if (status)
		break_output(stream, status);
	else
		out_queue_consume(&stream->out, len);
	if (stream->phase != STREAM_CLOSING)
		loop_defer(stream->loop, &stream->turn);
}

/* The socket is full: libuv waits until it takes these bytes. They stay in the queue meanwhile. */
static void wait_for_room(struct stream *stream)
{
	struct stream_request *request = mem_zalloc(sizeof(*request));
	uv_buf_t iov[IOV_COUNT];
	unsigned count = out_queue_iov(&stream->out, WAIT_BYTES, IOV_COUNT, iov);
	int error;

	for (unsigned i = 0; i < count; i++)
		request->len += iov[i].len;
	request->write.data = stream;
	stream->request = request;
	error = uv_write(&request->write, (uv_stream_t *)&stream->tcp, iov, count, stream_on_written);
	if (error) {
		stream->request = NULL;
		mem_free(request);
		break_output(stream, error);
	}
}

/* Hands what it can to the socket at once. False when that is over, for now or for good. */
static bool flush_some(struct stream *stream)
{
	uv_buf_t iov[IOV_COUNT];
	size_t offered = 0;
	unsigned count;
	int sent;

	if (stream->tls)
		stream_tls_encrypt(stream);
	if (stream->phase == STREAM_CLOSING)
		return false;
	out_queue_consume(&stream->out, 0);
	count = out_queue_iov(&stream->out, INT32_MAX, IOV_COUNT, iov);
	if (!count)
		return false;
	for (unsigned i = 0; i < count; i++)
		offered += iov[i].len;
	sent = uv_try_write((uv_stream_t *)&stream->tcp, iov, count);
	if (sent < 0 && sent != UV_EAGAIN) {
		break_output(stream, sent);
		return false;
	}
	if (sent > 0)
		out_queue_consume(&stream->out, (size_t)sent);
	if (sent > 0 && (size_t)sent == offered)
		return true;
	wait_for_room(stream);
	return false;
}

static void flush(struct stream *stream)
{
	if (stream->phase != STREAM_OPEN && stream->phase != STREAM_FLUSHING)
		return;
	while (!stream->request && !stream->output_broken && flush_some(stream))
		;
}

static void tell_drained(struct stream *stream)
{
	if (stream->phase != STREAM_OPEN || stream->output_broken || !stream->above_low ||
		stream_queued_bytes(stream) > stream->output_low)
		return;
	stream->above_low = false;
	if (stream->callbacks->on_drain)
		stream->callbacks->on_drain(stream->arg);
}

/* All is sent: FIN. Nothing waits inside libuv, so that shutdown(2) needs no request of its own. */
static void advance_close(struct stream *stream)
{
	uv_os_fd_t fd;

	if (stream->phase != STREAM_FLUSHING || stream->request || stream_queued_bytes(stream))
		return;
	stream_enter_phase(stream, STREAM_LINGERING);
	if (stream->input != STREAM_INPUT_OPEN || stream->output_broken ||
		uv_fileno((uv_handle_t *)&stream->tcp, &fd) || shutdown(fd, SHUT_WR))
		stream_close_handle(stream);
}
