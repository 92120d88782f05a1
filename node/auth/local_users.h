/*
 * local_users: those in the file of users (skein/proto/auth/user_file.h). The file is read again when it has
 * changed; one that cannot be read or is wrong is told in the log, and the users stay as they were. All calls
 * block for some milliseconds and are for a pool's threads; any number of them.
 */
#ifndef NODE_AUTH_LOCAL_USERS_H
#define NODE_AUTH_LOCAL_USERS_H

#include "auth/identity.h"
#include "skein/proto/auth/sasl.h"
#include "skein/proto/base/err.h"

struct local_users;
struct log;

/* `path` is copied. Reads nothing yet. */
struct local_users *local_users_new(const char *path);
void local_users_free(struct local_users **users);
/* At start and on SIGHUP. With an error the log has the line. */
enum err local_users_load(struct local_users *users, struct log *log) WARN_UNUSED;

/* Reads the file if it has changed; every call below does so first. */
void local_users_refresh(struct local_users *users, struct log *log);
/* How often other users have come out of the file: whoever remembers what was said of them looks at it. */
unsigned local_users_generation(const struct local_users *users);

/*
 * "no-such-user" takes as long as "wrong-password". Not the file's fault when it changes: it is looked at
 * first. CANNOT_SAY only while no file could be read since the start.
 */
void local_users_check_password(struct local_users *users, struct log *log, const char *login,
	const char *password, struct judgement *judgement_out);
/* ACCEPTED and REFUSED_STATE as for one who proved who he is; REFUSED_PASSWORD with "no-such-user". */
void local_users_look_up(
	struct local_users *users, struct log *log, const char *login, struct judgement *judgement_out);

struct local_scram {
	struct sasl_scram_verifier verifier; /* its salt points into this struct: not to be copied */
	char salt[SASL_SCRAM_SALT_MAX];
};

/*
 * ACCEPTED: the verifier of one who may log in. REFUSED_PASSWORD: nobody has this name, or he has none. The
 * caller wipes `scram_out`.
 */
void local_users_find_scram(struct local_users *users, struct log *log, const char *login,
	struct judgement *judgement_out, struct local_scram *scram_out);

#endif
