/*
 * auth_results: the Authentication-Results field (RFC 8601): written for what we found out about a message,
 * and recognised in what others wrote, where it may claim to be ours.
 */
#ifndef SKEIN_PROTO_WIRE_AUTH_RESULTS_H
#define SKEIN_PROTO_WIRE_AUTH_RESULTS_H

#include "skein/proto/base/buf.h"

enum {
	AUTH_RESULTS_WIDTH = 78,       /* of a line, unless one word, or what stands in quotes, is longer */
	AUTH_RESULTS_VALUE_MAX = 400,  /* a property with a longer value is left out */
	AUTH_RESULTS_REASON_MAX = 200, /* what is longer of it is cut off */
};

/* `name` is a literal, such as "smtp.mailfrom". Without a value it is left out. */
struct auth_property {
	const char *name;
	struct span value;
};

/*
 * Method and result are literals, "spf" and "pass". Comment, reason and values may quote a peer, byte for
 * byte: they are quoted so that nothing in them ends the field or begins another result. Bytes that are no
 * printable ASCII are shown as '?'.
 */
struct auth_resinfo {
	const char *method, *result;
	struct span comment; /* empty: none */
	struct span reason;  /* empty: none */
	const struct auth_property *properties;
	size_t property_count;
};

/* Appends the whole field, folded, with its CRLF. `host` is our authserv-id. Without results it says "none".
 */
void auth_results_append(struct buf *out, struct span host, const struct auth_resinfo *results, size_t count);

/*
 * Whether a header field is such a field in the name of `host`; `value` is what stands behind its colon,
 * folded or not. As wide as readers differ: in any case, in quotes or not, behind comments, of any version,
 * with a dot at its end, however wrong the rest is.
 */
bool auth_results_is_of(struct span name, struct span value, struct span host);

#endif
