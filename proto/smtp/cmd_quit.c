#include "smtp/server_internal.h"

enum smtp_event smtp_cmd_quit(struct smtp_server *server, const struct call *call)
{
	smtp_server_close(server, call->out, smtp_reply_get(SMTP_REPLY_BYE));
	return SMTP_EVENT_QUIT;
}
