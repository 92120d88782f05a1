#include "custody/spool.h"

#include "io/durable_file.h"

#include "skein/proto/base/alloc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <xxhash.h>

struct spool {
	char *dir, *journal_dir, *body_dir;
	char uuid[SPOOL_UUID_TEXT_LEN + 1];
	_Atomic uint64_t epoch;
	int dir_fd, lock_fd;
};

enum { SMALL_FILE_MAX = 128 };

static char *path_below(const char *dir, const char *name)
{
	struct buf path = { 0 };
	char *text;

	buf_printf(&path, "%s/%s", dir, name);
	text = mem_strndup(buf_span(&path).ptr, buf_len(&path));
	buf_fini(&path);
	return text;
}

static enum err tell(struct buf *problem, const struct spool *spool, const char *doing)
{
	buf_printf(problem, "spool: cannot %s %s: %s", doing, spool->dir, strerror(errno));
	return ERR_IO;
}

/* --- folder and lock --- */

static enum err make_dir(const char *dir)
{
	return mkdir(dir, 0700) < 0 && errno != EEXIST ? ERR_IO : ERR_OK;
}

static enum err tell_holder(const struct spool *spool, struct buf *problem)
{
	char pid[32];
	ssize_t len = pread(spool->lock_fd, pid, sizeof(pid), 0);
	uint64_t number;

	buf_printf(problem, "spool: %s is in use by another process", spool->dir);
	if (len > 0 && span_parse_u64(span_trim(span_of(pid, (size_t)len)), INT32_MAX, &number))
		buf_printf(problem, ", pid %" PRIu64, number);
	return ERR_BUSY;
}

/* Spaces fill the old pid up, so that a reader never sees half of a number. */
static enum err take_lock(struct spool *spool, struct buf *problem)
{
	char pid[16];
	int len;

	spool->lock_fd = openat(spool->dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (spool->lock_fd < 0)
		return tell(problem, spool, "make the lock in");
	if (flock(spool->lock_fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? tell_holder(spool, problem) : tell(problem, spool, "lock");
	len = snprintf(pid, sizeof(pid), "%-14d ", (int)getpid());
	if (pwrite(spool->lock_fd, pid, (size_t)len, 0) != len)
		return tell(problem, spool, "write the lock in");
	return ERR_OK;
}

static enum err open_dirs(struct spool *spool, struct buf *problem)
{
	if (make_dir(spool->dir))
		return tell(problem, spool, "make");
	spool->dir_fd = open(spool->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (spool->dir_fd < 0)
		return tell(problem, spool, "open");
	if (make_dir(spool->journal_dir) || make_dir(spool->body_dir) || fsync(spool->dir_fd) < 0)
		return tell(problem, spool, "make the folders in");
	return ERR_OK;
}

/* --- small files --- */

/* ERR_NOT_FOUND when there is no such file. */
static enum err read_file(const struct spool *spool, const char *name, char text[SMALL_FILE_MAX])
{
	int fd = openat(spool->dir_fd, name, O_RDONLY | O_CLOEXEC);
	ssize_t len;

	if (fd < 0)
		return errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
	len = read(fd, text, SMALL_FILE_MAX - 1);
	close(fd);
	if (len < 0)
		return ERR_IO;
	text[len] = '\0';
	return ERR_OK;
}

/* --- uuid --- */

static bool is_uuid(const char *text)
{
	for (size_t i = 0; i < SPOOL_UUID_TEXT_LEN; i++) {
		bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (is_dash ? text[i] != '-' : !text[i] || !strchr("0123456789abcdef", text[i]))
			return false;
	}
	return strcmp(text + SPOOL_UUID_TEXT_LEN, "\n") == 0;
}

/* RFC 9562 5.4: version 4, all random. */
static enum err make_uuid(struct spool *spool)
{
	unsigned char raw[16];
	struct buf text = { 0 };
	enum err err;

	CHECK(getrandom(raw, sizeof(raw), 0) == sizeof(raw));
	raw[6] = (unsigned char)((raw[6] & 0x0f) | 0x40);
	raw[8] = (unsigned char)((raw[8] & 0x3f) | 0x80);
	for (size_t i = 0; i < sizeof(raw); i++)
		buf_printf(&text, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", raw[i]);
	memcpy(spool->uuid, buf_span(&text).ptr, SPOOL_UUID_TEXT_LEN);
	buf_append_byte(&text, '\n');
	err = durable_file_replace(spool->dir_fd, "uuid", "uuid.new", buf_span(&text));
	buf_fini(&text);
	return err;
}

static enum err load_uuid(struct spool *spool, struct buf *problem)
{
	char text[SMALL_FILE_MAX];
	enum err err = read_file(spool, "uuid", text);

	if (err == ERR_NOT_FOUND)
		err = make_uuid(spool);
	else if (!err && is_uuid(text))
		memcpy(spool->uuid, text, SPOOL_UUID_TEXT_LEN);
	else if (!err)
		err = ERR_CORRUPT;
	if (err == ERR_CORRUPT)
		buf_printf(problem,
			"spool: %s/uuid is damaged. Restore it, or remove it: the node is then a new one, "
			"and what its "
			"old self owned is taken over once that is forgotten or its lease has ended",
			spool->dir);
	else if (err)
		tell(problem, spool, "read or write the uuid in");
	return err;
}

/* --- epoch --- */

static void put_epoch(struct buf *buf, uint64_t epoch)
{
	struct buf digits = { 0 };

	buf_append_u64(&digits, epoch);
	buf_append(buf, buf_span(&digits));
	buf_printf(buf, " %016" PRIx64 "\n", (uint64_t)XXH3_64bits(buf_span(&digits).ptr, buf_len(&digits)));
	buf_fini(&digits);
}

static bool parse_epoch(const char *text, uint64_t *epoch_out)
{
	struct span span = span_of_str(text);
	struct buf again = { 0 };
	bool same = false;

	if (span_parse_u64(span_take(span, span_find(span, ' ')), UINT64_MAX, epoch_out)) {
		put_epoch(&again, *epoch_out);
		same = span_eq(buf_span(&again), span);
	}
	buf_fini(&again);
	return same;
}

static enum err load_epoch(struct spool *spool, struct buf *problem)
{
	char text[SMALL_FILE_MAX];
	enum err err = read_file(spool, "epoch", text);
	uint64_t epoch = 0;

	if (err == ERR_NOT_FOUND)
		err = ERR_OK;
	else if (!err && !parse_epoch(text, &epoch))
		err = ERR_CORRUPT;
	if (err == ERR_CORRUPT)
		buf_printf(problem,
			"spool: %s/epoch is damaged. Remove it: the cluster remembers the highest epoch of "
			"this node",
			spool->dir);
	else if (err)
		tell(problem, spool, "read the epoch in");
	atomic_init(&spool->epoch, epoch);
	return err;
}

uint64_t spool_epoch(const struct spool *spool)
{
	return atomic_load(&spool->epoch);
}

enum err spool_set_epoch(struct spool *spool, uint64_t epoch)
{
	struct buf text = { 0 };
	enum err err;

	if (epoch < spool_epoch(spool))
		return ERR_INVALID;
	put_epoch(&text, epoch);
	err = durable_file_replace(spool->dir_fd, "epoch", "epoch.new", buf_span(&text));
	buf_fini(&text);
	if (!err)
		atomic_store(&spool->epoch, epoch);
	return err;
}

/* --- the whole --- */

enum err spool_open(const char *dir, struct spool **spool_out, struct buf *problem_out)
{
	struct spool *spool = mem_zalloc(sizeof(*spool));
	enum err err;

	spool->dir = mem_strdup(dir);
	spool->journal_dir = path_below(dir, "journal");
	spool->body_dir = path_below(dir, "body");
	spool->dir_fd = spool->lock_fd = -1;
	err = open_dirs(spool, problem_out);
	if (!err)
		err = take_lock(spool, problem_out);
	if (!err)
		err = load_uuid(spool, problem_out);
	if (!err)
		err = load_epoch(spool, problem_out);
	if (err)
		spool_close(&spool);
	*spool_out = spool;
	return err;
}

void spool_close(struct spool **spool_ptr)
{
	struct spool *spool = *spool_ptr;

	if (!spool)
		return;
	if (spool->lock_fd >= 0)
		close(spool->lock_fd);
	if (spool->dir_fd >= 0)
		close(spool->dir_fd);
	mem_free(spool->dir);
	mem_free(spool->journal_dir);
	mem_free(spool->body_dir);
	mem_free(spool);
	*spool_ptr = NULL;
}

const char *spool_dir(const struct spool *spool)
{
	return spool->dir;
}

const char *spool_uuid(const struct spool *spool)
{
	return spool->uuid;
}

const char *spool_journal_dir(const struct spool *spool)
{
	return spool->journal_dir;
}

const char *spool_body_dir(const struct spool *spool)
{
	return spool->body_dir;
}

enum err spool_free_bytes(const struct spool *spool, uint64_t *free_out)
{
	struct statvfs stat;

	if (fstatvfs(spool->dir_fd, &stat) < 0)
		return ERR_IO;
	*free_out = (uint64_t)stat.f_bavail * stat.f_frsize;
	return ERR_OK;
}

enum err spool_remove_orphans(struct spool *spool, spool_is_live_fn *is_live, void *arg, size_t *removed_out)
{
	DIR *dir = opendir(spool->body_dir);
	struct dirent *entry;
	enum err err = ERR_OK;

	*removed_out = 0;
	if (!dir)
		return ERR_IO;
	while (!err && (entry = readdir(dir))) {
		struct msg_id id;

		if (!msg_id_parse(span_of_str(entry->d_name), &id) || is_live(arg, &id))
			continue;
		if (unlinkat(dirfd(dir), entry->d_name, 0) < 0)
			err = ERR_IO;
		else
			(*removed_out)++;
	}
	closedir(dir);
	return err;
}
