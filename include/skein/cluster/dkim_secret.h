/*
 * dkim_secret: a DKIM key as a secret of the cluster. Its name is that of its record in DNS,
 * SELECTOR._domainkey.DOMAIN in lower case, so that what is where can be told from `skeinctl secret list`.
 * Its text is a line with what the key is used for, and the private key in PEM, sealed together: who cannot
 * read the key cannot make it sign either. The key itself is a matter of proto/dkim; here it is opaque.
 */
#ifndef SKEIN_CLUSTER_DKIM_SECRET_H
#define SKEIN_CLUSTER_DKIM_SECRET_H

#include "skein/proto/base/buf.h"

/* In the order in which a key goes through them. */
enum dkim_state {
	DKIM_STATE_CREATED,
	DKIM_STATE_PUBLISHED, /* its record was handed out for DNS */
	DKIM_STATE_ACTIVE,    /* nodes sign with it */
	DKIM_STATE_RETIRED,   /* not any more; its record stays while mail is on its way */
	DKIM_STATES,
};

/* "created", "active" */
extern const char *const dkim_state_names[DKIM_STATES];

struct dkim_secret {
	enum dkim_state state;
	uint64_t since_ms; /* unix time: it is in this state */
	struct span pem;   /* borrowed from the text */
};

struct dkim_secret_name {
	struct span selector, domain; /* borrowed from the name */
};

/* False: no text of ours. */
WARN_UNUSED bool dkim_secret_parse(struct span text, struct dkim_secret *secret_out);
/* Appends. Reserve room before: a buffer that grows leaves copies. */
enum { DKIM_SECRET_LINE_MAX = 64 };
void dkim_secret_format(const struct dkim_secret *secret, struct buf *text_out);

/* False: this secret is something else. */
WARN_UNUSED bool dkim_secret_name_parse(struct span name, struct dkim_secret_name *name_out);
/* Appends. False, and nothing appended: it would be no name of a secret, because it is too long. */
WARN_UNUSED bool dkim_secret_name_format(const struct dkim_secret_name *name, struct buf *out);

#endif
