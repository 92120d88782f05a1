#include "skein/proto/mail/dsn.h"

#include "skein/proto/base/utf8.h"
#include "skein/proto/mail/date.h"
#include "skein/proto/mail/downgrade.h"
#include "skein/proto/mail/header.h"

enum { FOLD_AT = 76 };

/* What differs by the kind of news. */
static const struct {
	const char *subject;
	const char *action; /* RFC 3464 2.3.3 */
	const char *what_happened;
	const char *what_next;
	uint8_t class; /* that the status codes of this kind belong to */
} kinds[] = {
	[DSN_FAILED] = { "Your message could not be delivered", "failed",
		"Your message could not be delivered to:",
		"It will not be tried again. If the address is right, show this report to the\r\n"
		"recipient's administrators, or to your own.",
		5 },
	[DSN_DELAYED] = { "Your message is delayed", "delayed", "Your message has not yet been delivered to:",
		"You need not do anything, and need not send it again: delivery is tried until\r\n", 4 },
	[DSN_RELAYED] = { "Your message was passed on", "relayed",
		"You asked for a report. Your message was passed on, without an error, for:",
		"The system that has it now sends no reports, so you may hear nothing more.", 2 },
};

/* A time to deliver by was given; whether it is kept is out of our hands. */
static const struct {
	const char *what_happened, *what_next;
} timed_relay = {
	"You gave a time to deliver by. Your message was passed on, without an error, for:",
	"What becomes of it, and whether you hear of that, is up to the system that has it now.",
};

struct builder {
	const struct envelope *envelope;
	const struct dsn_options *options;
	struct buf *out;
	struct span returned; /* what of the original goes back */
	bool is_full;         /* all of it */
	bool is_8bit;         /* somewhere in the message there is a byte above 127, or may be */
};

bool dsn_is_wanted(
	const struct envelope *envelope, const struct envelope_recipient *recipient, enum dsn_kind kind)
{
	unsigned notify = recipient->notify;

	/* RFC 5321 4.5.5: no report about a report. */
	if (!envelope->sender.len)
		return false;
	switch (kind) {
	case DSN_FAILED:
		return !notify || notify & DSN_NOTIFY_FAILURE;
	case DSN_DELAYED:
		return !recipient->delay_told && (!notify || notify & DSN_NOTIFY_DELAY);
	case DSN_RELAYED:
		/* RFC 2852 4.2: who gave a time is told that it is no longer kept. */
		return (recipient->is_unreported && notify & DSN_NOTIFY_SUCCESS) ||
		       (recipient->is_untimed && notify != DSN_NOTIFY_NEVER);
	}
	return false;
}

static bool has_8bit(struct span bytes)
{
	unsigned char all = 0;

	for (size_t i = 0; i < bytes.len; i++)
		all |= (unsigned char)bytes.ptr[i];
	return all > 0x7f;
}

/*
 * Text from elsewhere (replies, ENVID), as one line: control bytes become spaces, what is not ASCII stays in
 * an internationalized report only.
 */
static void append_clean(const struct builder *builder, struct span text, struct buf *line)
{
	bool keeps_utf8 = builder->envelope->smtputf8 && utf8_is_valid(text);

	for (size_t i = 0; i < text.len; i++) {
		unsigned char byte = (unsigned char)text.ptr[i];

		if (byte < ' ' || byte == 0x7f)
			buf_append_byte(line, ' ');
		else
			buf_append_byte(line, byte > 0x7f && !keeps_utf8 ? '?' : (char)byte);
	}
}

/*
 * Ends the line; breaks it at spaces where it is long, each further piece behind `indent`. A piece begins
 * with a word, so that no line is blank.
 */
static void append_folded(struct buf *out, struct span line, const char *indent)
{
	size_t column = 0;

	while (line.len) {
		size_t word = span_find(line, ' ');

		if (word && column && column + 1 + word > FOLD_AT) {
			buf_append_str(out, "\r\n");
			buf_append_str(out, indent);
			column = strlen(indent);
		} else if (column) {
			buf_append_byte(out, ' ');
			column++;
		}
		buf_append(out, span_take(line, word));
		column += word;
		line = span_drop(line, word < line.len ? word + 1 : word);
	}
	buf_append_str(out, "\r\n");
}

/* "Name: type; text", cleaned and folded. */
static void append_field(const struct builder *builder, const char *name, const char *type, struct span text)
{
	struct buf line = { 0 };

	buf_append_str(&line, name);
	buf_append_str(&line, ": ");
	if (type) {
		buf_append_str(&line, type);
		buf_append_str(&line, "; ");
	}
	append_clean(builder, text, &line);
	append_folded(builder->out, buf_span(&line), "\t");
	buf_fini(&line);
}

static void append_date_field(const struct builder *builder, const char *name, int64_t unix_s)
{
	buf_append_str(builder->out, name);
	buf_append_str(builder->out, ": ");
	mail_date_append(builder->out, unix_s, builder->options->offset_min);
	buf_append_str(builder->out, "\r\n");
}

static const struct envelope_recipient *recipient_at(const struct builder *builder, size_t i)
{
	CHECK(builder->options->rcpt_idx[i] < builder->envelope->recipient_count);
	return &builder->envelope->recipients[builder->options->rcpt_idx[i]];
}

/* What mail programs show as the name of a part, and its type: the second for internationalized mail (RFC
 * 6533). */
static void append_part_type(
	const struct builder *builder, const char *description, const char *ascii, const char *utf8)
{
	buf_printf(builder->out, "Content-Description: %s\r\nContent-Type: %s\r\n", description,
		builder->envelope->smtputf8 ? utf8 : ascii);
}

static void append_encoding(const struct builder *builder, bool is_8bit)
{
	buf_append_str(builder->out,
		is_8bit ? "Content-Transfer-Encoding: 8bit\r\n" : "Content-Transfer-Encoding: 7bit\r\n");
}

static void append_boundary(const struct builder *builder, const char *end)
{
	buf_printf(builder->out, "\r\n--%s%s\r\n", builder->options->boundary, end);
}

static void append_header(const struct builder *builder)
{
	const struct dsn_options *options = builder->options;
	struct buf *out = builder->out;

	append_date_field(builder, "Date", options->now_unix_s);
	buf_printf(out, "From: Mail Delivery System <MAILER-DAEMON@%s>\r\nTo: <", options->reporting_mta);
	buf_append(out, builder->envelope->sender);
	buf_printf(out, ">\r\nSubject: %s\r\nMessage-ID: <", kinds[options->kind].subject);
	buf_append(out, options->message_id);
	buf_printf(out, "@%s>\r\n", options->reporting_mta);
	buf_append_str(out, "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n");
	/* RFC 6522 3: report-type is the subtype of the second part. */
	buf_printf(out,
		"Content-Type: multipart/report; report-type=%sdelivery-status;\r\n\tboundary=\"%s\"\r\n",
		builder->envelope->smtputf8 ? "global-" : "", options->boundary);
	append_encoding(builder, builder->is_8bit);
}

/* What decided about a recipient, in words. */
static void append_reason(const struct builder *builder, const struct envelope_recipient *recipient)
{
	struct buf line = { 0 };

	if (recipient->state == RECIPIENT_EXPIRED)
		buf_append_str(builder->out, "    It could not be delivered in time. The last attempt:\r\n");
	if (recipient->remote.len) {
		append_clean(builder, recipient->remote, &line);
		buf_append_str(&line, " said: ");
	}
	if (recipient->status.code)
		buf_printf(&line, "%u ", recipient->status.code);
	append_clean(builder, recipient->diagnostic, &line);
	if (buf_len(&line)) {
		buf_append_str(builder->out, "    ");
		append_folded(builder->out, buf_span(&line), "      ");
	}
	buf_fini(&line);
}

static bool is_timed_relay(const struct builder *builder)
{
	return builder->options->kind == DSN_RELAYED && builder->envelope->deliver_by != DELIVER_BY_NONE;
}

static void append_what_next(const struct builder *builder)
{
	enum dsn_kind kind = builder->options->kind;

	buf_append_str(builder->out, is_timed_relay(builder) ? timed_relay.what_next : kinds[kind].what_next);
	if (kind == DSN_DELAYED) {
		mail_date_append(builder->out, (int64_t)(builder->envelope->expires_ms / 1000),
			builder->options->offset_min);
		buf_append_str(builder->out, ", and you are told if it fails.");
	}
	buf_append_str(builder->out, "\r\n");
}

static void append_text_part(const struct builder *builder)
{
	const struct dsn_options *options = builder->options;
	struct buf *out = builder->out;

	append_boundary(builder, "");
	append_part_type(
		builder, "Notification", "text/plain; charset=us-ascii", "text/plain; charset=utf-8");
	append_encoding(builder, builder->envelope->smtputf8);
	buf_printf(out, "\r\nThis is the mail system at %s.\r\n\r\n%s\r\n", options->reporting_mta,
		is_timed_relay(builder) ? timed_relay.what_happened : kinds[options->kind].what_happened);
	for (size_t i = 0; i < options->rcpt_count; i++) {
		const struct envelope_recipient *recipient = recipient_at(builder, i);

		buf_append_str(out, "\r\n  <");
		buf_append(out, recipient->addr);
		buf_append_str(out, ">\r\n");
		append_reason(builder, recipient);
	}
	buf_append_str(out, "\r\n");
	append_what_next(builder);
}

static int hex_value(char digit)
{
	return digit >= '0' && digit <= '9'   ? digit - '0'
	       : digit >= 'A' && digit <= 'F' ? digit - 'A' + 10
					      : -1;
}

/* RFC 3461 4: "+2B" is a plus sign. What is no such pair stays as it is. */
static void append_xtext(struct buf *out, struct span xtext)
{
	for (size_t i = 0; i < xtext.len; i++) {
		bool is_pair = xtext.ptr[i] == '+' && i + 2 < xtext.len && hex_value(xtext.ptr[i + 1]) >= 0 &&
			       hex_value(xtext.ptr[i + 2]) >= 0;

		if (!is_pair) {
			buf_append_byte(out, xtext.ptr[i]);
			continue;
		}
		buf_append_byte(out, (char)(hex_value(xtext.ptr[i + 1]) * 16 + hex_value(xtext.ptr[i + 2])));
		i += 2;
	}
}

/* In the report ENVID and ORCPT stand decoded (RFC 3461 6.3), behind `type`. */
static void append_xtext_field(
	const struct builder *builder, const char *name, struct span type, struct span xtext)
{
	struct buf text = { 0 };

	buf_append(&text, type);
	append_xtext(&text, xtext);
	append_field(builder, name, NULL, buf_span(&text));
	buf_fini(&text);
}

static void append_message_fields(const struct builder *builder)
{
	const struct envelope *envelope = builder->envelope;

	append_field(builder, "Reporting-MTA", "dns", span_of_str(builder->options->reporting_mta));
	if (envelope->envid.len)
		append_xtext_field(builder, "Original-Envelope-Id", span_of(NULL, 0), envelope->envid);
	if (envelope->origin_id.len)
		append_field(builder, "X-Skein-Queue-ID", NULL, envelope->origin_id);
	append_date_field(builder, "Arrival-Date", (int64_t)(envelope->arrival_ms / 1000));
	/* RFC 2852 5 */
	if (envelope->deliver_by != DELIVER_BY_NONE)
		append_date_field(builder, "Deliver-By-Date", (int64_t)(envelope->deliver_by_ms / 1000));
}

/* The status that this kind of news can have: RFC 3464 2.3.4 wants its class to agree with the action. */
static struct enhanced_code status_for(enum dsn_kind kind, const struct envelope_recipient *recipient)
{
	struct enhanced_code enhanced = mail_status_enhanced(recipient->status);

	if (recipient->state == RECIPIENT_EXPIRED)
		return (struct enhanced_code){ 4, 4, 7 };
	if (enhanced.class == kinds[kind].class)
		return enhanced;
	return (struct enhanced_code){ .class = kinds[kind].class };
}

static void append_original_recipient(const struct builder *builder, struct span orcpt)
{
	size_t type_len = span_find(orcpt, ';');

	if (type_len < orcpt.len)
		append_xtext_field(builder, "Original-Recipient", span_take(orcpt, type_len + 1),
			span_drop(orcpt, type_len + 1));
}

static void append_diagnostic(const struct builder *builder, const struct envelope_recipient *recipient)
{
	struct buf text = { 0 };

	if (recipient->status.code)
		buf_printf(&text, "%u ", recipient->status.code);
	buf_append(&text, recipient->diagnostic);
	if (recipient->remote.len) {
		append_field(builder, "Remote-MTA", "dns", recipient->remote);
		append_field(builder, "Diagnostic-Code", "smtp", buf_span(&text));
	} else if (recipient->diagnostic.len) {
		append_field(builder, "Diagnostic-Code", "X-Skein", buf_span(&text));
	}
	buf_fini(&text);
}

static void append_recipient_fields(const struct builder *builder, const struct envelope_recipient *recipient)
{
	enum dsn_kind kind = builder->options->kind;
	struct buf *out = builder->out;

	buf_append_str(out, "\r\n");
	append_original_recipient(builder, recipient->orcpt);
	append_field(
		builder, "Final-Recipient", has_8bit(recipient->addr) ? "utf-8" : "rfc822", recipient->addr);
	buf_printf(out, "Action: %s\r\nStatus: ", kinds[kind].action);
	enhanced_code_append(out, status_for(kind, recipient));
	buf_append_str(out, "\r\n");
	append_diagnostic(builder, recipient);
	if (recipient->last_attempt_ms)
		append_date_field(builder, "Last-Attempt-Date", (int64_t)(recipient->last_attempt_ms / 1000));
	if (kind == DSN_DELAYED)
		append_date_field(
			builder, "Will-Retry-Until", (int64_t)(builder->envelope->expires_ms / 1000));
}

static void append_status_part(const struct builder *builder)
{
	append_boundary(builder, "");
	append_part_type(
		builder, "Delivery report", "message/delivery-status", "message/global-delivery-status");
	append_encoding(builder, builder->envelope->smtputf8);
	buf_append_str(builder->out, "\r\n");
	append_message_fields(builder);
	for (size_t i = 0; i < builder->options->rcpt_count; i++)
		append_recipient_fields(builder, recipient_at(builder, i));
}

static void append_original_part(const struct builder *builder)
{
	if (!builder->returned.len)
		return;
	append_boundary(builder, "");
	if (builder->is_full)
		append_part_type(builder, "Your message", "message/rfc822", "message/global");
	else
		append_part_type(
			builder, "Header of your message", "text/rfc822-headers", "message/global-headers");
	append_encoding(builder, has_8bit(builder->returned));
	buf_append_str(builder->out, "\r\n");
	buf_append(builder->out, builder->returned);
}

static struct span header_of(struct span message)
{
	struct header_scan scan;

	header_scan_init(&scan, message.len);
	header_scan_feed(&scan, message);
	header_scan_end(&scan);
	return span_take(message, scan.size);
}

/* A report with this in it must not fail at a hop without 8BITMIME. */
static bool can_be_encoded(struct span original)
{
	struct downgrade *downgrade = downgrade_new();
	enum downgrade_verdict verdict;

	(void)downgrade_feed(downgrade, original, NULL);
	verdict = downgrade_end(downgrade, NULL);
	downgrade_free(&downgrade);
	return verdict == DOWNGRADE_NEEDLESS || verdict == DOWNGRADE_OK;
}

/*
 * RFC 3461 4.3: RET is about failures; other news come with the header only. So does all news of a message
 * that must have TLS (RFC 8689 5).
 */
static bool returns_all(const struct envelope *envelope, const struct dsn_options *options)
{
	return options->kind == DSN_FAILED && !envelope->requiretls && options->original_is_whole &&
	       envelope->ret != DSN_RET_HDRS && options->original.len <= options->full_max &&
	       (envelope->smtputf8 || can_be_encoded(options->original));
}

struct dsn_needs dsn_build(
	const struct envelope *envelope, const struct dsn_options *options, struct buf *out)
{
	struct builder builder = { .envelope = envelope, .options = options, .out = out };

	CHECK(envelope->sender.len && options->rcpt_count);
	builder.is_full = returns_all(envelope, options);
	builder.returned = builder.is_full ? options->original : header_of(options->original);
	builder.is_8bit = envelope->smtputf8 || has_8bit(builder.returned);
	append_header(&builder);
	append_text_part(&builder);
	append_status_part(&builder);
	append_original_part(&builder);
	append_boundary(&builder, "--");
	return (struct dsn_needs){
		.needs_8bit = builder.is_8bit,
		.needs_smtputf8 = has_8bit(envelope->sender),
	};
}
