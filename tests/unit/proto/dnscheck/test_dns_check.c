#include "cmocka_all.h"

#include "skein/proto/base/alloc.h"
#include "skein/proto/base/buf.h"
#include "skein/proto/dnscheck/dns_check.h"

#include <arpa/inet.h>

/*
 * A world: what each name has. Records are parted by tabs. "!": the DNS fails; "!bogus": validation fails;
 * "~" in front: not secure. KEY is the record of the key that signs. What is not there does not exist.
 */
struct line {
	enum dns_fact_kind kind;
	const char *name, *data;
};

#define REVERSE_6 "7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"
#define TLSA_GOOD                                                                                            \
	"\3\1\1"                                                                                             \
	"0123456789abcdef0123456789abcdef"

static const struct line good[] = {
	{ DNS_FACT_TXT, "example.org", "v=spf1 ip4:192.0.2.7 ip6:2001:db8::7 -all\tunrelated" },
	{ DNS_FACT_TXT, "s1._domainkey.example.org", "KEY" },
	{ DNS_FACT_TXT, "_dmarc.example.org", "v=DMARC1; p=reject; rua=mailto:d@example.org" },
	{ DNS_FACT_PTR, "7.2.0.192.in-addr.arpa", "relay.example.org" },
	{ DNS_FACT_PTR, REVERSE_6, "relay.example.org." },
	{ DNS_FACT_A, "relay.example.org", "192.0.2.7" },
	{ DNS_FACT_AAAA, "relay.example.org", "2001:db8::7" },
	{ DNS_FACT_MX, "example.org", "mx.example.org" },
	{ DNS_FACT_A, "mx.example.org", "192.0.2.9" },
	{ DNS_FACT_TXT, "_mta-sts.example.org", "v=STSv1; id=1" },
	{ DNS_FACT_A, "mta-sts.example.org", "192.0.2.10" },
	{ DNS_FACT_POLICY, "example.org",
		"version: STSv1\nmode: enforce\nmx: mx.example.org\nmax_age: 604800\n" },
	{ DNS_FACT_TXT, "_smtp._tls.example.org", "v=TLSRPTv1; rua=mailto:t@example.org" },
	{ DNS_FACT_TLSA, "_25._tcp.mx.example.org", TLSA_GOOD },
	/* Only what some rows lead to. */
	{ DNS_FACT_TXT, "one.example", "v=spf1 a:1.x a:2.x a:3.x a:4.x a:5.x a:6.x ?all" },
	{ DNS_FACT_A, "1.x", "203.0.113.1" },
	{ DNS_FACT_A, "2.x", "203.0.113.2" },
	{ DNS_FACT_A, "3.x", "203.0.113.3" },
	{ DNS_FACT_A, "4.x", "203.0.113.4" },
	{ DNS_FACT_A, "5.x", "203.0.113.5" },
	{ DNS_FACT_A, "6.x", "203.0.113.6" },
	{ DNS_FACT_A, "other.example", "203.0.113.7" },
};

struct row {
	struct line fault; /* in the place of the good one; data NULL: there is none */
	enum dns_topic topic;
	enum dns_severity severity;
	const char *where;
	const char *what;    /* a part of it */
	const char *publish; /* as a whole; "+" in front: it begins so */
};

static struct dkim_key *key;

static const char *data_of(const struct line *fault, const struct dns_wanted *wanted)
{
	if (fault->name && fault->kind == wanted->kind && span_eq(wanted->name, span_of_str(fault->name)))
		return fault->data;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		if (good[i].kind == wanted->kind && span_eq(wanted->name, span_of_str(good[i].name)))
			return good[i].data;
	return NULL;
}

static struct span record_of(struct arena *arena, enum dns_fact_kind kind, struct span text)
{
	char *bytes = arena_zalloc(arena, 16);
	struct buf record = { 0 };

	if (kind == DNS_FACT_A || kind == DNS_FACT_AAAA) {
		assert_int_equal(
			inet_pton(kind == DNS_FACT_A ? AF_INET : AF_INET6, arena_strdup(arena, text), bytes),
			1);
		return span_of(bytes, kind == DNS_FACT_A ? 4 : 16);
	}
	if (!span_eq(text, SPAN_LIT("KEY")))
		return text;
	dkim_key_append_record(key, &record);
	text = arena_dup(arena, buf_span(&record));
	buf_fini(&record);
	return text;
}

static void put(struct dns_facts *facts, const struct dns_wanted *wanted, const char *data)
{
	struct dns_fact fact = { .status = DNS_FACT_RECORDS, .is_secure = true };
	struct arena arena = { 0 };
	struct span records[8], rest = span_of_str(data);

	if (!data) {
		fact.status = DNS_FACT_NXDOMAIN;
	} else if (data[0] == '!') {
		fact.status = DNS_FACT_FAILED;
		fact.is_bogus = strcmp(data, "!bogus") == 0;
		fact.why = "no answer in time";
		rest.len = 0;
	} else if (data[0] == '~') {
		fact.is_secure = false;
		rest = span_drop(rest, 1);
	}
	while (rest.len) {
		struct span text = span_take(rest, span_find(rest, '\t'));

		records[fact.count++] = record_of(&arena, wanted->kind, text);
		rest = span_drop(rest, text.len < rest.len ? text.len + 1 : text.len);
	}
	fact.records = records;
	dns_facts_put(facts, wanted, &fact);
	arena_fini(&arena);
}

static void run(const struct dns_check_request *request, const struct line *fault, struct dns_report *report)
{
	struct dns_facts *facts = dns_facts_new();
	unsigned rounds = 0;

	while (!dns_check_run(request, facts, report)) {
		struct dns_wanted wanted;
		size_t index = 0, count = 0;

		while (dns_facts_wanted(facts, &index, &wanted)) {
			put(facts, &wanted, data_of(fault, &wanted));
			count++;
		}
		assert_true(count > 0);
		assert_true(++rounds < 50);
	}
	dns_facts_free(&facts);
}

static void make_request(struct dns_check_request *request)
{
	static struct dns_check_key keys[1];
	static struct dns_ip egress[2];

	assert_true(dns_ip_of_text(SPAN_LIT("192.0.2.7"), &egress[0]));
	assert_true(dns_ip_of_text(SPAN_LIT("2001:db8::7"), &egress[1]));
	keys[0] = (struct dns_check_key){ SPAN_LIT("example.org"), SPAN_LIT("s1"), key };
	*request = (struct dns_check_request){ .domain = SPAN_LIT("example.org"),
		.egress = egress,
		.egress_count = 2,
		.helo = SPAN_LIT("relay.example.org"),
		.keys = keys,
		.key_count = 1,
		.can_validate = true };
}

static void show(const struct dns_report *report)
{
	for (size_t i = 0; i < report->count; i++) {
		const struct dns_finding *finding = &report->findings[i];

		print_message("%s %s %.*s: %.*s\n%.*s", dns_topic_name(finding->topic),
			dns_severity_name(finding->severity), SPAN_ARGS(finding->where),
			SPAN_ARGS(finding->what), SPAN_ARGS(finding->publish));
	}
}

static void nothing_is_wrong_with_a_good_domain(void **state)
{
	struct dns_report *report = mem_zalloc(sizeof(*report));
	struct dns_check_request request;
	struct line none = { DNS_FACT_TXT, NULL, NULL };
	unsigned topics = 0;

	(void)state;
	make_request(&request);
	run(&request, &none, report);
	for (size_t i = 0; i < report->count; i++)
		topics |= 1u << report->findings[i].topic;
	if (dns_report_worst(report) != DNS_CHECK_OK) {
		show(report);
		fail();
	}
	assert_int_equal(topics, (1u << DNS_TOPIC_COUNT) - 1);
	dns_report_fini(report);
	mem_free(report);
}

static bool contains(struct span text, const char *part)
{
	size_t len = strlen(part);

	for (size_t i = 0; i + len <= text.len; i++)
		if (memcmp(text.ptr + i, part, len) == 0)
			return true;
	return false;
}

static void check_row(const struct row *row, size_t number)
{
	struct dns_report *report = mem_zalloc(sizeof(*report));
	struct dns_check_request request;
	const struct dns_finding *bad = NULL;
	bool is_prefix = row->publish[0] == '+';
	struct span publish = span_of_str(row->publish + is_prefix);
	size_t count = 0;

	make_request(&request);
	run(&request, &row->fault, report);
	for (size_t i = 0; i < report->count; i++) {
		if (report->findings[i].severity != DNS_CHECK_OK) {
			bad = &report->findings[i];
			count++;
		}
	}
	if (count != 1 || bad->topic != row->topic || bad->severity != row->severity ||
		!span_eq(bad->where, span_of_str(row->where)) || !contains(bad->what, row->what) ||
		!(is_prefix ? span_starts_with(bad->publish, publish) : span_eq(bad->publish, publish))) {
		show(report);
		fail_msg("row %zu: %s %s: %zu findings", number, row->fault.name, row->fault.data, count);
	}
	dns_report_fini(report);
	mem_free(report);
}

#define SPF_IN   "example.org. IN TXT \"v=spf1"
#define DMARC_IN "_dmarc.example.org. IN TXT \"v=DMARC1; p="

static void each_fault_is_named_alone_with_its_cure(void **state)
{
	static const struct row rows[] = {
		{ { DNS_FACT_TXT, "example.org", NULL }, DNS_TOPIC_SPF, DNS_CHECK_FAIL, "example.org",
			"there is no SPF record", SPF_IN " ip4:192.0.2.7 ip6:2001:db8::7 -all\"\n" },
		{ { DNS_FACT_TXT, "example.org",
			  "v=spf1 ip4:192.0.2.7 a:x.y ~all\tv=spf1 ip6:2001:db8::7 "
			  "ip4:192.0.2.7 -all" },
			DNS_TOPIC_SPF, DNS_CHECK_FAIL, "example.org", "more than one",
			SPF_IN " ip4:192.0.2.7 a:x.y ip6:2001:db8::7 -all\"\n" },
		{ { DNS_FACT_TXT, "example.org", "v=spf1 ip4:192.0.2.7 -all" }, DNS_TOPIC_SPF, DNS_CHECK_FAIL,
			"example.org", "mail from 2001:db8::7 (fail) is not authorised",
			SPF_IN " ip6:2001:db8::7 ip4:192.0.2.7 -all\"\n" },
		{ { DNS_FACT_TXT, "example.org", "v=spf1 ip4:192.0.2.7 ip6:2001:db8::7 ip:1.2.3.4 -all" },
			DNS_TOPIC_SPF, DNS_CHECK_FAIL, "example.org", "at \"ip:1.2.3.4\"",
			SPF_IN " ip4:192.0.2.7 ip6:2001:db8::7 -all\"\n" },
		{ { DNS_FACT_TXT, "example.org", "v=spf1 ip4:192.0.2.7 ip6:2001:db8::7 +all" }, DNS_TOPIC_SPF,
			DNS_CHECK_WARN, "example.org", "everybody is authorised, by \"+all\"",
			SPF_IN " ip4:192.0.2.7 ip6:2001:db8::7 -all\"\n" },
		{ { DNS_FACT_TXT, "example.org", "v=spf1 ip4:192.0.2.7 ip6:2001:db8::7" }, DNS_TOPIC_SPF,
			DNS_CHECK_WARN, "example.org", "nothing is said",
			SPF_IN " ip4:192.0.2.7 ip6:2001:db8::7 ~all\"\n" },
		{ { DNS_FACT_TXT, "example.org",
			  "v=spf1 ip4:192.0.2.7 ip6:2001:db8::7 include:one.example mx -all" },
			DNS_TOPIC_SPF, DNS_CHECK_WARN, "example.org", "it costs 8 of 10 DNS look-ups", "" },
		{ { DNS_FACT_TXT, "example.org",
			  "v=spf1 include:one.example mx a:1.x a:2.x a:3.x ip4:192.0.2.7 ip6:2001:db8::7 "
			  "-all" },
			DNS_TOPIC_SPF, DNS_CHECK_FAIL, "example.org", "permerror",
			SPF_IN
			" ip4:192.0.2.7 ip6:2001:db8::7 include:one.example mx a:1.x a:2.x a:3.x -all\"\n" },
		{ { DNS_FACT_TXT, "example.org",
			  "v=spf1 ip4:192.0.2.7 ip6:2001:db8::7 include:none.example -all" },
			DNS_TOPIC_SPF, DNS_CHECK_WARN, "example.org", "permerror",
			SPF_IN " ip4:192.0.2.7 ip6:2001:db8::7 -all\"\n" },
		{ { DNS_FACT_TXT, "example.org", "!bogus" }, DNS_TOPIC_SPF, DNS_CHECK_FAIL, "example.org",
			"signatures of its TXT are bogus", "" },
		{ { DNS_FACT_TXT, "example.org", "!" }, DNS_TOPIC_SPF, DNS_CHECK_UNKNOWN, "example.org",
			"could not be looked up: no answer in time", "" },

		{ { DNS_FACT_TXT, "s1._domainkey.example.org", NULL }, DNS_TOPIC_DKIM, DNS_CHECK_FAIL,
			"s1._domainkey.example.org", "there is no key record",
			"+s1._domainkey.example.org. IN TXT \"v=DKIM1; k=ed25519; p=" },
		{ { DNS_FACT_TXT, "s1._domainkey.example.org", "v=DKIM1; k=ed25519; p=" }, DNS_TOPIC_DKIM,
			DNS_CHECK_FAIL, "s1._domainkey.example.org", "revoked",
			"+s1._domainkey.example.org. IN TXT" },
		{ { DNS_FACT_TXT, "s1._domainkey.example.org",
			  "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=" },
			DNS_TOPIC_DKIM, DNS_CHECK_FAIL, "s1._domainkey.example.org", "not the key",
			"+s1._domainkey.example.org. IN TXT" },
		{ { DNS_FACT_TXT, "s1._domainkey.example.org", "v=DKIM1; k=ed25519; p=x" }, DNS_TOPIC_DKIM,
			DNS_CHECK_FAIL, "s1._domainkey.example.org", "cannot use it",
			"+s1._domainkey.example.org. IN TXT" },
		{ { DNS_FACT_TXT, "s1._domainkey.example.org", "KEY\tother" }, DNS_TOPIC_DKIM, DNS_CHECK_FAIL,
			"s1._domainkey.example.org", "more than one", "+s1._domainkey.example.org. IN TXT" },

		{ { DNS_FACT_TXT, "_dmarc.example.org", NULL }, DNS_TOPIC_DMARC, DNS_CHECK_WARN,
			"_dmarc.example.org", "there is no DMARC record",
			DMARC_IN "none; rua=mailto:postmaster@example.org\"\n" },
		{ { DNS_FACT_TXT, "_dmarc.example.org", "v=DMARC1; p=none\tv=DMARC1; p=reject" },
			DNS_TOPIC_DMARC, DNS_CHECK_FAIL, "_dmarc.example.org", "more than one",
			DMARC_IN "none; rua=mailto:postmaster@example.org\"\n" },
		{ { DNS_FACT_TXT, "_dmarc.example.org", "v=DMARC1; p=rejct" }, DNS_TOPIC_DMARC,
			DNS_CHECK_FAIL, "_dmarc.example.org",
			"\"p=rejct\": it is not none, quarantine or reject", DMARC_IN "none\"\n" },
		{ { DNS_FACT_TXT, "_dmarc.example.org", "v=DMARC1; p=reject; adkim=strict" }, DNS_TOPIC_DMARC,
			DNS_CHECK_WARN, "_dmarc.example.org", "\"adkim=strict\"", DMARC_IN "reject\"\n" },
		{ { DNS_FACT_TXT, "_dmarc.example.org",
			  "v=DMARC1; p=none; adkim=s; aspf=s; pct=50; fo=1:d; rua=mailto:d@example.org!5m" },
			DNS_TOPIC_DMARC, DNS_CHECK_WARN, "_dmarc.example.org", "the policy is none",
			DMARC_IN
			"quarantine; adkim=s; aspf=s; pct=50; fo=1:d; rua=mailto:d@example.org\"\n" },
		{ { DNS_FACT_TXT, "_dmarc.example.org", "v=DMARC1; p=reject; rua=mailto:d@reports.example" },
			DNS_TOPIC_DMARC, DNS_CHECK_WARN, "example.org._report._dmarc.reports.example",
			"has not agreed",
			"example.org._report._dmarc.reports.example. IN TXT \"v=DMARC1\"\n" },

		{ { DNS_FACT_PTR, "7.2.0.192.in-addr.arpa", NULL }, DNS_TOPIC_REVERSE, DNS_CHECK_FAIL,
			"7.2.0.192.in-addr.arpa", "192.0.2.7 has no name",
			"7.2.0.192.in-addr.arpa. IN PTR relay.example.org.\n" },
		{ { DNS_FACT_PTR, REVERSE_6, "other.example" }, DNS_TOPIC_REVERSE, DNS_CHECK_FAIL, REVERSE_6,
			"other.example does not lead back to 2001:db8::7",
			"other.example. IN AAAA 2001:db8::7\n" },

		{ { DNS_FACT_PTR, "7.2.0.192.in-addr.arpa", "." }, DNS_TOPIC_REVERSE, DNS_CHECK_FAIL,
			"7.2.0.192.in-addr.arpa", ". does not lead back",
			"7.2.0.192.in-addr.arpa. IN PTR relay.example.org.\n" },

		{ { DNS_FACT_MX, "example.org", "." }, DNS_TOPIC_MX, DNS_CHECK_FAIL, "example.org", "null MX",
			"example.org. IN MX 10 mail.example.org.\n" },
		{ { DNS_FACT_MX, "example.org", NULL }, DNS_TOPIC_MX, DNS_CHECK_FAIL, "example.org",
			"there is no MX", "example.org. IN MX 10 mail.example.org.\n" },
		{ { DNS_FACT_A, "mx.example.org", NULL }, DNS_TOPIC_MX, DNS_CHECK_FAIL, "example.org",
			"no address is known of mx.example.org",
			"example.org. IN MX 10 mail.example.org.\n" },

		{ { DNS_FACT_TXT, "_mta-sts.example.org", "v=STSv1; id=2026-11-27" }, DNS_TOPIC_MTA_STS,
			DNS_CHECK_FAIL, "_mta-sts.example.org", "letters and digits",
			"_mta-sts.example.org. IN TXT \"v=STSv1; id=1\"\n" },
		{ { DNS_FACT_TXT, "_mta-sts.example.org", "v=STSv1; id=1\tv=STSv1; id=2" }, DNS_TOPIC_MTA_STS,
			DNS_CHECK_FAIL, "_mta-sts.example.org", "more than one",
			"_mta-sts.example.org. IN TXT \"v=STSv1; id=1\"\n" },
		{ { DNS_FACT_A, "mta-sts.example.org", NULL }, DNS_TOPIC_MTA_STS, DNS_CHECK_FAIL,
			"mta-sts.example.org", "has no address", "" },
		{ { DNS_FACT_POLICY, "example.org", "!" }, DNS_TOPIC_MTA_STS, DNS_CHECK_FAIL,
			"https://mta-sts.example.org/.well-known/mta-sts.txt", "cannot be fetched",
			"version: STSv1\nmode: testing\nmx: mx.example.org\nmax_age: 604800\n" },
		{ { DNS_FACT_POLICY, "example.org", "version: STSv1\nmode: force\n" }, DNS_TOPIC_MTA_STS,
			DNS_CHECK_FAIL, "https://mta-sts.example.org/.well-known/mta-sts.txt", "line 2",
			"version: STSv1\nmode: enforce\nmx: mx.example.org\nmax_age: 604800\n" },
		{ { DNS_FACT_POLICY, "example.org",
			  "version: STSv1\nmode: enforce\nmx: *.mx.example.org\nmax_age: 604800\n" },
			DNS_TOPIC_MTA_STS, DNS_CHECK_FAIL,
			"https://mta-sts.example.org/.well-known/mta-sts.txt", "no mx for mx.example.org",
			"version: STSv1\nmode: enforce\nmx: mx.example.org\nmax_age: 604800\n" },
		{ { DNS_FACT_POLICY, "example.org",
			  "version: STSv1\nmode: testing\nmx: *.example.org\nmax_age: 604800\n" },
			DNS_TOPIC_MTA_STS, DNS_CHECK_WARN,
			"https://mta-sts.example.org/.well-known/mta-sts.txt", "testing",
			"version: STSv1\nmode: enforce\nmx: mx.example.org\nmax_age: 604800\n" },
		{ { DNS_FACT_POLICY, "example.org",
			  "version: STSv1\nmode: enforce\nmx: *.example.org\nmax_age: 3600\n" },
			DNS_TOPIC_MTA_STS, DNS_CHECK_WARN,
			"https://mta-sts.example.org/.well-known/mta-sts.txt", "3600 seconds only",
			"version: STSv1\nmode: enforce\nmx: mx.example.org\nmax_age: 604800\n" },

		{ { DNS_FACT_TXT, "_smtp._tls.example.org", "v=TLSRPTv1; rua=t@example.org" },
			DNS_TOPIC_TLS_RPT, DNS_CHECK_FAIL, "_smtp._tls.example.org", "nobody sends reports",
			"_smtp._tls.example.org. IN TXT \"v=TLSRPTv1; "
			"rua=mailto:postmaster@example.org\"\n" },

		{ { DNS_FACT_TLSA, "_25._tcp.mx.example.org", "~" TLSA_GOOD }, DNS_TOPIC_DANE, DNS_CHECK_WARN,
			"_25._tcp.mx.example.org", "the zone of the host is not signed", "" },
		{ { DNS_FACT_MX, "example.org", "~mx.example.org" }, DNS_TOPIC_DANE, DNS_CHECK_WARN,
			"_25._tcp.mx.example.org", "the MX of the domain is not signed", "" },
		{ { DNS_FACT_TLSA, "_25._tcp.mx.example.org",
			  "\1\1\1"
			  "0123456789abcdef0123456789abcdef" },
			DNS_TOPIC_DANE, DNS_CHECK_WARN, "_25._tcp.mx.example.org", "usage", "" },
		{ { DNS_FACT_TLSA, "_25._tcp.mx.example.org",
			  "\3\1\2"
			  "0123456789abcdef0123456789abcdef" },
			DNS_TOPIC_DANE, DNS_CHECK_WARN, "_25._tcp.mx.example.org", "as long as the hash",
			"" },
		{ { DNS_FACT_TLSA, "_25._tcp.mx.example.org", "!bogus" }, DNS_TOPIC_DANE, DNS_CHECK_FAIL,
			"_25._tcp.mx.example.org", "bogus", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check_row(&rows[i], i);
}

static size_t count_topic(const struct dns_report *report, enum dns_topic topic, enum dns_severity severity)
{
	size_t count = 0;

	for (size_t i = 0; i < report->count; i++)
		count += report->findings[i].topic == topic && report->findings[i].severity == severity;
	return count;
}

static void what_is_not_known_is_not_judged(void **state)
{
	struct dns_report *report = mem_zalloc(sizeof(*report));
	struct dns_check_request request;
	struct line none = { DNS_FACT_TXT, NULL, NULL };

	(void)state;
	make_request(&request);
	request.egress_count = 0;
	request.helo = span_of("", 0);
	request.key_count = 0;
	request.can_validate = false;
	run(&request, &none, report);
	assert_int_equal(count_topic(report, DNS_TOPIC_SPF, DNS_CHECK_OK), 1);
	assert_int_equal(count_topic(report, DNS_TOPIC_DKIM, DNS_CHECK_WARN), 1);
	assert_int_equal(count_topic(report, DNS_TOPIC_DANE, DNS_CHECK_OK), 1);
	for (int i = DNS_CHECK_OK; i <= DNS_CHECK_UNKNOWN; i++) {
		assert_int_equal(count_topic(report, DNS_TOPIC_REVERSE, (enum dns_severity)i), 0);
		assert_int_equal(count_topic(report, DNS_TOPIC_HELO, (enum dns_severity)i), 0);
	}
	dns_report_fini(report);
	mem_free(report);
}

static void who_we_are_is_judged_too(void **state)
{
	struct dns_report *report = mem_zalloc(sizeof(*report));
	struct dns_check_request request;
	struct line none = { DNS_FACT_TXT, NULL, NULL };
	struct dns_check_key foreign = { SPAN_LIT("mailer.example"), SPAN_LIT("s1"), NULL };

	(void)state;
	make_request(&request);
	request.helo = SPAN_LIT("relay");
	run(&request, &none, report);
	assert_int_equal(count_topic(report, DNS_TOPIC_HELO, DNS_CHECK_FAIL), 1);
	request.helo = SPAN_LIT("mx.example.org");
	run(&request, &none, report);
	assert_int_equal(count_topic(report, DNS_TOPIC_HELO, DNS_CHECK_FAIL), 1);
	/* A signature of another organization does not align. */
	request.keys = &foreign;
	run(&request, &none, report);
	assert_int_equal(count_topic(report, DNS_TOPIC_DMARC, DNS_CHECK_WARN), 1);
	dns_report_fini(report);
	mem_free(report);
}

static void the_order_of_records_changes_nothing(void **state)
{
	static const char *const orders[] = { "v=spf1 a:a.x -all\tv=spf1 mx -all\tx",
		"x\tv=spf1 mx -all\tv=spf1 a:a.x -all" };
	struct span publish[2];
	struct dns_report *reports[2];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct line line = { DNS_FACT_TXT, "example.org", orders[i] };
		struct dns_check_request request;

		make_request(&request);
		reports[i] = mem_zalloc(sizeof(*reports[i]));
		run(&request, &line, reports[i]);
		publish[i] = reports[i]->findings[0].publish;
	}
	assert_true(publish[0].len > 0 && span_eq(publish[0], publish[1]));
	for (size_t i = 0; i < 2; i++) {
		dns_report_fini(reports[i]);
		mem_free(reports[i]);
	}
}

static void a_long_record_is_cut_into_strings(void **state)
{
	struct dns_report *report = mem_zalloc(sizeof(*report));
	struct dns_check_request request;
	struct buf text = { 0 };
	struct line line = { DNS_FACT_TXT, "example.org", NULL };

	(void)state;
	make_request(&request);
	buf_append_str(&text, "v=spf1");
	for (int i = 0; i < 20; i++)
		buf_printf(&text, " ip4:198.51.100.%d", i);
	buf_append_str(&text, " x=\"\\ -all");
	buf_append_byte(&text, '\0');
	line.data = buf_span(&text).ptr;
	run(&request, &line, report);
	assert_int_equal(report->findings[0].severity, DNS_CHECK_FAIL);
	assert_true(
		contains(report->findings[0].publish, "IN TXT ( \"v=spf1 ip4:192.0.2.7 ip6:2001:db8::7 "));
	assert_true(contains(report->findings[0].publish, "\" \""));
	assert_true(contains(report->findings[0].publish, "-all\" )\n"));
	assert_true(contains(report->findings[0].publish, " x=\\\"\\\\ -all"));
	buf_fini(&text);
	dns_report_fini(report);
	mem_free(report);
}

static int make_key(void **state)
{
	static const unsigned char seed[DKIM_ED25519_SEED_LEN] = { 1, 2, 3 };

	(void)state;
	key = dkim_key_new_ed25519(seed);
	return key ? 0 : -1;
}

static int free_key(void **state)
{
	(void)state;
	dkim_key_free(&key);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_wrong_with_a_good_domain),
		cmocka_unit_test(each_fault_is_named_alone_with_its_cure),
		cmocka_unit_test(what_is_not_known_is_not_judged),
		cmocka_unit_test(who_we_are_is_judged_too),
		cmocka_unit_test(the_order_of_records_changes_nothing),
		cmocka_unit_test(a_long_record_is_cut_into_strings),
	};

	return cmocka_run_group_tests(tests, make_key, free_key);
}
