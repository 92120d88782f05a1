/*
 * What the mechanisms share with the machine that runs them (sasl.c). Each mechanism is one file: the grammar
 * of its messages, what it asks the caller, what it does with the answer; the table of them is in sasl.c.
 */
#ifndef PROTO_AUTH_SASL_INTERNAL_H
#define PROTO_AUTH_SASL_INTERNAL_H

#include "auth/digest_internal.h"
#include "auth/ntlmssp_internal.h"
#include "skein/proto/auth/sasl.h"
#include "skein/proto/base/arena.h"

/* Whose turn it is. */
enum sasl_turn { TURN_BEGIN, TURN_CLIENT, TURN_BACK_END, TURN_NOBODY };

/* No honest exchange has more: SPNEGO with Kerberos has one or two. */
enum { SASL_RESPONSES_MAX = 16 };

struct scram {
	enum { SCRAM_FIRST, SCRAM_FINAL, SCRAM_LAST_EMPTY } stage;
	char nonce[SASL_NONCE_LEN / 3 * 4 + 1]; /* our half */
	struct span gs2_header;                 /* with its comma */
	struct span client_nonce;
	struct span binding;                 /* what the client must bind to; "" for none */
	struct buf auth_message;             /* grows as the messages come */
	struct sasl_scram_verifier verifier; /* the keys only; secret */
	bool is_fake;                        /* there is no such user, and nothing fits */
};

struct ntlm {
	enum { NTLM_NEGOTIATE, NTLM_AUTHENTICATE } stage;
	uint8_t challenge[SASL_NTLM_CHALLENGE_LEN];
	struct buf messages; /* all so far: the MIC is over them */
	size_t authenticate_at;
	struct ntlm_authenticate authenticate; /* borrows from `messages` */
};

struct gssapi {
	enum { GSSAPI_FIRST, GSSAPI_NEXT, GSSAPI_EMPTY, GSSAPI_CHOICE } stage;
	struct span binding;
};

struct sasl {
	const struct sasl_settings *settings;
	enum sasl_mechanism mechanism; /* changes once, when GSSAPI turns out to be NTLM */
	enum sasl_turn turn;
	enum sasl_question question; /* that is open */
	unsigned offered;
	unsigned responses;
	uint64_t filetime;
	uint8_t random[SASL_NONCE_LEN];
	struct span server_end_point, exporter;
	struct sasl_accepted accepted; /* filled in as it becomes known */
	struct arena arena;            /* nothing secret */
	struct buf challenge;          /* the last one */
	struct buf secret;             /* of the question that is open; wiped with its answer */
	union {
		struct scram scram;
		struct ntlm ntlm;
		struct gssapi gssapi;
		bool has_login_name;
	};
};

enum sasl_step sasl_login_respond(struct sasl *sasl, struct span response, struct sasl_output *output);
enum sasl_step sasl_plain_respond(struct sasl *sasl, struct span response, struct sasl_output *output);
enum sasl_step sasl_scram_respond(struct sasl *sasl, struct span response, struct sasl_output *output);
enum sasl_step sasl_ntlm_respond(struct sasl *sasl, struct span response, struct sasl_output *output);
enum sasl_step sasl_gssapi_respond(struct sasl *sasl, struct span response, struct sasl_output *output);

void sasl_scram_start(struct sasl *sasl);
void sasl_scram_end(struct sasl *sasl);
void sasl_ntlm_start(struct sasl *sasl);
void sasl_ntlm_end(struct sasl *sasl);
void sasl_gssapi_start(struct sasl *sasl);

/* The ends of a step; `why` is for our log. */
enum sasl_step sasl_refuse(struct sasl_output *output, const char *why);
enum sasl_step sasl_malformed(struct sasl_output *output, const char *why);
enum sasl_step sasl_unavailable(struct sasl_output *output, const char *why);
/* `bytes` is copied. */
enum sasl_step sasl_challenge(struct sasl *sasl, struct span bytes, struct sasl_output *output);
/* output->ask is filled in but for its question. */
enum sasl_step sasl_ask(struct sasl *sasl, enum sasl_question question, struct sasl_output *output);
enum sasl_step sasl_accept(struct sasl *sasl, struct sasl_output *output);
/* Whether it is the password of sasl->accepted.name. It is copied. */
enum sasl_step sasl_ask_password(struct sasl *sasl, struct span password, struct sasl_output *output);

/*
 * The first half of an answer: the question was open, what it showed is wiped. False: the verdict ended the
 * exchange, with *step_out.
 */
bool sasl_take_answer(struct sasl *sasl, enum sasl_question question, enum sasl_verdict verdict,
	struct sasl_output *output, enum sasl_step *step_out);
/* The second half: whose turn is it now? */
enum sasl_step sasl_end_step(struct sasl *sasl, enum sasl_step step);

/* Valid UTF-8 without control characters, and no longer than `len_max`. */
bool sasl_is_text(struct span text, size_t len_max);
/* Takes over a name into the arena. False: not one. */
bool sasl_keep_name(struct sasl *sasl, struct span name, struct span *name_out);
/* The same for an authorization identity, after the name: "" when it says the same. */
bool sasl_keep_authzid(struct sasl *sasl, struct span authzid);
/* Application data of a channel binding (RFC 5056, RFC 5929); "": we have none, or do not look. */
struct span sasl_binding_data(struct sasl *sasl);

void sasl_wipe_buf(struct buf *buf);

#endif
