#include "run/rehearsal.h"

#include "config/cluster_key.h"
#include "config/options.h"
#include "config/secret.h"
#include "run/client_tls.h"
#include "run/server_tls.h"

#include <stdio.h>

static void end_line(struct buf *text)
{
	if (buf_len(text) && buf_tail(text)[-1] != '\n')
		buf_append_byte(text, '\n');
}

static void try_listeners(const struct settings *settings, struct buf *why)
{
	struct server_tls tls;

	server_tls_init(&tls);
	if (server_tls_load(&tls, settings, &settings->listeners, why))
		end_line(why);
	server_tls_fini(&tls);
}

static void try_clients(const struct settings *settings, struct buf *why)
{
	struct tls_context *context = NULL;

	if (client_tls_hop(settings, &context, why))
		end_line(why);
	tls_context_unref(&context);
	if (client_tls_redis(settings, &context, why))
		end_line(why);
	tls_context_unref(&context);
}

static void try_key(const struct settings *settings, struct buf *why)
{
	struct secret_keys *keys = NULL;

	if (*settings->cluster.key_file && cluster_key_read(settings->cluster.key_file, &keys, why))
		end_line(why);
	cluster_key_free(&keys);
}

static void try_password(const char *setting, const char *path, struct buf *why)
{
	char *password = NULL;

	if (*path && secret_read(path, &password))
		buf_printf(why, "%s: %s: cannot be read as one line\n", setting, path);
	secret_free(&password);
}

int rehearsal_print(struct settings *settings)
{
	struct buf why = { 0 };
	int status = OPTIONS_EXIT_OK;

	try_listeners(settings, &why);
	try_clients(settings, &why);
	try_key(settings, &why);
	try_password("redis.password_file", settings->redis.password_file, &why);
	try_password("redis.sentinel_password_file", settings->redis.sentinel_password_file, &why);
	try_password("auth.ldap.password_file", settings->auth.ldap.password_file, &why);
	if (buf_len(&why)) {
		fwrite(buf_span(&why).ptr, 1, buf_len(&why), stderr);
		status = OPTIONS_EXIT_SETTINGS;
	} else {
		puts("ok");
	}
	buf_fini(&why);
	settings_free(&settings);
	return status;
}
