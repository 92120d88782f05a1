#include "skein/proto/mail/envelope.h"

#include "skein/proto/base/codec.h"
#include "skein/proto/base/utf8.h"

enum {
	FORMAT = 1,
	FORMAT_EXTRAS = 2, /* the same, and fields that not every envelope has behind the recipients */
	RECIPIENT_SIZE_MIN =
		39, /* encoded, with one byte of address: bounds what a count can make us allocate */
};

enum envelope_flag { FLAG_SMTPUTF8 = 1, FLAG_8BIT = 2, FLAGS_ALL = 3 };

/*
 * Never reused. A node that does not know one passes over it; but one from EXTRA_BINDING on is a promise that
 * the message may not lose, so that such a node leaves the message to others.
 */
enum envelope_extra {
	EXTRA_RULE = 1,
	EXTRA_TLS_OPTIONAL = 2,
	EXTRA_BINDING = 128,
	EXTRA_HANDLING = 128,
	EXTRA_EDITS = 129
};

enum handling_flag { HANDLING_REQUIRETLS = 1, HANDLING_TRACE = 2, HANDLING_ALL = 3 };

enum { HANDLING_SIZE = 1 + 1 + 1 + 8 + 8 };

enum { EDITS_SIZE = 4 + 4 + 4, CHANGE_SIZE = 4 + 4 + 4 + 1 }; /* without the bytes of names, values, fields */

enum { PROTOCOLS_ALL = PROTOCOL_EXTENDED | PROTOCOL_TLS | PROTOCOL_AUTH };

static bool is_continuation(char byte)
{
	return ((unsigned char)byte & 0xc0) == 0x80;
}

/* Cuts between characters. */
static void put_cut(struct buf *out, struct span text, size_t max)
{
	if (text.len > max) {
		text.len = max;
		while (text.len && is_continuation(text.ptr[text.len]))
			text.len--;
	}
	put_bytes(out, text);
}

static void put_bounded(struct buf *out, struct span text, size_t max)
{
	CHECK(text.len <= max);
	put_bytes(out, text);
}

static void put_recipient(struct buf *out, const struct envelope_recipient *recipient)
{
	put_bounded(out, recipient->addr, ENVELOPE_ADDR_MAX);
	put_bounded(out, recipient->orcpt, DSN_ORCPT_MAX);
	put_u8(out, recipient->notify);
	put_u8(out, (uint8_t)recipient->state);
	put_u8(out, recipient->delay_told);
	put_u32(out, recipient->attempts);
	put_u64(out, recipient->last_attempt_ms);
	put_u16(out, recipient->status.code);
	put_u8(out, recipient->status.enhanced.class);
	put_u16(out, recipient->status.enhanced.subject);
	put_u16(out, recipient->status.enhanced.detail);
	put_cut(out, recipient->diagnostic, ENVELOPE_DIAGNOSTIC_MAX);
	put_cut(out, recipient->remote, ENVELOPE_NAME_MAX);
}

static bool has_handling(const struct envelope *envelope)
{
	return envelope->requiretls || envelope->priority || envelope->deliver_by != DELIVER_BY_NONE ||
	       envelope->hold_until_ms;
}

static void put_handling(struct buf *out, const struct envelope *envelope)
{
	put_u8(out, EXTRA_HANDLING);
	put_u32(out, HANDLING_SIZE);
	put_u8(out, (uint8_t)((envelope->requiretls ? HANDLING_REQUIRETLS : 0) |
			      (envelope->deliver_by_trace ? HANDLING_TRACE : 0)));
	put_u8(out, (uint8_t)(envelope->priority + ENVELOPE_PRIORITY_MAX));
	put_u8(out, (uint8_t)envelope->deliver_by);
	put_u64(out, envelope->deliver_by_ms);
	put_u64(out, envelope->hold_until_ms);
}

static void put_edits(struct buf *out, const struct header_edits *edits)
{
	CHECK(header_edits_are_valid(edits));
	put_u8(out, EXTRA_EDITS);
	put_u32(out, (uint32_t)(EDITS_SIZE + edits->change_count * CHANGE_SIZE + header_edits_size(edits)));
	put_bytes(out, edits->front);
	put_bytes(out, edits->back);
	put_u32(out, (uint32_t)edits->change_count);
	for (size_t i = 0; i < edits->change_count; i++) {
		put_bytes(out, edits->changes[i].name);
		put_u32(out, edits->changes[i].nth);
		put_bytes(out, edits->changes[i].value);
		put_u8(out, edits->changes[i].is_before);
	}
}

static bool has_extras(const struct envelope *envelope)
{
	return envelope->rule.len > 0 || envelope->tls_optional || has_handling(envelope) ||
	       !header_edits_are_none(&envelope->edits);
}

static void put_extras(struct buf *out, const struct envelope *envelope)
{
	if (envelope->rule.len) {
		put_u8(out, EXTRA_RULE);
		put_cut(out, envelope->rule, ENVELOPE_NAME_MAX);
	}
	if (envelope->tls_optional) {
		put_u8(out, EXTRA_TLS_OPTIONAL);
		put_u32(out, 0);
	}
	if (has_handling(envelope))
		put_handling(out, envelope);
	if (!header_edits_are_none(&envelope->edits))
		put_edits(out, &envelope->edits);
}

void envelope_encode(const struct envelope *envelope, struct buf *out)
{
	CHECK(envelope->recipient_count >= 1 && envelope->recipient_count <= ENVELOPE_RECIPIENTS_MAX);
	put_u8(out, has_extras(envelope) ? FORMAT_EXTRAS : FORMAT);
	put_u8(out,
		(uint8_t)((envelope->smtputf8 ? FLAG_SMTPUTF8 : 0) | (envelope->has_8bit ? FLAG_8BIT : 0)));
	put_u8(out, (uint8_t)envelope->ret);
	put_u8(out, envelope->protocol);
	put_bounded(out, envelope->sender, ENVELOPE_ADDR_MAX);
	put_bounded(out, envelope->envid, DSN_ENVID_MAX);
	put_u64(out, envelope->size_declared);
	put_u64(out, envelope->size);
	put_cut(out, envelope->client_ip, ENVELOPE_NAME_MAX);
	put_cut(out, envelope->helo, ENVELOPE_NAME_MAX);
	put_cut(out, envelope->user, ENVELOPE_NAME_MAX);
	put_cut(out, envelope->origin_id, ENVELOPE_NAME_MAX);
	put_u64(out, envelope->arrival_ms);
	put_u64(out, envelope->expires_ms);
	put_u64(out, envelope->next_try_ms);
	put_u32(out, envelope->attempts);
	put_u32(out, envelope->takeovers);
	put_u32(out, (uint32_t)envelope->recipient_count);
	for (size_t i = 0; i < envelope->recipient_count; i++)
		put_recipient(out, &envelope->recipients[i]);
	put_extras(out, envelope);
}

static bool is_printable(unsigned char byte)
{
	return byte > ' ' && byte != 0x7f;
}

static bool is_ascii(struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		if ((unsigned char)text.ptr[i] > 0x7f)
			return false;
	}
	return true;
}

static bool is_text_allowed(struct span text, bool utf8)
{
	return is_ascii(text) || (utf8 && utf8_is_valid(text));
}

/* RFC 5321 4.1.2: a quoted local part may hold spaces and brackets. */
static bool are_specials_quoted(struct span addr)
{
	bool is_quoted = false;

	for (size_t i = 0; i < addr.len; i++) {
		unsigned char byte = (unsigned char)addr.ptr[i];

		if (byte == '"')
			is_quoted = !is_quoted;
		else if (is_quoted && byte == '\\' && i + 1 < addr.len &&
			 is_printable((unsigned char)addr.ptr[i + 1]))
			i++;
		else if (!is_printable(byte) && !(is_quoted && byte == ' '))
			return false;
		else if (!is_quoted && (byte == '<' || byte == '>'))
			return false;
	}
	return !is_quoted;
}

bool envelope_addr_is_safe(struct span addr, bool utf8)
{
	return addr.len >= 1 && addr.len <= ENVELOPE_ADDR_MAX && are_specials_quoted(addr) &&
	       is_text_allowed(addr, utf8);
}

static bool is_param_safe(struct span value, bool utf8)
{
	for (size_t i = 0; i < value.len; i++) {
		if (!is_printable((unsigned char)value.ptr[i]))
			return false;
	}
	return is_text_allowed(value, utf8);
}

static bool is_status_valid(const struct mail_status *status)
{
	const struct enhanced_code *enhanced = &status->enhanced;

	if (status->code != 0 && (status->code < 200 || status->code > 599))
		return false;
	if (enhanced->class == 0)
		return enhanced->subject == 0 && enhanced->detail == 0;
	return (enhanced->class == 2 || enhanced->class == 4 || enhanced->class == 5) &&
	       enhanced->subject <= 999 && enhanced->detail <= 999;
}

static bool is_notify_valid(unsigned notify)
{
	return notify == DSN_NOTIFY_NEVER ||
	       !(notify & ~(unsigned)(DSN_NOTIFY_SUCCESS | DSN_NOTIFY_FAILURE | DSN_NOTIFY_DELAY));
}

static bool get_recipient(struct reader *reader, bool utf8, struct envelope_recipient *recipient)
{
	uint8_t state, delay_told;

	recipient->addr = get_bytes(reader, ENVELOPE_ADDR_MAX);
	recipient->orcpt = get_bytes(reader, DSN_ORCPT_MAX);
	recipient->notify = get_u8(reader);
	state = get_u8(reader);
	delay_told = get_u8(reader);
	recipient->attempts = get_u32(reader);
	recipient->last_attempt_ms = get_u64(reader);
	recipient->status.code = get_u16(reader);
	recipient->status.enhanced.class = get_u8(reader);
	recipient->status.enhanced.subject = get_u16(reader);
	recipient->status.enhanced.detail = get_u16(reader);
	recipient->diagnostic = get_bytes(reader, ENVELOPE_DIAGNOSTIC_MAX);
	recipient->remote = get_bytes(reader, ENVELOPE_NAME_MAX);
	recipient->state = (enum recipient_state)state;
	recipient->delay_told = delay_told;
	return !reader->bad && state < RECIPIENT_STATE_COUNT && delay_told <= 1 &&
	       is_notify_valid(recipient->notify) && is_status_valid(&recipient->status) &&
	       envelope_addr_is_safe(recipient->addr, utf8) && is_param_safe(recipient->orcpt, utf8);
}

static bool get_recipients(struct reader *reader, struct arena *arena, struct envelope *envelope)
{
	uint32_t count = get_u32(reader);

	if (count < 1 || count > ENVELOPE_RECIPIENTS_MAX || count > reader->rest.len / RECIPIENT_SIZE_MIN)
		return false;
	envelope->recipient_count = count;
	envelope->recipients = arena_zalloc(arena, count * sizeof(*envelope->recipients));
	for (uint32_t i = 0; i < count; i++) {
		if (!get_recipient(reader, envelope->smtputf8, &envelope->recipients[i]))
			return false;
	}
	return true;
}

static bool get_head(struct reader *reader, struct envelope *envelope)
{
	uint8_t flags = get_u8(reader);
	uint8_t ret = get_u8(reader);

	envelope->smtputf8 = flags & FLAG_SMTPUTF8;
	envelope->has_8bit = flags & FLAG_8BIT;
	envelope->ret = (enum dsn_ret)ret;
	envelope->protocol = get_u8(reader);
	envelope->sender = get_bytes(reader, ENVELOPE_ADDR_MAX);
	envelope->envid = get_bytes(reader, DSN_ENVID_MAX);
	envelope->size_declared = get_u64(reader);
	envelope->size = get_u64(reader);
	envelope->client_ip = get_bytes(reader, ENVELOPE_NAME_MAX);
	envelope->helo = get_bytes(reader, ENVELOPE_NAME_MAX);
	envelope->user = get_bytes(reader, ENVELOPE_NAME_MAX);
	envelope->origin_id = get_bytes(reader, ENVELOPE_NAME_MAX);
	envelope->arrival_ms = get_u64(reader);
	envelope->expires_ms = get_u64(reader);
	envelope->next_try_ms = get_u64(reader);
	envelope->attempts = get_u32(reader);
	envelope->takeovers = get_u32(reader);
	return !reader->bad && !(flags & ~FLAGS_ALL) && ret <= DSN_RET_HDRS &&
	       !(envelope->protocol & ~PROTOCOLS_ALL) && is_param_safe(envelope->envid, false) &&
	       (!envelope->sender.len || envelope_addr_is_safe(envelope->sender, envelope->smtputf8));
}

static enum err get_handling(struct span value, struct envelope *envelope)
{
	struct reader reader = { .rest = value };
	uint8_t flags = get_u8(&reader);
	uint8_t priority = get_u8(&reader);
	uint8_t mode = get_u8(&reader);

	envelope->requiretls = flags & HANDLING_REQUIRETLS;
	envelope->deliver_by_trace = flags & HANDLING_TRACE;
	envelope->priority = (int8_t)(priority - ENVELOPE_PRIORITY_MAX);
	envelope->deliver_by = (enum deliver_by_mode)mode;
	envelope->deliver_by_ms = get_u64(&reader);
	envelope->hold_until_ms = get_u64(&reader);
	if (reader.bad || reader.rest.len || flags & ~HANDLING_ALL || priority > 2 * ENVELOPE_PRIORITY_MAX)
		return ERR_CORRUPT;
	if (mode == DELIVER_BY_NONE)
		return envelope->deliver_by_trace || envelope->deliver_by_ms ? ERR_CORRUPT : ERR_OK;
	return mode == DELIVER_BY_RETURN || mode == DELIVER_BY_NOTIFY ? ERR_OK : ERR_CORRUPT;
}

static bool get_changes(struct reader *reader, struct arena *arena, struct header_edits *edits)
{
	uint32_t count = get_u32(reader);
	struct header_change *changes;

	if (count > HEADER_EDITS_CHANGES_MAX || count > reader->rest.len / CHANGE_SIZE)
		return false;
	changes = arena_zalloc(arena, count * sizeof(*changes));
	edits->changes = changes;
	edits->change_count = count;
	for (uint32_t i = 0; i < count; i++) {
		uint8_t is_before;

		changes[i].name = get_bytes(reader, HEADER_EDITS_NAME_MAX);
		changes[i].nth = get_u32(reader);
		changes[i].value = get_bytes(reader, HEADER_EDITS_SIZE_MAX);
		is_before = get_u8(reader);
		changes[i].is_before = is_before;
		if (is_before > 1)
			return false;
	}
	return true;
}

static enum err get_edits(struct span value, struct arena *arena, struct header_edits *edits)
{
	struct reader reader = { .rest = value };

	edits->front = get_bytes(&reader, HEADER_EDITS_SIZE_MAX);
	edits->back = get_bytes(&reader, HEADER_EDITS_SIZE_MAX);
	if (!get_changes(&reader, arena, edits) || reader.bad || reader.rest.len)
		return ERR_CORRUPT;
	return header_edits_are_valid(edits) ? ERR_OK : ERR_CORRUPT;
}

static enum err get_extra(struct reader *reader, struct arena *arena, struct envelope *envelope)
{
	uint8_t type = get_u8(reader);
	struct span value = get_bytes(reader, reader->rest.len);

	if (reader->bad)
		return ERR_CORRUPT;
	if (type == EXTRA_HANDLING)
		return get_handling(value, envelope);
	if (type == EXTRA_EDITS)
		return get_edits(value, arena, &envelope->edits);
	if (type == EXTRA_TLS_OPTIONAL)
		envelope->tls_optional = true;
	if (type == EXTRA_RULE)
		envelope->rule = span_take(
			value, value.len < ENVELOPE_NAME_MAX ? value.len : (size_t)ENVELOPE_NAME_MAX);
	return type >= EXTRA_BINDING ? ERR_INVALID : ERR_OK;
}

/* At least one, or the format would be the other. */
static enum err get_extras(struct reader *reader, struct arena *arena, struct envelope *envelope)
{
	enum err err;

	do {
		err = get_extra(reader, arena, envelope);
	} while (err == ERR_OK && reader->rest.len);
	return err;
}

enum err envelope_decode(struct span bytes, struct arena *arena, struct envelope *envelope_out)
{
	/* One copy that all spans point into. */
	struct reader reader = { .rest = arena_dup(arena, bytes) };
	uint8_t format = get_u8(&reader);

	*envelope_out = (struct envelope){ 0 };
	if (!reader.bad && format > FORMAT_EXTRAS)
		return ERR_INVALID;
	if (format < FORMAT || !get_head(&reader, envelope_out) ||
		!get_recipients(&reader, arena, envelope_out))
		return ERR_CORRUPT;
	if (format == FORMAT_EXTRAS)
		return get_extras(&reader, arena, envelope_out);
	return reader.rest.len ? ERR_CORRUPT : ERR_OK;
}

bool envelope_is_settled(const struct envelope *envelope)
{
	for (size_t i = 0; i < envelope->recipient_count; i++) {
		if (envelope->recipients[i].state == RECIPIENT_PENDING)
			return false;
	}
	return true;
}
