/*
 * A long body on its way to its file. One operation at a time, each on libuv's pool; what arrives meanwhile
 * is collected and goes with the next write.
 *
 *   open → write ... write → (sealed) fdatasync → fsync of the folder → SEALED
 *
 * When one fails the rest is swallowed, and sealing says why. The file goes with the body's last reference.
 */
#include "custody/body_internal.h"

#include "skein/proto/base/alloc.h"

#include <fcntl.h>
#include <unistd.h>
#include <xxhash.h>

enum { PENDING_MAX = 256 << 10 };

struct body_file {
	uv_fs_t req;
	int fd; /* -1 until it is open */
	bool is_paused;
	struct buf pending; /* collected */
	struct buf writing; /* with the pool */
	uint64_t written;
	XXH3_state_t *hash;
};

struct removal {
	struct list node;
	struct body_store *store;
	struct msg_id id;
	uv_fs_t req;
};

static void step(struct body *body);

enum err body_err_of_uv(ssize_t result)
{
	if (result >= 0)
		return ERR_OK;
	if (result == UV_ENOSPC || result == -EDQUOT)
		return ERR_FULL;
	return result == UV_ENOENT ? ERR_NOT_FOUND : ERR_IO;
}

/* --- operations --- */

static void recharge(struct body *body)
{
	body_charge(body, body->file->pending.cap + body->file->writing.cap);
}

static void give_up(struct body *body, enum err err)
{
	body->err = err == ERR_NOT_FOUND ? ERR_IO : err;
	buf_fini(&body->file->pending);
	buf_fini(&body->file->writing);
}

/* libuv refuses an operation only for wrong arguments or want of memory. */
static void started(struct body *body, int result)
{
	CHECK(result == 0);
	body->is_busy = true;
}

/* False: the body is gone, or the operation failed and that is settled. */
static bool finish(struct body *body, ssize_t *result_out)
{
	ssize_t result = body->file->req.result;

	uv_fs_req_cleanup(&body->file->req);
	*result_out = result;
	if (!body_idle(body))
		return false;
	if (result < 0) {
		give_up(body, body_err_of_uv(result));
		step(body);
		return false;
	}
	return true;
}

static void resume(struct body *body)
{
	body_resume_fn *fn = body->on_resume;

	if (!body->file->is_paused || buf_len(&body->file->pending))
		return;
	body->file->is_paused = false;
	if (fn)
		fn(body->resume_arg);
}

static void on_open(uv_fs_t *req)
{
	struct body *body = req->data;
	int fd = (int)req->result;

	/* Ours from here on, also when nobody wants it any more. */
	if (fd >= 0) {
		body->file->fd = fd;
		body->home = BODY_HOME_FILE;
	}
	if (finish(body, &(ssize_t){ 0 }))
		step(body);
}

static void on_write(uv_fs_t *req)
{
	struct body *body = req->data;
	ssize_t written;

	if (!finish(body, &written))
		return;
	body->file->written += (uint64_t)written;
	buf_consume(&body->file->writing, (size_t)written);
	step(body);
}

static void sealed(struct body *body, bool inside_call)
{
	body_sealed_fn *fn = body->on_sealed;

	body->checksum = XXH3_64bits_digest(body->file->hash);
	body->life = BODY_SEALED;
	body_file_free(body);
	if (!inside_call && fn)
		fn(body->sealed_arg, body->err);
}

static void on_folder_synced(uv_fs_t *req)
{
	struct body *body = req->data;

	if (finish(body, &(ssize_t){ 0 }))
		sealed(body, false);
}

static void on_synced(uv_fs_t *req)
{
	struct body *body = req->data;

	if (finish(body, &(ssize_t){ 0 }))
		started(body, uv_fs_fsync(body->store->loop, &body->file->req, body->store->dir_fd,
				      on_folder_synced));
}

/* --- the way --- */

static bool is_being_removed(const struct body *body)
{
	LIST_EACH(it, &body->store->removals)
	{
		if (msg_id_eq(&LIST_ENTRY(it, struct removal, node)->id, &body->id))
			return true;
	}
	return false;
}

/* Exclusively: a file of that name is another body's. */
static void open_file(struct body *body)
{
	char *path;

	if (is_being_removed(body)) {
		list_remove(&body->held);
		list_push_back(&body->store->held, &body->held);
		return;
	}
	path = body_path(body);
	started(body, uv_fs_open(body->store->loop, &body->file->req, path,
			      O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600, on_open));
	mem_free(path);
}

static void write_file(struct body *body)
{
	struct body_file *file = body->file;
	uv_buf_t bytes;

	if (!buf_len(&file->writing)) {
		struct buf empty = file->writing;

		file->writing = file->pending;
		file->pending = empty;
		buf_fini(&file->pending);
	}
	bytes = uv_buf_init(
		(char *)(uintptr_t)buf_span(&file->writing).ptr, (unsigned)buf_len(&file->writing));
	started(body, uv_fs_write(body->store->loop, &file->req, file->fd, &bytes, 1, (int64_t)file->written,
			      on_write));
}

/* The next operation, if there is one to do and none under way. Runs callbacks last. */
static void step(struct body *body)
{
	struct body_file *file = body->file;

	if (body->is_busy || list_is_linked(&body->held))
		return;
	if (body->err) {
		recharge(body);
		if (body->life == BODY_SEALING)
			sealed(body, false);
		else
			resume(body);
	} else if (file->fd < 0) {
		open_file(body);
	} else if (buf_len(&file->writing) || buf_len(&file->pending)) {
		write_file(body);
		recharge(body);
		resume(body);
	} else if (body->life == BODY_SEALING) {
		started(body, uv_fs_fdatasync(body->store->loop, &file->req, file->fd, on_synced));
	}
}

void body_file_begin(struct body *body)
{
	struct body_file *file = mem_zalloc(sizeof(*file));

	file->fd = -1;
	file->req.data = body;
	file->hash = XXH3_createState();
	CHECK(file->hash && XXH3_64bits_reset(file->hash) == XXH_OK);
	/* The memory so far becomes what is written first. */
	file->pending = (struct buf){ .base = body->bytes, .tail = (size_t)body->len, .cap = body->cap };
	if (body->len)
		XXH3_64bits_update(file->hash, body->bytes, (size_t)body->len);
	body->bytes = NULL;
	body->cap = 0;
	body->file = file;
	recharge(body);
	step(body);
}

enum body_flow body_file_append(struct body *body, struct span bytes)
{
	struct body_file *file = body->file;

	body->len += bytes.len;
	if (body->err)
		return BODY_GO;
	XXH3_64bits_update(file->hash, bytes.ptr, bytes.len);
	buf_append(&file->pending, bytes);
	recharge(body);
	if (!body->is_busy)
		step(body);
	file->is_paused = file->is_paused || buf_len(&file->pending) >= PENDING_MAX;
	return file->is_paused ? BODY_PAUSE : BODY_GO;
}

void body_file_seal(struct body *body)
{
	if (body->err && !body->is_busy)
		sealed(body, true);
	else
		step(body);
}

void body_file_free(struct body *body)
{
	struct body_file *file = body->file;

	buf_fini(&file->pending);
	buf_fini(&file->writing);
	if (file->fd >= 0)
		close(file->fd);
	XXH3_freeState(file->hash);
	mem_free(file);
	body->file = NULL;
	body_charge(body, 0);
}

/* --- removing --- */

static void on_removed(uv_fs_t *req)
{
	struct removal *removal = req->data;
	struct body_store *store = removal->store;
	struct list held;

	/* A file that stays is an orphan, and removed as such at the next start. */
	uv_fs_req_cleanup(req);
	list_remove(&removal->node);
	mem_free(removal);
	list_init(&held);
	list_splice_back(&held, &store->held);
	while (!list_is_empty(&held)) {
		struct body *body = LIST_FIRST(&held, struct body, held);

		list_remove(&body->held);
		step(body);
	}
}

void body_file_remove(const struct body *body)
{
	struct removal *removal = mem_zalloc(sizeof(*removal));
	char *path = body_path(body);

	removal->store = body->store;
	removal->id = body->id;
	removal->req.data = removal;
	list_push_back(&body->store->removals, &removal->node);
	CHECK(uv_fs_unlink(body->store->loop, &removal->req, path, on_removed) == 0);
	mem_free(path);
}
