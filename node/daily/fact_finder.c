#include "daily/fact_finder.h"

#include "dns/resolver.h"
#include "http/fetch.h"
#include "skein/proto/base/alloc.h"
#include "skein/proto/dns/records.h"
#include "skein/proto/wire/mta_sts.h"

enum { AT_ONCE_MAX = 32, FETCH_MS = 10000 };

/* One look-up under way. */
struct errand {
	struct list link;
	struct fact_finder *finder;
	struct dns_wanted wanted;
	struct dns_question *question;
	struct fetch *fetch;
};

struct fact_finder {
	struct fact_finder_options options;
	struct list errands;
	size_t count; /* of them */
	size_t index; /* see dns_facts_wanted() */
	struct loop_task go_on;
};

/* --- answers ------------------------------------------------------------------------------------- */

static void finish(struct errand *errand, const struct dns_fact *fact)
{
	struct fact_finder *finder = errand->finder;

	dns_facts_put(finder->options.facts, &errand->wanted, fact);
	list_remove(&errand->link);
	finder->count--;
	mem_free(errand);
	loop_defer(finder->options.loop, &finder->go_on);
}

static void on_answer(void *arg, struct dns_answer *answer)
{
	static const enum dns_fact_status statuses[] = {
		[DNS_OK] = DNS_FACT_RECORDS,
		[DNS_NXDOMAIN] = DNS_FACT_NXDOMAIN,
		[DNS_NODATA] = DNS_FACT_NO_DATA,
		[DNS_SERVFAIL] = DNS_FACT_FAILED,
		[DNS_TIMEOUT] = DNS_FACT_FAILED,
	};
	struct errand *errand = arg;
	struct arena arena = { 0 };
	struct dns_fact fact = {
		.status = statuses[answer->status],
		.is_secure = answer->is_secure,
		.is_bogus = answer->is_bogus,
	};

	errand->question = NULL;
	if (fact.status == DNS_FACT_FAILED)
		fact.why = answer->why;
	fact.count = dns_records_read(
		dns_fact_type(errand->wanted.kind), answer->records, answer->count, &arena, &fact.records);
	finish(errand, &fact);
	arena_fini(&arena);
}

static bool is_plain_text(const char *type)
{
	struct span text = span_of_str(type);

	return span_eq_nocase(span_trim(span_take(text, span_find(text, ';'))), SPAN_LIT("text/plain"));
}

/* NULL: the policy is there (RFC 8461 3.3). */
static const char *fault_of(const struct fetch_result *result)
{
	if (result->outcome == FETCH_TOO_LONG)
		return "it is longer than 64 KiB";
	if (result->outcome != FETCH_ANSWERED)
		return result->why;
	if (result->status != 200)
		return "the server does not answer with 200";
	return is_plain_text(result->content_type) ? NULL : "it is not text/plain";
}

static void on_fetched(void *arg, const struct fetch_result *result)
{
	struct errand *errand = arg;
	const char *fault = fault_of(result);
	struct dns_fact fact = { .status = DNS_FACT_FAILED, .why = fault };

	errand->fetch = NULL;
	if (!fault)
		fact = (struct dns_fact){ .status = DNS_FACT_RECORDS, .records = &result->body, .count = 1 };
	finish(errand, &fact);
}

/* --- questions ----------------------------------------------------------------------------------- */

static void ask(struct errand *errand)
{
	const struct fact_finder_options *options = &errand->finder->options;
	const struct dns_asker asker = { .loop = options->loop, .fn = on_answer, .arg = errand };
	struct buf name = { 0 };

	buf_append(&name, errand->wanted.name);
	buf_append_byte(&name, '\0');
	errand->question = resolver_ask(
		options->resolver, buf_span(&name).ptr, dns_fact_type(errand->wanted.kind), &asker);
	buf_fini(&name);
}

static void fetch_policy(struct errand *errand)
{
	struct fetch_request request = {
		.method = "GET",
		.answer_max = MTA_STS_POLICY_LEN_MAX,
		.timeout_ms = FETCH_MS,
		.fn = on_fetched,
		.arg = errand,
	};
	struct buf url = { 0 };

	buf_printf(&url, "https://mta-sts.%.*s/.well-known/mta-sts.txt", SPAN_ARGS(errand->wanted.name));
	buf_append_byte(&url, '\0');
	request.url = buf_span(&url).ptr;
	errand->fetch = fetch_start(errand->finder->options.fetcher, &request);
	buf_fini(&url);
}

static void begin(struct fact_finder *finder, const struct dns_wanted *wanted)
{
	struct errand *errand = mem_zalloc(sizeof(*errand));

	errand->finder = finder;
	errand->wanted = *wanted;
	list_push_back(&finder->errands, &errand->link);
	finder->count++;
	if (wanted->kind == DNS_FACT_POLICY)
		fetch_policy(errand);
	else
		ask(errand);
}

static void go_on(void *arg)
{
	struct fact_finder *finder = arg;
	loop_fn *fn = finder->options.fn;
	struct dns_wanted wanted;

	while (finder->count < AT_ONCE_MAX &&
		dns_facts_wanted(finder->options.facts, &finder->index, &wanted))
		begin(finder, &wanted);
	if (finder->count)
		return;
	arg = finder->options.arg;
	fact_finder_cancel(&finder);
	fn(arg);
}

struct fact_finder *fact_finder_start(const struct fact_finder_options *options)
{
	struct fact_finder *finder = mem_zalloc(sizeof(*finder));

	finder->options = *options;
	list_init(&finder->errands);
	loop_task_init(&finder->go_on, go_on, finder);
	loop_defer(options->loop, &finder->go_on);
	return finder;
}

void fact_finder_cancel(struct fact_finder **finder_ptr)
{
	struct fact_finder *finder = *finder_ptr;

	*finder_ptr = NULL;
	if (!finder)
		return;
	LIST_EACH_SAFE(it, &finder->errands)
	{
		struct errand *errand = LIST_ENTRY(it, struct errand, link);

		dns_question_cancel(&errand->question);
		fetch_cancel(&errand->fetch);
		mem_free(errand);
	}
	loop_task_cancel(&finder->go_on);
	mem_free(finder);
}
