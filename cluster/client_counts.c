/*
 * Of each client: `count` connections are here, `places` are reserved for it. While a report is under way
 * only the places that it told of as used may be filled (`pledged`): the answer may leave no more. That is
 * the count and half of what was still free.
 */
#include "skein/cluster/client_counts.h"

#include "redis/call.h"
#include "skein/proto/base/alloc.h"
#include "skein/proto/base/list.h"
#include "skein/proto/base/table.h"

enum { REPORT_CLIENTS_MAX = 100, REPORTS_MAX = 20 };

struct client {
	struct network network;
	struct list by_report; /* in `changed` or in `quiet`, the one reported longest ago first */
	uint64_t count, limit;
	uint64_t places;  /* while is_heard and heard_ms is young; may be below `count` */
	uint64_t pledged; /* while is_reporting */
	uint64_t heard_ms, reported_ms;
	uint64_t tried_ms; /* a connection came */
	bool is_heard, is_reported, is_reporting;
	bool is_leaving; /* while is_reporting: its places are given up */
};

struct client_counts {
	struct shared_lock lock;
	/* All under the lock. */
	struct table clients;
	struct list changed, quiet;
	struct incarnation self;
	unsigned nodes;
	uint64_t next_report_ms;
};

/* One call: which clients, in their order. */
struct report {
	struct client_counts *counts;
	uint64_t sent_ms;
	size_t count;
	struct network networks[REPORT_CLIENTS_MAX];
};

struct client_counts *client_counts_new(const uint64_t seed[2], const struct shared_lock *lock)
{
	struct client_counts *counts = mem_zalloc(sizeof(*counts));

	counts->lock = *lock;
	counts->nodes = 1;
	table_init(&counts->clients, seed);
	list_init(&counts->changed);
	list_init(&counts->quiet);
	return counts;
}

static void forget(struct client_counts *counts, struct client *client)
{
	table_remove(&counts->clients, network_key(&client->network));
	list_remove(&client->by_report);
	mem_free(client);
}

void client_counts_free(struct client_counts **counts)
{
	struct client *client;
	size_t cursor = 0;

	while ((client = table_next(&(*counts)->clients, &cursor))) {
		CHECK(client->count == 0 && !client->is_reporting);
		mem_free(client);
	}
	table_fini(&(*counts)->clients);
	mem_free(*counts);
	*counts = NULL;
}

void client_counts_set_self(struct client_counts *counts, const struct incarnation *self, unsigned nodes)
{
	shared_lock_take(&counts->lock);
	/* As another incarnation we have nothing in Redis. */
	if (counts->self.epoch != self->epoch)
		list_splice_back(&counts->changed, &counts->quiet);
	counts->self = *self;
	counts->nodes = nodes ? nodes : 1;
	shared_lock_release(&counts->lock);
}

static struct client *find(const struct client_counts *counts, const struct network *network)
{
	return table_get(&counts->clients, network_key(network));
}

static struct client *find_or_make(struct client_counts *counts, const struct network *network)
{
	struct client *client = find(counts, network);

	if (client)
		return client;
	client = mem_zalloc(sizeof(*client));
	client->network = *network;
	list_init(&client->by_report);
	table_put(&counts->clients, network_key(&client->network), client);
	return client;
}

static void note_change(struct client_counts *counts, struct client *client)
{
	list_remove(&client->by_report);
	list_push_back(&counts->changed, &client->by_report);
}

static uint64_t places_of(const struct client_counts *counts, const struct client *client, uint64_t now_ms)
{
	uint64_t share = client->limit / counts->nodes;

	if (client->is_heard && client->is_reporting && !client->is_leaving)
		return client->pledged;
	if (client->is_heard && !client->is_leaving && now_ms - client->heard_ms < CLIENT_COUNTS_HEARD_MS)
		return client->places;
	return share ? share : 1;
}

bool client_counts_enter(
	struct client_counts *counts, const struct network *address, uint64_t limit, uint64_t now_ms)
{
	struct network network = network_client(address);
	struct client *client;
	bool is_let_in;

	CHECK(limit > 0);
	shared_lock_take(&counts->lock);
	client = find_or_make(counts, &network);
	client->limit = limit;
	client->tried_ms = now_ms;
	is_let_in = client->count < limit && client->count < places_of(counts, client, now_ms);
	client->count += is_let_in;
	/* Also one that was refused: it wants places. */
	note_change(counts, client);
	shared_lock_release(&counts->lock);
	return is_let_in;
}

void client_counts_leave(struct client_counts *counts, const struct network *address)
{
	struct network network = network_client(address);
	struct client *client;

	shared_lock_take(&counts->lock);
	client = find(counts, &network);
	CHECK(client && client->count > 0);
	client->count--;
	note_change(counts, client);
	if (client->count == 0 && !client->is_reported)
		forget(counts, client);
	shared_lock_release(&counts->lock);
}

/* ---- reports ---- */

static void take_answer(struct client_counts *counts, struct client *client, const struct report *report,
	struct reply_cursor *reader)
{
	bool has_left = client->is_leaving;

	client->is_reporting = client->is_leaving = false;
	if (reader) {
		client->places = reply_u64(reader);
		client->heard_ms = report->sent_ms;
		client->is_heard = true;
	} else {
		client->places = client->pledged;
	}
	if (!has_left)
		return;
	/* What came meanwhile begins anew. */
	client->is_heard = client->is_reported = false;
	if (client->count == 0)
		forget(counts, client);
}

static void deliver_places(const struct call_target *target, struct outcome *outcome, const redisReply *reply)
{
	struct report *report = target->arg;
	struct client_counts *counts = report->counts;
	struct reply_cursor reader = reply_read(reply);
	bool is_good = outcome_is_ok(outcome) && reply->elements == report->count + 1;

	shared_lock_take(&counts->lock);
	(void)reply_span(&reader);
	for (size_t i = 0; i < report->count; i++) {
		struct client *client = find(counts, &report->networks[i]);

		CHECK(client && client->is_reporting);
		take_answer(counts, client, report, is_good ? &reader : NULL);
	}
	shared_lock_release(&counts->lock);
	mem_free(report);
}

static void pledge(const struct client_counts *counts, struct client *client, uint64_t now_ms)
{
	uint64_t places = places_of(counts, client, now_ms);
	uint64_t spare = places > client->count ? places - client->count : 0;

	client->is_leaving = client->count == 0 && now_ms - client->tried_ms >= CLIENT_COUNTS_HEARD_MS;
	client->pledged = client->is_leaving ? 0 : client->count + spare / 2;
}

/* Takes clients off `from` into the report. */
static void gather(struct client_counts *counts, struct list *from, uint64_t reported_before_ms,
	struct report *report, struct call *call)
{
	LIST_EACH_SAFE(node, from)
	{
		struct client *client = LIST_ENTRY(node, struct client, by_report);
		char text[NETWORK_TEXT_LEN + 1];

		if (report->count == REPORT_CLIENTS_MAX || client->reported_ms > reported_before_ms)
			return;
		if (client->is_reporting)
			continue;
		pledge(counts, client, report->sent_ms);
		client->is_reporting = true;
		client->reported_ms = report->sent_ms;
		client->is_reported = true;
		list_remove(node);
		list_push_back(&counts->quiet, node);
		report->networks[report->count++] = client->network;
		network_format(&client->network, text);
		call_key(call, ":at:", span_of_str(text));
	}
}

static bool send_report(struct client_counts *counts, struct redis_link *link, uint64_t now_ms)
{
	struct report *report = mem_alloc(sizeof(*report));
	uint64_t stale_ms = now_ms > CLIENT_COUNTS_REFRESH_MS ? now_ms - CLIENT_COUNTS_REFRESH_MS : 0;
	struct call call;
	bool is_full;

	*report = (struct report){ .counts = counts, .sent_ms = now_ms };
	call_begin(&call, link, "places", CALL_WRITES);
	call_in_room(&call, "clients");
	call_key(&call, ":nodes", SPAN_LIT(""));
	gather(counts, &counts->changed, UINT64_MAX, report, &call);
	gather(counts, &counts->quiet, stale_ms, report, &call);
	call_arg(&call, call_incarnation_text(&call, &counts->self));
	call_arg_u64(&call, counts->nodes);
	for (size_t i = 0; i < report->count; i++) {
		const struct client *client = find(counts, &report->networks[i]);

		call_arg_u64(&call, client->pledged);
		call_arg_u64(&call, client->limit);
		call_arg_u64(&call, client->is_leaving);
	}
	is_full = report->count == REPORT_CLIENTS_MAX;
	if (report->count == 0) {
		arena_fini(&call.arena);
		mem_free(report);
		return false;
	}
	CHECK(call_send(&call, now_ms, deliver_places,
		(struct call_target){ (call_any_fn *)deliver_places, report }));
	return is_full;
}

uint64_t client_counts_tick(struct client_counts *counts, struct redis_link *link, uint64_t now_ms)
{
	uint64_t next_ms;

	shared_lock_take(&counts->lock);
	if (now_ms >= counts->next_report_ms) {
		counts->next_report_ms = now_ms + CLIENT_COUNTS_REPORT_MS;
		for (unsigned i = 0; counts->self.epoch && redis_link_is_ready(link) && i < REPORTS_MAX; i++)
			if (!send_report(counts, link, now_ms))
				break;
	}
	next_ms = counts->next_report_ms;
	shared_lock_release(&counts->lock);
	return next_ms;
}
