#include "custody/live.h"

#include "skein/proto/base/alloc.h"

void live_init(struct live_index *index, const uint64_t seed[2])
{
	table_init(&index->by_id, seed);
	index->bytes = 0;
}

void live_fini(struct live_index *index)
{
	size_t cursor = 0;
	struct live *live;

	while ((live = table_next(&index->by_id, &cursor))) {
		list_remove(&live->in_segment);
		mem_free(live);
	}
	table_fini(&index->by_id);
}

struct live *live_find(const struct live_index *index, const struct msg_id *id)
{
	return table_get(&index->by_id, msg_id_span(id));
}

static void place_set(struct live_index *index, struct place *place, const struct record *record,
	struct segment *segment, size_t offset)
{
	*place = (struct place){ segment, (uint32_t)offset, record->envelope_len, record_size(record) };
	segment->live_bytes += place->size;
	index->bytes += place->size;
}

static void place_clear(struct live_index *index, struct place *place)
{
	if (!place->segment)
		return;
	CHECK(place->segment->live_bytes >= place->size);
	place->segment->live_bytes -= place->size;
	index->bytes -= place->size;
	place->segment = NULL;
}

void live_put(struct live_index *index, const struct record *record, struct segment *segment, size_t offset)
{
	struct live *live = live_find(index, &record->id);

	if (live) {
		list_remove(&live->in_segment);
		place_clear(index, &live->message);
		place_clear(index, &live->update);
	} else {
		live = mem_zalloc(sizeof(*live));
		list_init(&live->in_segment);
		live->id = record->id;
		table_put(&index->by_id, msg_id_span(&live->id), live);
	}
	live->body_place = record->place;
	live->body_len = record->body_len;
	live->body_checksum = record->body_checksum;
	place_set(index, &live->message, record, segment, offset);
	list_push_back(&segment->lives, &live->in_segment);
}

bool live_update(
	struct live_index *index, const struct record *record, struct segment *segment, size_t offset)
{
	struct live *live = live_find(index, &record->id);

	if (!live)
		return false;
	place_clear(index, &live->update);
	place_set(index, &live->update, record, segment, offset);
	return true;
}

void live_remove(struct live_index *index, const struct msg_id *id)
{
	struct live *live = table_remove(&index->by_id, msg_id_span(id));

	if (!live)
		return;
	list_remove(&live->in_segment);
	place_clear(index, &live->message);
	place_clear(index, &live->update);
	mem_free(live);
}

const struct place *live_envelope(const struct live *live)
{
	return live->update.segment ? &live->update : &live->message;
}
