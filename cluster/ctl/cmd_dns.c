/* skeinctl dns check */
#include "call.h"
#include "dns_findings.h"
#include "dns_lookup.h"
#include "dns_senders.h"
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
	struct call_texts egress, keys;
	uint64_t timeout_s;
};

/* What one domain after another is judged by. */
struct check {
	const struct arguments_given *given;
	const struct dns_lookup_options *lookup_options;
	struct dns_ip egress[DNS_CHECK_EGRESS_MAX];
	struct dns_check_key keys[DNS_CHECK_KEYS_MAX];
	struct dkim_key *own_keys[DNS_CHECK_KEYS_MAX]; /* NULL: not told */
	struct dns_lookup *lookup;                     /* of a round: it remembers answers */
	struct secret_keys secret_keys;
	struct dns_senders senders;
	bool has_senders;
	size_t count;
	const char **domains; /* of the command line; none: those of the senders */
	bool is_json;
};

/* --- the command line ---------------------------------------------------------------------------- */

static bool read_egress(struct check *check, struct buf *why)
{
	const struct call_texts *texts = &check->given->egress;

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

static bool are_domains(const struct call *call, struct buf *why)
{
	if (call->word_count > DOMAINS_MAX) {
		buf_printf(why, "dns check DOMAIN...: not more than %d", DOMAINS_MAX);
		return false;
	}
	for (size_t i = 0; i < call->word_count; i++) {
		if (!dns_name_is_host(span_of_str(call->words[i]))) {
			buf_printf(why, "\"%s\" is no domain; one in other letters is wanted as xn--...",
				call->words[i]);
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

/* Those of the command line, else those of the cluster. */
static size_t collect_keys(const struct check *check, struct span domain, struct dns_check_key *keys_out)
{
	if (check->has_senders && !check->given->keys.count)
		return dns_senders_keys(&check->senders, domain, keys_out);
	for (size_t i = 0; i < check->given->keys.count; i++) {
		keys_out[i] = check->keys[i];
		if (!keys_out[i].domain.len)
			keys_out[i].domain = domain;
	}
	return check->given->keys.count;
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
		.key_count = collect_keys(check, name, keys),
		.can_validate = check->given->trust_anchor != NULL };
	uint64_t deadline_ms = session_now_ms() + check->given->timeout_s * 1000;
	struct dns_facts *facts = dns_facts_new();

	while (!dns_check_run(&request, facts, report))
		look_up(check, facts, deadline_ms);
	dns_facts_free(&facts);
}

/* 1 for something to do; 3 when there is none, but the DNS did not say all. */
static enum ctl_exit exit_for(enum dns_severity worst)
{
	static const enum ctl_exit exits[] = {
		[DNS_CHECK_OK] = CTL_OK,
		[DNS_CHECK_WARN] = CTL_NEGATIVE,
		[DNS_CHECK_FAIL] = CTL_NEGATIVE,
		[DNS_CHECK_UNKNOWN] = CTL_UNREACHABLE,
	};

	return exits[worst];
}

static const char *domain_at(const struct check *check, size_t index)
{
	size_t count;

	return check->count ? check->domains[index]
			    : policy_signings(check->senders.policy, &count)[index].domain;
}

static size_t count_domains(const struct check *check)
{
	size_t count = (size_t)check->count;

	if (!count)
		(void)policy_signings(check->senders.policy, &count);
	if (!count)
		session_complain("the policy signs for no domain (sign): say which to check");
	return count;
}

static enum ctl_exit judge_domains(struct check *check)
{
	struct dns_report *report = mem_zalloc(sizeof(*report));
	json_t *all = json_array();
	size_t count = count_domains(check);
	enum ctl_exit worst = count ? CTL_OK : CTL_NEGATIVE;

	for (size_t i = 0; i < count; i++) {
		const char *domain = domain_at(check, i);
		enum ctl_exit exit;

		judge(check, domain, report);
		exit = exit_for(dns_report_worst(report));
		if (exit == CTL_NEGATIVE || !worst)
			worst = exit;
		if (check->is_json)
			(void)json_array_append_new(all, dns_findings_json(domain, report));
		else
			dns_findings_print(domain, report);
		if (!check->is_json && i + 1 < count)
			putchar('\n');
	}
	if (check->is_json)
		screen_print_json(json_incref(all));
	json_decref(all);
	dns_report_fini(report);
	mem_free(report);
	return worst;
}

static enum ctl_exit check_domains(struct check *check)
{
	struct buf why = { 0 };
	enum ctl_exit exit;

	check->lookup = dns_lookup_new(check->lookup_options, &why);
	exit = check->lookup ? judge_domains(check) : session_usage(&why);
	dns_lookup_free(&check->lookup);
	return exit;
}

static enum ctl_exit check_alone(struct session *session, void *arg)
{
	(void)session;
	return check_domains(arg);
}

static enum ctl_exit check_with_cluster(struct session *session, void *arg)
{
	struct check *check = arg;
	enum ctl_exit exit;

	check->senders = (struct dns_senders){ .policy = NULL };
	exit = dns_senders_load(&check->senders, session, &check->secret_keys);

	check->has_senders = !exit;
	if (!exit)
		exit = check_domains(check);
	dns_senders_fini(&check->senders);
	return exit;
}

/* Without domains the cluster says which; without keys it says those too, if it can be asked. */
static enum ctl_exit run(struct check *check, struct ctl_options *options, struct buf *why)
{
	bool wants_keys = !check->given->keys.count && options_has_redis(options) && options->key_file;
	enum ctl_exit exit;

	if (check->count && !wants_keys)
		return session_run_locally(options, check_alone, check);
	if (!options->key_file) {
		buf_append_str(why, "dns check DOMAIN..., or --key-file FILE, or --config FILE with "
				    "cluster.key_file: then those that the policy signs for are checked");
		return session_usage(why);
	}
	if (!key_file_read(options->key_file, &check->secret_keys, why))
		return session_usage(why);
	exit = session_run(options, check_with_cluster, check);
	secret_keys_wipe(&check->secret_keys);
	return exit;
}

enum ctl_exit cmd_dns_check(struct ctl_options *options, const struct call *call)
{
	struct arguments_given given = { .server = call_text(call, "server"),
		.trust_anchor = call_text(call, "trust-anchor"),
		.helo = call_text(call, "helo"),
		.policy_ca = call_text(call, "policy-ca"),
		.policy_connect = call_text(call, "policy-connect"),
		.egress = call_texts(call, "egress"),
		.keys = call_texts(call, "dkim"),
		.timeout_s = call_number(call, "timeout", 30) };
	struct dns_lookup_options lookup_options = { given.server, given.trust_anchor };
	struct check check = { .given = &given,
		.lookup_options = &lookup_options,
		.count = call->word_count,
		.domains = call->words,
		.is_json = options->is_json };
	struct buf why = { 0 };
	enum ctl_exit exit;

	if (!given.helo)
		given.helo = options->hostname ? options->hostname : "";
	if (!are_domains(call, &why))
		return session_usage(&why);
	exit = read_egress(&check, &why) && read_keys(&check, &why) ? run(&check, options, &why)
								    : session_usage(&why);
	for (size_t i = 0; i < ARRAY_LEN(check.own_keys); i++)
		if (check.own_keys[i])
			dkim_key_free(&check.own_keys[i]);
	return exit;
}
