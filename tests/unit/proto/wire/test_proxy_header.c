#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>

#include "skein/proto/base/alloc.h"
#include "skein/proto/base/check.h"
#include "skein/proto/wire/proxy_header.h"

#define S(literal)                                                                                           \
	{                                                                                                    \
		literal, sizeof(literal) - 1                                                                 \
	}
#define V2       "\r\n\r\n\0\r\nQUIT\n"
#define FOUR_IPS "\xc0\x00\x02\x01\xc0\x00\x02\x02\x04\xd2\x00\x19"
#define SIX_IPS                                                                                              \
	"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\2\x04\xd2\x00\x19"
#define TEN_BYTES "0123456789"
/* 216 bytes, two Unix paths */
#define PATHS                                                                                                \
	TEN_BYTES TEN_BYTES TEN_BYTES TEN_BYTES TEN_BYTES TEN_BYTES TEN_BYTES TEN_BYTES TEN_BYTES TEN_BYTES  \
		TEN_BYTES TEN_BYTES TEN_BYTES TEN_BYTES TEN_BYTES TEN_BYTES TEN_BYTES TEN_BYTES TEN_BYTES    \
			TEN_BYTES TEN_BYTES "012345"

struct row {
	struct span header;
	enum proxy_family family;
	bool local;
};

/* Those with addresses are all from port 1234 of address ...1 to port 25 of address ...2. */
static const struct row good[] = {
	{ S("PROXY TCP4 192.0.2.1 192.0.2.2 1234 25\r\n"), PROXY_FAMILY_IPV4, false },
	{ S("PROXY TCP6 2001:db8::1 2001:db8::2 1234 25\r\n"), PROXY_FAMILY_IPV6, false },
	{ S("PROXY UNKNOWN\r\n"), PROXY_FAMILY_NONE, false },
	{ S("PROXY UNKNOWN ffff::1 what ever\r\n"), PROXY_FAMILY_NONE, false },
	{ S(V2 "\x21\x11\x00\x0c" FOUR_IPS), PROXY_FAMILY_IPV4, false },
	{ S(V2 "\x21\x21\x00\x24" SIX_IPS), PROXY_FAMILY_IPV6, false },
	{ S(V2 "\x21\x11\x00\x14" FOUR_IPS "\x04\x00\x00\xea\x00\x02xy"), PROXY_FAMILY_IPV4, false },
	{ S(V2 "\x21\x00\x00\x00"), PROXY_FAMILY_NONE, false },
	{ S(V2 "\x21\x00\x00\x03\x04\x00\x00"), PROXY_FAMILY_NONE, false },
	{ S(V2 "\x21\x12\x00\x0c" FOUR_IPS), PROXY_FAMILY_NONE, false },
	{ S(V2 "\x21\x22\x00\x24" SIX_IPS), PROXY_FAMILY_NONE, false },
	{ S(V2 "\x21\x31\x00\xd8" PATHS), PROXY_FAMILY_NONE, false },
	{ S(V2 "\x21\x32\x00\xd8" PATHS), PROXY_FAMILY_NONE, false },
	{ S(V2 "\x20\x00\x00\x00"), PROXY_FAMILY_NONE, true },
	{ S(V2 "\x20\x11\x00\x0c" FOUR_IPS), PROXY_FAMILY_NONE, true },
	{ S(V2 "\x20\xff\x00\x05xxxxx"), PROXY_FAMILY_NONE, true },
};

/* From memory of exactly that length, so that a read past it shows. */
static enum parse_result parse_copy(
	struct span in, size_t len, struct proxy_header *header, size_t *consumed_out)
{
	char *copy = mem_dup(in.ptr, len ? len : 1);
	enum parse_result result = proxy_header_parse(span_of(copy, len), header, consumed_out);

	mem_free(copy);
	return result;
}

static void assert_addresses(const struct proxy_header *header)
{
	bool is_ipv4 = header->family == PROXY_FAMILY_IPV4;
	struct span from = is_ipv4 ? SPAN_LIT("\xc0\x00\x02\x01") : SPAN_LIT("\x20\x01\x0d\xb8");
	size_t last = is_ipv4 ? 3 : 15;

	assert_int_equal(header->source.port, 1234);
	assert_int_equal(header->destination.port, 25);
	assert_memory_equal(header->source.bytes, from.ptr, 3);
	assert_memory_equal(header->destination.bytes, from.ptr, 3);
	assert_int_equal(header->source.bytes[last], 1);
	assert_int_equal(header->destination.bytes[last], 2);
}

static void headers_are_understood(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct proxy_header header;
		size_t consumed = 0;

		if (parse_copy(good[i].header, good[i].header.len, &header, &consumed) != PARSE_DONE)
			fail_msg("row %zu", i);
		assert_int_equal(consumed, good[i].header.len);
		assert_int_equal(header.family, good[i].family);
		assert_int_equal(header.local, good[i].local);
		if (header.family != PROXY_FAMILY_NONE)
			assert_addresses(&header);
	}
}

static void every_beginning_of_a_header_wants_more(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		for (size_t len = 0; len < good[i].header.len; len++) {
			struct proxy_header header;
			size_t consumed = 77;

			if (parse_copy(good[i].header, len, &header, &consumed) != PARSE_MORE)
				fail_msg("row %zu at %zu", i, len);
			assert_int_equal(consumed, 77);
		}
	}
}

static void what_follows_the_header_is_left_alone(void **state)
{
	struct span in = SPAN_LIT("PROXY UNKNOWN\r\nEHLO x\r\n");
	struct proxy_header header;
	size_t consumed;

	(void)state;
	assert_int_equal(proxy_header_parse(in, &header, &consumed), PARSE_DONE);
	assert_span_equal(span_drop(in, consumed), "EHLO x\r\n");
}

static void what_is_no_header_is_bad(void **state)
{
	static const struct span rows[] = {
		S("EHLO x\r\n"),
		S("PROXX"),
		S("proxy TCP4 192.0.2.1 192.0.2.2 1 2\r\n"),
		S("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n\r\n"),
		S("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\rx"),
		S("PROXY  TCP4 192.0.2.1 192.0.2.2 1 2\r\n"),
		S("PROXY TCP4 192.0.2.1  192.0.2.2 1 2\r\n"),
		S("PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n"),
		S("PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n"),
		S("PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n"),
		S("PROXY TCP4 192.0.2.1 192.0.2.2 1 \r\n"),
		S("PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n"),
		S("PROXY TCP4 192.0.2.1 192.0.2.2 +1 2\r\n"),
		S("PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n"),
		S("PROXY TCP4 192.0.2.256 192.0.2.2 1 2\r\n"),
		S("PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n"),
		S("PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n"),
		S("PROXY TCP6 2001:db8::1%lo 2001:db8::2 1 2\r\n"),
		S("PROXY TCP4 192.0.2.1\0 192.0.2.2 1 2\r\n"),
		S("PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n"),
		S("PROXY TCP4\r\n"),
		S("PROXY \r\n"),
		S("\r\n\r\n\0\r\nQUIT\r"),
		S(V2 "\x11\x11\x00\x0c" FOUR_IPS),
		S(V2 "\x31"),
		S(V2 "\x22\x11\x00\x0c" FOUR_IPS),
		S(V2 "\x21\x11\x00\x0b" FOUR_IPS),
		S(V2 "\x21\x21\x00\x0c" FOUR_IPS),
		S(V2 "\x21\x31\x00\x0c" FOUR_IPS),
		S(V2 "\x21\x13\x00\x0c" FOUR_IPS),
		S(V2 "\x21\x41\x00\x0c" FOUR_IPS),
		S(V2 "\x21\x01\x00\x00"),
		S(V2 "\x21\x11\x00\x0d" FOUR_IPS "\x04"),
		S(V2 "\x21\x11\x00\x10" FOUR_IPS "\x04\x00\x02x"),
		S(V2 "\x21\x11\x07\xf1"), /* longer than PROXY_HEADER_LEN_MAX, told before it comes */
		S(V2 "\x20\x00\xff\xff"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct proxy_header header;
		size_t consumed;

		if (parse_copy(rows[i], rows[i].len, &header, &consumed) != PARSE_BAD)
			fail_msg("row %zu", i);
	}
}

static void waiting_has_an_end(void **state)
{
	char line[PROXY_HEADER_LEN_MAX];
	struct proxy_header header;
	size_t consumed;

	(void)state;
	memset(line, 'x', sizeof(line));
	memcpy(line, "PROXY UNKNOWN ", 14);
	assert_int_equal(proxy_header_parse(span_of(line, 106), &header, &consumed), PARSE_MORE);
	assert_int_equal(proxy_header_parse(span_of(line, 107), &header, &consumed), PARSE_BAD);
	memcpy(line + 105, "\r\n", 2);
	assert_int_equal(proxy_header_parse(span_of(line, 107), &header, &consumed), PARSE_DONE);
	memset(line, 0, sizeof(line));
	memcpy(line, V2 "\x20\x00\x07\xf0", 16);
	assert_int_equal(proxy_header_parse(span_of(line, sizeof(line) - 1), &header, &consumed), PARSE_MORE);
	assert_int_equal(proxy_header_parse(span_of(line, sizeof(line)), &header, &consumed), PARSE_DONE);
	assert_int_equal(consumed, PROXY_HEADER_LEN_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_are_understood),
		cmocka_unit_test(every_beginning_of_a_header_wants_more),
		cmocka_unit_test(what_follows_the_header_is_left_alone),
		cmocka_unit_test(what_is_no_header_is_bad),
		cmocka_unit_test(waiting_has_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
