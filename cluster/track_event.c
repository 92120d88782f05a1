#include "skein/cluster/track_event.h"

/*
 * A tag is one byte: numbers 0x00.., then a varint; text 0x80.., then a varint of its length and the bytes.
 * The high bit alone says how to pass over a tag that is not known.
 */
enum { LENGTH_BYTES = 2, TAG_TEXT = 0x80, VARINT_MAX = 10, TEXT_HEAD_MAX = 3 };

static const char cut_mark[] = "\xe2\x80\xa6";
enum { CUT_MARK_LEN = sizeof(cut_mark) - 1 };

/* Stored as numbers: a new one goes to the end. */
static const size_t numbers[] = {
	offsetof(struct track_event, time_us),
	offsetof(struct track_event, session),
	offsetof(struct track_event, code),
	offsetof(struct track_event, size),
	offsetof(struct track_event, latency_us),
	offsetof(struct track_event, attempts),
	offsetof(struct track_event, recipients),
};
enum { NUMBER_COUNT = sizeof(numbers) / sizeof(numbers[0]) };

static char *put_varint(char *at, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		*at++ = (char)(unsigned char)(value | 0x80);
	*at++ = (char)(unsigned char)value;
	return at;
}

/* Not in the middle of a UTF-8 sequence. */
static size_t cut_at(struct span text, size_t len)
{
	for (unsigned back = 0; back < 3 && len && ((unsigned char)text.ptr[len] & 0xc0) == 0x80; back++)
		len--;
	return len;
}

static char *put_text(char *at, const char *end, unsigned tag, struct span text)
{
	size_t room = (size_t)(end - at), len = text.len;
	bool is_cut = false;

	if (room < TEXT_HEAD_MAX + CUT_MARK_LEN)
		return at;
	room -= TEXT_HEAD_MAX;
	room = room < TRACK_VALUE_MAX ? room : TRACK_VALUE_MAX;
	if (len > room) {
		is_cut = true;
		len = cut_at(text, room - CUT_MARK_LEN);
	}
	*at++ = (char)(unsigned char)(TAG_TEXT | tag);
	at = put_varint(at, len + (is_cut ? CUT_MARK_LEN : 0));
	memcpy(at, text.ptr, len);
	at += len;
	if (is_cut) {
		memcpy(at, cut_mark, CUT_MARK_LEN);
		at += CUT_MARK_LEN;
	}
	return at;
}

size_t track_event_encode(const struct track_event *event, char out[TRACK_EVENT_MAX])
{
	char *at = out + LENGTH_BYTES;
	size_t len;

	*at++ = (char)event->kind;
	for (unsigned i = 0; i < NUMBER_COUNT; i++) {
		uint64_t value = *(const uint64_t *)(const void *)((const char *)event + numbers[i]);

		if (value) {
			*at++ = (char)i;
			at = put_varint(at, value);
		}
	}
	for (unsigned i = 0; i < TRACK_TEXT_COUNT; i++) {
		if (event->text[i].len)
			at = put_text(at, out + TRACK_EVENT_MAX, i, event->text[i]);
	}
	len = (size_t)(at - out) - LENGTH_BYTES;
	out[0] = (char)(unsigned char)(len & 0xff);
	out[1] = (char)(unsigned char)(len >> 8);
	return len + LENGTH_BYTES;
}

static bool take_varint(struct span *bytes, uint64_t *value_out)
{
	uint64_t value = 0;

	for (size_t i = 0; i < bytes->len && i < VARINT_MAX; i++) {
		unsigned char byte = (unsigned char)bytes->ptr[i];

		if (i == VARINT_MAX - 1 && byte > 1)
			return false;
		value |= (uint64_t)(byte & 0x7f) << (7 * i);
		if (byte < 0x80) {
			*bytes = span_drop(*bytes, i + 1);
			*value_out = value;
			return true;
		}
	}
	return false;
}

static bool take_value(struct span *bytes, struct track_event *event)
{
	unsigned tag = (unsigned char)bytes->ptr[0];
	uint64_t value;

	*bytes = span_drop(*bytes, 1);
	if (!take_varint(bytes, &value))
		return false;
	if (!(tag & TAG_TEXT)) {
		if (tag < NUMBER_COUNT)
			*(uint64_t *)(void *)((char *)event + numbers[tag]) = value;
		return true;
	}
	if (value > TRACK_VALUE_MAX || value > bytes->len)
		return false;
	if ((tag & ~(unsigned)TAG_TEXT) < TRACK_TEXT_COUNT)
		event->text[tag & ~(unsigned)TAG_TEXT] = span_take(*bytes, (size_t)value);
	*bytes = span_drop(*bytes, (size_t)value);
	return true;
}

enum err track_event_decode(struct span *bytes, struct track_event *event_out)
{
	struct span rest;
	unsigned kind;
	size_t len;

	*event_out = (struct track_event){ 0 };
	if (bytes->len < LENGTH_BYTES + 1)
		return ERR_CORRUPT;
	len = (size_t)(unsigned char)bytes->ptr[0] | (size_t)(unsigned char)bytes->ptr[1] << 8;
	if (!len || len > TRACK_EVENT_MAX - LENGTH_BYTES || len > bytes->len - LENGTH_BYTES)
		return ERR_CORRUPT;
	rest = span_of(bytes->ptr + LENGTH_BYTES, len);
	kind = (unsigned char)rest.ptr[0];
	rest = span_drop(rest, 1);
	while (rest.len) {
		if (!take_value(&rest, event_out))
			return ERR_CORRUPT;
	}
	*bytes = span_drop(*bytes, len + LENGTH_BYTES);
	if (kind >= TRACK_KIND_COUNT)
		return ERR_INVALID;
	event_out->kind = (enum track_kind)kind;
	return ERR_OK;
}
