#include "smtp/content_internal.h"

/* Why scan_lines() stopped. */
enum stop { STOP_END, STOP_LAST_IS_CR, STOP_DOT, STOP_BARE_CR, STOP_BARE_LF, STOP_LONG_LINE };

void content_start(struct content *content, const struct smtp_server_options *options)
{
	*content = (struct content){ .options = options, .at_line_start = true };
}

/* How long a line may get, without its CRLF. A faulty message is only read to find its end. */
static uint64_t line_room(const struct content *content)
{
	uint32_t max = content->options->text_line_max;

	return content->fault || !max ? UINT64_MAX : max < 2 ? 0 : max - 2;
}

static void end_line(struct content *content, uint64_t len)
{
	if (len > content->line_len_max)
		content->line_len_max = len;
	content->line_len = 0;
}

/* How far a line end is looked for at once: without it, a body of bare CRs would cost the square of its size.
 */
enum { LOOKAHEAD = 256 };

/* The text up to the next CR or LF, or as far as we look. */
static uint64_t text_len(const char *at, const char *end)
{
	size_t window = end - at < LOOKAHEAD ? (size_t)(end - at) : LOOKAHEAD;
	const char *lf = memchr(at, '\n', window);
	const char *cr;

	if (lf)
		window = (size_t)(lf - at);
	cr = memchr(at, '\r', window);
	return (uint64_t)(cr ? (size_t)(cr - at) : window);
}

/* `at` is at CR or LF. */
static enum stop judge_newline(const char *at, const char *end)
{
	if (*at == '\n')
		return STOP_BARE_LF;
	if (at + 1 == end)
		return STOP_LAST_IS_CR;
	return at[1] == '\n' ? STOP_END : STOP_BARE_CR;
}

/*
 * Walks over whole lines, and the begin of the last. Returns how many bytes are fine. This is the hot path:
 * two memchr() per line, and no byte is looked at by itself.
 */
static size_t scan_lines(struct content *content, struct span in, bool dots, enum stop *stop_out)
{
	const char *end = in.ptr + in.len, *at = in.ptr;
	uint64_t room = line_room(content);

	*stop_out = STOP_END;
	while (at < end) {
		uint64_t len;

		if (dots && content->at_line_start && *at == '.') {
			*stop_out = STOP_DOT;
			break;
		}
		len = text_len(at, end);
		if (len > room - content->line_len) {
			len = room - content->line_len;
			*stop_out = STOP_LONG_LINE;
		}
		content->line_len += len;
		content->at_line_start = content->at_line_start && !len;
		at += len;
		if (*stop_out == STOP_LONG_LINE)
			break;
		if (at == end || (*at != '\r' && *at != '\n'))
			continue;
		*stop_out = judge_newline(at, end);
		if (*stop_out != STOP_END)
			break;
		end_line(content, content->line_len + 2);
		content->at_line_start = true;
		at += 2;
	}
	return (size_t)(at - in.ptr);
}

static bool has_8bit(struct span run)
{
	uint64_t all = 0, word;
	size_t i = 0;

	for (; run.len - i >= sizeof(word); i += sizeof(word)) {
		memcpy(&word, run.ptr + i, sizeof(word));
		all |= word;
	}
	for (; i < run.len; i++)
		all |= (unsigned char)run.ptr[i];
	return all & 0x8080808080808080u;
}

static enum body_step fail(struct content *content, enum smtp_reply_id fault)
{
	content->fault = fault;
	return BODY_FAULT;
}

/* Hands out what scan_lines() found fine. The order of the checks is that of the bytes. */
static enum body_step put_run(struct content *content, struct span run, struct span *run_out)
{
	uint64_t room = content->options->message_size_max - content->size;
	bool is_too_big = run.len > room;

	if (is_too_big)
		run.len = (size_t)room;
	if (run.len && memchr(run.ptr, '\0', run.len))
		return fail(content, SMTP_REPLY_NUL_IN_MESSAGE);
	if (is_too_big)
		return fail(content, SMTP_REPLY_TOO_BIG);
	content->size += run.len;
	content->has_8bit = content->has_8bit || has_8bit(run);
	*run_out = run;
	return BODY_RUN;
}

enum body_step content_put_newline(struct content *content, struct span *run_out)
{
	if (content->fault)
		return BODY_MORE;
	end_line(content, content->line_len + 2);
	return put_run(content, SPAN_LIT("\r\n"), run_out);
}

enum body_step content_bare_newline(struct content *content, struct span *run_out)
{
	content->at_line_start = false;
	if (!content->fault && content->options->bare_newline == SMTP_BARE_NEWLINE_REFUSE)
		return fail(content, SMTP_REPLY_BARE_NEWLINE);
	return content_put_newline(content, run_out);
}

/* What stands at the front of *in after the run that ended with `stop`. BODY_MORE: go on if there is input.
 */
static enum body_step take_stop(
	struct content *content, enum stop stop, struct span *in, struct span *run_out)
{
	switch (stop) {
	case STOP_DOT:
		return BODY_DOT;
	case STOP_LONG_LINE:
		return fail(content, SMTP_REPLY_TEXT_LINE_TOO_LONG);
	case STOP_BARE_CR:
	case STOP_BARE_LF:
		*in = span_drop(*in, 1);
		return content_bare_newline(content, run_out);
	case STOP_END:
	case STOP_LAST_IS_CR:
		break;
	}
	return BODY_MORE;
}

enum body_step content_next(struct content *content, struct span *in, bool dots, struct span *run_out)
{
	enum stop stop;

	do {
		size_t len = scan_lines(content, *in, dots, &stop);
		struct span run = span_take(*in, len);
		enum body_step step;

		*in = span_drop(*in, len);
		if (len && !content->fault)
			return put_run(content, run, run_out);
		step = take_stop(content, stop, in, run_out);
		if (step != BODY_MORE)
			return step;
	} while (in->len && stop != STOP_LAST_IS_CR);
	return BODY_MORE;
}
