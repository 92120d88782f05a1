#include "smtp/server_internal.h"

enum smtp_event smtp_cmd_noop(struct smtp_server *server, const struct call *call)
{
	(void)server;
	smtp_answer(call->out, SMTP_REPLY_OK);
	return SMTP_EVENT_NONE;
}
