/*
 * resolver: questions to the DNS from any loop, one resolver for the node. It has a thread with the lookups
 * that are under way and what was found out a moment ago; libunbound, which validates and remembers too, has
 * one more behind it. Questions that are the same share a lookup.
 *
 * Bounded: lookups at once (dns.questions), answers kept (dns.cache), time. A lookup goes on after the last
 * of those who wait for it has given up, so that the next one finds the answer.
 */
#ifndef NODE_DNS_RESOLVER_H
#define NODE_DNS_RESOLVER_H

#include "config/settings.h"
#include "dns/answer.h"
#include "io/loop.h"

struct resolver;
struct dns_question;

/* `answer` is borrowed: dns_answer_ref() to keep it. */
typedef void dns_answer_fn(void *arg, struct dns_answer *answer);

struct dns_asker {
	struct loop *loop;   /* of the calling thread */
	uint64_t timeout_ms; /* 0: dns.timeout; that is also the most */
	dns_answer_fn *fn;
	void *arg;
};

/*
 * Reads settings->dns, which need not outlive the call, and starts. NULL: `why_out` has a sentence that names
 * the setting; otherwise it may have a warning.
 */
struct resolver *resolver_new(const struct settings *settings, struct buf *why_out);
/* Every question is answered or cancelled, and the loops of those that were cancelled still turn or have
 * stopped. NULL is fine. */
void resolver_free(struct resolver **resolver);

/* dns.timeout: what a question may take at most. */
uint64_t resolver_timeout_ms(const struct resolver *resolver);

/*
 * Any loop's thread. `name` is text as in name.h, borrowed. `fn` is called exactly once, later, on the
 * asker's loop, unless the question is cancelled before; the handle is dead when it begins.
 */
struct dns_question *resolver_ask(
	struct resolver *resolver, const char *name, enum dns_type type, const struct dns_asker *asker);
/* In the thread that asked: `fn` is not called. Sets the pointer to NULL; NULL is fine. */
void dns_question_cancel(struct dns_question **question);

#endif
