#include "smtp/server_internal.h"

enum smtp_event smtp_cmd_rset(struct smtp_server *server, const struct call *call)
{
	smtp_answer(call->out, SMTP_REPLY_RESET);
	server->mail_refused = false;
	if (!smtp_in_transaction(server))
		return SMTP_EVENT_NONE;
	smtp_end_transaction(server);
	return SMTP_EVENT_RESET;
}
