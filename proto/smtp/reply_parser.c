#include "smtp/reply_parser.h"

void reply_parser_fini(struct reply_parser *parser)
{
	buf_fini(&parser->line);
	buf_fini(&parser->text);
}

void reply_parser_reset(struct reply_parser *parser)
{
	buf_clear(&parser->line);
	buf_clear(&parser->text);
	parser->code = 0;
	parser->size = 0;
	parser->is_done = false;
}

static struct span without_line_end(struct span line)
{
	if (line.len && line.ptr[line.len - 1] == '\n')
		line.len--;
	if (line.len && line.ptr[line.len - 1] == '\r')
		line.len--;
	return line;
}

/* 0 when the line does not begin with a code. */
static unsigned parse_code(struct span line)
{
	uint64_t code;

	if (line.len < 3 || !span_parse_u64(span_take(line, 3), 599, &code) || code < 200)
		return 0;
	return (unsigned)code;
}

/* Control bytes have no business in a log or a DSN; bytes above 127 may be UTF-8 (RFC 6531 3.7.4.2). */
static void keep_text(struct reply_parser *parser, struct span text)
{
	size_t used = buf_len(&parser->text);

	if (used + 1 + text.len > REPLY_TEXT_MAX)
		return;
	if (used)
		buf_append_byte(&parser->text, '\n');
	buf_reserve(&parser->text, text.len);
	for (size_t i = 0; i < text.len; i++) {
		unsigned char byte = (unsigned char)text.ptr[i];

		buf_tail(&parser->text)[i] = byte < ' ' || byte == 0x7f ? ' ' : (char)byte;
	}
	buf_commit(&parser->text, text.len);
}

static enum reply_parse take_line(struct reply_parser *parser, struct span line)
{
	unsigned code = parse_code(line);
	char mark = line.len > 3 ? line.ptr[3] : ' ';

	if (!code || (parser->code && parser->code != code) || (mark != ' ' && mark != '-'))
		return REPLY_BAD;
	parser->code = code;
	keep_text(parser, span_drop(line, line.len > 4 ? 4 : line.len));
	if (mark == '-')
		return REPLY_MORE;
	parser->is_done = true;
	return REPLY_DONE;
}

static enum reply_parse take_piece(struct reply_parser *parser, struct span piece, bool is_line_whole)
{
	enum reply_parse result;

	parser->size += piece.len;
	if (parser->size > REPLY_SIZE_MAX || buf_len(&parser->line) + piece.len > REPLY_LINE_MAX)
		return REPLY_TOO_LONG;
	if (is_line_whole && !buf_len(&parser->line))
		return take_line(parser, without_line_end(piece));
	buf_append(&parser->line, piece);
	if (!is_line_whole)
		return REPLY_MORE;
	result = take_line(parser, without_line_end(buf_span(&parser->line)));
	buf_clear(&parser->line);
	return result;
}

enum reply_parse reply_parser_feed(struct reply_parser *parser, struct span *in)
{
	enum reply_parse result = REPLY_MORE;

	while (in->len && result == REPLY_MORE) {
		size_t end = span_find(*in, '\n');
		bool is_line_whole = end < in->len;
		struct span piece = span_take(*in, is_line_whole ? end + 1 : end);

		if (parser->is_done)
			reply_parser_reset(parser);
		*in = span_drop(*in, piece.len);
		result = take_piece(parser, piece, is_line_whole);
	}
	return result;
}

struct mail_status reply_parser_status(const struct reply_parser *parser)
{
	struct mail_status status = { .code = (uint16_t)parser->code };

	(void)enhanced_code_parse(reply_parser_text(parser), parser->code, &status.enhanced);
	return status;
}

struct span reply_parser_text(const struct reply_parser *parser)
{
	return buf_span(&parser->text);
}
