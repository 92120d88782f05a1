#include "config/options.h"
#include "run/node.h"

#include <signal.h>

int main(int argc, char *argv[])
{
	struct options options;
	struct settings *settings;
	int status;

	/* libuv writes with write(2). */
	signal(SIGPIPE, SIG_IGN);
	status = options_start(argc, argv, &options, &settings);
	if (status < 0)
		status = node_run(&options, settings);
	options_fini(&options);
	return status;
}
