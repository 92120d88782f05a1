/*
 * mx: which hosts take a domain's mail, and in which order (RFC 5321 5.1, RFC 7505), and the same of SRV
 * records (RFC 2782). Pure: records and a seed of random bits in, hosts out.
 */
#ifndef SKEIN_PROTO_DNS_MX_H
#define SKEIN_PROTO_DNS_MX_H

#include "skein/proto/dns/rdata.h"

enum {
	MX_HOSTS_MAX = 16,     /* tried at most, the best ones */
	MX_RECORDS_MAX = 1024, /* looked at; the rest of a record set is left out */
};

struct mx_host {
	const char *name; /* of the record */
	uint16_t preference;
	uint16_t port; /* of SRV; 0 of MX */
};

enum mx_verdict {
	MX_HOSTS,
	MX_NULL,     /* the domain takes no mail (RFC 7505 3); of SRV: the service is not there */
	MX_UNUSABLE, /* there are records, and no name in them is one of a host */
	MX_LOOP,     /* the best host is ourselves: nobody is left that mail could go to */
};

struct mx_choice {
	enum mx_verdict verdict;
	struct mx_host hosts[MX_HOSTS_MAX]; /* best first */
	size_t count;                       /* 0 unless MX_HOSTS */
};

/* Names by which we go. */
struct mx_self {
	const char *const *names;
	size_t count;
};

/*
 * By preference, those of the same by chance. A host that is named twice counts once, where it is best; who
 * is named as `self`, and all that is not better, is left out (RFC 5321 5.1). Reorders `records`, at least
 * one.
 */
void mx_choose(struct dns_mx *records, size_t count, const struct mx_self *self, uint64_t seed,
	struct mx_choice *choice_out);
/* By priority, then by chance as the weights say. Otherwise the same, but that nobody is taken for ourselves.
 */
void mx_choose_srv(struct dns_srv *records, size_t count, uint64_t seed, struct mx_choice *choice_out);
/* Without records: the domain is its own host (RFC 5321 5.1). `domain` is borrowed for as long as the choice.
 */
void mx_choose_implicit(const char *domain, const struct mx_self *self, struct mx_choice *choice_out);

/*
 * hosts[index] has turned out to be ourselves by its address: it goes, and with it all that is not better.
 * MX_LOOP when that leaves nobody.
 */
void mx_cut(struct mx_choice *choice, size_t index);

#endif
