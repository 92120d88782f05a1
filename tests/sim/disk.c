#include "disk.h"

#include "happening.h"
#include "mail.h"

#include "skein/proto/base/alloc.h"

#include <stdlib.h>
#include <string.h>

enum { SOON_US = 50000 };

struct entry {
	struct list link;
	enum journal_type type;
	struct msg_id id;
	struct buf envelope, body;
	journal_done_fn *fn;
	void *arg;
	enum err err;
	bool is_reported;
};

struct journal {
	struct worker *worker;
	struct list queue, batch;
	bool is_writing, is_planned;
};

static struct disk *disk_of(const struct worker *worker)
{
	return &worker->node->disks[worker->index];
}

static void plan(struct worker *worker, uint64_t delay_us, event_fn *fn, void *arg)
{
	agenda_plan(&worker->node->world->agenda, worker->life, delay_us, fn, arg, false);
}

/* --- what is durable ----------------------------------------------------------------------------- */

static void free_live(struct disk_live *live)
{
	buf_fini(&live->envelope);
	buf_fini(&live->body);
	mem_free(live);
}

static struct disk_live *find(const struct disk *disk, const struct msg_id *id)
{
	return table_get(&disk->lives, msg_id_span(id));
}

bool disk_has(const struct disk *disk, const struct msg_id *id)
{
	return find(disk, id) != NULL;
}

static void put_message(struct disk *disk, const struct entry *entry)
{
	struct disk_live *live = mem_zalloc(sizeof(*live)), *old;

	live->id = entry->id;
	buf_append(&live->envelope, buf_span(&entry->envelope));
	buf_append(&live->body, buf_span(&entry->body));
	old = table_remove(&disk->lives, msg_id_span(&entry->id));
	if (old)
		free_live(old);
	table_put(&disk->lives, msg_id_span(&live->id), live);
}

static void trace_entry(struct worker *worker, const struct entry *entry)
{
	static const char *const words[] = {
		[JOURNAL_MESSAGE] = "MESSAGE", [JOURNAL_UPDATE] = "UPDATE", [JOURNAL_DONE] = "DONE"
	};
	struct mail *mail = mail_find(worker->node->world, &entry->id);

	trace(worker->node->world, "%s m%u: %s is durable", worker->node->name, mail ? mail->number : 0,
		words[entry->type]);
}

static bool is_left_out(struct world *world, const struct msg_id *id)
{
	const struct mail *mail = mail_find(world, id);

	return world->broken == BROKEN_REPORT && mail && mail->about;
}

static void apply(struct worker *worker, struct entry *entry)
{
	struct disk *disk = disk_of(worker);
	struct disk_live *live = find(disk, &entry->id);
	struct happening happening = {
		.kind = SAW_DURABLE, .node = worker->node, .id = &entry->id, .entry = entry->type
	};

	switch (entry->type) {
	case JOURNAL_MESSAGE:
		if (!is_left_out(worker->node->world, &entry->id))
			put_message(disk, entry);
		break;
	case JOURNAL_UPDATE:
		if (live) {
			buf_clear(&live->envelope);
			buf_append(&live->envelope, buf_span(&entry->envelope));
		} else {
			entry->err = ERR_NOT_FOUND;
		}
		break;
	case JOURNAL_DONE:
		if (live) {
			table_remove(&disk->lives, msg_id_span(&entry->id));
			free_live(live);
		}
		break;
	}
	trace_entry(worker, entry);
	happened(worker->node->world, &happening);
}

void disk_clear(struct disk *disk)
{
	struct disk_live *live;
	size_t cursor = 0;

	while ((live = table_next(&disk->lives, &cursor))) {
		table_remove(&disk->lives, msg_id_span(&live->id));
		free_live(live);
	}
}

static int by_id(const void *a, const void *b)
{
	const struct disk_live *const *left = a, *const *right = b;

	return memcmp((*left)->id.bytes, (*right)->id.bytes, MSG_ID_LEN);
}

void disk_replay(struct worker *worker)
{
	struct disk *disk = disk_of(worker);
	struct disk_live **all = mem_alloc((disk->lives.count + 1) * sizeof(*all)), *live;
	size_t count = 0, cursor = 0;

	while ((live = table_next(&disk->lives, &cursor)))
		all[count++] = live;
	qsort(all, count, sizeof(*all), by_id);
	for (size_t i = 0; i < count; i++) {
		const struct journal_live found = {
			.id = all[i]->id,
			.envelope = buf_span(&all[i]->envelope),
			.body = { .bytes = buf_span(&all[i]->body), .len = buf_len(&all[i]->body) },
		};

		CHECK(custody_restore(&worker->custody, &found) == ERR_OK);
	}
	mem_free(all);
}

/* --- writing ------------------------------------------------------------------------------------- */

struct journal *disk_open(struct worker *worker)
{
	struct journal *journal = mem_zalloc(sizeof(*journal));

	journal->worker = worker;
	list_init(&journal->queue);
	list_init(&journal->batch);
	return journal;
}

static void free_entry(struct entry *entry)
{
	list_remove(&entry->link);
	buf_fini(&entry->envelope);
	buf_fini(&entry->body);
	mem_free(entry);
}

static void report(struct entry *entry)
{
	if (entry->fn && !entry->is_reported)
		entry->fn(entry->arg, entry->err);
	entry->is_reported = true;
}

static void commit(void *arg);

static void on_written(void *arg)
{
	struct journal *journal = arg;
	struct worker *worker = journal->worker;
	struct list written; /* a callback may begin the next batch */

	LIST_EACH(it, &journal->batch)
	{
		struct entry *entry = LIST_ENTRY(it, struct entry, link);

		if (entry->err == ERR_OK)
			apply(worker, entry);
	}
	list_init(&written);
	list_splice_back(&written, &journal->batch);
	journal->is_writing = false;
	while (!list_is_empty(&written)) {
		struct entry *entry = LIST_FIRST(&written, struct entry, link);

		list_remove(&entry->link);
		report(entry);
		free_entry(entry);
	}
	if (!list_is_empty(&journal->queue))
		commit(journal);
}

static void commit(void *arg)
{
	struct journal *journal = arg;
	struct world *world = journal->worker->node->world;

	journal->is_planned = false;
	if (journal->is_writing || list_is_empty(&journal->queue))
		return;
	journal->is_writing = true;
	list_splice_back(&journal->batch, &journal->queue);
	plan(journal->worker,
		world->journal_latency_us + (world_chance(world, 10) ? world_between(world, 20, 800) * MS_US
								     : world_between(world, 500, 9000)),
		on_written, journal);
}

static void report_early(void *arg)
{
	report(arg);
}

static bool is_early(const struct world *world, enum journal_type type)
{
	return world->broken == BROKEN_CUSTODY || (world->broken == BROKEN_DONE && type != JOURNAL_MESSAGE);
}

void journal_append(struct journal *journal, const struct journal_entry *from, journal_done_fn *fn, void *arg)
{
	struct world *world = journal->worker->node->world;
	struct entry *entry = mem_zalloc(sizeof(*entry));

	entry->type = from->type;
	entry->id = from->id;
	entry->fn = fn;
	entry->arg = arg;
	buf_append(&entry->envelope, from->envelope);
	buf_append(&entry->body, from->body.bytes);
	if (from->type == JOURNAL_MESSAGE && !world->is_calm && world_chance(world, world->odds.disk_full))
		entry->err = ERR_FULL;
	list_push_back(&journal->queue, &entry->link);
	if (is_early(world, from->type)) {
		plan(journal->worker, 0, report_early, entry);
		plan(journal->worker, SECOND_US, commit, journal);
		return;
	}
	if (from->urgency == JOURNAL_NOW)
		commit(journal);
	else if (!journal->is_planned) {
		journal->is_planned = true;
		plan(journal->worker, SOON_US, commit, journal);
	}
}

bool journal_is_nearly_full(const struct journal *journal)
{
	(void)journal;
	return false;
}

void disk_crash(struct worker *worker)
{
	struct journal *journal = worker->journal;
	struct world *world = worker->node->world;

	if (journal->is_writing) {
		LIST_EACH(it, &journal->batch)
		{
			struct entry *entry = LIST_ENTRY(it, struct entry, link);

			if (world_chance(world, 300))
				break;
			if (entry->err == ERR_OK)
				apply(worker, entry);
		}
	}
	while (!list_is_empty(&journal->batch))
		free_entry(LIST_FIRST(&journal->batch, struct entry, link));
	while (!list_is_empty(&journal->queue))
		free_entry(LIST_FIRST(&journal->queue, struct entry, link));
}

/* --- bodies -------------------------------------------------------------------------------------- */

struct body {
	struct worker *worker;
	struct msg_id id;
	unsigned refs;
	bool is_in_file; /* all that is asked of it takes time */
	bool is_sealed;
	struct buf bytes;
	body_sealed_fn *on_sealed;
	void *arg;
};

struct body_reader {
	struct body *body;
	body_ready_fn *on_ready;
	void *arg;
	bool has_waited, is_waiting, is_freed, is_over;
};

struct span disk_body(const struct body *body)
{
	return buf_span(&body->bytes);
}

struct body *body_new(struct body_store *store, const struct msg_id *id, uint64_t size_hint)
{
	struct body *body = mem_zalloc(sizeof(*body));

	(void)size_hint;
	body->worker = store->worker;
	body->id = *id;
	body->refs = 1;
	body->is_in_file = world_chance(store->worker->node->world, 200) ||
			   store->worker->node->world->has_bodies_in_files;
	return body;
}

struct body *body_restore(
	struct body_store *store, const struct msg_id *id, const struct journal_body *stored)
{
	struct body *body = body_new(store, id, 0);

	buf_append(&body->bytes, stored->bytes);
	body->is_sealed = true;
	return body;
}

void body_unref(struct body **body_ref_ptr)
{
	struct body *body = *body_ref_ptr;

	*body_ref_ptr = NULL;
	if (!body || --body->refs)
		return;
	buf_fini(&body->bytes);
	mem_free(body);
}

enum body_flow body_append(struct body *body, struct span bytes)
{
	buf_append(&body->bytes, bytes);
	return BODY_GO;
}

void body_on_resume(struct body *body, body_resume_fn *fn, void *arg)
{
	(void)body;
	(void)fn;
	(void)arg;
}

static void sealed(void *arg)
{
	struct body *body = arg;

	body->is_sealed = true;
	if (body->refs > 1)
		body->on_sealed(body->arg, ERR_OK);
	body_unref(&body);
}

bool body_seal(struct body *body, body_sealed_fn *fn, void *arg)
{
	body->is_sealed = !body->is_in_file;
	if (body->is_sealed)
		return true;
	body->on_sealed = fn;
	body->arg = arg;
	body->refs++;
	plan(body->worker, world_between(body->worker->node->world, 500, 20000), sealed, body);
	return false;
}

enum err body_error(const struct body *body)
{
	(void)body;
	return ERR_OK;
}

uint64_t body_len(const struct body *body)
{
	return buf_len(&body->bytes);
}

struct journal_body body_for_journal(const struct body *body)
{
	return (struct journal_body){
		.place = JOURNAL_BODY_INLINE, .bytes = buf_span(&body->bytes), .len = buf_len(&body->bytes)
	};
}

bool body_bytes(const struct body *body, struct span *bytes_out)
{
	*bytes_out = buf_span(&body->bytes);
	return body->is_sealed && !body->is_in_file;
}

void body_mark_durable(struct body *body)
{
	(void)body;
}

void body_mark_done(struct body *body)
{
	(void)body;
}

bool body_evict(struct body *body)
{
	(void)body;
	return true;
}

struct body_reader *body_reader_new(struct body *body, size_t piece_bytes, body_ready_fn *on_ready, void *arg)
{
	struct body_reader *reader = mem_zalloc(sizeof(*reader));

	CHECK(body->is_sealed && buf_len(&body->bytes) <= piece_bytes);
	body->refs++;
	reader->body = body;
	reader->on_ready = on_ready;
	reader->arg = arg;
	reader->has_waited = !body->is_in_file;
	return reader;
}

static void drop_reader(struct body_reader *reader)
{
	body_unref(&reader->body);
	mem_free(reader);
}

static void ready(void *arg)
{
	struct body_reader *reader = arg;

	reader->is_waiting = false;
	if (reader->is_freed)
		drop_reader(reader);
	else
		reader->on_ready(reader->arg);
}

enum body_read body_reader_next(struct body_reader *reader, struct span *piece_out)
{
	struct worker *worker = reader->body->worker;

	if (!reader->has_waited) {
		reader->has_waited = reader->is_waiting = true;
		plan(worker, world_between(worker->node->world, 200, 5000), ready, reader);
		return BODY_READ_WAIT;
	}
	if (reader->is_over)
		return BODY_READ_END;
	reader->is_over = true;
	*piece_out = buf_span(&reader->body->bytes);
	return BODY_READ_PIECE;
}

enum err body_reader_error(const struct body_reader *reader)
{
	(void)reader;
	return ERR_IO;
}

void body_reader_free(struct body_reader **reader_ptr)
{
	struct body_reader *reader = *reader_ptr;

	*reader_ptr = NULL;
	if (reader->is_waiting)
		reader->is_freed = true;
	else
		drop_reader(reader);
}
