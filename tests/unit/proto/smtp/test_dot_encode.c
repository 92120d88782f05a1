#include "cmocka_all.h"

#include "smtp/dot_encode.h"

static const struct row {
	struct span body;
	const char *wire;
} rows[] = {
	{ SPAN_LIT(""), ".\r\n" },
	{ SPAN_LIT("a\r\n"), "a\r\n.\r\n" },
	{ SPAN_LIT("a"), "a\r\n.\r\n" },
	{ SPAN_LIT("."), "..\r\n.\r\n" },
	{ SPAN_LIT(".\r\n"), "..\r\n.\r\n" },
	{ SPAN_LIT("..\r\n.b\r\n"), "...\r\n..b\r\n.\r\n" },
	{ SPAN_LIT("a.\r\nb.c\r\n"), "a.\r\nb.c\r\n.\r\n" },
	{ SPAN_LIT("a\r\n.\r\nQUIT\r\n"), "a\r\n..\r\nQUIT\r\n.\r\n" },
	{ SPAN_LIT("\r\n\r\n"), "\r\n\r\n.\r\n" },
	{ SPAN_LIT("a\n.\nb"), "a\r\n..\r\nb\r\n.\r\n" },
	{ SPAN_LIT("a\n.\r\nMAIL"), "a\r\n..\r\nMAIL\r\n.\r\n" },
	{ SPAN_LIT("a\r.\rb"), "a\r\n..\r\nb\r\n.\r\n" },
	{ SPAN_LIT("a\r.\r\n"), "a\r\n..\r\n.\r\n" },
	{ SPAN_LIT("a\r\r\n."), "a\r\n\r\n..\r\n.\r\n" },
	{ SPAN_LIT("a\r"), "a\r\n.\r\n" },
	{ SPAN_LIT("\r"), "\r\n.\r\n" },
	{ SPAN_LIT("\n"), "\r\n.\r\n" },
	{ SPAN_LIT("\n\r"), "\r\n\r\n.\r\n" },
	{ SPAN_LIT("a\r\nb\rc\nd\r\n"), "a\r\nb\r\nc\r\nd\r\n.\r\n" },
};

static void bodies_are_encoded_alike_however_they_are_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t piece_len = 1; piece_len <= rows[i].body.len + 1; piece_len++) {
			struct dot_encoder encoder = { 0 };
			struct span rest = rows[i].body;
			struct buf out = { 0 };

			while (rest.len) {
				size_t len = rest.len < piece_len ? rest.len : piece_len;

				dot_encode(&encoder, span_take(rest, len), &out);
				rest = span_drop(rest, len);
			}
			dot_encode_end(&encoder, &out);
			assert_span_equal(buf_span(&out), rows[i].wire);
			buf_fini(&out);
		}
	}
}

/* Every body of up to 7 bytes over the bytes that matter. */
static void no_body_can_end_itself(void **state)
{
	static const char alphabet[] = { '\r', '\n', '.', 'x' };

	(void)state;
	for (unsigned number = 0; number < 1 << 14; number++) {
		struct dot_encoder encoder = { 0 };
		struct buf out = { 0 };
		struct span wire;

		for (unsigned i = 0; i < 7; i++)
			dot_encode(&encoder, span_of(&alphabet[number >> 2 * i & 3], 1), &out);
		dot_encode_end(&encoder, &out);
		wire = buf_span(&out);
		for (size_t i = 0; i < wire.len; i++) {
			bool is_line_start = i == 0 || wire.ptr[i - 1] == '\n';

			if (wire.ptr[i] == '\r')
				assert_int_equal(wire.ptr[i + 1], '\n');
			if (wire.ptr[i] == '\n')
				assert_int_equal(wire.ptr[i - 1], '\r');
			if (is_line_start && wire.ptr[i] == '.' && wire.ptr[i + 1] == '\r')
				assert_int_equal(i + 3, wire.len);
		}
		buf_fini(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bodies_are_encoded_alike_however_they_are_cut),
		cmocka_unit_test(no_body_can_end_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
