/*
 * Runs a dialogue script against the pure server machine, twice: with each group of client lines fed at once,
 * and byte by byte. The dialogues must not differ.
 */
#include "script.h"

#include "skein/proto/smtp/server.h"

#include <stdio.h>

struct run {
	const struct script *script;
	struct smtp_server_options options;
	struct smtp_server *server;
	struct span auth; /* mechanisms */
	bool byte_by_byte;
	unsigned line; /* of the step in hand */
	struct buf in, out;
	struct buf message, accepted; /* the one that comes in; the last that was accepted */
	bool closed;
	unsigned responses; /* of the AUTH exchange that is open */
};

static const char *const event_names[] = {
	[SMTP_EVENT_HELO] = "helo",
	[SMTP_EVENT_MAIL] = "mail",
	[SMTP_EVENT_RCPT] = "rcpt",
	[SMTP_EVENT_DATA_BEGIN] = "data",
	[SMTP_EVENT_MESSAGE_END] = "message",
	[SMTP_EVENT_STARTTLS] = "starttls",
	[SMTP_EVENT_AUTH] = "auth",
	[SMTP_EVENT_AUTH_RESPONSE] = "auth",
};

/* What a decision may be looked up by. */
static struct span subject_of(enum smtp_event event, const struct smtp_event_data *data)
{
	if (event == SMTP_EVENT_HELO)
		return data->helo.name;
	if (event == SMTP_EVENT_MAIL)
		return data->mail.from.text;
	if (event == SMTP_EVENT_AUTH)
		return data->auth.initial;
	if (event == SMTP_EVENT_AUTH_RESPONSE)
		return data->auth_response;
	return event == SMTP_EVENT_RCPT ? data->rcpt.to.text : span_of("", 0);
}

/* "CODE ENHANCED TEXT". */
static struct smtp_reply parse_reply(struct run *run, struct span text)
{
	struct smtp_reply reply;
	struct span code_word = script_take_word(&text);
	struct span enhanced = script_take_word(&text);
	static char enhanced_text[16];
	uint64_t code;

	if (!span_parse_u64(code_word, 599, &code) || enhanced.len >= sizeof(enhanced_text))
		script_fail(run->script, run->line, "a decision needs code, enhanced code and text");
	memcpy(enhanced_text, enhanced.ptr, enhanced.len);
	enhanced_text[enhanced.len] = '\0';
	reply = (struct smtp_reply){ (uint16_t)code, enhanced_text, text };
	return reply;
}

/* "@ decide EVENT PATTERN CODE ENHANCED TEXT", "@ drop EVENT". The last that fits decides. */
static void decide(struct run *run, enum smtp_event event, const struct smtp_event_data *data)
{
	struct span wanted = span_of_str(event_names[event]);
	struct span answer = { NULL, 0 };
	struct smtp_reply reply;

	for (size_t i = 0; i < run->script->directive_count; i++) {
		struct span args = run->script->directives[i].args;

		if (!span_eq(script_take_word(&args), wanted))
			continue;
		if (span_eq(run->script->directives[i].name, SPAN_LIT("drop"))) {
			smtp_server_close(run->server, &run->out, NULL);
			run->closed = true;
			return;
		}
		if (span_eq(run->script->directives[i].name, SPAN_LIT("decide")) &&
			script_matches(script_take_word(&args), subject_of(event, data)))
			answer = args;
	}
	if (answer.ptr)
		reply = parse_reply(run, answer);
	if (event == SMTP_EVENT_MESSAGE_END && (!answer.ptr || reply.code < 400)) {
		buf_clear(&run->accepted);
		buf_append(&run->accepted, buf_span(&run->message));
	}
	smtp_server_decide(run->server, &run->out, answer.ptr ? &reply : NULL);
}

static bool has_directive(const struct script *script, struct span name)
{
	for (size_t i = 0; i < script->directive_count; i++) {
		if (span_eq(script->directives[i].name, name))
			return true;
	}
	return false;
}

/* "@ challenge TEXT": the nth answers what the client said for the nth time. False: there is none left. */
static bool challenge(struct run *run, bool has_response)
{
	unsigned nth = run->responses += has_response;

	for (size_t i = 0; i < run->script->directive_count; i++) {
		if (!span_eq(run->script->directives[i].name, SPAN_LIT("challenge")) || nth--)
			continue;
		smtp_server_challenge(run->server, &run->out, run->script->directives[i].args);
		return true;
	}
	return false;
}

static void on_auth(struct run *run, enum smtp_event event, const struct smtp_event_data *data)
{
	if (event == SMTP_EVENT_AUTH)
		run->responses = 0;
	if (challenge(run, event == SMTP_EVENT_AUTH_RESPONSE || data->auth.has_initial))
		return;
	if (has_directive(run->script, SPAN_LIT("empty-line")))
		smtp_server_empty_line_may_come(run->server);
	decide(run, event, data);
}

static void on_event(struct run *run, enum smtp_event event, const struct smtp_event_data *data)
{
	switch (event) {
	case SMTP_EVENT_BODY:
		buf_append(&run->message, data->body);
		break;
	case SMTP_EVENT_QUIT:
	case SMTP_EVENT_CLOSE:
		run->closed = true;
		break;
	case SMTP_EVENT_DATA_BEGIN:
		buf_clear(&run->message);
		decide(run, event, data);
		break;
	case SMTP_EVENT_MESSAGE_END:
		if (data->message_end.size != buf_len(&run->message))
			script_fail(run->script, run->line, "the size told is not that of the body");
		decide(run, event, data);
		break;
	case SMTP_EVENT_HELO:
	case SMTP_EVENT_MAIL:
	case SMTP_EVENT_RCPT:
	case SMTP_EVENT_STARTTLS:
		decide(run, event, data);
		break;
	case SMTP_EVENT_AUTH:
	case SMTP_EVENT_AUTH_RESPONSE:
		on_auth(run, event, data);
		break;
	case SMTP_EVENT_RESET:
	case SMTP_EVENT_NONE:
		break;
	}
}

static void pump(struct run *run)
{
	enum smtp_event event;

	do {
		struct span in = buf_span(&run->in);
		size_t before = in.len;
		struct smtp_event_data data;

		event = smtp_server_next(run->server, &in, &run->out, &data);
		on_event(run, event, &data);
		buf_consume(&run->in, before - in.len);
	} while (event != SMTP_EVENT_NONE);
	if (buf_len(&run->in) >=
		(run->auth.len ? run->options.auth_line_max : run->options.envelope_line_max))
		script_fail(run->script, run->line, "the machine leaves too much with its caller");
}

static void feed(struct run *run, struct span bytes)
{
	size_t step = run->byte_by_byte ? 1 : bytes.len;

	for (; bytes.len; bytes = span_drop(bytes, step)) {
		buf_append(&run->in, span_take(bytes, step));
		pump(run);
	}
}

/* All client lines up to the next step of another kind, at once. Returns the index of that step. */
static size_t send_group(struct run *run, size_t at)
{
	struct buf group = { 0 };

	if (buf_len(&run->out))
		script_fail(run->script, run->line, "the server has said more: %.*s",
			SPAN_ARGS(buf_span(&run->out)));
	for (; at < run->script->step_count && run->script->steps[at].kind == STEP_SEND; at++)
		buf_append(&group, run->script->steps[at].text);
	feed(run, buf_span(&group));
	buf_fini(&group);
	return at;
}

/* The next line that the server said, without its CRLF; taken from `out`, valid until it grows. */
static struct span take_reply_line(struct run *run)
{
	struct span out = buf_span(&run->out);
	size_t len = span_find(out, '\n');

	if (len == out.len || !len || out.ptr[len - 1] != '\r')
		script_fail(run->script, run->line, "the server says nothing%s",
			run->closed ? ", it closed" : "");
	buf_consume(&run->out, len + 1);
	return span_take(out, len - 1);
}

static void expect(struct run *run, const struct step *step)
{
	struct span line = take_reply_line(run);

	while (step->kind == STEP_EXPECT_END && line.len > 3 && line.ptr[3] == '-')
		line = take_reply_line(run);
	if (!script_matches(step->text, line))
		script_fail(run->script, step->line, "got \"%.*s\"", SPAN_ARGS(line));
}

/* All M: lines together are the message. Returns the index of the next step. */
static size_t expect_message(struct run *run, size_t at)
{
	struct buf wanted = { 0 };

	for (; at < run->script->step_count && run->script->steps[at].kind == STEP_MESSAGE; at++)
		buf_append(&wanted, run->script->steps[at].text);
	if (!span_eq(buf_span(&wanted), buf_span(&run->accepted)))
		script_fail(run->script, run->line, "the message is \"%.*s\"",
			SPAN_ARGS(buf_span(&run->accepted)));
	buf_fini(&wanted);
	return at;
}

/* Returns the index of the next step. */
static size_t run_step(struct run *run, size_t at)
{
	const struct step *step = &run->script->steps[at];

	run->line = step->line;
	switch (step->kind) {
	case STEP_SEND:
		return send_group(run, at);
	case STEP_EXPECT:
	case STEP_EXPECT_END:
		expect(run, step);
		break;
	case STEP_CLOSED:
		if (!run->closed || buf_len(&run->out))
			script_fail(run->script, step->line, "the server does not close");
		break;
	case STEP_HANDSHAKE:
		smtp_server_tls_started(run->server);
		if (run->auth.len)
			smtp_server_offer_auth(run->server, run->auth);
		break;
	case STEP_MESSAGE:
		return expect_message(run, at);
	}
	return at + 1;
}

static const struct {
	const char *name;
	unsigned bit;
} extensions[] = {
	{ "8BITMIME", SMTP_EXT_8BITMIME },
	{ "SMTPUTF8", SMTP_EXT_SMTPUTF8 },
	{ "CHUNKING", SMTP_EXT_CHUNKING },
	{ "DSN", SMTP_EXT_DSN },
	{ "LIMITS", SMTP_EXT_LIMITS },
	{ "REQUIRETLS", SMTP_EXT_REQUIRETLS },
	{ "MT-PRIORITY", SMTP_EXT_MT_PRIORITY },
	{ "DELIVERBY", SMTP_EXT_DELIVERBY },
	{ "FUTURERELEASE", SMTP_EXT_FUTURERELEASE },
};

static bool set_extension(struct run *run, struct span name, bool is_on)
{
	for (size_t i = 0; i < ARRAY_LEN(extensions); i++) {
		if (!span_eq(name, span_of_str(extensions[i].name)))
			continue;
		if (is_on)
			run->options.extensions |= extensions[i].bit;
		else
			run->options.extensions &= ~extensions[i].bit;
		return true;
	}
	return false;
}

static bool set_number(struct run *run, struct span name, struct span value)
{
	struct smtp_server_options *options = &run->options;
	const struct {
		const char *name;
		uint32_t *field;
	} numbers[] = {
		{ "text-line", &options->text_line_max },
		{ "command-line", &options->command_line_max },
		{ "envelope-line", &options->envelope_line_max },
		{ "auth-line", &options->auth_line_max },
		{ "recipients", &options->recipients_max },
		{ "messages", &options->messages_max },
		{ "errors", &options->errors_max },
		{ "unknown", &options->unknown_max },
	};
	uint64_t number;

	if (!span_parse_u64(value, UINT32_MAX, &number))
		return false;
	if (span_eq(name, SPAN_LIT("size"))) {
		options->message_size_max = number;
		return true;
	}
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		if (!span_eq(name, span_of_str(numbers[i].name)))
			continue;
		*numbers[i].field = (uint32_t)number;
		return true;
	}
	return false;
}

/* A directive that says how the server is set up. False: there is none such. */
static bool set_option(struct run *run, struct span name, struct span args)
{
	if (span_eq(name, SPAN_LIT("starttls"))) {
		run->options.extensions |= SMTP_EXT_STARTTLS;
		return true;
	}
	if (span_eq(name, SPAN_LIT("auth"))) {
		run->options.extensions |= SMTP_EXT_AUTH;
		run->auth = args;
		return true;
	}
	if (span_eq(name, SPAN_LIT("without")))
		return set_extension(run, args, false);
	if (span_eq(name, SPAN_LIT("with")))
		return set_extension(run, args, true);
	if (span_eq(name, SPAN_LIT("bare-newline"))) {
		run->options.bare_newline = SMTP_BARE_NEWLINE_NORMALISE;
		return span_eq(args, SPAN_LIT("normalise"));
	}
	return set_number(run, name, args);
}

/* Those that no setting of the program can bring about, so that only this runner understands them. */
static bool is_for_machines(struct span name)
{
	static const char *const names[] = { "machine-only", "decide", "drop", "greet", "challenge",
		"empty-line" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (span_eq(name, span_of_str(names[i])))
			return true;
	}
	return false;
}

static void set_up(struct run *run)
{
	bool is_machine_only = has_directive(run->script, SPAN_LIT("machine-only"));

	smtp_server_options_init(&run->options);
	run->options.hostname = SPAN_LIT("relay.example");
	for (size_t i = 0; i < run->script->directive_count; i++) {
		const struct directive *directive = &run->script->directives[i];

		run->line = directive->line;
		if (is_for_machines(directive->name)) {
			if (!is_machine_only)
				script_fail(run->script, run->line, "this needs @ machine-only");
		} else if (!set_option(run, directive->name, directive->args)) {
			script_fail(run->script, run->line, "unknown directive");
		}
	}
	run->server = smtp_server_new(&run->options);
	/* A day, and until 2100. */
	if (run->options.extensions & SMTP_EXT_FUTURERELEASE)
		smtp_server_offer_hold(run->server, 86400, 4102444800);
}

static void greet(struct run *run)
{
	struct smtp_reply reply;

	for (size_t i = 0; i < run->script->directive_count; i++) {
		if (!span_eq(run->script->directives[i].name, SPAN_LIT("greet")))
			continue;
		reply = parse_reply(run, run->script->directives[i].args);
		smtp_server_greet(run->server, &run->out, &reply);
		return;
	}
	smtp_server_greet(run->server, &run->out, NULL);
}

static void run_script(const struct script *script, bool byte_by_byte)
{
	struct run run = { .script = script, .byte_by_byte = byte_by_byte };

	set_up(&run);
	greet(&run);
	pump(&run);
	for (size_t at = 0; at < script->step_count;)
		at = run_step(&run, at);
	if (buf_len(&run.out))
		script_fail(
			script, run.line, "the server has said more: %.*s", SPAN_ARGS(buf_span(&run.out)));
	smtp_server_free(&run.server);
	buf_fini(&run.in);
	buf_fini(&run.out);
	buf_fini(&run.message);
	buf_fini(&run.accepted);
}

int main(int argc, char **argv)
{
	static struct script script;

	if (argc != 2) {
		fprintf(stderr, "usage: %s SCRIPT\n", argv[0]);
		return 2;
	}
	script_load(&script, argv[1]);
	run_script(&script, false);
	run_script(&script, true);
	script_fini(&script);
	return 0;
}
