#include "outbound/sts.h"

#include "io/wall_clock.h"
#include "skein/proto/base/alloc.h"

#include <string.h>

enum {
	KEEP_MS = STS_AGAIN_S * 1000,
	KEEP_UNKNOWN_MS = 30000, /* the DNS did not say whether there is a policy */
	FETCH_MS = 20000,
	WAIT_MS = 300,       /* between two looks at what another fetches */
	PATIENCE_MS = 20000, /* with others, over all */
};

/*
 * Ask for the record → what this node knows → unless that is fresh, what the cluster knows → a policy that
 * counts: answer, and refresh it if its time has come. None counts: without a record there is none; else
 * fetch it, keep it, answer. Who fetches has claimed that; the others wait, or go on by the older one.
 *
 * A fresh one is answered with at once, and shown to the cluster where that has lost it.
 */
struct sts_search {
	struct sts_desk *desk;
	struct list link; /* desk->refreshes, once nobody waits */
	const char *domain, *host;
	sts_fn *fn;
	void *arg;
	struct dns_question *question;
	struct sts_question *shared;
	struct fetch *fetch;
	struct loop_timer timer; /* while another fetches */
	uint64_t began_ms;
	uint64_t serial; /* of what the cluster has; 0: nothing, or it is not known */
	struct span id;  /* of the record; empty: none, or it is not known */
	bool is_known;   /* what the DNS says */
	struct sts_kept_policy kept;
	bool has_kept;
	struct arena arena;
};

void sts_desk_init(struct sts_desk *desk)
{
	list_init(&desk->refreshes);
}

static void search_free(struct sts_search *search)
{
	list_remove(&search->link);
	dns_question_cancel(&search->question);
	sts_question_cancel(&search->shared);
	fetch_cancel(&search->fetch);
	loop_timer_cancel(search->desk->loop, &search->timer);
	arena_fini(&search->arena);
	mem_free(search);
}

void sts_desk_fini(struct sts_desk *desk)
{
	LIST_EACH_SAFE(it, &desk->refreshes)
	search_free(LIST_ENTRY(it, struct sts_search, link));
}

void sts_cancel(struct sts_search **search)
{
	if (*search)
		search_free(*search);
	*search = NULL;
}

static uint64_t now_s(void)
{
	return wall_clock_ms() / 1000;
}

/* --- the answer ----------------------------------------------------------------------------------- */

/* A policy counts for no longer than it says. */
static uint64_t at_most_its_age(const struct mta_sts_kept *kept, uint64_t keep_ms)
{
	uint64_t now = now_s(), end_s = kept->fetched_at_s + kept->max_age_s;
	uint64_t left_ms = end_s > now ? (end_s - now) * 1000 : 1000;

	return left_ms < keep_ms ? left_ms : keep_ms;
}

/* By what is kept, if anything. */
static void answer(struct sts_search *search, uint64_t keep_ms)
{
	struct sts_answer result = { .keep_ms = keep_ms };
	struct mta_sts_policy policy;
	struct mta_sts_problem problem;
	sts_fn *fn = search->fn;

	search->fn = NULL;
	if (search->has_kept && mta_sts_policy_parse(search->kept.text, &search->arena, &policy, &problem)) {
		result.mode = policy.mode;
		result.text = policy.mode == MTA_STS_NONE ? span_of("", 0) : search->kept.text;
		result.is_allowed = mta_sts_policy_has(&policy, span_of_str(search->host));
		result.keep_ms = at_most_its_age(&search->kept.kept, keep_ms);
	}
	if (fn)
		fn(search->arg, &result);
}

static void end(struct sts_search *search, uint64_t keep_ms)
{
	answer(search, keep_ms);
	search_free(search);
}

/* It goes on without anybody who waits. */
static void answer_and_go_on(struct sts_search *search, uint64_t keep_ms)
{
	list_push_back(&search->desk->refreshes, &search->link);
	answer(search, keep_ms);
}

/* --- fetching it ---------------------------------------------------------------------------------- */

static void note_failure(struct sts_search *search, enum tls_result result, const char *why)
{
	struct sts_desk *desk = search->desk;
	const struct tls_session session = {
		.domain = search->domain,
		.kind = TLS_POLICY_STS,
		.policy = span_of("", 0),
		.host = "",
		.sending_ip = "",
		.receiving_ip = "",
		.result = result,
	};

	tls_ledger_note(desk->ledger, &session);
	sts_store_tried(desk->store, span_of_str(search->domain), now_s());
	sts_share_failed(&desk->share, span_of_str(search->domain), span_of_str(why));
	meter_add_at(desk->meter, METRIC_TLS_RESULTS, result, 1);
	log_event(desk->log, LOG_WARN, "sts-policy-not-fetched", LOG_STR("domain", search->domain),
		LOG_STR("why", why), LOG_BOOL("older_one_counts", search->has_kept), LOG_END);
}

/* RFC 8461 3.3: text/plain, with or without parameters. */
static bool is_plain_text(const char *type)
{
	static const char wanted[] = "text/plain";
	size_t len = sizeof(wanted) - 1;

	return span_eq_nocase(span_of(type, strlen(type) < len ? strlen(type) : len), span_of_str(wanted)) &&
	       (!type[len] || type[len] == ';' || type[len] == ' ');
}

static void keep(struct sts_search *search, const struct fetch_result *result)
{
	struct mta_sts_policy policy;
	struct mta_sts_problem problem;

	if (!mta_sts_policy_parse(result->body, &search->arena, &policy, &problem)) {
		note_failure(search, TLS_RESULT_STS_POLICY_INVALID, problem.what);
		return;
	}
	search->kept = (struct sts_kept_policy){
		.text = arena_dup(&search->arena, result->body),
		.kept = { now_s(), policy.max_age_s, search->id },
	};
	search->has_kept = true;
	sts_store_put(search->desk->store, span_of_str(search->domain), &search->kept);
	sts_share_put(&search->desk->share, span_of_str(search->domain), &search->kept, now_s());
	log_event(search->desk->log, LOG_INFO, "sts-policy-fetched", LOG_STR("domain", search->domain),
		LOG_STR("mode", mta_sts_mode_name(policy.mode)), LOG_U64("max_age_s", policy.max_age_s),
		LOG_END);
}

static void on_fetched(void *arg, const struct fetch_result *result)
{
	struct sts_search *search = arg;

	search->fetch = NULL;
	if (result->outcome == FETCH_UNTRUSTED)
		note_failure(search, TLS_RESULT_STS_WEBPKI_INVALID, result->why);
	else if (result->outcome != FETCH_ANSWERED)
		note_failure(search, TLS_RESULT_STS_FETCH_ERROR, result->why);
	else if (result->status != 200)
		note_failure(search, TLS_RESULT_STS_FETCH_ERROR, "the server does not answer with 200");
	else if (!is_plain_text(result->content_type))
		note_failure(search, TLS_RESULT_STS_FETCH_ERROR, "the answer is not text/plain");
	else
		keep(search, result);
	end(search, KEEP_MS);
}

static void begin_fetch(struct sts_search *search)
{
	struct buf url = { 0 };
	struct fetch_request request = {
		.method = "GET",
		.answer_max = MTA_STS_POLICY_LEN_MAX,
		.timeout_ms = FETCH_MS,
		.fn = on_fetched,
		.arg = search,
	};

	buf_printf(&url, "https://mta-sts.%s/.well-known/mta-sts.txt", search->domain);
	buf_append_byte(&url, '\0');
	request.url = buf_span(&url).ptr;
	search->fetch = fetch_start(search->desk->fetcher, &request);
	buf_fini(&url);
}

/* --- with the cluster ------------------------------------------------------------------------------ */

static bool is_fresh(const struct sts_search *search)
{
	return search->has_kept &&
	       mta_sts_freshness(&search->kept.kept, search->id, now_s()) == MTA_STS_FRESH;
}

/* What another node has fetched counts here too, when it is newer than what we have. */
static void adopt(struct sts_search *search, const struct sts_shared *shared)
{
	uint64_t age_s = shared->age_ms / 1000, max_age_s = (shared->age_ms + shared->left_ms) / 1000;
	struct sts_kept_policy theirs = { .text = shared->text };
	struct mta_sts_policy policy;
	struct mta_sts_problem problem;

	search->serial = shared->serial;
	if (!shared->text.len || !mta_sts_policy_parse(shared->text, &search->arena, &policy, &problem))
		return;
	theirs.kept = (struct mta_sts_kept){ now_s() - age_s,
		policy.max_age_s < max_age_s ? policy.max_age_s : (uint32_t)max_age_s, shared->id };
	/* Within a second they are the same. */
	if (search->has_kept && theirs.kept.fetched_at_s <= search->kept.kept.fetched_at_s + 1)
		return;
	search->kept.text = arena_dup(&search->arena, theirs.text);
	search->kept.kept = theirs.kept;
	search->kept.kept.id = arena_dup(&search->arena, theirs.kept.id);
	search->has_kept = true;
	sts_store_put(search->desk->store, span_of_str(search->domain), &search->kept);
	log_event(search->desk->log, LOG_INFO, "sts-policy-heard", LOG_STR("domain", search->domain),
		LOG_STR("mode", mta_sts_mode_name(policy.mode)), LOG_U64("age_s", age_s), LOG_END);
}

static void claim(void *arg);

/* Whoever fetches it, something is known of it soon. */
static void wait(struct sts_search *search, uint64_t wait_ms)
{
	if (search->fn)
		loop_timer_set(search->desk->loop, &search->timer, wait_ms < WAIT_MS ? wait_ms : WAIT_MS);
	else
		end(search, 0);
}

static void on_claimed(void *arg, const struct sts_shared *shared)
{
	struct sts_search *search = arg;
	bool is_late = loop_now_ms(search->desk->loop) - search->began_ms >= PATIENCE_MS;

	search->shared = NULL;
	if (shared->is_answer)
		adopt(search, shared);
	if (!shared->is_answer || shared->is_granted || is_late) {
		begin_fetch(search);
	} else if (is_fresh(search)) {
		end(search, KEEP_MS);
	} else if (shared->has_failed) {
		sts_store_tried(search->desk->store, span_of_str(search->domain), now_s());
		end(search, KEEP_MS);
	} else if (shared->wait_ms) {
		wait(search, shared->wait_ms);
	} else {
		claim(search);
	}
}

static void claim(void *arg)
{
	struct sts_search *search = arg;

	search->shared = sts_share_claim(
		&search->desk->share, span_of_str(search->domain), search->serial, on_claimed, search);
	if (!search->shared)
		begin_fetch(search);
}

/* What there is, here and in the cluster, is known. */
static void decide(struct sts_search *search)
{
	struct sts_store *store = search->desk->store;
	struct span domain = span_of_str(search->domain);

	if (is_fresh(search) || (!search->has_kept && !search->id.len) ||
		!sts_store_may_fetch(store, domain, now_s())) {
		end(search, is_fresh(search) || (search->is_known && !search->id.len) ? KEEP_MS
										      : KEEP_UNKNOWN_MS);
		return;
	}
	/* An older one counts meanwhile. */
	if (search->has_kept) {
		sts_store_tried(store, domain, now_s());
		answer_and_go_on(search, KEEP_UNKNOWN_MS);
	}
	claim(search);
}

static void on_read(void *arg, const struct sts_shared *shared)
{
	struct sts_search *search = arg;

	search->shared = NULL;
	if (shared->is_answer)
		adopt(search, shared);
	decide(search);
}

static void on_compared(void *arg, const struct sts_shared *shared)
{
	struct sts_search *search = arg;

	search->shared = NULL;
	if (shared->is_answer && !shared->serial)
		sts_share_put(&search->desk->share, span_of_str(search->domain), &search->kept, now_s());
	else if (shared->is_answer)
		adopt(search, shared);
	end(search, 0);
}

/* A fresh one is good enough; the cluster may have lost it, or have a newer one. */
static void compare(struct sts_search *search)
{
	search->shared =
		sts_share_read(&search->desk->share, span_of_str(search->domain), on_compared, search);
	if (search->shared)
		answer_and_go_on(search, KEEP_MS);
	else
		end(search, KEEP_MS);
}

/* --- the record ------------------------------------------------------------------------------------ */

/* RFC 8461 3.1: exactly one that begins as such; else there is none. */
static void take_record(struct sts_search *search, const struct dns_answer *found)
{
	struct span text, id = span_of(NULL, 0);
	size_t count = 0;

	for (size_t i = 0; i < found->count; i++) {
		if (!dns_txt_parse(found->records[i], &search->arena, &text) || !mta_sts_record_is_one(text))
			continue;
		count++;
		if (mta_sts_record_parse(text, &id))
			id = span_of(NULL, 0);
	}
	if (count == 1 && id.len)
		search->id = arena_dup(&search->arena, id);
}

static void on_record(void *arg, struct dns_answer *found)
{
	struct sts_search *search = arg;
	struct sts_desk *desk = search->desk;
	struct span domain = span_of_str(search->domain);

	search->question = NULL;
	search->is_known = found->status != DNS_SERVFAIL && found->status != DNS_TIMEOUT;
	take_record(search, found);
	search->has_kept = sts_store_get(desk->store, domain, now_s(), &search->arena, &search->kept);
	if (is_fresh(search)) {
		compare(search);
		return;
	}
	search->shared = sts_share_read(&desk->share, domain, on_read, search);
	if (!search->shared)
		decide(search);
}

struct sts_search *sts_start(
	struct sts_desk *desk, const char *domain, const char *host, sts_fn *fn, void *arg)
{
	struct sts_search *search = mem_zalloc(sizeof(*search));
	const struct dns_asker asker = { .loop = desk->loop, .fn = on_record, .arg = search };
	struct buf name = { 0 };
	char *small;

	search->desk = desk;
	search->began_ms = loop_now_ms(desk->loop);
	list_init(&search->link);
	loop_timer_init(&search->timer, claim, search);
	small = arena_strdup(&search->arena, span_of_str(domain));
	for (char *it = small; *it; it++)
		*it = ascii_lower(*it);
	search->domain = small;
	search->host = arena_strdup(&search->arena, span_of_str(host));
	search->fn = fn;
	search->arg = arg;
	buf_printf(&name, "_mta-sts.%s", search->domain);
	buf_append_byte(&name, '\0');
	search->question = resolver_ask(desk->resolver, buf_span(&name).ptr, DNS_TXT, &asker);
	buf_fini(&name);
	return search;
}
