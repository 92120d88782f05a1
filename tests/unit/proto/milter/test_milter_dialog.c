#include "header_seen.h"

#include "skein/proto/milter/dialog.h"

#include <ctype.h>

static struct envelope_recipient recipients[] = {
	{ .addr = SPAN_LIT("r1@b.example") },
	{ .addr = SPAN_LIT("r2@b.example") },
};

static const struct envelope envelope = {
	.sender = SPAN_LIT("s@a.example"),
	.recipients = recipients,
	.recipient_count = ARRAY_LEN(recipients),
	.client_ip = SPAN_LIT("192.0.2.1"),
	.helo = SPAN_LIT("client.example"),
	.user = SPAN_LIT("jo"),
	.origin_id = SPAN_LIT("01ABC"),
	.has_8bit = true,
	.size_declared = 77,
};

static const struct milter_facts facts = {
	.envelope = &envelope,
	.hostname = SPAN_LIT("mx.example"),
	.software = SPAN_LIT("Skein 1"),
	.client_port = 1025,
	.tls_version = SPAN_LIT("TLSv1.3"),
	.auth_type = SPAN_LIT("PLAIN"),
};

#define STORED  "Received: us\r\nFrom: a\r\nSubject: x\r\n y\r\n\r\n"
#define MESSAGE STORED "one\r\ntwo\r\n"

struct talk {
	struct milter_dialog *dialog;
	struct header_list *list;
	struct buf said; /* what we said since the last look: "M<a@b>|SIZE=77|/" */
	unsigned progress;
};

static struct talk begin(void)
{
	struct talk talk = { .list = header_list_new(1, 1 << 20) };

	assert_int_equal(header_list_feed(talk.list, SPAN_LIT(MESSAGE)), HEADER_LIST_ENDED);
	talk.dialog = milter_dialog_new(&facts, talk.list);
	return talk;
}

static void end(struct talk *talk)
{
	milter_dialog_free(&talk->dialog);
	header_list_free(&talk->list);
	buf_fini(&talk->said);
}

/* Packets as text: NUL becomes '|', other bytes that are not printable '.', '/' ends one. */
static void collect(struct talk *talk)
{
	struct buf *out = milter_dialog_output(talk->dialog);

	while (buf_len(out)) {
		struct span bytes = buf_span(out);
		size_t len = 0;

		assert_true(bytes.len >= 5);
		for (size_t i = 0; i < 4; i++)
			len = len << 8 | (unsigned char)bytes.ptr[i];
		assert_true(bytes.len >= 4 + len);
		for (size_t i = 4; i < 4 + len; i++)
			buf_append_byte(&talk->said, !bytes.ptr[i]                          ? '|'
						     : isprint((unsigned char)bytes.ptr[i]) ? bytes.ptr[i]
											    : '.');
		buf_append_byte(&talk->said, '/');
		buf_consume(out, 4 + len);
	}
}

/* Gives the bytes, in pieces, until more is wanted. */
static enum milter_event give(struct talk *talk, struct span bytes, size_t piece)
{
	enum milter_event event = MILTER_WANTS_INPUT;

	do {
		size_t len = bytes.len < piece ? bytes.len : piece;
		struct span in = span_take(bytes, len);

		bytes = span_drop(bytes, len);
		do {
			event = milter_dialog_next(talk->dialog, &in);
			talk->progress += event == MILTER_PROGRESSES;
		} while (event == MILTER_PROGRESSES);
		assert_int_equal(in.len && event != MILTER_ENDED, 0);
		collect(talk);
	} while (bytes.len);
	return event;
}

static void assert_said(struct talk *talk, const char *wanted)
{
	buf_append_byte(&talk->said, '\0');
	assert_string_equal(talk->said.base + talk->said.head, wanted);
	buf_clear(&talk->said);
}

/* A packet of it. */
static enum milter_event answer(struct talk *talk, struct span payload, size_t piece)
{
	const char length[] = { 0, 0, (char)(payload.len >> 8), (char)payload.len };
	struct buf packet = { 0 };
	enum milter_event event;

	buf_append(&packet, span_of(length, sizeof(length)));
	buf_append(&packet, payload);
	event = give(talk, buf_span(&packet), piece);
	buf_fini(&packet);
	return event;
}

/* A filter that wants no more than `steps` say. */
static void negotiate(struct talk *talk, uint32_t actions, uint32_t steps)
{
	char bytes[] = { 'O', 0, 0, 0, 6, 0, 0, (char)(actions >> 8), (char)actions, 0, (char)(steps >> 16),
		(char)(steps >> 8), (char)steps };

	(void)answer(talk, span_of(bytes, sizeof(bytes)), SIZE_MAX);
}

enum { ALL_ACTIONS = 0x1ff, QUIET = 0x5037f & ~0x400 }; /* nothing but the end of the body */

static void the_whole_conversation_is_told(void **state)
{
	static const char *const lines[] = {
		"DCj|mx.example|{daemon_name}|mx.example|v|Skein "
		"1|{client_addr}|192.0.2.1|{client_port}|1025|{client_name}|unknown|"
		"{client_ptr}|unknown|/C[192.0.2.1]|4..192.0.2.1|/",
		"DH{tls_version}|TLSv1.3|/Hclient.example|/",
		"DMi|01ABC|{mail_addr}|s@a.example|{auth_authen}|jo|{auth_type}|PLAIN|/"
		"M<s@a.example>|SIZE=77|BODY=8BITMIME|/",
		"DRi|01ABC|{rcpt_addr}|r1@b.example|/R<r1@b.example>|/",
		"DRi|01ABC|{rcpt_addr}|r2@b.example|/R<r2@b.example>|/",
		"DTi|01ABC|/T/",
		"LFrom|a|/",
		"LSubject|x. y|/",
		"DNi|01ABC|/N/",
	};
	struct talk talk = begin();
	enum milter_event event;

	(void)state;
	assert_int_equal(give(&talk, SPAN_LIT(""), 1), MILTER_WANTS_INPUT);
	assert_said(&talk, "O|||.|||.|.../");
	negotiate(&talk, ALL_ACTIONS, 0);
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		assert_said(&talk, lines[i]);
		event = answer(&talk, SPAN_LIT("c"), 1);
	}
	assert_int_equal(event, MILTER_WANTS_BODY);
	milter_dialog_body(talk.dialog, SPAN_LIT("one\r\n"), false);
	assert_int_equal(give(&talk, SPAN_LIT(""), 1), MILTER_WANTS_INPUT);
	assert_said(&talk, "Bone../");
	assert_int_equal(answer(&talk, SPAN_LIT("c"), 1), MILTER_WANTS_BODY);
	milter_dialog_body(talk.dialog, SPAN_LIT(""), true);
	assert_int_equal(give(&talk, SPAN_LIT(""), 1), MILTER_WANTS_INPUT);
	assert_said(&talk, "DEi|01ABC|/E/");
	assert_int_equal(answer(&talk, SPAN_LIT("c"), 1), MILTER_ENDED);
	assert_said(&talk, "Q/");
	assert_int_equal(milter_dialog_result(talk.dialog)->outcome, MILTER_ACCEPTED);
	end(&talk);
}

static void what_a_filter_does_not_want_is_not_told(void **state)
{
	struct talk talk = begin();

	(void)state;
	(void)give(&talk, SPAN_LIT(""), 1);
	buf_clear(&talk.said);
	negotiate(&talk, ALL_ACTIONS, QUIET);
	assert_said(&talk, "DEi|01ABC|/E/");
	end(&talk);
	/* And what it does not answer is not waited for. */
	talk = begin();
	(void)give(&talk, SPAN_LIT(""), 1);
	buf_clear(&talk.said);
	negotiate(&talk, ALL_ACTIONS, 0xdf080 | 0x100000 | 0x0f);
	assert_said(&talk, "DTi|01ABC|/T/LFrom| a|/LSubject| x. y|/DNi|01ABC|/N/");
	milter_dialog_body(talk.dialog, SPAN_LIT("one\r\n"), false);
	assert_int_equal(give(&talk, SPAN_LIT(""), 1), MILTER_WANTS_BODY);
	milter_dialog_body(talk.dialog, SPAN_LIT("two\r\n"), true);
	assert_int_equal(give(&talk, SPAN_LIT(""), 1), MILTER_WANTS_INPUT);
	assert_said(&talk, "Bone../Btwo../DEi|01ABC|/E/");
	end(&talk);
}

static void a_long_piece_goes_in_chunks(void **state)
{
	struct talk talk = begin();
	struct buf piece = { 0 };

	(void)state;
	while (buf_len(&piece) < 2 * 65535 + 10)
		buf_append_byte(&piece, 'x');
	negotiate(&talk, ALL_ACTIONS, QUIET & ~0x10);
	buf_clear(&talk.said);
	milter_dialog_body(talk.dialog, buf_span(&piece), true);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(give(&talk, SPAN_LIT(""), 1), MILTER_WANTS_INPUT);
		assert_int_equal(buf_len(&talk.said), i < 2 ? 65535 + 2 : 10 + 2);
		buf_clear(&talk.said);
		(void)answer(&talk, SPAN_LIT("c"), SIZE_MAX);
	}
	assert_said(&talk, "DEi|01ABC|/E/");
	buf_fini(&piece);
	end(&talk);
}

static void it_may_skip_the_rest_of_what_is_alike(void **state)
{
	struct talk talk = begin();

	(void)state;
	negotiate(&talk, ALL_ACTIONS, 0x7); /* RCPT first */
	buf_clear(&talk.said);
	assert_int_equal(answer(&talk, SPAN_LIT("s"), 1), MILTER_WANTS_INPUT);
	assert_said(&talk, "DTi|01ABC|/T/");
	(void)answer(&talk, SPAN_LIT("c"), 1);
	(void)answer(&talk, SPAN_LIT("s"), 1);
	buf_clear(&talk.said);
	assert_int_equal(answer(&talk, SPAN_LIT("c"), 1), MILTER_WANTS_BODY);
	milter_dialog_body(talk.dialog, SPAN_LIT("one\r\n"), false);
	(void)give(&talk, SPAN_LIT(""), 1);
	assert_int_equal(answer(&talk, SPAN_LIT("s"), 1), MILTER_WANTS_INPUT);
	assert_said(&talk, "Bone../DEi|01ABC|/E/");
	assert_int_equal(answer(&talk, SPAN_LIT("s"), 1), MILTER_ENDED);
	assert_int_equal(milter_dialog_result(talk.dialog)->outcome, MILTER_FAILED);
	end(&talk);
}

static void each_verdict_ends_it(void **state)
{
	static const struct {
		struct span answer;
		enum milter_outcome outcome;
		unsigned code;
		const char *enhanced, *text;
	} rows[] = {
		{ SPAN_LIT("a"), MILTER_ACCEPTED, 0, NULL, "" },
		{ SPAN_LIT("d"), MILTER_DISCARDED, 0, NULL, "" },
		{ SPAN_LIT("r"), MILTER_REFUSED, 550, "5.7.1", "The message was refused" },
		{ SPAN_LIT("t"), MILTER_REFUSED, 451, "4.7.1",
			"The message cannot be taken now, try again later" },
		{ SPAN_LIT("y554 5.6.0 spam\0"), MILTER_REFUSED, 554, "5.6.0", "spam" },
		{ SPAN_LIT("y250 yes\0"), MILTER_FAILED, 0, NULL, "" },
		{ SPAN_LIT("y554 no end"), MILTER_FAILED, 0, NULL, "" },
		{ SPAN_LIT("x"), MILTER_FAILED, 0, NULL, "" },
		{ SPAN_LIT("bReplaced"), MILTER_FAILED, 0, NULL, "" },
		{ SPAN_LIT("O\0\0\0\x06\0\0\0\0\0\0\0\0"), MILTER_FAILED, 0, NULL, "" },
		{ SPAN_LIT("hA\0b\0"), MILTER_FAILED, 0, NULL, "" }, /* too early */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t piece = 1; piece; piece = piece == 1 ? SIZE_MAX : 0) {
			struct talk talk = begin();
			const struct milter_result *result;

			negotiate(&talk, ALL_ACTIONS, 0);
			if (answer(&talk, rows[i].answer, piece) != MILTER_ENDED)
				fail_msg("row %zu goes on", i);
			result = milter_dialog_result(talk.dialog);
			if (result->outcome != rows[i].outcome)
				fail_msg("row %zu: %d", i, result->outcome);
			if (rows[i].code) {
				assert_int_equal(result->reply.code, rows[i].code);
				assert_string_equal(result->reply.enhanced, rows[i].enhanced);
				assert_true(span_eq(result->reply.text, span_of_str(rows[i].text)));
			}
			assert_int_equal(result->outcome == MILTER_FAILED, result->why != NULL);
			end(&talk);
		}
	}
}

static void a_negotiation_must_fit(void **state)
{
	static const struct span rows[] = {
		SPAN_LIT("O\0\0\0\x01\0\0\0\0\0\0\0\0"),
		SPAN_LIT("O\0\0\0\x07\0\0\0\0\0\0\0\0"),
		SPAN_LIT("c"),
		SPAN_LIT("a"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct talk talk = begin();

		assert_int_equal(answer(&talk, rows[i], SIZE_MAX), MILTER_ENDED);
		assert_int_equal(milter_dialog_result(talk.dialog)->outcome, MILTER_FAILED);
		end(&talk);
	}
}

static void old_filters_do_not_hear_of_data(void **state)
{
	struct talk talk = begin();

	(void)state;
	(void)give(&talk, SPAN_LIT(""), 1);
	buf_clear(&talk.said);
	(void)answer(&talk, SPAN_LIT("O\0\0\0\x02\0\0\0\x3f\0\0\0\x2f"), SIZE_MAX);
	assert_said(&talk, "DNi|01ABC|/N/");
	end(&talk);
}

static void it_may_answer_only_what_it_was_asked(void **state)
{
	struct talk talk = begin();

	(void)state;
	negotiate(&talk, ALL_ACTIONS, QUIET & ~0x10);
	assert_int_equal(give(&talk, SPAN_LIT(""), 1), MILTER_WANTS_BODY);
	assert_int_equal(answer(&talk, SPAN_LIT("c"), SIZE_MAX), MILTER_ENDED);
	assert_int_equal(milter_dialog_result(talk.dialog)->outcome, MILTER_FAILED);
	end(&talk);
}

/* Answers each in its packet. */
static enum milter_event answer_all(struct talk *talk, const struct span *answers, size_t count, size_t piece)
{
	enum milter_event event = MILTER_WANTS_INPUT;

	for (size_t i = 0; i < count; i++) {
		assert_int_equal(event, MILTER_WANTS_INPUT);
		event = answer(talk, answers[i], piece);
	}
	return event;
}

static void changes_are_taken_at_the_end(void **state)
{
	static const struct span answers[] = {
		SPAN_LIT("hN\0001\0"),
		SPAN_LIT("p"),
		SPAN_LIT("i\0\0\0\0I\0002\0"),
		SPAN_LIT("m\0\0\0\001subject\0\0"),
		SPAN_LIT("m\0\0\0\001From\0b\0"),
		SPAN_LIT("+<n@b.c>\0"),
		SPAN_LIT("2<N@B.C>\0NOTIFY=NEVER\0"),
		SPAN_LIT("+gone@b.c\0"),
		SPAN_LIT("-<gone@b.c>\0"),
		SPAN_LIT("-<r1@b.example>\0"),
		SPAN_LIT("-<r2@b.example>\0"),
		SPAN_LIT("+<r2@b.example>\0"),
		SPAN_LIT("-<nobody@b.example>\0"),
		SPAN_LIT("e<new@a.b>\0X\0"),
		SPAN_LIT("qwhy not\0"),
		SPAN_LIT("c"),
	};

	(void)state;
	for (size_t piece = 1; piece; piece = piece == 1 ? SIZE_MAX : 0) {
		struct talk talk = begin();
		const struct milter_result *result;

		negotiate(&talk, ALL_ACTIONS, QUIET);
		assert_int_equal(answer_all(&talk, answers, ARRAY_LEN(answers), piece), MILTER_ENDED);
		result = milter_dialog_result(talk.dialog);
		if (result->outcome != MILTER_ACCEPTED)
			fail_msg("%s", result->why);
		assert_int_equal(talk.progress, ARRAY_LEN(answers) - 1);
		assert_int_equal(result->added_count, 1);
		assert_span_equal(result->added[0], "n@b.c");
		assert_int_equal(result->removed_count, 1);
		assert_true(result->is_removed[0]);
		assert_false(result->is_removed[1]);
		assert_true(result->has_sender);
		assert_span_equal(result->sender, "new@a.b");
		assert_true(result->is_quarantined);
		assert_span_equal(result->quarantine_reason, "why not");
		assert_seen(talk.list, "I= 2|From= b|N= 1|");
		end(&talk);
	}
}

static void with_nobody_left_it_is_discarded(void **state)
{
	static const struct span answers[] = { SPAN_LIT("-<r1@b.example>\0"), SPAN_LIT("-<R2@b.example>\0"),
		SPAN_LIT("a") };
	struct talk talk = begin();

	(void)state;
	negotiate(&talk, ALL_ACTIONS, QUIET);
	assert_int_equal(answer_all(&talk, answers, ARRAY_LEN(answers), SIZE_MAX), MILTER_ENDED);
	assert_int_equal(milter_dialog_result(talk.dialog)->outcome, MILTER_DISCARDED);
	end(&talk);
}

static void what_it_may_not_change_stays(void **state)
{
	static const struct {
		uint32_t actions;
		struct span answer;
	} rows[] = {
		{ 0x1fe, SPAN_LIT("hN\0001\0") },
		{ 0x1fe, SPAN_LIT("i\0\0\0\0I\0002\0") },
		{ 0x1ef, SPAN_LIT("m\0\0\0\001From\0b\0") },
		{ 0x17b, SPAN_LIT("+<n@b.c>\0") },
		{ 0x1f7, SPAN_LIT("-<n@b.c>\0") },
		{ 0x1bf, SPAN_LIT("e<n@b.c>\0") },
		{ 0x1df, SPAN_LIT("qx\0") },
		{ 0x1ff, SPAN_LIT("hN x\0001\0") },
		{ 0x1ff, SPAN_LIT("+n@b.c>\0") },
		{ 0x1ff, SPAN_LIT("+<>\0") },
		{ 0x1ff, SPAN_LIT("+<n\xc3\xa4@b.c>\0") },
		{ 0x1ff, SPAN_LIT("e<n b>\0") },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct talk talk = begin();

		negotiate(&talk, 0x1ff, QUIET);
		(void)answer(&talk, SPAN_LIT("hMine\0001\0"), SIZE_MAX);
		if (rows[i].actions != 0x1ff) {
			end(&talk);
			talk = begin();
			negotiate(&talk, rows[i].actions, QUIET);
		}
		if (answer(&talk, rows[i].answer, SIZE_MAX) != MILTER_ENDED)
			fail_msg("row %zu", i);
		assert_int_equal(milter_dialog_result(talk.dialog)->outcome, MILTER_FAILED);
		/* What it changed before is undone. */
		assert_seen(talk.list, "From= a|Subject= x\r\n y|");
		end(&talk);
	}
}

static void a_filter_that_is_cut_off_has_changed_nothing(void **state)
{
	struct talk talk = begin();

	(void)state;
	negotiate(&talk, 0x1ff, QUIET);
	(void)answer(&talk, SPAN_LIT("hMine\0001\0"), SIZE_MAX);
	(void)answer(&talk, SPAN_LIT("m\0\0\0\001From\0b\0"), SIZE_MAX);
	assert_seen(talk.list, "From= b|Subject= x\r\n y|Mine= 1|");
	milter_dialog_free(&talk.dialog);
	assert_seen(talk.list, "From= a|Subject= x\r\n y|");
	end(&talk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_whole_conversation_is_told),
		cmocka_unit_test(what_a_filter_does_not_want_is_not_told),
		cmocka_unit_test(a_long_piece_goes_in_chunks),
		cmocka_unit_test(it_may_skip_the_rest_of_what_is_alike),
		cmocka_unit_test(each_verdict_ends_it),
		cmocka_unit_test(a_negotiation_must_fit),
		cmocka_unit_test(old_filters_do_not_hear_of_data),
		cmocka_unit_test(it_may_answer_only_what_it_was_asked),
		cmocka_unit_test(changes_are_taken_at_the_end),
		cmocka_unit_test(with_nobody_left_it_is_discarded),
		cmocka_unit_test(what_it_may_not_change_stays),
		cmocka_unit_test(a_filter_that_is_cut_off_has_changed_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
