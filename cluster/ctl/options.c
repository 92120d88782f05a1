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
	"  --config FILE               take what is not given here from a node's settings\n"
	"  --redis-user NAME           ACL user\n"
	"  --redis-password-file FILE  its password, or the only one\n"
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
	if (!options->redis)
		options->redis = getenv("SKEIN_REDIS");
	if (config && !config_file_read(config, options, why))
		return false;
	if (!options->prefix)
		options->prefix = "skein:";
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

/* "host:port", "[v6]:port", "host" */
static bool split_address(struct ctl_options *options)
{
	struct span text = span_of_str(options->redis);
	struct span port = SPAN_LIT("6379");
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
	options->host = arena_strdup(&options->arena, text);
	options->port = arena_strdup(&options->arena, port);
	return text.len && span_parse_u64(port, 65535, &number) && number > 0;
}

static bool read_password(struct ctl_options *options, struct buf *why)
{
	char text[PASSWORD_MAX + 2];
	int fd = open(options->password_file, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
	int error = errno;

	if (fd >= 0)
		close(fd);
	if (len < 0) {
		buf_printf(why, "cannot read %s: ", options->password_file);
		buf_append_str(why, strerror(error));
		return false;
	}
	while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r'))
		len--;
	if (len == 0 || len > PASSWORD_MAX) {
		buf_printf(
			why, "%s holds no password of 1 to %d bytes", options->password_file, PASSWORD_MAX);
		return false;
	}
	options->password = arena_strdup(&options->arena, span_of(text, (size_t)len));
	mem_wipe(text, sizeof(text));
	return true;
}

bool options_finish(struct ctl_options *options, struct buf *why_out)
{
	if (!options->redis || !options->redis[0]) {
		buf_append_str(why_out,
			"where is Redis? Say --redis HOST:PORT, SKEIN_REDIS=HOST:PORT or --config FILE");
		return false;
	}
	if (!split_address(options)) {
		buf_printf(
			why_out, "\"%s\" is no address: HOST:PORT or [IPV6]:PORT is wanted", options->redis);
		return false;
	}
	return !options->password_file || read_password(options, why_out);
}

void options_fini(struct ctl_options *options)
{
	if (options->password)
		mem_wipe((char *)(uintptr_t)options->password, strlen(options->password));
	arena_fini(&options->arena);
}
