#include "smtp/client_internal.h"

#include "skein/proto/base/alloc.h"

#define TO(phase) (1u << CLIENT_##phase)

static const struct {
	enum smtp_client_stage stage;
	unsigned next;
} phase_rules[CLIENT_COUNT] = {
	[CLIENT_GREETING] = { SMTP_STAGE_GREETING, TO(EHLO) | TO(FAILED) },
	[CLIENT_EHLO] = { SMTP_STAGE_EHLO, TO(HELO) | TO(STARTTLS) | TO(AUTH) | TO(READY) | TO(FAILED) },
	[CLIENT_HELO] = { SMTP_STAGE_EHLO, TO(READY) | TO(FAILED) },
	[CLIENT_STARTTLS] = { SMTP_STAGE_STARTTLS, TO(HANDSHAKE) | TO(READY) | TO(FAILED) },
	[CLIENT_HANDSHAKE] = { SMTP_STAGE_HANDSHAKE, TO(EHLO) | TO(FAILED) },
	[CLIENT_AUTH] = { SMTP_STAGE_AUTH, TO(READY) | TO(FAILED) },
	[CLIENT_READY] = { SMTP_STAGE_IDLE, TO(QUIT) | TO(FAILED) },
	[CLIENT_QUIT] = { SMTP_STAGE_QUIT, TO(ENDED) | TO(FAILED) },
	[CLIENT_FAILED] = { SMTP_STAGE_NONE, TO(ENDED) },
	[CLIENT_ENDED] = { SMTP_STAGE_NONE, 0 },
};

/* A larger body goes in more than one. */
enum { CHUNK_BYTES = 32 * 1024 };

static void copy_credentials(struct smtp_client_credentials *credentials)
{
	credentials->user = mem_strdup(credentials->user ? credentials->user : "");
	credentials->password = mem_strdup(credentials->password ? credentials->password : "");
	credentials->token = mem_strdup(credentials->token ? credentials->token : "");
}

struct smtp_client *smtp_client_new(const struct smtp_client_options *options)
{
	struct smtp_client *client = mem_zalloc(sizeof(*client));

	client->options = *options;
	client->options.helo = mem_strdup(options->helo);
	copy_credentials(&client->options.credentials);
	client->has_tls = options->is_secure_from_start;
	return client;
}

static void wipe_and_free(const char *secret)
{
	mem_wipe((char *)secret, strlen(secret));
	mem_free((char *)secret);
}

void smtp_client_free(struct smtp_client **client)
{
	if (!*client)
		return;
	for (size_t i = 0; i < DELIVERIES_MAX; i++)
		delivery_fini(&(*client)->deliveries[i]);
	reply_parser_fini(&(*client)->parser);
	buf_fini(&(*client)->chunk);
	mem_free((char *)(*client)->options.helo);
	wipe_and_free((*client)->options.credentials.user);
	wipe_and_free((*client)->options.credentials.password);
	wipe_and_free((*client)->options.credentials.token);
	mem_free(*client);
	*client = NULL;
}

/* The only place that writes client->phase. */
void client_enter_phase(struct smtp_client *client, enum client_phase next)
{
	CHECK(phase_rules[client->phase].next & (1u << next));
	client->phase = next;
}

void client_fail(struct smtp_client *client, enum smtp_client_failure failure, const struct verdict *reply)
{
	client->failure = failure;
	client->failure_reply = reply ? *reply : (struct verdict){ .stage = smtp_client_stage(client) };
	client->pending = SMTP_CLIENT_MORE;
	client_enter_phase(client, CLIENT_FAILED);
}

static void on_delivery_reply(struct smtp_client *client, const struct verdict *reply, struct buf *out)
{
	struct delivery *delivery = &client->deliveries[0];

	if (!client->delivery_count || !delivery_awaits_reply(delivery)) {
		client_fail(client, SMTP_FAILURE_UNSOLICITED, reply);
		return;
	}
	switch (delivery_on_reply(delivery, &client->caps, reply, out)) {
	case REACTION_NONE:
		break;
	case REACTION_BODY_WANTED:
		client->encoder = (struct dot_encoder){ .has_no_dots = delivery->is_chunked };
		client->pending = SMTP_CLIENT_BODY_WANTED;
		break;
	case REACTION_GARBAGE:
		client_fail(client, SMTP_FAILURE_GARBAGE, reply);
		break;
	case REACTION_REFUSED:
		client_fail(client, SMTP_FAILURE_REFUSED, reply);
		break;
	case REACTION_CHUNK_REFUSED:
		client_fail(client, SMTP_FAILURE_CHUNK, reply);
		break;
	}
}

/* RFC 5321 3.8: 421 may answer anything. To the final dot it is an answer too: the hop did not take it. */
static void on_closing(struct smtp_client *client, const struct verdict *reply, struct buf *out)
{
	if (client->phase == CLIENT_READY && reply->stage == SMTP_STAGE_DOT)
		delivery_on_reply(&client->deliveries[0], &client->caps, reply, out);
	client_fail(client, SMTP_FAILURE_CLOSING, reply);
}

static void on_reply(struct smtp_client *client, struct buf *out)
{
	struct verdict reply = { smtp_client_stage(client), reply_parser_status(&client->parser),
		reply_parser_text(&client->parser) };

	if (client->phase == CLIENT_AUTH)
		reply.text = client_login_safe_text(&client->options.credentials, reply.text);
	if (client->phase == CLIENT_QUIT) {
		client->pending = SMTP_CLIENT_QUIT_DONE;
		client_enter_phase(client, CLIENT_ENDED);
	} else if (reply.status.code == MAIL_CODE_CLOSING) {
		on_closing(client, &reply, out);
	} else if (client->phase == CLIENT_READY) {
		on_delivery_reply(client, &reply, out);
	} else {
		client_opening_on_reply(client, &reply, out);
	}
}

static void set_verdict(struct smtp_client_event_data *event, const struct verdict *verdict)
{
	event->stage = verdict->stage;
	event->status = verdict->status;
	event->text = verdict->text;
}

/* Takes a delivery out of the row; its allocation stays for the next one. */
static void remove_delivery(struct smtp_client *client, size_t idx)
{
	struct delivery gone = client->deliveries[idx];

	for (size_t i = idx; i + 1 < client->delivery_count; i++)
		client->deliveries[i] = client->deliveries[i + 1];
	client->deliveries[--client->delivery_count] = gone;
}

/* The end of a transaction, by its own or by a failure: each recipient had its RESULT, or not. */
static enum smtp_client_event tell_end(
	struct smtp_client *client, size_t idx, struct smtp_client_event_data *event_out)
{
	bool is_past_dot = client->deliveries[idx].step == DELIVERY_DOT;
	bool is_complete = !client->deliveries[idx].unreported_count;

	remove_delivery(client, idx);
	if (is_complete)
		return SMTP_CLIENT_TRANSACTION_DONE;
	set_verdict(event_out, &client->failure_reply);
	event_out->failure = client->failure;
	event_out->is_outcome_unknown = is_past_dot;
	return SMTP_CLIENT_TRANSACTION_LOST;
}

static enum smtp_client_event tell_delivery(
	struct smtp_client *client, size_t idx, struct smtp_client_event_data *event_out)
{
	struct delivery *delivery = &client->deliveries[idx];

	event_out->tag = delivery->transaction->tag;
	if (delivery_next_report(delivery, &event_out->rcpt_idx)) {
		set_verdict(event_out, &delivery->verdict);
		return SMTP_CLIENT_RESULT;
	}
	if (delivery->step == DELIVERY_END || client->phase == CLIENT_FAILED)
		return tell_end(client, idx, event_out);
	return SMTP_CLIENT_MORE;
}

static enum smtp_client_event tell_connection(
	struct smtp_client *client, struct smtp_client_event_data *event_out)
{
	enum smtp_client_event event = client->pending;

	client->pending = SMTP_CLIENT_MORE;
	if (event == SMTP_CLIENT_BODY_WANTED)
		event_out->tag = client->deliveries[0].transaction->tag;
	if (client->phase != CLIENT_FAILED)
		return event;
	set_verdict(event_out, &client->failure_reply);
	event_out->failure = client->failure;
	client_enter_phase(client, CLIENT_ENDED);
	return SMTP_CLIENT_FAILED;
}

static enum smtp_client_event tell(struct smtp_client *client, struct smtp_client_event_data *event_out)
{
	for (size_t i = 0; i < client->delivery_count; i++) {
		enum smtp_client_event event = tell_delivery(client, i, event_out);

		if (event != SMTP_CLIENT_MORE)
			return event;
	}
	event_out->tag = NULL;
	return tell_connection(client, event_out);
}

/* In clear behind the answer to STARTTLS, or behind the end: nobody's (RFC 3207 5). */
static bool swallows_input(const struct smtp_client *client)
{
	return client->phase == CLIENT_HANDSHAKE || client->phase == CLIENT_ENDED;
}

enum smtp_client_event smtp_client_next(struct smtp_client *client, struct span *in, struct buf *out,
	struct smtp_client_event_data *event_out)
{
	*event_out = (struct smtp_client_event_data){ 0 };
	for (;;) {
		enum smtp_client_event event = tell(client, event_out);

		if (swallows_input(client))
			*in = span_drop(*in, in->len);
		if (event != SMTP_CLIENT_MORE || !in->len)
			return event;
		switch (reply_parser_feed(&client->parser, in)) {
		case REPLY_MORE:
			break;
		case REPLY_DONE:
			client->reply_count++;
			on_reply(client, out);
			break;
		case REPLY_BAD:
			client_fail(client, SMTP_FAILURE_GARBAGE, NULL);
			break;
		case REPLY_TOO_LONG:
			client_fail(client, SMTP_FAILURE_TOO_LONG, NULL);
			break;
		}
	}
}

void smtp_client_tls_started(struct smtp_client *client, struct buf *out)
{
	CHECK(client->phase == CLIENT_HANDSHAKE);
	client->has_tls = true;
	/* RFC 3207 4.2: what was said in clear is forgotten. */
	client->caps = (struct smtp_client_caps){ 0 };
	reply_parser_reset(&client->parser);
	client_opening_say_ehlo(client, out);
}

const struct smtp_client_caps *smtp_client_caps(const struct smtp_client *client)
{
	return &client->caps;
}

bool smtp_client_is_spent(const struct smtp_client *client)
{
	return client->phase > CLIENT_READY ||
	       (client->caps.mail_max && client->sent_count >= client->caps.mail_max);
}

bool smtp_client_can_start(const struct smtp_client *client)
{
	if (client->phase != CLIENT_READY || smtp_client_is_spent(client))
		return false;
	if (!client->delivery_count)
		return true;
	return client->delivery_count == 1 && client->deliveries[0].step == DELIVERY_DOT &&
	       client->caps.flags & SMTP_CAP_PIPELINING;
}

void smtp_client_start(
	struct smtp_client *client, const struct smtp_client_transaction *transaction, struct buf *out)
{
	struct delivery *delivery = &client->deliveries[client->delivery_count];

	CHECK(smtp_client_can_start(client));
	client->delivery_count++;
	delivery_begin(delivery, &client->caps, client->options.uses_chunking, transaction, out);
	if (delivery_awaits_reply(delivery))
		client->sent_count++;
}

static bool wants_body(const struct smtp_client *client)
{
	return client->phase == CLIENT_READY && client->delivery_count &&
	       client->deliveries[0].step == DELIVERY_BODY;
}

static void write_chunk(struct smtp_client *client, const char *last, struct buf *out)
{
	struct span chunk = buf_span(&client->chunk);

	buf_printf(out, "BDAT %zu%s\r\n", chunk.len, last);
	buf_append(out, chunk);
	buf_clear(&client->chunk);
	if (*last) /* who knows when there is another body */
		buf_fini(&client->chunk);
}

void smtp_client_body(struct smtp_client *client, struct span piece, struct buf *out)
{
	CHECK(wants_body(client));
	if (!client->deliveries[0].is_chunked) {
		dot_encode(&client->encoder, piece, out);
		return;
	}
	dot_encode(&client->encoder, piece, &client->chunk);
	if (buf_len(&client->chunk) < CHUNK_BYTES)
		return;
	write_chunk(client, "", out);
	delivery_on_chunk(&client->deliveries[0]);
}

void smtp_client_body_end(struct smtp_client *client, struct buf *out)
{
	bool is_chunked = client->deliveries[0].is_chunked;

	CHECK(wants_body(client));
	dot_encode_end(&client->encoder, is_chunked ? &client->chunk : out);
	if (is_chunked)
		write_chunk(client, " LAST", out);
	delivery_on_dot(&client->deliveries[0]);
}

void smtp_client_quit(struct smtp_client *client, struct buf *out)
{
	CHECK(client->phase == CLIENT_READY && !client->delivery_count);
	client_enter_phase(client, CLIENT_QUIT);
	buf_append_str(out, "QUIT\r\n");
}

void smtp_client_abort(struct smtp_client *client)
{
	if (client->phase != CLIENT_FAILED && client->phase != CLIENT_ENDED)
		client_fail(client, SMTP_FAILURE_ABORTED, NULL);
}

enum smtp_client_stage smtp_client_stage(const struct smtp_client *client)
{
	if (client->phase == CLIENT_READY && client->delivery_count)
		return delivery_stage(&client->deliveries[0]);
	return phase_rules[client->phase].stage;
}

uint64_t smtp_client_replies(const struct smtp_client *client)
{
	return client->reply_count;
}

const char *smtp_client_failure_text(enum smtp_client_failure failure)
{
	static const char *const texts[] = {
		[SMTP_FAILURE_NONE] = "no failure",
		[SMTP_FAILURE_REFUSED] = "refused",
		[SMTP_FAILURE_CLOSING] = "the hop closes the connection",
		[SMTP_FAILURE_NO_TLS] = "TLS is required and not offered",
		[SMTP_FAILURE_AUTH] = "the login is refused",
		[SMTP_FAILURE_AUTH_IN_CLEAR] = "a login is due and there is no TLS",
		[SMTP_FAILURE_NO_MECHANISM] = "no mechanism to log in with is offered",
		[SMTP_FAILURE_GARBAGE] = "a reply that is not SMTP or makes no sense",
		[SMTP_FAILURE_UNSOLICITED] = "a reply to nothing",
		[SMTP_FAILURE_TOO_LONG] = "a reply without end",
		[SMTP_FAILURE_CHUNK] = "a part of the body is refused",
		[SMTP_FAILURE_ABORTED] = "given up",
	};

	return texts[failure];
}
