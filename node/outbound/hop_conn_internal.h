/* What the two files of a connection share: hop_conn.c, its life, and courier.c, the messages on it. */
#ifndef NODE_OUTBOUND_HOP_CONN_INTERNAL_H
#define NODE_OUTBOUND_HOP_CONN_INTERNAL_H

#include "io/stream.h"
#include "outbound/delivery.h"
#include "outbound/destination.h"
#include "outbound/hop_conn.h"

enum { CHAIN_MAX = 2, WHY_MAX = HOP_ERROR_MAX };

enum conn_login {
	CONN_LOGIN_NONE,
	CONN_LOGIN_DUE, /* the hop has not said what it thinks of it */
	CONN_LOGIN_JUDGED,
};

enum conn_phase {
	CONN_CONNECTING,
	CONN_READY,    /* EHLO is through */
	CONN_QUITTING, /* QUIT is written, or nothing more will be started */
	CONN_OVER,     /* the client said its last event; the stream is closing */
};

struct hop_conn {
	struct list link;
	struct hop *hop;
	struct stream *stream;
	struct smtp_client *client;
	struct route_permit *permit; /* NULL: it needs none */
	struct delivery deliveries[CHAIN_MAX];
	enum conn_phase phase;
	bool is_retiring;
	bool is_our_abort;  /* the hop did nothing wrong */
	unsigned completed; /* transactions */
	bool is_login_refused;
	enum conn_login login;
	struct login_mark mark; /* of what it logs in with */
	struct progress {
		enum smtp_client_stage stage;
		uint64_t replies, drained;
	} progress; /* when the deadline was set */
	uint64_t drained;
	struct loop_timer idle;
	char why[WHY_MAX];
	char ip[ADDRESS_TEXT_SIZE], tls[TLS_TEXT_SIZE]; /* for tracking; "": in clear */
	enum hop_security security;
	struct enhanced_code bars; /* the hop must not be used, and `why` says why not; 0: it may */
};

/* --- hop_conn.c */

/* Sends what was written into the scratch buffer. */
void hop_conn_flush(struct hop_conn *conn);
/* After a call that may have left the machine with something to tell. */
void hop_conn_proceed(struct hop_conn *conn);
/* What the hop said where that explains it; else what went wrong. The first reason stays. */
void hop_conn_note_why(struct hop_conn *conn, const struct smtp_client_event_data *data);
/* Another worker waits for a connection: this one ends when its messages are through. */
void hop_conn_yield_if_told(struct hop_conn *conn);

/* --- courier.c */

bool courier_is_busy(const struct hop_conn *conn);
/* Pulls as many messages as the connection may start now. */
void courier_fill(struct hop_conn *conn);
void courier_begin_body(struct hop_conn *conn, struct delivery *delivery);
/* The stream has room again, or the body its next piece. */
void courier_resume(struct hop_conn *conn);
void courier_result(struct hop_conn *conn, struct smtp_client_event_data *data);
void courier_done(struct hop_conn *conn, struct delivery *delivery);
void courier_lost(
	struct hop_conn *conn, struct delivery *delivery, const struct smtp_client_event_data *data);
/* What the connection's end finds not begun goes back into the queue, without an attempt. */
void courier_end(struct hop_conn *conn);

#endif
