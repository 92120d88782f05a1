#include "auth/login_internal.h"
#include "skein/proto/base/alloc.h"

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

	login_take_judgement(login, err, job, &login->judgement);
	if (!err) {
		login->context = job->context;
		job->context = NULL;
		judge_step(login, &job->kerberos_result);
	}
	step = sasl_answer_gss_step(
		login->sasl, login_sasl_verdict(login), err ? NULL : &job->kerberos_result.gss, &output);
	login_advance(login, step, &output);
}

void login_ask_kerberos(struct login *login, const struct sasl_ask *question)
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
	login_post(login, job, on_kerberos);
}

void login_ask_wrap(struct login *login, const struct sasl_ask *question)
{
	struct sasl_output output;
	struct span out = { 0 };
	bool is_wrap = question->question == SASL_ASK_GSS_WRAP;
	enum sasl_verdict verdict = is_wrap ? kerberos_wrap(login->context, question->gss_wrap, &out)
					    : kerberos_unwrap(login->context, question->gss_unwrap, &out);
	enum sasl_step step = is_wrap ? sasl_answer_gss_wrap(login->sasl, verdict, out, &output)
				      : sasl_answer_gss_unwrap(login->sasl, verdict, out, &output);

	login_advance(login, step, &output);
}
