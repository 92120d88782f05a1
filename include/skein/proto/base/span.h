/*
 * span: bytes that somebody else owns, with a length. Never NUL-terminated by promise; an empty span may
 * have a NULL pointer. Passed by value.
 */
#ifndef SKEIN_PROTO_BASE_SPAN_H
#define SKEIN_PROTO_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
	const char *ptr;
	size_t len;
};

/* For printf("%.*s", SPAN_ARGS(span)). */
#define SPAN_ARGS(span) (int)(span).len, (span).ptr
/* A span of a string literal. */
#define SPAN_LIT(literal) ((struct span){ (literal), sizeof(literal) - 1 })

static inline struct span span_of(const char *ptr, size_t len)
{
	return (struct span){ ptr, len };
}

static inline struct span span_of_str(const char *text)
{
	return (struct span){ text, text ? strlen(text) : 0 };
}

static inline struct span span_drop(struct span span, size_t count)
{
	return span_of(span.ptr + count, span.len - count);
}

static inline struct span span_take(struct span span, size_t count)
{
	return span_of(span.ptr, count);
}

static inline bool span_eq(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline char ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

/* ASCII letters compare without case; all other bytes as they are. */
bool span_eq_nocase(struct span a, struct span b);
bool span_starts_with(struct span span, struct span prefix);
bool span_starts_with_nocase(struct span span, struct span prefix);
/* Index of the first `byte`, or span.len when there is none. */
size_t span_find(struct span span, char byte);
/* Without spaces and tabs at both ends. */
struct span span_trim(struct span span);
/* Decimal digits only (no sign, at least one digit), at most `max`. False leaves *value_out alone. */
bool span_parse_u64(struct span span, uint64_t max, uint64_t *value_out);

#endif
