/*
 * login_guard: takes one login past the guard (skein/cluster/guard.h): asks before a back end is asked, tells
 * how it ended, and holds a refusal back as long as the guard says. For one loop's thread.
 */
#ifndef NODE_INBOUND_LOGIN_GUARD_H
#define NODE_INBOUND_LOGIN_GUARD_H

#include "io/loop.h"
#include "io/random.h"
#include "skein/cluster/guard.h"

/* What a worker's logins share; all borrowed. */
struct login_guard_desk {
	struct loop *loop;
	struct random *random;
	struct guard *guard;
	struct redis_link *link;
};

enum login_guard_answer {
	LOGIN_MAY_ASK,
	LOGIN_STOPPED, /* refuse as if the password were wrong */
	LOGIN_CROWDED, /* as many are being asked about for this account as may fail: 454 */
};
typedef void login_guard_answer_fn(void *arg, enum login_guard_answer answer);
/* The answer to the client may go out now. `is_banned`: and then the session ends. */
typedef void login_guard_ended_fn(void *arg, bool is_banned);

/* Embedded. All zero bytes: nothing begun. */
struct login_guard {
	const struct login_guard_desk *desk;
	struct guard_attempt attempt;
	struct loop_timer timer;
	uint64_t give_up_ms;
	bool is_begun; /* asked about, and not ended */
	bool was_let_in;
	bool is_banned;
	login_guard_answer_fn *on_answer;
	login_guard_ended_fn *on_ended;
	void *arg;
};

/* At once or later, until `patience_ms` have passed. `account` is borrowed for the call. */
void login_guard_ask(struct login_guard *login, const struct login_guard_desk *desk, struct span account,
	const struct network *address, uint64_t patience_ms, login_guard_answer_fn *fn, void *arg);
/* At once or later. Harmless where nothing was asked: a refusal takes its time all the same. */
void login_guard_end(struct login_guard *login, const struct login_guard_desk *desk, enum guard_end end,
	login_guard_ended_fn *fn, void *arg);
/* Nobody waits any more. What was asked about and has not ended is told as unknown. */
void login_guard_cancel(struct login_guard *login);

#endif
