#include "cmocka_all.h"

#include "skein/cluster/schema/cidr.h"

#include <arpa/inet.h>
#include <netinet/in.h>

static void networks_parse_or_say_what_is_wrong(void **state)
{
	static const struct {
		const char *text, *shown; /* NULL: refused */
	} rows[] = {
		{ "10.0.0.0/8", "10.0.0.0/8" },
		{ "10.1.2.3", "10.1.2.3/32" },
		{ "0.0.0.0/0", "0.0.0.0/0" },
		{ "::/0", "::/0" },
		{ "2001:DB8::/32", "2001:db8::/32" },
		{ "::1", "::1/128" },
		{ "::ffff:10.0.0.0/104", "10.0.0.0/8" },
		{ "::ffff:10.1.2.3", "10.1.2.3/32" },
		{ "::ffff:0:0/96", "0.0.0.0/0" },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ff00/120",
			"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ff00/120" },
		{ "", NULL },
		{ "/8", NULL },
		{ "10.0.0.0/", NULL },
		{ "10.0.0.0/33", NULL },
		{ "10.0.0.0/08", NULL },
		{ "10.0.0.0/-1", NULL },
		{ "10.0.0.0/8/8", NULL },
		{ "10.0.0.1/8", NULL },
		{ "10.0.0.1/31", NULL },
		{ "10.0.0/8", NULL },
		{ "010.0.0.0/8", NULL },
		{ "256.0.0.0/8", NULL },
		{ "2001:db8::/129", NULL },
		{ "2001:db8::1/64", NULL },
		{ "fe80::1%lo", NULL },
		{ "[::1]", NULL },
		{ "localhost", NULL },
		{ " 10.0.0.0/8", NULL },
		{ "11111111111111111111111111111111111111111111111111111111", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct cidr cidr;
		const char *fault = cidr_parse(span_of_str(rows[i].text), &cidr);

		if (!fault != !!rows[i].shown)
			fail_msg("\"%s\": %s", rows[i].text, fault ? fault : "accepted");
		if (!fault)
			assert_string_equal(cidr_format(&cidr).text, rows[i].shown);
	}
	assert_non_null(cidr_parse(span_of("10.0.0.0\0/8", 11), &(struct cidr){ 0 }));
}

static bool contains(const char *network, const char *addr)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	bool is_v6 = strchr(addr, ':');
	struct cidr cidr;

	assert_null(cidr_parse(span_of_str(network), &cidr));
	assert_int_equal(inet_pton(is_v6 ? AF_INET6 : AF_INET, addr,
				 is_v6 ? (void *)&v6.sin6_addr : (void *)&v4.sin_addr),
		1);
	return cidr_contains(&cidr, is_v6 ? (const struct sockaddr *)&v6 : (const struct sockaddr *)&v4);
}

static void an_address_is_inside_by_its_prefix_and_family(void **state)
{
	static const struct {
		const char *network, *addr;
		bool is_inside;
	} rows[] = {
		{ "10.0.0.0/8", "10.255.255.255", true },
		{ "10.0.0.0/8", "11.0.0.0", false },
		{ "10.0.0.0/8", "9.255.255.255", false },
		{ "10.1.2.4/30", "10.1.2.7", true },
		{ "10.1.2.4/30", "10.1.2.8", false },
		{ "10.1.2.3", "10.1.2.3", true },
		{ "10.1.2.3", "10.1.2.2", false },
		{ "128.0.0.0/1", "255.0.0.1", true },
		{ "128.0.0.0/1", "127.0.0.1", false },
		{ "0.0.0.0/0", "203.0.113.9", true },
		{ "0.0.0.0/0", "2001:db8::1", false },
		{ "::/0", "2001:db8::1", true },
		/* Nobody who writes ::/0 means to open the relay to IPv4. */
		{ "::/0", "203.0.113.9", false },
		{ "::/0", "::ffff:203.0.113.9", false },
		{ "2001:db8::/33", "2001:db8:7fff::1", true },
		{ "2001:db8::/33", "2001:db8:8000::1", false },
		{ "10.0.0.0/8", "::ffff:10.1.2.3", true },
		{ "10.0.0.0/8", "::ffff:11.1.2.3", false },
		/* IPv4-compatible, not mapped. */
		{ "10.0.0.0/8", "::10.1.2.3", false },
		{ "::ffff:10.0.0.0/104", "10.9.9.9", true },
		{ "0a00::/8", "10.0.0.1", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (contains(rows[i].network, rows[i].addr) != rows[i].is_inside)
			fail_msg("%s in %s", rows[i].addr, rows[i].network);
}

static void a_list_contains_what_any_of_it_contains_and_an_empty_one_nothing(void **state)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_addr = { htonl(0xc0000201) } };
	const struct sockaddr unix_addr = { .sa_family = AF_UNIX };
	struct cidr networks[2];
	struct cidr_list list = { networks, 2 };

	(void)state;
	assert_null(cidr_parse(SPAN_LIT("10.0.0.0/8"), &networks[0]));
	assert_null(cidr_parse(SPAN_LIT("192.0.2.0/24"), &networks[1]));
	assert_true(cidr_list_contains(&list, (const struct sockaddr *)&v4));
	assert_false(cidr_list_contains(&list, &unix_addr));
	list.count = 1;
	assert_false(cidr_list_contains(&list, (const struct sockaddr *)&v4));
	list.count = 0;
	assert_false(cidr_list_contains(&list, (const struct sockaddr *)&v4));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(networks_parse_or_say_what_is_wrong),
		cmocka_unit_test(an_address_is_inside_by_its_prefix_and_family),
		cmocka_unit_test(a_list_contains_what_any_of_it_contains_and_an_empty_one_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
