/* Deliver By (RFC 2852): in how many seconds a message shall arrive, and what happens when it does not. */
#ifndef SKEIN_PROTO_MAIL_DELIVER_BY_H
#define SKEIN_PROTO_MAIL_DELIVER_BY_H

#include <stdbool.h>
#include <stdint.h>

enum deliver_by_mode {
	DELIVER_BY_NONE,   /* not asked for */
	DELIVER_BY_RETURN, /* R: it comes back undelivered */
	DELIVER_BY_NOTIFY, /* N: the sender is told of the delay, and delivery goes on */
};

enum { DELIVER_BY_SECONDS_MAX = 999999999 };

struct deliver_by {
	enum deliver_by_mode mode;
	bool trace;      /* T: each relay on the way tells the sender */
	int32_t seconds; /* left; negative: the time ran out so long ago, for NOTIFY alone */
};

#endif
