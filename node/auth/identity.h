/*
 * identity: what a back end knows of an account, and its verdict on a login. An identity does not change once
 * it is made, and is counted: caches, sessions and threads may share one.
 */
#ifndef NODE_AUTH_IDENTITY_H
#define NODE_AUTH_IDENTITY_H

#include "skein/cluster/schema/table.h"

#include <stdbool.h>
#include <stdint.h>

enum account_state {
	ACCOUNT_OK,
	ACCOUNT_DISABLED,
	ACCOUNT_LOCKED,
	ACCOUNT_EXPIRED,
	ACCOUNT_PASSWORD_EXPIRED,
	ACCOUNT_MUST_CHANGE, /* the password, before anything else */
	ACCOUNT_HOURS,       /* not allowed at this time */
	ACCOUNT_WORKSTATION, /* not allowed from here */
	ACCOUNT_RESTRICTED,  /* another rule of the domain */
	ACCOUNT_STATE_COUNT,
};

struct identity {
	/* The same however the client wrote the name: account@realm of a domain, or a local name. Lower case.
	 */
	const char *user;
	const char *sid;     /* S-1-5-21-...; "" for a local user */
	const char *backend; /* "ldap" or "file" */
	enum account_state state;
	struct text_list groups;    /* of those that were asked for, as they were written there */
	struct text_list addresses; /* its own, lower case; the first is the main one */
};

/* A copy of all that `fields` points to, counted once. */
struct identity *identity_new(const struct identity *fields);
struct identity *identity_ref(struct identity *identity);
/* Sets the pointer to NULL; NULL is fine. */
void identity_unref(struct identity **identity);

/* Without case. */
bool identity_is_member(const struct identity *identity, const char *group);
bool identity_has_address(const struct identity *identity, const char *address);

enum verdict {
	VERDICT_CANNOT_SAY, /* our trouble or the directory's: 454. Zero, so that nothing set is no success */
	VERDICT_ACCEPTED,
	VERDICT_REFUSED_PASSWORD, /* counts as a wrong password */
	VERDICT_REFUSED_STATE,    /* does not count */
};

/* What came of a login. */
struct judgement {
	enum verdict verdict;
	const char *why; /* a constant word for the log: "wrong-password"; never for the client */
	uint32_t code;   /* the back end's own: an error's data at LDAP, an NT status; 0: none */
	/* CANNOT_SAY: the domain may have got the question, and counted a wrong password. */
	bool may_have_counted;
	struct identity
		*identity; /* counted; NULL where the account is not known. May be set with a refusal */
};

/* Also drops what `judgement` held. `identity` is moved. */
void judgement_set(
	struct judgement *judgement, enum verdict verdict, const char *why, struct identity *identity);
/* The verdict that the state of a known account gives to one who proved who he is. `identity` is moved. */
void judgement_set_state(struct judgement *judgement, struct identity *identity);
void judgement_fini(struct judgement *judgement);
/* "account-disabled" */
const char *account_state_why(enum account_state state);

#endif
