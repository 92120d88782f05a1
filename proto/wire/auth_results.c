#include "skein/proto/wire/auth_results.h"

/* In the text before it is folded: here a new line begins. No other control byte is in it. */
static const char new_line = '\n';

static const struct span field_name = { "Authentication-Results", sizeof("Authentication-Results") - 1 };

/* --- words ------------------------------------------------------------------------------------- */

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z');
}

/* RFC 2045 5.1 */
static bool is_token_char(char c)
{
	return c > ' ' && c < 0x7f && !strchr("()<>@,;:\\\"/[]?=", c);
}

/* RFC 5322 3.2.3, with the dot. */
static bool is_local_char(char c)
{
	return is_alnum(c) || (c && strchr("!#$%&'*+-/=?^_`{|}~.", c));
}

static bool is_domain_char(char c)
{
	return is_alnum(c) || c == '-' || c == '.';
}

static bool is_all(struct span text, bool (*is_one)(char))
{
	for (size_t i = 0; i < text.len; i++)
		if (!is_one(text.ptr[i]))
			return false;
	return true;
}

/* RFC 8601 2.2, pvalue: "local@domain" and "@domain" stand without quotes. */
static bool is_plain(struct span value)
{
	size_t at = span_find(value, '@');

	if (at == value.len)
		return value.len && is_all(value, is_token_char);
	return is_all(span_take(value, at), is_local_char) && at + 1 < value.len &&
	       is_all(span_drop(value, at + 1), is_domain_char);
}

static void append_escaped(struct buf *out, struct span text, const char *specials)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		if (c < ' ' || c > '~')
			c = '?';
		if (strchr(specials, c))
			buf_append_byte(out, '\\');
		buf_append_byte(out, c);
	}
}

static void append_quoted(struct buf *out, struct span text)
{
	buf_append_byte(out, '"');
	append_escaped(out, text, "\"\\");
	buf_append_byte(out, '"');
}

static void append_value(struct buf *out, struct span value)
{
	if (is_plain(value))
		buf_append(out, value);
	else
		append_quoted(out, value);
}

/* --- the field --------------------------------------------------------------------------------- */

static void append_reason(struct buf *out, struct span reason)
{
	if (reason.len > AUTH_RESULTS_REASON_MAX)
		reason.len = AUTH_RESULTS_REASON_MAX;
	buf_append_str(out, " reason=");
	append_quoted(out, reason);
}

static void append_result(struct buf *out, const struct auth_resinfo *result)
{
	buf_append_byte(out, ';');
	buf_append_byte(out, new_line);
	buf_printf(out, "%s=%s", result->method, result->result);
	if (result->comment.len) {
		buf_append_str(out, " (");
		append_escaped(out, result->comment, "()\"\\");
		buf_append_byte(out, ')');
	}
	if (result->reason.len)
		append_reason(out, result->reason);
	for (size_t i = 0; i < result->property_count; i++) {
		const struct auth_property *property = &result->properties[i];

		if (!property->value.len || property->value.len > AUTH_RESULTS_VALUE_MAX)
			continue;
		buf_printf(out, " %s=", property->name);
		append_value(out, property->value);
	}
}

/* Up to the next place where a line may end. What stands in quotes is one word, for readers that do not know
 * better. */
static size_t word_len(struct span text)
{
	bool is_quoted = false;
	size_t len = 0;

	while (len < text.len && (is_quoted || (text.ptr[len] != ' ' && text.ptr[len] != new_line))) {
		if (text.ptr[len] == '"')
			is_quoted = !is_quoted;
		len += text.ptr[len] == '\\' ? 2 : 1;
	}
	return len;
}

/* The space at the end of a line stays, so that unfolding gives the same text (RFC 5322 2.2.3). */
static void append_folded(struct buf *out, struct span text)
{
	size_t column = word_len(text);

	buf_append(out, span_take(text, column));
	text = span_drop(text, column);
	while (text.len) {
		size_t len = 1 + word_len(span_drop(text, 1));

		if (text.ptr[0] == new_line || (len > 1 && column + len > AUTH_RESULTS_WIDTH)) {
			buf_append(out, SPAN_LIT("\r\n"));
			column = 0;
		}
		buf_append_byte(out, ' ');
		buf_append(out, span_of(text.ptr + 1, len - 1));
		column += len;
		text = span_drop(text, len);
	}
	buf_append(out, SPAN_LIT("\r\n"));
}

void auth_results_append(struct buf *out, struct span host, const struct auth_resinfo *results, size_t count)
{
	struct buf text = { 0 };

	buf_append(&text, field_name);
	buf_append_str(&text, ": ");
	append_value(&text, host);
	for (size_t i = 0; i < count; i++)
		append_result(&text, &results[i]);
	if (!count)
		buf_append_str(&text, "; none");
	append_folded(out, buf_span(&text));
	buf_fini(&text);
}

/* --- whose field ------------------------------------------------------------------------------- */

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void skip_spaces(struct span *text)
{
	while (text->len && is_space(text->ptr[0]))
		*text = span_drop(*text, 1);
}

/* One comment, others within it, to its end or that of the text. */
static void skip_comment(struct span *text)
{
	size_t depth = 0, i = 0;

	do {
		if (text->ptr[i] == '(')
			depth++;
		else if (text->ptr[i] == ')')
			depth--;
		else if (text->ptr[i] == '\\')
			i++;
		i++;
	} while (depth && i < text->len);
	*text = span_drop(*text, i < text->len ? i : text->len);
}

static void skip_comments(struct span *text)
{
	skip_spaces(text);
	while (text->len && text->ptr[0] == '(') {
		skip_comment(text);
		skip_spaces(text);
	}
}

/* Whether the next byte of what stands in quotes is `wanted`; takes it, with its backslash or folding. */
static bool take_quoted(struct span *text, char wanted)
{
	while (text->len && (text->ptr[0] == '\r' || text->ptr[0] == '\n'))
		*text = span_drop(*text, 1);
	if (text->len > 1 && text->ptr[0] == '\\')
		*text = span_drop(*text, 1);
	if (!text->len || ascii_lower(text->ptr[0]) != ascii_lower(wanted))
		return false;
	*text = span_drop(*text, 1);
	return true;
}

static bool is_host_quoted(struct span text, struct span host)
{
	while (text.len && is_space(text.ptr[0]))
		text = span_drop(text, 1);
	for (size_t i = 0; i < host.len; i++)
		if (!take_quoted(&text, host.ptr[i]))
			return false;
	if (text.len && text.ptr[0] == '.')
		text = span_drop(text, 1);
	return !text.len || text.ptr[0] == '"' || is_space(text.ptr[0]);
}

/* Up to the first byte that no token has: some readers end there, whatever comes. */
static bool is_host_plain(struct span text, struct span host)
{
	if (!span_starts_with_nocase(text, host))
		return false;
	text = span_drop(text, host.len);
	if (text.len && text.ptr[0] == '.')
		text = span_drop(text, 1);
	return !text.len || !is_token_char(text.ptr[0]);
}

bool auth_results_is_of(struct span name, struct span value, struct span host)
{
	if (!span_eq_nocase(span_trim(name), field_name))
		return false;
	skip_comments(&value);
	if (value.len && value.ptr[0] == '"')
		return is_host_quoted(span_drop(value, 1), host);
	return is_host_plain(value, host);
}
