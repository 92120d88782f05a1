#include "inspect/spf_lookup.h"

#include "dns/ascii_name.h"
#include "io/wall_clock.h"
#include "skein/proto/base/alloc.h"
#include "skein/proto/dns/records.h"

struct spf_lookup {
	struct loop *loop;
	struct resolver *resolver;
	loop_fn *fn;
	void *arg;
	struct spf_check *check;
	enum dns_type type;            /* of the question */
	struct dns_question *question; /* NULL: none is open */
	struct loop_task done;
};

static const enum dns_type types[] = {
	[SPF_QUERY_TXT] = DNS_TXT,
	[SPF_QUERY_A] = DNS_A,
	[SPF_QUERY_AAAA] = DNS_AAAA,
	[SPF_QUERY_MX] = DNS_MX,
	[SPF_QUERY_PTR] = DNS_PTR,
};
static const enum spf_answer_status statuses[] = {
	[DNS_OK] = SPF_ANSWER_RECORDS,
	[DNS_NXDOMAIN] = SPF_ANSWER_NXDOMAIN,
	[DNS_NODATA] = SPF_ANSWER_NO_DATA,
	[DNS_SERVFAIL] = SPF_ANSWER_TEMPERROR,
	[DNS_TIMEOUT] = SPF_ANSWER_TEMPERROR,
};

static void go_on(struct spf_lookup *lookup);

static void on_done(void *arg)
{
	struct spf_lookup *lookup = arg;

	lookup->fn(lookup->arg);
}

static void on_answer(void *arg, struct dns_answer *answer)
{
	struct spf_lookup *lookup = arg;
	struct arena arena = { 0 };
	struct spf_answer told = { .status = statuses[answer->status] };

	lookup->question = NULL;
	told.count = dns_records_read(lookup->type, answer->records, answer->count, &arena, &told.records);
	spf_check_answer(lookup->check, &told);
	arena_fini(&arena);
	go_on(lookup);
}

static void go_on(struct spf_lookup *lookup)
{
	const struct dns_asker asker = { .loop = lookup->loop, .fn = on_answer, .arg = lookup };
	struct spf_question question;
	char name[SPF_NAME_LEN_MAX + 1];

	if (!spf_check_question(lookup->check, &question)) {
		loop_defer(lookup->loop, &lookup->done);
		return;
	}
	memcpy(name, question.name.ptr, question.name.len);
	name[question.name.len] = '\0';
	lookup->type = types[question.type];
	lookup->question = resolver_ask(lookup->resolver, name, lookup->type, &asker);
}

/* local@domain with its domain as the DNS knows it; what has no such form stays as it is. */
static struct span ascii_sender(struct arena *arena, struct span sender)
{
	size_t at = sender.len;
	const char *domain;
	struct buf text = { 0 };

	while (at > 0 && sender.ptr[at - 1] != '@')
		at--;
	domain = at ? dns_ascii_name(arena, span_drop(sender, at)) : NULL;
	if (!domain)
		return sender;
	buf_append(&text, span_take(sender, at));
	buf_append_str(&text, domain);
	sender = arena_dup(arena, buf_span(&text));
	buf_fini(&text);
	return sender;
}

struct spf_lookup *spf_lookup_start(const struct spf_lookup_request *request)
{
	struct spf_lookup *lookup = mem_zalloc(sizeof(*lookup));
	struct arena arena = { 0 };
	struct spf_request check = {
		.client_len = request->client.len,
		.helo = request->helo,
		.mail_from = ascii_sender(&arena, request->sender),
		.receiver = request->hostname,
		.now = wall_clock_ms() / 1000,
	};

	memcpy(check.client, request->client.bytes, sizeof(check.client));
	lookup->loop = request->loop;
	lookup->resolver = request->resolver;
	lookup->fn = request->fn;
	lookup->arg = request->arg;
	loop_task_init(&lookup->done, on_done, lookup);
	lookup->check = spf_check_new(&check);
	arena_fini(&arena);
	go_on(lookup);
	return lookup;
}

void spf_lookup_free(struct spf_lookup **lookup_ptr)
{
	struct spf_lookup *lookup = *lookup_ptr;

	*lookup_ptr = NULL;
	if (!lookup)
		return;
	loop_task_cancel(&lookup->done);
	dns_question_cancel(&lookup->question);
	spf_check_free(&lookup->check);
	mem_free(lookup);
}

void spf_lookup_give_up(struct spf_lookup *lookup)
{
	static const struct spf_answer none = { .status = SPF_ANSWER_TEMPERROR };
	struct spf_question question;

	loop_task_cancel(&lookup->done);
	dns_question_cancel(&lookup->question);
	while (spf_check_question(lookup->check, &question))
		spf_check_answer(lookup->check, &none);
}

const struct spf_verdict *spf_lookup_verdict(const struct spf_lookup *lookup)
{
	return spf_check_verdict(lookup->check);
}
