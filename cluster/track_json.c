#include "track_escape.h"
#include "track_fields.h"

static void put_key(const struct track_field *field, struct buf *out)
{
	buf_append_str(out, buf_len(out) && buf_tail(out)[-1] != '{' ? ",\"" : "\"");
	buf_append_str(out, field->key);
	buf_append_str(out, "\":");
}

static void put_string(const struct track_field *field, struct span text, struct buf *out)
{
	put_key(field, out);
	buf_append_byte(out, '"');
	track_escape_json(text, out);
	buf_append_byte(out, '"');
}

static void put_number(const struct track_event *event, const struct track_field *field, struct buf *out)
{
	uint64_t value = track_field_number(event, field);

	if (!value)
		return;
	put_key(field, out);
	buf_append_u64(out, value);
}

/* As text: readers of JSON may know no whole numbers of 64 bits. */
static void put_session(const struct track_event *event, const struct track_field *field, struct buf *out)
{
	if (!event->session)
		return;
	put_key(field, out);
	buf_printf(out, "\"%016llx\"", (unsigned long long)event->session);
}

static void put_field(const struct track_event *event, const struct track_field *field, struct buf *out)
{
	char time[TRACK_TIME_LEN];

	switch (field->type) {
	case FIELD_IS_TIME:
		track_time_format(event->time_us, time);
		put_string(field, span_of(time, sizeof(time)), out);
		break;
	case FIELD_IS_KIND:
		put_string(field, span_of_str(track_kind_name(event->kind)), out);
		break;
	case FIELD_IS_SESSION:
		put_session(event, field, out);
		break;
	case FIELD_IS_NUMBER:
	case FIELD_IS_DURATION:
		put_number(event, field, out);
		break;
	case FIELD_IS_TEXT:
		if (track_field_text(event, field).len)
			put_string(field, track_field_text(event, field), out);
		break;
	case FIELD_IS_QUERY:
		break;
	}
}

void track_event_json(const struct track_event *event, struct buf *out)
{
	buf_append_byte(out, '{');
	for (unsigned i = 0; i < FIELD_COUNT; i++)
		put_field(event, &track_fields[i], out);
	if (event->number)
		buf_printf(out, ",\"seq\":\"%016llx:%llu\"", (unsigned long long)event->run,
			(unsigned long long)event->number);
	buf_append_byte(out, '}');
}
