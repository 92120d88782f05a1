/*
 * Happy path: the timer asks Redis when it was done last → it is due: one domain after another is looked up
 * and judged, changes are told → what was found is written. A node that does not lead any more drops what it
 * has; whoever is faster with writing counts.
 */
#include "daily/dns_watch.h"

#include "daily/dns_record.h"
#include "daily/fact_finder.h"
#include "io/random.h"
#include "skein/cluster/daily_store.h"
#include "skein/proto/base/alloc.h"
#include "skein/proto/dns/name.h"

enum {
	LOOK_MS_MIN = 1000,
	LOOK_MS_MAX = 300000,
	SETTLE_MS_MAX = 60000, /* that a new leader leaves policy and secrets to come */
	AGAIN_PARTS = 24,      /* of the interval after which what was unknown is asked again, */
	AGAIN_MS_MIN = 60000,  /* unless that is too soon for servers to recover */
};

static const char JOB[] = "dns";

/* One time through all domains. */
struct run {
	uint64_t number; /* of the note that it goes on from */
	const char *domains[DNS_RECORD_DOMAINS_MAX];
	size_t count, index;
	struct arena arena;
	struct dns_record record;
	/* The domain under way. */
	struct dns_facts *facts;
	struct fact_finder *finder;
	struct signing_set *signing;
};

struct dns_watch {
	struct dns_watch_options options;
	struct loop_timer timer;
	struct loop_task step;
	struct random random;
	struct dns_record *before; /* as Redis has it */
	struct dns_report *report;
	struct run *run;       /* NULL: none */
	uint64_t led_since_ms; /* 0: it does not lead */
	uint32_t chance;       /* for when the next run is due */
	bool is_asking;
};

static void look(void *arg);
static void step(void *arg);

struct dns_watch *dns_watch_new(const struct dns_watch_options *options)
{
	struct dns_watch *watch = mem_zalloc(sizeof(*watch));

	watch->options = *options;
	watch->before = mem_zalloc(sizeof(*watch->before));
	watch->report = mem_zalloc(sizeof(*watch->report));
	random_seed(&watch->random);
	watch->chance = random_u32(&watch->random);
	loop_timer_init(&watch->timer, look, watch);
	loop_task_init(&watch->step, step, watch);
	if (options->settings->dns_watch.interval_ms)
		loop_timer_set(options->loop, &watch->timer, 0);
	return watch;
}

static void end_run(struct dns_watch *watch)
{
	struct run *run = watch->run;

	watch->run = NULL;
	if (!run)
		return;
	fact_finder_cancel(&run->finder);
	dns_facts_free(&run->facts);
	signing_set_unref(&run->signing);
	dns_record_fini(&run->record);
	arena_fini(&run->arena);
	mem_free(run);
}

void dns_watch_free(struct dns_watch **watch_ptr)
{
	struct dns_watch *watch = *watch_ptr;

	*watch_ptr = NULL;
	if (!watch)
		return;
	CHECK(!watch->is_asking);
	end_run(watch);
	loop_task_cancel(&watch->step);
	loop_timer_cancel(watch->options.loop, &watch->timer);
	dns_record_fini(watch->before);
	mem_free(watch->before);
	dns_report_fini(watch->report);
	mem_free(watch->report);
	mem_free(watch);
}

/* --- what is told -------------------------------------------------------------------------------- */

static struct span first_line(struct span text)
{
	return span_take(text, span_find(text, '\n'));
}

static void tell_change(void *arg, const struct dns_change *change)
{
	struct dns_watch *watch = arg;
	struct span nothing = span_of("", 0);
	bool is_worse = dns_severity_is_worse(change->to, change->from);
	const struct dns_finding *finding = is_worse ? change->finding : NULL;

	log_event(watch->options.log, is_worse ? LOG_WARN : LOG_INFO, is_worse ? "dns-worse" : "dns-better",
		LOG_STR("domain", change->domain), LOG_STR("check", dns_topic_name(change->topic)),
		LOG_STR("state", dns_severity_name(change->to)),
		LOG_STR("was", dns_severity_name(change->from)),
		LOG_SPAN("where", finding ? finding->where : nothing),
		LOG_SPAN("what", finding ? finding->what : nothing),
		LOG_SPAN("publish", finding ? first_line(finding->publish) : nothing), LOG_END);
}

static void show(const struct dns_watch *watch, const struct dns_record *record)
{
	static const enum dns_domain_state states[] = {
		[DNS_CHECK_OK] = DNS_DOMAIN_OK,
		[DNS_CHECK_WARN] = DNS_DOMAIN_WARN,
		[DNS_CHECK_FAIL] = DNS_DOMAIN_FAIL,
		[DNS_CHECK_UNKNOWN] = DNS_DOMAIN_UNKNOWN,
	};
	int64_t counts[DNS_DOMAIN_FAIL + 1] = { 0 };

	for (size_t i = 0; record && i < record->count; i++)
		counts[states[dns_record_worst(&record->domains[i])]]++;
	for (unsigned i = 0; i < ARRAY_LEN(counts); i++)
		meter_set_at(watch->options.meter, METRIC_DNS_DOMAINS, i, counts[i]);
}

/* --- a run --------------------------------------------------------------------------------------- */

static bool leads(const struct dns_watch *watch)
{
	return member_is_leader(watch->options.member);
}

static void add_domain(struct run *run, struct span name, size_t *left_out)
{
	char *lower = arena_strdup(&run->arena, dns_name_without_dot(name));

	for (char *it = lower; *it; it++)
		*it = ascii_lower(*it);
	for (size_t i = 0; i < run->count; i++)
		if (strcmp(run->domains[i], lower) == 0)
			return;
	if (run->count < DNS_RECORD_DOMAINS_MAX)
		run->domains[run->count++] = lower;
	else
		(*left_out)++;
}

/* Those of the settings first: there is room for all of them. */
static void collect_domains(const struct dns_watch *watch, struct run *run)
{
	const struct text_list *more = &watch->options.settings->dns_watch.domains;
	struct policy_snapshot *snapshot = policy_slot_get(watch->options.policy);
	const struct policy_signing *signings;
	size_t count, left_out = 0;

	for (size_t i = 0; i < more->count; i++)
		add_domain(run, span_of_str(more->items[i]), &left_out);
	signings = policy_signings(snapshot->policy, &count);
	for (size_t i = 0; i < count; i++)
		add_domain(run, span_of_str(signings[i].domain), &left_out);
	policy_snapshot_unref(&snapshot);
	if (left_out)
		log_event(watch->options.log, LOG_WARN, "dns-not-watched", LOG_U64("domains", left_out),
			LOG_U64("most", DNS_RECORD_DOMAINS_MAX), LOG_END);
}

static size_t collect_keys(const struct run *run, struct span domain, struct dns_check_key *keys_out)
{
	const struct signing_entry *entry =
		run->signing ? signing_set_find(run->signing, &domain, 1, domain) : NULL;
	size_t count = 0;

	for (; entry && count < entry->rule_count && count < DNS_CHECK_KEYS_MAX; count++) {
		const struct dkim_rule *rule = &entry->rules[count];

		keys_out[count] = (struct dns_check_key){ rule->domain, rule->selector, rule->key };
	}
	return count;
}

static size_t collect_egress(const struct settings *settings, struct dns_ip *egress_out)
{
	const struct text_list *texts = &settings->dns_watch.egress;
	size_t count = 0;

	for (size_t i = 0; i < texts->count && count < DNS_CHECK_EGRESS_MAX; i++)
		if (dns_ip_of_text(span_of_str(texts->items[i]), &egress_out[count]))
			count++;
	return count;
}

static void on_written(void *arg, const struct outcome *outcome)
{
	struct dns_watch *watch = arg;

	watch->is_asking = false;
	if (outcome_is_ok(outcome)) {
		log_event(watch->options.log, LOG_INFO, "dns-checked", LOG_U64("domains", watch->run->count),
			LOG_END);
		show(watch, &watch->run->record);
	} else {
		log_event(watch->options.log, LOG_WARN, "dns-checked", LOG_U64("domains", watch->run->count),
			LOG_STR("kept", outcome_kind_name(outcome->kind)), LOG_END);
	}
	watch->chance = random_u32(&watch->random);
	end_run(watch);
}

static void write_record(struct dns_watch *watch)
{
	struct daily_put args = { .number = watch->run->number,
		.by = span_of_str(watch->options.settings->node.name) };
	struct buf text = { 0 };

	dns_record_write(&watch->run->record, &text);
	args.text = buf_span(&text);
	watch->is_asking = daily_put(watch->options.link, JOB, &args, loop_boottime_ms(), on_written, watch);
	if (!watch->is_asking)
		end_run(watch);
	buf_fini(&text);
}

static void end_domain(struct dns_watch *watch)
{
	struct run *run = watch->run;

	dns_record_add(
		&run->record, run->domains[run->index], watch->report, watch->before, tell_change, watch);
	dns_facts_free(&run->facts);
	signing_set_unref(&run->signing);
	run->index++;
	loop_defer(watch->options.loop, &watch->step);
}

/* As far as the facts go; again when more of them are known. */
static void judge(void *arg)
{
	struct dns_watch *watch = arg;
	struct run *run = watch->run;
	const struct settings *settings = watch->options.settings;
	struct span domain = span_of_str(run->domains[run->index]);
	struct dns_check_key keys[DNS_CHECK_KEYS_MAX];
	struct dns_ip egress[DNS_CHECK_EGRESS_MAX];
	const struct dns_check_request request = {
		.domain = domain,
		.egress = egress,
		.egress_count = collect_egress(settings, egress),
		.helo = dns_name_without_dot(span_of_str(settings->node.hostname)),
		.keys = keys,
		.key_count = collect_keys(run, domain, keys),
		.can_validate = *settings->dns.trust_anchor && settings->dns.dnssec != DNS_DNSSEC_OFF,
	};
	const struct fact_finder_options look_up = { watch->options.loop, watch->options.resolver,
		watch->options.fetcher, run->facts, judge, watch };

	run->finder = NULL;
	if (!leads(watch))
		end_run(watch);
	else if (dns_check_run(&request, run->facts, watch->report))
		end_domain(watch);
	else
		run->finder = fact_finder_start(&look_up);
}

/* The next domain, or the end. */
static void step(void *arg)
{
	struct dns_watch *watch = arg;
	struct run *run = watch->run;

	if (!leads(watch)) {
		end_run(watch);
		return;
	}
	if (run->index == run->count) {
		write_record(watch);
		return;
	}
	run->facts = dns_facts_new();
	run->signing = signing_slot_get(watch->options.signing);
	judge(watch);
}

static void begin_run(struct dns_watch *watch, uint64_t number)
{
	watch->run = mem_zalloc(sizeof(*watch->run));
	watch->run->number = number;
	collect_domains(watch, watch->run);
	loop_defer(watch->options.loop, &watch->step);
}

/* --- when ---------------------------------------------------------------------------------------- */

static bool is_due(const struct dns_watch *watch, const struct daily_note *note)
{
	uint64_t interval_ms = watch->options.settings->dns_watch.interval_ms;
	uint64_t again_ms =
		interval_ms / AGAIN_PARTS < AGAIN_MS_MIN ? AGAIN_MS_MIN : interval_ms / AGAIN_PARTS;
	uint64_t wait_ms =
		dns_record_has_unknown(watch->before) && again_ms < interval_ms ? again_ms : interval_ms;

	wait_ms += watch->chance % (wait_ms / 20 + 1);
	/* Where the clock went back it is due. */
	return !note->number || note->now_ms < note->at_ms || note->now_ms - note->at_ms >= wait_ms;
}

static void on_note(void *arg, const struct outcome *outcome, const struct daily_note *note)
{
	struct dns_watch *watch = arg;

	watch->is_asking = false;
	if (!outcome_is_ok(outcome) || !leads(watch))
		return;
	dns_record_fini(watch->before);
	*watch->before = (struct dns_record){ .count = 0 };
	if (note->number && !dns_record_read(watch->before, note->text))
		log_event(watch->options.log, LOG_WARN, "dns-note-unreadable", LOG_SPAN("by", note->by),
			LOG_STR("then", "all is told anew"), LOG_END);
	show(watch, watch->before);
	if (is_due(watch, note))
		begin_run(watch, note->number);
}

static void look(void *arg)
{
	struct dns_watch *watch = arg;
	uint64_t interval_ms = watch->options.settings->dns_watch.interval_ms, now_ms = loop_boottime_ms();
	uint64_t settle_ms = interval_ms / 4 < SETTLE_MS_MAX ? interval_ms / 4 : SETTLE_MS_MAX;
	uint64_t pause_ms = interval_ms / AGAIN_PARTS;

	pause_ms = pause_ms < LOOK_MS_MIN ? LOOK_MS_MIN : pause_ms > LOOK_MS_MAX ? LOOK_MS_MAX : pause_ms;
	if (!leads(watch)) {
		if (watch->led_since_ms)
			show(watch, NULL);
		watch->led_since_ms = 0;
		pause_ms = LOOK_MS_MIN;
	} else if (!watch->led_since_ms) {
		watch->led_since_ms = now_ms;
		pause_ms = settle_ms;
	} else if (!watch->run && !watch->is_asking && now_ms - watch->led_since_ms >= settle_ms) {
		watch->is_asking = daily_get(watch->options.link, JOB, now_ms, on_note, watch);
	}
	loop_timer_set(watch->options.loop, &watch->timer, pause_ms);
}
