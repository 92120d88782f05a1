/* Runs client.dialogues, whose first lines say what a line means. */
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>

#include "skein/proto/smtp/client.h"

static const struct smtp_client_rcpt one_rcpt[] = {
	{ .addr = SPAN_LIT("r1@b.example") },
};
static const struct smtp_client_rcpt three_rcpts[] = {
	{ .addr = SPAN_LIT("r1@b.example"),
		.notify = DSN_NOTIFY_SUCCESS | DSN_NOTIFY_FAILURE | DSN_NOTIFY_DELAY },
	{ .addr = SPAN_LIT("r2@b.example"), .notify = DSN_NOTIFY_NEVER },
	{ .addr = SPAN_LIT("r3@b.example"), .orcpt = SPAN_LIT("rfc822;o+2B3@b.example") },
};

static const struct {
	const char *name;
	struct smtp_client_transaction transaction;
} transactions[] = {
	{ "A", { .sender = SPAN_LIT("s@a.example"), .rcpts = one_rcpt, .rcpt_count = 1, .body_size = 100 } },
	{ "B", { .rcpts = one_rcpt, .rcpt_count = 1 } },
	{ "ABC", { .sender = SPAN_LIT("s@a.example"),
			 .rcpts = three_rcpts,
			 .rcpt_count = 3,
			 .body_size = 100,
			 .ret = DSN_RET_HDRS,
			 .envid = SPAN_LIT("Q+2B1") } },
	{ "EIGHT", { .sender = SPAN_LIT("s@a.example"),
			   .rcpts = one_rcpt,
			   .rcpt_count = 1,
			   .needs_8bit = true } },
	{ "UTF", { .sender = SPAN_LIT("s@a.example"),
			 .rcpts = one_rcpt,
			 .rcpt_count = 1,
			 .needs_8bit = true,
			 .needs_smtputf8 = true } },
	{ "SAFE", { .rcpts = one_rcpt, .rcpt_count = 1, .needs_requiretls = true } },
	{ "FAST", { .rcpts = one_rcpt, .rcpt_count = 1, .priority = 9 } },
	{ "SLOW", { .rcpts = one_rcpt, .rcpt_count = 1, .priority = -3 } },
	{ "BACK", { .rcpts = one_rcpt, .rcpt_count = 1, .deliver_by = { DELIVER_BY_RETURN, true, 120 } } },
	{ "LATE", { .rcpts = one_rcpt, .rcpt_count = 1, .deliver_by = { DELIVER_BY_RETURN, false, 0 } } },
	{ "TELL", { .rcpts = one_rcpt, .rcpt_count = 1, .deliver_by = { DELIVER_BY_NOTIFY, false, -60 } } },
};

/* One dialogue: borrowed from the file's text. */
struct script {
	const char *name;
	struct span text;
};

struct run {
	const struct script *script;
	struct smtp_client_options options;
	struct smtp_client *client;
	struct buf in, out, events;
	size_t piece_len;
};

static const char *tag_name(const void *tag)
{
	for (size_t i = 0; i < ARRAY_LEN(transactions); i++) {
		if (tag == transactions[i].name)
			return transactions[i].name;
	}
	return "?";
}

static void record_reply(struct run *run, const struct smtp_client_event_data *data)
{
	buf_printf(&run->events, " %s %u ", smtp_client_stage_name(data->stage), data->status.code);
	if (data->status.enhanced.class)
		enhanced_code_append(&run->events, data->status.enhanced);
	else
		buf_append_byte(&run->events, '-');
	for (size_t i = 0; i < data->text.len; i++) {
		buf_append_str(&run->events, i ? "" : " ");
		buf_append_byte(&run->events, data->text.ptr[i] == '\n' ? '|' : data->text.ptr[i]);
	}
}

static void record(struct run *run, enum smtp_client_event event, const struct smtp_client_event_data *data)
{
	static const char *const names[] = {
		[SMTP_CLIENT_STARTTLS] = "starttls",
		[SMTP_CLIENT_READY] = "ready",
		[SMTP_CLIENT_BODY_WANTED] = "body",
		[SMTP_CLIENT_RESULT] = "result",
		[SMTP_CLIENT_TRANSACTION_DONE] = "done",
		[SMTP_CLIENT_TRANSACTION_LOST] = "lost",
		[SMTP_CLIENT_FAILED] = "failed",
		[SMTP_CLIENT_QUIT_DONE] = "quit",
	};

	buf_append_str(&run->events, names[event]);
	if (data->tag)
		buf_printf(&run->events, " %s", tag_name(data->tag));
	if (event == SMTP_CLIENT_RESULT)
		buf_printf(&run->events, " %zu", data->rcpt_idx);
	if (event == SMTP_CLIENT_TRANSACTION_LOST)
		buf_append_str(&run->events, data->is_outcome_unknown ? " unknown" : " undelivered");
	if (event == SMTP_CLIENT_TRANSACTION_LOST || event == SMTP_CLIENT_FAILED)
		buf_printf(&run->events, " (%s)", smtp_client_failure_text(data->failure));
	if (data->stage != SMTP_STAGE_NONE || data->status.code)
		record_reply(run, data);
	buf_append_byte(&run->events, '\n');
}

static void pump(struct run *run)
{
	do {
		size_t len = buf_len(&run->in) < run->piece_len ? buf_len(&run->in) : run->piece_len;
		struct span piece = span_take(buf_span(&run->in), len);
		enum smtp_client_event event;
		struct smtp_client_event_data data;

		while ((event = smtp_client_next(run->client, &piece, &run->out, &data)) != SMTP_CLIENT_MORE)
			record(run, event, &data);
		assert_int_equal(piece.len, 0);
		buf_consume(&run->in, len);
	} while (buf_len(&run->in));
}

/* The next line of what was recorded must be this one. */
static void expect(struct run *run, struct buf *seen, const char *end, struct span wanted)
{
	struct span all = buf_span(seen);
	size_t len = span_find(all, '\n');
	struct span line = span_take(all, len);

	if (len == all.len)
		fail_msg("%s: nothing more came, wanted \"%.*s\"", run->script->name, SPAN_ARGS(wanted));
	if (end[0] == '\r') {
		assert_true(line.len && line.ptr[line.len - 1] == '\r');
		line.len--;
	}
	if (!span_eq(line, wanted))
		fail_msg("%s: got \"%.*s\", wanted \"%.*s\"", run->script->name, SPAN_ARGS(line),
			SPAN_ARGS(wanted));
	buf_consume(seen, len + 1);
}

static void start(struct run *run, struct span name)
{
	for (size_t i = 0; i < ARRAY_LEN(transactions); i++) {
		if (!span_eq(name, span_of_str(transactions[i].name)))
			continue;
		/* The machine keeps the pointer; the table outlives it. */
		static struct smtp_client_transaction tagged[ARRAY_LEN(transactions)];

		tagged[i] = transactions[i].transaction;
		tagged[i].tag = (void *)transactions[i].name;
		assert_true(smtp_client_can_start(run->client));
		smtp_client_start(run->client, &tagged[i], &run->out);
		return;
	}
	fail_msg("no transaction %.*s", SPAN_ARGS(name));
}

static void begin_again(struct run *run)
{
	smtp_client_free(&run->client);
	run->client = smtp_client_new(&run->options);
}

static void set_policy(struct run *run, struct span name)
{
	if (span_eq(name, SPAN_LIT("none")))
		run->options.tls = SMTP_CLIENT_TLS_NONE;
	else if (span_eq(name, SPAN_LIT("encrypt")))
		run->options.tls = SMTP_CLIENT_TLS_ENCRYPT;
	else if (span_eq(name, SPAN_LIT("first")))
		run->options.is_secure_from_start = true;
	else if (span_eq(name, SPAN_LIT("may")))
		run->options.tls = SMTP_CLIENT_TLS_MAY;
	else
		fail_msg("no policy %.*s", SPAN_ARGS(name));
	begin_again(run);
}

enum { LONG_TOKEN_LEN = 349 /* with "tim" AUTH just fits in 512 octets */ };

static void set_credentials(struct run *run, struct span name)
{
	static char long_token[LONG_TOKEN_LEN + 1];
	static const struct {
		const char *name;
		struct smtp_client_credentials credentials;
	} rows[] = {
		{ "auto", { SMTP_MECHANISM_AUTO, "tim", "tanstaaf", NULL } },
		{ "auto with token", { SMTP_MECHANISM_AUTO, "tim", NULL, "ya29.tok" } },
		{ "auto with both", { SMTP_MECHANISM_AUTO, "tim", "tanstaaf", "ya29.tok" } },
		{ "plain", { SMTP_MECHANISM_PLAIN, "tim", "tanstaaf", NULL } },
		{ "login", { SMTP_MECHANISM_LOGIN, "tim", "tanstaaf", NULL } },
		{ "xoauth2", { SMTP_MECHANISM_XOAUTH2, "tim", NULL, "ya29.tok" } },
		{ "long token", { SMTP_MECHANISM_XOAUTH2, "tim", NULL, long_token } },
		{ "longer token", { SMTP_MECHANISM_XOAUTH2, "timo", NULL, long_token } },
	};

	memset(long_token, 't', LONG_TOKEN_LEN);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (!span_eq(name, span_of_str(rows[i].name)))
			continue;
		run->options.credentials = rows[i].credentials;
		begin_again(run);
		return;
	}
	fail_msg("no credentials %.*s", SPAN_ARGS(name));
}

/* The usual beginning: greeting, EHLO, and these keywords, separated by ", ". */
static void open_connection(struct run *run, struct span keywords)
{
	buf_append_str(&run->in, "220 b.example ESMTP\r\n");
	pump(run);
	expect(run, &run->out, "\r\n", SPAN_LIT("EHLO me.example"));
	buf_append_str(&run->in, "250-b.example\r\n");
	while (keywords.len) {
		size_t len = span_find(keywords, ',');

		buf_append_str(&run->in, "250-");
		buf_append(&run->in, span_trim(span_take(keywords, len)));
		buf_append_str(&run->in, "\r\n");
		keywords = span_drop(keywords, len < keywords.len ? len + 1 : len);
	}
	buf_append_str(&run->in, "250 HELP\r\n");
	pump(run);
	expect(run, &run->events, "\n", SPAN_LIT("ready"));
}

static void add_line(struct run *run, struct span text)
{
	smtp_client_body(run->client, text, &run->out);
	smtp_client_body(run->client, SPAN_LIT("\r\n"), &run->out);
}

static void add_text(struct run *run, struct span text)
{
	smtp_client_body(run->client, text, &run->out);
}

/* More than one chunk holds. */
enum { FILL_LINES = 1000, FILL_LINE_LEN = 33 };

static void make_fill(struct buf *fill)
{
	for (int i = 0; i < FILL_LINES; i++)
		buf_printf(fill, ".%030d\r\n", i);
	assert_int_equal(buf_len(fill), FILL_LINES * FILL_LINE_LEN);
}

static void add_fill(struct run *run, struct span none)
{
	struct buf fill = { 0 };

	(void)none;
	make_fill(&fill);
	smtp_client_body(run->client, buf_span(&fill), &run->out);
	buf_fini(&fill);
}

static void see_the_fill(struct run *run, struct span none)
{
	struct buf fill = { 0 };

	(void)none;
	make_fill(&fill);
	assert_true(span_starts_with(buf_span(&run->out), buf_span(&fill)));
	buf_consume(&run->out, buf_len(&fill));
	buf_fini(&fill);
}

static void use_chunking(struct run *run, struct span none)
{
	(void)none;
	run->options.uses_chunking = true;
	begin_again(run);
}

static void end_body(struct run *run, struct span none)
{
	(void)none;
	smtp_client_body_end(run->client, &run->out);
}

static void finish_handshake(struct run *run, struct span none)
{
	(void)none;
	smtp_client_tls_started(run->client, &run->out);
}

static void quit(struct run *run, struct span none)
{
	(void)none;
	smtp_client_quit(run->client, &run->out);
}

static void give_up(struct run *run, struct span none)
{
	(void)none;
	smtp_client_abort(run->client);
}

static void see_that_none_can_start(struct run *run, struct span none)
{
	(void)none;
	assert_false(smtp_client_can_start(run->client));
}

static void see_that_it_is_spent(struct run *run, struct span none)
{
	(void)none;
	assert_true(smtp_client_is_spent(run->client));
}

static void do_action(struct run *run, struct span action)
{
	static const struct {
		const char *words;
		void (*act)(struct run *run, struct span rest);
	} actions[] = {
		{ "tls policy", set_policy },
		{ "log in", set_credentials },
		{ "open", open_connection },
		{ "start", start },
		{ "body", add_text },
		{ "line", add_line },
		{ "dot", end_body },
		{ "fill", add_fill },
		{ "see the fill", see_the_fill },
		{ "use chunking", use_chunking },
		{ "tls", finish_handshake },
		{ "quit", quit },
		{ "abort", give_up },
		{ "cannot start", see_that_none_can_start },
		{ "is spent", see_that_it_is_spent },
	};

	for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
		struct span words = span_of_str(actions[i].words);

		if (!span_starts_with(action, words))
			continue;
		actions[i].act(run, span_trim(span_drop(action, words.len)));
		pump(run);
		return;
	}
	fail_msg("no action %.*s", SPAN_ARGS(action));
}

static void check_wait(struct run *run, struct span wanted)
{
	char text[64];

	snprintf(text, sizeof(text), "%s %u", smtp_client_stage_name(smtp_client_stage(run->client)),
		smtp_client_timeout_ms(run->client));
	assert_span_equal(wanted, text);
}

static void run_line(struct run *run, struct span line)
{
	struct span text = span_drop(line, 3);

	if (line.ptr[0] == 'S') {
		buf_append(&run->in, text);
		buf_append_str(&run->in, "\r\n");
		return;
	}
	pump(run);
	if (line.ptr[0] == 'C')
		expect(run, &run->out, "\r\n", text);
	else if (line.ptr[0] == 'E')
		expect(run, &run->events, "\n", text);
	else if (line.ptr[0] == 'T')
		check_wait(run, text);
	else if (line.ptr[0] == 'D')
		do_action(run, text);
	else
		fail_msg("%s: what is \"%.*s\"?", run->script->name, SPAN_ARGS(line));
}

static void run_script(const struct script *script, size_t piece_len)
{
	struct run run = {
		.script = script,
		.options = smtp_client_default_options("me.example"),
		.piece_len = piece_len,
	};
	struct span rest = script->text;

	set_policy(&run, SPAN_LIT("none"));
	while (rest.len) {
		size_t len = span_find(rest, '\n');

		if (len)
			run_line(&run, span_take(rest, len));
		rest = span_drop(rest, len < rest.len ? len + 1 : len);
	}
	pump(&run);
	assert_span_equal(buf_span(&run.out), "");
	assert_span_equal(buf_span(&run.events), "");
	smtp_client_free(&run.client);
	assert_null(run.client);
	buf_fini(&run.in);
	buf_fini(&run.out);
	buf_fini(&run.events);
}

static void whole_and_byte_by_byte(void **state)
{
	run_script(*state, SIZE_MAX);
	run_script(*state, 1);
	run_script(*state, 7);
}

static void capabilities_are_known_once_ready(void **state)
{
	struct smtp_client_options options = smtp_client_default_options("me.example");
	struct smtp_client *client = smtp_client_new(&options);
	struct smtp_client_event_data data;
	struct buf out = { 0 };
	struct span in =
		SPAN_LIT("220 x\r\n250-x PIPELINING SIZE 5\r\n250-size 52428800\r\n250-DSN\r\n"
			 "250-AUTH login PLAIN  bad$one ABCDEFGHIJKLMNOPQRSTU XOAUTH2\r\n250-AUTH=LOGIN\r\n"
			 "250-LIMITS  RCPTMAX=20 mailmax=7 RCPTDOMAINMAX=0 OTHER=1 RCPTMAX=x\r\n"
			 "250-REQUIRETLS\r\n250-MT-PRIORITY NSEP\r\n250-DELIVERBY 60\r\n"
			 "250-CHUNKING\r\n250-XUNKNOWN\r\n250-PIPELININGS\r\n250 ENHANCEDSTATUSCODES\r\n");
	const struct smtp_client_caps *caps = smtp_client_caps(client);

	(void)state;
	assert_int_equal(smtp_client_next(client, &in, &out, &data), SMTP_CLIENT_READY);
	assert_int_equal(caps->flags, SMTP_CAP_SIZE | SMTP_CAP_DSN | SMTP_CAP_AUTH | SMTP_CAP_LIMITS |
					      SMTP_CAP_CHUNKING | SMTP_CAP_ENHANCED | SMTP_CAP_MT_PRIORITY |
					      SMTP_CAP_DELIVERBY);
	assert_int_equal(caps->deliver_by_min_s, 60);
	assert_int_equal(caps->size_max, 52428800);
	assert_string_equal(caps->auth, "LOGIN PLAIN XOAUTH2");
	assert_int_equal(caps->rcpt_max, 20);
	assert_int_equal(caps->mail_max, 7);
	assert_int_equal(caps->domain_max, 0);
	smtp_client_free(&client);
	buf_fini(&out);
}

static void a_reply_without_end_is_given_up(void **state)
{
	static const char *const rows[] = { "250-again\r\n", "x" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct smtp_client_options options = smtp_client_default_options("me.example");
		struct smtp_client *client = smtp_client_new(&options);
		struct smtp_client_event_data data;
		enum smtp_client_event event = SMTP_CLIENT_MORE;
		struct buf out = { 0 };
		size_t fed = 0;

		while (event == SMTP_CLIENT_MORE && fed < 1000000) {
			struct span in = span_of_str(rows[i]);

			fed += in.len;
			event = smtp_client_next(client, &in, &out, &data);
		}
		assert_int_equal(event, SMTP_CLIENT_FAILED);
		assert_int_equal(data.failure, SMTP_FAILURE_TOO_LONG);
		smtp_client_free(&client);
		buf_fini(&out);
	}
}

static char *read_dialogues(void)
{
	const char *source = getenv("SKEIN_SOURCE");
	struct buf path = { 0 }, text = { 0 };
	FILE *file;
	size_t got;

	buf_printf(&path, "%s/tests/unit/proto/smtp/client.dialogues", source ? source : ".");
	buf_append_byte(&path, '\0');
	file = fopen(path.base, "r");
	if (!file) {
		fprintf(stderr, "cannot read %s; SKEIN_SOURCE names the source folder\n", path.base);
		exit(1);
	}
	do {
		buf_reserve(&text, 4096);
		got = fread(buf_tail(&text), 1, 4096, file);
		buf_commit(&text, got);
	} while (got);
	fclose(file);
	buf_fini(&path);
	buf_append_byte(&text, '\0');
	return text.base;
}

enum { SCRIPTS_MAX = 200 };

/* Cuts the text at its headings, and terminates their names. */
static size_t split_dialogues(char *text, struct script scripts[SCRIPTS_MAX])
{
	size_t count = 0;

	for (char *at = strstr(text, "\n# "); at; count++) {
		char *name = at + 3, *body = strchr(name, '\n');
		char *next = body ? strstr(body, "\n# ") : NULL;

		CHECK(body && count < SCRIPTS_MAX);
		*body++ = '\0';
		scripts[count].name = name;
		scripts[count].text = next ? span_of(body, (size_t)(next - body)) : span_of_str(body);
		at = next;
	}
	return count;
}

int main(void)
{
	struct script scripts[SCRIPTS_MAX];
	struct CMUnitTest tests[SCRIPTS_MAX + 2] = {
		cmocka_unit_test(capabilities_are_known_once_ready),
		cmocka_unit_test(a_reply_without_end_is_given_up),
	};
	char *text = read_dialogues();
	size_t count = split_dialogues(text, scripts);
	int failed;

	CHECK(count > 0);
	for (size_t i = 0; i < count; i++) {
		tests[i + 2] = (struct CMUnitTest){
			.name = scripts[i].name,
			.test_func = whole_and_byte_by_byte,
			.initial_state = &scripts[i],
		};
	}
	failed = _cmocka_run_group_tests("client", tests, count + 2, NULL, NULL);
	free(text);
	return failed;
}
