#include "cmocka_all.h"

#include "body_lab.h"

#include "outbound/outgoing.h"
#include "skein/proto/base/alloc.h"

enum { PIECE = 16 << 10 };

static struct body_lab world;

static int set_up(void **state)
{
	(void)state;
	body_lab_open(&world);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	body_lab_close(&world);
	return 0;
}

static struct body *new_body(struct span text)
{
	static unsigned number;
	const struct msg_id id = msg_id_make(1700000000000, 3, ++number);

	return body_lab_body(&world, &id, text);
}

static void on_ready(void *arg)
{
	*(bool *)arg = true;
}

static void read_all(struct body *body, const struct outgoing_change *change, struct buf *out)
{
	bool is_ready = false;
	struct outgoing *outgoing = outgoing_new(body, change, PIECE, on_ready, &is_ready);
	struct span piece;

	for (;;) {
		enum body_read read = outgoing_next(outgoing, &piece);

		if (read == BODY_READ_WAIT) {
			RUN_UNTIL(&world.loop, is_ready);
			is_ready = false;
			continue;
		}
		if (read == BODY_READ_END)
			break;
		assert_int_equal(read, BODY_READ_PIECE);
		assert_false(outgoing_is_last(outgoing) && body_len(body) > 4 * PIECE && !buf_len(out));
		buf_append(out, piece);
	}
	assert_true(outgoing_is_last(outgoing));
	outgoing_free(&outgoing);
}

static void assert_text(const struct buf *buf, struct span expected)
{
	assert_int_equal(buf_len(buf), expected.len);
	if (expected.len)
		assert_memory_equal(buf_span(buf).ptr, expected.ptr, expected.len);
}

static const char *const remove_names[] = { "X-Mailer" };
static const struct rewrite_rules rules = { SPAN_LIT("X-New: 1\r\n"), remove_names, 1, SPAN_LIT("n.test"),
	NULL };

#define HEADER                                                                                               \
	"From: a@b.test\r\nX-Mailer: m\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"  \
	"Content-Transfer-Encoding: 8bit\r\n\r\n"
#define REWRITTEN                                                                                            \
	"X-New: 1\r\nFrom: a@n.test\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"     \
	"Content-Transfer-Encoding: 8bit\r\n\r\n"

static void append_lines(struct buf *out, const char *line, size_t count)
{
	for (size_t i = 0; i < count; i++)
		buf_append_str(out, line);
}

/* Of no body, of one piece, of several in memory, of a file. */
static const size_t counts[] = { 0, 1, 2000, 20000 };

static void what_is_not_changed_is_what_was_stored(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		struct buf text = { 0 }, out = { 0 };
		struct body *body;

		append_lines(&text,
			"Gr\xc3\xbc\xc3\x9f"
			"e\r\n",
			counts[i]);
		body = new_body(buf_span(&text));
		read_all(body, &(struct outgoing_change){ .downgrades = false }, &out);
		assert_text(&out, buf_span(&text));
		body_unref(&body);
		buf_fini(&text);
		buf_fini(&out);
	}
}

static void the_header_is_rewritten_and_the_body_stays(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		struct buf text = { 0 }, expected = { 0 }, out = { 0 };
		struct body *body;

		buf_append_str(&text, HEADER);
		append_lines(&text, "X-Mailer: m\r\n", counts[i]);
		buf_append_str(&expected, REWRITTEN);
		append_lines(&expected, "X-Mailer: m\r\n", counts[i]);
		body = new_body(buf_span(&text));
		read_all(body, &(struct outgoing_change){ .rules = &rules }, &out);
		assert_text(&out, buf_span(&expected));
		body_unref(&body);
		buf_fini(&text);
		buf_fini(&expected);
		buf_fini(&out);
	}
}

static void of_an_empty_message_there_is_what_goes_in_front(void **state)
{
	struct body *body = new_body(SPAN_LIT(""));
	struct buf out = { 0 };

	(void)state;
	read_all(body, &(struct outgoing_change){ .rules = &rules }, &out);
	assert_text(&out, SPAN_LIT("X-New: 1\r\n"));
	body_unref(&body);
	buf_fini(&out);
}

struct survey_seen {
	bool is_done, is_read;
	struct outgoing_survey survey;
};

static void on_surveyed(void *arg, const struct outgoing_survey *survey)
{
	struct survey_seen *seen = arg;

	assert_false(seen->is_done);
	seen->is_done = true;
	seen->is_read = survey != NULL;
	if (survey)
		seen->survey = *survey;
}

static struct outgoing_survey survey(struct body *body, const struct outgoing_change *change)
{
	struct survey_seen seen = { .is_done = false };
	struct outgoing_surveyor *surveyor =
		outgoing_survey_begin(&world.loop, body, change, on_surveyed, &seen);

	assert_false(seen.is_done);
	assert_non_null(surveyor);
	RUN_UNTIL(&world.loop, seen.is_done);
	assert_true(seen.is_read);
	return seen.survey;
}

static void a_survey_tells_the_size_of_what_is_encoded(void **state)
{
	(void)state;
	for (size_t i = 1; i < ARRAY_LEN(counts); i++) {
		struct outgoing_change change = { .rules = &rules };
		struct buf text = { 0 }, out = { 0 };
		struct outgoing_survey found;
		struct body *body;

		buf_append_str(&text, HEADER);
		append_lines(&text,
			"Gr\xc3\xbc\xc3\x9f"
			"e\r\n",
			counts[i]);
		body = new_body(buf_span(&text));
		found = survey(body, &change);
		assert_int_equal(found.verdict, DOWNGRADE_OK);
		assert_false(found.has_8bit_header);
		change.downgrades = true;
		read_all(body, &change, &out);
		assert_int_equal(buf_len(&out), found.size);
		assert_memory_equal(buf_span(&out).ptr, "X-New: 1\r\nFrom: a@n.test\r\n", 25);
		for (size_t k = 0; k < buf_len(&out); k++)
			assert_true((unsigned char)buf_span(&out).ptr[k] < 0x80);
		body_unref(&body);
		buf_fini(&text);
		buf_fini(&out);
	}
}

static void a_survey_sees_the_header_as_it_will_be_sent(void **state)
{
	static const struct outgoing_change none = { .downgrades = false }, some = { .rules = &rules };
	struct body *body = new_body(SPAN_LIT("X-Mailer: \xc3\xa4\r\nFrom: a@b.test\r\n\r\nplain\r\n"));
	struct outgoing_survey found = survey(body, &none);

	(void)state;
	assert_int_equal(found.verdict, DOWNGRADE_HEADER);
	assert_true(found.has_8bit_header);
	found = survey(body, &some);
	assert_int_equal(found.verdict, DOWNGRADE_NEEDLESS);
	assert_false(found.has_8bit_header);
	body_unref(&body);
}

static void a_survey_can_be_cancelled_at_any_time(void **state)
{
	static const struct outgoing_change none = { .downgrades = false };
	struct survey_seen seen = { .is_done = false };
	struct buf text = { 0 };
	struct body *body;

	(void)state;
	append_lines(&text, "a line of the body\r\n", 20000);
	body = new_body(buf_span(&text));
	for (unsigned turns = 0; turns < 4; turns++) {
		struct outgoing_surveyor *surveyor =
			outgoing_survey_begin(&world.loop, body, &none, on_surveyed, &seen);

		for (unsigned i = 0; i < turns; i++)
			uv_run(&world.loop.uv, UV_RUN_NOWAIT);
		outgoing_survey_cancel(&surveyor);
		assert_null(surveyor);
	}
	assert_false(seen.is_done);
	body_unref(&body);
	buf_fini(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_not_changed_is_what_was_stored, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			the_header_is_rewritten_and_the_body_stays, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			of_an_empty_message_there_is_what_goes_in_front, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_survey_tells_the_size_of_what_is_encoded, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_survey_sees_the_header_as_it_will_be_sent, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_survey_can_be_cancelled_at_any_time, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
