#include "skein/proto/dkim/header.h"

#include "skein/proto/base/alloc.h"

void dkim_header_init(struct dkim_header *header, size_t size_max, size_t fields_max)
{
	CHECK(size_max > 0 && size_max <= DKIM_HEADER_SIZE_MAX);
	CHECK(fields_max > 0 && fields_max <= DKIM_HEADER_FIELDS_MAX);
	*header = (struct dkim_header){ .size_max = size_max, .fields_max = fields_max };
}

void dkim_header_fini(struct dkim_header *header)
{
	buf_fini(&header->text);
	mem_free(header->fields);
	*header = (struct dkim_header){ .state = DKIM_HEADER_MALFORMED };
}

/* Up to its LF or the end of the piece. */
static size_t line_len(struct span piece)
{
	size_t len = span_find(piece, '\n');

	return len < piece.len ? len + 1 : len;
}

/* A CR or LF stands only in the CRLF at the end. */
static bool is_whole_line(struct span line)
{
	return line.len >= 2 && line.ptr[line.len - 2] == '\r' && span_find(line, '\r') == line.len - 2;
}

/* The length of a field's name, 0 when the line begins with none (RFC 5322 3.6.8, 4.5). */
static size_t name_len(struct span line)
{
	size_t len = 0, colon;

	while (len < line.len && line.ptr[len] > ' ' && line.ptr[len] < 0x7f && line.ptr[len] != ':')
		len++;
	colon = len;
	while (colon < line.len && (line.ptr[colon] == ' ' || line.ptr[colon] == '\t'))
		colon++;
	return colon < line.len && line.ptr[colon] == ':' ? len : 0;
}

static enum dkim_header_state add_field(struct dkim_header *header, struct span line)
{
	size_t len = name_len(line);

	if (!len)
		return DKIM_HEADER_MALFORMED;
	if (header->count == header->fields_max)
		return DKIM_HEADER_TOO_LONG;
	if (header->count == header->cap) {
		header->cap = header->cap ? 2 * header->cap : 32;
		header->fields = mem_realloc(header->fields, header->cap * sizeof(*header->fields));
	}
	header->fields[header->count++] = (struct dkim_field){
		.at = (uint32_t)header->line_at,
		.len = (uint32_t)line.len,
		.name_len = (uint32_t)len,
	};
	return DKIM_HEADER_READING;
}

static enum dkim_header_state take_line(struct dkim_header *header)
{
	struct span line = span_drop(buf_span(&header->text), header->line_at);

	if (!is_whole_line(line))
		return DKIM_HEADER_MALFORMED;
	if (line.len == 2)
		return DKIM_HEADER_ENDED;
	if (line.ptr[0] != ' ' && line.ptr[0] != '\t')
		return add_field(header, line);
	if (!header->count)
		return DKIM_HEADER_MALFORMED;
	header->fields[header->count - 1].len += (uint32_t)line.len;
	return DKIM_HEADER_READING;
}

enum dkim_header_state dkim_header_feed(struct dkim_header *header, struct span *piece)
{
	while (piece->len && header->state == DKIM_HEADER_READING) {
		size_t len = line_len(*piece);

		if (len > header->size_max - buf_len(&header->text)) {
			header->state = DKIM_HEADER_TOO_LONG;
			break;
		}
		buf_append(&header->text, span_take(*piece, len));
		if (piece->ptr[len - 1] == '\n') {
			header->state = take_line(header);
			header->line_at = buf_len(&header->text);
		}
		*piece = span_drop(*piece, len);
	}
	return header->state;
}

enum dkim_header_state dkim_header_end(struct dkim_header *header)
{
	if (header->state == DKIM_HEADER_READING)
		header->state =
			header->line_at == buf_len(&header->text) ? DKIM_HEADER_ENDED : DKIM_HEADER_MALFORMED;
	return header->state;
}

const char *dkim_header_fault(const struct dkim_header *header)
{
	switch (header->state) {
	case DKIM_HEADER_MALFORMED:
		return "the header section has a line that is no field";
	case DKIM_HEADER_TOO_LONG:
		return "the header section is too long";
	case DKIM_HEADER_READING:
	case DKIM_HEADER_ENDED:
		break;
	}
	return NULL;
}

struct span dkim_header_field(const struct dkim_header *header, size_t index)
{
	const struct dkim_field *field = &header->fields[index];

	CHECK(index < header->count);
	return span_take(span_drop(buf_span(&header->text), field->at), field->len);
}

struct span dkim_header_name(const struct dkim_header *header, size_t index)
{
	return span_take(dkim_header_field(header, index), header->fields[index].name_len);
}

static bool is_named(const struct dkim_header *header, size_t index, struct span name)
{
	return header->fields[index].name_len == name.len &&
	       span_eq_nocase(dkim_header_name(header, index), name);
}

size_t dkim_header_count(const struct dkim_header *header, struct span name)
{
	size_t count = 0;

	for (size_t i = 0; i < header->count; i++)
		count += is_named(header, i, name);
	return count;
}

void dkim_header_select(struct dkim_header *header, size_t own)
{
	for (size_t i = 0; i < header->count; i++)
		header->fields[i].is_taken = i == own;
}

bool dkim_header_take(struct dkim_header *header, struct span name, struct span *field_out)
{
	for (size_t i = header->count; i-- > 0;) {
		if (header->fields[i].is_taken || !is_named(header, i, name))
			continue;
		header->fields[i].is_taken = true;
		*field_out = dkim_header_field(header, i);
		return true;
	}
	return false;
}
