/*
 * header_edits: what is to be changed in a message's header section when it leaves, as was found out when it
 * came. The stored message stays as it came; rewrite.h applies them, header_list.h makes them.
 */
#ifndef SKEIN_PROTO_MAIL_HEADER_EDITS_H
#define SKEIN_PROTO_MAIL_HEADER_EDITS_H

#include "skein/proto/base/span.h"

enum {
	HEADER_EDITS_SIZE_MAX = 128 * 1024, /* of all names, values and fields together */
	HEADER_EDITS_CHANGES_MAX = 256,
	HEADER_EDITS_NAME_MAX = 255,
};

struct header_change {
	struct span name;
	uint32_t nth;      /* which of the fields with this name in the stored message, from 1 */
	struct span value; /* instead of what stands behind the colon: " text"; may be folded, no CRLF at its
			      end; empty: the field goes */
	bool is_before;    /* `value` is whole fields, put in front of that field, which stays */
};

/* All zero: none. Spans are borrowed. */
struct header_edits {
	struct span front; /* whole fields with CRLF, put in front of all (before our Received too) */
	struct span back;  /* whole fields with CRLF, put at the end of the header section */
	const struct header_change *changes;
	size_t change_count;
};

bool header_edits_are_none(const struct header_edits *edits);
/* Octets of all names, values and fields. */
size_t header_edits_size(const struct header_edits *edits);
bool header_edits_have_8bit(const struct header_edits *edits);
/*
 * Within the bounds, and nothing in them can end a field early, or the header section: names of printable
 * ASCII (RFC 5322 3.6.8), lines that end in CRLF, no NUL and no other CR or LF, no line of blanks alone.
 */
bool header_edits_are_valid(const struct header_edits *edits);
/* The same for one name, and for what stands behind a field's colon up to its last CRLF. */
bool header_edits_name_is_valid(struct span name);
bool header_edits_value_is_valid(struct span value);

#endif
