#include "skein/proto/smtp/server.h"

#include "skein/proto/base/alloc.h"
#include "smtp/server_internal.h"

/* A peer that goes on and on in a line that was refused is cut off. */
enum { SKIPPED_MAX = 64 * 1024 };

#define TO(phase) (1u << PHASE_##phase)

/*
 *                               .--- MESSAGE_END, RESET ---.
 *                               v                          |
 *  START --> HELLO --HELO--> READY --MAIL--> MAIL --DATA--> DATA
 *    |         ^               |               |
 *    |         '---- TLS <-----+--> AUTH       '-BDAT-> CHUNK <--> CHUNKS   (all but TLS back to READY)
 *    '--> REFUSED                                                           (all on to CLOSED)
 */
static const struct phase_rule {
	unsigned next;
	enum smtp_reply_id refusal; /* of verbs that are not legal here; NONE: no commands here */
} phase_rules[PHASE_COUNT] = {
	[PHASE_START] = { TO(HELLO) | TO(REFUSED) | TO(CLOSED), SMTP_REPLY_NONE },
	[PHASE_REFUSED] = { TO(CLOSED), SMTP_REPLY_ONLY_QUIT },
	[PHASE_HELLO] = { TO(READY) | TO(CLOSED), SMTP_REPLY_NEED_HELO },
	[PHASE_READY] = { TO(READY) | TO(MAIL) | TO(TLS) | TO(AUTH) | TO(CLOSED), SMTP_REPLY_NEED_MAIL },
	[PHASE_MAIL] = { TO(READY) | TO(DATA) | TO(CHUNK) | TO(CLOSED), SMTP_REPLY_NESTED_MAIL },
	[PHASE_DATA] = { TO(READY) | TO(CLOSED), SMTP_REPLY_NONE },
	[PHASE_CHUNK] = { TO(CHUNKS) | TO(READY) | TO(CLOSED), SMTP_REPLY_NONE },
	[PHASE_CHUNKS] = { TO(CHUNK) | TO(READY) | TO(CLOSED), SMTP_REPLY_BDAT_OPEN },
	[PHASE_TLS] = { TO(HELLO) | TO(CLOSED), SMTP_REPLY_NONE },
	[PHASE_AUTH] = { TO(READY) | TO(CLOSED), SMTP_REPLY_NONE },
	[PHASE_CLOSED] = { 0, SMTP_REPLY_NONE },
};

void smtp_server_options_init(struct smtp_server_options *options)
{
	*options = (struct smtp_server_options){
		.extensions = SMTP_EXT_8BITMIME | SMTP_EXT_SMTPUTF8 | SMTP_EXT_CHUNKING | SMTP_EXT_DSN |
			      SMTP_EXT_LIMITS,
		.bare_newline = SMTP_BARE_NEWLINE_REFUSE,
		.message_size_max = 100u << 20,
		.command_line_max = 512,
		.envelope_line_max = 2048,
		.auth_line_max = 64 * 1024,
		.recipients_max = 1000,
		.errors_max = 20,
		.unknown_max = 10,
	};
}

struct smtp_server *smtp_server_new(const struct smtp_server_options *options)
{
	struct smtp_server *server = mem_zalloc(sizeof(*server));

	CHECK(options->hostname.len && options->message_size_max && options->recipients_max);
	CHECK(options->envelope_line_max >= options->command_line_max);
	CHECK(options->auth_line_max >= options->envelope_line_max);
	server->options = options;
	return server;
}

void smtp_server_free(struct smtp_server **server)
{
	if (!*server)
		return;
	smtp_wipe_secret(*server);
	arena_fini(&(*server)->arena);
	mem_free(*server);
	*server = NULL;
}

void smtp_server_greet(struct smtp_server *server, struct buf *out, const struct smtp_reply *reply)
{
	if (reply) {
		smtp_reply_format(out, reply);
		smtp_enter_phase(server, reply->code == 421 ? PHASE_CLOSED : PHASE_REFUSED);
		server->queued = reply->code == 421 ? SMTP_EVENT_CLOSE : SMTP_EVENT_NONE;
		return;
	}
	buf_append(out, SPAN_LIT("220 "));
	buf_append(out, server->options->hostname);
	buf_append(out, SPAN_LIT(" ESMTP Skein\r\n"));
	smtp_enter_phase(server, PHASE_HELLO);
}

/*
 * What began as BDAT and cannot be understood is followed by a chunk of unknown size, which must not be read
 * as commands.
 */
static bool is_bdat(struct span line)
{
	return span_starts_with_nocase(line, SPAN_LIT("BDAT"));
}

/* The verb, and what follows it and its spaces. */
static struct span take_verb(struct span line, struct span *args_out)
{
	struct span verb = span_take(line, span_find(line, ' '));

	*args_out = span_trim(span_drop(line, verb.len));
	return verb;
}

static enum smtp_event complain_of_unknown(
	struct smtp_server *server, const struct call *call, struct span line)
{
	if (is_bdat(line))
		return smtp_hang_up(server, call, SMTP_REPLY_BAD_BDAT);
	if (++server->unknown >= server->options->unknown_max)
		return smtp_hang_up(server, call, SMTP_REPLY_TOO_MANY_ERRORS);
	return smtp_complain(server, call, SMTP_REPLY_UNKNOWN_COMMAND);
}

/* A verb that is not legal in this phase. */
static enum smtp_event complain_of_sequence(struct smtp_server *server, const struct call *call)
{
	enum smtp_reply_id refusal = smtp_phase_refusal(server);

	if (server->mail_refused && call->verb->flags & VERB_IN_MAIL)
		return smtp_decline(server, call, refusal);
	return smtp_complain(server, call, refusal);
}

/* What is wrong with the command, as far as the table knows. */
static enum smtp_reply_id check_form(
	const struct smtp_server *server, const struct call *call, size_t line_len)
{
	const struct verb *verb = call->verb;

	if (line_len + strlen("\r\n") > server->options->command_line_max && !(verb->flags & VERB_LONG_LINE))
		return SMTP_REPLY_LINE_TOO_LONG;
	if (!smtp_verb_is_offered(server, verb))
		return SMTP_REPLY_NOT_IMPLEMENTED;
	if (verb->flags & VERB_NO_ARGUMENTS && call->args.len)
		return SMTP_REPLY_NO_ARGUMENTS_ALLOWED;
	if (verb->flags & VERB_NEEDS_ARGUMENTS && !call->args.len)
		return SMTP_REPLY_BAD_ARGUMENTS;
	return SMTP_REPLY_NONE;
}

static enum smtp_event dispatch(struct smtp_server *server, struct call *call, struct span line)
{
	enum smtp_reply_id wrong;

	call->verb = smtp_verb_find(take_verb(line, &call->args));
	if (!call->verb)
		return complain_of_unknown(server, call, line);
	if (!(call->verb->phases & 1u << server->phase))
		return complain_of_sequence(server, call);
	wrong = check_form(server, call, line.len);
	if (wrong)
		return smtp_complain(server, call, wrong);
	return call->verb->run(server, call);
}

/* A line that cannot be a command. */
static enum smtp_event refuse_line(
	struct smtp_server *server, const struct call *call, struct span line, enum line_result result)
{
	if (is_bdat(line))
		return smtp_hang_up(server, call, SMTP_REPLY_BAD_BDAT);
	if (result == LINE_TOO_LONG)
		return smtp_complain(server, call, SMTP_REPLY_LINE_TOO_LONG);
	return smtp_complain(server, call,
		result == LINE_NUL ? SMTP_REPLY_NUL_IN_COMMAND : SMTP_REPLY_BARE_NEWLINE_IN_COMMAND);
}

/* An idle connection holds no block; between the recipients of a message one is kept. */
static void release_arena(struct smtp_server *server)
{
	if (server->waiting || server->afterwards)
		return;
	if (smtp_in_transaction(server))
		arena_reset(&server->arena);
	else
		arena_fini(&server->arena);
}

/* Only the initial response of an AUTH may make a line that long. */
static size_t line_len_max(const struct smtp_server *server, struct span in)
{
	size_t len_max = server->options->envelope_line_max;

	if (in.len < len_max || !server->mechanisms.len || server->phase != PHASE_READY)
		return len_max;
	return span_starts_with_nocase(in, SPAN_LIT("AUTH ")) ? server->options->auth_line_max : len_max;
}

/* False: it may be the CR of the empty line that may come. */
static bool read_over_empty_line(struct smtp_server *server, struct span *in)
{
	if (!in->len)
		return true;
	if (in->len == 1 && in->ptr[0] == '\r')
		return false;
	server->empty_line_may_come = false;
	if (span_starts_with(*in, SPAN_LIT("\r\n")))
		*in = span_drop(*in, 2);
	return true;
}

static bool command_step(struct smtp_server *server, struct span *in, struct buf *out,
	struct smtp_event_data *data, enum smtp_event *event_out)
{
	struct call call = { .out = out, .data = data };
	struct span line;
	enum line_result result;

	if (server->empty_line_may_come && !read_over_empty_line(server, in))
		return false;
	result = line_take(&server->line, in, line_len_max(server, *in), &line);
	if (server->line.skipped > SKIPPED_MAX) {
		*event_out = smtp_hang_up(server, &call, SMTP_REPLY_TOO_MANY_ERRORS);
		return true;
	}
	if (result == LINE_MORE)
		return false;
	*event_out = result == LINE_WHOLE ? dispatch(server, &call, line)
					  : refuse_line(server, &call, line, result);
	release_arena(server);
	return true;
}

/* The bytes of a refused chunk. */
static bool swallow_step(struct smtp_server *server, struct span *in, struct buf *out)
{
	size_t len = in->len < server->swallow ? in->len : (size_t)server->swallow;

	*in = span_drop(*in, len);
	server->swallow -= len;
	if (server->swallow)
		return false;
	smtp_reply_format(out, server->afterwards);
	server->afterwards = NULL;
	release_arena(server);
	return true;
}

/*
 * A command that ends a pipelining group was refused, and more is here already: it may be the body that the
 * peer took for granted, and must not be read as commands.
 */
static bool has_not_waited(struct smtp_server *server, const struct span *in)
{
	bool must_be_alone = server->must_be_alone;

	server->must_be_alone = false;
	return must_be_alone && in->len && server->phase != PHASE_CLOSED;
}

static bool auth_step(struct smtp_server *server, struct span *in, struct buf *out,
	struct smtp_event_data *data, enum smtp_event *event_out)
{
	if (!smtp_auth_step(server, in, out, data, event_out))
		return false;
	release_arena(server);
	return true;
}

/* False: more input is needed. */
static bool step(struct smtp_server *server, struct span *in, struct buf *out, struct smtp_event_data *data,
	enum smtp_event *event_out)
{
	if (has_not_waited(server, in)) {
		*event_out = smtp_hang_up(
			server, &(struct call){ .out = out, .data = data }, SMTP_REPLY_DID_NOT_WAIT);
		return true;
	}
	if (server->afterwards)
		return swallow_step(server, in, out);
	if (server->phase == PHASE_DATA)
		return smtp_data_step(server, in, out, data, event_out);
	if (server->phase == PHASE_CHUNK)
		return smtp_chunk_step(server, in, out, data, event_out);
	if (server->phase == PHASE_AUTH)
		return auth_step(server, in, out, data, event_out);
	if (phase_rules[server->phase].refusal)
		return command_step(server, in, out, data, event_out);
	/* TLS (RFC 3207 4.2) and CLOSED. */
	*in = span_drop(*in, in->len);
	return false;
}

enum smtp_event smtp_server_next(
	struct smtp_server *server, struct span *in, struct buf *out, struct smtp_event_data *data_out)
{
	enum smtp_event event = server->queued;

	CHECK(server->phase != PHASE_START);
	server->queued = SMTP_EVENT_NONE;
	*data_out = (struct smtp_event_data){ .reply = server->queued_reply };
	server->queued_reply = NULL;
	while (event == SMTP_EVENT_NONE && !server->waiting) {
		/* A command that failed has left its traces. */
		*data_out = (struct smtp_event_data){ 0 };
		if (!step(server, in, out, data_out, &event))
			break;
	}
	return event;
}

void smtp_server_decide(struct smtp_server *server, struct buf *out, const struct smtp_reply *reply)
{
	static void (*const decided[])(struct smtp_server *, struct buf *, const struct smtp_reply *) = {
		[SMTP_EVENT_HELO] = smtp_helo_decided,
		[SMTP_EVENT_MAIL] = smtp_mail_decided,
		[SMTP_EVENT_RCPT] = smtp_rcpt_decided,
		[SMTP_EVENT_DATA_BEGIN] = smtp_data_decided,
		[SMTP_EVENT_MESSAGE_END] = smtp_message_decided,
		[SMTP_EVENT_STARTTLS] = smtp_starttls_decided,
		[SMTP_EVENT_AUTH] = smtp_auth_decided,
		[SMTP_EVENT_AUTH_RESPONSE] = smtp_auth_decided,
	};
	enum smtp_event event = server->waiting;

	CHECK(event != SMTP_EVENT_NONE);
	server->waiting = SMTP_EVENT_NONE;
	smtp_wipe_secret(server);
	if (reply && reply->code == 421) {
		smtp_server_close(server, out, reply);
		server->queued = SMTP_EVENT_CLOSE;
		return;
	}
	decided[event](server, out, reply);
	release_arena(server);
}

void smtp_server_challenge(struct smtp_server *server, struct buf *out, struct span challenge)
{
	CHECK(server->waiting == SMTP_EVENT_AUTH || server->waiting == SMTP_EVENT_AUTH_RESPONSE);
	server->waiting = SMTP_EVENT_NONE;
	smtp_wipe_secret(server);
	smtp_auth_challenge(server, out, challenge);
	release_arena(server);
}

void smtp_server_close(struct smtp_server *server, struct buf *out, const struct smtp_reply *reply)
{
	if (server->phase == PHASE_CLOSED)
		return;
	if (reply)
		smtp_reply_format(out, reply);
	server->waiting = server->queued = SMTP_EVENT_NONE;
	server->afterwards = NULL;
	smtp_wipe_secret(server);
	arena_fini(&server->arena);
	smtp_enter_phase(server, PHASE_CLOSED);
}

void smtp_server_tls_started(struct smtp_server *server)
{
	CHECK(server->phase == PHASE_START || server->phase == PHASE_TLS);
	server->tls = true;
	if (server->phase == PHASE_TLS)
		smtp_enter_phase(server, PHASE_HELLO);
}

void smtp_server_offer_auth(struct smtp_server *server, struct span mechanisms)
{
	CHECK(server->tls && server->options->extensions & SMTP_EXT_AUTH);
	server->mechanisms = mechanisms;
}

void smtp_server_offer_hold(struct smtp_server *server, uint32_t hold_max_s, int64_t until_max_s)
{
	CHECK(server->options->extensions & SMTP_EXT_FUTURERELEASE);
	server->hold_max_s = hold_max_s;
	server->hold_until_max_s = until_max_s;
}

unsigned smtp_offered_extensions(const struct smtp_server *server)
{
	unsigned offered = server->options->extensions;

	offered &= ~(unsigned)(server->tls ? SMTP_EXT_STARTTLS : SMTP_EXT_REQUIRETLS);
	if (!server->mechanisms.len)
		offered &= ~(unsigned)SMTP_EXT_AUTH;
	if (!server->hold_max_s)
		offered &= ~(unsigned)SMTP_EXT_FUTURERELEASE;
	return offered;
}

void smtp_server_empty_line_may_come(struct smtp_server *server)
{
	server->empty_line_may_come = true;
}

bool smtp_server_is_waiting(const struct smtp_server *server)
{
	return server->waiting != SMTP_EVENT_NONE;
}

bool smtp_server_is_idle(const struct smtp_server *server)
{
	return (server->phase == PHASE_HELLO || server->phase == PHASE_READY) && !server->waiting &&
	       !server->afterwards && !server->line.skipping;
}

void smtp_enter_phase(struct smtp_server *server, enum phase next)
{
	CHECK(phase_rules[server->phase].next & 1u << next);
	CHECK(!server->waiting);
	server->phase = next;
}

bool smtp_in_transaction(const struct smtp_server *server)
{
	return server->phase >= PHASE_MAIL && server->phase <= PHASE_CHUNKS;
}

void smtp_end_transaction(struct smtp_server *server)
{
	server->recipients = 0;
	server->smtputf8 = false;
	smtp_enter_phase(server, PHASE_READY);
}

void smtp_answer(struct buf *out, enum smtp_reply_id id)
{
	smtp_reply_format(out, smtp_reply_get(id));
}

enum smtp_event smtp_decline(struct smtp_server *server, const struct call *call, enum smtp_reply_id id)
{
	smtp_answer(call->out, id);
	server->must_be_alone = call->verb && call->verb->flags & VERB_ENDS_GROUP;
	return SMTP_EVENT_NONE;
}

enum smtp_event smtp_complain(struct smtp_server *server, const struct call *call, enum smtp_reply_id id)
{
	if (++server->errors >= server->options->errors_max)
		return smtp_hang_up(server, call, SMTP_REPLY_TOO_MANY_ERRORS);
	return smtp_decline(server, call, id);
}

enum smtp_event smtp_hang_up(struct smtp_server *server, const struct call *call, enum smtp_reply_id id)
{
	smtp_server_close(server, call->out, smtp_reply_get(id));
	call->data->reply = smtp_reply_get(id);
	return SMTP_EVENT_CLOSE;
}

enum smtp_reply_id smtp_phase_refusal(const struct smtp_server *server)
{
	return phase_rules[server->phase].refusal;
}

enum smtp_event smtp_wait(struct smtp_server *server, enum smtp_event event)
{
	server->waiting = event;
	return event;
}
