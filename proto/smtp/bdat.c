#include "smtp/content_internal.h"

static void drop(struct bdat *bdat, struct span *in, size_t len)
{
	*in = span_drop(*in, len);
	bdat->left -= len;
}

/* The CR that the chunk before ended with, now that the next byte is here. */
static enum body_step take_held_cr(
	struct bdat *bdat, struct content *content, struct span *in, struct span *run_out)
{
	bdat->holds_cr = false;
	if (in->ptr[0] != '\n')
		return content_bare_newline(content, run_out);
	drop(bdat, in, 1);
	return content_put_newline(content, run_out);
}

/*
 * All chunks are in. A body without a CRLF at its end gets one: DATA could not pass it on without, and a
 * sender that appended its dot to an open line would never end the message.
 */
static enum body_step finish(struct bdat *bdat, struct content *content, struct span *run_out)
{
	enum body_step step = BODY_MORE;

	if (bdat->holds_cr) {
		bdat->holds_cr = false;
		step = content_bare_newline(content, run_out);
	} else if (content->line_len) {
		step = content_put_newline(content, run_out);
	}
	return step == BODY_MORE ? BODY_END : step;
}

enum body_step bdat_next(struct bdat *bdat, struct content *content, struct span *in, struct span *run_out)
{
	while (bdat->left && in->len) {
		struct span piece = span_take(*in, in->len < bdat->left ? in->len : (size_t)bdat->left);
		size_t before = piece.len;
		enum body_step step;

		if (bdat->holds_cr)
			return take_held_cr(bdat, content, in, run_out);
		step = content_next(content, &piece, false, run_out);
		drop(bdat, in, before - piece.len);
		if (step != BODY_MORE)
			return step;
		if (piece.len < bdat->left)
			return BODY_MORE;
		if (piece.len) {
			bdat->holds_cr = true;
			drop(bdat, in, 1);
		}
	}
	if (bdat->left)
		return BODY_MORE;
	return bdat->last ? finish(bdat, content, run_out) : BODY_CHUNK_END;
}
