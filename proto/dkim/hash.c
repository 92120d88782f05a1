#include "dkim/hash_internal.h"

#include "dkim/tags_internal.h"

static EVP_MD_CTX *begin(void)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();

	CHECK(md && EVP_DigestInit_ex(md, EVP_sha256(), NULL));
	return md;
}

static void add(EVP_MD_CTX *md, struct span bytes)
{
	CHECK(EVP_DigestUpdate(md, bytes.ptr, bytes.len));
}

static void body_hash_take(void *arg, struct span bytes)
{
	struct dkim_body_hash *hash = arg;
	uint64_t room = hash->len < hash->len_max ? hash->len_max - hash->len : 0;

	add(hash->md, span_take(bytes, bytes.len < room ? bytes.len : (size_t)room));
	hash->len += bytes.len;
}

void dkim_body_hash_init(struct dkim_body_hash *hash, enum dkim_canon canon, uint64_t len_max)
{
	*hash = (struct dkim_body_hash){ .md = begin(), .len_max = len_max };
	dkim_body_init(&hash->body, canon, body_hash_take, hash);
}

void dkim_body_hash_fini(struct dkim_body_hash *hash)
{
	EVP_MD_CTX_free(hash->md);
	hash->md = NULL;
}

void dkim_body_hash_feed(struct dkim_body_hash *hash, struct span bytes)
{
	dkim_body_feed(&hash->body, bytes);
}

void dkim_body_hash_end(struct dkim_body_hash *hash, unsigned char hash_out[DKIM_HASH_LEN])
{
	dkim_body_end(&hash->body);
	CHECK(EVP_DigestFinal_ex(hash->md, hash_out, NULL));
}

static void add_field(EVP_MD_CTX *md, enum dkim_canon canon, struct span field, struct buf *canonical)
{
	buf_clear(canonical);
	dkim_canon_field(canon, field, canonical);
	add(md, buf_span(canonical));
}

/* RFC 6376 3.7: its own field comes last, without its line end. */
static void add_own_field(EVP_MD_CTX *md, enum dkim_canon canon, struct span field, struct buf *canonical)
{
	struct span text;

	buf_clear(canonical);
	dkim_canon_field(canon, field, canonical);
	text = buf_span(canonical);
	if (text.len >= 2 && text.ptr[text.len - 1] == '\n' && text.ptr[text.len - 2] == '\r')
		text.len -= 2;
	add(md, text);
}

void dkim_header_hash(struct dkim_header *header, enum dkim_canon canon, struct span names, size_t own,
	struct span own_field, unsigned char hash_out[DKIM_HASH_LEN])
{
	EVP_MD_CTX *md = begin();
	struct buf canonical = { 0 };
	struct span name, field;

	dkim_header_select(header, own);
	while (dkim_list_next(&names, &name))
		if (dkim_header_take(header, name, &field))
			add_field(md, canon, field, &canonical);
	add_own_field(md, canon, own_field, &canonical);
	CHECK(EVP_DigestFinal_ex(md, hash_out, NULL));
	EVP_MD_CTX_free(md);
	buf_fini(&canonical);
}
