/*
 * explain_case: one client of whom it is asked what the policy says: as words of the command line or as a
 * line of JSON, and as the policy takes it.
 */
#ifndef CTL_EXPLAIN_CASE_H
#define CTL_EXPLAIN_CASE_H

#include "call.h"
#include "skein/cluster/limit_subject.h"
#include "skein/cluster/policy.h"

#include <jansson.h>
#include <sys/socket.h>

struct explain_case {
	/* As it was said; borrowed. NULL: not said. */
	const char *client, *listener, *user, *helo, *from, *author, *tls_version, *cert_subject,
		*cert_sha256;
	struct call_texts groups, own, to;
	uint64_t size; /* 0: not said */
	bool has_tls;
	bool has_no_starttls, has_no_auth; /* the listener does not offer it */

	/* Made of it; points into the above. */
	struct sockaddr_storage address;
	struct span group_spans[CALL_TEXTS_MAX], own_spans[CALL_TEXTS_MAX], recipients[CALL_TEXTS_MAX];
	struct policy_subject who;
	struct limit_subject counted; /* `sender` means nothing where `from` is NULL */
};

/* Fills in what was said. False: one line in `why_out`. */
bool explain_case_read_json(struct explain_case *asked, json_t *object, struct buf *why_out);
/* Makes the rest. False: one line in `why_out`. The case must not be moved afterwards. */
bool explain_case_finish(struct explain_case *asked, struct buf *why_out);

#endif
