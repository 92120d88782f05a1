#include "smtp/server_internal.h"

static void append_commands(struct buf *text, const struct smtp_server *server)
{
	buf_append_str(text, "Commands:");
	for (const struct verb *verb = smtp_verbs; verb->name; verb++) {
		if (!smtp_verb_is_offered(server, verb))
			continue;
		buf_append_byte(text, ' ');
		buf_append_str(text, verb->name);
	}
}

enum smtp_event smtp_cmd_help(struct smtp_server *server, const struct call *call)
{
	const struct verb *verb = smtp_verb_find(call->args);
	struct buf text = { 0 };

	if (verb && smtp_verb_is_offered(server, verb))
		buf_append_str(&text, verb->syntax);
	else
		append_commands(&text, server);
	smtp_reply_format(call->out, &(struct smtp_reply){ 214, "2.0.0", buf_span(&text) });
	buf_fini(&text);
	return SMTP_EVENT_NONE;
}
