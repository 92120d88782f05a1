/*
 * header: a look at the top of a message as it streams by, and the fields that we put in front of it.
 *
 * The scan holds no copy of the message: a few bytes of state, whatever the peer sends. It never changes or
 * refuses anything itself; the owner decides by what it saw.
 */
#ifndef SKEIN_PROTO_MAIL_HEADER_H
#define SKEIN_PROTO_MAIL_HEADER_H

#include "skein/proto/base/buf.h"

/* Fields that somebody asks about. A set of bits. */
enum header_field {
	HEADER_MESSAGE_ID = 1 << 0,
	HEADER_DATE = 1 << 1,
	HEADER_FROM = 1 << 2,
	HEADER_TLS_OPTIONAL = 1 << 3, /* "TLS-Required: No" (RFC 8689 3), on one line */
};

enum header_scan_state {
	HEADER_SCANNING,
	HEADER_ENDED,    /* the empty line was seen, or a line that is no field, or header_scan_end() */
	HEADER_TOO_LONG, /* the section passed its bound before it ended */
};

enum { HEADER_NAME_MAX = 16 };

struct header_scan {
	enum header_scan_state state;
	size_t size; /* octets of the header section, the empty line included */
	size_t size_max;
	unsigned received_count; /* hops so far, for loop detection (RFC 5321 6.3) */
	unsigned field_count;
	unsigned fields;   /* set of enum header_field that are there */
	bool is_malformed; /* ended by a line that is neither a field nor empty: the body begins with it */
	/* The line under way. */
	uint8_t line_state;
	uint8_t value_state; /* of a value that is looked at */
	uint8_t name_len;    /* past HEADER_NAME_MAX: longer than any name we look for */
	size_t line_size;
	char name[HEADER_NAME_MAX];
};

void header_scan_init(struct header_scan *scan, size_t size_max);
/* `piece` is the next part of the message, split anywhere. Cheap after the end of the header section. */
enum header_scan_state header_scan_feed(struct header_scan *scan, struct span piece);
/* The message is over; one without a body ends its header section here. */
enum header_scan_state header_scan_end(struct header_scan *scan);

/* How a message came in; what the Received field says (RFC 5321 4.4). Spans are borrowed. */
struct header_received {
	struct span helo;      /* from the peer: sanitised here */
	struct span client_ip; /* text form, from our own socket; it and helo empty: made on this host */
	const char *host;      /* our name */
	uint8_t protocol;      /* set of enum envelope_protocol */
	bool smtputf8;
	struct span id;        /* queue id */
	struct span only_rcpt; /* empty unless there is exactly one: others must not be revealed */
	int64_t unix_s;
	int offset_min; /* of our clock, east of UTC */
};

/* "ESMTPSA" and its kin (RFC 3848, RFC 6531 4.3). */
const char *header_protocol_name(uint8_t protocol, bool smtputf8);
/* Appends the folded field with its CRLF. */
void header_append_received(struct buf *out, const struct header_received *received);

/*
 * Appends what the scanned message lacks: Date and Message-ID (<id@host>), and an empty line if it had no
 * header at all, so that its first line stays body. Called when the scan has ended; our Received field stands
 * before it.
 */
void header_append_missing(
	struct buf *out, const struct header_scan *scan, const struct header_received *received);

#endif
