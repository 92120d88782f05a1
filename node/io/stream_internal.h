/*
 * stream_internal: what stream.c (life), stream_io.c (bytes) and stream_tls.c share.
 *
 *   CONNECTING ──► OPEN ──► FLUSHING ──► LINGERING ──► CLOSING
 *        └───────────┴──────────┴───────────────────────►┘
 */
#ifndef SKEIN_NODE_IO_STREAM_INTERNAL_H
#define SKEIN_NODE_IO_STREAM_INTERNAL_H

#include "io/out_queue.h"
#include "io/stream.h"
#include "skein/proto/base/buf.h"

enum stream_phase {
	STREAM_CONNECTING,
	STREAM_OPEN,
	STREAM_FLUSHING,  /* we close: what is queued leaves, input is thrown away */
	STREAM_LINGERING, /* our FIN is out; closing before the peer's would reset what it has not read yet */
	STREAM_CLOSING,   /* libuv closes the handle */
	STREAM_PHASE_COUNT,
};

enum stream_input {
	STREAM_INPUT_OPEN,
	STREAM_INPUT_EOF, /* arrived, to be told after the bytes before it */
	STREAM_INPUT_TOLD,
};

/* The one libuv request in flight; allocated only then, because it is as large as the rest. */
struct stream_request {
	union {
		uv_connect_t connect;
		uv_write_t write;
	};
	size_t len; /* of the write */
};

struct stream {
	uv_tcp_t tcp;
	struct loop *loop;
	const struct stream_callbacks *callbacks;
	void *arg;
	struct stream_request *request;
	struct stream_tls *tls; /* NULL in clear */
	struct buf in;          /* received and not consumed */
	struct out_queue out;   /* for the socket, in order: clear text, or what OpenSSL made */
	struct loop_timer deadline;
	struct loop_task turn;
	char *why_text; /* NULL: err_text(why) */
	enum err why;
	uint32_t input_max, output_low, linger_ms, keepalive_s;
	enum stream_phase phase;
	enum stream_input input;
	bool paused;
	bool resumed;       /* offer what is left at the end of the turn */
	bool reading;       /* libuv reads */
	bool above_low;     /* on_drain is owed */
	bool output_broken; /* the peer takes no more; its last words may still wait in the socket */
};

/* stream.c */

/* The only place that writes stream->phase; checks the step. */
void stream_enter_phase(struct stream *stream, enum stream_phase next);
/* Ends the stream without any further word to the peer, whatever it does. `detail` may be NULL. */
void stream_fail(struct stream *stream, enum err why, const char *what, const char *detail);
void stream_fail_uv(struct stream *stream, const char *what, int uv_error);
/* FLUSHING, with the reason that on_close will get. */
void stream_begin_close(struct stream *stream, enum err why, const char *what);
/* CLOSING, when nothing is left to do. */
void stream_close_handle(struct stream *stream);

/* stream_io.c */

void stream_on_turn(void *arg);
/* Starts or stops reading, as phase, pause and room want it. */
void stream_update_reading(struct stream *stream);
/* Offers leftovers and `fresh` to the owner; keeps what it does not consume. */
void stream_offer(struct stream *stream, struct span fresh);
/* May more be offered? */
bool stream_wants_data(const struct stream *stream);
/* UV_EOF or a libuv error ends the input. */
void stream_input_ended(struct stream *stream, int uv_error);

/* stream_tls.c; all but the last two need stream->tls */

enum { STREAM_TLS_READ_MAX = 17 * 1024 }; /* a record of the largest size, and a little */

/* Is stream_start_tls() called, and the turn not over? */
bool stream_tls_is_starting(const struct stream *stream);
bool stream_tls_is_open(const struct stream *stream);
void stream_tls_begin(struct stream *stream);
/* Decrypts what was kept and `fresh`, and offers it. */
void stream_tls_feed(struct stream *stream, struct span fresh);
/* Turns queued clear text into records in stream->out, a bounded amount at once. */
void stream_tls_encrypt(struct stream *stream);
void stream_tls_drop_output(struct stream *stream);
struct out_queue *stream_clear_queue(struct stream *stream);
void stream_tls_free(struct stream *stream);

#endif
