/* Whose mail is signed. Keys are no part of the policy: they are secrets, and come and go without it. */
#include "policy/policy_internal.h"

#include <stdio.h>

enum { PLACE_MAX = 64, SELECTOR_MAX = 63, EXPIRE_MIN_MS = 3600 * 1000 };

/* --- questions ---------------------------------------------------------------------------------- */

const struct policy_signing *policy_signings(const struct policy *policy, size_t *count_out)
{
	*count_out = policy->signing_count;
	return policy->signings;
}

static bool covers(const struct policy_signing *signing, struct span domain)
{
	struct span own = span_of_str(signing->domain);

	if (domain.len <= own.len || !signing->has_subdomains)
		return span_eq(domain, own);
	return domain.ptr[domain.len - own.len - 1] == '.' &&
	       span_eq(span_drop(domain, domain.len - own.len), own);
}

static const struct policy_signing *nearest(
	const struct policy *policy, struct span domain, enum policy_sign_by least)
{
	const struct policy_signing *found = NULL;

	for (size_t i = 0; i < policy->signing_count; i++) {
		const struct policy_signing *signing = &policy->signings[i];

		if (signing->by >= least && covers(signing, domain) &&
			(!found || strlen(signing->domain) > strlen(found->domain)))
			found = signing;
	}
	return found;
}

const struct policy_signing *policy_signing_for(
	const struct policy *policy, const struct span *authors, size_t author_count, struct span sender)
{
	const struct policy_signing *found = NULL;

	for (size_t i = 0; i < author_count && !found; i++)
		found = nearest(policy, authors[i], POLICY_SIGN_BY_AUTHOR);
	return found ? found : nearest(policy, sender, POLICY_SIGN_BY_SENDER);
}

/* --- the document ------------------------------------------------------------------------------- */

static bool is_word(struct span text, const char *others, size_t max)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = ascii_lower(text.ptr[i]);

		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c && strchr(others, c))))
			return false;
	}
	return text.len > 0 && text.len <= max;
}

static const char *place_of(size_t number, const char *key, size_t index, char out[PLACE_MAX])
{
	snprintf(out, PLACE_MAX, "sign[%zu].%s[%zu]", number, key, index);
	return out;
}

static void check_selectors(const struct sign_text *text, size_t number, struct report *report)
{
	char place[PLACE_MAX];

	for (size_t i = 0; i < text->selectors.count; i++) {
		struct span selector = span_of_str(text->selectors.items[i]);

		if (!is_word(selector, "-.", SELECTOR_MAX))
			report_error_at(report, place_of(number, "selectors", i, place),
				"%s is no selector: up to %d letters, digits, '-' and '.'",
				report_quote(selector).text, SELECTOR_MAX);
	}
}

/* What every hop changes must not be signed (RFC 6376 5.4.1). */
static bool is_trace(struct span name)
{
	return span_eq_nocase(name, SPAN_LIT("received")) || span_eq_nocase(name, SPAN_LIT("return-path")) ||
	       span_eq_nocase(name, SPAN_LIT("dkim-signature"));
}

static bool is_named_before(const struct text_list *names, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (span_eq_nocase(span_of_str(names->items[i]), span_of_str(names->items[index])))
			return true;
	return false;
}

static void check_headers(const struct sign_text *text, size_t number, struct report *report)
{
	char place[PLACE_MAX];
	bool has_from = !text->headers.count;

	for (size_t i = 0; i < text->headers.count; i++) {
		struct span name = span_of_str(text->headers.items[i]);

		place_of(number, "headers", i, place);
		if (!is_word(name, "-_", 64))
			report_error_at(
				report, place, "%s is no name of a header field", report_quote(name).text);
		else if (is_trace(name))
			report_error_at(report, place, "%s changes on its way: it cannot be signed",
				report_quote(name).text);
		else if (is_named_before(&text->headers, i))
			report_error_at(report, place, "%s is named twice", report_quote(name).text);
		has_from |= span_eq_nocase(name, SPAN_LIT("from"));
	}
	snprintf(place, sizeof(place), "sign[%zu].headers", number);
	if (!has_from)
		report_error_at(report, place, "From is not among them; it must be signed (RFC 6376 5.4)");
	if (text->headers.count > POLICY_SIGN_HEADERS_MAX)
		report_error_at(report, place, "are more than %d", POLICY_SIGN_HEADERS_MAX);
}

/* An address, or "@" and a domain, of the signing domain or of one below it. */
static void check_identity(const struct sign_text *text, size_t number, struct report *report)
{
	struct span identity = span_of_str(text->identity), domain = span_of_str(text->domain), host;
	char place[PLACE_MAX];
	size_t at = identity.len;
	bool is_good;

	while (at > 0 && identity.ptr[at - 1] != '@')
		at--;
	host = span_drop(identity, at);
	is_good = at > 0 && host.len >= domain.len &&
		  span_eq_nocase(span_drop(host, host.len - domain.len), domain) &&
		  (host.len == domain.len || host.ptr[host.len - domain.len - 1] == '.');
	for (size_t i = 0; i < identity.len; i++)
		if (identity.ptr[i] <= ' ' || identity.ptr[i] > '~' || strchr(";=", identity.ptr[i]))
			is_good = false;
	snprintf(place, sizeof(place), "sign[%zu].identity", number);
	if (identity.len && !is_good)
		report_error_at(report, place, "%s is no address of %s or of a domain below it",
			report_quote(identity).text, text->domain);
}

static void check_expire(const struct sign_text *text, size_t number, struct report *report)
{
	char place[PLACE_MAX];

	snprintf(place, sizeof(place), "sign[%zu].expire", number);
	if (text->expire_ms && text->expire_ms < EXPIRE_MIN_MS)
		report_error_at(report, place,
			"is less than an hour: mail waits longer on its way; 7d is usual, 0s is for ever");
}

static void check_unique(const struct policy_text *text, size_t number, struct report *report)
{
	char place[PLACE_MAX];

	snprintf(place, sizeof(place), "sign[%zu].domain", number);
	for (size_t i = 0; i < number; i++) {
		struct span domain = span_of_str(text->sign.items[number].domain);

		if (!span_eq_nocase(domain, span_of_str(text->sign.items[i].domain)))
			continue;
		report_error_at(
			report, place, "%s is also the domain of sign[%zu]", report_quote(domain).text, i);
		return;
	}
}

static const char *lower(struct arena *arena, const char *text)
{
	char *copy = arena_strdup(arena, span_of_str(text));

	for (char *c = copy; *c; c++)
		*c = ascii_lower(*c);
	return copy;
}

static struct text_list copy_list(struct arena *arena, struct text_list list)
{
	const char **items = list.count ? arena_alloc(arena, list.count * sizeof(*items)) : NULL;

	for (size_t i = 0; i < list.count; i++)
		items[i] = arena_strdup(arena, span_of_str(list.items[i]));
	return (struct text_list){ items, list.count };
}

void policy_compile_signings(struct policy *policy, const struct policy_text *text, struct report *report)
{
	struct arena *arena = &policy->arena;

	policy->signing_count = text->sign.count;
	policy->signings = arena_zalloc(arena, (text->sign.count + 1) * sizeof(*policy->signings));
	for (size_t i = 0; i < text->sign.count; i++) {
		const struct sign_text *sign = &text->sign.items[i];

		check_unique(text, i, report);
		check_selectors(sign, i, report);
		check_headers(sign, i, report);
		check_identity(sign, i, report);
		check_expire(sign, i, report);
		policy->signings[i] = (struct policy_signing){
			.domain = lower(arena, sign->domain),
			.has_subdomains = sign->subdomains,
			.by = sign->by,
			.selectors = copy_list(arena, sign->selectors),
			.headers = copy_list(arena, sign->headers),
			.identity = arena_strdup(arena, span_of_str(sign->identity)),
			.lifetime_s = (uint32_t)(sign->expire_ms / 1000),
			.is_header_simple = sign->form >= SIGN_SIMPLE_RELAXED,
			.is_body_simple =
				sign->form == SIGN_RELAXED_SIMPLE || sign->form == SIGN_SIMPLE_SIMPLE,
			.number = i,
		};
	}
}
