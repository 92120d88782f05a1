#include "track/log_line.h"

#include "skein/proto/base/utf8.h"

#include <time.h>

enum {
	/* Kept free for what ends a line: the mark of a cut value, its quote, the truncated field, brace,
	   newline. */
	TAIL_ROOM = 40,
	ESCAPE_MAX = 6, /* \u001f */
	EVENT_WIDTH = 24,
};

struct line {
	char *start, *at;
	char *end; /* where fields must stop */
	enum log_format format;
	bool is_truncated;
};

static const char *const level_names[] = {
	[LOG_ERROR] = "error",
	[LOG_WARN] = "warn",
	[LOG_INFO] = "info",
	[LOG_DEBUG] = "debug",
};

static void put_head(struct line *line, const struct log_head *head);
static void put_fields(struct line *line, const struct log_field *fields);
static void put(struct line *line, struct span bytes);

size_t log_line_format(const struct log_head *head, const struct log_field *fields, char out[LOG_LINE_MAX])
{
	struct line line = { out, out, out + LOG_LINE_MAX - TAIL_ROOM, head->format, false };

	put_head(&line, head);
	put_fields(&line, fields);
	if (head->format == LOG_FORMAT_JSON) {
		if (line.is_truncated)
			put(&line, SPAN_LIT(",\"truncated\":true"));
		put(&line, SPAN_LIT("}\n"));
	} else {
		if (line.is_truncated)
			put(&line, SPAN_LIT(" truncated=true"));
		put(&line, SPAN_LIT("\n"));
	}
	CHECK(line.at <= out + LOG_LINE_MAX);
	return (size_t)(line.at - line.start);
}

/* The caller has seen to the room. */
static void put(struct line *line, struct span bytes)
{
	memcpy(line->at, bytes.ptr, bytes.len);
	line->at += bytes.len;
}

static void put_byte(struct line *line, char byte)
{
	*line->at++ = byte;
}

static bool has_room(const struct line *line, size_t len)
{
	return line->at < line->end && (size_t)(line->end - line->at) >= len;
}

static void put_padded(struct line *line, const char *text, size_t width)
{
	size_t len = strlen(text);

	put(line, span_of(text, len));
	for (; len < width; len++)
		put_byte(line, ' ');
}

/* Event and node are ours and short (the schema bounds node.name), so the head always fits. */
static void put_head(struct line *line, const struct log_head *head)
{
	if (head->format == LOG_FORMAT_JSON) {
		put(line, SPAN_LIT("{\"time\":\""));
		put(line, span_of(head->time, LOG_TIME_LEN));
		put(line, SPAN_LIT("\",\"level\":\""));
		put(line, span_of_str(level_names[head->level]));
		put(line, SPAN_LIT("\",\"event\":\""));
		put(line, span_of_str(head->event));
		put_byte(line, '"');
	} else {
		put(line, span_of(head->time, LOG_TIME_LEN));
		put_byte(line, ' ');
		put_padded(line, level_names[head->level], 5);
		put_byte(line, ' ');
		put_padded(line, head->event, EVENT_WIDTH);
	}
	CHECK(has_room(line, head->node.len));
	put(line, head->node);
}

static void put_u64(struct line *line, uint64_t value)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	put(line, span_of(digits + at, sizeof(digits) - at));
}

static void put_i64(struct line *line, int64_t value)
{
	if (value < 0)
		put_byte(line, '-');
	put_u64(line, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

enum byte_class {
	BYTE_SPECIAL, /* escaped, or part of a longer sequence */
	BYTE_QUOTED,  /* as it is within quotes; alone it would end a value of the text form */
	BYTE_BARE,
};

static enum byte_class class_of(char byte)
{
	if (byte == '"' || byte == '\\' || byte < 0x20 || byte > 0x7e)
		return BYTE_SPECIAL;
	return byte == ' ' ? BYTE_QUOTED : BYTE_BARE;
}

static void put_hex(struct line *line, struct span prefix, unsigned char byte)
{
	static const char digits[] = "0123456789abcdef";

	put(line, prefix);
	put_byte(line, digits[byte >> 4]);
	put_byte(line, digits[byte & 15]);
}

/* Returns how much of `rest` the escape stands for. */
static size_t put_special(struct line *line, struct span rest)
{
	unsigned char byte = (unsigned char)rest.ptr[0];
	uint32_t code = 0;
	size_t len = utf8_next(rest, &code);

	if (byte == '"' || byte == '\\') {
		put_byte(line, '\\');
		put_byte(line, (char)byte);
	} else if (byte == '\n' || byte == '\r' || byte == '\t') {
		put_byte(line, '\\');
		put_byte(line, byte == '\n' ? 'n' : byte == '\r' ? 'r' : 't');
	} else if (byte < 0x80) {
		put_hex(line, SPAN_LIT("\\u00"), byte);
	} else if (len && !utf8_is_unseen(code)) {
		put(line, span_take(rest, len));
		return len;
	} else if (line->format == LOG_FORMAT_TEXT) {
		put_hex(line, SPAN_LIT("\\x"), byte);
	} else if (len) {
		put_hex(line, SPAN_LIT("\\u"), (unsigned char)(code >> 8));
		put_hex(line, SPAN_LIT(""), (unsigned char)code);
		return len;
	} else {
		/* JSON knows no bytes; U+FFFD is what a decoder would make of it. */
		put(line, SPAN_LIT("\xef\xbf\xbd"));
	}
	return 1;
}

/* The inside of the quotes. Stops where the line has no more room and returns what is left. */
static struct span put_escaped(struct line *line, struct span rest)
{
	while (rest.len && has_room(line, ESCAPE_MAX)) {
		size_t room = (size_t)(line->end - line->at);
		size_t run = 0;

		while (run < rest.len && run < room && class_of(rest.ptr[run]) != BYTE_SPECIAL)
			run++;
		put(line, span_take(rest, run));
		rest = span_drop(rest, run);
		if (rest.len && has_room(line, ESCAPE_MAX))
			rest = span_drop(rest, put_special(line, rest));
	}
	return rest;
}

/* Does not leave half a UTF-8 sequence at the end. */
static struct span cut_value(struct span value)
{
	size_t len = LOG_VALUE_MAX;

	for (unsigned back = 0; back < 3 && (value.ptr[len] & 0xc0) == 0x80; back++)
		len--;
	return span_take(value, len);
}

static bool is_bare(struct span value)
{
	for (size_t i = 0; i < value.len; i++)
		if (class_of(value.ptr[i]) != BYTE_BARE)
			return false;
	return value.len > 0;
}

static void put_text(struct line *line, struct span value)
{
	struct span shown = value.len > LOG_VALUE_MAX ? cut_value(value) : value;
	bool is_cut = shown.len < value.len;
	struct span left;

	if (line->format == LOG_FORMAT_TEXT && !is_cut && has_room(line, shown.len) && is_bare(shown)) {
		put(line, shown);
		return;
	}
	put_byte(line, '"');
	left = put_escaped(line, shown);
	if (is_cut || left.len)
		put(line, SPAN_LIT("\xe2\x80\xa6"));
	put_byte(line, '"');
}

static void put_field(struct line *line, const struct log_field *field)
{
	bool is_json = line->format == LOG_FORMAT_JSON;

	/* Key, its punctuation, and the longest number; text uses what is left. */
	if (line->is_truncated || !has_room(line, field->key_len + 4u + 20u)) {
		line->is_truncated = true;
		return;
	}
	put(line, is_json ? SPAN_LIT(",\"") : SPAN_LIT(" "));
	put(line, span_of(field->key, field->key_len));
	put(line, is_json ? SPAN_LIT("\":") : SPAN_LIT("="));
	switch ((enum log_field_type)field->type) {
	case LOG_FIELD_SPAN:
		put_text(line, field->span);
		break;
	case LOG_FIELD_U64:
		put_u64(line, field->u64);
		break;
	case LOG_FIELD_I64:
		put_i64(line, field->i64);
		break;
	case LOG_FIELD_BOOL:
		put(line, field->flag ? SPAN_LIT("true") : SPAN_LIT("false"));
		break;
	case LOG_FIELD_LIST:
	case LOG_FIELD_END:
		CHECK(false);
	}
}

static void put_fields(struct line *line, const struct log_field *fields)
{
	for (; fields->type != LOG_FIELD_END; fields++) {
		if (fields->type == LOG_FIELD_LIST)
			put_fields(line, fields->list);
		else
			put_field(line, fields);
	}
}

void log_line_node(enum log_format format, const char *node, struct buf *out)
{
	const struct log_field field = LOG_STR("node", node);
	char text[LOG_LINE_MAX];
	struct line line = { text, text, text + sizeof(text) - TAIL_ROOM, format, false };

	put_field(&line, &field);
	buf_append(out, span_of(text, (size_t)(line.at - text)));
}

void log_clock_set(struct log_clock *clock, uint64_t unix_ms)
{
	unsigned ms = (unsigned)(unix_ms % 1000);

	if (clock->second != unix_ms / 1000 || !clock->text[0]) {
		time_t second = (time_t)(unix_ms / 1000);
		struct tm utc;

		clock->second = unix_ms / 1000;
		CHECK(gmtime_r(&second, &utc));
		CHECK(strftime(clock->text, sizeof(clock->text), "%Y-%m-%dT%H:%M:%S.000Z", &utc) ==
			LOG_TIME_LEN);
	}
	clock->text[20] = (char)('0' + ms / 100);
	clock->text[21] = (char)('0' + ms / 10 % 10);
	clock->text[22] = (char)('0' + ms % 10);
}
