#include "script.h"

#include "skein/proto/base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void script_fail(const struct script *script, unsigned line, const char *fmt, ...)
{
	va_list args;

	fprintf(stderr, "%s:%u: ", script->path, line);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

struct span script_take_word(struct span *rest)
{
	struct span word;

	*rest = span_trim(*rest);
	word = span_take(*rest, span_find(*rest, ' '));
	*rest = span_trim(span_drop(*rest, word.len));
	return word;
}

bool script_matches(struct span pattern, struct span text)
{
	if (!pattern.len)
		return !text.len;
	if (pattern.ptr[0] != '*')
		return text.len && text.ptr[0] == pattern.ptr[0] &&
		       script_matches(span_drop(pattern, 1), span_drop(text, 1));
	for (size_t skip = 0; skip <= text.len; skip++) {
		if (script_matches(span_drop(pattern, 1), span_drop(text, skip)))
			return true;
	}
	return false;
}

/* The byte of the escape whose letter is at the front of *text; takes all but that letter. */
static char resolve_escape(const struct script *script, unsigned line, struct span *text)
{
	char digits[3] = { 0 };

	switch (text->ptr[0]) {
	case 'r':
		return '\r';
	case 'n':
		return '\n';
	case '\\':
		return '\\';
	case 'x':
		if (text->len < 3)
			break;
		memcpy(digits, text->ptr + 1, 2);
		*text = span_drop(*text, 2);
		return (char)strtoul(digits, NULL, 16);
	default:
		break;
	}
	script_fail(script, line, "unknown escape");
}

static struct span unescape(struct script *script, unsigned line, struct span text, const char *end)
{
	struct buf plain = { 0 };
	struct span copy;

	for (; text.len; text = span_drop(text, 1)) {
		char byte = text.ptr[0];

		if (byte == '\\' && text.len > 1) {
			text = span_drop(text, 1);
			byte = resolve_escape(script, line, &text);
		}
		buf_append_byte(&plain, byte);
	}
	buf_append_str(&plain, end);
	copy = arena_dup(&script->arena, buf_span(&plain));
	buf_fini(&plain);
	return copy;
}

static struct span repeat(struct script *script, unsigned line, struct span text)
{
	struct span count_word = script_take_word(&text);
	struct span once = unescape(script, line, text, "");
	uint64_t count;
	char *bytes;

	if (!span_parse_u64(count_word, 1 << 20, &count))
		script_fail(script, line, "R: needs a count");
	bytes = arena_alloc(&script->arena, once.len * count + 1);
	for (size_t i = 0; i < count; i++)
		memcpy(bytes + i * once.len, once.ptr, once.len);
	return span_of(bytes, once.len * count);
}

static void add_step(struct script *script, unsigned line, enum step_kind kind, struct span text)
{
	if (script->step_count == SCRIPT_STEPS_MAX)
		script_fail(script, line, "the script is too long");
	script->steps[script->step_count++] = (struct step){ kind, line, text };
}

static void add_directive(struct script *script, unsigned line, struct span text)
{
	struct directive *directive = &script->directives[script->directive_count++];

	if (script->directive_count == SCRIPT_DIRECTIVES_MAX || script->step_count)
		script_fail(script, line, "directives are few and come first");
	directive->line = line;
	text = arena_dup(&script->arena, text);
	directive->name = script_take_word(&text);
	directive->args = text;
}

static void parse_line(struct script *script, unsigned line, struct span text)
{
	struct span rest = text.len > 2 ? span_drop(text, 2) : span_of("", 0);

	if (!text.len || text.ptr[0] == '#')
		return;
	if (rest.len && rest.ptr[0] == ' ')
		rest = span_drop(rest, 1);
	if (span_starts_with(text, SPAN_LIT("@ ")))
		add_directive(script, line, rest);
	else if (span_starts_with(text, SPAN_LIT("C:")))
		add_step(script, line, STEP_SEND, unescape(script, line, rest, "\r\n"));
	else if (span_starts_with(text, SPAN_LIT("C!")))
		add_step(script, line, STEP_SEND, unescape(script, line, rest, ""));
	else if (span_starts_with(text, SPAN_LIT("R:")))
		add_step(script, line, STEP_SEND, repeat(script, line, rest));
	else if (span_starts_with(text, SPAN_LIT("S:")))
		add_step(script, line, STEP_EXPECT, unescape(script, line, rest, ""));
	else if (span_starts_with(text, SPAN_LIT("S~")))
		add_step(script, line, STEP_EXPECT_END, unescape(script, line, rest, ""));
	else if (span_starts_with(text, SPAN_LIT("M:")))
		add_step(script, line, STEP_MESSAGE, unescape(script, line, rest, "\r\n"));
	else if (span_eq(text, SPAN_LIT("X")))
		add_step(script, line, STEP_CLOSED, rest);
	else if (span_eq(text, SPAN_LIT("T")))
		add_step(script, line, STEP_HANDSHAKE, rest);
	else
		script_fail(script, line, "not a line of a script");
}

void script_load(struct script *script, const char *path)
{
	FILE *file = fopen(path, "r");
	char text[2048];

	*script = (struct script){ .path = path };
	if (!file)
		script_fail(script, 0, "cannot be read");
	for (unsigned line = 1; fgets(text, sizeof(text), file); line++)
		parse_line(script, line, span_take(span_of_str(text), strcspn(text, "\n")));
	fclose(file);
}

void script_fini(struct script *script)
{
	arena_fini(&script->arena);
}
