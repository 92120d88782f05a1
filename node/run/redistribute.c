#include "run/redistribute.h"

#include "custody/journal.h"
#include "skein/proto/base/alloc.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { JOURNALS_MAX = 1024, PATH_LEN_MAX = 4096 };

struct moving {
	struct msg_id id;
	struct buf env;
	struct journal_body body;
};

/* One journal while it is looked through: which of its messages belong elsewhere. */
struct source {
	unsigned number, workers;
	struct moving *items;
	size_t count, cap;
	struct journal *journal;
};

/* The journals' threads report here; this thread waits. */
struct bell {
	pthread_mutex_t lock;
	pthread_cond_t rung;
	bool is_rung;
};

static struct bell bell = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false };

static void ring_bell(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&bell.lock);
	bell.is_rung = true;
	pthread_cond_signal(&bell.rung);
	pthread_mutex_unlock(&bell.lock);
}

static void wait_for_bell(void)
{
	pthread_mutex_lock(&bell.lock);
	while (!bell.is_rung)
		pthread_cond_wait(&bell.rung, &bell.lock);
	bell.is_rung = false;
	pthread_mutex_unlock(&bell.lock);
}

static void on_live(void *arg, const struct journal_live *live)
{
	struct source *source = arg;
	struct moving *item;

	if (msg_id_shard(&live->id) % source->workers == source->number)
		return;
	if (source->count == source->cap) {
		source->cap = source->cap ? source->cap * 2 : 64;
		source->items = mem_realloc(source->items, source->cap * sizeof(*source->items));
	}
	item = &source->items[source->count++];
	*item = (struct moving){ .id = live->id, .body = live->body };
	item->body.bytes = span_of(NULL, 0);
	buf_append(&item->env, live->envelope);
}

static enum err open_journal(struct spool *spool, const struct settings *settings, unsigned number,
	unsigned workers, journal_replay_fn *each, void *arg, struct journal **journal_out,
	struct buf *why_out)
{
	char dir[PATH_LEN_MAX];
	const struct journal_options options = {
		.dir = dir,
		.segment_bytes = settings->journal.segment_size,
		.bytes_max = settings->journal.size_max / workers,
		.worker = number,
		.workers = workers,
		.salvage = settings->journal.salvage,
		.notify = ring_bell,
	};

	snprintf(dir, sizeof(dir), "%s/%u", spool_journal_dir(spool), number);
	return journal_open(&options, each, arg, journal_out, why_out);
}

struct waiting {
	bool is_done;
	enum err err;
};

static void on_durable(void *arg, enum err err)
{
	struct waiting *waiting = arg;

	waiting->is_done = true;
	waiting->err = err;
}

static enum err append_and_wait(struct journal *journal, const struct journal_entry *entry)
{
	struct waiting waiting = { 0 };

	journal_append(journal, entry, on_durable, &waiting);
	while (!waiting.is_done) {
		wait_for_bell();
		journal_poll(journal);
	}
	return waiting.err;
}

static enum err move_one(struct journal *from, struct journal *to, struct moving *item)
{
	struct journal_entry message = {
		.type = JOURNAL_MESSAGE,
		.id = item->id,
		.envelope = buf_span(&item->env),
		.body = item->body,
	};
	const struct journal_entry done = { .type = JOURNAL_DONE, .id = item->id };
	struct buf body = { 0 };
	enum err err = ERR_OK;

	if (item->body.place == JOURNAL_BODY_INLINE)
		err = journal_read_body(from, &item->id, &body);
	message.body.bytes = buf_span(&body);
	if (!err)
		err = append_and_wait(to, &message);
	if (!err)
		err = append_and_wait(from, &done);
	buf_fini(&body);
	return err;
}

static enum err move_all(struct spool *spool, const struct settings *settings, unsigned workers,
	struct source *source, struct buf *why_out)
{
	enum err err = ERR_OK;

	for (size_t i = 0; i < source->count && !err; i++) {
		unsigned number = msg_id_shard(&source->items[i].id) % workers;
		struct journal *to = NULL;
		struct source ignored = { .number = number, .workers = workers };

		/* Opened for each run of messages to the same worker; a change of workers is rare. */
		err = open_journal(spool, settings, number, workers, on_live, &ignored, &to, why_out);
		for (; !err && i < source->count && msg_id_shard(&source->items[i].id) % workers == number;
			i++)
			err = move_one(source->journal, to, &source->items[i]);
		i--;
		if (to)
			journal_close(&to);
		for (size_t k = 0; k < ignored.count; k++)
			buf_fini(&ignored.items[k].env);
		mem_free(ignored.items);
	}
	return err;
}

static int by_worker(const void *a, const void *b, void *arg)
{
	unsigned workers = *(const unsigned *)arg;
	unsigned left = msg_id_shard(&((const struct moving *)a)->id) % workers;
	unsigned right = msg_id_shard(&((const struct moving *)b)->id) % workers;

	return (left > right) - (left < right);
}

static enum err empty_one(struct spool *spool, const struct settings *settings, unsigned number,
	unsigned workers, struct buf *why_out)
{
	struct source source = { .number = number, .workers = workers };
	enum err err =
		open_journal(spool, settings, number, workers, on_live, &source, &source.journal, why_out);

	if (!err && source.count) {
		qsort_r(source.items, source.count, sizeof(*source.items), by_worker, &workers);
		err = move_all(spool, settings, workers, &source, why_out);
	}
	if (!err && number >= workers)
		err = journal_retire(&source.journal);
	else if (source.journal)
		journal_close(&source.journal);
	for (size_t i = 0; i < source.count; i++)
		buf_fini(&source.items[i].env);
	mem_free(source.items);
	return err;
}

/* Every worker has a journal from its first start on, so as many journals as workers means the same number.
 */
static bool is_as_before(const unsigned *numbers, size_t count, unsigned workers)
{
	return count == 0 || (count == workers && numbers[count - 1] == workers - 1);
}

enum err redistribute_journals(
	struct spool *spool, const struct settings *settings, unsigned workers, struct buf *why_out)
{
	static unsigned numbers[JOURNALS_MAX];
	size_t count = 0;
	enum err err = journal_list(spool_journal_dir(spool), numbers, JOURNALS_MAX, &count);

	if (err) {
		buf_append_str(why_out, "the spool's journals cannot be listed\n");
		return err;
	}
	if (is_as_before(numbers, count, workers))
		return ERR_OK;
	for (size_t i = 0; i < count && !err; i++)
		err = empty_one(spool, settings, numbers[i], workers, why_out);
	return err;
}
