/* What directory.c (what is asked) and directory_thread.c (whom, and over which connection) share. */
#ifndef NODE_AUTH_DIRECTORY_INTERNAL_H
#define NODE_AUTH_DIRECTORY_INTERNAL_H

#include "auth/dc_list.h"
#include "auth/directory.h"
#include "auth/group_list.h"
#include "auth/ldap_conn.h"

#include <pthread.h>

struct directory {
	struct directory_options options;
	struct dc_list *servers;
	char realm[256]; /* lower case */
	pthread_mutex_t lock;
	struct group_list *groups; /* under lock; the list itself does not change */
};

/* A thread's connections to one server; NULL: closed. */
struct directory_server {
	const char *uri;
	LDAP *service; /* bound as the service account; searches */
	LDAP *user;    /* binds */
};

struct directory_thread {
	struct directory *directory;
	struct log *log;
	struct directory_server servers[DC_MAX];
	uint64_t deadline_ms; /* of what is being asked */
	bool is_barred;       /* the service account has no password that a server takes: that was said */
};

/*
 * One question to one server whose service connection is open; returns libldap's code. Trouble closes the
 * connections, and the question goes to the next server unless `*is_final` was set.
 */
typedef int directory_question_fn(
	struct directory_thread *thread, struct directory_server *server, void *arg, bool *is_final);

/* False: no server answered in time. */
bool directory_ask(struct directory_thread *thread, uint64_t deadline_ms, directory_question_fn *question,
	void *arg) WARN_UNUSED;

struct directory_bind {
	const char *dn, *password;
	const struct pool_turn *turn; /* to be committed to it; NULL: this is no account */
	unsigned data;                /* what comes with a refusal */
	bool is_unanswered;           /* it was sent, and its outcome is not known */
};

/*
 * On the user connection, opened when it is not. LDAP_USER_CANCELLED: not sent, as the turn is over.
 * `is_final`: another server must not be asked.
 */
int directory_bind_user(struct directory_thread *thread, struct directory_server *server,
	struct directory_bind *bind, bool *is_final) WARN_UNUSED;

#endif
