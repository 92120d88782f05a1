#include "spf/check_internal.h"

#include "spf/name_internal.h"

static const struct spf_term *get_term(struct spf_check *check)
{
	struct check_frame *frame = check_top(check);

	return frame->next < frame->record.count ? &frame->record.terms[frame->next]
						 : &frame->record.redirect;
}

static void fail_here(struct spf_check *check, enum spf_result result, const char *what)
{
	check_fail(check, result, check_place(check, get_term(check)), "%s", what);
}

static void fail_lookup(struct spf_check *check)
{
	check_fail(check, SPF_TEMPERROR, check_place(check, get_term(check)), "%.*s cannot be looked up now",
		SPAN_ARGS(check->question.name));
}

/* RFC 7208 4.6.4. False: the check is over. */
static bool count_term(struct spf_check *check)
{
	if (check->progress.is_counted)
		return true;
	check->progress.is_counted = true;
	if (++check->verdict.dns_terms <= SPF_DNS_TERMS_MAX)
		return true;
	check_fail(check, SPF_PERMERROR, check_place(check, get_term(check)),
		"it is one more than the %d terms that may look something up", SPF_DNS_TERMS_MAX);
	return false;
}

/*
 * RFC 7208 4.6.4. A name without AAAA is not counted: it exists, and most have A alone, so that a client with
 * IPv6 would turn many a good record into an error. Nor are names of the client: they are not the domain's.
 * False: the check is over.
 */
static bool count_void(struct spf_check *check, const struct spf_answer *answer)
{
	bool is_void = answer->status == SPF_ANSWER_NXDOMAIN ||
		       (answer->status == SPF_ANSWER_NO_DATA && check->question.type != SPF_QUERY_AAAA);

	if (!is_void || ++check->verdict.void_lookups <= SPF_VOID_LOOKUPS_MAX)
		return true;
	check_fail(check, SPF_PERMERROR, check_place(check, get_term(check)),
		"%.*s has no such records, and only %d lookups may find nothing",
		SPAN_ARGS(check->question.name), SPF_VOID_LOOKUPS_MAX);
	return false;
}

/* False: the check is over. */
static bool judge_answer(struct spf_check *check, const struct spf_answer *answer)
{
	if (answer->status != SPF_ANSWER_TEMPERROR)
		return count_void(check, answer);
	fail_lookup(check);
	return false;
}

static void settle(struct spf_check *check, bool matches)
{
	if (matches)
		check_leave(check, get_term(check)->qualifier);
	else
		check_next_term(check);
}

static unsigned get_prefix(const struct spf_check *check, const struct spf_term *term)
{
	return check->values.client_len == 4 ? term->prefix4 : term->prefix6;
}

static void on_addresses(struct spf_check *check, const struct spf_answer *answer)
{
	if (judge_answer(check, answer))
		settle(check, check_has_client(check, answer, get_prefix(check, get_term(check))));
}

static void on_exists(struct spf_check *check, const struct spf_answer *answer)
{
	if (judge_answer(check, answer))
		settle(check, answer->status == SPF_ANSWER_RECORDS);
}

static void on_exchanges(struct spf_check *check, const struct spf_answer *answer)
{
	struct check_progress *progress = &check->progress;

	if (!judge_answer(check, answer))
		return;
	if (answer->count > SPF_NAMES_MAX) {
		fail_here(check, SPF_PERMERROR, "the domain has more than 10 MX records");
		return;
	}
	progress->has_exchanges = true;
	for (size_t i = 0; i < answer->count; i++) {
		struct span name = name_without_dot(answer->records[i]);

		if (name_is_askable(name))
			progress->exchanges[progress->exchange_count++] = arena_dup(&check->arena, name);
	}
}

static void on_exchange_addresses(struct spf_check *check, const struct spf_answer *answer)
{
	if (!judge_answer(check, answer))
		return;
	if (check_has_client(check, answer, get_prefix(check, get_term(check))))
		settle(check, true);
}

static void run_mx(struct spf_check *check)
{
	struct check_progress *progress = &check->progress;

	if (!progress->has_exchanges)
		check_ask(check, SPF_QUERY_MX, progress->target, on_exchanges);
	else if (progress->exchange_next < progress->exchange_count)
		check_ask_addresses(
			check, progress->exchanges[progress->exchange_next++], on_exchange_addresses);
	else
		settle(check, false);
}

static void run_ptr(struct spf_check *check)
{
	struct span name;

	if (check_find_client_name(check, check->progress.target, RANK_WITHIN, &name))
		settle(check, name.len > 0);
}

static void match_network(struct spf_check *check, const struct spf_term *term)
{
	size_t len = term->mechanism == SPF_MECHANISM_IP4 ? 4 : 16;
	struct span network = span_of((const char *)term->address, len);
	struct spf_answer answer = { SPF_ANSWER_RECORDS, &network, 1 };

	settle(check, check_has_client(check, &answer, get_prefix(check, term)));
}

/* RFC 8616 4: a local part with other bytes than ASCII cannot be in a name of the DNS. */
static bool can_match(const struct spf_check *check, struct span spec)
{
	return span_is_ascii(check->values.local) || (!macro_uses(spec, 'l') && !macro_uses(spec, 's'));
}

/* Of a term with a target: what it asks. */
static void run_target(struct spf_check *check, const struct spf_term *term)
{
	struct span target = check->progress.target;

	if (term->mechanism == SPF_MECHANISM_INCLUDE)
		check_include(check, target, check_place(check, term));
	else if (!name_is_askable(target))
		/* RFC 7208 4.8: what cannot be a name does not exist. */
		settle(check, false);
	else if (term->mechanism == SPF_MECHANISM_A)
		check_ask_addresses(check, target, on_addresses);
	else if (term->mechanism == SPF_MECHANISM_EXISTS)
		check_ask(check, SPF_QUERY_A, target, on_exists);
	else if (term->mechanism == SPF_MECHANISM_MX)
		run_mx(check);
	else
		run_ptr(check);
}

/* False: it asked, come again. */
static bool find_target(struct spf_check *check, const struct spf_term *term)
{
	struct check_progress *progress = &check->progress;

	if (progress->has_target)
		return true;
	progress->target = check_top(check)->domain;
	if (term->domain.len && !check_expand_name(check, term->domain, &progress->target))
		return false;
	progress->has_target = true;
	return true;
}

/* RFC 7208 4.7, 6.1: no mechanism matched. */
static void run_end(struct spf_check *check)
{
	const struct spf_term *redirect = &check_top(check)->record.redirect;

	if (!redirect->number) {
		check_leave(check, SPF_NEUTRAL);
		return;
	}
	if (count_term(check) && find_target(check, redirect))
		check_redirect(check, check->progress.target, check_place(check, redirect));
}

void check_run_term(struct spf_check *check)
{
	const struct check_frame *frame = check_top(check);
	const struct spf_term *term = get_term(check);

	if (frame->next == frame->record.count) {
		run_end(check);
	} else if (!spf_term_asks_dns(term)) {
		if (term->mechanism == SPF_MECHANISM_ALL)
			settle(check, true);
		else
			match_network(check, term);
	} else if (count_term(check)) {
		if (!can_match(check, term->domain))
			settle(check, false);
		else if (find_target(check, term))
			run_target(check, term);
	}
}
