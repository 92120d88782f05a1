#include "auth/login_internal.h"
#include "skein/proto/base/alloc.h"

static void on_password(void *arg, enum err err, void *data);
static void on_password_named(struct login *login);

static void answer_password(struct login *login)
{
	struct sasl_output output;
	enum sasl_step step = sasl_answer_password(login->sasl, login_sasl_verdict(login), &output);

	login_advance(login, step, &output);
}

static void post_password(struct login *login)
{
	struct auth_job *job =
		auth_job_new(login_is_at_directory(login) ? AUTH_JOB_LDAP_PASSWORD : AUTH_JOB_FILE_PASSWORD);

	job->login = auth_job_text(job, span_of_str(login->name));
	job->password = mem_strdup(login->password);
	login_post(login, job, on_password);
}

/* The password was right a moment ago, and the account is looked at again. */
static void on_proved(void *arg, enum err err, void *data)
{
	struct login *login = arg;

	login_take_judgement(login, err, data, &login->judgement);
	if (login->judgement.verdict == VERDICT_ACCEPTED)
		login_keep_identity(login, NULL, login->judgement.identity);
	else if (login->judgement.verdict != VERDICT_CANNOT_SAY)
		auth_cache_remove(
			login->authenticator->cache, span_of_str(login->name), span_of_str(login->password));
	/* The account is gone: no wrong password. */
	if (login->judgement.verdict == VERDICT_REFUSED_PASSWORD)
		login->judgement.verdict = VERDICT_REFUSED_STATE;
	answer_password(login);
}

void login_ask_password(struct login *login, const struct sasl_ask *question)
{
	struct identity *identity;

	login->name = mem_strndup(question->password.login.ptr, question->password.login.len);
	login->password = mem_strndup(question->password.password.ptr, question->password.password.len);
	switch (auth_cache_find(login->authenticator->cache, question->password.login,
		question->password.password, login_now_ms(login), &identity)) {
	case CACHE_RIGHT:
		judgement_set_state(&login->judgement, identity);
		answer_password(login);
		break;
	case CACHE_WRONG:
		judgement_set(&login->judgement, VERDICT_REFUSED_STATE, "same-wrong-password", identity);
		answer_password(login);
		break;
	case CACHE_PROVED:
		login_look_up(login, login_is_local(identity), DIRECTORY_BY_SID,
			span_of_str(login_is_local(identity) ? identity->user : identity->sid), on_proved);
		identity_unref(&identity);
		break;
	case CACHE_UNKNOWN:
		judgement_set(&login->judgement, VERDICT_CANNOT_SAY, "no-backend", NULL);
		if (login->authenticator->order_count)
			login_begin_naming(login, false, on_password_named);
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
	return judgement->may_have_counted ||
	       (judgement->verdict == VERDICT_REFUSED_PASSWORD && judgement->identity &&
		       !login_is_local(judgement->identity));
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
	if (login->backend < login->authenticator->order_count && login_is_at_directory(login) &&
		login->away.why) {
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
		login_await_confirm(login, post_password);
	else
		answer_password(login);
}

static void remember_password(struct login *login)
{
	struct auth_cache *cache = login->authenticator->cache;
	struct span name = span_of_str(login->name), password = span_of_str(login->password);
	struct identity *identity = login->judgement.identity;

	if (identity)
		auth_cache_add_name(cache, name, identity, login_now_ms(login));
	if (login->judgement.verdict == VERDICT_ACCEPTED) {
		auth_cache_add_right(cache, name, password, identity, login_now_ms(login));
		login_keep_identity(login, NULL, identity);
	} else if (login->judgement.verdict == VERDICT_REFUSED_PASSWORD) {
		auth_cache_add_wrong(cache, name, password, identity, login_now_ms(login));
	}
}

static void on_password(void *arg, enum err err, void *data)
{
	struct login *login = arg;
	struct judgement next = { 0 };
	bool is_open;

	login_take_judgement(login, err, data, &next);
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
