/*
 * fact_finder: looks up what a judge of the DNS wants to know (dns_facts.h): by the node's resolver, and
 * policies of MTA-STS by HTTPS. Some at once; each ends by itself, with dns.timeout or ten seconds.
 */
#ifndef NODE_DAILY_FACT_FINDER_H
#define NODE_DAILY_FACT_FINDER_H

#include "io/loop.h"
#include "skein/proto/dnscheck/dns_facts.h"

struct fact_finder;
struct fetcher;
struct resolver;

/* All borrowed, for as long as the finder is. */
struct fact_finder_options {
	struct loop *loop;
	struct resolver *resolver;
	struct fetcher *fetcher;
	struct dns_facts *facts;
	loop_fn *fn; /* nothing is wanted any more */
	void *arg;
};

/* `fn` is called exactly once, later, unless it is cancelled before; the handle is dead when it begins. */
struct fact_finder *fact_finder_start(const struct fact_finder_options *options);
/* Sets the pointer to NULL; NULL inside is fine. */
void fact_finder_cancel(struct fact_finder **finder);

#endif
