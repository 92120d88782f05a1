#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>

#include "skein/proto/base/alloc.h"
#include "smtp/content_internal.h"

#define S(literal)                                                                                           \
	{                                                                                                    \
		literal, sizeof(literal) - 1                                                                 \
	}

/* What became of a message. */
struct outcome {
	struct buf content;
	enum smtp_reply_id fault;
	bool ended;
	size_t used;
	uint64_t line_len_max;
	bool has_8bit;
};

struct feed {
	struct content content;
	struct bdat bdat;
	bool is_bdat;
	struct outcome *outcome;
};

static enum body_step next(struct feed *feed, struct span *in, struct span *run)
{
	if (feed->is_bdat)
		return bdat_next(&feed->bdat, &feed->content, in, run);
	return dot_next(&feed->content, in, run);
}

/* Pulls until the machine wants more, or the message or chunk ends. True: it ended. */
static bool pull(struct feed *feed, struct span *in)
{
	for (;;) {
		struct span run;

		switch (next(feed, in, &run)) {
		case BODY_RUN:
			assert_true(run.len > 0);
			assert_int_equal(feed->outcome->fault, SMTP_REPLY_NONE);
			buf_append(&feed->outcome->content, run);
			break;
		case BODY_FAULT:
			/* Told once, and BDAT's caller stops here. */
			assert_int_equal(feed->outcome->fault, SMTP_REPLY_NONE);
			feed->outcome->fault = feed->content.fault;
			if (feed->is_bdat)
				return true;
			break;
		case BODY_MORE:
			return false;
		case BODY_END:
			feed->outcome->ended = true;
			return true;
		case BODY_CHUNK_END:
			return true;
		case BODY_DOT:
			fail_msg("a dot was let through");
		}
	}
}

/* Feeds `input` in steps; what is left unused is offered again from fresh memory, so that a read past it
 * shows. */
static bool feed_in_steps(struct feed *feed, struct span input, size_t step)
{
	size_t have = 0;
	bool done = pull(feed, &(struct span){ NULL, 0 });

	while (!done && have < input.len) {
		char *copy;
		struct span in;

		have = input.len - have < step ? input.len : have + step;
		copy = mem_dup(input.ptr + feed->outcome->used, have - feed->outcome->used);
		in = span_of(copy, have - feed->outcome->used);
		done = pull(feed, &in);
		feed->outcome->used = have - in.len;
		mem_free(copy);
	}
	return done;
}

static void finish(struct feed *feed)
{
	feed->outcome->line_len_max = feed->content.line_len_max;
	feed->outcome->has_8bit = feed->content.has_8bit;
	if (feed->outcome->fault == SMTP_REPLY_NONE)
		assert_true(feed->content.size == buf_len(&feed->outcome->content));
}

static struct outcome read_data(struct span wire, const struct smtp_server_options *options, size_t step)
{
	struct outcome outcome = { 0 };
	struct feed feed = { .outcome = &outcome };

	content_start(&feed.content, options);
	feed_in_steps(&feed, wire, step);
	finish(&feed);
	return outcome;
}

/* The promise that server.h makes for all that BODY hands out. */
static void assert_clean(struct span content, bool is_whole)
{
	for (size_t i = 0; i < content.len; i++) {
		assert_true(content.ptr[i] != '\0');
		if (content.ptr[i] == '\n')
			assert_true(i > 0 && content.ptr[i - 1] == '\r');
		if (content.ptr[i] == '\r' && (is_whole || i + 1 < content.len))
			assert_true(i + 1 < content.len && content.ptr[i + 1] == '\n');
	}
	if (is_whole && content.len)
		assert_int_equal(content.ptr[content.len - 1], '\n');
}

static struct smtp_server_options default_options(void)
{
	struct smtp_server_options options;

	smtp_server_options_init(&options);
	options.hostname = SPAN_LIT("relay.example");
	return options;
}

struct data_row {
	struct span wire;
	const char *strict;     /* content, or NULL: refused */
	const char *normalised; /* NULL: the same as strict */
	size_t left;            /* bytes behind the end */
};

/* Each row as a whole, in every step size, in both modes. */
static void check_data(const struct data_row *row, enum smtp_bare_newline mode)
{
	struct smtp_server_options options = default_options();
	bool strict = mode == SMTP_BARE_NEWLINE_REFUSE;
	const char *wanted = strict || !row->normalised ? row->strict : row->normalised;

	options.bare_newline = mode;
	for (size_t step = 1; step <= row->wire.len; step++) {
		struct outcome got = read_data(row->wire, &options, step);

		assert_true(got.ended);
		assert_int_equal(row->wire.len - got.used, row->left);
		assert_int_equal(got.fault != SMTP_REPLY_NONE, wanted == NULL);
		assert_clean(buf_span(&got.content), wanted != NULL);
		if (wanted)
			assert_span_equal(buf_span(&got.content), wanted);
		buf_fini(&got.content);
	}
}

static void data_is_unstuffed_and_ends_at_its_dot(void **state)
{
	static const struct data_row rows[] = {
		{ S(".\r\n"), "", NULL, 0 },
		{ S("\r\n.\r\n"), "\r\n", NULL, 0 },
		{ S("a\r\n.\r\nQUIT\r\n"), "a\r\n", NULL, 6 },
		{ S("a\r\n.\r\n.\r\n"), "a\r\n", NULL, 3 },
		{ S("..\r\n.\r\n"), ".\r\n", NULL, 0 },
		{ S("...\r\n.\r\n"), "..\r\n", NULL, 0 },
		{ S(".a\r\n.\r\n"), "a\r\n", NULL, 0 },
		{ S("a.\r\n.b\r\n..c\r\n.\r\n"), "a.\r\nb\r\n.c\r\n", NULL, 0 },
		{ S("a\r\n..\r\n..\r\n.\r\n"), "a\r\n.\r\n.\r\n", NULL, 0 },
		{ S("a\r\n. \r\n.\r\n"), "a\r\n \r\n", NULL, 0 },
		{ S("a b\tc\r\n\r\nd\r\n.\r\n"), "a b\tc\r\n\r\nd\r\n", NULL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		check_data(&rows[i], SMTP_BARE_NEWLINE_REFUSE);
		check_data(&rows[i], SMTP_BARE_NEWLINE_NORMALISE);
	}
}

/* Everything that some server took, or takes, for the end of a message. X stands for the smuggled one. */
static void only_crlf_dot_crlf_ends_data(void **state)
{
	static const struct data_row rows[] = {
		{ S("a\n.\nX\r\n.\r\n"), NULL, "a\r\n.\r\nX\r\n", 0 },
		{ S("a\n.\r\nX\r\n.\r\n"), NULL, "a\r\n.\r\nX\r\n", 0 },
		{ S("a\r\n.\nX\r\n.\r\n"), NULL, "a\r\n\r\nX\r\n", 0 },
		{ S("a\r.\rX\r\n.\r\n"), NULL, "a\r\n.\r\nX\r\n", 0 },
		{ S("a\r.\r\nX\r\n.\r\n"), NULL, "a\r\n.\r\nX\r\n", 0 },
		{ S("a\r\n.\rX\r\n.\r\n"), NULL, "a\r\n\r\nX\r\n", 0 },
		{ S("a\r.\nX\r\n.\r\n"), NULL, "a\r\n.\r\nX\r\n", 0 },
		{ S("a\n.\rX\r\n.\r\n"), NULL, "a\r\n.\r\nX\r\n", 0 },
		{ S("a\r\r\n.\r\n"), NULL, "a\r\n\r\n", 0 },
		{ S("a\r\n\r.\r\nX\r\n.\r\n"), NULL, "a\r\n\r\n.\r\nX\r\n", 0 },
		{ S("a\r\n.\r\r\nX\r\n.\r\n"), NULL, "a\r\n\r\n\r\nX\r\n", 0 },
		{ S("a\r\n\n.\r\nX\r\n.\r\n"), NULL, "a\r\n\r\n.\r\nX\r\n", 0 },
		{ S("\n.\r\n\r\n.\r\n"), NULL, "\r\n.\r\n\r\n", 0 },
		{ S("\r.\r\n\r\n.\r\n"), NULL, "\r\n.\r\n\r\n", 0 },
		{ S(".\n\r\n.\r\n"), NULL, "\r\n\r\n", 0 },
		{ S(".\r\r\n.\r\n"), NULL, "\r\n\r\n", 0 },
		{ S("..\n.\r\n\r\n.\r\n"), NULL, ".\r\n.\r\n\r\n", 0 },
		{ S("a\r\n\0.\r\nX\r\n.\r\n"), NULL, NULL, 0 },
		{ S("a\r\n.\0\r\nX\r\n.\r\n"), NULL, NULL, 0 },
		{ S("a\r\0\n.\r\nX\r\n.\r\n"), NULL, NULL, 0 },
		{ S("a\r\n.\r\0\nX\r\n.\r\n"), NULL, NULL, 0 },
		{ S("\0\r\n.\r\n"), NULL, NULL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		check_data(&rows[i], SMTP_BARE_NEWLINE_REFUSE);
		check_data(&rows[i], SMTP_BARE_NEWLINE_NORMALISE);
	}
}

static void the_first_offence_decides_however_it_arrives(void **state)
{
	static const struct {
		struct span wire;
		uint64_t size_max;
		uint32_t line_max;
		enum smtp_reply_id fault;
		uint64_t line_len_max;
	} rows[] = {
		{ S("12345678\r\n.\r\n"), 10, 0, SMTP_REPLY_NONE, 10 },
		{ S("123456789\r\n.\r\n"), 10, 0, SMTP_REPLY_TOO_BIG, 0 },
		{ S("12345678\r\n..\r\n.\r\n"), 10, 0, SMTP_REPLY_TOO_BIG, 0 },
		{ S("1234567890123\n\0\r\n.\r\n"), 10, 0, SMTP_REPLY_TOO_BIG, 0 },
		{ S("12\0xx567890123\n\r\n.\r\n"), 10, 0, SMTP_REPLY_NUL_IN_MESSAGE, 0 },
		{ S("12\n4\0xx567890123\r\n.\r\n"), 10, 0, SMTP_REPLY_BARE_NEWLINE, 0 },
		{ S("12\r4\0xx567890123\r\n.\r\n"), 10, 0, SMTP_REPLY_BARE_NEWLINE, 0 },
		{ S("123456\r\n123\r\n.\r\n"), 99, 8, SMTP_REPLY_NONE, 8 },
		{ S("..23456\r\n.\r\n"), 99, 8, SMTP_REPLY_NONE, 8 },
		{ S("1234567\r\n.\r\n"), 99, 8, SMTP_REPLY_TEXT_LINE_TOO_LONG, 0 },
		{ S("1\r\n1234567\n\0\r\n.\r\n"), 99, 8, SMTP_REPLY_TEXT_LINE_TOO_LONG, 0 },
		{ S("1\r\n123456\n\r\n.\r\n"), 99, 8, SMTP_REPLY_BARE_NEWLINE, 0 },
		{ S("1\r\n12\0xx4567\r\n.\r\n"), 99, 8, SMTP_REPLY_NUL_IN_MESSAGE, 0 },
		{ S("1\r\n1234567890123456789\r\n..\r\n.\r\n"), 12, 8, SMTP_REPLY_TEXT_LINE_TOO_LONG, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct smtp_server_options options = default_options();

		options.message_size_max = rows[i].size_max;
		options.text_line_max = rows[i].line_max;
		for (size_t step = 1; step <= rows[i].wire.len; step++) {
			struct outcome got = read_data(rows[i].wire, &options, step);

			assert_true(got.ended);
			assert_int_equal(got.used, rows[i].wire.len);
			if (got.fault != rows[i].fault)
				fail_msg("row %zu in steps of %zu: %d", i, step, got.fault);
			assert_true(buf_len(&got.content) <= rows[i].size_max);
			if (got.fault == SMTP_REPLY_NONE)
				assert_true(got.line_len_max == rows[i].line_len_max);
			buf_fini(&got.content);
		}
	}
}

static void bytes_above_127_are_noticed_wherever_they_stand(void **state)
{
	struct smtp_server_options options = default_options();
	char wire[64];

	(void)state;
	for (size_t at = 0; at < sizeof(wire); at++) {
		struct outcome got;

		memset(wire, 'a', sizeof(wire));
		memcpy(wire + sizeof(wire) - 5, "\r\n.\r\n", 5);
		if (at < sizeof(wire) - 5)
			wire[at] = '\xe4';
		got = read_data(span_of(wire, sizeof(wire)), &options, sizeof(wire));
		assert_int_equal(got.has_8bit, at < sizeof(wire) - 5);
		buf_fini(&got.content);
	}
}

static void a_run_is_as_long_as_the_input_and_is_not_copied(void **state)
{
	struct smtp_server_options options = default_options();
	struct content content;
	struct span in = SPAN_LIT("one\r\ntwo\r\nthree\r\n.\r\n"), run;
	const char *start = in.ptr;

	(void)state;
	content_start(&content, &options);
	assert_int_equal(dot_next(&content, &in, &run), BODY_RUN);
	assert_ptr_equal(run.ptr, start);
	assert_int_equal(run.len, strlen("one\r\ntwo\r\nthree\r\n"));
	assert_int_equal(dot_next(&content, &in, &run), BODY_END);
}

enum { CHUNKS_MAX = 4 };

/* The chunks one after the other, the last of them LAST. */
static struct outcome read_chunks(const struct span *chunks, enum smtp_bare_newline mode, size_t step)
{
	struct smtp_server_options options = default_options();
	struct outcome outcome = { 0 };
	struct feed feed = { .is_bdat = true, .outcome = &outcome };

	options.bare_newline = mode;
	content_start(&feed.content, &options);
	for (size_t i = 0; i < CHUNKS_MAX && !outcome.ended && !outcome.fault; i++) {
		bool last = i + 1 == CHUNKS_MAX || !chunks[i + 1].ptr;

		feed.bdat = (struct bdat){ chunks[i].len, last, feed.bdat.holds_cr };
		outcome.used = 0;
		assert_true(feed_in_steps(&feed, chunks[i], step));
		if (!outcome.fault)
			assert_int_equal(outcome.used, chunks[i].len);
	}
	finish(&feed);
	return outcome;
}

static void chunks_become_one_clean_message(void **state)
{
	static const struct {
		struct span chunks[CHUNKS_MAX];
		const char *strict, *normalised;
	} rows[] = {
		{ { S("") }, "", "" },
		{ { S("a\r\n") }, "a\r\n", "a\r\n" },
		{ { S("a\r\n"), S("") }, "a\r\n", "a\r\n" },
		{ { S("a\r"), S("\nb\r\n") }, "a\r\nb\r\n", "a\r\nb\r\n" },
		{ { S("a\r"), S(""), S("\nb\r\n") }, "a\r\nb\r\n", "a\r\nb\r\n" },
		{ { S("a"), S("\r"), S("\n"), S("b\r\n") }, "a\r\nb\r\n", "a\r\nb\r\n" },
		/* A dot is nothing special here. */
		{ { S("a\r\n.\r\nb\r\n") }, "a\r\n.\r\nb\r\n", "a\r\n.\r\nb\r\n" },
		{ { S("a\r\n"), S(".\r\n"), S("..\r\n") }, "a\r\n.\r\n..\r\n", "a\r\n.\r\n..\r\n" },
		{ { S("."), S("\r\n") }, ".\r\n", ".\r\n" },
		/* No CRLF at the end: one is added. */
		{ { S("a") }, "a\r\n", "a\r\n" },
		{ { S("a\r\n.") }, "a\r\n.\r\n", "a\r\n.\r\n" },
		{ { S("a\r\n"), S("b"), S("") }, "a\r\nb\r\n", "a\r\nb\r\n" },
		/* Smuggling by BDAT in, DATA out. */
		{ { S("a\n.\nX\r\n") }, NULL, "a\r\n.\r\nX\r\n" },
		{ { S("a\n.\r\nX\r\n") }, NULL, "a\r\n.\r\nX\r\n" },
		{ { S("a\r.\rX\r\n") }, NULL, "a\r\n.\r\nX\r\n" },
		{ { S("a\r\r\n") }, NULL, "a\r\n\r\n" },
		{ { S("a\r") }, NULL, "a\r\n" },
		{ { S("a\r"), S("") }, NULL, "a\r\n" },
		{ { S("a\r"), S(".\r\nX\r\n") }, NULL, "a\r\n.\r\nX\r\n" },
		{ { S("a\r"), S("\r\n.\r\nX\r\n") }, NULL, "a\r\n\r\n.\r\nX\r\n" },
		{ { S("a"), S("\n.\r\n") }, NULL, "a\r\n.\r\n" },
		{ { S("\n") }, NULL, "\r\n" },
		{ { S("a\r"), S("\n"), S("\n") }, NULL, "a\r\n\r\n" },
		{ { S("a\r\n\0.\r\nX\r\n") }, NULL, NULL },
		{ { S("a\r"), S("\0\n") }, NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t step = 1; step <= 24; step++) {
			for (int mode = SMTP_BARE_NEWLINE_REFUSE; mode <= SMTP_BARE_NEWLINE_NORMALISE;
				mode++) {
				const char *wanted = mode == SMTP_BARE_NEWLINE_REFUSE ? rows[i].strict
										      : rows[i].normalised;
				struct outcome got =
					read_chunks(rows[i].chunks, (enum smtp_bare_newline)mode, step);

				assert_int_equal(got.ended, wanted != NULL);
				assert_int_equal(got.fault != SMTP_REPLY_NONE, wanted == NULL);
				assert_clean(buf_span(&got.content), wanted != NULL);
				if (wanted)
					assert_span_equal(buf_span(&got.content), wanted);
				buf_fini(&got.content);
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(data_is_unstuffed_and_ends_at_its_dot),
		cmocka_unit_test(only_crlf_dot_crlf_ends_data),
		cmocka_unit_test(the_first_offence_decides_however_it_arrives),
		cmocka_unit_test(bytes_above_127_are_noticed_wherever_they_stand),
		cmocka_unit_test(a_run_is_as_long_as_the_input_and_is_not_copied),
		cmocka_unit_test(chunks_become_one_clean_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
