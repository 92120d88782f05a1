#include "skein/proto/smtp/params.h"

#include "skein/proto/base/check.h"
#include "skein/proto/base/utf8.h"
#include "skein/proto/mail/date.h"
#include "skein/proto/smtp/address.h"
#include "skein/proto/smtp/server.h"

/* What a row's parser may write to: the one or the other. */
struct target {
	struct smtp_mail_params *mail;
	struct smtp_rcpt_params *rcpt;
	bool smtputf8;
};

struct rule {
	struct span name;
	unsigned extension; /* that must be offered; 0: always known */
	bool has_value;
	/* False: a bad value. */
	bool (*parse)(struct span value, struct target *target);
};

static bool is_visible(char c)
{
	return c > ' ' && c <= '~';
}

/* The value of an upper-case hexadecimal digit (RFC 3461 4 knows no other), or -1. */
static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/*
 * RFC 3461 4: xtext. What it encodes must be printable: it ends up in the header of a report, where a
 * CR LF would begin a field of the peer's choice.
 */
static bool is_printable_xtext(struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		if (!is_visible(c) || c == '=')
			return false;
		if (c != '+')
			continue;
		if (text.len - i < 3 || hex_value(text.ptr[i + 1]) < 0 || hex_value(text.ptr[i + 2]) < 0)
			return false;
		c = (char)(hex_value(text.ptr[i + 1]) * 16 + hex_value(text.ptr[i + 2]));
		if (c < ' ' || c > '~')
			return false;
		i += 2;
	}
	return text.len > 0;
}

static bool parse_size(struct span value, struct target *target)
{
	/* RFC 1870 3: up to 20 digits; a number that we cannot hold is a size that we cannot take. */
	if (value.len > 20)
		return false;
	for (size_t i = 0; i < value.len; i++) {
		if (value.ptr[i] < '0' || value.ptr[i] > '9')
			return false;
	}
	if (!span_parse_u64(value, UINT64_MAX, &target->mail->size))
		target->mail->size = UINT64_MAX;
	return true;
}

static bool parse_body(struct span value, struct target *target)
{
	if (span_eq_nocase(value, SPAN_LIT("7BIT")))
		target->mail->body = SMTP_BODY_7BIT;
	else if (span_eq_nocase(value, SPAN_LIT("8BITMIME")))
		target->mail->body = SMTP_BODY_8BITMIME;
	return target->mail->body != SMTP_BODY_NOT_SAID;
}

static bool parse_smtputf8(struct span value, struct target *target)
{
	(void)value;
	target->mail->smtputf8 = true;
	return true;
}

static bool parse_ret(struct span value, struct target *target)
{
	if (span_eq_nocase(value, SPAN_LIT("FULL")))
		target->mail->ret = DSN_RET_FULL;
	else if (span_eq_nocase(value, SPAN_LIT("HDRS")))
		target->mail->ret = DSN_RET_HDRS;
	return target->mail->ret != DSN_RET_NONE;
}

static bool parse_envid(struct span value, struct target *target)
{
	target->mail->envid = value;
	return value.len <= DSN_ENVID_MAX && is_printable_xtext(value);
}

static bool parse_auth(struct span value, struct target *target)
{
	target->mail->auth = value;
	return span_eq(value, SPAN_LIT("<>")) || is_printable_xtext(value);
}

static bool parse_requiretls(struct span value, struct target *target)
{
	(void)value;
	target->mail->requiretls = true;
	return true;
}

/* RFC 6710 3: "0", or a digit that may have a minus. */
static bool parse_priority(struct span value, struct target *target)
{
	bool is_negative = span_starts_with(value, SPAN_LIT("-"));
	uint64_t digit;

	value = span_drop(value, is_negative);
	if (value.len != 1 || !span_parse_u64(value, 9, &digit) || (is_negative && !digit))
		return false;
	target->mail->priority = (int8_t)(is_negative ? -(int)digit : (int)digit);
	return true;
}

static bool parse_seconds(struct span text, uint32_t *seconds_out)
{
	uint64_t value;

	if (text.len > 9 || !span_parse_u64(text, DELIVER_BY_SECONDS_MAX, &value))
		return false;
	*seconds_out = (uint32_t)value;
	return true;
}

/* RFC 2852 4: "120;R", "-60;NT". What shall come back needs time left. */
static bool parse_deliver_by(struct span value, struct target *target)
{
	struct deliver_by *deliver_by = &target->mail->deliver_by;
	size_t time_len = span_find(value, ';');
	struct span time = span_take(value, time_len), mode = span_drop(value, time_len);
	bool is_negative = span_starts_with(time, SPAN_LIT("-"));
	uint32_t seconds;

	if (is_negative || span_starts_with(time, SPAN_LIT("+")))
		time = span_drop(time, 1);
	if (!parse_seconds(time, &seconds))
		return false;
	deliver_by->seconds = is_negative ? -(int32_t)seconds : (int32_t)seconds;
	deliver_by->trace = mode.len == 3 && ascii_lower(mode.ptr[2]) == 't';
	if (deliver_by->trace)
		mode.len--;
	if (span_eq_nocase(mode, SPAN_LIT(";R")))
		deliver_by->mode = DELIVER_BY_RETURN;
	else if (span_eq_nocase(mode, SPAN_LIT(";N")))
		deliver_by->mode = DELIVER_BY_NOTIFY;
	return deliver_by->mode != DELIVER_BY_NONE &&
	       (deliver_by->seconds > 0 || deliver_by->mode != DELIVER_BY_RETURN);
}

static bool parse_hold_for(struct span value, struct target *target)
{
	/* RFC 4865 4: one of the two. */
	return !target->mail->hold_until_s && parse_seconds(value, &target->mail->hold_for_s);
}

static bool parse_hold_until(struct span value, struct target *target)
{
	return !target->mail->hold_for_s && mail_date_parse_utc(value, &target->mail->hold_until_s);
}

static unsigned notify_bit(struct span word)
{
	static const struct {
		struct span name;
		unsigned bit;
	} words[] = {
		{ { "NEVER", 5 }, DSN_NOTIFY_NEVER },
		{ { "SUCCESS", 7 }, DSN_NOTIFY_SUCCESS },
		{ { "FAILURE", 7 }, DSN_NOTIFY_FAILURE },
		{ { "DELAY", 5 }, DSN_NOTIFY_DELAY },
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (span_eq_nocase(word, words[i].name))
			return words[i].bit;
	}
	return 0;
}

static bool parse_notify(struct span value, struct target *target)
{
	unsigned bits = 0;

	for (;;) {
		size_t len = span_find(value, ',');
		unsigned bit = notify_bit(span_take(value, len));

		if (!bit)
			return false;
		bits |= bit;
		if (len == value.len)
			break;
		value = span_drop(value, len + 1);
	}
	target->rcpt->notify = bits;
	/* RFC 3461 4.1: NEVER stands alone. */
	return !(bits & DSN_NOTIFY_NEVER) || bits == DSN_NOTIFY_NEVER;
}

/* RFC 6533 3: utf-8-addr-unitext, whose non-ASCII characters stand for themselves. */
static bool is_utf8_xtext(struct span text)
{
	if (!utf8_is_valid(text))
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if ((unsigned char)text.ptr[i] < 0x80 && (!is_visible(text.ptr[i]) || text.ptr[i] == '='))
			return false;
	}
	return text.len > 0;
}

static bool is_atom(struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (!is_visible(text.ptr[i]) || strchr("()<>@,;:\\\".[]", text.ptr[i]))
			return false;
	}
	return text.len > 0;
}

static bool parse_orcpt(struct span value, struct target *target)
{
	size_t type_len = span_find(value, ';');
	struct span type = span_take(value, type_len);
	struct span addr;

	if (value.len > DSN_ORCPT_MAX || type_len == value.len || !is_atom(type))
		return false;
	addr = span_drop(value, type_len + 1);
	target->rcpt->orcpt = value;
	if (target->smtputf8 && span_eq_nocase(type, SPAN_LIT("utf-8")))
		return is_utf8_xtext(addr);
	return is_printable_xtext(addr);
}

static const struct rule mail_rules[] = {
	{ { "SIZE", 4 }, 0, true, parse_size },
	{ { "BODY", 4 }, SMTP_EXT_8BITMIME, true, parse_body },
	{ { "SMTPUTF8", 8 }, SMTP_EXT_SMTPUTF8, false, parse_smtputf8 },
	{ { "RET", 3 }, SMTP_EXT_DSN, true, parse_ret },
	{ { "ENVID", 5 }, SMTP_EXT_DSN, true, parse_envid },
	/* RFC 4954 5: a relay sends it along, so it is understood whether or not we authenticate. */
	{ { "AUTH", 4 }, 0, true, parse_auth },
	{ { "REQUIRETLS", 10 }, SMTP_EXT_REQUIRETLS, false, parse_requiretls },
	{ { "MT-PRIORITY", 11 }, SMTP_EXT_MT_PRIORITY, true, parse_priority },
	{ { "BY", 2 }, SMTP_EXT_DELIVERBY, true, parse_deliver_by },
	{ { "HOLDFOR", 7 }, SMTP_EXT_FUTURERELEASE, true, parse_hold_for },
	{ { "HOLDUNTIL", 9 }, SMTP_EXT_FUTURERELEASE, true, parse_hold_until },
};

static const struct rule rcpt_rules[] = {
	{ { "NOTIFY", 6 }, SMTP_EXT_DSN, true, parse_notify },
	{ { "ORCPT", 5 }, SMTP_EXT_DSN, true, parse_orcpt },
};

static const struct rule *find_rule(
	const struct rule *rules, size_t count, struct span name, unsigned extensions)
{
	for (size_t i = 0; i < count; i++) {
		if (span_eq_nocase(rules[i].name, name))
			return rules[i].extension & ~extensions ? NULL : &rules[i];
	}
	return NULL;
}

/* The next parameter, after spaces. False: none is left. */
static bool take_word(struct span *text, struct span *word_out)
{
	*text = span_trim(*text);
	*word_out = span_take(*text, span_find(*text, ' '));
	*text = span_drop(*text, word_out->len);
	return word_out->len > 0;
}

static enum smtp_reply_id parse_all(
	struct span text, const struct rule *rules, size_t count, unsigned extensions, struct target *target)
{
	unsigned seen = 0;
	struct span word;

	if (text.len && text.ptr[0] != ' ')
		return SMTP_REPLY_BAD_PARAMETER;
	while (take_word(&text, &word)) {
		size_t name_len = span_find(word, '=');
		bool has_value = name_len < word.len;
		const struct rule *rule = find_rule(rules, count, span_take(word, name_len), extensions);

		if (!rule)
			return SMTP_REPLY_UNKNOWN_PARAMETER;
		if (has_value != rule->has_value || seen & 1u << (rule - rules))
			return SMTP_REPLY_BAD_PARAMETER;
		seen |= 1u << (rule - rules);
		word = span_drop(word, has_value ? name_len + 1 : name_len);
		if ((has_value && !word.len) || !rule->parse(word, target))
			return SMTP_REPLY_BAD_PARAMETER;
	}
	return SMTP_REPLY_NONE;
}

enum smtp_reply_id smtp_mail_params_parse(
	struct span text, unsigned extensions, struct smtp_mail_params *params_out)
{
	*params_out = (struct smtp_mail_params){ 0 };
	return parse_all(
		text, mail_rules, ARRAY_LEN(mail_rules), extensions, &(struct target){ .mail = params_out });
}

enum smtp_reply_id smtp_rcpt_params_parse(
	struct span text, unsigned extensions, bool smtputf8, struct smtp_rcpt_params *params_out)
{
	*params_out = (struct smtp_rcpt_params){ 0 };
	return parse_all(text, rcpt_rules, ARRAY_LEN(rcpt_rules), extensions,
		&(struct target){ .rcpt = params_out, .smtputf8 = smtputf8 });
}
