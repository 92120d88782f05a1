/*
 * delivery: one message on its way through one transaction: which of its recipients take part, the piece of
 * body being sent, and what the hop answered. Results are written into the message's envelope as they come.
 */
#ifndef NODE_OUTBOUND_DELIVERY_H
#define NODE_OUTBOUND_DELIVERY_H

#include "custody/message.h"
#include "outbound/outgoing.h"
#include "skein/proto/smtp/client.h"

enum delivery_phase {
	DELIVERY_FREE,
	DELIVERY_PREPARING, /* see preparation.h */
	DELIVERY_READY,     /* it may start */
	DELIVERY_STARTED,   /* MAIL, RCPT, DATA are on their way */
	DELIVERY_BODY,      /* 354 was read */
	DELIVERY_WINDOW,    /* the final dot is written: the hop may have it */
};

/* Whose recipients take part: those that `takes` says yes to. NULL instead of a part: all. */
struct delivery_part {
	bool (*takes)(const void *arg, const struct envelope *envelope, size_t recipient);
	const void *arg;
};

struct preparation;

struct delivery {
	enum delivery_phase phase;
	struct message *message;
	struct smtp_client_transaction transaction;
	size_t *rcpt_idx; /* transaction's index → envelope's */
	struct arena arena;
	struct preparation *preparation;
	struct outgoing_change change;
	struct rewrite_rules rules; /* where change.rules points, unless that is NULL */
	const char *obstacle;       /* why it is not changed so that the hop takes it; NULL: nothing */
	struct outgoing *outgoing;
	bool is_reading;     /* the reader will say when it has more */
	bool hop_reports;    /* what is asked for by NOTIFY (RFC 3461) it sees to */
	bool hop_keeps_time; /* and to the time to deliver by (RFC 2852) */
	bool is_pushed_back; /* the hop said that this is too much for it now */
	bool is_troubled;    /* lost before its final dot, or put off before the hop saw a recipient or as it
				closes */
};

enum { DELIVERY_PIECE = 64 * 1024 };

/* Moves the reference in. Of the recipients that are pending and are of the part, at most `rcpt_max` take
 * part. It waits
 * to be prepared. */
void delivery_open(struct delivery *delivery, const struct delivery_part *part, struct message *message,
	size_t rcpt_max);
/* It is prepared: its size is known now. */
void delivery_ready(struct delivery *delivery);
/* What goes in front of the body. */
struct span delivery_prefix(const struct delivery *delivery);
/* It cannot be sent as it should be, so it is not sent: a verdict of ours. */
void delivery_hold_back(struct delivery *delivery, struct mail_status status, const char *why);
/* Who answers. Borrowed. */
struct delivery_remote {
	const char *label;    /* names the hop; "": nobody, we decided */
	const char *ip, *tls; /* of the connection; NULL: not known, none */
};

/* One recipient's verdict. True: it is a pushback, the first of this delivery. */
bool delivery_result(struct delivery *delivery, const struct smtp_client_event_data *data,
	const struct delivery_remote *remote);
/* The connection ended without a verdict on those that have none yet. */
void delivery_lost(struct delivery *delivery, const struct smtp_client_event_data *data, const char *why,
	const struct delivery_remote *remote);
/*
 * Was it the hop that could not, rather than the message: nothing was delivered, and another hop may do
 * better? Then delivery_forget() takes back what counts as an attempt.
 */
bool delivery_is_hops_trouble(const struct delivery *delivery);
void delivery_forget(struct delivery *delivery);
/* Has a recipient that took part this state after an attempt? */
bool delivery_has(const struct delivery *delivery, enum recipient_state state);
/* Hands the message back and makes the delivery free. */
struct message *delivery_take_back(struct delivery *delivery);

/* Without a delivery: a verdict of our own on the recipients of the part. */
void delivery_verdict(const struct delivery_part *part, struct message *message, struct mail_status status,
	const char *text);
/* What delivery_forget() took back was an attempt after all: there is no other hop. */
void delivery_renote(const struct delivery_part *part, struct message *message);

#endif
