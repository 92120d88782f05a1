#include "custody/journal_internal.h"

#include "skein/proto/base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	SEGMENT_BYTES_DEFAULT = 64 << 20,
	SEGMENT_BYTES_MAX = 1 << 30, /* offsets are 32 bits */
	SEGMENTS_MIN = 4,
	SOON_MS_DEFAULT = 50,
};
static const size_t bytes_max_default = (size_t)4 << 30;

/* --- opening and closing --- */

static void init_locks(struct journal *journal)
{
	pthread_condattr_t monotonic;

	CHECK(pthread_mutex_init(&journal->queue_lock, NULL) == 0);
	CHECK(pthread_mutex_init(&journal->index_lock, NULL) == 0);
	CHECK(pthread_cond_init(&journal->unread, NULL) == 0);
	CHECK(pthread_condattr_init(&monotonic) == 0);
	CHECK(pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0);
	CHECK(pthread_cond_init(&journal->wake, &monotonic) == 0);
	pthread_condattr_destroy(&monotonic);
}

static struct journal *journal_new(const struct journal_options *options)
{
	struct journal *journal = mem_zalloc(sizeof(*journal));
	size_t bytes_max = options->bytes_max ? options->bytes_max : bytes_max_default;
	uint64_t seed[2];

	journal->dir = mem_strdup(options->dir);
	journal->dir_fd = -1;
	journal->segment_bytes = options->segment_bytes ? options->segment_bytes : SEGMENT_BYTES_DEFAULT;
	CHECK(journal->segment_bytes >= 2 * SEGMENT_HEADER_BYTES &&
		journal->segment_bytes <= SEGMENT_BYTES_MAX);
	journal->segments_max = (unsigned)(bytes_max / journal->segment_bytes);
	if (journal->segments_max < SEGMENTS_MIN)
		journal->segments_max = SEGMENTS_MIN;
	journal->soon_ms = options->soon_ms ? options->soon_ms : SOON_MS_DEFAULT;
	journal->origin = (struct journal_origin){ options->worker, options->workers };
	journal->notify = options->notify;
	journal->notify_arg = options->notify_arg;
	list_init(&journal->queue);
	list_init(&journal->done);
	list_init(&journal->idle);
	list_init(&journal->ring);
	CHECK(getrandom(seed, sizeof(seed), 0) == sizeof(seed));
	live_init(&journal->index, seed);
	init_locks(journal);
	return journal;
}

static void free_requests(struct list *requests)
{
	LIST_EACH_SAFE(it, requests)
	request_free(LIST_ENTRY(it, struct request, node));
}

static void journal_free(struct journal **journal_ptr)
{
	struct journal *journal = *journal_ptr;

	*journal_ptr = NULL;
	free_requests(&journal->idle);
	live_fini(&journal->index);
	LIST_EACH_SAFE(it, &journal->ring)
	{
		struct segment *segment = LIST_ENTRY(it, struct segment, node);

		segment_free(&segment);
	}
	if (journal->dir_fd >= 0)
		close(journal->dir_fd);
	pthread_cond_destroy(&journal->wake);
	pthread_cond_destroy(&journal->unread);
	pthread_mutex_destroy(&journal->queue_lock);
	pthread_mutex_destroy(&journal->index_lock);
	buf_fini(&journal->heads);
	mem_free(journal->iov);
	mem_free(journal->dir);
	mem_free(journal);
}

static enum err tell(struct buf *problem, const struct journal *journal, const char *doing)
{
	buf_printf(problem, "journal: cannot %s %s: %s", doing, journal->dir, strerror(errno));
	return ERR_IO;
}

/* The directory's own name is made durable by its parent. */
static enum err sync_parent(const char *dir)
{
	struct buf parent = { 0 };
	enum err err = ERR_IO;
	int fd;

	buf_printf(&parent, "%s/..", dir);
	buf_append_byte(&parent, '\0');
	fd = open(buf_span(&parent).ptr, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		err = fsync(fd) < 0 ? ERR_IO : ERR_OK;
		close(fd);
	}
	buf_fini(&parent);
	return err;
}

static enum err open_dir(struct journal *journal, struct buf *problem)
{
	if (mkdir(journal->dir, 0700) == 0) {
		if (sync_parent(journal->dir))
			return tell(problem, journal, "make");
	} else if (errno != EEXIST) {
		return tell(problem, journal, "make");
	}
	journal->dir_fd = open(journal->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return journal->dir_fd < 0 ? tell(problem, journal, "open") : ERR_OK;
}

static enum err begin_log(struct journal *journal, bool salvage, struct buf *problem)
{
	enum err err = salvage ? replay_salvage(journal, problem) : ERR_OK;

	if (!err && !journal->current)
		err = ring_roll(journal, false);
	if (err && !buf_len(problem))
		tell(problem, journal, "begin a segment in");
	ring_publish(journal);
	journal->stats = journal->counted;
	return err;
}

enum err journal_open(const struct journal_options *options, journal_replay_fn *each_live, void *arg,
	struct journal **journal_out, struct buf *problem_out)
{
	struct journal *journal = journal_new(options);
	enum err err = open_dir(journal, problem_out);

	*journal_out = NULL;
	if (!err)
		err = replay_segments(journal, options->salvage, problem_out);
	if (!err)
		err = begin_log(journal, options->salvage, problem_out);
	if (!err)
		err = replay_report(journal, each_live, arg, problem_out);
	if (err) {
		journal_free(&journal);
		return err;
	}
	journal_thread_start(journal);
	*journal_out = journal;
	return ERR_OK;
}

void journal_close(struct journal **journal_ptr)
{
	struct journal *journal = *journal_ptr;

	if (!journal)
		return;
	*journal_ptr = NULL;
	journal_thread_stop(journal);
	while (!list_is_empty(&journal->done))
		journal_poll(journal);
	journal_free(&journal);
}

struct journal_origin journal_origin(const struct journal *journal)
{
	return journal->origin_before;
}

/* --- the owner's side --- */

void request_init(struct request *request, const struct journal_entry *entry, journal_done_fn *fn, void *arg)
{
	CHECK(entry->envelope.len <= UINT32_MAX);
	CHECK(entry->body.place != JOURNAL_BODY_INLINE || entry->body.bytes.len == entry->body.len);
	request->entry = *entry;
	request->fn = fn;
	request->arg = arg;
	request->is_move = false;
	request->record = (struct record){
		.type = (uint8_t)entry->type,
		.id = entry->id,
		.envelope_len = (uint32_t)entry->envelope.len,
		.place = entry->body.place,
		.body_len = entry->body.len,
		.body_checksum = entry->body.checksum,
	};
}

void request_free(struct request *request)
{
	list_remove(&request->node);
	buf_fini(&request->copy);
	mem_free(request);
}

/* Under queue_lock. */
static struct request *take_request(struct journal *journal)
{
	struct request *request;

	if (list_is_empty(&journal->idle)) {
		request = mem_zalloc(sizeof(*request));
		list_init(&request->node);
		return request;
	}
	request = LIST_FIRST(&journal->idle, struct request, node);
	list_remove(&request->node);
	return request;
}

/* Under queue_lock. True when the sleeping thread has to know. */
static bool enqueue(struct journal *journal, struct request *request)
{
	bool is_first_soon = false;

	list_push_back(&journal->queue, &request->node);
	if (request->entry.urgency == JOURNAL_NOW) {
		journal->queued_now++;
	} else if (!journal->soon_at_ms) {
		journal->soon_at_ms = journal_now_ms() + journal->soon_ms;
		is_first_soon = true;
	}
	return journal->asleep && (is_first_soon || journal->queued_now == 1);
}

void journal_append(
	struct journal *journal, const struct journal_entry *entry, journal_done_fn *fn, void *arg)
{
	struct request *request;
	bool wake = false;

	CHECK(fn || entry->type != JOURNAL_MESSAGE);
	pthread_mutex_lock(&journal->queue_lock);
	request = take_request(journal);
	request_init(request, entry, fn, arg);
	if (!fn) {
		buf_clear(&request->copy);
		buf_append(&request->copy, entry->envelope);
		request->entry.envelope = buf_span(&request->copy);
	}
	if (journal->closed) {
		request->result = ERR_CLOSED;
		list_push_back(fn ? &journal->done : &journal->idle, &request->node);
	} else {
		wake = enqueue(journal, request);
	}
	pthread_mutex_unlock(&journal->queue_lock);
	if (wake)
		pthread_cond_signal(&journal->wake);
}

void journal_poll(struct journal *journal)
{
	struct list done;

	list_init(&done);
	pthread_mutex_lock(&journal->queue_lock);
	list_splice_back(&done, &journal->done);
	pthread_mutex_unlock(&journal->queue_lock);
	LIST_EACH(it, &done)
	{
		struct request *request = LIST_ENTRY(it, struct request, node);

		request->fn(request->arg, request->result);
	}
	pthread_mutex_lock(&journal->queue_lock);
	list_splice_back(&journal->idle, &done);
	pthread_mutex_unlock(&journal->queue_lock);
}

bool journal_has_failed(const struct journal *journal)
{
	return atomic_load(&journal->failed);
}

bool journal_is_nearly_full(const struct journal *journal)
{
	return atomic_load(&journal->nearly_full);
}

void journal_stats(struct journal *journal, struct journal_stats *stats_out)
{
	pthread_mutex_lock(&journal->queue_lock);
	*stats_out = journal->stats;
	pthread_mutex_unlock(&journal->queue_lock);
}

/* --- reading --- */

bool journal_has(struct journal *journal, const struct msg_id *id)
{
	bool has;

	pthread_mutex_lock(&journal->index_lock);
	has = live_find(&journal->index, id) != NULL;
	pthread_mutex_unlock(&journal->index_lock);
	return has;
}

/* False when there is no inline body. Otherwise the segment is not reused until unpin(). */
static bool pin(struct journal *journal, const struct msg_id *id, struct live *live_out)
{
	const struct live *live;

	pthread_mutex_lock(&journal->index_lock);
	live = live_find(&journal->index, id);
	if (live && live->body_place == JOURNAL_BODY_INLINE) {
		*live_out = *live;
		live->message.segment->readers++;
	} else {
		live = NULL;
	}
	pthread_mutex_unlock(&journal->index_lock);
	return live != NULL;
}

static void unpin(struct journal *journal, struct segment *segment)
{
	pthread_mutex_lock(&journal->index_lock);
	if (--segment->readers == 0)
		pthread_cond_signal(&journal->unread);
	pthread_mutex_unlock(&journal->index_lock);
}

enum err journal_read_body(struct journal *journal, const struct msg_id *id, struct buf *body_out)
{
	struct live live;
	size_t offset;
	enum err err;

	if (!pin(journal, id, &live))
		return ERR_NOT_FOUND;
	offset = live.message.offset + RECORD_HEADER_BYTES + live.message.envelope_len;
	buf_reserve(body_out, (size_t)live.body_len);
	err = segment_read(live.message.segment, offset, buf_tail(body_out), (size_t)live.body_len);
	unpin(journal, live.message.segment);
	if (err)
		return err;
	if (record_body_sum(span_of(buf_tail(body_out), (size_t)live.body_len)) != live.body_checksum)
		return ERR_CORRUPT;
	buf_commit(body_out, (size_t)live.body_len);
	return ERR_OK;
}
