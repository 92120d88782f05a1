/* W3C extended log format, with the columns that the SMTP service of IIS wrote first, under their names. */
#include "track_escape.h"
#include "track_fields.h"

static const enum track_field_id columns[] = {
	FIELD_TIME,
	FIELD_CLIENT,
	FIELD_USER,
	FIELD_NODE,
	FIELD_KIND,
	FIELD_ID,
	FIELD_QUERY,
	FIELD_CODE,
	FIELD_SIZE,
	FIELD_LATENCY,
	FIELD_TLS,
	FIELD_HELO,
	FIELD_SESSION,
	FIELD_SENDER,
	FIELD_RECIPIENT,
	FIELD_RECIPIENTS,
	FIELD_HOP,
	FIELD_STATUS,
	FIELD_TEXT,
	FIELD_RULE,
	FIELD_ABOUT,
	FIELD_ATTEMPTS,
};
enum { COLUMN_COUNT = sizeof(columns) / sizeof(columns[0]) };

_Static_assert((int)COLUMN_COUNT == (int)FIELD_COUNT, "each field has its column");

static void put_moment(uint64_t time_us, struct buf *out)
{
	char text[TRACK_TIME_LEN];

	track_time_format(time_us, text);
	buf_append(out, span_of(text, 10));
	buf_append_byte(out, ' ');
	buf_append(out, span_of(text + 11, 8));
}

static void put_number(uint64_t value, struct buf *out)
{
	if (value)
		buf_append_u64(out, value);
	else
		buf_append_byte(out, '-');
}

static void put_address(const char *verb, struct span address, struct buf *out)
{
	buf_append_str(out, verb);
	if (address.len)
		track_escape_w3c(address, out);
	buf_append_byte(out, '>');
}

/* As IIS wrote the arguments of MAIL and RCPT; the null sender of a message is one, too. */
static void put_query(const struct track_event *event, struct buf *out)
{
	struct span sender = event->text[TRACK_SENDER], recipient = event->text[TRACK_RECIPIENT];

	if (!sender.len && !recipient.len) {
		buf_append_byte(out, '-');
		return;
	}
	if (sender.len || event->text[TRACK_ID].len)
		put_address("+FROM:<", sender, out);
	if (recipient.len)
		put_address("+TO:<", recipient, out);
}

static void put_column(const struct track_event *event, const struct track_field *field, struct buf *out)
{
	switch (field->type) {
	case FIELD_IS_TIME:
		put_moment(event->time_us, out);
		break;
	case FIELD_IS_KIND:
		buf_append_str(out, track_kind_name(event->kind));
		break;
	case FIELD_IS_SESSION:
		if (event->session)
			buf_printf(out, "%016llx", (unsigned long long)event->session);
		else
			buf_append_byte(out, '-');
		break;
	case FIELD_IS_NUMBER:
		put_number(track_field_number(event, field), out);
		break;
	case FIELD_IS_DURATION:
		if (track_field_number(event, field))
			buf_append_u64(out, track_field_number(event, field) / 1000);
		else
			buf_append_byte(out, '-');
		break;
	case FIELD_IS_TEXT:
		track_escape_w3c(track_field_text(event, field), out);
		break;
	case FIELD_IS_QUERY:
		put_query(event, out);
		break;
	}
}

void track_event_w3c(const struct track_event *event, struct buf *out)
{
	for (unsigned i = 0; i < COLUMN_COUNT; i++) {
		if (i)
			buf_append_byte(out, ' ');
		put_column(event, &track_fields[columns[i]], out);
	}
}

void track_w3c_head(const char *software, uint64_t time_us, struct buf *out)
{
	buf_printf(out, "#Software: %s\n#Version: 1.0\n#Date: ", software);
	put_moment(time_us, out);
	buf_append_str(out, "\n#Fields:");
	for (unsigned i = 0; i < COLUMN_COUNT; i++) {
		buf_append_byte(out, ' ');
		buf_append_str(out, track_fields[columns[i]].column);
	}
	buf_append_byte(out, '\n');
}
