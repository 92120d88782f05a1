/*
 * Data of DNS records. The first byte is the type, the second how long each record is, the rest are records,
 * one behind the other. Checked: names are printable and bounded, texts are no longer than their record, and
 * what a choice of hosts promises.
 */
#include "skein/proto/base/check.h"
#include "skein/proto/dns/mx.h"
#include "skein/proto/dns/name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RECORDS_MAX = 64 };

struct records {
	struct dns_mx mx[RECORDS_MAX];
	struct dns_srv srv[RECORDS_MAX];
	size_t mx_count, srv_count;
};

static void check_name(const char *name)
{
	size_t len = strlen(name);

	CHECK(len > 0 && len <= DNS_NAME_TEXT_MAX);
	CHECK(strcmp(name, ".") == 0 || name[0] != '.');
	for (size_t i = 0; i < len; i++)
		CHECK(name[i] > ' ' && name[i] <= '~');
	if (dns_name_is_host(span_of_str(name)))
		CHECK(len <= DNS_HOST_MAX);
}

static void parse(uint8_t type, struct span rdata, struct arena *arena, struct records *records)
{
	struct dns_ip ip;
	struct dns_tlsa tlsa;
	struct span text;
	const char *name;

	if ((type == DNS_A || type == DNS_AAAA) && dns_ip_parse(type, rdata, &ip))
		CHECK(ip.len == 4 || ip.len == 16);
	if (type == DNS_CNAME && dns_name_parse(rdata, arena, &name))
		check_name(name);
	if (type == DNS_TXT && dns_txt_parse(rdata, arena, &text))
		CHECK(text.len < rdata.len);
	if (type == DNS_TLSA && dns_tlsa_parse(rdata, &tlsa))
		CHECK(tlsa.association.len && tlsa.association.len < rdata.len);
	if (type == DNS_MX && dns_mx_parse(rdata, arena, &records->mx[records->mx_count]))
		check_name(records->mx[records->mx_count++].host);
	if (type == DNS_SRV && dns_srv_parse(rdata, arena, &records->srv[records->srv_count]))
		check_name(records->srv[records->srv_count++].host);
	if (dns_ip_of_text(rdata, &ip))
		CHECK(ip.len == 4 || ip.len == 16);
}

static void check_choice(const struct mx_choice *choice, size_t records)
{
	CHECK((choice->verdict == MX_HOSTS) == (choice->count > 0));
	CHECK(choice->count <= MX_HOSTS_MAX && choice->count <= records);
	for (size_t i = 0; i < choice->count; i++) {
		CHECK(dns_name_is_host(span_of_str(choice->hosts[i].name)));
		CHECK(!i || choice->hosts[i - 1].preference <= choice->hosts[i].preference);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const own[] = { "me" };
	const struct mx_self self = { own, 1 };
	struct records records = { 0 };
	struct arena arena = { 0 };
	struct mx_choice choice;
	struct span rest;

	if (size < 2)
		return 0;
	rest = span_of((const char *)data + 2, size - 2);
	for (size_t i = 0; i < RECORDS_MAX && rest.len; i++) {
		size_t len = data[1] && data[1] < rest.len ? data[1] : rest.len;

		parse(data[0], span_take(rest, len), &arena, &records);
		rest = span_drop(rest, len);
	}
	if (records.mx_count) {
		mx_choose(records.mx, records.mx_count, &self, size, &choice);
		check_choice(&choice, records.mx_count);
		if (choice.count)
			mx_cut(&choice, size % choice.count);
		check_choice(&choice, records.mx_count);
	}
	if (records.srv_count) {
		mx_choose_srv(records.srv, records.srv_count, size, &choice);
		check_choice(&choice, records.srv_count);
	}
	arena_fini(&arena);
	return 0;
}
