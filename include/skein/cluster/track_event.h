/*
 * track_event: one step in the life of a session or a message, as it is told to the local tracking file, to
 * the cluster's stream in Redis and to hooks, and read back by skeinctl. Pure. What each kind means and which
 * fields it has is in docs/tracking.md.
 *
 * In bytes an event is a 16-bit length (little-endian) of what follows, the kind, then tagged values: only
 * what is said. A node passes over fields and kinds that it does not know, so that versions may be mixed.
 */
#ifndef SKEIN_CLUSTER_TRACK_EVENT_H
#define SKEIN_CLUSTER_TRACK_EVENT_H

#include "skein/proto/base/arena.h"
#include "skein/proto/base/buf.h"
#include "skein/proto/base/check.h"
#include "skein/proto/base/err.h"

/* Stored as numbers: a new one goes to the end. */
enum track_kind {
	/* of a session */
	TRACK_CONNECT, /* client; text: the listener */
	TRACK_TLS,     /* tls; rule: resumed; text: the client's certificate; about: its SHA-256; status: its
			  worth */
	TRACK_AUTH,    /* user, code; rule: the mechanism; text: why not; status: the directory's code */
	TRACK_REJECT,  /* code, status, text; about: the step; recipient, sender: the address refused */
	TRACK_DISCONNECT, /* text: why; latency: how long it lasted; attempts: messages taken */
	/* of a message */
	TRACK_RECEIVE, /* our 250: all of the envelope; recipient: all of them, joined by a blank */
	TRACK_DISCARD, /* a filter wanted it dropped; the client heard 250 */
	TRACK_FILTER,  /* about: the filter; text: what it said, and changed */
	TRACK_INSPECT, /* text: SPF, DKIM, DMARC; rule: what the policy did about it */
	TRACK_HOLD,    /* until a time that its sender chose, or an operator releases it */
	TRACK_RELEASE,
	TRACK_CANCEL,
	TRACK_RETRY,
	TRACK_DEFER,   /* one recipient; none: the message was put off, which was no attempt */
	TRACK_DELIVER, /* one recipient */
	TRACK_FAIL,
	TRACK_EXPIRE,
	TRACK_BOUNCE,   /* a report: id; about: the message it is about; text: which kind of report */
	TRACK_CLAIM,    /* it was due, and this node took it */
	TRACK_TAKEOVER, /* the same, of an owner that died */
	TRACK_ADOPT,    /* from this node's own journal after a restart */
	TRACK_ENDED,    /* by another node, or by an operator; text: how */
	/* of the node and the cluster */
	TRACK_POLICY, /* about: the version that holds from now on; user: its author; text: the comment */
	TRACK_NODE,   /* text: started, serving, draining, stopping, or what became of another */
	TRACK_KIND_COUNT
};

/* Stored as numbers: a new one goes to the end. */
enum track_text {
	TRACK_NODE_NAME,
	TRACK_ID,
	TRACK_CLIENT,
	TRACK_USER,
	TRACK_HELO,
	TRACK_TLS_TEXT,
	TRACK_SENDER,
	TRACK_RECIPIENT,
	TRACK_HOP,
	TRACK_STATUS,
	TRACK_TEXT,
	TRACK_RULE,
	TRACK_ABOUT,
	TRACK_TEXT_COUNT
};

enum {
	TRACK_EVENT_MAX = 4096, /* encoded, with its length */
	TRACK_VALUE_MAX = 512,  /* longer text is cut and ends in "…" */
};

struct track_event {
	enum track_kind kind;
	uint64_t time_us;    /* since 1970 */
	uint64_t session;    /* unique for a node, over its restarts too; 0: none */
	uint64_t code, size; /* 0 here and below: not said */
	uint64_t latency_us, attempts, recipients;
	struct span text[TRACK_TEXT_COUNT]; /* empty: not said; borrowed */
	/* Which of all events it is: the tracker's run, and its number in there. Of files alone; not encoded.
	 */
	uint64_t run, number; /* 0: not said */
};

/* Text that finds no more room is cut, what comes last in enum track_text first. Returns bytes written. */
size_t track_event_encode(const struct track_event *event, char out[TRACK_EVENT_MAX]);
/*
 * Takes one event off the front of *bytes; its text borrows from there. ERR_CORRUPT: damage, nothing is
 * taken. ERR_INVALID: it is of a kind that this version does not know, and was taken.
 */
WARN_UNUSED enum err track_event_decode(struct span *bytes, struct track_event *event_out);

/* "CONNECT". */
const char *track_kind_name(enum track_kind kind);
/* Without regard to case. */
WARN_UNUSED bool track_kind_find(struct span name, enum track_kind *kind_out);
/* What the field is called in JSON. */
const char *track_text_name(enum track_text text);

enum { TRACK_TIME_LEN = 27 };
/* RFC 3339 in UTC with microseconds: 2026-11-25T02:44:01.123456Z. Not NUL-terminated. */
void track_time_format(uint64_t time_us, char out[TRACK_TIME_LEN]);
/* The same back. False: it is none, or before 1970. */
WARN_UNUSED bool track_time_parse(struct span text, uint64_t *time_us_out);

/* Each appends one line without its newline. One JSON object, which is UTF-8 whatever the event holds. */
void track_event_json(const struct track_event *event, struct buf *out);
/* The columns of W3C extended format, in the order of track_w3c_head(). */
void track_event_w3c(const struct track_event *event, struct buf *out);
/* KEY=VALUE parted by blanks; in quotes, with a backslash before " and \, where that is needed. */
void track_event_pairs(const struct track_event *event, struct buf *out);
/* The lines that a W3C file begins with, newlines included. */
void track_w3c_head(const char *software, uint64_t time_us, struct buf *out);

enum track_redact_mode {
	TRACK_REDACT_NONE,
	TRACK_REDACT_MASKED, /* j***@example.net, 10.1.2.0/24, 2001:db8:1:2::/64 */
	TRACK_REDACT_HASHED, /* ~0123456789abcdef@example.net: the same text is the same with the same key */
};

struct track_redaction {
	enum track_redact_mode mode;
	uint64_t key[2]; /* of the hash */
};

/* Replaces what is personal: addresses, users, names of clients, wherever they stand. New text is in `arena`.
 */
void track_event_redact(
	struct track_event *event, const struct track_redaction *redaction, struct arena *arena);
/* What an address or a user is called in hashed events, to search for it. */
struct span track_redact_address(
	struct span address, const struct track_redaction *redaction, struct arena *arena);

#endif
