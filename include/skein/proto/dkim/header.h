/*
 * header: the header section of a message, kept whole and indexed, because DKIM takes its fields from the
 * bottom up. Strict: what two readers could cut differently (a CR or LF alone, a line that is no field, no
 * empty line behind it) is malformed, and a message that has it is neither signed nor judged.
 */
#ifndef SKEIN_PROTO_DKIM_HEADER_H
#define SKEIN_PROTO_DKIM_HEADER_H

#include "skein/proto/base/buf.h"

enum dkim_header_state {
	DKIM_HEADER_READING,
	DKIM_HEADER_ENDED,
	DKIM_HEADER_MALFORMED,
	DKIM_HEADER_TOO_LONG, /* more octets, or more fields, than the bounds say */
};

enum {
	DKIM_HEADER_SIZE_MAX = 1024 * 1024, /* what may be asked for */
	DKIM_HEADER_FIELDS_MAX = 4096,
	DKIM_SIGNED_MAX = 512, /* names in one h= */
};

struct dkim_field {
	uint32_t at, len; /* of the section; with its CRLF */
	uint32_t name_len;
	bool is_taken; /* by the selection under way */
};

struct dkim_header {
	enum dkim_header_state state;
	size_t size_max, fields_max;
	size_t line_at; /* where the line under way begins */
	struct buf text;
	struct dkim_field *fields;
	size_t count, cap;
};

/* Bounds: 1..DKIM_HEADER_SIZE_MAX octets, 1..DKIM_HEADER_FIELDS_MAX fields. */
void dkim_header_init(struct dkim_header *header, size_t size_max, size_t fields_max);
void dkim_header_fini(struct dkim_header *header);
/* Takes from the front of `piece` what is header, the empty line included. The rest is body. */
enum dkim_header_state dkim_header_feed(struct dkim_header *header, struct span *piece);
/* The message is over. It may have no body, not even the empty line. */
enum dkim_header_state dkim_header_end(struct dkim_header *header);
/* NULL, or what is wrong, as a constant phrase. */
const char *dkim_header_fault(const struct dkim_header *header);

/* Borrowed from the header. */
struct span dkim_header_field(const struct dkim_header *header, size_t index);
struct span dkim_header_name(const struct dkim_header *header, size_t index);
/* How often the field is there; names compare without case. */
size_t dkim_header_count(const struct dkim_header *header, struct span name);

#define DKIM_NO_FIELD SIZE_MAX

/*
 * A selection of fields, RFC 6376 5.4.2: each call of dkim_header_take() takes the lowest one of this name
 * that is not taken. `own`, unless DKIM_NO_FIELD, is the signature under way, which is not among them.
 */
void dkim_header_select(struct dkim_header *header, size_t own);
/* False: there is none, or none left. */
bool dkim_header_take(struct dkim_header *header, struct span name, struct span *field_out);

#endif
