#include "mail/body_encode.h"

#include "skein/proto/base/base64.h"

enum {
	QUOTED_LINE_MAX = 75, /* and the "=" of a soft break: 76 */
	BASE64_LINE_MAX = 76,
};

void body_encode_init(struct body_encoder *encoder, enum body_encoding encoding)
{
	*encoder = (struct body_encoder){ .encoding = encoding };
}

static void write_quoted(struct body_encoder *encoder, struct span text, struct buf *out)
{
	if (encoder->column + text.len > QUOTED_LINE_MAX) {
		buf_append_str(out, "=\r\n");
		encoder->column = 0;
	}
	buf_append(out, text);
	encoder->column += text.len;
}

static void write_escaped(struct body_encoder *encoder, char byte, struct buf *out)
{
	static const char digits[] = "0123456789ABCDEF";
	char text[3] = { '=', digits[(unsigned char)byte >> 4], digits[byte & 15] };

	write_quoted(encoder, span_of(text, sizeof(text)), out);
}

static void write_plain(struct body_encoder *encoder, char byte, struct buf *out)
{
	/* No line may come to look like a delimiter, by a soft break or by what is escaped behind. */
	bool is_first = encoder->column == 0 || encoder->column == QUOTED_LINE_MAX;

	if (byte == '-' && is_first)
		write_escaped(encoder, byte, out);
	else
		write_quoted(encoder, span_of(&byte, 1), out);
}

static void write_blank(struct body_encoder *encoder, bool is_last, struct buf *out)
{
	char blank = encoder->blank;

	encoder->blank = '\0';
	if (blank && is_last)
		write_escaped(encoder, blank, out);
	else if (blank)
		write_quoted(encoder, span_of(&blank, 1), out);
}

static void end_quoted_line(struct body_encoder *encoder, struct buf *out)
{
	write_blank(encoder, true, out);
	buf_append_str(out, "\r\n");
	encoder->column = 0;
}

static void quote(struct body_encoder *encoder, char byte, struct buf *out)
{
	write_blank(encoder, false, out);
	if (byte == ' ' || byte == '\t')
		encoder->blank = byte;
	else if (byte < ' ' || byte > '~' || byte == '=')
		write_escaped(encoder, byte, out);
	else
		write_plain(encoder, byte, out);
}

static void write_group(struct body_encoder *encoder, struct buf *out)
{
	if (encoder->column == BASE64_LINE_MAX) {
		buf_append_str(out, "\r\n");
		encoder->column = 0;
	}
	base64_encode(out, span_of((const char *)encoder->group, encoder->group_len));
	encoder->column += 4;
	encoder->group_len = 0;
	encoder->has_begun = true;
}

static void group(struct body_encoder *encoder, char byte, struct buf *out)
{
	encoder->group[encoder->group_len++] = (unsigned char)byte;
	if (encoder->group_len == sizeof(encoder->group))
		write_group(encoder, out);
}

static void release_crlf(struct body_encoder *encoder, struct buf *out)
{
	if (!encoder->has_crlf)
		return;
	encoder->has_crlf = false;
	group(encoder, '\r', out);
	group(encoder, '\n', out);
}

static void encode_byte(struct body_encoder *encoder, char byte, struct buf *out)
{
	if (encoder->encoding == BODY_QUOTED_PRINTABLE) {
		quote(encoder, byte, out);
	} else {
		release_crlf(encoder, out);
		group(encoder, byte, out);
	}
}

static void encode_crlf(struct body_encoder *encoder, struct buf *out)
{
	if (encoder->encoding == BODY_QUOTED_PRINTABLE) {
		end_quoted_line(encoder, out);
	} else {
		release_crlf(encoder, out);
		encoder->has_crlf = true;
	}
}

void body_encode(struct body_encoder *encoder, struct span piece, struct buf *out)
{
	for (size_t i = 0; i < piece.len; i++) {
		char byte = piece.ptr[i];

		if (encoder->has_cr && byte == '\n') {
			encoder->has_cr = false;
			encode_crlf(encoder, out);
			continue;
		}
		if (encoder->has_cr)
			encode_byte(encoder, '\r', out);
		encoder->has_cr = byte == '\r';
		if (!encoder->has_cr)
			encode_byte(encoder, byte, out);
	}
}

static void end_base64(struct body_encoder *encoder, bool is_delimited, struct buf *out)
{
	bool has_crlf = encoder->has_crlf;

	if (is_delimited)
		encoder->has_crlf = false;
	release_crlf(encoder, out);
	if (encoder->group_len)
		write_group(encoder, out);
	/* Of an empty body the delimiter's CRLF is all there is, if it was there. */
	if (encoder->has_begun || has_crlf)
		buf_append_str(out, "\r\n");
}

void body_encode_end(struct body_encoder *encoder, bool is_delimited, struct buf *out)
{
	if (encoder->has_cr)
		encode_byte(encoder, '\r', out);
	if (encoder->encoding == BODY_BASE64)
		end_base64(encoder, is_delimited, out);
	else
		write_blank(encoder, true, out);
}
