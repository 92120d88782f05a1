#include "dnscheck/dns_check_internal.h"

#include "skein/proto/dns/name.h"

#include <arpa/inet.h>

#include <stdarg.h>

static const struct {
	const char *name;
	void (*run)(struct check *check);
} topics[DNS_TOPIC_COUNT] = {
	[DNS_TOPIC_SPF] = { "spf", dns_check_spf },
	[DNS_TOPIC_DKIM] = { "dkim", dns_check_dkim },
	[DNS_TOPIC_DMARC] = { "dmarc", dns_check_dmarc },
	[DNS_TOPIC_REVERSE] = { "reverse", dns_check_reverse },
	[DNS_TOPIC_HELO] = { "helo", dns_check_helo },
	[DNS_TOPIC_MX] = { "mx", dns_check_mx },
	[DNS_TOPIC_MTA_STS] = { "mta-sts", dns_check_mta_sts },
	[DNS_TOPIC_TLS_RPT] = { "tls-rpt", dns_check_tls_rpt },
	[DNS_TOPIC_DANE] = { "dane", dns_check_dane },
};

const char *dns_topic_name(enum dns_topic topic)
{
	return topics[topic].name;
}

const char *dns_severity_name(enum dns_severity severity)
{
	static const char *const names[] = {
		[DNS_CHECK_OK] = "ok",
		[DNS_CHECK_WARN] = "warn",
		[DNS_CHECK_FAIL] = "fail",
		[DNS_CHECK_UNKNOWN] = "unknown",
	};

	return names[severity];
}

bool dns_check_run(
	const struct dns_check_request *request, struct dns_facts *facts, struct dns_report *report_out)
{
	struct check check = { .request = request, .facts = facts, .report = report_out };

	CHECK(request->egress_count <= DNS_CHECK_EGRESS_MAX && request->key_count <= DNS_CHECK_KEYS_MAX);
	report_out->count = 0;
	arena_reset(&report_out->arena);
	for (int i = 0; i < DNS_TOPIC_COUNT; i++) {
		check.topic = (enum dns_topic)i;
		check.told = 0;
		topics[i].run(&check);
	}
	return !check.is_waiting;
}

void dns_report_fini(struct dns_report *report)
{
	arena_fini(&report->arena);
	report->count = 0;
}

enum dns_severity dns_report_worst(const struct dns_report *report)
{
	static const int ranks[] = {
		[DNS_CHECK_OK] = 0, [DNS_CHECK_UNKNOWN] = 1, [DNS_CHECK_WARN] = 2, [DNS_CHECK_FAIL] = 3
	};
	enum dns_severity worst = DNS_CHECK_OK;

	for (size_t i = 0; i < report->count; i++)
		if (ranks[report->findings[i].severity] > ranks[worst])
			worst = report->findings[i].severity;
	return worst;
}

/* --- facts --------------------------------------------------------------------------------------- */

const struct dns_fact *dns_check_ask(struct check *check, enum dns_fact_kind kind, struct span name)
{
	const struct dns_fact *fact = dns_facts_get(check->facts, kind, name);

	check->is_waiting |= !fact;
	return fact;
}

void dns_check_tell_failed(
	struct check *check, enum dns_fact_kind kind, struct span name, const struct dns_fact *fact)
{
	const char *why = fact->why ? fact->why : "the DNS did not answer";

	dns_check_tell(check,
		&(struct dns_finding){
			.severity = fact->is_bogus ? DNS_CHECK_FAIL : DNS_CHECK_UNKNOWN,
			.where = name,
			.what = fact->is_bogus ? dns_check_text(check,
							 "the signatures of its %s are bogus, so that who "
							 "validates sees nothing: sign the zone anew",
							 dns_fact_kind_name(kind))
					       : dns_check_text(check, "its %s could not be looked up: %s",
							 dns_fact_kind_name(kind), why),
			.found = fact->is_bogus ? dns_check_text(check, "%s", why) : span_of("", 0),
		});
}

bool dns_check_get(
	struct check *check, enum dns_fact_kind kind, struct span name, const struct dns_fact **fact_out)
{
	*fact_out = dns_check_ask(check, kind, name);
	if (!*fact_out)
		return false;
	if ((*fact_out)->status == DNS_FACT_FAILED)
		dns_check_tell_failed(check, kind, name, *fact_out);
	return (*fact_out)->status != DNS_FACT_FAILED;
}

static bool has_address(const struct dns_fact *fact, const struct dns_ip *ip)
{
	for (size_t i = 0; i < fact->count; i++)
		if (!ip || span_eq(fact->records[i], span_of((const char *)ip->bytes, ip->len)))
			return true;
	return false;
}

bool dns_check_addresses(struct check *check, struct span name, const struct dns_ip *ip, bool *has_out)
{
	static const enum dns_fact_kind kinds[] = { DNS_FACT_A, DNS_FACT_AAAA };
	const struct dns_fact *fact;
	bool is_known = true;

	*has_out = false;
	/* What is no host has no address, and nobody is asked for it. */
	if (!dns_name_is_host(name))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (ip && ip->len != (kinds[i] == DNS_FACT_A ? 4 : 16))
			continue;
		if (dns_check_get(check, kinds[i], name, &fact))
			*has_out |= has_address(fact, ip);
		else
			is_known = false;
	}
	return is_known;
}

size_t dns_check_filter(const struct dns_fact *fact, bool (*is_one)(struct span text), struct span *first_out)
{
	size_t count = 0;

	*first_out = span_of("", 0);
	for (size_t i = 0; i < fact->count; i++)
		if (is_one(fact->records[i]) && !count++)
			*first_out = fact->records[i];
	return count;
}

/* --- findings ------------------------------------------------------------------------------------ */

void dns_check_tell(struct check *check, const struct dns_finding *finding)
{
	struct dns_report *report = check->report;
	struct dns_finding *copy = &report->findings[report->count];

	if (report->count == DNS_FINDINGS_MAX)
		return;
	*copy = *finding;
	copy->topic = check->topic;
	copy->where = arena_dup(&report->arena, finding->where);
	report->count++;
	check->told++;
}

void dns_check_tell_ok(struct check *check, struct span where, const char *fmt, ...)
{
	struct buf text = { 0 };
	va_list args;

	va_start(args, fmt);
	buf_vprintf(&text, fmt, args);
	va_end(args);
	dns_check_tell(check,
		&(struct dns_finding){
			.severity = DNS_CHECK_OK, .where = where, .what = dns_check_keep(check, &text) });
}

/* --- texts --------------------------------------------------------------------------------------- */

struct span dns_check_keep(struct check *check, struct buf *text)
{
	struct span kept = arena_dup(&check->report->arena, buf_span(text));

	buf_fini(text);
	return kept;
}

struct span dns_check_text(struct check *check, const char *fmt, ...)
{
	struct buf text = { 0 };
	va_list args;

	va_start(args, fmt);
	buf_vprintf(&text, fmt, args);
	va_end(args);
	return dns_check_keep(check, &text);
}

/* RFC 1035 5.1: inside quotes only these two and what is not printable need a backslash. */
static void append_byte(struct buf *out, char byte)
{
	if (byte == '"' || byte == '\\')
		buf_printf(out, "\\%c", byte);
	else if (byte >= ' ' && byte <= '~')
		buf_append_byte(out, byte);
	else
		buf_printf(out, "\\%03u", (unsigned)(unsigned char)byte);
}

struct span dns_check_zone_txt(struct check *check, struct span name, struct span text)
{
	enum { STRING_MAX = 255 };
	struct buf out = { 0 };
	bool is_long = text.len > STRING_MAX;

	buf_append(&out, name);
	buf_append_str(&out, is_long ? ". IN TXT (" : ". IN TXT");
	do {
		struct span string = span_take(text, text.len < STRING_MAX ? text.len : STRING_MAX);

		buf_append_str(&out, " \"");
		for (size_t i = 0; i < string.len; i++)
			append_byte(&out, string.ptr[i]);
		buf_append_byte(&out, '"');
		text = span_drop(text, string.len);
	} while (text.len);
	buf_append_str(&out, is_long ? " )\n" : "\n");
	return dns_check_keep(check, &out);
}

void dns_check_append_ip(const struct dns_ip *ip, struct buf *out)
{
	char text[INET6_ADDRSTRLEN] = "";

	CHECK(inet_ntop(ip->len == 4 ? AF_INET : AF_INET6, ip->bytes, text, sizeof(text)));
	buf_append_str(out, text);
}

struct span dns_check_zone_ip(struct check *check, struct span name, const struct dns_ip *ip)
{
	struct buf out = { 0 };

	buf_append(&out, name);
	buf_append_str(&out, ip->len == 4 ? ". IN A " : ". IN AAAA ");
	dns_check_append_ip(ip, &out);
	buf_append_byte(&out, '\n');
	return dns_check_keep(check, &out);
}

static bool is_any(struct span text)
{
	(void)text;
	return true;
}

struct span dns_check_list(struct check *check, const struct dns_fact *fact)
{
	return dns_check_list_filtered(check, fact, is_any);
}

struct span dns_check_list_filtered(
	struct check *check, const struct dns_fact *fact, bool (*is_one)(struct span text))
{
	struct buf out = { 0 };

	for (size_t i = 0; i < fact->count; i++) {
		if (!is_one(fact->records[i]))
			continue;
		if (buf_len(&out))
			buf_append_byte(&out, '\n');
		buf_append(&out, fact->records[i]);
	}
	return dns_check_keep(check, &out);
}
