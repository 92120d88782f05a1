/*
 * target: where somebody outside is told of something: the URL of a web server or of a collector of syslog.
 */
#ifndef NODE_NOTIFY_TARGET_H
#define NODE_NOTIFY_TARGET_H

#include "skein/proto/base/check.h"
#include "skein/proto/base/span.h"

enum target_kind {
	TARGET_HTTP,
	TARGET_HTTPS,
	TARGET_UDP, /* syslog: RFC 5426 */
	TARGET_TCP, /* RFC 6587, octet counting */
	TARGET_TLS, /* RFC 5425 */
};

enum { TARGET_URL_MAX = 2048, TARGET_HOST_MAX = 253 };

struct target {
	enum target_kind kind;
	char host[TARGET_HOST_MAX + 1]; /* a name or an address, that one without brackets */
	uint16_t port;                  /* by default 80, 443, 514, 601, 6514 */
};

/*
 * "https://HOST[:PORT]/PATH", "udp://HOST[:PORT]". NULL, or a phrase: what is wrong with it. The path of a
 * web server may be a secret: it is never told.
 */
WARN_UNUSED const char *target_parse(const char *url, struct target *target_out);
/* "https", for messages. */
const char *target_kind_name(enum target_kind kind);

static inline bool target_is_web(const struct target *target)
{
	return target->kind == TARGET_HTTP || target->kind == TARGET_HTTPS;
}

#endif
