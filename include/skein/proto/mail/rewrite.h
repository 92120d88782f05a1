/*
 * rewrite: the header section of a message changed as it streams by: the message's own edits, then, of what
 * they make of it, fields left out, fields put in front, the domain of From and Sender replaced. Everything
 * else stays the same to the octet. A field that is held until it is whole is bounded; nothing else is kept.
 */
#ifndef SKEIN_PROTO_MAIL_REWRITE_H
#define SKEIN_PROTO_MAIL_REWRITE_H

#include "skein/proto/base/buf.h"
#include "skein/proto/mail/header_edits.h"

enum { REWRITE_FIELD_MAX = 4 * 1024 * 1024 }; /* a longer From or Sender is passed on as it is */

/* Borrowed with all it points to while a machine lives. */
struct rewrite_rules {
	struct span front;         /* whole fields, see rewrite_append_field() */
	const char *const *remove; /* names */
	size_t remove_count;
	struct span from_domain;          /* empty: From and Sender stay */
	const struct header_edits *edits; /* valid ones, or NULL */
};

struct rewrite;

struct rewrite *rewrite_new(const struct rewrite_rules *rules);
/* Sets the pointer to NULL; NULL inside is fine. */
void rewrite_free(struct rewrite **rewrite);
/* `piece` is the next part of the message, split anywhere. Appends what there is of it now. */
void rewrite_feed(struct rewrite *rewrite, struct span piece, struct buf *out);
/* The message is over; appends what was held back. */
void rewrite_end(struct rewrite *rewrite, struct buf *out);
/* The header section is over: what comes from now on stays as it is, and need not be fed. */
bool rewrite_is_through(const struct rewrite *rewrite);

/* "Name: value" with its CRLF, folded at spaces; control bytes become spaces. */
void rewrite_append_field(struct buf *out, const char *name, const char *value);
/*
 * A field's value with the domain of each address in it replaced (RFC 5322 3.4): in angle brackets or not, in
 * groups, behind routes, beside comments and quoted strings. What is no address stays.
 */
void rewrite_append_addresses(struct buf *out, struct span value, struct span domain);

#endif
