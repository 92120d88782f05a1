/* skeinctl alerts test: the leader sends, and says in Redis what came of it. */
#include "call.h"
#include "command.h"
#include "screen.h"

#include "skein/cluster/alert_store.h"

#include <stdio.h>
#include <sys/random.h>
#include <time.h>

enum { LOOK_MS = 100, PATIENCE_MS = 60000 };

struct trial {
	const char *channel;
	char id[33];
	json_t *results; /* NULL: not known yet */
	enum ctl_exit exit;
};

static void on_asked(void *arg, const struct outcome *outcome)
{
	struct trial *trial = arg;

	trial->exit = session_check(outcome, "asking for a test");
	if (outcome->kind != OUTCOME_HELD)
		return;
	session_complain("too many tests wait for the leader: is there one? See skeinctl nodes");
	trial->exit = CTL_NEGATIVE;
}

static void on_result(void *arg, const struct outcome *outcome, struct span text)
{
	struct trial *trial = arg;

	trial->exit = session_check(outcome, "waiting for the leader");
	if (!trial->exit && text.len)
		trial->results = json_loadb(text.ptr, text.len, 0, NULL);
}

static enum ctl_exit ask(struct session *session, struct trial *trial)
{
	enum ctl_exit exit;

	(void)alert_store_test(session->link, span_of_str(trial->id), span_of_str(trial->channel),
		session_now_ms(), on_asked, trial);
	exit = session_finish(session);
	return exit ? exit : trial->exit;
}

static enum ctl_exit await(struct session *session, struct trial *trial)
{
	const struct timespec pause = { 0, LOOK_MS * 1000000l };
	uint64_t until_ms = session_now_ms() + PATIENCE_MS;

	while (!trial->results) {
		enum ctl_exit exit;

		if (session_now_ms() >= until_ms) {
			session_complain("no leader has answered for a minute: see skeinctl nodes, and "
					 "alerts list for when one looked last");
			return CTL_LATE;
		}
		nanosleep(&pause, NULL);
		(void)alert_store_result(
			session->link, span_of_str(trial->id), session_now_ms(), on_result, trial);
		exit = session_finish(session);
		exit = exit ? exit : trial->exit;
		if (exit)
			return exit;
	}
	return CTL_OK;
}

static enum ctl_exit judge(const struct trial *trial)
{
	enum ctl_exit exit = CTL_OK;
	json_t *result;
	size_t i;

	json_array_foreach(trial->results, i, result)
	{
		const char *channel = json_string_value(json_object_get(result, "channel"));
		const char *why = json_string_value(json_object_get(result, "why"));

		if (json_is_true(json_object_get(result, "sent")))
			screen_say("%s: sent", channel ? channel : "?");
		else
			screen_say("%s: not sent: %s", channel ? channel : "?", why ? why : "?");
	}
	json_array_foreach(trial->results, i, result) exit =
		json_is_true(json_object_get(result, "sent")) ? exit : CTL_NEGATIVE;
	return exit;
}

static enum ctl_exit run(struct session *session, void *arg)
{
	struct trial *trial = arg;
	enum ctl_exit exit = ask(session, trial);

	exit = exit ? exit : await(session, trial);
	if (exit)
		return exit;
	if (session->is_json)
		screen_print_json(json_incref(trial->results));
	if (json_array_size(trial->results))
		return session->is_json ? CTL_OK : judge(trial);
	if (*trial->channel)
		session_complain("there is no channel \"%s\": see the section alerts of skeinctl policy show",
			trial->channel);
	else
		session_complain("there are no channels: see the section alerts in docs/policy.md");
	return CTL_NEGATIVE;
}

enum ctl_exit cmd_alerts_test(struct ctl_options *options, const struct call *call)
{
	const char *channel = call_word(call, 0);
	struct trial trial = { .channel = channel ? channel : "" };
	unsigned char bytes[16];
	enum ctl_exit exit;

	CHECK(getrandom(bytes, sizeof(bytes), 0) == (ssize_t)sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(trial.id + 2 * i, 3, "%02x", bytes[i]);
	exit = session_run(options, run, &trial);
	json_decref(trial.results);
	return exit;
}
