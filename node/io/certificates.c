#include "io/certificates.h"

#include "io/tls_internal.h"
#include "skein/proto/base/alloc.h"
#include "skein/proto/base/arena.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdlib.h>

enum { NAME_LEN_MAX = 253 };

struct certificate {
	X509 *cert;
	EVP_PKEY *key;
	STACK_OF(X509) * chain; /* NULL: none */
	unsigned char end_point[EVP_MAX_MD_SIZE];
	size_t end_point_len;
};

struct named {
	const char *name; /* lower case */
	size_t index;     /* of the certificate */
};

struct certificates {
	atomic_uint refs;
	struct certificate *items;
	size_t count;
	struct named *names; /* by name, then by index */
	size_t name_count, name_cap;
	struct arena arena; /* of the names */
	const char *first_name;
	int64_t expires_at;
};

static enum err load_one(
	struct certificates *set, const struct certificate_files *files, struct buf *why_out);
static enum err add_names(struct certificates *set, size_t index, const char *file, struct buf *why_out);
static int by_name(const void *a, const void *b);

enum err certificates_load(const struct certificate_files *files, size_t count,
	struct certificates **certificates_out, struct buf *why_out)
{
	struct certificates *set = mem_zalloc(sizeof(*set));
	enum err err = ERR_OK;

	CHECK(count > 0 && count <= CERTIFICATES_MAX);
	atomic_init(&set->refs, 1);
	set->items = mem_zalloc(count * sizeof(*set->items));
	for (size_t i = 0; i < count && !err; i++)
		err = load_one(set, &files[i], why_out);
	for (size_t i = 0; i < set->count && !err; i++) {
		err = add_names(set, i, files[i].cert_file, why_out);
		if (i == 0 && set->name_count)
			set->first_name = set->names[0].name;
	}
	if (set->name_count)
		qsort(set->names, set->name_count, sizeof(*set->names), by_name);
	ERR_clear_error();
	if (err)
		certificates_unref(&set);
	else
		*certificates_out = set;
	return err;
}

/* ---- where a certificate keeps what we computed of it ---- */

static int end_point_slot;

static void make_end_point_slot(void)
{
	end_point_slot = X509_get_ex_new_index(0, NULL, NULL, NULL, NULL);
	CHECK(end_point_slot >= 0);
}

static void remember_end_point(struct certificate *item)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	CHECK(pthread_once(&once, make_end_point_slot) == 0);
	item->end_point_len = tls_end_point(item->cert, item->end_point);
	CHECK(X509_set_ex_data(item->cert, end_point_slot, item));
}

struct span certificate_end_point(const X509 *cert)
{
	const struct certificate *item = X509_get_ex_data(cert, end_point_slot);

	return item ? span_of((const char *)item->end_point, item->end_point_len) : span_of(NULL, 0);
}

/* ---- loading ---- */

/* OpenSSL loads into a context, with all its checks; what it found there becomes ours. */
static enum err load_one(struct certificates *set, const struct certificate_files *files, struct buf *why_out)
{
	struct certificate *item = &set->items[set->count];
	SSL_CTX *scratch = SSL_CTX_new(TLS_server_method());
	STACK_OF(X509) *chain = NULL;
	int64_t ends = 0;
	enum err err;

	CHECK(scratch);
	err = tls_load_identity(scratch, files->cert_file, files->key_file, &ends, why_out);
	if (!err) {
		item->cert = SSL_CTX_get0_certificate(scratch);
		item->key = SSL_CTX_get0_privatekey(scratch);
		CHECK(X509_up_ref(item->cert) && EVP_PKEY_up_ref(item->key));
		SSL_CTX_get0_chain_certs(scratch, &chain);
		item->chain = chain ? X509_chain_up_ref(chain) : NULL;
		remember_end_point(item);
		if (!set->count || ends < set->expires_at)
			set->expires_at = ends;
		set->count++;
	}
	SSL_CTX_free(scratch);
	return err;
}

/* False for what is no name that a client could ask for. */
static bool is_name(struct span text)
{
	if (!text.len || text.len > NAME_LEN_MAX)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		char c = ascii_lower(text.ptr[i]);
		bool is_wildcard = c == '*' && i == 0 && text.len > 2 && text.ptr[1] == '.';

		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
			    is_wildcard))
			return false;
	}
	return true;
}

static enum err add_name(
	struct certificates *set, size_t index, struct span text, const char *file, struct buf *why_out)
{
	char *name;

	if (!is_name(text))
		return ERR_OK;
	if (set->name_count == CERTIFICATE_NAMES_MAX) {
		buf_printf(
			why_out, "%s: more than %d names in all certificates", file, CERTIFICATE_NAMES_MAX);
		return ERR_FULL;
	}
	if (set->name_count == set->name_cap) {
		set->name_cap = set->name_cap ? set->name_cap * 2 : 8;
		set->names = mem_realloc(set->names, set->name_cap * sizeof(*set->names));
	}
	name = arena_strdup(&set->arena, text);
	for (char *at = name; *at; at++)
		*at = ascii_lower(*at);
	set->names[set->name_count++] = (struct named){ name, index };
	return ERR_OK;
}

static struct span asn1_text(const ASN1_STRING *text)
{
	return span_of((const char *)ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text));
}

static enum err add_common_name(struct certificates *set, size_t index, const char *file, struct buf *why_out)
{
	const X509_NAME *subject = X509_get_subject_name(set->items[index].cert);
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);

	if (at < 0)
		return ERR_OK;
	return add_name(set, index, asn1_text(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at))),
		file, why_out);
}

static enum err add_names(struct certificates *set, size_t index, const char *file, struct buf *why_out)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(set->items[index].cert, NID_subject_alt_name, NULL, NULL);
	enum err err = ERR_OK;
	bool has_dns = false;

	for (int i = 0; i < sk_GENERAL_NAME_num(names) && !err; i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type != GEN_DNS)
			continue;
		has_dns = true;
		err = add_name(set, index, asn1_text(name->d.dNSName), file, why_out);
	}
	GENERAL_NAMES_free(names);
	/* RFC 6125 6.4.4: the CN counts only without DNS names. */
	return has_dns ? err : add_common_name(set, index, file, why_out);
}

/* ---- choosing ---- */

static int by_name(const void *a, const void *b)
{
	const struct named *one = a, *two = b;
	int order = strcmp(one->name, two->name);

	return order ? order : (one->index > two->index) - (one->index < two->index);
}

/* The first entry with this name; the others follow it. NULL: none. */
static const struct named *find_name(const struct certificates *set, const char *name)
{
	size_t low = 0, high = set->name_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(set->names[middle].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < set->name_count && strcmp(set->names[low].name, name) == 0 ? &set->names[low] : NULL;
}

/* As asked for, or "*." in place of its first label. */
static const struct named *find_asked(const struct certificates *set, const char *asked)
{
	char name[NAME_LEN_MAX + 2] = "";
	const struct named *found;
	size_t len = strlen(asked), dot;

	/* "mx.example." is "mx.example". */
	if (len && asked[len - 1] == '.')
		len--;
	if (!len || len > NAME_LEN_MAX)
		return NULL;
	for (size_t i = 0; i < len; i++)
		name[i] = ascii_lower(asked[i]);
	found = find_name(set, name);
	dot = span_find(span_of(name, len), '.');
	if (found || !dot || dot >= len)
		return found;
	name[dot - 1] = '*';
	return find_name(set, name + dot - 1);
}

static bool use_one(const struct certificate *item, SSL *ssl)
{
	return SSL_use_cert_and_key(ssl, item->cert, item->key, item->chain, 1) == 1;
}

/* The first of each kind of key, because OpenSSL has one place per kind and the last one would stay. */
static bool use_all(const struct certificates *set, const struct named *first, SSL *ssl)
{
	const struct named *end = set->names + set->name_count;
	bool is_done = true;

	for (const struct named *at = first; at < end && strcmp(at->name, first->name) == 0; at++) {
		int kind = EVP_PKEY_get_base_id(set->items[at->index].key);
		bool is_taken = false;

		for (const struct named *before = first; before < at; before++)
			is_taken |= EVP_PKEY_get_base_id(set->items[before->index].key) == kind;
		if (!is_taken)
			is_done &= use_one(&set->items[at->index], ssl);
	}
	return is_done;
}

bool certificates_use(const struct certificates *set, SSL *ssl, const char *asked)
{
	const struct named *found = asked ? find_asked(set, asked) : NULL;

	if (!found && set->first_name)
		found = find_name(set, set->first_name);
	return found ? use_all(set, found, ssl) : use_one(&set->items[0], ssl);
}

/* ---- life ---- */

struct certificates *certificates_ref(struct certificates *certificates)
{
	atomic_fetch_add_explicit(&certificates->refs, 1, memory_order_relaxed);
	return certificates;
}

void certificates_unref(struct certificates **certificates)
{
	struct certificates *gone = *certificates;

	*certificates = NULL;
	if (!gone || atomic_fetch_sub_explicit(&gone->refs, 1, memory_order_acq_rel) > 1)
		return;
	for (size_t i = 0; i < gone->count; i++) {
		X509_free(gone->items[i].cert);
		EVP_PKEY_free(gone->items[i].key);
		sk_X509_pop_free(gone->items[i].chain, X509_free);
	}
	mem_free(gone->items);
	mem_free(gone->names);
	arena_fini(&gone->arena);
	mem_free(gone);
}

int64_t certificates_expires_at(const struct certificates *certificates)
{
	return certificates->expires_at;
}
