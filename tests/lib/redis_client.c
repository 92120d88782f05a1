#include "redis_client.h"

void redis_client_start(struct redis_client *client, uint16_t port)
{
	client->reply = NULL;
	client->context = redisConnect("127.0.0.1", port);
	assert_non_null(client->context);
	assert_int_equal(client->context->err, 0);
}

static void take_reply(struct redis_client *client, void *reply)
{
	if (client->reply)
		freeReplyObject(client->reply);
	client->reply = reply;
}

void redis_client_stop(struct redis_client *client)
{
	take_reply(client, NULL);
	if (client->context)
		redisFree(client->context);
	client->context = NULL;
}

const redisReply *redis_client_command(struct redis_client *client, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	take_reply(client, redisvCommand(client->context, format, args));
	va_end(args);
	assert_non_null(client->reply);
	return client->reply;
}

long long redis_client_integer(struct redis_client *client, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	take_reply(client, redisvCommand(client->context, format, args));
	va_end(args);
	assert_non_null(client->reply);
	if (client->reply->type != REDIS_REPLY_INTEGER)
		fail_msg("%s: no integer: %s", format, client->reply->str ? client->reply->str : "");
	return client->reply->integer;
}

const redisReply *redis_client_raw(struct redis_client *client, struct span bytes)
{
	void *reply = NULL;

	assert_int_equal(redisAppendFormattedCommand(client->context, bytes.ptr, bytes.len), REDIS_OK);
	assert_int_equal(redisGetReply(client->context, &reply), REDIS_OK);
	take_reply(client, reply);
	return client->reply;
}
