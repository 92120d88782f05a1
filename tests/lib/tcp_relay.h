/*
 * tcp_relay: stands before a server and passes bytes on, until a test wants one of its connections to go
 * wrong. A thread of its own; failures fail the test.
 */
#ifndef TESTS_LIB_TCP_RELAY_H
#define TESTS_LIB_TCP_RELAY_H

#include <stdint.h>

struct tcp_relay;

enum relay_fault {
	RELAY_PASS,
	RELAY_SWALLOW, /* what the client sends goes nowhere; also on each connection that comes later */
	RELAY_CUT,     /* closed when the client sends something, as is each connection that comes later */
};

/* Listens on a free port of `address`, which is the server's too. */
struct tcp_relay *tcp_relay_new(const char *address, uint16_t server_port);
void tcp_relay_free(struct tcp_relay **relay);
uint16_t tcp_relay_port(const struct tcp_relay *relay);
/* From now on, for the connection that came as number `index`, the first being 0, and for those to come. */
void tcp_relay_set_fault(struct tcp_relay *relay, unsigned index, enum relay_fault fault);

#endif
