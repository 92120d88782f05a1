/*
 * org_domain: the organizational domain (RFC 7489 3.2): the one that somebody registered, below a public
 * suffix. By the Public Suffix List that libpsl has built in: what is registered below a suffix that is newer
 * than that list is taken for the suffix's.
 */
#ifndef SKEIN_PROTO_DMARC_ORG_DOMAIN_H
#define SKEIN_PROTO_DMARC_ORG_DOMAIN_H

#include "skein/proto/base/span.h"

/*
 * The end of `domain`, without a dot behind it. A domain that is a public suffix itself, or that is no name
 * in ASCII, is its own.
 */
struct span dmarc_org_domain(struct span domain);
/* Whether both are of one organization. */
bool dmarc_is_same_org(struct span a, struct span b);

#endif
