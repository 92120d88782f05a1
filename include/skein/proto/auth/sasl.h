/*
 * sasl: one SASL exchange (RFC 4422), the server's side, as a pure machine. Decoded client responses in,
 * challenges and questions out; no socket, no clock, no directory: random bytes and the time are handed in,
 * and what only a back end can know is asked of the caller.
 *
 *     step = sasl_begin(sasl, has_initial, initial, &output);
 *     for (;;) switch (step) {
 *     case SASL_CHALLENGE: send output.challenge; step = sasl_respond(sasl, what came, &output);
 *     case SASL_ASK:       find out; step = sasl_answer_...(sasl, verdict, ..., &output);
 *     the rest:            it is over; sasl_free(&sasl)
 *     }
 *
 * A question may be answered at once or much later, from the same thread. Whoever works on it in another
 * thread takes copies: the exchange may be freed while a question is open. Each question has its one answer
 * function, and nothing else may be called before it but sasl_free().
 *
 * An answer of SASL_CANNOT_SAY makes SASL_UNAVAILABLE, of SASL_NO makes SASL_REFUSED (but see
 * sasl_answer_scram()), of SASL_YES lets the exchange go on.
 *
 * Secrets (passwords, session keys, verifiers) are overwritten inside as soon as they are used, at the latest
 * in the answer to the question that showed them, before it looks at its arguments. The caller wipes its own
 * copies, its input too.
 */
#ifndef SKEIN_PROTO_AUTH_SASL_H
#define SKEIN_PROTO_AUTH_SASL_H

#include "skein/proto/base/buf.h"

/* In the order in which they are offered, best first. */
enum sasl_mechanism {
	SASL_SCRAM_SHA_256_PLUS, /* RFC 7677, with channel binding */
	SASL_SCRAM_SHA_256,
	SASL_GSSAPI, /* RFC 4752; takes bare Kerberos tokens, SPNEGO and raw NTLMSSP: some clients send those
		      */
	SASL_NTLM,   /* [MS-SMTPNTLM], NTLMv2 only */
	SASL_LOGIN,
	SASL_PLAIN, /* RFC 4616 */
	SASL_MECHANISM_COUNT,
};

#define SASL_BIT(mechanism) (1u << (mechanism))

/* Of the client's binding to our TLS connection (RFC 5056, "extended protection" at Microsoft). */
enum sasl_binding {
	SASL_BINDING_OFF,     /* never looked at: TLS ends before us */
	SASL_BINDING_ACCEPT,  /* a wrong one is refused, none is fine */
	SASL_BINDING_REQUIRE, /* SCRAM, NTLM and GSSAPI must have one. PLAIN and LOGIN know none */
};

enum {
	SASL_NAME_MAX = 512,      /* bytes of a login name, authorization identity, domain, workstation */
	SASL_PASSWORD_MAX = 1024, /* longer is refused without a question */
	SASL_KEY_LEN = 32,        /* SHA-256 */
	SASL_NONCE_LEN = 24,      /* random bytes for an exchange */
	SASL_NTLM_KEY_LEN = 16,
	SASL_NTLM_CHALLENGE_LEN = 8,
	SASL_SCRAM_SALT_MAX = 64,
};

/* Shared by all exchanges; borrowed while one lives. */
struct sasl_settings {
	enum sasl_binding binding;
	/*
	 * For names without a verifier SCRAM goes on with a salt made from this key, so that a client cannot
	 * tell which names there are. Secret, the same on all nodes and for long; at least 16 bytes if SCRAM
	 * is used.
	 */
	struct span fake_salt_key;
	uint32_t fake_iterations; /* what true verifiers usually have; 0: 4096 */
	/*
	 * Names of the joined machine for NTLM's CHALLENGE; "": not known. Valid UTF-8 of at most
	 * SASL_NAME_MAX bytes: others abort.
	 */
	struct {
		struct span netbios_domain, netbios_computer, dns_domain, dns_computer;
	} ntlm;
};

/* What is special to one connection. Spans are borrowed during sasl_new() only. */
struct sasl_channel {
	unsigned offered; /* SASL_BIT()s of the EHLO reply */
	/*
	 * Hash of our certificate for "tls-server-end-point" (RFC 5929 4.1), without that prefix; "": not
	 * known.
	 */
	struct span server_end_point;
	/* "tls-exporter" of this connection (RFC 9266), 32 bytes; "" before TLS 1.3. For SCRAM. */
	struct span exporter;
	uint8_t random[SASL_NONCE_LEN]; /* fresh for each exchange */
	uint64_t filetime;              /* now, in 100 ns since 1601; for NTLM's CHALLENGE */
};

enum sasl_step {
	SASL_CHALLENGE, /* send it, and hand the client's response to sasl_respond(); may be empty */
	SASL_ASK,       /* a question to a back end */

	/* The exchange is over. */
	SASL_ACCEPTED,
	SASL_REFUSED,     /* wrong credentials or against our rules: 535, never why */
	SASL_MALFORMED,   /* not what the mechanism's grammar allows: 501 */
	SASL_UNAVAILABLE, /* the back end cannot say: 454 */
};

enum sasl_question {
	SASL_ASK_PASSWORD,   /* is this the password? -> sasl_answer_password() */
	SASL_ASK_SCRAM,      /* what is kept of this user's password? -> sasl_answer_scram() */
	SASL_ASK_NTLM,       /* is this response right? -> sasl_answer_ntlm() */
	SASL_ASK_GSS_STEP,   /* gss_accept_sec_context() -> sasl_answer_gss_step() */
	SASL_ASK_GSS_WRAP,   /* gss_wrap() without confidentiality -> sasl_answer_gss_wrap() */
	SASL_ASK_GSS_UNWRAP, /* gss_unwrap() -> sasl_answer_gss_unwrap() */
};

enum sasl_verdict { SASL_YES, SASL_NO, SASL_CANNOT_SAY };

/* How the client proved itself. */
enum sasl_proof {
	SASL_PROOF_PASSWORD,
	SASL_PROOF_SCRAM,
	SASL_PROOF_NTLM,
	SASL_PROOF_KERBEROS, /* a bare token */
	SASL_PROOF_SPNEGO,
};

/* Spans live until the answer. Names are valid UTF-8 without control characters, at most SASL_NAME_MAX. */
struct sasl_ask {
	enum sasl_question question;
	union {
		struct {
			struct span login; /* as the client wrote it; never empty */
			struct span
				password; /* never empty, no NUL in it, at most SASL_PASSWORD_MAX; secret */
			struct span authzid; /* see sasl_accepted */
		} password;
		struct {
			struct span login; /* never empty */
			struct span authzid;
		} scram;
		struct {
			/* As sent: they are hashed into the response. user is never empty, domain may be. */
			struct span domain, user, workstation;
			struct span lm; /* may be empty */
			struct span nt; /* an NTLMv2 response, more than 24 bytes; one of NTLMv1 is never
					   asked about */
			uint8_t challenge[SASL_NTLM_CHALLENGE_LEN];
		} ntlm;
		struct {
			enum sasl_proof
				kind; /* KERBEROS or SPNEGO, of the whole exchange: which credential to use */
			bool first;   /* a new context */
			struct span token; /* never empty */
			/*
			 * Application data for gss_channel_bindings_struct: "tls-server-end-point:" and the
			 * hash;
			 * "": GSS_C_NO_CHANNEL_BINDINGS.
			 */
			struct span binding;
		} gss_step;
		struct span gss_wrap;   /* plain text to wrap: our offer of no security layer */
		struct span gss_unwrap; /* the client's choice, wrapped */
	};
};

/* Spans live until sasl_free(). */
struct sasl_accepted {
	enum sasl_proof proof;
	/* As the client gave it: a login name, NTLM's user, a Kerberos principal (user@REALM). */
	struct span name;
	struct span domain; /* NTLM's, as sent; else "" */
	/*
	 * Whom the client wants to act as, when it said so in other bytes than `name`; "" otherwise. It must
	 * be the same user: compare the canonical names, and refuse if they differ or you cannot tell.
	 */
	struct span authzid;
	bool channel_bound; /* proven to be on our TLS connection */
	/*
	 * .NET 5 to 8 answer the last challenge with an empty line too many: read over one (dotnet/runtime
	 * #105938).
	 */
	bool may_send_empty_line;
};

struct sasl_output {
	union {
		struct span challenge; /* lives until the next call */
		struct sasl_ask ask;
		struct sasl_accepted accepted;
		const char *why; /* REFUSED, MALFORMED, UNAVAILABLE: a constant phrase for our log, nothing
				    secret */
	};
};

/* "PLAIN" and so on. */
struct span sasl_mechanism_name(enum sasl_mechanism mechanism);
/* Without case. False: not one of ours. */
bool sasl_mechanism_find(struct span name, enum sasl_mechanism *mechanism_out);
/*
 * Those of `enabled` (SASL_BIT()s) that can be offered on this connection: SCRAM-SHA-256-PLUS needs binding
 * data and a policy that is not off; with SASL_BINDING_REQUIRE, SCRAM-SHA-256 is left out.
 */
unsigned sasl_offer(
	unsigned enabled, const struct sasl_settings *settings, const struct sasl_channel *channel);
/* Appends the names, best first, with a space between: the value of EHLO's AUTH. */
void sasl_offer_format(struct buf *out, unsigned offered);

struct sasl;

/* `mechanism` must be in channel->offered. */
struct sasl *sasl_new(enum sasl_mechanism mechanism, const struct sasl_settings *settings,
	const struct sasl_channel *channel);
/* At any time. Wipes what is left. */
void sasl_free(struct sasl **sasl);

/* The first call. Without an initial response `initial` is not looked at. It is borrowed. */
enum sasl_step sasl_begin(
	struct sasl *sasl, bool has_initial, struct span initial, struct sasl_output *output_out);
/* After SASL_CHALLENGE. `response` is borrowed. */
enum sasl_step sasl_respond(struct sasl *sasl, struct span response, struct sasl_output *output_out);

/* YES: it is the password of this user, who may log in now. */
enum sasl_step sasl_answer_password(
	struct sasl *sasl, enum sasl_verdict verdict, struct sasl_output *output_out);

/* RFC 5803, RFC 7677: what is kept in place of a password. See scram.h for how to make one. */
struct sasl_scram_verifier {
	uint32_t iterations; /* 1 to 10,000,000 */
	struct span salt;    /* 1 to SASL_SCRAM_SALT_MAX bytes */
	uint8_t stored_key[SASL_KEY_LEN], server_key[SASL_KEY_LEN];
};

/*
 * YES: `verifier` is his. NO: there is no such user, or he may not log in; the exchange goes on with a false
 * verifier and ends in REFUSED, as with a wrong password. `verifier` is borrowed, and looked at only with
 * YES.
 */
enum sasl_step sasl_answer_scram(struct sasl *sasl, enum sasl_verdict verdict,
	const struct sasl_scram_verifier *verifier, struct sasl_output *output_out);

/*
 * YES: the response is right, and `session_key` (SASL_NTLM_KEY_LEN bytes; borrowed, looked at only with YES)
 * is the user session key that the domain controller returned. The machine then checks the message integrity
 * code if the client sent one: that may still end in REFUSED.
 */
enum sasl_step sasl_answer_ntlm(struct sasl *sasl, enum sasl_verdict verdict, const uint8_t *session_key,
	struct sasl_output *output_out);

struct sasl_gss_result {
	bool complete;     /* GSS_S_COMPLETE; otherwise GSS_S_CONTINUE_NEEDED, and `token` is not empty */
	bool bound;        /* complete, and GSS_C_CHANNEL_BOUND_FLAG is set */
	struct span token; /* for the client; "": none */
	struct span name;  /* complete: the client's principal, user@REALM */
};

/*
 * YES: GSS_S_COMPLETE or GSS_S_CONTINUE_NEEDED, told in `result` (borrowed, looked at only with YES). NO: an
 * error of the token's (BAD_BINDINGS, a replay, a clock); error tokens are not sent. CANNOT_SAY: ours, such
 * as no keytab. The context stays with the back end for wrap and unwrap, until the exchange is freed.
 */
enum sasl_step sasl_answer_gss_step(struct sasl *sasl, enum sasl_verdict verdict,
	const struct sasl_gss_result *result, struct sasl_output *output_out);
/* YES: `wrapped` is what gss_wrap() made. Borrowed. */
enum sasl_step sasl_answer_gss_wrap(
	struct sasl *sasl, enum sasl_verdict verdict, struct span wrapped, struct sasl_output *output_out);
/* YES: `plain` is what gss_unwrap() made; NO: it failed. Borrowed. */
enum sasl_step sasl_answer_gss_unwrap(
	struct sasl *sasl, enum sasl_verdict verdict, struct span plain, struct sasl_output *output_out);

#endif
