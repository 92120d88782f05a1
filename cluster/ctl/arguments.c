#include "arguments.h"

#include <getopt.h>

enum { FIRST = 256 }; /* what getopt gives for the first: above all letters */

static bool store(const struct argument *argument, const char *value, struct buf *why)
{
	switch (argument->kind) {
	case ARGUMENT_FLAG:
		*argument->to.flag = true;
		return true;
	case ARGUMENT_TEXT:
		*argument->to.text = value;
		return true;
	case ARGUMENT_TEXTS:
		if (argument->to.texts->count < ARGUMENT_TEXTS_MAX) {
			argument->to.texts->items[argument->to.texts->count++] = value;
			return true;
		}
		buf_printf(why, "--%s: more than %d of them", argument->name, ARGUMENT_TEXTS_MAX);
		return false;
	case ARGUMENT_NUMBER:
		if (span_parse_u64(span_of_str(value), argument->max, argument->to.number) &&
			*argument->to.number >= argument->min)
			return true;
		buf_printf(why, "--%s: \"%s\" is no number from %llu to %llu", argument->name, value,
			(unsigned long long)argument->min, (unsigned long long)argument->max);
	}
	return false;
}

static void add_letter(char *letters, char letter, int has_value)
{
	size_t len = strlen(letters);

	if (!letter)
		return;
	letters[len++] = letter;
	if (has_value)
		letters[len++] = ':';
	letters[len] = '\0';
}

static const struct argument *find(const struct argument *arguments, size_t count, int option)
{
	for (size_t i = 0; i < count; i++)
		if (option == (int)i + FIRST || (arguments[i].letter && option == arguments[i].letter))
			return &arguments[i];
	CHECK(false);
	return NULL;
}

bool arguments_parse(int argc, char **argv, const struct argument *arguments, size_t count, int *first_out,
	struct buf *why_out)
{
	struct option options[ARGUMENTS_MAX + 1] = { { .name = NULL } };
	char letters[2 * ARGUMENTS_MAX + 1] = "";
	int option;

	CHECK(count <= ARGUMENTS_MAX);
	for (size_t i = 0; i < count; i++) {
		int has_value = arguments[i].kind == ARGUMENT_FLAG ? no_argument : required_argument;

		options[i] = (struct option){ arguments[i].name, has_value, NULL, (int)i + FIRST };
		add_letter(letters, arguments[i].letter, has_value);
	}
	optind = 0; /* getopt starts anew */
	opterr = 0;
	while ((option = getopt_long(argc, argv, letters, options, NULL)) != -1) {
		if (option == '?') {
			buf_printf(
				why_out, "%s: unknown option, or its argument is missing", argv[optind - 1]);
			return false;
		}
		if (!store(find(arguments, count, option), optarg, why_out))
			return false;
	}
	if (first_out)
		*first_out = optind;
	else if (optind < argc)
		buf_printf(why_out, "%s takes no \"%s\"", argv[0], argv[optind]);
	return first_out || optind == argc;
}

bool argument_duration(const char *text, uint64_t *ms_out)
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
