#include "skein/proto/dkim/verifier.h"

#include "dkim/hash_internal.h"
#include "dkim/signature_internal.h"

#include "skein/proto/base/alloc.h"

struct entry {
	struct dkim_signature signature;
	size_t field; /* where it stands in the header */
	bool has_hash;
	struct dkim_body_hash body_hash;
	bool is_body_ok; /* after the end */
};

struct dkim_verifier {
	struct dkim_header header;
	struct entry *entries; /* from when the header section is there */
	size_t count;
};

const char *dkim_verdict_name(enum dkim_verdict verdict)
{
	static const char *const names[] = {
		[DKIM_PASS] = "pass",
		[DKIM_FAIL] = "fail",
		[DKIM_NEUTRAL] = "neutral",
		[DKIM_PERMERROR] = "permerror",
	};

	return names[verdict];
}

struct dkim_verifier *dkim_verifier_new(size_t header_size_max, size_t header_fields_max)
{
	struct dkim_verifier *verifier = mem_zalloc(sizeof(*verifier));

	dkim_header_init(&verifier->header, header_size_max, header_fields_max);
	return verifier;
}

void dkim_verifier_free(struct dkim_verifier **verifier)
{
	if (*verifier) {
		dkim_header_fini(&(*verifier)->header);
		for (size_t i = 0; i < (*verifier)->count; i++)
			dkim_body_hash_fini(&(*verifier)->entries[i].body_hash);
		mem_free((*verifier)->entries);
	}
	mem_free(*verifier);
	*verifier = NULL;
}

static void add_entry(struct dkim_verifier *verifier, size_t field)
{
	struct entry *entry = &verifier->entries[verifier->count++];

	entry->field = field;
	dkim_signature_parse(dkim_header_field(&verifier->header, field), &entry->signature);
	entry->has_hash = !entry->signature.fault;
	if (entry->has_hash)
		dkim_body_hash_init(&entry->body_hash, entry->signature.body_canon,
			entry->signature.has_body_len ? entry->signature.body_len : DKIM_WHOLE_BODY);
}

/* The header section is there: what is to be hashed of the body is known. */
static void begin_body(struct dkim_verifier *verifier)
{
	struct dkim_header *header = &verifier->header;

	verifier->entries = mem_zalloc(DKIM_SIGNATURES_MAX * sizeof(*verifier->entries));
	for (size_t i = 0; i < header->count && verifier->count < DKIM_SIGNATURES_MAX; i++)
		if (span_eq_nocase(dkim_header_name(header, i), SPAN_LIT("dkim-signature")))
			add_entry(verifier, i);
}

void dkim_verifier_feed(struct dkim_verifier *verifier, struct span piece)
{
	if (dkim_header_feed(&verifier->header, &piece) != DKIM_HEADER_ENDED)
		return;
	if (!verifier->entries)
		begin_body(verifier);
	for (size_t i = 0; i < verifier->count; i++)
		if (verifier->entries[i].has_hash)
			dkim_body_hash_feed(&verifier->entries[i].body_hash, piece);
}

const struct dkim_header *dkim_verifier_header(const struct dkim_verifier *verifier)
{
	return &verifier->header;
}

static void end_entry(struct entry *entry)
{
	unsigned char hash[DKIM_HASH_LEN];

	if (!entry->has_hash)
		return;
	dkim_body_hash_end(&entry->body_hash, hash);
	/* RFC 6376 3.5, l=: never more than there is. */
	entry->is_body_ok =
		memcmp(hash, entry->signature.body_hash, DKIM_HASH_LEN) == 0 &&
		(!entry->signature.has_body_len || entry->body_hash.len >= entry->signature.body_len);
}

enum err dkim_verifier_end(struct dkim_verifier *verifier, const char **why_out)
{
	dkim_header_end(&verifier->header);
	*why_out = dkim_header_fault(&verifier->header);
	if (*why_out)
		return ERR_INVALID;
	if (!verifier->entries)
		begin_body(verifier);
	for (size_t i = 0; i < verifier->count; i++)
		end_entry(&verifier->entries[i]);
	return ERR_OK;
}

size_t dkim_verifier_count(const struct dkim_verifier *verifier)
{
	return verifier->count;
}

const struct dkim_signature *dkim_verifier_signature(const struct dkim_verifier *verifier, size_t index)
{
	CHECK(index < verifier->count);
	return &verifier->entries[index].signature;
}

static bool is_signed_by(
	struct dkim_verifier *verifier, const struct entry *entry, const struct dkim_key *key)
{
	const struct dkim_signature *signature = &entry->signature;
	unsigned char hash[DKIM_HASH_LEN];
	struct buf own_field = { 0 };

	dkim_signature_append_unsigned(dkim_header_field(&verifier->header, entry->field), &own_field);
	dkim_header_hash(&verifier->header, signature->header_canon, signature->names, entry->field,
		buf_span(&own_field), hash);
	buf_fini(&own_field);
	return dkim_key_verify(key, hash, span_of(signature->signature, signature->signature_len));
}

enum dkim_verdict dkim_verifier_check(
	struct dkim_verifier *verifier, size_t index, struct span record, int64_t now_s, const char **why_out)
{
	const struct dkim_signature *signature = dkim_verifier_signature(verifier, index);
	const struct entry *entry = &verifier->entries[index];
	struct dkim_key *key;

	*why_out = signature->fault;
	if (!*why_out && signature->expires_at_s >= 0 && signature->expires_at_s <= now_s)
		*why_out = "it has expired";
	if (*why_out)
		return DKIM_NEUTRAL;
	key = dkim_record_parse(record, signature, why_out);
	if (!key)
		return DKIM_PERMERROR;
	*why_out = "the body is not what was signed";
	if (entry->is_body_ok)
		*why_out = is_signed_by(verifier, entry, key)
				   ? NULL
				   : "the header is not what was signed, or the key is another";
	dkim_key_free(&key);
	return *why_out ? DKIM_FAIL : DKIM_PASS;
}
