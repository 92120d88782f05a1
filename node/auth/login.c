#include "auth/login.h"

#include "auth/authenticator_internal.h"
#include "skein/proto/base/alloc.h"

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

static void advance(struct login *login, enum sasl_step step, const struct sasl_output *output);
static void ask(struct login *login, const struct sasl_ask *ask);
static void finish_accepted(struct login *login, const struct sasl_accepted *accepted);

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

	advance(login, step, &output);
}

void login_respond(struct login *login, struct span response)
{
	struct sasl_output output;
	enum sasl_step step = sasl_respond(login->sasl, response, &output);

	advance(login, step, &output);
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

/* By login->judgement. */
static void finish(struct login *login)
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
	finish(login);
}

static void advance(struct login *login, enum sasl_step step, const struct sasl_output *output)
{
	switch (step) {
	case SASL_CHALLENGE:
		emit(login, (struct login_event){ .step = LOGIN_CHALLENGE, .challenge = output->challenge });
		break;
	case SASL_ASK:
		ask(login, &output->ask);
		break;
	case SASL_ACCEPTED:
		finish_accepted(login, &output->accepted);
		break;
	case SASL_REFUSED:
	case SASL_MALFORMED:
	case SASL_UNAVAILABLE:
		finish_refused(login, step, output->why);
		break;
	}
}

/* ---- questions ---- */

/* Sends the job off; `done` hears of a pool without room, too. */
static void post(struct login *login, struct auth_job *job, pool_done_fn *done)
{
	enum err err = auth_post(login->authenticator, job, login->loop, done, login, &login->job);

	if (err)
		done(login, err, NULL);
}

/* Nobody is asked before somebody says that it may be. */
static void confirm(struct login *login, login_then_fn *then)
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
	finish(login);
}

/* What a back end said goes to `to`; silence too. True: it answered. */
static bool take_judgement(struct login *login, enum err err, struct auth_job *job, struct judgement *to)
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

static enum sasl_verdict verdict_of(const struct judgement *judgement)
{
	if (judgement->verdict == VERDICT_ACCEPTED)
		return SASL_YES;
	return judgement->verdict == VERDICT_CANNOT_SAY ? SASL_CANNOT_SAY : SASL_NO;
}

static uint64_t now_of(const struct login *login)
{
	return loop_now_ms(login->loop);
}

static void keep_identity(struct login *login, const char *name, struct identity *identity)
{
	struct auth_cache *cache = login->authenticator->cache;

	auth_cache_add_identity(cache, span_of_str(identity->user), identity, now_of(login));
	if (name)
		auth_cache_add_identity(cache, span_of_str(name), identity, now_of(login));
}

static void post_waiting(struct login *login, pool_done_fn *done)
{
	struct auth_job *job = login->waiting;

	login->waiting = NULL;
	post(login, job, done);
}

static void look_up(
	struct login *login, bool in_file, enum directory_key key, struct span name, pool_done_fn *done)
{
	struct auth_job *job = auth_job_new(in_file ? AUTH_JOB_FILE_LOOK_UP : AUTH_JOB_LDAP_LOOK_UP);

	job->login = auth_job_text(job, name);
	job->key = key;
	post(login, job, done);
}

static bool is_local(const struct identity *identity)
{
	return strcmp(identity->backend, "file") == 0;
}

static bool is_directory(const struct login *login)
{
	return login->authenticator->order[login->backend] == AUTH_LDAP;
}

/* ---- whose name it is ---- */

/*
 * A domain counts wrong passwords by account, and there are many ways to write the name of one. So whose it
 * is is found out before anybody is asked about a password: of the back ends, in their order, the first that
 * knows it. A directory that cannot say is not asked about the password either.
 */
static void find_name(struct login *login);

static void on_name(void *arg, enum err err, void *data)
{
	struct login *login = arg;
	struct judgement found = { 0 };

	take_judgement(login, err, data, &found);
	if (found.identity) {
		login->named = identity_ref(found.identity);
		auth_cache_add_name(
			login->authenticator->cache, span_of_str(login->name), login->named, now_of(login));
	} else if (found.verdict == VERDICT_CANNOT_SAY && is_directory(login)) {
		login->away = found;
	}
	judgement_fini(&found);
	login->backend++;
	find_name(login);
}

static void find_name(struct login *login)
{
	struct auth_job *job;

	while (login->is_of_domain && login->backend < login->authenticator->order_count &&
		!is_directory(login))
		login->backend++;
	if (login->named || login->backend == login->authenticator->order_count) {
		login->backend = 0;
		login->on_named(login);
		return;
	}
	job = auth_job_new(is_directory(login) ? AUTH_JOB_LDAP_NAME : AUTH_JOB_FILE_LOOK_UP);
	job->login = auth_job_text(job, span_of_str(login->name));
	post(login, job, on_name);
}

static void begin_naming(struct login *login, bool is_of_domain, login_then_fn *on_named)
{
	login->on_named = on_named;
	login->is_of_domain = is_of_domain;
	login->named =
		auth_cache_find_name(login->authenticator->cache, span_of_str(login->name), now_of(login));
	if (login->named && is_of_domain && is_local(login->named))
		identity_unref(&login->named);
	find_name(login);
}

/* ---- passwords ---- */

static void on_password(void *arg, enum err err, void *data);
static void on_password_named(struct login *login);

static void answer_password(struct login *login)
{
	struct sasl_output output;
	enum sasl_step step = sasl_answer_password(login->sasl, verdict_of(&login->judgement), &output);

	advance(login, step, &output);
}

static void post_password(struct login *login)
{
	struct auth_job *job =
		auth_job_new(is_directory(login) ? AUTH_JOB_LDAP_PASSWORD : AUTH_JOB_FILE_PASSWORD);

	job->login = auth_job_text(job, span_of_str(login->name));
	job->password = mem_strdup(login->password);
	post(login, job, on_password);
}

/* The password was right a moment ago, and the account is looked at again. */
static void on_proved(void *arg, enum err err, void *data)
{
	struct login *login = arg;

	take_judgement(login, err, data, &login->judgement);
	if (login->judgement.verdict == VERDICT_ACCEPTED)
		keep_identity(login, NULL, login->judgement.identity);
	else if (login->judgement.verdict != VERDICT_CANNOT_SAY)
		auth_cache_remove(
			login->authenticator->cache, span_of_str(login->name), span_of_str(login->password));
	/* The account is gone: no wrong password. */
	if (login->judgement.verdict == VERDICT_REFUSED_PASSWORD)
		login->judgement.verdict = VERDICT_REFUSED_STATE;
	answer_password(login);
}

static void ask_password(struct login *login, const struct sasl_ask *question)
{
	struct identity *identity;

	login->name = mem_strndup(question->password.login.ptr, question->password.login.len);
	login->password = mem_strndup(question->password.password.ptr, question->password.password.len);
	switch (auth_cache_find(login->authenticator->cache, question->password.login,
		question->password.password, now_of(login), &identity)) {
	case CACHE_RIGHT:
		judgement_set_state(&login->judgement, identity);
		answer_password(login);
		break;
	case CACHE_WRONG:
		judgement_set(&login->judgement, VERDICT_REFUSED_STATE, "same-wrong-password", identity);
		answer_password(login);
		break;
	case CACHE_PROVED:
		look_up(login, is_local(identity), DIRECTORY_BY_SID,
			span_of_str(is_local(identity) ? identity->user : identity->sid), on_proved);
		identity_unref(&identity);
		break;
	case CACHE_UNKNOWN:
		judgement_set(&login->judgement, VERDICT_CANNOT_SAY, "no-backend", NULL);
		if (login->authenticator->order_count)
			begin_naming(login, false, on_password_named);
		else
			answer_password(login);
		break;
	}
}

static bool is_unknown_user(const struct judgement *judgement)
{
	return judgement->verdict == VERDICT_REFUSED_PASSWORD && strcmp(judgement->why, "no-such-user") == 0;
}

/* A domain, that is: a file locks nobody out. */
static bool may_have_counted(const struct judgement *judgement)
{
	return judgement->may_have_counted || (judgement->verdict == VERDICT_REFUSED_PASSWORD &&
						      judgement->identity && !is_local(judgement->identity));
}

/* After a back end that could not say, another may only accept: the user may be the first one's. */
static void merge(struct judgement *into, struct judgement *next)
{
	if (into->why && into->verdict == VERDICT_CANNOT_SAY && next->verdict != VERDICT_ACCEPTED) {
		into->may_have_counted |= may_have_counted(next);
		judgement_fini(next);
		return;
	}
	judgement_fini(into);
	*into = *next;
}

/* False: nobody is left who can be asked. */
static bool skip_what_is_away(struct login *login)
{
	if (login->backend < login->authenticator->order_count && is_directory(login) && login->away.why) {
		struct judgement away = login->away;

		merge(&login->judgement, &away);
		login->backend++;
	}
	return login->backend < login->authenticator->order_count;
}

static void on_password_named(struct login *login)
{
	login->judgement = (struct judgement){ .verdict = VERDICT_CANNOT_SAY };
	if (skip_what_is_away(login))
		confirm(login, post_password);
	else
		answer_password(login);
}

static void remember_password(struct login *login)
{
	struct auth_cache *cache = login->authenticator->cache;
	struct span name = span_of_str(login->name), password = span_of_str(login->password);
	struct identity *identity = login->judgement.identity;

	if (identity)
		auth_cache_add_name(cache, name, identity, now_of(login));
	if (login->judgement.verdict == VERDICT_ACCEPTED) {
		auth_cache_add_right(cache, name, password, identity, now_of(login));
		keep_identity(login, NULL, identity);
	} else if (login->judgement.verdict == VERDICT_REFUSED_PASSWORD) {
		auth_cache_add_wrong(cache, name, password, identity, now_of(login));
	}
}

static void on_password(void *arg, enum err err, void *data)
{
	struct login *login = arg;
	struct judgement next = { 0 };
	bool is_open;

	take_judgement(login, err, data, &next);
	is_open = next.verdict == VERDICT_CANNOT_SAY || is_unknown_user(&next);
	merge(&login->judgement, &next);
	login->backend += is_open;
	if (is_open && skip_what_is_away(login)) {
		post_password(login);
		return;
	}
	remember_password(login);
	answer_password(login);
}

/* ---- SCRAM ---- */

static void on_scram(void *arg, enum err err, void *data)
{
	struct login *login = arg;
	struct auth_job *job = data;
	struct sasl_output output;
	bool is_there = take_judgement(login, err, job, &login->judgement);
	enum sasl_step step = sasl_answer_scram(
		login->sasl, verdict_of(&login->judgement), is_there ? &job->scram.verifier : NULL, &output);

	advance(login, step, &output);
}

static void post_scram(struct login *login)
{
	post_waiting(login, on_scram);
}

static void ask_scram(struct login *login, const struct sasl_ask *question)
{
	struct auth_job *job = auth_job_new(AUTH_JOB_FILE_SCRAM);

	login->name = mem_strndup(question->scram.login.ptr, question->scram.login.len);
	job->login = auth_job_text(job, question->scram.login);
	login->waiting = job;
	confirm(login, post_scram);
}

/* ---- NTLM ---- */

static void answer_ntlm(struct login *login, const uint8_t *session_key)
{
	struct sasl_output output;
	enum sasl_step step =
		sasl_answer_ntlm(login->sasl, verdict_of(&login->judgement), session_key, &output);

	advance(login, step, &output);
}

static void on_ntlm(void *arg, enum err err, void *data)
{
	struct login *login = arg;
	struct auth_job *job = data;

	if (!err) {
		job->judgement = job->ntlm_result.judgement;
		job->ntlm_result.judgement.identity = NULL;
	}
	take_judgement(login, err, job, &login->judgement);
	if (login->judgement.verdict == VERDICT_ACCEPTED)
		memcpy(login->sid, job->ntlm_result.sid, sizeof(login->sid));
	answer_ntlm(login, err ? NULL : job->ntlm_result.session_key);
}

/* Whom the directory does not know, by this name, would not get in; and its count would be nobody's. */
static void post_ntlm(struct login *login)
{
	if (login->named) {
		post_waiting(login, on_ntlm);
		return;
	}
	judgement_set(&login->judgement, VERDICT_REFUSED_PASSWORD, "no-such-user", NULL);
	answer_ntlm(login, NULL);
}

static void on_ntlm_named(struct login *login)
{
	if (login->named || !login->away.why) {
		confirm(login, post_ntlm);
		return;
	}
	login->judgement = login->away;
	answer_ntlm(login, NULL);
}

static char *ntlm_name(struct span domain, struct span user)
{
	struct buf text = { 0 };
	char *name;

	if (domain.len)
		buf_printf(&text, "%.*s\\", SPAN_ARGS(domain));
	buf_append(&text, user);
	name = mem_strndup(buf_span(&text).ptr, buf_len(&text));
	buf_fini(&text);
	return name;
}

static void ask_ntlm(struct login *login, const struct sasl_ask *question)
{
	struct auth_job *job = auth_job_new(AUTH_JOB_NTLM);

	login->name = ntlm_name(question->ntlm.domain, question->ntlm.user);
	job->ntlm = (struct winbind_ntlm){
		.domain = auth_job_text(job, question->ntlm.domain),
		.user = auth_job_text(job, question->ntlm.user),
		.workstation = auth_job_text(job, question->ntlm.workstation),
		.lm = auth_job_bytes(job, question->ntlm.lm),
		.nt = auth_job_bytes(job, question->ntlm.nt),
	};
	memcpy(job->ntlm.challenge, question->ntlm.challenge, sizeof(job->ntlm.challenge));
	login->waiting = job;
	begin_naming(login, true, on_ntlm_named);
}

/* ---- Kerberos ---- */

static void judge_step(struct login *login, const struct kerberos_result *result)
{
	enum verdict verdict = result->verdict == SASL_YES  ? VERDICT_ACCEPTED
			       : result->verdict == SASL_NO ? VERDICT_REFUSED_STATE
							    : VERDICT_CANNOT_SAY;

	judgement_set(&login->judgement, verdict, result->why, NULL);
	if (verdict == VERDICT_ACCEPTED && result->gss.complete) {
		memcpy(login->sid, result->sid, strlen(result->sid) + 1);
		mem_free(login->name);
		login->name = mem_strndup(result->gss.name.ptr, result->gss.name.len);
	}
}

static void on_kerberos(void *arg, enum err err, void *data)
{
	struct login *login = arg;
	struct auth_job *job = data;
	struct sasl_output output;
	enum sasl_step step;

	take_judgement(login, err, job, &login->judgement);
	if (!err) {
		login->context = job->context;
		job->context = NULL;
		judge_step(login, &job->kerberos_result);
	}
	step = sasl_answer_gss_step(
		login->sasl, verdict_of(&login->judgement), err ? NULL : &job->kerberos_result.gss, &output);
	advance(login, step, &output);
}

static void ask_kerberos(struct login *login, const struct sasl_ask *question)
{
	struct auth_job *job = auth_job_new(AUTH_JOB_KERBEROS);

	job->context = login->context ? login->context : kerberos_context_new(login->authenticator->kerberos);
	login->context = NULL;
	job->ask = (struct kerberos_ask){
		.kind = question->gss_step.kind,
		.first = question->gss_step.first,
		.token = auth_job_bytes(job, question->gss_step.token),
		.binding = auth_job_bytes(job, question->gss_step.binding),
	};
	post(login, job, on_kerberos);
}

/* No thread for these: arithmetic on some bytes. */
static void ask_wrap(struct login *login, const struct sasl_ask *question)
{
	struct sasl_output output;
	struct span out = { 0 };
	bool is_wrap = question->question == SASL_ASK_GSS_WRAP;
	enum sasl_verdict verdict = is_wrap ? kerberos_wrap(login->context, question->gss_wrap, &out)
					    : kerberos_unwrap(login->context, question->gss_unwrap, &out);
	enum sasl_step step = is_wrap ? sasl_answer_gss_wrap(login->sasl, verdict, out, &output)
				      : sasl_answer_gss_unwrap(login->sasl, verdict, out, &output);

	advance(login, step, &output);
}

static void ask(struct login *login, const struct sasl_ask *question)
{
	switch (question->question) {
	case SASL_ASK_PASSWORD:
		ask_password(login, question);
		break;
	case SASL_ASK_SCRAM:
		ask_scram(login, question);
		break;
	case SASL_ASK_NTLM:
		ask_ntlm(login, question);
		break;
	case SASL_ASK_GSS_STEP:
		ask_kerberos(login, question);
		break;
	case SASL_ASK_GSS_WRAP:
	case SASL_ASK_GSS_UNWRAP:
		ask_wrap(login, question);
		break;
	}
}

/* ---- proved: who is it, and may he? ---- */

/* RFC 4422 3.4.1: an authorization identity is fine when it is the same user in other words. */
static void on_authzid(void *arg, enum err err, void *data)
{
	struct login *login = arg;
	struct judgement other = { 0 };

	take_judgement(login, err, data, &other);
	if (other.verdict == VERDICT_CANNOT_SAY) {
		judgement_fini(&login->judgement);
		login->judgement = other;
	} else {
		if (!other.identity || strcmp(other.identity->user, login->judgement.identity->user) != 0)
			judgement_set(&login->judgement, VERDICT_REFUSED_STATE, "other-authzid", NULL);
		judgement_fini(&other);
	}
	finish(login);
}

static void check_authzid(struct login *login)
{
	const struct identity *identity = login->judgement.identity;
	struct span authzid = login->accepted.authzid;

	if (login->judgement.verdict != VERDICT_ACCEPTED || !authzid.len ||
		span_eq_nocase(authzid, span_of_str(identity->user)))
		finish(login);
	else
		look_up(login, is_local(identity), DIRECTORY_BY_LOGIN, authzid, on_authzid);
}

/* NTLM and Kerberos say who it is; the directory says whether he may, and what he is a member of. */
static void on_account(void *arg, enum err err, void *data)
{
	struct login *login = arg;

	take_judgement(login, err, data, &login->judgement);
	if (login->judgement.verdict == VERDICT_ACCEPTED)
		keep_identity(login, login->sid, login->judgement.identity);
	if (login->judgement.verdict == VERDICT_REFUSED_PASSWORD)
		login->judgement.verdict = VERDICT_REFUSED_STATE;
	check_authzid(login);
}

static void finish_accepted(struct login *login, const struct sasl_accepted *accepted)
{
	struct identity *known;

	login->accepted = *accepted;
	if (!login->sid[0]) {
		check_authzid(login);
		return;
	}
	known = auth_cache_find_identity(login->authenticator->cache, span_of_str(login->sid), now_of(login));
	if (known) {
		judgement_set_state(&login->judgement, known);
		check_authzid(login);
	} else {
		look_up(login, false, DIRECTORY_BY_SID, span_of_str(login->sid), on_account);
	}
}
