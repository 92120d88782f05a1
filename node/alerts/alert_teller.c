#include "alerts/alert_teller.h"

#include "custody/spool.h"
#include "io/random.h"
#include "outbound/hop_certificates.h"
#include "skein/cluster/alert_facts.h"
#include "skein/proto/base/alloc.h"

#include <jansson.h>
#include <time.h>

enum { PERCENT = 100, DAY_S = 86400 };
enum { HOPS_TOLD = 32, HOPS_TOLD_BYTES = 6000, HOP_BYTES = 32 /* beside its name */ };

struct alert_teller {
	struct alert_teller_options options;
	struct loop_timer timer;
	struct random random;
	struct node_uuid uuid;
	uint64_t seen[ALERT_COUNTERS]; /* of the process, as told last */
	bool is_asking;
};

static void tell(void *arg);

struct alert_teller *alert_teller_new(const struct alert_teller_options *options)
{
	struct alert_teller *teller = mem_zalloc(sizeof(*teller));

	teller->options = *options;
	random_seed(&teller->random);
	CHECK(node_uuid_parse(span_of_str(spool_uuid(options->spool)), &teller->uuid));
	loop_timer_init(&teller->timer, tell, teller);
	loop_timer_set(options->loop, &teller->timer, 0);
	return teller;
}

void alert_teller_free(struct alert_teller **pointer)
{
	struct alert_teller *teller = *pointer;

	*pointer = NULL;
	if (!teller)
		return;
	CHECK(!teller->is_asking);
	loop_timer_cancel(teller->options.loop, &teller->timer);
	mem_free(teller);
}

/* --- what it says of itself ---------------------------------------------------------------------- */

static uint64_t share(uint64_t part, uint64_t whole)
{
	return !whole ? 0 : part >= whole ? PERCENT : part / (whole / PERCENT + 1);
}

/* Of the journal what is live, of the disk how near it is to the bound that is kept free. */
static uint64_t disk_percent(const struct alert_teller *teller)
{
	const struct settings *settings = teller->options.settings;
	uint64_t live = (uint64_t)metrics_sum(teller->options.metrics, METRIC_JOURNAL_LIVE_BYTES, 0);
	uint64_t journal = share(live, settings->journal.size_max), disk = 0, free_bytes = 0;

	if (spool_free_bytes(teller->options.spool, &free_bytes) == ERR_OK)
		disk = free_bytes ? share(settings->journal.disk_free_min, free_bytes) : PERCENT;
	return journal > disk ? journal : disk;
}

/* All listeners show the same certificates; what one of them has is the first that ends. 0: none has any. */
static int64_t certificate_ends_s(const struct alert_teller *teller)
{
	int64_t first_s = 0;

	for (size_t i = 0; i < teller->options.settings->listeners.count; i++) {
		struct tls_context *context = tls_slot_get(&teller->options.server_tls[i]);
		int64_t ends_s = context ? tls_context_expires_at(context) : 0;

		if (ends_s > 0 && (!first_s || ends_s < first_s))
			first_s = ends_s;
		if (context)
			tls_context_unref(&context);
	}
	return first_s;
}

static json_t *certificates(const struct alert_teller *teller)
{
	int64_t ends_s = certificate_ends_s(teller), left_s = ends_s - (int64_t)time(NULL);
	json_t *all = json_object();

	if (ends_s)
		json_object_set_new(all, "listeners", json_integer(ends_s));
	meter_set(teller->options.meter, METRIC_CERTIFICATE_DAYS, ends_s ? left_s / DAY_S : 0);
	return all;
}

/* Those that end first: [host, ends, seen]. */
static json_t *hop_certificates(const struct alert_teller *teller)
{
	struct hop_certificate hops[HOPS_TOLD];
	size_t count = hop_certificates_list(teller->options.hops, (int64_t)time(NULL), HOPS_TOLD, hops);
	json_t *all = json_array();
	size_t bytes = 0;

	for (size_t i = 0; i < count; i++) {
		bytes += strlen(hops[i].host) + HOP_BYTES;
		if (bytes > HOPS_TOLD_BYTES)
			break;
		json_array_append_new(all, json_pack("[s, I, I]", hops[i].host, (json_int_t)hops[i].ends_s,
						   (json_int_t)hops[i].seen_s));
	}
	return all;
}

static char *say(const struct alert_teller *teller)
{
	json_t *json = json_pack("{s:s, s:I, s:o, s:o}", "name", teller->options.settings->node.name, "disk",
		(json_int_t)disk_percent(teller), "certificates", certificates(teller), "hops",
		hop_certificates(teller));
	char *text = json_dumps(json, JSON_COMPACT);

	json_decref(json);
	return text;
}

/* --- what it has counted ------------------------------------------------------------------------- */

static size_t count_all(struct alert_teller *teller, struct alert_count out[ALERT_COUNTERS])
{
	static const struct {
		enum alert_counter counter;
		enum metric metric;
		unsigned label, labels; /* the first one, and how many */
	} sources[] = {
		{ ALERT_COUNT_ACCEPTED, METRIC_MESSAGES_ACCEPTED, 0, 1 },
		{ ALERT_COUNT_REJECTED, METRIC_MESSAGES_REJECTED, REJECT_PERMANENT, 1 },
		{ ALERT_COUNT_DELIVERED, METRIC_MESSAGES_DELIVERED, 0, 1 },
		{ ALERT_COUNT_DEFERRED, METRIC_MESSAGES_DEFERRED, 0, 1 },
		{ ALERT_COUNT_FAILED, METRIC_MESSAGES_FAILED, 0, 1 },
		{ ALERT_COUNT_EXPIRED, METRIC_MESSAGES_EXPIRED, 0, 1 },
		{ ALERT_COUNT_LOGINS_FAILED, METRIC_AUTHENTICATIONS, AUTH_RESULT_REFUSED, 1 },
		{ ALERT_COUNT_DEGRADED, METRIC_ACCEPTED_DEGRADED, 0, 1 },
		{ ALERT_COUNT_LOG_DROPPED, METRIC_LOG_DROPPED, 0, 1 },
		{ ALERT_COUNT_TRACK_LOST, METRIC_TRACK_LOST, TRACK_LOST_RING, TRACK_LOST_CLUSTER + 1 },
	};
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
		enum alert_counter counter = sources[i].counter;
		uint64_t now = 0;

		for (unsigned k = 0; k < sources[i].labels; k++)
			now += (uint64_t)metrics_sum(
				teller->options.metrics, sources[i].metric, sources[i].label + k);

		if (now > teller->seen[counter])
			out[count++] = (struct alert_count){ span_of_str(alert_counter_name(counter)),
				now - teller->seen[counter] };
		teller->seen[counter] = now;
	}
	return count;
}

/* A call that was lost takes its counts with it: alerts are not accounts. */
static void on_told(void *arg, const struct outcome *outcome)
{
	struct alert_teller *teller = arg;

	(void)outcome;
	teller->is_asking = false;
}

static void send_counts(struct alert_teller *teller)
{
	struct alert_count counts[ALERT_COUNTERS];
	struct alert_tell args = { .node = teller->uuid };
	struct arena arena = { 0 };
	char *said = say(teller);

	args.said = span_of_str(said);
	if (args.said.len > ALERT_TELL_NODE_MAX)
		args.said = SPAN_LIT("{}");
	args.counters = (struct alert_counts){ counts, count_all(teller, counts) };
	args.senders = alert_ledger_take(teller->options.ledger, ALERT_LEDGER_SENDERS, &arena);
	args.logins = alert_ledger_take(teller->options.ledger, ALERT_LEDGER_LOGINS, &arena);
	teller->is_asking =
		alert_store_tell(teller->options.link, &args, loop_boottime_ms(), on_told, teller);
	free(said);
	arena_fini(&arena);
}

/* What was counted while Redis was away is told when it is back. */
static void tell(void *arg)
{
	struct alert_teller *teller = arg;
	uint64_t pause_ms = teller->options.settings->alerts.interval_ms;

	if (!teller->is_asking && redis_link_is_ready(teller->options.link))
		send_counts(teller);
	loop_timer_set(teller->options.loop, &teller->timer,
		pause_ms - random_u32(&teller->random) % (pause_ms / 4 + 1));
}
