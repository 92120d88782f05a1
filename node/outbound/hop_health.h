/*
 * hop_health: whether a hop is worth a connection: what this worker finds out (breaker.h) together with what
 * the cluster knows (hop_board.h). What is heard moves the breaker, so that all else asks the breaker alone;
 * what is found out here is told.
 *
 *	heard down     the breaker opens until then; when the pause is over the cluster is asked who probes
 *	heard up       after down: the pause is over at once, and one connection tries
 *	heard slow     the window is halved
 *	an operator's  down: connections say QUIT too, and what the worker finds out changes nothing
 */
#ifndef NODE_OUTBOUND_HOP_HEALTH_H
#define NODE_OUTBOUND_HOP_HEALTH_H

#include "outbound/hop.h"

/* Takes over what the cluster knows of it. */
void hop_health_hear(struct hop *hop);
/*
 * May one connection be opened now? It is, then. Otherwise the breaker has it, or the cluster is being asked:
 * hop->is_in_question.
 */
bool hop_health_admits(struct hop *hop);
/* A connection stands; failures still count until it has taken a message. */
void hop_health_connected(struct hop *hop);
/* It took a message. */
void hop_health_good(struct hop *hop);
/*
 * A connection came to nothing. `is_ours`: it answers, but cannot be used as we want to (TLS, login): the
 * breaker opens at once, and others, who may want to use it otherwise, are not told.
 */
void hop_health_failed(struct hop *hop, const char *why, bool is_ours);
/* It answers, whatever else: if that was a probe it is told. */
void hop_health_answered(struct hop *hop);
/* It said 421, or that we send too much: others go easy too. */
void hop_health_slow(struct hop *hop, const char *why);

#endif
