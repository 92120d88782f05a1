/*
 * A search: which hosts (MX, SRV, or the name itself), then the addresses of all of them at once, then what
 * came of it. Each question has what is left of the deadline, so the last of them ends with it.
 */
#include "dns/hops.h"

#include "dns/ascii_name.h"
#include "dns/hops_internal.h"
#include "skein/proto/base/alloc.h"
#include "skein/proto/dns/name.h"

enum { KEEP_MS_MIN = 5000, KEEP_MS_MAX = 3600000 };

static const struct enhanced_code bad_destination = { 5, 1, 2 };

static void search_free(struct hops_search *search)
{
	loop_task_cancel(&search->done);
	dns_question_cancel(&search->question);
	for (size_t i = 0; i < MX_HOSTS_MAX; i++) {
		for (size_t family = 0; family < FAMILIES; family++) {
			dns_question_cancel(&search->lookups[i][family].question);
			dns_answer_unref(&search->lookups[i][family].answer);
		}
	}
	dns_hops_free(&search->hops);
	mem_free(search);
}

void hops_cancel(struct hops_search **search)
{
	if (*search)
		search_free(*search);
	*search = NULL;
}

void dns_hops_free(struct dns_hops **hops)
{
	if (*hops)
		arena_fini(&(*hops)->arena);
	mem_free(*hops);
	*hops = NULL;
}

/* --- the end ------------------------------------------------------------------------------------ */

static uint64_t choose_keep_ms(const struct hops_search *search)
{
	uint64_t keep_ms = search->ttl_s * 1000ull;

	if (search->hops->outcome == HOPS_TEMPORARY || keep_ms < KEEP_MS_MIN)
		return KEEP_MS_MIN;
	return keep_ms < KEEP_MS_MAX ? keep_ms : KEEP_MS_MAX;
}

static void on_done(void *arg)
{
	struct hops_search *search = arg;
	struct dns_hops *hops = search->hops;
	hops_fn *fn = search->request.fn;
	void *fn_arg = search->request.arg;

	hops->keep_ms = choose_keep_ms(search);
	search->hops = NULL;
	search_free(search);
	fn(fn_arg, hops);
}

/* Never from inside hops_start(). */
static void finish(struct hops_search *search)
{
	loop_defer(search->request.loop, &search->done);
}

/* --- addresses ---------------------------------------------------------------------------------- */

static struct dns_asker make_asker(struct hops_search *search, dns_answer_fn *fn, void *arg)
{
	uint64_t now_ms = loop_now_ms(search->request.loop);

	return (struct dns_asker){
		.loop = search->request.loop,
		.timeout_ms = search->deadline_ms > now_ms ? search->deadline_ms - now_ms : 1,
		.fn = fn,
		.arg = arg,
	};
}

static void on_address(void *arg, struct dns_answer *answer)
{
	struct host_lookup *lookup = arg;
	struct hops_search *search = lookup->search;

	lookup->question = NULL;
	lookup->answer = dns_answer_ref(answer);
	if (--search->waiting)
		return;
	hops_gather(search);
	finish(search);
}

static void ask_address(struct hops_search *search, size_t host, size_t family)
{
	struct host_lookup *lookup = &search->lookups[host][family];
	struct dns_asker asker = make_asker(search, on_address, lookup);

	lookup->search = search;
	search->waiting++;
	lookup->question = resolver_ask(search->request.resolver, search->choice.hosts[host].name,
		family == FAMILY_V4 ? DNS_A : DNS_AAAA, &asker);
}

static void ask_addresses(struct hops_search *search)
{
	for (size_t i = 0; i < search->choice.count; i++) {
		ask_address(search, i, FAMILY_V6);
		ask_address(search, i, FAMILY_V4);
	}
}

/* --- hosts -------------------------------------------------------------------------------------- */

static void on_hosts(void *arg, struct dns_answer *answer)
{
	struct hops_search *search = arg;
	bool is_mx = search->request.target->place != ROUTE_SRV;
	bool is_chosen;

	search->question = NULL;
	if (answer->status == DNS_OK)
		is_chosen = is_mx ? hops_take_mx(search, answer) : hops_take_srv(search, answer);
	else if (answer->status == DNS_NODATA && is_mx)
		is_chosen = hops_take_implicit(search);
	else
		is_chosen = (hops_fail_by_answer(search, answer, is_mx ? "MX" : "SRV"), false);
	if (answer->status != DNS_SERVFAIL && answer->status != DNS_TIMEOUT)
		search->ttl_s = answer->ttl_s < search->ttl_s ? answer->ttl_s : search->ttl_s;
	search->is_named_secure = answer->is_secure;
	if (is_chosen)
		ask_addresses(search);
	else
		finish(search);
}

static void ask_hosts(struct hops_search *search)
{
	struct dns_asker asker = make_asker(search, on_hosts, search);

	search->is_looked_up = true;
	search->question = resolver_ask(search->request.resolver, search->hops->domain,
		search->request.target->place == ROUTE_SRV ? DNS_SRV : DNS_MX, &asker);
}

/* --- the start ---------------------------------------------------------------------------------- */

static void take_address(struct hops_search *search, const struct dns_ip *ip, struct span text)
{
	struct span bare =
		text.len && text.ptr[0] == '[' ? span_take(span_drop(text, 1), text.len - 2) : text;

	if (span_starts_with_nocase(bare, SPAN_LIT("IPv6:")))
		bare = span_drop(bare, 5);
	search->hops->domain = arena_strdup(&search->hops->arena, bare);
	search->choice = (struct mx_choice){ .verdict = MX_HOSTS, .count = 1 };
	search->choice.hosts[0].name = search->hops->domain;
	search->lookups[0][ip->len == 4 ? FAMILY_V4 : FAMILY_V6].given = *ip;
	hops_gather(search);
	finish(search);
}

static void begin(struct hops_search *search, struct span name)
{
	enum route_place place = search->request.target->place;
	struct dns_ip ip;

	if ((place == ROUTE_HOST || (place == ROUTE_DIRECT && name.len && name.ptr[0] == '[')) &&
		dns_ip_of_text(name, &ip)) {
		take_address(search, &ip, name);
		return;
	}
	search->hops->domain = dns_ascii_name(&search->hops->arena, name);
	if (!search->hops->domain) {
		search->hops->domain = "";
		hops_fail(search, bad_destination, "the name is not one of a domain");
		finish(search);
	} else if (place == ROUTE_HOST) {
		search->choice = (struct mx_choice){ .verdict = MX_HOSTS, .count = 1 };
		search->choice.hosts[0].name = search->hops->domain;
		ask_addresses(search);
	} else {
		ask_hosts(search);
	}
}

struct hops_search *hops_start(const struct hops_request *request)
{
	struct hops_search *search = mem_zalloc(sizeof(*search));
	uint64_t timeout_ms = request->timeout_ms;

	search->request = *request;
	if (!timeout_ms || timeout_ms > resolver_timeout_ms(request->resolver))
		timeout_ms = resolver_timeout_ms(request->resolver);
	search->deadline_ms = loop_now_ms(request->loop) + timeout_ms;
	search->hops = mem_zalloc(sizeof(*search->hops));
	search->hops->why = "";
	search->is_named_secure = true;
	search->ttl_s = UINT32_MAX;
	loop_task_init(&search->done, on_done, search);
	begin(search, request->target->place == ROUTE_DIRECT ? request->domain
							     : span_of_str(request->target->name));
	return search;
}
