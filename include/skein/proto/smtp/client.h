/*
 * smtp_client: the client's half of an SMTP connection as a pull machine. Reply bytes go in, command bytes
 *come out, and each call stops at the first event. No sockets, no clock: the owner moves the bytes and keeps
 *one timer.
 *
 *	smtp_client_next() ... READY
 *	smtp_client_start() -> next() ... BODY_WANTED -> body()* -> (owner looks at its lease) -> body_end()
 *	                       next() ... RESULT for each recipient, TRANSACTION_DONE
 *	smtp_client_quit()  -> next() ... QUIT_DONE
 *
 * Chaining: when the hop offers PIPELINING, the next transaction may be started as soon as the final dot of
 *the one before is written, so that its MAIL, RCPT and DATA travel behind the body. RFC 2920 lets nothing
 *follow DATA in a group, so two transactions is the most there can be; smtp_client_can_start() says when.
 *
 * Every recipient of every transaction gets exactly one RESULT, unless the connection ends first: then its
 * transaction gets a TRANSACTION_LOST, which says whether the hop may have taken the message.
 */
#ifndef SKEIN_PROTO_SMTP_CLIENT_H
#define SKEIN_PROTO_SMTP_CLIENT_H

#include "skein/proto/base/buf.h"
#include "skein/proto/mail/deliver_by.h"
#include "skein/proto/mail/dsn_params.h"
#include "skein/proto/mail/status.h"

struct smtp_client;

enum smtp_client_tls {
	SMTP_CLIENT_TLS_NONE,    /* never STARTTLS */
	SMTP_CLIENT_TLS_MAY,     /* when offered; in clear when refused before the handshake */
	SMTP_CLIENT_TLS_ENCRYPT, /* or nothing is sent */
};

/* How long to wait in each state; RFC 5321 4.5.3.2. */
struct smtp_client_timeouts {
	uint32_t greeting_ms, ehlo_ms, starttls_ms, auth_ms, mail_ms, rcpt_ms, data_ms;
	uint32_t body_ms; /* for each block that the connection takes */
	uint32_t dot_ms, rset_ms, quit_ms;
};

enum smtp_client_mechanism {
	SMTP_MECHANISM_NONE, /* no login */
	SMTP_MECHANISM_AUTO, /* the first offered of XOAUTH2, given a token, and PLAIN, LOGIN, given a
				password */
	SMTP_MECHANISM_PLAIN,
	SMTP_MECHANISM_LOGIN,
	SMTP_MECHANISM_XOAUTH2,
};

/* Who we are to the hop. Strings may be NULL when they are not needed; the owner bounds them. */
struct smtp_client_credentials {
	enum smtp_client_mechanism mechanism;
	const char *user;
	const char *password; /* PLAIN, LOGIN */
	const char *token;    /* XOAUTH2: an OAuth 2.0 access token */
};

/*
 * With credentials the client logs in after the EHLO that holds, before READY, and never without TLS: what
 * stands in the way is a failure of the connection, and the owner decides what becomes of the mail.
 */
struct smtp_client_options {
	const char *helo; /* copied */
	enum smtp_client_tls tls;
	bool is_secure_from_start; /* TLS from the first byte (RFC 8314): STARTTLS is not asked for */
	bool uses_chunking;        /* BDAT, no DATA, where the hop offers CHUNKING and PIPELINING */
	struct smtp_client_credentials credentials; /* copied; wiped by smtp_client_free() */
	struct smtp_client_timeouts timeouts;
};

/* TLS_MAY, no BDAT, and the times that RFC 5321 asks for. */
struct smtp_client_options smtp_client_default_options(const char *helo);

enum smtp_client_caps_flag {
	SMTP_CAP_PIPELINING = 1 << 0,
	SMTP_CAP_SIZE = 1 << 1,
	SMTP_CAP_8BITMIME = 1 << 2,
	SMTP_CAP_SMTPUTF8 = 1 << 3,
	SMTP_CAP_DSN = 1 << 4,
	SMTP_CAP_CHUNKING = 1 << 5,
	SMTP_CAP_STARTTLS = 1 << 6,
	SMTP_CAP_ENHANCED = 1 << 7,
	SMTP_CAP_LIMITS = 1 << 8,
	SMTP_CAP_AUTH = 1 << 9,
	SMTP_CAP_REQUIRETLS = 1 << 10, /* only over TLS: said in clear it counts for nothing (RFC 8689 2) */
	SMTP_CAP_MT_PRIORITY = 1 << 11,
	SMTP_CAP_DELIVERBY = 1 << 12,
};

/* What the hop said to the last EHLO. */
struct smtp_client_caps {
	unsigned flags;            /* set of enum smtp_client_caps_flag */
	uint64_t size_max;         /* octets; 0: no bound told */
	uint32_t mail_max;         /* LIMITS (RFC 9422), 0: none told: transactions on a connection, */
	uint32_t rcpt_max;         /* recipients in a transaction (the owner splits), */
	uint32_t domain_max;       /* recipient domains in a transaction (the owner splits) */
	uint32_t deliver_by_min_s; /* DELIVERBY: the shortest time it takes; 0: none told */
	char auth[256]; /* mechanisms, separated by a space, upper case; what does not fit is left out */
};

struct smtp_client_rcpt {
	struct span addr;
	struct span orcpt; /* xtext; empty: none */
	uint8_t notify;    /* set of enum dsn_notify */
};

/*
 * One message for some recipients. Borrowed with all it points to until its TRANSACTION_DONE or
 * TRANSACTION_LOST. Addresses are as envelope_addr_is_safe() wants them, envid and orcpt are xtext.
 */
struct smtp_client_transaction {
	void *tag;          /* the owner's, handed back in each event */
	struct span sender; /* empty: the null reverse-path */
	const struct smtp_client_rcpt *rcpts;
	size_t rcpt_count;  /* at least 1 */
	uint64_t body_size; /* octets before dot-stuffing; 0: not known */
	bool needs_8bit, needs_smtputf8;
	/* RFC 8689. That the certificate is good for the name the owner has seen to. */
	bool needs_requiretls;
	int8_t priority;              /* MT-PRIORITY (RFC 6710), -9..9 */
	struct deliver_by deliver_by; /* what is left of it now */
	enum dsn_ret ret;
	struct span envid;
};

/* What a reply answers, or what was waited for. */
enum smtp_client_stage {
	SMTP_STAGE_NONE, /* nothing was sent: our own verdict, from what the hop offers */
	SMTP_STAGE_GREETING,
	SMTP_STAGE_EHLO,
	SMTP_STAGE_STARTTLS,
	SMTP_STAGE_HANDSHAKE,
	SMTP_STAGE_AUTH,
	SMTP_STAGE_IDLE,
	SMTP_STAGE_MAIL,
	SMTP_STAGE_RCPT,
	SMTP_STAGE_DATA,
	SMTP_STAGE_BODY,
	SMTP_STAGE_DOT,
	SMTP_STAGE_RSET,
	SMTP_STAGE_QUIT,
};

/* A short constant name, such as "rcpt", for the log. */
const char *smtp_client_stage_name(enum smtp_client_stage stage);

enum smtp_client_event {
	SMTP_CLIENT_MORE,             /* all input is consumed, nothing to tell */
	SMTP_CLIENT_STARTTLS,         /* do the handshake, then call smtp_client_tls_started() */
	SMTP_CLIENT_READY,            /* the first transaction may start */
	SMTP_CLIENT_BODY_WANTED,      /* the hop said 354, or takes chunks: push the body */
	SMTP_CLIENT_RESULT,           /* the verdict on one recipient */
	SMTP_CLIENT_TRANSACTION_DONE, /* each recipient had its RESULT; another transaction may start */
	SMTP_CLIENT_TRANSACTION_LOST, /* the connection failed before that */
	SMTP_CLIENT_FAILED,           /* the connection is of no use: close it. Always the last event */
	SMTP_CLIENT_QUIT_DONE,        /* close it. Always the last event */
};

enum smtp_client_failure {
	SMTP_FAILURE_NONE,
	SMTP_FAILURE_REFUSED,       /* a 4xx or 5xx to the greeting, EHLO, STARTTLS or RSET */
	SMTP_FAILURE_CLOSING,       /* 421, at any time */
	SMTP_FAILURE_NO_TLS,        /* TLS_ENCRYPT and the hop has none */
	SMTP_FAILURE_AUTH,          /* a 4xx or 5xx to the login */
	SMTP_FAILURE_AUTH_IN_CLEAR, /* a login is due and there is no TLS */
	SMTP_FAILURE_NO_MECHANISM,  /* the hop offers none that the credentials are good for */
	SMTP_FAILURE_GARBAGE,       /* not SMTP, or a reply that makes no sense where it stands */
	SMTP_FAILURE_UNSOLICITED,   /* a reply, but nothing was asked */
	SMTP_FAILURE_TOO_LONG,      /* a reply without end */
	SMTP_FAILURE_CHUNK,         /* a 4xx or 5xx to a BDAT before the last */
	SMTP_FAILURE_ABORTED,       /* smtp_client_abort() */
};

/* A short constant phrase for the log. */
const char *smtp_client_failure_text(enum smtp_client_failure failure);

struct smtp_client_event_data {
	void *tag;       /* RESULT, BODY_WANTED, TRANSACTION_DONE, TRANSACTION_LOST */
	size_t rcpt_idx; /* RESULT: index in the transaction's rcpts */
	/* RESULT, TRANSACTION_LOST, FAILED: the reply that decided. code 0 and no text: there was none. */
	enum smtp_client_stage stage;
	struct mail_status status;
	/*
	 * Lines joined by LF, enhanced code included, printable; borrowed until the next call. One that
	 * repeats a password or a token is replaced by our own words.
	 */
	struct span text;
	enum smtp_client_failure failure; /* TRANSACTION_LOST, FAILED */
	/*
	 * TRANSACTION_LOST: the final dot was written and its answer never came, so the recipients without a
	 * RESULT may have been delivered. False: they were certainly not.
	 */
	bool is_outcome_unknown;
};

/* `options` are copied. */
struct smtp_client *smtp_client_new(const struct smtp_client_options *options);
void smtp_client_free(struct smtp_client **client);

/*
 * Consumes replies from the front of *in, appends commands to `out`, stops at the first event. Called after
 * bytes arrived and after every call below that takes `out`, or aborts, until it says MORE. After the last
 * event it swallows everything and says MORE.
 *
 * What it appends while the stage is SMTP_STAGE_AUTH holds the password or the token. From there on it is the
 * owner's secret: it goes into no log, and is wiped when it is written.
 */
enum smtp_client_event smtp_client_next(struct smtp_client *client, struct span *in, struct buf *out,
	struct smtp_client_event_data *event_out);

/*
 * The handshake is done. Replies that were in *in behind the one to STARTTLS have been swallowed by next();
 * whatever else came in clear the owner throws away (RFC 3207 5).
 */
void smtp_client_tls_started(struct smtp_client *client, struct buf *out);

const struct smtp_client_caps *smtp_client_caps(const struct smtp_client *client);

/* A transaction may start now. */
bool smtp_client_can_start(const struct smtp_client *client);
/* Never again one on this connection (LIMITS MAILMAX, a failure, QUIT). */
bool smtp_client_is_spent(const struct smtp_client *client);
/*
 * Only when can_start(). A message that the hop cannot take by what it said (size, 8BITMIME, SMTPUTF8,
 * REQUIRETLS, a time to return it at) is not sent: its recipients get RESULTs of stage NONE. What else was
 * asked for (DSN parameters, the priority, a time to tell of a delay) is passed on when the hop offers it.
 */
void smtp_client_start(
	struct smtp_client *client, const struct smtp_client_transaction *transaction, struct buf *out);

/*
 * Between BODY_WANTED and body_end(), in pieces of any size: appends them dot-stuffed, or in chunks with
 * their BDAT (RFC 3030), of which a part may be held back.
 */
void smtp_client_body(struct smtp_client *client, struct span piece, struct buf *out);
/*
 * Ends the body with its CRLF, if that is missing, and the dot or the last chunk. From here on the hop may
 * deliver: the owner looks at its lease immediately before, and calls smtp_client_abort() instead when the
 * message is no longer its own.
 */
void smtp_client_body_end(struct smtp_client *client, struct buf *out);

/* Only when idle: ready, and no transaction in progress. */
void smtp_client_quit(struct smtp_client *client, struct buf *out);
/*
 * The connection has ended or will now: closed by the hop, a deadline, a failed handshake, a lease lost in
 * mid-body. The owner sends nothing more; next() tells what became of the transactions.
 */
void smtp_client_abort(struct smtp_client *client);

/*
 * The most that the present wait may take, counted from the last progress; 0: nothing is waited for. Progress
 * is another stage, a whole reply, or body that the hop took; bytes of a reply are none, else it could go on
 * for ever.
 */
uint32_t smtp_client_timeout_ms(const struct smtp_client *client);
/* Whole replies so far. */
uint64_t smtp_client_replies(const struct smtp_client *client);
/* What is waited for now. */
enum smtp_client_stage smtp_client_stage(const struct smtp_client *client);

#endif
