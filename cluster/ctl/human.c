#include "human.h"

#include "skein/proto/base/utf8.h"

void human_duration(struct buf *out, uint64_t ms)
{
	static const struct {
		uint64_t seconds;
		char unit;
	} units[] = { { 86400, 'd' }, { 3600, 'h' }, { 60, 'm' }, { 1, 's' } };
	uint64_t left = ms / 1000;
	size_t first = 0;

	while (first < ARRAY_LEN(units) - 1 && left < units[first].seconds)
		first++;
	buf_append_u64(out, left / units[first].seconds);
	buf_append_byte(out, units[first].unit);
	left %= units[first].seconds;
	if (first == ARRAY_LEN(units) - 1)
		return;
	left /= units[first + 1].seconds;
	if (left)
		buf_printf(out, " %llu%c", (unsigned long long)left, units[first + 1].unit);
}

void human_bytes(struct buf *out, uint64_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB" };
	double value = (double)bytes;
	size_t unit = 0;

	while (value >= 1024 && unit < ARRAY_LEN(units) - 1) {
		value /= 1024;
		unit++;
	}
	buf_printf(out, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

void human_count(struct buf *out, uint64_t count, const char *noun)
{
	buf_printf(out, "%llu %s%s", (unsigned long long)count, noun, count == 1 ? "" : "s");
}

void human_text(struct buf *out, struct span text)
{
	while (text.len) {
		uint32_t code = 0;
		size_t len = utf8_next(text, &code);

		if (len == 0 || utf8_is_unseen(code))
			buf_append_byte(out, '?');
		else
			buf_append(out, span_take(text, len));
		text = span_drop(text, len ? len : 1);
	}
}

/* The length of what grid_append_tinted() writes: ESC [ DIGITS m. 0: it is something else. */
static size_t colour_len(struct span text)
{
	size_t len = 2;

	if (!span_starts_with(text, SPAN_LIT("\033[")))
		return 0;
	while (len < text.len && text.ptr[len] >= '0' && text.ptr[len] <= '9')
		len++;
	return len < text.len && text.ptr[len] == 'm' ? len + 1 : 0;
}

void human_lines(struct buf *out, struct span text)
{
	while (text.len) {
		size_t ours = text.ptr[0] == '\n' || text.ptr[0] == '\t' ? 1 : colour_len(text), len = 1;

		if (ours) {
			buf_append(out, span_take(text, ours));
			text = span_drop(text, ours);
			continue;
		}
		while (len < text.len && !strchr("\n\t\033", text.ptr[len]))
			len++;
		human_text(out, span_take(text, len));
		text = span_drop(text, len);
	}
}

void human_json(struct buf *out, struct span document)
{
	while (document.len) {
		uint32_t code = 0;
		size_t len = utf8_next(document, &code);

		CHECK(len); /* JSON is UTF-8 */
		/* Newlines are between values, never within. */
		if (utf8_is_unseen(code) && code != '\n')
			buf_printf(out, "\\u%04x", (unsigned)code);
		else
			buf_append(out, span_take(document, len));
		document = span_drop(document, len);
	}
}
