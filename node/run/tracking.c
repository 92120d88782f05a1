#include "run/tracking.h"

#include "config/secret.h"
#include "config/vault.h"
#include "run/worker.h"
#include "skein/proto/base/alloc.h"
#include "track/track_uplink.h"

#include <openssl/evp.h>
#include <stdio.h>

/* Sinks that send what they have get the time of a drain for it, but not more than this: a file has it
 * written by then. */
enum { LEAVE_MAX_MS = 5000, PATH_SIZE = 1100, SHA256_LEN = 32 };

/* Its first 128 bits as two numbers: what SipHash wants, whatever the operator wrote. */
static void derive_key(const char *secret, uint64_t key_out[2])
{
	unsigned char digest[SHA256_LEN];

	CHECK(EVP_Digest(secret, strlen(secret), digest, NULL, EVP_sha256(), NULL));
	for (size_t i = 0; i < 16; i++)
		key_out[i / 8] = key_out[i / 8] << 8 | digest[i];
	mem_wipe(digest, sizeof(digest));
}

static enum err read_redaction(
	const struct settings *settings, struct track_redaction *redaction_out, struct buf *why_out)
{
	const char *path = settings->tracking.redact_key_file;
	char *secret;

	*redaction_out = (struct track_redaction){ .mode = settings->tracking.redact };
	if (!*path)
		return ERR_OK;
	vault_forgo_core_dumps();
	if (secret_read(path, &secret)) {
		buf_printf(why_out, "tracking.redact_key_file: %s: cannot be read as one line\n", path);
		return ERR_IO;
	}
	derive_key(secret, redaction_out->key);
	secret_free(&secret);
	return ERR_OK;
}

/* "": no files. */
static void find_folder(const struct tracking_options *options, char folder_out[PATH_SIZE])
{
	const char *said = options->settings->tracking.file;

	if (strcmp(said, "off") == 0)
		*folder_out = '\0';
	else if (*said)
		snprintf(folder_out, PATH_SIZE, "%s", said);
	else
		snprintf(folder_out, PATH_SIZE, "%s/tracking", spool_dir(options->spool));
}

static enum err open_file(struct tracking *tracking, const struct tracking_options *options,
	const char *folder, struct buf *why_out)
{
	const struct settings *settings = options->settings;
	struct track_file_options file = {
		.folder = folder,
		.format = settings->tracking.format,
		.limits = { settings->tracking.rotate_size, settings->tracking.keep_days,
			settings->tracking.keep_size },
		.log = options->log,
		.meter = options->meter,
	};
	struct track_sink sink;
	enum err err;

	if (!*folder)
		return ERR_OK;
	err = track_file_new(&file, &tracking->file, why_out);
	if (err)
		return err;
	sink = track_file_sink(tracking->file);
	tracker_add(tracking->tracker, &sink);
	return ERR_OK;
}

static void open_uplink(struct tracking *tracking, const struct tracking_options *options, const char *folder)
{
	const struct settings *settings = options->settings;
	struct redis_conn_options redis;
	const struct track_uplink_options uplink = {
		.loop = tracker_loop(tracking->tracker),
		.redis = &redis,
		.node = settings->node.name,
		.run = tracker_run(tracking->tracker),
		.folder = *folder && settings->tracking.format == TRACK_FORMAT_JSON ? folder : NULL,
		.limits = track_uplink_limits_of(settings),
		.log = options->log,
		.meter = options->meter,
	};
	struct track_sink sink;

	if (!settings->tracking.cluster || !settings_has_redis(settings))
		return;
	worker_redis_options(
		&redis, settings, options->redis_master, options->redis_password, options->redis_tls);
	tracking->uplink = track_uplink_new(&uplink);
	sink = track_uplink_sink(tracking->uplink);
	tracker_add(tracking->tracker, &sink);
}

static void add_hooks(struct tracking *tracking, const struct tracking_options *options,
	const struct track_redaction *redaction)
{
	struct track_hooks_options hooks = {
		.settings = options->settings,
		.redact_key = { redaction->key[0], redaction->key[1] },
		.loop = tracker_loop(tracking->tracker),
		.log = options->log,
		.meter = options->meter,
	};
	struct track_sink sink;

	tracking->hooks = track_hooks_new(&hooks);
	mem_wipe(hooks.redact_key, sizeof(hooks.redact_key));
	sink = track_hooks_sink(tracking->hooks);
	tracker_add(tracking->tracker, &sink);
}

enum err tracking_open(struct tracking *tracking, const struct tracking_options *options, struct buf *why_out)
{
	struct tracker_options tracker = {
		.node = options->settings->node.name,
		.log = options->log,
		.meter = options->meter,
	};
	enum err err = read_redaction(options->settings, &tracker.redaction, why_out);
	char folder[PATH_SIZE];

	if (err)
		return err;
	find_folder(options, folder);
	tracking->tracker = tracker_new(&tracker);
	tracking->patience_ms = options->settings->drain.timeout_ms;
	if (tracking->patience_ms > LEAVE_MAX_MS)
		tracking->patience_ms = LEAVE_MAX_MS;
	add_hooks(tracking, options, &tracker.redaction);
	mem_wipe(&tracker.redaction, sizeof(tracker.redaction));
	open_uplink(tracking, options, folder);
	return open_file(tracking, options, folder, why_out);
}

enum err tracking_start(
	struct tracking *tracking, struct resolver *resolver, struct secrets *secrets, struct buf *why_out)
{
	if (track_hooks_open(tracking->hooks, resolver, secrets, why_out))
		return ERR_INVALID;
	if (tracker_start(tracking->tracker) == ERR_OK)
		return ERR_OK;
	buf_append_str(why_out, "no thread for tracking\n");
	return ERR_IO;
}

void tracking_close(struct tracking *tracking)
{
	tracker_free(&tracking->tracker, tracking->patience_ms);
	track_file_free(&tracking->file);
	track_uplink_free(&tracking->uplink);
	track_hooks_free(&tracking->hooks);
}
