#include "custody/journal_internal.h"

#include <sys/random.h>

enum {
	FIRST_FILL_BYTES = 64 << 10, /* of a new file: enough to begin with */
	FILL_STEP_BYTES = 1 << 20,
	FILL_AHEAD_BYTES = 4 << 20,
	SPARES_WANTED = 2, /* one to roll into, one for what ends custody */
	SPARES_MAX = 4,    /* more are given back to the disk */
};

static struct segment *segment_of(struct list *it)
{
	return LIST_ENTRY(it, struct segment, node);
}

unsigned ring_spares(const struct journal *journal)
{
	unsigned count = 0;

	LIST_EACH(it, &journal->ring)
	{
		struct segment *segment = segment_of(it);

		if (segment == journal->current || !list_is_empty(&segment->lives))
			break;
		count++;
	}
	return count;
}

static size_t at_most(size_t a, size_t b)
{
	return a < b ? a : b;
}

enum err ring_grow(struct journal *journal)
{
	struct segment *segment;
	enum err err;

	if (journal->segments >= journal->segments_max && !journal->growing_freely)
		return ERR_FULL;
	err = segment_create(journal->dir_fd, ++journal->last_number,
		at_most(FIRST_FILL_BYTES, journal->segment_bytes), &segment);
	journal->disk_full = err == ERR_FULL;
	if (err)
		return err;
	/* In front: the old spares keep their order, which is the order in which they may be taken. */
	list_push_front(&journal->ring, &segment->node);
	journal->segments++;
	return ERR_OK;
}

enum err ring_want_spares(struct journal *journal, unsigned count)
{
	bool must_grow = journal->growing_freely;

	while (must_grow || ring_spares(journal) < count) {
		enum err err = ring_grow(journal);

		if (err)
			return err;
		must_grow = false;
	}
	return ERR_OK;
}

/* A body that was just settled may still be read by a courier; that takes one pread(). */
static void wait_unread(struct journal *journal, const struct segment *segment)
{
	pthread_mutex_lock(&journal->index_lock);
	while (segment->readers)
		pthread_cond_wait(&journal->unread, &journal->index_lock);
	pthread_mutex_unlock(&journal->index_lock);
}

enum err ring_roll(struct journal *journal, bool for_message)
{
	struct segment_header header = { .origin = journal->origin };
	struct segment *next;
	enum err err = ring_want_spares(journal, for_message ? 2 : 1);

	if (!err && journal->current)
		err = segment_end(journal->current);
	if (err)
		return err;
	next = LIST_FIRST(&journal->ring, struct segment, node);
	wait_unread(journal, next);
	header.generation = ++journal->last_generation;
	CHECK(header.generation);
	CHECK(getrandom(&header.seed, sizeof(header.seed), 0) == sizeof(header.seed));
	err = segment_begin(next, &header);
	list_remove(&next->node);
	list_push_back(&journal->ring, &next->node);
	journal->current = next;
	return err;
}

uint64_t ring_record_max(const struct journal *journal)
{
	return journal->segment_bytes - SEGMENT_HEADER_BYTES - RECORD_HEADER_BYTES;
}

bool ring_has_room(const struct journal *journal, uint64_t size)
{
	return size + RECORD_HEADER_BYTES <= journal->segment_bytes - journal->current->used;
}

/* True when zeros were written. Under load only when they are about to run out. */
static bool fill_ahead(struct journal *journal, bool is_busy, enum err *err_out)
{
	struct segment *segment = journal->current;
	size_t ahead = is_busy ? FILL_AHEAD_BYTES / 2 : FILL_AHEAD_BYTES;
	size_t wanted = at_most(segment->used + ahead, journal->segment_bytes);

	if (segment->filled >= wanted)
		return false;
	*err_out = segment_fill(segment, at_most(segment->filled + FILL_STEP_BYTES, journal->segment_bytes));
	journal->disk_full = *err_out == ERR_FULL;
	return *err_out == ERR_OK;
}

static bool change_spares(struct journal *journal, enum err *err_out)
{
	unsigned spares = ring_spares(journal);
	struct segment *oldest = LIST_FIRST(&journal->ring, struct segment, node);

	if (spares < SPARES_WANTED && journal->segments < journal->segments_max) {
		*err_out = ring_grow(journal);
		return *err_out == ERR_OK;
	}
	if (spares <= SPARES_MAX)
		return false;
	wait_unread(journal, oldest);
	*err_out = segment_remove(journal->dir_fd, &oldest);
	journal->segments -= *err_out == ERR_OK;
	return *err_out == ERR_OK;
}

bool ring_tend(struct journal *journal, bool is_busy)
{
	enum err err = ERR_OK;
	bool did;

	journal->disk_full = false; /* unless it is said again */
	did = fill_ahead(journal, is_busy, &err);
	if (!did && !err)
		did = change_spares(journal, &err);
	if (err && err != ERR_FULL)
		journal_fail(journal);
	return did;
}

static bool is_nearly_full(const struct journal *journal)
{
	unsigned left = ring_spares(journal) + (journal->segments_max - journal->segments);

	return journal->disk_full || (left <= 1 && !ring_has_room(journal, journal->segment_bytes / 4));
}

void ring_publish(struct journal *journal)
{
	struct journal_stats *stats = &journal->counted;

	stats->disk_bytes = 0;
	LIST_EACH(it, &journal->ring)
	stats->disk_bytes += segment_of(it)->filled;
	stats->segments = journal->segments;
	stats->segments_used = journal->segments - ring_spares(journal);
	stats->live = journal->index.by_id.count;
	stats->live_bytes = journal->index.bytes;
	atomic_store(&journal->nearly_full, is_nearly_full(journal));
}
