/* skeinctl trace */
#include "call.h"
#include "human.h"
#include "moment.h"
#include "screen.h"
#include "track_follow.h"
#include "track_lines.h"
#include "track_story.h"
#include "track_tell.h"

#include "skein/cluster/msg_id.h"

#include <stdio.h>

enum { LIMIT = 20 };

struct tracing {
	struct track_wanted wanted;
	struct msg_id_text id;
	uint64_t limit;
	bool follows, is_utc, is_json;
	struct call_texts files;
	struct track_telling telling;
	struct track_stories stories;
	struct buf text;
};

/* ---- what was found ---- */

static void put_address(struct buf *out, struct span address)
{
	buf_append_byte(out, '<');
	human_text(out, address);
	buf_append_byte(out, '>');
}

static void tell_title(struct tracing *tracing, const struct track_story *story)
{
	struct buf *out = &tracing->text, title = { 0 };

	if (story->id.len)
		buf_printf(&title, "%.*s", SPAN_ARGS(story->id));
	else if (story->session)
		buf_printf(&title, "session %016llx at %.*s", (unsigned long long)story->session,
			SPAN_ARGS(story->node));
	else
		buf_append_str(&title, "no session");
	if (story->id.len) {
		buf_append_byte(&title, ' ');
		put_address(&title, story->sender);
		buf_append_str(&title, " -> ");
		human_text(&title, story->recipient);
	}
	grid_append_tinted(out, buf_span(&title), TINT_FAINT, tracing->telling.has_colour);
	buf_append_byte(out, '\n');
	buf_fini(&title);
}

static void tell_stories(struct tracing *tracing)
{
	const struct track_stories *stories = &tracing->stories;

	for (size_t i = 0; i < stories->told_count; i++) {
		const struct track_told *told = &stories->told[i];

		if (!i || told[-1].story != told->story) {
			if (i)
				buf_append_byte(&tracing->text, '\n');
			tell_title(tracing, &stories->items[told->story]);
		}
		track_tell_line(&tracing->telling, &told->event, &tracing->text);
	}
	(void)screen_print(&tracing->text); /* main looks at the stream before it ends */
	buf_clear(&tracing->text);
}

/* All names are known before the first line, so that columns are straight. */
static void measure_nodes(struct tracing *tracing)
{
	struct buf line = { 0 };

	for (size_t i = 0; i < tracing->stories.told_count; i++) {
		track_tell_line(&tracing->telling, &tracing->stories.told[i].event, &line);
		buf_clear(&line);
	}
	buf_fini(&line);
}

static json_t *json_of_story(const struct track_story *story)
{
	json_t *value = json_object();

	json_object_set_new(value, "id", story->id.len ? json_of_span(story->id) : json_null());
	if (story->session) {
		char session[17];

		snprintf(session, sizeof(session), "%016llx", (unsigned long long)story->session);
		json_object_set_new(value, "session", json_string(session));
		json_object_set_new(value, "session_node", json_of_span(story->node));
	}
	json_object_set_new(value, "events", json_array());
	return value;
}

static json_t *json_of_stories(const struct tracing *tracing)
{
	const struct track_stories *stories = &tracing->stories;
	json_t *messages = json_array(), *story = NULL;

	for (size_t i = 0; i < stories->told_count; i++) {
		const struct track_told *told = &stories->told[i];

		if (!i || told[-1].story != told->story) {
			story = json_of_story(&stories->items[told->story]);
			json_array_append_new(messages, story);
		}
		json_array_append_new(json_object_get(story, "events"), track_tell_json(&told->event));
	}
	return json_pack("{s:o, s:b}", "messages", messages, "more", stories->has_more);
}

/* ---- what is to be said about it ---- */

/* What the range begins before, or 0. */
static uint64_t cut_of(const struct tracing *tracing, const struct track_reader *reader)
{
	return reader && reader->kept_us > tracing->wanted.since_us ? reader->kept_us : 0;
}

static void warn(const struct tracing *tracing, const struct track_reader *reader, size_t damaged)
{
	uint64_t cut_us = cut_of(tracing, reader);
	struct buf moment = { 0 };

	if (tracing->stories.has_more)
		session_complain("more match than --limit: these are the newest %llu; say more of what is "
				 "wanted, or --limit",
			(unsigned long long)tracing->limit);
	if (tracing->stories.is_cut)
		session_complain("more than %d events: not all are told", TRACK_TOLD_MAX);
	if (damaged)
		session_complain("%zu %s could not be read, and %s left out", damaged,
			reader         ? damaged == 1 ? "chunk of events" : "chunks of events"
			: damaged == 1 ? "line"
				       : "lines",
			damaged == 1 ? "is" : "are");
	if (!cut_us)
		return;
	moment_append(cut_us, tracing->is_utc, &moment);
	session_complain("events before %.*s are not kept any more in Redis (tracking.cluster_size, "
			 "tracking.cluster_age); files of nodes may have them: trace --file",
		SPAN_ARGS(buf_span(&moment)));
	buf_fini(&moment);
}

static void tell(struct tracing *tracing, const struct track_reader *reader)
{
	json_t *value;
	uint64_t cut_us = cut_of(tracing, reader);

	if (!tracing->is_json) {
		measure_nodes(tracing);
		tell_stories(tracing);
		return;
	}
	value = json_of_stories(tracing);
	if (reader) {
		char text[TRACK_TIME_LEN];

		track_time_format(cut_us, text);
		json_object_set_new(
			value, "kept_since", cut_us ? json_stringn(text, sizeof(text)) : json_null());
	}
	screen_print_json(value);
}

/* With JSON that is followed, each event is a line by itself. */
static void tell_line(struct tracing *tracing, const struct track_event *event)
{
	if (tracing->is_json) {
		screen_print_json_line(track_tell_json(event));
		return;
	}
	track_tell_line(&tracing->telling, event, &tracing->text);
	(void)screen_print(&tracing->text);
	buf_clear(&tracing->text);
}

static void take_new(void *arg, const struct track_event *event, uint64_t run, uint64_t number)
{
	struct tracing *tracing = arg;

	(void)run;
	(void)number;
	if (track_stories_go_on(&tracing->stories, event))
		tell_line(tracing, event);
}

static enum ctl_exit follow(struct tracing *tracing, struct track_reader *reader)
{
	const struct track_visitor visitor = { take_new, NULL, tracing };

	tracing->telling.with_id = true;
	if (!tracing->is_json && tracing->stories.told_count)
		putchar('\n');
	return track_follow(reader, &visitor);
}

static enum ctl_exit read_and_tell(struct tracing *tracing, const struct track_source *source,
	const struct track_reader *reader, const size_t *damaged)
{
	enum ctl_exit exit = track_stories_read(&tracing->stories, source);

	if (exit)
		return exit;
	if (tracing->follows && tracing->is_json)
		for (size_t i = 0; i < tracing->stories.told_count; i++)
			tell_line(tracing, &tracing->stories.told[i].event);
	else
		tell(tracing, reader);
	fflush(stdout);
	if (!tracing->stories.told_count && !tracing->follows)
		session_complain("nothing was found");
	warn(tracing, reader, *damaged);
	return tracing->stories.told_count ? CTL_OK : CTL_NEGATIVE;
}

static enum ctl_exit work(struct session *session, void *arg)
{
	struct tracing *tracing = arg;
	struct roster nodes = { 0 };
	struct track_reader reader;
	struct track_source source;
	enum ctl_exit exit;

	track_reader_init(&reader, session);
	source = track_reader_source(&reader);
	tracing->telling.nodes = &nodes;
	exit = roster_load(&nodes, session);
	if (!exit)
		exit = track_reader_look(&reader);
	if (!exit)
		exit = read_and_tell(tracing, &source, &reader, &reader.damaged);
	if (tracing->follows && (!exit || exit == CTL_NEGATIVE))
		exit = follow(tracing, &reader);
	track_reader_fini(&reader);
	roster_fini(&nodes);
	tracing->telling.nodes = NULL;
	return exit;
}

static enum ctl_exit read_files(struct tracing *tracing)
{
	struct track_lines lines = { .paths = tracing->files.items, .count = tracing->files.count };
	const struct track_source source = track_lines_source(&lines);

	return read_and_tell(tracing, &source, NULL, &lines.skipped);
}

/* ---- the command line ---- */

struct words {
	const char *from, *to, *client, *user, *since, *until;
};

static bool set_address(const char *option, const char *text, struct span *out, struct buf *why)
{
	size_t len = text ? strlen(text) : 0;

	if (!text)
		return true;
	*out = span_of(text, len);
	if (len > 2 && text[0] == '<' && text[len - 1] == '>')
		*out = span_of(text + 1, len - 2);
	if (out->len < 2 || span_find(*out, ' ') < out->len || !track_domain(*out).len) {
		buf_printf(why, "--%s: \"%s\" is no address, nor @DOMAIN", option, text);
		return false;
	}
	return true;
}

static bool set_id(struct tracing *tracing, const char *text, struct buf *why)
{
	struct msg_id id;

	if (!msg_id_parse(span_of_str(text), &id)) {
		buf_printf(why,
			"\"%s\" is no message id: 26 letters and digits, as Received and our 250 have it",
			text);
		return false;
	}
	tracing->id = msg_id_format(&id);
	tracing->wanted.id = span_of_str(tracing->id.text);
	return true;
}

static bool set_wanted(struct tracing *tracing, const struct words *words, const char *id, struct buf *why)
{
	struct track_wanted *wanted = &tracing->wanted;

	if ((id && !set_id(tracing, id, why)) || !set_address("from", words->from, &wanted->from, why) ||
		!set_address("to", words->to, &wanted->to, why) ||
		!moment_argument("since", words->since, tracing->is_utc, &wanted->since_us, why) ||
		!moment_argument("until", words->until, tracing->is_utc, &wanted->until_us, why))
		return false;
	wanted->user = span_of_str(words->user);
	wanted->has_client = words->client != NULL;
	if (words->client && !network_parse(span_of_str(words->client), &wanted->client)) {
		buf_printf(why,
			"--client: \"%s\" is no address or network: 192.0.2.1, 192.0.2.0/24 or 2001:db8::/32",
			words->client);
		return false;
	}
	if (!track_wanted_is_said(wanted) && !words->since && !words->until) {
		buf_append_str(
			why, "trace: which messages? An id, or --from, --to, --client, --user, --since");
		return false;
	}
	if (tracing->follows && tracing->files.count) {
		buf_append_str(why, "trace: files are not followed: --file or --follow");
		return false;
	}
	return true;
}

static enum ctl_exit run(struct tracing *tracing, struct ctl_options *options)
{
	enum ctl_exit exit;

	tracing->is_json = options->is_json;
	tracing->telling =
		(struct track_telling){ .is_utc = tracing->is_utc, .has_colour = screen_look().has_colour };
	track_stories_init(&tracing->stories, &tracing->wanted, (size_t)tracing->limit);
	exit = tracing->files.count ? read_files(tracing) : session_run(options, work, tracing);
	track_stories_fini(&tracing->stories);
	buf_fini(&tracing->text);
	return exit;
}

enum ctl_exit cmd_trace(struct ctl_options *options, const struct call *call)
{
	const struct words words = { call_text(call, "from"), call_text(call, "to"),
		call_text(call, "client"), call_text(call, "user"), call_text(call, "since"),
		call_text(call, "until") };
	struct tracing tracing = {
		.limit = call_number(call, "limit", LIMIT),
		.follows = call_has(call, "follow"),
		.is_utc = call_has(call, "utc"),
		.files = call_texts(call, "file"),
	};
	struct buf why = { 0 };

	if (!set_wanted(&tracing, &words, call_word(call, 0), &why))
		return session_usage(&why);
	return run(&tracing, options);
}
