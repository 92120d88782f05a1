/*
 * admin: the node's HTTP server for balancers and monitoring, on a thread and a loop of its own, so that it
 * answers while the workers are busy, and says so when they hang. Plain HTTP without authentication: it
 * belongs on a private address.
 *
 *   GET /livez    200 while every watched loop turns; 503 with the name of one that does not
 *   GET /readyz   200 "ready", or 503 with the reason on one line (see health.h)
 *   GET /healthz  200 with all of that as JSON
 *   GET /metrics  200 in Prometheus' text format
 */
#ifndef NODE_ADMIN_ADMIN_H
#define NODE_ADMIN_ADMIN_H

#include "admin/health.h"
#include "io/address.h"

struct admin;
struct hop_certificates;
struct log;
struct metrics;
struct policy_slot;

/* Everything is borrowed until admin_stop(). */
struct admin_options {
	const struct address *listen; /* port 0: any free one, see admin_port() */
	struct health *health;
	struct metrics *metrics;
	struct hop_certificates *hop_certificates; /* NULL: nothing is known of them */
	struct policy_slot *policy;                /* NULL: none to show */
	struct log *log;                           /* used by the admin thread alone; may be NULL */
	const char *node_name;
	uint64_t stall_max_ms; /* a loop that did not turn for so long is not alive; 0: 10 s */
};

/* Binds and starts the thread. On failure appends one line to `why_out`, and nothing is left over. */
WARN_UNUSED enum err admin_start(
	const struct admin_options *options, struct admin **admin_out, struct buf *why_out);
/* Closes all connections and ends the thread. Sets the pointer to NULL; harmless on NULL. */
void admin_stop(struct admin **admin);
uint16_t admin_port(const struct admin *admin);

#endif
