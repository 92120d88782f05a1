#include "secret_write.h"

#include "operator.h"

#include <sys/random.h>

static void on_change(void *arg, const struct outcome *outcome, const struct secret_note *note)
{
	struct secret_written *written = arg;

	written->exit = session_check(outcome, "changing the secret");
	written->version = note->version;
	if (outcome->kind == OUTCOME_GONE || (outcome->kind == OUTCOME_NOT && !note->version.number)) {
		session_complain("it was removed meanwhile; nothing was changed: look, and do it again");
		written->exit = CTL_NEGATIVE;
	} else if (outcome->kind == OUTCOME_NOT) {
		session_complain("%.*s set it meanwhile; nothing was changed: look, and do it again",
			SPAN_ARGS(note->author));
		written->exit = CTL_NEGATIVE;
	}
}

enum ctl_exit secret_write(struct session *session, const struct secret_key *key, struct span name,
	uint64_t expected, struct span text, struct secret_written *written_out)
{
	unsigned char nonce[SECRET_NONCE_LEN];
	char author[OPERATOR_MAX + 1];
	struct buf sealed = { 0 };
	struct secret_put args = { .name = name, .expected = expected };
	enum ctl_exit exit;

	operator_name(author);
	CHECK(getrandom(nonce, sizeof(nonce), 0) == (ssize_t)sizeof(nonce));
	secret_seal(key, nonce, secret_store_label(name), text, &sealed);
	args.author = span_of_str(author);
	args.sealed = buf_span(&sealed);
	(void)secret_put(session->link, &args, session_now_ms(), on_change, written_out);
	exit = session_finish(session);
	buf_fini(&sealed);
	return exit ? exit : written_out->exit;
}

enum ctl_exit secret_erase(struct session *session, struct span name, uint64_t expected)
{
	struct secret_written written;
	enum ctl_exit exit;

	(void)secret_remove(session->link, name, expected, session_now_ms(), on_change, &written);
	exit = session_finish(session);
	return exit ? exit : written.exit;
}
