/*
 * redis_client: plain commands to a test's Redis, one at a time. Failures of the connection fail the test; an
 * error reply is a reply.
 */
#ifndef TESTS_LIB_REDIS_CLIENT_H
#define TESTS_LIB_REDIS_CLIENT_H

#include "cmocka_all.h"

#include "skein/proto/base/check.h"
#include "skein/proto/base/span.h"

#include <hiredis/hiredis.h>

struct redis_client {
	redisContext *context;
	redisReply *reply; /* the last one */
};

void redis_client_start(struct redis_client *client, uint16_t port);
void redis_client_stop(struct redis_client *client);

/* As redisCommand(); the reply is valid until the next command. */
const redisReply *redis_client_command(struct redis_client *client, const char *format, ...)
	PRINTF_LIKE(2, 3);
/* The integer that the command replies. */
long long redis_client_integer(struct redis_client *client, const char *format, ...) PRINTF_LIKE(2, 3);
/* A command as it goes over the wire. */
const redisReply *redis_client_raw(struct redis_client *client, struct span bytes);

#endif
