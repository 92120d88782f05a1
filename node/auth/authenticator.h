/*
 * authenticator: the back ends of authentication of a process, their threads and what they remember. One for
 * all loops; a login (login.h) is one client's exchange with it.
 *
 * Three pools, so that what hangs stops only its like: the directory, winbindd, and the rest (password
 * hashes, the users' file, Kerberos).
 *
 * A password is asked about at the back ends in the order of auth.backends. One that does not know the user
 * leaves it to the next; one that cannot say leaves the next only the right to accept.
 */
#ifndef NODE_AUTH_AUTHENTICATOR_H
#define NODE_AUTH_AUTHENTICATOR_H

#include "auth/directory.h"
#include "config/settings.h"
#include "skein/proto/auth/sasl.h"
#include "skein/proto/base/buf.h"

struct authenticator;
struct log_writer;
struct secrets;
struct loop;

/* What the domain does about wrong passwords, as it was read just now; on the loop of the upkeep. */
typedef void lockout_fn(void *arg, const struct directory_lockout *lockout);

struct authenticator_options {
	const struct settings *settings; /* borrowed for the call; section auth */
	/* Of the service account: copied, and wiped at the end. NULL: it is the secret auth.ldap.bind_secret.
	 */
	const char *ldap_password;
	struct secrets *secrets; /* borrowed until authenticator_free(); may be NULL with a password */
	/* The same on all nodes and for long, at least 16 bytes, copied; "": SCRAM is not offered. */
	struct span scram_salt_key;
	struct log_writer *log;
	lockout_fn *on_lockout; /* NULL: nobody wants to know */
	void *arg;
};

/* In the main thread, before others are started: libldap is set up. Reads no file and asks nobody. */
struct authenticator *authenticator_new(const struct authenticator_options *options);
/*
 * Every login is freed, and `loop` of authenticator_start() still there, in this thread. False: a thread
 * hangs in a back end and was left behind; the log writer must then live until the process ends.
 */
bool authenticator_free(struct authenticator **authenticator);
/*
 * Begins to look after the back ends, on a timer of this loop: reads the users' file, the keytab and the
 * lock-out rule of the domain, asks winbindd for its names, and looks again every ten seconds; the rule every
 * ten minutes. When the users' file has changed, what is remembered of accounts is forgotten.
 */
void authenticator_start(struct authenticator *authenticator, struct loop *loop);
/* The thread of authenticator_start(). What is reloadable changes, and files are read again. */
void authenticator_reload(struct authenticator *authenticator, const struct settings *settings);

/* Any thread: the groups that identities tell from now on; what is remembered of accounts is forgotten. */
void authenticator_set_groups(struct authenticator *authenticator, struct text_list names);
/* Any thread: SASL_BIT()s of what has a back end that works now. 0: AUTH is not offered. */
unsigned authenticator_mechanisms(const struct authenticator *authenticator);
/* For sasl_offer(). Lives as long as the authenticator. */
const struct sasl_settings *authenticator_sasl(const struct authenticator *authenticator);

#endif
