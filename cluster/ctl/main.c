#include "call.h"
#include "confirm.h"
#include "help.h"
#include "screen.h"
#include "session.h"

#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

static enum ctl_exit print_help(const struct command *command)
{
	struct buf text = { 0 };
	bool is_printed;

	if (command)
		help_append_command(&text, command);
	else
		help_append_all(&text);
	is_printed = screen_print(&text);
	buf_fini(&text);
	return is_printed ? CTL_OK : CTL_REFUSED;
}

static enum ctl_exit run_command(struct ctl_options *options, const struct call *call)
{
	struct buf why = { 0 };
	enum ctl_exit exit;

	if (!options_take(options, call, &why))
		return session_usage(&why);
	exit = confirm_can_go_on(call);
	return exit ? exit : call->command->run(options, call);
}

static enum ctl_exit run(struct ctl_options *options, struct call *call, int argc, char **argv)
{
	struct buf why = { 0 };

	if (!call_read(call, argc, argv, &why))
		return session_usage(&why);
	if (call_global(call, "version")) {
		puts("skeinctl " SKEIN_VERSION);
		return CTL_OK;
	}
	if (call_global(call, "help") || call_has(call, "help"))
		return print_help(call->command);
	return run_command(options, call);
}

/* There may be a password in it, or the cluster's key. */
static void leave_no_core(void)
{
	const struct rlimit none = { 0, 0 };

	(void)setrlimit(RLIMIT_CORE, &none);
}

int main(int argc, char **argv)
{
	struct ctl_options options = { .redis = NULL };
	struct call call;
	enum ctl_exit exit;

	leave_no_core();
	setlocale(LC_CTYPE, "");
	signal(SIGPIPE, SIG_IGN);
	exit = run(&options, &call, argc, argv);
	options_fini(&options);
	call_fini(&call);
	if (fflush(stdout) || ferror(stdout)) {
		session_complain("the output could not be written");
		return exit ? (int)exit : CTL_REFUSED;
	}
	return (int)exit;
}
