/*
 * options: what stands before the command, or behind it: where Redis is, how to log in, how to print. Each
 * comes from the command line, else from the environment (SKEIN_REDIS, SKEIN_SENTINELS), else from the
 * settings file of a node, else from its default. Where none of them says where Redis is, that file is
 * SKEIN_CONFIG, or the one of the host's own node.
 */
#ifndef CTL_OPTIONS_H
#define CTL_OPTIONS_H

#include "option.h"
#include "redis_socket.h"
#include "skein/cluster/sentinel.h"
#include "skein/proto/base/arena.h"

struct call;

struct ctl_options {
	const char *redis;     /* "host:port"; NULL: not told */
	const char *sentinels; /* "host:port,host:port"; in place of redis */
	const char *master_name;
	const char *sentinel_user, *sentinel_password_file;
	bool sentinel_in_clear; /* also where `tls` is on */
	const char *user, *password_file;
	const char *prefix;
	const char *key_file;   /* with the cluster's key; NULL: not told */
	const char *users_file; /* of local users; NULL: not told */
	const char *config;     /* the settings file that was read; NULL: none */
	const char *config_why; /* why the host's own was not; NULL: it was, or was not asked for */
	const char *hostname;   /* of the node whose settings were read; NULL: not told */
	struct redis_socket_tls tls;
	bool is_json;
	bool is_quiet;            /* who waits for Redis tells by himself that it is away */
	bool is_cluster_optional; /* the command works where no node was ever started */
	uint64_t deadline_ms;     /* for connecting, and for each call; 0: as usual */
	const struct call *call;  /* the command line, for what tells of it */

	/* Made of the above by options_finish(). */
	const char *host, *port; /* of Redis; with Sentinels NULL, they are asked for it */
	struct options_place {
		const char *host, *port;
	} sentinel[SENTINELS_MAX];
	size_t sentinel_count;
	const char *password, *sentinel_password; /* NULL: none */
	struct arena arena;                       /* text that is not argv's */
};

#define OPTIONS_CONFIG_DEFAULT "/etc/skein/skein.yaml"

/* Ends with a row without a name. */
extern const struct option_row options_rows[];

/* Takes them out of the call, which is borrowed as long. False: one line in `why_out`. */
bool options_take(struct ctl_options *options, const struct call *call, struct buf *why_out);
/* Is it told where Redis is? */
bool options_has_redis(const struct ctl_options *options);
/* Splits the addresses and reads the passwords. */
bool options_finish(struct ctl_options *options, struct buf *why_out);
/* Wipes the passwords. */
void options_fini(struct ctl_options *options);

#endif
