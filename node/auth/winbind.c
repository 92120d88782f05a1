#include "auth/winbind.h"

#include "auth/pool.h"
#include "skein/proto/base/alloc.h"
#include "skein/proto/base/check.h"
#include "skein/proto/base/utf8.h"
#include "track/log.h"

#include <stdio.h>
#include <wbclient.h>

enum { NTLMV1_LEN = 24, AT_ONCE_MS = 1000 };

struct winbind_thread {
	struct wbcContext *context;
	struct log *log;
};

#define STATUS_NTLM_BLOCKED 0xc0000418u

/* What a domain controller says of an account and its password. All other statuses are somebody's trouble. */
static const struct status_row {
	uint32_t status;
	enum verdict verdict;
	const char *why; /* NULL: of the state */
	enum account_state state;
} status_rows[] = {
	{ 0xc000006a, VERDICT_REFUSED_PASSWORD, "wrong-password", ACCOUNT_OK },
	{ 0xc000006d, VERDICT_REFUSED_PASSWORD, "wrong-password", ACCOUNT_OK }, /* LOGON_FAILURE */
	{ 0xc0000064, VERDICT_REFUSED_PASSWORD, "no-such-user", ACCOUNT_OK },
	{ 0xc000006e, VERDICT_REFUSED_STATE, NULL, ACCOUNT_RESTRICTED },
	{ 0xc000006f, VERDICT_REFUSED_STATE, NULL, ACCOUNT_HOURS },
	{ 0xc0000070, VERDICT_REFUSED_STATE, NULL, ACCOUNT_WORKSTATION },
	{ 0xc0000071, VERDICT_REFUSED_STATE, NULL, ACCOUNT_PASSWORD_EXPIRED },
	{ 0xc0000072, VERDICT_REFUSED_STATE, NULL, ACCOUNT_DISABLED },
	{ 0xc0000193, VERDICT_REFUSED_STATE, NULL, ACCOUNT_EXPIRED },
	{ 0xc0000224, VERDICT_REFUSED_STATE, NULL, ACCOUNT_MUST_CHANGE },
	{ 0xc0000234, VERDICT_REFUSED_STATE, NULL, ACCOUNT_LOCKED },
	{ STATUS_NTLM_BLOCKED, VERDICT_REFUSED_STATE, "ntlm-blocked", ACCOUNT_OK },
};

/* No domain controller got the question. With any other trouble one may have. */
static const uint32_t unreached[] = {
	0xc000005e, /* NO_LOGON_SERVERS */
	0xc00000da, /* CANT_ACCESS_DOMAIN_INFO */
	0xc0000233, /* DOMAIN_CONTROLLER_NOT_FOUND */
	0xc0000236, /* CONNECTION_REFUSED */
	0xc000023d, /* HOST_UNREACHABLE */
};

struct winbind_thread *winbind_thread_new(struct log *log)
{
	struct winbind_thread *thread = mem_zalloc(sizeof(*thread));

	thread->context = wbcCtxCreate();
	CHECK(thread->context);
	thread->log = log;
	return thread;
}

void winbind_thread_free(struct winbind_thread **thread)
{
	if (!*thread)
		return;
	wbcCtxFree((*thread)->context);
	mem_free(*thread);
	*thread = NULL;
}

/* ---- NTLM ---- */

/* Longer ones are cut on their way to winbindd, and nobody has such a name. */
static bool are_names_short(const struct winbind_ntlm *ntlm)
{
	return strlen(ntlm->domain) < WINBIND_NAME_SIZE && strlen(ntlm->user) < WINBIND_NAME_SIZE &&
	       strlen(ntlm->workstation) < WINBIND_NAME_SIZE;
}

static wbcErr ask(struct wbcContext *context, const struct winbind_ntlm *ntlm, struct wbcAuthUserInfo **info,
	struct wbcAuthErrorInfo **error)
{
	struct wbcAuthUserParams params = {
		.account_name = ntlm->user,
		.domain_name = ntlm->domain,
		.workstation_name = ntlm->workstation,
		.level = WBC_AUTH_USER_LEVEL_RESPONSE,
		/* Computers have accounts too. Who may relay is asked later. */
		.parameter_control =
			WBC_MSV1_0_ALLOW_WORKSTATION_TRUST_ACCOUNT | WBC_MSV1_0_ALLOW_SERVER_TRUST_ACCOUNT,
	};

	memcpy(params.password.response.challenge, ntlm->challenge, WINBIND_CHALLENGE_LEN);
	/* The library's pointers are not const, but it only reads. A pointer without a length is refused. */
	params.password.response.nt_data = (uint8_t *)(uintptr_t)ntlm->nt.ptr;
	params.password.response.nt_length = (uint32_t)ntlm->nt.len;
	params.password.response.lm_data = ntlm->lm.len ? (uint8_t *)(uintptr_t)ntlm->lm.ptr : NULL;
	params.password.response.lm_length = (uint32_t)ntlm->lm.len;
	return wbcCtxAuthenticateUserEx(context, &params, info, error);
}

static struct sid sid_of(const struct wbcDomainSid *from)
{
	char bytes[SID_BYTES_MAX];
	size_t len = 8;
	struct sid sid = { .len = 0 };

	CHECK(from->num_auths <= WBC_MAXSUBAUTHS);
	bytes[0] = (char)from->sid_rev_num;
	bytes[1] = (char)from->num_auths;
	memcpy(bytes + 2, from->id_auth, 6);
	for (size_t i = 0; i < from->num_auths; i++)
		for (unsigned shift = 0; shift < 32; shift += 8)
			bytes[len++] = (char)(from->sub_auths[i] >> shift & 255);
	if (!sid_from_bytes(span_of(bytes, len), &sid))
		sid.len = 0;
	return sid;
}

static void take_account(const struct wbcAuthUserInfo *info, struct winbind_result *result)
{
	struct sid user = info->num_sids ? sid_of(&info->sids[0].sid) : (struct sid){ .len = 0 };

	if (!user.len) {
		judgement_set(&result->judgement, VERDICT_CANNOT_SAY, "winbind-no-sid", NULL);
		return;
	}
	judgement_set(&result->judgement, VERDICT_ACCEPTED, account_state_why(ACCOUNT_OK), NULL);
	memcpy(result->session_key, info->user_session_key, WINBIND_KEY_LEN);
	sid_format(&user, result->sid);
	result->token = mem_alloc(info->num_sids * sizeof(*result->token));
	result->token_count = info->num_sids;
	for (size_t i = 0; i < info->num_sids; i++)
		result->token[i] = sid_of(&info->sids[i].sid);
}

static const char *why_of(const struct status_row *row)
{
	return row->why ? row->why : account_state_why(row->state);
}

static bool is_reached(uint32_t status)
{
	for (size_t i = 0; i < ARRAY_LEN(unreached); i++)
		if (unreached[i] == status)
			return false;
	return true;
}

/* "No domain controller" is an error of authentication too: only the status tells. */
static void judge_status(
	struct winbind_thread *thread, const struct wbcAuthErrorInfo *error, struct judgement *judgement)
{
	char status[16];

	judgement_set(judgement, VERDICT_CANNOT_SAY, "domain-unavailable", NULL);
	for (size_t i = 0; i < ARRAY_LEN(status_rows); i++)
		if (status_rows[i].status == error->nt_status)
			judgement_set(judgement, status_rows[i].verdict, why_of(&status_rows[i]), NULL);
	judgement->code = error->nt_status;
	judgement->may_have_counted =
		judgement->verdict == VERDICT_CANNOT_SAY && is_reached(error->nt_status);
	snprintf(status, sizeof(status), "%08x", error->nt_status);
	if (error->nt_status == STATUS_NTLM_BLOCKED)
		log_event(thread->log, LOG_ERROR, "winbind-ntlm-blocked", LOG_STR("status", status),
			LOG_STR("error", "the domain takes no NTLM: do not offer it"), LOG_END);
	else if (judgement->verdict == VERDICT_CANNOT_SAY)
		log_event(thread->log, LOG_WARN, "winbind-domain-unavailable", LOG_STR("status", status),
			LOG_STR("error", error->nt_string), LOG_END);
}

static void note_unavailable(struct winbind_thread *thread, wbcErr rc)
{
	const char *text = wbcErrorString(rc);

	if (rc == WBC_ERR_WINBIND_NOT_AVAILABLE)
		text = "winbindd does not answer, or we are not in the group winbindd_priv";
	log_event(thread->log, LOG_WARN, "winbind-unavailable", LOG_STR("error", text), LOG_END);
}

/* One that lives and hangs up at once has not let us in. */
static bool may_have_taken(struct winbind_thread *thread, uint64_t asked_at_ms)
{
	return pool_now_ms() - asked_at_ms >= AT_ONCE_MS || !winbind_is_there(thread);
}

/*
 * ACCEPTED or refused, or CANNOT_SAY. The library says the same of a winbindd that does not let us in and of
 * one that took the question and gave no answer: only time tells.
 */
static void judge(
	struct winbind_thread *thread, const struct winbind_ntlm *ntlm, struct winbind_result *result)
{
	struct wbcAuthUserInfo *info = NULL;
	struct wbcAuthErrorInfo *error = NULL;
	uint64_t asked_at_ms = pool_now_ms();
	wbcErr rc = ask(thread->context, ntlm, &info, &error);

	if (rc == WBC_ERR_SUCCESS) {
		take_account(info, result);
		mem_wipe(info->user_session_key, sizeof(info->user_session_key));
		mem_wipe(info->lm_session_key, sizeof(info->lm_session_key));
	} else if (rc == WBC_ERR_AUTH_ERROR && error) {
		judge_status(thread, error, &result->judgement);
	} else {
		note_unavailable(thread, rc);
		result->judgement.may_have_counted = may_have_taken(thread, asked_at_ms);
	}
	wbcFreeMemory(info);
	wbcFreeMemory(error);
}

void winbind_check_ntlm(struct winbind_thread *thread, const struct winbind_ntlm *ntlm,
	const struct pool_turn *turn, struct winbind_result *result_out)
{
	struct judgement *judgement = &result_out->judgement;

	CHECK(ntlm->nt.len > NTLMV1_LEN);
	memset(result_out, 0, sizeof(*result_out));
	judgement_set(judgement, VERDICT_CANNOT_SAY, "winbind-unavailable", NULL);
	if (!are_names_short(ntlm))
		judgement_set(judgement, VERDICT_REFUSED_PASSWORD, "no-such-user", NULL);
	else if (!winbind_is_there(thread))
		note_unavailable(thread, WBC_ERR_WINBIND_NOT_AVAILABLE);
	else if (pool_commit(turn))
		judge(thread, ntlm, result_out);
}

void winbind_result_fini(struct winbind_result *result)
{
	judgement_fini(&result->judgement);
	mem_wipe(result->session_key, sizeof(result->session_key));
	mem_free(result->token);
	result->token = NULL;
	result->token_count = 0;
}

/* ---- the machine ---- */

static bool is_name(struct span name)
{
	for (size_t i = 0; i < name.len; i++)
		if ((uint8_t)name.ptr[i] <= ' ' || name.ptr[i] == 0x7f)
			return false;
	return name.len < WINBIND_NAME_SIZE && utf8_is_valid(name);
}

static bool copy_name(char out[WINBIND_NAME_SIZE], const char *name)
{
	struct span span = span_of_str(name);

	if (!is_name(span))
		return false;
	memcpy(out, span.ptr ? span.ptr : "", span.len);
	out[span.len] = '\0';
	return true;
}

static bool copy_names(const struct wbcInterfaceDetails *details, struct winbind_names *names)
{
	int len = 0;

	memset(names, 0, sizeof(*names));
	if (!copy_name(names->netbios_computer, details->netbios_name) ||
		!copy_name(names->netbios_domain, details->netbios_domain) ||
		!copy_name(names->dns_domain, details->dns_domain))
		return false;
	/* Samba's own rule for the machine's name in DNS. */
	if (names->dns_domain[0])
		len = snprintf(names->dns_computer, WINBIND_NAME_SIZE, "%s.%s", names->netbios_computer,
			names->dns_domain);
	for (char *c = names->dns_computer; *c; c++)
		*c = ascii_lower(*c);
	return names->netbios_computer[0] && names->netbios_domain[0] && len < WINBIND_NAME_SIZE;
}

enum err winbind_read_names(struct winbind_thread *thread, struct winbind_names *names_out)
{
	struct wbcInterfaceDetails *details = NULL;
	wbcErr rc = wbcCtxInterfaceDetails(thread->context, &details);
	enum err err = ERR_OK;

	if (rc != WBC_ERR_SUCCESS) {
		note_unavailable(thread, rc);
		return ERR_CLOSED;
	}
	if (!copy_names(details, names_out)) {
		log_event(thread->log, LOG_ERROR, "winbind-names-bad",
			LOG_STR("computer", details->netbios_name),
			LOG_STR("domain", details->netbios_domain),
			LOG_STR("dns_domain", details->dns_domain), LOG_END);
		err = ERR_INVALID;
	}
	wbcFreeMemory(details);
	return err;
}

bool winbind_is_there(struct winbind_thread *thread)
{
	return wbcCtxPing(thread->context) == WBC_ERR_SUCCESS;
}
