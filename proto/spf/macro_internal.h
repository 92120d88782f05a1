/*
 * Macros of RFC 7208 7: their syntax, and what they expand to. Nothing is asked here: who expands a text that
 * uses %{p} has found the validated name before.
 */
#ifndef PROTO_SPF_MACRO_INTERNAL_H
#define PROTO_SPF_MACRO_INTERNAL_H

#include "skein/proto/base/buf.h"
#include "skein/proto/base/span.h"

enum macro_use {
	MACRO_DOMAIN,      /* domain-spec: where a term points; never empty; %{c}, %{r}, %{t} are refused */
	MACRO_MODIFIER,    /* macro-string: an unknown modifier's value */
	MACRO_EXPLANATION, /* explain-string: spaces too */
};

struct macro_values {
	struct span local, sender_domain; /* %{l}, %{o}, together %{s} */
	struct span domain;               /* %{d} */
	struct span helo;                 /* %{h} */
	struct span validated;            /* %{p} */
	struct span receiver;             /* %{r} */
	uint8_t client[16];               /* %{i}, %{c}, %{v} */
	size_t client_len;                /* 4 or 16 */
	uint64_t now;                     /* %{t} */
};

/* NULL: its syntax is right; otherwise what is wrong, in words. */
const char *macro_check(struct span text, enum macro_use use);
/* Whether a macro of this (small) letter is in a text that macro_check() found right. */
bool macro_uses(struct span text, char letter);
/*
 * Both append to `out`, of a text that macro_check() found right. The name comes shortened as 7.3 says and
 * without a dot at its end; it need not be one that the DNS could have.
 */
void macro_expand_name(struct span text, const struct macro_values *values, struct buf *out);
/* At most `len_max` bytes; what is not printable ASCII or space becomes "?". */
void macro_expand_text(struct span text, const struct macro_values *values, size_t len_max, struct buf *out);
/* The client's address as %{i} has it ("192.0.2.1", "2.0.0.1.0.D..."). */
void macro_append_address(const struct macro_values *values, struct buf *out);

#endif
