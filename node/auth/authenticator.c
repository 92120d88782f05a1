#include "auth/authenticator_internal.h"

#include "auth/ldap_conn.h"
#include "skein/proto/base/alloc.h"
#include "track/log.h"

#include <sys/random.h>

enum { LOCKOUT_AGE_MS = 10 * 60000, UPKEEP_MS = 10000 };

static void on_upkeep(void *arg);

/* ---- building ---- */

static bool has_backend(const struct settings *settings, enum auth_backend backend)
{
	for (size_t i = 0; i < settings->auth.backends.count; i++)
		if (strcmp(settings->auth.backends.items[i], auth_backend_names[backend]) == 0)
			return true;
	return false;
}

static const char *keep(struct auth_backends *backends, const char *text)
{
	return arena_strdup(&backends->arena, span_of_str(text));
}

static struct text_list keep_list(struct auth_backends *backends, struct text_list from)
{
	const char **items = arena_alloc(&backends->arena, (from.count + 1) * sizeof(*items));

	for (size_t i = 0; i < from.count; i++)
		items[i] = keep(backends, from.items[i]);
	return (struct text_list){ items, from.count };
}

static struct auth_backends *backends_new(const char *name, struct log_writer *log)
{
	struct auth_backends *backends = mem_zalloc(sizeof(*backends));

	backends->name = name;
	backends->log = log;
	return backends;
}

static void start_pool(struct authenticator *authenticator, enum auth_pool pool,
	struct auth_backends *backends, uint64_t threads, uint64_t queue_max)
{
	authenticator->pools[pool] = pool_new(&(struct pool_options){ backends->name, threads, queue_max,
		auth_thread_new, auth_thread_free, auth_backends_free, backends });
}

static void start_ldap(struct authenticator *authenticator, const struct authenticator_options *options)
{
	const struct settings *settings = options->settings;
	struct auth_backends *backends = backends_new("auth-ldap", options->log);

	ldap_conn_global_init();
	backends->bind_password = options->ldap_password
					  ? bind_password_new(options->ldap_password)
					  : bind_password_new_secret(options->secrets,
						    keep(backends, settings->auth.ldap.bind_secret));
	backends->directory = directory_new(&(struct directory_options){
		.servers = keep_list(backends, settings->auth.ldap.servers),
		.ca = keep(backends, settings->auth.ldap.ca),
		.start_tls = settings->auth.ldap.start_tls,
		.bind_dn = keep(backends, settings->auth.ldap.bind_dn),
		.bind_password = backends->bind_password,
		.base = keep(backends, settings->auth.ldap.base),
		.domain = { keep(backends, settings->auth.ldap.domain),
			keep(backends, settings->auth.ldap.realm) },
		.timeout_ms = settings->auth.ldap.timeout_ms,
	});
	authenticator->directory = backends->directory;
	authenticator->bind_password = backends->bind_password;
	start_pool(authenticator, AUTH_POOL_LDAP, backends, settings->auth.ldap.threads,
		settings->auth.ldap.queue);
}

static void start_winbind(struct authenticator *authenticator, const struct authenticator_options *options)
{
	struct auth_backends *backends = backends_new("auth-winbind", options->log);

	backends->has_winbind = true;
	start_pool(authenticator, AUTH_POOL_WINBIND, backends, options->settings->auth.winbind.threads,
		options->settings->auth.winbind.queue);
}

static void start_other(struct authenticator *authenticator, const struct authenticator_options *options)
{
	const struct settings *settings = options->settings;
	struct auth_backends *backends = backends_new("auth-other", options->log);
	struct text_list realms = { (const char *const[]){ settings->auth.ldap.realm }, 1 };

	if (has_backend(settings, AUTH_FILE))
		backends->users = local_users_new(settings->auth.file.path);
	if (has_backend(settings, AUTH_KERBEROS))
		backends->kerberos = kerberos_new(&(struct kerberos_options){
			keep(backends, settings->auth.kerberos.keytab), keep_list(backends, realms) });
	authenticator->kerberos = backends->kerberos;
	authenticator->users = backends->users;
	start_pool(authenticator, AUTH_POOL_OTHER, backends, settings->auth.file.threads,
		settings->auth.file.queue);
}

/*
 * All that the back ends can do. SCRAM only where every password is ours: a client takes the best mechanism
 * that it knows, and users of a directory cannot use this one.
 */
static unsigned default_mechanisms(const struct settings *settings)
{
	bool has_ldap = has_backend(settings, AUTH_LDAP), has_file = has_backend(settings, AUTH_FILE);
	unsigned wanted = 0;

	if (has_ldap || has_file)
		wanted |= SASL_BIT(SASL_PLAIN) | SASL_BIT(SASL_LOGIN);
	if (has_file && !has_ldap)
		wanted |= SASL_BIT(SASL_SCRAM_SHA_256) | SASL_BIT(SASL_SCRAM_SHA_256_PLUS);
	if (has_backend(settings, AUTH_WINBIND))
		wanted |= SASL_BIT(SASL_NTLM);
	if (has_backend(settings, AUTH_KERBEROS))
		wanted |= SASL_BIT(SASL_GSSAPI);
	return wanted;
}

static unsigned wanted_mechanisms(const struct settings *settings)
{
	unsigned wanted = 0;

	if (!settings->auth.mechanisms.count)
		return default_mechanisms(settings);
	for (size_t i = 0; i < settings->auth.mechanisms.count; i++) {
		enum sasl_mechanism mechanism;

		if (sasl_mechanism_find(span_of_str(settings->auth.mechanisms.items[i]), &mechanism))
			wanted |= SASL_BIT(mechanism);
	}
	return wanted;
}

static struct auth_cache_options cache_options(const struct settings *settings)
{
	return (struct auth_cache_options){ settings->auth.cache.password_ttl_ms,
		settings->auth.cache.identity_ttl_ms, settings->auth.cache.wrong_ttl_ms,
		settings->auth.cache.entries };
}

static void init_cache(struct authenticator *authenticator, const struct settings *settings)
{
	struct auth_cache_options options = cache_options(settings);
	uint8_t key[32];

	CHECK(getrandom(key, sizeof(key), 0) == sizeof(key));
	authenticator->cache = auth_cache_new(&options, key);
	mem_wipe(key, sizeof(key));
}

static void init_sasl(struct authenticator *authenticator, const struct authenticator_options *options)
{
	authenticator->salt_key_len = options->scram_salt_key.len < sizeof(authenticator->salt_key)
					      ? options->scram_salt_key.len
					      : sizeof(authenticator->salt_key);
	if (authenticator->salt_key_len)
		memcpy(authenticator->salt_key, options->scram_salt_key.ptr, authenticator->salt_key_len);
	authenticator->sasl.binding = options->settings->auth.channel_binding;
	authenticator->sasl.fake_salt_key =
		span_of((const char *)authenticator->salt_key, authenticator->salt_key_len);
	authenticator->wanted = wanted_mechanisms(options->settings);
	if (!authenticator->salt_key_len)
		authenticator->wanted &= ~(SASL_BIT(SASL_SCRAM_SHA_256) | SASL_BIT(SASL_SCRAM_SHA_256_PLUS));
}

struct authenticator *authenticator_new(const struct authenticator_options *options)
{
	struct authenticator *authenticator = mem_zalloc(sizeof(*authenticator));
	const struct settings *settings = options->settings;

	authenticator->on_lockout = options->on_lockout;
	authenticator->arg = options->arg;
	loop_timer_init(&authenticator->timer, on_upkeep, authenticator);
	authenticator->timeout_ms = settings->auth.timeout_ms;
	for (size_t i = 0; i < settings->auth.backends.count; i++) {
		if (strcmp(settings->auth.backends.items[i], auth_backend_names[AUTH_LDAP]) == 0)
			authenticator->order[authenticator->order_count++] = AUTH_LDAP;
		if (strcmp(settings->auth.backends.items[i], auth_backend_names[AUTH_FILE]) == 0)
			authenticator->order[authenticator->order_count++] = AUTH_FILE;
	}
	init_cache(authenticator, settings);
	init_sasl(authenticator, options);
	if (has_backend(settings, AUTH_LDAP))
		start_ldap(authenticator, options);
	if (has_backend(settings, AUTH_WINBIND))
		start_winbind(authenticator, options);
	if (has_backend(settings, AUTH_FILE) || has_backend(settings, AUTH_KERBEROS))
		start_other(authenticator, options);
	return authenticator;
}

bool authenticator_free(struct authenticator **authenticator_ptr)
{
	struct authenticator *authenticator = *authenticator_ptr;
	bool is_complete = true;

	if (!authenticator)
		return true;
	if (authenticator->loop)
		loop_timer_cancel(authenticator->loop, &authenticator->timer);
	if (authenticator->bind_password)
		bind_password_stop(authenticator->bind_password);
	for (size_t i = 0; i < AUTH_POOL_COUNT; i++) {
		pool_cancel(&authenticator->upkeep[i]);
		is_complete = pool_free(&authenticator->pools[i]) && is_complete;
	}
	auth_cache_free(&authenticator->cache);
	mem_wipe(authenticator->salt_key, sizeof(authenticator->salt_key));
	mem_free(authenticator);
	*authenticator_ptr = NULL;
	return is_complete;
}

/* ---- asking ---- */

enum auth_pool auth_pool_of(enum auth_job_kind kind)
{
	switch (kind) {
	case AUTH_JOB_LDAP_PASSWORD:
	case AUTH_JOB_LDAP_LOOK_UP:
	case AUTH_JOB_LDAP_NAME:
	case AUTH_JOB_LDAP_LOCKOUT:
		return AUTH_POOL_LDAP;
	case AUTH_JOB_NTLM:
	case AUTH_JOB_WINBIND_NAMES:
		return AUTH_POOL_WINBIND;
	default:
		return AUTH_POOL_OTHER;
	}
}

enum err auth_post(struct authenticator *authenticator, struct auth_job *job, struct loop *loop,
	pool_done_fn *done, void *arg, struct pool_job **job_out)
{
	struct pool *pool = authenticator->pools[auth_pool_of(job->kind)];
	struct pool_work work = { auth_job_run, auth_job_free, job };
	struct pool_asker asker = { loop, authenticator->timeout_ms, done, arg };

	CHECK(pool);
	return pool_post(pool, &work, &asker, job_out);
}

unsigned authenticator_mechanisms(const struct authenticator *authenticator)
{
	unsigned now = authenticator->wanted;

	if (!atomic_load(&authenticator->winbind_up))
		now &= ~SASL_BIT(SASL_NTLM);
	if (!atomic_load(&authenticator->kerberos_up))
		now &= ~SASL_BIT(SASL_GSSAPI);
	return now;
}

const struct sasl_settings *authenticator_sasl(const struct authenticator *authenticator)
{
	return &authenticator->sasl;
}

void authenticator_set_groups(struct authenticator *authenticator, struct text_list names)
{
	if (authenticator->directory)
		directory_set_groups(authenticator->directory, names);
	auth_cache_clear(authenticator->cache);
}

/* ---- upkeep ---- */

/* Exchanges on other threads point to the names, so they are written once: a machine that is joined anew
 * needs a restart. */
static void keep_names(struct authenticator *authenticator, const struct winbind_names *names)
{
	struct winbind_names *own = &authenticator->names;

	if (authenticator->has_names)
		return;
	*own = *names;
	authenticator->has_names = true;
	authenticator->sasl.ntlm.netbios_domain = span_of_str(own->netbios_domain);
	authenticator->sasl.ntlm.netbios_computer = span_of_str(own->netbios_computer);
	authenticator->sasl.ntlm.dns_domain = span_of_str(own->dns_domain);
	authenticator->sasl.ntlm.dns_computer = span_of_str(own->dns_computer);
}

static void on_lockout(void *arg, enum err err, void *data)
{
	struct authenticator *authenticator = arg;
	const struct auth_job *job = data;

	authenticator->upkeep[AUTH_POOL_LDAP] = NULL;
	if (err || job->err)
		return;
	authenticator->lockout_due_ms = loop_now_ms(authenticator->loop) + LOCKOUT_AGE_MS;
	if (authenticator->on_lockout)
		authenticator->on_lockout(authenticator->arg, &job->lockout);
}

static void on_names(void *arg, enum err err, void *data)
{
	struct authenticator *authenticator = arg;
	const struct auth_job *job = data;
	bool is_up = !err && !job->err;

	authenticator->upkeep[AUTH_POOL_WINBIND] = NULL;
	if (is_up)
		keep_names(authenticator, &job->names);
	atomic_store(&authenticator->winbind_up, is_up);
}

/*
 * A user that was removed, or has another password, has no right to the rest of a cache's time. And once more
 * the next time: a password may have been on its way through a hash.
 */
static void forget_old_users(struct authenticator *authenticator)
{
	unsigned generation = local_users_generation(authenticator->users);
	bool are_new = generation != authenticator->users_generation;

	if (are_new || authenticator->forgets_users_again)
		auth_cache_clear(authenticator->cache);
	authenticator->users_generation = generation;
	authenticator->forgets_users_again = are_new;
}

static void on_files(void *arg, enum err err, void *data)
{
	struct authenticator *authenticator = arg;

	(void)err;
	(void)data;
	authenticator->upkeep[AUTH_POOL_OTHER] = NULL;
	if (authenticator->users)
		forget_old_users(authenticator);
	if (authenticator->kerberos)
		atomic_store(&authenticator->kerberos_up, kerberos_is_ready(authenticator->kerberos));
}

static void tend(struct authenticator *authenticator, enum auth_job_kind kind, pool_done_fn *done)
{
	enum auth_pool pool = auth_pool_of(kind);
	struct auth_job *job;

	if (!authenticator->pools[pool] || authenticator->upkeep[pool])
		return;
	job = auth_job_new(kind);
	job->must_read = authenticator->must_read;
	/* No room: whoever asks now has to wait, too. */
	if (auth_post(authenticator, job, authenticator->loop, done, authenticator,
		    &authenticator->upkeep[pool]) != ERR_OK)
		done(authenticator, ERR_BUSY, NULL);
}

static void on_upkeep(void *arg)
{
	struct authenticator *authenticator = arg;

	tend(authenticator, AUTH_JOB_WINBIND_NAMES, on_names);
	tend(authenticator, AUTH_JOB_FILES, on_files);
	authenticator->must_read = false;
	if (loop_now_ms(authenticator->loop) >= authenticator->lockout_due_ms)
		tend(authenticator, AUTH_JOB_LDAP_LOCKOUT, on_lockout);
	loop_timer_set(authenticator->loop, &authenticator->timer, UPKEEP_MS);
}

void authenticator_start(struct authenticator *authenticator, struct loop *loop)
{
	authenticator->loop = loop;
	authenticator->must_read = true;
	authenticator->lockout_due_ms = 0;
	loop_timer_set(loop, &authenticator->timer, 0);
}

void authenticator_reload(struct authenticator *authenticator, const struct settings *settings)
{
	struct auth_cache_options options = cache_options(settings);

	authenticator->timeout_ms = settings->auth.timeout_ms;
	auth_cache_set_options(authenticator->cache, &options);
	auth_cache_clear(authenticator->cache);
	authenticator->must_read = true;
	authenticator->lockout_due_ms = 0;
	loop_timer_set(authenticator->loop, &authenticator->timer, 0);
}
