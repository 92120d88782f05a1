#include "command.h"
#include "screen.h"
#include "session.h"

#include <locale.h>
#include <signal.h>
#include <stdio.h>

static bool asks_for_help(int argc, char **argv)
{
	for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return true;
	return false;
}

static enum ctl_exit print_help(const struct command *command)
{
	struct buf text = { 0 };
	bool is_printed;

	if (command)
		command_print_one(command, &text);
	else
		command_print_all(&text);
	is_printed = screen_print(&text);
	buf_fini(&text);
	return is_printed ? CTL_OK : CTL_REFUSED;
}

static enum ctl_exit run_command(struct ctl_options *options, int argc, char **argv)
{
	struct buf why = { 0 };
	const struct command *command;
	enum ctl_exit exit;
	int words = 0;

	if (argc == 0) {
		session_complain("which command? See skeinctl --help");
		return CTL_USAGE;
	}
	command = command_find(argc, argv, &words, &why);
	if (!command)
		exit = session_usage(&why);
	else if (asks_for_help(argc - words, argv + words))
		exit = print_help(command);
	else
		exit = command->run(options, argc - words + 1, argv + words - 1);
	return exit;
}

static enum ctl_exit run(struct ctl_options *options, int argc, char **argv)
{
	struct buf why = { 0 };
	int next = 0;

	if (!options_parse(options, argc, argv, &next, &why))
		return session_usage(&why);
	if (options->wants_help)
		return print_help(NULL);
	if (options->wants_version) {
		puts("skeinctl " SKEIN_VERSION);
		return CTL_OK;
	}
	return run_command(options, argc - next, argv + next);
}

int main(int argc, char **argv)
{
	struct ctl_options options;
	enum ctl_exit exit;

	setlocale(LC_CTYPE, "");
	signal(SIGPIPE, SIG_IGN);
	exit = run(&options, argc, argv);
	options_fini(&options);
	if (fflush(stdout) || ferror(stdout)) {
		session_complain("the output could not be written");
		return exit ? (int)exit : CTL_REFUSED;
	}
	return (int)exit;
}
