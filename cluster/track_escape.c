#include "track_escape.h"

#include "skein/proto/base/utf8.h"

static const char hex[] = "0123456789abcdef";

/* Length of the printable character at the front, 0 when there is none. U+0080..U+009F are no printable
 * ones: a terminal obeys them. */
static size_t character(struct span text)
{
	unsigned char lead = (unsigned char)text.ptr[0];
	size_t len = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;

	if (lead < 0x80)
		return lead >= 0x20 && lead != 0x7f;
	if (text.len < len || !utf8_is_valid(span_take(text, len)))
		return 0;
	return lead == 0xc2 && (unsigned char)text.ptr[1] < 0xa0 ? 0 : len;
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
		unsigned char byte = (unsigned char)text.ptr[0];

		if (byte == '"' || byte == '\\') {
			buf_append_byte(out, '\\');
			buf_append_byte(out, (char)byte);
		} else if (byte < 0x80) {
			put_hex("\\u00", byte, out);
		} else {
			/* JSON knows no bytes. */
			buf_append_str(out, "\xef\xbf\xbd");
		}
		text = span_drop(text, 1);
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
