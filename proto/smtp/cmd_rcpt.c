#include "smtp/server_internal.h"

static enum smtp_reply_id parse(
	const struct smtp_server *server, struct span args, struct smtp_event_data *data)
{
	struct smtp_address *to = &data->rcpt.to;
	enum smtp_reply_id wrong;

	if (!smtp_take_path(&args, SPAN_LIT("TO:"), to) || to->kind == SMTP_ADDRESS_NULL)
		return SMTP_REPLY_BAD_RECIPIENT;
	wrong = smtp_rcpt_params_parse(
		args, server->options->extensions, server->smtputf8, &data->rcpt.params);
	if (wrong)
		return wrong;
	return to->has_utf8 && !server->smtputf8 ? SMTP_REPLY_NEED_SMTPUTF8 : SMTP_REPLY_NONE;
}

enum smtp_event smtp_cmd_rcpt(struct smtp_server *server, const struct call *call)
{
	enum smtp_reply_id wrong;

	/* RFC 5321 4.5.3.1.10 */
	if (server->recipients >= server->options->recipients_max)
		return smtp_decline(server, call, SMTP_REPLY_TOO_MANY_RECIPIENTS);
	wrong = parse(server, arena_dup(&server->arena, call->args), call->data);
	if (wrong)
		return smtp_complain(server, call, wrong);
	return smtp_wait(server, SMTP_EVENT_RCPT);
}

void smtp_rcpt_decided(struct smtp_server *server, struct buf *out, const struct smtp_reply *reply)
{
	smtp_reply_format(out, reply ? reply : smtp_reply_get(SMTP_REPLY_RECIPIENT_OK));
	if (!reply || reply->code < 400)
		server->recipients++;
}
