#include "adlab.h"

#include "cmocka_all.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void script_path(char *path, size_t size)
{
	const char *source = getenv("SKEIN_SOURCE");

	snprintf(path, size, "%s/tests/lib/adlab", source ? source : ".");
}

int adlab_main(char *const argv[], int (*run)(void))
{
	char script[512];

	signal(SIGPIPE, SIG_IGN);
	if (getenv("ADLAB_URI"))
		return run();
	script_path(script, sizeof(script));
	execl(script, script, "run", argv[0], (char *)NULL);
	perror(script);
	return 1;
}

const char *adlab_get(const char *name)
{
	const char *value = getenv(name);

	assert_non_null(value);
	return value;
}

void adlab_do(const char *command)
{
	char script[512], line[1024];

	script_path(script, sizeof(script));
	snprintf(line, sizeof(line), "'%s' %s >/dev/null 2>&1", script, command);
	if (system(line) != 0)
		fail_msg("adlab %s failed", command);
}
