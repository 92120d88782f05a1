#include "cmocka_all.h"

#include <arpa/inet.h>

#include "io/address.h"

static void addresses_parse_and_print_alike(void **state)
{
	static const struct {
		const char *text;
		uint16_t port_default;
		const char *printed; /* NULL: refused */
		const char *ip;
	} rows[] = {
		{ "192.0.2.1:25", 0, "192.0.2.1:25", "192.0.2.1" },
		{ "192.0.2.1", 25, "192.0.2.1:25", "192.0.2.1" },
		{ "192.0.2.1:0", 0, "192.0.2.1:0", "192.0.2.1" },
		{ "[2001:db8::1]:587", 0, "[2001:db8::1]:587", "2001:db8::1" },
		{ "[::]", 25, "[::]:25", "::" },
		{ "2001:DB8::1", 25, "[2001:db8::1]:25", "2001:db8::1" },
		{ "[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]:65535", 0,
			"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
			"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
		{ "", 25, NULL, NULL },
		{ ":25", 0, NULL, NULL },
		{ "192.0.2.1", 0, NULL, NULL },
		{ "192.0.2.1:", 25, NULL, NULL },
		{ "192.0.2.1:65536", 0, NULL, NULL },
		{ "192.0.2.1:+25", 0, NULL, NULL },
		{ "192.0.2:25", 0, NULL, NULL },
		{ "0x7f.1:25", 0, NULL, NULL },
		{ "[192.0.2.1]:25", 0, NULL, NULL },
		{ "[::1:25", 0, NULL, NULL },
		{ "[::1]25", 0, NULL, NULL },
		{ "[::1]:", 25, NULL, NULL },
		{ "::1", 0, NULL, NULL },
		{ "host:25", 0, NULL, NULL },
		{ "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc", 25, NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct address address;
		char text[ADDRESS_TEXT_SIZE];
		enum err err = address_parse(span_of_str(rows[i].text), rows[i].port_default, &address);

		if (err != (rows[i].printed ? ERR_OK : ERR_INVALID))
			fail_msg("\"%s\" gives %d", rows[i].text, err);
		if (err)
			continue;
		assert_string_equal(address_format(&address, text), rows[i].printed);
		assert_string_equal(address_format_ip(&address, text), rows[i].ip);
	}
}

static void a_mapped_ipv4_peer_is_an_ipv4_peer(void **state)
{
	struct sockaddr_in6 mapped = { .sin6_family = AF_INET6, .sin6_port = htons(25) };
	struct sockaddr local = { .sa_family = AF_UNIX };
	struct address address;
	char text[ADDRESS_TEXT_SIZE];

	(void)state;
	assert_int_equal(inet_pton(AF_INET6, "::ffff:192.0.2.7", &mapped.sin6_addr), 1);
	assert_true(address_from_sockaddr((struct sockaddr *)&mapped, &address));
	assert_string_equal(address_format(&address, text), "192.0.2.7:25");
	assert_false(address_from_sockaddr(&local, &address));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_parse_and_print_alike),
		cmocka_unit_test(a_mapped_ipv4_peer_is_an_ipv4_peer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
