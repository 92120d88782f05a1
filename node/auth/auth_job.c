#include "auth/auth_job.h"

#include "skein/proto/base/alloc.h"
#include "track/log.h"

struct auth_thread {
	const struct auth_backends *backends;
	struct log *log;
	struct directory_thread *directory;
	struct winbind_thread *winbind;
};

void *auth_thread_new(void *arg)
{
	struct auth_backends *backends = arg;
	struct auth_thread *thread = mem_zalloc(sizeof(*thread));

	thread->backends = backends;
	thread->log = backends->log ? log_open(backends->log, backends->name) : NULL;
	if (backends->directory)
		thread->directory = directory_thread_new(backends->directory, thread->log);
	if (backends->has_winbind)
		thread->winbind = winbind_thread_new(thread->log);
	return thread;
}

void auth_thread_free(void *arg)
{
	struct auth_thread *thread = arg;

	directory_thread_free(&thread->directory);
	if (thread->winbind)
		winbind_thread_free(&thread->winbind);
	mem_free(thread);
}

void auth_backends_free(void *arg)
{
	struct auth_backends *backends = arg;

	directory_free(&backends->directory);
	local_users_free(&backends->users);
	if (backends->kerberos)
		kerberos_free(&backends->kerberos);
	bind_password_free(&backends->bind_password);
	arena_fini(&backends->arena);
	mem_free(backends);
}

struct auth_job *auth_job_new(enum auth_job_kind kind)
{
	struct auth_job *job = mem_zalloc(sizeof(*job));

	job->kind = kind;
	return job;
}

const char *auth_job_text(struct auth_job *job, struct span text)
{
	return arena_strdup(&job->arena, text);
}

struct span auth_job_bytes(struct auth_job *job, struct span bytes)
{
	return arena_dup(&job->arena, bytes);
}

static void read_files(struct auth_job *job, struct auth_thread *thread)
{
	const struct auth_backends *backends = thread->backends;

	if (backends->users && job->must_read)
		job->err = local_users_load(backends->users, thread->log);
	else if (backends->users)
		local_users_refresh(backends->users, thread->log);
	/* Told in the log; the old keys stay. */
	if (backends->kerberos && kerberos_refresh(backends->kerberos, thread->log) != ERR_OK)
		job->err = ERR_IO;
}

void auth_job_run(void *data, void *arg, const struct pool_turn *turn)
{
	struct auth_job *job = data;
	struct auth_thread *thread = arg;

	switch (job->kind) {
	case AUTH_JOB_LDAP_PASSWORD:
		directory_check_password(thread->directory, job->login, job->password, turn, &job->judgement);
		break;
	case AUTH_JOB_LDAP_LOOK_UP:
		directory_look_up(
			thread->directory, job->key, job->login, turn->deadline_ms, &job->judgement);
		break;
	case AUTH_JOB_LDAP_NAME:
		directory_find_name(thread->directory, job->login, turn->deadline_ms, &job->judgement);
		break;
	case AUTH_JOB_FILE_PASSWORD:
		local_users_check_password(
			thread->backends->users, thread->log, job->login, job->password, &job->judgement);
		break;
	case AUTH_JOB_FILE_LOOK_UP:
		local_users_look_up(thread->backends->users, thread->log, job->login, &job->judgement);
		break;
	case AUTH_JOB_FILE_SCRAM:
		local_users_find_scram(
			thread->backends->users, thread->log, job->login, &job->judgement, &job->scram);
		break;
	case AUTH_JOB_NTLM:
		winbind_check_ntlm(thread->winbind, &job->ntlm, turn, &job->ntlm_result);
		job->has_ntlm_result = true;
		break;
	case AUTH_JOB_KERBEROS:
		kerberos_step(job->context, &job->ask, thread->log, &job->kerberos_result);
		break;
	case AUTH_JOB_LDAP_LOCKOUT:
		job->err = directory_read_lockout(thread->directory, turn->deadline_ms, &job->lockout);
		break;
	case AUTH_JOB_WINBIND_NAMES:
		job->err = winbind_read_names(thread->winbind, &job->names);
		break;
	case AUTH_JOB_FILES:
		read_files(job, thread);
		break;
	}
}

void auth_job_free(void *data)
{
	struct auth_job *job = data;

	if (job->password)
		mem_wipe(job->password, strlen(job->password));
	mem_free(job->password);
	mem_wipe(&job->scram, sizeof(job->scram));
	judgement_fini(&job->judgement);
	if (job->has_ntlm_result)
		winbind_result_fini(&job->ntlm_result);
	if (job->context)
		kerberos_context_free(&job->context);
	arena_fini(&job->arena);
	mem_free(job);
}
