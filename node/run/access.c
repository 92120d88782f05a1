#include "run/access.h"

#include "config/cluster_key.h"
#include "config/options.h"
#include "config/secret.h"
#include "config/vault.h"
#include "skein/proto/base/alloc.h"

#include <openssl/hmac.h>

enum { DERIVED_KEY_LEN = 32 };

/* --- keys for this and that, from the cluster's, or from a text of this node's own ---------------- */

static void derive_key(struct span from, const char *label, unsigned char key_out[DERIVED_KEY_LEN])
{
	unsigned len = 0;

	CHECK(HMAC(EVP_sha256(), from.ptr, (int)from.len, (const unsigned char *)label, strlen(label),
		key_out, &len));
	CHECK(len == DERIVED_KEY_LEN);
}

static struct span cluster_key(const struct access *access)
{
	return span_of((const char *)access->cluster_keys->current.bytes, SECRET_KEY_LEN);
}

/* --- the policy --------------------------------------------------------------------------------- */

struct policy *access_read_policy(const struct settings *settings, struct buf *why_out)
{
	struct report report = { 0 };
	struct policy *policy = settings_load_policy(settings, &report);
	bool is_wrong = report.errors > 0;

	buf_append(why_out, is_wrong ? buf_span(&report.text) : SPAN_LIT(""));
	report_fini(&report);
	/* What holds without a document. */
	if (!is_wrong && !policy)
		policy = policy_of_networks(&settings->relay.allow);
	return policy;
}

/* Where the cluster's policy runs, settings have no say. */
static void set_policy_of_settings(struct access *access, struct policy *policy)
{
	const struct policy_version from_settings = { 0, 0 };

	if (policy_slot_version(&access->policy))
		policy_free(&policy);
	else
		policy_slot_set(&access->policy, policy_snapshot_new(policy, from_settings));
}

static void on_policy_changed(void *arg, const struct policy *policy)
{
	struct access *access = arg;

	if (access->authenticator)
		authenticator_set_groups(access->authenticator, policy_groups(policy));
	throttle_set_abuse(&access->throttle, policy_abuse(policy));
	signing_slot_refresh(access->signing, &access->policy, access->secrets);
}

static enum err open_policy(struct access *access, struct buf *why_out)
{
	const struct access_options *options = &access->options;
	const struct policy_watch_options watch = { options->loop, options->log, options->track,
		&access->policy, spool_dir(options->spool) };
	struct policy *policy = access_read_policy(options->settings, why_out);

	if (!policy)
		return ERR_INVALID;
	access->policy.on_change = on_policy_changed;
	access->policy.arg = access;
	set_policy_of_settings(access, policy);
	if (settings_has_redis(options->settings))
		access->policy_watch = policy_watch_new(&watch);
	return ERR_OK;
}

/* --- secrets ------------------------------------------------------------------------------------ */

static void on_secrets_changed(void *arg)
{
	struct access *access = arg;

	signing_slot_refresh(access->signing, &access->policy, access->secrets);
	credentials_changed(access->credentials);
}

static void fetch_tokens(struct access *access)
{
	const struct settings *settings = access->options.settings;
	const struct token_fetch_options options = {
		.loop = access->options.loop,
		.log = access->options.log,
		.resolver = access->options.resolver,
		.ca_file = settings->route.token_ca[0] ? settings->route.token_ca : NULL,
		.tokens = access->tokens,
		.credentials = access->credentials,
	};

	access->token_fetch = token_fetch_new(&options);
}

static void share_marks(struct access *access)
{
	unsigned char key[CREDENTIALS_MARK_LEN];

	_Static_assert(sizeof(key) == DERIVED_KEY_LEN, "a mark's key is a derived one");
	derive_key(cluster_key(access), "skein login mark", key);
	credentials_set_mark_key(access->credentials, key);
	mem_wipe(key, sizeof(key));
}

static enum err open_secrets(struct access *access, struct buf *why_out)
{
	const struct settings *settings = access->options.settings;
	const char *path = settings->cluster.key_file;
	enum err err = path[0] ? cluster_key_read(path, &access->cluster_keys, why_out) : ERR_OK;

	if (access->cluster_keys)
		vault_forgo_core_dumps();
	access->secrets = secrets_new(!settings_has_redis(settings) ? SECRETS_STANDALONE
				      : access->cluster_keys        ? SECRETS_AWAITED
								    : SECRETS_NO_KEY);
	access->signing = signing_slot_new(access->options.log);
	access->tokens = tokens_new();
	access->credentials = credentials_new(access->secrets, access->tokens);
	if (access->cluster_keys)
		share_marks(access);
	secrets_on_change(access->secrets, on_secrets_changed, access);
	fetch_tokens(access);
	return err;
}

static void share_tokens(struct access *access, struct redis_link *link)
{
	const struct token_share share = {
		.link = link,
		.keys = access->cluster_keys,
		.holder = spool_uuid(access->options.spool),
	};

	if (access->cluster_keys)
		token_fetch_join(access->token_fetch, &share);
}

static void watch_secrets(struct access *access, struct redis_link *link)
{
	const struct secret_watch_options options = {
		.loop = access->options.loop,
		.log = access->options.log,
		.link = link,
		.keys = access->cluster_keys,
		.secrets = access->secrets,
	};

	if (access->cluster_keys)
		access->secret_watch = secret_watch_new(&options);
}

/* --- authentication ----------------------------------------------------------------------------- */

/*
 * SCRAM's false salts must be the same on all nodes: they are made from the cluster's key, or on a node that
 * has none from the spool's identity, which no client is told.
 */
static void derive_salt_key(const struct access *access, unsigned char key_out[DERIVED_KEY_LEN])
{
	struct span from =
		access->cluster_keys ? cluster_key(access) : span_of_str(spool_uuid(access->options.spool));

	derive_key(from, "skein scram salt", key_out);
}

static void on_lockout(void *arg, const struct directory_lockout *lockout)
{
	struct access *access = arg;

	throttle_set_lockout(&access->throttle, lockout);
}

static enum err make_authenticator(struct access *access, struct buf *why_out)
{
	const struct settings *settings = access->options.settings;
	const char *path = settings->auth.ldap.password_file;
	unsigned char salt_key[DERIVED_KEY_LEN];
	char *password = NULL;
	struct authenticator_options options = {
		.settings = settings,
		.secrets = access->secrets,
		.log = access->options.log_writer,
		.on_lockout = on_lockout,
		.arg = access,
	};

	if (!settings->auth.backends.count)
		return ERR_OK;
	if (path[0] && secret_read(path, &password)) {
		buf_printf(why_out, "auth.ldap.password_file: %s: cannot be read as one line\n", path);
		return ERR_INVALID;
	}
	vault_forgo_core_dumps();
	derive_salt_key(access, salt_key);
	options.scram_salt_key = span_of((const char *)salt_key, sizeof(salt_key));
	options.ldap_password = password;
	access->authenticator = authenticator_new(&options);
	secret_free(&password);
	mem_wipe(salt_key, sizeof(salt_key));
	return ERR_OK;
}

/* --- what holds clients back -------------------------------------------------------------------- */

static bool has_domain(const struct settings *settings)
{
	const struct text_list *backends = &settings->auth.backends;

	for (size_t i = 0; i < backends->count; i++)
		if (strcmp(backends->items[i], "file") != 0)
			return true;
	return false;
}

static void make_throttle(struct access *access)
{
	const struct settings *settings = access->options.settings;
	const struct throttle_options options = {
		.counters_max = settings->limits.counters,
		.bans_max = settings->limits.bans,
		.has_domain = has_domain(settings),
		.meter = access->options.meter,
	};

	throttle_init(&access->throttle, &options);
}

void access_set_cluster(struct access *access, const struct incarnation *self, unsigned nodes, unsigned rank)
{
	throttle_set_cluster(&access->throttle, self, nodes);
	hop_news_set_cluster(&access->hop_news, nodes, rank);
}

void access_link_lost(struct access *access)
{
	throttle_link_lost(&access->throttle);
	hop_news_link_lost(&access->hop_news);
}

/* --- life --------------------------------------------------------------------------------------- */

void access_init(struct access *access)
{
	*access = (struct access){ .authenticator = NULL };
	policy_slot_init(&access->policy);
}

enum err access_open(struct access *access, const struct access_options *options, struct buf *why_out)
{
	enum err err;

	access->options = *options;
	access->policy.metrics = options->metrics;
	make_throttle(access);
	hop_news_init(&access->hop_news, options->settings->limits.next_hops, options->settings->node.name,
		options->meter);
	err = open_secrets(access, why_out);
	if (!err)
		err = make_authenticator(access, why_out);
	if (!err)
		err = open_policy(access, why_out);
	return err;
}

void access_start(struct access *access, struct redis_link *link)
{
	if (access->authenticator)
		authenticator_start(access->authenticator, access->options.loop);
	throttle_start(&access->throttle, access->options.loop, link);
	hop_news_start(&access->hop_news, access->options.loop, link);
	if (!link)
		return;
	policy_watch_follow(access->policy_watch, link);
	watch_secrets(access, link);
	share_tokens(access, link);
}

void access_reload(struct access *access, const struct settings *settings, struct policy *policy)
{
	if (access->authenticator)
		authenticator_reload(access->authenticator, settings);
	set_policy_of_settings(access, policy);
}

void access_stop(struct access *access)
{
	throttle_stop(&access->throttle);
	hop_news_stop(&access->hop_news);
	if (access->token_fetch)
		token_fetch_stop(access->token_fetch);
}

bool access_fini(struct access *access)
{
	bool is_log_free = true;

	secret_watch_free(&access->secret_watch);
	policy_watch_free(&access->policy_watch);
	if (access->authenticator)
		is_log_free = authenticator_free(&access->authenticator);
	if (access->throttle.guard)
		throttle_fini(&access->throttle);
	if (access->hop_news.board)
		hop_news_fini(&access->hop_news);
	signing_slot_free(&access->signing);
	token_fetch_free(&access->token_fetch);
	credentials_free(&access->credentials);
	tokens_free(&access->tokens);
	policy_slot_fini(&access->policy);
	secrets_free(&access->secrets);
	cluster_key_free(&access->cluster_keys);
	return is_log_free;
}
