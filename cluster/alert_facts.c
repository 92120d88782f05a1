/* Facts become values: one function for each alert or two. */
#include "skein/cluster/alert_facts.h"

#include "skein/proto/base/check.h"
#include "skein/proto/base/table.h"

#include <stdio.h>

enum { DAY_S = 86400, PERCENT = 100, NEARLY_PERCENT = 80 };

struct judge {
	const struct alert_facts *facts;
	const struct alert_policy *policy;
	struct arena *arena;
	struct alert_values *values;
};

const char *alert_counter_name(enum alert_counter counter)
{
	static const char *const names[ALERT_COUNTERS] = {
		[ALERT_COUNT_ACCEPTED] = "accepted",
		[ALERT_COUNT_REJECTED] = "rejected",
		[ALERT_COUNT_DELIVERED] = "delivered",
		[ALERT_COUNT_DEFERRED] = "deferred",
		[ALERT_COUNT_FAILED] = "failed",
		[ALERT_COUNT_EXPIRED] = "expired",
		[ALERT_COUNT_LOGINS_FAILED] = "logins_failed",
		[ALERT_COUNT_DEGRADED] = "degraded",
		[ALERT_COUNT_LOG_DROPPED] = "log_dropped",
		[ALERT_COUNT_TRACK_LOST] = "track_lost",
		[ALERT_COUNT_LEADER_CHANGES] = "leader_changes",
	};

	return names[counter];
}

static struct span cut(struct span text, size_t most)
{
	return span_take(text, text.len < most ? text.len : most);
}

/* How much is too much; where anything is, there is nothing to say. */
static void append_bound(const struct judge *judge, enum alert alert, struct buf *text)
{
	uint64_t bound = judge->policy->rules[alert].bound;

	if (!bound)
		return;
	buf_append_str(text, "; the bound is ");
	alert_append_value(alert_kind(alert)->unit, bound, text);
}

/* For what says nothing about a few: of nearly enough a value that lets nothing begin and nothing end. */
static uint64_t of_enough(const struct judge *judge, enum alert alert, uint64_t count, uint64_t value)
{
	const struct alert_rule *rule = &judge->policy->rules[alert];

	return count >= rule->least || value < rule->bound ? value : rule->bound;
}

static bool is_nearly_enough(const struct judge *judge, enum alert alert, uint64_t count)
{
	return count && count >= judge->policy->rules[alert].least * NEARLY_PERCENT / PERCENT;
}

static void add(struct judge *judge, enum alert alert, struct span subject, uint64_t value, const char *fmt,
	...) PRINTF_LIKE(5, 6);
static void add(
	struct judge *judge, enum alert alert, struct span subject, uint64_t value, const char *fmt, ...)
{
	struct alert_values *values = judge->values;
	struct buf told = { 0 };
	char text[ALERT_TEXT_MAX + 1];
	va_list args;

	if (!judge->policy->rules[alert].is_on)
		return;
	if (values->count == ALERT_FIRING_MAX) {
		values->left_out++;
		return;
	}
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	buf_append_str(&told, text);
	append_bound(judge, alert, &told);
	values->items[values->count++] = (struct alert_value){
		.alert = alert,
		.subject = arena_dup(judge->arena, cut(subject, ALERT_SUBJECT_MAX)),
		.text = arena_dup(judge->arena, cut(buf_span(&told), ALERT_TEXT_MAX)),
		.value = value,
	};
	buf_fini(&told);
}

static void judge_count(struct judge *judge, enum alert alert, enum alert_counter counter, const char *what)
{
	uint64_t value = judge->facts->counters[counter];
	struct buf window = { 0 };

	alert_append_value(ALERT_UNIT_AGE, judge->policy->window_ms, &window);
	add(judge, alert, SPAN_LIT("cluster"), value, "%llu %s in %.*s", (unsigned long long)value, what,
		SPAN_ARGS(buf_span(&window)));
	buf_fini(&window);
}

static void judge_senders(struct judge *judge)
{
	for (size_t i = 0; i < judge->facts->sender_count; i++) {
		const struct alert_sender_facts *sender = &judge->facts->senders[i];
		uint64_t times = sender->recent / (sender->usual ? sender->usual : 1);

		if (is_nearly_enough(judge, ALERT_SENDER_SPIKE, sender->recent))
			add(judge, ALERT_SENDER_SPIKE, sender->name,
				of_enough(judge, ALERT_SENDER_SPIKE, sender->recent, times),
				"%llu messages in the last hour, %llu times the usual %llu",
				(unsigned long long)sender->recent, (unsigned long long)times,
				(unsigned long long)sender->usual);
	}
}

static void judge_logins(struct judge *judge)
{
	struct buf window = { 0 };

	alert_append_value(ALERT_UNIT_AGE, judge->policy->window_ms, &window);
	for (size_t i = 0; i < judge->facts->login_count; i++) {
		const struct alert_login *login = &judge->facts->logins[i];

		add(judge, ALERT_LOGIN_FAILURES, login->who, login->failures, "%llu logins failed in %.*s",
			(unsigned long long)login->failures, SPAN_ARGS(buf_span(&window)));
	}
	buf_fini(&window);
	judge_count(judge, ALERT_LOGIN_FAILURES_ALL, ALERT_COUNT_LOGINS_FAILED, "logins failed");
}

static void judge_share(struct judge *judge, enum alert alert, uint64_t part, uint64_t all, const char *what)
{
	struct buf window = { 0 };
	uint64_t percent = all ? part * PERCENT / all : 0;

	if (!is_nearly_enough(judge, alert, all))
		return;
	alert_append_value(ALERT_UNIT_AGE, judge->policy->window_ms, &window);
	add(judge, alert, SPAN_LIT("cluster"), of_enough(judge, alert, all, percent),
		"%llu of %llu %s in %.*s: %llu%%", (unsigned long long)part, (unsigned long long)all, what,
		SPAN_ARGS(buf_span(&window)), (unsigned long long)percent);
	buf_fini(&window);
}

static void judge_delivery(struct judge *judge)
{
	const uint64_t *counters = judge->facts->counters;
	uint64_t delivered = counters[ALERT_COUNT_DELIVERED], deferred = counters[ALERT_COUNT_DEFERRED];
	uint64_t bounced = counters[ALERT_COUNT_FAILED] + counters[ALERT_COUNT_EXPIRED];

	judge_share(judge, ALERT_DEFERRALS, deferred, deferred + delivered + bounced,
		"attempts to deliver were put off");
	judge_share(judge, ALERT_BOUNCES, bounced, bounced + delivered,
		"messages were refused for good or given up");
}

static void judge_queue(struct judge *judge)
{
	const struct alert_facts *facts = judge->facts;
	struct buf age = { 0 };

	if (!facts->has_queue)
		return;
	alert_append_value(ALERT_UNIT_AGE, facts->queue_oldest_ms, &age);
	add(judge, ALERT_QUEUE_AGE, SPAN_LIT("cluster"), facts->queue_oldest_ms,
		"the oldest message in the queue is %.*s old", SPAN_ARGS(buf_span(&age)));
	add(judge, ALERT_QUEUE_SIZE, SPAN_LIT("cluster"), facts->queue_size, "%llu messages are in the queue",
		(unsigned long long)facts->queue_size);
	buf_fini(&age);
}

static uint64_t days_left(const struct judge *judge, int64_t ends_s)
{
	int64_t now_s = (int64_t)(judge->facts->now_ms / 1000);

	return ends_s > now_s ? (uint64_t)(ends_s - now_s) / DAY_S : 0;
}

/* `subject` names whose it is. */
static void add_certificate(struct judge *judge, struct span subject, int64_t ends_s)
{
	bool has_ended = ends_s <= (int64_t)(judge->facts->now_ms / 1000);
	uint64_t days = days_left(judge, ends_s);
	struct buf day = { 0 };

	alert_append_day(ends_s, &day);
	if (has_ended)
		add(judge, ALERT_CERTIFICATE, subject, days, "the certificate of %.*s has ended on %.*s",
			SPAN_ARGS(subject), SPAN_ARGS(buf_span(&day)));
	else
		add(judge, ALERT_CERTIFICATE, subject, days,
			"the certificate of %.*s ends on %.*s, in %llu days", SPAN_ARGS(subject),
			SPAN_ARGS(buf_span(&day)), (unsigned long long)days);
	buf_fini(&day);
}

static void judge_certificates(struct judge *judge, const struct alert_node *node)
{
	for (size_t i = 0; i < node->certificate_count; i++) {
		const struct alert_certificate *it = &node->certificates[i];
		char subject[ALERT_SUBJECT_MAX + 1];

		snprintf(subject, sizeof(subject), "%.*s %.*s", SPAN_ARGS(node->name), SPAN_ARGS(it->what));
		add_certificate(judge, span_of_str(subject), it->ends_s);
	}
}

static void judge_policy(struct judge *judge, const struct alert_node *node)
{
	uint64_t wanted = judge->facts->policy;

	if (node->policy_refused && node->policy_refused >= wanted)
		add(judge, ALERT_POLICY_DRIFT, node->name, 1, "%.*s refuses version %llu and runs %llu",
			SPAN_ARGS(node->name), (unsigned long long)node->policy_refused,
			(unsigned long long)node->policy);
	else if (wanted && node->policy != wanted)
		add(judge, ALERT_POLICY_DRIFT, node->name, 1, "%.*s runs version %llu instead of %llu",
			SPAN_ARGS(node->name), (unsigned long long)node->policy, (unsigned long long)wanted);
}

static void judge_nodes(struct judge *judge)
{
	for (size_t i = 0; i < judge->facts->node_count; i++) {
		const struct alert_node *node = &judge->facts->nodes[i];

		if (node->life == ALERT_NODE_DEAD)
			add(judge, ALERT_NODE_LOST, node->name, 1,
				"%.*s is dead; what it owned has moved to the others", SPAN_ARGS(node->name));
		else if (node->life == ALERT_NODE_ALIVE)
			judge_policy(judge, node);
		if (!node->has_said)
			continue;
		add(judge, ALERT_DISK, node->name, node->disk_percent,
			"journal and disk of %.*s are %llu%% of the way to where no mail is taken",
			SPAN_ARGS(node->name), (unsigned long long)node->disk_percent);
		judge_certificates(judge, node);
	}
}

/* --- certificates of next hops, by all nodes ----------------------------------------------------- */

static void note_last(struct table *hosts, struct arena *arena, const struct alert_hop_certificate *seen)
{
	struct alert_hop_certificate *host = table_get(hosts, seen->host);

	if (!host) {
		host = arena_zalloc(arena, sizeof(*host));
		*host = *seen;
		table_put(hosts, host->host, host);
	} else if (seen->seen_s > host->seen_s) {
		*host = *seen;
	}
}

/* Of those that were seen at about the same time the first that ends counts. */
static void note_first(struct table *hosts, const struct alert_hop_certificate *seen)
{
	struct alert_hop_certificate *host = table_get(hosts, seen->host);

	if (seen->ends_s < host->ends_s && seen->seen_s + ALERT_HOP_MIXED_S >= host->seen_s)
		host->ends_s = seen->ends_s;
}

static size_t add_hops(struct judge *judge, const struct table *hosts, bool are_bad, size_t room)
{
	const struct alert_rule *rule = &judge->policy->rules[ALERT_CERTIFICATE];
	const struct alert_hop_certificate *host;
	size_t cursor = 0;

	while (room && (host = table_next(hosts, &cursor))) {
		char subject[ALERT_SUBJECT_MAX + 1];

		if (alert_is_bad(rule, ALERT_UNIT_DAYS, days_left(judge, host->ends_s)) != are_bad)
			continue;
		snprintf(subject, sizeof(subject), "hop %.*s", SPAN_ARGS(host->host));
		add_certificate(judge, span_of_str(subject), host->ends_s);
		room--;
	}
	return room;
}

static void judge_hops(struct judge *judge)
{
	static const uint64_t seed[2] = { 0 }; /* a node tells of few */
	const struct alert_facts *facts = judge->facts;
	struct table hosts;
	size_t room;

	table_init(&hosts, seed);
	for (size_t i = 0; i < facts->node_count; i++)
		for (size_t k = 0; k < facts->nodes[i].hop_count; k++)
			note_last(&hosts, judge->arena, &facts->nodes[i].hops[k]);
	for (size_t i = 0; i < facts->node_count; i++)
		for (size_t k = 0; k < facts->nodes[i].hop_count; k++)
			note_first(&hosts, &facts->nodes[i].hops[k]);
	/* The others are there to say that all is well again. */
	room = add_hops(judge, &hosts, true, ALERT_HOPS_JUDGED);
	(void)add_hops(judge, &hosts, false, room);
	table_fini(&hosts);
}

static void judge_redis(struct judge *judge)
{
	const struct alert_redis *redis = &judge->facts->redis;

	if (!judge->facts->has_redis)
		return;
	if (redis->evicts)
		add(judge, ALERT_REDIS_UNSAFE, SPAN_LIT("eviction"), 1,
			"Redis throws keys away when it is full: mail among them");
	if (redis->forgets)
		add(judge, ALERT_REDIS_UNSAFE, SPAN_LIT("persistence"), 1,
			"Redis keeps nothing on disk and has no replica");
	if (redis->replicas < redis->replicas_wanted)
		add(judge, ALERT_REDIS_REPLICAS, SPAN_LIT("cluster"),
			redis->replicas_wanted - redis->replicas, "%llu replicas of %llu are connected",
			(unsigned long long)redis->replicas, (unsigned long long)redis->replicas_wanted);
	if (redis->memory_max)
		add(judge, ALERT_REDIS_MEMORY, SPAN_LIT("cluster"),
			redis->memory_used / (redis->memory_max / PERCENT + 1),
			"Redis uses %llu of %llu MiB: %llu%%", (unsigned long long)(redis->memory_used >> 20),
			(unsigned long long)(redis->memory_max >> 20),
			(unsigned long long)(redis->memory_used / (redis->memory_max / PERCENT + 1)));
}

void alert_judge(const struct alert_facts *facts, const struct alert_policy *policy, struct arena *arena,
	struct alert_values *values_out)
{
	struct judge judge = { facts, policy, arena, values_out };

	values_out->count = values_out->left_out = 0;
	judge_nodes(&judge);
	judge_hops(&judge);
	judge_redis(&judge);
	judge_count(&judge, ALERT_LEADER_CHANGE, ALERT_COUNT_LEADER_CHANGES, "changes of the leader");
	judge_count(
		&judge, ALERT_MAIL_DEGRADED, ALERT_COUNT_DEGRADED, "messages were accepted with one copy");
	judge_count(&judge, ALERT_LOG_DROPPED, ALERT_COUNT_LOG_DROPPED, "lines of the log were lost");
	judge_count(&judge, ALERT_TRACK_LOST, ALERT_COUNT_TRACK_LOST, "tracking events were lost");
	judge_queue(&judge);
	judge_delivery(&judge);
	if (facts->has_dns)
		add(&judge, ALERT_DNS, SPAN_LIT("cluster"), facts->dns_failing,
			"%llu domains have a check that fails", (unsigned long long)facts->dns_failing);
	judge_logins(&judge);
	judge_senders(&judge);
}
