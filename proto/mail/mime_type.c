#include "skein/proto/mail/mime_type.h"

#include "structured.h"

#include "skein/proto/base/check.h"

static void skip_space(struct span *rest)
{
	*rest = span_drop(*rest, structured_skip_cfws(*rest, 0));
}

/* RFC 2045 5.1 */
static bool is_token_byte(char byte)
{
	return byte > ' ' && byte < 0x7f && !strchr("()<>@,;:\\\"/[]?=", byte);
}

/* Empty: there is none. Space and comments around it are passed over. */
static struct span take_token(struct span *rest)
{
	struct span token;
	size_t len = 0;

	skip_space(rest);
	while (len < rest->len && is_token_byte(rest->ptr[len]))
		len++;
	token = span_take(*rest, len);
	*rest = span_drop(*rest, len);
	skip_space(rest);
	return token;
}

static bool take_byte(struct span *rest, char byte)
{
	if (!rest->len || rest->ptr[0] != byte)
		return false;
	*rest = span_drop(*rest, 1);
	return true;
}

/* Without quotes and backslashes; what is longer than `size` is cut, but counted. */
static bool take_quoted(struct span *rest, char *text, size_t size, size_t *len_out)
{
	for (*len_out = 0; rest->len; *rest = span_drop(*rest, 1)) {
		if (take_byte(rest, '"')) {
			skip_space(rest);
			return true;
		}
		if (rest->ptr[0] == '\\' && rest->len > 1)
			*rest = span_drop(*rest, 1);
		if (*len_out < size)
			text[*len_out] = rest->ptr[0];
		(*len_out)++;
	}
	return false;
}

static bool take_value(struct span *rest, char *text, size_t size, size_t *len_out)
{
	struct span token;

	skip_space(rest);
	if (take_byte(rest, '"'))
		return take_quoted(rest, text, size, len_out);
	token = take_token(rest);
	memcpy(text, token.ptr, token.len < size ? token.len : size);
	*len_out = token.len;
	return token.len > 0;
}

/* RFC 2046 5.1.1: a space may not end it, and nothing but printable ASCII is in it. */
static bool is_boundary(const char *text, size_t len)
{
	for (size_t i = 0; i < len && i < MIME_BOUNDARY_MAX; i++) {
		if (text[i] < ' ' || text[i] > '~')
			return false;
	}
	return len >= 1 && len <= MIME_BOUNDARY_MAX && text[len - 1] != ' ';
}

/* The parameters up to the first that is malformed. */
static void parse_params(struct span rest, struct mime_type *type)
{
	unsigned boundaries = 0;

	while (take_byte(&rest, ';')) {
		struct span name = take_token(&rest);
		char text[MIME_BOUNDARY_MAX];
		size_t len;

		if (!name.len)
			continue;
		if (!take_byte(&rest, '=') || !take_value(&rest, text, sizeof(text), &len))
			break;
		/* RFC 2231 would cut it in pieces; nobody does, and nobody would put them together. */
		if (span_starts_with_nocase(name, SPAN_LIT("boundary")))
			boundaries++;
		if (!span_eq_nocase(name, SPAN_LIT("boundary")) || !is_boundary(text, len))
			continue;
		memcpy(type->boundary, text, len);
		type->boundary_len = len;
	}
	if (boundaries != 1)
		type->boundary_len = 0;
}

bool mime_type_parse(struct span value, struct mime_type *type_out)
{
	*type_out = (struct mime_type){ .type = take_token(&value) };
	if (!type_out->type.len || !take_byte(&value, '/'))
		return false;
	type_out->subtype = take_token(&value);
	if (!type_out->subtype.len)
		return false;
	parse_params(value, type_out);
	return true;
}

bool mime_type_is(const struct mime_type *type, const char *wanted_type)
{
	return span_eq_nocase(type->type, span_of_str(wanted_type));
}

bool mime_type_is_exactly(const struct mime_type *type, const char *wanted_type, const char *wanted_subtype)
{
	return mime_type_is(type, wanted_type) && span_eq_nocase(type->subtype, span_of_str(wanted_subtype));
}

enum mime_encoding mime_encoding_parse(struct span value)
{
	static const struct {
		struct span name;
		enum mime_encoding encoding;
	} encodings[] = {
		{ { "7bit", 4 }, MIME_ENCODING_7BIT },
		{ { "8bit", 4 }, MIME_ENCODING_8BIT },
		{ { "binary", 6 }, MIME_ENCODING_BINARY },
	};
	struct span token = take_token(&value);

	for (size_t i = 0; i < ARRAY_LEN(encodings) && !value.len; i++) {
		if (span_eq_nocase(token, encodings[i].name))
			return encodings[i].encoding;
	}
	return MIME_ENCODING_OTHER;
}
