#include "io/tls_internal.h"

#include "skein/proto/base/alloc.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/*
 * Of a client, TLS 1.2: forward secrecy always, authenticated ciphers first; AES-CBC stays at the end for
 * next hops that know nothing better with an RSA certificate. TLS 1.3 keeps OpenSSL's own list.
 */
#define CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:DHE+CHACHA20:ECDHE+AES:!aNULL:!PSK:!SRP"

enum err tls_client_new(
	const struct tls_client_options *options, struct tls_context **context_out, struct buf *why_out)
{
	struct tls_context *context = tls_context_new(TLS_client_method(), false);
	enum err err = tls_load_trust(context->ssl_ctx, options->ca_file, why_out);

	/* Does nothing to connections without TLSA records. */
	CHECK(SSL_CTX_dane_enable(context->ssl_ctx) > 0);
	if (!err && options->cert_file)
		err = tls_load_identity(context->ssl_ctx, options->cert_file, options->key_file,
			&context->expires_at, why_out);
	SSL_CTX_set_verify(context->ssl_ctx,
		options->verify == TLS_VERIFY_PEER ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
	ERR_clear_error();
	if (err)
		tls_context_unref(&context);
	else
		*context_out = context;
	return err;
}

struct tls_context *tls_context_new(const SSL_METHOD *method, bool is_server)
{
	struct tls_context *context = mem_zalloc(sizeof(*context));
	SSL_CTX *ssl_ctx = SSL_CTX_new(method);

	CHECK(ssl_ctx);
	context->ssl_ctx = ssl_ctx;
	context->wire_method = tls_wire_method_new();
	context->is_server = is_server;
	atomic_init(&context->refs, 1);
	CHECK(SSL_CTX_set_min_proto_version(ssl_ctx, TLS1_2_VERSION));
	CHECK(SSL_CTX_set_cipher_list(ssl_ctx, CIPHERS));
	SSL_CTX_set_options(ssl_ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_mode(ssl_ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
					  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	/* Tickets hold the sessions; a cache of our own would only grow. */
	SSL_CTX_set_session_cache_mode(ssl_ctx, SSL_SESS_CACHE_OFF);
	return context;
}

/* OpenSSL's words for a file that it cannot open hide the reason: the system's come first. */
static enum err check_readable(const char *file, struct buf *why_out)
{
	int error;

	if (access(file, R_OK) == 0)
		return ERR_OK;
	error = errno;
	buf_printf(why_out, "cannot read %s: %s", file, strerror(error));
	return error == ENOENT ? ERR_NOT_FOUND : ERR_IO;
}

/* Appends "FILE: WHAT (OpenSSL's reason)". */
static enum err refuse(const char *file, const char *what, struct buf *why_out)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	buf_printf(why_out, "%s: %s", file, what);
	if (reason)
		buf_printf(why_out, " (%s)", reason);
	return ERR_INVALID;
}

/* Instead of OpenSSL's own, which asks at the terminal. */
static int no_passphrase(char *buf, int size, int is_for_writing, void *arg)
{
	(void)buf;
	(void)size;
	(void)is_for_writing;
	*(bool *)arg = true;
	return -1;
}

static enum err load_key(SSL_CTX *ssl_ctx, const char *key_file, struct buf *why_out)
{
	bool is_encrypted = false;
	int ok;

	SSL_CTX_set_default_passwd_cb(ssl_ctx, no_passphrase);
	SSL_CTX_set_default_passwd_cb_userdata(ssl_ctx, &is_encrypted);
	ERR_clear_error();
	ok = SSL_CTX_use_PrivateKey_file(ssl_ctx, key_file, SSL_FILETYPE_PEM);
	SSL_CTX_set_default_passwd_cb_userdata(ssl_ctx, NULL);
	if (ok == 1)
		return ERR_OK;
	if (is_encrypted)
		return refuse(
			key_file, "the key is encrypted; a service needs one without a passphrase", why_out);
	if (ERR_GET_LIB(ERR_peek_last_error()) == ERR_LIB_X509 &&
		ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH)
		return refuse(key_file, "the key does not belong to the certificate", why_out);
	return refuse(key_file, "no usable PEM key", why_out);
}

int64_t tls_ends_s(const X509 *cert)
{
	struct tm tm;

	return ASN1_TIME_to_tm(X509_get0_notAfter(cert), &tm) ? (int64_t)timegm(&tm) : 0;
}

enum err tls_load_identity(SSL_CTX *ssl_ctx, const char *cert_file, const char *key_file,
	int64_t *expires_at_out, struct buf *why_out)
{
	enum err err = check_readable(cert_file, why_out);

	if (!err)
		err = check_readable(key_file, why_out);
	if (err)
		return err;
	ERR_clear_error();
	if (SSL_CTX_use_certificate_chain_file(ssl_ctx, cert_file) != 1)
		return refuse(cert_file, "no usable PEM certificate", why_out);
	*expires_at_out = tls_ends_s(SSL_CTX_get0_certificate(ssl_ctx));
	return load_key(ssl_ctx, key_file, why_out);
}

/*
 * OpenSSL reads a certificate's extensions at its first use and keeps them in it. Done here, while one thread
 * has the store: no handshake does it for the others to wait.
 */
static void read_extensions(SSL_CTX *ssl_ctx)
{
	STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(SSL_CTX_get_cert_store(ssl_ctx));

	for (int i = 0; i < sk_X509_OBJECT_num(objects); i++) {
		X509 *certificate = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i));

		if (certificate)
			X509_check_purpose(certificate, -1, 0);
	}
}

enum err tls_load_trust(SSL_CTX *ssl_ctx, const char *ca_file, struct buf *why_out)
{
	enum err err = ca_file ? check_readable(ca_file, why_out) : ERR_OK;

	if (err)
		return err;
	ERR_clear_error();
	if (!ca_file)
		CHECK(SSL_CTX_set_default_verify_paths(ssl_ctx));
	else if (SSL_CTX_load_verify_file(ssl_ctx, ca_file) != 1)
		return refuse(ca_file, "no usable PEM certificates of authorities", why_out);
	read_extensions(ssl_ctx);
	return ERR_OK;
}

struct tls_context *tls_context_ref(struct tls_context *context)
{
	atomic_fetch_add_explicit(&context->refs, 1, memory_order_relaxed);
	return context;
}

void tls_context_unref(struct tls_context **context)
{
	struct tls_context *gone = *context;

	*context = NULL;
	if (!gone || atomic_fetch_sub_explicit(&gone->refs, 1, memory_order_acq_rel) > 1)
		return;
	SSL_CTX_free(gone->ssl_ctx);
	BIO_meth_free(gone->wire_method);
	certificates_unref(&gone->certificates);
	tls_tickets_unref(&gone->tickets);
	mem_free(gone);
}

bool tls_context_is_server(const struct tls_context *context)
{
	return context->is_server;
}

int64_t tls_context_expires_at(const struct tls_context *context)
{
	return context->expires_at;
}

void tls_slot_init(struct tls_slot *slot, struct tls_context *context)
{
	CHECK(pthread_mutex_init(&slot->lock, NULL) == 0);
	slot->current = context;
}

void tls_slot_fini(struct tls_slot *slot)
{
	tls_context_unref(&slot->current);
	pthread_mutex_destroy(&slot->lock);
}

struct tls_context *tls_slot_get(struct tls_slot *slot)
{
	struct tls_context *context;

	pthread_mutex_lock(&slot->lock);
	context = slot->current ? tls_context_ref(slot->current) : NULL;
	pthread_mutex_unlock(&slot->lock);
	return context;
}

void tls_slot_set(struct tls_slot *slot, struct tls_context *context)
{
	struct tls_context *old;

	pthread_mutex_lock(&slot->lock);
	old = slot->current;
	slot->current = context;
	pthread_mutex_unlock(&slot->lock);
	tls_context_unref(&old);
}
