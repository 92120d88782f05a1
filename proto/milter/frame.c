#include "skein/proto/milter/frame.h"

#include "skein/proto/mail/status.h"

#include <stdio.h>

enum { LENGTH_SIZE = 4, REPLY_TEXT_MAX = 2048 };

/* --- commands ----------------------------------------------------------------------------------- */

static void put_u32_be(struct buf *out, uint32_t value)
{
	for (int shift = 24; shift >= 0; shift -= 8)
		buf_append_byte(out, (char)(value >> shift & 0xff));
}

/* Where the length goes. */
static size_t begin(struct buf *out, enum milter_command command)
{
	size_t at = buf_len(out);

	put_u32_be(out, 0);
	buf_append_byte(out, (char)command);
	return at;
}

static void end(struct buf *out, size_t at)
{
	size_t len = buf_len(out) - at - LENGTH_SIZE;

	CHECK(len <= MILTER_DATA_MAX + 1);
	for (size_t i = 0; i < LENGTH_SIZE; i++)
		out->base[out->head + at + i] = (char)(len >> (24 - 8 * i) & 0xff);
}

/* What does not fit into the packet that began at `at` is cut. */
static void put_text(struct buf *out, size_t at, struct span text)
{
	size_t room = LENGTH_SIZE + 1 + MILTER_DATA_MAX - (buf_len(out) - at);

	if (!room)
		return;
	if (text.len >= room)
		text.len = room - 1;
	for (size_t i = 0; i < text.len; i++)
		buf_append_byte(out, text.ptr[i] ? text.ptr[i] : ' ');
	buf_append_byte(out, '\0');
}

void milter_put(struct buf *out, enum milter_command command, const struct span *texts, size_t count)
{
	size_t at = begin(out, command);

	for (size_t i = 0; i < count; i++)
		put_text(out, at, texts[i]);
	end(out, at);
}

void milter_put_negotiation(struct buf *out, uint32_t version, uint32_t actions, uint32_t steps)
{
	size_t at = begin(out, MILTER_NEGOTIATE);

	put_u32_be(out, version);
	put_u32_be(out, actions);
	put_u32_be(out, steps);
	end(out, at);
}

void milter_put_macros(
	struct buf *out, enum milter_command command, const struct milter_macro *macros, size_t count)
{
	size_t at = begin(out, MILTER_MACRO);

	buf_append_byte(out, (char)command);
	for (size_t i = 0; i < count; i++) {
		if (!macros[i].value.len)
			continue;
		put_text(out, at, span_of_str(macros[i].name));
		put_text(out, at, macros[i].value);
	}
	end(out, at);
}

void milter_put_connect(struct buf *out, struct span host, struct span addr, uint16_t port)
{
	size_t at = begin(out, MILTER_CONNECT);

	put_text(out, at, host);
	if (addr.len) {
		buf_append_byte(out, span_find(addr, ':') < addr.len ? '6' : '4');
		buf_append_byte(out, (char)(port >> 8));
		buf_append_byte(out, (char)(port & 0xff));
		put_text(out, at, addr);
	} else {
		buf_append_byte(out, 'U');
	}
	end(out, at);
}

void milter_put_body(struct buf *out, struct span chunk)
{
	size_t at = begin(out, MILTER_BODY);

	CHECK(chunk.len <= MILTER_DATA_MAX);
	buf_append(out, chunk);
	end(out, at);
}

/* --- answers ------------------------------------------------------------------------------------ */

/* How what goes with an answer is made. */
enum shape {
	SHAPE_NONE,
	SHAPE_TEXT,  /* one, and what follows is passed over */
	SHAPE_TEXTS, /* two */
	SHAPE_NUMBER_TEXTS,
	SHAPE_NEGOTIATION,
};

struct answer_rule {
	char command;
	enum milter_answer_kind kind;
	enum shape shape;
};

static const struct answer_rule rules[] = {
	{ 'O', MILTER_ANSWER_NEGOTIATE, SHAPE_NEGOTIATION },
	{ 'c', MILTER_ANSWER_CONTINUE, SHAPE_NONE },
	{ 'a', MILTER_ANSWER_ACCEPT, SHAPE_NONE },
	{ 'r', MILTER_ANSWER_REJECT, SHAPE_NONE },
	{ 't', MILTER_ANSWER_TEMPFAIL, SHAPE_NONE },
	{ 'f', MILTER_ANSWER_TEMPFAIL, SHAPE_NONE },
	{ '4', MILTER_ANSWER_TEMPFAIL, SHAPE_NONE },
	{ 'd', MILTER_ANSWER_DISCARD, SHAPE_NONE },
	{ 'y', MILTER_ANSWER_REPLY, SHAPE_TEXT },
	{ 's', MILTER_ANSWER_SKIP, SHAPE_NONE },
	{ 'p', MILTER_ANSWER_PROGRESS, SHAPE_NONE },
	{ 'h', MILTER_ANSWER_ADD_HEADER, SHAPE_TEXTS },
	{ 'i', MILTER_ANSWER_INSERT_HEADER, SHAPE_NUMBER_TEXTS },
	{ 'm', MILTER_ANSWER_CHANGE_HEADER, SHAPE_NUMBER_TEXTS },
	{ '+', MILTER_ANSWER_ADD_RCPT, SHAPE_TEXT },
	{ '2', MILTER_ANSWER_ADD_RCPT, SHAPE_TEXT },
	{ '-', MILTER_ANSWER_DELETE_RCPT, SHAPE_TEXT },
	{ 'e', MILTER_ANSWER_CHANGE_FROM, SHAPE_TEXT },
	{ 'q', MILTER_ANSWER_QUARANTINE, SHAPE_TEXT },
};

static const struct answer_rule *find_rule(char command)
{
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		if (rules[i].command == command)
			return &rules[i];
	}
	return NULL;
}

static bool get_u32_be(struct span *rest, uint32_t *value_out)
{
	if (rest->len < 4)
		return false;
	*value_out = 0;
	for (size_t i = 0; i < 4; i++)
		*value_out = *value_out << 8 | (unsigned char)rest->ptr[i];
	*rest = span_drop(*rest, 4);
	return true;
}

static bool get_text(struct span *rest, struct span *text_out)
{
	size_t len = span_find(*rest, '\0');

	if (len == rest->len)
		return false;
	*text_out = span_take(*rest, len);
	*rest = span_drop(*rest, len + 1);
	return true;
}

static bool get_texts(struct span rest, struct milter_answer *answer)
{
	return get_text(&rest, &answer->texts[0]) && get_text(&rest, &answer->texts[1]) && !rest.len;
}

static bool take_shape(enum shape shape, struct span rest, struct milter_answer *answer)
{
	switch (shape) {
	case SHAPE_NONE:
		return !rest.len;
	case SHAPE_TEXT:
		return get_text(&rest, &answer->texts[0]);
	case SHAPE_TEXTS:
		return get_texts(rest, answer);
	case SHAPE_NUMBER_TEXTS:
		return get_u32_be(&rest, &answer->number) && get_texts(rest, answer);
	case SHAPE_NEGOTIATION: /* which macros it wants may follow: it gets what we have */
		return get_u32_be(&rest, &answer->version) && get_u32_be(&rest, &answer->actions) &&
		       get_u32_be(&rest, &answer->steps);
	}
	return false;
}

enum parse_result milter_answer_parse(struct span in, struct milter_answer *answer_out, size_t *consumed_out)
{
	struct milter_answer answer = { .number = 0 };
	struct span rest = in;
	const struct answer_rule *rule;
	uint32_t len;

	if (!get_u32_be(&rest, &len))
		return PARSE_MORE;
	if (len < 1 || len > MILTER_ANSWER_MAX)
		return PARSE_BAD;
	if (!rest.len)
		return PARSE_MORE;
	rule = find_rule(rest.ptr[0]);
	if (!rule)
		return PARSE_BAD;
	if (rest.len < len)
		return PARSE_MORE;
	answer.kind = rule->kind;
	if (!take_shape(rule->shape, span_drop(span_take(rest, len), 1), &answer))
		return PARSE_BAD;
	*answer_out = answer;
	*consumed_out = LENGTH_SIZE + len;
	return PARSE_DONE;
}

/* --- replies ------------------------------------------------------------------------------------ */

static bool take_code(struct span *line, uint16_t *code_out)
{
	uint64_t code;

	if (line->len < 3 || !span_parse_u64(span_take(*line, 3), 599, &code) || code < 400)
		return false;
	if (line->len > 3 && line->ptr[3] != ' ' && line->ptr[3] != '-')
		return false;
	*line = span_drop(*line, line->len > 3 ? 4 : 3);
	*code_out = (uint16_t)code;
	return true;
}

static void take_enhanced(struct span *line, struct milter_reply *reply)
{
	struct enhanced_code enhanced;
	size_t word = span_find(*line, ' ');

	if (!enhanced_code_parse(*line, reply->code, &enhanced))
		return;
	snprintf(reply->enhanced, sizeof(reply->enhanced), "%u.%u.%u", (unsigned)enhanced.class,
		(unsigned)enhanced.subject, (unsigned)enhanced.detail);
	*line = span_drop(*line, word < line->len ? word + 1 : line->len);
}

/* libmilter has filters write a percent sign as two. */
static void append_text(struct buf *out, struct span line)
{
	for (size_t i = 0; i < line.len && buf_len(out) < REPLY_TEXT_MAX; i++) {
		buf_append_byte(out, line.ptr[i]);
		if (line.ptr[i] == '%' && i + 1 < line.len && line.ptr[i + 1] == '%')
			i++;
	}
}

static bool take_reply_line(struct span line, struct milter_reply *reply, bool is_first)
{
	uint16_t code;

	if (!take_code(&line, &code) || (!is_first && code != reply->code))
		return false;
	reply->code = code;
	take_enhanced(&line, reply);
	if (!is_first)
		buf_append_byte(&reply->text, '\n');
	append_text(&reply->text, line);
	return true;
}

bool milter_reply_parse(struct span text, struct milter_reply *reply_out)
{
	bool is_first = true;

	do {
		size_t end_of_line = span_find(text, '\n');
		struct span line = span_take(text, end_of_line);

		text = span_drop(text, end_of_line < text.len ? end_of_line + 1 : end_of_line);
		if (line.len && line.ptr[line.len - 1] == '\r')
			line.len--;
		if (!take_reply_line(line, reply_out, is_first))
			return false;
		is_first = false;
	} while (text.len && buf_len(&reply_out->text) < REPLY_TEXT_MAX);
	if (!*reply_out->enhanced) /* RFC 3463 3.8: delivery not authorized, message refused */
		snprintf(reply_out->enhanced, sizeof(reply_out->enhanced), "%u.7.1",
			(unsigned)reply_out->code / 100);
	if (reply_out->code == MAIL_CODE_CLOSING)
		reply_out->code = 451;
	return true;
}
