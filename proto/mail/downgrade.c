/*
 * A walk through the structure of a message, byte by byte. In a header all fields go through as they come but
 * two: the encoding is held back and written when the header ends, for only then is it certain what the part
 * is. In a body each line is held until it is certain that it is no delimiter.
 *
 *	HEADER -> ENCODE (a leaf that may hold 8-bit bytes)       -> delimiter -> HEADER ...
 *	       -> PASS (any other leaf; what is between the parts) -> delimiter -> HEADER ...
 *	       -> HEADER (of a message in the message)
 *	any    -> LOST (the structure is not certain)
 */
#include "skein/proto/mail/downgrade.h"

#include "mail/body_encode.h"
#include "skein/proto/base/alloc.h"
#include "skein/proto/mail/mime_type.h"

enum {
	DEPTH_MAX = 32,
	FIELD_MAX = 4096, /* of the fields that are held back */
	NAME_MAX_LEN = 256,
	LINE_MAX_LEN = 256, /* a delimiter is no longer */
};

enum mode { MODE_HEADER, MODE_PASS, MODE_ENCODE, MODE_LOST };

enum header_state {
	LINE_START,
	LINE_END_OF_HEADER, /* a CR stands alone */
	LINE_NAME,
	LINE_VALUE,
};

enum field { FIELD_OTHER, FIELD_TYPE, FIELD_ENCODING, FIELD_VERSION, FIELD_COUNT };

enum part_kind {
	PART_TEXT,
	PART_MULTIPART,
	PART_MESSAGE,      /* whose header and body may be looked into */
	PART_MESSAGE_KIND, /* any other message/: RFC 2046 5.2 forbids to encode it */
	PART_OTHER,
};

/* A multipart that is open. */
struct level {
	char boundary[MIME_BOUNDARY_MAX];
	size_t boundary_len;
	bool is_digest; /* RFC 2046 5.1.5: parts are messages unless they say else */
	bool is_signed; /* it, or one around it */
};

/* What the header under way says of its part. */
struct part {
	bool seen[FIELD_COUNT];
	enum part_kind kind; /* also when nothing is said */
	struct level level;  /* PART_MULTIPART */
	enum mime_encoding encoding;
	bool is_encoding_dropped;
};

struct downgrade {
	enum mode mode;
	enum downgrade_verdict verdict; /* OK, or the first obstacle */
	bool has_8bit, has_8bit_header;
	bool has_cr; /* the last byte */
	bool is_top; /* HEADER: the message's own */
	struct level levels[DEPTH_MAX];
	size_t depth;

	enum header_state state;
	enum field field; /* the one under way */
	bool has_field;   /* that a line may continue */
	struct part part;
	struct body_encoder encoder;
	bool is_mid_line; /* PASS, ENCODE: `held` continues a line */
	char held[FIELD_MAX];
	size_t held_len;

	struct buf *out;    /* while we are called */
	struct buf scratch; /* stands for it when the owner only looks */
	uint64_t size;
};

static const struct level *level_of(const struct downgrade *downgrade)
{
	static const struct level none;

	return downgrade->depth ? &downgrade->levels[downgrade->depth - 1] : &none;
}

static void begin_header(struct downgrade *downgrade, bool is_top, enum part_kind kind)
{
	downgrade->mode = MODE_HEADER;
	downgrade->state = LINE_START;
	downgrade->field = FIELD_OTHER;
	downgrade->has_field = false;
	downgrade->is_top = is_top;
	downgrade->held_len = 0;
	downgrade->part = (struct part){ .kind = kind };
}

struct downgrade *downgrade_new(void)
{
	struct downgrade *downgrade = mem_zalloc(sizeof(*downgrade));

	downgrade->verdict = DOWNGRADE_OK;
	begin_header(downgrade, true, PART_TEXT);
	return downgrade;
}

void downgrade_free(struct downgrade **downgrade)
{
	if (!*downgrade)
		return;
	buf_fini(&(*downgrade)->scratch);
	mem_free(*downgrade);
	*downgrade = NULL;
}

static void note(struct downgrade *downgrade, enum downgrade_verdict obstacle)
{
	if (downgrade->verdict == DOWNGRADE_OK)
		downgrade->verdict = obstacle;
}

static void lose(struct downgrade *downgrade)
{
	note(downgrade, DOWNGRADE_MALFORMED);
	downgrade->mode = MODE_LOST;
}

static void hold(struct downgrade *downgrade, char byte, size_t max)
{
	if (downgrade->held_len == max)
		lose(downgrade);
	else
		downgrade->held[downgrade->held_len++] = byte;
}

static struct span held(const struct downgrade *downgrade)
{
	return span_of(downgrade->held, downgrade->held_len);
}

static void release(struct downgrade *downgrade)
{
	buf_append(downgrade->out, held(downgrade));
	downgrade->held_len = 0;
}

/* Headers. */

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t';
}

static enum field field_of(struct span name)
{
	static const struct span names[FIELD_COUNT] = {
		[FIELD_TYPE] = SPAN_LIT("content-type"),
		[FIELD_ENCODING] = SPAN_LIT("content-transfer-encoding"),
		[FIELD_VERSION] = SPAN_LIT("mime-version"),
	};

	for (unsigned i = FIELD_OTHER + 1; i < FIELD_COUNT; i++) {
		if (span_eq_nocase(name, names[i]))
			return (enum field)i;
	}
	return FIELD_OTHER;
}

static void take_type(struct downgrade *downgrade, struct span value)
{
	struct part *part = &downgrade->part;
	struct mime_type type;

	if (!mime_type_parse(value, &type)) {
		lose(downgrade);
		return;
	}
	part->kind = PART_OTHER;
	if (mime_type_is(&type, "text"))
		part->kind = PART_TEXT;
	else if (mime_type_is(&type, "multipart"))
		part->kind = PART_MULTIPART;
	else if (mime_type_is_exactly(&type, "message", "rfc822") ||
		 mime_type_is_exactly(&type, "message", "global"))
		part->kind = PART_MESSAGE;
	else if (mime_type_is(&type, "message"))
		part->kind = PART_MESSAGE_KIND;
	memcpy(part->level.boundary, type.boundary, type.boundary_len);
	part->level.boundary_len = type.boundary_len;
	part->level.is_digest = mime_type_is_exactly(&type, "multipart", "digest");
	part->level.is_signed =
		level_of(downgrade)->is_signed || mime_type_is_exactly(&type, "multipart", "signed");
}

/* An encoding that may become another is not written yet; in what is signed none may. */
static void take_encoding(struct downgrade *downgrade, struct span value)
{
	struct part *part = &downgrade->part;

	part->encoding = mime_encoding_parse(value);
	part->is_encoding_dropped = part->encoding != MIME_ENCODING_OTHER && !level_of(downgrade)->is_signed;
}

static void end_field(struct downgrade *downgrade)
{
	struct span value = held(downgrade);
	enum field field = downgrade->field;

	downgrade->field = FIELD_OTHER;
	if (field == FIELD_OTHER)
		return;
	/* Said twice, two readers may not believe the same one. */
	if (downgrade->part.seen[field])
		lose(downgrade);
	downgrade->part.seen[field] = true;
	value = span_drop(value, span_find(value, ':') + 1);
	if (field == FIELD_TYPE)
		take_type(downgrade, value);
	else if (field == FIELD_ENCODING)
		take_encoding(downgrade, value);
	if (field == FIELD_ENCODING && downgrade->part.is_encoding_dropped)
		downgrade->held_len = 0;
	release(downgrade);
}

static void begin_leaf(struct downgrade *downgrade)
{
	static const char *const names[] = {
		[MIME_ENCODING_7BIT] = "7bit",
		[MIME_ENCODING_8BIT] = "8bit",
		[MIME_ENCODING_BINARY] = "binary",
	};
	const struct part *part = &downgrade->part;
	bool is_declared = part->encoding == MIME_ENCODING_8BIT || part->encoding == MIME_ENCODING_BINARY;
	bool is_text = part->kind == PART_TEXT;

	/* The 8-bit bytes of a message of one part can be nowhere else. */
	if (part->encoding != MIME_ENCODING_OTHER && part->kind != PART_MESSAGE_KIND &&
		!level_of(downgrade)->is_signed && (is_declared || downgrade->is_top)) {
		downgrade->mode = MODE_ENCODE;
		body_encode_init(&downgrade->encoder, is_text ? BODY_QUOTED_PRINTABLE : BODY_BASE64);
		buf_printf(downgrade->out, "Content-Transfer-Encoding: %s\r\n",
			is_text ? "quoted-printable" : "base64");
		return;
	}
	downgrade->mode = MODE_PASS;
	if (part->is_encoding_dropped)
		buf_printf(downgrade->out, "Content-Transfer-Encoding: %s\r\n", names[part->encoding]);
}

static bool are_alike(const struct level *a, const struct level *b)
{
	struct span shorter = span_of(a->boundary, a->boundary_len);
	struct span longer = span_of(b->boundary, b->boundary_len);

	if (shorter.len > longer.len)
		return are_alike(b, a);
	return span_starts_with(longer, shorter) &&
	       (longer.len == shorter.len || span_eq(span_drop(longer, shorter.len), SPAN_LIT("--")));
}

static void begin_multipart(struct downgrade *downgrade)
{
	const struct part *part = &downgrade->part;

	downgrade->mode = MODE_PASS;
	/* RFC 2045 6.4: only its parts are encoded. */
	if (part->encoding == MIME_ENCODING_OTHER || !part->level.boundary_len ||
		downgrade->depth == DEPTH_MAX) {
		lose(downgrade);
		return;
	}
	for (size_t i = 0; i < downgrade->depth; i++) {
		if (are_alike(&downgrade->levels[i], &part->level))
			lose(downgrade);
	}
	downgrade->levels[downgrade->depth++] = part->level;
}

static void end_header(struct downgrade *downgrade)
{
	const struct part *part = &downgrade->part;
	bool is_composite = part->kind == PART_MULTIPART ||
			    (part->kind == PART_MESSAGE && part->encoding != MIME_ENCODING_OTHER);

	if (is_composite && part->is_encoding_dropped)
		buf_append_str(downgrade->out, "Content-Transfer-Encoding: 7bit\r\n");
	if (part->kind == PART_MULTIPART)
		begin_multipart(downgrade);
	else if (!is_composite)
		begin_leaf(downgrade);
	if (downgrade->is_top && !part->seen[FIELD_VERSION])
		buf_append_str(downgrade->out, "MIME-Version: 1.0\r\n");
	/* RFC 1428 2: the name for a set of characters that nobody told us. */
	if (downgrade->mode == MODE_ENCODE && downgrade->is_top && !part->seen[FIELD_TYPE])
		buf_append_str(downgrade->out, "Content-Type: text/plain; charset=unknown-8bit\r\n");
	buf_append_str(downgrade->out, "\r\n");
	downgrade->is_mid_line = false;
	if (is_composite && part->kind == PART_MESSAGE)
		begin_header(downgrade, false, PART_TEXT);
}

static void begin_value(struct downgrade *downgrade)
{
	struct span name = span_trim(held(downgrade));

	/* Is it a field, or a delimiter? */
	if (span_starts_with(name, SPAN_LIT("--"))) {
		lose(downgrade);
		return;
	}
	downgrade->field = field_of(name);
	downgrade->has_field = true;
	downgrade->state = LINE_VALUE;
	hold(downgrade, ':', FIELD_MAX);
	if (downgrade->field == FIELD_OTHER)
		release(downgrade);
}

static void take_name_byte(struct downgrade *downgrade, char byte)
{
	bool is_name = byte > ' ' && byte < 0x7f;

	if (byte == ':' && downgrade->held_len)
		begin_value(downgrade);
	else if ((is_name && byte != ':') || (is_blank(byte) && downgrade->held_len))
		hold(downgrade, byte, NAME_MAX_LEN);
	else
		lose(downgrade);
}

static void take_value_byte(struct downgrade *downgrade, char byte)
{
	if (byte == '\n')
		downgrade->state = LINE_START;
	if (downgrade->field == FIELD_OTHER)
		buf_append_byte(downgrade->out, byte);
	else
		hold(downgrade, byte, FIELD_MAX);
}

static void take_header_byte(struct downgrade *downgrade, char byte)
{
	switch (downgrade->state) {
	case LINE_START:
		if (is_blank(byte) && downgrade->has_field) {
			downgrade->state = LINE_VALUE;
			take_value_byte(downgrade, byte);
			return;
		}
		end_field(downgrade);
		downgrade->state = byte == '\r' ? LINE_END_OF_HEADER : LINE_NAME;
		if (downgrade->state == LINE_NAME && downgrade->mode == MODE_HEADER)
			take_name_byte(downgrade, byte);
		return;
	case LINE_END_OF_HEADER:
		end_header(downgrade);
		return;
	case LINE_NAME:
		take_name_byte(downgrade, byte);
		return;
	case LINE_VALUE:
		take_value_byte(downgrade, byte);
		return;
	}
}

/* Bodies. */

static struct span without_line_end(struct span line)
{
	while (line.len && strchr(" \t\r\n", line.ptr[line.len - 1]))
		line.len--;
	return line;
}

/* Whether the line is a delimiter of an open multipart, and of which. */
static bool find_delimiter(
	const struct downgrade *downgrade, struct span line, size_t *level_out, bool *is_last_out)
{
	if (!span_starts_with(line, SPAN_LIT("--")))
		return false;
	line = span_drop(without_line_end(line), 2);
	for (size_t i = downgrade->depth; i-- > 0;) {
		const struct level *level = &downgrade->levels[i];

		if (!span_starts_with(line, span_of(level->boundary, level->boundary_len)))
			continue;
		*level_out = i;
		*is_last_out = span_eq(span_drop(line, level->boundary_len), SPAN_LIT("--"));
		if (line.len == level->boundary_len || *is_last_out)
			return true;
	}
	return false;
}

static void end_part(struct downgrade *downgrade, size_t level, bool is_last)
{
	if (downgrade->mode == MODE_ENCODE)
		body_encode_end(&downgrade->encoder, true, downgrade->out);
	release(downgrade);
	downgrade->mode = MODE_PASS;
	downgrade->is_mid_line = false;
	downgrade->depth = level + !is_last;
	if (!is_last)
		begin_header(downgrade, false, level_of(downgrade)->is_digest ? PART_MESSAGE : PART_TEXT);
}

/* A whole line, or the beginning of one, or what follows that. */
static void end_held_line(struct downgrade *downgrade)
{
	struct span line = held(downgrade);
	bool is_whole = line.len && line.ptr[line.len - 1] == '\n';
	size_t level;
	bool is_last;

	if (!downgrade->is_mid_line && line.len < LINE_MAX_LEN &&
		find_delimiter(downgrade, line, &level, &is_last)) {
		end_part(downgrade, level, is_last);
		return;
	}
	downgrade->is_mid_line = !is_whole;
	if (downgrade->mode == MODE_ENCODE) {
		body_encode(&downgrade->encoder, line, downgrade->out);
		downgrade->held_len = 0;
	} else {
		release(downgrade);
	}
}

static void take_body_byte(struct downgrade *downgrade, char byte)
{
	hold(downgrade, byte, LINE_MAX_LEN);
	if (byte == '\n' || downgrade->held_len == LINE_MAX_LEN)
		end_held_line(downgrade);
}

/* All. */

static void note_8bit(struct downgrade *downgrade)
{
	downgrade->has_8bit = true;
	if (downgrade->mode == MODE_HEADER || downgrade->mode == MODE_LOST) {
		downgrade->has_8bit_header = true;
		note(downgrade, DOWNGRADE_HEADER);
	} else if (downgrade->mode == MODE_PASS) {
		note(downgrade, level_of(downgrade)->is_signed ? DOWNGRADE_SIGNED : DOWNGRADE_UNDECLARED);
	}
}

static void take_byte(struct downgrade *downgrade, char byte)
{
	/* A bare CR or LF is a line end to some and none to others. */
	if (downgrade->has_cr != (byte == '\n'))
		lose(downgrade);
	downgrade->has_cr = byte == '\r';
	if ((unsigned char)byte > 0x7f)
		note_8bit(downgrade);
	if (downgrade->mode == MODE_HEADER)
		take_header_byte(downgrade, byte);
	else if (downgrade->mode != MODE_LOST)
		take_body_byte(downgrade, byte);
}

static size_t begin_output(struct downgrade *downgrade, struct buf *out)
{
	downgrade->out = out ? out : &downgrade->scratch;
	return buf_len(downgrade->out);
}

static void end_output(struct downgrade *downgrade, size_t len_before)
{
	downgrade->size += buf_len(downgrade->out) - len_before;
	buf_clear(&downgrade->scratch);
	downgrade->out = NULL;
}

bool downgrade_feed(struct downgrade *downgrade, struct span piece, struct buf *out)
{
	size_t len_before = begin_output(downgrade, out);

	for (size_t i = 0; i < piece.len; i++)
		take_byte(downgrade, piece.ptr[i]);
	end_output(downgrade, len_before);
	return downgrade->verdict == DOWNGRADE_OK;
}

enum downgrade_verdict downgrade_end(struct downgrade *downgrade, struct buf *out)
{
	size_t len_before = begin_output(downgrade, out);

	if (downgrade->mode == MODE_PASS || downgrade->mode == MODE_ENCODE)
		end_held_line(downgrade);
	if (downgrade->mode == MODE_ENCODE)
		body_encode_end(&downgrade->encoder, false, downgrade->out);
	else if (downgrade->mode == MODE_HEADER)
		lose(downgrade);
	end_output(downgrade, len_before);
	return downgrade->has_8bit ? downgrade->verdict : DOWNGRADE_NEEDLESS;
}

uint64_t downgrade_size(const struct downgrade *downgrade)
{
	return downgrade->size;
}

bool downgrade_has_8bit_header(const struct downgrade *downgrade)
{
	return downgrade->has_8bit_header;
}

const char *downgrade_verdict_text(enum downgrade_verdict verdict)
{
	static const char *const texts[DOWNGRADE_VERDICTS] = {
		[DOWNGRADE_NEEDLESS] = "It holds no 8-bit bytes",
		[DOWNGRADE_OK] = "It can be encoded",
		[DOWNGRADE_HEADER] = "A header holds 8-bit bytes",
		[DOWNGRADE_SIGNED] = "A signed part holds 8-bit bytes",
		[DOWNGRADE_UNDECLARED] = "8-bit bytes are where none are declared",
		[DOWNGRADE_MALFORMED] = "Its MIME structure is malformed",
	};

	return texts[verdict];
}
