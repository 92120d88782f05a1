#include "arguments.h"

#include <getopt.h>

static bool store(const struct argument *argument, const char *value, struct buf *why)
{
	switch (argument->kind) {
	case ARGUMENT_FLAG:
		*argument->to.flag = true;
		return true;
	case ARGUMENT_TEXT:
		*argument->to.text = value;
		return true;
	case ARGUMENT_NUMBER:
		if (span_parse_u64(span_of_str(value), argument->max, argument->to.number) &&
			*argument->to.number >= argument->min)
			return true;
		buf_printf(why, "--%s: \"%s\" is no number from %llu to %llu", argument->name, value,
			(unsigned long long)argument->min, (unsigned long long)argument->max);
	}
	return false;
}

bool arguments_parse(int argc, char **argv, const struct argument *arguments, size_t count, int *first_out,
	struct buf *why_out)
{
	struct option options[ARGUMENTS_MAX + 1] = { { .name = NULL } };
	int option;

	CHECK(count <= ARGUMENTS_MAX);
	for (size_t i = 0; i < count; i++) {
		int has_value = arguments[i].kind == ARGUMENT_FLAG ? no_argument : required_argument;

		options[i] = (struct option){ arguments[i].name, has_value, NULL, (int)i + 256 };
	}
	optind = 0; /* getopt starts anew */
	opterr = 0;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == '?') {
			buf_printf(
				why_out, "%s: unknown option, or its argument is missing", argv[optind - 1]);
			return false;
		}
		if (!store(&arguments[option - 256], optarg, why_out))
			return false;
	}
	if (first_out)
		*first_out = optind;
	else if (optind < argc)
		buf_printf(why_out, "%s takes no \"%s\"", argv[0], argv[optind]);
	return first_out || optind == argc;
}
