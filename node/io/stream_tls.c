#include "io/stream_internal.h"
#include "io/tls_internal.h"

#include "skein/proto/base/alloc.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

/* Ciphertext made ahead of the socket. */
#define AHEAD_BYTES  ((size_t)64 * 1024)
#define RECORD_BYTES 16384

enum tls_phase {
	TLS_STARTING, /* until the end of the turn */
	TLS_HANDSHAKE,
	TLS_OPEN,
	TLS_ENDED, /* we sent close_notify, or a fatal alert ended it */
};

struct stream_tls {
	SSL *ssl;
	struct tls_context *context;
	struct tls_wire wire;
	struct out_queue plain; /* waits for the handshake, or for room in stream->out */
	struct buf cipher_in;   /* received and not decrypted, because the owner takes no more */
	enum tls_phase phase;
	enum stream_tls_input input;
};

static void stream_fail_tls(struct stream *stream, const char *what);

/* False when `name` cannot be one. */
static bool expect_peer(SSL *ssl, const char *name)
{
	if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name))
		return true;
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return SSL_set1_host(ssl, name) && SSL_set_tlsext_host_name(ssl, name);
}

static void start(struct stream *stream, struct tls_context *context, enum stream_tls_input input)
{
	struct stream_tls *tls;
	BIO *bio;

	CHECK(!stream->tls);
	tls = mem_zalloc(sizeof(*tls));
	tls->context = tls_context_ref(context);
	tls->ssl = SSL_new(context->ssl_ctx);
	CHECK(tls->ssl);
	tls->wire.out = &stream->out;
	tls->input = input;
	bio = tls_wire_bio_new(context, &tls->wire);
	SSL_set_bio(tls->ssl, bio, bio);
	if (context->is_server)
		SSL_set_accept_state(tls->ssl);
	else
		SSL_set_connect_state(tls->ssl);
	stream->tls = tls;
	loop_defer(stream->loop, &stream->turn);
	stream_update_reading(stream);
}

void stream_start_tls(struct stream *stream, struct tls_context *context, const char *peer_name,
	enum stream_tls_input input)
{
	if (stream->phase != STREAM_OPEN)
		return;
	start(stream, context, input);
	if (!context->is_server && peer_name && !expect_peer(stream->tls->ssl, peer_name))
		stream_fail(stream, ERR_TLS, "TLS handshake: not a host name", NULL);
}

void stream_start_tls_with(struct stream *stream, struct tls_context *context,
	const struct tls_peer_rules *rules, enum stream_tls_input input)
{
	const char *why;

	if (stream->phase != STREAM_OPEN)
		return;
	CHECK(!context->is_server);
	start(stream, context, input);
	why = tls_peer_expect(stream->tls->ssl, rules);
	if (why)
		stream_fail(stream, ERR_TLS, why, NULL);
}

bool stream_has_tls(const struct stream *stream)
{
	return stream->tls && stream_tls_is_open(stream);
}

bool stream_tls_is_starting(const struct stream *stream)
{
	return stream->tls->phase == TLS_STARTING;
}

bool stream_tls_is_open(const struct stream *stream)
{
	return stream->tls->phase >= TLS_OPEN;
}

struct out_queue *stream_clear_queue(struct stream *stream)
{
	return stream->tls ? &stream->tls->plain : &stream->out;
}

void stream_tls_begin(struct stream *stream)
{
	struct stream_tls *tls = stream->tls;

	tls->phase = TLS_HANDSHAKE;
	/* Commands that somebody slipped in before the handshake must not run after it. */
	if (tls->input == STREAM_TLS_KEEP)
		tls->cipher_in = stream->in;
	else
		buf_fini(&stream->in);
	stream->in = (struct buf){ 0 };
	stream_tls_feed(stream, span_of(NULL, 0));
}

/* ---- handshake ---- */

static void tell_tls(struct stream *stream)
{
	struct tls_info info = { .protocol = "" };
	struct arena arena = { 0 };

	tls_info_fill(stream->tls->ssl, stream->tls->context, &arena, &info);
	stream->callbacks->on_tls(stream->arg, &info);
	arena_fini(&arena);
}

bool stream_tls_info(const struct stream *stream, struct arena *arena, struct tls_info *info_out)
{
	if (!stream_has_tls(stream))
		return false;
	tls_info_fill(stream->tls->ssl, stream->tls->context, arena, info_out);
	return true;
}

enum tls_peer_fault stream_tls_fault(const struct stream *stream)
{
	return stream->tls ? tls_peer_fault(stream->tls->ssl) : TLS_PEER_FAULTLESS;
}

bool stream_tls_exporter(const struct stream *stream, unsigned char out[TLS_EXPORTER_LEN])
{
	static const char label[] = "EXPORTER-Channel-Binding";
	SSL *ssl = stream_has_tls(stream) ? stream->tls->ssl : NULL;

	/* RFC 9266 4.2: before TLS 1.3 it is only unique with the extended master secret. */
	if (!ssl || (SSL_version(ssl) < TLS1_3_VERSION && SSL_get_extms_support(ssl) != 1))
		return false;
	return SSL_export_keying_material(ssl, out, TLS_EXPORTER_LEN, label, sizeof(label) - 1, NULL, 0, 1) ==
	       1;
}

/* True once the handshake is done and the stream still open. */
static bool shake_hands(struct stream *stream)
{
	struct stream_tls *tls = stream->tls;
	int done;

	ERR_clear_error();
	done = SSL_do_handshake(tls->ssl);
	loop_defer(stream->loop, &stream->turn);
	if (done == 1) {
		tls->phase = TLS_OPEN;
		if (stream->callbacks->on_tls)
			tell_tls(stream);
		return stream->phase == STREAM_OPEN;
	}
	if (SSL_get_error(tls->ssl, done) != SSL_ERROR_WANT_READ)
		stream_fail_tls(stream, "TLS handshake");
	return false;
}

/* Tells the peer by the alert that OpenSSL has just written, if the socket takes it. */
static void stream_fail_tls(struct stream *stream, const char *what)
{
	unsigned long error = ERR_peek_error();
	long verify = SSL_get_verify_result(stream->tls->ssl);
	const char *reason = ERR_reason_error_string(error);
	uv_buf_t iov[4];
	unsigned count = out_queue_iov(&stream->out, INT32_MAX, ARRAY_LEN(iov), iov);

	if (ERR_GET_LIB(error) == ERR_LIB_SSL && ERR_GET_REASON(error) == SSL_R_CERTIFICATE_VERIFY_FAILED)
		reason = X509_verify_cert_error_string(verify);
	if (ERR_GET_LIB(error) == ERR_LIB_SSL &&
		ERR_GET_REASON(error) == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE)
		reason = "the client shows no certificate";
	stream->tls->phase = TLS_ENDED;
	if (count && !stream->request)
		(void)uv_try_write((uv_stream_t *)&stream->tcp, iov, count);
	stream_fail(stream, ERR_TLS, what, reason);
	ERR_clear_error();
}

/* ---- input ---- */

/*
 * Decrypts up to what the owner may hold, and offers it at once: one callback for many small records. False
 * when there is no more to get.
 */
static bool read_some(struct stream *stream)
{
	SSL *ssl = stream->tls->ssl;
	char *plain = stream->loop->plain_buf;
	size_t room = stream->input_max - buf_len(&stream->in);
	size_t len = 0;
	int got, error;

	if (room > LOOP_READ_BUF_SIZE)
		room = LOOP_READ_BUF_SIZE;
	do {
		ERR_clear_error();
		got = SSL_read(ssl, plain + len, (int)(room - len));
		if (got > 0)
			len += (size_t)got;
	} while (got > 0 && len < room);
	error = got > 0 ? SSL_ERROR_NONE : SSL_get_error(ssl, got);
	if (len)
		stream_offer(stream, span_of(plain, len));
	if (stream->phase != STREAM_OPEN)
		return false;
	if (error == SSL_ERROR_ZERO_RETURN)
		stream_input_ended(stream, UV_EOF);
	else if (error != SSL_ERROR_NONE && error != SSL_ERROR_WANT_READ)
		stream_fail_tls(stream, "TLS");
	return error == SSL_ERROR_NONE;
}

void stream_tls_feed(struct stream *stream, struct span fresh)
{
	struct stream_tls *tls = stream->tls;
	bool is_kept = buf_len(&tls->cipher_in) > 0;
	size_t before;

	if (is_kept)
		buf_append(&tls->cipher_in, fresh);
	tls->wire.in = is_kept ? buf_span(&tls->cipher_in) : fresh;
	before = tls->wire.in.len;
	if (tls->phase != TLS_HANDSHAKE || shake_hands(stream))
		while (stream_wants_data(stream) && read_some(stream))
			;
	if (is_kept) {
		buf_consume(&tls->cipher_in, before - tls->wire.in.len);
		buf_shrink(&tls->cipher_in);
	} else {
		buf_append(&tls->cipher_in, tls->wire.in);
	}
	tls->wire.in = span_of(NULL, 0);
	/* OpenSSL answers by itself now and then: tickets, key updates. */
	if (stream->out.bytes && stream->phase == STREAM_OPEN)
		loop_defer(stream->loop, &stream->turn);
}

/* ---- output ---- */

void stream_tls_encrypt(struct stream *stream)
{
	struct stream_tls *tls = stream->tls;

	if (tls->phase != TLS_OPEN)
		return;
	out_queue_consume(&tls->plain, 0);
	while (tls->plain.bytes && stream->out.bytes < AHEAD_BYTES) {
		struct span front = out_queue_front(&tls->plain);
		int sent;

		ERR_clear_error();
		sent = SSL_write(
			tls->ssl, front.ptr, front.len < RECORD_BYTES ? (int)front.len : RECORD_BYTES);
		if (sent <= 0) {
			/* Our BIO takes all it is given, and renegotiation is off: nothing here is to be
			 * tried again. */
			stream_fail_tls(stream, "TLS");
			return;
		}
		out_queue_consume(&tls->plain, (size_t)sent);
	}
	if (!tls->plain.bytes && stream->phase == STREAM_FLUSHING) {
		ERR_clear_error();
		(void)SSL_shutdown(tls->ssl);
		tls->phase = TLS_ENDED;
	}
}

void stream_tls_drop_output(struct stream *stream)
{
	out_queue_fini(&stream->tls->plain);
}

void stream_tls_free(struct stream *stream)
{
	struct stream_tls *tls = stream->tls;

	if (!tls)
		return;
	SSL_free(tls->ssl);
	out_queue_fini(&tls->plain);
	buf_fini(&tls->cipher_in);
	tls_context_unref(&tls->context);
	mem_free(tls);
	stream->tls = NULL;
}
