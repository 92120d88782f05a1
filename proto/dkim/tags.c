#include "dkim/tags_internal.h"

#include "skein/proto/base/base64.h"

static bool is_white(char byte)
{
	return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

struct span dkim_trim(struct span text)
{
	while (text.len && is_white(text.ptr[0]))
		text = span_drop(text, 1);
	while (text.len && is_white(text.ptr[text.len - 1]))
		text.len--;
	return text;
}

/* ALPHA *(ALPHA / DIGIT / "_") */
static bool is_tag_name(struct span name)
{
	for (size_t i = 0; i < name.len; i++) {
		char byte = ascii_lower(name.ptr[i]);

		if (!(byte >= 'a' && byte <= 'z') &&
			!(i > 0 && ((byte >= '0' && byte <= '9') || byte == '_')))
			return false;
	}
	return name.len > 0;
}

static bool is_there(const struct dkim_tags *tags, struct span name)
{
	for (size_t i = 0; i < tags->count; i++)
		if (span_eq(tags->items[i].name, name))
			return true;
	return false;
}

/* `at`: where the tag begins in the text. */
static bool add_tag(struct dkim_tags *tags, struct span tag, size_t at)
{
	size_t equals = span_find(tag, '=');
	struct dkim_tag *item = &tags->items[tags->count];

	if (equals == tag.len || tags->count == DKIM_TAGS_MAX)
		return false;
	*item = (struct dkim_tag){
		.name = dkim_trim(span_take(tag, equals)),
		.value = dkim_trim(span_drop(tag, equals + 1)),
		.at = at + equals + 1,
		.len = tag.len - equals - 1,
	};
	if (!is_tag_name(item->name) || is_there(tags, item->name))
		return false;
	tags->count++;
	return true;
}

bool dkim_tags_parse(struct span text, struct dkim_tags *tags_out)
{
	size_t at = 0;

	tags_out->count = 0;
	while (at < text.len) {
		struct span rest = span_drop(text, at);
		struct span tag = span_take(rest, span_find(rest, ';'));
		bool is_end = tag.len == rest.len && !dkim_trim(tag).len;

		/* One semicolon may stand at the end. */
		if (!is_end && !add_tag(tags_out, tag, at))
			return false;
		at += tag.len + 1;
	}
	return true;
}

const struct dkim_tag *dkim_tags_find(const struct dkim_tags *tags, const char *name)
{
	for (size_t i = 0; i < tags->count; i++)
		if (span_eq(tags->items[i].name, span_of_str(name)))
			return &tags->items[i];
	return NULL;
}

bool dkim_list_next(struct span *list, struct span *item_out)
{
	size_t end = span_find(*list, ':');

	if (!list->len)
		return false;
	*item_out = dkim_trim(span_take(*list, end));
	*list = span_drop(*list, end < list->len ? end + 1 : end);
	return true;
}

size_t dkim_list_count(struct span list)
{
	struct span item;
	size_t count = 0;

	while (dkim_list_next(&list, &item))
		count++;
	return count;
}

bool dkim_list_has(struct span list, struct span item)
{
	struct span seen;

	while (dkim_list_next(&list, &seen))
		if (span_eq_nocase(seen, item))
			return true;
	return false;
}

bool dkim_base64_decode(struct span text, char *out, size_t size, size_t *len_out)
{
	struct buf dense = { 0 };
	bool is_base64;

	for (size_t i = 0; i < text.len; i++)
		if (!is_white(text.ptr[i]))
			buf_append_byte(&dense, text.ptr[i]);
	is_base64 = buf_len(&dense) && base64_decoded_len_max(buf_len(&dense)) <= size + 2 &&
		    base64_decode(buf_span(&dense), dense.base, len_out) && *len_out <= size;
	if (is_base64)
		memcpy(out, dense.base, *len_out);
	buf_fini(&dense);
	return is_base64;
}
