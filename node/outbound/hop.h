/*
 * hop: one next hop as one worker sees it: where it is, whether it is worth a connection (breaker), and the
 * few connections to it. Messages are pulled: a connection that can start a transaction asks the scheduler
 * for one, so a connect that fails costs no message an attempt.
 */
#ifndef NODE_OUTBOUND_HOP_H
#define NODE_OUTBOUND_HOP_H

#include "config/settings.h"
#include "io/address.h"
#include "outbound/breaker.h"
#include "outbound/outbound.h"
#include "skein/proto/smtp/client.h"

enum { HOP_ADDRESSES_MAX = 8, HOP_ERROR_MAX = 200 };

struct hop {
	struct outbound *outbound;
	const struct hop_settings *settings; /* of outbound->settings */
	struct breaker breaker;
	struct list conns;   /* hop_conn.link */
	unsigned conn_count; /* connecting ones included */
	unsigned connecting;
	struct address addresses[HOP_ADDRESSES_MAX];
	size_t address_count, address_next;
	uint64_t resolved_at_ms;
	uint64_t clear_until_ms; /* see hop_tls_broken() */
	bool is_resolving;
	uv_getaddrinfo_t resolver;
	char label[300]; /* "host:port" for the log and for DSNs */
	char last_error[HOP_ERROR_MAX];
};

void hop_init(struct hop *hop, struct outbound *outbound, const struct hop_settings *settings);
/* Connections are closed at once; the resolver must have come back (hop_is_idle()). */
void hop_abort(struct hop *hop);
bool hop_is_idle(const struct hop *hop);
/* There is work: opens connections if that helps, and wakes idle ones. `ready` is how many messages wait. */
void hop_wake(struct hop *hop, size_t ready);
/* No more work will come: idle connections say QUIT. */
void hop_retire(struct hop *hop);

/* For connections. */
enum smtp_client_tls hop_wants_tls(const struct hop *hop);
/* A handshake failed: where TLS is optional the hop is spoken to in clear for a while. */
void hop_tls_broken(struct hop *hop);
void hop_conn_opened(struct hop *hop);
void hop_conn_failed(struct hop *hop, const char *why);

#endif
