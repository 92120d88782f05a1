/*
 * certificates: what a server can show: certificates with chain and key, found by the name that a client asks
 * for. A set is immutable once loaded, counted, and used from all threads and by all listeners.
 *
 * The names of a certificate are the DNS names in it, or its CN when it has none; "*.example.com" stands for
 * one label. An exact name goes before a wildcard. Of several certificates for one name the first of each
 * kind of key is offered, and the client's abilities decide: RSA for the old, ECDSA for the others. The first
 * certificate of the set is for clients that ask for no name or for one that nothing here has.
 */
#ifndef SKEIN_NODE_IO_CERTIFICATES_H
#define SKEIN_NODE_IO_CERTIFICATES_H

#include "skein/proto/base/buf.h"
#include "skein/proto/base/err.h"

struct certificates;

enum {
	CERTIFICATES_MAX = 1000,
	CERTIFICATE_NAMES_MAX = 10000, /* of all of them together */
};

struct certificate_files {
	const char *cert_file; /* PEM: the server's certificate, then its chain */
	const char *key_file;  /* PEM, not encrypted */
};

/*
 * `count` is 1..CERTIFICATES_MAX. ERR_NOT_FOUND, ERR_INVALID, ERR_FULL or ERR_IO append one line to `why_out`
 * that names the file and the reason. File names are borrowed.
 */
WARN_UNUSED enum err certificates_load(const struct certificate_files *files, size_t count,
	struct certificates **certificates_out, struct buf *why_out);
/* Any thread. */
struct certificates *certificates_ref(struct certificates *certificates);
/* Any thread. Sets the pointer to NULL. */
void certificates_unref(struct certificates **certificates);

/* When the first of them ends, in seconds since 1970. */
int64_t certificates_expires_at(const struct certificates *certificates);

#endif
