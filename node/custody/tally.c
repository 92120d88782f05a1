#include "custody/tally.h"

#include "io/wall_clock.h"
#include "skein/proto/base/alloc.h"

#include <string.h>

/* A step is to take about a millisecond. After a change of routes each message's is to be looked up. */
enum { PER_STEP = 2000, LOOKUPS_PER_STEP = 500 };

static const uint64_t younger_than_ms[QUEUE_AGE_CLASSES] = {
	[QUEUE_AGE_1M] = 60000,
	[QUEUE_AGE_10M] = 600000,
	[QUEUE_AGE_1H] = 3600000,
	[QUEUE_AGE_4H] = 4 * 3600000,
	[QUEUE_AGE_1D] = 24 * 3600000,
	[QUEUE_AGE_OLDER] = UINT64_MAX,
};

struct tally_row {
	int64_t messages[QUEUE_AGE_CLASSES];
	uint64_t oldest_ms; /* its age */
};

struct tally {
	struct custody *custody;
	struct metrics *metrics;
	size_t cursor;          /* of ownership_next() */
	struct tally_row *rows; /* by the number of the route */
	size_t row_count;
};

struct tally *tally_new(struct custody *custody, struct metrics *metrics)
{
	struct tally *tally = mem_zalloc(sizeof(*tally));

	tally->custody = custody;
	tally->metrics = metrics;
	return tally;
}

void tally_free(struct tally **tally)
{
	if (!*tally)
		return;
	mem_free((*tally)->rows);
	mem_free(*tally);
	*tally = NULL;
}

static void make_rows(struct tally *tally, size_t count)
{
	mem_free(tally->rows);
	tally->rows = mem_zalloc(count * sizeof(*tally->rows));
	tally->row_count = count;
}

/* Routes that were named since the walk began have their turn with the next one. */
static void begin(struct tally *tally)
{
	size_t count = metrics_name_count(tally->metrics, METRIC_NAMES_ROUTE);

	if (tally->row_count != count)
		make_rows(tally, count);
	else
		memset(tally->rows, 0, count * sizeof(*tally->rows));
	tally->cursor = 0;
}

static void tell(const struct tally *tally)
{
	struct meter *meter = tally->custody->meter;

	for (unsigned name = 0; name < tally->row_count; name++) {
		const struct tally_row *row = &tally->rows[name];

		for (unsigned age = 0; age < QUEUE_AGE_CLASSES; age++)
			meter_set_named(meter, METRIC_ROUTE_QUEUE, name, age, row->messages[age]);
		meter_set_named(meter, METRIC_ROUTE_QUEUE_AGE, name, 0, (int64_t)row->oldest_ms);
	}
}

static void count(struct tally *tally, const struct message *message, uint64_t now_ms)
{
	struct tally_row *row = &tally->rows[message->route < tally->row_count ? message->route : 0];
	uint64_t from_ms = msg_id_unix_ms(&message->holding.id);
	uint64_t age_ms = now_ms > from_ms ? now_ms - from_ms : 0;
	unsigned class = 0;

	while (age_ms >= younger_than_ms[class])
		class ++;
	row->messages[class]++;
	if (age_ms > row->oldest_ms)
		row->oldest_ms = age_ms;
}

static bool is_counted(const struct holding *holding)
{
	return holding->is_holder && holding->state != HOLDING_ENDED;
}

void tally_step(struct tally *tally)
{
	const struct custody *custody = tally->custody;
	unsigned lookups = LOOKUPS_PER_STEP;
	uint64_t now_ms = wall_clock_ms();
	struct holding *holding = NULL;

	if (tally->cursor == 0)
		begin(tally);
	for (unsigned i = 0; i < PER_STEP && (holding = ownership_next(custody->ownership, &tally->cursor));
		i++) {
		struct message *message = message_of_holding(holding);

		if (!is_counted(holding))
			continue;
		if (!outbound_knows_route(custody->outbound, message) && lookups) {
			outbound_find_route(custody->outbound, message);
			lookups--;
		}
		count(tally, message, now_ms);
	}
	if (holding)
		return;
	tell(tally);
	tally->cursor = 0;
}
