/*
 * kerberos: is this ticket one for us? The acceptor's side of GSSAPI (RFC 4121, RFC 4178) with the keys of a
 * keytab; asks no domain controller and needs no joined machine (MIT krb5).
 *
 * A ticket says who somebody was when he got it, up to ten hours ago: an account that was disabled since is
 * accepted here. The caller looks the account up afterwards, by the SID of the ticket.
 *
 * What may run where:
 *
 *     kerberos_step() _wrap() _unwrap()   0.1 ms and no network: a loop may, a pool thread too. The keys are
 *                                         in memory; the library's replay cache is a small file that is
 *                                         locked and written, never synchronised (/var/tmp/krb5_UID.rcache2,
 *                                         another place with KRB5RCACHEDIR)
 *     kerberos_refresh()                  reads the disk: at start, then now and then in a pool thread
 *     the rest                            anywhere
 */
#ifndef NODE_AUTH_KERBEROS_H
#define NODE_AUTH_KERBEROS_H

#include "auth/sid.h"
#include "skein/cluster/schema/table.h"
#include "skein/proto/auth/sasl.h"
#include "skein/proto/base/err.h"

struct log;
struct kerberos;
struct kerberos_context;

/* Texts are borrowed for as long as the kerberos lives. */
struct kerberos_options {
	const char *keytab;      /* a path. Every key in it is one that tickets may be made for */
	struct text_list realms; /* whose users may log in; at least one; without case */
};

/* Has no keys yet. Any thread may use it at any time. */
struct kerberos *kerberos_new(const struct kerberos_options *options);
/* No context is left. */
void kerberos_free(struct kerberos **kerberos);
/*
 * Reads the keytab if it was not read yet or is another file than it was; exchanges that have begun keep the
 * keys they began with. On an error keys that were read before stay in use, and the log tells. ERR_NOT_FOUND:
 * no such file; ERR_INVALID: no keytab, or one without keys; ERR_IO: not readable.
 */
enum err kerberos_refresh(struct kerberos *kerberos, struct log *log) WARN_UNUSED;
/* There are keys: GSSAPI can be offered. */
bool kerberos_is_ready(struct kerberos *kerberos);

/* One exchange. Used by one thread at a time, whichever. */
struct kerberos_context *kerberos_context_new(struct kerberos *kerberos);
void kerberos_context_free(struct kerberos_context **context);

/* SASL_ASK_GSS_STEP. Borrowed. */
struct kerberos_ask {
	enum sasl_proof kind; /* SASL_PROOF_KERBEROS or SASL_PROOF_SPNEGO */
	bool first;           /* forgets what was before */
	struct span token;
	struct span binding; /* "": none is looked at */
};

struct kerberos_result {
	enum sasl_verdict verdict;
	const char *why; /* a constant word for the log: "accepted", "continue", "replay" ... */
	/* The rest with SASL_YES only. Lives until the context's next call or its end. */
	struct sasl_gss_result gss; /* for sasl_answer_gss_step() */
	/*
	 * Complete: the account's SID as the domain controller signed it. It says who this is: the account
	 * name in a ticket is what the client asked for, and may be another's by now. A ticket without one is
	 * refused.
	 */
	const char *sid;
};

/* What libraries say of a failure goes to the log, which may be NULL; a clock that differs as our trouble. */
void kerberos_step(struct kerberos_context *context, const struct kerberos_ask *ask, struct log *log,
	struct kerberos_result *result_out);

/* After a complete step. Without confidentiality. The output lives until the context's next call or its end.
 */
enum sasl_verdict kerberos_wrap(
	struct kerberos_context *context, struct span plain, struct span *wrapped_out) WARN_UNUSED;
/* SASL_NO: not wrapped by this client in this context. */
enum sasl_verdict kerberos_unwrap(
	struct kerberos_context *context, struct span wrapped, struct span *plain_out) WARN_UNUSED;

#endif
