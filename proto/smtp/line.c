#include "smtp/line_internal.h"

/* Drops up to the CRLF. A CR at the end of the input waits for its LF. */
static void skip(struct line_reader *reader, struct span *in)
{
	size_t used = 0;

	while (used < in->len) {
		size_t cr = used + span_find(span_drop(*in, used), '\r');

		used = cr;
		if (in->len - cr < 2)
			break;
		used = cr + 1;
		if (in->ptr[used] != '\n')
			continue;
		used++;
		reader->skipping = false;
		break;
	}
	reader->skipped += used;
	*in = span_drop(*in, used);
}

/* Begins to skip a line whose first `len` bytes were looked at. A CR at their end may be that of its CRLF. */
static enum line_result refuse(struct line_reader *reader, struct span *in, size_t len, enum line_result why)
{
	*in = span_drop(*in, in->ptr[len - 1] == '\r' ? len - 1 : len);
	reader->skipping = true;
	return why;
}

enum line_result line_take(struct line_reader *reader, struct span *in, size_t len_max, struct span *line_out)
{
	size_t window, lf;

	if (reader->skipping)
		skip(reader, in);
	if (reader->skipping || !in->len)
		return LINE_MORE;
	window = in->len < len_max ? in->len : len_max;
	lf = span_find(span_take(*in, window), '\n');
	*line_out = span_take(*in, lf);
	if (lf == window)
		return window < len_max ? LINE_MORE : refuse(reader, in, window, LINE_TOO_LONG);
	if (!lf || in->ptr[lf - 1] != '\r')
		return refuse(reader, in, lf + 1, LINE_BARE_NEWLINE);
	*in = span_drop(*in, lf + 1);
	line_out->len--;
	if (memchr(line_out->ptr, '\0', line_out->len))
		return LINE_NUL;
	return memchr(line_out->ptr, '\r', line_out->len) ? LINE_BARE_NEWLINE : LINE_WHOLE;
}
