#include "custody/body_internal.h"

#include "skein/proto/base/alloc.h"

#include <fcntl.h>
#include <unistd.h>
#include <xxhash.h>

/* A piece of a file: being read, or ready, or in the caller's hands. */
struct piece {
	char *bytes;
	size_t len;
};

struct body_reader {
	struct list node; /* body->readers */
	struct body *body;
	size_t piece_bytes;
	body_ready_fn *on_ready;
	void *arg;
	bool is_waiting; /* was told WAIT */
	bool is_freed;   /* by its owner, while is_busy */
	bool is_busy;    /* `req` is under way */
	enum err err;
	uint64_t given; /* bytes handed out */
	/* A file's. */
	uv_fs_t req;
	int fd;
	struct piece next; /* read ahead; complete when its length is next_size() */
	struct piece held; /* the caller's */
	XXH3_state_t *hash;
};

struct body_reader *body_reader_new(struct body *body, size_t piece_bytes, body_ready_fn *on_ready, void *arg)
{
	struct body_reader *reader = mem_zalloc(sizeof(*reader));

	CHECK(body->life >= BODY_SEALED && !body->err && piece_bytes);
	reader->body = body_ref(body);
	reader->piece_bytes = piece_bytes;
	reader->on_ready = on_ready;
	reader->arg = arg;
	reader->fd = -1;
	reader->req.data = reader;
	list_init(&reader->node);
	list_push_back(&body->readers, &reader->node);
	return reader;
}

/* What a file's reader holds is charged on its own account. */
static void charge(const struct body_reader *reader)
{
	if (reader->next.bytes)
		budget_force(reader->body->store->budget, 2 * reader->piece_bytes);
}

static void uncharge(const struct body_reader *reader)
{
	if (reader->next.bytes)
		budget_give(reader->body->store->budget, 2 * reader->piece_bytes);
}

static void destroy(struct body_reader *reader)
{
	uncharge(reader);
	if (reader->fd >= 0)
		close(reader->fd);
	mem_free(reader->next.bytes);
	mem_free(reader->held.bytes);
	XXH3_freeState(reader->hash);
	body_unref(&reader->body);
	mem_free(reader);
}

void body_reader_free(struct body_reader **reader_ptr)
{
	struct body_reader *reader = *reader_ptr;

	if (!reader)
		return;
	*reader_ptr = NULL;
	list_remove(&reader->node);
	body_consider_memory(reader->body);
	reader->is_freed = true;
	if (!reader->is_busy)
		destroy(reader);
}

enum err body_reader_error(const struct body_reader *reader)
{
	return reader->err;
}

static enum body_read wait(struct body_reader *reader)
{
	reader->is_waiting = true;
	return BODY_READ_WAIT;
}

static void wake(struct body_reader *reader)
{
	if (!reader->is_waiting)
		return;
	reader->is_waiting = false;
	reader->on_ready(reader->arg);
}

static size_t next_size(const struct body_reader *reader)
{
	uint64_t left = reader->body->len - reader->given;

	return left < reader->piece_bytes ? (size_t)left : reader->piece_bytes;
}

/* --- from memory, and from the journal into memory --- */

struct body_load {
	uv_work_t work;
	struct body *body;
	struct journal *journal;
	struct msg_id id;
	struct buf bytes;
	enum err err;
};

static void load_in_pool(uv_work_t *work)
{
	struct body_load *load = work->data;

	load->err = journal_read_body(load->journal, &load->id, &load->bytes);
}

static void on_loaded(uv_work_t *work, int status)
{
	struct body_load *load = work->data;
	struct body *body = load->body;
	enum err err = status < 0 ? ERR_IO : load->err;

	if (!err && buf_len(&load->bytes) != body->len)
		err = ERR_CORRUPT;
	if (!err) {
		body->bytes = load->bytes.base;
		body->cap = load->bytes.cap;
		load->bytes = (struct buf){ 0 };
	}
	body_charge(body, body->cap);
	buf_fini(&load->bytes);
	mem_free(load);
	if (!body_idle(body))
		return;
	LIST_EACH(it, &body->readers)
	LIST_ENTRY(it, struct body_reader, node)->err = err;
	body_consider_memory(body);
	body_readers_wake(body);
}

static void begin_load(struct body *body)
{
	struct body_load *load;

	if (body->is_busy)
		return;
	load = mem_zalloc(sizeof(*load));
	load->work.data = load;
	load->body = body;
	load->journal = body->store->journal;
	load->id = body->id;
	buf_reserve(&load->bytes, (size_t)body->len + 1); /* one piece, from its base on */
	body_charge(body, load->bytes.cap);
	CHECK(uv_queue_work(body->store->loop, &load->work, load_in_pool, on_loaded) == 0);
	body->is_busy = true;
}

/* Callbacks may free this reader, any other, and the body. */
void body_readers_wake(struct body *body)
{
	struct list waking;

	list_init(&waking);
	body_ref(body);
	list_splice_back(&waking, &body->readers);
	while (!list_is_empty(&waking)) {
		struct body_reader *reader = LIST_FIRST(&waking, struct body_reader, node);

		list_remove(&reader->node);
		list_push_back(&body->readers, &reader->node);
		wake(reader);
	}
	body_unref(&body);
}

static enum body_read next_in_memory(struct body_reader *reader, struct span *piece_out)
{
	struct body *body = reader->body;
	size_t size = next_size(reader);

	if (!size)
		return BODY_READ_END;
	if (!body->bytes) {
		begin_load(body);
		return wait(reader);
	}
	*piece_out = span_of(body->bytes + reader->given, size);
	reader->given += size;
	return BODY_READ_PIECE;
}

/* --- from a file --- */

static void read_more(struct body_reader *reader);

/* False: the reader is gone. */
static bool finish(struct body_reader *reader, ssize_t *result_out)
{
	*result_out = reader->req.result;
	uv_fs_req_cleanup(&reader->req);
	reader->is_busy = false;
	if (reader->is_freed) {
		destroy(reader);
		return false;
	}
	reader->err = body_err_of_uv(*result_out);
	return true;
}

static void on_read(uv_fs_t *req)
{
	struct body_reader *reader = req->data;
	ssize_t len;

	if (!finish(reader, &len))
		return;
	if (!len)
		reader->err = ERR_CORRUPT; /* shorter than it was */
	if (!reader->err)
		reader->next.len += (size_t)len;
	if (!reader->err && reader->next.len < next_size(reader))
		read_more(reader);
	else
		wake(reader);
}

static void read_more(struct body_reader *reader)
{
	size_t have = reader->next.len;
	uv_buf_t room = uv_buf_init(reader->next.bytes + have, (unsigned)(next_size(reader) - have));

	CHECK(uv_fs_read(reader->body->store->loop, &reader->req, reader->fd, &room, 1,
		      (int64_t)(reader->given + have), on_read) == 0);
	reader->is_busy = true;
}

static void on_opened(uv_fs_t *req)
{
	struct body_reader *reader = req->data;
	ssize_t fd;

	/* Ours also when nobody wants it any more. */
	if (req->result >= 0)
		reader->fd = (int)req->result;
	if (!finish(reader, &fd))
		return;
	if (reader->err || !next_size(reader))
		wake(reader);
	else
		read_more(reader);
}

static void begin_file(struct body_reader *reader)
{
	char *path = body_path(reader->body);

	reader->next.bytes = mem_alloc(reader->piece_bytes);
	reader->held.bytes = mem_alloc(reader->piece_bytes);
	charge(reader);
	reader->hash = XXH3_createState();
	CHECK(reader->hash && XXH3_64bits_reset(reader->hash) == XXH_OK);
	CHECK(uv_fs_open(reader->body->store->loop, &reader->req, path, O_RDONLY | O_CLOEXEC, 0, on_opened) ==
		0);
	reader->is_busy = true;
	mem_free(path);
}

static enum body_read end_file(struct body_reader *reader)
{
	if (XXH3_64bits_digest(reader->hash) == reader->body->checksum)
		return BODY_READ_END;
	reader->err = ERR_CORRUPT;
	return BODY_READ_FAILED;
}

static enum body_read next_in_file(struct body_reader *reader, struct span *piece_out)
{
	struct piece ready = reader->next;

	if (!ready.bytes)
		begin_file(reader);
	if (reader->is_busy)
		return wait(reader);
	if (!next_size(reader))
		return end_file(reader);
	reader->next = (struct piece){ reader->held.bytes, 0 };
	reader->held = ready;
	reader->given += ready.len;
	XXH3_64bits_update(reader->hash, ready.bytes, ready.len);
	if (next_size(reader))
		read_more(reader);
	*piece_out = span_of(ready.bytes, ready.len);
	return BODY_READ_PIECE;
}

enum body_read body_reader_next(struct body_reader *reader, struct span *piece_out)
{
	CHECK(!reader->is_freed && !reader->is_waiting);
	if (reader->err)
		return BODY_READ_FAILED;
	return reader->body->home == BODY_HOME_FILE ? next_in_file(reader, piece_out)
						    : next_in_memory(reader, piece_out);
}
