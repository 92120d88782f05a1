/*
 * At once: SPF, and the message is read. When it was read: the keys of its signatures and the policies of the
 * domains in From. When the last of these has come, or time is up: the verdict.
 */
#include "inspect/authentication.h"

#include "custody/trail.h"
#include "inspect/dmarc_lookup.h"
#include "inspect/findings.h"
#include "inspect/reading.h"
#include "inspect/spf_lookup.h"
#include "skein/proto/base/alloc.h"
#include "track/tracker.h"

struct authentication {
	struct authentication_desk *desk;
	const struct inspection *inspection;
	struct message *message; /* counted */
	authentication_fn *fn;
	void *arg;
	size_t open; /* parts that are not through */
	struct loop_timer deadline;
	uint64_t began_ms;
	struct spf_lookup *spf;
	struct reading *reading;
	bool is_read;
	struct dkim_lookup *dkim; /* NULL: no signature to look at, dkim_why says why */
	const char *dkim_why;
	struct dmarc_lookup *authors[AUTHOR_DOMAINS_MAX];
	size_t author_count;
};

static bool has(const struct authentication *authentication, enum inspection_check check)
{
	return authentication->inspection->actions[check] != INSPECTION_OFF;
}

static void destroy(struct authentication *authentication)
{
	loop_timer_cancel(authentication->desk->loop, &authentication->deadline);
	spf_lookup_free(&authentication->spf);
	reading_free(&authentication->reading);
	dkim_lookup_free(&authentication->dkim);
	for (size_t i = 0; i < authentication->author_count; i++)
		dmarc_lookup_free(&authentication->authors[i]);
	message_unref(&authentication->message);
	mem_free(authentication);
}

/* --- the end ------------------------------------------------------------------------------------ */

static void count(struct meter *meter, const struct findings *findings)
{
	if (findings_has(findings, INSPECTION_SPF))
		meter_add_at(meter, METRIC_SPF_RESULTS, findings->spf->result, 1);
	for (size_t i = 0; i < findings->dkim_count; i++)
		meter_add_at(meter, METRIC_DKIM_RESULTS, findings->dkim[i].result, 1);
	if (findings_has(findings, INSPECTION_DKIM) && !findings->dkim_count) {
		size_t none;

		meter_add_at(meter, METRIC_DKIM_RESULTS, findings_dkim(findings, &none), 1);
	}
	if (findings_has(findings, INSPECTION_DMARC))
		meter_add_at(meter, METRIC_DMARC_RESULTS, findings->dmarc_result, 1);
}

static const char *action_name(const struct smtp_reply *refusal)
{
	if (!refusal)
		return "taken";
	return refusal->code < 500 ? "deferred" : "refused";
}

/* "spf=pass for good.example, dkim=none, dmarc=off" */
static void append_result(struct buf *out, const char *what, const char *result, struct span domain)
{
	buf_printf(out, "%s%s=%s", buf_len(out) ? ", " : "", what, result);
	if (domain.len)
		buf_printf(out, " for %.*s", SPAN_ARGS(domain));
}

static void tell(const struct authentication *authentication, const struct findings *findings,
	const struct smtp_reply *refusal)
{
	const struct authentication_desk *desk = authentication->desk;
	const struct span none = { 0 };
	struct track_event event = { .kind = TRACK_INSPECT };
	size_t best;
	enum dkim_result dkim = findings_dkim(findings, &best);
	struct msg_id_text id;
	struct buf text = { 0 };

	append_result(&text, "spf", findings->spf ? spf_result_name(findings->spf->result) : "off",
		findings->spf ? findings->spf->domain : none);
	append_result(&text, "dkim", has(authentication, INSPECTION_DKIM) ? dkim_result_name(dkim) : "off",
		best < findings->dkim_count ? findings->dkim[best].domain : none);
	append_result(&text, "dmarc",
		has(authentication, INSPECTION_DMARC) ? dmarc_result_name(findings->dmarc_result) : "off",
		findings->dmarc ? findings->dmarc->from_domain : none);
	if (findings->dmarc)
		buf_printf(&text, " which asks for %s", dmarc_policy_name(findings->dmarc->policy));
	trail_fill(&event, authentication->message, &id);
	event.latency_us = (loop_now_ms(desk->loop) - authentication->began_ms) * 1000;
	event.text[TRACK_TEXT] = buf_span(&text);
	event.text[TRACK_RULE] = span_of_str(action_name(refusal));
	event.text[TRACK_ABOUT] = span_of_str(authentication->inspection->name);
	track_write(desk->track, &event);
	buf_fini(&text);
}

static void judge_authors(struct authentication *authentication, struct findings *findings)
{
	findings->dmarc_result = findings->is_unread ? DMARC_TEMPERROR : DMARC_PERMERROR;
	findings->dmarc_why = findings->is_unread ? findings->dkim_why : "From names no domain";
	for (size_t i = 0; i < authentication->author_count; i++)
		findings_add_author(
			findings, authentication->authors[i], random_u32(authentication->desk->random));
}

static void collect(struct authentication *authentication, struct findings *findings)
{
	const struct envelope *envelope = &authentication->message->envelope;

	*findings = (struct findings){
		.inspection = authentication->inspection,
		.client = envelope->client_ip,
		.helo = envelope->helo,
		.sender = envelope->sender,
		.spf = authentication->spf ? spf_lookup_verdict(authentication->spf) : NULL,
		.dkim_why = authentication->dkim_why,
		.is_unread = authentication->reading && !authentication->is_read,
	};
	if (authentication->dkim)
		findings->dkim_count = dkim_lookup_findings(authentication->dkim, &findings->dkim);
	judge_authors(authentication, findings);
}

static void finish(struct authentication *authentication)
{
	struct authentication_report report = { .refusal = NULL };
	struct smtp_reply reply;
	struct findings findings;
	struct buf field = { 0 };
	char text[FINDINGS_REPLY_MAX];

	collect(authentication, &findings);
	findings_append_field(&findings, span_of_str(authentication->desk->settings->node.hostname), &field);
	report.field = buf_span(&field);
	if (findings_refuse(&findings, text, &reply))
		report.refusal = &reply;
	count(authentication->desk->meter, &findings);
	tell(authentication, &findings, report.refusal);
	authentication->fn(authentication->arg, &report);
	buf_fini(&field);
	destroy(authentication);
}

static void part_is_through(void *arg)
{
	struct authentication *authentication = arg;

	if (--authentication->open == 0)
		finish(authentication);
}

static void on_deadline(void *arg)
{
	struct authentication *authentication = arg;

	if (authentication->spf)
		spf_lookup_give_up(authentication->spf);
	if (authentication->dkim)
		dkim_lookup_give_up(authentication->dkim);
	for (size_t i = 0; i < authentication->author_count; i++)
		dmarc_lookup_give_up(authentication->authors[i]);
	if (authentication->reading && !authentication->is_read)
		authentication->dkim_why = "the message could not be read in time";
	finish(authentication);
}

/* --- the parts ---------------------------------------------------------------------------------- */

static void begin_dkim(struct authentication *authentication)
{
	struct dkim_lookup_request request = {
		.loop = authentication->desk->loop,
		.resolver = authentication->desk->resolver,
		.under_way = &authentication->desk->under_way,
		.verifier = reading_take_verifier(authentication->reading, &authentication->dkim_why),
		.fn = part_is_through,
		.arg = authentication,
	};

	if (!request.verifier)
		return;
	authentication->dkim = dkim_lookup_start(&request);
	authentication->open++;
}

static void begin_authors(struct authentication *authentication)
{
	const struct author_domains *domains = reading_authors(authentication->reading);
	struct dmarc_lookup_request request = {
		.loop = authentication->desk->loop,
		.resolver = authentication->desk->resolver,
		.fn = part_is_through,
		.arg = authentication,
	};

	for (size_t i = 0; i < domains->count; i++) {
		request.domain = author_domain(domains, i);
		authentication->authors[authentication->author_count++] = dmarc_lookup_start(&request);
		authentication->open++;
	}
}

static void on_read(void *arg)
{
	struct authentication *authentication = arg;

	if (reading_fault(authentication->reading)) {
		authentication->dkim_why = "the stored message cannot be read";
	} else {
		authentication->is_read = true;
		begin_dkim(authentication);
		if (has(authentication, INSPECTION_DMARC))
			begin_authors(authentication);
	}
	part_is_through(authentication);
}

static void begin_reading(struct authentication *authentication, size_t own_size)
{
	const struct reading_request request = {
		.loop = authentication->desk->loop,
		.under_way = &authentication->desk->under_way,
		.body = authentication->message->body,
		.own_size = own_size,
		.fn = on_read,
		.arg = authentication,
	};

	authentication->reading = reading_start(&request);
	authentication->open++;
}

static void begin_spf(struct authentication *authentication)
{
	const struct envelope *envelope = &authentication->message->envelope;
	struct spf_lookup_request request = {
		.loop = authentication->desk->loop,
		.resolver = authentication->desk->resolver,
		.helo = envelope->helo,
		.sender = envelope->sender,
		.hostname = span_of_str(authentication->desk->settings->node.hostname),
		.fn = part_is_through,
		.arg = authentication,
	};

	CHECK(dns_ip_of_text(envelope->client_ip, &request.client)); /* our own text */
	authentication->spf = spf_lookup_start(&request);
	authentication->open++;
}

struct authentication *authentication_begin(struct authentication_desk *desk,
	const struct authentication_request *request, authentication_fn *fn, void *arg)
{
	struct authentication *authentication = mem_zalloc(sizeof(*authentication));

	authentication->desk = desk;
	authentication->inspection = request->inspection;
	authentication->message = message_ref(request->message);
	authentication->fn = fn;
	authentication->arg = arg;
	authentication->began_ms = loop_now_ms(desk->loop);
	loop_timer_init(&authentication->deadline, on_deadline, authentication);
	loop_timer_set(desk->loop, &authentication->deadline, desk->settings->inspect.timeout_ms);
	if (has(authentication, INSPECTION_SPF) || has(authentication, INSPECTION_DMARC))
		begin_spf(authentication);
	if (has(authentication, INSPECTION_DKIM) || has(authentication, INSPECTION_DMARC))
		begin_reading(authentication, request->own_size);
	return authentication;
}

void authentication_cancel(struct authentication **authentication)
{
	if (*authentication)
		destroy(*authentication);
	*authentication = NULL;
}
