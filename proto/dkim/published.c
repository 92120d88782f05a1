#include "skein/proto/dkim/published.h"

#include "dkim/signature_internal.h"
#include "dkim/tags_internal.h"

static struct span value_of(const struct dkim_tags *tags, const char *name)
{
	const struct dkim_tag *tag = dkim_tags_find(tags, name);

	return tag ? tag->value : span_of(NULL, 0);
}

static bool is_same(const struct dkim_key *a, const struct dkim_key *b)
{
	struct buf a_text = { 0 }, b_text = { 0 };
	bool is_equal;

	dkim_key_append_record(a, &a_text);
	dkim_key_append_record(b, &b_text);
	is_equal = span_eq(buf_span(&a_text), buf_span(&b_text));
	buf_fini(&a_text);
	buf_fini(&b_text);
	return is_equal;
}

void dkim_published_judge(
	struct span record, const struct dkim_key *own, struct dkim_published *published_out)
{
	struct dkim_signature signature = { .algorithm = DKIM_RSA_SHA256 };
	struct dkim_tags tags = { .count = 0 };
	struct dkim_key *key;

	*published_out = (struct dkim_published){ .fault = NULL };
	if (record.len <= DKIM_RECORD_MAX && dkim_tags_parse(record, &tags)) {
		published_out->is_testing = dkim_list_has(value_of(&tags, "t"), SPAN_LIT("y"));
		published_out->is_revoked = dkim_tags_find(&tags, "p") && !value_of(&tags, "p").len;
		if (span_eq_nocase(value_of(&tags, "k"), SPAN_LIT("ed25519")))
			signature.algorithm = DKIM_ED25519_SHA256;
	}
	key = dkim_record_parse(record, &signature, &published_out->fault);
	if (!key)
		return;
	published_out->bits = dkim_key_bits(key);
	published_out->is_weak = dkim_key_is_weak(key);
	published_out->is_other = own && !is_same(key, own);
	dkim_key_free(&key);
}
