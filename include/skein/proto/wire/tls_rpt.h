/*
 * tls_rpt: the TXT record of _smtp._tls.DOMAIN, which tells where reports about TLS on the way to it are
 * wanted (RFC 8460 3).
 */
#ifndef SKEIN_PROTO_WIRE_TLS_RPT_H
#define SKEIN_PROTO_WIRE_TLS_RPT_H

#include "skein/proto/base/check.h"
#include "skein/proto/base/span.h"

/* Whether a TXT record is one at all: it begins with v=TLSRPTv1; others are discarded. */
bool tls_rpt_record_is_one(struct span text);
/* NULL, or what is wrong: then the domain wants no reports. `uris_out` is borrowed: see tls_rpt_uri_next().
 */
WARN_UNUSED const char *tls_rpt_record_parse(struct span text, struct span *uris_out);
/* Takes the next of "mailto:a@b,https://c/d". False: there is none. */
bool tls_rpt_uri_next(struct span *list, struct span *uri_out);

#endif
