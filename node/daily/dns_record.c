#include "daily/dns_record.h"

#include "skein/cluster/daily_store.h"
#include "skein/proto/base/alloc.h"

#include <stdlib.h>

enum {
	FINDINGS_MAX = 40, /* of one domain that are kept */
	LINE_MAX = 300,    /* of what is said; */
	BLOCK_MAX = 1500,  /* of what is there, and what to publish */
	HEAD_ROOM = 64,    /* of the text, around its domains */
};

void dns_record_fini(struct dns_record *record)
{
	for (size_t i = 0; i < record->count; i++)
		json_decref(record->domains[i].findings);
	arena_fini(&record->arena);
	record->count = 0;
}

/* --- what changed -------------------------------------------------------------------------------- */

static int rank_of(enum dns_severity severity)
{
	static const int ranks[] = {
		[DNS_CHECK_OK] = 0,
		[DNS_CHECK_UNKNOWN] = 1,
		[DNS_CHECK_WARN] = 2,
		[DNS_CHECK_FAIL] = 3,
	};

	return ranks[severity];
}

bool dns_severity_is_worse(enum dns_severity to, enum dns_severity from)
{
	return rank_of(to) > rank_of(from);
}

enum dns_severity dns_record_worst(const struct dns_record_domain *domain)
{
	enum dns_severity worst = DNS_CHECK_OK;

	for (size_t i = 0; i < DNS_TOPIC_COUNT; i++)
		if (dns_severity_is_worse(domain->checks[i].state, worst))
			worst = domain->checks[i].state;
	return worst;
}

bool dns_record_has_unknown(const struct dns_record *record)
{
	for (size_t i = 0; i < record->count; i++)
		for (size_t k = 0; k < DNS_TOPIC_COUNT; k++)
			if (record->domains[i].checks[k].seen == DNS_CHECK_UNKNOWN)
				return true;
	return false;
}

static const struct dns_record_domain *find(const struct dns_record *record, const char *name)
{
	for (size_t i = 0; record && i < record->count; i++)
		if (strcmp(record->domains[i].name, name) == 0)
			return &record->domains[i];
	return NULL;
}

/* The worst of a check; the first of those. */
static const struct dns_finding *worst_of(const struct dns_report *report, enum dns_topic topic)
{
	const struct dns_finding *worst = NULL;

	for (size_t i = 0; i < report->count; i++) {
		const struct dns_finding *finding = &report->findings[i];

		if (finding->topic == topic &&
			(!worst || dns_severity_is_worse(finding->severity, worst->severity)))
			worst = finding;
	}
	return worst;
}

static struct dns_record_check check_of(enum dns_severity seen, struct dns_record_check before)
{
	struct dns_record_check check = { seen, seen };

	if (seen == DNS_CHECK_UNKNOWN && before.seen != DNS_CHECK_UNKNOWN)
		check.state = before.state;
	return check;
}

/* --- findings as JSON ---------------------------------------------------------------------------- */

/* What the DNS has may be any bytes. */
static json_t *text_json(struct span text, size_t most)
{
	struct span cut = span_take(text, text.len < most ? text.len : most);
	char *copy = mem_strndup(cut.ptr, cut.len);
	json_t *json;

	for (size_t i = 0; i < cut.len; i++)
		if (copy[i] < ' ' || copy[i] > '~')
			copy[i] = '?';
	json = json_stringn(copy, cut.len);
	mem_free(copy);
	return json;
}

static json_t *lines_json(struct span text)
{
	struct span rest = span_take(text, text.len < BLOCK_MAX ? text.len : BLOCK_MAX);
	json_t *lines = json_array();

	while (rest.len) {
		struct span line = span_take(rest, span_find(rest, '\n'));

		(void)json_array_append_new(lines, text_json(line, BLOCK_MAX));
		rest = span_drop(rest, line.len < rest.len ? line.len + 1 : line.len);
	}
	return lines;
}

static json_t *finding_json(const struct dns_finding *finding)
{
	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o}", "check", dns_topic_name(finding->topic),
		"severity", dns_severity_name(finding->severity), "where",
		text_json(finding->where, LINE_MAX), "what", text_json(finding->what, LINE_MAX), "found",
		lines_json(finding->found), "publish", lines_json(finding->publish));
}

/* Where there are too many, those that are ok are left out first. */
static json_t *findings_json(const struct dns_report *report)
{
	json_t *findings = json_array();

	for (size_t i = 0; i < report->count && json_array_size(findings) < FINDINGS_MAX; i++)
		if (report->count <= FINDINGS_MAX || report->findings[i].severity != DNS_CHECK_OK)
			(void)json_array_append_new(findings, finding_json(&report->findings[i]));
	return findings;
}

void dns_record_add(struct dns_record *record, const char *name, const struct dns_report *report,
	const struct dns_record *before, dns_change_fn *fn, void *arg)
{
	const struct dns_record_domain *old = find(before, name);
	struct dns_record_domain *domain = &record->domains[record->count];

	if (record->count == DNS_RECORD_DOMAINS_MAX)
		return;
	record->count++;
	*domain = (struct dns_record_domain){ .name = arena_strdup(&record->arena, span_of_str(name)),
		.findings = findings_json(report) };
	for (enum dns_topic topic = 0; topic < DNS_TOPIC_COUNT; topic++) {
		static const struct dns_record_check none = { DNS_CHECK_OK, DNS_CHECK_OK };
		struct dns_record_check was = old ? old->checks[topic] : none;
		const struct dns_finding *finding = worst_of(report, topic);
		struct dns_change change = { name, topic, was.state, DNS_CHECK_OK, finding };

		domain->checks[topic] = check_of(finding ? finding->severity : DNS_CHECK_OK, was);
		change.to = domain->checks[topic].state;
		if (change.to != change.from)
			fn(arg, &change);
	}
}

/* --- the text ------------------------------------------------------------------------------------ */

static json_t *checks_json(const struct dns_record_domain *domain)
{
	json_t *checks = json_object();

	for (enum dns_topic topic = 0; topic < DNS_TOPIC_COUNT; topic++) {
		const struct dns_record_check *check = &domain->checks[topic];

		(void)json_object_set_new(checks, dns_topic_name(topic),
			json_pack("{s:s, s:s}", "state", dns_severity_name(check->state), "seen",
				dns_severity_name(check->seen)));
	}
	return checks;
}

static char *domain_text(const struct dns_record_domain *domain, json_t *findings)
{
	json_t *json = json_pack("{s:s, s:s, s:o, s:O}", "domain", domain->name, "worst",
		dns_severity_name(dns_record_worst(domain)), "checks", checks_json(domain), "findings",
		findings);
	char *text = json_dumps(json, JSON_COMPACT);

	CHECK(text);
	json_decref(json);
	return text;
}

/* What does not fit goes without its findings. */
void dns_record_write(const struct dns_record *record, struct buf *out)
{
	json_t *none = json_array();
	char *bare = record->count ? domain_text(&record->domains[0], none) : NULL;
	/* A name is 253 bytes at most. */
	size_t bare_max = (bare ? strlen(bare) : 0) + 256, start = buf_len(out);

	buf_append_str(out, "{\"domains\":[");
	for (size_t i = 0; i < record->count; i++) {
		char *text = domain_text(&record->domains[i], record->domains[i].findings);
		size_t later = (record->count - i) * bare_max + HEAD_ROOM;

		if (buf_len(out) - start + strlen(text) + later > DAILY_TEXT_MAX) {
			free(text);
			text = domain_text(&record->domains[i], none);
		}
		buf_append_str(out, i ? "," : "");
		buf_append_str(out, text);
		free(text);
	}
	buf_append_str(out, "]}");
	free(bare);
	json_decref(none);
}

static bool read_severity(const json_t *json, const char *key, enum dns_severity *severity_out)
{
	const char *text = json_string_value(json_object_get(json, key));

	for (enum dns_severity it = DNS_CHECK_OK; text && it <= DNS_CHECK_UNKNOWN; it++) {
		if (strcmp(text, dns_severity_name(it)) == 0) {
			*severity_out = it;
			return true;
		}
	}
	return false;
}

static bool read_domain(struct dns_record *record, const json_t *json)
{
	struct dns_record_domain *domain = &record->domains[record->count];
	const char *name = json_string_value(json_object_get(json, "domain"));
	const json_t *checks = json_object_get(json, "checks");
	json_t *findings = json_object_get(json, "findings");

	if (!name || !json_is_object(checks) || !json_is_array(findings) ||
		record->count == DNS_RECORD_DOMAINS_MAX)
		return false;
	for (enum dns_topic topic = 0; topic < DNS_TOPIC_COUNT; topic++) {
		const json_t *check = json_object_get(checks, dns_topic_name(topic));

		if (!read_severity(check, "state", &domain->checks[topic].state) ||
			!read_severity(check, "seen", &domain->checks[topic].seen))
			return false;
	}
	domain->name = arena_strdup(&record->arena, span_of_str(name));
	domain->findings = json_incref(findings);
	record->count++;
	return true;
}

bool dns_record_read(struct dns_record *record, struct span text)
{
	json_t *json = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, NULL);
	const json_t *domains = json_object_get(json, "domains");
	bool is_good = json_is_array(domains);

	for (size_t i = 0; is_good && i < json_array_size(domains); i++)
		is_good = read_domain(record, json_array_get(domains, i));
	json_decref(json);
	if (!is_good) {
		dns_record_fini(record);
		*record = (struct dns_record){ .count = 0 };
	}
	return is_good;
}
