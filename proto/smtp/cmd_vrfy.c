#include "smtp/server_internal.h"

/* RFC 5321 3.5.3: what a relay that does not know its recipients says, and what tells a spammer nothing. */
enum smtp_event smtp_cmd_vrfy(struct smtp_server *server, const struct call *call)
{
	(void)server;
	smtp_answer(call->out, SMTP_REPLY_VRFY);
	return SMTP_EVENT_NONE;
}

/* We have no lists. */
enum smtp_event smtp_cmd_expn(struct smtp_server *server, const struct call *call)
{
	return smtp_complain(server, call, SMTP_REPLY_NOT_IMPLEMENTED);
}
