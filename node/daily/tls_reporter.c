/*
 * Happy path: the timer claims a day of a domain → its TXT record says where to → the report is written, and
 * goes to one address after another, each noted in Redis → the day is done, and the next one is claimed.
 * Whatever fails is left to the next claim: Redis gives it out again.
 */
#include "daily/tls_reporter.h"

#include "daily/gzip.h"
#include "daily/tls_rows.h"
#include "io/random.h"
#include "io/wall_clock.h"
#include "skein/proto/base/alloc.h"
#include "skein/proto/mail/envelope.h"
#include "skein/proto/wire/tls_rpt.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

enum {
	AGAIN_MS = 3600000,
	ATTEMPTS_MAX = 5, /* the last one fifteen hours after the first: RFC 8460 5.5 */
	URIS_MAX = 8,     /* of one domain; the rest is left out */
	FETCH_MS = 60000,
	ANSWER_MAX = 64 * 1024,
	REASON_MAX = 200,
};

/* One report. */
struct errand {
	struct arena arena;
	uint64_t day, attempts;
	struct span domain;
	struct tls_report_policy policies[TLS_ROWS_POLICIES_MAX];
	size_t policy_count;
	struct tls_counts_day told; /* its fields alone */
	struct span uris[URIS_MAX];
	size_t uri_count, uri_next;
	size_t sent, failed;
	char why[REASON_MAX]; /* of the last failure */
	struct buf content;   /* compressed */
	struct dns_question *question;
	struct fetch *fetch;
};

struct tls_reporter {
	struct tls_reporter_options options;
	struct loop_timer timer;
	struct loop_task step;
	struct random random;
	struct loop_msg posted; /* the answer to a mail on its way */
	enum custody_verdict verdict;
	struct span submitter; /* of the settings */
	struct errand *errand; /* NULL: none */
	bool is_asking;        /* Redis, for an errand */
	bool is_posting;
};

static void look(void *arg);
static void step(void *arg);
static void on_posted(void *arg);

static struct span domain_of(const char *address)
{
	const char *at = strrchr(address, '@');

	return span_of_str(at ? at + 1 : address);
}

struct tls_reporter *tls_reporter_new(const struct tls_reporter_options *options)
{
	struct tls_reporter *self = mem_zalloc(sizeof(*self));

	self->options = *options;
	self->submitter = domain_of(options->settings->tls_reports.from);
	random_seed(&self->random);
	loop_timer_init(&self->timer, look, self);
	loop_task_init(&self->step, step, self);
	loop_msg_init(&self->posted, on_posted, self);
	loop_timer_set(options->loop, &self->timer, options->settings->tls_reports.interval_ms);
	return self;
}

static void end(struct tls_reporter *self)
{
	struct errand *errand = self->errand;

	self->errand = NULL;
	if (!errand)
		return;
	dns_question_cancel(&errand->question);
	fetch_cancel(&errand->fetch);
	buf_fini(&errand->content);
	arena_fini(&errand->arena);
	mem_free(errand);
}

void tls_reporter_free(struct tls_reporter **pointer)
{
	struct tls_reporter *self = *pointer;

	*pointer = NULL;
	if (!self)
		return;
	CHECK(!self->is_asking);
	end(self);
	loop_task_cancel(&self->step);
	loop_timer_cancel(self->options.loop, &self->timer);
	mem_free(self);
}

/* --- how it ends --------------------------------------------------------------------------------- */

static void count(const struct tls_reporter *self, enum tls_report_end how)
{
	meter_add_at(self->options.meter, METRIC_TLS_REPORTS, how, 1);
}

/* The next one may be due already. */
static void go_on(struct tls_reporter *self)
{
	end(self);
	loop_timer_set(self->options.loop, &self->timer, 0);
}

static void done(struct tls_reporter *self)
{
	(void)tls_counts_done(
		self->options.link, self->errand->day, self->errand->domain, loop_boottime_ms(), NULL, NULL);
	go_on(self);
}

static void tell_sent(const struct tls_reporter *self)
{
	const struct errand *errand = self->errand;
	uint64_t good = 0, failed = 0;

	for (size_t i = 0; i < errand->policy_count; i++) {
		good += errand->policies[i].good;
		failed += errand->policies[i].failed;
	}
	log_event(self->options.log, LOG_INFO, "tls-report-sent", LOG_SPAN("domain", errand->domain),
		LOG_U64("day", errand->day), LOG_U64("to", errand->sent), LOG_U64("good", good),
		LOG_U64("failed", failed), LOG_END);
	count(self, TLS_REPORT_SENT);
}

/* Something went wrong; the claim comes back, unless it was the last one. */
static void put_off(struct tls_reporter *self)
{
	const struct errand *errand = self->errand;
	bool is_last = errand->attempts >= ATTEMPTS_MAX;

	log_event(self->options.log, LOG_WARN, is_last ? "tls-report-dropped" : "tls-report-put-off",
		LOG_SPAN("domain", errand->domain), LOG_U64("day", errand->day),
		LOG_U64("attempts", errand->attempts), LOG_STR("why", errand->why), LOG_END);
	count(self, is_last ? TLS_REPORT_DROPPED : TLS_REPORT_PUT_OFF);
	if (is_last)
		done(self);
	else
		go_on(self);
}

/* --- one address after another ------------------------------------------------------------------- */

static void uri_failed(struct tls_reporter *self, const char *why)
{
	struct errand *errand = self->errand;

	errand->failed++;
	snprintf(errand->why, sizeof(errand->why), "%.*s: %s", (int)(REASON_MAX / 2),
		arena_strdup(&errand->arena, errand->uris[errand->uri_next]), why);
	errand->uri_next++;
	loop_defer(self->options.loop, &self->step);
}

static void uri_told(struct tls_reporter *self)
{
	struct errand *errand = self->errand;

	(void)tls_counts_told(self->options.link, errand->day, errand->domain, errand->uris[errand->uri_next],
		loop_boottime_ms(), NULL, NULL);
	errand->sent++;
	errand->uri_next++;
	loop_defer(self->options.loop, &self->step);
}

static void append_report_id(const struct tls_reporter *self, struct buf *out)
{
	buf_printf(out, "%" PRIu64 ".%.*s@%.*s", self->errand->day, SPAN_ARGS(self->errand->domain),
		SPAN_ARGS(self->submitter));
}

static void write_report(struct tls_reporter *self)
{
	const struct settings *settings = self->options.settings;
	const char *contact = settings->tls_reports.contact,
		   *organization = settings->tls_reports.organization;
	struct errand *errand = self->errand;
	struct buf text = { 0 }, id = { 0 };
	struct tls_report report = {
		.organization = *organization ? span_of_str(organization) : self->submitter,
		.contact = span_of_str(*contact ? contact : settings->tls_reports.from),
		.day_s = (int64_t)errand->day * TLS_REPORT_DAY_S,
		.policies = errand->policies,
		.policy_count = errand->policy_count,
	};

	append_report_id(self, &id);
	report.id = buf_span(&id);
	tls_report_append(&report, &text);
	gzip_append(buf_span(&text), &errand->content);
	buf_fini(&text);
	buf_fini(&id);
}

/* Any thread. */
static void on_verdict(void *arg, enum custody_verdict verdict)
{
	struct tls_reporter *self = arg;

	self->verdict = verdict; /* the post orders it */
	loop_post(self->options.loop, &self->posted);
}

/* UNKNOWN is a yes: another mail would be a second one. */
static void on_posted(void *arg)
{
	struct tls_reporter *self = arg;

	self->is_posting = false;
	if (!self->errand)
		return;
	if (self->verdict == CUSTODY_TAKEN || self->verdict == CUSTODY_UNKNOWN)
		uri_told(self);
	else
		uri_failed(self, "this node takes no mail now");
}

/* "mailto:a@b", also with "?subject=..." behind it. */
static void mail_to(struct tls_reporter *self, struct span address)
{
	const struct settings *settings = self->options.settings;
	struct errand *errand = self->errand;
	struct buf content = { 0 }, report_id = { 0 }, message_id = { 0 };
	uint64_t unguessable[2];
	char boundary[40];
	struct tls_report_mail mail = {
		.from = span_of_str(settings->tls_reports.from),
		.to = span_take(address, span_find(address, '?')),
		.domain = errand->domain,
		.submitter = self->submitter,
		.day_s = (int64_t)errand->day * TLS_REPORT_DAY_S,
		.now_s = (int64_t)(wall_clock_ms() / 1000),
		.boundary = boundary,
		.content = buf_span(&errand->content),
		.is_gzip = true,
	};
	/* RFC 8460 3: whose TLS is broken is to hear of it. */
	struct own_mail own = { .sender = mail.from, .recipient = mail.to, .tls_optional = true };

	if (!envelope_addr_is_safe(mail.to, false)) {
		uri_failed(self, "is no address that mail can be sent to");
		return;
	}
	CHECK(getrandom(unguessable, sizeof(unguessable), 0) == (ssize_t)sizeof(unguessable));
	snprintf(boundary, sizeof(boundary), "%016" PRIx64 "%016" PRIx64, unguessable[0], unguessable[1]);
	append_report_id(self, &report_id);
	buf_printf(&message_id, "%016" PRIx64 ".%016" PRIx64 "@%s", random_u64(&self->random),
		random_u64(&self->random), settings->node.hostname);
	mail.offset_min = wall_clock_offset_min(mail.now_s);
	mail.report_id = buf_span(&report_id);
	mail.message_id = buf_span(&message_id);
	tls_report_append_mail(&mail, &content);
	own.content = buf_span(&content);
	self->is_posting = true;
	self->options.post(self->options.poster, &own, on_verdict, self);
	buf_fini(&content);
	buf_fini(&report_id);
	buf_fini(&message_id);
}

static void on_fetched(void *arg, const struct fetch_result *result)
{
	struct tls_reporter *self = arg;
	char why[64];

	self->errand->fetch = NULL;
	if (result->outcome != FETCH_ANSWERED) {
		uri_failed(self, result->why);
	} else if (result->status / 100 != 2) {
		snprintf(why, sizeof(why), "the server answers with %u", result->status);
		uri_failed(self, why);
	} else {
		uri_told(self);
	}
}

static void post_to(struct tls_reporter *self, struct span uri)
{
	static const char *const headers[] = { "Content-Type: application/tlsrpt+gzip" };
	const struct fetch_request request = {
		.method = "POST",
		.url = arena_strdup(&self->errand->arena, uri),
		.headers = headers,
		.header_count = ARRAY_LEN(headers),
		.body = buf_span(&self->errand->content),
		.answer_max = ANSWER_MAX,
		.timeout_ms = FETCH_MS,
		.fn = on_fetched,
		.arg = self,
	};

	self->errand->fetch = fetch_start(self->options.fetcher, &request);
}

/* The next address, or the end. */
static void step(void *arg)
{
	struct tls_reporter *self = arg;
	struct errand *errand = self->errand;
	struct span mailto = SPAN_LIT("mailto:"), uri;

	while (errand->uri_next < errand->uri_count &&
		tls_rows_is_told(&errand->told, errand->uris[errand->uri_next]))
		errand->uri_next++;
	if (errand->uri_next < errand->uri_count) {
		uri = errand->uris[errand->uri_next];
		if (span_starts_with_nocase(uri, mailto))
			mail_to(self, span_drop(uri, mailto.len));
		else
			post_to(self, uri);
		return;
	}
	if (errand->sent)
		tell_sent(self);
	if (errand->failed)
		put_off(self);
	else
		done(self);
}

/* --- where to ------------------------------------------------------------------------------------ */

/* RFC 8460 3: exactly one that begins as such; else reports are not wanted. */
static void take_record(struct errand *errand, const struct dns_answer *answer)
{
	struct span text, list = span_of("", 0), uri;
	size_t found = 0;

	for (size_t i = 0; i < answer->count; i++) {
		if (!dns_txt_parse(answer->records[i], &errand->arena, &text) || !tls_rpt_record_is_one(text))
			continue;
		found++;
		if (tls_rpt_record_parse(text, &list))
			list = span_of("", 0);
	}
	if (found != 1)
		return;
	while (errand->uri_count < URIS_MAX && tls_rpt_uri_next(&list, &uri))
		errand->uris[errand->uri_count++] = arena_dup(&errand->arena, uri);
}

static void on_record(void *arg, struct dns_answer *answer)
{
	struct tls_reporter *self = arg;
	struct errand *errand = self->errand;

	errand->question = NULL;
	if (answer->status == DNS_SERVFAIL || answer->status == DNS_TIMEOUT) {
		snprintf(errand->why, sizeof(errand->why), "the DNS does not say where to: %s", answer->why);
		put_off(self);
		return;
	}
	take_record(errand, answer);
	if (!errand->uri_count || !errand->policy_count) {
		done(self);
		return;
	}
	write_report(self);
	loop_defer(self->options.loop, &self->step);
}

/* Borrowed fields that say where it has gone. */
static void keep_told(struct errand *errand, const struct tls_counts_day *day)
{
	struct tls_counts_field *fields =
		arena_alloc(&errand->arena, (day->field_count + 1) * sizeof(*fields));

	errand->told.fields = fields;
	for (size_t i = 0; i < day->field_count; i++)
		if (span_starts_with(day->fields[i].name, SPAN_LIT("told ")))
			fields[errand->told.field_count++].name =
				arena_dup(&errand->arena, day->fields[i].name);
}

static void begin(struct tls_reporter *self, const struct tls_counts_day *day)
{
	struct errand *errand = mem_zalloc(sizeof(*errand));
	const struct dns_asker asker = { .loop = self->options.loop, .fn = on_record, .arg = self };
	struct buf name = { 0 };

	self->errand = errand;
	errand->day = day->day;
	errand->attempts = day->attempts;
	errand->domain = arena_dup(&errand->arena, day->domain);
	errand->policy_count = tls_rows_policies(day, &errand->arena, errand->policies);
	keep_told(errand, day);
	buf_printf(&name, "_smtp._tls.%.*s", SPAN_ARGS(day->domain));
	buf_append_byte(&name, '\0');
	errand->question = resolver_ask(self->options.resolver, buf_span(&name).ptr, DNS_TXT, &asker);
	buf_fini(&name);
}

static void on_claimed(void *arg, const struct outcome *outcome, const struct tls_counts_day *day)
{
	struct tls_reporter *self = arg;

	self->is_asking = false;
	if (outcome_is_ok(outcome) && day->domain.len)
		begin(self, day);
}

static void look(void *arg)
{
	struct tls_reporter *self = arg;
	uint64_t pause_ms = self->options.settings->tls_reports.interval_ms;

	if (member_is_leader(self->options.member) && !self->errand && !self->is_asking && !self->is_posting)
		self->is_asking =
			tls_counts_claim(self->options.link, AGAIN_MS, loop_boottime_ms(), on_claimed, self);
	loop_timer_set(
		self->options.loop, &self->timer, pause_ms - random_u32(&self->random) % (pause_ms / 4));
}
