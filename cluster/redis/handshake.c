/*
 * The happy path, in one round trip: AUTH, CLIENT SETNAME, INFO, CLIENT INFO, CONFIG GET save, FUNCTION LIST;
 * then FUNCTION LOAD where the library is missing; ready.
 *
 * What ends it: a refused login, an INFO that is refused, too old, still loading, a replica or a cluster, a
 * library that cannot be seen or loaded. Refused CLIENT and CONFIG calls only leave facts unknown: an ACL may
 * forbid them. A Sentinel is only logged in to and pinged: "I am one" is for those who ask it to know.
 */
#include "redis/link_internal.h"

#include "skein/cluster/redis_functions.h"

static struct span reply_text(const redisReply *reply)
{
	bool is_text = reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_STATUS ||
		       reply->type == REDIS_REPLY_ERROR;

	return is_text ? span_of(reply->str, (size_t)reply->len) : span_of(NULL, 0);
}

static bool is_error(const redisReply *reply)
{
	return reply->type == REDIS_REPLY_ERROR;
}

static bool error_has(const redisReply *reply, const char *words)
{
	return is_error(reply) && strstr(reply->str, words);
}

/* A reply that is no error has no prefix that could be mistaken. */
static bool is_refused_by_acl(const redisReply *reply)
{
	return is_error(reply) && span_starts_with(reply_text(reply), SPAN_LIT("NOPERM"));
}

static void on_auth(void *arg, enum redis_outcome outcome, const redisReply *reply)
{
	(void)outcome;
	if (is_error(reply))
		link_close(arg, "Redis refuses the login (check user and password): %s", reply->str);
}

static void on_name(void *arg, enum redis_outcome outcome, const redisReply *reply)
{
	(void)outcome;
	/* Also the first to hear what a server says that wants no client at all. */
	if (error_has(reply, "NOAUTH"))
		link_close(arg, "Redis wants a password and none is set: %s", reply->str);
	else if (is_error(reply) && !is_refused_by_acl(reply))
		link_close(arg, "Redis refuses the connection: %s", reply->str);
}

static bool is_old(const char *version)
{
	struct span major = span_take(span_of_str(version), span_find(span_of_str(version), '.'));
	uint64_t number;

	return !span_parse_u64(major, 1000, &number) || number < 7;
}

static void check_server(struct redis_link *link)
{
	const struct server_state *server = &link->server;

	if (is_old(link->learned.version))
		link_close(link, "Redis %s is too old: 7.0 or later is needed", link->learned.version);
	else if (server->cluster)
		link_close(link, "this Redis is part of a Redis Cluster, which is not supported");
	else if (server->loading)
		link_close(link, "Redis is still loading its data");
	else if (server->replica)
		link_close(link, "this Redis is a replica of %s: the address of the master is needed",
			server->master);
	else if (link->learned.replication_id[0] == '\0')
		link_close(link, "Redis does not tell its replication id");
}

static void on_info(void *arg, enum redis_outcome outcome, const redisReply *reply)
{
	struct redis_link *link = arg;

	(void)outcome;
	if (error_has(reply, "NOAUTH")) {
		link_close(link, "Redis wants a password and none is set: %s", reply->str);
	} else if (is_refused_by_acl(reply)) {
		link_close(link, "Redis refuses INFO (the user needs +info): %s", reply->str);
	} else if (is_error(reply)) {
		link_close(link, "Redis refuses the connection: %s", reply->str);
	} else {
		identity_read_info(reply_text(reply), &link->learned, &link->server);
		check_server(link);
	}
}

static void on_client(void *arg, enum redis_outcome outcome, const redisReply *reply)
{
	struct redis_link *link = arg;

	(void)outcome;
	if (!is_error(reply))
		link->learned.same_host = client_line_read(reply_text(reply)).same_host;
}

static void on_save(void *arg, enum redis_outcome outcome, const redisReply *reply)
{
	struct redis_link *link = arg;

	(void)outcome;
	if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 2)
		identity_read_save(reply_text(reply->element[1]), &link->learned);
}

static void on_loaded(void *arg, enum redis_outcome outcome, const redisReply *reply)
{
	(void)outcome;
	/* Another node may have been faster; the name says that it is the same library. */
	if (is_error(reply) && !error_has(reply, "already exists"))
		link_close(arg, "Redis does not load the function library %s: %s", redis_functions_name,
			reply->str);
	else
		link_enter_ready(arg);
}

static void on_library(void *arg, enum redis_outcome outcome, const redisReply *reply)
{
	struct redis_link *link = arg;
	struct span load[] = { SPAN_LIT("FUNCTION"), SPAN_LIT("LOAD"), span_of_str(redis_functions_source) };

	(void)outcome;
	if (is_error(reply))
		link_close(
			link, "Redis does not list its functions (the user needs +function): %s", reply->str);
	else if (reply->type == REDIS_REPLY_ARRAY && reply->elements > 0)
		link_enter_ready(link);
	else
		link_send(link, ARRAY_LEN(load), load, on_loaded);
}

/* A Sentinel, like any server, says here that it wants a password. */
static void on_pong(void *arg, enum redis_outcome outcome, const redisReply *reply)
{
	(void)outcome;
	if (error_has(reply, "NOAUTH"))
		link_close(arg, "the Sentinel wants a password and none is set: %s", reply->str);
	else if (is_error(reply))
		link_close(arg, "the Sentinel refuses the connection: %s", reply->str);
	else
		link_enter_ready(arg);
}

static void send_auth(struct redis_link *link)
{
	struct span argv[3] = { SPAN_LIT("AUTH") };
	size_t argc = 1;

	if (!link->options.user && !link->options.password)
		return;
	if (link->options.user)
		argv[argc++] = span_of_str(link->options.user);
	argv[argc++] = link->options.password ? span_of_str(link->options.password) : SPAN_LIT("");
	link_send(link, argc, argv, on_auth);
}

void handshake_start(struct redis_link *link)
{
	struct span name[] = { SPAN_LIT("CLIENT"), SPAN_LIT("SETNAME"),
		span_of_str(link->options.client_name) };
	struct span ping[] = { SPAN_LIT("PING") };
	struct span info[] = { SPAN_LIT("INFO") };
	struct span client[] = { SPAN_LIT("CLIENT"), SPAN_LIT("INFO") };
	struct span save[] = { SPAN_LIT("CONFIG"), SPAN_LIT("GET"), SPAN_LIT("save") };
	struct span library[] = { SPAN_LIT("FUNCTION"), SPAN_LIT("LIST"), SPAN_LIT("LIBRARYNAME"),
		span_of_str(redis_functions_name) };

	memset(&link->learned, 0, sizeof(link->learned));
	memset(&link->server, 0, sizeof(link->server));
	link->learned.persistent = REDIS_FACT_UNKNOWN;
	link->learned.appendonly = REDIS_FACT_UNKNOWN;
	link->learned.noeviction = REDIS_FACT_UNKNOWN;
	link->learned.same_host = REDIS_FACT_UNKNOWN;
	send_auth(link);
	if (link->options.client_name)
		link_send(link, ARRAY_LEN(name), name, on_name);
	if (link->options.is_sentinel) {
		link_send(link, ARRAY_LEN(ping), ping, on_pong);
		return;
	}
	link_send(link, ARRAY_LEN(info), info, on_info);
	link_send(link, ARRAY_LEN(client), client, on_client);
	link_send(link, ARRAY_LEN(save), save, on_save);
	link_send(link, ARRAY_LEN(library), library, on_library);
}

static void on_watched(void *arg, enum redis_outcome outcome, const redisReply *reply)
{
	struct redis_link *link = arg;
	char before[sizeof(link->identity.replication_id)];

	(void)outcome;
	link->watching = false;
	if (is_error(reply))
		return;
	memcpy(before, link->identity.replication_id, sizeof(before));
	identity_read_info(reply_text(reply), &link->identity, &link->server);
	if (link->server.replica)
		link_close(link, "this Redis has become a replica of %s", link->server.master);
	else if (strcmp(before, link->identity.replication_id) != 0)
		link_close(link, "the replication id of Redis has changed");
}

void handshake_watch(struct redis_link *link)
{
	struct span argv[] = { SPAN_LIT("INFO"), SPAN_LIT("replication"), SPAN_LIT("memory") };

	link->watching = true;
	link_send(link, ARRAY_LEN(argv), argv, on_watched);
}
