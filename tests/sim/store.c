#include "store.h"

#include "skein/cluster/redis_functions.h"
#include "skein/proto/base/alloc.h"

#include <hiredis/hiredis.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static redisReply *last_answer;

static redisReply *get_reply(struct world *world)
{
	void *reply = NULL;

	CHECK(redisGetReply(world->store.context, &reply) == REDIS_OK && reply);
	return reply;
}

static void select_db(struct world *world, int db)
{
	if (world->store.db == db)
		return;
	CHECK(redisAppendCommand(world->store.context, "SELECT %d", db) == REDIS_OK);
	freeReplyObject(get_reply(world));
	world->store.db = db;
}

struct redisReply *store_ask(struct world *world, int db, const char *fmt, ...)
{
	va_list args;

	select_db(world, db);
	freeReplyObject(last_answer);
	va_start(args, fmt);
	CHECK(redisvAppendCommand(world->store.context, fmt, args) == REDIS_OK);
	va_end(args);
	last_answer = get_reply(world);
	if (last_answer->type == REDIS_REPLY_ERROR) {
		fprintf(stderr, "Redis: %s\n", last_answer->str);
		abort();
	}
	return last_answer;
}

/* --- starting ----------------------------------------------------------------------------------- */

static char *patched(const char *source, const struct patch *patch)
{
	const char *at = strstr(source, patch->from);
	struct buf out = { 0 };
	char *text;

	if (!at) {
		fprintf(stderr, "the function library has no such text any more: %s\n", patch->from);
		exit(1);
	}
	buf_append(&out, span_of(source, (size_t)(at - source)));
	buf_append_str(&out, patch->to);
	buf_append_str(&out, at + strlen(patch->from));
	text = mem_strndup(buf_span(&out).ptr, buf_len(&out));
	buf_fini(&out);
	return text;
}

static void load_library(struct world *world, const struct patch *patches, size_t count)
{
	char *source = mem_strdup(redis_functions_source);

	for (size_t i = 0; i < count; i++) {
		char *next = patched(source, &patches[i]);

		mem_free(source);
		source = next;
	}
	store_ask(world, DB_MAIN, "FUNCTION LOAD REPLACE %s", source);
	mem_free(source);
}

void store_new_generation(struct world *world)
{
	snprintf(world->store.generation, sizeof(world->store.generation), "%040u",
		++world->store.generations);
}

void store_start(struct world *world, uint16_t port, const struct patch *patches, size_t count)
{
	world->store.context = redisConnect("127.0.0.1", port);
	CHECK(world->store.context && !world->store.context->err);
	world->store.db = -1;
	store_ask(world, DB_MAIN, "FLUSHALL");
	load_library(world, patches, count);
	store_new_generation(world);
}

void store_stop(struct world *world)
{
	freeReplyObject(last_answer);
	last_answer = NULL;
	redisFree(world->store.context);
}

/* --- replies ------------------------------------------------------------------------------------ */

static void encode(const redisReply *reply, struct buf *out)
{
	switch (reply->type) {
	case REDIS_REPLY_STRING:
		buf_printf(out, "$%zu\r\n", (size_t)reply->len);
		buf_append(out, span_of(reply->str, (size_t)reply->len));
		buf_append_str(out, "\r\n");
		break;
	case REDIS_REPLY_ARRAY:
		buf_printf(out, "*%zu\r\n", reply->elements);
		for (size_t i = 0; i < reply->elements; i++)
			encode(reply->element[i], out);
		break;
	case REDIS_REPLY_INTEGER:
		buf_printf(out, ":%lld\r\n", reply->integer);
		break;
	case REDIS_REPLY_NIL:
		buf_append_str(out, "$-1\r\n");
		break;
	case REDIS_REPLY_STATUS:
		buf_printf(out, "+%s\r\n", reply->str);
		break;
	default:
		buf_printf(out, "-%s\r\n", reply->str);
		break;
	}
}

static int by_text(const void *a, const void *b)
{
	const redisReply *const *left = a, *const *right = b;

	return strcmp((*left)->str, (*right)->str);
}

/* Sets have an order that is Redis' secret and another in each process: a seed would not repeat itself. */
static void sort_page(redisReply *reply)
{
	if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
		reply->element[1]->type == REDIS_REPLY_ARRAY && reply->element[1]->elements)
		qsort(reply->element[1]->element, reply->element[1]->elements, sizeof(redisReply *), by_text);
}

static bool is_command(struct span command, const char *name)
{
	/* "*N\r\n$L\r\nNAME\r\n" */
	size_t at = span_find(command, '$');
	struct span rest = span_drop(command, at);

	rest = span_drop(rest, span_find(rest, '\n') + 1);
	return rest.len > strlen(name) + 1 && memcmp(rest.ptr, name, strlen(name)) == 0 &&
	       rest.ptr[strlen(name)] == '\r';
}

static void tell_time(struct world *world, int db)
{
	uint64_t clock_us = world_wall_us(world) + (uint64_t)world->store.skew_us;

	if (world->store.clock_us[db] == clock_us)
		return;
	world->store.clock_us[db] = clock_us;
	CHECK(redisAppendCommand(world->store.context, "SET virtual:clock %llu",
		      (unsigned long long)clock_us) == REDIS_OK);
	freeReplyObject(get_reply(world));
}

/* All keys in one page: pages of a walk are cut where Redis' secret order says. */
static void scan_all(struct world *world, int db, struct buf *out)
{
	redisReply *keys = store_ask(world, db, "KEYS *:m:*");

	if (keys->elements)
		qsort(keys->element, keys->elements, sizeof(redisReply *), by_text);
	buf_append_str(out, "*2\r\n$1\r\n0\r\n");
	encode(keys, out);
}

void store_execute(struct world *world, int db, struct span command, struct buf *reply_out)
{
	redisReply *reply;

	select_db(world, db);
	tell_time(world, db);
	world->store.commands++;
	if (is_command(command, "SCAN")) {
		scan_all(world, db, reply_out);
		return;
	}
	CHECK(redisAppendFormattedCommand(world->store.context, command.ptr, command.len) == REDIS_OK);
	reply = get_reply(world);
	if (is_command(command, "SSCAN"))
		sort_page(reply);
	encode(reply, reply_out);
	freeReplyObject(reply);
}

/* --- older states ------------------------------------------------------------------------------- */

static void forget_time(struct world *world)
{
	memset(world->store.clock_us, 0, sizeof(world->store.clock_us));
}

void store_copy(struct world *world, int from, int to)
{
	static const char script[] = "redis.call('SELECT', ARGV[2]) redis.call('FLUSHDB') "
				     "redis.call('SELECT', ARGV[1]) "
				     "for _, key in ipairs(redis.call('KEYS', '*')) do "
				     "redis.call('COPY', key, key, 'DB', ARGV[2]) end return 0";

	store_ask(world, DB_MAIN, "EVAL %s 0 %d %d", script, from, to);
	forget_time(world);
}

void store_empty(struct world *world, int db)
{
	store_ask(world, db, "FLUSHDB");
	forget_time(world);
}
