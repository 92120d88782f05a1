#include "outbound/hop_certificates.h"

#include "skein/proto/base/alloc.h"
#include "skein/proto/base/check.h"

#include <pthread.h>
#include <stdlib.h>

enum { DAY_S = 86400 };

struct hop_certificates {
	pthread_mutex_t lock;
	struct hop_certificate rows[HOP_CERTIFICATES_MAX];
	size_t count;
};

struct hop_certificates *hop_certificates_new(void)
{
	struct hop_certificates *certificates = mem_zalloc(sizeof(*certificates));

	CHECK(pthread_mutex_init(&certificates->lock, NULL) == 0);
	return certificates;
}

void hop_certificates_free(struct hop_certificates **pointer)
{
	struct hop_certificates *certificates = *pointer;

	*pointer = NULL;
	if (!certificates)
		return;
	pthread_mutex_destroy(&certificates->lock);
	mem_free(certificates);
}

/* What a name of a host has; anything else would have to be escaped where it is shown. */
static void copy_host(const char *host, char out[HOP_CERTIFICATE_HOST_MAX + 1])
{
	size_t len = 0;

	for (; host[len] && len < HOP_CERTIFICATE_HOST_MAX; len++) {
		char c = ascii_lower(host[len]);
		bool is_plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || strchr(".-_:", c);

		out[len] = is_plain ? c : '?';
	}
	out[len] = '\0';
}

static bool is_forgotten(const struct hop_certificate *row, int64_t now_s)
{
	return now_s > row->seen_s + HOP_CERTIFICATE_KEPT_S;
}

/* The host's own, or one that may take its place; NULL: there is no room for one that ends so late. */
static struct hop_certificate *row_for(
	struct hop_certificates *certificates, const char *host, int64_t ends_s, int64_t now_s)
{
	struct hop_certificate *last = NULL, *forgotten = NULL;

	for (size_t i = 0; i < certificates->count; i++) {
		struct hop_certificate *row = &certificates->rows[i];

		if (strcmp(row->host, host) == 0)
			return row;
		if (is_forgotten(row, now_s))
			forgotten = row;
		if (!last || row->ends_s > last->ends_s)
			last = row;
	}
	if (forgotten)
		return forgotten;
	if (certificates->count < HOP_CERTIFICATES_MAX)
		return &certificates->rows[certificates->count++];
	return ends_s < last->ends_s ? last : NULL;
}

void hop_certificates_note(
	struct hop_certificates *certificates, const char *host, int64_t ends_s, int64_t now_s)
{
	struct hop_certificate seen = { .ends_s = ends_s, .seen_s = now_s };
	struct hop_certificate *row;

	if (!certificates || !ends_s)
		return;
	copy_host(host, seen.host);
	pthread_mutex_lock(&certificates->lock);
	row = row_for(certificates, seen.host, ends_s, now_s);
	if (row && (strcmp(row->host, seen.host) != 0 || ends_s <= row->ends_s ||
			   now_s > row->seen_s + HOP_CERTIFICATE_MIXED_S))
		*row = seen;
	pthread_mutex_unlock(&certificates->lock);
}

static int compare_ends(const void *left, const void *right)
{
	const struct hop_certificate *a = left, *b = right;

	if (a->ends_s != b->ends_s)
		return a->ends_s < b->ends_s ? -1 : 1;
	return strcmp(a->host, b->host);
}

size_t hop_certificates_list(
	struct hop_certificates *certificates, int64_t now_s, size_t most, struct hop_certificate *out)
{
	struct hop_certificate *all;
	size_t count = 0;

	if (!certificates)
		return 0;
	all = mem_alloc(sizeof(certificates->rows));
	pthread_mutex_lock(&certificates->lock);
	for (size_t i = 0; i < certificates->count; i++)
		if (!is_forgotten(&certificates->rows[i], now_s))
			all[count++] = certificates->rows[i];
	pthread_mutex_unlock(&certificates->lock);
	qsort(all, count, sizeof(*all), compare_ends);
	count = count < most ? count : most;
	memcpy(out, all, count * sizeof(*all));
	mem_free(all);
	return count;
}

void hop_certificates_write(struct hop_certificates *certificates, int64_t now_s, struct buf *out)
{
	struct hop_certificate *rows = mem_alloc(HOP_CERTIFICATES_MAX * sizeof(*rows));
	size_t count = hop_certificates_list(certificates, now_s, HOP_CERTIFICATES_MAX, rows);

	buf_append_str(out,
		"# HELP skein_hop_certificate_days Days until the certificate of a next hop ends.\n"
		"# TYPE skein_hop_certificate_days gauge\n");
	for (size_t i = 0; i < count; i++) {
		int64_t left_s = rows[i].ends_s > now_s ? rows[i].ends_s - now_s : 0;

		buf_printf(out, "skein_hop_certificate_days{host=\"%s\"} %lld\n", rows[i].host,
			(long long)(left_s / DAY_S));
	}
	mem_free(rows);
}
