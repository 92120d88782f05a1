#include "config/option_table.h"

#include "config/file.h"
#include "config/print.h"
#include "config/service_user.h"
#include "skein/proto/base/alloc.h"

#include <errno.h>
#include <stdio.h>

enum { CONFIG_SIZE_MAX = 1024 * 1024 };

static void usage_error(struct options *options, const char *fmt, ...) PRINTF_LIKE(2, 3);
static int parse_one(struct options *options, int left, char *const argv[]);
static void take_value(struct options *options, const struct option_row *row, const char *value);

void options_parse(int argc, char *const argv[], struct options *options_out)
{
	*options_out = (struct options){ .action = OPTIONS_RUN };
	if (argc < 2)
		usage_error(options_out, "needs --listen and --next-hop, or --config");
	for (int i = 1; i < argc && options_out->action != OPTIONS_USAGE;)
		i += parse_one(options_out, argc - i, argv + i);
}

void options_fini(struct options *options)
{
	mem_free(options->overrides);
	buf_fini(&options->usage);
	arena_fini(&options->arena);
	*options = (struct options){ 0 };
}

static void usage_error(struct options *options, const char *fmt, ...)
{
	va_list args;

	options->action = OPTIONS_USAGE;
	buf_append_str(&options->usage, "skeind: ");
	va_start(args, fmt);
	buf_vprintf(&options->usage, fmt, args);
	va_end(args);
	buf_append_str(&options->usage, "; see skeind --help\n");
}

static const struct option_row *find_option(struct span name)
{
	for (const struct option_row *row = option_rows; row->name; row++)
		if (span_eq(span_of_str(row->name), name))
			return row;
	return NULL;
}

/* "--name value" or "--name=value". Returns how many arguments were used. */
static int parse_one(struct options *options, int left, char *const argv[])
{
	struct span text = span_of_str(argv[0]);
	size_t equals = span_find(text, '=');
	const struct option_row *row = find_option(span_take(text, equals));
	bool has_value = equals < text.len;

	if (!row) {
		usage_error(options, text.len && text.ptr[0] == '-' ? "unknown option %s" : "unexpected %s",
			report_quote(text).text);
		return left;
	}
	if (row->shape == OPTION_ACTION) {
		if (has_value)
			usage_error(options, "%s takes no value", row->name);
		/* Help wins over whatever else is there. */
		else if (options->action != OPTIONS_HELP)
			options->action = row->action;
		return 1;
	}
	if (!has_value && left < 2) {
		usage_error(options, "%s needs a value", row->name);
		return 1;
	}
	take_value(options, row, has_value ? argv[0] + equals + 1 : argv[1]);
	return has_value ? 1 : 2;
}

static const char *own(struct options *options, struct buf *text)
{
	const char *copy = arena_strdup(&options->arena, buf_span(text));

	buf_fini(text);
	return copy;
}

static void add_override(struct options *options, struct setting_override override)
{
	/* The first item on the command line replaces the file's list, the next ones join it. */
	for (size_t i = 0; override.kind == OVERRIDE_ITEMS && i < options->override_count; i++)
		if (strcmp(options->overrides[i].path, override.path) == 0)
			override.kind = OVERRIDE_APPEND;
	if (options->override_count == options->override_cap) {
		options->override_cap = options->override_cap ? options->override_cap * 2 : 16;
		options->overrides =
			mem_realloc(options->overrides, options->override_cap * sizeof(*options->overrides));
	}
	options->overrides[options->override_count++] = override;
}

/* In YAML's single quotes nothing but the quote itself has a meaning. */
static void append_quoted(struct buf *out, struct span text)
{
	buf_append_byte(out, '\'');
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] == '\'')
			buf_append_byte(out, '\'');
		buf_append_byte(out, text.ptr[i]);
	}
	buf_append_byte(out, '\'');
}

/* Without brackets, more than one colon is an IPv6 address without a port. */
static bool split_hop(struct span value, struct span *host_out, struct span *port_out)
{
	bool has_bracket = value.len && value.ptr[0] == '[';
	size_t host_end = span_find(value, has_bracket ? ']' : ':');
	size_t colon = host_end + has_bracket;

	*host_out = has_bracket ? span_drop(span_take(value, host_end), 1) : span_take(value, host_end);
	*port_out = colon < value.len ? span_drop(value, colon + 1) : span_of(NULL, 0);
	if (colon < value.len && value.ptr[colon] == ':' &&
		(has_bracket || !memchr(port_out->ptr, ':', port_out->len)))
		return true;
	if (!has_bracket || colon != value.len)
		*host_out = value;
	return false;
}

static void append_hop(struct buf *out, struct span value)
{
	struct span host, port;
	bool has_port = split_hop(value, &host, &port);

	buf_append_str(out, "{host: ");
	append_quoted(out, host);
	if (has_port) {
		buf_append_str(out, ", port: ");
		append_quoted(out, port);
	}
	buf_append_byte(out, '}');
}

static void take_item(struct options *options, const struct option_row *row, const char *value)
{
	struct buf text = { 0 };

	if (row->shape == OPTION_NEXT_HOP) {
		append_hop(&text, span_of_str(value));
	} else {
		buf_append_str(&text, row->shape == OPTION_ADDRESS ? "{address: " : "");
		append_quoted(&text, span_of_str(value));
		buf_append_str(&text, row->shape == OPTION_ADDRESS ? "}" : "");
	}
	add_override(options,
		(struct setting_override){ OVERRIDE_ITEMS, row->name, row->path, own(options, &text) });
}

static void take_set(struct options *options, const char *value)
{
	const char *equals = strchr(value, '=');
	struct buf option = { 0 };
	const char *path;

	if (!equals || equals == value) {
		usage_error(options, "--set needs PATH=VALUE, got %s", report_quote(span_of_str(value)).text);
		return;
	}
	path = arena_strdup(&options->arena, span_of(value, (size_t)(equals - value)));
	buf_printf(&option, "--set %s", path);
	add_override(
		options, (struct setting_override){ OVERRIDE_TEXT, own(options, &option), path, equals + 1 });
}

static void take_value(struct options *options, const struct option_row *row, const char *value)
{
	switch (row->shape) {
	case OPTION_CONFIG:
		options->config_file = value;
		break;
	case OPTION_SET:
		take_set(options, value);
		break;
	case OPTION_TEXT:
		add_override(
			options, (struct setting_override){ OVERRIDE_TEXT, row->name, row->path, value });
		break;
	default:
		take_item(options, row, value);
	}
}

struct settings *options_load(const struct options *options, struct report *report)
{
	struct load_input input = {
		.file = options->config_file,
		.overrides = options->overrides,
		.override_count = options->override_count,
	};
	struct settings *settings = NULL;
	struct buf text = { 0 };

	if (input.file && file_read(input.file, CONFIG_SIZE_MAX, &text)) {
		struct origin origin = { input.file, 0, 0 };

		report_error(report, &origin, SPAN_LIT(""), "cannot read: %s", file_why(input.file, errno));
	} else {
		input.text = buf_span(&text);
		settings = settings_load(&input, report);
	}
	if (settings) {
		struct policy *policy;

		if (options->action == OPTIONS_CHECK)
			(void)service_user_become(settings->node.spool);
		settings_check_files(settings, report);
		policy = settings_load_policy(settings, report);
		policy_free(&policy);
	}
	if (report->errors)
		settings_free(&settings);
	buf_fini(&text);
	return settings;
}

static void show(FILE *file, const struct buf *text)
{
	fwrite(buf_span(text).ptr, 1, buf_len(text), file);
}

/* What it cannot read, root can. */
static void tell_as_whom(void)
{
	const char *name = service_user_name();

	if (name)
		fprintf(stderr, "checked as the user %s, who owns node.spool\n", name);
}

static int load_and_tell(const struct options *options, struct settings **settings_out)
{
	struct report report = { 0 };
	unsigned errors;

	*settings_out = options_load(options, &report);
	errors = report.errors;
	if (buf_len(&report.text))
		show(stderr, &report.text);
	if (errors > REPORT_ERRORS_MAX)
		fprintf(stderr, "... and %u more errors\n", errors - REPORT_ERRORS_MAX);
	report_fini(&report);
	if (options->action == OPTIONS_CHECK)
		tell_as_whom();
	return errors ? OPTIONS_EXIT_SETTINGS : -1;
}

int options_start(int argc, char *const argv[], struct options *options_out, struct settings **settings_out)
{
	struct buf text = { 0 };

	*settings_out = NULL;
	options_parse(argc, argv, options_out);
	switch (options_out->action) {
	case OPTIONS_RUN:
	case OPTIONS_COUNT_MAIL:
	case OPTIONS_CHECK:
		return load_and_tell(options_out, settings_out);
	case OPTIONS_PRINT_DEFAULTS:
		print_defaults(&text);
		show(stdout, &text);
		buf_fini(&text);
		return OPTIONS_EXIT_OK;
	case OPTIONS_VERSION:
		puts("skeind " SKEIN_VERSION);
		return OPTIONS_EXIT_OK;
	case OPTIONS_HELP:
		option_table_append_help(&text);
		show(stdout, &text);
		buf_fini(&text);
		return OPTIONS_EXIT_OK;
	case OPTIONS_MANUAL:
		option_table_append_manual(&text);
		show(stdout, &text);
		buf_fini(&text);
		return OPTIONS_EXIT_OK;
	case OPTIONS_USAGE:
		break;
	}
	show(stderr, &options_out->usage);
	return OPTIONS_EXIT_USAGE;
}
