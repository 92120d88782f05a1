/* skeinctl log */
#include "call.h"
#include "moment.h"
#include "screen.h"
#include "track_follow.h"
#include "track_tell.h"

#include <stdio.h>

#define SINCE_US ((uint64_t)10 * 60 * 1000000)

struct logging {
	bool kinds[TRACK_KIND_COUNT]; /* none: all */
	bool has_kinds, follows, is_json;
	struct span node; /* empty: all */
	uint64_t since_us, until_us;
	struct track_telling telling;
	struct buf text;
	size_t told;
};

static void take(void *arg, const struct track_event *event, uint64_t run, uint64_t number)
{
	struct logging *logging = arg;

	(void)run;
	(void)number;
	if ((logging->has_kinds && !logging->kinds[event->kind]) ||
		(logging->node.len && !span_eq_nocase(logging->node, event->text[TRACK_NODE_NAME])))
		return;
	logging->told++;
	if (logging->is_json) {
		screen_print_json_line(track_tell_json(event));
		return;
	}
	track_tell_line(&logging->telling, event, &logging->text);
	(void)screen_print(&logging->text); /* main looks at the stream before it ends */
	buf_clear(&logging->text);
}

static bool has_failed(void *arg, uint64_t rest_us)
{
	(void)arg;
	(void)rest_us;
	return ferror(stdout);
}

static void warn(const struct logging *logging, const struct track_reader *reader)
{
	struct buf moment = { 0 };

	if (reader->damaged)
		session_complain("%zu chunks of events could not be read", reader->damaged);
	if (reader->kept_us <= logging->since_us)
		return;
	moment_append(reader->kept_us, logging->telling.is_utc, &moment);
	session_complain("events before %.*s are not kept any more in Redis", SPAN_ARGS(buf_span(&moment)));
	buf_fini(&moment);
}

static enum ctl_exit work(struct session *session, void *arg)
{
	struct logging *logging = arg;
	const struct track_visitor visitor = { take, has_failed, logging };
	const struct track_search search = {
		.order = TRACK_BY_TIME, .since_us = logging->since_us, .until_us = logging->until_us
	};
	struct roster nodes = { 0 };
	struct track_reader reader;
	struct track_source source;
	enum ctl_exit exit;

	track_reader_init(&reader, session);
	source = track_reader_source(&reader);
	logging->telling.nodes = &nodes;
	exit = roster_load(&nodes, session);
	if (!exit)
		exit = track_reader_look(&reader);
	if (!exit && logging->since_us)
		exit = source.visit(source.ctx, &search, &visitor);
	fflush(stdout);
	if (!exit && logging->since_us)
		warn(logging, &reader);
	if (!exit && logging->follows) {
		exit = track_follow(&reader, &visitor);
	} else if (!exit && !logging->told) {
		session_complain("nothing was found; --since TIME looks further back");
		exit = CTL_NEGATIVE;
	}
	track_reader_fini(&reader);
	roster_fini(&nodes);
	logging->telling.nodes = NULL;
	return exit;
}

static bool set_kinds(struct logging *logging, const char *text, struct buf *why)
{
	struct span rest = span_of_str(text);

	while (rest.len) {
		size_t end = span_find(rest, ',');
		struct span word = span_trim(span_take(rest, end));
		enum track_kind kind;

		if (!track_kind_find(word, &kind)) {
			buf_printf(why, "--kind: \"%.*s\" is none of", SPAN_ARGS(word));
			for (unsigned i = 0; i < TRACK_KIND_COUNT; i++)
				buf_printf(why, " %s", track_kind_name((enum track_kind)i));
			return false;
		}
		logging->kinds[kind] = logging->has_kinds = true;
		rest = span_drop(rest, end < rest.len ? end + 1 : end);
	}
	return true;
}

enum ctl_exit cmd_log(struct ctl_options *options, const struct call *call)
{
	const char *kinds = call_text(call, "kind"), *since = call_text(call, "since"),
		   *until = call_text(call, "until");
	struct logging logging = {
		.follows = call_has(call, "follow"),
		.is_json = options->is_json,
		.node = span_of_str(call_text(call, "node")),
		.telling = { .is_utc = call_has(call, "utc"),
			.has_colour = screen_look().has_colour,
			.with_id = true },
	};
	struct buf why = { 0 };
	enum ctl_exit exit;

	if (!since && !logging.follows)
		logging.since_us = moment_now_us() - SINCE_US;
	if ((kinds && !set_kinds(&logging, kinds, &why)) ||
		!moment_argument("since", since, logging.telling.is_utc, &logging.since_us, &why) ||
		!moment_argument("until", until, logging.telling.is_utc, &logging.until_us, &why))
		return session_usage(&why);
	if (until && logging.follows) {
		buf_append_str(&why, "log: --until or --follow, not both");
		return session_usage(&why);
	}
	exit = session_run(options, work, &logging);
	buf_fini(&logging.text);
	return exit;
}
