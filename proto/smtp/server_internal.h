/*
 * What the commands (cmd_*.c) share with the machine that runs them (server.c). Each command is one file: its
 * syntax, what it asks the caller, what it does with the decision; the table of them is command.c.
 */
#ifndef PROTO_SMTP_SERVER_INTERNAL_H
#define PROTO_SMTP_SERVER_INTERNAL_H

#include "skein/proto/base/arena.h"
#include "skein/proto/smtp/server.h"
#include "smtp/content_internal.h"
#include "smtp/line_internal.h"

enum phase {
	PHASE_START,   /* smtp_server_greet() was not called */
	PHASE_REFUSED, /* greeted with 554 */
	PHASE_HELLO,   /* no EHLO or HELO yet */
	PHASE_READY,
	PHASE_MAIL,   /* a transaction is open, with or without recipients */
	PHASE_DATA,   /* inside DATA */
	PHASE_CHUNK,  /* inside a BDAT chunk */
	PHASE_CHUNKS, /* between BDAT chunks */
	PHASE_TLS,    /* STARTTLS was answered, the handshake is to come */
	PHASE_AUTH,   /* a challenge was sent, the response is to come */
	PHASE_CLOSED,
	PHASE_COUNT,
};

struct smtp_server {
	const struct smtp_server_options *options;
	struct arena arena; /* what the event that waits points to, and `afterwards` */
	struct line_reader line;
	uint32_t errors, unknown, transactions, recipients;
	enum phase phase;
	enum smtp_event waiting; /* NONE: nothing waits */
	enum smtp_event queued;  /* NONE, or what smtp_server_next() says before anything else */
	const struct smtp_reply *queued_reply; /* of that */
	bool tls;
	bool extended;      /* the HELO that waits is an EHLO */
	bool chunked;       /* the DATA_BEGIN that waits is a BDAT's */
	bool smtputf8;      /* of the transaction */
	bool mail_refused;  /* the last MAIL was: what was pipelined behind it fails without fault of the peer
			     */
	bool must_be_alone; /* a command that ends a pipelining group was refused just now */

	struct span mechanisms;   /* as the caller set them */
	struct span secret;       /* in the arena: the response that waits; wiped with its decision */
	bool authenticated;       /* AUTH was decided positively: no second one */
	bool empty_line_may_come; /* and is read over */

	uint32_t hold_max_s; /* FUTURERELEASE: as the caller set them */
	int64_t hold_until_max_s;

	struct content content;
	struct bdat bdat;
	uint64_t chunk_size; /* of the chunk that is being read, for its answer */
	/*
	 * The bytes of a refused BDAT chunk, which come all the same, and the answer when they are over (RFC
	 * 3030 2). NULL: nothing is swallowed.
	 */
	uint64_t swallow;
	const struct smtp_reply *afterwards;
};

/* A command in hand. */
struct call {
	const struct verb *verb;
	struct span args; /* without spaces around; borrowed from the input */
	struct buf *out;
	struct smtp_event_data *data;
};

enum verb_flag {
	VERB_NO_ARGUMENTS = 1 << 0,
	VERB_NEEDS_ARGUMENTS = 1 << 1,
	VERB_LONG_LINE = 1 << 2,  /* options.envelope_line_max holds */
	VERB_ENDS_GROUP = 1 << 3, /* RFC 2920 3.1: the peer waits for its answer */
	VERB_IN_MAIL = 1 << 4,    /* likely to have been pipelined behind MAIL */
};

struct verb {
	const char *name;
	unsigned phases;    /* bits: where it is legal */
	unsigned flags;     /* verb_flag bits */
	unsigned extension; /* SMTP_EXT_ bit that must be offered, or 0 */
	const char *syntax; /* for HELP */
	/* An event, or NONE when all is said. */
	enum smtp_event (*run)(struct smtp_server *server, const struct call *call);
};

/* The SMTP_EXT_ bits of what holds on this connection now. */
unsigned smtp_offered_extensions(const struct smtp_server *server);

/* In the order that HELP shows; ends with a row without name. */
extern const struct verb smtp_verbs[];
/* NULL: unknown. */
const struct verb *smtp_verb_find(struct span name);
bool smtp_verb_is_offered(const struct smtp_server *server, const struct verb *verb);

enum smtp_event smtp_cmd_auth(struct smtp_server *server, const struct call *call);
enum smtp_event smtp_cmd_bdat(struct smtp_server *server, const struct call *call);
enum smtp_event smtp_cmd_data(struct smtp_server *server, const struct call *call);
enum smtp_event smtp_cmd_expn(struct smtp_server *server, const struct call *call);
enum smtp_event smtp_cmd_helo(struct smtp_server *server, const struct call *call);
enum smtp_event smtp_cmd_ehlo(struct smtp_server *server, const struct call *call);
enum smtp_event smtp_cmd_help(struct smtp_server *server, const struct call *call);
enum smtp_event smtp_cmd_mail(struct smtp_server *server, const struct call *call);
enum smtp_event smtp_cmd_noop(struct smtp_server *server, const struct call *call);
enum smtp_event smtp_cmd_quit(struct smtp_server *server, const struct call *call);
enum smtp_event smtp_cmd_rcpt(struct smtp_server *server, const struct call *call);
enum smtp_event smtp_cmd_rset(struct smtp_server *server, const struct call *call);
enum smtp_event smtp_cmd_starttls(struct smtp_server *server, const struct call *call);
enum smtp_event smtp_cmd_vrfy(struct smtp_server *server, const struct call *call);

/* The second half of a command that waited: `reply` is the caller's, NULL for yes in our own words. */
void smtp_helo_decided(struct smtp_server *server, struct buf *out, const struct smtp_reply *reply);
void smtp_mail_decided(struct smtp_server *server, struct buf *out, const struct smtp_reply *reply);
void smtp_rcpt_decided(struct smtp_server *server, struct buf *out, const struct smtp_reply *reply);
void smtp_data_decided(struct smtp_server *server, struct buf *out, const struct smtp_reply *reply);
/* The first BDAT; smtp_data_decided() calls it. */
void smtp_bdat_decided(struct smtp_server *server, struct buf *out, const struct smtp_reply *reply);
void smtp_message_decided(struct smtp_server *server, struct buf *out, const struct smtp_reply *reply);
void smtp_starttls_decided(struct smtp_server *server, struct buf *out, const struct smtp_reply *reply);
void smtp_auth_decided(struct smtp_server *server, struct buf *out, const struct smtp_reply *reply);
/* The other decision of AUTH: it goes on. */
void smtp_auth_challenge(struct smtp_server *server, struct buf *out, struct span challenge);

/*
 * A step inside a body. False: more input is needed. True: *event_out, or NONE when the body is over and the
 * machine goes on.
 */
bool smtp_data_step(struct smtp_server *server, struct span *in, struct buf *out,
	struct smtp_event_data *data, enum smtp_event *event_out);
bool smtp_chunk_step(struct smtp_server *server, struct span *in, struct buf *out,
	struct smtp_event_data *data, enum smtp_event *event_out);

/* The same for a line of an AUTH exchange. */
bool smtp_auth_step(struct smtp_server *server, struct span *in, struct buf *out,
	struct smtp_event_data *data, enum smtp_event *event_out);

/* The only place that changes the phase. */
void smtp_enter_phase(struct smtp_server *server, enum phase next);
bool smtp_in_transaction(const struct smtp_server *server);
/* Back to READY, from inside a transaction. */
void smtp_end_transaction(struct smtp_server *server);
/* An offence in the body was found: RESET. The answer comes when the body is over. */
enum smtp_event smtp_void_body(struct smtp_server *server, struct smtp_event_data *data);
/* All of the message is there: MESSAGE_END. */
enum smtp_event smtp_end_message(struct smtp_server *server, struct smtp_event_data *data);

/* The response that waited is overwritten. */
void smtp_wipe_secret(struct smtp_server *server);

void smtp_answer(struct buf *out, enum smtp_reply_id id);
/* Answers no, to what is no error of the peer's. */
enum smtp_event smtp_decline(struct smtp_server *server, const struct call *call, enum smtp_reply_id id);
/* Answers no, and counts the error: NONE, or CLOSE when it was one too many. */
enum smtp_event smtp_complain(struct smtp_server *server, const struct call *call, enum smtp_reply_id id);
/* Answers and closes. */
enum smtp_event smtp_hang_up(struct smtp_server *server, const struct call *call, enum smtp_reply_id id);
/* What to say to a verb that is not legal now. */
enum smtp_reply_id smtp_phase_refusal(const struct smtp_server *server);
/* Makes the event wait for its decision, and returns it. */
enum smtp_event smtp_wait(struct smtp_server *server, enum smtp_event event);

/* "FROM:" or "TO:", spaces, and the path after it. *rest is left behind the path. */
bool smtp_take_path(struct span *rest, struct span prefix, struct smtp_address *address_out);

#endif
