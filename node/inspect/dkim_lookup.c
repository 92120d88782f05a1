#include "inspect/dkim_lookup.h"

#include "dns/ascii_name.h"
#include "io/wall_clock.h"
#include "skein/proto/base/alloc.h"
#include "skein/proto/base/base64.h"
#include "skein/proto/dns/records.h"

/* One signature. */
struct entry {
	struct dkim_lookup *lookup;
	struct dns_question *question; /* NULL: none is open */
	bool is_verifiable;            /* it has its record, or needs none */
	struct span record;
	/* The pool's while it works. */
	enum dkim_verdict verdict;
	const char *why;
};

struct dkim_lookup {
	uv_work_t work;
	struct dkim_lookup_request request; /* fn NULL: nobody waits any more */
	bool is_working, is_freed;
	size_t count, open; /* signatures, questions */
	struct entry entries[DKIM_SIGNATURES_MAX];
	struct dkim_finding findings[DKIM_SIGNATURES_MAX];
	int64_t now_s;
	struct arena arena;
	struct loop_task verify;
};

static const enum dkim_result results[] = {
	[DKIM_PASS] = DKIM_RESULT_PASS,
	[DKIM_FAIL] = DKIM_RESULT_FAIL,
	[DKIM_NEUTRAL] = DKIM_RESULT_NEUTRAL,
	[DKIM_PERMERROR] = DKIM_RESULT_PERMERROR,
};

const char *dkim_result_name(enum dkim_result result)
{
	static const char *const names[] = {
		[DKIM_RESULT_NONE] = "none",
		[DKIM_RESULT_PASS] = "pass",
		[DKIM_RESULT_FAIL] = "fail",
		[DKIM_RESULT_NEUTRAL] = "neutral",
		[DKIM_RESULT_TEMPERROR] = "temperror",
		[DKIM_RESULT_PERMERROR] = "permerror",
	};

	return names[result];
}

static void destroy(struct dkim_lookup *lookup)
{
	loop_task_cancel(&lookup->verify);
	for (size_t i = 0; i < lookup->count; i++)
		dns_question_cancel(&lookup->entries[i].question);
	dkim_verifier_free(&lookup->request.verifier);
	arena_fini(&lookup->arena);
	(*lookup->request.under_way)--;
	mem_free(lookup);
}

/* --- the signatures ----------------------------------------------------------------------------- */

static void work_in_pool(uv_work_t *work)
{
	struct dkim_lookup *lookup = work->data;

	for (size_t i = 0; i < lookup->count; i++) {
		struct entry *entry = &lookup->entries[i];

		if (entry->is_verifiable)
			entry->verdict = dkim_verifier_check(
				lookup->request.verifier, i, entry->record, lookup->now_s, &entry->why);
	}
}

static void on_worked(uv_work_t *work, int status)
{
	struct dkim_lookup *lookup = work->data;

	CHECK(status == 0);
	lookup->is_working = false;
	if (lookup->is_freed) {
		destroy(lookup);
		return;
	}
	if (!lookup->request.fn)
		return;
	for (size_t i = 0; i < lookup->count; i++) {
		if (!lookup->entries[i].is_verifiable)
			continue;
		lookup->findings[i].result = results[lookup->entries[i].verdict];
		lookup->findings[i].why = lookup->entries[i].why;
	}
	lookup->request.fn(lookup->request.arg);
}

static void verify(void *arg)
{
	struct dkim_lookup *lookup = arg;

	lookup->is_working = true;
	CHECK(uv_queue_work(&lookup->request.loop->uv, &lookup->work, work_in_pool, on_worked) == 0);
}

/* --- their keys --------------------------------------------------------------------------------- */

/* RFC 6376 3.6.2.2: of several records any one may be taken. */
static void take_record(struct entry *entry, const struct dns_answer *answer)
{
	struct arena *arena = &entry->lookup->arena;
	const struct span *records;

	if (dns_records_read(DNS_TXT, answer->records, answer->count, arena, &records))
		entry->record = records[0];
	entry->is_verifiable = true;
}

static void on_answer(void *arg, struct dns_answer *answer)
{
	struct entry *entry = arg;
	struct dkim_lookup *lookup = entry->lookup;

	entry->question = NULL;
	if (answer->status == DNS_SERVFAIL || answer->status == DNS_TIMEOUT)
		lookup->findings[entry - lookup->entries].why = "the key record cannot be looked up now";
	else
		take_record(entry, answer);
	if (--lookup->open == 0)
		loop_defer(lookup->request.loop, &lookup->verify);
}

static void ask(struct entry *entry, const char *name)
{
	struct dkim_lookup *lookup = entry->lookup;
	const struct dns_asker asker = { .loop = lookup->request.loop, .fn = on_answer, .arg = entry };

	lookup->open++;
	entry->question = resolver_ask(lookup->request.resolver, name, DNS_TXT, &asker);
}

static const char *key_name(struct dkim_lookup *lookup, const struct dkim_finding *finding)
{
	struct buf name = { 0 };
	const char *ascii;

	buf_printf(&name, "%.*s._domainkey.%.*s", SPAN_ARGS(finding->selector), SPAN_ARGS(finding->domain));
	ascii = dns_ascii_name(&lookup->arena, buf_span(&name));
	buf_fini(&name);
	return ascii;
}

/* --- the start ---------------------------------------------------------------------------------- */

static void describe(
	struct dkim_lookup *lookup, const struct dkim_signature *signature, struct dkim_finding *finding_out)
{
	struct buf text = { 0 };

	*finding_out = (struct dkim_finding){
		.result = DKIM_RESULT_TEMPERROR,
		.why = "it could not be verified in time",
		.domain = arena_dup(&lookup->arena, signature->domain),
		.selector = arena_dup(&lookup->arena, signature->selector),
		.identity =
			arena_dup(&lookup->arena, signature->fault ? span_of(NULL, 0) : signature->identity),
	};
	if (!signature->fault && signature->signature_len >= DKIM_MARK_LEN * 3 / 4)
		base64_encode(&text, span_of(signature->signature, DKIM_MARK_LEN * 3 / 4));
	finding_out->mark = arena_dup(&lookup->arena, buf_span(&text));
	buf_fini(&text);
}

static void begin_entry(struct dkim_lookup *lookup, size_t index)
{
	const struct dkim_signature *signature = dkim_verifier_signature(lookup->request.verifier, index);
	struct dkim_finding *finding = &lookup->findings[index];
	struct entry *entry = &lookup->entries[index];
	const char *name;

	entry->lookup = lookup;
	describe(lookup, signature, finding);
	if (signature->fault) {
		entry->is_verifiable = true;
		return;
	}
	name = key_name(lookup, finding);
	if (name) {
		ask(entry, name);
	} else {
		finding->result = DKIM_RESULT_PERMERROR;
		finding->why = "the domain (d=) or the selector (s=) is no name that the DNS could have";
	}
}

struct dkim_lookup *dkim_lookup_start(const struct dkim_lookup_request *request)
{
	struct dkim_lookup *lookup = mem_zalloc(sizeof(*lookup));

	lookup->work.data = lookup;
	lookup->request = *request;
	lookup->count = dkim_verifier_count(request->verifier);
	lookup->now_s = (int64_t)(wall_clock_ms() / 1000);
	loop_task_init(&lookup->verify, verify, lookup);
	(*request->under_way)++;
	for (size_t i = 0; i < lookup->count; i++)
		begin_entry(lookup, i);
	if (!lookup->open)
		loop_defer(request->loop, &lookup->verify);
	return lookup;
}

void dkim_lookup_free(struct dkim_lookup **lookup_ptr)
{
	struct dkim_lookup *lookup = *lookup_ptr;

	*lookup_ptr = NULL;
	if (!lookup)
		return;
	lookup->request.fn = NULL;
	lookup->is_freed = true;
	if (!lookup->is_working)
		destroy(lookup);
}

void dkim_lookup_give_up(struct dkim_lookup *lookup)
{
	lookup->request.fn = NULL;
	loop_task_cancel(&lookup->verify);
	for (size_t i = 0; i < lookup->count; i++)
		dns_question_cancel(&lookup->entries[i].question);
}

size_t dkim_lookup_findings(const struct dkim_lookup *lookup, const struct dkim_finding **findings_out)
{
	*findings_out = lookup->findings;
	return lookup->count;
}
