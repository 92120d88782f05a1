/* What is decided without asking the DNS; what it says is the affair of
 * tests/system/test_transport_security.py. */
#include "cmocka_all.h"

#include "outbound/transport.h"

#include <string.h>

static void never(void *arg)
{
	(void)arg;
	fail();
}

static void open_transport(struct transport *transport, struct loop *loop, const struct route_target *target,
	enum transport_wish wish)
{
	const struct transport_options options = {
		.loop = loop, .target = target, .wish = wish, .host = "mail.skein.test", .fn = never
	};

	transport_init(transport, &options);
}

static void a_plain_host_is_judged_by_what_its_route_and_the_sender_want(void **state)
{
	static const struct {
		enum route_tls tls;
		enum transport_wish wish;
		enum transport_level wanted;
		enum smtp_client_tls starttls;
	} rows[] = {
		{ ROUTE_TLS_NONE, TRANSPORT_WISH_NONE, TRANSPORT_CLEAR, SMTP_CLIENT_TLS_NONE },
		{ ROUTE_TLS_MAY, TRANSPORT_WISH_NONE, TRANSPORT_OFFERED, SMTP_CLIENT_TLS_MAY },
		{ ROUTE_TLS_ENCRYPT, TRANSPORT_WISH_NONE, TRANSPORT_ANY, SMTP_CLIENT_TLS_ENCRYPT },
		{ ROUTE_TLS_VERIFY, TRANSPORT_WISH_NONE, TRANSPORT_NAMED, SMTP_CLIENT_TLS_ENCRYPT },
		{ ROUTE_TLS_NONE, TRANSPORT_WISH_REQUIRED, TRANSPORT_BARRED, SMTP_CLIENT_TLS_ENCRYPT },
		{ ROUTE_TLS_MAY, TRANSPORT_WISH_REQUIRED, TRANSPORT_NAMED, SMTP_CLIENT_TLS_ENCRYPT },
		{ ROUTE_TLS_ENCRYPT, TRANSPORT_WISH_REQUIRED, TRANSPORT_NAMED, SMTP_CLIENT_TLS_ENCRYPT },
		{ ROUTE_TLS_VERIFY, TRANSPORT_WISH_REQUIRED, TRANSPORT_NAMED, SMTP_CLIENT_TLS_ENCRYPT },
		/* What the route itself asks for stays. */
		{ ROUTE_TLS_NONE, TRANSPORT_WISH_OPTIONAL, TRANSPORT_CLEAR, SMTP_CLIENT_TLS_NONE },
		{ ROUTE_TLS_ENCRYPT, TRANSPORT_WISH_OPTIONAL, TRANSPORT_ANY, SMTP_CLIENT_TLS_ENCRYPT },
		{ ROUTE_TLS_VERIFY, TRANSPORT_WISH_OPTIONAL, TRANSPORT_NAMED, SMTP_CLIENT_TLS_ENCRYPT },
		{ ROUTE_TLS_DANE, TRANSPORT_WISH_OPTIONAL, TRANSPORT_OFFERED, SMTP_CLIENT_TLS_MAY },
		{ ROUTE_TLS_MTA_STS, TRANSPORT_WISH_OPTIONAL, TRANSPORT_OFFERED, SMTP_CLIENT_TLS_MAY },
		{ ROUTE_TLS_AUTO, TRANSPORT_WISH_OPTIONAL, TRANSPORT_OFFERED, SMTP_CLIENT_TLS_MAY },
	};
	struct loop loop;

	(void)state;
	assert_int_equal(loop_init(&loop), ERR_OK);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct route_target target = {
			.place = ROUTE_HOST, .name = "mail.skein.test", .tls = rows[i].tls, .tls_name = ""
		};
		struct transport transport;

		open_transport(&transport, &loop, &target, rows[i].wish);
		assert_true(transport_is_known(&transport));
		assert_int_equal(transport.level, rows[i].wanted);
		assert_int_equal(transport_starttls(&transport), rows[i].starttls);
		if (transport.level == TRANSPORT_NAMED) {
			assert_int_equal(transport_rules(&transport).check, TLS_PEER_NAME);
			assert_string_equal(transport_rules(&transport).names[0], "mail.skein.test");
		}
		/* A handshake that fails lets only MAY go on in clear. */
		assert_int_equal(transport_broke(&transport), rows[i].wanted == TRANSPORT_OFFERED);
		transport_fini(&transport);
	}
	loop_fini(&loop);
}

static void where_hosts_come_from_the_dns_it_is_asked_first(void **state)
{
	static const enum route_place places[] = { ROUTE_MX, ROUTE_SRV, ROUTE_DIRECT };
	struct loop loop;

	(void)state;
	assert_int_equal(loop_init(&loop), ERR_OK);
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		const struct route_target target = {
			.place = places[i], .name = "skein.test", .tls = ROUTE_TLS_VERIFY, .tls_name = ""
		};
		struct transport transport;

		open_transport(&transport, &loop, &target, TRANSPORT_WISH_REQUIRED);
		assert_false(transport_is_known(&transport));
		transport_fini(&transport);
		open_transport(&transport, &loop, &target, TRANSPORT_WISH_NONE);
		assert_true(transport_is_known(&transport));
		transport_fini(&transport);
	}
	loop_fini(&loop);
}

static void assert_code(struct enhanced_code code, uint8_t class, uint16_t detail)
{
	assert_int_equal(code.class, class);
	assert_int_equal(code.subject, 7);
	assert_int_equal(code.detail, detail);
}

static void what_the_sender_asks_for_fails_for_good(void **state)
{
	const struct route_target target = {
		.tls = ROUTE_TLS_NONE, .name = "mail.skein.test", .tls_name = ""
	};
	struct transport transport;
	struct loop loop;

	(void)state;
	assert_int_equal(loop_init(&loop), ERR_OK);
	open_transport(&transport, &loop, &target, TRANSPORT_WISH_REQUIRED);
	assert_code(transport.code, 5, 10);
	assert_non_null(strstr(transport.why, "the sender asks for TLS"));
	assert_code(transport_code_not_offered(&transport), 5, 10);
	assert_code(transport_code_broken(&transport), 5, 10);
	transport_fini(&transport);
	open_transport(&transport, &loop, &target, TRANSPORT_WISH_NONE);
	assert_code(transport_code_not_offered(&transport), 4, 4);
	assert_code(transport_code_broken(&transport), 4, 5);
	transport_fini(&transport);
	loop_fini(&loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_plain_host_is_judged_by_what_its_route_and_the_sender_want),
		cmocka_unit_test(where_hosts_come_from_the_dns_it_is_asked_first),
		cmocka_unit_test(what_the_sender_asks_for_fails_for_good),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
