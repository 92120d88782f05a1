#include "tls_server_lab.h"

static SSL_SESSION *kept;

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
	(void)ssl;
	SSL_SESSION_free(kept);
	kept = session;
	return 1;
}

/* A client that remembers, with what it got from `context`. */
static SSL_CTX *visitor(const struct tls_context *context, const char *certificate, int version)
{
	SSL_CTX *client = client_new(certificate);
	struct link link;

	SSL_CTX_set_min_proto_version(client, version);
	SSL_CTX_set_max_proto_version(client, version);
	SSL_CTX_set_session_cache_mode(client, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(client, keep_session);
	link = link_up(context, client, "mx.mail.example", NULL);
	assert_true(link.is_up);
	assert_false(SSL_session_reused(link.server));
	assert_non_null(kept);
	link_down(&link);
	return client;
}

static void forget(SSL_CTX **client)
{
	SSL_SESSION_free(kept);
	kept = NULL;
	SSL_CTX_free(*client);
	*client = NULL;
}

static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

static void a_ticket_is_taken_by_every_node_with_the_keys(void **state)
{
	struct tls_server_options one = modern(), two = modern();
	struct ticket_set keys;
	unsigned char fresh[3 * TICKET_KEY_LEN];

	(void)state;
	for (size_t i = 0; i < sizeof(fresh); i++)
		fresh[i] = (unsigned char)(i * 7);
	for (size_t i = 0; i < ARRAY_LEN(versions) * 6; i++) {
		/* How often each node has turned the same set, and whether they still understand each other.
		 */
		static const struct {
			unsigned one, two;
			bool resumes;
		} rows[] = { { 0, 0, true }, { 0, 1, true }, { 1, 0, true }, { 0, 2, false }, { 2, 0, false },
			{ 1, 1, true } };
		unsigned turns[] = { rows[i / 2].one, rows[i / 2].two };
		struct tls_tickets *tickets[] = { tls_tickets_new(), tls_tickets_new() };
		struct tls_context *first, *second;
		SSL_CTX *client;
		struct link link;

		for (size_t node = 0; node < 2; node++) {
			ticket_set_make(&keys, 1, fresh);
			for (unsigned turn = 0; turn < turns[node]; turn++) {
				unsigned char more[TICKET_KEY_LEN];

				memset(more, 'a' + (int)turn, sizeof(more));
				ticket_set_turn(&keys, more);
			}
			tls_tickets_set_keys(tickets[node], &keys);
		}
		one.tickets = tickets[0];
		two.tickets = tickets[1];
		first = server_of(&one);
		second = server_of(&two);
		client = visitor(first, NULL, versions[i % 2]);
		link = link_up(second, client, "mx.mail.example", kept);
		assert_true(link.is_up);
		if (SSL_session_reused(link.server) != rows[i / 2].resumes)
			fail_msg("row %zu", i);
		link_down(&link);
		forget(&client);
		tls_context_unref(&first);
		tls_context_unref(&second);
		tls_tickets_unref(&tickets[0]);
		tls_tickets_unref(&tickets[1]);
	}
}

static void a_ticket_of_foreign_keys_means_a_full_handshake(void **state)
{
	struct tls_server_options options = modern();
	struct tls_context *first = server_of(&options), *second;

	(void)state;
	options.tickets = tls_tickets_new();
	second = server_of(&options);
	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		SSL_CTX *client = visitor(first, NULL, versions[i]);
		struct link link = link_up(second, client, NULL, kept);

		assert_true(link.is_up);
		assert_false(SSL_session_reused(link.server));
		link_down(&link);
		forget(&client);
	}
	tls_tickets_unref(&options.tickets);
	tls_context_unref(&first);
	tls_context_unref(&second);
}

static void the_identity_comes_back_with_the_ticket(void **state)
{
	struct tls_server_options options = asking(TLS_CLIENT_CERTIFICATE_REQUIRE);
	struct tls_context *context = server_of(&options);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		SSL_CTX *client = visitor(context, "client", versions[i]);
		struct link link = link_up(context, client, NULL, kept);
		struct arena arena = { 0 };
		struct tls_info info = info_of(&link, context, &arena);
		unsigned char end_point[EVP_MAX_MD_SIZE];
		X509 *exact = read_cert("exact.crt");

		assert_true(link.is_up && info.is_resumed);
		assert_true(info.has_peer && info.verified);
		assert_string_equal(info.peer_subject, "CN=client");
		assert_int_equal(info.peer_emails.count, 2);
		/* Of the certificate that was shown then: this time none was. */
		assert_int_equal(info.end_point.len, tls_end_point(exact, end_point));
		assert_memory_equal(info.end_point.ptr, end_point, info.end_point.len);
		X509_free(exact);
		link_down(&link);
		arena_fini(&arena);
		forget(&client);
	}
	tls_context_unref(&context);
}

/* Also a renewed ticket says when the full handshake was, and which certificate was shown. */
static void a_renewed_ticket_goes_on_saying_the_same(void **state)
{
	struct tls_server_options options = asking(TLS_CLIENT_CERTIFICATE_REQUEST);
	struct tls_context *context = server_of(&options);
	SSL_CTX *client = visitor(context, "client", TLS1_3_VERSION);
	struct arena arena = { 0 };

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct link link = link_up(context, client, NULL, kept);
		struct tls_info info = info_of(&link, context, &arena);

		assert_true(info.is_resumed && info.verified);
		assert_int_equal(info.end_point.len, 32);
		link_down(&link);
	}
	arena_fini(&arena);
	forget(&client);
	tls_context_unref(&context);
}

static void a_ticket_counts_only_where_clients_are_asked_in_the_same_way(void **state)
{
	struct tls_server_options options = asking(TLS_CLIENT_CERTIFICATE_REQUIRE);
	struct tls_context *by_mode[3], *stranger;

	(void)state;
	for (unsigned mode = 0; mode < 3; mode++) {
		options.client_certificate = (enum tls_client_certificate)mode;
		options.client_ca_file = certs_path(&world.certs, "ca.crt");
		by_mode[mode] = server_of(&options);
	}
	/* The same mode with other authorities. */
	options.client_ca_file = certs_path(&world.certs, "self.crt");
	stranger = server_of(&options);
	for (size_t i = 0; i < ARRAY_LEN(versions) * 9; i++) {
		size_t from = i / 2 / 3, to = i / 2 % 3;
		SSL_CTX *client = visitor(by_mode[from], "client", versions[i % 2]);
		struct link link = link_up(by_mode[to], client, NULL, kept);

		assert_true(link.is_up);
		if (SSL_session_reused(link.server) != (from == to))
			fail_msg("a ticket of mode %zu on mode %zu", from, to);
		link_down(&link);
		forget(&client);
	}
	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		SSL_CTX *client = visitor(by_mode[TLS_CLIENT_CERTIFICATE_REQUIRE], "client", versions[i]);
		struct link link = link_up(stranger, client, NULL, kept);

		assert_false(link.is_up);
		link_down(&link);
		forget(&client);
		/* Nobody gets in where a certificate is required by a ticket from where none was. */
		client = visitor(by_mode[TLS_CLIENT_CERTIFICATE_NONE], NULL, versions[i]);
		link = link_up(by_mode[TLS_CLIENT_CERTIFICATE_REQUIRE], client, NULL, kept);
		assert_false(link.is_up);
		link_down(&link);
		forget(&client);
	}
	for (unsigned mode = 0; mode < 3; mode++)
		tls_context_unref(&by_mode[mode]);
	tls_context_unref(&stranger);
}

static void a_ticket_ends_with_its_lifetime_and_with_the_clients_certificate(void **state)
{
	struct tls_server_options options = asking(TLS_CLIENT_CERTIFICATE_REQUEST);
	struct tls_context *context = server_of(&options), *strict;

	(void)state;
	options.ticket_lifetime_ms = 0;
	strict = server_of(&options);
	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		SSL_CTX *client = visitor(context, "client", versions[i]);
		struct link link = link_up(strict, client, NULL, kept);

		assert_true(link.is_up);
		assert_false(SSL_session_reused(link.server));
		link_down(&link);
		forget(&client);
		client = visitor(context, "ended", versions[i]);
		link = link_up(context, client, NULL, kept);
		assert_true(link.is_up);
		assert_false(SSL_session_reused(link.server));
		link_down(&link);
		forget(&client);
	}
	tls_context_unref(&context);
	tls_context_unref(&strict);
}

static void nothing_is_read_before_the_handshake_is_done(void **state)
{
	struct tls_server_options options = modern();
	struct tls_context *context = server_of(&options);
	SSL_CTX *client = visitor(context, NULL, TLS1_3_VERSION);

	(void)state;
	assert_int_equal(SSL_SESSION_get_max_early_data(kept), 0);
	forget(&client);
	tls_context_unref(&context);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_ticket_is_taken_by_every_node_with_the_keys),
		cmocka_unit_test(a_ticket_of_foreign_keys_means_a_full_handshake),
		cmocka_unit_test(the_identity_comes_back_with_the_ticket),
		cmocka_unit_test(a_renewed_ticket_goes_on_saying_the_same),
		cmocka_unit_test(a_ticket_counts_only_where_clients_are_asked_in_the_same_way),
		cmocka_unit_test(a_ticket_ends_with_its_lifetime_and_with_the_clients_certificate),
		cmocka_unit_test(nothing_is_read_before_the_handshake_is_done),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
