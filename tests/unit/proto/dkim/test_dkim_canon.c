/* Canonical forms by RFC 6376 3.4: tables, fed whole and byte by byte. */
#include "cmocka_all.h"

#include "skein/proto/dkim/canon.h"

struct row {
	const char *in, *simple, *relaxed;
};

static const struct row fields[] = {
	/* RFC 6376 3.4.5 */
	{ "A: X\r\n", "A: X\r\n", "a:X\r\n" },
	{ "B : Y\t\r\n\tZ  \r\n", "B : Y\t\r\n\tZ  \r\n", "b:Y Z\r\n" },
	/* Folded before the value, empty, of spaces alone. */
	{ "Subject:\r\n  a\r\n", "Subject:\r\n  a\r\n", "subject:a\r\n" },
	{ "X:\r\n", "X:\r\n", "x:\r\n" },
	{ "X: \t \r\n", "X: \t \r\n", "x:\r\n" },
	{ "X:a\r\n \r\n b\r\n \r\n", "X:a\r\n \r\n b\r\n \r\n", "x:a b\r\n" },
	/* Only the first colon ends the name; case and bytes of the value stay. */
	{ "X-Y \t: A:B : \xc3\xa4\xff\r\n", "X-Y \t: A:B : \xc3\xa4\xff\r\n", "x-y:A:B : \xc3\xa4\xff\r\n" },
	{ "X: a  \t b\r\n", "X: a  \t b\r\n", "x:a b\r\n" },
};

static const struct row bodies[] = {
	/* RFC 6376 3.4.5 */
	{ " C \r\nD \t E\r\n\r\n\r\n", " C \r\nD \t E\r\n", " C\r\nD E\r\n" },
	/* RFC 6376 3.4.3, 3.4.4: of nothing, one line end or none. */
	{ "", "\r\n", "" },
	{ "\r\n", "\r\n", "" },
	{ "\r\n\r\n\r\n", "\r\n", "" },
	{ " \t\r\n", " \t\r\n", "" },
	{ " \r\n\t\r\n\r\n", " \r\n\t\r\n", "" },
	{ "a", "a\r\n", "a\r\n" },
	{ "a\r\n", "a\r\n", "a\r\n" },
	{ "a \r\n \r\n", "a \r\n \r\n", "a\r\n" },
	{ "a\r\n\r\nb\r\n\r\n", "a\r\n\r\nb\r\n", "a\r\n\r\nb\r\n" },
	{ "\r\n\r\n  a\r\n", "\r\n\r\n  a\r\n", "\r\n\r\n a\r\n" },
	{ "a\r\n \t\r\n\tb  c\t\r\n", "a\r\n \t\r\n\tb  c\t\r\n", "a\r\n\r\n b c\r\n" },
	{ "a \t", "a \t\r\n", "a\r\n" },
	{ "\xff\x01  \x80\r\n", "\xff\x01  \x80\r\n", "\xff\x01 \x80\r\n" },
	/* Alone, CR and LF end no line. */
	{ "a\rb\nc\r\n", "a\rb\nc\r\n", "a\rb\nc\r\n" },
	{ "a \r \r\r\n", "a \r \r\r\n", "a \r \r\r\n" },
	{ "a\r\n\r", "a\r\n\r\r\n", "a\r\n\r\r\n" },
	{ "\n", "\n\r\n", "\n\r\n" },
};

static void fields_have_their_canonical_form(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		struct buf out = { 0 };

		dkim_canon_field(DKIM_SIMPLE, span_of_str(fields[i].in), &out);
		assert_span_equal(buf_span(&out), fields[i].simple);
		buf_clear(&out);
		dkim_canon_field(DKIM_RELAXED, span_of_str(fields[i].in), &out);
		assert_span_equal(buf_span(&out), fields[i].relaxed);
		buf_fini(&out);
	}
}

static void take(void *arg, struct span bytes)
{
	buf_append(arg, bytes);
}

static void assert_body(enum dkim_canon canon, const char *in, size_t piece, const char *wanted)
{
	struct span rest = span_of_str(in);
	struct dkim_body body;
	struct buf out = { 0 };

	dkim_body_init(&body, canon, take, &out);
	while (rest.len) {
		size_t len = rest.len < piece ? rest.len : piece;

		dkim_body_feed(&body, span_take(rest, len));
		rest = span_drop(rest, len);
	}
	dkim_body_end(&body);
	assert_span_equal(buf_span(&out), wanted);
	buf_fini(&out);
}

static void bodies_have_their_canonical_form_however_they_are_split(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++)
		for (size_t piece = 1; piece <= 4; piece++) {
			size_t len = piece == 4 ? SIZE_MAX : piece;

			assert_body(DKIM_SIMPLE, bodies[i].in, len, bodies[i].simple);
			assert_body(DKIM_RELAXED, bodies[i].in, len, bodies[i].relaxed);
		}
}

/* More than a piece of output, from lines held back and from one long line. */
static void long_runs_come_through(void **state)
{
	struct buf in = { 0 }, wanted = { 0 };

	(void)state;
	for (int i = 0; i < 3000; i++)
		buf_append_str(&in, "\r\n");
	buf_append(&wanted, buf_span(&in));
	for (int i = 0; i < 3000; i++) {
		buf_append_str(&in, "x \t ");
		buf_append_str(&wanted, "x ");
	}
	buf_append_str(&in, "y\r\n\r\n");
	buf_append_byte(&in, '\0');
	buf_append_str(&wanted, "y\r\n");
	buf_append_byte(&wanted, '\0');
	assert_body(DKIM_RELAXED, in.base, SIZE_MAX, wanted.base);
	buf_fini(&in);
	buf_fini(&wanted);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_have_their_canonical_form),
		cmocka_unit_test(bodies_have_their_canonical_form_however_they_are_split),
		cmocka_unit_test(long_runs_come_through),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
