/*
 * dns_name: names of the DNS as text: labels parted by dots, without the dot at the end; the root is ".".
 * Bytes that text cannot show, and those that would end a label or an escape, are written \DDD or \. as zone
 * files do it (RFC 1035 5.1), so that a name of any bytes is printable ASCII and no two names look the same.
 */
#ifndef SKEIN_PROTO_DNS_NAME_H
#define SKEIN_PROTO_DNS_NAME_H

#include "skein/proto/base/arena.h"
#include "skein/proto/base/check.h"

enum {
	DNS_NAME_WIRE_MAX = 255, /* RFC 1035 2.3.4 */
	DNS_LABEL_MAX = 63,
	DNS_HOST_MAX = 253,       /* of a host name as text */
	DNS_NAME_TEXT_MAX = 1003, /* four labels, each byte escaped */
};

/*
 * Takes a name in wire form from the front of *rest, as it stands in record data that a resolver has
 * unpacked: a compressed one (RFC 1035 4.1.4) is refused. The text lives in the arena. False: it is none;
 * *rest and *name_out are undefined.
 */
WARN_UNUSED bool dns_name_take(struct span *rest, struct arena *arena, const char **name_out);

/*
 * Whether mail can be sent to it, and a resolver be asked for it as it stands: labels of letters, digits,
 * hyphens and underscores (hosts of Windows have those), DNS_HOST_MAX bytes; one dot at the end is fine.
 */
bool dns_name_is_host(struct span name);
/* Whether they are the same name: ASCII letters without case, one dot at the end of either is ignored. */
bool dns_name_eq(struct span a, struct span b);
/* Without one dot at the end, but for the root. */
struct span dns_name_without_dot(struct span name);

#endif
