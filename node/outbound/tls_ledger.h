/*
 * tls_ledger: what became of TLS with each domain that mail goes to by its MX hosts, as reports about TLS
 * want it (RFC 8460), until it is summed up in Redis (tls_counts.h). Shared by the workers of a node.
 * Bounded: what is more is not counted.
 *
 * Fields of a domain: "+POLICY success", "+POLICY RESULT HOST SENDING-IP RECEIVING-IP" with '-' for what is
 * not known, and "=POLICY", the policy's text in lines. POLICY is "none", "sts" or "tlsa/HOST".
 */
#ifndef NODE_OUTBOUND_TLS_LEDGER_H
#define NODE_OUTBOUND_TLS_LEDGER_H

#include "skein/cluster/tls_counts.h"
#include "skein/proto/base/list.h"
#include "track/metrics.h"

enum { TLS_LEDGER_ROWS_MAX = 20000, TLS_LEDGER_BYTES_MAX = 8 * 1024 * 1024, TLS_LEDGER_TEXT_MAX = 2048 };

struct tls_ledger;

enum tls_policy_kind { TLS_POLICY_NONE, TLS_POLICY_STS, TLS_POLICY_TLSA };

/* All borrowed. */
struct tls_session {
	const char *domain; /* mail is for */
	enum tls_policy_kind kind;
	struct span policy;                    /* its lines; empty: not known */
	const char *host;                      /* the MX host; "": none was spoken to */
	const char *sending_ip, *receiving_ip; /* "": not known */
	enum tls_result result;
};

struct tls_ledger_row {
	struct list link;
	struct tls_count count;
	struct span key;
};

struct tls_ledger *tls_ledger_new(const uint64_t seed[2]);
/* NULL is fine. Sets the pointer to NULL. */
void tls_ledger_free(struct tls_ledger **ledger);

/* The rest is for any thread. */

/* NULL: nobody counts. */
void tls_ledger_note(struct tls_ledger *ledger, const struct tls_session *session);
/* Moves all rows (tls_ledger_row.link) to the end of the list; it begins anew without any. */
void tls_ledger_take(struct tls_ledger *ledger, struct list *rows_out);
void tls_ledger_row_free(struct tls_ledger_row *row);

/* "certificate-expired"; "success" */
const char *tls_result_type(enum tls_result result);

#endif
