#include "dkim/signature_internal.h"

#include "dkim/tags_internal.h"

#include "skein/proto/base/alloc.h"
#include "skein/proto/dkim/header.h"

static struct span field_value(struct span field, size_t *at_out)
{
	size_t at = span_find(field, ':') + 1;

	*at_out = at;
	return span_drop(field, at);
}

static struct span value_of(const struct dkim_tags *tags, const char *name)
{
	const struct dkim_tag *tag = dkim_tags_find(tags, name);

	return tag ? tag->value : span_of(NULL, 0);
}

static bool read_algorithm(struct span text, enum dkim_algorithm *algorithm_out)
{
	for (int i = DKIM_RSA_SHA256; i <= DKIM_ED25519_SHA256; i++)
		if (span_eq_nocase(text, span_of_str(dkim_algorithm_name((enum dkim_algorithm)i)))) {
			*algorithm_out = (enum dkim_algorithm)i;
			return true;
		}
	return false;
}

static bool read_one_canon(struct span text, enum dkim_canon *canon_out)
{
	*canon_out = span_eq_nocase(text, SPAN_LIT("relaxed")) ? DKIM_RELAXED : DKIM_SIMPLE;
	return *canon_out == DKIM_RELAXED || span_eq_nocase(text, SPAN_LIT("simple"));
}

/* RFC 6376 3.5: without c= both are simple, without its second word the body's. */
static bool read_canon(const struct dkim_tags *tags, struct dkim_signature *signature)
{
	struct span text = value_of(tags, "c");
	size_t slash = span_find(text, '/');

	signature->header_canon = signature->body_canon = DKIM_SIMPLE;
	if (!dkim_tags_find(tags, "c"))
		return true;
	return read_one_canon(span_take(text, slash), &signature->header_canon) &&
	       (slash == text.len || read_one_canon(span_drop(text, slash + 1), &signature->body_canon));
}

/* A time of at most twelve digits; without the tag -1. */
static bool read_time(const struct dkim_tags *tags, const char *name, int64_t *time_out)
{
	const struct dkim_tag *tag = dkim_tags_find(tags, name);
	uint64_t seconds;

	*time_out = -1;
	if (!tag)
		return true;
	if (!span_parse_u64(tag->value, 999999999999, &seconds))
		return false;
	*time_out = (int64_t)seconds;
	return true;
}

static bool read_body_len(const struct dkim_tags *tags, struct dkim_signature *signature)
{
	const struct dkim_tag *tag = dkim_tags_find(tags, "l");

	signature->has_body_len = tag != NULL;
	return !tag || span_parse_u64(tag->value, INT64_MAX, &signature->body_len);
}

static bool read_hashes(const struct dkim_tags *tags, struct dkim_signature *signature)
{
	size_t len;

	return dkim_base64_decode(value_of(tags, "bh"), (char *)signature->body_hash, DKIM_HASH_LEN, &len) &&
	       len == DKIM_HASH_LEN &&
	       dkim_base64_decode(value_of(tags, "b"), signature->signature, DKIM_SIGNATURE_MAX,
		       &signature->signature_len);
}

/* What is behind the last '@', or all. */
static struct span identity_host(struct span identity)
{
	size_t at = identity.len;

	while (at > 0 && identity.ptr[at - 1] != '@')
		at--;
	return span_drop(identity, at);
}

/* RFC 6376 3.5, i=: in the domain, or below it. */
static bool is_identity_within(struct span identity, struct span domain)
{
	struct span host = identity_host(identity);

	if (!identity.len)
		return true;
	if (host.len == identity.len || host.len < domain.len ||
		!span_eq_nocase(span_drop(host, host.len - domain.len), domain))
		return false;
	return host.len == domain.len || host.ptr[host.len - domain.len - 1] == '.';
}

static const char *read_tags(const struct dkim_tags *tags, struct dkim_signature *signature)
{
	signature->domain = value_of(tags, "d");
	signature->selector = value_of(tags, "s");
	signature->identity = value_of(tags, "i");
	signature->names = value_of(tags, "h");
	if (!span_eq(value_of(tags, "v"), SPAN_LIT("1")))
		return "the version (v=) is not 1";
	if (!signature->domain.len || !signature->selector.len)
		return "the domain (d=) or the selector (s=) is missing";
	if (!read_algorithm(value_of(tags, "a"), &signature->algorithm))
		return "the algorithm (a=) is unknown or no longer allowed";
	if (!read_canon(tags, signature))
		return "the canonicalisation (c=) is unknown";
	if (!dkim_list_has(signature->names, SPAN_LIT("from")))
		return "From is not signed (h=)";
	if (dkim_list_count(signature->names) > DKIM_SIGNED_MAX)
		return "too many fields are signed (h=)";
	if (dkim_tags_find(tags, "q") && !dkim_list_has(value_of(tags, "q"), SPAN_LIT("dns/txt")))
		return "the key is not in DNS (q=)";
	if (!read_time(tags, "t", &signature->signed_at_s) || !read_time(tags, "x", &signature->expires_at_s))
		return "a time (t=, x=) is no number";
	if (signature->expires_at_s >= 0 && signature->expires_at_s < signature->signed_at_s)
		return "it expires (x=) before it is made (t=)";
	if (!read_body_len(tags, signature))
		return "the length (l=) is no number";
	if (!is_identity_within(signature->identity, signature->domain))
		return "the identity (i=) is outside the domain (d=)";
	if (!read_hashes(tags, signature))
		return "a hash or the signature (bh=, b=) is missing or malformed";
	return NULL;
}

void dkim_signature_parse(struct span field, struct dkim_signature *signature_out)
{
	struct dkim_tags tags;
	size_t at;

	*signature_out = (struct dkim_signature){ 0 };
	signature_out->fault = dkim_tags_parse(field_value(field, &at), &tags)
				       ? read_tags(&tags, signature_out)
				       : "it is no list of tags";
}

void dkim_signature_append_unsigned(struct span field, struct buf *out)
{
	struct dkim_tags tags;
	const struct dkim_tag *tag;
	size_t at;

	CHECK(dkim_tags_parse(field_value(field, &at), &tags));
	tag = dkim_tags_find(&tags, "b");
	CHECK(tag);
	buf_append(out, span_take(field, at + tag->at));
	buf_append(out, span_drop(field, at + tag->at + tag->len));
}

/* RFC 6376 3.6.1: v=, if it is there, comes first. */
static const char *record_fault(const struct dkim_tags *tags, const struct dkim_signature *signature)
{
	const struct dkim_tag *version = dkim_tags_find(tags, "v"), *kind = dkim_tags_find(tags, "k");
	struct span wanted = signature->algorithm == DKIM_RSA_SHA256 ? SPAN_LIT("rsa") : SPAN_LIT("ed25519");
	struct span flags = value_of(tags, "t");

	if (version && (version != &tags->items[0] || !span_eq(version->value, SPAN_LIT("DKIM1"))))
		return "the key record is of another version";
	if (!span_eq_nocase(kind ? kind->value : SPAN_LIT("rsa"), wanted))
		return "the key record is of another kind (k=)";
	if (dkim_tags_find(tags, "h") && !dkim_list_has(value_of(tags, "h"), SPAN_LIT("sha256")))
		return "the key record does not allow sha256 (h=)";
	if (dkim_tags_find(tags, "s") && !dkim_list_has(value_of(tags, "s"), SPAN_LIT("*")) &&
		!dkim_list_has(value_of(tags, "s"), SPAN_LIT("email")))
		return "the key record is not for mail (s=)";
	if (!dkim_tags_find(tags, "p"))
		return "the key record has no key (p=)";
	if (!value_of(tags, "p").len)
		return "the key was revoked";
	if (dkim_list_has(flags, SPAN_LIT("s")) && signature->identity.len &&
		identity_host(signature->identity).len != signature->domain.len)
		return "the key record allows no identity below its domain (t=s)";
	return NULL;
}

struct dkim_key *dkim_record_parse(
	struct span record, const struct dkim_signature *signature, const char **why_out)
{
	struct dkim_tags tags;
	struct dkim_key *key = NULL;
	char *bytes;
	size_t len;

	if (!record.len)
		*why_out = "there is no key record";
	else if (record.len > DKIM_RECORD_MAX || !dkim_tags_parse(record, &tags))
		*why_out = "the key record is no list of tags, or too long";
	else
		*why_out = record_fault(&tags, signature);
	if (*why_out)
		return NULL;
	bytes = mem_alloc(DKIM_RECORD_MAX);
	if (dkim_base64_decode(value_of(&tags, "p"), bytes, DKIM_RECORD_MAX, &len))
		key = dkim_key_new_public(signature->algorithm, span_of(bytes, len));
	mem_free(bytes);
	if (!key)
		*why_out = "the key (p=) is malformed, shorter than 1024 bits or longer than 4096";
	return key;
}
