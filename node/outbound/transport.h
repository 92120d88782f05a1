/*
 * transport: how securely one next hop is spoken to: what its target asks for (enum route_tls), and what the
 * DNS says of the hop, made into what a connection does. Where TLS is asked for, the hop is not spoken to
 * without: another hop is tried, or the mail waits.
 *
 * What depends on the DNS is asked for before a connection is made, and again when it no longer holds.
 */
#ifndef NODE_OUTBOUND_TRANSPORT_H
#define NODE_OUTBOUND_TRANSPORT_H

#include "dns/tlsa.h"
#include "io/tls_peer.h"
#include "outbound/sts.h"
#include "skein/cluster/route.h"
#include "skein/proto/mail/status.h"
#include "skein/proto/smtp/client.h"

enum { TRANSPORT_WHY_MAX = 200 };

enum transport_level {
	TRANSPORT_CLEAR,   /* no TLS */
	TRANSPORT_OFFERED, /* TLS when it is offered, with any certificate */
	TRANSPORT_ANY,     /* TLS, with any certificate */
	TRANSPORT_NAMED,   /* TLS, with a certificate that is trusted and good for the name */
	TRANSPORT_DANE,    /* TLS, with a certificate that a TLSA record stands for */
	TRANSPORT_BARRED,  /* not now */
};

/* What a message's sender asks for, over what the target says. */
enum transport_wish {
	TRANSPORT_WISH_NONE,
	/*
	 * RFC 8689: TLS, with a certificate that is good for a name which nobody can have forged, whatever
	 * else the target would do with.
	 */
	TRANSPORT_WISH_REQUIRED,
	/* RFC 8689 3: that it arrives counts for more than what its domain says of TLS by DANE or MTA-STS. */
	TRANSPORT_WISH_OPTIONAL,
};

struct transport {
	struct loop *loop;
	struct resolver *resolver;
	struct sts_desk *sts;
	const struct route_target *target;
	enum transport_wish wish;
	const char *host; /* borrowed, as are those above */
	const char *name; /* that the certificate must be good for */
	enum transport_level level;
	bool is_tested; /* offered, and a policy that is being tested would have the certificate verified */
	uint64_t until_ms;       /* that holds; UINT64_MAX: for ever */
	uint64_t clear_until_ms; /* see transport_broke() */

	struct dns_hop at; /* text is in the arena */
	const char *domain;
	struct tlsa_search *search;
	struct tlsa_set *set; /* of TRANSPORT_DANE */
	struct sts_search *sts_search;
	enum tls_policy_kind kind; /* of what was found; */
	struct buf policy;         /* its lines */
	struct loop_task done;
	bool is_asking;
	char why[TRANSPORT_WHY_MAX]; /* it is barred */
	struct enhanced_code code;
	struct arena arena;

	loop_fn *fn; /* what was asked for is known */
	void *arg;
};

struct transport_options {
	struct loop *loop;
	struct resolver *resolver;
	struct sts_desk *sts;
	const struct route_target *target;
	enum transport_wish wish;
	const char *host;
	loop_fn *fn;
	void *arg;
};

/* `options` point to what outlives it. */
void transport_init(struct transport *transport, const struct transport_options *options);
void transport_fini(struct transport *transport);

/* What the DNS says of the hop, that mail for `domain` goes to. Both are borrowed during the call. */
void transport_found(struct transport *transport, const struct dns_hop *at, const char *domain);
/* Whether a connection may be made, or the reason not to is known. */
bool transport_is_known(const struct transport *transport);
/* It is not known, and not asked for: `fn` is called once, later, unless it is cancelled. */
void transport_ask(struct transport *transport);
bool transport_is_asking(const struct transport *transport);
void transport_cancel(struct transport *transport);

/* TLS from the first byte. */
bool transport_is_tls_first(const struct transport *transport);
/* What else the SMTP client asks for. */
enum smtp_client_tls transport_starttls(const struct transport *transport);
/* What the handshake asks for; not barred. Borrowed from `transport`, which stays as it is meanwhile. */
struct tls_peer_rules transport_rules(const struct transport *transport);
/*
 * A handshake failed. True: it is now spoken to in clear for a while. False: it must not be spoken to, which
 * trying again at once does not change.
 */
bool transport_broke(struct transport *transport);

/*
 * What became of TLS with the hop, over a connection between these addresses ("": not known). Counted where
 * somebody asks for verified TLS, and for reports where the domain may have a policy.
 */
void transport_tell(const struct transport *transport, enum tls_result result, const char *sending_ip,
	const char *receiving_ip);

/*
 * RFC 3463 3.8: what the policy asks for is not offered; it is, but the handshake fails. Such mail waits, but
 * where the sender asks for TLS it has failed (5.7.10, RFC 8689 4.2.1).
 */
struct enhanced_code transport_code_not_offered(const struct transport *transport);
struct enhanced_code transport_code_broken(const struct transport *transport);
/* It has verified TLS, but does not promise to ask for it in turn (RFC 8689 4.2.1). */
extern const struct enhanced_code transport_code_no_requiretls;

#endif
