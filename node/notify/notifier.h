/*
 * notifier: telling somebody outside, by a web server (web_post.h) or a collector of syslog (syslog.h): what
 * the two have in common. One per loop; all calls are its thread's. Nothing blocks, everything has a deadline
 * and a bound.
 */
#ifndef NODE_NOTIFY_NOTIFIER_H
#define NODE_NOTIFY_NOTIFIER_H

#include "access/secrets.h"
#include "dns/resolver.h"
#include "io/loop.h"

enum notify_end {
	NOTIFY_SENT,
	NOTIFY_LATER, /* it failed, and may go well another time */
	NOTIFY_NEVER, /* the receiver will not take this */
};

enum { NOTIFY_WHY_MAX = 400 };

/* Called exactly once, later. `why` is "" or a printable phrase without secrets; borrowed. */
typedef void notify_fn(void *arg, enum notify_end end, const char *why);

struct notifier;

/* All borrowed. */
struct notifier_options {
	struct loop *loop;
	struct resolver *resolver;
	struct secrets *secrets;
	const char *node; /* HOSTNAME of syslog messages */
};

struct notifier *notifier_new(const struct notifier_options *options);
/* Nothing is under way any more. Sets the pointer to NULL; NULL is fine. */
void notifier_free(struct notifier **notifier);

/* How long to wait before attempt `failures` + 1: doubled from `first_ms` to `max_ms`, up to a quarter less
 * by chance. `failures` is 1 or more. */
uint64_t notifier_pause_ms(struct notifier *notifier, unsigned failures, uint64_t first_ms, uint64_t max_ms);

#endif
