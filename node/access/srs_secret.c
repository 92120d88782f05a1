#include "access/srs_secret.h"

#include "io/wall_clock.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

enum { DAY_MS = 24 * 60 * 60 * 1000 };

static void mac(const void *arg, struct span text, unsigned char mac_out[SRS_MAC_LEN])
{
	struct span key = secret_value_text(arg);
	unsigned len = SRS_MAC_LEN;

	CHECK(HMAC(EVP_sha256(), key.ptr, (int)key.len, (const unsigned char *)text.ptr, text.len, mac_out,
		&len));
}

/* NULL: there is no secret. Else it is to be let go of after the use. */
static const struct secret_value *begin(
	struct srs *srs, struct secrets *secrets, const struct route_rewrite *rewrite)
{
	const struct secret_value *key = secrets ? secrets_get(secrets, rewrite->return_secret) : NULL;

	*srs = (struct srs){ span_of_str(rewrite->return_domain), wall_clock_ms() / DAY_MS, mac, key };
	return key;
}

enum srs_outcome srs_secret_wrap(
	struct secrets *secrets, const struct route_rewrite *rewrite, struct span sender, struct buf *out)
{
	struct srs srs;
	const struct secret_value *key = begin(&srs, secrets, rewrite);
	bool is_done = key && srs_wrap(&srs, out, sender);

	if (!key)
		return SRS_NO_SECRET;
	secret_value_unref(&key);
	return is_done ? SRS_DONE : SRS_REFUSED;
}

static enum srs_outcome unwrap(
	struct secrets *secrets, const struct route_rewrite *rewrite, struct span recipient, struct buf *out)
{
	struct srs srs;
	const struct secret_value *key = begin(&srs, secrets, rewrite);
	enum srs_verdict verdict;

	if (!key)
		return SRS_NO_SECRET;
	verdict = srs_unwrap(&srs, out, recipient);
	secret_value_unref(&key);
	return verdict == SRS_UNWRAPPED ? SRS_DONE : verdict == SRS_NONE ? SRS_UNTOUCHED : SRS_REFUSED;
}

static struct span domain_of(struct span address)
{
	size_t at = address.len;

	while (at > 0 && address.ptr[at - 1] != '@')
		at--;
	return span_drop(address, at);
}

enum srs_outcome srs_secret_unwrap(
	struct secrets *secrets, const struct policy *policy, struct span recipient, struct buf *out)
{
	struct span domain = domain_of(recipient);

	for (size_t i = 0; i < policy_route_count(policy); i++) {
		const struct route_rewrite *rewrite = &policy_route(policy, i)->rewrite;

		if (rewrite->return_path == ROUTE_RETURN_SRS &&
			span_eq_nocase(domain, span_of_str(rewrite->return_domain)))
			return unwrap(secrets, rewrite, recipient, out);
	}
	return SRS_UNTOUCHED;
}
