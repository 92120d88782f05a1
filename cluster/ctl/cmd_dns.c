/* skeinctl dns check */
#include "arguments.h"
#include "command.h"
#include "dns_findings.h"
#include "dns_lookup.h"
#include "key_file.h"
#include "screen.h"
#include "skein/proto/base/alloc.h"
#include "skein/proto/dns/name.h"
#include "sts_fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { DOMAINS_MAX = 1000, POLICY_MS_MAX = 10000 };

/* The command line, as it is given. */
struct arguments_given {
	const char *server, *trust_anchor, *helo, *policy_ca, *policy_connect;
	struct argument_texts egress, keys;
	uint64_t timeout_s;
};

/* What one domain after another is judged by. */
struct check {
	const struct arguments_given *given;
	struct dns_ip egress[DNS_CHECK_EGRESS_MAX];
	struct dns_check_key keys[DNS_CHECK_KEYS_MAX];
	struct dkim_key *own_keys[DNS_CHECK_KEYS_MAX]; /* NULL: not told */
	struct dns_lookup *lookup;
};

/* --- the command line ---------------------------------------------------------------------------- */

static bool read_egress(struct check *check, struct buf *why)
{
	const struct argument_texts *texts = &check->given->egress;

	for (size_t i = 0; i < texts->count; i++) {
		if (i == DNS_CHECK_EGRESS_MAX ||
			!dns_ip_of_text(span_of_str(texts->items[i]), &check->egress[i])) {
			buf_printf(why, "--egress %s: an address is wanted, and not more than %d",
				texts->items[i], DNS_CHECK_EGRESS_MAX);
			return false;
		}
	}
	return true;
}

static bool read_key_file(const char *path, struct dkim_key **key_out, struct buf *why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct buf text = { 0 };
	const char *fault = NULL;

	if (fd < 0 || !key_file_read_all(fd, DKIM_KEY_TEXT_MAX, &text))
		fault = errno ? strerror(errno) : "is too long for a key";
	else if (dkim_key_parse(buf_span(&text), key_out, &fault) == ERR_OK)
		fault = NULL;
	if (fd >= 0)
		close(fd);
	mem_wipe(text.base, text.cap);
	buf_fini(&text);
	if (fault)
		buf_printf(why, "--dkim: %s: %s", path, fault);
	return !fault;
}

/* SELECTOR[@DOMAIN][=FILE] */
static bool read_key(struct check *check, size_t index, struct buf *why)
{
	struct span text = span_of_str(check->given->keys.items[index]);
	size_t equals = span_find(text, '='), at;
	struct span name = span_take(text, equals);

	at = span_find(name, '@');
	check->keys[index].selector = span_take(name, at);
	if (at < name.len)
		check->keys[index].domain = span_drop(name, at + 1);
	if (!dns_name_is_host(check->keys[index].selector) ||
		(at < name.len && !dns_name_is_host(check->keys[index].domain))) {
		buf_printf(why, "--dkim %.*s: SELECTOR, SELECTOR@DOMAIN or one of them with =FILE is wanted",
			SPAN_ARGS(text));
		return false;
	}
	if (equals < text.len && !read_key_file(text.ptr + equals + 1, &check->own_keys[index], why))
		return false;
	check->keys[index].key = check->own_keys[index];
	return true;
}

static bool read_keys(struct check *check, struct buf *why)
{
	if (check->given->keys.count > DNS_CHECK_KEYS_MAX) {
		buf_printf(why, "--dkim: not more than %d", DNS_CHECK_KEYS_MAX);
		return false;
	}
	for (size_t i = 0; i < check->given->keys.count; i++)
		if (!read_key(check, i, why))
			return false;
	return true;
}

static bool are_domains(int count, char **domains, struct buf *why)
{
	if (count == 0 || count > DOMAINS_MAX) {
		buf_printf(why, "dns check DOMAIN...: not more than %d", DOMAINS_MAX);
		return false;
	}
	for (int i = 0; i < count; i++) {
		if (!dns_name_is_host(span_of_str(domains[i]))) {
			buf_printf(why, "\"%s\" is no domain; one in other letters is wanted as xn--...",
				domains[i]);
			return false;
		}
	}
	return true;
}

/* --- one domain ---------------------------------------------------------------------------------- */

static void append_addresses(
	struct dns_facts *facts, enum dns_fact_kind kind, struct span host, struct buf *out)
{
	const struct dns_fact *fact = dns_facts_get(facts, kind, host);

	for (size_t i = 0; fact && i < fact->count; i++) {
		struct dns_ip ip = { .len = (uint8_t)fact->records[i].len };

		memcpy(ip.bytes, fact->records[i].ptr, ip.len);
		buf_append_str(out, buf_len(out) ? "," : "");
		buf_append_str(out, ip.len == 16 ? "[" : "");
		dns_check_append_ip(&ip, out);
		buf_append_str(out, ip.len == 16 ? "]" : "");
	}
}

static void fetch_policy(
	struct check *check, struct dns_facts *facts, const struct dns_wanted *wanted, uint64_t deadline_ms)
{
	struct sts_fetch_options options = { check->given->policy_ca, check->given->policy_connect };
	struct buf host = { 0 }, addresses = { 0 }, policy = { 0 }, why = { 0 };
	struct dns_fact fact = { .status = DNS_FACT_FAILED };
	uint64_t now_ms = session_now_ms(), left_ms = now_ms < deadline_ms ? deadline_ms - now_ms : 1;
	struct span record;

	buf_printf(&host, "mta-sts.%.*s", SPAN_ARGS(wanted->name));
	append_addresses(facts, DNS_FACT_A, buf_span(&host), &addresses);
	append_addresses(facts, DNS_FACT_AAAA, buf_span(&host), &addresses);
	if (sts_fetch(&options, wanted->name, buf_span(&addresses),
		    left_ms < POLICY_MS_MAX ? left_ms : POLICY_MS_MAX, &policy, &why)) {
		record = buf_span(&policy);
		fact = (struct dns_fact){ .status = DNS_FACT_RECORDS, .records = &record, .count = 1 };
	} else {
		buf_append_byte(&why, '\0');
		fact.why = buf_span(&why).ptr;
	}
	dns_facts_put(facts, wanted, &fact);
	buf_fini(&host);
	buf_fini(&addresses);
	buf_fini(&policy);
	buf_fini(&why);
}

static void look_up(struct check *check, struct dns_facts *facts, uint64_t deadline_ms)
{
	struct dns_wanted wanted;
	size_t index = 0;

	(void)dns_lookup_run(check->lookup, facts, deadline_ms);
	while (dns_facts_wanted(facts, &index, &wanted))
		if (wanted.kind == DNS_FACT_POLICY)
			fetch_policy(check, facts, &wanted, deadline_ms);
}

static void judge(struct check *check, const char *domain, struct dns_report *report)
{
	struct span name = dns_name_without_dot(span_of_str(domain));
	struct dns_check_key keys[DNS_CHECK_KEYS_MAX];
	struct dns_check_request request = { .domain = name,
		.egress = check->egress,
		.egress_count = check->given->egress.count,
		.helo = dns_name_without_dot(span_of_str(check->given->helo)),
		.keys = keys,
		.key_count = check->given->keys.count,
		.can_validate = check->given->trust_anchor != NULL };
	uint64_t deadline_ms = session_now_ms() + check->given->timeout_s * 1000;
	struct dns_facts *facts = dns_facts_new();

	for (size_t i = 0; i < request.key_count; i++) {
		keys[i] = check->keys[i];
		if (!keys[i].domain.len)
			keys[i].domain = name;
	}
	while (!dns_check_run(&request, facts, report))
		look_up(check, facts, deadline_ms);
	dns_facts_free(&facts);
}

/* 1 for something to do; 3 when there is none, but the DNS did not say all. */
static enum ctl_exit exit_for(enum dns_severity worst)
{
	static const enum ctl_exit exits[] = {
		[DNS_OK] = CTL_OK,
		[DNS_WARN] = CTL_NEGATIVE,
		[DNS_FAIL] = CTL_NEGATIVE,
		[DNS_UNKNOWN] = CTL_UNREACHABLE,
	};

	return exits[worst];
}

static enum ctl_exit check_domains(struct check *check, int count, char **domains, bool is_json)
{
	struct dns_report *report = mem_zalloc(sizeof(*report));
	json_t *all = json_array();
	enum ctl_exit worst = CTL_OK;

	for (int i = 0; i < count; i++) {
		enum ctl_exit exit;

		judge(check, domains[i], report);
		exit = exit_for(dns_report_worst(report));
		if (exit == CTL_NEGATIVE || !worst)
			worst = exit;
		if (is_json)
			(void)json_array_append_new(all, dns_findings_json(domains[i], report));
		else
			dns_findings_print(domains[i], report);
		if (!is_json && i + 1 < count)
			putchar('\n');
	}
	if (is_json)
		screen_print_json(json_incref(all));
	json_decref(all);
	dns_report_fini(report);
	mem_free(report);
	return worst;
}

enum ctl_exit cmd_dns_check(struct ctl_options *options, int argc, char **argv)
{
	struct arguments_given given = { .helo = options->hostname ? options->hostname : "",
		.timeout_s = 30 };
	struct argument arguments[] = {
		{ .name = "json", .kind = ARGUMENT_FLAG, .to.flag = &options->is_json },
		{ .name = "server", .kind = ARGUMENT_TEXT, .to.text = &given.server },
		{ .name = "trust-anchor", .kind = ARGUMENT_TEXT, .to.text = &given.trust_anchor },
		{ .name = "egress", .kind = ARGUMENT_TEXTS, .to.texts = &given.egress },
		{ .name = "helo", .kind = ARGUMENT_TEXT, .to.text = &given.helo },
		{ .name = "dkim", .kind = ARGUMENT_TEXTS, .to.texts = &given.keys },
		{ .name = "policy-ca", .kind = ARGUMENT_TEXT, .to.text = &given.policy_ca },
		{ .name = "policy-connect", .kind = ARGUMENT_TEXT, .to.text = &given.policy_connect },
		{ .name = "timeout",
			.kind = ARGUMENT_NUMBER,
			.to.number = &given.timeout_s,
			.min = 1,
			.max = 600 },
	};
	struct dns_lookup_options lookup_options;
	struct check check = { .given = &given };
	struct buf why = { 0 };
	enum ctl_exit exit;
	int first;

	if (!arguments_parse(argc, argv, arguments, ARRAY_LEN(arguments), &first, &why) ||
		!are_domains(argc - first, argv + first, &why))
		return session_usage(&why);
	lookup_options = (struct dns_lookup_options){ given.server, given.trust_anchor };
	if (read_egress(&check, &why) && read_keys(&check, &why))
		check.lookup = dns_lookup_new(&lookup_options, &why);
	exit = check.lookup ? check_domains(&check, argc - first, argv + first, options->is_json)
			    : session_usage(&why);
	dns_lookup_free(&check.lookup);
	for (size_t i = 0; i < ARRAY_LEN(check.own_keys); i++)
		if (check.own_keys[i])
			dkim_key_free(&check.own_keys[i]);
	return exit;
}
