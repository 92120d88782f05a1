#include "custody/journal_internal.h"

#include "skein/proto/base/alloc.h"

#include <time.h>

enum {
	BATCH_BYTES_MAX = 8 << 20, /* a batch that takes longer makes everybody wait longer */
	PADDING_MAX = RECORD_ALIGN,
	IOV_PER_RECORD = 3,
};

static uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static struct request *first_of(struct list *requests)
{
	return LIST_FIRST(requests, struct request, node);
}

static void give_back(struct request *request, enum err result, struct list *done)
{
	request->result = result;
	list_remove(&request->node);
	list_push_back(done, &request->node);
}

static uint64_t wanted_bytes(const struct list *requests)
{
	uint64_t sum = 0;

	LIST_EACH(it, requests)
	{
		sum += record_size(&LIST_ENTRY(it, struct request, node)->record);
		if (sum >= BATCH_BYTES_MAX)
			break;
	}
	return sum;
}

/* Asks for the whole batch, and is content with the first record. */
static enum err reserve(struct journal *journal, uint64_t first, uint64_t wanted)
{
	struct segment *segment = journal->current;
	size_t most = segment->used + (size_t)wanted + RECORD_HEADER_BYTES;
	enum err err;

	if (most > journal->segment_bytes)
		most = journal->segment_bytes;
	err = segment_reserve(segment, most);
	if (err == ERR_FULL)
		err = segment_reserve(segment, segment->used + (size_t)first + RECORD_HEADER_BYTES);
	journal->disk_full = err == ERR_FULL;
	return err;
}

static enum err make_room(struct journal *journal, struct list *requests)
{
	const struct record *first = &first_of(requests)->record;
	bool is_message = first->type == JOURNAL_MESSAGE && !first_of(requests)->is_move;
	uint64_t size = record_size(first);
	uint64_t wanted = wanted_bytes(requests);
	enum err err;

	if (size > ring_record_max(journal))
		return ERR_INVALID;
	if (ring_has_room(journal, size)) {
		err = is_message ? ring_want_spares(journal, 1) : ERR_OK;
		if (err)
			return err;
		err = reserve(journal, size, wanted);
		/* On a full disk the spare, which has its blocks, is for what ends custody. */
		if (err != ERR_FULL || is_message)
			return err;
	}
	err = ring_roll(journal, is_message);
	return err ? err : reserve(journal, size, wanted);
}

/* Gives offsets to what fits behind `used`; returns how many bytes that is. */
static size_t stage(struct journal *journal, struct list *requests, struct list *staged)
{
	struct segment *segment = journal->current;
	size_t limit = segment->filled < journal->segment_bytes ? segment->filled : journal->segment_bytes;
	size_t at = segment->used;

	limit -= RECORD_HEADER_BYTES;
	LIST_EACH_SAFE(it, requests)
	{
		struct request *request = LIST_ENTRY(it, struct request, node);
		uint64_t size = record_size(&request->record);

		if (size > limit - at || (at - segment->used >= BATCH_BYTES_MAX))
			break;
		request->offset = at;
		request->record.batch_start = (uint32_t)segment->used;
		at += (size_t)size;
		list_remove(it);
		list_push_back(staged, it);
	}
	CHECK(!list_is_empty(staged));
	return at - segment->used;
}

static void reserve_vectors(struct journal *journal, const struct list *staged)
{
	size_t records = 0, bytes = 0;

	LIST_EACH(it, staged)
	{
		records++;
		bytes += LIST_ENTRY(it, struct request, node)->entry.envelope.len + RECORD_HEADER_BYTES +
			 2 * PADDING_MAX;
	}
	buf_clear(&journal->heads);
	buf_reserve(&journal->heads, bytes); /* so that it does not move under the vectors */
	if (journal->iov_cap < records * IOV_PER_RECORD) {
		journal->iov_cap = records * IOV_PER_RECORD;
		journal->iov = mem_realloc(journal->iov, journal->iov_cap * sizeof(*journal->iov));
	}
}

/* Bytes that follow each other in memory become one vector. */
static size_t add_vector(struct iovec *iov, size_t count, const char *ptr, size_t len)
{
	if (!len)
		return count;
	if (count && (char *)iov[count - 1].iov_base + iov[count - 1].iov_len == ptr) {
		iov[count - 1].iov_len += len;
		return count;
	}
	iov[count] = (struct iovec){ (void *)(uintptr_t)ptr, len };
	return count + 1;
}

static size_t add_record(struct journal *journal, size_t count, const struct request *request)
{
	static const char padding[PADDING_MAX];
	const char *head = buf_tail(&journal->heads);
	size_t pad = record_padding(&request->record);

	record_put(&journal->heads, &request->record, request->entry.envelope, &journal->current->header);
	count = add_vector(journal->iov, count, head, (size_t)(buf_tail(&journal->heads) - head));
	if (request->record.place == JOURNAL_BODY_INLINE)
		count = add_vector(
			journal->iov, count, request->entry.body.bytes.ptr, request->entry.body.bytes.len);
	head = buf_tail(&journal->heads);
	buf_append(&journal->heads, span_of(padding, pad));
	return add_vector(journal->iov, count, head, pad);
}

static enum err write_staged(struct journal *journal, const struct list *staged)
{
	size_t count = 0;
	enum err err;

	reserve_vectors(journal, staged);
	LIST_EACH(it, staged)
	count = add_record(journal, count, LIST_ENTRY(it, struct request, node));
	err = segment_write(journal->current, journal->iov, count, journal->current->used);
	return err ? err : segment_sync(journal->current);
}

static enum err apply_one(struct journal *journal, const struct request *request)
{
	const struct record *record = &request->record;

	switch (request->entry.type) {
	case JOURNAL_MESSAGE:
		live_put(&journal->index, record, journal->current, request->offset);
		return ERR_OK;
	case JOURNAL_UPDATE:
		return live_update(&journal->index, record, journal->current, request->offset)
			       ? ERR_OK
			       : ERR_NOT_FOUND;
	case JOURNAL_DONE:
		live_remove(&journal->index, &record->id);
		return ERR_OK;
	}
	CHECK(false);
}

static void count_commit(struct journal *journal, uint64_t entries, size_t bytes, uint64_t started_us)
{
	struct journal_stats *stats = &journal->counted;
	uint64_t us = now_us() - started_us;
	unsigned bucket = 0;

	while (bucket < JOURNAL_LATENCY_BUCKETS - 1 && us >> (bucket + 4))
		bucket++;
	stats->commits++;
	stats->entries += entries;
	stats->bytes += bytes;
	stats->batch_entries_max = entries > stats->batch_entries_max ? entries : stats->batch_entries_max;
	stats->commit_us[bucket]++;
	stats->commit_us_sum += us;
	stats->commit_us_max = us > stats->commit_us_max ? us : stats->commit_us_max;
}

/* Writes `staged`, which is `bytes` long, and gives every request its result. */
static void finish_staged(struct journal *journal, struct list *staged, size_t bytes, struct list *done)
{
	bool is_move = first_of(staged)->is_move;
	uint64_t started_us = now_us();
	uint64_t entries = 0;
	enum err err = write_staged(journal, staged);

	if (err)
		journal_fail(journal);
	pthread_mutex_lock(&journal->index_lock);
	while (!list_is_empty(staged)) {
		struct request *request = first_of(staged);

		give_back(request, err ? err : apply_one(journal, request), done);
		entries++;
	}
	pthread_mutex_unlock(&journal->index_lock);
	if (err)
		return;
	journal->current->used += bytes;
	if (is_move)
		journal->counted.moved_bytes += bytes;
	else
		count_commit(journal, entries, bytes, started_us);
}

void commit_some(struct journal *journal, struct list *requests, struct list *done)
{
	struct list staged;
	enum err err;

	err = atomic_load(&journal->failed) ? ERR_IO : make_room(journal, requests);
	if (err) {
		if (err == ERR_IO)
			journal_fail(journal);
		journal->counted.refused += err == ERR_FULL;
		give_back(first_of(requests), err, done);
		return;
	}
	list_init(&staged);
	finish_staged(journal, &staged, stage(journal, requests, &staged), done);
}
