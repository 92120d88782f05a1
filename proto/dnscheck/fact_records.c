/* Records of the DNS as facts have them. */
#include "skein/proto/base/alloc.h"
#include "skein/proto/dnscheck/dns_facts.h"

enum dns_type dns_fact_type(enum dns_fact_kind kind)
{
	static const enum dns_type types[] = {
		[DNS_FACT_TXT] = DNS_TXT,
		[DNS_FACT_A] = DNS_A,
		[DNS_FACT_AAAA] = DNS_AAAA,
		[DNS_FACT_MX] = DNS_MX,
		[DNS_FACT_PTR] = DNS_PTR,
		[DNS_FACT_TLSA] = DNS_TLSA,
	};

	CHECK(kind < ARRAY_LEN(types));
	return types[kind];
}
