#include "user_store.h"

#include "file_write.h"
#include "skein/proto/auth/scram.h"
#include "skein/proto/base/alloc.h"
#include "skein/proto/base/utf8.h"

#include <crypt.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { SALT_LEN = 16, RANDOM_LEN = 16, ITERATIONS = 4096 };
/* Each change holds the lock for some milliseconds. Tries are 10 to 30 ms apart: ten seconds at most. */
enum { LOCK_TRIES = 330, LOCK_PAUSE_MS = 10, LOCK_JITTER_MS = 20 };

enum step { STEP_ADD, STEP_CHANGE, STEP_REMOVE };

struct store {
	const char *path, *name;
	const struct user_change *change;
	struct buf *why;
	struct buf text, next; /* the file as it is, and as it will be */
	int lock_fd;
	struct stat old; /* st_nlink 0: there is no file yet */
};

static enum err run(struct store *store, enum step step);

enum err user_store_add(const char *path, const char *name, const struct user_change *change, struct buf *why)
{
	return run(&(struct store){ .path = path, .name = name, .change = change, .why = why }, STEP_ADD);
}

enum err user_store_change(
	const char *path, const char *name, const struct user_change *change, struct buf *why)
{
	return run(&(struct store){ .path = path, .name = name, .change = change, .why = why }, STEP_CHANGE);
}

enum err user_store_remove(const char *path, const char *name, struct buf *why)
{
	return run(&(struct store){ .path = path, .name = name, .why = why }, STEP_REMOVE);
}

/* ---- the file ---- */

static enum err fail_errno(struct store *store, const char *what, const char *path)
{
	buf_printf(store->why, "cannot %s %s: %s\n", what, path, strerror(errno));
	return ERR_IO;
}

/* The path of the file with an ending; freed by the caller. */
static char *path_with(const struct store *store, const char *ending)
{
	struct buf path = { 0 };
	char *text;

	buf_printf(&path, "%s%s", store->path, ending);
	text = mem_strndup(buf_span(&path).ptr, buf_len(&path));
	buf_fini(&path);
	return text;
}

static void pause_a_little(void)
{
	unsigned char random = 0;
	struct timespec pause = { 0, 0 };

	CHECK(getrandom(&random, sizeof(random), 0) == sizeof(random));
	pause.tv_nsec = (LOCK_PAUSE_MS + random % LOCK_JITTER_MS) * 1000000l;
	nanosleep(&pause, NULL);
}

static bool wait_for_lock(int fd)
{
	for (unsigned i = 0; i < LOCK_TRIES; i++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return true;
		if (errno != EWOULDBLOCK)
			return false;
		pause_a_little();
	}
	errno = ETIMEDOUT;
	return false;
}

static enum err lock(struct store *store)
{
	char *path = path_with(store, ".lock");
	enum err err = ERR_OK;

	store->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (store->lock_fd < 0 || !wait_for_lock(store->lock_fd))
		err = fail_errno(store, "lock", path);
	mem_free(path);
	return err;
}

static enum err read_all(struct store *store, int fd)
{
	ssize_t len = 1;

	if (fstat(fd, &store->old) != 0)
		return fail_errno(store, "read", store->path);
	if (!S_ISREG(store->old.st_mode) || store->old.st_size > USER_FILE_SIZE_MAX) {
		buf_printf(store->why, "%s is not a file of users\n", store->path);
		return ERR_INVALID;
	}
	buf_reserve(&store->text, (size_t)store->old.st_size + 1);
	while (len > 0) {
		len = read(fd, buf_tail(&store->text), store->text.cap - store->text.tail);
		if (len < 0)
			return fail_errno(store, "read", store->path);
		buf_commit(&store->text, (size_t)len);
		if (buf_len(&store->text) > USER_FILE_SIZE_MAX) {
			buf_printf(store->why, "%s is longer than a file of users may be\n", store->path);
			return ERR_FULL;
		}
		buf_reserve(&store->text, 1);
	}
	return ERR_OK;
}

static enum err read_old(struct store *store)
{
	int fd = open(store->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	enum err err;

	if (fd < 0)
		return errno == ENOENT ? ERR_OK : fail_errno(store, "read", store->path);
	err = read_all(store, fd);
	close(fd);
	return err;
}

/* The rename is on disk once its folder is. */
static bool sync_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder = slash == path ? mem_strdup("/")
		       : slash       ? mem_strndup(path, (size_t)(slash - path))
				     : mem_strdup(".");
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool is_good = fd >= 0 && fsync(fd) == 0;

	if (fd >= 0)
		close(fd);
	mem_free(folder);
	return is_good;
}

static bool keep_owner(const struct store *store, int fd)
{
	if (!store->old.st_nlink)
		return true;
	return fchown(fd, store->old.st_uid, store->old.st_gid) == 0 &&
	       fchmod(fd, store->old.st_mode & 0640) == 0;
}

static enum err write_next(struct store *store)
{
	char *path = path_with(store, ".new");
	enum err err = ERR_OK;
	int fd;

	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || !file_write_all(fd, buf_span(&store->next)) || !keep_owner(store, fd) || fsync(fd) != 0)
		err = fail_errno(store, "write", path);
	if (fd >= 0)
		close(fd);
	if (!err && (rename(path, store->path) != 0 || !sync_folder(store->path)))
		err = fail_errno(store, "replace", store->path);
	if (err)
		unlink(path);
	mem_free(path);
	return err;
}

/* ---- the record ---- */

/* NULL, or why no client could log in with it. */
static const char *password_fault(const char *password)
{
	size_t len = strlen(password);

	if (!len || len > USER_PASSWORD_MAX)
		return "a password has 1 to 511 bytes";
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)password[i] < 0x20 || password[i] == 0x7f)
			return "the password has a control character, or more than one line";
	return utf8_is_valid(span_of(password, len)) ? NULL : "the password is no UTF-8";
}

/* yescrypt at the library's own cost. The hash is in `data`, which is secret. */
static enum err hash_password(struct store *store, struct crypt_data *data)
{
	char random[RANDOM_LEN], setting[CRYPT_GENSALT_OUTPUT_SIZE];

	if (getrandom(random, sizeof(random), 0) != RANDOM_LEN ||
		!crypt_gensalt_rn("$y$", 0, random, RANDOM_LEN, setting, sizeof(setting)) ||
		!crypt_r(store->change->password, setting, data) || data->output[0] != '$')
		return fail_errno(store, "hash the password for", store->name);
	return ERR_OK;
}

static enum err derive_scram(struct store *store, char salt[SALT_LEN], struct user_record *record)
{
	if (getrandom(salt, SALT_LEN, 0) != SALT_LEN)
		return fail_errno(store, "draw a salt for", store->name);
	record->scram.salt = span_of(salt, SALT_LEN);
	record->scram.iterations = ITERATIONS;
	if (scram_derive(span_of_str(store->change->password), &record->scram))
		return ERR_OK;
	buf_printf(store->why, "the password has control characters: SCRAM cannot use it\n");
	return ERR_INVALID;
}

static enum err write_record(struct store *store, struct user_record *record)
{
	struct crypt_data *data = mem_zalloc(sizeof(*data));
	const struct user_change *change = store->change;
	char salt[SALT_LEN];
	enum err err = ERR_OK;

	if (change->groups)
		record->groups = *change->groups;
	if (change->addresses)
		record->addresses = *change->addresses;
	if (change->is_disabled)
		record->is_disabled = *change->is_disabled;
	if (change->password) {
		record->has_scram = change->scram == USER_SCRAM_YES ||
				    (change->scram == USER_SCRAM_AS_BEFORE && record->has_scram);
		err = hash_password(store, data);
		record->hash = data->output;
		if (!err && record->has_scram)
			err = derive_scram(store, salt, record);
	}
	if (!err)
		user_file_replace(buf_span(&store->text), span_of_str(store->name), record, &store->next);
	mem_wipe(data, sizeof(*data));
	mem_free(data);
	mem_wipe(&record->scram, sizeof(record->scram));
	return err;
}

static enum err parse(struct store *store, struct span text, struct user_file **file_out)
{
	struct user_file_fault fault;
	uint64_t seed[2];

	if (getrandom(seed, sizeof(seed), 0) != sizeof(seed))
		return fail_errno(store, "draw a seed for", store->path);
	*file_out = user_file_parse(text, seed, &fault);
	if (*file_out)
		return ERR_OK;
	buf_printf(store->why, "%s:%zu: %s\n", store->path, fault.line, fault.why);
	return ERR_INVALID;
}

static enum err change_text(struct store *store, const struct user_file *file, enum step step)
{
	const struct user_record *old = user_file_find(file, span_of_str(store->name));
	struct user_record record = { .name = store->name, .hash = "" };

	if (step == STEP_ADD && old) {
		buf_printf(store->why, "there is a user %s already\n", store->name);
		return ERR_BUSY;
	}
	if (step != STEP_ADD && !old) {
		buf_printf(store->why, "there is no user %s in %s\n", store->name, store->path);
		return ERR_NOT_FOUND;
	}
	if (step == STEP_ADD && !store->change->password) {
		buf_printf(store->why, "a new user needs a password\n");
		return ERR_INVALID;
	}
	if (step == STEP_REMOVE) {
		user_file_replace(buf_span(&store->text), span_of_str(store->name), NULL, &store->next);
		return ERR_OK;
	}
	if (old)
		record = *old;
	return write_record(store, &record);
}

/* The outcome is parsed too: a name or group that cannot be read again never gets into the file. */
static enum err change_file(struct store *store, enum step step)
{
	struct user_file *file = NULL, *outcome = NULL;
	enum err err = parse(store, buf_span(&store->text), &file);

	if (!err)
		err = change_text(store, file, step);
	if (!err)
		err = parse(store, buf_span(&store->next), &outcome);
	if (!err)
		err = write_next(store);
	user_file_free(&outcome);
	user_file_free(&file);
	return err;
}

static void wipe(struct buf *text)
{
	mem_wipe(text->base, text->cap);
	buf_fini(text);
}

enum err user_store_read(const char *path, struct user_file **file_out, struct buf *why)
{
	struct store store = { .path = path, .why = why };
	enum err err = read_old(&store);

	if (!err && !store.old.st_nlink) {
		errno = ENOENT;
		err = fail_errno(&store, "read", path);
	}
	if (!err)
		err = parse(&store, buf_span(&store.text), file_out);
	wipe(&store.text);
	return err;
}

static enum err run(struct store *store, enum step step)
{
	const char *fault = step == STEP_ADD ? user_name_fault(span_of_str(store->name)) : NULL;
	enum err err;

	if (!fault && store->change && store->change->password)
		fault = password_fault(store->change->password);
	if (fault) {
		buf_printf(store->why, "%s\n", fault);
		return ERR_INVALID;
	}
	err = lock(store);
	if (!err)
		err = read_old(store);
	if (!err)
		err = change_file(store, step);
	if (store->lock_fd >= 0)
		close(store->lock_fd);
	wipe(&store->text);
	wipe(&store->next);
	return err;
}
