/*
 * smtp_server: the server's side of one SMTP connection as a pure machine (RFC 5321 with PIPELINING, SIZE,
 * 8BITMIME, SMTPUTF8, CHUNKING, ENHANCEDSTATUSCODES, DSN, LIMITS, STARTTLS, AUTH, REQUIRETLS, MT-PRIORITY,
 * DELIVERBY, FUTURERELEASE). Bytes in, replies and events out; no socket, no clock, no policy: the caller
 * decides who may do what, and answers events.
 *
 * The caller pulls:
 *
 *     while ((event = smtp_server_next(server, &in, &out, &data)) != SMTP_EVENT_NONE)
 *             act on it; for one that waits, sooner or later smtp_server_decide();
 *     write `out`; keep what is left of `in` and offer it again in front of newer bytes
 *
 * Input is consumed a whole command or a run of body at a time, so the machine holds no buffer of its own:
 * what it cannot use yet stays with the caller, at most the longest command line that is allowed. A line
 * that is longer is answered and skipped.
 *
 * Transactions: each MAIL that was decided positively ends in exactly one of MESSAGE_END, RESET, QUIT, CLOSE,
 * smtp_server_close().
 *
 * Smuggling: only CRLF ends a command and only CRLF.CRLF ends DATA. A bare CR or LF in a message is refused,
 * or becomes CRLF, by options.bare_newline; NUL is refused always, since neither RFC 5322 nor 8BITMIME allows
 * it and a next hop that strips it would see line ends that we did not. A body that BDAT leaves without a
 * final CRLF gets one, for DATA could not pass it on otherwise. What BODY hands out holds no NUL and no CR
 * or LF but in CRLF, and ends in CRLF unless it is empty. (Of a message that is refused, what was handed
 * out before the first offence is that too.)
 */
#ifndef SKEIN_PROTO_SMTP_SERVER_H
#define SKEIN_PROTO_SMTP_SERVER_H

#include "skein/proto/smtp/address.h"
#include "skein/proto/smtp/params.h"
#include "skein/proto/smtp/reply.h"

struct smtp_server;

/* What EHLO may offer beside PIPELINING, SIZE and ENHANCEDSTATUSCODES, which are always on. */
enum smtp_extension {
	SMTP_EXT_STARTTLS = 1 << 0, /* not offered any more once TLS is on */
	SMTP_EXT_8BITMIME = 1 << 1,
	SMTP_EXT_SMTPUTF8 = 1 << 2,
	SMTP_EXT_CHUNKING = 1 << 3,
	SMTP_EXT_DSN = 1 << 4,
	SMTP_EXT_LIMITS = 1 << 5,
	SMTP_EXT_AUTH = 1 << 6, /* offered when TLS is on and smtp_server_offer_auth() named mechanisms */
	SMTP_EXT_REQUIRETLS = 1 << 7, /* offered when TLS is on */
	SMTP_EXT_MT_PRIORITY = 1 << 8,
	SMTP_EXT_DELIVERBY = 1 << 9,
	SMTP_EXT_FUTURERELEASE = 1 << 10, /* offered once smtp_server_offer_hold() said how long */
};

enum smtp_bare_newline { SMTP_BARE_NEWLINE_REFUSE, SMTP_BARE_NEWLINE_NORMALISE };

/* Shared by all connections of a listener. Start with smtp_server_options_init(). */
struct smtp_server_options {
	struct span hostname; /* in the greeting, HELO and EHLO replies */
	unsigned extensions;  /* SMTP_EXT_ bits; default: 8BITMIME, SMTPUTF8, CHUNKING, DSN, LIMITS */
	enum smtp_bare_newline bare_newline; /* in messages; default: refuse */
	uint64_t message_size_max;           /* bytes of content; default 100 MiB; never 0 */
	/*
	 * Bytes with CRLF. Default 0: as long as the message. Applications write HTML in one line, and MTAs
	 * take it; MESSAGE_END tells the longest, so that the way out can choose.
	 */
	uint32_t text_line_max;
	uint32_t command_line_max;  /* with CRLF; default 512 (RFC 5321 4.5.3.1.4) */
	uint32_t envelope_line_max; /* the same for MAIL and RCPT, whose parameters are long; default 2048 */
	uint32_t auth_line_max;  /* the same for AUTH and its responses; default 64 KiB: Kerberos tokens are
				    long */
	uint32_t recipients_max; /* per message; default 1000; then 452 4.5.3 */
	uint32_t messages_max;   /* per connection; default 0: any number; then 421 */
	uint32_t errors_max;     /* the error that is answered 421; default 20. Accepted mail sets it back */
	uint32_t unknown_max;    /* the same for unknown commands alone, never set back; default 10 */
};

/* All defaults; the caller sets hostname. */
void smtp_server_options_init(struct smtp_server_options *options);

enum smtp_event {
	/* More input is needed, or a decision, or nothing can come any more. */
	SMTP_EVENT_NONE,

	/* These wait: nothing is consumed until smtp_server_decide() or smtp_server_close(). */
	SMTP_EVENT_HELO,
	SMTP_EVENT_MAIL,
	SMTP_EVENT_RCPT,
	SMTP_EVENT_DATA_BEGIN,  /* DATA, or the first BDAT: may a body come? */
	SMTP_EVENT_MESSAGE_END, /* all of the body was handed out: whose is the message now? */
	SMTP_EVENT_STARTTLS,
	SMTP_EVENT_AUTH,          /* an exchange begins: smtp_server_challenge() is a third answer */
	SMTP_EVENT_AUTH_RESPONSE, /* the same */

	/* These do not wait. */
	SMTP_EVENT_BODY,
	SMTP_EVENT_RESET, /* the transaction is void: RSET, EHLO, a refused DATA_BEGIN, an offence in the body
			   */
	SMTP_EVENT_QUIT,  /* the farewell is in `out`: send it and close */
	SMTP_EVENT_CLOSE, /* likewise, by our wish */
};

/* Spans live until the decision (BODY: as long as the caller's input) and are the caller's to copy. */
struct smtp_event_data {
	union {
		struct {
			/*
			 * Its first word, no longer than SMTP_DOMAIN_MAX; visible ASCII without specials, so
			 * that it may stand in a Received field. Much is sent here that is no host name.
			 */
			struct span name;
			bool extended; /* EHLO */
		} helo;
		struct {
			struct smtp_address from; /* NULL or MAILBOX */
			struct smtp_mail_params params;
		} mail;
		struct {
			struct smtp_address to; /* POSTMASTER or MAILBOX */
			struct smtp_rcpt_params params;
		} rcpt;
		struct {
			bool chunked; /* by BDAT */
		} data_begin;
		struct {
			struct span mechanism; /* one of those offered, as the client wrote it */
			bool has_initial;
			struct span initial; /* decoded; secret */
		} auth;
		struct span auth_response; /* decoded; secret */
		struct span body;
		struct {
			uint64_t size;         /* bytes handed out */
			uint64_t line_len_max; /* longest line, with CRLF */
			bool has_8bit;         /* a byte above 127 is in it, whatever BODY said */
		} message_end;
		/* RESET, CLOSE: the machine's own reply that tells the peer why; NULL: it, or you, wanted it.
		 */
		const struct smtp_reply *reply;
	};
};

/* `options` is borrowed for the machine's life. */
struct smtp_server *smtp_server_new(const struct smtp_server_options *options);
void smtp_server_free(struct smtp_server **server);

/*
 * The first call. NULL: "220 hostname ESMTP". 421: CLOSE follows. 554: the peer may only say QUIT (RFC 5321
 * 3.1).
 */
void smtp_server_greet(struct smtp_server *server, struct buf *out, const struct smtp_reply *reply);

/*
 * Consumes from the front of *in, appends replies to *out, and stops at the first event. May be called with
 * empty input, and must be called again after a decision: with
 * all input that is at hand, since a body that was sent along with a DATA that is refused is told by that.
 */
enum smtp_event smtp_server_next(
	struct smtp_server *server, struct span *in, struct buf *out, struct smtp_event_data *data_out);

/*
 * Answers the event that waits. NULL: yes, in the machine's own words. A positive reply of the caller's is
 * for MAIL, RCPT and MESSAGE_END. Negative ones are for all; 421 also ends the connection. `reply` is
 * borrowed.
 */
void smtp_server_decide(struct smtp_server *server, struct buf *out, const struct smtp_reply *reply);

/*
 * The third answer to AUTH and AUTH_RESPONSE: the exchange goes on with this challenge, which may be empty,
 * and AUTH_RESPONSE comes; a client that gives up is answered by the machine, and nothing comes: an exchange
 * that is open when another event comes is over. Of the others NULL is 235, for once in a connection; a
 * negative reply of 500 and more counts as an error. The responses that the events showed are overwritten
 * with the answer.
 */
void smtp_server_challenge(struct smtp_server *server, struct buf *out, struct span challenge);

/*
 * What EHLO says after FUTURERELEASE: mail is held so many seconds at most, and (since the machine knows no
 * time) until then. 0 seconds: it is not offered, as at first. A longer hold is refused (RFC 4865 4).
 */
void smtp_server_offer_hold(struct smtp_server *server, uint32_t hold_max_s, int64_t until_max_s);

/*
 * Some clients end an exchange with an empty line too many (see sasl_accepted.may_send_empty_line): called
 * before the decision, an empty line that comes next is read over.
 */
void smtp_server_empty_line_may_come(struct smtp_server *server);

/*
 * Ends the connection from our side, at any moment: a deadline, a shutdown. Writes the reply, or with NULL
 * nothing at all: custody of a message is unknown and the peer must not be told either way. Later input is
 * thrown away.
 */
void smtp_server_close(struct smtp_server *server, struct buf *out, const struct smtp_reply *reply);

/*
 * TLS is on: before smtp_server_greet() (implicit TLS), or after STARTTLS was decided positively. All that
 * was said before is forgotten (RFC 3207 4.2). From that decision to this call all input is thrown away.
 */
void smtp_server_tls_started(struct smtp_server *server);

/*
 * What EHLO names after AUTH, with spaces between; "": AUTH is not offered. Once TLS is on, at any time;
 * borrowed until it is set anew or the machine is freed. In clear AUTH is refused (538).
 */
void smtp_server_offer_auth(struct smtp_server *server, struct span mechanisms);

/* A decision is awaited. */
bool smtp_server_is_waiting(const struct smtp_server *server);
/* Between messages and commands: closing now with 421 costs the peer nothing. */
bool smtp_server_is_idle(const struct smtp_server *server);

#endif
