/*
 * hop_certificates: when the certificates of next hops end, as handshakes before deliveries have shown them,
 * for routes that check them; where nobody checks, its end changes nothing. Shared by the workers of a node.
 * Bounded: of more hosts those that end first are known. A host that was not spoken to for a day is
 * forgotten.
 *
 * A host may have servers with different certificates: the first that ends counts, for an hour after it was
 * seen last.
 */
#ifndef NODE_OUTBOUND_HOP_CERTIFICATES_H
#define NODE_OUTBOUND_HOP_CERTIFICATES_H

#include "skein/proto/base/buf.h"

#include <stdint.h>

enum {
	HOP_CERTIFICATES_MAX = 200,
	HOP_CERTIFICATE_HOST_MAX = 253,
	HOP_CERTIFICATE_MIXED_S = 3600,
	HOP_CERTIFICATE_KEPT_S = 86400,
};

struct hop_certificates;

struct hop_certificate {
	char host[HOP_CERTIFICATE_HOST_MAX + 1]; /* in small letters */
	int64_t ends_s, seen_s;                  /* unix */
};

struct hop_certificates *hop_certificates_new(void);
/* NULL is fine. Sets the pointer to NULL. */
void hop_certificates_free(struct hop_certificates **certificates);

/* The rest is for any thread. Without certificates (NULL) nothing is noted and nothing known. */

/* A handshake has shown one. */
void hop_certificates_note(
	struct hop_certificates *certificates, const char *host, int64_t ends_s, int64_t now_s);
/* The first that ends first; at most `most`. Returns how many. */
size_t hop_certificates_list(
	struct hop_certificates *certificates, int64_t now_s, size_t most, struct hop_certificate *out);
/* Appends the metric skein_hop_certificate_days. */
void hop_certificates_write(struct hop_certificates *certificates, int64_t now_s, struct buf *out);

#endif
