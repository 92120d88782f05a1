/*
 * tls: what TLS connections of one kind share: certificate, key, trust. A context is immutable once built,
 * counted, and used from all threads; a reload builds a new one and puts it into the slot, connections keep
 * theirs. TLS 1.2 at least; stateless tickets; no renegotiation; small buffers (released when idle, no
 * read-ahead).
 */
#ifndef SKEIN_NODE_IO_TLS_H
#define SKEIN_NODE_IO_TLS_H

#include "skein/proto/base/buf.h"
#include "skein/proto/base/err.h"

#include <pthread.h>

struct tls_context;

struct tls_server_options {
	const char *cert_file; /* PEM: the server's certificate, then its chain */
	const char *key_file;  /* PEM, not encrypted */
	bool tls13_only;       /* else TLS 1.2 too */
};

enum tls_verify {
	TLS_VERIFY_NONE, /* any certificate will do; tls_info still says whether it would have passed */
	TLS_VERIFY_PEER, /* chain and name, or the handshake fails */
};

struct tls_client_options {
	enum tls_verify verify;
	const char *ca_file;              /* PEM; NULL: the system's store */
	const char *cert_file, *key_file; /* shown when the server asks for one; NULL: none */
};

/*
 * ERR_NOT_FOUND, ERR_INVALID or ERR_IO append one line to `why_out` that names the file and the reason. File
 * names are borrowed.
 */
WARN_UNUSED enum err tls_server_new(
	const struct tls_server_options *options, struct tls_context **context_out, struct buf *why_out);
WARN_UNUSED enum err tls_client_new(
	const struct tls_client_options *options, struct tls_context **context_out, struct buf *why_out);

/* Any thread. */
struct tls_context *tls_context_ref(struct tls_context *context);
/* Any thread. Sets the pointer to NULL. */
void tls_context_unref(struct tls_context **context);

bool tls_context_is_server(const struct tls_context *context);
/* When the own certificate ends, in seconds since 1970; 0 when the context has none. */
int64_t tls_context_expires_at(const struct tls_context *context);

/* Where a reload swaps contexts under running threads. */
struct tls_slot {
	pthread_mutex_t lock;
	struct tls_context *current; /* NULL: no TLS */
};

/* Moves a reference in; NULL is an empty slot. */
void tls_slot_init(struct tls_slot *slot, struct tls_context *context);
void tls_slot_fini(struct tls_slot *slot);
/* Any thread. A new reference, or NULL. */
struct tls_context *tls_slot_get(struct tls_slot *slot);
/* Any thread. Moves a reference in; connections that hold the old one keep it. */
void tls_slot_set(struct tls_slot *slot, struct tls_context *context);

/* What a handshake agreed on. All text is borrowed. */
struct tls_info {
	const char *protocol; /* "TLSv1.3" */
	const char *cipher;   /* "TLS_AES_256_GCM_SHA384" */
	unsigned cipher_bits;
	bool verified;            /* the peer's chain is trusted and, where a name was asked for, names it */
	const char *verify_text;  /* why not; "ok" when verified */
	const char *peer_subject; /* RFC 4514 text; "" when the peer showed no certificate */
};

#endif
