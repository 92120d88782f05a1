#include "cmocka_all.h"

#include "skein/proto/base/alloc.h"
#include "skein/proto/base/buf.h"
#include "skein/proto/dns/name.h"
#include "skein/proto/dns/rdata.h"

#define S(literal)                                                                                           \
	{                                                                                                    \
		literal, sizeof(literal) - 1                                                                 \
	}
#define TEN   "abcdefghij"
#define SIXTY TEN TEN TEN TEN TEN TEN

/* Writes what a record says as text, so that all types can be rows of one table. */
static void describe(enum dns_type type, struct span rdata, struct buf *text)
{
	struct arena arena = { 0 };
	const char *name;
	struct dns_mx mx;
	struct dns_srv srv;
	struct dns_tlsa tlsa;
	struct dns_ip ip;
	struct span joined;

	if ((type == DNS_A || type == DNS_AAAA) && dns_ip_parse(type, rdata, &ip))
		buf_printf(text, "%u bytes, first %u", ip.len, ip.bytes[0]);
	else if (type == DNS_CNAME && dns_name_parse(rdata, &arena, &name))
		buf_append_str(text, name);
	else if (type == DNS_MX && dns_mx_parse(rdata, &arena, &mx))
		buf_printf(text, "%u %s", mx.preference, mx.host);
	else if (type == DNS_SRV && dns_srv_parse(rdata, &arena, &srv))
		buf_printf(text, "%u %u %u %s", srv.priority, srv.weight, srv.port, srv.host);
	else if (type == DNS_TXT && dns_txt_parse(rdata, &arena, &joined))
		buf_append(text, joined);
	else if (type == DNS_TLSA && dns_tlsa_parse(rdata, &tlsa))
		buf_printf(text, "%u %u %u, %zu bytes", tlsa.usage, tlsa.selector, tlsa.matching,
			tlsa.association.len);
	else
		buf_append_str(text, "bad");
	arena_fini(&arena);
}

static const struct row {
	enum dns_type type;
	struct span rdata;
	const char *text;
} rows[] = {
	{ DNS_A, S("\xc0\x00\x02\x01"), "4 bytes, first 192" },
	{ DNS_A, S("\xc0\x00\x02"), "bad" },
	{ DNS_A, S(""), "bad" },
	{ DNS_AAAA, S("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"), "16 bytes, first 32" },
	{ DNS_AAAA, S("\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\x00\x02\x01"), "4 bytes, first 192" },
	{ DNS_AAAA, S("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1\2"), "bad" },
	{ DNS_AAAA, S("\xc0\x00\x02\x01"), "bad" },
	{ DNS_CNAME, S("\4mail\7Example\3com\0"), "mail.Example.com" },
	{ DNS_CNAME, S("\0"), "." },
	{ DNS_CNAME, S("\1.\2\\\"\4 \0\x7f\xff\0"), "\\..\\\\\\\".\\032\\000\\127\\255" },
	{ DNS_CNAME, S("\4_a-b\0"), "_a-b" },
	{ DNS_CNAME, S(""), "bad" },
	{ DNS_CNAME, S("\4mail"), "bad" },
	{ DNS_CNAME, S("\4mai"), "bad" },
	{ DNS_CNAME, S("\4mail\0x"), "bad" },
	{ DNS_CNAME, S("\4mail\xc0\x0c"), "bad" },
	{ DNS_CNAME, S("\x3f" SIXTY "123\0"), SIXTY "123" },
	{ DNS_CNAME, S("\x40" SIXTY "1234\0"), "bad" },
	/* 255 bytes, and one more. */
	{ DNS_CNAME, S("\x3f" SIXTY "123\x3f" SIXTY "123\x3f" SIXTY "123\x3d" SIXTY "1\0"),
		SIXTY "123." SIXTY "123." SIXTY "123." SIXTY "1" },
	{ DNS_CNAME, S("\x3f" SIXTY "123\x3f" SIXTY "123\x3f" SIXTY "123\x3e" SIXTY "12\0"), "bad" },
	{ DNS_MX, S("\x01\x02\2mx\0"), "258 mx" },
	{ DNS_MX, S("\0\0\0"), "0 ." },
	{ DNS_MX, S("\0\x0a"), "bad" },
	{ DNS_MX, S("\0"), "bad" },
	{ DNS_SRV, S("\0\1\0\2\x02\x4b\1a\1b\0"), "1 2 587 a.b" },
	{ DNS_SRV, S("\0\1\0\2\x02"), "bad" },
	{ DNS_SRV, S("\0\1\0\2\x02\x4b"), "bad" },
	{ DNS_TXT, S("\3one\0\4 two"), "one two" },
	{ DNS_TXT, S("\0"), "" },
	{ DNS_TXT, S(""), "bad" },
	{ DNS_TXT, S("\3one\4 tw"), "bad" },
	{ DNS_TLSA, S("\3\1\1hash"), "3 1 1, 4 bytes" },
	{ DNS_TLSA, S("\3\1\1"), "bad" },
};

static void records_say_what_they_hold(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		/* Of exactly that length, so that a read past it shows. */
		char *copy = mem_dup(rows[i].rdata.ptr, rows[i].rdata.len ? rows[i].rdata.len : 1);
		struct buf text = { 0 };

		describe(rows[i].type, span_of(copy, rows[i].rdata.len), &text);
		if (!span_eq(buf_span(&text), span_of_str(rows[i].text)))
			fail_msg("row %zu: got \"%.*s\"", i, SPAN_ARGS(buf_span(&text)));
		buf_fini(&text);
		mem_free(copy);
	}
}

/* TXT ends well behind each of its strings. */
static void a_record_that_is_cut_off_is_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		bool is_whole = rows[i].type != DNS_TXT && rows[i].type != DNS_TLSA &&
				strcmp(rows[i].text, "bad") != 0;

		for (size_t len = 0; is_whole && len < rows[i].rdata.len; len++) {
			char *copy = mem_dup(rows[i].rdata.ptr, len ? len : 1);
			struct buf text = { 0 };

			describe(rows[i].type, span_of(copy, len), &text);
			if (!span_eq(buf_span(&text), SPAN_LIT("bad")))
				fail_msg("row %zu at %zu", i, len);
			buf_fini(&text);
			mem_free(copy);
		}
	}
}

static void every_byte_of_a_name_finds_room(void **state)
{
	char wire[DNS_NAME_WIRE_MAX] = { 0 };
	struct span rest = span_of(wire, sizeof(wire));
	struct arena arena = { 0 };
	const char *name;

	(void)state;
	wire[0] = wire[64] = wire[128] = 63;
	wire[192] = 61;
	assert_true(dns_name_take(&rest, &arena, &name));
	assert_int_equal(strlen(name), DNS_NAME_TEXT_MAX);
	arena_fini(&arena);
}

static void tlsa_records_are_usable_as_rfc_7672_says(void **state)
{
	static const char bytes[128];
	static const struct {
		struct dns_tlsa tlsa;
		bool is_usable;
	} lines[] = {
		{ { 3, 1, 1, { bytes, 32 } }, true },
		{ { 2, 0, 2, { bytes, 64 } }, true },
		{ { 3, 0, 0, { bytes, 100 } }, true },
		{ { 0, 1, 1, { bytes, 32 } }, false },
		{ { 1, 1, 1, { bytes, 32 } }, false },
		{ { 4, 1, 1, { bytes, 32 } }, false },
		{ { 3, 2, 1, { bytes, 32 } }, false },
		{ { 3, 1, 3, { bytes, 32 } }, false },
		{ { 3, 1, 1, { bytes, 31 } }, false },
		{ { 3, 1, 2, { bytes, 32 } }, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		if (dns_tlsa_is_usable(&lines[i].tlsa) != lines[i].is_usable)
			fail_msg("line %zu", i);
	}
}

static void host_names_are_told_from_others(void **state)
{
	static const char *const good[] = { "a", "a.b", "a.b.", "xn--bcher-kva.example", "mail_1.corp", "1.2",
		SIXTY "123.x", SIXTY "." SIXTY "." SIXTY "." SIXTY ".123456789" };
	static const char *const bad[] = { "", ".", "..", "a..b", ".a", "a b",
		"b\xc3\xbc"
		"cher.example",
		"a\\.b", "a/b", SIXTY "1234.x", SIXTY "." SIXTY "." SIXTY "." SIXTY ".1234567890" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_true(dns_name_is_host(span_of_str(good[i])));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(dns_name_is_host(span_of_str(bad[i])));
	assert_true(dns_name_eq(SPAN_LIT("Mail.Example."), SPAN_LIT("mail.example")));
	assert_false(dns_name_eq(SPAN_LIT("mail.example"), SPAN_LIT("mail.example.com")));
}

static void addresses_are_read_from_text(void **state)
{
	static const struct {
		const char *text;
		unsigned len, last;
	} good[] = { { "192.0.2.1", 4, 1 }, { "[192.0.2.2]", 4, 2 }, { "2001:db8::3", 16, 3 },
		{ "[2001:db8::4]", 16, 4 }, { "[IPv6:2001:db8::5]", 16, 5 }, { "[ipv6:::6]", 16, 6 },
		{ "[IPv6:::ffff:192.0.2.7]", 4, 7 } };
	static const char *const bad[] = { "", "[]", "[", "mail.example", "192.0.2", "192.0.2.1.",
		"192.0.2.256", "IPv6:2001:db8::5", "[IPv6:192.0.2.1]", "[IPv6:]", "[192.0.2.1", "192.0.2.1]",
		"[tag:x]", "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct dns_ip ip;

		if (!dns_ip_of_text(span_of_str(good[i].text), &ip))
			fail_msg("%s", good[i].text);
		assert_int_equal(ip.len, good[i].len);
		assert_int_equal(ip.bytes[ip.len - 1], good[i].last);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct dns_ip ip;

		if (dns_ip_of_text(span_of_str(bad[i]), &ip))
			fail_msg("%s", bad[i]);
	}
	assert_string_equal(dns_type_name(DNS_TLSA), "TLSA");
	assert_string_equal(dns_type_name((enum dns_type)99), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_say_what_they_hold),
		cmocka_unit_test(a_record_that_is_cut_off_is_bad),
		cmocka_unit_test(every_byte_of_a_name_finds_room),
		cmocka_unit_test(tlsa_records_are_usable_as_rfc_7672_says),
		cmocka_unit_test(host_names_are_told_from_others),
		cmocka_unit_test(addresses_are_read_from_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
