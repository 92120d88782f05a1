#include "custody/journal_internal.h"

#include "skein/proto/base/alloc.h"

enum {
	STEP_BYTES = 1 << 20,
	USED_SEGMENTS_MIN = 4, /* fewer are not worth writing anything twice */
	SPARSE_ONE_IN = 4,     /* sparse: less than a quarter is live */
};

/* What is between the spares and the current segment. */
struct ring_view {
	struct segment *oldest; /* NULL when there is none */
	unsigned segments;
	uint64_t used, live;
};

static struct ring_view look(const struct journal *journal)
{
	struct ring_view view = { 0 };

	LIST_EACH(it, &journal->ring)
	{
		struct segment *segment = LIST_ENTRY(it, struct segment, node);

		if (segment == journal->current)
			break;
		if (!view.oldest && list_is_empty(&segment->lives))
			continue;
		view.oldest = view.oldest ? view.oldest : segment;
		view.segments++;
		view.used += segment->used;
		view.live += segment->live_bytes;
	}
	return view;
}

/*
 * To have begun is worse than nothing if the segment cannot be emptied: what is left must fit into the
 * current segment and the spares, and leave some for the DONE records that come meanwhile.
 */
static bool fits_ahead(const struct journal *journal, const struct segment *segment)
{
	uint64_t room = journal->segment_bytes - journal->current->used +
			(uint64_t)ring_spares(journal) * ring_record_max(journal);

	return segment->live_bytes + journal->segment_bytes / 8 <= room;
}

bool compact_is_wanted(const struct journal *journal)
{
	struct ring_view view = look(journal);
	bool is_sparse, is_pressed;

	if (!view.oldest || view.oldest->damaged || !fits_ahead(journal, view.oldest))
		return false;
	is_sparse = view.oldest->live_bytes * SPARSE_ONE_IN < view.oldest->used ||
		    view.live * SPARSE_ONE_IN < view.used;
	/* No segment can be had any more, but going round the ring once will free one. */
	is_pressed = journal->segments >= journal->segments_max && ring_spares(journal) < 2 &&
		     view.used - view.live > journal->segment_bytes;
	return (is_sparse && view.segments >= USED_SEGMENTS_MIN) || is_pressed;
}

static enum err read_record(const struct place *place, struct buf *bytes, struct record *record,
	struct span *envelope, struct span *body)
{
	enum err err;

	buf_clear(bytes);
	buf_reserve(bytes, (size_t)place->size);
	err = segment_read(place->segment, place->offset, buf_tail(bytes), (size_t)place->size);
	if (err)
		return err;
	buf_commit(bytes, (size_t)place->size);
	return record_get(buf_span(bytes), &place->segment->header, record, envelope, body) ? ERR_OK
											    : ERR_CORRUPT;
}

/*
 * The record as it would be written today: the envelope of the last UPDATE, appended to request->copy, in
 * place of the one it was written with.
 */
static enum err read_live(const struct live *live, struct request *request)
{
	struct buf update = { 0 };
	struct buf *copy = &request->copy;
	struct record record;
	struct span envelope, body, none;
	enum err err = read_record(&live->message, copy, &record, &envelope, &body);

	if (!err && live->update.segment) {
		err = read_record(&live->update, &update, &record, &envelope, &none);
		if (!err)
			buf_append(copy, envelope); /* may move the copy: `body` is found again below */
		body.ptr = buf_span(copy).ptr + RECORD_HEADER_BYTES + live->message.envelope_len;
		envelope.ptr = buf_span(copy).ptr + live->message.size;
	}
	buf_fini(&update);
	if (!err) {
		struct journal_entry entry = {
			.type = JOURNAL_MESSAGE,
			.id = live->id,
			.envelope = envelope,
			.body = { live->body_place, body, live->body_len, live->body_checksum },
		};

		request_init(request, &entry, NULL, NULL);
		request->is_move = true;
	}
	return err;
}

/* Up to STEP_BYTES of copies from the front of the segment's live list; what cannot be read is counted. */
static void collect(struct journal *journal, struct segment *segment, struct list *copies)
{
	uint64_t bytes = 0;

	for (struct list *it = segment->lives.next; it != &segment->lives && bytes < STEP_BYTES;
		it = it->next) {
		struct live *live = LIST_ENTRY(it, struct live, in_segment);
		struct request *request = mem_zalloc(sizeof(*request));

		list_init(&request->node);
		if (read_live(live, request) == ERR_OK) {
			list_push_back(copies, &request->node);
			bytes += live->message.size;
			continue;
		}
		request_free(request);
		journal->counted.damaged++;
		segment->damaged = true;
	}
}

static enum err move_some(struct journal *journal, struct segment *segment, bool *moved_out)
{
	struct list copies, done;
	enum err err = ERR_OK;

	list_init(&copies);
	list_init(&done);
	collect(journal, segment, &copies);
	*moved_out = !list_is_empty(&copies);
	while (!list_is_empty(&copies))
		commit_some(journal, &copies, &done);
	LIST_EACH_SAFE(it, &done)
	{
		struct request *request = LIST_ENTRY(it, struct request, node);

		err = request->result ? request->result : err;
		request_free(request);
	}
	return err;
}

bool compact_step(struct journal *journal)
{
	bool moved;

	return move_some(journal, look(journal).oldest, &moved) == ERR_OK && moved;
}

/* What did not read back is dropped from the index: the file that is set aside has it. */
static void drop_unreadable(struct journal *journal, struct segment *segment)
{
	LIST_EACH_SAFE(it, &segment->lives)
	live_remove(&journal->index, &LIST_ENTRY(it, struct live, in_segment)->id);
}

enum err compact_empty(struct journal *journal, struct segment *segment)
{
	bool moved = true;

	while (moved) {
		enum err err = move_some(journal, segment, &moved);

		if (err)
			return err;
	}
	drop_unreadable(journal, segment);
	return ERR_OK;
}
