/*
 * directory: Active Directory over LDAP. Is this somebody's password, in which state is the account, which of
 * the groups that policy asks about is it in, which addresses are its own? (RFC 4511, [MS-ADTS])
 *
 * A login is looked for with the service account, and must be exactly one user; a bind as what was found then
 * proves the password. Connections that search never bind as a user, and those that bind never search.
 *
 * Blocks: all calls with a `struct directory_thread` are for one thread of a pool each. A server that fails
 * is left alone for a while, and the next one asked.
 */
#ifndef NODE_AUTH_DIRECTORY_H
#define NODE_AUTH_DIRECTORY_H

#include "auth/identity.h"
#include "auth/login_name.h"
#include "skein/proto/base/err.h"

struct bind_password;
struct log;
struct directory;
struct directory_thread;
struct pool_turn;

/* All borrowed for as long as the directory lives. */
struct directory_options {
	struct text_list servers; /* one URI each, in order of preference; at most DC_MAX */
	const char *ca;
	bool start_tls;
	const char *bind_dn; /* the service account */
	struct bind_password *bind_password;
	const char *base;
	struct login_domain domain;
	uint64_t timeout_ms; /* of each step, at one server */
};

struct directory *directory_new(const struct directory_options *options);
void directory_free(struct directory **directory);
/*
 * Any thread, at any time: the groups that an identity tells from now on. Copies the names. Until the first
 * call there are none.
 */
void directory_set_groups(struct directory *directory, struct text_list names);

struct directory_thread *directory_thread_new(struct directory *directory, struct log *log);
void directory_thread_free(struct directory_thread **thread);

/*
 * Names and passwords without NUL. No server is asked after the turn's deadline, and none is told the
 * password once the job was given up.
 */
void directory_check_password(struct directory_thread *thread, const char *login, const char *password,
	const struct pool_turn *turn, struct judgement *judgement_out);

/*
 * Whose name is this? ACCEPTED with an identity of which only ->user means something, REFUSED_PASSWORD with
 * "no-such-user" or "ambiguous-name", or CANNOT_SAY.
 */
void directory_find_name(struct directory_thread *thread, const char *login, uint64_t deadline_ms,
	struct judgement *judgement_out);

enum directory_key { DIRECTORY_BY_SID, DIRECTORY_BY_ACCOUNT, DIRECTORY_BY_LOGIN };

/*
 * For those who proved by other means who they are: the state of the account alone decides. ACCEPTED,
 * REFUSED_STATE, REFUSED_PASSWORD with "no-such-user", or CANNOT_SAY.
 */
void directory_look_up(struct directory_thread *thread, enum directory_key key, const char *value,
	uint64_t deadline_ms, struct judgement *judgement_out);

/* When the domain locks an account. Not those of fine-grained policies. */
struct directory_lockout {
	uint64_t threshold; /* wrong passwords; 0: never */
	uint64_t window_ms; /* within so long */
};

enum err directory_read_lockout(struct directory_thread *thread, uint64_t deadline_ms,
	struct directory_lockout *lockout_out) WARN_UNUSED;

#endif
