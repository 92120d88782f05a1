#include "ownership_internal.h"

#include "skein/proto/base/alloc.h"

#define TO(state) (1u << HOLDING_##state)

static const unsigned next_states[] = {
	[HOLDING_LOCAL] = TO(OFFERED) | TO(OWNED) | TO(ENDED),
	[HOLDING_OFFERED] = TO(LOCAL) | TO(OWNED) | TO(KEPT) | TO(ENDED),
	[HOLDING_OWNED] = TO(OFFERED) | TO(OWNED) | TO(KEPT) | TO(ENDED),
	[HOLDING_KEPT] = TO(OWNED) | TO(ENDED),
	[HOLDING_ENDED] = TO(ENDED),
};

void holding_init(struct holding *holding, const struct msg_id *id)
{
	*holding = (struct holding){ .id = *id };
	list_init(&holding->queue);
}

/* The only place that writes holding->state. */
void ownership_enter(struct ownership *ownership, struct holding *holding, enum holding_state next)
{
	CHECK(next_states[holding->state] & (1u << next));
	ownership->counts[holding->state]--;
	ownership->counts[next]++;
	holding->state = next;
	if (next == HOLDING_LOCAL)
		holding->epoch = holding->offered_epoch = 0; /* Redis knows nothing of it after all */
}

struct ownership *ownership_new(
	const struct ownership_options *options, struct redis_link *link, const struct ownership_owner *owner)
{
	struct ownership *ownership = mem_zalloc(sizeof(*ownership));

	ownership->options = *options;
	ownership->owner = *owner;
	ownership->link = link;
	table_init(&ownership->holdings, options->seed);
	list_init(&ownership->to_adopt);
	list_init(&ownership->to_keep);
	list_init(&ownership->awaiting_body);
	facts_init(ownership);
	claims_init(ownership);
	return ownership;
}

void ownership_free(struct ownership **ownership)
{
	struct ownership *gone = *ownership;
	struct holding *holding;
	size_t cursor = 0;

	while ((holding = table_next(&gone->holdings, &cursor))) {
		table_remove(&gone->holdings, msg_id_span(&holding->id));
		holding->is_registered = false;
		list_remove(&holding->queue);
		gone->owner.on_released(gone->owner.ctx, holding);
	}
	facts_fini(gone);
	claims_fini(gone);
	table_fini(&gone->holdings);
	mem_free(gone);
	*ownership = NULL;
}

/* --- what is known ------------------------------------------------------------------------------ */

struct incarnation ownership_self(const struct ownership *ownership)
{
	return (struct incarnation){ ownership->options.node, ownership->lease.epoch };
}

struct span ownership_generation(const struct ownership *ownership)
{
	return span_of_str(ownership->lease.generation);
}

bool ownership_is_open(const struct ownership *ownership)
{
	return ownership->phase == ASSERTION_OPEN && redis_link_is_ready(ownership->link);
}

bool ownership_is_trusted(const struct ownership *ownership, uint64_t now_ms)
{
	return ownership->is_up && now_ms < ownership->lease.trust_until_ms;
}

struct redis_link *ownership_link(const struct ownership *ownership)
{
	return ownership->link;
}

unsigned ownership_pick_shard(const struct ownership *ownership, uint64_t random)
{
	return ownership->shards[random % ownership->shard_count].number;
}

struct shard_state *ownership_shard(struct ownership *ownership, unsigned number)
{
	size_t index = number / ownership->options.workers;

	CHECK(index < ownership->shard_count && ownership->shards[index].number == number);
	return &ownership->shards[index];
}

size_t ownership_count(const struct ownership *ownership, enum holding_state state)
{
	return ownership->counts[state];
}

struct holding *ownership_find(const struct ownership *ownership, const struct msg_id *id)
{
	return table_get(&ownership->holdings, msg_id_span(id));
}

struct holding *ownership_next(const struct ownership *ownership, size_t *cursor)
{
	return table_next(&ownership->holdings, cursor);
}

bool ownership_may_deliver(const struct ownership *ownership, const struct holding *holding, uint64_t now_ms,
	uint64_t reserve_ms)
{
	switch (holding->state) {
	case HOLDING_LOCAL:
		return true;
	case HOLDING_OFFERED:
	case HOLDING_OWNED:
		return holding->call != CALL_DEFER && holding->epoch == ownership->lease.epoch &&
		       now_ms + reserve_ms < ownership->lease.trust_until_ms;
	case HOLDING_KEPT:
	case HOLDING_ENDED:
		break;
	}
	return false;
}

/* --- into and out of the table ------------------------------------------------------------------ */

void ownership_add(
	struct ownership *ownership, struct holding *holding, enum holding_state state, bool is_holder)
{
	CHECK(!holding->is_registered);
	holding->is_registered = true;
	holding->is_holder = is_holder;
	holding->state = state;
	ownership->counts[state]++;
	CHECK(!table_put(&ownership->holdings, msg_id_span(&holding->id), holding));
	/* One that a replay brought after the round began. */
	if (state == HOLDING_OFFERED && ownership->phase != ASSERTION_NONE) {
		list_push_back(&ownership->to_adopt, &holding->queue);
		assertion_pump(ownership);
	}
}

void ownership_set_journaling(struct holding *holding)
{
	holding->is_journaling = true;
}

void ownership_set_holder(struct holding *holding, bool is_holder)
{
	holding->is_journaling = false;
	holding->is_holder = is_holder;
}

void ownership_set_window(struct holding *holding, bool is_windowed)
{
	holding->is_windowed = is_windowed;
}

static void take_out(struct ownership *ownership, struct holding *holding)
{
	if (!holding->is_registered)
		return;
	CHECK(table_remove(&ownership->holdings, msg_id_span(&holding->id)) == holding);
	holding->is_registered = false;
	list_remove(&holding->queue);
	ownership->counts[holding->state]--;
}

static void release_if_free(struct ownership *ownership, struct holding *holding)
{
	if (!holding->is_registered && holding->call == CALL_NONE && !holding->pins)
		ownership->owner.on_released(ownership->owner.ctx, holding);
}

void ownership_pin(struct holding *holding)
{
	holding->pins++;
	CHECK(holding->pins);
}

void ownership_unpin(struct ownership *ownership, struct holding *holding)
{
	CHECK(holding->pins);
	holding->pins--;
	release_if_free(ownership, holding);
}

void ownership_forget(struct ownership *ownership, struct holding *holding)
{
	CHECK(holding->state == HOLDING_ENDED && holding->is_registered);
	take_out(ownership, holding);
	release_if_free(ownership, holding);
}

void ownership_abandon(struct ownership *ownership, struct holding *holding)
{
	if (holding->state != HOLDING_KEPT || holding->is_holder || !holding->is_registered)
		return;
	take_out(ownership, holding);
	release_if_free(ownership, holding);
}

void ownership_own(struct ownership *ownership, struct holding *holding, uint64_t turn)
{
	ownership_enter(ownership, holding, HOLDING_OWNED);
	holding->turn = turn;
	holding->epoch = ownership->lease.epoch;
}

void ownership_lose(struct ownership *ownership, struct holding *holding)
{
	if (holding->state == HOLDING_ENDED || holding->state == HOLDING_KEPT)
		return;
	ownership_enter(ownership, holding, HOLDING_KEPT);
	ownership_pin(holding);
	ownership->owner.on_lost(ownership->owner.ctx, holding);
	if (!holding->is_windowed)
		ownership_abandon(ownership, holding);
	ownership_unpin(ownership, holding);
}

void ownership_end(
	struct ownership *ownership, struct holding *holding, enum settled why, struct span settled)
{
	if (holding->state == HOLDING_ENDED)
		return;
	ownership_enter(ownership, holding, HOLDING_ENDED);
	ownership->owner.on_ended(ownership->owner.ctx, holding, why, settled);
}

void ownership_fence(struct ownership *ownership, uint64_t epoch, uint64_t fence)
{
	if (epoch != ownership->lease.epoch || ownership->is_fenced)
		return;
	ownership->is_fenced = true;
	ownership->lease.trust_until_ms = 0;
	ownership->phase = ASSERTION_NONE;
	ownership->owner.on_fenced(ownership->owner.ctx, epoch, fence);
}

/* --- link and lease ----------------------------------------------------------------------------- */

void ownership_link_ready(struct ownership *ownership, uint64_t now_ms)
{
	ownership->now_ms = now_ms;
	ownership->is_up = true;
	assertion_restart(ownership);
	facts_pump(ownership);
}

void ownership_link_lost(struct ownership *ownership, uint64_t now_ms)
{
	ownership->now_ms = now_ms;
	ownership->is_up = false;
	ownership->phase = ASSERTION_NONE;
	claims_reset(ownership);
}

void ownership_vouch(const struct ownership *ownership, struct holding *holding)
{
	if (holding->state == HOLDING_OFFERED && !holding->turn &&
		holding->offered_epoch == ownership->lease.epoch)
		holding->turn = FIRST_TURN;
}

/* Redis is another one: the epoch ends, and what was offered under it is vouched for while that can be said.
 */
static void vouch_for_offered(struct ownership *ownership)
{
	struct holding *holding;
	size_t cursor = 0;

	while (ownership->counts[HOLDING_OFFERED] && (holding = table_next(&ownership->holdings, &cursor)))
		ownership_vouch(ownership, holding);
}

void ownership_set_lease(struct ownership *ownership, const struct lease *lease, uint64_t now_ms)
{
	bool is_new = lease->epoch != ownership->lease.epoch;

	ownership->now_ms = now_ms;
	if (!is_new && ownership->is_fenced)
		return;
	if (now_ms < ownership->lease.trust_until_ms && (is_new || !lease->trust_until_ms))
		vouch_for_offered(ownership);
	ownership->lease = *lease;
	if (is_new) {
		ownership->is_fenced = false;
		ownership->phase = ASSERTION_NONE;
	}
	if (ownership->phase == ASSERTION_NONE)
		assertion_restart(ownership);
}

uint64_t ownership_tick(struct ownership *ownership, uint64_t now_ms)
{
	ownership->now_ms = now_ms;
	facts_expire(ownership);
	if (!redis_link_is_ready(ownership->link))
		return UINT64_MAX;
	facts_pump(ownership);
	if (ownership->phase == ASSERTION_NONE)
		assertion_restart(ownership);
	else
		assertion_pump(ownership);
	return claims_tick(ownership);
}

void ownership_set_appetite(struct ownership *ownership, size_t count)
{
	ownership->appetite = count;
}
