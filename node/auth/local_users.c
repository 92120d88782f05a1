#include "auth/local_users.h"

#include "config/file.h"
#include "skein/proto/auth/scram.h"
#include "skein/proto/auth/user_file.h"
#include "skein/proto/base/alloc.h"
#include "track/log.h"

#include <crypt.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/random.h>
#include <sys/stat.h>

/* What was in the file; counted, because checks go on while a new one comes. */
struct snapshot {
	atomic_uint refs;
	struct user_file *file;
};

struct local_users {
	char *path;
	pthread_mutex_t lock;
	struct snapshot *snapshot; /* under lock; NULL: nothing was read yet */
	struct timespec changed;   /* under lock: when the file that was read last had been changed */
	ino_t inode;
	atomic_uint generation;
	char no_setting[CRYPT_GENSALT_OUTPUT_SIZE]; /* for hashing in vain */
};

struct local_users *local_users_new(const char *path)
{
	struct local_users *users = mem_zalloc(sizeof(*users));

	users->path = mem_strdup(path);
	CHECK(pthread_mutex_init(&users->lock, NULL) == 0);
	CHECK(crypt_gensalt_rn("$y$", 0, NULL, 0, users->no_setting, sizeof(users->no_setting)));
	return users;
}

static void snapshot_unref(struct snapshot **snapshot)
{
	if (*snapshot && atomic_fetch_sub(&(*snapshot)->refs, 1) == 1) {
		user_file_free(&(*snapshot)->file);
		mem_free(*snapshot);
	}
	*snapshot = NULL;
}

void local_users_free(struct local_users **users)
{
	if (!*users)
		return;
	snapshot_unref(&(*users)->snapshot);
	pthread_mutex_destroy(&(*users)->lock);
	mem_free((*users)->path);
	mem_free(*users);
	*users = NULL;
}

/* ---- the file ---- */

static struct user_file *parse(const char *path, struct span text, struct log *log)
{
	struct user_file_fault fault;
	uint64_t seed[2];
	struct user_file *file;

	CHECK(getrandom(seed, sizeof(seed), 0) == sizeof(seed));
	file = user_file_parse(text, seed, &fault);
	if (!file)
		log_event(log, LOG_ERROR, "users-file-bad", LOG_STR("file", path),
			LOG_U64("line", fault.line), LOG_STR("error", fault.why), LOG_END);
	return file;
}

static enum err read_file(const char *path, struct log *log, struct user_file **file_out)
{
	struct buf text = { 0 };
	enum err err = file_read(path, USER_FILE_SIZE_MAX, &text);

	if (err)
		log_event(log, LOG_ERROR, "users-file-bad", LOG_STR("file", path), LOG_ERRNO(errno), LOG_END);
	else
		*file_out = parse(path, buf_span(&text), log);
	if (!err && !*file_out)
		err = ERR_INVALID;
	mem_wipe(text.base, text.cap);
	buf_fini(&text);
	return err;
}

enum err local_users_load(struct local_users *users, struct log *log)
{
	struct user_file *file = NULL;
	struct snapshot *snapshot, *old;
	enum err err = read_file(users->path, log, &file);

	if (err)
		return err;
	snapshot = mem_zalloc(sizeof(*snapshot));
	snapshot->refs = 1;
	snapshot->file = file;
	pthread_mutex_lock(&users->lock);
	old = users->snapshot;
	users->snapshot = snapshot;
	pthread_mutex_unlock(&users->lock);
	atomic_fetch_add(&users->generation, 1);
	snapshot_unref(&old);
	return ERR_OK;
}

/* True once for each change, so that a bad file is told once. */
static bool is_changed(struct local_users *users)
{
	struct stat now;
	bool is_other;

	if (stat(users->path, &now) != 0)
		return false;
	pthread_mutex_lock(&users->lock);
	is_other = now.st_ino != users->inode || now.st_mtim.tv_sec != users->changed.tv_sec ||
		   now.st_mtim.tv_nsec != users->changed.tv_nsec;
	users->inode = now.st_ino;
	users->changed = now.st_mtim;
	pthread_mutex_unlock(&users->lock);
	return is_other;
}

void local_users_refresh(struct local_users *users, struct log *log)
{
	if (is_changed(users) && local_users_load(users, log) == ERR_OK)
		log_event(log, LOG_INFO, "users-file-loaded", LOG_STR("file", users->path), LOG_END);
}

unsigned local_users_generation(const struct local_users *users)
{
	return atomic_load(&users->generation);
}

/* Counted; NULL when there never was a good file. */
static struct snapshot *take_snapshot(struct local_users *users, struct log *log)
{
	struct snapshot *snapshot;

	local_users_refresh(users, log);
	pthread_mutex_lock(&users->lock);
	snapshot = users->snapshot;
	if (snapshot)
		atomic_fetch_add(&snapshot->refs, 1);
	pthread_mutex_unlock(&users->lock);
	return snapshot;
}

/* ---- users ---- */

static struct identity *make_identity(const struct user_record *record)
{
	struct buf name = { 0 };
	struct identity *identity;

	for (const char *at = record->name; *at; at++)
		buf_append_byte(&name, ascii_lower(*at));
	buf_append_byte(&name, '\0');
	identity = identity_new(&(struct identity){
		.user = buf_span(&name).ptr,
		.sid = "",
		.backend = "file",
		.state = record->is_disabled ? ACCOUNT_DISABLED : ACCOUNT_OK,
		.groups = { record->groups.items, record->groups.count },
		.addresses = { record->addresses.items, record->addresses.count },
	});
	buf_fini(&name);
	return identity;
}

static bool is_same(const char *a, const char *b)
{
	size_t len = strlen(a);
	unsigned char differs = len != strlen(b);

	for (size_t i = 0; !differs && i < len; i++)
		differs |= (unsigned char)(a[i] ^ b[i]);
	return !differs;
}

/* Constant in time but for the hash itself, which is meant to be slow. */
static bool hash_fits(const char *hash, const char *password)
{
	struct crypt_data *data = mem_zalloc(sizeof(*data));
	bool fits = crypt_r(password, hash, data) && data->output[0] == '$' && is_same(data->output, hash);

	mem_wipe(data, sizeof(*data));
	mem_free(data);
	return fits;
}

static void judge_password(const struct local_users *users, const struct user_record *record,
	const char *password, struct judgement *judgement_out)
{
	bool fits = false;

	if (!record)
		(void)hash_fits(users->no_setting, password);
	else if (*record->hash)
		fits = hash_fits(record->hash, password);
	else
		fits = scram_verifier_fits(&record->scram, span_of_str(password));
	if (fits)
		judgement_set_state(judgement_out, make_identity(record));
	else if (record)
		judgement_set(
			judgement_out, VERDICT_REFUSED_PASSWORD, "wrong-password", make_identity(record));
	else
		judgement_set(judgement_out, VERDICT_REFUSED_PASSWORD, "no-such-user", NULL);
}

void local_users_check_password(struct local_users *users, struct log *log, const char *login,
	const char *password, struct judgement *judgement_out)
{
	struct snapshot *snapshot = take_snapshot(users, log);

	judgement_set(judgement_out, VERDICT_CANNOT_SAY, "users-file-bad", NULL);
	if (snapshot && *password)
		judge_password(
			users, user_file_find(snapshot->file, span_of_str(login)), password, judgement_out);
	else if (snapshot)
		judgement_set(judgement_out, VERDICT_REFUSED_PASSWORD, "no-such-user", NULL);
	snapshot_unref(&snapshot);
}

void local_users_look_up(
	struct local_users *users, struct log *log, const char *login, struct judgement *judgement_out)
{
	struct snapshot *snapshot = take_snapshot(users, log);
	const struct user_record *record =
		snapshot ? user_file_find(snapshot->file, span_of_str(login)) : NULL;

	if (record)
		judgement_set_state(judgement_out, make_identity(record));
	else if (snapshot)
		judgement_set(judgement_out, VERDICT_REFUSED_PASSWORD, "no-such-user", NULL);
	else
		judgement_set(judgement_out, VERDICT_CANNOT_SAY, "users-file-bad", NULL);
	snapshot_unref(&snapshot);
}

void local_users_find_scram(struct local_users *users, struct log *log, const char *login,
	struct judgement *judgement_out, struct local_scram *scram_out)
{
	struct snapshot *snapshot = take_snapshot(users, log);
	const struct user_record *record =
		snapshot ? user_file_find(snapshot->file, span_of_str(login)) : NULL;

	if (!snapshot) {
		judgement_set(judgement_out, VERDICT_CANNOT_SAY, "users-file-bad", NULL);
	} else if (!record || !record->has_scram) {
		judgement_set(judgement_out, VERDICT_REFUSED_PASSWORD, "no-such-user", NULL);
	} else {
		judgement_set_state(judgement_out, make_identity(record));
		scram_out->verifier = record->scram;
		memcpy(scram_out->salt, record->scram.salt.ptr, record->scram.salt.len);
		scram_out->verifier.salt = span_of(scram_out->salt, record->scram.salt.len);
	}
	snapshot_unref(&snapshot);
}
