#include "auth/login_internal.h"
#include "skein/proto/base/alloc.h"

static void on_scram(void *arg, enum err err, void *data)
{
	struct login *login = arg;
	struct auth_job *job = data;
	struct sasl_output output;
	bool is_there = login_take_judgement(login, err, job, &login->judgement);
	enum sasl_step step = sasl_answer_scram(
		login->sasl, login_sasl_verdict(login), is_there ? &job->scram.verifier : NULL, &output);

	login_advance(login, step, &output);
}

static void post_scram(struct login *login)
{
	login_post_waiting(login, on_scram);
}

void login_ask_scram(struct login *login, const struct sasl_ask *question)
{
	struct auth_job *job = auth_job_new(AUTH_JOB_FILE_SCRAM);

	login->name = mem_strndup(question->scram.login.ptr, question->scram.login.len);
	job->login = auth_job_text(job, question->scram.login);
	login->waiting = job;
	login_await_confirm(login, post_scram);
}
