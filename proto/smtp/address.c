#include "skein/proto/smtp/address.h"

#include "skein/proto/base/utf8.h"

#include <arpa/inet.h>

static bool take_byte(struct span *rest, char byte)
{
	if (!rest->len || rest->ptr[0] != byte)
		return false;
	*rest = span_drop(*rest, 1);
	return true;
}

static bool is_utf8_byte(char c)
{
	return (unsigned char)c >= 0x80;
}

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z');
}

/* RFC 5322 atext, and UTF8-non-ascii (RFC 6531 3.3). */
static bool is_atext(char c)
{
	return is_alnum(c) || is_utf8_byte(c) || (c && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

/* Dot-string: atoms with single dots between. */
static bool take_dot_string(struct span *rest)
{
	do {
		size_t len = 0;

		while (len < rest->len && is_atext(rest->ptr[len]))
			len++;
		if (!len)
			return false;
		*rest = span_drop(*rest, len);
	} while (take_byte(rest, '.'));
	return true;
}

/* What follows the opening quote, up to and with the closing one (RFC 5321 4.1.2: qtextSMTP,
 * quoted-pairSMTP). */
static bool take_quoted(struct span *rest)
{
	while (rest->len) {
		char c = rest->ptr[0];

		*rest = span_drop(*rest, 1);
		if (c == '"')
			return true;
		if (c == '\\') {
			if (!rest->len || rest->ptr[0] < ' ' || rest->ptr[0] > '~')
				return false;
			*rest = span_drop(*rest, 1);
		} else if (!is_utf8_byte(c) && (c < ' ' || c > '~')) {
			return false;
		}
	}
	return false;
}

/* A label holds letters, digits and hyphens inside; underscores too, for many a Windows host has one. */
static bool take_label(struct span *rest)
{
	bool is_ascii = true;
	size_t len = 0;

	for (; len < rest->len; len++) {
		char c = rest->ptr[len];

		if (!is_alnum(c) && c != '-' && c != '_' && !is_utf8_byte(c))
			break;
		is_ascii = is_ascii && !is_utf8_byte(c);
	}
	/* The 63 bytes of a label are those of its ASCII form, which a UTF-8 one does not show. */
	if (!len || (is_ascii && len > 63) || rest->ptr[0] == '-' || rest->ptr[len - 1] == '-')
		return false;
	*rest = span_drop(*rest, len);
	return true;
}

static bool take_name(struct span *rest)
{
	do {
		if (!take_label(rest))
			return false;
	} while (take_byte(rest, '.'));
	return true;
}

/* RFC 5321 4.1.3. `text` is what stands between the brackets. */
static bool parse_literal(struct span text, enum smtp_domain_kind *kind_out)
{
	bool is_ipv6 = span_starts_with_nocase(text, SPAN_LIT("IPv6:"));
	struct in6_addr addr;
	char digits[INET6_ADDRSTRLEN];

	if (is_ipv6)
		text = span_drop(text, strlen("IPv6:"));
	if (text.len >= sizeof(digits) || memchr(text.ptr, '\0', text.len))
		return false;
	memcpy(digits, text.ptr, text.len);
	digits[text.len] = '\0';
	*kind_out = is_ipv6 ? SMTP_DOMAIN_IPV6 : SMTP_DOMAIN_IPV4;
	return inet_pton(is_ipv6 ? AF_INET6 : AF_INET, digits, &addr) == 1;
}

static bool take_domain(struct span *rest, enum smtp_domain_kind *kind_out)
{
	const char *start = rest->ptr;

	*kind_out = SMTP_DOMAIN_NAME;
	if (take_byte(rest, '[')) {
		size_t len = span_find(*rest, ']');
		struct span inside = span_take(*rest, len);

		if (len == rest->len)
			return false;
		*rest = span_drop(*rest, len + 1);
		return parse_literal(inside, kind_out);
	}
	return take_name(rest) && (size_t)(rest->ptr - start) <= SMTP_DOMAIN_MAX;
}

static bool has_utf8(struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (is_utf8_byte(text.ptr[i]))
			return true;
	}
	return false;
}

static bool take_mailbox(struct span *rest, struct smtp_address *address)
{
	const char *start = rest->ptr;

	if (!(take_byte(rest, '"') ? take_quoted(rest) : take_dot_string(rest)))
		return false;
	address->local = span_of(start, (size_t)(rest->ptr - start));
	if (!take_byte(rest, '@'))
		return false;
	address->domain.ptr = rest->ptr;
	if (!take_domain(rest, &address->domain_kind))
		return false;
	address->domain.len = (size_t)(rest->ptr - address->domain.ptr);
	address->kind = SMTP_ADDRESS_MAILBOX;
	address->text = span_of(start, (size_t)(rest->ptr - start));
	address->has_utf8 = has_utf8(address->text);
	return address->text.len <= SMTP_MAILBOX_MAX && (!address->has_utf8 || utf8_is_valid(address->text));
}

/* RFC 5321 4.1.1.3: A-d-l, which must be accepted and should be ignored. */
static bool take_source_route(struct span *rest)
{
	enum smtp_domain_kind kind;

	do {
		if (!take_byte(rest, '@') || !take_domain(rest, &kind))
			return false;
	} while (take_byte(rest, ','));
	return take_byte(rest, ':');
}

/* What follows the opening bracket. */
static bool take_bracketed(struct span *rest, struct smtp_address *address)
{
	if (take_byte(rest, '>')) {
		address->kind = SMTP_ADDRESS_NULL;
		address->text = SPAN_LIT("");
		return true;
	}
	if (span_starts_with_nocase(*rest, SPAN_LIT("postmaster>"))) {
		address->kind = SMTP_ADDRESS_POSTMASTER;
		address->text = address->local = span_take(*rest, strlen("postmaster"));
		*rest = span_drop(*rest, strlen("postmaster>"));
		return true;
	}
	if (rest->len && rest->ptr[0] == '@' && !take_source_route(rest))
		return false;
	return take_mailbox(rest, address) && take_byte(rest, '>');
}

bool smtp_path_take(struct span *rest, struct smtp_address *address_out)
{
	*address_out = (struct smtp_address){ 0 };
	if (take_byte(rest, '<'))
		return take_bracketed(rest, address_out);
	return take_mailbox(rest, address_out) && (!rest->len || rest->ptr[0] == ' ');
}
