#include "skein/proto/mail/header_edits.h"

bool header_edits_are_none(const struct header_edits *edits)
{
	return !edits->front.len && !edits->back.len && !edits->change_count;
}

size_t header_edits_size(const struct header_edits *edits)
{
	size_t size = edits->front.len + edits->back.len;

	for (size_t i = 0; i < edits->change_count; i++)
		size += edits->changes[i].name.len + edits->changes[i].value.len;
	return size;
}

static bool has_8bit(struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		if ((unsigned char)text.ptr[i] > 0x7f)
			return true;
	}
	return false;
}

bool header_edits_have_8bit(const struct header_edits *edits)
{
	for (size_t i = 0; i < edits->change_count; i++) {
		if (has_8bit(edits->changes[i].value))
			return true;
	}
	return has_8bit(edits->front) || has_8bit(edits->back);
}

bool header_edits_name_is_valid(struct span name)
{
	for (size_t i = 0; i < name.len; i++) {
		if (name.ptr[i] <= ' ' || name.ptr[i] >= 0x7f || name.ptr[i] == ':')
			return false;
	}
	return name.len >= 1 && name.len <= HEADER_EDITS_NAME_MAX;
}

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t';
}

/* One line without its CRLF. */
static bool is_line_clean(struct span line)
{
	for (size_t i = 0; i < line.len; i++) {
		if (line.ptr[i] == '\0' || line.ptr[i] == '\r' || line.ptr[i] == '\n')
			return false;
	}
	return true;
}

/* Takes a line and its CRLF from the front of `text`. False: it has none. */
static bool take_line(struct span *text, struct span *line_out)
{
	size_t end = span_find(*text, '\n');

	if (end == text->len || !end || text->ptr[end - 1] != '\r')
		return false;
	*line_out = span_take(*text, end - 1);
	*text = span_drop(*text, end + 1);
	return true;
}

/* RFC 5322 3.2.2: what goes on has something to say. */
static bool is_continuation(struct span line)
{
	return line.len && is_blank(line.ptr[0]) && span_trim(line).len && is_line_clean(line);
}

bool header_edits_value_is_valid(struct span value)
{
	struct span line;
	bool is_first = true;

	while (take_line(&value, &line)) {
		if (!(is_first ? is_line_clean(line) : is_continuation(line)))
			return false;
		is_first = false;
	}
	return is_first ? is_line_clean(value) : is_continuation(value);
}

/* The line in which a field begins. */
static bool is_first_line(struct span line)
{
	size_t colon = span_find(line, ':');

	return colon < line.len && header_edits_name_is_valid(span_take(line, colon)) && is_line_clean(line);
}

static bool are_fields(struct span fields)
{
	struct span line;
	bool has_begun = false;

	while (fields.len) {
		if (!take_line(&fields, &line))
			return false;
		if (!is_first_line(line) && !(has_begun && is_continuation(line)))
			return false;
		has_begun = true;
	}
	return true;
}

static bool is_change_valid(const struct header_change *change)
{
	if (!change->nth || !header_edits_name_is_valid(change->name))
		return false;
	return change->is_before ? change->value.len && are_fields(change->value)
				 : header_edits_value_is_valid(change->value);
}

bool header_edits_are_valid(const struct header_edits *edits)
{
	if (edits->change_count > HEADER_EDITS_CHANGES_MAX ||
		header_edits_size(edits) > HEADER_EDITS_SIZE_MAX)
		return false;
	for (size_t i = 0; i < edits->change_count; i++) {
		if (!is_change_valid(&edits->changes[i]))
			return false;
	}
	return are_fields(edits->front) && are_fields(edits->back);
}
