#include "redis_server.h"

#include "cmocka_all.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { GIVE_UP_MS = 20000, STARTS_MAX = 5 };

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static struct sockaddr_in loopback(uint16_t port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)
	};
}

static uint16_t free_port(void)
{
	struct sockaddr_in name = loopback(0);
	socklen_t len = sizeof(name);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&name, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &len), 0);
	close(fd);
	return ntohs(name.sin_port);
}

static int can_connect(uint16_t port)
{
	struct sockaddr_in name = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int result = connect(fd, (struct sockaddr *)&name, sizeof(name));

	close(fd);
	return result == 0;
}

static void redirect_output(const char *dir)
{
	char path[96];
	int fd;

	snprintf(path, sizeof(path), "%s/log", dir);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
}

/* In the child. */
static _Noreturn void become_redis(struct redis_server *server, pid_t parent)
{
	const char *fixed[] = { "redis-server", "--bind", "127.0.0.1", "--dir", server->dir, "--save", "",
		"--appendonly", "no", "--daemonize", "no" };
	const char *argv[sizeof(fixed) / sizeof(fixed[0]) + REDIS_SERVER_ARGS_MAX + 5];
	size_t argc = 0;
	int has_tls = 0;

	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		argv[argc++] = fixed[i];
	for (size_t i = 0; server->args[i]; i++) {
		argv[argc++] = server->args[i];
		if (strcmp(server->args[i], "--tls-port") == 0) {
			argv[argc++] = server->port_text;
			has_tls = 1;
		}
	}
	argv[argc++] = "--port";
	argv[argc++] = has_tls ? "0" : server->port_text;
	argv[argc] = NULL;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	redirect_output(server->dir);
	execvp("redis-server", (char *const *)argv);
	_exit(127);
}

/* False when it ended by itself: the port was taken meanwhile, or the options are wrong. */
static int start_once(struct redis_server *server)
{
	uint64_t give_up_ms = now_ms() + GIVE_UP_MS;
	pid_t parent = getpid();

	server->pid = fork();
	assert_true(server->pid >= 0);
	if (server->pid == 0)
		become_redis(server, parent);
	while (!can_connect(server->port)) {
		if (waitpid(server->pid, NULL, WNOHANG) == server->pid) {
			server->pid = 0;
			return 0;
		}
		if (now_ms() > give_up_ms)
			fail_msg("redis-server does not listen; see %s/log", server->dir);
		usleep(2000);
	}
	return 1;
}

void redis_server_start(struct redis_server *server, const char *const *args)
{
	memset(server, 0, sizeof(*server));
	snprintf(server->dir, sizeof(server->dir), "/tmp/skein-redis-XXXXXX");
	assert_non_null(mkdtemp(server->dir));
	for (size_t i = 0; args && args[i]; i++) {
		assert_true(i < REDIS_SERVER_ARGS_MAX);
		server->args[i] = args[i];
	}
	for (int starts = 0; server->pid == 0; starts++) {
		if (starts == STARTS_MAX)
			fail_msg("redis-server does not start; see %s/log", server->dir);
		server->port = free_port();
		snprintf(server->port_text, sizeof(server->port_text), "%u", server->port);
		start_once(server);
	}
}

void redis_server_kill(struct redis_server *server)
{
	if (server->pid == 0)
		return;
	kill(server->pid, SIGKILL);
	assert_int_equal(waitpid(server->pid, NULL, 0), server->pid);
	server->pid = 0;
}

void redis_server_restart(struct redis_server *server)
{
	redis_server_kill(server);
	if (!start_once(server))
		fail_msg("redis-server does not start again; see %s/log", server->dir);
}

void redis_server_stop(struct redis_server *server)
{
	char command[96];

	redis_server_kill(server);
	snprintf(command, sizeof(command), "rm -rf %s", server->dir);
	assert_int_equal(system(command), 0);
}

void redis_server_pause(const struct redis_server *server)
{
	int status;

	assert_int_equal(kill(server->pid, SIGSTOP), 0);
	/* The signal is sent, but not there yet. */
	assert_int_equal(waitpid(server->pid, &status, WUNTRACED), server->pid);
	assert_true(WIFSTOPPED(status));
}

void redis_server_resume(const struct redis_server *server)
{
	assert_int_equal(kill(server->pid, SIGCONT), 0);
}
