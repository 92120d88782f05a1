/*
 * What a worker does by the clock while it is open: claims what is due, hears news about what others
 * finished, tells what its journal has seen, and compares what Redis says is its own with what it knows
 * (protocol.md, finding 4).
 */
#include "ownership_internal.h"

#include "skein/proto/base/alloc.h"

void claims_init(struct ownership *ownership)
{
	const struct ownership_options *options = &ownership->options;

	CHECK(options->worker < options->workers && options->workers <= options->shards);
	ownership->shard_count =
		(options->shards - options->worker + options->workers - 1) / options->workers;
	ownership->shards = mem_zalloc(ownership->shard_count * sizeof(*ownership->shards));
	for (size_t i = 0; i < ownership->shard_count; i++) {
		ownership->shards[i].number = options->worker + (unsigned)i * options->workers;
		ownership->shards[i].ownership = ownership;
	}
}

static void drop_seen(struct shard_state *shard, size_t count)
{
	for (size_t i = 0; i < count; i++)
		mem_free((void *)(uintptr_t)shard->seen[i].settled.ptr);
	shard->seen_count -= count;
	if (shard->seen_count)
		memmove(shard->seen, shard->seen + count, shard->seen_count * sizeof(*shard->seen));
}

void claims_fini(struct ownership *ownership)
{
	for (size_t i = 0; i < ownership->shard_count; i++) {
		drop_seen(&ownership->shards[i], ownership->shards[i].seen_count);
		mem_free(ownership->shards[i].seen);
	}
	mem_free(ownership->shards);
}

/* Every call that was under way is answered with UNKNOWN by the link; this only clears what guards new ones.
 */
void claims_reset(struct ownership *ownership)
{
	for (size_t i = 0; i < ownership->shard_count; i++) {
		struct shard_state *shard = &ownership->shards[i];

		shard->is_claiming = shard->is_reading_news = shard->is_reconciling = false;
	}
}

/* --- seen --------------------------------------------------------------------------------------- */

/*
 * Told in the order of the list; if the answer is lost they are told again by whoever reads the news: an id
 * that is in our news and that we do not know was seen.
 */
static void flush_seen(struct shard_state *shard)
{
	struct ownership *ownership = shard->ownership;

	while (shard->seen_count) {
		struct queue_seen_item items[QUEUE_BATCH_MAX];
		size_t count = shard->seen_count < QUEUE_BATCH_MAX ? shard->seen_count : QUEUE_BATCH_MAX;
		const struct queue_seen args = { ownership->options.node, shard->number, items, count };

		for (size_t i = 0; i < count; i++)
			items[i] = (struct queue_seen_item){ shard->seen[i].id, shard->seen[i].settled };
		if (!queue_seen(ownership->link, &args, ownership->now_ms, NULL, NULL))
			return;
		drop_seen(shard, count);
	}
}

static void add_seen(struct ownership *ownership, const struct msg_id *id, struct span settled)
{
	struct shard_state *shard = ownership_shard(ownership, msg_id_shard(id));

	if (shard->seen_count == shard->seen_cap) {
		shard->seen_cap = shard->seen_cap ? shard->seen_cap * 2 : 16;
		shard->seen = mem_realloc(shard->seen, shard->seen_cap * sizeof(*shard->seen));
	}
	shard->seen[shard->seen_count++] = (struct seen){ *id,
		settled.len ? span_of(mem_dup(settled.ptr, settled.len), settled.len) : span_of(NULL, 0) };
	if (shard->seen_count >= SEEN_FLUSH && ownership_is_open(ownership))
		flush_seen(shard);
}

void ownership_journaled(struct ownership *ownership, const struct holding *holding, struct span settled)
{
	add_seen(ownership, &holding->id, settled);
}

/* --- news --------------------------------------------------------------------------------------- */

static void hear(struct ownership *ownership, const struct queue_news_item *item)
{
	struct holding *holding = ownership_find(ownership, &item->id);

	if (!holding) {
		/* Our journal's DONE is durable, or it never had it. */
		add_seen(ownership, &item->id,
			item->why == SETTLED_PENDING ? item->settled : span_of(NULL, 0));
		return;
	}
	if (holding->state == HOLDING_ENDED)
		return; /* its DONE is on its way */
	if (item->why == SETTLED_PENDING)
		ownership->owner.on_news(ownership->owner.ctx, holding, item->settled);
	else if (!holding->is_windowed && holding->call == CALL_NONE)
		ownership_end(ownership, holding, item->why, item->settled);
}

static void read_news(struct shard_state *shard, uint64_t cursor);

static void on_news(void *arg, const struct outcome *outcome, uint64_t cursor,
	const struct queue_news_item *items, size_t count)
{
	struct shard_state *shard = arg;

	shard->is_reading_news = false;
	if (!outcome_is_ok(outcome))
		return;
	for (size_t i = 0; i < count; i++)
		hear(shard->ownership, &items[i]);
	if (cursor)
		read_news(shard, cursor);
}

static void read_news(struct shard_state *shard, uint64_t cursor)
{
	const struct queue_news args = { shard->ownership->options.node, shard->number, cursor };

	if (!shard->is_reading_news)
		shard->is_reading_news =
			queue_news(shard->ownership->link, &args, shard->ownership->now_ms, on_news, shard);
}

/* --- claims ------------------------------------------------------------------------------------- */

static void on_cancelled(void *arg, const struct outcome *outcome);

/* An operator wants it ended: letting go ends it, before anything is tried. */
static bool let_go_of_cancelled(struct ownership *ownership, const struct queue_record *record)
{
	const struct queue_defer args = {
		.node = ownership_self(ownership),
		.id = record->id,
		.turn = record->turn,
		.attempts = record->attempts,
	};

	return queue_defer(ownership->link, &args, ownership->now_ms, on_cancelled, ownership);
}

static void on_cancelled(void *arg, const struct outcome *outcome)
{
	(void)arg;
	(void)outcome; /* our copy hears of it by the news */
}

static void take_record(struct ownership *ownership, const struct queue_record *record)
{
	struct holding *holding = ownership_find(ownership, &record->id);

	if (holding && holding->state == HOLDING_ENDED)
		return; /* the fact is on its way and ends it */
	if (record->cancel && !holding && let_go_of_cancelled(ownership, record))
		return;
	if (holding && holding->call != CALL_NONE)
		return; /* reconciliation comes back to it */
	if (holding) {
		CHECK(holding->state != HOLDING_LOCAL);
		ownership_own(ownership, holding, record->turn);
		ownership->owner.on_claimed(ownership->owner.ctx, holding, record);
		return;
	}
	holding = ownership->owner.on_new(ownership->owner.ctx, record);
	if (holding) {
		holding->turn = record->turn;
		holding->epoch = ownership->lease.epoch;
	}
}

static void claim_more(struct ownership *ownership);

static void on_claimed(
	void *arg, const struct outcome *outcome, const struct queue_record *records, size_t count)
{
	struct shard_state *shard = arg;
	struct ownership *ownership = shard->ownership;

	shard->is_claiming = false;
	if (outcome->kind == OUTCOME_FENCED)
		ownership_fence(ownership, ownership->lease.epoch, outcome->fence);
	if (outcome->kind == OUTCOME_WAIT)
		shard->claim_at_ms = ownership->now_ms + outcome->wait_ms;
	if (!outcome_is_ok(outcome))
		return;
	for (size_t i = 0; i < count; i++)
		take_record(ownership, &records[i]);
	/* What this shard did not have, another may. A full answer: there is more here. */
	ownership->appetite += shard->asked - count;
	if (count && count == shard->asked)
		shard->claim_at_ms = ownership->now_ms;
	claim_more(ownership);
}

static void claim(struct shard_state *shard)
{
	struct ownership *ownership = shard->ownership;
	unsigned count = ownership->options.claim_batch;
	const struct queue_claim args = {
		.node = ownership_self(ownership),
		.shard = shard->number,
		.generation = ownership_generation(ownership),
		.count = ownership->appetite < count ? (unsigned)ownership->appetite : count,
	};

	shard->claim_at_ms = ownership->now_ms + ownership->options.claim_interval_ms;
	shard->asked = args.count;
	shard->is_claiming = queue_claim(ownership->link, &args, ownership->now_ms, on_claimed, shard);
	if (shard->is_claiming)
		ownership->appetite -= args.count;
}

/* In turn, so that the first shards do not eat up the appetite for the others. */
static void claim_more(struct ownership *ownership)
{
	if (!ownership_is_open(ownership) || !ownership_is_trusted(ownership, ownership->now_ms))
		return;
	for (size_t i = 0; i < ownership->shard_count && ownership->appetite; i++) {
		struct shard_state *shard = &ownership->shards[ownership->next_claim];

		ownership->next_claim = (ownership->next_claim + 1) % ownership->shard_count;
		if (!shard->is_claiming && ownership->now_ms >= shard->claim_at_ms)
			claim(shard);
	}
}

/* --- reconciliation ----------------------------------------------------------------------------- */

static void on_taken_up(
	void *arg, const struct outcome *outcome, const struct queue_record *records, size_t count)
{
	struct ownership *ownership = arg;

	if (!outcome_is_ok(outcome))
		return;
	for (size_t i = 0; i < count; i++)
		take_record(ownership, &records[i]);
}

static void compare_own(struct shard_state *shard, uint64_t cursor);

static void on_own(
	void *arg, const struct outcome *outcome, uint64_t cursor, const struct msg_id *ids, size_t count)
{
	struct shard_state *shard = arg;
	struct ownership *ownership = shard->ownership;

	shard->is_reconciling = false;
	if (!outcome_is_ok(outcome))
		return;
	for (size_t i = 0; i < count; i++) {
		const struct holding *holding = ownership_find(ownership, &ids[i]);
		const struct queue_takeup args = { ownership_self(ownership), ids[i],
			ownership_generation(ownership) };

		if (!holding || (holding->state == HOLDING_KEPT && holding->call == CALL_NONE))
			(void)queue_takeup(ownership->link, &args, ownership->now_ms, on_taken_up, ownership);
	}
	if (cursor)
		compare_own(shard, cursor);
}

static void compare_own(struct shard_state *shard, uint64_t cursor)
{
	struct ownership *ownership = shard->ownership;
	const struct queue_own args = { ownership_self(ownership), shard->number, cursor };

	if (!shard->is_reconciling)
		shard->is_reconciling = queue_own(ownership->link, &args, ownership->now_ms, on_own, shard);
}

/* --- the clock ---------------------------------------------------------------------------------- */

static void upkeep(struct ownership *ownership)
{
	bool reconcile = ownership->now_ms >= ownership->reconcile_at_ms;

	for (size_t i = 0; i < ownership->shard_count; i++) {
		struct shard_state *shard = &ownership->shards[i];

		flush_seen(shard);
		read_news(shard, 0);
		if (reconcile)
			compare_own(shard, 0);
	}
	if (reconcile) {
		assertion_retry(ownership);
		ownership->reconcile_at_ms = ownership->now_ms + RECONCILE_MS;
	}
	ownership->upkeep_at_ms = ownership->now_ms + UPKEEP_MS;
}

uint64_t claims_tick(struct ownership *ownership)
{
	uint64_t next_ms;

	if (!ownership_is_open(ownership) || !ownership_is_trusted(ownership, ownership->now_ms))
		return UINT64_MAX;
	if (ownership->now_ms >= ownership->upkeep_at_ms)
		upkeep(ownership);
	claim_more(ownership);
	next_ms = ownership->upkeep_at_ms;
	for (size_t i = 0; i < ownership->shard_count; i++) {
		struct shard_state *shard = &ownership->shards[i];

		if (ownership->appetite && shard->claim_at_ms < next_ms)
			next_ms = shard->claim_at_ms;
	}
	return next_ms > ownership->now_ms ? next_ms : ownership->now_ms + 1;
}
