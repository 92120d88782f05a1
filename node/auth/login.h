/*
 * login: one client's SASL exchange with the back ends behind it. Takes what the client sends, and tells what
 * to send back, what to ask for, and how it ended. For one loop's thread; never blocks, and never waits
 * longer than auth.timeout for each question to a back end.
 *
 *     login_begin() ──→ CHALLENGE ──→ login_respond() ──→ ...
 *                       CONFIRM   ──→ login_confirm() ──→ ...
 *                       ACCEPTED, REFUSED, MALFORMED, UNAVAILABLE: over
 *
 * Each call but login_free() is answered by one event, later, never from inside the call. login_free() may
 * come at any time, also in the callback; then nothing comes any more.
 */
#ifndef NODE_AUTH_LOGIN_H
#define NODE_AUTH_LOGIN_H

#include "auth/authenticator.h"
#include "io/loop.h"

struct login;

enum login_step {
	LOGIN_CHALLENGE, /* 334 */
	/*
	 * A back end is about to be asked whether a secret is right, and a domain counts wrong ones: may it,
	 * or did this user have too many? What the cache knows comes without this question, so that a client
	 * with the right password is not stopped by one without.
	 */
	LOGIN_CONFIRM,
	LOGIN_ACCEPTED,    /* 235 */
	LOGIN_REFUSED,     /* 535, in the same words whatever the reason */
	LOGIN_MALFORMED,   /* 501 */
	LOGIN_UNAVAILABLE, /* 454 4.7.0 */
};

/* Everything is borrowed for the callback. */
struct login_event {
	enum login_step step;
	struct span challenge; /* LOGIN_CHALLENGE; not encoded */
	/*
	 * CONFIRM and at the end: whom limits on wrong passwords are about. The canonical name where it is
	 * known, otherwise what the client wrote in lower case; "": nobody was named.
	 */
	const char *user;
	bool counts;               /* REFUSED: as a wrong password */
	bool may_have_counted;     /* UNAVAILABLE: the domain may have counted a wrong password */
	const char *why;           /* at the end: a constant word or phrase for the log */
	uint32_t code;             /* the back end's own, see struct judgement */
	struct identity *identity; /* ACCEPTED; to be kept with identity_ref() */
	enum sasl_proof proof;     /* ACCEPTED */
	bool channel_bound;        /* ACCEPTED */
	bool may_send_empty_line;  /* ACCEPTED: see struct sasl_accepted */
};

typedef void login_fn(void *arg, const struct login_event *event);

struct login_options {
	struct authenticator *authenticator;
	struct loop *loop;
	enum sasl_mechanism mechanism;      /* one of channel->offered */
	const struct sasl_channel *channel; /* borrowed for the call */
	login_fn *on_event;
	void *arg;
};

struct login *login_new(const struct login_options *options);
/* Wipes what it knows. What a thread still works on is dropped there. NULL is fine. */
void login_free(struct login **login);

/* Borrowed and secret; without an initial response `initial` is not looked at. */
void login_begin(struct login *login, bool has_initial, struct span initial);
void login_respond(struct login *login, struct span response);
/* False: LOGIN_REFUSED follows, without a question to anybody. */
void login_confirm(struct login *login, bool may_ask);

#endif
