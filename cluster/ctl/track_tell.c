/* When, where, what, which message; the answer, who to whom by which way; the rest by name. */
#include "track_tell.h"

#include "human.h"
#include "moment.h"

#include "skein/cluster/msg_id.h"

enum { KIND_WIDTH = 10, NODE_WIDTH_MAX = 24 };

static const enum tint tints[TRACK_KIND_COUNT] = {
	[TRACK_REJECT] = TINT_BAD,
	[TRACK_DISCARD] = TINT_BAD,
	[TRACK_HOLD] = TINT_WARN,
	[TRACK_CANCEL] = TINT_BAD,
	[TRACK_DEFER] = TINT_WARN,
	[TRACK_DELIVER] = TINT_GOOD,
	[TRACK_FAIL] = TINT_BAD,
	[TRACK_EXPIRE] = TINT_BAD,
	[TRACK_BOUNCE] = TINT_BAD,
	[TRACK_TAKEOVER] = TINT_WARN,
};

static void pad(struct buf *out, size_t from, size_t width)
{
	size_t shown = grid_text_width(span_drop(buf_span(out), from));

	for (; shown < width; shown++)
		buf_append_byte(out, ' ');
}

static void put_sentence(const struct track_event *event, struct buf *out)
{
	struct span sender = event->text[TRACK_SENDER], recipient = event->text[TRACK_RECIPIENT];
	struct span text = event->text[TRACK_TEXT], status = event->text[TRACK_STATUS];

	/* Most servers' texts begin with the code that stands before it already. */
	if (status.len && text.len > status.len && span_starts_with(text, status) &&
		text.ptr[status.len] == ' ')
		text = span_drop(text, status.len + 1);
	if (event->code)
		buf_printf(out, " %llu", (unsigned long long)event->code);
	if (status.len)
		buf_printf(out, " %.*s", SPAN_ARGS(status));
	if (sender.len || recipient.len)
		buf_printf(out, " <%.*s>", SPAN_ARGS(sender));
	if (recipient.len)
		buf_printf(out, " -> %.*s", SPAN_ARGS(recipient));
	if (event->text[TRACK_HOP].len)
		buf_printf(out, " via %.*s", SPAN_ARGS(event->text[TRACK_HOP]));
	if (text.len && event->kind == TRACK_CONNECT)
		buf_printf(out, " listener=%.*s", SPAN_ARGS(text));
	else if (text.len)
		buf_printf(out, " \"%.*s\"", SPAN_ARGS(text));
}

/* Where a message was taken over from is a node's UUID in the event. */
static struct span about_of(const struct track_telling *telling, const struct track_event *event)
{
	struct span about = event->text[TRACK_ABOUT];
	const struct registry_node *known = NULL;
	struct node_uuid node;

	if (telling->nodes && node_uuid_parse(about, &node))
		known = roster_of(telling->nodes, &node);
	return known ? known->name : about;
}

static void put_texts(const struct track_telling *telling, const struct track_event *event, struct buf *out)
{
	static const enum track_text texts[] = { TRACK_CLIENT, TRACK_USER, TRACK_HELO, TRACK_TLS_TEXT,
		TRACK_RULE, TRACK_ABOUT };

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct span text = texts[i] == TRACK_ABOUT ? about_of(telling, event) : event->text[texts[i]];

		if (text.len)
			buf_printf(out, " %s=%.*s", track_text_name(texts[i]), SPAN_ARGS(text));
	}
}

static void put_numbers(const struct track_event *event, struct buf *out)
{
	if (event->recipients > 1)
		buf_printf(out, " recipients=%llu", (unsigned long long)event->recipients);
	if (event->size)
		buf_printf(out, " size=%llu", (unsigned long long)event->size);
	if (event->attempts)
		buf_printf(out, " attempts=%llu", (unsigned long long)event->attempts);
	if (event->latency_us)
		buf_printf(out, " after=%llu.%03llus", (unsigned long long)(event->latency_us / 1000000),
			(unsigned long long)(event->latency_us / 1000 % 1000));
}

static void put_details(const struct track_telling *telling, const struct track_event *event, struct buf *out)
{
	struct buf raw = { 0 };

	put_sentence(event, &raw);
	put_texts(telling, event, &raw);
	put_numbers(event, &raw);
	human_text(out, buf_span(&raw));
	buf_fini(&raw);
}

static void put_node(struct track_telling *telling, struct span node, struct buf *out)
{
	size_t from = buf_len(out), width;

	human_text(out, node);
	width = grid_text_width(span_drop(buf_span(out), from));
	if (width > telling->node_width)
		telling->node_width = width < NODE_WIDTH_MAX ? width : NODE_WIDTH_MAX;
	pad(out, from, telling->node_width);
}

void track_tell_line(struct track_telling *telling, const struct track_event *event, struct buf *out)
{
	const char *kind = track_kind_name(event->kind);
	size_t from;

	moment_append(event->time_us, telling->is_utc, out);
	buf_append_str(out, "  ");
	put_node(telling, event->text[TRACK_NODE_NAME], out);
	buf_append_str(out, "  ");
	grid_append_tinted(out, span_of_str(kind), tints[event->kind], telling->has_colour);
	for (size_t width = strlen(kind); width < KIND_WIDTH; width++)
		buf_append_byte(out, ' ');
	if (telling->with_id) {
		buf_append_str(out, " ");
		from = buf_len(out);
		human_text(out, event->text[TRACK_ID].len ? event->text[TRACK_ID] : SPAN_LIT("-"));
		pad(out, from, MSG_ID_TEXT_LEN);
	}
	put_details(telling, event, out);
	while (buf_len(out) && buf_tail(out)[-1] == ' ')
		buf_truncate(out, buf_len(out) - 1);
	buf_append_byte(out, '\n');
}

json_t *track_tell_json(const struct track_event *event)
{
	struct buf text = { 0 };
	json_t *value;

	track_event_json(event, &text);
	value = json_loadb(buf_span(&text).ptr, buf_len(&text), JSON_ALLOW_NUL, NULL);
	buf_fini(&text);
	CHECK(value);
	return value;
}
