#include "smtp/dot_encode.h"

static const struct span crlf = { "\r\n", 2 };

/* The piece under way: [run, at) is looked at and waits to be copied in one go. */
struct scan {
	const char *run, *at, *end;
	const char *lf; /* the first one at or behind `at`, or `end` */
};

static const char *find(const char *from, const char *end, char byte)
{
	const char *found = from < end ? memchr(from, byte, (size_t)(end - from)) : NULL;

	return found ? found : end;
}

/* Copies up to `stop` and goes on behind `next`. */
static void flush(struct scan *scan, const char *stop, const char *next, struct buf *out)
{
	buf_append(out, span_of(scan->run, (size_t)(stop - scan->run)));
	scan->run = scan->at = next;
}

/* A bare CR or LF at `stop`. */
static enum dot_encoder_state mend_line_end(struct scan *scan, const char *stop, struct buf *out)
{
	flush(scan, stop, stop + 1, out);
	buf_append(out, crlf);
	return DOT_AT_LINE_START;
}

/*
 * One line, or what there is of it. The LF is searched for only when the last one found is behind us, and the
 * CR only before it: every byte is looked at twice at most, however CR and LF are strewn.
 */
static enum dot_encoder_state scan_line(struct scan *scan, struct buf *out)
{
	const char *cr;

	if (scan->lf < scan->at)
		scan->lf = find(scan->at, scan->end, '\n');
	cr = find(scan->at, scan->lf, '\r');
	if (cr < scan->lf && cr + 1 == scan->end) {
		flush(scan, cr, scan->end, out);
		return DOT_AFTER_CR;
	}
	if (cr < scan->lf && cr + 1 < scan->lf)
		return mend_line_end(scan, cr, out);
	if (scan->lf == scan->end) {
		scan->at = scan->end;
		return DOT_IN_LINE;
	}
	if (cr == scan->lf)
		return mend_line_end(scan, scan->lf, out);
	scan->at = scan->lf + 1;
	return DOT_AT_LINE_START;
}

/* A CR ended the piece before; it was held back. */
static enum dot_encoder_state finish_cr(struct scan *scan, struct buf *out)
{
	buf_append(out, crlf);
	if (*scan->at == '\n')
		scan->run = ++scan->at;
	return DOT_AT_LINE_START;
}

void dot_encode(struct dot_encoder *encoder, struct span piece, struct buf *out)
{
	struct scan scan = { .run = piece.ptr, .at = piece.ptr, .end = piece.ptr + piece.len };

	if (!piece.len)
		return;
	buf_reserve(out, piece.len + piece.len / 64 + 8);
	scan.lf = find(scan.at, scan.end, '\n');
	if (encoder->state == DOT_AFTER_CR)
		encoder->state = finish_cr(&scan, out);
	while (scan.at < scan.end) {
		if (encoder->state == DOT_AT_LINE_START && *scan.at == '.' && !encoder->has_no_dots) {
			flush(&scan, scan.at, scan.at, out);
			buf_append_byte(out, '.');
		}
		encoder->state = scan_line(&scan, out);
	}
	flush(&scan, scan.at, scan.at, out);
}

void dot_encode_end(struct dot_encoder *encoder, struct buf *out)
{
	if (encoder->state != DOT_AT_LINE_START)
		buf_append(out, crlf);
	if (!encoder->has_no_dots)
		buf_append(out, SPAN_LIT(".\r\n"));
	encoder->state = DOT_AT_LINE_START;
}
