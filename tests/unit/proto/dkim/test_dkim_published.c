#include "cmocka_all.h"

#include "dkim_keys.h"

#include "skein/proto/base/base64.h"
#include "skein/proto/dkim/published.h"

#define ED25519 "v=DKIM1; k=ed25519; p=" RFC8463_PUBLIC

static struct dkim_key *own;

static int make_key(void **state)
{
	char seed[base64_decoded_len_max(sizeof(RFC8463_SEED) - 1)];
	size_t len;

	(void)state;
	assert_true(base64_decode(SPAN_LIT(RFC8463_SEED), seed, &len));
	assert_int_equal(len, DKIM_ED25519_SEED_LEN);
	own = dkim_key_new_ed25519((const unsigned char *)seed);
	return 0;
}

static int free_key(void **state)
{
	(void)state;
	dkim_key_free(&own);
	return 0;
}

static void a_record_is_judged_for_its_owner(void **state)
{
	static const struct {
		const char *text;
		bool is_good, is_revoked, is_testing, is_weak, is_other;
		unsigned bits;
	} rows[] = {
		{ ED25519, true, false, false, false, false, 256 },
		{ ED25519 "; t=s:y", true, false, true, false, false, 256 },
		{ "k=rsa; p=" RFC8463_RSA, true, false, false, true, true, 1024 },
		{ "p=" RFC8463_RSA, true, false, false, true, true, 1024 },
		{ "v=DKIM1; k=ed25519; p=", false, true, false, false, false, 0 },
		{ "v=DKIM1; p=", false, true, false, false, false, 0 },
		{ "v=DKIM1; k=ed25519", false, false, false, false, false, 0 },
		{ "v=DKIM1; k=ed25519; p=AAAA", false, false, false, false, false, 0 },
		{ "v=DKIM2; k=ed25519; p=" RFC8463_PUBLIC, false, false, false, false, false, 0 },
		{ "v=DKIM1; k=ed25519; h=sha1; p=" RFC8463_PUBLIC, false, false, false, false, false, 0 },
		{ "v=DKIM1; k=ed25519; s=tls; p=" RFC8463_PUBLIC, false, false, false, false, false, 0 },
		{ "v=DKIM1; k=dsa; p=" RFC8463_PUBLIC, false, false, false, false, false, 0 },
		{ "v=spf1 -all", false, false, false, false, false, 0 },
		{ "", false, false, false, false, false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct dkim_published published;

		dkim_published_judge(span_of_str(rows[i].text), own, &published);
		if ((published.fault == NULL) != rows[i].is_good ||
			published.is_revoked != rows[i].is_revoked ||
			published.is_testing != rows[i].is_testing || published.is_weak != rows[i].is_weak ||
			published.is_other != rows[i].is_other || published.bits != rows[i].bits)
			fail_msg("row %zu: %s: %s, %u bits", i, rows[i].text,
				published.fault ? published.fault : "good", published.bits);
		dkim_published_judge(span_of_str(rows[i].text), NULL, &published);
		assert_false(published.is_other);
		assert_int_equal(published.fault == NULL, rows[i].is_good);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_is_judged_for_its_owner),
	};

	return cmocka_run_group_tests(tests, make_key, free_key);
}
