#include "cmocka_all.h"

#include "skein/proto/base/alloc.h"
#include "skein/proto/dnscheck/dns_facts.h"

#define DATA(literal)                                                                                        \
	{                                                                                                    \
		(literal), sizeof(literal) - 1                                                               \
	}

struct row {
	enum dns_fact_kind kind;
	struct span rdata[4];
	struct span records[4]; /* as far as they have a pointer */
};

static void records_are_read_as_their_kind_wants_it(void **state)
{
	static const struct row rows[] = {
		{ DNS_FACT_TXT, { DATA("\3one\3two"), DATA("\5three"), DATA("\7cut") },
			{ DATA("onetwo"), DATA("three") } },
		{ DNS_FACT_A, { DATA("\300\0\2\1"), DATA("\300\0\2") }, { DATA("\300\0\2\1") } },
		{ DNS_FACT_AAAA, { DATA("0123456789abcdef"), DATA("0123") }, { DATA("0123456789abcdef") } },
		{ DNS_FACT_PTR, { DATA("\2mx\7example\0"), DATA("\77mx") }, { DATA("mx.example") } },
		{ DNS_FACT_TLSA, { DATA("\3\1\1abc") }, { DATA("\3\1\1abc") } },
		{ DNS_FACT_MX, { DATA("\0\12\1b\0"), DATA("\0\12\1a\0"), DATA("\0\1\1z\0"), DATA("\0") },
			{ DATA("z"), DATA("a"), DATA("b") } },
		{ DNS_FACT_MX, { DATA("\0\0\0") }, { DATA(".") } },
		{ DNS_FACT_TXT, { { NULL, 0 } }, { { NULL, 0 } } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena arena = { 0 };
		const struct span *records;
		size_t given = 0, wanted = 0, count;

		while (given < 4 && rows[i].rdata[given].ptr)
			given++;
		while (wanted < 4 && rows[i].records[wanted].ptr)
			wanted++;
		count = dns_fact_read(rows[i].kind, rows[i].rdata, given, &arena, &records);
		assert_int_equal(count, wanted);
		for (size_t k = 0; k < count; k++)
			assert_true(span_eq(records[k], rows[i].records[k]));
		arena_fini(&arena);
	}
}

static void an_answer_is_read_up_to_a_bound(void **state)
{
	struct span *rdata = mem_alloc(1000 * sizeof(*rdata));
	struct arena arena = { 0 };
	const struct span *records;

	(void)state;
	for (size_t i = 0; i < 1000; i++)
		rdata[i] = SPAN_LIT("\1x");
	assert_int_equal(dns_fact_read(DNS_FACT_TXT, rdata, 1000, &arena, &records), DNS_FACT_RECORDS_MAX);
	arena_fini(&arena);
	mem_free(rdata);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_are_read_as_their_kind_wants_it),
		cmocka_unit_test(an_answer_is_read_up_to_a_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
