/*
 * findings: what SPF, DKIM and DMARC found out about one message; how the message tells it, and whether it is
 * taken.
 */
#ifndef NODE_INSPECT_FINDINGS_H
#define NODE_INSPECT_FINDINGS_H

#include "inspect/dkim_lookup.h"
#include "skein/cluster/inspection.h"
#include "skein/proto/dmarc/dmarc.h"
#include "skein/proto/smtp/reply.h"
#include "skein/proto/spf/spf.h"

/* Everything is borrowed. */
struct findings {
	const struct inspection *inspection; /* what is off there is neither told nor acted on */
	struct span client, helo, sender;    /* the client's address as text; what it said */
	const struct spf_verdict *spf;       /* NULL: off */
	const struct dkim_finding *dkim;
	size_t dkim_count;
	const char *dkim_why; /* why there are none though there may be signatures; NULL: there are none */
	bool is_unread;       /* the message could not be read: dkim_why says why */
	/* The domain of From for which it looks worst. */
	enum dmarc_result dmarc_result;
	const char *dmarc_why;             /* a phrase or NULL */
	const struct dmarc_verdict *dmarc; /* NULL: no domain of From was looked at */
	enum dmarc_policy disposition;     /* dmarc_disposition() */
};

static inline bool findings_has(const struct findings *findings, enum inspection_check check)
{
	return findings->inspection->actions[check] != INSPECTION_OFF;
}

/* The best of the signatures, and its place; of none or without signatures the place is `dkim_count`. */
enum dkim_result findings_dkim(const struct findings *findings, size_t *index_out);

struct dmarc_lookup;

/*
 * One of the domains of From. What came of SPF and DKIM decides; where one of them could not be looked up,
 * and would have stood for the domain, "fail" is a "temperror". The worst of several calls stays.
 * `random`: see dmarc_disposition().
 */
void findings_add_author(struct findings *findings, struct dmarc_lookup *lookup, uint32_t random);

/* Appends the Authentication-Results field, `host` is ours. */
void findings_append_field(const struct findings *findings, struct span host, struct buf *out);

enum { FINDINGS_REPLY_MAX = 400 };

/* False: the message is taken. Otherwise a reply, whose text is in `text`. */
bool findings_refuse(
	const struct findings *findings, char text[FINDINGS_REPLY_MAX], struct smtp_reply *reply_out);

#endif
