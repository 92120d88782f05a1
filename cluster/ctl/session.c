#include "session.h"

#include "call.h"
#include "human.h"
#include "skein/cluster/registry.h"
#include "watch.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <time.h>

enum {
	CONNECT_MS = 5000,
	CALL_MS = 10000,
	FAILOVER_MS = 10000,
	FAILOVER_PAUSE_MS = 250,
	SHARDS_MAX = 65536,
	WATCH_S = 2,
};

void session_complain(const char *fmt, ...)
{
	struct buf line = { 0 }, clean = { 0 };
	va_list args;

	va_start(args, fmt);
	buf_vprintf(&line, fmt, args);
	va_end(args);
	human_text(&clean, buf_span(&line));
	fprintf(stderr, "skeinctl: %.*s\n", SPAN_ARGS(buf_span(&clean)));
	buf_fini(&line);
	buf_fini(&clean);
}

enum ctl_exit session_usage(struct buf *why)
{
	session_complain("%.*s", SPAN_ARGS(buf_span(why)));
	buf_fini(why);
	return CTL_USAGE;
}

uint64_t session_now_ms(void)
{
	return redis_socket_now_ms();
}

static void copy_element(const redisReply *reply, size_t index, char *out, size_t size)
{
	bool is_text = index < reply->elements && reply->element[index]->type == REDIS_REPLY_STRING;

	snprintf(out, size, "%s", is_text ? reply->element[index]->str : "");
}

struct meta_answer {
	struct session *session;
	uint64_t now_ms; /* by Redis' clock; 0: not told */
	char error[256];
};

static void on_time(void *arg, enum redis_outcome outcome, const redisReply *reply)
{
	struct meta_answer *answer = arg;
	char seconds[24];
	uint64_t now_s;

	if (outcome == REDIS_UNKNOWN || reply->type != REDIS_REPLY_ARRAY)
		return;
	copy_element(reply, 0, seconds, sizeof(seconds));
	if (span_parse_u64(span_of_str(seconds), UINT32_MAX, &now_s))
		answer->now_ms = (now_s + 1) * 1000;
}

static void read_renewed(struct session *session, const char *written, uint64_t now_ms)
{
	struct span whole = span_take(span_of_str(written), strcspn(written, "."));
	uint64_t written_ms;

	session->renewed_ago_ms = UINT64_MAX;
	if (now_ms && span_parse_u64(whole, UINT64_MAX, &written_ms))
		session->renewed_ago_ms = now_ms > written_ms ? now_ms - written_ms : 0;
}

/* The name, the shards and the format of the cluster, without making one as registry_open() would. */
static void on_meta(void *arg, enum redis_outcome outcome, const redisReply *reply)
{
	struct meta_answer *answer = arg;
	struct session *session = answer->session;
	char shards[24], format[24], written[32];
	uint64_t count = 0;

	if (outcome == REDIS_UNKNOWN)
		return;
	if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 4) {
		snprintf(
			answer->error, sizeof(answer->error), "%s", reply->str ? reply->str : "an odd reply");
		return;
	}
	copy_element(reply, 0, session->cluster_id, sizeof(session->cluster_id));
	copy_element(reply, 1, shards, sizeof(shards));
	copy_element(reply, 2, format, sizeof(format));
	copy_element(reply, 3, written, sizeof(written));
	read_renewed(session, written, answer->now_ms);
	if (span_parse_u64(span_of_str(shards), SHARDS_MAX, &count) &&
		span_parse_u64(span_of_str(format), UINT64_MAX, &session->format))
		session->shards = (unsigned)count;
}

static enum ctl_exit read_meta(struct session *session)
{
	struct meta_answer answer = { .session = session };
	char key[128];
	struct span now[] = { SPAN_LIT("TIME") };
	struct span argv[] = { SPAN_LIT("HMGET"), { 0 }, SPAN_LIT("id"), SPAN_LIT("shards"),
		SPAN_LIT("format"), SPAN_LIT("written") };
	enum ctl_exit exit;

	snprintf(key, sizeof(key), "%s{meta}", redis_link_prefix(session->link));
	argv[1] = span_of_str(key);
	(void)redis_link_call(session->link, ARRAY_LEN(now), now, 0, session_now_ms(), on_time, &answer);
	(void)redis_link_call(session->link, ARRAY_LEN(argv), argv, 0, session_now_ms(), on_meta, &answer);
	exit = session_finish(session);
	if (exit)
		return exit;
	if (answer.error[0]) {
		session_complain("Redis does not show the cluster (%s): %s", key, answer.error);
		return CTL_REFUSED;
	}
	if (session->shards == 0 && session->options->is_cluster_optional)
		return CTL_OK;
	if (session->shards == 0 && session->options->is_quiet)
		return CTL_NEGATIVE;
	if (session->shards == 0) {
		session_complain("there is no cluster with the prefix \"%s\" in this Redis: the first node "
				 "makes one; is --prefix right, "
				 "and is it the cluster's Redis?",
			redis_link_prefix(session->link));
		return CTL_NEGATIVE;
	}
	if (session->format != REGISTRY_FORMAT) {
		session_complain(
			"the cluster's data has format %llu, this skeinctl knows %d: use the nodes' version",
			(unsigned long long)session->format, REGISTRY_FORMAT);
		return CTL_REFUSED;
	}
	return CTL_OK;
}

static void connect_to_master(struct session *session, struct buf *why)
{
	struct buf reason = { 0 };

	session->socket_options.host = session->master.host;
	session->socket_options.port = session->master.port;
	session->socket = redis_socket_open(&session->socket_options, &reason);
	if (!session->socket)
		buf_printf(why, "Redis at %s port %s, which the Sentinels call master: %.*s",
			session->master.host, session->master.port, SPAN_ARGS(buf_span(&reason)));
	buf_fini(&reason);
}

/* In a failover the Sentinels name one that is gone, or not master yet: again for a while. */
static bool find_and_connect(struct session *session, const struct ctl_options *options, struct buf *why)
{
	const uint64_t until_ms = session_now_ms() + FAILOVER_MS;
	const struct timespec pause = { .tv_nsec = FAILOVER_PAUSE_MS * 1000000 };

	for (;;) {
		buf_clear(why);
		if (!master_find(options, &session->master, why))
			return false;
		connect_to_master(session, why);
		if (session->socket || session_now_ms() >= until_ms)
			return session->socket != NULL;
		nanosleep(&pause, NULL);
	}
}

static bool connect_at(struct session *session, const struct ctl_options *options, struct buf *why)
{
	struct buf reason = { 0 };

	if (options->sentinel_count)
		return find_and_connect(session, options, why);
	session->socket = redis_socket_open(&session->socket_options, &reason);
	if (!session->socket)
		buf_printf(why, "Redis at %s port %s: %.*s", options->host, options->port,
			SPAN_ARGS(buf_span(&reason)));
	buf_fini(&reason);
	return session->socket != NULL;
}

/* What the reason of a link does not know: how skeinctl is told. */
static void append_cure(struct buf *why)
{
	static const struct {
		const char *reason, *cure;
	} cures[] = {
		{ "Connection refused", "does Redis run there, and is --redis right?" },
		{ "cannot resolve", "is --redis right?" },
		{ "wants a password",
			"say --redis-password-file FILE, with --redis-user NAME for an ACL user" },
		{ "refuses the login", "see --redis-user and --redis-password-file" },
		{ "is a replica of", "say that one with --redis" },
		{ "within", "does a firewall drop it?" },
	};
	size_t found = 0;

	buf_append_byte(why, '\0');
	while (found < ARRAY_LEN(cures) && !strstr(buf_span(why).ptr, cures[found].reason))
		found++;
	buf_truncate(why, buf_len(why) - 1);
	if (found < ARRAY_LEN(cures))
		buf_printf(why, "; %s", cures[found].cure);
}

static enum ctl_exit connect_session(struct session *session, const struct ctl_options *options)
{
	struct buf why = { 0 };

	session->socket_options = (struct redis_socket_options){
		.host = options->host,
		.port = options->port,
		.tls = options->tls,
		.link = { .user = options->user,
			.password = options->password,
			.client_name = "skeinctl",
			.prefix = options->prefix,
			.handshake_timeout_ms = options->deadline_ms ? options->deadline_ms : CONNECT_MS,
			.call_timeout_ms = options->deadline_ms ? options->deadline_ms : CALL_MS },
	};
	if (!connect_at(session, options, &why)) {
		append_cure(&why);
		if (!options->is_quiet)
			session_complain("%.*s", SPAN_ARGS(buf_span(&why)));
		buf_fini(&why);
		return CTL_UNREACHABLE;
	}
	buf_fini(&why);
	session->link = redis_socket_link(session->socket);
	return CTL_OK;
}

enum ctl_exit session_open(struct session *session, struct ctl_options *options)
{
	enum ctl_exit exit;

	*session = (struct session){ .options = options, .is_json = options->is_json };
	exit = connect_session(session, options);
	if (!exit)
		exit = read_meta(session);
	if (exit)
		session_close(session);
	return exit;
}

enum ctl_exit session_refresh(struct session *session)
{
	session->shards = 0;
	return read_meta(session);
}

void session_close(struct session *session)
{
	redis_socket_close(&session->socket);
}

static enum ctl_exit run_once(struct ctl_options *options, session_work_fn *work, void *arg)
{
	struct session session;
	enum ctl_exit exit = session_open(&session, options);

	if (exit)
		return exit;
	exit = work(&session, arg);
	session_close(&session);
	return exit;
}

static bool is_watched(const struct ctl_options *options)
{
	return options->call->command->flags & COMMAND_WATCHED && call_has(options->call, "watch");
}

static enum ctl_exit run_watched(struct ctl_options *options, bool is_local, session_work_fn *work, void *arg)
{
	struct watch watch = { .every_ms = call_number(options->call, "watch", WATCH_S) * 1000,
		.is_local = is_local };
	struct buf title = { 0 };
	enum ctl_exit exit;

	buf_printf(&title, "skeinctl %s", options->call->command->words);
	buf_append_byte(&title, '\0');
	watch.title = buf_span(&title).ptr;
	exit = watch_run(options, &watch, work, arg);
	buf_fini(&title);
	return exit;
}

enum ctl_exit session_run(struct ctl_options *options, session_work_fn *work, void *arg)
{
	struct buf why = { 0 };

	if (!options_finish(options, &why))
		return session_usage(&why);
	return is_watched(options) ? run_watched(options, false, work, arg) : run_once(options, work, arg);
}

enum ctl_exit session_run_locally(struct ctl_options *options, session_work_fn *work, void *arg)
{
	return is_watched(options) ? run_watched(options, true, work, arg) : work(NULL, arg);
}

enum ctl_exit session_run_anywhere(struct ctl_options *options, session_work_fn *work, void *arg)
{
	options->is_cluster_optional = true;
	return session_run(options, work, arg);
}

enum ctl_exit session_finish(struct session *session)
{
	if (redis_socket_finish(session->socket))
		return CTL_OK;
	if (!session->options->is_quiet)
		session_complain("the connection to Redis ended: %s", redis_socket_why(session->socket));
	return CTL_UNREACHABLE;
}

enum ctl_exit session_check(const struct outcome *outcome, const char *what)
{
	if (outcome->kind == OUTCOME_UNKNOWN) {
		session_complain("%s: no answer; it may be done or not, and may be asked for again", what);
		return CTL_UNREACHABLE;
	}
	if (outcome->kind == OUTCOME_ERROR) {
		session_complain("%s: Redis says: %.*s", what, SPAN_ARGS(outcome->text));
		return CTL_REFUSED;
	}
	return CTL_OK;
}
