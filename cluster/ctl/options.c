#include "options.h"

#include "call.h"
#include "config_file.h"
#include "skein/proto/base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PASSWORD_MAX = 1024 };

const struct option_row options_rows[] = {
	{ .name = "redis",
		.value = "HOST:PORT",
		.help = "the cluster's Redis (or SKEIN_REDIS, or --config)" },
	{ .name = "sentinel",
		.value = "HOST:PORT,...",
		.help = "or its Sentinels (or SKEIN_SENTINELS, or --config)" },
	{ .name = "config",
		.value = "FILE",
		.kind = WORD_FILE,
		.help = "take what is not given from a node's settings; not needed on a node's host, where "
			"it is " OPTIONS_CONFIG_DEFAULT " (or SKEIN_CONFIG)" },
	{ .name = "redis-user", .value = "NAME", .help = "ACL user" },
	{ .name = "redis-password-file",
		.value = "FILE",
		.kind = WORD_FILE,
		.help = "its password, or the only one" },
	{ .name = "master-name", .value = "NAME", .help = "how the Sentinels call the master (mymaster)" },
	{ .name = "sentinel-user", .value = "NAME", .help = "ACL user of the Sentinels" },
	{ .name = "sentinel-password-file",
		.value = "FILE",
		.kind = WORD_FILE,
		.help = "the Sentinels' password" },
	{ .name = "sentinel-no-tls", .help = "Sentinels are spoken to in clear, Redis is not" },
	{ .name = "tls", .help = "encrypt; implied by the next four" },
	{ .name = "tls-ca",
		.value = "FILE",
		.kind = WORD_FILE,
		.help = "authorities (PEM); otherwise the system's" },
	{ .name = "tls-cert", .value = "FILE", .kind = WORD_FILE, .help = "the certificate to show (PEM)" },
	{ .name = "tls-key", .value = "FILE", .kind = WORD_FILE, .help = "its key (PEM)" },
	{ .name = "tls-name", .value = "NAME", .help = "what Redis' certificate must name (its host)" },
	{ .name = "prefix", .value = "TEXT", .help = "of all keys in Redis (skein:)" },
	{ .name = "key-file", .value = "FILE", .kind = WORD_FILE, .help = "the cluster's key, for secrets" },
	{ .name = "users-file",
		.value = "FILE",
		.kind = WORD_FILE,
		.help = "the file of local users, for user" },
	{ .name = "json", .help = "print JSON" },
	{ .name = "help", .letter = 'h', .help = "this; behind a command: about it" },
	{ .name = "version", .help = "print the version" },
	{ .name = NULL },
};

static const char *text_of(const struct call *call, const char *name)
{
	const struct given *given = call_global(call, name);

	return given ? given->text : NULL;
}

/* On the host of a node nothing need be said. That it cannot be read matters only to who needs Redis. */
static void read_own_config(struct ctl_options *options)
{
	const char *path = getenv("SKEIN_CONFIG");
	struct buf why = { 0 };

	if (!path)
		path = OPTIONS_CONFIG_DEFAULT;
	if (config_file_read(path, options, &why))
		options->config = path;
	else
		options->config_why = arena_strdup(&options->arena, buf_span(&why));
	buf_fini(&why);
}

/* Fills in what the command line left open. */
static bool add_defaults(struct ctl_options *options, const char *config, struct buf *why)
{
	bool has_tls_option = options->tls.ca_file || options->tls.cert_file || options->tls.key_file ||
			      options->tls.server_name;

	options->tls.on = options->tls.on || has_tls_option;
	if (!options_has_redis(options)) {
		options->redis = getenv("SKEIN_REDIS");
		options->sentinels = getenv("SKEIN_SENTINELS");
	}
	options->config = config;
	if (config && !config_file_read(config, options, why))
		return false;
	if (!config && !options_has_redis(options))
		read_own_config(options);
	if (!options->prefix)
		options->prefix = "skein:";
	if (!options->master_name)
		options->master_name = "mymaster";
	if (!options->tls.cert_file != !options->tls.key_file) {
		buf_append_str(why, "--tls-cert and --tls-key belong together");
		return false;
	}
	return true;
}

bool options_take(struct ctl_options *options, const struct call *call, struct buf *why_out)
{
	*options = (struct ctl_options){ .call = call,
		.redis = text_of(call, "redis"),
		.user = text_of(call, "redis-user"),
		.password_file = text_of(call, "redis-password-file"),
		.sentinels = text_of(call, "sentinel"),
		.master_name = text_of(call, "master-name"),
		.sentinel_user = text_of(call, "sentinel-user"),
		.sentinel_password_file = text_of(call, "sentinel-password-file"),
		.sentinel_in_clear = call_global(call, "sentinel-no-tls") != NULL,
		.prefix = text_of(call, "prefix"),
		.key_file = text_of(call, "key-file"),
		.users_file = text_of(call, "users-file"),
		.tls = { .on = call_global(call, "tls") != NULL,
			.ca_file = text_of(call, "tls-ca"),
			.cert_file = text_of(call, "tls-cert"),
			.key_file = text_of(call, "tls-key"),
			.server_name = text_of(call, "tls-name") } };
	options->is_json = call_global(call, "json") ||
			   (!(call->command->flags & COMMAND_PLAIN) && call_has(call, "json"));
	return add_defaults(options, text_of(call, "config"), why_out);
}

bool options_has_redis(const struct ctl_options *options)
{
	return (options->redis && options->redis[0]) || (options->sentinels && options->sentinels[0]);
}

/* "host:port", "[v6]:port", "host" */
static bool split_address(
	struct ctl_options *options, struct span text, struct span port, struct options_place *place_out)
{
	uint64_t number;
	size_t end = text.len;

	while (end && text.ptr[end - 1] != ':' && text.ptr[end - 1] != ']')
		end--;
	if (end && text.ptr[end - 1] == ':') {
		port = span_drop(text, end);
		text = span_take(text, end - 1);
	}
	if (text.len >= 2 && text.ptr[0] == '[' && text.ptr[text.len - 1] == ']')
		text = span_of(text.ptr + 1, text.len - 2);
	else if (span_find(text, ':') != text.len)
		return false; /* IPv6 without brackets: which colon is the port's? */
	place_out->host = arena_strdup(&options->arena, text);
	place_out->port = arena_strdup(&options->arena, port);
	return text.len && span_parse_u64(port, 65535, &number) && number > 0;
}

static bool place_is_bad(struct span text, struct buf *why)
{
	buf_printf(why, "\"%.*s\" is no address: HOST:PORT or [IPV6]:PORT is wanted", SPAN_ARGS(text));
	return false;
}

static bool split_sentinels(struct ctl_options *options, struct buf *why)
{
	struct span rest = span_of_str(options->sentinels);

	while (rest.len) {
		struct span text = span_take(rest, span_find(rest, ','));

		rest = span_drop(rest, text.len < rest.len ? text.len + 1 : text.len);
		if (options->sentinel_count == SENTINELS_MAX) {
			buf_printf(why, "more than %d Sentinels", SENTINELS_MAX);
			return false;
		}
		if (!split_address(options, span_trim(text), SPAN_LIT("26379"),
			    &options->sentinel[options->sentinel_count++]))
			return place_is_bad(text, why);
	}
	return true;
}

static bool split_redis(struct ctl_options *options, struct buf *why)
{
	struct options_place place;

	if (!split_address(options, span_of_str(options->redis), SPAN_LIT("6379"), &place))
		return place_is_bad(span_of_str(options->redis), why);
	options->host = place.host;
	options->port = place.port;
	return true;
}

static bool read_password(
	struct ctl_options *options, const char *path, const char **password_out, struct buf *why)
{
	char text[PASSWORD_MAX + 2];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
	int error = errno;

	if (fd >= 0)
		close(fd);
	if (len < 0) {
		buf_printf(why, "cannot read %s: ", path);
		buf_append_str(why, strerror(error));
		return false;
	}
	while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r'))
		len--;
	if (len == 0 || len > PASSWORD_MAX) {
		buf_printf(why, "%s holds no password of 1 to %d bytes", path, PASSWORD_MAX);
		return false;
	}
	*password_out = arena_strdup(&options->arena, span_of(text, (size_t)len));
	mem_wipe(text, sizeof(text));
	return true;
}

static void ask_for_redis(const struct ctl_options *options, struct buf *why)
{
	buf_append_str(why, "where is Redis? Say --redis HOST:PORT, --sentinel HOST:PORT,..., "
			    "SKEIN_REDIS=HOST:PORT or --config FILE");
	if (options->config)
		buf_printf(why, " (%s names none: its node stands alone)", options->config);
	else if (options->config_why)
		buf_printf(why, " (%s)", options->config_why);
}

bool options_finish(struct ctl_options *options, struct buf *why_out)
{
	bool has_address = options->redis && options->redis[0];
	bool has_sentinels = options->sentinels && options->sentinels[0];

	if (!has_address && !has_sentinels) {
		ask_for_redis(options, why_out);
		return false;
	}
	if (has_address && has_sentinels) {
		buf_append_str(why_out, "Redis is told twice: --redis (SKEIN_REDIS, redis.address) and "
					"--sentinel (SKEIN_SENTINELS, redis.sentinels); give one of the two");
		return false;
	}
	if (has_address ? !split_redis(options, why_out) : !split_sentinels(options, why_out))
		return false;
	if (options->password_file &&
		!read_password(options, options->password_file, &options->password, why_out))
		return false;
	return !has_sentinels || !options->sentinel_password_file ||
	       read_password(options, options->sentinel_password_file, &options->sentinel_password, why_out);
}

static void wipe(const char *password)
{
	if (password)
		mem_wipe((char *)(uintptr_t)password, strlen(password));
}

void options_fini(struct ctl_options *options)
{
	wipe(options->password);
	wipe(options->sentinel_password);
	arena_fini(&options->arena);
}
