/*
 * dialog: one visit of a filter with one message, as a machine without I/O. The message was received whole,
 * so the filter hears the SMTP conversation from its beginning to the end of the body, in the order in which
 * it would have come, and what it answers is about the message.
 *
 *   NEGOTIATE → CONNECT → HELO → MAIL → RCPT ... → DATA → HEADER ... → EOH → BODY ... → END OF BODY → OVER
 *
 * A refusal of one recipient is one of the message: the others were told already that it was taken.
 */
#ifndef SKEIN_PROTO_MILTER_DIALOG_H
#define SKEIN_PROTO_MILTER_DIALOG_H

#include "skein/proto/mail/envelope.h"
#include "skein/proto/mail/header_list.h"
#include "skein/proto/smtp/reply.h"

/* What is told of the message. All is borrowed while the dialog lives; empty: not known. */
struct milter_facts {
	const struct envelope *envelope;
	struct span hostname, software; /* ours */
	struct span client_name;
	uint16_t client_port;
	struct span tls_version, cipher;
	struct span auth_type; /* the SASL mechanism */
};

enum milter_event {
	MILTER_WANTS_INPUT,
	MILTER_WANTS_BODY,
	MILTER_PROGRESSES, /* it is at work, or changes something: wait longer */
	MILTER_ENDED,      /* see milter_dialog_result() */
};

enum milter_outcome {
	MILTER_ACCEPTED, /* with its changes */
	MILTER_REFUSED,  /* `reply` */
	MILTER_DISCARDED,
	MILTER_FAILED, /* nothing is known: `why` */
};

struct milter_result {
	enum milter_outcome outcome;
	struct smtp_reply reply;
	const char *why; /* a constant phrase about the filter */
	bool is_quarantined;
	struct span quarantine_reason;
	bool has_sender; /* another one: `sender`, empty for the null sender */
	struct span sender;
	const struct span *added; /* recipients, none of them in the envelope */
	size_t added_count;
	const bool *is_removed; /* by recipient of the envelope */
	size_t removed_count;
};

struct milter_dialog;

/*
 * The filter sees the list as it is, and changes it in place; when it fails, or is cut off, the list is as it
 * was before.
 */
struct milter_dialog *milter_dialog_new(const struct milter_facts *facts, struct header_list *list);
/* Sets the pointer to NULL; NULL inside is fine. */
void milter_dialog_free(struct milter_dialog **dialog);
/* Takes what it can use from the front of *in; a part of an answer is kept. */
enum milter_event milter_dialog_next(struct milter_dialog *dialog, struct span *in);
/* After MILTER_WANTS_BODY: the next of what follows the header section. Borrowed until the next event. */
void milter_dialog_body(struct milter_dialog *dialog, struct span piece, bool is_last);
/* What is to be sent: the owner consumes it. */
struct buf *milter_dialog_output(struct milter_dialog *dialog);
/* Of a dialog that has ended; lives as long. */
const struct milter_result *milter_dialog_result(const struct milter_dialog *dialog);

#endif
