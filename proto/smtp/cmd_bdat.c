#include "smtp/server_internal.h"

/* RFC 3030 2: BDAT SP chunk-size [SP "LAST"] */
static bool parse(struct span args, struct bdat *bdat)
{
	struct span size = span_take(args, span_find(args, ' '));
	struct span rest = span_trim(span_drop(args, size.len));

	bdat->last = rest.len > 0;
	return span_parse_u64(size, UINT64_MAX, &bdat->left) &&
	       (!bdat->last || span_eq_nocase(rest, SPAN_LIT("LAST")));
}

/* Refuses the chunk: its bytes come nevertheless, and the answer after them. No error is counted, since those
 * of a peer that had pipelined its chunks would be many. */
static enum smtp_event refuse(struct smtp_server *server, uint64_t bytes, enum smtp_reply_id id)
{
	server->swallow = bytes;
	server->afterwards = smtp_reply_get(id);
	return SMTP_EVENT_NONE;
}

/* SMTP_REPLY_NONE, or why the chunk is not wanted. */
static enum smtp_reply_id check(const struct smtp_server *server)
{
	if (!(server->options->extensions & SMTP_EXT_CHUNKING))
		return SMTP_REPLY_NOT_IMPLEMENTED;
	if (server->phase != PHASE_MAIL && server->phase != PHASE_CHUNKS)
		return smtp_phase_refusal(server);
	return server->recipients ? SMTP_REPLY_NONE : SMTP_REPLY_NO_RECIPIENTS;
}

static bool is_too_big(const struct smtp_server *server, uint64_t bytes)
{
	uint64_t have = server->phase == PHASE_CHUNKS ? server->content.size : 0;

	return bytes > server->options->message_size_max - have;
}

enum smtp_event smtp_cmd_bdat(struct smtp_server *server, const struct call *call)
{
	struct bdat chunk;
	enum smtp_reply_id wrong;

	if (!parse(call->args, &chunk))
		return smtp_hang_up(server, call, SMTP_REPLY_BAD_BDAT);
	wrong = check(server);
	if (wrong)
		return refuse(server, chunk.left, wrong);
	if (is_too_big(server, chunk.left)) {
		refuse(server, chunk.left, SMTP_REPLY_TOO_BIG);
		call->data->reply = server->afterwards;
		smtp_end_transaction(server);
		return SMTP_EVENT_RESET;
	}
	chunk.holds_cr = server->phase == PHASE_CHUNKS && server->bdat.holds_cr;
	server->bdat = chunk;
	server->chunk_size = chunk.left;
	if (server->phase == PHASE_CHUNKS) {
		smtp_enter_phase(server, PHASE_CHUNK);
		return SMTP_EVENT_NONE;
	}
	server->chunked = true;
	call->data->data_begin.chunked = true;
	return smtp_wait(server, SMTP_EVENT_DATA_BEGIN);
}

/*
 * A refused first chunk ends the transaction: were it kept, a second chunk that was pipelined could become a
 * message without its beginning.
 */
void smtp_bdat_decided(struct smtp_server *server, struct buf *out, const struct smtp_reply *reply)
{
	(void)out;
	if (reply) {
		struct smtp_reply *copy = arena_alloc(&server->arena, sizeof(*copy));

		CHECK(reply->code >= 400);
		*copy = *reply;
		copy->enhanced = arena_strdup(&server->arena, span_of_str(reply->enhanced));
		copy->text = arena_dup(&server->arena, reply->text);
		server->afterwards = copy;
		server->swallow = server->bdat.left;
		smtp_end_transaction(server);
		server->queued = SMTP_EVENT_RESET;
		return;
	}
	content_start(&server->content, server->options);
	smtp_enter_phase(server, PHASE_CHUNK);
}

static void answer_chunk(const struct smtp_server *server, struct buf *out)
{
	buf_append(out, SPAN_LIT("250 2.0.0 "));
	buf_append_u64(out, server->chunk_size);
	buf_append(out, SPAN_LIT(" bytes received\r\n"));
}

bool smtp_chunk_step(struct smtp_server *server, struct span *in, struct buf *out,
	struct smtp_event_data *data, enum smtp_event *event_out)
{
	switch (bdat_next(&server->bdat, &server->content, in, &data->body)) {
	case BODY_RUN:
		*event_out = SMTP_EVENT_BODY;
		return true;
	case BODY_FAULT:
		*event_out = smtp_void_body(server, data);
		refuse(server, server->bdat.left, server->content.fault);
		smtp_end_transaction(server);
		return true;
	case BODY_END:
		*event_out = smtp_end_message(server, data);
		return true;
	case BODY_CHUNK_END:
		answer_chunk(server, out);
		smtp_enter_phase(server, PHASE_CHUNKS);
		return true;
	case BODY_MORE:
	case BODY_DOT:
		break;
	}
	return false;
}
