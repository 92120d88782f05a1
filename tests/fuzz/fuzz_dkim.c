#include "skein/proto/dkim/signer.h"
#include "skein/proto/dkim/verifier.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEADER_MAX = 16 * 1024, FIELDS_MAX = 100 };

static void feed(struct dkim_verifier *verifier, struct span in, size_t piece)
{
	for (; in.len; in = span_drop(in, piece < in.len ? piece : in.len))
		dkim_verifier_feed(verifier, span_take(in, piece < in.len ? piece : in.len));
}

/* The verdict on the topmost signature, all of them having this record. */
static enum dkim_verdict top_verdict(struct span message, struct span record, size_t piece)
{
	struct dkim_verifier *verifier = dkim_verifier_new(2 * HEADER_MAX, FIELDS_MAX + 1);
	enum dkim_verdict verdict = DKIM_NEUTRAL;
	const char *why;

	feed(verifier, message, piece);
	if (dkim_verifier_end(verifier, &why) == ERR_OK)
		for (size_t i = dkim_verifier_count(verifier); i-- > 0;)
			verdict = dkim_verifier_check(verifier, i, record, 0, &why);
	dkim_verifier_free(&verifier);
	return verdict;
}

/* What we sign, we verify, in pieces or whole. */
static void sign_and_verify(struct span mail, const struct dkim_key *key, struct span record)
{
	struct dkim_rule rule = {
		.key = key,
		.domain = SPAN_LIT("a.example"),
		.selector = SPAN_LIT("s"),
		.header_canon = mail.len & 1 ? DKIM_RELAXED : DKIM_SIMPLE,
		.body_canon = mail.len & 2 ? DKIM_RELAXED : DKIM_SIMPLE,
	};
	struct dkim_signer_options options = {
		.rules = &rule,
		.rule_count = 1,
		.header_size_max = HEADER_MAX,
		.header_fields_max = FIELDS_MAX,
	};
	struct dkim_signer *signer = dkim_signer_new(&options);
	struct buf message = { 0 };
	const char *why;

	dkim_signer_feed(signer, mail);
	if (dkim_signer_end(signer, 1, &message, &why) == ERR_OK) {
		buf_append(&message, mail);
		CHECK(top_verdict(buf_span(&message), record, 7) == DKIM_PASS);
	}
	dkim_signer_free(&signer);
	buf_fini(&message);
}

/* A record, a NUL, and a message. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const unsigned char seed[DKIM_ED25519_SEED_LEN] = { 1 };
	struct span in = span_of((const char *)data, size);
	size_t end = span_find(in, '\0');
	struct span mail = span_drop(in, end < size ? end + 1 : end);
	struct dkim_key *key = dkim_key_new_ed25519(seed), *parsed;
	struct buf record = { 0 };
	const char *why;

	dkim_key_append_record(key, &record);
	sign_and_verify(mail, key, buf_span(&record));
	CHECK(top_verdict(mail, span_take(in, end), 1) == top_verdict(mail, span_take(in, end), size + 1));
	if (dkim_key_parse(in, &parsed, &why) == ERR_OK)
		dkim_key_free(&parsed);
	dkim_key_free(&key);
	buf_fini(&record);
	return 0;
}
