/* dns_senders: the domains that the cluster signs mail for, and the keys that do, for a check of their DNS.
 */
#ifndef CTL_DNS_SENDERS_H
#define CTL_DNS_SENDERS_H

#include "dkim_rows.h"
#include "policy_file.h"
#include "skein/proto/dnscheck/dns_check.h"

/* All zero bytes is none. */
struct dns_senders {
	struct policy *policy;
	struct dkim_rows keys;
};

/* The current policy and all keys. Complains. */
WARN_UNUSED enum ctl_exit dns_senders_load(
	struct dns_senders *senders, struct session *session, const struct secret_keys *keys);
void dns_senders_fini(struct dns_senders *senders);
/* How many there are; `keys_out`, borrowed from the senders, has room for DNS_CHECK_KEYS_MAX. */
size_t dns_senders_keys(
	const struct dns_senders *senders, struct span domain, struct dns_check_key *keys_out);

#endif
