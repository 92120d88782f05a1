#include "auth/login.h"

#include "auth/login_internal.h"
#include "skein/proto/base/alloc.h"

static void ask(struct login *login, const struct sasl_ask *ask);

static void deliver(void *arg)
{
	struct login *login = arg;
	struct login_event event = login->event;

	login->on_event(login->arg, &event);
}

struct login *login_new(const struct login_options *options)
{
	struct login *login = mem_zalloc(sizeof(*login));

	*login = (struct login){
		.authenticator = options->authenticator,
		.loop = options->loop,
		.on_event = options->on_event,
		.arg = options->arg,
		.sasl = sasl_new(
			options->mechanism, authenticator_sasl(options->authenticator), options->channel),
	};
	loop_task_init(&login->task, deliver, login);
	return login;
}

static void drop_secret(char **text)
{
	if (*text)
		mem_wipe(*text, strlen(*text));
	mem_free(*text);
	*text = NULL;
}

void login_free(struct login **login_ptr)
{
	struct login *login = *login_ptr;

	if (!login)
		return;
	*login_ptr = NULL;
	loop_task_cancel(&login->task);
	pool_cancel(&login->job);
	if (login->waiting)
		auth_job_free(login->waiting);
	if (login->context)
		kerberos_context_free(&login->context);
	sasl_free(&login->sasl);
	judgement_fini(&login->judgement);
	identity_unref(&login->named);
	drop_secret(&login->password);
	mem_free(login->name);
	mem_free(login->user);
	mem_free(login);
}

void login_begin(struct login *login, bool has_initial, struct span initial)
{
	struct sasl_output output;
	enum sasl_step step = sasl_begin(login->sasl, has_initial, initial, &output);

	login_advance(login, step, &output);
}

void login_respond(struct login *login, struct span response)
{
	struct sasl_output output;
	enum sasl_step step = sasl_respond(login->sasl, response, &output);

	login_advance(login, step, &output);
}

/* ---- the end ---- */

static void emit(struct login *login, struct login_event event)
{
	login->event = event;
	loop_defer(login->loop, &login->task);
}

static char *lower_case(const char *text)
{
	char *copy = mem_strdup(text);

	for (char *at = copy; *at; at++)
		*at = ascii_lower(*at);
	return copy;
}

/* Whom limits are about: the same however the name is written. */
static const char *user_of(struct login *login)
{
	const struct identity *identity =
		login->judgement.identity ? login->judgement.identity : login->named;

	mem_free(login->user);
	login->user = identity ? mem_strdup(identity->user) : lower_case(login->name ? login->name : "");
	return login->user;
}

void login_finish(struct login *login)
{
	static const enum login_step steps[] = {
		[VERDICT_CANNOT_SAY] = LOGIN_UNAVAILABLE,
		[VERDICT_ACCEPTED] = LOGIN_ACCEPTED,
		[VERDICT_REFUSED_PASSWORD] = LOGIN_REFUSED,
		[VERDICT_REFUSED_STATE] = LOGIN_REFUSED,
	};
	const struct judgement *judgement = &login->judgement;
	bool is_accepted = judgement->verdict == VERDICT_ACCEPTED;

	emit(login, (struct login_event){
			    .step = steps[judgement->verdict],
			    .user = user_of(login),
			    .counts = judgement->verdict == VERDICT_REFUSED_PASSWORD,
			    .may_have_counted = judgement->may_have_counted,
			    .why = judgement->why,
			    .code = judgement->code,
			    .identity = is_accepted ? judgement->identity : NULL,
			    .proof = is_accepted ? login->accepted.proof : SASL_PROOF_PASSWORD,
			    .channel_bound = is_accepted && login->accepted.channel_bound,
			    .may_send_empty_line = is_accepted && login->accepted.may_send_empty_line,
		    });
}

/* The machine ended it: over what a back end said, or over a rule of its own. */
static void finish_refused(struct login *login, enum sasl_step step, const char *why)
{
	struct judgement *judgement = &login->judgement;

	if (step == SASL_MALFORMED) {
		emit(login,
			(struct login_event){ .step = LOGIN_MALFORMED, .user = user_of(login), .why = why });
		return;
	}
	/* The verifier was there, and the proof does not fit it. */
	if (judgement->why && judgement->verdict == VERDICT_ACCEPTED && !login->sid[0])
		judgement_set(judgement, VERDICT_REFUSED_PASSWORD, "wrong-password",
			identity_ref(judgement->identity));
	else if (!judgement->why || judgement->verdict == VERDICT_ACCEPTED)
		judgement_set(judgement, step == SASL_REFUSED ? VERDICT_REFUSED_STATE : VERDICT_CANNOT_SAY,
			why, NULL);
	login_finish(login);
}

void login_advance(struct login *login, enum sasl_step step, const struct sasl_output *output)
{
	switch (step) {
	case SASL_CHALLENGE:
		emit(login, (struct login_event){ .step = LOGIN_CHALLENGE, .challenge = output->challenge });
		break;
	case SASL_ASK:
		ask(login, &output->ask);
		break;
	case SASL_ACCEPTED:
		login_check_account(login, &output->accepted);
		break;
	case SASL_REFUSED:
	case SASL_MALFORMED:
	case SASL_UNAVAILABLE:
		finish_refused(login, step, output->why);
		break;
	}
}

/* ---- questions ---- */

void login_post(struct login *login, struct auth_job *job, pool_done_fn *done)
{
	enum err err = auth_post(login->authenticator, job, login->loop, done, login, &login->job);

	if (err)
		done(login, err, NULL);
}

void login_await_confirm(struct login *login, login_then_fn *then)
{
	login->then = then;
	emit(login, (struct login_event){ .step = LOGIN_CONFIRM, .user = user_of(login) });
}

void login_confirm(struct login *login, bool may_ask)
{
	login_then_fn *then = login->then;

	CHECK(then);
	login->then = NULL;
	if (may_ask) {
		then(login);
		return;
	}
	judgement_set(&login->judgement, VERDICT_REFUSED_STATE, "too-many-wrong-passwords", NULL);
	login_finish(login);
}

bool login_take_judgement(struct login *login, enum err err, struct auth_job *job, struct judgement *to)
{
	login->job = NULL;
	judgement_fini(to);
	if (!err) {
		*to = job->judgement;
		job->judgement.identity = NULL;
		return true;
	}
	*to = (struct judgement){
		.verdict = VERDICT_CANNOT_SAY,
		.why = err == ERR_FULL   ? "backend-busy"
		       : err == ERR_BUSY ? "backend-hangs"
					 : "backend-slow",
		.may_have_counted = err == ERR_UNKNOWN,
	};
	return false;
}

enum sasl_verdict login_sasl_verdict(const struct login *login)
{
	if (login->judgement.verdict == VERDICT_ACCEPTED)
		return SASL_YES;
	return login->judgement.verdict == VERDICT_CANNOT_SAY ? SASL_CANNOT_SAY : SASL_NO;
}

uint64_t login_now_ms(const struct login *login)
{
	return loop_now_ms(login->loop);
}

void login_keep_identity(struct login *login, const char *name, struct identity *identity)
{
	struct auth_cache *cache = login->authenticator->cache;

	auth_cache_add_identity(cache, span_of_str(identity->user), identity, login_now_ms(login));
	if (name)
		auth_cache_add_identity(cache, span_of_str(name), identity, login_now_ms(login));
}

void login_post_waiting(struct login *login, pool_done_fn *done)
{
	struct auth_job *job = login->waiting;

	login->waiting = NULL;
	login_post(login, job, done);
}

void login_look_up(
	struct login *login, bool in_file, enum directory_key key, struct span name, pool_done_fn *done)
{
	struct auth_job *job = auth_job_new(in_file ? AUTH_JOB_FILE_LOOK_UP : AUTH_JOB_LDAP_LOOK_UP);

	job->login = auth_job_text(job, name);
	job->key = key;
	login_post(login, job, done);
}

bool login_is_local(const struct identity *identity)
{
	return strcmp(identity->backend, "file") == 0;
}

bool login_is_at_directory(const struct login *login)
{
	return login->authenticator->order[login->backend] == AUTH_LDAP;
}

static void ask(struct login *login, const struct sasl_ask *question)
{
	switch (question->question) {
	case SASL_ASK_PASSWORD:
		login_ask_password(login, question);
		break;
	case SASL_ASK_SCRAM:
		login_ask_scram(login, question);
		break;
	case SASL_ASK_NTLM:
		login_ask_ntlm(login, question);
		break;
	case SASL_ASK_GSS_STEP:
		login_ask_kerberos(login, question);
		break;
	case SASL_ASK_GSS_WRAP:
	case SASL_ASK_GSS_UNWRAP:
		login_ask_wrap(login, question);
		break;
	}
}
