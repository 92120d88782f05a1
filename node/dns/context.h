/*
 * dns context: a libunbound context as the settings want it.
 */
#ifndef NODE_DNS_CONTEXT_H
#define NODE_DNS_CONTEXT_H

#include "config/settings.h"
#include "skein/proto/base/buf.h"

struct ub_ctx;

/* NULL: `why_out` has a sentence that names the setting; otherwise it may have a warning. Ends with
 * ub_ctx_delete(). */
struct ub_ctx *dns_context_new(const struct settings *settings, struct buf *why_out);

#endif
