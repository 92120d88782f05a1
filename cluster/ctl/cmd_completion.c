/* skeinctl completion, skeinctl __complete */
#include "completion.h"
#include "offers.h"
#include "screen.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/time.h>
#include <signal.h>
#include <unistd.h>

enum { PATIENCE_S = 1 };

enum ctl_exit cmd_completion(struct ctl_options *options, const struct call *call)
{
	const char *shell = call_word(call, 0);
	bool is_bash = strcmp(shell, "bash") == 0;
	struct buf why = { 0 };

	(void)options;
	if (!is_bash && strcmp(shell, "zsh") != 0) {
		buf_printf(&why, "there is no completion for \"%s\": bash or zsh", shell);
		return session_usage(&why);
	}
	return fputs(is_bash ? completion_bash : completion_zsh, stdout) < 0 ? CTL_REFUSED : CTL_OK;
}

static void on_alarm(int number)
{
	(void)number;
	_exit(CTL_OK);
}

/*
 * Somebody has pressed a key and waits: nothing is told, and after a second it is over, whatever is still
 * waited for (a name to be resolved knows no deadline).
 */
static void be_quick_and_quiet(void)
{
	struct itimerval patience = { .it_value = { .tv_sec = PATIENCE_S } };
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (null >= 0)
		(void)dup2(null, STDERR_FILENO);
	signal(SIGALRM, on_alarm);
	(void)setitimer(ITIMER_REAL, &patience, NULL);
}

enum ctl_exit cmd_complete(struct ctl_options *options, const struct call *call)
{
	static const char *const nothing[] = { "" };
	struct completion completion;
	struct buf out = { 0 };

	(void)options;
	be_quick_and_quiet();
	completion_look(&completion, call->word_count ? call->word_count : 1,
		call->word_count ? call->words : nothing);
	completion_append(&out, &completion);
	(void)screen_print(&out);
	fflush(stdout);
	buf_clear(&out);
	offers_append(&out, &completion);
	(void)screen_print(&out);
	buf_fini(&out);
	completion_fini(&completion);
	return CTL_OK;
}
