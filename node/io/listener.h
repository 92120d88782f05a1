/*
 * listener: a listening TCP socket on one loop. Several loops listen on the same address (SO_REUSEPORT) and
 * the kernel spreads connections over them. Accepts in bounded bursts; out of descriptors it turns
 * connections away instead of spinning. All calls are for the loop's own thread.
 */
#ifndef SKEIN_NODE_IO_LISTENER_H
#define SKEIN_NODE_IO_LISTENER_H

#include "io/address.h"
#include "io/loop.h"
#include "skein/proto/base/buf.h"

struct listener;

struct listener_callbacks {
	/* `fd` is moved: non-blocking, close-on-exec, for stream_accept(). `peer` is borrowed. */
	void (*on_accept)(void *arg, int fd, const struct address *peer);
	/*
	 * accept() fails (out of descriptors or memory); connections are turned away and the listener rests
	 * for a moment. At most once per rest; `text` is borrowed.
	 */
	void (*on_trouble)(void *arg, const char *text);
};

/*
 * Binds. Until listener_start() whoever connects is refused, so that a balancer goes elsewhere at once. Port
 * 0: any free one, see listener_address(). "::" takes IPv6 only, so that it can stand beside 0.0.0.0 and
 * peers are never IPv4-mapped. On failure appends one line to `why_out` with the address and the cure.
 */
WARN_UNUSED enum err listener_open(struct loop *loop, const struct address *address,
	const struct listener_callbacks *callbacks, void *arg, struct listener **listener_out,
	struct buf *why_out);
/*
 * The same with a socket that is bound, listens and does not block; others may accept on it too. `fd` is
 * moved, also on failure.
 */
WARN_UNUSED enum err listener_open_fd(struct loop *loop, int fd, const struct listener_callbacks *callbacks,
	void *arg, struct listener **listener_out, struct buf *why_out);
/* Listens, and accepts from the loop. Once. On failure appends a line to `why_out`. */
WARN_UNUSED enum err listener_start(struct listener *listener, struct buf *why_out);
/* Accepts, at once, what waits in the kernel's backlog: for who is about to close. */
void listener_accept_waiting(struct listener *listener);
/* Stops listening. No callback follows. Sets the pointer to NULL. Connections that nobody accepted yet are
 * reset. */
void listener_close(struct listener **listener);
/* From outside: after a close new connections still wait in the socket's backlog, for the next process. */
bool listener_is_inherited(const struct listener *listener);

/* Stops accepting: new connections wait in the kernel's backlog. Takes effect inside a burst too. */
void listener_pause(struct listener *listener);
void listener_resume(struct listener *listener);

/* The address bound to, with the real port. */
const struct address *listener_address(const struct listener *listener);

#endif
