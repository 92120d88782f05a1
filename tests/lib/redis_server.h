/*
 * redis_server: a real redis-server for a test, on loopback and a free port, with an empty folder of its own.
 * It dies with the test. Failures fail the test.
 */
#ifndef TESTS_LIB_REDIS_SERVER_H
#define TESTS_LIB_REDIS_SERVER_H

#include <stdint.h>
#include <sys/types.h>

enum { REDIS_SERVER_ARGS_MAX = 24 };

struct redis_server {
	pid_t pid; /* 0: not running */
	uint16_t port;
	char dir[64];
	char port_text[8];
	const char *args[REDIS_SERVER_ARGS_MAX + 1];
};

/*
 * Starts it and waits until it listens. `args`: more of its options, ended by NULL; borrowed for the server's
 * life. NULL: none. "--tls-port" in `args` is completed with the port, and the plain one is off then.
 */
void redis_server_start(struct redis_server *server, const char *const *args);
/* Kills it, with what it had in memory, and removes its folder. */
void redis_server_stop(struct redis_server *server);

/* kill -9; the folder stays. */
void redis_server_kill(struct redis_server *server);
/* The same again, on the same port and folder. */
void redis_server_restart(struct redis_server *server);
/* SIGSTOP and SIGCONT. */
void redis_server_pause(const struct redis_server *server);
void redis_server_resume(const struct redis_server *server);

#endif
