/*
 * One message, piece by piece. On the loop: the reader gives a piece, work is queued, the answer asks for the
 * next. In the pool: header pieces are collected until the header section ends, then its author decides
 * whether it is signed, and by which rules; from there on pieces go to the signer. What the pool works on is
 * not touched by the loop meanwhile.
 */
#include "outbound/signing.h"

#include "dns/ascii_name.h"
#include "io/wall_clock.h"
#include "outbound/signing_set.h"
#include "skein/proto/base/alloc.h"
#include "skein/proto/dkim/header.h"
#include "skein/proto/mail/author.h"

#include <stdio.h>

enum { PIECE = 64 * 1024 };

enum signing_decision {
	SIGNING_OPEN, /* the header is not read yet */
	SIGNING_NO,
	SIGNING_YES,
};

struct signing_job {
	uv_work_t work;
	struct signing_desk *desk;
	struct message *message; /* counted */
	struct signing_set *set;
	struct outgoing *outgoing;
	uint64_t form;
	signing_fn *fn; /* NULL: cancelled */
	void *arg;
	bool is_working;
	/* The pool's while it works. */
	struct span piece;
	bool is_last;
	int64_t now_s;
	struct author_domains sender; /* at most one */
	enum signing_decision decision;
	const struct signing_entry *entry;
	struct dkim_header header;
	struct dkim_signer *signer;
	struct buf fields;
	char why[SIGNING_WHY_MAX]; /* "": no failure */
};

/* --- in the pool -------------------------------------------------------------------------------- */

static void find_authors(const struct dkim_header *header, struct author_domains *authors)
{
	for (size_t i = 0; i < header->count; i++) {
		struct span field = dkim_header_field(header, i);

		if (span_eq_nocase(dkim_header_name(header, i), SPAN_LIT("from")))
			author_domains_add(authors, span_drop(field, span_find(field, ':') + 1));
	}
}

/* The policy and the DNS have A-labels; who writes U-labels (RFC 6532) means the same domain. */
static struct span in_a_labels(struct arena *arena, struct span domain)
{
	const char *ascii = dns_ascii_name(arena, domain);

	return ascii ? span_of_str(ascii) : domain;
}

static const struct signing_entry *find_entry(const struct signing_job *job)
{
	struct author_domains authors = { .count = 0 };
	struct span domains[AUTHOR_DOMAINS_MAX], sender = { 0 };
	const struct signing_entry *entry;
	struct arena arena = { 0 };

	find_authors(&job->header, &authors);
	/* Nobody can say who wrote what is malformed: then it is who sends it. */
	if (job->header.state != DKIM_HEADER_ENDED && !authors.count)
		authors = job->sender;
	for (size_t i = 0; i < authors.count; i++)
		domains[i] = in_a_labels(&arena, author_domain(&authors, i));
	if (job->sender.count)
		sender = in_a_labels(&arena, author_domain(&job->sender, 0));
	entry = signing_set_find(job->set, domains, authors.count, sender);
	arena_fini(&arena);
	return entry;
}

static void decide(struct signing_job *job)
{
	const char *fault = dkim_header_fault(&job->header);

	job->entry = find_entry(job);
	job->decision = job->entry ? SIGNING_YES : SIGNING_NO;
	if (!job->entry)
		return;
	if (!job->entry->rule_count)
		snprintf(job->why, sizeof(job->why), "%s", signing_set_why_none(job->set));
	else if (fault)
		snprintf(job->why, sizeof(job->why), "%s", fault);
}

static void begin_signer(struct signing_job *job)
{
	const struct dkim_signer_options options = { job->entry->rules, job->entry->rule_count,
		DKIM_HEADER_SIZE_MAX, DKIM_HEADER_FIELDS_MAX };

	job->signer = dkim_signer_new(&options);
	dkim_signer_feed(job->signer, buf_span(&job->header.text));
}

/* Takes what is header from the front of `rest`. */
static void read_header(struct signing_job *job, struct span *rest)
{
	enum dkim_header_state state = dkim_header_feed(&job->header, rest);

	if (state == DKIM_HEADER_READING && job->is_last)
		state = dkim_header_end(&job->header);
	if (state == DKIM_HEADER_READING)
		return;
	decide(job);
	if (job->decision == SIGNING_YES && !job->why[0])
		begin_signer(job);
}

static void end_signer(struct signing_job *job)
{
	const char *why;

	if (dkim_signer_end(job->signer, job->now_s, &job->fields, &why))
		snprintf(job->why, sizeof(job->why), "%s", why);
}

static void work_in_pool(uv_work_t *work)
{
	struct signing_job *job = work->data;
	struct span rest = job->piece;

	if (job->why[0])
		return;
	if (job->decision == SIGNING_OPEN)
		read_header(job, &rest);
	if (!job->signer)
		return;
	dkim_signer_feed(job->signer, rest);
	if (job->is_last)
		end_signer(job);
}

/* --- on the loop -------------------------------------------------------------------------------- */

static void destroy(struct signing_job *job)
{
	outgoing_free(&job->outgoing);
	dkim_signer_free(&job->signer);
	dkim_header_fini(&job->header);
	buf_fini(&job->fields);
	signing_set_unref(&job->set);
	message_unref(&job->message);
	job->desk->under_way--;
	mem_free(job);
}

/* A signature with an end is made anew when half of its time is over. */
static void keep(struct signing_job *job)
{
	struct message_signature *signature = &job->message->signature;
	uint32_t lifetime_s = job->entry ? job->entry->lifetime_s : 0;

	buf_fini(&signature->fields);
	signature->fields = job->fields;
	job->fields = (struct buf){ 0 };
	signature->set = signing_set_number(job->set);
	signature->form = job->form;
	signature->good_until_s = lifetime_s ? job->now_s + lifetime_s / 2 : INT64_MAX;
}

static void tell(const struct signing_job *job)
{
	struct signing_desk *desk = job->desk;

	if (!job->why[0]) {
		meter_add(desk->meter, METRIC_MESSAGES_SIGNED, job->decision == SIGNING_YES);
		return;
	}
	meter_add(desk->meter, METRIC_SIGNING_FAILURES, 1);
	log_event(desk->log, LOG_WARN, "message-not-signed",
		LOG_STR("id", msg_id_format(&job->message->holding.id).text),
		LOG_SPAN("sender", job->message->envelope.sender), LOG_STR("why", job->why),
		LOG_STR("then", "it waits"), LOG_END);
}

static void finish(struct signing_job *job)
{
	signing_fn *fn = job->fn;
	void *arg = job->arg;
	char why[SIGNING_WHY_MAX];

	memcpy(why, job->why, sizeof(why));
	tell(job);
	if (!why[0])
		keep(job);
	destroy(job);
	fn(arg, why[0] ? why : NULL);
}

static void on_worked(uv_work_t *work, int status);

/* Failures go through the pool too: nobody is called back from inside a call. */
static void advance(struct signing_job *job)
{
	switch (outgoing_next(job->outgoing, &job->piece)) {
	case BODY_READ_WAIT:
		return;
	case BODY_READ_PIECE:
		job->is_last = outgoing_is_last(job->outgoing);
		break;
	case BODY_READ_END: /* never before the last piece */
	case BODY_READ_FAILED:
		snprintf(job->why, sizeof(job->why), "the stored message cannot be read: %s",
			err_text(outgoing_error(job->outgoing)));
		break;
	}
	job->is_working = true;
	CHECK(uv_queue_work(&job->desk->loop->uv, &job->work, work_in_pool, on_worked) == 0);
}

/* The bytes that were signed are those that were stored. */
static void check_end(struct signing_job *job)
{
	struct span none;

	if (outgoing_next(job->outgoing, &none) != BODY_READ_END)
		snprintf(job->why, sizeof(job->why), "the stored message cannot be read: %s",
			err_text(outgoing_error(job->outgoing)));
}

static void on_worked(uv_work_t *work, int status)
{
	struct signing_job *job = work->data;

	CHECK(status == 0);
	job->is_working = false;
	if (!job->fn) {
		destroy(job);
		return;
	}
	if (!job->why[0] && job->decision != SIGNING_NO && !job->is_last) {
		advance(job);
		return;
	}
	if (!job->why[0] && job->decision == SIGNING_YES)
		check_end(job);
	finish(job);
}

static void on_body_ready(void *arg)
{
	advance(arg);
}

static bool is_signed_already(const struct message *message, const struct signing_set *set, uint64_t form)
{
	return message->signature.set == signing_set_number(set) && message->signature.form == form &&
	       (int64_t)(wall_clock_ms() / 1000) < message->signature.good_until_s;
}

struct signing_job *signing_begin(struct signing_desk *desk, struct message *message,
	const struct signing_form *form, signing_fn *fn, void *arg)
{
	struct signing_set *set = desk->slot ? signing_slot_get(desk->slot) : NULL;
	struct signing_job *job;

	if (!set || is_signed_already(message, set, form->number)) {
		if (!set)
			message_drop_signature(message);
		signing_set_unref(&set);
		return NULL;
	}
	job = mem_zalloc(sizeof(*job));
	job->work.data = job;
	job->desk = desk;
	job->message = message_ref(message);
	job->set = set;
	job->fn = fn;
	job->arg = arg;
	job->form = form->number;
	job->now_s = (int64_t)(wall_clock_ms() / 1000);
	author_domains_add_address(&job->sender, form->sender);
	dkim_header_init(&job->header, DKIM_HEADER_SIZE_MAX, DKIM_HEADER_FIELDS_MAX);
	job->outgoing = outgoing_new(message->body, &form->change, PIECE, on_body_ready, job);
	desk->under_way++;
	advance(job);
	return job;
}

void signing_cancel(struct signing_job **job_ptr)
{
	struct signing_job *job = *job_ptr;

	*job_ptr = NULL;
	if (!job)
		return;
	job->fn = NULL;
	if (!job->is_working)
		destroy(job);
}
