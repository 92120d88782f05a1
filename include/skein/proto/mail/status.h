/*
 * status: what a reply means for a message or for one of its recipients. A reply code and, when the other
 * side gave one that fits, an enhanced status code (RFC 3463).
 */
#ifndef SKEIN_PROTO_MAIL_STATUS_H
#define SKEIN_PROTO_MAIL_STATUS_H

#include "skein/proto/base/buf.h"

/* "5.1.1". All zero: none. */
struct enhanced_code {
	uint8_t class; /* 2, 4 or 5 */
	uint16_t subject, detail;
};

struct mail_status {
	uint16_t code; /* 200..599; 0: no reply was involved, as for an expired message */
	struct enhanced_code enhanced;
};

/* RFC 5321 3.8: the host closes the connection; may answer anything. */
enum { MAIL_CODE_CLOSING = 421 };

enum mail_outcome { MAIL_DELIVERED, MAIL_TEMPORARY, MAIL_PERMANENT };

/*
 * What a reply to MAIL, RCPT, DATA or the final dot decides. A code that belongs to no class is temporary:
 * the doubt keeps the message. A bare 552 means "too many recipients" and is temporary (RFC 5321 4.5.3.1.10);
 * with an enhanced code that says otherwise, such as 5.2.2 or 5.3.4, it is what it says. Without a
 * code it is our own verdict, as its enhanced code says.
 */
enum mail_outcome mail_status_classify(struct mail_status status);

/*
 * Is it about how much we send, rather than about this message: 4xx with words such as "rate", "throttling",
 * "too many", or with 4.7.28 or 4.4.5? There is no code that all hosts use for that.
 */
bool mail_status_is_rate(struct mail_status status, struct span text);

/*
 * Reads "5.1.1" at the start of a reply's text. False, and nothing set, when there is none or when its class
 * contradicts the code's (RFC 2034 4).
 */
bool enhanced_code_parse(struct span text, unsigned code, struct enhanced_code *enhanced_out);
/* The given one, or "class.0.0" of the code, or 4.0.0 when there is neither. */
struct enhanced_code mail_status_enhanced(struct mail_status status);
/* "5.1.1" */
void enhanced_code_append(struct buf *buf, struct enhanced_code enhanced);

#endif
