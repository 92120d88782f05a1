#include "dns/tlsa.h"

#include "skein/proto/base/alloc.h"
#include "skein/proto/base/buf.h"
#include "skein/proto/dns/name.h"

enum { KEEP_MS_MIN = 5000, KEEP_MS_MAX = 3600000, BASES_MAX = 2 };

struct tlsa_search {
	struct tlsa_request request; /* without the hop */
	uint16_t port;
	const char *bases[BASES_MAX];
	size_t base_count, base_next;
	struct dns_question *question; /* NULL: answered */
	struct tlsa_set *set;
	struct loop_task done;
};

static void ask_next(struct tlsa_search *search);

static void search_free(struct tlsa_search *search)
{
	loop_task_cancel(&search->done);
	dns_question_cancel(&search->question);
	tlsa_set_free(&search->set);
	mem_free(search);
}

void tlsa_cancel(struct tlsa_search **search)
{
	if (*search)
		search_free(*search);
	*search = NULL;
}

void tlsa_set_free(struct tlsa_set **set)
{
	if (*set)
		arena_fini(&(*set)->arena);
	mem_free(*set);
	*set = NULL;
}

static void on_done(void *arg)
{
	struct tlsa_search *search = arg;
	struct tlsa_set *set = search->set;
	tlsa_fn *fn = search->request.fn;
	void *fn_arg = search->request.arg;

	search->set = NULL;
	search_free(search);
	fn(fn_arg, set);
}

static void take_records(struct tlsa_set *set, const struct dns_answer *answer)
{
	set->outcome = TLSA_UNUSABLE;
	for (size_t i = 0; i < answer->count && set->count < TLSA_RECORDS_MAX; i++) {
		struct dns_tlsa *record = &set->records[set->count];

		if (!dns_tlsa_parse(answer->records[i], record) || !dns_tlsa_is_usable(record))
			continue;
		record->association = arena_dup(&set->arena, record->association);
		set->count++;
		set->outcome = TLSA_USABLE;
	}
}

static void fail(struct tlsa_set *set, const char *base, const struct dns_answer *answer)
{
	struct buf why = { 0 };

	set->outcome = TLSA_FAILED;
	buf_printf(&why, "TLSA records of %s %s: %s", base,
		answer->is_bogus ? "fail DNSSEC validation" : "cannot be looked up", answer->why);
	set->why = arena_strdup(&set->arena, buf_span(&why));
	buf_fini(&why);
}

static void keep(struct tlsa_set *set, const struct dns_answer *answer)
{
	uint64_t keep_ms = answer->ttl_s * 1000ull;

	if (set->outcome == TLSA_FAILED || keep_ms < KEEP_MS_MIN)
		keep_ms = KEEP_MS_MIN;
	if (keep_ms < set->keep_ms)
		set->keep_ms = keep_ms;
}

static void on_records(void *arg, struct dns_answer *answer)
{
	struct tlsa_search *search = arg;
	struct tlsa_set *set = search->set;
	const char *base = search->bases[search->base_next - 1];

	search->question = NULL;
	if (answer->status == DNS_SERVFAIL || answer->status == DNS_TIMEOUT)
		fail(set, base, answer);
	else if (answer->status == DNS_OK && answer->is_secure)
		take_records(set, answer);
	keep(set, answer);
	if (set->outcome == TLSA_USABLE || set->outcome == TLSA_UNUSABLE)
		set->base = base;
	/* RFC 7672 2.2.2: absent or not secure at the end of the alias, they are looked for at its start. */
	if (set->outcome == TLSA_NONE && search->base_next < search->base_count)
		ask_next(search);
	else
		loop_defer(search->request.loop, &search->done);
}

static void ask_next(struct tlsa_search *search)
{
	const struct dns_asker asker = { .loop = search->request.loop,
		.timeout_ms = search->request.timeout_ms,
		.fn = on_records,
		.arg = search };
	struct buf name = { 0 };

	buf_printf(&name, "_%u._tcp.%s", search->port, search->bases[search->base_next++]);
	buf_append_byte(&name, '\0');
	search->question = resolver_ask(search->request.resolver, buf_span(&name).ptr, DNS_TLSA, &asker);
	buf_fini(&name);
}

/* What TLS can ask a server for; an alias may lead to other names. */
static void add_base(struct tlsa_search *search, const char *name)
{
	if (dns_name_is_host(span_of_str(name)))
		search->bases[search->base_count++] = arena_strdup(&search->set->arena, span_of_str(name));
}

struct tlsa_search *tlsa_start(const struct tlsa_request *request)
{
	struct tlsa_search *search = mem_zalloc(sizeof(*search));
	const struct dns_hop *hop = request->hop;

	search->request = *request;
	search->request.hop = NULL;
	search->port = hop->port;
	search->set = mem_zalloc(sizeof(*search->set));
	search->set->base = search->set->why = "";
	search->set->keep_ms = KEEP_MS_MAX;
	loop_task_init(&search->done, on_done, search);
	if (hop->has_secure_addresses) {
		if (!dns_name_eq(span_of_str(hop->alias), span_of_str(hop->host)))
			add_base(search, hop->alias);
		add_base(search, hop->host);
	}
	if (search->base_count)
		ask_next(search);
	else
		loop_defer(request->loop, &search->done);
	return search;
}
