#include "dns/address_search.h"

#include "skein/proto/base/alloc.h"

#include <stdio.h>

enum { WHY_MAX = 400 };

struct address_search {
	struct loop *loop;
	char *host;
	uint16_t port;
	address_search_fn *fn;
	void *arg;
	struct dns_question *questions[2]; /* AAAA, A */
	struct address_list found;
	struct loop_task done; /* of an address, which needs no question */
	char why[WHY_MAX];
};

static void search_free(struct address_search *search)
{
	loop_task_cancel(&search->done);
	for (size_t i = 0; i < ARRAY_LEN(search->questions); i++)
		dns_question_cancel(&search->questions[i]);
	mem_free(search->host);
	mem_free(search);
}

static void on_done(void *arg)
{
	struct address_search *search = arg;

	search->fn(search->arg, &search->found, search->why);
	search_free(search);
}

static void take_addresses(struct address_search *search, const struct dns_answer *answer)
{
	for (size_t i = 0; i < answer->count && search->found.count < ADDRESSES_MAX; i++) {
		struct address *at = &search->found.items[search->found.count];
		struct span bytes = answer->records[i];

		memset(at, 0, sizeof(*at));
		if (bytes.len == sizeof(at->v4.sin_addr)) {
			at->v4.sin_family = AF_INET;
			at->v4.sin_port = htons(search->port);
			memcpy(&at->v4.sin_addr, bytes.ptr, bytes.len);
		} else if (bytes.len == sizeof(at->v6.sin6_addr)) {
			at->v6.sin6_family = AF_INET6;
			at->v6.sin6_port = htons(search->port);
			memcpy(&at->v6.sin6_addr, bytes.ptr, bytes.len);
		} else {
			continue;
		}
		search->found.count++;
	}
}

static void put_v6_first(struct address_list *list)
{
	struct address_list sorted = { .count = list->count };
	size_t at = 0;

	for (unsigned pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < list->count; i++)
			if ((list->items[i].sa.sa_family == AF_INET6) == (pass == 0))
				sorted.items[at++] = list->items[i];
	*list = sorted;
}

static void on_answer(struct address_search *search, size_t question, const struct dns_answer *answer)
{
	search->questions[question] = NULL;
	take_addresses(search, answer);
	if (search->questions[!question])
		return;
	put_v6_first(&search->found);
	if (!search->found.count)
		snprintf(search->why, sizeof(search->why), "%s has no address%s%s", search->host,
			*answer->why ? ": " : "", answer->why);
	on_done(search);
}

static void on_v6(void *arg, struct dns_answer *answer)
{
	on_answer(arg, 0, answer);
}

static void on_v4(void *arg, struct dns_answer *answer)
{
	on_answer(arg, 1, answer);
}

struct address_search *address_search_start(const struct address_request *request)
{
	struct address_search *search = mem_zalloc(sizeof(*search));
	struct dns_asker asker = { .loop = request->loop, .fn = on_v6, .arg = search };

	search->loop = request->loop;
	search->host = mem_strdup(request->host);
	search->port = request->port;
	search->fn = request->fn;
	search->arg = request->arg;
	loop_task_init(&search->done, on_done, search);
	if (address_parse(span_of_str(request->host), request->port, &search->found.items[0]) == ERR_OK) {
		search->found.count = 1;
		loop_defer(search->loop, &search->done);
		return search;
	}
	search->questions[0] = resolver_ask(request->resolver, search->host, DNS_AAAA, &asker);
	asker.fn = on_v4;
	search->questions[1] = resolver_ask(request->resolver, search->host, DNS_A, &asker);
	return search;
}

void address_search_cancel(struct address_search **search)
{
	if (*search)
		search_free(*search);
	*search = NULL;
}
