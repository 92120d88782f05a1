/*
 * tls_reporter: the leader reports to each domain that asks for it (_smtp._tls.DOMAIN) what became of TLS on
 * the way to it in a day that is over (RFC 8460): by mail, or by HTTPS. One report after the other; one that
 * cannot be given is tried again an hour later, then two, until it is dropped after five attempts. All calls
 * are for the loop's own thread.
 */
#ifndef NODE_DAILY_TLS_REPORTER_H
#define NODE_DAILY_TLS_REPORTER_H

#include "config/settings.h"
#include "custody/own_mail.h"
#include "http/fetch.h"
#include "io/loop.h"
#include "skein/cluster/member.h"
#include "track/metrics.h"

struct tls_reporter;

/* In any thread, once, unless the node ends before. */
typedef void tls_posted_fn(void *arg, enum custody_verdict verdict);

/* All borrowed. */
struct tls_reporter_options {
	struct loop *loop;
	struct log *log;
	struct meter *meter;
	const struct settings *settings; /* of the start */
	struct redis_link *link;
	const struct member *member;
	struct resolver *resolver;
	struct fetcher *fetcher;
	/* Takes a mail into custody. */
	void (*post)(void *poster, const struct own_mail *mail, tls_posted_fn *fn, void *arg);
	void *poster;
};

struct tls_reporter *tls_reporter_new(const struct tls_reporter_options *options);
/* After the link's connection is freed, and nobody calls back any more. Sets the pointer to NULL; NULL inside
 * is fine. */
void tls_reporter_free(struct tls_reporter **reporter);

#endif
