#include "auth/login_internal.h"
#include "skein/proto/base/alloc.h"

/* RFC 4422 3.4.1: an authorization identity is fine when it is the same user in other words. */
static void on_authzid(void *arg, enum err err, void *data)
{
	struct login *login = arg;
	struct judgement other = { 0 };

	login_take_judgement(login, err, data, &other);
	if (other.verdict == VERDICT_CANNOT_SAY) {
		judgement_fini(&login->judgement);
		login->judgement = other;
	} else {
		if (!other.identity || strcmp(other.identity->user, login->judgement.identity->user) != 0)
			judgement_set(&login->judgement, VERDICT_REFUSED_STATE, "other-authzid", NULL);
		judgement_fini(&other);
	}
	login_finish(login);
}

static void check_authzid(struct login *login)
{
	const struct identity *identity = login->judgement.identity;
	struct span authzid = login->accepted.authzid;

	if (login->judgement.verdict != VERDICT_ACCEPTED || !authzid.len ||
		span_eq_nocase(authzid, span_of_str(identity->user)))
		login_finish(login);
	else
		login_look_up(login, login_is_local(identity), DIRECTORY_BY_LOGIN, authzid, on_authzid);
}

/* NTLM and Kerberos say who it is; the directory says whether he may, and what he is a member of. */
static void on_account(void *arg, enum err err, void *data)
{
	struct login *login = arg;

	login_take_judgement(login, err, data, &login->judgement);
	if (login->judgement.verdict == VERDICT_ACCEPTED)
		login_keep_identity(login, login->sid, login->judgement.identity);
	if (login->judgement.verdict == VERDICT_REFUSED_PASSWORD)
		login->judgement.verdict = VERDICT_REFUSED_STATE;
	check_authzid(login);
}

void login_check_account(struct login *login, const struct sasl_accepted *accepted)
{
	struct identity *known;

	login->accepted = *accepted;
	if (!login->sid[0]) {
		check_authzid(login);
		return;
	}
	known = auth_cache_find_identity(
		login->authenticator->cache, span_of_str(login->sid), login_now_ms(login));
	if (known) {
		judgement_set_state(&login->judgement, known);
		check_authzid(login);
	} else {
		login_look_up(login, false, DIRECTORY_BY_SID, span_of_str(login->sid), on_account);
	}
}
