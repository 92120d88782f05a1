#include "options.h"

#include "config_file.h"
#include "skein/proto/base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PASSWORD_MAX = 1024 };

const char options_help[] =
	"Options, before the command:\n"
	"  --redis HOST:PORT           the cluster's Redis (or SKEIN_REDIS, or --config)\n"
	"  --sentinel HOST:PORT,...    or its Sentinels (or SKEIN_SENTINELS, or --config)\n"
	"  --config FILE               take what is not given here from a node's settings\n"
	"  --redis-user NAME           ACL user\n"
	"  --redis-password-file FILE  its password, or the only one\n"
	"  --master-name NAME          how the Sentinels call the master (mymaster)\n"
	"  --sentinel-user NAME, --sentinel-password-file FILE\n"
	"                              the same for the Sentinels\n"
	"  --sentinel-no-tls           Sentinels are spoken to in clear, Redis is not\n"
	"  --tls                       encrypt; implied by the next four\n"
	"  --tls-ca FILE               authorities (PEM); otherwise the system's\n"
	"  --tls-cert FILE, --tls-key FILE\n"
	"                              the certificate to show, and its key (PEM)\n"
	"  --tls-name NAME             what Redis' certificate must name; otherwise its host\n"
	"  --prefix TEXT               of all keys in Redis (skein:)\n"
	"  --key-file FILE             the cluster's key, for secrets\n"
	"  --users-file FILE           the file of local users, for user\n"
	"  --json                      print JSON; also after the command\n"
	"  --help, --version\n";

enum {
	OPT_REDIS = 256,
	OPT_CONFIG,
	OPT_USER,
	OPT_PASSWORD,
	OPT_SENTINEL,
	OPT_MASTER_NAME,
	OPT_SENTINEL_USER,
	OPT_SENTINEL_PASSWORD,
	OPT_SENTINEL_NO_TLS,
	OPT_TLS,
	OPT_CA,
	OPT_CERT,
	OPT_KEY,
	OPT_NAME,
	OPT_PREFIX,
	OPT_KEY_FILE,
	OPT_USERS_FILE,
	OPT_JSON,
	OPT_HELP,
	OPT_VERSION
};

static const struct option long_options[] = {
	{ "redis", required_argument, NULL, OPT_REDIS },
	{ "config", required_argument, NULL, OPT_CONFIG },
	{ "redis-user", required_argument, NULL, OPT_USER },
	{ "redis-password-file", required_argument, NULL, OPT_PASSWORD },
	{ "sentinel", required_argument, NULL, OPT_SENTINEL },
	{ "master-name", required_argument, NULL, OPT_MASTER_NAME },
	{ "sentinel-user", required_argument, NULL, OPT_SENTINEL_USER },
	{ "sentinel-password-file", required_argument, NULL, OPT_SENTINEL_PASSWORD },
	{ "sentinel-no-tls", no_argument, NULL, OPT_SENTINEL_NO_TLS },
	{ "tls", no_argument, NULL, OPT_TLS },
	{ "tls-ca", required_argument, NULL, OPT_CA },
	{ "tls-cert", required_argument, NULL, OPT_CERT },
	{ "tls-key", required_argument, NULL, OPT_KEY },
	{ "tls-name", required_argument, NULL, OPT_NAME },
	{ "prefix", required_argument, NULL, OPT_PREFIX },
	{ "key-file", required_argument, NULL, OPT_KEY_FILE },
	{ "users-file", required_argument, NULL, OPT_USERS_FILE },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 },
};

static const char **text_option(struct ctl_options *options, int option)
{
	switch (option) {
	case OPT_REDIS:
		return &options->redis;
	case OPT_USER:
		return &options->user;
	case OPT_PASSWORD:
		return &options->password_file;
	case OPT_SENTINEL:
		return &options->sentinels;
	case OPT_MASTER_NAME:
		return &options->master_name;
	case OPT_SENTINEL_USER:
		return &options->sentinel_user;
	case OPT_SENTINEL_PASSWORD:
		return &options->sentinel_password_file;
	case OPT_CA:
		return &options->tls.ca_file;
	case OPT_CERT:
		return &options->tls.cert_file;
	case OPT_KEY:
		return &options->tls.key_file;
	case OPT_NAME:
		return &options->tls.server_name;
	case OPT_PREFIX:
		return &options->prefix;
	case OPT_KEY_FILE:
		return &options->key_file;
	case OPT_USERS_FILE:
		return &options->users_file;
	default:
		return NULL;
	}
}

static void take_flag(struct ctl_options *options, int option)
{
	options->tls.on = options->tls.on || option == OPT_TLS;
	options->sentinel_in_clear = options->sentinel_in_clear || option == OPT_SENTINEL_NO_TLS;
	options->is_json = options->is_json || option == OPT_JSON;
	options->wants_help = options->wants_help || option == OPT_HELP;
	options->wants_version = options->wants_version || option == OPT_VERSION;
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
	if (config && !config_file_read(config, options, why))
		return false;
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

bool options_parse(struct ctl_options *options, int argc, char **argv, int *next_out, struct buf *why_out)
{
	const char *config = NULL;
	int option;

	*options = (struct ctl_options){ .redis = NULL };
	optind = 0; /* getopt starts anew */
	opterr = 0;
	while ((option = getopt_long(argc, argv, "+", long_options, NULL)) != -1) {
		const char **text = text_option(options, option);

		if (option == '?') {
			buf_printf(
				why_out, "%s: unknown option, or its argument is missing", argv[optind - 1]);
			return false;
		}
		if (text)
			*text = optarg;
		else if (option == OPT_CONFIG)
			config = optarg;
		else
			take_flag(options, option);
	}
	*next_out = optind;
	return options->wants_help || options->wants_version || add_defaults(options, config, why_out);
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

bool options_finish(struct ctl_options *options, struct buf *why_out)
{
	bool has_address = options->redis && options->redis[0];
	bool has_sentinels = options->sentinels && options->sentinels[0];

	if (!has_address && !has_sentinels) {
		buf_append_str(why_out, "where is Redis? Say --redis HOST:PORT, --sentinel HOST:PORT,..., "
					"SKEIN_REDIS=HOST:PORT or --config FILE");
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
