#include "cmocka_all.h"

#include <stdio.h>

#include "io_fixture.h"
#include "test_certs.h"

enum { DATA_MAX = 2048 };

struct world {
	struct loop loop;
	struct test_certs certs;
	struct tls_context *server, *client;
	/* Of the server's certificate and of its authority's. */
	char server_cert[DATA_MAX], server_key_hash[32], ca_cert[DATA_MAX], ca_key_hash[32];
	size_t server_cert_len, ca_cert_len;
};

static struct world world;

/* The certificate's bytes, and the SHA-256 of its key. */
static size_t read_cert(const char *name, char cert_out[DATA_MAX], char key_hash_out[32])
{
	FILE *file = fopen(certs_path(&world.certs, name), "r");
	X509 *cert = PEM_read_X509(file, NULL, NULL, NULL);
	unsigned char *at = (unsigned char *)cert_out, *key = NULL;
	int len = i2d_X509(cert, &at);
	int key_len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &key);

	assert_in_range(len, 1, DATA_MAX);
	assert_true(
		EVP_Digest(key, (size_t)key_len, (unsigned char *)key_hash_out, NULL, EVP_sha256(), NULL));
	OPENSSL_free(key);
	X509_free(cert);
	fclose(file);
	return (size_t)len;
}

static int set_up_group(void **state)
{
	struct tls_client_options options = { .verify = TLS_VERIFY_NONE };
	struct buf why = { 0 };

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	certs_init(&world.certs);
	certs_issue(&world.certs, "server", "mx.example", "DNS:mx.example,IP:127.0.0.1");
	assert_int_equal(certs_server(&world.certs, "server.crt", "server.key", &world.server, &why), ERR_OK);
	options.ca_file = certs_path(&world.certs, "ca.crt");
	assert_int_equal(tls_client_new(&options, &world.client, &why), ERR_OK);
	world.server_cert_len = read_cert("server.crt", world.server_cert, world.server_key_hash);
	world.ca_cert_len = read_cert("ca.crt", world.ca_cert, world.ca_key_hash);
	return 0;
}

static int tear_down_group(void **state)
{
	(void)state;
	tls_context_unref(&world.server);
	tls_context_unref(&world.client);
	certs_fini(&world.certs);
	return 0;
}

static int set_up(void **state)
{
	(void)state;
	assert_int_equal(loop_init(&world.loop), ERR_OK);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	end_streams(&world.loop);
	loop_fini(&world.loop);
	return 0;
}

struct ending {
	bool connects, is_verified, is_by_dane;
	const char *text; /* of the check, or of the end */
};

/* A connection by these rules. */
static void expect(size_t row, const struct tls_peer_rules *rules, const struct ending *wanted)
{
	struct endpoint server = endpoint_of(&world.loop), client = endpoint_of(&world.loop);
	struct arena arena = { 0 };
	struct tls_info info;

	endpoint_pair(&server, &client, NULL);
	stream_start_tls(server.stream, world.server, NULL, STREAM_TLS_KEEP);
	RUN_UNTIL(&world.loop, client.opens);
	stream_start_tls_with(client.stream, world.client, rules, STREAM_TLS_KEEP);
	RUN_UNTIL(&world.loop, client.closes || (client.tls && server.tls));
	if ((client.tls > 0) != wanted->connects || client.verified != wanted->is_verified ||
		strcmp(wanted->connects ? client.verify_text : client.text, wanted->text) != 0)
		fail_msg("row %zu: \"%s\"", row, client.tls ? client.verify_text : client.text);
	if (client.tls) {
		assert_true(stream_tls_info(client.stream, &arena, &info));
		assert_int_equal(info.is_by_dane, wanted->is_by_dane);
		arena_fini(&arena);
	}
	if (server.stream)
		stream_abort(server.stream);
	if (client.stream)
		stream_abort(client.stream);
	RUN_UNTIL(&world.loop, !server.stream && !client.stream);
	endpoint_fini(&server);
	endpoint_fini(&client);
}

static void a_certificate_is_good_for_one_of_the_names(void **state)
{
	static const char *const right[] = { "evil.example", "mx.example" };
	static const char *const wrong[] = { "evil.example", "x.example" };
	static char long_name[300];
	static const char *const address[] = { "127.0.0.1" };
	static const struct {
		struct tls_peer_rules rules;
		struct ending wanted;
	} rows[] = {
		{ { TLS_PEER_NAME, "mx.example", right, 2, NULL, 0 }, { true, true, false, "ok" } },
		{ { TLS_PEER_NAME, "x.example", right + 1, 1, NULL, 0 }, { true, true, false, "ok" } },
		{ { TLS_PEER_NAME, "", address, 1, NULL, 0 }, { true, true, false, "ok" } },
		{ { TLS_PEER_NAME, "mx.example", wrong, 2, NULL, 0 },
			{ false, false, false, "TLS handshake: hostname mismatch" } },
		{ { TLS_PEER_ANY, "mx.example", wrong, 2, NULL, 0 },
			{ true, false, false, "hostname mismatch" } },
		{ { TLS_PEER_ANY, "", right, 2, NULL, 0 }, { true, true, false, "ok" } },
		{ { TLS_PEER_NAME, long_name, right, 2, NULL, 0 },
			{ false, false, false, "TLS handshake: not a host name" } },
	};

	(void)state;
	memset(long_name, 'a', sizeof(long_name) - 1);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		expect(i, &rows[i].rules, &rows[i].wanted);
}

static void tlsa_records_stand_for_certificates(void **state)
{
	static const char *const names[] = { "example" };
	static const char zeros[64];
	const struct span key = span_of(world.server_key_hash, 32), ca_key = span_of(world.ca_key_hash, 32);
	const struct span cert = span_of(world.server_cert, world.server_cert_len);
	const struct span ca = span_of(world.ca_cert, world.ca_cert_len);
	const struct ending good = { true, true, true, "ok" };
	const struct ending none = { false, false, false, "TLS handshake: no matching DANE TLSA records" };
	const struct {
		const char *base;
		struct dns_tlsa tlsa[2];
		struct ending wanted;
	} rows[] = {
		{ "mx.example", { { 3, 1, 1, key } }, good },
		{ "mx.example", { { 3, 0, 0, cert } }, good },
		/* DANE-EE: the name does not count. */
		{ "other.example", { { 3, 1, 1, key } }, good },
		{ "mx.example", { { 3, 1, 1, { zeros, 32 } }, { 3, 1, 1, key } }, good },
		{ "mx.example", { { 2, 0, 0, ca } }, good },
		/* DANE-TA: it does. */
		{ "other.example", { { 2, 0, 0, ca } },
			{ false, false, false, "TLS handshake: hostname mismatch" } },
		{ "mx.example", { { 3, 1, 1, { zeros, 32 } } }, none },
		{ "mx.example", { { 3, 1, 1, ca_key } }, none },
		{ "mx.example", { { 3, 0, 0, ca } }, none },
		{ "mx.example", { { 3, 0, 0, { zeros, 64 } } },
			{ false, false, false, "TLS handshake: no TLSA record can be used" } },
		{ "mx.example", { { 3, 1, 1, { zeros, 31 } }, { 3, 1, 1, key } }, good },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct tls_peer_rules rules = { TLS_PEER_DANE, rows[i].base, names, 1, rows[i].tlsa,
			rows[i].tlsa[1].association.len ? 2 : 1 };

		expect(i, &rules, &rows[i].wanted);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_certificate_is_good_for_one_of_the_names, set_up, tear_down),
		cmocka_unit_test_setup_teardown(tlsa_records_stand_for_certificates, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, set_up_group, tear_down_group);
}
