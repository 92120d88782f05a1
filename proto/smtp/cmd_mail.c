#include "smtp/server_internal.h"

bool smtp_take_path(struct span *rest, struct span prefix, struct smtp_address *address_out)
{
	if (!span_starts_with_nocase(*rest, prefix))
		return false;
	/* RFC 5321 3.3 allows no space after the colon; half of the world's scripts write one. */
	*rest = span_trim(span_drop(*rest, prefix.len));
	return smtp_path_take(rest, address_out);
}

static bool is_held_too_long(const struct smtp_server *server, const struct smtp_mail_params *params)
{
	return params->hold_for_s > server->hold_max_s || params->hold_until_s > server->hold_until_max_s;
}

static enum smtp_reply_id parse(
	const struct smtp_server *server, struct span args, struct smtp_event_data *data)
{
	struct smtp_address *from = &data->mail.from;
	enum smtp_reply_id wrong;

	if (!smtp_take_path(&args, SPAN_LIT("FROM:"), from) || from->kind == SMTP_ADDRESS_POSTMASTER)
		return SMTP_REPLY_BAD_SENDER;
	wrong = smtp_mail_params_parse(args, smtp_offered_extensions(server), &data->mail.params);
	if (wrong)
		return wrong;
	if (is_held_too_long(server, &data->mail.params))
		return SMTP_REPLY_BAD_PARAMETER;
	return from->has_utf8 && !data->mail.params.smtputf8 ? SMTP_REPLY_NEED_SMTPUTF8 : SMTP_REPLY_NONE;
}

enum smtp_event smtp_cmd_mail(struct smtp_server *server, const struct call *call)
{
	uint32_t max = server->options->messages_max;
	enum smtp_reply_id wrong;

	if (max && server->transactions >= max)
		return smtp_hang_up(server, call, SMTP_REPLY_TOO_MANY_MESSAGES);
	server->mail_refused = true;
	wrong = parse(server, arena_dup(&server->arena, call->args), call->data);
	if (wrong)
		return smtp_complain(server, call, wrong);
	if (call->data->mail.params.size > server->options->message_size_max)
		return smtp_decline(server, call, SMTP_REPLY_TOO_BIG);
	server->smtputf8 = call->data->mail.params.smtputf8;
	return smtp_wait(server, SMTP_EVENT_MAIL);
}

void smtp_mail_decided(struct smtp_server *server, struct buf *out, const struct smtp_reply *reply)
{
	smtp_reply_format(out, reply ? reply : smtp_reply_get(SMTP_REPLY_SENDER_OK));
	if (reply && reply->code >= 400)
		return;
	server->mail_refused = false;
	server->transactions++;
	smtp_enter_phase(server, PHASE_MAIL);
}
