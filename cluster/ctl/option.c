#include "option.h"

const struct option_row *option_find(const struct option_row *rows, struct span name)
{
	for (; rows && rows->name; rows++)
		if (span_eq(span_of_str(rows->name), name))
			return rows;
	return NULL;
}

const struct option_row *option_find_letter(const struct option_row *rows, char letter)
{
	for (; rows && rows->name; rows++)
		if (rows->letter == letter)
			return rows;
	return NULL;
}

bool option_duration(const char *text, uint64_t *ms_out)
{
	static const struct {
		char unit;
		uint64_t ms;
	} units[] = { { 's', 1000 }, { 'm', 60000 }, { 'h', 3600000 }, { 'd', 86400000 } };
	struct span number = span_of_str(text);
	uint64_t count;

	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (number.len < 2 || number.ptr[number.len - 1] != units[i].unit)
			continue;
		if (!span_parse_u64(
			    span_take(number, number.len - 1), 365ull * 86400000 / units[i].ms, &count))
			return false;
		*ms_out = count * units[i].ms;
		return count > 0;
	}
	return false;
}

static bool check_number(
	const struct option_row *row, const char *text, uint64_t *number_out, struct buf *why)
{
	if (span_parse_u64(span_of_str(text), row->max, number_out) && *number_out >= row->min)
		return true;
	buf_printf(why, "--%s: \"%s\" is no number from %llu to %llu", row->name, text,
		(unsigned long long)row->min, (unsigned long long)row->max);
	return false;
}

static bool check_choice(const struct option_row *row, const char *text, struct buf *why)
{
	struct buf all = { 0 };

	for (const char *at = row->choices; *at; at += strspn(at, " ")) {
		struct span choice = span_of(at, strcspn(at, " "));

		if (span_eq(choice, span_of_str(text))) {
			buf_fini(&all);
			return true;
		}
		buf_printf(&all, "%s%.*s", buf_len(&all) ? ", " : "", SPAN_ARGS(choice));
		at += choice.len;
	}
	if (strchr(row->choices, ' '))
		buf_printf(why, "--%s: \"%s\" is none of %.*s", row->name, text, SPAN_ARGS(buf_span(&all)));
	else
		buf_printf(why, "--%s: only \"%s\" is known, not \"%s\"", row->name, row->choices, text);
	buf_fini(&all);
	return false;
}

bool option_check(const struct option_row *row, const char *text, uint64_t *number_out, struct buf *why_out)
{
	if (row->kind == WORD_NUMBER)
		return check_number(row, text, number_out, why_out);
	if (row->kind == WORD_CHOICE)
		return check_choice(row, text, why_out);
	if (row->kind != WORD_DURATION || option_duration(text, number_out))
		return true;
	buf_printf(why_out, "--%s: \"%s\" is no time up to 365 days, such as 90s, 30m, 1h or 2d", row->name,
		text);
	return false;
}

void option_append_form(struct buf *out, const struct option_row *row)
{
	if (row->letter)
		buf_printf(out, "-%c, ", row->letter);
	buf_printf(out, "--%s", row->name);
	if (row->value && row->use == OPTION_VALUE_OPTIONAL)
		buf_printf(out, " [%s]", row->value);
	else if (row->value)
		buf_printf(out, " %s", row->value);
}
