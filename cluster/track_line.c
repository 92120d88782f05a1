/* An event for people: when, where, what, which message, who to whom by which way, the answer, the rest. */
#include "track_escape.h"
#include "track_fields.h"

enum { NODE_WIDTH = 12, KIND_WIDTH = 10 };

static void put_padded(const char *text, size_t width, struct buf *out)
{
	size_t len = strlen(text);

	buf_append_str(out, text);
	for (; len < width; len++)
		buf_append_byte(out, ' ');
}

static void put_node(struct span node, struct buf *out)
{
	size_t before = buf_len(out);

	track_escape_line(node, out);
	while (buf_len(out) - before < NODE_WIDTH)
		buf_append_byte(out, ' ');
}

static void put_word(struct span text, struct buf *out)
{
	if (!text.len)
		return;
	buf_append_byte(out, ' ');
	track_escape_line(text, out);
}

static void put_way(const struct track_event *event, struct buf *out)
{
	struct span sender = event->text[TRACK_SENDER], recipient = event->text[TRACK_RECIPIENT];

	if (sender.len || recipient.len) {
		buf_append_str(out, " <");
		track_escape_line(sender, out);
		buf_append_byte(out, '>');
	}
	if (recipient.len) {
		buf_append_str(out, " -> ");
		track_escape_line(recipient, out);
	}
	if (event->text[TRACK_HOP].len) {
		buf_append_str(out, " via");
		put_word(event->text[TRACK_HOP], out);
	}
}

static void put_answer(const struct track_event *event, struct buf *out)
{
	if (event->code)
		buf_printf(out, " %llu", (unsigned long long)event->code);
	put_word(event->text[TRACK_STATUS], out);
	if (event->text[TRACK_TEXT].len) {
		buf_append_str(out, " \"");
		track_escape_line(event->text[TRACK_TEXT], out);
		buf_append_byte(out, '"');
	}
}

static void put_pair(const struct track_event *event, enum track_field_id id, struct buf *out)
{
	const struct track_field *field = &track_fields[id];
	struct span text = field->type == FIELD_IS_TEXT ? track_field_text(event, field) : span_of(NULL, 0);
	uint64_t number = field->type == FIELD_IS_TEXT ? 0 : track_field_number(event, field);

	if (!text.len && !number)
		return;
	if (field->type == FIELD_IS_DURATION)
		buf_printf(out, " after=%llu.%03llus", (unsigned long long)(number / 1000000),
			(unsigned long long)(number / 1000 % 1000));
	else if (field->type == FIELD_IS_SESSION)
		buf_printf(out, " %s=%016llx", field->key, (unsigned long long)number);
	else if (field->type == FIELD_IS_TEXT)
		buf_printf(out, " %s=", field->key);
	else
		buf_printf(out, " %s=%llu", field->key, (unsigned long long)number);
	track_escape_line(text, out);
}

void track_event_line(const struct track_event *event, struct buf *out)
{
	static const enum track_field_id rest[] = { FIELD_CLIENT, FIELD_USER, FIELD_HELO, FIELD_TLS,
		FIELD_RECIPIENTS, FIELD_SIZE, FIELD_RULE, FIELD_ABOUT, FIELD_ATTEMPTS, FIELD_LATENCY,
		FIELD_SESSION };
	char time[TRACK_TIME_LEN];

	track_time_format(event->time_us, time);
	buf_append(out, span_of(time, 23)); /* milliseconds */
	buf_append_str(out, "Z ");
	put_node(event->text[TRACK_NODE_NAME], out);
	buf_append_byte(out, ' ');
	put_padded(track_kind_name(event->kind), KIND_WIDTH, out);
	put_word(event->text[TRACK_ID], out);
	put_way(event, out);
	put_answer(event, out);
	for (size_t i = 0; i < sizeof(rest) / sizeof(rest[0]); i++)
		put_pair(event, rest[i], out);
}
