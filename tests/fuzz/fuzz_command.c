#include "clean.h"
#include "skein/proto/smtp/server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/*
 * The whole machine. The first byte chooses options and how the input is cut. Everything is decided
 * positively. Whole or cut, the dialogue is the same, and each message that ends is clean.
 */
struct session {
	struct smtp_server *server;
	struct buf replies;
	struct buf body, messages;
	bool in_transaction;
	bool did_not_wait; /* whether a peer waits is a matter of time: such dialogues may differ */
};

static void on_event(struct session *session, enum smtp_event event, const struct smtp_event_data *data)
{
	switch (event) {
	case SMTP_EVENT_BODY:
		CHECK(session->in_transaction && data->body.len);
		buf_append(&session->body, data->body);
		return;
	case SMTP_EVENT_RESET:
		CHECK(session->in_transaction);
		session->in_transaction = false;
		return;
	case SMTP_EVENT_CLOSE:
		session->did_not_wait = data->reply == smtp_reply_get(SMTP_REPLY_DID_NOT_WAIT);
		return;
	case SMTP_EVENT_MAIL:
		CHECK(!session->in_transaction);
		session->in_transaction = true;
		break;
	case SMTP_EVENT_DATA_BEGIN:
		buf_clear(&session->body);
		break;
	case SMTP_EVENT_MESSAGE_END:
		CHECK(session->in_transaction && data->message_end.size == buf_len(&session->body));
		check_clean(buf_span(&session->body));
		buf_append(&session->messages, buf_span(&session->body));
		session->in_transaction = false;
		break;
	case SMTP_EVENT_AUTH:
		if (!data->auth.has_initial) {
			smtp_server_challenge(session->server, &session->replies, SPAN_LIT("?"));
			return;
		}
		smtp_server_empty_line_may_come(session->server);
		break;
	case SMTP_EVENT_AUTH_RESPONSE:
		if (data->auth_response.len > 3) {
			smtp_server_challenge(session->server, &session->replies, data->auth_response);
			return;
		}
		break;
	case SMTP_EVENT_HELO:
	case SMTP_EVENT_RCPT:
	case SMTP_EVENT_STARTTLS:
	case SMTP_EVENT_NONE:
	case SMTP_EVENT_QUIT:
		break;
	}
	if (smtp_server_is_waiting(session->server))
		smtp_server_decide(session->server, &session->replies, NULL);
}

static void talk(
	struct session *session, struct span input, const struct smtp_server_options *options, size_t step)
{
	size_t have = 0, used = 0;

	session->server = smtp_server_new(options);
	if (options->extensions & SMTP_EXT_AUTH) {
		smtp_server_tls_started(session->server);
		smtp_server_offer_auth(session->server, SPAN_LIT("LOGIN PLAIN"));
	}
	if (options->extensions & SMTP_EXT_FUTURERELEASE)
		smtp_server_offer_hold(session->server, 86400, 4102444800);
	smtp_server_greet(session->server, &session->replies, NULL);
	while (have < input.len) {
		enum smtp_event event;

		have = input.len - have < step ? input.len : have + step;
		do {
			struct span in = span_of(input.ptr + used, have - used);
			struct smtp_event_data data;

			event = smtp_server_next(session->server, &in, &session->replies, &data);
			used = have - in.len;
			on_event(session, event, &data);
		} while (event != SMTP_EVENT_NONE);
		CHECK(have - used < options->auth_line_max);
	}
	smtp_server_free(&session->server);
}

static void end(struct session *session)
{
	buf_fini(&session->replies);
	buf_fini(&session->body);
	buf_fini(&session->messages);
}

enum { HANDLING = SMTP_EXT_REQUIRETLS | SMTP_EXT_MT_PRIORITY | SMTP_EXT_DELIVERBY | SMTP_EXT_FUTURERELEASE };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct smtp_server_options options;
	struct session whole = { 0 }, cut = { 0 };
	struct span input = span_of((const char *)data + 1, size - 1);

	if (!size)
		return 0;
	smtp_server_options_init(&options);
	options.hostname = SPAN_LIT("relay.example");
	options.bare_newline = data[0] & 1 ? SMTP_BARE_NEWLINE_NORMALISE : SMTP_BARE_NEWLINE_REFUSE;
	options.message_size_max = data[0] & 2 ? 60 : 1 << 20;
	options.extensions |= data[0] & 4 ? SMTP_EXT_STARTTLS : 0;
	options.extensions |= data[0] & 64 ? SMTP_EXT_AUTH : 0;
	options.extensions |= data[0] & 128 ? HANDLING : 0;
	talk(&whole, input, &options, size);
	talk(&cut, input, &options, 1 + (data[0] >> 3) % 8);
	if (!whole.did_not_wait && !cut.did_not_wait) {
		CHECK(span_eq(buf_span(&whole.replies), buf_span(&cut.replies)));
		CHECK(span_eq(buf_span(&whole.messages), buf_span(&cut.messages)));
	}
	end(&whole);
	end(&cut);
	return 0;
}
