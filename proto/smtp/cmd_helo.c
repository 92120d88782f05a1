#include "smtp/server_internal.h"

#include "skein/proto/mail/date.h"

static void append_size(struct buf *buf, const struct smtp_server *server)
{
	buf_append_byte(buf, ' ');
	buf_append_u64(buf, server->options->message_size_max);
}

static void append_mechanisms(struct buf *buf, const struct smtp_server *server)
{
	buf_append_byte(buf, ' ');
	buf_append(buf, server->mechanisms);
}

/* RFC 9422 */
static void append_limits(struct buf *buf, const struct smtp_server *server)
{
	const struct smtp_server_options *options = server->options;

	if (options->messages_max) {
		buf_append_str(buf, " MAILMAX=");
		buf_append_u64(buf, options->messages_max);
	}
	buf_append_str(buf, " RCPTMAX=");
	buf_append_u64(buf, options->recipients_max);
}

/* RFC 4865 3 */
static void append_hold(struct buf *buf, const struct smtp_server *server)
{
	buf_append_byte(buf, ' ');
	buf_append_u64(buf, server->hold_max_s);
	buf_append_byte(buf, ' ');
	mail_date_append_utc(buf, server->hold_until_max_s);
}

static const struct {
	const char *keyword;
	unsigned extension; /* 0: always offered */
	void (*append_value)(struct buf *buf, const struct smtp_server *server);
} keywords[] = {
	{ "PIPELINING", 0, NULL },
	{ "SIZE", 0, append_size },
	{ "STARTTLS", SMTP_EXT_STARTTLS, NULL },
	{ "AUTH", SMTP_EXT_AUTH, append_mechanisms },
	{ "8BITMIME", SMTP_EXT_8BITMIME, NULL },
	{ "SMTPUTF8", SMTP_EXT_SMTPUTF8, NULL },
	{ "CHUNKING", SMTP_EXT_CHUNKING, NULL },
	{ "DSN", SMTP_EXT_DSN, NULL },
	{ "LIMITS", SMTP_EXT_LIMITS, append_limits },
	{ "REQUIRETLS", SMTP_EXT_REQUIRETLS, NULL },
	{ "MT-PRIORITY", SMTP_EXT_MT_PRIORITY, NULL },
	{ "DELIVERBY", SMTP_EXT_DELIVERBY, NULL },
	{ "FUTURERELEASE", SMTP_EXT_FUTURERELEASE, append_hold },
	{ "HELP", 0, NULL },
	{ "ENHANCEDSTATUSCODES", 0, NULL },
};

/* The text of EHLO's reply, a line per keyword. */
static void append_keywords(struct buf *text, const struct smtp_server *server)
{
	unsigned offered = smtp_offered_extensions(server);

	for (size_t i = 0; i < ARRAY_LEN(keywords); i++) {
		if (keywords[i].extension & ~offered)
			continue;
		buf_append_byte(text, '\n');
		buf_append_str(text, keywords[i].keyword);
		if (keywords[i].append_value)
			keywords[i].append_value(text, server);
	}
}

/*
 * What greets us is anything: RFC 5321 4.1.4 forbids to refuse mail for it. One word, so that "HELO my
 * printer" works, and no specials, so that it may stand in a Received field.
 */
static bool parse_name(struct span args, struct span *name_out)
{
	*name_out = span_take(args, span_find(args, ' '));
	for (size_t i = 0; i < name_out->len; i++) {
		char c = name_out->ptr[i];

		if (c <= ' ' || c > '~' || strchr("()<>@,;\\\"", c))
			return false;
	}
	return name_out->len <= SMTP_DOMAIN_MAX;
}

static enum smtp_event hello(struct smtp_server *server, const struct call *call, bool extended)
{
	struct span name;

	if (!parse_name(call->args, &name))
		return smtp_complain(server, call, SMTP_REPLY_BAD_ARGUMENTS);
	server->extended = extended;
	call->data->helo.name = arena_dup(&server->arena, name);
	call->data->helo.extended = extended;
	return smtp_wait(server, SMTP_EVENT_HELO);
}

enum smtp_event smtp_cmd_helo(struct smtp_server *server, const struct call *call)
{
	return hello(server, call, false);
}

enum smtp_event smtp_cmd_ehlo(struct smtp_server *server, const struct call *call)
{
	return hello(server, call, true);
}

static void welcome(struct smtp_server *server, struct buf *out)
{
	struct buf text = { 0 };

	buf_append(&text, server->options->hostname);
	if (server->extended)
		append_keywords(&text, server);
	/* RFC 2034 4: no enhanced code here. */
	smtp_reply_format(out, &(struct smtp_reply){ 250, "", buf_span(&text) });
	buf_fini(&text);
}

void smtp_helo_decided(struct smtp_server *server, struct buf *out, const struct smtp_reply *reply)
{
	if (reply) {
		CHECK(reply->code >= 400);
		smtp_reply_format(out, reply);
		server->must_be_alone = true;
		return;
	}
	welcome(server, out);
	server->mail_refused = false;
	/* RFC 5321 4.1.4: as if RSET had been said. */
	if (smtp_in_transaction(server)) {
		smtp_end_transaction(server);
		server->queued = SMTP_EVENT_RESET;
	} else {
		smtp_enter_phase(server, PHASE_READY);
	}
}
