#include "skein/proto/dns/records.h"

#include <stdlib.h>

/* By name where the preference is the same, so that the same DNS is always read the same. */
static int compare_mx(const void *left, const void *right)
{
	const struct dns_mx *a = left, *b = right;
	int order = (int)a->preference - (int)b->preference;

	return order ? order : strcmp(a->host, b->host);
}

static size_t read_mx(const struct span *data, size_t count, struct arena *arena, struct span *records)
{
	struct dns_mx *mx = arena_alloc(arena, (count + 1) * sizeof(*mx));
	size_t found = 0;

	for (size_t i = 0; i < count; i++)
		if (dns_mx_parse(data[i], arena, &mx[found]))
			found++;
	qsort(mx, found, sizeof(*mx), compare_mx);
	for (size_t i = 0; i < found; i++)
		records[i] = span_of_str(mx[i].host);
	return found;
}

static bool read_name(struct span data, struct arena *arena, struct span *record_out)
{
	const char *name;

	if (!dns_name_parse(data, arena, &name))
		return false;
	*record_out = span_of_str(name);
	return true;
}

static bool read_one(enum dns_type type, struct span data, struct arena *arena, struct span *record_out)
{
	*record_out = data;
	switch (type) {
	case DNS_TXT:
		return dns_txt_parse(data, arena, record_out);
	case DNS_A:
		return data.len == 4;
	case DNS_AAAA:
		return data.len == 16;
	case DNS_PTR:
	case DNS_CNAME:
		return read_name(data, arena, record_out);
	case DNS_MX:
	case DNS_SRV:
	case DNS_TLSA:
		break;
	}
	return true;
}

size_t dns_records_read(enum dns_type type, const struct span *data, size_t count, struct arena *arena,
	const struct span **records_out)
{
	struct span *records;
	size_t found = 0;

	if (count > DNS_RECORDS_MAX)
		count = DNS_RECORDS_MAX;
	*records_out = records = arena_alloc(arena, (count + 1) * sizeof(*records));
	if (type == DNS_MX)
		return read_mx(data, count, arena, records);
	for (size_t i = 0; i < count; i++)
		if (read_one(type, data[i], arena, &records[found]))
			found++;
	return found;
}
