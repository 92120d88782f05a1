#include "spf/macro_internal.h"

#include "skein/proto/base/check.h"
#include "skein/proto/spf/spf.h"
#include "spf/name_internal.h"

#include <arpa/inet.h>

/* "%{", a letter, digits, "r", delimiters, "}"; or "%%", "%_", "%-", which have no letter. */
struct macro {
	char letter; /* small; 0: `literal` stands for it */
	struct span literal;
	bool is_escaped; /* the letter was a capital one */
	bool is_reversed;
	uint64_t keep; /* parts on the right; 0: all */
	struct span delimiters;
};

static const struct span all_delimiters = { ".-+,/_=", 7 };

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_alpha(char c)
{
	return ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z';
}

static bool is_alnum(char c)
{
	return is_alpha(c) || is_digit(c);
}

static bool is_among(char c, struct span set)
{
	return span_find(set, c) < set.len;
}

static size_t count_digits(struct span text)
{
	size_t count = 0;

	while (count < text.len && is_digit(text.ptr[count]))
		count++;
	return count;
}

/* `inside` is what stands between the braces. */
static const char *parse_inside(struct span inside, struct macro *macro)
{
	size_t digits;

	if (!inside.len || !is_among(ascii_lower(inside.ptr[0]), SPAN_LIT("slodiphcrtv")))
		return "a macro's letter is none of s l o d i p h c r t v";
	*macro = (struct macro){ .letter = ascii_lower(inside.ptr[0]), .is_escaped = inside.ptr[0] < 'a' };
	inside = span_drop(inside, 1);
	digits = count_digits(inside);
	/* No value has more parts than bytes, so what does not fit is as good as all. */
	if (digits && span_parse_u64(span_take(inside, digits), UINT32_MAX, &macro->keep) && !macro->keep)
		return "a macro keeps 0 parts";
	inside = span_drop(inside, digits);
	if (inside.len && ascii_lower(inside.ptr[0]) == 'r') {
		macro->is_reversed = true;
		inside = span_drop(inside, 1);
	}
	for (size_t i = 0; i < inside.len; i++) {
		if (!is_among(inside.ptr[i], all_delimiters))
			return "a macro has something else than digits, r and delimiters behind its letter";
	}
	macro->delimiters = inside.len ? inside : SPAN_LIT(".");
	return NULL;
}

/* `rest` begins with "%"; the macro is taken off. Returns what is wrong with it. */
static const char *take_macro(struct span *rest, struct macro *macro)
{
	static const struct {
		char byte;
		struct span literal;
	} literals[] = { { '%', { "%", 1 } }, { '_', { " ", 1 } }, { '-', { "%20", 3 } } };
	size_t end = span_find(*rest, '}');
	const char *wrong;

	for (size_t i = 0; i < ARRAY_LEN(literals) && rest->len >= 2; i++) {
		if (rest->ptr[1] == literals[i].byte) {
			*macro = (struct macro){ .literal = literals[i].literal };
			*rest = span_drop(*rest, 2);
			return NULL;
		}
	}
	if (rest->len < 2 || rest->ptr[1] != '{')
		return "\"%\" is followed by none of { % _ -";
	if (end == rest->len)
		return "a macro has no \"}\"";
	wrong = parse_inside(span_drop(span_take(*rest, end), 2), macro);
	*rest = span_drop(*rest, end + 1);
	return wrong;
}

/* RFC 7208 7.1: toplabel. */
static bool is_toplabel(struct span label)
{
	bool has_other = false;

	if (!label.len || !is_alnum(label.ptr[0]) || !is_alnum(label.ptr[label.len - 1]))
		return false;
	for (size_t i = 0; i < label.len; i++) {
		if (!is_alnum(label.ptr[i]) && label.ptr[i] != '-')
			return false;
		has_other = has_other || !is_digit(label.ptr[i]);
	}
	return has_other;
}

/* RFC 7208 7.1: domain-end, where `tail` is what follows the last macro. */
static const char *check_domain_end(struct span tail, bool has_macro)
{
	size_t dot;

	if (!tail.len)
		return has_macro ? NULL : "a domain name is missing";
	tail = name_without_dot(tail);
	for (dot = tail.len; dot > 0 && tail.ptr[dot - 1] != '.'; dot--)
		;
	if (!dot)
		return "a domain name has one label only";
	return is_toplabel(span_drop(tail, dot)) ? NULL : "a domain name ends in what is no top-level domain";
}

const char *macro_check(struct span text, enum macro_use use)
{
	struct span rest = text, tail = text;
	bool has_macro = false;

	while (rest.len) {
		struct macro macro;
		const char *wrong;

		if (rest.ptr[0] != '%') {
			if (rest.ptr[0] < (use == MACRO_EXPLANATION ? ' ' : '!') || rest.ptr[0] > '~')
				return "a byte is not printable ASCII";
			rest = span_drop(rest, 1);
			continue;
		}
		wrong = take_macro(&rest, &macro);
		if (wrong)
			return wrong;
		if (use == MACRO_DOMAIN && macro.letter && is_among(macro.letter, SPAN_LIT("crt")))
			return "%{c}, %{r} and %{t} are for explanations only";
		tail = rest;
		has_macro = true;
	}
	return use == MACRO_DOMAIN ? check_domain_end(tail, has_macro) : NULL;
}

/* Takes what stands before the next macro, then that macro. False: the text ended; *literal_out is its end.
 */
static bool take_piece(struct span *rest, struct span *literal_out, struct macro *macro_out)
{
	const char *wrong;

	*literal_out = span_take(*rest, span_find(*rest, '%'));
	*rest = span_drop(*rest, literal_out->len);
	if (!rest->len)
		return false;
	wrong = take_macro(rest, macro_out);
	CHECK(!wrong);
	return true;
}

bool macro_uses(struct span text, char letter)
{
	struct span literal;
	struct macro macro;

	while (take_piece(&text, &literal, &macro)) {
		if (macro.letter == letter)
			return true;
	}
	return false;
}

void macro_append_address(const struct macro_values *values, struct buf *out)
{
	/* Capitals, as the conformance suite writes explanations. */
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < values->client_len; i++) {
		if (i)
			buf_append_byte(out, '.');
		if (values->client_len == 4) {
			buf_append_u64(out, values->client[i]);
			continue;
		}
		buf_append_byte(out, digits[values->client[i] >> 4]);
		buf_append_byte(out, '.');
		buf_append_byte(out, digits[values->client[i] & 15]);
	}
}

static void append_readable_address(const struct macro_values *values, struct buf *out)
{
	char text[INET6_ADDRSTRLEN];
	const char *written =
		inet_ntop(values->client_len == 4 ? AF_INET : AF_INET6, values->client, text, sizeof(text));

	CHECK(written);
	buf_append_str(out, text);
}

static void append_value(char letter, const struct macro_values *values, struct buf *out)
{
	switch (letter) {
	case 's':
		buf_append(out, values->local);
		buf_append_byte(out, '@');
		buf_append(out, values->sender_domain);
		break;
	case 'l':
		buf_append(out, values->local);
		break;
	case 'o':
		buf_append(out, values->sender_domain);
		break;
	case 'd':
		buf_append(out, values->domain);
		break;
	case 'i':
		macro_append_address(values, out);
		break;
	case 'p':
		buf_append(out, values->validated);
		break;
	case 'v':
		buf_append_str(out, values->client_len == 4 ? "in-addr" : "ip6");
		break;
	case 'h':
		buf_append(out, values->helo);
		break;
	case 'c':
		append_readable_address(values, out);
		break;
	case 'r':
		buf_append(out, values->receiver);
		break;
	case 't':
		buf_append_u64(out, values->now);
		break;
	}
}

static size_t count_parts(struct span value, struct span delimiters)
{
	size_t count = 1;

	for (size_t i = 0; i < value.len; i++)
		count += is_among(value.ptr[i], delimiters);
	return count;
}

static struct span take_first_part(struct span *rest, struct span delimiters)
{
	struct span part = *rest;

	for (part.len = 0; part.len < rest->len && !is_among(rest->ptr[part.len], delimiters);)
		part.len++;
	*rest = span_drop(*rest, part.len < rest->len ? part.len + 1 : part.len);
	return part;
}

static struct span take_last_part(struct span *rest, struct span delimiters)
{
	size_t start = rest->len;
	struct span part;

	while (start > 0 && !is_among(rest->ptr[start - 1], delimiters))
		start--;
	part = span_drop(*rest, start);
	*rest = span_take(*rest, start ? start - 1 : 0);
	return part;
}

/* RFC 7208 7.3: split, reverse, keep those on the right, join with dots. */
static void append_transformed(struct span value, const struct macro *macro, struct buf *out)
{
	size_t count = count_parts(value, macro->delimiters);
	size_t skip = macro->keep && macro->keep < count ? count - (size_t)macro->keep : 0;

	for (size_t i = 0; i < count; i++) {
		struct span part = macro->is_reversed ? take_last_part(&value, macro->delimiters)
						      : take_first_part(&value, macro->delimiters);

		if (i < skip)
			continue;
		if (i > skip)
			buf_append_byte(out, '.');
		buf_append(out, part);
	}
}

/* RFC 3986 2.3: all but unreserved ones. */
static void append_escaped(struct span value, struct buf *out)
{
	for (size_t i = 0; i < value.len; i++) {
		if (is_alnum(value.ptr[i]) || is_among(value.ptr[i], SPAN_LIT("-._~")))
			buf_append_byte(out, value.ptr[i]);
		else
			buf_printf(out, "%%%02X", (unsigned)(unsigned char)value.ptr[i]);
	}
}

static void append_macro(const struct macro *macro, const struct macro_values *values, struct buf *out)
{
	struct buf value = { 0 }, parts = { 0 };

	if (!macro->letter) {
		buf_append(out, macro->literal);
		return;
	}
	append_value(macro->letter, values, &value);
	append_transformed(buf_span(&value), macro, &parts);
	if (macro->is_escaped)
		append_escaped(buf_span(&parts), out);
	else
		buf_append(out, buf_span(&parts));
	buf_fini(&parts);
	buf_fini(&value);
}

void macro_expand_name(struct span text, const struct macro_values *values, struct buf *out)
{
	/* More than a name with both its dots: what stands further left is cut off in the end. */
	enum { KEEP = SPF_NAME_LEN_MAX + 3 };
	struct buf name = { 0 };
	struct span literal;
	struct macro macro;
	bool goes_on;

	do {
		goes_on = take_piece(&text, &literal, &macro);
		buf_append(&name, literal);
		if (goes_on)
			append_macro(&macro, values, &name);
		if (buf_len(&name) > KEEP)
			buf_consume(&name, buf_len(&name) - KEEP);
	} while (goes_on);
	buf_append(out, name_shorten(name_without_dot(buf_span(&name))));
	buf_fini(&name);
}

void macro_expand_text(struct span text, const struct macro_values *values, size_t len_max, struct buf *out)
{
	size_t start = buf_len(out);
	struct span literal;
	struct macro macro;
	bool goes_on;

	do {
		goes_on = take_piece(&text, &literal, &macro);
		buf_append(out, literal);
		if (goes_on)
			append_macro(&macro, values, out);
	} while (goes_on && buf_len(out) - start < len_max);
	if (buf_len(out) - start > len_max)
		buf_truncate(out, start + len_max);
	for (char *c = out->base + out->head + start; c < buf_tail(out); c++) {
		if (*c < ' ' || *c > '~')
			*c = '?';
	}
}
