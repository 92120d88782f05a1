#include "custody/journal_internal.h"

#include "skein/proto/base/alloc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct replay {
	struct journal *journal;
	bool salvage;
	struct buf *problem;
	struct buf bytes; /* one segment at a time */
};

static enum err io_problem(const struct replay *replay, const char *doing, const char *name)
{
	buf_printf(replay->problem, "journal: cannot %s %s%s%s: %s", doing, replay->journal->dir,
		name ? "/" : "", name ? name : "", strerror(errno));
	return ERR_IO;
}

static enum err damage(
	const struct replay *replay, const struct segment *segment, size_t at, const char *what)
{
	const struct segment_name name = segment_name(segment->number);

	buf_printf(replay->problem,
		"journal: %s/%s is damaged at byte %zu: %s. Nothing was changed. Restore the file if the "
		"disk has "
		"another copy. To go on without what cannot be read, start once with --set "
		"journal.salvage=true: what can be "
		"read is "
		"kept, the file stays as %s.damaged, and mail whose record of delivery is lost may be sent "
		"again",
		replay->journal->dir, name.text, at, what, name.text);
	return ERR_CORRUPT;
}

/* --- the folder --- */

static enum err read_front(const struct replay *replay, struct segment *segment, enum header_state *state_out)
{
	char front[SEGMENT_HEADER_BYTES];
	size_t len = segment->filled < sizeof(front) ? segment->filled : sizeof(front);

	if (segment_read(segment, 0, front, len))
		return io_problem(replay, "read", segment_name(segment->number).text);
	*state_out = segment_header_get(span_of(front, len), &segment->header);
	return ERR_OK;
}

static enum err set_aside(const struct replay *replay, struct segment *segment)
{
	const struct segment_name name = segment_name(segment->number);

	if (segment_set_aside(replay->journal->dir_fd, &segment))
		return io_problem(replay, "rename", name.text);
	replay->journal->segments--;
	return ERR_OK;
}

static enum err open_one(const struct replay *replay, uint32_t number)
{
	struct journal *journal = replay->journal;
	struct segment *segment;
	enum header_state state;
	enum err err;

	if (segment_open(journal->dir_fd, number, &segment))
		return io_problem(replay, "open", segment_name(number).text);
	list_push_front(&journal->ring, &segment->node);
	journal->segments++;
	journal->last_number = number > journal->last_number ? number : journal->last_number;
	err = read_front(replay, segment, &state);
	if (err || state != HEADER_BAD)
		return err;
	return replay->salvage ? set_aside(replay, segment)
			       : damage(replay, segment, 0, "not a segment's header");
}

static enum err open_all(const struct replay *replay)
{
	DIR *dir = opendir(replay->journal->dir);
	struct dirent *entry;
	enum err err = ERR_OK;

	if (!dir)
		return io_problem(replay, "read", NULL);
	while (!err && (entry = readdir(dir))) {
		uint32_t number;

		if (segment_parse_name(entry->d_name, &number))
			err = open_one(replay, number);
	}
	closedir(dir);
	return err;
}

static int by_generation(const void *a, const void *b)
{
	const struct segment *const *left = a, *const *right = b;
	uint32_t l = (*left)->header.generation, r = (*right)->header.generation;

	return (l > r) - (l < r);
}

/* Blank ones come first: they are spare. */
static void sort_ring(struct journal *journal)
{
	struct segment **all = mem_alloc(journal->segments * sizeof(struct segment *));
	size_t count = 0;

	while (!list_is_empty(&journal->ring)) {
		all[count] = LIST_FIRST(&journal->ring, struct segment, node);
		list_remove(&all[count++]->node);
	}
	qsort(all, count, sizeof(struct segment *), by_generation);
	for (size_t i = 0; i < count; i++)
		list_push_back(&journal->ring, &all[i]->node);
	mem_free(all);
}

/* --- one segment --- */

static enum err load(struct replay *replay, const struct segment *segment)
{
	buf_clear(&replay->bytes);
	buf_reserve(&replay->bytes, segment->filled + 1);
	if (segment_read(segment, 0, buf_tail(&replay->bytes), segment->filled))
		return io_problem(replay, "read", segment_name(segment->number).text);
	buf_commit(&replay->bytes, segment->filled);
	return ERR_OK;
}

static enum err check_blank(struct replay *replay, struct segment *segment)
{
	struct span bytes = buf_span(&replay->bytes);

	for (size_t i = 0; i < bytes.len; i++) {
		if (!bytes.ptr[i])
			continue;
		return replay->salvage ? set_aside(replay, segment)
				       : damage(replay, segment, i, "it has no header, but bytes");
	}
	return ERR_OK;
}

static void apply(struct journal *journal, struct segment *segment, const struct scanned *scanned)
{
	switch (scanned->record.type) {
	case JOURNAL_MESSAGE:
		live_put(&journal->index, &scanned->record, segment, scanned->offset);
		break;
	case JOURNAL_UPDATE: /* of a message that is settled: nothing to do */
		(void)live_update(&journal->index, &scanned->record, segment, scanned->offset);
		break;
	case JOURNAL_DONE:
		live_remove(&journal->index, &scanned->record.id);
		break;
	}
}

/* Applies all records; on damage goes on behind it (salvage), or stops. */
static void scan_all(struct replay *replay, struct segment *segment, struct scan *scan)
{
	struct scanned scanned;

	scan_init(scan, buf_span(&replay->bytes), &segment->header);
	for (;;) {
		while (scan_next(scan, &scanned))
			apply(replay->journal, segment, &scanned);
		if (scan->state != SCAN_DAMAGED || !replay->salvage)
			break;
		segment->damaged = true;
		scan_skip_damage(scan);
	}
	segment->used = scan->at;
}

static enum err replay_one(struct replay *replay, struct segment *segment, bool is_newest)
{
	struct scan scan;
	enum err err = load(replay, segment);

	if (err)
		return err;
	if (!segment->header.generation)
		return check_blank(replay, segment);
	scan_all(replay, segment, &scan);
	if (scan.state == SCAN_DAMAGED)
		return damage(replay, segment, scan.at, "a record fails its checksum, and later ones do not");
	if (scan.state == SCAN_SEALED)
		return ERR_OK;
	if (is_newest)
		return ERR_OK;
	if (!replay->salvage)
		return damage(replay, segment, scan.at, "it ends too early, and the log goes on behind it");
	segment->damaged = true;
	return ERR_OK;
}

/*
 * What a killed process wrote last may be in the page cache only: sealing makes it durable, too. Nothing is
 * ever appended behind a torn batch, whose remains could otherwise be taken for what follows.
 */
static enum err seal_newest(const struct replay *replay)
{
	struct journal *journal = replay->journal;
	struct segment *newest;

	if (list_is_empty(&journal->ring))
		return ERR_OK;
	newest = LIST_ENTRY(journal->ring.prev, struct segment, node);
	if (!newest->header.generation)
		return ERR_OK;
	journal->last_generation = newest->header.generation;
	journal->origin_before = newest->header.origin;
	return segment_end(newest) ? io_problem(replay, "write", segment_name(newest->number).text) : ERR_OK;
}

static enum err replay_ring(struct replay *replay)
{
	struct journal *journal = replay->journal;
	struct list *newest = journal->ring.prev;
	uint32_t last = 0;
	enum err err = ERR_OK;

	LIST_EACH_SAFE(it, &journal->ring)
	{
		struct segment *segment = LIST_ENTRY(it, struct segment, node);

		if (last && segment->header.generation == last && !replay->salvage)
			return damage(replay, segment, 0, "another file is of the same generation");
		last = segment->header.generation;
		err = replay_one(replay, segment, it == newest);
		if (err)
			return err;
	}
	return seal_newest(replay);
}

enum err replay_segments(struct journal *journal, bool salvage, struct buf *problem_out)
{
	struct replay replay = { .journal = journal, .salvage = salvage, .problem = problem_out };
	enum err err = open_all(&replay);

	if (!err) {
		sort_ring(journal);
		err = replay_ring(&replay);
	}
	buf_fini(&replay.bytes);
	return err;
}

/* --- what was found --- */

static int by_id(const void *a, const void *b)
{
	const struct live *const *left = a, *const *right = b;

	return memcmp((*left)->id.bytes, (*right)->id.bytes, MSG_ID_LEN);
}

static struct live **sorted(const struct live_index *index)
{
	struct live **all = mem_alloc(index->by_id.count * sizeof(struct live *));
	size_t cursor = 0, count = 0;
	struct live *live;

	while ((live = table_next(&index->by_id, &cursor)))
		all[count++] = live;
	qsort(all, count, sizeof(struct live *), by_id);
	return all;
}

static enum err report_one(
	const struct replay *replay, const struct live *live, journal_replay_fn *each_live, void *arg)
{
	const struct place *place = live_envelope(live);
	struct journal_live found = {
		.id = live->id,
		.body = { live->body_place, { NULL, 0 }, live->body_len, live->body_checksum },
	};
	struct buf envelope = { 0 };
	enum err err;

	buf_reserve(&envelope, place->envelope_len);
	err = segment_read(place->segment, place->offset + RECORD_HEADER_BYTES, buf_tail(&envelope),
		place->envelope_len);
	if (err) {
		err = io_problem(replay, "read", segment_name(place->segment->number).text);
	} else {
		buf_commit(&envelope, place->envelope_len);
		found.envelope = buf_span(&envelope);
		each_live(arg, &found);
	}
	buf_fini(&envelope);
	return err;
}

enum err replay_report(
	struct journal *journal, journal_replay_fn *each_live, void *arg, struct buf *problem_out)
{
	struct replay replay = { .journal = journal, .problem = problem_out };
	struct live **all = sorted(&journal->index);
	enum err err = ERR_OK;

	for (size_t i = 0; i < journal->index.by_id.count && !err; i++)
		err = report_one(&replay, all[i], each_live, arg);
	mem_free(all);
	return err;
}

/* --- salvage --- */

static struct segment *last_damaged(const struct journal *journal)
{
	struct segment *found = NULL;

	LIST_EACH(it, &journal->ring)
	{
		struct segment *segment = LIST_ENTRY(it, struct segment, node);

		found = segment->damaged ? segment : found;
	}
	return found;
}

static enum err clear_away(const struct replay *replay, struct segment *segment)
{
	struct journal *journal = replay->journal;

	if (segment->damaged)
		return set_aside(replay, segment);
	if (segment_remove(journal->dir_fd, &segment))
		return io_problem(replay, "remove a segment of", NULL);
	journal->segments--;
	return ERR_OK;
}

/*
 * From the oldest on, up to the last damaged one, whether damaged or not: the damaged one may hold, or have
 * held, the DONE of what is in an older one, so it must not go before.
 */
enum err replay_salvage(struct journal *journal, struct buf *problem_out)
{
	struct replay replay = { .journal = journal, .salvage = true, .problem = problem_out };
	struct segment *last = last_damaged(journal);
	enum err err = ERR_OK;

	journal->growing_freely = true;
	if (last && ring_roll(journal, false))
		err = io_problem(&replay, "write", NULL);
	while (last && !err) {
		struct segment *oldest = LIST_FIRST(&journal->ring, struct segment, node);
		bool is_last = oldest == last;

		if (compact_empty(journal, oldest))
			err = io_problem(&replay, "write", NULL);
		else
			err = clear_away(&replay, oldest);
		last = is_last ? NULL : last;
	}
	journal->growing_freely = false;
	return err;
}
