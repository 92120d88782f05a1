/*
 * winbind: is this NTLM response right? The domain controller says so, through the winbindd of this machine
 * (libwbclient). The machine is joined to the domain, and the process is root or in the group winbindd_priv.
 *
 * Blocks: all calls with a `struct winbind_thread` are for one thread of a pool each; two threads in one
 * hang. Nothing here bounds the time, libwbclient has no limit of its own: while a domain controller hangs a
 * call takes once or twice the `winbind request timeout` of smb.conf (60 s where it is not set), while
 * winbindd itself hangs 300 s. So the pool is one for winbind alone, with at most as many threads as
 * `winbind max domain connections`, and the client gets its answer from the pool's deadline.
 */
#ifndef NODE_AUTH_WINBIND_H
#define NODE_AUTH_WINBIND_H

#include "auth/identity.h"
#include "auth/sid.h"
#include "skein/proto/base/err.h"

struct log;
struct winbind_thread;
struct pool_turn;

enum {
	WINBIND_CHALLENGE_LEN = 8,
	WINBIND_KEY_LEN = 16,
	WINBIND_NAME_SIZE = 256, /* with the NUL */
};

/* In the thread that uses it. Connects with the first question, and again whenever winbindd was restarted. */
struct winbind_thread *winbind_thread_new(struct log *log);
void winbind_thread_free(struct winbind_thread **thread);

/* What the client's AUTHENTICATE says, and our challenge. Borrowed. */
struct winbind_ntlm {
	/* UTF-8, as they were sent: they are hashed into the response. Domain and workstation may be "". */
	const char *domain, *user, *workstation;
	uint8_t challenge[WINBIND_CHALLENGE_LEN];
	struct span lm; /* may be empty */
	/* Of NTLMv2, more than 24 bytes. NTLMv1 is never asked about: the domain would count a wrong
	 * password. */
	struct span nt;
};

struct winbind_result {
	/*
	 * ACCEPTED: "accepted"; the account is to be looked up by its SID, as `identity` is always NULL here.
	 * `code` is the NT status of a refusal or of CANNOT_SAY, 0: winbindd gave none.
	 */
	struct judgement judgement;
	/* The rest with ACCEPTED only. */
	uint8_t session_key[WINBIND_KEY_LEN]; /* secret */
	char sid[SID_TEXT_SIZE];              /* of the user: S-1-5-21-... */
	/* The user, the primary group, all other groups of the domain, nested ones too; owned. */
	struct sid *token;
	size_t token_count;
};

/*
 * `result_out` need not be set before. It is always filled, and ended with winbind_result_fini(). The domain
 * is not asked once the job of the turn was given up.
 */
void winbind_check_ntlm(struct winbind_thread *thread, const struct winbind_ntlm *ntlm,
	const struct pool_turn *turn, struct winbind_result *result_out);
/* Wipes the key. */
void winbind_result_fini(struct winbind_result *result);

/* Of the joined machine, for NTLM's CHALLENGE: valid UTF-8 without control characters. */
struct winbind_names {
	char netbios_domain[WINBIND_NAME_SIZE], netbios_computer[WINBIND_NAME_SIZE]; /* never "" */
	char dns_domain[WINBIND_NAME_SIZE], dns_computer[WINBIND_NAME_SIZE];         /* "": not known */
};

/* ERR_CLOSED: winbindd does not answer. ERR_INVALID: it tells names that no CHALLENGE can have. */
enum err winbind_read_names(struct winbind_thread *thread, struct winbind_names *names_out) WARN_UNUSED;

/*
 * Does winbindd answer? Asks nothing of the domain controller and takes a fraction of a millisecond. So NTLM
 * can be offered; with a controller that is away for a while clients get "try again", which is better for
 * them than a mechanism that comes and goes.
 */
bool winbind_is_there(struct winbind_thread *thread);

#endif
