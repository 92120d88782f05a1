/* auth_job: one question to one back end, on its way to a pool's thread and back. */
#ifndef NODE_AUTH_AUTH_JOB_H
#define NODE_AUTH_AUTH_JOB_H

#include "auth/bind_password.h"
#include "auth/directory.h"
#include "auth/kerberos.h"
#include "auth/local_users.h"
#include "auth/pool.h"
#include "auth/winbind.h"
#include "skein/proto/base/arena.h"

struct log_writer;

/* What the threads of one pool work with; NULL: not of this pool, or not set up. */
struct auth_backends {
	const char *name; /* of the pool, in the log */
	struct log_writer *log;
	struct directory *directory;
	struct bind_password *bind_password; /* the directory's */
	struct local_users *users;
	struct kerberos *kerberos;
	bool has_winbind;
	struct arena arena; /* the texts that the above borrow */
};

/* For pool_options: `arg` is the struct auth_backends, which the last one frees. */
void *auth_thread_new(void *arg);
void auth_thread_free(void *thread);
void auth_backends_free(void *arg);

enum auth_job_kind {
	AUTH_JOB_LDAP_PASSWORD,
	AUTH_JOB_LDAP_LOOK_UP,
	AUTH_JOB_LDAP_NAME,
	AUTH_JOB_FILE_PASSWORD,
	AUTH_JOB_FILE_LOOK_UP,
	AUTH_JOB_FILE_SCRAM,
	AUTH_JOB_NTLM,
	AUTH_JOB_KERBEROS,
	/* Upkeep */
	AUTH_JOB_LDAP_LOCKOUT,
	AUTH_JOB_WINBIND_NAMES,
	AUTH_JOB_FILES,
};

struct auth_job {
	enum auth_job_kind kind;
	/* The question; texts are in the arena. */
	const char *login; /* or the key of a look-up */
	char *password;    /* secret */
	enum directory_key key;
	struct winbind_ntlm ntlm;
	struct kerberos_ask ask;
	struct kerberos_context *context; /* owned on the way; whoever gets the answer may take it */
	bool must_read;                   /* AUTH_JOB_FILES: also the users' file that did not change */
	/* The answer */
	struct judgement judgement;
	struct local_scram scram;
	struct winbind_result ntlm_result;
	bool has_ntlm_result;
	struct kerberos_result kerberos_result;
	struct directory_lockout lockout;
	struct winbind_names names;
	enum err err;
	struct arena arena;
};

struct auth_job *auth_job_new(enum auth_job_kind kind);
/* Copies into the job's own memory. */
const char *auth_job_text(struct auth_job *job, struct span text);
struct span auth_job_bytes(struct auth_job *job, struct span bytes);
/* For pool_work. */
void auth_job_run(void *job, void *thread, const struct pool_turn *turn);
/* Wipes all that is secret. */
void auth_job_free(void *job);

#endif
