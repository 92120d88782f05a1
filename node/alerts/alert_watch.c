/*
 * Happy path: the timer asks in one go: some shards for their queue, the registry, Redis itself, the version
 * of the policy, and last what the cluster has counted and what fires → all that is judged → what has changed
 * is written, with its notices → it is logged, and notices are taken out of the outbox. Where one of the
 * answers is missing the look is over: what is not known is not judged.
 */
#include "alerts/alert_watch.h"

#include "alerts/alert_round.h"
#include "io/random.h"
#include "skein/cluster/policy_store.h"
#include "skein/cluster/queue_age.h"
#include "skein/cluster/redis_health.h"
#include "skein/cluster/registry.h"
#include "skein/proto/base/alloc.h"

#include <jansson.h>
#include <stdlib.h>

enum {
	SETTLE_LOOKS = 4,    /* that a new leader leaves policy and secrets to come */
	SHARD_LOOKS = 12,    /* in so many all shards are asked once */
	SAID_MS_MIN = 60000, /* that what a node says of itself counts; */
	SAID_LOOKS = 3,      /* in intervals */
	NOTICES_MAX = 200,   /* of one look */
};

struct shard {
	uint64_t count, oldest_unix_ms; /* 0: none */
};

struct alert_watch {
	struct alert_watch_options options;
	struct loop_timer timer;
	struct random random;
	unsigned asked; /* answers awaited */
	bool is_late;   /* one of them failed */
	bool is_putting;
	unsigned looks; /* since it leads */
	struct shard *shards;
	unsigned shard_count, next_shard, shards_known;
	struct arena arena; /* of a look */
	struct alert_node *nodes;
	struct node_uuid *uuids; /* of the nodes */
	size_t node_count;
	struct alert_facts facts;
	struct alert_round *round;
};

static void look(void *arg);

struct alert_watch *alert_watch_new(const struct alert_watch_options *options)
{
	struct alert_watch *watch = mem_zalloc(sizeof(*watch));

	watch->options = *options;
	watch->round = mem_zalloc(sizeof(*watch->round));
	watch->shard_count = (unsigned)options->settings->redis.shards;
	watch->shards = mem_zalloc(watch->shard_count * sizeof(*watch->shards));
	random_seed(&watch->random);
	loop_timer_init(&watch->timer, look, watch);
	loop_timer_set(options->loop, &watch->timer, options->settings->alerts.interval_ms);
	return watch;
}

void alert_watch_free(struct alert_watch **pointer)
{
	struct alert_watch *watch = *pointer;

	*pointer = NULL;
	if (!watch)
		return;
	CHECK(!watch->asked && !watch->is_putting);
	loop_timer_cancel(watch->options.loop, &watch->timer);
	alert_round_fini(watch->round);
	arena_fini(&watch->arena);
	mem_free(watch->round);
	mem_free(watch->shards);
	mem_free(watch);
}

/* --- what is logged and shown -------------------------------------------------------------------- */

static void show(const struct alert_watch *watch, bool leads)
{
	for (unsigned i = 0; i < ALERT_COUNT; i++)
		meter_set_at(watch->options.meter, METRIC_ALERTS_FIRING, i,
			leads ? (int64_t)watch->round->firing[i] : 0);
	meter_set(watch->options.meter, METRIC_CLUSTER_QUEUE, leads ? (int64_t)watch->facts.queue_size : 0);
	meter_set(watch->options.meter, METRIC_CLUSTER_QUEUE_AGE,
		leads ? (int64_t)watch->facts.queue_oldest_ms : 0);
}

static void log_happening(const struct alert_watch *watch, const struct alert_happening *it)
{
	const struct alert_kind *kind = alert_kind(it->alert);
	struct buf value = { 0 };

	alert_append_value(kind->unit, it->value, &value);
	if (it->news == ALERT_RECOVERED)
		log_event(watch->options.log, LOG_INFO, "alert-recovered", LOG_STR("alert", kind->name),
			LOG_SPAN("subject", it->subject), LOG_BOOL("told", it->is_told), LOG_END);
	else
		log_event(watch->options.log, it->severity == ALERT_INFO ? LOG_INFO : LOG_WARN,
			it->news == ALERT_FIRED ? "alert-fired" : "alert-goes-on",
			LOG_STR("alert", kind->name), LOG_SPAN("subject", it->subject),
			LOG_STR("severity", alert_severity_name(it->severity)),
			LOG_SPAN("value", buf_span(&value)), LOG_SPAN("text", it->text),
			LOG_BOOL("told", it->is_told), LOG_END);
	buf_fini(&value);
}

/* --- what is written ----------------------------------------------------------------------------- */

static void on_put(void *arg, const struct outcome *outcome)
{
	struct alert_watch *watch = arg;

	watch->is_putting = false;
	/* Without an answer it may be so: better told twice. */
	if (outcome_is_ok(outcome) || outcome->kind == OUTCOME_UNKNOWN) {
		for (size_t i = 0; i < watch->round->happening_count; i++)
			log_happening(watch, &watch->round->happenings[i]);
		alert_post_poke(watch->options.post);
	}
}

static void add_notice(struct alert_watch *watch, const struct alert_happening *it,
	const struct alert_channel *channel, uint64_t number, struct alert_notes *notices)
{
	struct alert_note *items = (struct alert_note *)(uintptr_t)notices->items;
	struct arena *arena = &watch->round->arena;
	const struct alert_kind *kind = alert_kind(it->alert);
	struct buf id = { 0 };
	struct alert_notice notice = {
		.channel = channel->name,
		.event = alert_news_name(it->news),
		.alert = kind->name,
		.subject = it->subject,
		.text = it->text,
		.severity = it->severity,
		.what = kind->what,
		.cure = kind->cure,
		.since_ms = it->since_ms,
		.at_ms = watch->facts.now_ms,
		.node = watch->options.settings->node.name,
	};
	json_t *json;
	char *text;

	buf_printf(&id, "%llu-%zu-%s", (unsigned long long)number, notices->count, channel->name);
	notice.id = arena_strdup(arena, buf_span(&id));
	json = alert_notice_json(&notice);
	text = json_dumps(json, JSON_COMPACT);
	CHECK(text && strlen(text) <= ALERT_NOTICE_MAX);
	items[notices->count++] = (struct alert_note){ .name = span_of_str(notice.id),
		.text = arena_dup(arena, span_of_str(text)) };
	free(text);
	json_decref(json);
	buf_fini(&id);
}

static void add_notices(struct alert_watch *watch, const struct alert_policy *policy, uint64_t number,
	struct alert_notes *notices)
{
	size_t left_out = 0;

	for (size_t i = 0; i < watch->round->happening_count; i++) {
		const struct alert_happening *it = &watch->round->happenings[i];

		for (size_t k = 0; it->is_told && k < policy->channel_count; k++) {
			if (!(policy->rules[it->alert].channels & 1u << k))
				continue;
			if (notices->count < NOTICES_MAX)
				add_notice(watch, it, &policy->channels[k], number, notices);
			else
				left_out++;
		}
	}
	if (left_out)
		log_event(watch->options.log, LOG_ERROR, "alert-not-given", LOG_U64("notices", left_out),
			LOG_STR("why", "too many at once"), LOG_END);
}

static void put(struct alert_watch *watch, const struct alert_policy *policy, uint64_t number)
{
	struct alert_note items[NOTICES_MAX];
	struct alert_store_put args = { number, { watch->round->changes, watch->round->change_count },
		{ items, 0 } };

	if (!args.changes.count)
		return;
	add_notices(watch, policy, number, &args.notices);
	watch->is_putting = alert_store_put(watch->options.link, &args, loop_boottime_ms(), on_put, watch);
}

/* --- facts --------------------------------------------------------------------------------------- */

static void take_counters(struct alert_facts *facts, const struct alert_counts *counts)
{
	for (size_t i = 0; i < counts->count; i++)
		for (enum alert_counter it = 0; it < ALERT_COUNTERS; it++)
			if (span_eq(counts->items[i].name, span_of_str(alert_counter_name(it))))
				facts->counters[it] = counts->items[i].step;
}

static void take_senders(struct alert_watch *watch, const struct alert_store_view *view)
{
	struct alert_sender_facts *senders;
	struct alert_login *logins;

	senders = arena_alloc(&watch->arena, (view->sender_count + 1) * sizeof(*senders));
	for (size_t i = 0; i < view->sender_count; i++)
		senders[i] = (struct alert_sender_facts){ view->senders[i].name, view->senders[i].recent,
			view->senders[i].usual };
	logins = arena_alloc(&watch->arena, (view->logins.count + 1) * sizeof(*logins));
	for (size_t i = 0; i < view->logins.count; i++)
		logins[i] = (struct alert_login){ view->logins.items[i].name, view->logins.items[i].step };
	watch->facts.senders = senders;
	watch->facts.sender_count = view->sender_count;
	watch->facts.logins = logins;
	watch->facts.login_count = view->logins.count;
}

static void take_certificates(struct alert_watch *watch, struct alert_node *node, json_t *said)
{
	json_t *all = json_object_get(said, "certificates"), *ends;
	struct alert_certificate *certificates =
		arena_alloc(&watch->arena, (json_object_size(all) + 1) * sizeof(*certificates));
	const char *what;

	node->certificates = certificates;
	json_object_foreach(all, what, ends) certificates[node->certificate_count++] =
		(struct alert_certificate){ arena_dup(&watch->arena, span_of_str(what)),
			json_integer_value(ends) };
}

static void take_hops(struct alert_watch *watch, struct alert_node *node, json_t *said)
{
	json_t *all = json_object_get(said, "hops"), *one;
	struct alert_hop_certificate *hops =
		arena_alloc(&watch->arena, (json_array_size(all) + 1) * sizeof(*hops));
	const char *host;
	json_int_t ends_s, seen_s;
	size_t i;

	node->hops = hops;
	json_array_foreach(all, i, one)
	{
		if (json_unpack(one, "[s, I, I]", &host, &ends_s, &seen_s) == 0)
			hops[node->hop_count++] =
				(struct alert_hop_certificate){ arena_dup(&watch->arena, span_of_str(host)),
					ends_s, seen_s };
	}
}

/* While a node restarts it counts as it was: its disk is as full as before. */
static void take_said(struct alert_watch *watch, const struct alert_notes *nodes)
{
	uint64_t looks_ms = SAID_LOOKS * watch->options.settings->alerts.interval_ms;
	uint64_t fresh_ms = looks_ms > SAID_MS_MIN ? looks_ms : SAID_MS_MIN;

	for (size_t i = 0; i < watch->node_count; i++) {
		for (size_t k = 0; k < nodes->count; k++) {
			json_t *said;

			if (!span_eq(nodes->items[k].name, span_of_str(watch->uuids[i].text)) ||
				watch->facts.now_ms > nodes->items[k].at_ms + fresh_ms)
				continue;
			said = json_loadb(nodes->items[k].text.ptr, nodes->items[k].text.len, 0, NULL);
			watch->nodes[i].has_said = json_is_object(said);
			watch->nodes[i].disk_percent =
				(uint64_t)json_integer_value(json_object_get(said, "disk"));
			take_certificates(watch, &watch->nodes[i], said);
			take_hops(watch, &watch->nodes[i], said);
			json_decref(said);
		}
	}
	watch->facts.nodes = watch->nodes;
	watch->facts.node_count = watch->node_count;
}

static void take_queue(struct alert_watch *watch, uint64_t now_ms)
{
	uint64_t oldest = 0;

	watch->facts.has_queue = watch->shards_known == watch->shard_count;
	for (unsigned i = 0; i < watch->shard_count; i++) {
		const struct shard *shard = &watch->shards[i];

		watch->facts.queue_size += shard->count;
		if (shard->oldest_unix_ms && (!oldest || shard->oldest_unix_ms < oldest))
			oldest = shard->oldest_unix_ms;
	}
	watch->facts.queue_oldest_ms = oldest && now_ms > oldest ? now_ms - oldest : 0;
}

/* The leader's own DNS watch. */
static void take_dns(struct alert_watch *watch)
{
	int64_t all = 0;

	for (unsigned it = DNS_DOMAIN_OK; it <= DNS_DOMAIN_FAIL; it++)
		all += metrics_sum(watch->options.metrics, METRIC_DNS_DOMAINS, it);
	watch->facts.has_dns = all > 0;
	watch->facts.dns_failing =
		(uint64_t)metrics_sum(watch->options.metrics, METRIC_DNS_DOMAINS, DNS_DOMAIN_FAIL);
}

/* --- answers ------------------------------------------------------------------------------------- */

static void end_of(struct alert_watch *watch, const struct outcome *outcome)
{
	watch->asked--;
	if (!outcome_is_ok(outcome))
		watch->is_late = true;
}

struct shard_question {
	struct alert_watch *watch;
	unsigned shard;
};

static void on_age(void *arg, const struct outcome *outcome, const struct queue_age *age)
{
	struct shard_question *question = arg;
	struct alert_watch *watch = question->watch;

	end_of(watch, outcome);
	if (outcome_is_ok(outcome)) {
		watch->shards[question->shard] =
			(struct shard){ age->count, age->has_oldest ? msg_id_unix_ms(&age->oldest) : 0 };
		if (watch->shards_known < watch->shard_count)
			watch->shards_known++;
	}
	mem_free(question);
}

/* "policy": what a node says of itself with its lease. */
static void take_load(struct alert_node *node, struct span load)
{
	json_t *json = json_loadb(load.ptr, load.len, 0, NULL);

	node->policy = (uint64_t)json_integer_value(json_object_get(json, "policy"));
	node->policy_refused = (uint64_t)json_integer_value(json_object_get(json, "policy_refused"));
	json_decref(json);
}

static void on_nodes(void *arg, const struct outcome *outcome, const struct registry_view *view)
{
	struct alert_watch *watch = arg;

	end_of(watch, outcome);
	watch->node_count = 0;
	watch->nodes = arena_zalloc(&watch->arena, (view->count + 1) * sizeof(*watch->nodes));
	watch->uuids = arena_zalloc(&watch->arena, (view->count + 1) * sizeof(*watch->uuids));
	for (size_t i = 0; i < view->count; i++) {
		const struct registry_node *from = &view->nodes[i];
		struct alert_node *node = &watch->nodes[watch->node_count];

		if (from->state == NODE_FORGOTTEN)
			continue;
		watch->uuids[watch->node_count++] = from->node;
		node->name = arena_dup(&watch->arena, from->name);
		node->life = from->state == NODE_DEAD   ? ALERT_NODE_DEAD
			     : from->state == NODE_LEFT ? ALERT_NODE_LEFT
							: ALERT_NODE_ALIVE;
		take_load(node, from->load);
	}
}

static void on_health(void *arg, const struct outcome *outcome, const struct redis_identity *identity)
{
	struct alert_watch *watch = arg;

	end_of(watch, outcome);
	watch->facts.has_redis = outcome_is_ok(outcome);
	watch->facts.redis = (struct alert_redis){
		.evicts = identity->noeviction == REDIS_NO,
		.forgets = identity->persistent == REDIS_NO && !identity->replicas,
		.replicas = identity->replicas,
		.replicas_wanted = watch->options.settings->redis.wait_replicas,
		.memory_used = identity->memory_used,
		.memory_max = identity->memory_max,
	};
}

static void on_version(void *arg, const struct outcome *outcome, const struct policy_version *version)
{
	struct alert_watch *watch = arg;

	end_of(watch, outcome);
	watch->facts.policy = version->number;
}

static void judge(struct alert_watch *watch, const struct alert_store_view *view)
{
	struct policy_snapshot *snapshot = policy_slot_get(watch->options.policy);
	const struct alert_round_input input = { &watch->facts, policy_alerts(snapshot->policy), view };

	watch->facts.now_ms = view->now_ms;
	take_counters(&watch->facts, &view->counters);
	take_senders(watch, view);
	take_said(watch, &view->nodes);
	take_queue(watch, view->now_ms);
	take_dns(watch);
	alert_round_run(watch->round, &input);
	show(watch, true);
	put(watch, input.policy, view->number);
	policy_snapshot_unref(&snapshot);
}

static void on_view(void *arg, const struct outcome *outcome, const struct alert_store_view *view)
{
	struct alert_watch *watch = arg;

	end_of(watch, outcome);
	if (!outcome_is_ok(outcome) || !member_is_leader(watch->options.member))
		return;
	for (size_t i = 0; i < view->tests.count; i++)
		alert_post_try(watch->options.post, view->tests.items[i].name, view->tests.items[i].text);
	if (view->waiting)
		alert_post_poke(watch->options.post);
	if (!watch->is_late && watch->looks > SETTLE_LOOKS)
		judge(watch, view);
}

/* --- questions ----------------------------------------------------------------------------------- */

static void ask_shards(struct alert_watch *watch, uint64_t now_ms)
{
	unsigned count = watch->shard_count / SHARD_LOOKS + 1;

	for (unsigned i = 0; i < count && i < watch->shard_count; i++) {
		struct shard_question *question = mem_alloc(sizeof(*question));

		*question = (struct shard_question){ watch, watch->next_shard };
		if (queue_age(watch->options.link, watch->next_shard, now_ms, on_age, question))
			watch->asked++;
		else
			mem_free(question);
		watch->next_shard = (watch->next_shard + 1) % watch->shard_count;
	}
}

static void ask_view(struct alert_watch *watch, uint64_t now_ms)
{
	struct policy_snapshot *snapshot = policy_slot_get(watch->options.policy);
	const struct alert_policy *policy = policy_alerts(snapshot->policy);
	const struct alert_store_look args = {
		.leader = { watch->options.uuid, member_lease(watch->options.member)->epoch },
		.name = span_of_str(watch->options.settings->node.name),
		.window_ms = policy->window_ms,
		.least_messages = policy->rules[ALERT_SENDER_SPIKE].least * 3 / 4,
		.least_failures = policy->rules[ALERT_LOGIN_FAILURES].bound * 3 / 4,
	};

	watch->asked += alert_store_look(watch->options.link, &args, now_ms, on_view, watch);
	policy_snapshot_unref(&snapshot);
}

static void ask(struct alert_watch *watch)
{
	uint64_t now_ms = loop_boottime_ms();
	struct redis_link *link = watch->options.link;

	arena_reset(&watch->arena);
	watch->facts = (struct alert_facts){ .now_ms = 0 };
	watch->is_late = false;
	watch->looks++;
	ask_shards(watch, now_ms);
	watch->asked += registry_nodes(link, now_ms, on_nodes, watch);
	watch->asked += redis_health_ask(link, now_ms, on_health, watch);
	watch->asked += policy_current(link, now_ms, on_version, watch);
	ask_view(watch, now_ms);
}

static void look(void *arg)
{
	struct alert_watch *watch = arg;
	uint64_t pause_ms = watch->options.settings->alerts.interval_ms;

	if (!member_is_leader(watch->options.member)) {
		if (watch->looks)
			show(watch, false);
		watch->looks = 0;
		watch->shards_known = 0;
	} else if (!watch->asked && !watch->is_putting && redis_link_is_ready(watch->options.link)) {
		ask(watch);
	}
	loop_timer_set(watch->options.loop, &watch->timer,
		pause_ms - random_u32(&watch->random) % (pause_ms / 4 + 1));
}
