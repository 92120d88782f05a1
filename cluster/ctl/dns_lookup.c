#include "dns_lookup.h"

#include "session.h"
#include "skein/proto/base/alloc.h"
#include "skein/proto/dns/records.h"

#include <limits.h>
#include <poll.h>
#include <unbound.h>

enum {
	CLASS_IN = 1,
	RCODE_OK = 0,
	RCODE_NXDOMAIN = 3,
	AT_ONCE_MAX = 64, /* questions under way */
};

struct dns_lookup {
	struct ub_ctx *ctx;
};

/* One round. */
struct round {
	struct dns_lookup *lookup;
	struct dns_facts *facts;
	struct arena arena;
	size_t pending;
	struct question *open; /* those under way */
};

struct question {
	struct round *round;
	struct dns_wanted wanted;
	int id; /* libunbound's */
	struct question *next, **from;
};

/* --- the context --------------------------------------------------------------------------------- */

/* "192.0.2.1:53", "[2001:db8::1]:53" as libunbound wants it: "192.0.2.1@53". */
static bool set_server(struct ub_ctx *ctx, const char *server, struct buf *why)
{
	struct span text = span_of_str(server), host = text;
	struct buf forward = { 0 };
	struct dns_ip ip;
	uint64_t port = 53;
	size_t colon = text.len;
	bool is_good;

	while (colon > 0 && text.ptr[colon - 1] != ':' && text.ptr[colon - 1] != ']')
		colon--;
	is_good = dns_ip_of_text(text, &ip);
	if (!is_good && colon > 0 && text.ptr[colon - 1] == ':') {
		host = span_take(text, colon - 1);
		is_good = span_parse_u64(span_drop(text, colon), 65535, &port) && dns_ip_of_text(host, &ip);
	}
	if (is_good && host.ptr[0] == '[')
		host = span_of(host.ptr + 1, host.len - 2);
	buf_printf(&forward, "%.*s@%u", SPAN_ARGS(host), (unsigned)port);
	buf_append_byte(&forward, '\0');
	is_good = is_good && ub_ctx_set_fwd(ctx, buf_span(&forward).ptr) == 0;
	if (!is_good)
		buf_printf(why, "--server %s: an address is wanted, with its port: 192.0.2.53:53", server);
	buf_fini(&forward);
	return is_good;
}

/*
 * Files are read when the settings end, which is with the first question, or with a call that changes zones:
 * here one that changes nothing, so that what is wrong shows now.
 */
static bool set_anchor(struct ub_ctx *ctx, const char *file, struct buf *why)
{
	bool is_good = (!file || !ub_ctx_add_ta_file(ctx, file)) && !ub_ctx_zone_remove(ctx, "skein.invalid");

	if (!is_good)
		buf_printf(why, "--trust-anchor %s: it cannot be read, or has no DS or DNSKEY records",
			file ? file : "(none)");
	return is_good;
}

/* Reverse zones of private networks are asked for like others, and need not be signed. */
static bool set_options(struct ub_ctx *ctx)
{
	/* A dead server is given up after two seconds and not after seventeen. */
	return !ub_ctx_set_option(ctx, "outbound-msg-retry:", "2") &&
	       !ub_ctx_set_option(ctx, "unblock-lan-zones:", "yes") &&
	       !ub_ctx_set_option(ctx, "insecure-lan-zones:", "yes") &&
	       !ub_ctx_set_option(ctx, "do-not-query-localhost:", "no") && !ub_ctx_async(ctx, 1);
}

struct dns_lookup *dns_lookup_new(const struct dns_lookup_options *options, struct buf *why_out)
{
	struct dns_lookup *lookup;
	struct ub_ctx *ctx = ub_ctx_create();
	bool is_good = ctx && !ub_ctx_debugout(ctx, NULL) && set_options(ctx);
	int rc = 0;

	if (!is_good)
		buf_append_str(why_out, "libunbound does not start");
	else if (options->server)
		is_good = set_server(ctx, options->server, why_out);
	else if ((rc = ub_ctx_resolvconf(ctx, NULL)) != 0)
		buf_printf(why_out, "/etc/resolv.conf: %s", ub_strerror(rc));
	if (is_good && !rc)
		is_good = set_anchor(ctx, options->trust_anchor, why_out);
	if (!is_good || rc) {
		ub_ctx_delete(ctx);
		return NULL;
	}
	lookup = mem_zalloc(sizeof(*lookup));
	lookup->ctx = ctx;
	return lookup;
}

void dns_lookup_free(struct dns_lookup **lookup)
{
	if (!*lookup)
		return;
	ub_ctx_delete((*lookup)->ctx);
	mem_free(*lookup);
	*lookup = NULL;
}

/* --- answers ------------------------------------------------------------------------------------- */

static size_t read_records(enum dns_fact_kind kind, const struct ub_result *result, struct arena *arena,
	const struct span **records_out)
{
	struct span data[DNS_RECORDS_MAX];
	size_t count = 0;

	while (count < DNS_RECORDS_MAX && result->data[count]) {
		data[count] = span_of(result->data[count], (size_t)result->len[count]);
		count++;
	}
	return dns_records_read(dns_fact_type(kind), data, count, arena, records_out);
}

/* What is bogus has data and a good RCODE all the same: that comes first. */
static struct dns_fact read_answer(
	enum dns_fact_kind kind, const struct ub_result *result, struct arena *arena)
{
	struct dns_fact fact = { .status = DNS_FACT_FAILED };

	if (result->bogus) {
		fact.is_bogus = true;
		fact.why = result->why_bogus ? result->why_bogus : "bogus";
	} else if (result->rcode == RCODE_NXDOMAIN) {
		fact.status = DNS_FACT_NXDOMAIN;
	} else if (result->rcode != RCODE_OK) {
		fact.why = result->rcode == 2 ? "SERVFAIL" : "the server refused";
	} else {
		fact.status = DNS_FACT_RECORDS;
		fact.count = result->havedata ? read_records(kind, result, arena, &fact.records) : 0;
		fact.is_secure = result->secure;
	}
	return fact;
}

static void unlink_question(struct question *question)
{
	*question->from = question->next;
	if (question->next)
		question->next->from = question->from;
	question->round->pending--;
}

static void fail(struct question *question, const char *why)
{
	struct dns_fact fact = { .status = DNS_FACT_FAILED, .why = why };

	unlink_question(question);
	dns_facts_put(question->round->facts, &question->wanted, &fact);
}

static void on_answer(void *arg, int error, struct ub_result *result)
{
	struct question *question = arg;
	struct round *round = question->round;
	struct dns_fact fact;

	if (error) {
		fail(question, ub_strerror(error));
	} else {
		fact = read_answer(question->wanted.kind, result, &round->arena);
		unlink_question(question);
		dns_facts_put(round->facts, &question->wanted, &fact);
	}
	ub_resolve_free(result);
}

/* --- a round ------------------------------------------------------------------------------------- */

static void ask(struct round *round, const struct dns_wanted *wanted)
{
	struct question *question = arena_zalloc(&round->arena, sizeof(*question));
	const char *name = arena_strdup(&round->arena, wanted->name);
	int rc;

	*question = (struct question){
		.round = round, .wanted = *wanted, .next = round->open, .from = &round->open
	};
	if (round->open)
		round->open->from = &question->next;
	round->open = question;
	round->pending++;
	rc = ub_resolve_async(round->lookup->ctx, name, (int)dns_fact_type(wanted->kind), CLASS_IN, question,
		on_answer, &question->id);
	if (rc)
		fail(question, ub_strerror(rc));
}

/* False: it is too late. */
static bool wait_for_answers(struct round *round, uint64_t deadline_ms)
{
	struct pollfd ready = { .fd = ub_fd(round->lookup->ctx), .events = POLLIN };
	uint64_t now_ms = session_now_ms();

	if (now_ms >= deadline_ms)
		return false;
	(void)poll(&ready, 1, deadline_ms - now_ms < INT_MAX ? (int)(deadline_ms - now_ms) : INT_MAX);
	return ub_process(round->lookup->ctx) == 0;
}

static void wait_until_few(struct round *round, size_t few, uint64_t deadline_ms)
{
	while (round->pending > few && wait_for_answers(round, deadline_ms))
		continue;
	while (round->pending > few) {
		(void)ub_cancel(round->lookup->ctx, round->open->id);
		fail(round->open, "no answer in time");
	}
}

bool dns_lookup_run(struct dns_lookup *lookup, struct dns_facts *facts, uint64_t deadline_ms)
{
	struct round round = { .lookup = lookup, .facts = facts };
	struct dns_wanted wanted;
	size_t index = 0;
	bool has_asked = false;

	while (dns_facts_wanted(facts, &index, &wanted)) {
		if (wanted.kind == DNS_FACT_POLICY)
			continue;
		has_asked = true;
		wait_until_few(&round, AT_ONCE_MAX - 1, deadline_ms);
		ask(&round, &wanted);
	}
	wait_until_few(&round, 0, deadline_ms);
	arena_fini(&round.arena);
	return has_asked;
}
