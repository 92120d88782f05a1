#include "track_escape.h"

#include "skein/proto/base/utf8.h"

static const char hex[] = "0123456789abcdef";

/* Length of the character at the front, 0 when there is none that may be shown. */
static size_t character(struct span text)
{
	uint32_t code;
	size_t len = utf8_next(text, &code);

	return len && !utf8_is_unseen(code) ? len : 0;
}

/* Appends what needs no escape, and returns what is left: empty, or beginning with what does. */
static struct span put_plain(struct span text, const char *special, struct buf *out)
{
	size_t len = 0;

	while (len < text.len) {
		size_t next = character(span_drop(text, len));

		if (!next || (next == 1 && strchr(special, text.ptr[len])))
			break;
		len += next;
	}
	buf_append(out, span_take(text, len));
	return span_drop(text, len);
}

static void put_hex(const char *prefix, unsigned char byte, struct buf *out)
{
	buf_append_str(out, prefix);
	buf_append_byte(out, hex[byte >> 4]);
	buf_append_byte(out, hex[byte & 15]);
}

void track_escape_json(struct span text, struct buf *out)
{
	while ((text = put_plain(text, "\"\\", out)).len) {
		uint32_t code;
		size_t len = utf8_next(text, &code);

		if (text.ptr[0] == '"' || text.ptr[0] == '\\') {
			buf_append_byte(out, '\\');
			buf_append_byte(out, text.ptr[0]);
		} else if (len) {
			buf_printf(out, "\\u%04x", (unsigned)code);
		} else {
			/* JSON knows no bytes. */
			buf_append_str(out, "\xef\xbf\xbd");
		}
		text = span_drop(text, len ? len : 1);
	}
}

void track_escape_w3c(struct span text, struct buf *out)
{
	if (!text.len)
		buf_append_byte(out, '-');
	while ((text = put_plain(text, " %\"", out)).len) {
		if (text.ptr[0] == ' ')
			buf_append_byte(out, '+');
		else
			put_hex("%", (unsigned char)text.ptr[0], out);
		text = span_drop(text, 1);
	}
}
