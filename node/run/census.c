#include "run/census.h"

#include "custody/journal.h"
#include "custody/spool.h"

#include <stdio.h>
#include <unistd.h>

enum { JOURNALS_MAX = 1024, PATH_LEN_MAX = 4096 };

static void on_live(void *arg, const struct journal_live *live)
{
	size_t *count = arg;

	(void)live;
	(*count)++;
}

static void on_notify(void *arg)
{
	(void)arg;
}

static enum err count_one(const struct spool *spool, const struct settings *settings, unsigned number,
	unsigned workers, size_t *count, struct buf *why_out)
{
	char dir[PATH_LEN_MAX];
	const struct journal_options options = {
		.dir = dir,
		.segment_bytes = settings->journal.segment_size,
		.bytes_max = settings->journal.size_max / workers,
		.worker = number,
		.workers = workers,
		.notify = on_notify,
	};
	struct journal *journal = NULL;
	enum err err;

	snprintf(dir, sizeof(dir), "%s/%u", spool_journal_dir(spool), number);
	err = journal_open(&options, on_live, count, &journal, why_out);
	if (journal)
		journal_close(&journal);
	return err;
}

static enum err count_all(
	const struct spool *spool, const struct settings *settings, size_t *count, struct buf *why_out)
{
	static unsigned numbers[JOURNALS_MAX];
	size_t journals = 0;
	enum err err = journal_list(spool_journal_dir(spool), numbers, JOURNALS_MAX, &journals);

	if (err)
		buf_append_str(why_out, "the spool's journals cannot be listed");
	for (size_t i = 0; i < journals && !err; i++)
		err = count_one(spool, settings, numbers[i], (unsigned)journals, count, why_out);
	return err;
}

int census_print(struct settings *settings)
{
	struct spool *spool = NULL;
	struct buf why = { 0 };
	size_t count = 0;
	enum err err = ERR_OK;

	if (access(settings->node.spool, F_OK) == 0)
		err = spool_open(settings->node.spool, &spool, &why);
	if (!err && spool)
		err = count_all(spool, settings, &count, &why);
	if (err)
		fprintf(stderr, "skeind: cannot count: %.*s\n", SPAN_ARGS(buf_span(&why)));
	else
		printf("%zu\n", count);
	if (spool)
		spool_close(&spool);
	buf_fini(&why);
	settings_free(&settings);
	return err ? 1 : 0;
}
