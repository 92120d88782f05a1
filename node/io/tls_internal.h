/*
 * tls_internal: the inside of a tls_context, for stream_tls alone. OpenSSL speaks to a BIO of our own instead
 * of its memory BIO: it reads straight from the bytes received and writes straight into the stream's output,
 * so that an idle connection keeps neither of the two buffers that memory BIOs never give back.
 */
#ifndef SKEIN_NODE_IO_TLS_INTERNAL_H
#define SKEIN_NODE_IO_TLS_INTERNAL_H

#include "io/out_queue.h"
#include "io/tls.h"

#include <openssl/ssl.h>
#include <stdatomic.h>

struct tls_context {
	SSL_CTX *ssl_ctx;
	BIO_METHOD *wire_method;
	bool is_server;
	int64_t expires_at;
	atomic_uint refs;
};

/* What a wire BIO works on; borrowed by the BIO. Writing never blocks; reading an empty `in` says "retry". */
struct tls_wire {
	struct span in;
	struct out_queue *out;
};

BIO_METHOD *tls_wire_method_new(void);
/* One BIO for both directions, owned by whoever gets it. */
BIO *tls_wire_bio_new(const struct tls_context *context, struct tls_wire *wire);

#endif
