#include "skein/proto/mail/rewrite.h"

#include "structured.h"

#include "skein/proto/base/alloc.h"

enum { NAME_MAX = 256, FOLD_AT = 76 };

/* What becomes of the field under way. */
enum field_fate { FIELD_NONE, FIELD_PASS, FIELD_DROP, FIELD_HOLD };

enum line_state {
	LINE_START, /* nothing of it was seen */
	LINE_NAME,
	LINE_REST,
	LINE_OVER, /* the header section has ended */
};

struct rewrite {
	const struct rewrite_rules *rules;
	enum line_state state;
	enum field_fate fate;
	bool has_begun;   /* what goes in front is written */
	struct buf name;  /* the beginning of a line, until it is known whose it is */
	struct buf field; /* FIELD_HOLD: all of it so far */
	uint32_t *seen;   /* by change: stored fields with its name so far; NULL: there are no changes */
};

struct rewrite *rewrite_new(const struct rewrite_rules *rules)
{
	struct rewrite *rewrite = mem_zalloc(sizeof(*rewrite));

	rewrite->rules = rules;
	if (rules->edits && rules->edits->change_count)
		rewrite->seen = mem_zalloc(rules->edits->change_count * sizeof(*rewrite->seen));
	return rewrite;
}

void rewrite_free(struct rewrite **rewrite)
{
	if (!*rewrite)
		return;
	buf_fini(&(*rewrite)->name);
	buf_fini(&(*rewrite)->field);
	mem_free((*rewrite)->seen);
	mem_free(*rewrite);
	*rewrite = NULL;
}

bool rewrite_is_through(const struct rewrite *rewrite)
{
	return rewrite->state == LINE_OVER;
}

/* --- fields ------------------------------------------------------------------------------------- */

static enum field_fate fate_of(const struct rewrite_rules *rules, struct span name)
{
	for (size_t i = 0; i < rules->remove_count; i++) {
		if (span_eq_nocase(name, span_of_str(rules->remove[i])))
			return FIELD_DROP;
	}
	if (rules->from_domain.len &&
		(span_eq_nocase(name, SPAN_LIT("from")) || span_eq_nocase(name, SPAN_LIT("sender"))))
		return FIELD_HOLD;
	return FIELD_PASS;
}

static void emit(struct rewrite *rewrite, struct span bytes, struct buf *out)
{
	if (rewrite->fate == FIELD_HOLD && buf_len(&rewrite->field) + bytes.len > REWRITE_FIELD_MAX) {
		buf_append(out, buf_span(&rewrite->field));
		buf_fini(&rewrite->field);
		rewrite->fate = FIELD_PASS;
	}
	if (rewrite->fate == FIELD_PASS)
		buf_append(out, bytes);
	else if (rewrite->fate == FIELD_HOLD)
		buf_append(&rewrite->field, bytes);
}

/* The line that begins now is not the field's any more. */
static void end_field(struct rewrite *rewrite, struct buf *out)
{
	struct span field = buf_span(&rewrite->field);

	if (rewrite->fate == FIELD_HOLD) {
		size_t name = span_find(field, ':') + 1;

		buf_append(out, span_take(field, name));
		rewrite_append_addresses(out, span_drop(field, name), rewrite->rules->from_domain);
		buf_fini(&rewrite->field);
	}
	rewrite->fate = FIELD_NONE;
}

/* --- edits -------------------------------------------------------------------------------------- */

/* Whole fields. What the rules say of the stored ones goes for them too. */
static void take_fields(const struct rewrite *rewrite, struct span fields, struct buf *out)
{
	const struct rewrite_rules rules = {
		.remove = rewrite->rules->remove,
		.remove_count = rewrite->rules->remove_count,
		.from_domain = rewrite->rules->from_domain,
	};
	struct rewrite inner = { .rules = &rules };

	rewrite_feed(&inner, fields, out);
	end_field(&inner, out);
	buf_fini(&inner.name);
}

static void take_change(const struct rewrite *rewrite, const struct header_change *change, struct buf *out)
{
	struct buf field = { 0 };

	if (change->is_before) {
		take_fields(rewrite, change->value, out);
		return;
	}
	if (!change->value.len)
		return;
	buf_append(&field, change->name);
	buf_append_byte(&field, ':');
	buf_append(&field, change->value);
	buf_append_str(&field, "\r\n");
	take_fields(rewrite, buf_span(&field), out);
	buf_fini(&field);
}

/* A stored field begins. True: it goes, or another one went out instead. */
static bool apply_changes(struct rewrite *rewrite, struct span name, struct buf *out)
{
	const struct header_edits *edits = rewrite->rules->edits;
	bool is_replaced = false;

	for (size_t i = 0; rewrite->seen && i < edits->change_count; i++) {
		const struct header_change *change = &edits->changes[i];

		if (!span_eq_nocase(change->name, name) || ++rewrite->seen[i] != change->nth)
			continue;
		take_change(rewrite, change, out);
		is_replaced |= !change->is_before;
	}
	return is_replaced;
}

/* --- lines -------------------------------------------------------------------------------------- */

static void end_header(struct rewrite *rewrite, struct buf *out)
{
	if (rewrite->rules->edits)
		take_fields(rewrite, rewrite->rules->edits->back, out);
	rewrite->state = LINE_OVER;
	buf_append(out, buf_span(&rewrite->name));
	buf_fini(&rewrite->name);
}

static enum field_fate decide(struct rewrite *rewrite, struct buf *out)
{
	struct span name = span_take(buf_span(&rewrite->name), buf_len(&rewrite->name) - 1);

	name = span_trim(name);
	return apply_changes(rewrite, name, out) ? FIELD_DROP : fate_of(rewrite->rules, name);
}

/* Takes bytes until it is known what the line is. */
static void take_name(struct rewrite *rewrite, struct span *piece, struct buf *out)
{
	char byte = *piece->ptr;

	buf_append_byte(&rewrite->name, byte);
	*piece = span_drop(*piece, 1);
	if (byte == '\n' || byte == '\r') { /* the empty line, or one that is no field */
		end_header(rewrite, out);
		return;
	}
	if (byte != ':' && buf_len(&rewrite->name) < NAME_MAX)
		return;
	rewrite->fate = byte == ':' ? decide(rewrite, out) : FIELD_PASS;
	emit(rewrite, buf_span(&rewrite->name), out);
	buf_clear(&rewrite->name);
	rewrite->state = LINE_REST;
}

static void take_rest(struct rewrite *rewrite, struct span *piece, struct buf *out)
{
	size_t len = span_find(*piece, '\n');

	if (len < piece->len) {
		len++;
		rewrite->state = LINE_START;
	}
	emit(rewrite, span_take(*piece, len), out);
	*piece = span_drop(*piece, len);
}

static void begin_line(struct rewrite *rewrite, char byte, struct buf *out)
{
	if ((byte == ' ' || byte == '\t') && rewrite->fate != FIELD_NONE) {
		rewrite->state = LINE_REST;
		return;
	}
	end_field(rewrite, out);
	rewrite->state = LINE_NAME;
}

static void begin(struct rewrite *rewrite, struct buf *out)
{
	if (rewrite->has_begun)
		return;
	rewrite->has_begun = true;
	buf_append(out, rewrite->rules->front);
	if (rewrite->rules->edits)
		take_fields(rewrite, rewrite->rules->edits->front, out);
}

void rewrite_feed(struct rewrite *rewrite, struct span piece, struct buf *out)
{
	begin(rewrite, out);
	while (piece.len) {
		switch (rewrite->state) {
		case LINE_START:
			begin_line(rewrite, *piece.ptr, out);
			break;
		case LINE_NAME:
			take_name(rewrite, &piece, out);
			break;
		case LINE_REST:
			take_rest(rewrite, &piece, out);
			break;
		case LINE_OVER:
			buf_append(out, piece);
			return;
		}
	}
}

void rewrite_end(struct rewrite *rewrite, struct buf *out)
{
	begin(rewrite, out);
	if (rewrite->state == LINE_OVER)
		return;
	if (rewrite->state == LINE_REST && rewrite->rules->edits && rewrite->rules->edits->back.len)
		emit(rewrite, SPAN_LIT("\r\n"), out); /* the last line had none */
	end_field(rewrite, out);
	end_header(rewrite, out);
}

void rewrite_append_field(struct buf *out, const char *name, const char *value)
{
	size_t column = strlen(name) + 1;
	struct span rest = span_of_str(value);

	buf_append_str(out, name);
	buf_append_byte(out, ':');
	while (rest.len) {
		struct span word = span_take(rest, span_find(rest, ' '));

		if (column + 1 + word.len > FOLD_AT && word.len && column > 1) {
			buf_append_str(out, "\r\n");
			column = 0;
		}
		buf_append_byte(out, ' ');
		for (size_t i = 0; i < word.len; i++)
			buf_append_byte(out,
				(unsigned char)word.ptr[i] < ' ' || word.ptr[i] == 0x7f ? ' ' : word.ptr[i]);
		column += 1 + word.len;
		rest = span_drop(rest, word.len < rest.len ? word.len + 1 : word.len);
	}
	buf_append_str(out, "\r\n");
}

/* --- addresses ---------------------------------------------------------------------------------- */

enum { NONE = 0 }; /* an index behind an '@' is never 0 */

/* One mailbox as it is read. */
struct mailbox {
	size_t domain_at;  /* behind the last '@' of its address */
	size_t domain_end; /* behind the last byte of that domain that is neither space nor comment */
	bool is_in_angle;
	bool is_over; /* its "<...>" is closed */
};

/* The address of the mailbox is over: what stands between `done` and its domain goes out, and the new domain.
 */
static void end_address(
	struct buf *out, struct span value, struct span domain, const struct mailbox *mailbox, size_t *done)
{
	if (mailbox->domain_at == NONE || mailbox->domain_end <= mailbox->domain_at)
		return;
	buf_append(out, span_of(value.ptr + *done, mailbox->domain_at - *done));
	buf_append(out, domain);
	*done = mailbox->domain_end;
}

/* Behind a quoted string, a literal or one other byte that is part of an address. */
static size_t take_address_byte(struct span value, size_t at, struct mailbox *mailbox)
{
	char byte = value.ptr[at];

	if (byte == '"')
		at = structured_skip_enclosed(value, at, '"', '"');
	else if (byte == '[')
		at = structured_skip_enclosed(value, at, '\0', ']');
	else
		at++;
	if (byte == '@')
		mailbox->domain_at = mailbox->domain_end = structured_skip_cfws(value, at);
	else if (at > mailbox->domain_at)
		mailbox->domain_end = at;
	return at;
}

static void append_addresses(struct buf *out, struct span value, struct span domain)
{
	struct mailbox mailbox = { .is_over = false };
	size_t at = 0, done = 0;

	while ((at = structured_skip_cfws(value, at)) < value.len) {
		switch (value.ptr[at]) {
		case '<':
			mailbox = (struct mailbox){ .is_in_angle = true };
			at++;
			break;
		case ':': /* behind a group's name, or a route */
			mailbox.domain_at = NONE;
			at++;
			break;
		case '>':
			end_address(out, value, domain, &mailbox, &done);
			mailbox = (struct mailbox){ .is_over = true };
			at++;
			break;
		case ',':
		case ';':
			if (mailbox.is_in_angle) {
				mailbox.domain_at = NONE; /* of a route */
			} else {
				end_address(out, value, domain, &mailbox, &done);
				mailbox = (struct mailbox){ .is_over = false };
			}
			at++;
			break;
		default:
			at = take_address_byte(value, at, &mailbox);
			if (mailbox.is_over)
				mailbox.domain_at = NONE;
		}
	}
	end_address(out, value, domain, &mailbox, &done);
	buf_append(out, span_drop(value, done));
}

/* The field's last line end is none of the addresses', even where a quote or a comment is never closed. */
void rewrite_append_addresses(struct buf *out, struct span value, struct span domain)
{
	size_t len = value.len;

	while (len && (value.ptr[len - 1] == '\n' || value.ptr[len - 1] == '\r'))
		len--;
	append_addresses(out, span_take(value, len), domain);
	buf_append(out, span_drop(value, len));
}
