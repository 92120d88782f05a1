#include "skein/proto/dkim/canon.h"

const char *dkim_canon_name(enum dkim_canon canon)
{
	return canon == DKIM_SIMPLE ? "simple" : "relaxed";
}

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t';
}

/* In a field that is given whole, line ends are folding, or its own. */
static bool is_white(char byte)
{
	return is_blank(byte) || byte == '\r' || byte == '\n';
}

/* RFC 6376 3.4.2: unfolded, each run of spaces is one, none at either end. */
static void append_relaxed_value(struct buf *out, struct span value)
{
	bool has_text = false, has_space = false;

	for (size_t i = 0; i < value.len; i++) {
		if (is_white(value.ptr[i])) {
			has_space = has_text;
			continue;
		}
		if (has_space)
			buf_append_byte(out, ' ');
		buf_append_byte(out, value.ptr[i]);
		has_text = true;
		has_space = false;
	}
}

void dkim_canon_field(enum dkim_canon canon, struct span field, struct buf *out)
{
	size_t colon = span_find(field, ':');
	struct span name;

	CHECK(colon < field.len);
	if (canon == DKIM_SIMPLE) {
		buf_append(out, field);
		return;
	}
	name = span_trim(span_take(field, colon));
	for (size_t i = 0; i < name.len; i++)
		buf_append_byte(out, ascii_lower(name.ptr[i]));
	buf_append_byte(out, ':');
	append_relaxed_value(out, span_drop(field, colon + 1));
	buf_append_str(out, "\r\n");
}

void dkim_body_init(struct dkim_body *body, enum dkim_canon canon, dkim_body_sink *sink, void *arg)
{
	*body = (struct dkim_body){ .canon = canon, .sink = sink, .arg = arg };
}

static void flush(struct dkim_body *body)
{
	if (body->len)
		body->sink(body->arg, span_of(body->piece, body->len));
	body->len = 0;
}

static void put(struct dkim_body *body, struct span bytes)
{
	while (bytes.len) {
		size_t room = DKIM_BODY_PIECE - body->len;
		size_t len = bytes.len < room ? bytes.len : room;

		memcpy(body->piece + body->len, bytes.ptr, len);
		body->len += len;
		bytes = span_drop(bytes, len);
		if (body->len == DKIM_BODY_PIECE)
			flush(body);
	}
}

/* Text came: what was held back before it counts. */
static void put_text(struct dkim_body *body, struct span text)
{
	for (; body->line_ends; body->line_ends--)
		put(body, SPAN_LIT("\r\n"));
	if (body->has_space)
		put(body, SPAN_LIT(" "));
	body->has_space = false;
	body->has_text = true;
	put(body, text);
}

static bool is_held(const struct dkim_body *body, char byte)
{
	return byte == '\r' || (body->canon == DKIM_RELAXED && is_blank(byte));
}

static size_t text_len(const struct dkim_body *body, struct span bytes)
{
	size_t len = 0;

	while (len < bytes.len && !is_held(body, bytes.ptr[len]))
		len++;
	return len;
}

/* The byte behind a CR. True when it was the LF, and is done with. */
static bool end_line(struct dkim_body *body, char byte)
{
	body->has_cr = false;
	if (byte != '\n') {
		put_text(body, SPAN_LIT("\r"));
		return false;
	}
	body->has_space = false;
	body->line_ends++;
	return true;
}

void dkim_body_feed(struct dkim_body *body, struct span bytes)
{
	while (bytes.len) {
		size_t len = 1;

		if (body->has_cr) {
			len = end_line(body, bytes.ptr[0]) ? 1 : 0;
		} else if (bytes.ptr[0] == '\r') {
			body->has_cr = true;
		} else if (is_held(body, bytes.ptr[0])) {
			body->has_space = true;
		} else {
			len = text_len(body, bytes);
			put_text(body, span_take(bytes, len));
		}
		bytes = span_drop(bytes, len);
	}
}

void dkim_body_end(struct dkim_body *body)
{
	if (body->has_cr)
		put_text(body, SPAN_LIT("\r"));
	/* RFC 6376 3.4.3, 3.4.4: what has text ends with one CRLF; of what has none, simple keeps one too. */
	if (body->has_text || body->canon == DKIM_SIMPLE)
		put(body, SPAN_LIT("\r\n"));
	flush(body);
}
