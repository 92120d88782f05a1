/*
 * test_certs: an authority, and certificates from it, made fresh into a folder of their own. For tests that
 * include it; the keys are P-256 and worth nothing.
 */
#ifndef TESTS_UNIT_NODE_IO_TEST_CERTS_H
#define TESTS_UNIT_NODE_IO_TEST_CERTS_H

#include "io/tls.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TEST_CERTS_LIFE_S 86400

struct test_certs {
	char dir[64];
	EVP_PKEY *ca_key;
	X509 *ca_cert;
	char *paths[16];
	unsigned path_count;
};

/* "DIR/NAME", valid until sixteen others were asked for. */
static inline const char *certs_path(struct test_certs *certs, const char *name)
{
	char **path = &certs->paths[certs->path_count++ % 16];

	free(*path);
	assert_true(asprintf(path, "%s/%s", certs->dir, name) > 0);
	return *path;
}

static inline X509 *certs_make(
	EVP_PKEY *key, const char *subject, const char *alt_names, X509 *issuer, EVP_PKEY *issuer_key)
{
	static long serial = 1;
	X509 *cert = X509_new();
	X509_NAME *name = X509_get_subject_name(cert);
	X509V3_CTX ctx;
	X509_EXTENSION *extension;

	X509_set_version(cert, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), serial++);
	X509_gmtime_adj(X509_getm_notBefore(cert), -7200);
	X509_gmtime_adj(X509_getm_notAfter(cert), TEST_CERTS_LIFE_S);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)subject, -1, -1, 0);
	X509_set_issuer_name(cert, X509_get_subject_name(issuer ? issuer : cert));
	X509_set_pubkey(cert, key);
	X509V3_set_ctx(&ctx, issuer ? issuer : cert, cert, NULL, NULL, 0);
	extension = issuer ? X509V3_EXT_conf_nid(NULL, &ctx, NID_subject_alt_name, alt_names)
			   : X509V3_EXT_conf_nid(NULL, &ctx, NID_basic_constraints, "critical,CA:TRUE");
	assert_non_null(extension);
	X509_add_ext(cert, extension, -1);
	X509_EXTENSION_free(extension);
	assert_true(X509_sign(cert, issuer_key ? issuer_key : key, EVP_sha256()) > 0);
	return cert;
}

static inline void certs_write_cert(struct test_certs *certs, const char *name, X509 *cert)
{
	FILE *file = fopen(certs_path(certs, name), "w");

	assert_non_null(file);
	assert_int_equal(PEM_write_X509(file, cert), 1);
	fclose(file);
}

static inline void certs_write_key(
	struct test_certs *certs, const char *name, EVP_PKEY *key, const char *passphrase)
{
	FILE *file = fopen(certs_path(certs, name), "w");

	assert_non_null(file);
	assert_int_equal(PEM_write_PrivateKey(file, key, passphrase ? EVP_aes_128_cbc() : NULL,
				 (const unsigned char *)passphrase, passphrase ? (int)strlen(passphrase) : 0,
				 NULL, NULL),
		1);
	fclose(file);
}

static inline void certs_write(struct test_certs *certs, const char *name, X509 *cert, EVP_PKEY *key)
{
	char file[64];

	snprintf(file, sizeof(file), "%s.crt", name);
	certs_write_cert(certs, file, cert);
	snprintf(file, sizeof(file), "%s.key", name);
	certs_write_key(certs, file, key, NULL);
}

/* NAME.crt and NAME.key, for these names; `digest` is what the authority signs with. The key is freed. */
static inline void certs_issue_for(struct test_certs *certs, const char *name, const char *subject,
	const char *alt_names, EVP_PKEY *key, const EVP_MD *digest)
{
	X509 *cert = certs_make(key, subject, alt_names, certs->ca_cert, certs->ca_key);

	assert_true(X509_sign(cert, certs->ca_key, digest) > 0);
	certs_write(certs, name, cert, key);
	X509_free(cert);
	EVP_PKEY_free(key);
}

static inline void certs_issue(
	struct test_certs *certs, const char *name, const char *subject, const char *alt_names)
{
	certs_issue_for(certs, name, subject, alt_names, EVP_EC_gen("P-256"), EVP_sha256());
}

/* A server's context with one certificate and keys of its own. */
static inline enum err certs_server(struct test_certs *certs, const char *cert, const char *key,
	struct tls_context **context, struct buf *why)
{
	struct certificate_files files = { certs_path(certs, cert), certs_path(certs, key) };
	struct tls_server_options options = { .minimum = TLS_1_2, .ticket_lifetime_ms = 3600000 };
	enum err err = certificates_load(&files, 1, &options.certificates, why);

	if (err)
		return err;
	options.tickets = tls_tickets_new();
	err = tls_server_new(&options, context, why);
	certificates_unref(&options.certificates);
	tls_tickets_unref(&options.tickets);
	return err;
}

/* Makes the folder with ca.crt in it. */
static inline void certs_init(struct test_certs *certs)
{
	*certs = (struct test_certs){ .dir = "/tmp/skein-certs-XXXXXX" };
	assert_non_null(mkdtemp(certs->dir));
	certs->ca_key = EVP_EC_gen("P-256");
	certs->ca_cert = certs_make(certs->ca_key, "Test Authority", NULL, NULL, NULL);
	certs_write_cert(certs, "ca.crt", certs->ca_cert);
}

static inline void certs_fini(struct test_certs *certs)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -r %s", certs->dir);
	assert_int_equal(system(command), 0);
	for (unsigned i = 0; i < 16; i++)
		free(certs->paths[i]);
	X509_free(certs->ca_cert);
	EVP_PKEY_free(certs->ca_key);
}

#endif
