#include "cmocka_all.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#include "io/tls.h"
#include "skein/proto/base/check.h"
#include "test_certs.h"

static int set_up(void **state)
{
	static struct test_certs certs;
	EVP_PKEY *other = EVP_EC_gen("P-256");
	FILE *file;

	certs_init(&certs);
	certs_issue(&certs, "server", "mx.example", "DNS:mx.example");
	certs_issue(&certs, "second", "mx2.example", "DNS:mx2.example");
	certs_write_key(&certs, "locked.key", other, "secret");
	file = fopen(certs_path(&certs, "junk.pem"), "w");
	assert_non_null(file);
	fputs("no PEM at all\n", file);
	fclose(file);
	EVP_PKEY_free(other);
	*state = &certs;
	return 0;
}

static int tear_down(void **state)
{
	certs_fini(*state);
	return 0;
}

static void a_server_context_knows_when_its_certificate_ends(void **state)
{
	struct tls_context *context;
	struct buf why = { 0 };
	int64_t left_s;

	assert_int_equal(certs_server(*state, "server.crt", "server.key", &context, &why), ERR_OK);
	left_s = tls_context_expires_at(context) - (int64_t)time(NULL);
	assert_true(left_s > TEST_CERTS_LIFE_S - 3600 && left_s <= TEST_CERTS_LIFE_S);
	assert_true(tls_context_is_server(context));
	assert_int_equal(buf_len(&why), 0);
	tls_context_unref(&context);
	assert_null(context);
}

static void what_is_wrong_with_a_file_is_said_with_its_name(void **state)
{
	static const struct {
		const char *cert, *key;
		enum err err;
		const char *named, *reason;
	} rows[] = {
		{ "absent.crt", "server.key", ERR_NOT_FOUND, "absent.crt", "No such file or directory" },
		{ "server.crt", "absent.key", ERR_NOT_FOUND, "absent.key", "No such file or directory" },
		{ "junk.pem", "server.key", ERR_INVALID, "junk.pem", "no usable PEM certificate" },
		{ "server.crt", "junk.pem", ERR_INVALID, "junk.pem", "no usable PEM key" },
		{ "server.crt", "second.key", ERR_INVALID, "second.key",
			"does not belong to the certificate" },
		{ "server.crt", "locked.key", ERR_INVALID, "locked.key", "the key is encrypted" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct tls_client_options client = { .ca_file = certs_path(*state, "ca.crt"),
			.cert_file = certs_path(*state, rows[i].cert),
			.key_file = certs_path(*state, rows[i].key) };
		struct tls_context *context = NULL;
		struct buf why = { 0 };

		assert_int_equal(
			certs_server(*state, rows[i].cert, rows[i].key, &context, &why), rows[i].err);
		assert_null(context);
		buf_append_byte(&why, '\0');
		if (!strstr(buf_span(&why).ptr, rows[i].named) || !strstr(buf_span(&why).ptr, rows[i].reason))
			fail_msg("row %zu says: %s", i, buf_span(&why).ptr);
		assert_int_equal(tls_client_new(&client, &context, &why), rows[i].err);
		buf_fini(&why);
	}
}

static void a_client_needs_authorities_that_can_be_read(void **state)
{
	static const struct {
		const char *ca;
		enum err err;
	} rows[] = { { "ca.crt", ERR_OK }, { NULL, ERR_OK }, { "absent", ERR_NOT_FOUND },
		{ "junk.pem", ERR_INVALID } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct tls_client_options options = { .verify = TLS_VERIFY_PEER,
			.ca_file = rows[i].ca ? certs_path(*state, rows[i].ca) : NULL };
		struct tls_context *context = NULL;
		struct buf why = { 0 };

		assert_int_equal(tls_client_new(&options, &context, &why), rows[i].err);
		assert_true(rows[i].err ? buf_len(&why) > 0 : !tls_context_is_server(context));
		if (context)
			assert_int_equal(tls_context_expires_at(context), 0);
		tls_context_unref(&context);
		buf_fini(&why);
	}
}

static struct tls_context *server_context(void **state, const char *cert, const char *key)
{
	struct tls_context *context;
	struct buf why = { 0 };

	assert_int_equal(certs_server(*state, cert, key, &context, &why), ERR_OK);
	return context;
}

static void *take_and_give_back(void *arg)
{
	for (unsigned i = 0; i < 20000; i++) {
		struct tls_context *context = tls_slot_get(arg);

		assert_true(tls_context_is_server(context));
		tls_context_unref(&context);
	}
	return NULL;
}

static void a_slot_is_swapped_under_threads_that_use_it(void **state)
{
	struct tls_slot slot;
	struct tls_context *held;
	pthread_t threads[2];

	tls_slot_init(&slot, server_context(state, "server.crt", "server.key"));
	held = tls_slot_get(&slot);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, take_and_give_back, &slot), 0);
	for (unsigned i = 0; i < 20; i++)
		tls_slot_set(&slot, server_context(state, "second.crt", "second.key"));
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		pthread_join(threads[i], NULL);
	assert_true(tls_context_is_server(held));
	tls_context_unref(&held);
	tls_slot_set(&slot, NULL);
	assert_null(tls_slot_get(&slot));
	tls_slot_fini(&slot);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_server_context_knows_when_its_certificate_ends),
		cmocka_unit_test(what_is_wrong_with_a_file_is_said_with_its_name),
		cmocka_unit_test(a_client_needs_authorities_that_can_be_read),
		cmocka_unit_test(a_slot_is_swapped_under_threads_that_use_it),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
