/*
 * stream: one TCP connection, in clear or with TLS, for SMTP in and out, Redis and HTTP. It carries bytes
 * both ways with back-pressure, one deadline, and an end that is told exactly once. All calls are for the
 * loop's own thread.
 *
 * Life. stream_connect() and stream_accept() make one; it lives until on_close returns, and frees itself.
 * Callbacks come from the loop only, never from inside a call to this module. Every call is allowed in every
 * callback. After stream_close(), stream_abort() or a failure only on_close follows.
 *
 * Failures have one way out: on_close. Connecting to a closed port, a reset, a failed handshake, a deadline:
 * nothing is reported anywhere else, and writing to a stream that has failed meanwhile is harmless.
 *
 * Memory. Buffers exist only while bytes wait in them: an idle stream is one struct of half a KiB (plus
 * OpenSSL's state with TLS). What is received and not consumed is bounded by input_max (TLS: plus one
 * record); what waits to be sent is bounded by the user, through stream_queued_bytes() and on_drain.
 */
#ifndef SKEIN_NODE_IO_STREAM_H
#define SKEIN_NODE_IO_STREAM_H

#include "io/address.h"
#include "io/loop.h"
#include "io/tls.h"
#include "io/tls_peer.h"
#include "skein/proto/base/arena.h"

struct stream;

/* A constant table of the owner. on_data and on_close are required, on_open for connections we start. */
struct stream_callbacks {
	/* Connected; for stream_connect() only. Implicit TLS begins here, by stream_start_tls(). */
	void (*on_open)(void *arg);
	/*
	 * `bytes` are borrowed. Returns how many were consumed; the stream keeps the rest and offers it again
	 * in front of newer bytes, or after stream_resume().
	 */
	size_t (*on_data)(void *arg, struct span bytes);
	/*
	 * The peer will send no more (FIN, or TLS close_notify); what it sent was offered before. We can
	 * still write, and close when done. NULL: the stream sends what is queued and closes with ERR_CLOSED.
	 */
	void (*on_eof)(void *arg);
	/* stream_queued_bytes() was above options.output_low and no longer is. NULL: not interested. */
	void (*on_drain)(void *arg);
	/* The handshake succeeded. `info` is borrowed. NULL: not interested. */
	void (*on_tls)(void *arg, const struct tls_info *info);
	/*
	 * The end, exactly once; the stream is freed when this returns. ERR_OK: stream_close() sent
	 * everything. ERR_CLOSED: the peer closed or reset, or we aborted. ERR_TIMEOUT, ERR_REFUSED (nobody
	 * listens), ERR_TLS, ERR_IO. `text` says the same for people, without the peer's bytes in it;
	 * borrowed.
	 */
	void (*on_close)(void *arg, enum err why, const char *text);
};

struct stream_options {
	uint32_t input_max;   /* the most bytes held unconsumed, and the most offered at once; 0:
				 LOOP_READ_BUF_SIZE */
	uint32_t output_low;  /* for on_drain; 0: when all is sent */
	uint32_t linger_ms;   /* the most that stream_close() takes; 0: 3000 */
	uint32_t keepalive_s; /* idle time before TCP probes; 0: none */
};

/*
 * Never fails here: see on_close. `options` may be NULL. No deadline is set: the caller sets one. What is
 * written before stream_start_tls() goes in clear, also before on_open.
 */
struct stream *stream_connect(struct loop *loop, const struct sockaddr *peer,
	const struct stream_options *options, const struct stream_callbacks *callbacks, void *arg);
/* Takes over a connected socket, such as a listener's. The first on_data comes in a later turn. */
struct stream *stream_accept(struct loop *loop, int fd, const struct stream_options *options,
	const struct stream_callbacks *callbacks, void *arg);

/* Hands the stream to another owner. */
void stream_set_owner(struct stream *stream, const struct stream_callbacks *callbacks, void *arg);

/* Stops reading: TCP makes the peer wait. EOF and resets are not seen meanwhile; the deadline still runs. */
void stream_pause(struct stream *stream);
/* Reads again, and offers what was left unconsumed at the end of this turn. Allowed without a pause. */
void stream_resume(struct stream *stream);

/* Bytes were offered and not consumed: they are offered again after stream_resume(). */
bool stream_has_unconsumed(const struct stream *stream);

/* Copies. Everything written in one turn leaves together at its end. */
void stream_write(struct stream *stream, struct span bytes);
/* The same for a password or a token: the stream's copy is overwritten when it is sent or dropped. */
void stream_write_secret(struct stream *stream, struct span bytes);
/*
 * The same without a copy: `bytes` stay valid until release(arg), which runs once, later, after they were
 * sent or dropped.
 */
void stream_write_owned(struct stream *stream, struct span bytes, loop_fn *release, void *arg);
/* Written and not yet taken by the kernel. */
size_t stream_queued_bytes(const struct stream *stream);
/* Taken by the kernel, and not yet acknowledged by the peer's. SIZE_MAX: the connection is broken, and that
 * will never be known. */
size_t stream_unacknowledged_bytes(const struct stream *stream);

enum stream_tls_input {
	/* STARTTLS: what was received in clear and is not consumed is thrown away (RFC 3207 4.2, RFC 3207 6).
	 */
	STREAM_TLS_DISCARD,
	/* Implicit TLS: what follows a consumed PROXY header is the start of the handshake. */
	STREAM_TLS_KEEP,
};
/*
 * Begins the handshake at the end of this turn, after what is queued in clear; what is written from now on
 * waits for it. The context says which side we are and is referenced by the stream. `peer_name` (client side)
 * is what the certificate must name and the SNI asked for: a host name or an IP address, NULL for neither.
 * Once per stream.
 */
void stream_start_tls(struct stream *stream, struct tls_context *context, const char *peer_name,
	enum stream_tls_input input);
/* The same, client side, with rules of its own in place of the context's `verify`. */
void stream_start_tls_with(struct stream *stream, struct tls_context *context,
	const struct tls_peer_rules *rules, enum stream_tls_input input);
bool stream_has_tls(const struct stream *stream);
/*
 * What the handshake agreed on, at any time after it. False without TLS. Text is in the arena or lives as
 * long as the stream.
 */
bool stream_tls_info(const struct stream *stream, struct arena *arena, struct tls_info *info_out);
/* Of the peer's certificate, also after a handshake that it broke: in on_tls and on_close. */
enum tls_peer_fault stream_tls_fault(const struct stream *stream);
/*
 * Keying material for the channel binding tls-exporter (RFC 9266). False without TLS, or where TLS 1.2 was
 * spoken without the extended master secret: then it binds nothing.
 */
bool stream_tls_exporter(const struct stream *stream, unsigned char out[TLS_EXPORTER_LEN]);

/*
 * The one deadline, `delay_ms` from now, replacing the one before; 0: none. It covers whatever the stream
 * does then: connecting, handshake, waiting. When it passes the stream ends with ERR_TIMEOUT.
 */
void stream_set_deadline(struct stream *stream, uint64_t delay_ms);

/* Sends what is queued, then FIN, waits a little for the peer's, and closes. Harmless when closing already.
 */
void stream_close(struct stream *stream);
/* Closes now, with a reset: what is queued is dropped. */
void stream_abort(struct stream *stream);
/* The owner goes: as stream_close(), unless it is closing already, and no callback follows, not even
 * on_close. Sets the pointer to NULL. */
void stream_detach(struct stream **stream);
/*
 * Aborts every stream of the loop, the lingering ones too: for the end of the loop. It knows them by their
 * uv_tcp_t, so nobody else may put one on the loop.
 */
void stream_abort_all(struct loop *loop);

/* ERR_CLOSED when the socket has none any more. */
WARN_UNUSED enum err stream_peer(const struct stream *stream, struct address *address_out);
WARN_UNUSED enum err stream_local(const struct stream *stream, struct address *address_out);

#endif
