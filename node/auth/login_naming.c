#include "auth/login_internal.h"
#include "skein/proto/base/alloc.h"

static void find_name(struct login *login);

static void on_name(void *arg, enum err err, void *data)
{
	struct login *login = arg;
	struct judgement found = { 0 };

	login_take_judgement(login, err, data, &found);
	if (found.identity) {
		login->named = identity_ref(found.identity);
		auth_cache_add_name(login->authenticator->cache, span_of_str(login->name), login->named,
			login_now_ms(login));
	} else if (found.verdict == VERDICT_CANNOT_SAY && login_is_at_directory(login)) {
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
		!login_is_at_directory(login))
		login->backend++;
	if (login->named || login->backend == login->authenticator->order_count) {
		login->backend = 0;
		login->on_named(login);
		return;
	}
	job = auth_job_new(login_is_at_directory(login) ? AUTH_JOB_LDAP_NAME : AUTH_JOB_FILE_LOOK_UP);
	job->login = auth_job_text(job, span_of_str(login->name));
	login_post(login, job, on_name);
}

void login_begin_naming(struct login *login, bool is_of_domain, login_then_fn *on_named)
{
	login->on_named = on_named;
	login->is_of_domain = is_of_domain;
	login->named = auth_cache_find_name(
		login->authenticator->cache, span_of_str(login->name), login_now_ms(login));
	if (login->named && is_of_domain && login_is_local(login->named))
		identity_unref(&login->named);
	find_name(login);
}
