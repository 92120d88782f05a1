#include "adlab.h"

#include "cmocka_all.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int script_path(char *path, size_t size)
{
	const char *source = getenv("SKEIN_SOURCE");

	snprintf(path, size, "%s/../shared/lab/ad/adlab.sh", source ? source : ".");
	return access(path, X_OK);
}

static int run_shell(const char *command)
{
	int status = system(command);

	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* An address of 127/8 that other labs of this machine hardly have. */
static void choose_place(void)
{
	char state[] = "/tmp/adlab-XXXXXX", address[32];
	unsigned id = (unsigned)getpid();

	if (!mkdtemp(state))
		abort();
	snprintf(address, sizeof(address), "127.%u.%u.%u", 64 + (id >> 15) % 128, (id >> 7) & 255,
		2 + (id & 127));
	setenv("ADLAB_STATE", state, 1);
	setenv("ADLAB_ADDR", address, 1);
}

int adlab_main(char *const argv[], int (*run)(void))
{
	bool is_ours = !getenv("ADLAB_STATE");
	const char *source = getenv("SKEIN_SOURCE");
	char script[512], command[4096];
	int result;

	signal(SIGPIPE, SIG_IGN);
	if (getenv("ADLAB_URI"))
		return run();
	if (is_ours)
		choose_place();
	snprintf(command, sizeof(command), "'%s/tests/lib/adlab' up", source ? source : ".");
	result = run_shell(command);
	if (result == 0) {
		script_path(script, sizeof(script));
		snprintf(command, sizeof(command),
			"eval \"$('%s' env | sed 's/^/export /')\"\n'%s' exec '%s'\n", script, script,
			argv[0]);
		result = run_shell(command);
	}
	snprintf(command, sizeof(command), "'%s/tests/lib/adlab' clean", source ? source : ".");
	if (is_ours && result != ADLAB_SKIPPED && run_shell(command) != 0)
		printf("the lab did not go away\n");
	return result;
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

	assert_int_equal(script_path(script, sizeof(script)), 0);
	snprintf(line, sizeof(line), "'%s' %s >/dev/null 2>&1", script, command);
	if (run_shell(line) != 0)
		fail_msg("adlab.sh %s failed", command);
}

void adlab_signal_dc(int signal)
{
	char script[512], line[1024];

	assert_int_equal(script_path(script, sizeof(script)), 0);
	snprintf(line, sizeof(line),
		"signal_all() { kill -%d $1; for child in $(cat /proc/$1/task/*/children 2>/dev/null); do "
		"signal_all $child; done; }\n"
		"dc=$('%s' status | sed -n 's/^dc: \\([0-9]*\\)$/\\1/p')\n"
		"[ -n \"$dc\" ] && signal_all $dc",
		signal, script);
	if (run_shell(line) != 0)
		fail_msg("no domain controller to signal");
}
