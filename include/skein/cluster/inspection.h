/*
 * inspection: what a message that comes in is looked at for, as an entry of the policy's `inspect` says it,
 * and the filters (milters) that its `filters` name. Compiled once, then never changed, like the policy that
 * it belongs to.
 */
#ifndef SKEIN_CLUSTER_INSPECTION_H
#define SKEIN_CLUSTER_INSPECTION_H

#include "skein/cluster/limit.h"

enum {
	INSPECTION_NAME_MAX = LIMIT_NAME_MAX,
	INSPECTION_FILTERS_MAX = 16, /* of one entry */
	INSPECTION_PATH_MAX = 107,   /* what struct sockaddr_un takes */
};

enum inspection_check { INSPECTION_SPF, INSPECTION_DKIM, INSPECTION_DMARC, INSPECTION_CHECKS };

enum inspection_action {
	INSPECTION_OFF,
	INSPECTION_TAG,    /* an Authentication-Results field tells (RFC 8601) */
	INSPECTION_REJECT, /* it tells, and what fails is refused: SPF "fail" (RFC 7208 8.4), DMARC "fail"
			      where the domain's policy is "reject". DKIM never has this one */
	INSPECTION_ACTIONS,
};

/* What becomes of a message of which a check or a filter cannot say anything. */
enum inspection_trouble {
	INSPECTION_TROUBLE_ACCEPT, /* it goes on without */
	INSPECTION_TROUBLE_DEFER,  /* the client comes again */
	INSPECTION_TROUBLE_REJECT,
	INSPECTION_TROUBLES,
};

/* An entry of `filters`: a milter. */
struct inspection_filter {
	const char *name;
	const char *host; /* a name or an address; "": `path` counts */
	uint16_t port;
	const char *path;    /* of a Unix socket; "" with `host` */
	uint32_t connect_ms; /* until it has been reached */
	uint32_t answer_ms;  /* for each answer */
	uint32_t total_ms;   /* for all of one message; not less than the others */
	enum inspection_trouble on_error;
};

/* An entry of `inspect`. */
struct inspection {
	const char *name;    /* "inspect[2]" where the author gave none */
	const char *comment; /* "" when there is none */
	size_t number;       /* its place among them, from 0 */
	/* By enum inspection_check. With DMARC neither SPF nor DKIM is off. All off: nothing is looked at. */
	enum inspection_action actions[INSPECTION_CHECKS];
	enum inspection_trouble on_error;               /* of the DNS that the checks ask: ACCEPT or DEFER */
	const struct inspection_filter *const *filters; /* in the order in which they are asked */
	size_t filter_count;                            /* 0..INSPECTION_FILTERS_MAX */
};

/* "spf", "reject", "defer": as documents write them. */
extern const char *const inspection_check_names[INSPECTION_CHECKS];
extern const char *const inspection_action_names[INSPECTION_ACTIONS];
extern const char *const inspection_trouble_names[INSPECTION_TROUBLES];

#endif
