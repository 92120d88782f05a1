/*
 * dns_records: the data of an answer's records, for those who ask for its meaning: an evaluation of SPF,
 * DKIM or DMARC, a check of what a domain publishes.
 */
#ifndef SKEIN_PROTO_DNS_RECORDS_H
#define SKEIN_PROTO_DNS_RECORDS_H

#include "skein/proto/dns/rdata.h"

enum { DNS_RECORDS_MAX = 256 }; /* of one answer; further ones are left out */

/*
 * `data` are records of `type` in wire form. TXT: the text, its strings joined. A and AAAA: 4 and 16 bytes.
 * MX: names of hosts, best first, those of one preference by name; "." of a null MX. PTR: names. Of other
 * types the data itself. What cannot be read is left out. In the arena, but for data that stays as it is.
 * Returns how many there are.
 */
size_t dns_records_read(enum dns_type type, const struct span *data, size_t count, struct arena *arena,
	const struct span **records_out);

#endif
