#include "smtp/server_internal.h"

enum smtp_event smtp_cmd_starttls(struct smtp_server *server, const struct call *call)
{
	if (server->tls)
		return smtp_complain(server, call, SMTP_REPLY_TLS_ON_ALREADY);
	return smtp_wait(server, SMTP_EVENT_STARTTLS);
}

void smtp_starttls_decided(struct smtp_server *server, struct buf *out, const struct smtp_reply *reply)
{
	smtp_reply_format(out, reply ? reply : smtp_reply_get(SMTP_REPLY_START_TLS));
	if (!reply) {
		smtp_enter_phase(server, PHASE_TLS);
		return;
	}
	CHECK(reply->code >= 400);
	server->must_be_alone = true;
}
