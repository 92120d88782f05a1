#include "smtp/client_internal.h"

#include "skein/proto/base/alloc.h"

enum client_phase {
	PHASE_GREETING,
	PHASE_EHLO,
	PHASE_HELO, /* the hop does not know EHLO */
	PHASE_STARTTLS,
	PHASE_HANDSHAKE, /* the owner's turn */
	PHASE_AUTH,
	PHASE_READY, /* idle, or with transactions */
	PHASE_QUIT,
	PHASE_FAILED, /* transactions and FAILED are still to be told */
	PHASE_ENDED,
	PHASE_COUNT,
};

#define TO(phase) (1u << PHASE_##phase)

static const struct {
	enum smtp_client_stage stage;
	unsigned next;
} phase_rules[PHASE_COUNT] = {
	[PHASE_GREETING] = { SMTP_STAGE_GREETING, TO(EHLO) | TO(FAILED) },
	[PHASE_EHLO] = { SMTP_STAGE_EHLO, TO(HELO) | TO(STARTTLS) | TO(AUTH) | TO(READY) | TO(FAILED) },
	[PHASE_HELO] = { SMTP_STAGE_EHLO, TO(READY) | TO(FAILED) },
	[PHASE_STARTTLS] = { SMTP_STAGE_STARTTLS, TO(HANDSHAKE) | TO(READY) | TO(FAILED) },
	[PHASE_HANDSHAKE] = { SMTP_STAGE_HANDSHAKE, TO(EHLO) | TO(FAILED) },
	[PHASE_AUTH] = { SMTP_STAGE_AUTH, TO(READY) | TO(FAILED) },
	[PHASE_READY] = { SMTP_STAGE_IDLE, TO(QUIT) | TO(FAILED) },
	[PHASE_QUIT] = { SMTP_STAGE_QUIT, TO(ENDED) | TO(FAILED) },
	[PHASE_FAILED] = { SMTP_STAGE_NONE, TO(ENDED) },
	[PHASE_ENDED] = { SMTP_STAGE_NONE, 0 },
};

/* One in progress, and one chained behind its body. */
enum { DELIVERIES_MAX = 2 };
/* A larger body goes in more than one. */
enum { CHUNK_BYTES = 32 * 1024 };

struct smtp_client {
	struct smtp_client_options options;
	enum client_phase phase;
	bool has_tls;
	struct reply_parser parser;
	struct smtp_client_caps caps;
	struct client_login login;
	struct delivery deliveries[DELIVERIES_MAX]; /* oldest first; replies belong to the first */
	size_t delivery_count;
	uint64_t sent_count; /* transactions that the hop has seen */
	uint64_t reply_count;
	struct dot_encoder encoder;
	struct buf chunk;               /* the next one, as far as it is there */
	enum smtp_client_event pending; /* to be told after what the deliveries have to tell; MORE: none */
	enum smtp_client_failure failure;
	struct verdict failure_reply;
};

struct smtp_client_options smtp_client_default_options(const char *helo)
{
	enum { MINUTE_MS = 60 * 1000 };

	return (struct smtp_client_options){
		.helo = helo,
		.tls = SMTP_CLIENT_TLS_MAY,
		.timeouts = {
			.greeting_ms = 5 * MINUTE_MS,
			.ehlo_ms = 5 * MINUTE_MS,
			.starttls_ms = 2 * MINUTE_MS,
			.auth_ms = 2 * MINUTE_MS,
			.mail_ms = 5 * MINUTE_MS,
			.rcpt_ms = 5 * MINUTE_MS,
			.data_ms = 2 * MINUTE_MS,
			.body_ms = 3 * MINUTE_MS,
			.dot_ms = 10 * MINUTE_MS,
			.rset_ms = 1 * MINUTE_MS,
			.quit_ms = 1 * MINUTE_MS,
		},
	};
}

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
static void enter_phase(struct smtp_client *client, enum client_phase next)
{
	CHECK(phase_rules[client->phase].next & (1u << next));
	client->phase = next;
}

static void fail(struct smtp_client *client, enum smtp_client_failure failure, const struct verdict *reply)
{
	client->failure = failure;
	client->failure_reply = reply ? *reply : (struct verdict){ .stage = smtp_client_stage(client) };
	client->pending = SMTP_CLIENT_MORE;
	enter_phase(client, PHASE_FAILED);
}

static void write_hello(struct smtp_client *client, const char *verb, struct buf *out)
{
	buf_append_str(out, verb);
	buf_append_str(out, client->options.helo);
	buf_append_str(out, "\r\n");
}

static void enter_ready(struct smtp_client *client)
{
	enter_phase(client, PHASE_READY);
	client->pending = SMTP_CLIENT_READY;
}

/* The EHLO that holds is answered. */
static void log_in(struct smtp_client *client, struct buf *out)
{
	const struct smtp_client_credentials *credentials = &client->options.credentials;

	if (credentials->mechanism == SMTP_MECHANISM_NONE) {
		enter_ready(client);
	} else if (!client->has_tls) {
		fail(client, SMTP_FAILURE_AUTH_IN_CLEAR, NULL);
	} else if (!client_login_begin(&client->login, credentials, &client->caps, out)) {
		fail(client, SMTP_FAILURE_NO_MECHANISM, NULL);
	} else {
		enter_phase(client, PHASE_AUTH);
	}
}

static void on_greeting(struct smtp_client *client, const struct verdict *reply, struct buf *out)
{
	if (reply->status.code >= 400) {
		fail(client, SMTP_FAILURE_REFUSED, reply);
		return;
	}
	enter_phase(client, PHASE_EHLO);
	write_hello(client, "EHLO ", out);
}

static void on_ehlo_refused(struct smtp_client *client, const struct verdict *reply, struct buf *out)
{
	bool lacks_tls = client->options.tls == SMTP_CLIENT_TLS_ENCRYPT && !client->has_tls;

	/* RFC 5321 3.2: a hop that does not know EHLO may know HELO. */
	if (reply->status.code < 500 || client->phase == PHASE_HELO || lacks_tls) {
		fail(client, SMTP_FAILURE_REFUSED, reply);
		return;
	}
	enter_phase(client, PHASE_HELO);
	write_hello(client, "HELO ", out);
}

static void on_ehlo(struct smtp_client *client, const struct verdict *reply, struct buf *out)
{
	if (reply->status.code >= 400) {
		on_ehlo_refused(client, reply, out);
		return;
	}
	smtp_client_caps_parse(&client->caps, reply->text, client->has_tls);
	if (client->has_tls || client->options.tls == SMTP_CLIENT_TLS_NONE) {
		log_in(client, out);
	} else if (client->caps.flags & SMTP_CAP_STARTTLS) {
		enter_phase(client, PHASE_STARTTLS);
		buf_append_str(out, "STARTTLS\r\n");
	} else if (client->options.tls == SMTP_CLIENT_TLS_ENCRYPT) {
		fail(client, SMTP_FAILURE_NO_TLS, NULL);
	} else {
		log_in(client, out);
	}
}

static void on_helo(struct smtp_client *client, const struct verdict *reply, struct buf *out)
{
	if (reply->status.code >= 400) {
		on_ehlo_refused(client, reply, out);
		return;
	}
	client->caps = (struct smtp_client_caps){ 0 };
	log_in(client, out);
}

static void on_starttls(struct smtp_client *client, const struct verdict *reply, struct buf *out)
{
	if (reply->status.code < 400) {
		enter_phase(client, PHASE_HANDSHAKE);
		client->pending = SMTP_CLIENT_STARTTLS;
	} else if (client->options.tls == SMTP_CLIENT_TLS_ENCRYPT) {
		fail(client, SMTP_FAILURE_REFUSED, reply);
	} else {
		log_in(client, out);
	}
}

static void on_auth(struct smtp_client *client, const struct verdict *reply, struct buf *out)
{
	if (reply->status.code >= 400)
		fail(client, SMTP_FAILURE_AUTH, reply);
	else if (reply->status.code < 300)
		enter_ready(client);
	else if (reply->status.code != 334 || !client_login_on_challenge(&client->login, out))
		fail(client, SMTP_FAILURE_GARBAGE, reply);
}

static void on_delivery_reply(struct smtp_client *client, const struct verdict *reply, struct buf *out)
{
	struct delivery *delivery = &client->deliveries[0];

	if (!client->delivery_count || !delivery_awaits_reply(delivery)) {
		fail(client, SMTP_FAILURE_UNSOLICITED, reply);
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
		fail(client, SMTP_FAILURE_GARBAGE, reply);
		break;
	case REACTION_REFUSED:
		fail(client, SMTP_FAILURE_REFUSED, reply);
		break;
	case REACTION_CHUNK_REFUSED:
		fail(client, SMTP_FAILURE_CHUNK, reply);
		break;
	}
}

/* RFC 5321 3.8: 421 may answer anything. To the final dot it is an answer too: the hop did not take it. */
static void on_closing(struct smtp_client *client, const struct verdict *reply, struct buf *out)
{
	if (client->phase == PHASE_READY && reply->stage == SMTP_STAGE_DOT)
		delivery_on_reply(&client->deliveries[0], &client->caps, reply, out);
	fail(client, SMTP_FAILURE_CLOSING, reply);
}

static void on_reply(struct smtp_client *client, struct buf *out)
{
	struct verdict reply = { smtp_client_stage(client), reply_parser_status(&client->parser),
		reply_parser_text(&client->parser) };

	if (client->phase == PHASE_AUTH)
		reply.text = client_login_safe_text(&client->options.credentials, reply.text);
	if (client->phase == PHASE_QUIT) {
		client->pending = SMTP_CLIENT_QUIT_DONE;
		enter_phase(client, PHASE_ENDED);
	} else if (reply.status.code == MAIL_CODE_CLOSING) {
		on_closing(client, &reply, out);
	} else if (client->phase == PHASE_READY) {
		on_delivery_reply(client, &reply, out);
	} else if (client->phase == PHASE_AUTH) {
		on_auth(client, &reply, out);
	} else if (reply.status.code / 100 == 3) {
		fail(client, SMTP_FAILURE_GARBAGE, &reply);
	} else if (client->phase == PHASE_GREETING) {
		on_greeting(client, &reply, out);
	} else if (client->phase == PHASE_EHLO) {
		on_ehlo(client, &reply, out);
	} else if (client->phase == PHASE_HELO) {
		on_helo(client, &reply, out);
	} else {
		on_starttls(client, &reply, out);
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
	if (delivery->step == DELIVERY_END || client->phase == PHASE_FAILED)
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
	if (client->phase != PHASE_FAILED)
		return event;
	set_verdict(event_out, &client->failure_reply);
	event_out->failure = client->failure;
	enter_phase(client, PHASE_ENDED);
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
	return client->phase == PHASE_HANDSHAKE || client->phase == PHASE_ENDED;
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
			fail(client, SMTP_FAILURE_GARBAGE, NULL);
			break;
		case REPLY_TOO_LONG:
			fail(client, SMTP_FAILURE_TOO_LONG, NULL);
			break;
		}
	}
}

void smtp_client_tls_started(struct smtp_client *client, struct buf *out)
{
	CHECK(client->phase == PHASE_HANDSHAKE);
	client->has_tls = true;
	/* RFC 3207 4.2: what was said in clear is forgotten. */
	client->caps = (struct smtp_client_caps){ 0 };
	reply_parser_reset(&client->parser);
	enter_phase(client, PHASE_EHLO);
	write_hello(client, "EHLO ", out);
}

const struct smtp_client_caps *smtp_client_caps(const struct smtp_client *client)
{
	return &client->caps;
}

bool smtp_client_is_spent(const struct smtp_client *client)
{
	return client->phase > PHASE_READY ||
	       (client->caps.mail_max && client->sent_count >= client->caps.mail_max);
}

bool smtp_client_can_start(const struct smtp_client *client)
{
	if (client->phase != PHASE_READY || smtp_client_is_spent(client))
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
	return client->phase == PHASE_READY && client->delivery_count &&
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
	CHECK(client->phase == PHASE_READY && !client->delivery_count);
	enter_phase(client, PHASE_QUIT);
	buf_append_str(out, "QUIT\r\n");
}

void smtp_client_abort(struct smtp_client *client)
{
	if (client->phase != PHASE_FAILED && client->phase != PHASE_ENDED)
		fail(client, SMTP_FAILURE_ABORTED, NULL);
}

enum smtp_client_stage smtp_client_stage(const struct smtp_client *client)
{
	if (client->phase == PHASE_READY && client->delivery_count)
		return delivery_stage(&client->deliveries[0]);
	return phase_rules[client->phase].stage;
}

uint32_t smtp_client_timeout_ms(const struct smtp_client *client)
{
	const struct smtp_client_timeouts *timeouts = &client->options.timeouts;

	switch (smtp_client_stage(client)) {
	case SMTP_STAGE_GREETING:
		return timeouts->greeting_ms;
	case SMTP_STAGE_EHLO:
		return timeouts->ehlo_ms;
	case SMTP_STAGE_STARTTLS:
	case SMTP_STAGE_HANDSHAKE:
		return timeouts->starttls_ms;
	case SMTP_STAGE_AUTH:
		return timeouts->auth_ms;
	case SMTP_STAGE_MAIL:
		return timeouts->mail_ms;
	case SMTP_STAGE_RCPT:
		return timeouts->rcpt_ms;
	case SMTP_STAGE_DATA:
		return timeouts->data_ms;
	case SMTP_STAGE_BODY:
		return timeouts->body_ms;
	case SMTP_STAGE_DOT:
		return timeouts->dot_ms;
	case SMTP_STAGE_RSET:
		return timeouts->rset_ms;
	case SMTP_STAGE_QUIT:
		return timeouts->quit_ms;
	case SMTP_STAGE_NONE:
	case SMTP_STAGE_IDLE:
		break;
	}
	return 0;
}

uint64_t smtp_client_replies(const struct smtp_client *client)
{
	return client->reply_count;
}

const char *smtp_client_stage_name(enum smtp_client_stage stage)
{
	static const char *const names[] = {
		[SMTP_STAGE_NONE] = "none",
		[SMTP_STAGE_GREETING] = "greeting",
		[SMTP_STAGE_EHLO] = "ehlo",
		[SMTP_STAGE_STARTTLS] = "starttls",
		[SMTP_STAGE_HANDSHAKE] = "handshake",
		[SMTP_STAGE_AUTH] = "auth",
		[SMTP_STAGE_IDLE] = "idle",
		[SMTP_STAGE_MAIL] = "mail",
		[SMTP_STAGE_RCPT] = "rcpt",
		[SMTP_STAGE_DATA] = "data",
		[SMTP_STAGE_BODY] = "body",
		[SMTP_STAGE_DOT] = "dot",
		[SMTP_STAGE_RSET] = "rset",
		[SMTP_STAGE_QUIT] = "quit",
	};

	return names[stage];
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
