/*
 * acl_text: adds and removes a network in a rule's match.network in the text of a policy. Everything else of
 * the text, comments and layout too, stays as it is.
 */
#ifndef CTL_ACL_TEXT_H
#define CTL_ACL_TEXT_H

#include "skein/cluster/schema/cidr.h"
#include "skein/proto/base/buf.h"

enum acl_edit { ACL_ADD, ACL_REMOVE };

/* False: `why_out` has one line and `text_out` nothing. `rule` is a name that the text, which is a policy,
 * has. */
bool acl_text_edit(struct span text, enum acl_edit edit, struct span rule, const struct cidr *network,
	struct buf *text_out, struct buf *why_out);

#endif
