/*
 * A TLS server's context and a client in one process: certificates on disk, connections of two SSL objects
 * and a pair of BIOs. A group of tests begins with set_up and ends with tear_down.
 */
#ifndef TESTS_UNIT_NODE_IO_TLS_SERVER_LAB_H
#define TESTS_UNIT_NODE_IO_TLS_SERVER_LAB_H

#include "cmocka_all.h"

#include "io/tls_internal.h"
#include "skein/proto/base/alloc.h"
#include "test_certs.h"

#include <openssl/err.h>

struct world {
	struct test_certs certs;
	struct certificates *set;
	struct tls_tickets *tickets;
};

static struct world world;

static inline EVP_PKEY *rsa_key(void)
{
	static EVP_PKEY *key;

	if (!key)
		key = EVP_RSA_gen(2048);
	EVP_PKEY_up_ref(key);
	return key;
}

static inline struct certificates *load_set(const char *const *names, size_t count)
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
static inline void issue_odd_clients(void)
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

static inline int set_up(void **state)
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

static inline int tear_down(void **state)
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

/* --- a connection --- */

struct link {
	SSL *server, *client;
	bool is_up;
};

static inline struct tls_server_options modern(void)
{
	return (struct tls_server_options){ .certificates = world.set,
		.tickets = world.tickets,
		.ticket_lifetime_ms = 3600000,
		.minimum = TLS_1_2 };
}

static inline struct tls_server_options asking(enum tls_client_certificate how)
{
	struct tls_server_options options = modern();

	options.client_certificate = how;
	options.client_ca_file = certs_path(&world.certs, "ca.crt");
	return options;
}

static inline struct tls_context *server_of(const struct tls_server_options *options)
{
	struct tls_context *context = NULL;
	struct buf why = { 0 };

	if (tls_server_new(options, &context, &why))
		fail_msg("%.*s", SPAN_ARGS(buf_span(&why)));
	return context;
}

/* As the most careless client there is; the test narrows it. */
static inline SSL_CTX *client_new(const char *certificate)
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

static inline struct link link_up(
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

static inline void link_down(struct link *link)
{
	/* Else OpenSSL takes the session for a bad one. */
	SSL_set_shutdown(link->client, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(link->server);
	SSL_free(link->client);
}

static inline const char *shown(const struct link *link)
{
	static char name[64];
	X509 *cert = SSL_get0_peer_certificate(link->client);

	if (!cert || X509_NAME_get_text_by_NID(
			     X509_get_subject_name(cert), NID_commonName, name, sizeof(name)) < 0)
		return "";
	return name;
}

static inline struct tls_info info_of(
	const struct link *link, const struct tls_context *context, struct arena *arena)
{
	struct tls_info info;

	tls_info_fill(link->server, context, arena, &info);
	return info;
}

static inline X509 *read_cert(const char *name)
{
	FILE *file = fopen(certs_path(&world.certs, name), "r");
	X509 *cert = PEM_read_X509(file, NULL, NULL, NULL);

	assert_non_null(cert);
	fclose(file);
	return cert;
}

#endif
