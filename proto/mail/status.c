#include "skein/proto/mail/status.h"

enum { CODE_TOO_MANY_RCPTS = 552 };

static bool is_zero(struct enhanced_code enhanced)
{
	return enhanced.class == 0;
}

/* 5.5.3 is the enhanced code of "too many recipients". */
static bool means_too_many(struct mail_status status)
{
	return status.code == CODE_TOO_MANY_RCPTS &&
	       (is_zero(status.enhanced) || (status.enhanced.subject == 5 && status.enhanced.detail == 3));
}

enum mail_outcome mail_status_classify(struct mail_status status)
{
	if (status.code / 100 == 2)
		return MAIL_DELIVERED;
	if (status.code / 100 == 5 && !means_too_many(status))
		return MAIL_PERMANENT;
	if (!status.code && status.enhanced.class == 5)
		return MAIL_PERMANENT;
	return MAIL_TEMPORARY;
}

static bool is_letter(char c)
{
	c = ascii_lower(c);
	return c >= 'a' && c <= 'z';
}

/* The beginning of a word; `is_whole`: and its end, so that "rate" is not in "rated". */
static bool has_word(struct span text, struct span word, bool is_whole)
{
	for (size_t i = 0; i + word.len <= text.len; i++) {
		size_t end = i + word.len;

		if ((!i || !is_letter(text.ptr[i - 1])) &&
			span_starts_with_nocase(span_drop(text, i), word) &&
			(!is_whole || end == text.len || !is_letter(text.ptr[end])))
			return true;
	}
	return false;
}

bool mail_status_is_rate(struct mail_status status, struct span text)
{
	static const struct {
		struct span word;
		bool is_whole;
	} words[] = {
		{ { "rate", 4 }, true },
		{ { "throttl", 7 }, false },
		{ { "too many", 8 }, true },
		{ { "too fast", 8 }, true },
		{ { "too quickly", 11 }, true },
		{ { "busy", 4 }, true },
		{ { "limit exceeded", 14 }, true },
		{ { "concurren", 9 }, false },
	};
	const struct enhanced_code *enhanced = &status.enhanced;

	if (status.code / 100 != 4)
		return false;
	/* The registry of RFC 5248: mail flood; RFC 3463 3.5: mail system congestion. */
	if ((enhanced->subject == 7 && enhanced->detail == 28) ||
		(enhanced->subject == 4 && enhanced->detail == 5))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (has_word(text, words[i].word, words[i].is_whole))
			return true;
	}
	return false;
}

/* One to three digits (RFC 3463 2), then `stop`, or the end when that is allowed. */
static bool take_number(struct span *text, char stop, bool may_end, uint16_t *number_out)
{
	size_t len = span_find(*text, stop);
	uint64_t value;

	if ((len == text->len && !may_end) || len > 3 || !span_parse_u64(span_take(*text, len), 999, &value))
		return false;
	*number_out = (uint16_t)value;
	*text = span_drop(*text, len < text->len ? len + 1 : len);
	return true;
}

bool enhanced_code_parse(struct span text, unsigned code, struct enhanced_code *enhanced_out)
{
	struct span rest = span_take(text, span_find(text, '\n'));
	struct enhanced_code enhanced = { 0 };
	uint16_t class;

	if (!take_number(&rest, '.', false, &class) || (class != 2 && class != 4 && class != 5))
		return false;
	if (class != code / 100)
		return false;
	if (!take_number(&rest, '.', false, &enhanced.subject) ||
		!take_number(&rest, ' ', true, &enhanced.detail))
		return false;
	enhanced.class = (uint8_t) class;
	*enhanced_out = enhanced;
	return true;
}

struct enhanced_code mail_status_enhanced(struct mail_status status)
{
	unsigned class = status.code / 100;

	if (!is_zero(status.enhanced))
		return status.enhanced;
	return (struct enhanced_code){ .class = class == 2 || class == 5 ? (uint8_t) class : 4 };
}

void enhanced_code_append(struct buf *buf, struct enhanced_code enhanced)
{
	buf_append_u64(buf, enhanced.class);
	buf_append_byte(buf, '.');
	buf_append_u64(buf, enhanced.subject);
	buf_append_byte(buf, '.');
	buf_append_u64(buf, enhanced.detail);
}
