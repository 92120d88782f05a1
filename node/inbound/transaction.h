/*
 * transaction: one message being received: its envelope as MAIL and RCPT build it, the look at its header
 * section, and its body, with our own fields in front.
 */
#ifndef NODE_INBOUND_TRANSACTION_H
#define NODE_INBOUND_TRANSACTION_H

#include "custody/custody.h"
#include "inspect/inspector.h"
#include "skein/proto/mail/header.h"
#include "skein/proto/smtp/server.h"

struct transaction {
	struct message *message;
	size_t recipient_cap;
	struct header_scan scan;
	struct buf head; /* the header section until it is complete */
	bool is_head_done;
	bool is_priority_lowered;
	size_t own_fields, own_size; /* that we have put in front, and their octets */
	enum smtp_reply_id refusal;  /* decided inside the body, answered at its end */
	struct inspector *inspector; /* it is being inspected; else NULL */
	struct intake *intake;       /* custody is being taken; else NULL */
	uint64_t began_ms;           /* of the body, loop clock */
	uint64_t mail_us;            /* when MAIL came, uv_hrtime() */
};

/* Who sends, for the envelope and the Received field. Everything is borrowed for the call. */
struct transaction_origin {
	const char *client_ip;
	struct span helo;
	struct span user; /* authenticated; empty: nobody */
	struct span rule; /* of the policy; empty: none */
	uint8_t protocol; /* set of enum envelope_protocol */
	const char *hostname;
	int8_t priority_max; /* that it may ask for */
};

struct transaction *transaction_new(
	struct custody *custody, const struct smtp_event_data *mail, const struct transaction_origin *origin);
/* A message that custody was not asked to take is dropped; one that it was asked for is custody's. */
void transaction_free(struct transaction **transaction);
void transaction_add_recipient(
	struct transaction *transaction, const struct smtp_event_data *rcpt, const char *hostname);
/* The recipient that was added last is this one instead. */
void transaction_redirect(struct transaction *transaction, struct span addr);
void transaction_begin_body(struct transaction *transaction, struct custody *custody, uint64_t now_ms);
enum body_flow transaction_body(struct transaction *transaction, struct span piece, const char *hostname);
/* SMTP_REPLY_NONE, or why the message is refused. The envelope is complete then. */
enum smtp_reply_id transaction_end_body(
	struct transaction *transaction, const struct settings *settings, const struct smtp_event_data *end);

#endif
