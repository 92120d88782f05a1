#include "dns/answer.h"

#include "skein/proto/base/alloc.h"
#include "skein/proto/dns/name.h"

#include <unbound.h>

/* RFC 1035 4.1.1, by their number. */
static const char *rcode_text(int rcode)
{
	static const char *const texts[] = {
		[1] = "the DNS server answers FORMERR",
		[2] = "no DNS server gave an answer (SERVFAIL)",
		[4] = "the DNS server answers NOTIMP",
		[5] = "the DNS server answers REFUSED",
	};

	return rcode > 0 && (size_t)rcode < ARRAY_LEN(texts) && texts[rcode]
		       ? texts[rcode]
		       : "the DNS server answers with an error";
}

struct dns_answer *dns_answer_of_failure(enum dns_status status, const char *why)
{
	struct dns_answer *answer = mem_zalloc(sizeof(*answer));

	answer->refs = 1;
	answer->status = status;
	answer->name = "";
	answer->why = arena_strdup(&answer->arena, span_of_str(why));
	return answer;
}

static void copy_records(struct dns_answer *answer, const struct ub_result *result)
{
	struct span *records;
	size_t count = 0;

	while (result->data[count])
		count++;
	records = arena_alloc(&answer->arena, (count ? count : 1) * sizeof(*records));
	for (size_t i = 0; i < count; i++)
		records[i] = arena_dup(&answer->arena, span_of(result->data[i], (size_t)result->len[i]));
	answer->records = records;
	answer->count = count;
	answer->name = arena_strdup(&answer->arena,
		dns_name_without_dot(span_of_str(result->canonname ? result->canonname : result->qname)));
}

struct dns_answer *dns_answer_of_result(const struct ub_result *result)
{
	struct dns_answer *answer;

	/* First of all: a bogus answer comes with its data and without an error. */
	if (result->bogus) {
		answer = dns_answer_of_failure(
			DNS_SERVFAIL, result->why_bogus ? result->why_bogus : "DNSSEC validation failed");
		answer->is_bogus = true;
		return answer;
	}
	if (!result->nxdomain && result->rcode) {
		/* Its TTL means nothing. */
		return dns_answer_of_failure(DNS_SERVFAIL, rcode_text(result->rcode));
	}
	answer = dns_answer_of_failure(result->nxdomain ? DNS_NXDOMAIN : DNS_NODATA, "");
	answer->is_secure = result->secure;
	answer->ttl_s = result->ttl > 0 ? (uint32_t)result->ttl : 0;
	if (!result->nxdomain && result->havedata)
		copy_records(answer, result);
	if (answer->count)
		answer->status = DNS_OK;
	return answer;
}

struct dns_answer *dns_answer_ref(struct dns_answer *answer)
{
	atomic_fetch_add(&answer->refs, 1);
	return answer;
}

void dns_answer_unref(struct dns_answer **answer)
{
	if (*answer && atomic_fetch_sub(&(*answer)->refs, 1) == 1) {
		arena_fini(&(*answer)->arena);
		mem_free(*answer);
	}
	*answer = NULL;
}
