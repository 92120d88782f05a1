/*
 * What is asked depends on the domain alone, so a first check without identities asks the questions; a
 * second one, which has them, gets the same answers.
 */
#include "inspect/dmarc_lookup.h"

#include "dns/ascii_name.h"
#include "skein/proto/base/alloc.h"
#include "skein/proto/dns/records.h"

enum { ANSWERS_MAX = 2 };

struct dmarc_lookup {
	struct loop *loop;
	struct resolver *resolver;
	loop_fn *fn;
	void *arg;
	struct span domain; /* in the arena */
	struct arena arena;
	struct dmarc_check *check;
	struct dns_answer *answers[ANSWERS_MAX]; /* in the order of the questions; NULL: there was none */
	size_t count;
	struct dns_question *question; /* NULL: none is open */
	struct loop_task done;
};

static const enum dmarc_answer_status statuses[] = {
	[DNS_OK] = DMARC_ANSWER_RECORDS,
	[DNS_NXDOMAIN] = DMARC_ANSWER_NONE,
	[DNS_NODATA] = DMARC_ANSWER_NONE,
	[DNS_SERVFAIL] = DMARC_ANSWER_TEMPERROR,
	[DNS_TIMEOUT] = DMARC_ANSWER_TEMPERROR,
};

static void go_on(struct dmarc_lookup *lookup);

static void on_done(void *arg)
{
	struct dmarc_lookup *lookup = arg;

	lookup->fn(lookup->arg);
}

static void tell(struct dmarc_check *check, const struct dns_answer *answer)
{
	struct dmarc_answer told = { .status = DMARC_ANSWER_TEMPERROR };
	struct arena arena = { 0 };

	if (answer) {
		told.status = statuses[answer->status];
		told.count = dns_records_read(DNS_TXT, answer->records, answer->count, &arena, &told.records);
	}
	dmarc_check_answer(check, &told);
	arena_fini(&arena);
}

static void on_answer(void *arg, struct dns_answer *answer)
{
	struct dmarc_lookup *lookup = arg;

	lookup->question = NULL;
	CHECK(lookup->count < ANSWERS_MAX);
	lookup->answers[lookup->count++] = dns_answer_ref(answer);
	tell(lookup->check, answer);
	go_on(lookup);
}

static void go_on(struct dmarc_lookup *lookup)
{
	const struct dns_asker asker = { .loop = lookup->loop, .fn = on_answer, .arg = lookup };
	struct span name;

	if (!dmarc_check_question(lookup->check, &name)) {
		loop_defer(lookup->loop, &lookup->done);
		return;
	}
	lookup->question =
		resolver_ask(lookup->resolver, arena_strdup(&lookup->arena, name), DNS_TXT, &asker);
}

struct dmarc_lookup *dmarc_lookup_start(const struct dmarc_lookup_request *request)
{
	struct dmarc_lookup *lookup = mem_zalloc(sizeof(*lookup));
	const char *domain = dns_ascii_name(&lookup->arena, request->domain);
	struct dmarc_request check = { .dkim_count = 0 };

	lookup->loop = request->loop;
	lookup->resolver = request->resolver;
	lookup->fn = request->fn;
	lookup->arg = request->arg;
	lookup->domain = domain ? span_of_str(domain) : arena_dup(&lookup->arena, request->domain);
	loop_task_init(&lookup->done, on_done, lookup);
	check.from_domain = lookup->domain;
	lookup->check = dmarc_check_new(&check);
	go_on(lookup);
	return lookup;
}

void dmarc_lookup_free(struct dmarc_lookup **lookup_ptr)
{
	struct dmarc_lookup *lookup = *lookup_ptr;

	*lookup_ptr = NULL;
	if (!lookup)
		return;
	loop_task_cancel(&lookup->done);
	dns_question_cancel(&lookup->question);
	for (size_t i = 0; i < lookup->count; i++)
		dns_answer_unref(&lookup->answers[i]);
	dmarc_check_free(&lookup->check);
	arena_fini(&lookup->arena);
	mem_free(lookup);
}

void dmarc_lookup_give_up(struct dmarc_lookup *lookup)
{
	loop_task_cancel(&lookup->done);
	dns_question_cancel(&lookup->question);
}

const struct dmarc_verdict *dmarc_lookup_judge(
	struct dmarc_lookup *lookup, const struct dmarc_request *identities)
{
	struct dmarc_request request = *identities;
	struct span name;
	size_t next = 0;

	request.from_domain = lookup->domain;
	dmarc_check_free(&lookup->check);
	lookup->check = dmarc_check_new(&request);
	while (dmarc_check_question(lookup->check, &name))
		tell(lookup->check, next < lookup->count ? lookup->answers[next++] : NULL);
	return dmarc_check_verdict(lookup->check);
}
