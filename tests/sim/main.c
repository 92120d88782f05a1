/*
 * sim --scenario NAME [--seed S] [--seeds COUNT] [--steps N] [--trace]    runs seeds S, S+1, ...
 * sim --scenario NAME --seed S --here                                     in this process, for a debugger
 * sim --break NAME                                                        must be seen by its invariant
 * sim --list                                                              scenarios and breakings
 *
 * Each seed runs in a process of its own, so that what one leaves behind, or a CHECK that fails, is its
 * alone.
 */
#include "redis_server.h"
#include "scenario.h"

#include "skein/proto/base/alloc.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct request {
	const struct scenario *scenario;
	const struct breaking *breaking;
	uint64_t seed, seeds, steps;
	bool is_here; /* for a debugger: in this process, one seed */
};

static void on_abort(int number)
{
	trace_print();
	fflush(stdout);
	signal(number, SIG_DFL);
	raise(number);
}

static _Noreturn void run_seed(
	const struct request *request, const struct redis_server *server, uint64_t seed)
{
	struct world *world = mem_zalloc(sizeof(*world));
	const struct breaking *breaking = request->breaking;

	the_world = world;
	signal(SIGABRT, on_abort);
	signal(SIGSEGV, on_abort);
	world->seed = seed;
	world->scenario = request->scenario;
	world->steps_max = request->steps;
	world->random.state[0] = seed * 0x9e3779b97f4a7c15u + 1;
	world->random.state[1] = seed + 0x2545f4914f6cdd1du;
	for (int i = 0; i < 20; i++)
		(void)random_u64(&world->random);
	world->broken = breaking ? breaking->broken : BROKEN_NOTHING;
	store_start(world, server->port, breaking ? breaking->patches : NULL,
		breaking ? breaking->patch_count : 0);
	scenario_run(world);
	printf("  seed %llu: %llu steps, %llu commands, %u mails, %llu s, calm after %llu s\n",
		(unsigned long long)seed, (unsigned long long)world->agenda.steps,
		(unsigned long long)world->store.commands, world->mail_count,
		(unsigned long long)(world->agenda.now_us / SECOND_US),
		(unsigned long long)((world->agenda.now_us - world->calm_since_us) / SECOND_US));
	fflush(stdout);
	_exit(EXIT_SUCCESS);
}

/* The exit status, or EXIT_VIOLATION + 1 for a crash. `out` gets what it printed; NULL: not wanted. */
static int run_apart(
	const struct request *request, const struct redis_server *server, uint64_t seed, struct buf *out)
{
	int status, fds[2];
	pid_t pid;

	fflush(stdout);
	CHECK(pipe(fds) == 0);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		if (out)
			dup2(fds[1], STDOUT_FILENO);
		close(fds[0]);
		close(fds[1]);
		run_seed(request, server, seed);
	}
	close(fds[1]);
	for (;;) {
		char bytes[4096];
		ssize_t len = read(fds[0], bytes, sizeof(bytes));

		if (len <= 0)
			break;
		buf_append(out, span_of(bytes, (size_t)len));
	}
	close(fds[0]);
	CHECK(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_VIOLATION + 1;
}

static int run_seeds(const struct request *request, const struct redis_server *server)
{
	printf("%s: %s\n", request->scenario->name, request->scenario->about);
	if (request->is_here)
		run_seed(request, server, request->seed);
	for (uint64_t i = 0; i < request->seeds; i++) {
		uint64_t seed = request->seed + i;

		if (run_apart(request, server, seed, NULL) == EXIT_SUCCESS)
			continue;
		printf("again: sim --scenario %s --seed %llu\n", request->scenario->name,
			(unsigned long long)seed);
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}

static bool says(const struct buf *out, const char *text)
{
	struct span rest = buf_span(out);
	size_t len = strlen(text);

	for (; rest.len >= len; rest = span_drop(rest, 1)) {
		if (memcmp(rest.ptr, text, len) == 0)
			return true;
	}
	return false;
}

/* One of the seeds must violate exactly the invariant that looks after this rule. */
static int run_breaking(const struct request *request, const struct redis_server *server)
{
	const struct breaking *breaking = request->breaking;
	uint64_t seeds = breaking->seeds ? breaking->seeds : 1;
	char words[96];

	snprintf(words, sizeof(words), "VIOLATION of %s", breaking->invariant);
	for (uint64_t i = 0; i < seeds; i++) {
		struct buf out = { 0 };
		int status = run_apart(request, server, request->seed + i, &out);
		bool is_seen = status == EXIT_VIOLATION && says(&out, words);

		if (is_seen)
			printf("%s: seen by %s with seed %llu\n", breaking->name, breaking->invariant,
				(unsigned long long)(request->seed + i));
		else if (status != EXIT_SUCCESS || trace_is_loud)
			printf("%.*s\n", SPAN_ARGS(buf_span(&out)));
		buf_fini(&out);
		if (is_seen)
			return EXIT_SUCCESS;
	}
	printf("%s: %s did not see it\n", breaking->name, breaking->invariant);
	return EXIT_FAILURE;
}

static void list(void)
{
	const struct scenario *scenario;
	const struct breaking *breaking;

	for (size_t i = 0; (scenario = scenario_at(i)); i++)
		printf("%-44s %s\n", scenario->name, scenario->about);
	for (size_t i = 0; (breaking = breaking_at(i)); i++)
		printf("break %-38s seen by %s in %s\n", breaking->name, breaking->invariant,
			breaking_scenario(breaking));
}

static _Noreturn void usage(void)
{
	fputs("sim --scenario NAME [--seed S] [--seeds COUNT] [--steps N] [--trace] [--here] | --break NAME "
	      "| --list\n",
		stderr);
	exit(2);
}

static void read_options(int argc, char **argv, struct request *request)
{
	static const struct option options[] = { { "scenario", required_argument, NULL, 's' },
		{ "seed", required_argument, NULL, 'n' }, { "seeds", required_argument, NULL, 'c' },
		{ "steps", required_argument, NULL, 'm' }, { "break", required_argument, NULL, 'b' },
		{ "trace", no_argument, NULL, 't' }, { "here", no_argument, NULL, 'h' },
		{ "list", no_argument, NULL, 'l' }, { NULL, 0, NULL, 0 } };
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 's':
			request->scenario = scenario_find(optarg);
			break;
		case 'n':
			request->seed = strtoull(optarg, NULL, 10);
			break;
		case 'c':
			request->seeds = strtoull(optarg, NULL, 10);
			break;
		case 'm':
			request->steps = strtoull(optarg, NULL, 10);
			break;
		case 'b':
			request->breaking = breaking_find(optarg);
			if (request->breaking)
				request->scenario = scenario_find(breaking_scenario(request->breaking));
			break;
		case 't':
			trace_is_loud = true;
			break;
		case 'h':
			request->is_here = true;
			break;
		case 'l':
			list();
			exit(EXIT_SUCCESS);
		default:
			usage();
		}
	}
	if (!request->scenario)
		usage();
}

/* Small hashes stay lists, so that their order is that of their making and not Redis' secret. */
static const char *const redis_args[] = { "--hash-max-listpack-entries", "100000",
	"--hash-max-listpack-value", "100000", "--databases", "16", NULL };

int main(int argc, char **argv)
{
	struct request request = { .seed = 1, .seeds = 1 };
	struct redis_server server;
	int status;

	read_options(argc, argv, &request);
	redis_server_start(&server, redis_args);
	status = request.breaking ? run_breaking(&request, &server) : run_seeds(&request, &server);
	redis_server_stop(&server);
	return status;
}
