/*
 * Any DNS under a check of a domain: each line answers the next fact that is wanted: "n" no such name, "t" an
 * error, "b" bogus, anything else records parted by tabs. Checked: it comes to its end within bounds, and
 * what a finding promises.
 */
#include "skein/proto/base/alloc.h"
#include "skein/proto/dnscheck/dns_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RECORDS_MAX = 16, ADDRESS_LEN_MAX = 16 };

static struct span take_until(struct span *rest, char byte)
{
	struct span taken = span_take(*rest, span_find(*rest, byte));

	*rest = span_drop(*rest, taken.len < rest->len ? taken.len + 1 : taken.len);
	return taken;
}

/* Addresses have their length, whatever the line holds. */
static struct span fit(enum dns_fact_kind kind, struct span record, char bytes[ADDRESS_LEN_MAX])
{
	size_t len = kind == DNS_FACT_A ? 4 : ADDRESS_LEN_MAX;

	if (kind != DNS_FACT_A && kind != DNS_FACT_AAAA)
		return record;
	memset(bytes, 0, ADDRESS_LEN_MAX);
	memcpy(bytes, record.ptr, record.len < len ? record.len : len);
	return span_of(bytes, len);
}

static void answer(struct dns_facts *facts, const struct dns_wanted *wanted, struct span line)
{
	struct dns_fact fact = { .status = DNS_FACT_RECORDS, .is_secure = line.len & 1 };
	char bytes[RECORDS_MAX][ADDRESS_LEN_MAX];
	struct span records[RECORDS_MAX];

	if (span_eq(line, SPAN_LIT("n"))) {
		fact.status = DNS_FACT_NXDOMAIN;
	} else if (span_eq(line, SPAN_LIT("t")) || span_eq(line, SPAN_LIT("b"))) {
		fact.status = DNS_FACT_FAILED;
		fact.is_bogus = line.ptr[0] == 'b';
	} else {
		while (line.len && fact.count < RECORDS_MAX) {
			struct span record = take_until(&line, '\t');

			records[fact.count] = fit(wanted->kind, record, bytes[fact.count]);
			fact.count++;
		}
	}
	fact.records = records;
	dns_facts_put(facts, wanted, &fact);
}

static void check_report(const struct dns_report *report)
{
	CHECK(report->count > 0 && report->count <= DNS_FINDINGS_MAX);
	CHECK(dns_severity_name(dns_report_worst(report)));
	for (size_t i = 0; i < report->count; i++) {
		const struct dns_finding *finding = &report->findings[i];

		CHECK(dns_topic_name(finding->topic));
		CHECK(finding->where.len && finding->what.len);
		CHECK(!finding->publish.len || finding->publish.ptr[finding->publish.len - 1] == '\n');
		CHECK(finding->severity != DNS_CHECK_OK || !finding->publish.len);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct dns_ip egress[2] = { { .bytes = { 192, 0, 2, 7 }, .len = 4 },
		{ .bytes = { 0x20, 1, 0xd, 0xb8 }, .len = 16 } };
	struct dns_check_key key = { SPAN_LIT("example.org"), SPAN_LIT("s1"), NULL };
	struct dns_check_request request = { .domain = SPAN_LIT("a.example.org"),
		.egress = egress,
		.egress_count = 2,
		.helo = SPAN_LIT("mx.example.org"),
		.keys = &key,
		.key_count = 1,
		.can_validate = true };
	struct span rest = span_of((const char *)data, size);
	struct dns_report *report = mem_zalloc(sizeof(*report));
	struct dns_facts *facts = dns_facts_new();

	while (!dns_check_run(&request, facts, report)) {
		struct dns_wanted wanted;
		size_t index = 0, count = 0;

		while (dns_facts_wanted(facts, &index, &wanted)) {
			answer(facts, &wanted, take_until(&rest, '\n'));
			count++;
		}
		CHECK(count > 0);
	}
	check_report(report);
	dns_report_fini(report);
	mem_free(report);
	dns_facts_free(&facts);
	return 0;
}
