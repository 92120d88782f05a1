#include "io/tls_internal.h"

#include <openssl/err.h>
#include <openssl/evp.h>

/* TLS 1.2 and older; TLS 1.3 keeps OpenSSL's own list, which is modern by itself. */
#define CIPHERS_MODERN "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL:!PSK:!SRP"
/* For printers and old Windows hosts: without forward secrecy or with AES-CBC rather than in clear. */
#define CIPHERS_COMPATIBLE                                                                                   \
	"ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:DHE+CHACHA20:ECDHE+AES:DHE+AES:RSA+AESGCM:RSA+AES"           \
	":!AESCCM:!aNULL:!PSK:!SRP"

#define GROUPS "X25519:P-256:P-384"

/* A client's chain, in bytes. */
enum { CLIENT_CHAIN_MAX = 32 * 1024 };

static void set_policy(SSL_CTX *ssl_ctx, const struct tls_server_options *options);
static enum err set_client_certificates(
	SSL_CTX *ssl_ctx, const struct tls_server_options *options, struct buf *why_out);
static enum err set_session_scope(
	SSL_CTX *ssl_ctx, const struct tls_server_options *options, struct buf *why_out);
static int choose_certificates(SSL *ssl, void *arg);

enum err tls_server_new(
	const struct tls_server_options *options, struct tls_context **context_out, struct buf *why_out)
{
	struct tls_context *context = tls_context_new(TLS_server_method(), true);
	SSL_CTX *ssl_ctx = context->ssl_ctx;
	enum err err;

	context->certificates = certificates_ref(options->certificates);
	context->tickets = tls_tickets_ref(options->tickets);
	context->ticket_lifetime_ms = options->ticket_lifetime_ms;
	context->client_certificate = options->client_certificate;
	context->expires_at = certificates_expires_at(options->certificates);
	SSL_CTX_set_app_data(ssl_ctx, context);
	/* Else a certificate without a chain would get one from the clients' authorities, anew each time. */
	SSL_CTX_set_mode(ssl_ctx, SSL_MODE_NO_AUTO_CHAIN);
	set_policy(ssl_ctx, options);
	SSL_CTX_set_cert_cb(ssl_ctx, choose_certificates, context);
	tls_tickets_attach(ssl_ctx);
	err = set_client_certificates(ssl_ctx, options, why_out);
	if (!err)
		err = set_session_scope(ssl_ctx, options, why_out);
	ERR_clear_error();
	if (err)
		tls_context_unref(&context);
	else
		*context_out = context;
	return err;
}

/* ---- versions and ciphers ---- */

static void set_policy(SSL_CTX *ssl_ctx, const struct tls_server_options *options)
{
	static const int versions[] = {
		[TLS_1_0] = TLS1_VERSION,
		[TLS_1_1] = TLS1_1_VERSION,
		[TLS_1_2] = TLS1_2_VERSION,
		[TLS_1_3] = TLS1_3_VERSION,
	};
	bool is_old = options->minimum < TLS_1_2;
	bool is_modern = options->ciphers == TLS_CIPHERS_MODERN && !is_old;

	CHECK(SSL_CTX_set_min_proto_version(ssl_ctx, versions[options->minimum]));
	if (is_old)
		SSL_CTX_set_security_level(ssl_ctx, 0);
	CHECK(SSL_CTX_set_cipher_list(ssl_ctx, is_modern ? CIPHERS_MODERN : CIPHERS_COMPATIBLE));
	CHECK(SSL_CTX_set1_groups_list(ssl_ctx, GROUPS));
	SSL_CTX_set_options(ssl_ctx, SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_dh_auto(ssl_ctx, 1);
	CHECK(SSL_CTX_set_max_early_data(ssl_ctx, 0));
}

static int choose_certificates(SSL *ssl, void *arg)
{
	struct tls_context *context = arg;

	return certificates_use(
		context->certificates, ssl, SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name));
}

/* ---- client certificates ---- */

/* What is wrong with the chain stays known as the verify result; whether it ends the handshake is ours to
 * say. */
static int judge_client(X509_STORE_CTX *store, void *arg)
{
	const struct tls_context *context = arg;
	bool is_trusted = X509_verify_cert(store) == 1;

	return is_trusted || context->client_certificate != TLS_CLIENT_CERTIFICATE_REQUIRE;
}

static enum err set_client_certificates(
	SSL_CTX *ssl_ctx, const struct tls_server_options *options, struct buf *why_out)
{
	bool is_required = options->client_certificate == TLS_CLIENT_CERTIFICATE_REQUIRE;
	STACK_OF(X509_NAME) * names;
	enum err err = ERR_OK;

	if (options->client_certificate == TLS_CLIENT_CERTIFICATE_NONE)
		return ERR_OK;
	CHECK(options->client_ca_file || !is_required);
	SSL_CTX_set_verify(
		ssl_ctx, SSL_VERIFY_PEER | (is_required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), NULL);
	SSL_CTX_set_cert_verify_callback(ssl_ctx, judge_client, SSL_CTX_get_app_data(ssl_ctx));
	SSL_CTX_set_max_cert_list(ssl_ctx, CLIENT_CHAIN_MAX);
	if (options->client_ca_file)
		err = tls_load_trust(ssl_ctx, options->client_ca_file, why_out);
	/* The names tell a client which certificate to show. Where any is welcome there must be none: Windows
	 * would keep a self-signed one back. */
	if (!err && is_required) {
		names = SSL_load_client_CA_file(options->client_ca_file);
		CHECK(names);
		SSL_CTX_set_client_CA_list(ssl_ctx, names);
	}
	return err;
}

/* ---- sessions ---- */

static bool digest_file(EVP_MD_CTX *digest, const char *file)
{
	BIO *bio = BIO_new_file(file, "r");
	char piece[4096];
	int got = bio ? 1 : -1;

	while (got > 0) {
		got = BIO_read(bio, piece, sizeof(piece));
		if (got > 0)
			CHECK(EVP_DigestUpdate(digest, piece, (size_t)got));
	}
	BIO_free(bio);
	return got == 0;
}

/*
 * A ticket holds what a client certificate was worth where it was made. So it only counts where client
 * certificates are asked for in the same way and judged by the same authorities, on whatever node.
 */
static enum err set_session_scope(
	SSL_CTX *ssl_ctx, const struct tls_server_options *options, struct buf *why_out)
{
	static const char *const modes[] = {
		[TLS_CLIENT_CERTIFICATE_NONE] = "skein: none",
		[TLS_CLIENT_CERTIFICATE_REQUEST] = "skein: request",
		[TLS_CLIENT_CERTIFICATE_REQUIRE] = "skein: require",
	};
	const char *mode = modes[options->client_certificate];
	unsigned char scope[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	unsigned len = 0;
	bool is_read = true;

	CHECK(digest && EVP_DigestInit_ex(digest, EVP_sha256(), NULL));
	CHECK(EVP_DigestUpdate(digest, mode, strlen(mode) + 1));
	if (options->client_ca_file && options->client_certificate != TLS_CLIENT_CERTIFICATE_NONE)
		is_read = digest_file(digest, options->client_ca_file);
	CHECK(EVP_DigestFinal_ex(digest, scope, &len));
	EVP_MD_CTX_free(digest);
	CHECK(SSL_CTX_set_session_id_context(ssl_ctx, scope, len));
	if (is_read)
		return ERR_OK;
	buf_printf(why_out, "cannot read %s", options->client_ca_file);
	return ERR_IO;
}
