#include "auth/login_internal.h"
#include "skein/proto/base/alloc.h"

static void answer_ntlm(struct login *login, const uint8_t *session_key)
{
	struct sasl_output output;
	enum sasl_step step = sasl_answer_ntlm(login->sasl, login_sasl_verdict(login), session_key, &output);

	login_advance(login, step, &output);
}

static void on_ntlm(void *arg, enum err err, void *data)
{
	struct login *login = arg;
	struct auth_job *job = data;

	if (!err) {
		job->judgement = job->ntlm_result.judgement;
		job->ntlm_result.judgement.identity = NULL;
	}
	login_take_judgement(login, err, job, &login->judgement);
	if (login->judgement.verdict == VERDICT_ACCEPTED)
		memcpy(login->sid, job->ntlm_result.sid, sizeof(login->sid));
	answer_ntlm(login, err ? NULL : job->ntlm_result.session_key);
}

/* Whom the directory does not know, by this name, would not get in; and its count would be nobody's. */
static void post_ntlm(struct login *login)
{
	if (login->named) {
		login_post_waiting(login, on_ntlm);
		return;
	}
	judgement_set(&login->judgement, VERDICT_REFUSED_PASSWORD, "no-such-user", NULL);
	answer_ntlm(login, NULL);
}

static void on_ntlm_named(struct login *login)
{
	if (login->named || !login->away.why) {
		login_await_confirm(login, post_ntlm);
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

void login_ask_ntlm(struct login *login, const struct sasl_ask *question)
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
	login_begin_naming(login, true, on_ntlm_named);
}
