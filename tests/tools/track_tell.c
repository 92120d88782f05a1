/*
 * Tells tracking.hooks of events as a node does, for tests/system/test_hooks.py:
 *
 *     track_tell SETTINGS
 *
 * A line of standard input is an event: KIND ID TEXT. "reload" is what SIGHUP is to a node: SETTINGS is read
 * again; "metrics" prints the counters of hooks, and a line "." after them. At the end of the input it leaves
 * as a node does. The log goes to standard error.
 */
#include "config/load.h"
#include "run/tracking.h"
#include "skein/proto/base/alloc.h"
#include "track/log.h"

#include <signal.h>
#include <stdio.h>

enum { TEXT_SIZE = 64 * 1024, LINE_SIZE = 4096, SETTINGS_MAX = 32 };

static struct settings *load(const char *path)
{
	static char text[TEXT_SIZE];
	struct load_input input = { .file = path };
	struct report report = { 0 };
	struct settings *settings;
	FILE *file = fopen(path, "r");

	CHECK(file);
	input.text = span_of(text, fread(text, 1, sizeof(text), file));
	fclose(file);
	settings = settings_load(&input, &report);
	fprintf(stderr, "%.*s", SPAN_ARGS(buf_span(&report.text)));
	report_fini(&report);
	return settings;
}

static void on_setting_changed(void *arg, const char *path, bool is_applied)
{
	(void)arg;
	(void)path;
	(void)is_applied;
}

/* The running ones are the last of `all`. */
static void reload(struct tracking *tracking, struct settings **all, size_t *count, const char *path)
{
	struct settings *loaded = load(path);

	CHECK(loaded && *count < SETTINGS_MAX);
	settings_reload(loaded, all[*count - 1], on_setting_changed, NULL);
	all[(*count)++] = loaded;
	tracker_reload(tracking->tracker, loaded);
}

static void print_metrics(struct metrics *metrics)
{
	struct buf out = { 0 };
	char *rest, *line;

	metrics_write(metrics, &out);
	buf_append_byte(&out, '\0');
	for (line = strtok_r(out.base, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		if (strncmp(line, "skein_hook_", 11) == 0)
			puts(line);
	puts(".");
	fflush(stdout);
	buf_fini(&out);
}

static void track(struct track *track, char *line)
{
	char *rest, *kind = strtok_r(line, " \n", &rest), *id = strtok_r(NULL, " \n", &rest);
	char *text = strtok_r(NULL, "\n", &rest);
	struct track_event event = {
		.session = 0x1234,
		.code = 250,
		.text = {
			[TRACK_ID] = span_of_str(id),
			[TRACK_SENDER] = SPAN_LIT("jane@example.net"),
			[TRACK_TEXT] = span_of_str(text ? text : ""),
		},
	};

	CHECK(kind && track_kind_find(span_of_str(kind), &event.kind));
	track_write(track, &event);
}

int main(int argc, char **argv)
{
	struct settings *settings = argc == 2 ? load(argv[1]) : NULL, *all[SETTINGS_MAX] = { settings };
	size_t count = 1;
	const struct log_writer_options log_options = { .level = LOG_INFO, .format = LOG_FORMAT_JSON };
	struct secrets *secrets = secrets_new(SECRETS_STANDALONE);
	struct metrics *metrics = metrics_new(10);
	struct tracking tracking = { 0 };
	struct tracking_options options = { .settings = settings };
	struct log_writer *writer;
	struct resolver *resolver;
	struct track *way;
	struct buf why = { 0 };
	char line[LINE_SIZE];

	signal(SIGPIPE, SIG_IGN);
	if (!settings || log_writer_new(&log_options, &writer))
		return 2;
	options.log = log_open(writer, "tracker");
	options.meter = metrics_open(metrics);
	resolver = resolver_new(settings, &why);
	if (!resolver || tracking_open(&tracking, &options, &why))
		return 2;
	way = track_open(tracking.tracker, "main");
	if (tracking_start(&tracking, resolver, secrets, &why)) {
		fprintf(stderr, "%.*s", SPAN_ARGS(buf_span(&why)));
		return 1;
	}
	while (fgets(line, sizeof(line), stdin)) {
		if (strcmp(line, "metrics\n") == 0)
			print_metrics(metrics);
		else if (strcmp(line, "reload\n") == 0)
			reload(&tracking, all, &count, argv[1]);
		else
			track(way, line);
	}
	tracking_close(&tracking);
	print_metrics(metrics);
	resolver_free(&resolver);
	secrets_free(&secrets);
	log_writer_free(&writer);
	metrics_free(&metrics);
	buf_fini(&why);
	while (count)
		settings_free(&all[--count]);
	return 0;
}
