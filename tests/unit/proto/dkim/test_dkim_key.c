/* Keys: what is read, what is refused and why, and that each is what it says: it signs and verifies. */
#include "cmocka_all.h"

#include "dkim_keys.h"

#include "skein/proto/base/alloc.h"
#include "skein/proto/base/base64.h"
#include "skein/proto/dkim/key.h"

#include <openssl/err.h>

/* Refused. */
static const char rsa768_pem[] = "-----BEGIN PRIVATE KEY-----\n"
				 "MIIB5QIBADANBgkqhkiG9w0BAQEFAASCAc8wggHLAgEAAmEAtoueK69nk5iXvKsi\n"
				 "v9yRVgzPhHh9s6PSGnf86xhdfbeSTXFsc/ne7VJ2Rhsm2DWH+nTjfludxk/qrVTG\n"
				 "SNG/UwMeUr4JYDcdjmoXTF3ukH5DS2u5bj6iiEJFHhSMkr17AgMBAAECYG10SeLn\n"
				 "ybM2S8VU2AEyv/JYvBUyKi0MjW5Rg9VzRpua9p545A6mRIUIbOKcZS4+6cZ7Uu9n\n"
				 "pLNOzYDIeO4VWa/O8/JlI3hREvOkGC8LG6adlpl8GqtE5GFy6lvkUDlAAQIxANwD\n"
				 "FxOjlPIgHCkoXf+IaPIUvdrtUHdCe6DRD6IFgUui/wiBg3SV/n3ngnYB0fZQOwIx\n"
				 "ANRnoFwpT4hiqvmbWpa+ckembjfcQQ6N/gpswel9dvOY/dtkc2zx64EHtngHmeWz\n"
				 "wQIwQ3T3GGBphKtvtvbXi0fJ1Z+iboOgzlAmE7LF9kl10TkStQrwwUhUFUpsZ747\n"
				 "ICiNAjEAm+43W3E4YfeNbREPv/qwCsmzwG6BlB3Jkf2lnbPtz4dRVe64jhJLwb3X\n"
				 "xuZNpMQBAjEA2RDnO4xV7HDoNAflTW6c1p+EZXF8Ut/E+56MzgfcVo1nt1jyxOcy\n"
				 "A2nUrBGnFZrV\n"
				 "-----END PRIVATE KEY-----\n";

static const char p256_pem[] = "-----BEGIN PRIVATE KEY-----\n"
			       "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgYUVJV7KwbwhJoazX\n"
			       "O2TeSA5cCwmrLm+ye++EKo7KI8ahRANCAAQJz264IBihKd/CYnYer7JWQw6PWGZY\n"
			       "qf8+Qm3WCeGv+zKwk11A6EvbR40lIhXVpfzzw7Z6SCHuh98fJ8Qf7A76\n"
			       "-----END PRIVATE KEY-----\n";

static const struct {
	const char *text, *why;
} refused[] = {
	{ "", "no private key" },
	{ "hello", "no private key" },
	{ "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n", "no private key" },
	{ "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1h\n-----END PRIVATE KEY-----\n",
		"no private key" },
	{ "-----BEGIN PRIVATE KEY-----\nMC4CAQ\n", "no private key" },
	{ "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA" RFC8463_PUBLIC "\n-----END PUBLIC KEY-----\n",
		"no private key" },
	/* A public key under a private one's name. */
	{ "-----BEGIN PRIVATE KEY-----\n" RFC8463_RSA "\n-----END PRIVATE KEY-----\n", "no private key" },
	{ "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
		"passphrase" },
	{ "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n"
	  "-----END RSA PRIVATE KEY-----\n",
		"passphrase" },
	{ rsa768_pem, "less than 1024 bits" },
	{ p256_pem, "a kind that DKIM does not know" },
};

static struct dkim_key *parse(struct span text)
{
	const char *why;
	struct dkim_key *key;

	if (dkim_key_parse(text, &key, &why) != ERR_OK)
		fail_msg("the key %s", why);
	return key;
}

/* The record of `key` verifies what it signs, and nothing else. */
static void assert_signs(const struct dkim_key *key)
{
	unsigned char hash[DKIM_HASH_LEN] = "what was hashed";
	struct buf record = { 0 }, signature = { 0 };
	char public[DKIM_KEY_TEXT_MAX];
	struct dkim_key *verifier;
	struct span p;
	size_t len;

	dkim_key_append_record(key, &record);
	p = span_drop(buf_span(&record), strlen("v=DKIM1; k="));
	p = span_drop(p, span_find(p, '=') + 1);
	assert_true(base64_decode(p, public, &len));
	verifier = dkim_key_new_public(dkim_key_algorithm(key), span_of(public, len));
	assert_non_null(verifier);
	assert_int_equal(dkim_key_bits(verifier), dkim_key_bits(key));
	assert_int_equal(dkim_key_sign(key, hash, &signature), ERR_OK);
	assert_true(dkim_key_verify(verifier, hash, buf_span(&signature)));
	hash[31] ^= 1;
	assert_false(dkim_key_verify(verifier, hash, buf_span(&signature)));
	hash[31] ^= 1;
	signature.base[9] ^= 1;
	assert_false(dkim_key_verify(verifier, hash, buf_span(&signature)));
	assert_false(dkim_key_verify(verifier, hash, span_take(buf_span(&signature), 5)));
	/* A public key does not sign. */
	assert_int_equal(dkim_key_sign(verifier, hash, &signature), ERR_REFUSED);
	assert_int_equal(ERR_peek_error(), 0);
	dkim_key_free(&verifier);
	buf_fini(&record);
	buf_fini(&signature);
}

/* Out as PEM, and in again. */
static void assert_comes_back(const struct dkim_key *key)
{
	struct buf pem = { 0 }, again = { 0 };
	struct dkim_key *copy;

	buf_reserve(&pem, DKIM_KEY_TEXT_MAX);
	dkim_key_append_pem(key, &pem);
	assert_true(pem.cap <= 2 * DKIM_KEY_TEXT_MAX);
	copy = parse(buf_span(&pem));
	dkim_key_append_pem(copy, &again);
	assert_true(span_eq(buf_span(&pem), buf_span(&again)));
	dkim_key_free(&copy);
	buf_fini(&pem);
	buf_fini(&again);
}

static void an_rsa_key_is_read_in_each_form(void **state)
{
	char der[2048];
	struct dkim_key *pkcs1 = parse(span_of_str(rsa1024_pkcs1)), *pkcs8 = parse(span_of_str(rsa1024_pem)),
			*raw;
	struct dkim_key *damaged;
	struct buf text = { 0 }, a = { 0 }, b = { 0 };
	const char *why;
	size_t len;

	(void)state;
	assert_int_equal(dkim_key_algorithm(pkcs1), DKIM_RSA_SHA256);
	assert_int_equal(dkim_key_bits(pkcs1), 1024);
	assert_true(dkim_key_is_weak(pkcs1));
	dkim_key_append_pem(pkcs1, &a);
	assert_span_equal(buf_span(&a), rsa1024_pem);
	for (const char *line = strchr(rsa1024_pem, '\n') + 1; *line != '-'; line = strchr(line, '\n') + 1)
		buf_append(&text, span_of(line, strcspn(line, "\n")));
	assert_true(base64_decode(buf_span(&text), der, &len));
	raw = parse(span_of(der, len));
	/* In the modulus. */
	der[60] ^= 1;
	assert_int_equal(dkim_key_parse(span_of(der, len), &damaged, &why), ERR_INVALID);
	assert_null(damaged);
	assert_non_null(strstr(why, "damaged"));
	assert_int_equal(ERR_peek_error(), 0);
	dkim_key_append_pem(raw, &b);
	assert_span_equal(buf_span(&b), rsa1024_pem);
	assert_signs(pkcs8);
	dkim_key_free(&pkcs1);
	dkim_key_free(&pkcs8);
	dkim_key_free(&raw);
	assert_null(raw);
	buf_fini(&text);
	buf_fini(&a);
	buf_fini(&b);
}

static void a_seed_is_an_ed25519_key(void **state)
{
	unsigned char seed[33];
	struct buf record = { 0 };
	struct dkim_key *key;
	size_t len;

	(void)state;
	assert_true(base64_decode(span_of_str(RFC8463_SEED), (char *)seed, &len));
	assert_int_equal(len, DKIM_ED25519_SEED_LEN);
	key = dkim_key_new_ed25519(seed);
	assert_int_equal(dkim_key_algorithm(key), DKIM_ED25519_SHA256);
	assert_false(dkim_key_is_weak(key));
	dkim_key_append_record(key, &record);
	assert_span_equal(buf_span(&record), "v=DKIM1; k=ed25519; p=" RFC8463_PUBLIC);
	assert_signs(key);
	assert_comes_back(key);
	dkim_key_free(&key);
	buf_fini(&record);
}

static void a_generated_rsa_key_signs(void **state)
{
	struct dkim_key *key = dkim_key_new_rsa(2048);

	(void)state;
	assert_int_equal(dkim_key_bits(key), 2048);
	assert_false(dkim_key_is_weak(key));
	assert_signs(key);
	assert_comes_back(key);
	dkim_key_free(&key);
}

static void what_is_no_key_is_refused_with_its_cure(void **state)
{
	struct dkim_key *key;
	char *large = mem_zalloc(DKIM_KEY_TEXT_MAX + 1);
	const char *why;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		assert_int_equal(dkim_key_parse(span_of_str(refused[i].text), &key, &why), ERR_INVALID);
		assert_null(key);
		if (!strstr(why, refused[i].why))
			fail_msg("row %zu: %s", i, why);
		assert_int_equal(ERR_peek_error(), 0);
	}
	assert_int_equal(dkim_key_parse(span_of(large, DKIM_KEY_TEXT_MAX + 1), &key, &why), ERR_INVALID);
	mem_free(large);
	assert_null(dkim_key_new_public(DKIM_RSA_SHA256, SPAN_LIT("hello")));
	assert_null(dkim_key_new_public(DKIM_RSA_SHA256, SPAN_LIT("")));
	assert_null(dkim_key_new_public(DKIM_ED25519_SHA256, SPAN_LIT("hello")));
}

static void a_long_record_is_cut_for_its_zone(void **state)
{
	struct buf record = { 0 }, out = { 0 };
	struct span text;

	(void)state;
	for (int i = 0; i < 256; i++)
		buf_append_byte(&record, i < 255 ? 'a' : 'b');
	dkim_record_append_zone(&out, SPAN_LIT("s1"), SPAN_LIT("example.org"), buf_span(&record));
	text = buf_span(&out);
	assert_true(span_starts_with(text, SPAN_LIT("s1._domainkey.example.org. IN TXT ( \"aaa")));
	assert_span_equal(span_drop(text, text.len - 11), "aaa\" \"b\" )\n");
	buf_fini(&record);
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_rsa_key_is_read_in_each_form),
		cmocka_unit_test(a_seed_is_an_ed25519_key),
		cmocka_unit_test(a_generated_rsa_key_signs),
		cmocka_unit_test(what_is_no_key_is_refused_with_its_cure),
		cmocka_unit_test(a_long_record_is_cut_for_its_zone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
