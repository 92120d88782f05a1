/*
 * What the files of the SMTP client share. client.c moves the connection, client_opening.c from the greeting
 * to READY, client_delivery.c one transaction on it, client_caps.c reads EHLO, client_auth.c logs in,
 * client_command.c writes MAIL and RCPT, client_stages.c has times and names of the stages.
 */
#ifndef PROTO_SMTP_CLIENT_INTERNAL_H
#define PROTO_SMTP_CLIENT_INTERNAL_H

#include "skein/proto/smtp/client.h"
#include "smtp/dot_encode.h"
#include "smtp/reply_parser.h"

/* A reply, or our own word, with what it answers. */
struct verdict {
	enum smtp_client_stage stage;
	struct mail_status status;
	struct span text;
};

/* client_caps.c */

/* `text` is the whole reply to EHLO, lines joined by LF. */
void smtp_client_caps_parse(struct smtp_client_caps *caps, struct span text, bool has_tls);

/* client_auth.c: one login. All zero bytes is none yet. */

struct client_login {
	const struct smtp_client_credentials *credentials; /* the strings are never NULL */
	enum smtp_client_mechanism mechanism;
	unsigned said; /* responses that were sent */
	bool is_cancelled;
};

/* Chooses a mechanism and writes AUTH. False: none in common. */
bool client_login_begin(struct client_login *login, const struct smtp_client_credentials *credentials,
	const struct smtp_client_caps *caps, struct buf *out);
/* A 334 came. False: it makes no sense, the login was given up. */
bool client_login_on_challenge(struct client_login *login, struct buf *out);
/* The text of a reply to the login, or our own words when it repeats a secret, whole or its beginning. */
struct span client_login_safe_text(const struct smtp_client_credentials *credentials, struct span text);

/* client_command.c */

void smtp_client_write_mail(const struct smtp_client_caps *caps,
	const struct smtp_client_transaction *transaction, struct buf *out);
void smtp_client_write_rcpt(
	const struct smtp_client_caps *caps, const struct smtp_client_rcpt *rcpt, struct buf *out);

/* client_delivery.c: one transaction and how far it is. */

enum delivery_step {
	DELIVERY_MAIL, /* the reply to this command is the next one, */
	DELIVERY_RCPT,
	DELIVERY_DATA,
	DELIVERY_BODY, /* the owner pushes; replies are due to chunks only, */
	DELIVERY_DOT,  /* or to the last chunk */
	DELIVERY_RSET,
	DELIVERY_END, /* no further reply is. */
	DELIVERY_STEP_COUNT,
};

struct delivery {
	const struct smtp_client_transaction *transaction;
	enum delivery_step step;
	bool is_pipelined;        /* MAIL, all RCPT and DATA were written at once */
	bool is_chunked;          /* the body goes by BDAT (RFC 3030): there is no DATA */
	size_t chunks_unanswered; /* all but the last one */
	bool is_mail_accepted;
	size_t rcpt_answered, rcpt_accepted;
	/* One byte for each recipient: it has had its RESULT. Kept from one transaction to the next. */
	unsigned char *reported;
	size_t reported_cap;
	size_t unreported_count;
	/* RESULTs to tell now: `verdict` for whoever of [report_next, report_end) has none yet. */
	struct verdict verdict;
	size_t report_next, report_end;
};

/* What a reply did beyond moving its transaction. */
enum delivery_reaction {
	REACTION_NONE,
	REACTION_BODY_WANTED,
	REACTION_GARBAGE,       /* the reply makes no sense here: the connection is out of step */
	REACTION_REFUSED,       /* it leaves no way to go on with this connection */
	REACTION_CHUNK_REFUSED, /* the same: what the hop makes of the chunks behind it is not known */
};

void delivery_fini(struct delivery *delivery);
/* Writes the first commands, or has the verdict ready when the hop cannot take it. */
void delivery_begin(struct delivery *delivery, const struct smtp_client_caps *caps, bool may_chunk,
	const struct smtp_client_transaction *transaction, struct buf *out);
bool delivery_awaits_reply(const struct delivery *delivery);
/* Only when a reply is awaited. */
enum delivery_reaction delivery_on_reply(struct delivery *delivery, const struct smtp_client_caps *caps,
	const struct verdict *reply, struct buf *out);
/* A chunk is written, not the last one. */
void delivery_on_chunk(struct delivery *delivery);
/* The dot or the last chunk is written. */
void delivery_on_dot(struct delivery *delivery);
/* Gives the next recipient whose RESULT is due. */
bool delivery_next_report(struct delivery *delivery, size_t *rcpt_idx_out);
enum smtp_client_stage delivery_stage(const struct delivery *delivery);

/* client.c */

enum client_phase {
	CLIENT_GREETING,
	CLIENT_EHLO,
	CLIENT_HELO, /* the hop does not know EHLO */
	CLIENT_STARTTLS,
	CLIENT_HANDSHAKE, /* the owner's turn */
	CLIENT_AUTH,
	CLIENT_READY, /* idle, or with transactions */
	CLIENT_QUIT,
	CLIENT_FAILED, /* transactions and FAILED are still to be told */
	CLIENT_ENDED,
	CLIENT_COUNT,
};

/* One in progress, and one chained behind its body. */
enum { DELIVERIES_MAX = 2 };
struct smtp_client {
	struct smtp_client_options options;
	enum client_phase phase;
	bool has_tls;
	struct reply_parser parser;
	struct smtp_client_caps caps;
	struct client_login login;
	struct delivery deliveries[DELIVERIES_MAX]; /* oldest first; replies belong to the first */
	size_t delivery_count;
	uint64_t sent_count; /* transactions that the hop has seen */
	uint64_t reply_count;
	struct dot_encoder encoder;
	struct buf chunk;               /* the next one, as far as it is there */
	enum smtp_client_event pending; /* to be told after what the deliveries have to tell; MORE: none */
	enum smtp_client_failure failure;
	struct verdict failure_reply;
};

/* The only place that writes client->phase. */
void client_enter_phase(struct smtp_client *client, enum client_phase next);
/* `reply` says why; NULL: we do. */
void client_fail(struct smtp_client *client, enum smtp_client_failure failure, const struct verdict *reply);

/* client_opening.c */

/* A reply before the connection is READY. */
void client_opening_on_reply(struct smtp_client *client, const struct verdict *reply, struct buf *out);
/* After the greeting, and again after the handshake. */
void client_opening_say_ehlo(struct smtp_client *client, struct buf *out);

#endif
