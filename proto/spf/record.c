#include "spf/record_internal.h"

#include "skein/proto/base/check.h"
#include "spf/macro_internal.h"

#include <arpa/inet.h>

enum argument {
	ARGUMENT_NONE,
	ARGUMENT_DOMAIN,              /* :domain-spec */
	ARGUMENT_MAYBE_DOMAIN,        /* [:domain-spec] */
	ARGUMENT_MAYBE_DOMAIN_PREFIX, /* [:domain-spec] [dual-cidr-length] */
	ARGUMENT_IP4,
	ARGUMENT_IP6,
};

static const struct {
	struct span name;
	enum argument argument;
	bool asks_dns;
} mechanisms[] = {
	[SPF_MECHANISM_ALL] = { { "all", 3 }, ARGUMENT_NONE, false },
	[SPF_MECHANISM_INCLUDE] = { { "include", 7 }, ARGUMENT_DOMAIN, true },
	[SPF_MECHANISM_A] = { { "a", 1 }, ARGUMENT_MAYBE_DOMAIN_PREFIX, true },
	[SPF_MECHANISM_MX] = { { "mx", 2 }, ARGUMENT_MAYBE_DOMAIN_PREFIX, true },
	[SPF_MECHANISM_PTR] = { { "ptr", 3 }, ARGUMENT_MAYBE_DOMAIN, true },
	[SPF_MECHANISM_IP4] = { { "ip4", 3 }, ARGUMENT_IP4, false },
	[SPF_MECHANISM_IP6] = { { "ip6", 3 }, ARGUMENT_IP6, false },
	[SPF_MECHANISM_EXISTS] = { { "exists", 6 }, ARGUMENT_DOMAIN, true },
};

static const struct span version = { "v=spf1", 6 };

bool spf_record_is_one(struct span text)
{
	return span_starts_with_nocase(text, version) &&
	       (text.len == version.len || text.ptr[version.len] == ' ');
}

bool spf_term_asks_dns(const struct spf_term *term)
{
	return mechanisms[term->mechanism].asks_dns;
}

static bool is_name_byte(char c, bool is_first)
{
	bool is_letter = ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z';

	return is_letter || (!is_first && ((c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.'));
}

/* What the text begins with that may be a mechanism's or modifier's name. */
static struct span get_name(struct span text)
{
	size_t len = 0;

	while (len < text.len && is_name_byte(text.ptr[len], len == 0))
		len++;
	return span_take(text, len);
}

/* "0" or digits without a leading zero. */
static bool parse_prefix(struct span digits, unsigned bits_max, unsigned *bits_out)
{
	uint64_t bits;

	if (!span_parse_u64(digits, bits_max, &bits) || (digits.len > 1 && digits.ptr[0] == '0'))
		return false;
	*bits_out = (unsigned)bits;
	return true;
}

/* Digits at the end of `text` behind `slashes`: they are cut off. False: there are none. */
static bool cut_prefix(struct span *text, struct span slashes, struct span *digits_out)
{
	size_t start = text->len;

	while (start > 0 && text->ptr[start - 1] >= '0' && text->ptr[start - 1] <= '9')
		start--;
	if (start == text->len || start < slashes.len ||
		!span_eq(span_of(text->ptr + start - slashes.len, slashes.len), slashes))
		return false;
	*digits_out = span_drop(*text, start);
	*text = span_take(*text, start - slashes.len);
	return true;
}

/* RFC 7208 5.6: dual-cidr-length. A slash may be in a domain-spec too, so this is looked for from the end. */
static const char *cut_prefixes(struct span *text, struct spf_term *term)
{
	struct span digits;

	if (cut_prefix(text, SPAN_LIT("//"), &digits) && !parse_prefix(digits, 128, &term->prefix6))
		return "an IPv6 prefix is not 0 to 128";
	if (cut_prefix(text, SPAN_LIT("/"), &digits) && !parse_prefix(digits, 32, &term->prefix4))
		return "an IPv4 prefix is not 0 to 32";
	return NULL;
}

static const char *parse_domain(struct span rest, bool is_optional, struct spf_term *term)
{
	if (!rest.len)
		return is_optional ? NULL : "it needs \":\" and a domain name";
	if (rest.ptr[0] != ':')
		return "something other than \":\" follows the mechanism's name";
	term->domain = span_drop(rest, 1);
	return macro_check(term->domain, MACRO_DOMAIN);
}

static bool parse_address(struct span text, int family, uint8_t *address)
{
	char copy[INET6_ADDRSTRLEN];

	if (text.len >= sizeof(copy) || span_find(text, '\0') < text.len)
		return false;
	memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	return inet_pton(family, copy, address) == 1;
}

/* ":" address ["/" bits] */
static const char *parse_network(struct span rest, bool is_ip4, struct spf_term *term)
{
	struct span address;
	size_t slash;

	if (!rest.len || rest.ptr[0] != ':')
		return "it needs \":\" and an address";
	rest = span_drop(rest, 1);
	slash = span_find(rest, '/');
	address = span_take(rest, slash);
	if (!parse_address(address, is_ip4 ? AF_INET : AF_INET6, term->address))
		return is_ip4 ? "it has no IPv4 address" : "it has no IPv6 address";
	if (slash == rest.len)
		return NULL;
	if (is_ip4)
		return parse_prefix(span_drop(rest, slash + 1), 32, &term->prefix4)
			       ? NULL
			       : "its prefix is not 0 to 32";
	return parse_prefix(span_drop(rest, slash + 1), 128, &term->prefix6) ? NULL
									     : "its prefix is not 0 to 128";
}

static const char *parse_argument(struct span rest, struct spf_term *term)
{
	const char *wrong;

	switch (mechanisms[term->mechanism].argument) {
	case ARGUMENT_NONE:
		return rest.len ? "something follows the mechanism's name" : NULL;
	case ARGUMENT_DOMAIN:
		return parse_domain(rest, false, term);
	case ARGUMENT_MAYBE_DOMAIN:
		return parse_domain(rest, true, term);
	case ARGUMENT_MAYBE_DOMAIN_PREFIX:
		wrong = cut_prefixes(&rest, term);
		return wrong ? wrong : parse_domain(rest, true, term);
	case ARGUMENT_IP4:
		return parse_network(rest, true, term);
	case ARGUMENT_IP6:
		return parse_network(rest, false, term);
	}
	return NULL;
}

static void take_qualifier(struct span *text, enum spf_result *qualifier_out)
{
	switch (text->len ? text->ptr[0] : '\0') {
	case '+':
		*qualifier_out = SPF_PASS;
		break;
	case '-':
		*qualifier_out = SPF_FAIL;
		break;
	case '~':
		*qualifier_out = SPF_SOFTFAIL;
		break;
	case '?':
		*qualifier_out = SPF_NEUTRAL;
		break;
	default:
		*qualifier_out = SPF_PASS;
		return;
	}
	*text = span_drop(*text, 1);
}

static const char *parse_mechanism(struct spf_term *term)
{
	struct span rest = term->text, name;

	take_qualifier(&rest, &term->qualifier);
	name = get_name(rest);
	term->prefix4 = 32;
	term->prefix6 = 128;
	for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++) {
		if (span_eq_nocase(name, mechanisms[i].name)) {
			term->mechanism = (enum spf_mechanism)i;
			return parse_argument(span_drop(rest, name.len), term);
		}
	}
	return "it is no mechanism that RFC 7208 knows";
}

/* RFC 7208 6: redirect and exp at most once each; unknown ones are ignored, but must be well written. */
static const char *parse_modifier(struct span name, const struct spf_term *term, struct spf_record *record)
{
	struct span value = span_drop(term->text, name.len + 1);
	struct spf_term *slot = NULL;

	if (span_eq_nocase(name, SPAN_LIT("redirect")))
		slot = &record->redirect;
	else if (span_eq_nocase(name, SPAN_LIT("exp")))
		slot = &record->exp;
	if (!slot)
		return macro_check(value, MACRO_MODIFIER);
	if (slot->number)
		return "the modifier stands in the record twice";
	*slot = *term;
	slot->domain = value;
	return macro_check(value, MACRO_DOMAIN);
}

static const char *parse_term(struct span text, unsigned number, struct spf_record *record)
{
	struct spf_term term = { .text = text, .number = number };
	struct span name = get_name(text);
	const char *wrong;

	if (name.len && name.len < text.len && text.ptr[name.len] == '=')
		return parse_modifier(name, &term, record);
	wrong = parse_mechanism(&term);
	if (!wrong)
		record->terms[record->count++] = term;
	return wrong;
}

/* Terms are parted by one space or more. False: there is none left. */
static bool take_term(struct span *rest, struct span *term_out)
{
	while (rest->len && rest->ptr[0] == ' ')
		*rest = span_drop(*rest, 1);
	*term_out = span_take(*rest, span_find(*rest, ' '));
	*rest = span_drop(*rest, term_out->len);
	return term_out->len > 0;
}

static unsigned count_terms(struct span rest)
{
	struct span term;
	unsigned count = 0;

	while (take_term(&rest, &term))
		count++;
	return count;
}

static bool tell(const char *what, struct span term, unsigned number, struct spf_record_problem *problem_out)
{
	*problem_out = (struct spf_record_problem){ what, term, number };
	return false;
}

bool spf_record_parse(struct span text, struct arena *arena, struct spf_record *record_out,
	struct spf_record_problem *problem_out)
{
	struct span none = { 0 }, rest, term;
	unsigned number = 0, count;

	CHECK(spf_record_is_one(text));
	*record_out = (struct spf_record){ 0 };
	if (text.len > SPF_RECORD_LEN_MAX)
		return tell("the record is too long", none, 0, problem_out);
	rest = span_drop(text, version.len);
	count = count_terms(rest);
	if (count > SPF_TERM_COUNT_MAX)
		return tell("the record has too many terms", none, 0, problem_out);
	record_out->terms = arena_zalloc(arena, (count + 1) * sizeof(*record_out->terms));
	while (take_term(&rest, &term)) {
		const char *wrong = parse_term(term, ++number, record_out);

		if (wrong)
			return tell(wrong, term, number, problem_out);
	}
	return true;
}
