#include "tls_server_lab.h"

/* ---- certificates ---- */

static void the_name_asked_for_chooses_the_certificate(void **state)
{
	static const struct {
		const char *asked, *shown;
	} rows[] = {
		{ NULL, "first.example" },
		{ "first.example", "first.example" },
		{ "OTHER.Example", "first.example" },
		{ "mx.mail.example", "exact" },
		{ "MX.mail.example.", "exact" },
		{ "a.mail.example", "wild" },
		{ "mail.example", "wild" },
		{ "a.b.mail.example", "first.example" },
		{ "plain.example", "plain.example" },
		{ "nobody.example", "first.example" },
		{ "example", "first.example" },
		{ "x", "first.example" },
		{ "..", "first.example" },
	};
	struct tls_server_options options = modern();
	struct tls_context *context = server_of(&options);
	SSL_CTX *client = client_new(NULL);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct link link = link_up(context, client, rows[i].asked, NULL);

		assert_true(link.is_up);
		if (strcmp(shown(&link), rows[i].shown) != 0)
			fail_msg("%s gets %s", rows[i].asked, shown(&link));
		link_down(&link);
	}
	SSL_CTX_free(client);
	tls_context_unref(&context);
}

static void of_one_name_the_first_rsa_and_the_first_ecdsa_are_used(void **state)
{
	static const char *const names[] = { "rsa", "exact", "first", "plain", "twin" };
	static const struct {
		const char *algorithms, *asked, *shown;
	} rows[] = {
		{ "RSA-PSS+SHA256:RSA+SHA256", "first.example", "rsa" },
		{ "ECDSA+SHA256", "first.example", "first.example" },
		/* The default has both too. */
		{ "RSA-PSS+SHA256", NULL, "rsa" },
		{ "ECDSA+SHA256", NULL, "first.example" },
	};
	struct tls_server_options options = modern();
	struct tls_context *context;

	(void)state;
	options.certificates = load_set(names, ARRAY_LEN(names));
	context = server_of(&options);
	certificates_unref(&options.certificates);
	for (size_t i = 0; i < 2 * ARRAY_LEN(rows); i++) {
		SSL_CTX *client = client_new(NULL);
		struct link link;

		assert_int_equal(SSL_CTX_set1_sigalgs_list(client, rows[i / 2].algorithms), 1);
		if (i % 2)
			SSL_CTX_set_max_proto_version(client, TLS1_2_VERSION);
		link = link_up(context, client, rows[i / 2].asked, NULL);
		if (!link.is_up || strcmp(shown(&link), rows[i / 2].shown) != 0)
			fail_msg("row %zu: %s", i, shown(&link));
		link_down(&link);
		SSL_CTX_free(client);
	}
	tls_context_unref(&context);
}

/* ---- versions and ciphers ---- */

static void versions_and_ciphers_are_those_of_the_policy(void **state)
{
	static const char *const names[] = { "rsa", "first" };
	static const struct {
		enum tls_version minimum;
		enum tls_ciphers ciphers;
		int version; /* the client's only one */
		const char *offered, *groups;
		bool is_up;
	} rows[] = {
		{ TLS_1_2, TLS_CIPHERS_MODERN, TLS1_3_VERSION, "ALL", NULL, true },
		{ TLS_1_2, TLS_CIPHERS_MODERN, TLS1_2_VERSION, "ALL", NULL, true },
		{ TLS_1_2, TLS_CIPHERS_MODERN, TLS1_2_VERSION, "ECDHE-RSA-AES128-GCM-SHA256", NULL, true },
		{ TLS_1_2, TLS_CIPHERS_MODERN, TLS1_2_VERSION, "ECDHE-ECDSA-CHACHA20-POLY1305", NULL, true },
		{ TLS_1_2, TLS_CIPHERS_MODERN, TLS1_2_VERSION, "ECDHE-RSA-AES128-SHA", NULL, false },
		{ TLS_1_2, TLS_CIPHERS_MODERN, TLS1_2_VERSION, "DHE-RSA-AES128-GCM-SHA256", NULL, false },
		{ TLS_1_2, TLS_CIPHERS_MODERN, TLS1_2_VERSION, "AES128-GCM-SHA256", NULL, false },
		{ TLS_1_2, TLS_CIPHERS_MODERN, TLS1_2_VERSION, "NULL", NULL, false },
		{ TLS_1_2, TLS_CIPHERS_MODERN, TLS1_1_VERSION, "ALL", NULL, false },
		{ TLS_1_2, TLS_CIPHERS_MODERN, TLS1_VERSION, "ALL", NULL, false },
		{ TLS_1_3, TLS_CIPHERS_MODERN, TLS1_2_VERSION, "ALL", NULL, false },
		{ TLS_1_3, TLS_CIPHERS_MODERN, TLS1_3_VERSION, "ALL", NULL, true },
		{ TLS_1_2, TLS_CIPHERS_MODERN, TLS1_3_VERSION, "ALL", "X25519", true },
		{ TLS_1_2, TLS_CIPHERS_MODERN, TLS1_3_VERSION, "ALL", "P-384", true },
		{ TLS_1_2, TLS_CIPHERS_MODERN, TLS1_3_VERSION, "ALL", "P-521", false },
		{ TLS_1_2, TLS_CIPHERS_COMPATIBLE, TLS1_2_VERSION, "ECDHE-RSA-AES128-SHA", NULL, true },
		{ TLS_1_2, TLS_CIPHERS_COMPATIBLE, TLS1_2_VERSION, "AES128-SHA", NULL, true },
		{ TLS_1_2, TLS_CIPHERS_COMPATIBLE, TLS1_2_VERSION, "DHE-RSA-AES128-GCM-SHA256", NULL, true },
		{ TLS_1_2, TLS_CIPHERS_COMPATIBLE, TLS1_2_VERSION, "NULL", NULL, false },
		{ TLS_1_2, TLS_CIPHERS_COMPATIBLE, TLS1_2_VERSION, "aNULL", NULL, false },
		{ TLS_1_2, TLS_CIPHERS_COMPATIBLE, TLS1_1_VERSION, "ALL", NULL, false },
		{ TLS_1_1, TLS_CIPHERS_MODERN, TLS1_1_VERSION, "ALL", NULL, true },
		{ TLS_1_1, TLS_CIPHERS_MODERN, TLS1_VERSION, "ALL", NULL, false },
		{ TLS_1_0, TLS_CIPHERS_MODERN, TLS1_VERSION, "AES128-SHA", NULL, true },
		{ TLS_1_0, TLS_CIPHERS_MODERN, TLS1_VERSION, "NULL", NULL, false },
		{ TLS_1_0, TLS_CIPHERS_MODERN, TLS1_VERSION, "aNULL", NULL, false },
		{ TLS_1_0, TLS_CIPHERS_MODERN, TLS1_3_VERSION, "ALL", NULL, true },
	};
	struct tls_server_options options = modern();

	(void)state;
	options.certificates = load_set(names, ARRAY_LEN(names));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		SSL_CTX *client = client_new(NULL);
		struct tls_context *context;
		struct link link;

		options.minimum = rows[i].minimum;
		options.ciphers = rows[i].ciphers;
		context = server_of(&options);
		SSL_CTX_set_min_proto_version(client, rows[i].version);
		SSL_CTX_set_max_proto_version(client, rows[i].version);
		assert_int_equal(SSL_CTX_set_cipher_list(client, rows[i].offered), 1);
		if (rows[i].groups)
			assert_int_equal(SSL_CTX_set1_groups_list(client, rows[i].groups), 1);
		link = link_up(context, client, NULL, NULL);
		if (link.is_up != rows[i].is_up)
			fail_msg("row %zu: %s", i,
				link.is_up ? SSL_get_cipher_name(link.server) : "no handshake");
		link_down(&link);
		SSL_CTX_free(client);
		tls_context_unref(&context);
	}
	certificates_unref(&options.certificates);
}

static void the_servers_order_of_ciphers_counts(void **state)
{
	struct tls_server_options options = modern();
	struct tls_context *context = server_of(&options);
	SSL_CTX *client = client_new(NULL);
	struct link link;

	(void)state;
	SSL_CTX_set_max_proto_version(client, TLS1_2_VERSION);
	assert_int_equal(
		SSL_CTX_set_cipher_list(client, "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256:"
						"ECDHE-ECDSA-AES256-GCM-SHA384"),
		1);
	link = link_up(context, client, NULL, NULL);
	assert_string_equal(SSL_get_cipher_name(link.server), "ECDHE-ECDSA-AES256-GCM-SHA384");
	link_down(&link);
	SSL_CTX_free(client);
	tls_context_unref(&context);
}

/* ---- what is told of a connection ---- */

static void client_certificates_are_taken_as_the_listener_says(void **state)
{
	static const struct {
		enum tls_client_certificate how;
		const char *certificate;
		bool is_up, has_peer, verified;
		const char *text;
	} rows[] = {
		{ TLS_CLIENT_CERTIFICATE_NONE, "client", true, false, false, "no certificate" },
		{ TLS_CLIENT_CERTIFICATE_REQUEST, NULL, true, false, false, "no certificate" },
		{ TLS_CLIENT_CERTIFICATE_REQUEST, "client", true, true, true, "ok" },
		{ TLS_CLIENT_CERTIFICATE_REQUEST, "self", true, true, false, "self-signed certificate" },
		{ TLS_CLIENT_CERTIFICATE_REQUEST, "ended", true, true, false, "certificate has expired" },
		{ TLS_CLIENT_CERTIFICATE_REQUIRE, NULL, false, false, false, NULL },
		{ TLS_CLIENT_CERTIFICATE_REQUIRE, "client", true, true, true, "ok" },
		{ TLS_CLIENT_CERTIFICATE_REQUIRE, "self", false, false, false, NULL },
		{ TLS_CLIENT_CERTIFICATE_REQUIRE, "ended", false, false, false, NULL },
	};

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_LEN(rows); i++) {
		struct tls_server_options options = asking(rows[i / 2].how);
		struct tls_context *context = server_of(&options);
		SSL_CTX *client = client_new(rows[i / 2].certificate);
		struct arena arena = { 0 };
		struct tls_info info;
		struct link link;

		if (i % 2)
			SSL_CTX_set_max_proto_version(client, TLS1_2_VERSION);
		link = link_up(context, client, NULL, NULL);
		if (link.is_up != rows[i / 2].is_up)
			fail_msg("row %zu", i);
		if (link.is_up) {
			info = info_of(&link, context, &arena);
			assert_int_equal(info.has_peer, rows[i / 2].has_peer);
			assert_int_equal(info.verified, rows[i / 2].verified);
			assert_string_equal(info.verify_text, rows[i / 2].text);
			assert_int_equal(info.is_tls13, i % 2 == 0);
		}
		link_down(&link);
		arena_fini(&arena);
		SSL_CTX_free(client);
		tls_context_unref(&context);
	}
}

/* Without an authority of ours nobody is trusted, not even by the system's store. */
static void without_authorities_no_client_is_verified(void **state)
{
	struct tls_server_options options = asking(TLS_CLIENT_CERTIFICATE_REQUEST);
	struct arena arena = { 0 };
	struct tls_context *context;
	SSL_CTX *client = client_new("client");
	struct link link;

	(void)state;
	options.client_ca_file = NULL;
	context = server_of(&options);
	link = link_up(context, client, NULL, NULL);
	assert_true(link.is_up);
	assert_true(info_of(&link, context, &arena).has_peer);
	assert_false(info_of(&link, context, &arena).verified);
	link_down(&link);
	arena_fini(&arena);
	SSL_CTX_free(client);
	tls_context_unref(&context);
}

static void an_identity_is_told_with_all_its_names(void **state)
{
	struct tls_server_options options = asking(TLS_CLIENT_CERTIFICATE_REQUEST);
	struct tls_context *context = server_of(&options);
	SSL_CTX *client = client_new("client");
	struct link link = link_up(context, client, "mx.mail.example", NULL);
	struct arena arena = { 0 };
	struct tls_info info = info_of(&link, context, &arena);
	X509 *cert = read_cert("client.crt");
	unsigned char digest[EVP_MAX_MD_SIZE];

	(void)state;
	assert_string_equal(info.server_name, "mx.mail.example");
	assert_string_equal(info.peer_subject, "CN=client");
	assert_int_equal(X509_digest(cert, EVP_sha256(), digest, NULL), 1);
	assert_memory_equal(info.peer_fingerprint, digest, TLS_FINGERPRINT_LEN);
	assert_int_equal(info.peer_emails.count, 2);
	assert_string_equal(info.peer_emails.items[0], "joe@example");
	assert_string_equal(info.peer_emails.items[1], "j@example");
	assert_int_equal(info.peer_dns.count, 1);
	assert_string_equal(info.peer_dns.items[0], "pc.example");
	X509_free(cert);
	/* And the client sees what is in the file, not our idea of who may be a client. */
	assert_int_equal(sk_X509_num(SSL_get_peer_cert_chain(link.client)), 1);
	link_down(&link);
	arena_fini(&arena);
	SSL_CTX_free(client);
	tls_context_unref(&context);
}

static void names_of_a_client_are_bounded(void **state)
{
	struct tls_server_options options = asking(TLS_CLIENT_CERTIFICATE_REQUEST);
	struct tls_context *context = server_of(&options);
	struct arena arena = { 0 };
	struct buf names = { 0 };
	struct tls_info info;
	SSL_CTX *client;
	struct link link;

	(void)state;
	buf_printf(&names, "DNS:%0300d,DNS:two words", 1);
	for (unsigned i = 0; i < 40; i++)
		buf_printf(&names, ",DNS:pc%u.example", i);
	buf_append_byte(&names, '\0');
	certs_issue(&world.certs, "many", "many", buf_span(&names).ptr);
	client = client_new("many");
	link = link_up(context, client, NULL, NULL);
	info = info_of(&link, context, &arena);
	assert_int_equal(info.peer_dns.count, TLS_NAMES_MAX);
	assert_string_equal(info.peer_dns.items[0], "pc0.example");
	buf_fini(&names);
	link_down(&link);
	arena_fini(&arena);
	SSL_CTX_free(client);
	tls_context_unref(&context);
}

/* RFC 5929 4.1: by the digest of the signature, but never MD5 or SHA-1. */
static void the_end_point_is_hashed_as_the_certificate_is_signed(void **state)
{
	static const struct {
		const char *file;
		const char *digest; /* NULL: not defined */
	} rows[] = { { "first.crt", "SHA256" }, { "rsa.crt", "SHA384" }, { "sha1.crt", "SHA256" },
		{ "ed.crt", NULL } };
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	X509 *ed = certs_make(world.certs.ca_key, "ed", NULL, NULL, NULL);

	(void)state;
	X509_set_pubkey(ed, key);
	assert_true(X509_sign(ed, key, NULL) > 0);
	certs_write_cert(&world.certs, "ed.crt", ed);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		unsigned char ours[EVP_MAX_MD_SIZE], theirs[EVP_MAX_MD_SIZE];
		X509 *cert = read_cert(rows[i].file);
		unsigned len = 0;

		if (rows[i].digest)
			X509_digest(cert, EVP_get_digestbyname(rows[i].digest), theirs, &len);
		assert_int_equal(tls_end_point(cert, ours), len);
		assert_memory_equal(ours, theirs, len);
		X509_free(cert);
	}
	X509_free(ed);
	EVP_PKEY_free(key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_name_asked_for_chooses_the_certificate),
		cmocka_unit_test(of_one_name_the_first_rsa_and_the_first_ecdsa_are_used),
		cmocka_unit_test(versions_and_ciphers_are_those_of_the_policy),
		cmocka_unit_test(the_servers_order_of_ciphers_counts),
		cmocka_unit_test(client_certificates_are_taken_as_the_listener_says),
		cmocka_unit_test(without_authorities_no_client_is_verified),
		cmocka_unit_test(an_identity_is_told_with_all_its_names),
		cmocka_unit_test(names_of_a_client_are_bounded),
		cmocka_unit_test(the_end_point_is_hashed_as_the_certificate_is_signed),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
