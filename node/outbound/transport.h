/*
 * transport: how securely one next hop is spoken to: what its target asks for (enum route_tls), made into
 * what a connection does. Where TLS is asked for, the hop is not spoken to without: another hop is tried, or
 * the mail waits.
 */
#ifndef NODE_OUTBOUND_TRANSPORT_H
#define NODE_OUTBOUND_TRANSPORT_H

#include "io/tls_peer.h"
#include "skein/cluster/route.h"
#include "skein/proto/mail/status.h"
#include "skein/proto/smtp/client.h"

enum transport_level {
	TRANSPORT_CLEAR,   /* no TLS */
	TRANSPORT_OFFERED, /* TLS when it is offered, with any certificate */
	TRANSPORT_ANY,     /* TLS, with any certificate */
	TRANSPORT_NAMED,   /* TLS, with a certificate that is trusted and good for the name */
};

struct transport {
	const struct route_target *target;
	const char *host; /* borrowed, as is the target */
	const char *name; /* that the certificate must be good for */
	enum transport_level level;
	uint64_t clear_until_ms; /* see transport_broke() */
};

void transport_init(struct transport *transport, const struct route_target *target, const char *host);

/* TLS from the first byte. */
bool transport_is_tls_first(const struct transport *transport);
/* What else the SMTP client asks for. */
enum smtp_client_tls transport_starttls(const struct transport *transport, uint64_t now_ms);
/* What the handshake asks for. Borrowed from `transport`, which stays where it is meanwhile. */
struct tls_peer_rules transport_rules(const struct transport *transport);
/*
 * A handshake failed. True: it is now spoken to in clear for a while. False: it must not be spoken to, which
 * trying again at once does not change.
 */
bool transport_broke(struct transport *transport, uint64_t now_ms);

/* RFC 3463 3.8: what the policy asks for is not offered; it is, but the handshake fails. */
extern const struct enhanced_code transport_code_not_offered, transport_code_broken;

#endif
