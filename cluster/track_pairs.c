#include "track_fields.h"

static bool is_bare(struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char byte = (unsigned char)text.ptr[i];

		if (byte <= ' ' || byte == 0x7f || byte == '"' || byte == '=' || byte == '\\')
			return false;
	}
	return true;
}

static void put_quoted(struct span text, struct buf *out)
{
	buf_append_byte(out, '"');
	for (size_t i = 0; i < text.len; i++) {
		unsigned char byte = (unsigned char)text.ptr[i];

		if (byte == '"' || byte == '\\')
			buf_append_byte(out, '\\');
		buf_append_byte(out, byte < ' ' || byte == 0x7f ? '?' : (char)byte);
	}
	buf_append_byte(out, '"');
}

static void put_pair(const char *key, struct span text, struct buf *out)
{
	if (!text.len)
		return;
	if (buf_len(out) && buf_tail(out)[-1] != ' ')
		buf_append_byte(out, ' ');
	buf_append_str(out, key);
	buf_append_byte(out, '=');
	if (is_bare(text))
		buf_append(out, text);
	else
		put_quoted(text, out);
}

static struct span session_text(const struct track_event *event, struct buf *out)
{
	if (event->session)
		buf_printf(out, "%016llx", (unsigned long long)event->session);
	return buf_span(out);
}

static struct span number_text(uint64_t number, struct buf *out)
{
	if (number)
		buf_append_u64(out, number);
	return buf_span(out);
}

static struct span field_text(
	const struct track_event *event, const struct track_field *field, struct buf *out)
{
	switch (field->type) {
	case FIELD_IS_TIME:
		buf_reserve(out, TRACK_TIME_LEN);
		track_time_format(event->time_us, buf_tail(out));
		buf_commit(out, TRACK_TIME_LEN);
		return buf_span(out);
	case FIELD_IS_KIND:
		return span_of_str(track_kind_name(event->kind));
	case FIELD_IS_SESSION:
		return session_text(event, out);
	case FIELD_IS_NUMBER:
	case FIELD_IS_DURATION:
		return number_text(track_field_number(event, field), out);
	case FIELD_IS_TEXT:
		return track_field_text(event, field);
	case FIELD_IS_QUERY:
		break;
	}
	return span_of("", 0);
}

void track_event_pairs(const struct track_event *event, struct buf *out)
{
	struct buf text = { 0 };

	for (unsigned i = 0; i < FIELD_COUNT; i++) {
		buf_clear(&text);
		put_pair(track_fields[i].key, field_text(event, &track_fields[i], &text), out);
	}
	buf_fini(&text);
}
