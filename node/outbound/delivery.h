/*
 * delivery: one message on its way through one transaction: which of its recipients take part, the piece of
 * body being sent, and what the hop answered. Results are written into the message's envelope as they come.
 */
#ifndef NODE_OUTBOUND_DELIVERY_H
#define NODE_OUTBOUND_DELIVERY_H

#include "custody/message.h"
#include "skein/proto/smtp/client.h"

enum delivery_phase {
	DELIVERY_FREE,
	DELIVERY_STARTED, /* MAIL, RCPT, DATA are on their way */
	DELIVERY_BODY,    /* 354 was read */
	DELIVERY_WINDOW,  /* the final dot is written: the hop may have it */
};

struct delivery {
	enum delivery_phase phase;
	struct message *message;
	struct smtp_client_transaction transaction;
	size_t *rcpt_idx; /* transaction's index → envelope's */
	struct arena arena;
	struct body_reader *reader;
	bool is_reading; /* the reader will say when it has more */
};

enum { DELIVERY_PIECE = 64 * 1024 };

/* Moves the reference in. At most `rcpt_max` of the pending recipients take part. */
void delivery_open(struct delivery *delivery, struct message *message, size_t rcpt_max);
/* One recipient's verdict; `remote` names the hop. */
void delivery_result(
	struct delivery *delivery, const struct smtp_client_event_data *data, const char *remote);
/* The connection ended without a verdict on those that have none yet. */
void delivery_lost(struct delivery *delivery, const struct smtp_client_event_data *data, const char *why,
	const char *remote);
/* Hands the message back and makes the delivery free. */
struct message *delivery_take_back(struct delivery *delivery);

#endif
