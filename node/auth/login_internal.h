/*
 * What the files of a login share. login.c is the exchange: the machine, the client's events, the questions
 * to back ends. login_password.c, login_scram.c, login_ntlm.c and login_kerberos.c are a mechanism's
 * questions each; login_naming.c finds out whose name it is before, login_account.c who it is and whether he
 * may after.
 */
#ifndef NODE_AUTH_LOGIN_INTERNAL_H
#define NODE_AUTH_LOGIN_INTERNAL_H

#include "auth/authenticator_internal.h"
#include "auth/login.h"

typedef void login_then_fn(struct login *login);

struct login {
	struct authenticator *authenticator;
	struct loop *loop;
	login_fn *on_event;
	void *arg;
	struct sasl *sasl;
	struct pool_job *job;     /* on its way */
	login_then_fn *then;      /* what login_confirm() goes on with */
	struct auth_job *waiting; /* goes off then, with SCRAM and NTLM; owned */
	char *name;               /* whom the client named */
	char *password;           /* secret */
	struct identity *named;   /* whose name it is: only ->user means something; NULL: not known */
	login_then_fn *on_named;
	bool is_of_domain;     /* only the directory is asked for the name */
	size_t backend;        /* in authenticator->order */
	struct judgement away; /* what the directory could not say when it was asked for the name */
	struct judgement judgement;
	char sid[SID_TEXT_SIZE]; /* of one who proved himself by NTLM or Kerberos */
	struct kerberos_context *context;
	struct sasl_accepted accepted;
	char *user; /* of the event */
	struct login_event event;
	struct loop_task task; /* delivers the event */
};

/* What the machine said, to the client or to a back end. */
void login_advance(struct login *login, enum sasl_step step, const struct sasl_output *output);
/* Over: tells the client's side what login->judgement says. */
void login_finish(struct login *login);

/* Sends the job off, which is moved; `done` hears of a pool without room, too. */
void login_post(struct login *login, struct auth_job *job, pool_done_fn *done);
/* The same with login->waiting. */
void login_post_waiting(struct login *login, pool_done_fn *done);
/* Asks for an account, in the users' file or in the directory. */
void login_look_up(
	struct login *login, bool in_file, enum directory_key key, struct span name, pool_done_fn *done);
/* Nobody is asked for a verdict before login_confirm() says that it may be; then `then` goes on. */
void login_await_confirm(struct login *login, login_then_fn *then);
/* What a back end said goes to `to`; silence too. True: it answered. */
bool login_take_judgement(struct login *login, enum err err, struct auth_job *job, struct judgement *to);

/* login->judgement in the machine's words. */
enum sasl_verdict login_sasl_verdict(const struct login *login);
uint64_t login_now_ms(const struct login *login);
/* The cache remembers the account, by its canonical name and by `name`, which may be NULL. */
void login_keep_identity(struct login *login, const char *name, struct identity *identity);
bool login_is_local(const struct identity *identity);
/* The back end whose turn it is. */
bool login_is_at_directory(const struct login *login);

/*
 * A domain counts wrong passwords by account, and there are many ways to write the name of one. So whose it
 * is is found out before anybody is asked about a password: of the back ends, in their order, the first that
 * knows it. A directory that cannot say is not asked about the password either.
 */
void login_begin_naming(struct login *login, bool is_of_domain, login_then_fn *on_named);

/* The machine's questions; each is answered to the machine, now or later. */
void login_ask_password(struct login *login, const struct sasl_ask *question);
void login_ask_scram(struct login *login, const struct sasl_ask *question);
void login_ask_ntlm(struct login *login, const struct sasl_ask *question);
void login_ask_kerberos(struct login *login, const struct sasl_ask *question);
/* No thread for these: arithmetic on some bytes. */
void login_ask_wrap(struct login *login, const struct sasl_ask *question);

/* Proved: who is it, and may he? login_finish() follows. */
void login_check_account(struct login *login, const struct sasl_accepted *accepted);

#endif
