#include "skein/proto/base/alloc.h"
#include "skein/proto/base/base64.h"
#include "smtp/server_internal.h"

/*
 * RFC 4954: AUTH, then any number of 334 and responses, and the end. What a response means is the caller's to
 * know; here is what a line is. Decoded bytes may hold a password: they are wiped with the decision.
 */

/* A word of the list, without case. */
static bool is_offered(struct span list, struct span name)
{
	while (list.len) {
		struct span word = span_take(list, span_find(list, ' '));

		if (span_eq_nocase(word, name))
			return true;
		list = span_drop(list, word.len + (word.len < list.len));
	}
	return false;
}

static bool decode(struct smtp_server *server, struct span text, struct span *bytes_out)
{
	char *bytes = arena_alloc(&server->arena, base64_decoded_len_max(text.len));

	server->secret = span_of(bytes, base64_decoded_len_max(text.len));
	bytes_out->ptr = bytes;
	return base64_decode(text, bytes, &bytes_out->len);
}

/* RFC 4954 4: "=" is an initial response of no bytes. */
static bool take_initial(struct smtp_server *server, struct span text, struct smtp_event_data *data)
{
	data->auth.has_initial = text.len > 0;
	if (span_eq(text, SPAN_LIT("=")))
		return true;
	return decode(server, text, &data->auth.initial);
}

enum smtp_event smtp_cmd_auth(struct smtp_server *server, const struct call *call)
{
	struct span mechanism = span_take(call->args, span_find(call->args, ' '));
	struct span initial = span_trim(span_drop(call->args, mechanism.len));

	if (!server->tls)
		return smtp_complain(server, call, SMTP_REPLY_NEED_TLS_TO_AUTH);
	if (server->authenticated)
		return smtp_complain(server, call, SMTP_REPLY_AUTHENTICATED_ALREADY);
	if (!is_offered(server->mechanisms, mechanism))
		return smtp_complain(server, call, SMTP_REPLY_UNKNOWN_MECHANISM);
	if (!take_initial(server, initial, call->data)) {
		smtp_wipe_secret(server);
		return smtp_complain(server, call, SMTP_REPLY_BAD_BASE64);
	}
	call->data->auth.mechanism = arena_dup(&server->arena, mechanism);
	return smtp_wait(server, SMTP_EVENT_AUTH);
}

/* A line that is no response, and why. */
static enum smtp_reply_id check_line(
	struct smtp_server *server, struct span line, enum line_result result, struct span *bytes_out)
{
	if (result == LINE_TOO_LONG)
		return SMTP_REPLY_AUTH_LINE_TOO_LONG;
	if (result == LINE_WHOLE && span_eq(line, SPAN_LIT("*")))
		return SMTP_REPLY_AUTH_CANCELLED;
	return result == LINE_WHOLE && decode(server, line, bytes_out) ? SMTP_REPLY_NONE
								       : SMTP_REPLY_BAD_BASE64;
}

bool smtp_auth_step(struct smtp_server *server, struct span *in, struct buf *out,
	struct smtp_event_data *data, enum smtp_event *event_out)
{
	struct call call = { .out = out, .data = data };
	struct span line;
	enum line_result result = line_take(&server->line, in, server->options->auth_line_max, &line);
	enum smtp_reply_id wrong;

	if (result == LINE_MORE)
		return false;
	wrong = check_line(server, line, result, &data->auth_response);
	if (!wrong) {
		*event_out = smtp_wait(server, SMTP_EVENT_AUTH_RESPONSE);
		return true;
	}
	smtp_wipe_secret(server);
	smtp_enter_phase(server, PHASE_READY);
	*event_out = smtp_complain(server, &call, wrong);
	return true;
}

void smtp_auth_challenge(struct smtp_server *server, struct buf *out, struct span challenge)
{
	buf_append(out, SPAN_LIT("334 "));
	base64_encode(out, challenge);
	buf_append(out, SPAN_LIT("\r\n"));
	if (server->phase == PHASE_READY)
		smtp_enter_phase(server, PHASE_AUTH);
}

void smtp_auth_decided(struct smtp_server *server, struct buf *out, const struct smtp_reply *reply)
{
	if (server->phase == PHASE_AUTH)
		smtp_enter_phase(server, PHASE_READY);
	if (!reply) {
		smtp_answer(out, SMTP_REPLY_AUTHENTICATED);
		server->authenticated = true;
		return;
	}
	CHECK(reply->code >= 400);
	/* Trouble of ours is no error of the peer's. */
	if (reply->code >= 500 && ++server->errors >= server->options->errors_max) {
		server->queued_reply = smtp_reply_get(SMTP_REPLY_TOO_MANY_ERRORS);
		smtp_server_close(server, out, server->queued_reply);
		server->queued = SMTP_EVENT_CLOSE;
		return;
	}
	smtp_reply_format(out, reply);
	server->must_be_alone = !server->empty_line_may_come;
}

void smtp_wipe_secret(struct smtp_server *server)
{
	mem_wipe((char *)server->secret.ptr, server->secret.len);
	server->secret = span_of(NULL, 0);
}
