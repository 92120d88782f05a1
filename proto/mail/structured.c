#include "structured.h"

static bool is_space(char byte)
{
	return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

size_t structured_skip_enclosed(struct span text, size_t at, char open, char close)
{
	size_t depth = 1;

	for (at++; at < text.len && depth; at++) {
		if (text.ptr[at] == '\\')
			at++;
		else if (text.ptr[at] == close)
			depth--;
		else if (text.ptr[at] == open)
			depth++;
	}
	return at < text.len ? at : text.len;
}

size_t structured_skip_cfws(struct span text, size_t at)
{
	while (at < text.len && (is_space(text.ptr[at]) || text.ptr[at] == '('))
		at = text.ptr[at] == '(' ? structured_skip_enclosed(text, at, '(', ')') : at + 1;
	return at;
}
