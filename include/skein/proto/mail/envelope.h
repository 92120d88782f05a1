/*
 * envelope: who a message is from and to, what was asked for it, how it came, and how far its delivery got.
 * The journal and Redis keep it as bytes; nodes of different versions read each other's.
 *
 * All spans are borrowed from whoever made the envelope: the arena of envelope_decode(), or the session's.
 */
#ifndef SKEIN_PROTO_MAIL_ENVELOPE_H
#define SKEIN_PROTO_MAIL_ENVELOPE_H

#include "skein/proto/base/arena.h"
#include "skein/proto/base/buf.h"
#include "skein/proto/base/err.h"
#include "skein/proto/mail/deliver_by.h"
#include "skein/proto/mail/dsn_params.h"
#include "skein/proto/mail/header_edits.h"
#include "skein/proto/mail/status.h"

enum {
	ENVELOPE_RECIPIENTS_MAX = 10000,
	ENVELOPE_ADDR_MAX = 320, /* the SMTP server takes no longer one */
	ENVELOPE_DIAGNOSTIC_MAX = 512,
	ENVELOPE_PRIORITY_MAX = 9,
	ENVELOPE_NAME_MAX = 255, /* HELO, user, remote host, queue id, IP text */
};

enum recipient_state {
	RECIPIENT_PENDING,
	RECIPIENT_DELIVERED, /* a next hop took it */
	RECIPIENT_FAILED,    /* permanently; a DSN is due or was sent */
	RECIPIENT_EXPIRED,   /* as failed: the time ran out */
	RECIPIENT_CANCELLED, /* by an operator; nobody is told */
	RECIPIENT_STATE_COUNT,
};

struct envelope_recipient {
	struct span addr;  /* local@domain, without angle brackets */
	struct span orcpt; /* "rfc822;user+40host", as received; empty: not given */
	uint8_t notify;    /* set of enum dsn_notify */
	enum recipient_state state;
	bool delay_told; /* the one "delayed" DSN was sent */
	/* Of this attempt only, not kept: delivered to a hop that sends no reports; that keeps no time to
	 * deliver by, or whose sender wants to hear of each. */
	bool is_unreported, is_untimed;
	/* Likewise: the address of the host that replied, and the TLS that was spoken; NULL: not known, none.
	 */
	const char *remote_ip, *remote_tls;
	uint32_t attempts;         /* that reached a verdict about this recipient */
	uint64_t last_attempt_ms;  /* unix time; 0: never */
	struct mail_status status; /* of the last attempt */
	struct span
		diagnostic; /* its reply text, lines joined by LF, or our own words when status.code is 0 */
	struct span remote; /* host that replied; empty: nobody, we decided */
};

/* How the client spoke: a set of bits, named by header_protocol_name(). */
enum envelope_protocol {
	PROTOCOL_EXTENDED = 1, /* EHLO */
	PROTOCOL_TLS = 2,
	PROTOCOL_AUTH = 4,
};

struct envelope {
	struct span sender; /* empty: the null reverse-path */
	struct envelope_recipient *recipients;
	size_t recipient_count; /* 1..ENVELOPE_RECIPIENTS_MAX */
	bool smtputf8;
	bool has_8bit; /* BODY=8BITMIME was declared, or bytes above 127 were seen */
	enum dsn_ret ret;
	struct span envid;      /* as received; empty: not given */
	uint64_t size_declared; /* SIZE=; 0: not given */
	uint64_t size;          /* octets of the stored message, our fields in front included */

	struct span client_ip; /* as text */
	struct span helo;
	struct span user;      /* authenticated; empty: nobody */
	struct span origin_id; /* the queue id in our Received field */
	struct span rule;      /* name of the policy's rule that let it in; empty: none */
	uint8_t protocol;      /* set of enum envelope_protocol */

	uint64_t arrival_ms, expires_ms, next_try_ms; /* unix time */
	uint32_t attempts;                            /* deliveries begun */
	uint32_t takeovers;                           /* times that another node had to continue */

	/* What few ask for. A node that knows nothing of it leaves a message that asks for it to others. */
	bool requiretls;   /* RFC 8689 */
	bool tls_optional; /* RFC 8689 3, "TLS-Required: No"; a node that does not know it may forget it */
	int8_t priority;   /* MT-PRIORITY (RFC 6710), -9..9 */
	enum deliver_by_mode deliver_by; /* RFC 2852 */
	bool deliver_by_trace;
	uint64_t deliver_by_ms;    /* unix time; 0 without deliver_by */
	uint64_t hold_until_ms;    /* unix time: not to be released before (RFC 4865); 0: no hold */
	struct header_edits edits; /* valid: header_edits_are_valid() */
};

/*
 * Appends. Names and diagnostics, which only people read, are cut to their bound; an address, a parameter or
 * edits past their bound are our bug (CHECK).
 */
void envelope_encode(const struct envelope *envelope, struct buf *out);
/*
 * Everything is validated: a decoded address or parameter can be written into an SMTP command as it is.
 * Copies into the arena; `bytes` may go afterwards. ERR_CORRUPT, or ERR_INVALID for a format that is newer
 * than this node; *envelope_out is undefined then.
 */
WARN_UNUSED enum err envelope_decode(struct span bytes, struct arena *arena, struct envelope *envelope_out);

/* When it may first be tried, and from when its age counts: the end of its hold, else its arrival. */
uint64_t envelope_release_ms(const struct envelope *envelope);
/* What is left of the time to deliver by, in whole seconds; mode NONE when none was given. */
struct deliver_by envelope_deliver_by(const struct envelope *envelope, uint64_t now_ms);
/* It is to come back now, undelivered. */
bool envelope_is_overdue(const struct envelope *envelope, uint64_t now_ms);
/* Its sender is to be told now that it is late, while it is tried further. */
bool envelope_is_late(const struct envelope *envelope, uint64_t now_ms);
/*
 * What is asked for beyond delivery, as the parameters of MAIL that would ask for it now: "REQUIRETLS
 * MT-PRIORITY=3 BY=110;R HOLDFOR=3600". Nothing when that is nothing.
 */
void envelope_append_handling(const struct envelope *envelope, uint64_t now_ms, struct buf *out);
/* No recipient is pending any more. */
bool envelope_is_settled(const struct envelope *envelope);
/*
 * Whether `addr` may stand between angle brackets in a command: bounded, printable, specials only in quotes,
 * non-ASCII only as UTF-8 and if allowed. It is no syntax check of an address.
 */
bool envelope_addr_is_safe(struct span addr, bool utf8);

#endif
