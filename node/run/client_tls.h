/*
 * client_tls: contexts of TLS that the settings ask for where this node is the client. On an error one line
 * in `why_out` that names the file.
 */
#ifndef NODE_RUN_CLIENT_TLS_H
#define NODE_RUN_CLIENT_TLS_H

#include "config/settings.h"
#include "io/tls.h"

WARN_UNUSED enum err client_tls_hop(
	const struct settings *settings, struct tls_context **context_out, struct buf *why_out);
/* NULL where Redis is spoken to in clear. */
WARN_UNUSED enum err client_tls_redis(
	const struct settings *settings, struct tls_context **context_out, struct buf *why_out);

#endif
