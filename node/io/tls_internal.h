/*
 * tls_internal: the inside of a tls_context, for this folder's TLS alone. OpenSSL speaks to a BIO of our own
 * instead of its memory BIO: it reads straight from the bytes received and writes straight into the stream's
 * output, so that an idle connection keeps neither of the two buffers that memory BIOs never give back.
 */
#ifndef SKEIN_NODE_IO_TLS_INTERNAL_H
#define SKEIN_NODE_IO_TLS_INTERNAL_H

#include "io/out_queue.h"
#include "io/tls.h"
#include "io/tls_peer.h"
#include "skein/proto/base/arena.h"

#include <openssl/ssl.h>
#include <stdatomic.h>

struct tls_context {
	SSL_CTX *ssl_ctx;
	BIO_METHOD *wire_method;
	bool is_server;
	int64_t expires_at;
	atomic_uint refs;
	/* Of a server: */
	struct certificates *certificates;
	struct tls_tickets *tickets;
	uint64_t ticket_lifetime_ms;
	enum tls_client_certificate client_certificate;
};

/* tls.c */
struct tls_context *tls_context_new(const SSL_METHOD *method, bool is_server);
/* Certificate, chain and key into `ssl_ctx`; errors as tls_client_new(). */
WARN_UNUSED enum err tls_load_identity(SSL_CTX *ssl_ctx, const char *cert_file, const char *key_file,
	int64_t *expires_at_out, struct buf *why_out);
/* When it ends, in seconds since 1970; 0: it does not say. */
int64_t tls_ends_s(const X509 *cert);
WARN_UNUSED enum err tls_load_trust(SSL_CTX *ssl_ctx, const char *ca_file, struct buf *why_out);

/* tls_info.c */
/* Text goes into the arena. */
void tls_info_fill(SSL *ssl, const struct tls_context *context, struct arena *arena, struct tls_info *info);
/* RFC 5929 4.1 of this certificate; 0: not defined. */
size_t tls_end_point(const X509 *cert, unsigned char out[EVP_MAX_MD_SIZE]);

/* tls_peer.c */
/* NULL, or why the handshake must not begin. */
const char *tls_peer_expect(SSL *ssl, const struct tls_peer_rules *rules);
enum tls_peer_fault tls_peer_fault(const SSL *ssl);

/* certificates.c */
/* Gives the connection what there is for the name; NULL: it asks for none. */
bool certificates_use(const struct certificates *certificates, SSL *ssl, const char *asked);
/* Of one from a set; computed when it was loaded. */
struct span certificate_end_point(const X509 *cert);

/* tls_tickets.c */
/* Lets the connections of a server's context make and take tickets. */
void tls_tickets_attach(SSL_CTX *ssl_ctx);
/* What the ticket of a resumed connection says that certificate_end_point() was. */
struct span tls_ticket_end_point(const SSL *ssl);

/* What a wire BIO works on; borrowed by the BIO. Writing never blocks; reading an empty `in` says "retry". */
struct tls_wire {
	struct span in;
	struct out_queue *out;
};

BIO_METHOD *tls_wire_method_new(void);
/* One BIO for both directions, owned by whoever gets it. */
BIO *tls_wire_bio_new(const struct tls_context *context, struct tls_wire *wire);

#endif
