#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>

#include "smtp/server_internal.h"

/* What tests/dialog cannot say: events and their data, ownership, and what depends on when bytes come. */
struct fixture {
	struct smtp_server_options options;
	struct smtp_server *server;
	struct buf out;
	struct span in; /* what was not consumed */
	struct smtp_event_data data;
};

static void set_up(struct fixture *f)
{
	*f = (struct fixture){ 0 };
	smtp_server_options_init(&f->options);
	f->options.hostname = SPAN_LIT("relay.example");
	f->options.extensions |= SMTP_EXT_STARTTLS;
	f->server = smtp_server_new(&f->options);
	smtp_server_greet(f->server, &f->out, NULL);
}

static void tear_down(struct fixture *f)
{
	smtp_server_free(&f->server);
	assert_null(f->server);
	buf_fini(&f->out);
}

static enum smtp_event next(struct fixture *f)
{
	return smtp_server_next(f->server, &f->in, &f->out, &f->data);
}

static enum smtp_event say(struct fixture *f, const char *text)
{
	buf_clear(&f->out);
	f->in = span_of_str(text);
	return next(f);
}

static void accept_event(struct fixture *f)
{
	smtp_server_decide(f->server, &f->out, NULL);
}

/* The first thing said since the last say(). */
static bool has_said(const struct fixture *f, const char *text)
{
	return span_starts_with(buf_span(&f->out), span_of_str(text));
}

static void open_transaction(struct fixture *f)
{
	assert_int_equal(say(f, "EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n"), SMTP_EVENT_HELO);
	accept_event(f);
	assert_int_equal(next(f), SMTP_EVENT_MAIL);
	accept_event(f);
	assert_int_equal(next(f), SMTP_EVENT_RCPT);
	accept_event(f);
	assert_int_equal(next(f), SMTP_EVENT_NONE);
}

static void begin_data(struct fixture *f)
{
	open_transaction(f);
	assert_int_equal(say(f, "DATA\r\n"), SMTP_EVENT_DATA_BEGIN);
	assert_false(f->data.data_begin.chunked);
	accept_event(f);
}

static void events_carry_what_was_said(void **state)
{
	struct fixture f;

	(void)state;
	set_up(&f);
	assert_int_equal(say(&f, "EHLO client.example junk\r\n"), SMTP_EVENT_HELO);
	assert_span_equal(f.data.helo.name, "client.example");
	assert_true(f.data.helo.extended);
	accept_event(&f);
	assert_int_equal(say(&f, "MAIL FROM:<a@b> SIZE=7 BODY=8BITMIME ENVID=x RET=HDRS AUTH=<>\r\n"),
		SMTP_EVENT_MAIL);
	assert_span_equal(f.data.mail.from.text, "a@b");
	assert_true(f.data.mail.params.size == 7);
	assert_int_equal(f.data.mail.params.body, SMTP_BODY_8BITMIME);
	assert_int_equal(f.data.mail.params.ret, DSN_RET_HDRS);
	assert_span_equal(f.data.mail.params.envid, "x");
	assert_span_equal(f.data.mail.params.auth, "<>");
	accept_event(&f);
	assert_int_equal(say(&f, "RCPT TO:<c@d> NOTIFY=DELAY ORCPT=rfc822;e@f\r\n"), SMTP_EVENT_RCPT);
	assert_span_equal(f.data.rcpt.to.text, "c@d");
	assert_int_equal(f.data.rcpt.params.notify, DSN_NOTIFY_DELAY);
	assert_span_equal(f.data.rcpt.params.orcpt, "rfc822;e@f");
	accept_event(&f);
	assert_int_equal(say(&f, "DATA\r\nab\r\n\xe4\r\n.\r\n"), SMTP_EVENT_DATA_BEGIN);
	accept_event(&f);
	assert_int_equal(next(&f), SMTP_EVENT_BODY);
	assert_span_equal(f.data.body, "ab\r\n\xe4\r\n");
	assert_int_equal(next(&f), SMTP_EVENT_MESSAGE_END);
	assert_true(f.data.message_end.size == 7 && f.data.message_end.line_len_max == 4);
	assert_true(f.data.message_end.has_8bit);
	accept_event(&f);
	tear_down(&f);
}

static void a_name_outlives_the_input_until_the_decision(void **state)
{
	char line[] = "MAIL FROM:<a@b> ENVID=x\r\n";
	struct fixture f;

	(void)state;
	set_up(&f);
	say(&f, "EHLO x\r\n");
	accept_event(&f);
	assert_int_equal(say(&f, line), SMTP_EVENT_MAIL);
	memset(line, '?', sizeof(line) - 1);
	assert_span_equal(f.data.mail.from.text, "a@b");
	assert_span_equal(f.data.mail.params.envid, "x");
	tear_down(&f);
}

static void nothing_is_consumed_while_a_decision_is_awaited(void **state)
{
	struct fixture f;

	(void)state;
	set_up(&f);
	assert_int_equal(say(&f, "EHLO x\r\nNOOP\r\n"), SMTP_EVENT_HELO);
	assert_true(smtp_server_is_waiting(f.server));
	assert_int_equal(next(&f), SMTP_EVENT_NONE);
	assert_span_equal(f.in, "NOOP\r\n");
	assert_int_equal(buf_len(&f.out), 0);
	accept_event(&f);
	assert_false(smtp_server_is_waiting(f.server));
	assert_int_equal(next(&f), SMTP_EVENT_NONE);
	assert_int_equal(f.in.len, 0);
	tear_down(&f);
}

static void an_idle_machine_is_small_and_holds_no_block(void **state)
{
	struct fixture f;

	(void)state;
	assert_true(sizeof(struct smtp_server) <= 256);
	set_up(&f);
	begin_data(&f);
	assert_non_null(f.server->arena.block);
	assert_int_equal(say(&f, ".\r\n"), SMTP_EVENT_MESSAGE_END);
	accept_event(&f);
	assert_null(f.server->arena.block);
	assert_int_equal(say(&f, "MAIL FROM:<bad\r\nRCPT TO:<a@b>\r\n"), SMTP_EVENT_NONE);
	assert_null(f.server->arena.block);
	open_transaction(&f);
	assert_int_equal(say(&f, "RSET\r\n"), SMTP_EVENT_RESET);
	assert_null(f.server->arena.block);
	tear_down(&f);
}

static void a_transaction_that_is_void_is_told_once(void **state)
{
	struct fixture f;

	(void)state;
	set_up(&f);
	open_transaction(&f);
	assert_int_equal(say(&f, "RSET\r\nRSET\r\n"), SMTP_EVENT_RESET);
	assert_null(f.data.reply);
	assert_int_equal(next(&f), SMTP_EVENT_NONE);
	open_transaction(&f);
	/* A command that failed just before leaves nothing in the event. */
	assert_int_equal(say(&f, "RCPT TO:<c@d> FOO\r\nRSET\r\n"), SMTP_EVENT_RESET);
	assert_null(f.data.reply);
	open_transaction(&f);
	assert_int_equal(say(&f, "EHLO y\r\n"), SMTP_EVENT_HELO);
	accept_event(&f);
	assert_int_equal(next(&f), SMTP_EVENT_RESET);
	assert_null(f.data.reply);
	assert_int_equal(next(&f), SMTP_EVENT_NONE);
	begin_data(&f);
	/* Told at the offence, so that the caller lets go of the body; answered at the end. */
	assert_int_equal(say(&f, "a\nb"), SMTP_EVENT_BODY);
	assert_int_equal(next(&f), SMTP_EVENT_RESET);
	assert_int_equal(f.data.reply->code, 550);
	assert_int_equal(buf_len(&f.out), 0);
	assert_int_equal(say(&f, "\nc\r\n.\r\n"), SMTP_EVENT_NONE);
	assert_true(has_said(&f, "550 5.6.11 "));
	tear_down(&f);
}

static void a_chunk_that_cannot_fit_is_refused_before_its_first_byte(void **state)
{
	struct fixture f;

	(void)state;
	set_up(&f);
	f.options.message_size_max = 10;
	open_transaction(&f);
	assert_int_equal(say(&f, "BDAT 6\r\nabcd\r\nBDAT 5 LAST\r\nab"), SMTP_EVENT_DATA_BEGIN);
	accept_event(&f);
	assert_int_equal(next(&f), SMTP_EVENT_BODY);
	assert_int_equal(next(&f), SMTP_EVENT_RESET);
	assert_ptr_equal(f.data.reply, smtp_reply_get(SMTP_REPLY_TOO_BIG));
	assert_int_equal(next(&f), SMTP_EVENT_NONE);
	assert_int_equal(f.in.len, 0);
	tear_down(&f);
}

static void a_refused_data_begin_ends_the_transaction(void **state)
{
	const struct smtp_reply *no = smtp_reply_get(SMTP_REPLY_NO_MEMORY);
	struct fixture f;

	(void)state;
	set_up(&f);
	open_transaction(&f);
	assert_int_equal(say(&f, "DATA\r\n"), SMTP_EVENT_DATA_BEGIN);
	smtp_server_decide(f.server, &f.out, no);
	assert_int_equal(next(&f), SMTP_EVENT_RESET);
	assert_int_equal(next(&f), SMTP_EVENT_NONE);
	open_transaction(&f);
	assert_int_equal(say(&f, "BDAT 4 LAST\r\n"), SMTP_EVENT_DATA_BEGIN);
	assert_true(f.data.data_begin.chunked);
	smtp_server_decide(f.server, &f.out, no);
	assert_int_equal(next(&f), SMTP_EVENT_RESET);
	/* The answer waits for the chunk. */
	assert_int_equal(buf_len(&f.out), 0);
	assert_int_equal(say(&f, "abc"), SMTP_EVENT_NONE);
	assert_int_equal(buf_len(&f.out), 0);
	assert_false(smtp_server_is_idle(f.server));
	assert_int_equal(say(&f, "d"), SMTP_EVENT_NONE);
	assert_true(has_said(&f, "452 4.3.1 "));
	assert_true(smtp_server_is_idle(f.server));
	tear_down(&f);
}

static void a_peer_that_does_not_wait_for_a_refusal_is_cut_off(void **state)
{
	static const struct {
		const char *group;
		enum smtp_event waits; /* and is refused; NONE: the machine refuses by itself */
	} rows[] = {
		{ "DATA\r\nSubject: x\r\n", SMTP_EVENT_DATA_BEGIN },
		{ "DATA x\r\nSubject: x\r\n", SMTP_EVENT_NONE },
		{ "EHLO x\r\nNOOP\r\n", SMTP_EVENT_HELO },
		{ "STARTTLS\r\nNOOP\r\n", SMTP_EVENT_NONE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fixture f;
		enum smtp_event event;

		set_up(&f);
		open_transaction(&f);
		event = say(&f, rows[i].group);
		if (rows[i].waits) {
			assert_int_equal(event, rows[i].waits);
			smtp_server_decide(f.server, &f.out, smtp_reply_get(SMTP_REPLY_NO_MEMORY));
			event = next(&f);
			event = event == SMTP_EVENT_RESET ? next(&f) : event;
		}
		assert_int_equal(event, SMTP_EVENT_CLOSE);
		assert_ptr_equal(f.data.reply, smtp_reply_get(SMTP_REPLY_DID_NOT_WAIT));
		tear_down(&f);
	}
}

static void starttls_throws_away_what_came_before_the_handshake(void **state)
{
	struct fixture f;

	(void)state;
	set_up(&f);
	say(&f, "EHLO x\r\n");
	accept_event(&f);
	assert_int_equal(say(&f, "STARTTLS\r\nMAIL FROM:<evil@b>\r\n"), SMTP_EVENT_STARTTLS);
	accept_event(&f);
	assert_true(has_said(&f, "220 2.0.0 "));
	buf_clear(&f.out);
	assert_int_equal(next(&f), SMTP_EVENT_NONE);
	assert_int_equal(f.in.len, 0);
	assert_int_equal(say(&f, "MAIL FROM:<evil@b>\r\nQUI"), SMTP_EVENT_NONE);
	assert_int_equal(f.in.len, 0);
	assert_int_equal(buf_len(&f.out), 0);
	smtp_server_tls_started(f.server);
	assert_int_equal(say(&f, "MAIL FROM:<a@b>\r\n"), SMTP_EVENT_NONE);
	assert_true(has_said(&f, "503 "));
	tear_down(&f);
}

static void implicit_tls_is_told_before_the_greeting(void **state)
{
	struct smtp_server_options options;
	struct fixture f = { 0 };

	(void)state;
	smtp_server_options_init(&options);
	options.hostname = SPAN_LIT("relay.example");
	options.extensions = SMTP_EXT_STARTTLS;
	f.server = smtp_server_new(&options);
	smtp_server_tls_started(f.server);
	smtp_server_greet(f.server, &f.out, NULL);
	assert_int_equal(say(&f, "EHLO x\r\n"), SMTP_EVENT_HELO);
	accept_event(&f);
	assert_span_equal(buf_span(&f.out),
		"250-relay.example\r\n250-PIPELINING\r\n250-SIZE 104857600\r\n250-HELP\r\n"
		"250 ENHANCEDSTATUSCODES\r\n");
	tear_down(&f);
}

static void closing_ends_everything_at_any_moment(void **state)
{
	static const char *const moments[] = { "", "EHLO", "EHLO x\r\n", "FOO\r\n", "x\n",
		"BDAT 99 LAST\r\nx" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(moments); i++) {
		for (int told = 0; told < 2; told++) {
			struct fixture f;

			set_up(&f);
			say(&f, moments[i]);
			buf_clear(&f.out);
			smtp_server_close(
				f.server, &f.out, told ? smtp_reply_get(SMTP_REPLY_SHUTTING_DOWN) : NULL);
			assert_int_equal(buf_len(&f.out) > 0, told);
			assert_int_equal(say(&f, "NOOP\r\nEHLO x\r\n"), SMTP_EVENT_NONE);
			assert_int_equal(f.in.len, 0);
			assert_int_equal(buf_len(&f.out), 0);
			assert_false(smtp_server_is_idle(f.server));
			tear_down(&f);
		}
	}
}

static void a_decision_of_421_closes(void **state)
{
	struct fixture f;

	(void)state;
	set_up(&f);
	begin_data(&f);
	assert_int_equal(say(&f, "x\r\n.\r\nNOOP\r\n"), SMTP_EVENT_BODY);
	assert_int_equal(next(&f), SMTP_EVENT_MESSAGE_END);
	smtp_server_decide(f.server, &f.out, smtp_reply_get(SMTP_REPLY_SHUTTING_DOWN));
	assert_int_equal(next(&f), SMTP_EVENT_CLOSE);
	assert_int_equal(next(&f), SMTP_EVENT_NONE);
	assert_int_equal(f.in.len, 0);
	tear_down(&f);
}

static void idle_is_between_commands_and_messages(void **state)
{
	struct fixture f;

	(void)state;
	set_up(&f);
	assert_true(smtp_server_is_idle(f.server));
	say(&f, "EHLO x\r\n");
	assert_false(smtp_server_is_idle(f.server));
	accept_event(&f);
	assert_true(smtp_server_is_idle(f.server));
	open_transaction(&f);
	assert_false(smtp_server_is_idle(f.server));
	say(&f, "RSET\r\n");
	assert_true(smtp_server_is_idle(f.server));
	tear_down(&f);
}

static void set_up_auth(struct fixture *f)
{
	*f = (struct fixture){ 0 };
	smtp_server_options_init(&f->options);
	f->options.hostname = SPAN_LIT("relay.example");
	f->options.extensions |= SMTP_EXT_AUTH;
	f->options.errors_max = 2;
	f->server = smtp_server_new(&f->options);
	smtp_server_tls_started(f->server);
	smtp_server_offer_auth(f->server, SPAN_LIT("LOGIN PLAIN"));
	smtp_server_greet(f->server, &f->out, NULL);
	assert_int_equal(say(f, "EHLO x\r\n"), SMTP_EVENT_HELO);
	accept_event(f);
}

static void auth_hands_out_what_was_decoded_and_wipes_it_with_the_answer(void **state)
{
	struct fixture f;

	(void)state;
	set_up_auth(&f);
	assert_int_equal(say(&f, "AUTH plain AGEAYg==\r\n"), SMTP_EVENT_AUTH);
	assert_span_equal(f.data.auth.mechanism, "plain");
	assert_true(f.data.auth.has_initial);
	assert_true(span_eq(f.data.auth.initial, span_of("\0a\0b", 4)));
	assert_ptr_equal(f.data.auth.initial.ptr, f.server->secret.ptr);
	smtp_wipe_secret(f.server);
	assert_true(span_eq(f.data.auth.initial, span_of("\0\0\0\0", 4)));
	smtp_server_challenge(f.server, &f.out, SPAN_LIT("more"));
	assert_true(has_said(&f, "334 bW9yZQ==\r\n"));
	assert_false(smtp_server_is_waiting(f.server) || smtp_server_is_idle(f.server));
	assert_int_equal(say(&f, "\r\n"), SMTP_EVENT_AUTH_RESPONSE);
	assert_int_equal(f.data.auth_response.len, 0);
	smtp_server_challenge(f.server, &f.out, SPAN_LIT(""));
	assert_true(has_said(&f, "334 \r\n"));
	assert_int_equal(say(&f, "c2VjcmV0\r\nNOOP\r\n"), SMTP_EVENT_AUTH_RESPONSE);
	assert_span_equal(f.data.auth_response, "secret");
	assert_span_equal(f.in, "NOOP\r\n");
	accept_event(&f);
	assert_true(has_said(&f, "235 2.7.0 "));
	assert_null(f.server->secret.ptr);
	assert_true(smtp_server_is_idle(f.server));
	assert_int_equal(say(&f, "AUTH LOGIN\r\n"), SMTP_EVENT_NONE);
	assert_true(has_said(&f, "503 5.5.1 "));
	tear_down(&f);
}

static void an_auth_without_initial_response_says_so(void **state)
{
	struct fixture f;

	(void)state;
	set_up_auth(&f);
	assert_int_equal(say(&f, "AUTH LOGIN\r\n"), SMTP_EVENT_AUTH);
	assert_false(f.data.auth.has_initial);
	smtp_server_decide(f.server, &f.out, smtp_reply_get(SMTP_REPLY_AUTH_UNAVAILABLE));
	assert_int_equal(next(&f), SMTP_EVENT_NONE);
	assert_int_equal(say(&f, "AUTH LOGIN =\r\n"), SMTP_EVENT_AUTH);
	assert_true(f.data.auth.has_initial && !f.data.auth.initial.len);
	/* Closed with a question open. */
	smtp_server_close(f.server, &f.out, smtp_reply_get(SMTP_REPLY_TIMEOUT));
	tear_down(&f);
}

static void one_refused_auth_too_many_closes_and_says_why(void **state)
{
	struct fixture f;

	(void)state;
	set_up_auth(&f);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(say(&f, "AUTH PLAIN AGEAYg==\r\n"), SMTP_EVENT_AUTH);
		smtp_server_decide(f.server, &f.out, smtp_reply_get(SMTP_REPLY_AUTH_REFUSED));
		assert_int_equal(next(&f), i ? SMTP_EVENT_CLOSE : SMTP_EVENT_NONE);
	}
	assert_true(has_said(&f, "421 4.7.0 Too many errors"));
	assert_ptr_equal(f.data.reply, smtp_reply_get(SMTP_REPLY_TOO_MANY_ERRORS));
	tear_down(&f);
}

static void what_is_sent_along_with_a_refused_auth_is_not_read(void **state)
{
	struct fixture f;

	(void)state;
	set_up_auth(&f);
	assert_int_equal(say(&f, "AUTH PLAIN AGEAYg==\r\nMAIL FROM:<a@b>\r\n"), SMTP_EVENT_AUTH);
	smtp_server_decide(f.server, &f.out, smtp_reply_get(SMTP_REPLY_AUTH_REFUSED));
	assert_int_equal(next(&f), SMTP_EVENT_CLOSE);
	assert_ptr_equal(f.data.reply, smtp_reply_get(SMTP_REPLY_DID_NOT_WAIT));
	tear_down(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_carry_what_was_said),
		cmocka_unit_test(a_name_outlives_the_input_until_the_decision),
		cmocka_unit_test(nothing_is_consumed_while_a_decision_is_awaited),
		cmocka_unit_test(an_idle_machine_is_small_and_holds_no_block),
		cmocka_unit_test(a_transaction_that_is_void_is_told_once),
		cmocka_unit_test(a_chunk_that_cannot_fit_is_refused_before_its_first_byte),
		cmocka_unit_test(a_refused_data_begin_ends_the_transaction),
		cmocka_unit_test(a_peer_that_does_not_wait_for_a_refusal_is_cut_off),
		cmocka_unit_test(starttls_throws_away_what_came_before_the_handshake),
		cmocka_unit_test(implicit_tls_is_told_before_the_greeting),
		cmocka_unit_test(closing_ends_everything_at_any_moment),
		cmocka_unit_test(a_decision_of_421_closes),
		cmocka_unit_test(idle_is_between_commands_and_messages),
		cmocka_unit_test(auth_hands_out_what_was_decoded_and_wipes_it_with_the_answer),
		cmocka_unit_test(an_auth_without_initial_response_says_so),
		cmocka_unit_test(one_refused_auth_too_many_closes_and_says_why),
		cmocka_unit_test(what_is_sent_along_with_a_refused_auth_is_not_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
