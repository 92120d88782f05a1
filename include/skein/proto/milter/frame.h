/*
 * frame: the packets of the milter protocol, version 6, as Sendmail's libmilter, Postfix and rspamd speak it:
 * a length, a command, and what goes with it. We are the mail server: commands are written, answers are read.
 */
#ifndef SKEIN_PROTO_MILTER_FRAME_H
#define SKEIN_PROTO_MILTER_FRAME_H

#include "skein/proto/base/buf.h"
#include "skein/proto/base/parse.h"

enum {
	MILTER_VERSION = 6,
	MILTER_VERSION_MIN = 2,
	MILTER_DATA_MAX = 65535,       /* of what we send: libmilter takes no longer one */
	MILTER_ANSWER_MAX = 128 * 1024 /* of what we read */
};

enum milter_command {
	MILTER_ABORT = 'A',
	MILTER_BODY = 'B',
	MILTER_CONNECT = 'C',
	MILTER_MACRO = 'D',
	MILTER_END_OF_BODY = 'E',
	MILTER_HELO = 'H',
	MILTER_HEADER = 'L',
	MILTER_MAIL = 'M',
	MILTER_END_OF_HEADERS = 'N',
	MILTER_NEGOTIATE = 'O',
	MILTER_QUIT = 'Q',
	MILTER_RCPT = 'R',
	MILTER_DATA = 'T',
};

/* What a filter may do at the end, as a set of bits. Replacing the body is not among them. */
enum milter_action {
	MILTER_MAY_ADD_HEADERS = 0x1,
	MILTER_MAY_ADD_RCPT = 0x4,
	MILTER_MAY_DELETE_RCPT = 0x8,
	MILTER_MAY_CHANGE_HEADERS = 0x10,
	MILTER_MAY_QUARANTINE = 0x20,
	MILTER_MAY_CHANGE_FROM = 0x40,
	MILTER_MAY_ADD_RCPT_PAR = 0x80,
};

/* What is not sent to it, or is not answered by it; a set of bits. */
enum milter_step {
	MILTER_NO_CONNECT = 0x1,
	MILTER_NO_HELO = 0x2,
	MILTER_NO_MAIL = 0x4,
	MILTER_NO_RCPT = 0x8,
	MILTER_NO_BODY = 0x10,
	MILTER_NO_HEADERS = 0x20,
	MILTER_NO_END_OF_HEADERS = 0x40,
	MILTER_MUTE_HEADER = 0x80,
	MILTER_NO_UNKNOWN = 0x100,
	MILTER_NO_DATA = 0x200,
	MILTER_MAY_SKIP = 0x400,
	MILTER_MUTE_CONNECT = 0x1000,
	MILTER_MUTE_HELO = 0x2000,
	MILTER_MUTE_MAIL = 0x4000,
	MILTER_MUTE_RCPT = 0x8000,
	MILTER_MUTE_DATA = 0x10000,
	MILTER_MUTE_UNKNOWN = 0x20000,
	MILTER_MUTE_END_OF_HEADERS = 0x40000,
	MILTER_MUTE_BODY = 0x80000,
	MILTER_LEADING_SPACE = 0x100000, /* header values with the space behind the colon */
};

struct milter_macro {
	const char *name; /* one letter, or in braces */
	struct span value;
};

/* Texts end in NUL on the wire; one within becomes a space, and what is too long is cut. */
void milter_put(struct buf *out, enum milter_command command, const struct span *texts, size_t count);
void milter_put_negotiation(struct buf *out, uint32_t version, uint32_t actions, uint32_t steps);
/* Those without a value are left out. */
void milter_put_macros(
	struct buf *out, enum milter_command command, const struct milter_macro *macros, size_t count);
/* `addr`: of IPv4 or IPv6 as text; empty: not known. */
void milter_put_connect(struct buf *out, struct span host, struct span addr, uint16_t port);
/* At most MILTER_DATA_MAX octets. */
void milter_put_body(struct buf *out, struct span chunk);

enum milter_answer_kind {
	MILTER_ANSWER_NEGOTIATE,
	/* Verdicts. */
	MILTER_ANSWER_CONTINUE,
	MILTER_ANSWER_ACCEPT,
	MILTER_ANSWER_REJECT,
	MILTER_ANSWER_TEMPFAIL, /* the end of the connection too */
	MILTER_ANSWER_DISCARD,
	MILTER_ANSWER_REPLY, /* texts[0] */
	MILTER_ANSWER_SKIP,
	MILTER_ANSWER_PROGRESS,
	/* Changes. */
	MILTER_ANSWER_ADD_HEADER,    /* texts: name, value */
	MILTER_ANSWER_INSERT_HEADER, /* number, texts: name, value */
	MILTER_ANSWER_CHANGE_HEADER, /* the same */
	MILTER_ANSWER_ADD_RCPT,      /* texts[0], parameters are passed over */
	MILTER_ANSWER_DELETE_RCPT,   /* texts[0] */
	MILTER_ANSWER_CHANGE_FROM,   /* texts[0], as ADD_RCPT */
	MILTER_ANSWER_QUARANTINE,    /* texts[0]: the reason */
};

struct milter_answer {
	enum milter_answer_kind kind;
	uint32_t number;
	struct span texts[2];             /* borrowed, without NUL */
	uint32_t version, actions, steps; /* of NEGOTIATE */
};

/*
 * PARSE_DONE: *consumed_out octets were an answer. PARSE_BAD: it is longer than MILTER_ANSWER_MAX, of a kind
 * that is not known or that was not offered, or not made as its kind is.
 */
enum parse_result milter_answer_parse(struct span in, struct milter_answer *answer_out, size_t *consumed_out);

/* A reply that a filter wants us to give: "550 5.7.1 text", or several lines of it. */
struct milter_reply {
	uint16_t code; /* 400..599 */
	char enhanced[16];
	struct buf text; /* its lines parted by LF */
};

/*
 * Fills a zeroed *reply_out, whose text is the caller's then. 421 is 451: it is not for a filter to end a
 * connection that has more to do. False: it is no refusal.
 */
bool milter_reply_parse(struct span text, struct milter_reply *reply_out) WARN_UNUSED;

#endif
