#include "smtp/content_internal.h"

/* At a dot that begins a line. BODY_MORE: two bytes more will tell what it is. BODY_RUN: it was a stuffed
 * one. */
static enum body_step take_dot(struct content *content, struct span *in)
{
	static const struct span end = { ".\r\n", 3 };

	if (in->len < end.len && span_starts_with(end, *in))
		return BODY_MORE;
	if (span_starts_with(*in, end)) {
		*in = span_drop(*in, end.len);
		return BODY_END;
	}
	*in = span_drop(*in, 1);
	content->at_line_start = false;
	return BODY_RUN;
}

enum body_step dot_next(struct content *content, struct span *in, struct span *run_out)
{
	for (;;) {
		enum body_step step = content_next(content, in, true, run_out);

		if (step != BODY_DOT)
			return step;
		step = take_dot(content, in);
		if (step != BODY_RUN)
			return step;
	}
}
