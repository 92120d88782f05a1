/*
 * tls_peer_rules: what one connection asks of the server that it goes to, where connections of one context
 * differ: a next hop's name, or the TLSA records for it.
 */
#ifndef SKEIN_NODE_IO_TLS_PEER_H
#define SKEIN_NODE_IO_TLS_PEER_H

#include "skein/proto/dns/rdata.h"

enum tls_peer_check {
	TLS_PEER_ANY,  /* any certificate will do; tls_info still says whether it would have passed */
	TLS_PEER_NAME, /* one from an authority that the context trusts, and good for one of the names */
	/*
	 * One that a TLSA record stands for (RFC 7672 3.1): DANE-EE by the key or certificate alone, names
	 * and dates do not count; DANE-TA good for one of the names. Authorities that the context trusts do
	 * not count. Without a record that can be used the handshake does not begin.
	 */
	TLS_PEER_DANE,
};

/* What is wrong with the certificate that a peer showed. */
enum tls_peer_fault {
	TLS_PEER_FAULTLESS, /* as far as it was looked at */
	TLS_PEER_MISNAMED,
	TLS_PEER_EXPIRED,
	TLS_PEER_UNTRUSTED,
	TLS_PEER_NO_RECORD, /* no TLSA record stands for it */
};

/* All borrowed for the call that takes it. */
struct tls_peer_rules {
	enum tls_peer_check check;
	const char *server_name; /* what the server is asked for (SNI): of DANE the base; "": nothing */
	const char *const
		*names;    /* a name or an address: good for one of them; of DANE `server_name` counts too */
	size_t name_count; /* 1.. for NAME */
	const struct dns_tlsa *tlsa; /* of DANE */
	size_t tlsa_count;
};

#endif
