#include "config/options.h"
#include "run/census.h"
#include "run/node.h"
#include "run/rehearsal.h"

#include <malloc.h>
#include <signal.h>

/*
 * Bodies come and go by the thousand: giving each one's pages back to the system and taking them again costs
 * a fifth of the time. What is kept is bounded, per thread.
 */
static void keep_freed_memory(void)
{
	enum { KEEP = 16 << 20, MAP_AT = 1 << 20 };

	mallopt(M_TRIM_THRESHOLD, KEEP);
	mallopt(M_MMAP_THRESHOLD, MAP_AT);
}

static int run(const struct options *options, struct settings *settings)
{
	switch (options->action) {
	case OPTIONS_COUNT_MAIL:
		return census_print(settings);
	case OPTIONS_CHECK:
		return rehearsal_print(settings);
	default:
		return node_run(options, settings);
	}
}

int main(int argc, char *argv[])
{
	struct options options;
	struct settings *settings;
	int status;

	/* libuv writes with write(2). */
	signal(SIGPIPE, SIG_IGN);
	keep_freed_memory();
	status = options_start(argc, argv, &options, &settings);
	if (status < 0)
		status = run(&options, settings);
	options_fini(&options);
	return status;
}
