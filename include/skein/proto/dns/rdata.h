/*
 * rdata: the data of DNS records from their wire form, one function for each type. Whole or not at all: bytes
 * left over are as wrong as bytes missing. Texts live in the arena.
 */
#ifndef SKEIN_PROTO_DNS_RDATA_H
#define SKEIN_PROTO_DNS_RDATA_H

#include "skein/proto/base/arena.h"
#include "skein/proto/base/check.h"

/* As the DNS numbers them. */
enum dns_type {
	DNS_A = 1,
	DNS_CNAME = 5,
	DNS_PTR = 12,
	DNS_MX = 15,
	DNS_TXT = 16,
	DNS_AAAA = 28,
	DNS_SRV = 33,
	DNS_TLSA = 52,
};

/* "MX"; "?" for what is not in the list. */
const char *dns_type_name(enum dns_type type);

/* An IPv4 or IPv6 address in network order. An IPv4 one mapped into IPv6 is kept as plain IPv4. */
struct dns_ip {
	uint8_t bytes[16]; /* zero beyond len */
	uint8_t len;       /* 4 or 16 */
};

struct dns_mx {
	uint16_t preference;
	const char *host; /* as dns_name_take() gives it; "." of a null MX */
};

struct dns_srv {
	uint16_t priority, weight, port;
	const char *host; /* "." says that the service is not there */
};

/* RFC 6698 2.1. What the numbers mean is for others to judge. */
struct dns_tlsa {
	uint8_t usage, selector, matching;
	struct span association; /* borrowed from the record */
};

/* Of A and AAAA. */
WARN_UNUSED bool dns_ip_parse(enum dns_type type, struct span rdata, struct dns_ip *ip_out);
/* Of CNAME and PTR. */
WARN_UNUSED bool dns_name_parse(struct span rdata, struct arena *arena, const char **name_out);
WARN_UNUSED bool dns_mx_parse(struct span rdata, struct arena *arena, struct dns_mx *mx_out);
WARN_UNUSED bool dns_srv_parse(struct span rdata, struct arena *arena, struct dns_srv *srv_out);
/* Its strings joined without a gap, any bytes; never longer than `rdata`. */
WARN_UNUSED bool dns_txt_parse(struct span rdata, struct arena *arena, struct span *text_out);
/* False also without association data. */
WARN_UNUSED bool dns_tlsa_parse(struct span rdata, struct dns_tlsa *tlsa_out);

/*
 * Whether SMTP can judge a certificate by it: RFC 7672 3.1 has DANE-TA(2) and DANE-EE(3) only; certificate or
 * key, as they are or as SHA-256 or SHA-512 of the right length.
 */
bool dns_tlsa_is_usable(const struct dns_tlsa *tlsa);

bool dns_ip_eq(const struct dns_ip *a, const struct dns_ip *b);
/*
 * "192.0.2.1", "2001:db8::1", "[192.0.2.1]", and as RFC 5321 4.1.3 writes the domain of an address,
 * "[IPv6:2001:db8::1]".
 */
WARN_UNUSED bool dns_ip_of_text(struct span text, struct dns_ip *ip_out);

#endif
