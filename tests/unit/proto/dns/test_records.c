#include "cmocka_all.h"

#include "skein/proto/base/arena.h"
#include "skein/proto/dns/records.h"

#define DATA(literal) SPAN_LIT(literal)

static void records_are_read_for_what_they_mean(void **state)
{
	static const struct {
		enum dns_type type;
		struct span data[4];
		size_t count;
		const char *wanted[4];
	} rows[] = {
		{ DNS_TXT,
			{ DATA("\x03"
			       "v=s"
			       "\x02"
			       "pf"),
				DATA("\x09"
				     "too short"
				     "\x05"),
				DATA("\x01x") },
			3, { "v=spf", "x" } },
		{ DNS_A, { DATA("abcd"), DATA("abc"), DATA("abcde") }, 3, { "abcd" } },
		{ DNS_AAAA, { DATA("0123456789abcdef"), DATA("abcd") }, 2, { "0123456789abcdef" } },
		{ DNS_PTR,
			{ DATA("\x01"
			       "a"
			       "\x02"
			       "bc"
			       "\x00"),
				DATA("\x01"
				     "a") },
			2, { "a.bc" } },
		{ DNS_MX,
			{ DATA("\x00\x14\x01"
			       "b"
			       "\x00"),
				DATA("\x00\x0a\x01"
				     "c"
				     "\x00"),
				DATA("\x00\x14\x01"
				     "a"
				     "\x00"),
				DATA("\x00") },
			4, { "c", "a", "b" } },
		{ DNS_MX, { DATA("\x00\x00\x00") }, 1, { "." } },
		{ DNS_TLSA, { DATA("as it is") }, 1, { "as it is" } },
		{ DNS_TXT, { { 0 } }, 0, { NULL } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena arena = { 0 };
		const struct span *records;
		size_t count = dns_records_read(rows[i].type, rows[i].data, rows[i].count, &arena, &records);
		size_t wanted = 0;

		while (wanted < ARRAY_LEN(rows[i].wanted) && rows[i].wanted[wanted])
			wanted++;
		assert_int_equal(count, wanted);
		for (size_t k = 0; k < count; k++)
			assert_span_equal(records[k], rows[i].wanted[k]);
		arena_fini(&arena);
	}
}

static void more_than_the_bound_are_left_out(void **state)
{
	struct span data[DNS_RECORDS_MAX + 1];
	struct arena arena = { 0 };
	const struct span *records;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(data); i++)
		data[i] = SPAN_LIT("abcd");
	assert_int_equal(dns_records_read(DNS_A, data, ARRAY_LEN(data), &arena, &records), DNS_RECORDS_MAX);
	arena_fini(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_are_read_for_what_they_mean),
		cmocka_unit_test(more_than_the_bound_are_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
