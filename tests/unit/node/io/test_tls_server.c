#include "cmocka_all.h"

#include "io/tls_internal.h"
#include "skein/proto/base/alloc.h"
#include "test_certs.h"

#include <openssl/err.h>

/* What each test starts from: certificates on disk. Connections are two SSL objects and a pair of BIOs. */
struct world {
	struct test_certs certs;
	struct certificates *set;
	struct tls_tickets *tickets;
};

static struct world world;

static EVP_PKEY *rsa_key(void)
{
	static EVP_PKEY *key;

	if (!key)
		key = EVP_RSA_gen(2048);
	EVP_PKEY_up_ref(key);
	return key;
}

static struct certificates *load_set(const char *const *names, size_t count)
{
	struct certificate_files files[16];
	struct certificates *set = NULL;
	struct buf why = { 0 };

	for (size_t i = 0; i < count; i++) {
		static char paths[16][2][96];

		snprintf(paths[i][0], sizeof(paths[i][0]), "%s/%s.crt", world.certs.dir, names[i]);
		snprintf(paths[i][1], sizeof(paths[i][1]), "%s/%s.key", world.certs.dir, names[i]);
		files[i] = (struct certificate_files){ paths[i][0], paths[i][1] };
	}
	assert_int_equal(certificates_load(files, count, &set, &why), ERR_OK);
	return set;
}

/* A certificate that nobody else has signed, and one that ended an hour ago. */
static void issue_odd_clients(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *self = certs_make(key, "self", NULL, NULL, NULL);
	X509 *ended = certs_make(key, "ended", "email:old@example", world.certs.ca_cert, world.certs.ca_key);

	certs_write(&world.certs, "self", self, key);
	X509_gmtime_adj(X509_getm_notAfter(ended), -3600);
	assert_true(X509_sign(ended, world.certs.ca_key, EVP_sha256()) > 0);
	certs_write(&world.certs, "ended", ended, key);
	X509_free(self);
	X509_free(ended);
	EVP_PKEY_free(key);
}

static int set_up(void **state)
{
	static const char *const names[] = { "first", "wild", "exact", "plain" };

	(void)state;
	certs_init(&world.certs);
	certs_issue(&world.certs, "first", "first.example", "DNS:first.example,DNS:other.example");
	certs_issue(&world.certs, "wild", "wild", "DNS:*.mail.example,DNS:mail.example");
	certs_issue(&world.certs, "exact", "exact", "DNS:mx.MAIL.example");
	certs_issue(&world.certs, "plain", "plain.example", "IP:127.0.0.1");
	certs_issue(&world.certs, "twin", "twin", "DNS:first.example");
	certs_issue_for(&world.certs, "rsa", "rsa", "DNS:first.example", rsa_key(), EVP_sha384());
	certs_issue_for(&world.certs, "sha1", "sha1", "DNS:sha1.example", EVP_EC_gen("P-256"), EVP_sha1());
	certs_issue(&world.certs, "client", "client", "email:joe@example,DNS:pc.example,email:j@example");
	issue_odd_clients();
	world.set = load_set(names, ARRAY_LEN(names));
	world.tickets = tls_tickets_new();
	return 0;
}

static int tear_down(void **state)
{
	EVP_PKEY *key = rsa_key();

	(void)state;
	certificates_unref(&world.set);
	tls_tickets_unref(&world.tickets);
	certs_fini(&world.certs);
	EVP_PKEY_free(key);
	EVP_PKEY_free(key);
	return 0;
}

/* ---- a connection ---- */

struct link {
	SSL *server, *client;
	bool is_up;
};

static struct tls_server_options modern(void)
{
	return (struct tls_server_options){ .certificates = world.set,
		.tickets = world.tickets,
		.ticket_lifetime_ms = 3600000,
		.minimum = TLS_1_2 };
}

static struct tls_server_options asking(enum tls_client_certificate how)
{
	struct tls_server_options options = modern();

	options.client_certificate = how;
	options.client_ca_file = certs_path(&world.certs, "ca.crt");
	return options;
}

static struct tls_context *server_of(const struct tls_server_options *options)
{
	struct tls_context *context = NULL;
	struct buf why = { 0 };

	if (tls_server_new(options, &context, &why))
		fail_msg("%.*s", SPAN_ARGS(buf_span(&why)));
	return context;
}

/* As the most careless client there is; the test narrows it. */
static SSL_CTX *client_new(const char *certificate)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	char file[64];

	SSL_CTX_set_security_level(ctx, 0);
	assert_int_equal(SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION), 1);
	assert_int_equal(SSL_CTX_set_cipher_list(ctx, "ALL"), 1);
	if (certificate) {
		snprintf(file, sizeof(file), "%s.crt", certificate);
		assert_int_equal(
			SSL_CTX_use_certificate_file(ctx, certs_path(&world.certs, file), SSL_FILETYPE_PEM),
			1);
		snprintf(file, sizeof(file), "%s.key", certificate);
		assert_int_equal(
			SSL_CTX_use_PrivateKey_file(ctx, certs_path(&world.certs, file), SSL_FILETYPE_PEM),
			1);
	}
	return ctx;
}

static struct link link_up(
	const struct tls_context *context, SSL_CTX *client_ctx, const char *asked, SSL_SESSION *session)
{
	struct link link = { SSL_new(context->ssl_ctx), SSL_new(client_ctx), false };
	BIO *ours, *theirs;
	char byte;

	assert_int_equal(BIO_new_bio_pair(&ours, 0, &theirs, 0), 1);
	SSL_set_bio(link.server, ours, ours);
	SSL_set_bio(link.client, theirs, theirs);
	SSL_set_accept_state(link.server);
	SSL_set_connect_state(link.client);
	if (asked)
		SSL_set_tlsext_host_name(link.client, asked);
	if (session)
		SSL_set_session(link.client, session);
	for (unsigned i = 0; i < 20; i++) {
		(void)SSL_do_handshake(link.client);
		(void)SSL_do_handshake(link.server);
	}
	(void)SSL_read(link.client, &byte, 1); /* tickets of TLS 1.3 */
	link.is_up = SSL_is_init_finished(link.client) && SSL_is_init_finished(link.server) &&
		     !(SSL_get_shutdown(link.client) & SSL_RECEIVED_SHUTDOWN);
	ERR_clear_error();
	return link;
}

static void link_down(struct link *link)
{
	/* Else OpenSSL takes the session for a bad one. */
	SSL_set_shutdown(link->client, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(link->server);
	SSL_free(link->client);
}

static const char *shown(const struct link *link)
{
	static char name[64];
	X509 *cert = SSL_get0_peer_certificate(link->client);

	if (!cert || X509_NAME_get_text_by_NID(
			     X509_get_subject_name(cert), NID_commonName, name, sizeof(name)) < 0)
		return "";
	return name;
}

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

static struct tls_info info_of(
	const struct link *link, const struct tls_context *context, struct arena *arena)
{
	struct tls_info info;

	tls_info_fill(link->server, context, arena, &info);
	return info;
}

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

static X509 *read_cert(const char *name)
{
	FILE *file = fopen(certs_path(&world.certs, name), "r");
	X509 *cert = PEM_read_X509(file, NULL, NULL, NULL);

	assert_non_null(cert);
	fclose(file);
	return cert;
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

/* ---- tickets ---- */

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
		cmocka_unit_test(the_name_asked_for_chooses_the_certificate),
		cmocka_unit_test(of_one_name_the_first_rsa_and_the_first_ecdsa_are_used),
		cmocka_unit_test(versions_and_ciphers_are_those_of_the_policy),
		cmocka_unit_test(the_servers_order_of_ciphers_counts),
		cmocka_unit_test(client_certificates_are_taken_as_the_listener_says),
		cmocka_unit_test(without_authorities_no_client_is_verified),
		cmocka_unit_test(an_identity_is_told_with_all_its_names),
		cmocka_unit_test(names_of_a_client_are_bounded),
		cmocka_unit_test(the_end_point_is_hashed_as_the_certificate_is_signed),
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
