#include "smtp/server_internal.h"

enum smtp_event smtp_cmd_data(struct smtp_server *server, const struct call *call)
{
	if (!server->recipients)
		return smtp_decline(server, call, SMTP_REPLY_NO_RECIPIENTS);
	server->chunked = false;
	return smtp_wait(server, SMTP_EVENT_DATA_BEGIN);
}

void smtp_data_decided(struct smtp_server *server, struct buf *out, const struct smtp_reply *reply)
{
	if (server->chunked) {
		smtp_bdat_decided(server, out, reply);
		return;
	}
	if (reply) {
		CHECK(reply->code >= 400);
		smtp_reply_format(out, reply);
		smtp_end_transaction(server);
		server->queued = SMTP_EVENT_RESET;
		server->must_be_alone = true;
		return;
	}
	smtp_answer(out, SMTP_REPLY_START_MAIL);
	content_start(&server->content, server->options);
	smtp_enter_phase(server, PHASE_DATA);
}

bool smtp_data_step(struct smtp_server *server, struct span *in, struct buf *out,
	struct smtp_event_data *data, enum smtp_event *event_out)
{
	switch (dot_next(&server->content, in, &data->body)) {
	case BODY_RUN:
		*event_out = SMTP_EVENT_BODY;
		return true;
	case BODY_FAULT:
		*event_out = smtp_void_body(server, data);
		return true;
	case BODY_END:
		if (!server->content.fault) {
			*event_out = smtp_end_message(server, data);
			return true;
		}
		smtp_answer(out, server->content.fault);
		smtp_end_transaction(server);
		return true;
	case BODY_MORE:
	case BODY_DOT:
	case BODY_CHUNK_END:
		break;
	}
	return false;
}

enum smtp_event smtp_void_body(struct smtp_server *server, struct smtp_event_data *data)
{
	data->reply = smtp_reply_get(server->content.fault);
	return SMTP_EVENT_RESET;
}

enum smtp_event smtp_end_message(struct smtp_server *server, struct smtp_event_data *data)
{
	data->message_end.size = server->content.size;
	data->message_end.line_len_max = server->content.line_len_max;
	data->message_end.has_8bit = server->content.has_8bit;
	return smtp_wait(server, SMTP_EVENT_MESSAGE_END);
}

void smtp_message_decided(struct smtp_server *server, struct buf *out, const struct smtp_reply *reply)
{
	smtp_reply_format(out, reply ? reply : smtp_reply_get(SMTP_REPLY_ACCEPTED));
	if (!reply || reply->code < 400)
		server->errors = 0;
	smtp_end_transaction(server);
}
