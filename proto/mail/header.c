#include "skein/proto/mail/header.h"

#include "skein/proto/mail/date.h"
#include "skein/proto/mail/envelope.h"

enum line_state {
	LINE_START,
	LINE_START_CR, /* the empty line, if LF follows */
	LINE_NAME,
	LINE_COLON, /* spaces between the name and its colon (RFC 5322 4.5) */
	LINE_VALUE,
};

/* Whether a value is "No", blanks around it. */
enum value_state { VALUE_SKIPPED, VALUE_BLANK, VALUE_N, VALUE_NO };

enum { HELO_MAX = 255 };

void header_scan_init(struct header_scan *scan, size_t size_max)
{
	*scan = (struct header_scan){ .size_max = size_max };
}

static void take_field(struct header_scan *scan)
{
	static const struct {
		const char *name;
		unsigned field;
	} known[] = {
		{ "message-id", HEADER_MESSAGE_ID },
		{ "date", HEADER_DATE },
		{ "from", HEADER_FROM },
	};
	struct span name = span_of(scan->name, scan->name_len);

	scan->field_count++;
	scan->line_state = LINE_VALUE;
	scan->value_state = VALUE_SKIPPED;
	if (scan->name_len > HEADER_NAME_MAX)
		return;
	if (span_eq_nocase(name, SPAN_LIT("received")))
		scan->received_count++;
	if (span_eq_nocase(name, SPAN_LIT("tls-required")))
		scan->value_state = VALUE_BLANK;
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (span_eq_nocase(name, span_of_str(known[i].name)))
			scan->fields |= known[i].field;
	}
}

/* The line under way is none of the header: the body began with it. */
static void end_malformed(struct header_scan *scan)
{
	scan->state = HEADER_ENDED;
	scan->is_malformed = true;
	scan->size -= scan->line_size;
}

static void take_name_byte(struct header_scan *scan, char byte)
{
	scan->line_state = LINE_NAME;
	if (scan->name_len < HEADER_NAME_MAX)
		scan->name[scan->name_len] = byte;
	if (scan->name_len <= HEADER_NAME_MAX)
		scan->name_len++;
}

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t';
}

/* RFC 5322 3.6.8 */
static bool is_name_byte(char byte)
{
	return byte > ' ' && byte < 0x7f && byte != ':';
}

static void take_start_byte(struct header_scan *scan, char byte)
{
	scan->name_len = 0;
	if (byte == '\n')
		scan->state = HEADER_ENDED;
	else if (byte == '\r')
		scan->line_state = LINE_START_CR;
	else if (is_blank(byte) && scan->field_count)
		scan->line_state = LINE_VALUE;
	else if (is_name_byte(byte))
		take_name_byte(scan, byte);
	else
		end_malformed(scan);
}

static void take_byte(struct header_scan *scan, char byte)
{
	if (scan->line_state == LINE_START)
		take_start_byte(scan, byte);
	else if (scan->line_state == LINE_START_CR && byte == '\n')
		scan->state = HEADER_ENDED;
	else if (scan->line_state == LINE_START_CR)
		end_malformed(scan);
	else if (byte == ':')
		take_field(scan);
	else if (is_blank(byte))
		scan->line_state = LINE_COLON;
	else if (scan->line_state == LINE_NAME && is_name_byte(byte))
		take_name_byte(scan, byte);
	else
		end_malformed(scan);
}

static enum value_state next_value_state(enum value_state state, char byte)
{
	bool is_space = is_blank(byte) || byte == '\r';

	switch (state) {
	case VALUE_BLANK:
		return is_space ? VALUE_BLANK : ascii_lower(byte) == 'n' ? VALUE_N : VALUE_SKIPPED;
	case VALUE_N:
		return ascii_lower(byte) == 'o' ? VALUE_NO : VALUE_SKIPPED;
	case VALUE_NO:
		return is_space ? VALUE_NO : VALUE_SKIPPED;
	case VALUE_SKIPPED:
		break;
	}
	return VALUE_SKIPPED;
}

static void look_at_value(struct header_scan *scan, struct span part, bool is_end)
{
	enum value_state state = (enum value_state)scan->value_state;

	for (size_t i = 0; i < part.len && state != VALUE_SKIPPED; i++)
		state = next_value_state(state, part.ptr[i]);
	if (is_end && state == VALUE_NO)
		scan->fields |= HEADER_TLS_OPTIONAL;
	scan->value_state = is_end ? VALUE_SKIPPED : (uint8_t)state;
}

/* The rest of a field's line, up to its LF. */
static size_t skip_value(struct header_scan *scan, struct span piece)
{
	size_t len = span_find(piece, '\n');

	if (scan->value_state != VALUE_SKIPPED)
		look_at_value(scan, span_take(piece, len), len < piece.len);
	if (len == piece.len) {
		scan->line_size += len;
		return len;
	}
	scan->line_state = LINE_START;
	scan->line_size = 0;
	return len + 1;
}

enum header_scan_state header_scan_feed(struct header_scan *scan, struct span piece)
{
	while (piece.len && scan->state == HEADER_SCANNING) {
		size_t len = 1;

		if (scan->line_state == LINE_VALUE) {
			len = skip_value(scan, piece);
			scan->size += len;
		} else {
			scan->size++;
			scan->line_size++;
			take_byte(scan, piece.ptr[0]);
		}
		piece = span_drop(piece, len);
		if (scan->state == HEADER_SCANNING && scan->size > scan->size_max)
			scan->state = HEADER_TOO_LONG;
	}
	return scan->state;
}

enum header_scan_state header_scan_end(struct header_scan *scan)
{
	if (scan->state != HEADER_SCANNING)
		return scan->state;
	if (scan->line_state == LINE_NAME || scan->line_state == LINE_COLON ||
		scan->line_state == LINE_START_CR)
		end_malformed(scan);
	scan->state = HEADER_ENDED;
	return scan->state;
}

const char *header_protocol_name(uint8_t protocol, bool smtputf8)
{
	/* By TLS and AUTH. */
	static const char *const extended[] = { "ESMTP", "ESMTPS", "ESMTPA", "ESMTPSA" };
	static const char *const utf8[] = { "UTF8SMTP", "UTF8SMTPS", "UTF8SMTPA", "UTF8SMTPSA" };
	unsigned idx = (protocol & PROTOCOL_TLS ? 1u : 0u) | (protocol & PROTOCOL_AUTH ? 2u : 0u);

	if (!(protocol & PROTOCOL_EXTENDED))
		return "SMTP";
	return smtputf8 ? utf8[idx] : extended[idx];
}

static bool is_helo_byte(char byte)
{
	return (byte >= '0' && byte <= '9') || (ascii_lower(byte) >= 'a' && ascii_lower(byte) <= 'z') ||
	       byte == '.' || byte == '-' || byte == '_' || byte == ':' || byte == '[' || byte == ']';
}

/* Whatever the peer called itself, nothing of it can end the line, a comment or the clause. */
static void append_helo(struct buf *out, struct span helo)
{
	size_t len = helo.len < HELO_MAX ? helo.len : HELO_MAX;

	if (!len)
		buf_append_str(out, "unknown");
	for (size_t i = 0; i < len; i++)
		buf_append_byte(out, is_helo_byte(helo.ptr[i]) ? helo.ptr[i] : '?');
}

/* RFC 5321 4.1.3 */
static void append_literal(struct buf *out, struct span ip)
{
	buf_append_str(out, span_find(ip, ':') < ip.len ? "[IPv6:" : "[");
	buf_append(out, ip);
	buf_append_byte(out, ']');
}

static void append_from(struct buf *out, const struct header_received *received)
{
	if (!received->helo.len && !received->client_ip.len)
		return;
	buf_append_str(out, "from ");
	append_helo(out, received->helo);
	if (received->client_ip.len) {
		buf_append_str(out, " (");
		append_literal(out, received->client_ip);
		buf_append_byte(out, ')');
	}
	buf_append_str(out, "\r\n\t");
}

void header_append_received(struct buf *out, const struct header_received *received)
{
	buf_append_str(out, "Received: ");
	append_from(out, received);
	buf_append_str(out, "by ");
	buf_append_str(out, received->host);
	buf_append_str(out, " (Skein) with ");
	buf_append_str(out, header_protocol_name(received->protocol, received->smtputf8));
	buf_append_str(out, " id ");
	buf_append(out, received->id);
	if (received->only_rcpt.len) {
		buf_append_str(out, "\r\n\tfor <");
		buf_append(out, received->only_rcpt);
		buf_append_byte(out, '>');
	}
	buf_append_str(out, ";\r\n\t");
	mail_date_append(out, received->unix_s, received->offset_min);
	buf_append_str(out, "\r\n");
}

static void append_message_id(struct buf *out, const struct header_received *received)
{
	buf_append_str(out, "Message-ID: <");
	buf_append(out, received->id);
	buf_append_byte(out, '@');
	buf_append_str(out, received->host);
	buf_append_str(out, ">\r\n");
}

void header_append_missing(
	struct buf *out, const struct header_scan *scan, const struct header_received *received)
{
	if (!(scan->fields & HEADER_DATE)) {
		buf_append_str(out, "Date: ");
		mail_date_append(out, received->unix_s, received->offset_min);
		buf_append_str(out, "\r\n");
	}
	if (!(scan->fields & HEADER_MESSAGE_ID))
		append_message_id(out, received);
	if (scan->is_malformed && !scan->field_count)
		buf_append_str(out, "\r\n");
}
