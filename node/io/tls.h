/*
 * tls: what TLS connections of one kind share: certificates, trust, versions and ciphers. A context is
 * immutable once built, counted, and used from all threads; a reload builds a new one and puts it into the
 * slot, connections keep theirs. Stateless tickets; no early data, no renegotiation, no compression; small
 * buffers (released when idle, no read-ahead).
 */
#ifndef SKEIN_NODE_IO_TLS_H
#define SKEIN_NODE_IO_TLS_H

#include "io/certificates.h"
#include "io/tls_tickets.h"
#include "skein/proto/base/buf.h"
#include "skein/proto/base/err.h"

#include <pthread.h>

struct tls_context;

enum tls_version { TLS_1_0, TLS_1_1, TLS_1_2, TLS_1_3 };

enum tls_ciphers {
	TLS_CIPHERS_MODERN,     /* TLS 1.2: ECDHE with an authenticated cipher, nothing else */
	TLS_CIPHERS_COMPATIBLE, /* AES-CBC and the RSA key exchange too, after those */
};

enum tls_client_certificate {
	TLS_CLIENT_CERTIFICATE_NONE,    /* not asked for */
	TLS_CLIENT_CERTIFICATE_REQUEST, /* any will do, or none; tls_info says what it is worth */
	TLS_CLIENT_CERTIFICATE_REQUIRE, /* one from client_ca_file, or the handshake fails */
};

struct tls_server_options {
	struct certificates *certificates; /* referenced */
	struct tls_tickets *tickets;       /* referenced */
	uint64_t ticket_lifetime_ms;       /* how long a client may come back without a full handshake */
	/* TLS 1.0 and 1.1 need signatures with SHA-1: with them all of OpenSSL's bounds on weak algorithms
	   are off, and the ciphers are the compatible ones. */
	enum tls_version minimum;
	enum tls_ciphers ciphers;
	enum tls_client_certificate client_certificate;
	const char *client_ca_file; /* PEM: who may issue them; NULL: nobody. REQUIRE needs it */
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

enum {
	TLS_NAMES_MAX = 16,     /* of one kind taken from a peer's certificate; what is more is left out */
	TLS_NAME_LEN_MAX = 254, /* longer ones are left out */
	TLS_SUBJECT_LEN_MAX = 1024,
	TLS_FINGERPRINT_LEN = 32,
	TLS_EXPORTER_LEN = 32,
};

struct tls_names {
	const char *items[TLS_NAMES_MAX]; /* printable ASCII without spaces */
	size_t count;
};

/* What a handshake agreed on. All text is borrowed. */
/* "TLSv1.3 TLS_AES_256_GCM_SHA384" */
enum { TLS_TEXT_SIZE = 64 };

struct tls_info {
	const char *protocol; /* "TLSv1.3" */
	const char *cipher;   /* "TLS_AES_256_GCM_SHA384" */
	unsigned cipher_bits;
	bool is_tls13;
	bool is_resumed;         /* by a ticket; all that follows is as in the handshake that it came from */
	const char *server_name; /* asked for by the client; "": none */
	/* RFC 5929 4, tls-server-end-point; empty where it is not defined, as with Ed25519. */
	struct span end_point;
	bool verified;            /* the peer's chain is trusted and, where a name was asked for, names it */
	const char *verify_text;  /* why not; "ok" when verified */
	bool is_by_dane;          /* verified by a TLSA record */
	bool has_peer;            /* the peer showed a certificate: */
	const char *peer_subject; /* RFC 4514 text; "" without one, or when it is longer than the bound */
	unsigned char peer_fingerprint[TLS_FINGERPRINT_LEN]; /* SHA-256 of the certificate */
	struct tls_names peer_emails, peer_dns;              /* its subject alternative names */
	int64_t peer_ends_s;                                 /* when it ends, unix; 0: it does not say */
};

#endif
