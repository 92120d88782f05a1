/* Conditions on a client: entries of the document become sets, and a client meets them or not. */
#include "policy/policy_internal.h"

#include <stdio.h>

enum { PLACE_MAX = 160, GROUP_LEN_MAX = 256, SHA256_HEX = 64 };

/* --- questions ---------------------------------------------------------------------------------- */

static bool matches_tls(const struct conditions *conditions, const struct policy_subject *subject)
{
	switch (conditions->tls) {
	case TLS_EITHER:
		return true;
	case TLS_NEVER:
		return subject->tls == POLICY_TLS_NONE;
	case TLS_ANY:
		return subject->tls != POLICY_TLS_NONE;
	case TLS_1_3:
		return subject->tls == POLICY_TLS_1_3;
	}
	return false;
}

static bool matches_certificate(const struct conditions *conditions, const struct policy_subject *subject)
{
	return (subject->cert_subject.len &&
		       pattern_set_find(&conditions->certificate, subject->cert_subject)) ||
	       (subject->cert_sha256.len && pattern_set_find(&conditions->fingerprint, subject->cert_sha256));
}

static bool matches_group(const struct conditions *conditions, const struct policy_subject *subject)
{
	for (size_t i = 0; i < subject->group_count; i++)
		if (pattern_set_find(&conditions->group, subject->groups[i]))
			return true;
	return false;
}

bool policy_condition_is_met(const struct conditions *conditions, const struct policy_subject *subject,
	enum policy_condition condition)
{
	switch (condition) {
	case POLICY_NETWORK:
		return true;
	case POLICY_LISTENER:
		return pattern_set_find(&conditions->listener, subject->listener) != NULL;
	case POLICY_TLS:
		return matches_tls(conditions, subject);
	case POLICY_CERTIFICATE:
		return matches_certificate(conditions, subject);
	case POLICY_USER:
		return subject->user.len && pattern_set_find(&conditions->user, subject->user);
	case POLICY_GROUP:
		return matches_group(conditions, subject);
	case POLICY_HELO:
		return subject->helo.len && pattern_set_find(&conditions->helo, subject->helo);
	case POLICY_CONDITIONS:
		break;
	}
	return false;
}

/* --- the document ------------------------------------------------------------------------------- */

struct compile {
	struct policy *policy;
	const struct policy_text *text;
	const char *path; /* of what has them: "clients[17]" */
	struct report *report;
};

/* The place of an entry of one of them. */
static const char *place_of(const struct compile *c, const char *key, size_t index, char out[PLACE_MAX])
{
	snprintf(out, PLACE_MAX, "%s.match.%s[%zu]", c->path, key, index);
	return out;
}

static bool is_hex(struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = ascii_lower(text.ptr[i]);

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
			return false;
	}
	return true;
}

static void add_pattern(struct compile *c, struct pattern_set *set, struct span text, const char *entry)
{
	pattern_set_add(set, &c->policy->arena, text, arena_strdup(&c->policy->arena, span_of_str(entry)));
}

static void compile_patterns(struct compile *c, struct pattern_set *set, struct text_list entries)
{
	for (size_t i = 0; i < entries.count; i++)
		add_pattern(c, set, span_of_str(entries.items[i]), entries.items[i]);
	pattern_set_finish(set);
}

static void compile_certificates(struct compile *c, struct conditions *out, struct text_list entries)
{
	char place[PLACE_MAX];

	for (size_t i = 0; i < entries.count; i++) {
		struct span text = span_of_str(entries.items[i]);
		struct span hex = span_starts_with(text, SPAN_LIT("sha256:")) ? span_drop(text, 7) : text;

		if (hex.len == text.len)
			add_pattern(c, &out->certificate, text, entries.items[i]);
		else if (hex.len == SHA256_HEX && is_hex(hex))
			add_pattern(c, &out->fingerprint, hex, entries.items[i]);
		else
			report_error_at(c->report, place_of(c, "certificate", i, place),
				"expected sha256: and %d hexadecimal digits, got %s", SHA256_HEX,
				report_quote(text).text);
	}
	pattern_set_finish(&out->certificate);
	pattern_set_finish(&out->fingerprint);
}

/* What Active Directory allows in a group's account name; a distinguished name has '=' and may have all. */
static bool is_group_name(struct span text)
{
	bool is_dn = span_find(text, '=') < text.len;

	for (size_t i = 0; i < text.len && !is_dn; i++)
		if (strchr("\"/[]:;|,+*?<>", text.ptr[i]))
			return false;
	return text.len <= GROUP_LEN_MAX;
}

static void check_groups(struct compile *c, struct text_list entries)
{
	char place[PLACE_MAX];

	for (size_t i = 0; i < entries.count; i++)
		if (!is_group_name(span_of_str(entries.items[i])))
			report_error_at(c->report, place_of(c, "group", i, place),
				"%s is no name of a group: a name without \"/[]:;|,+*?<>, or a distinguished "
				"name",
				report_quote(span_of_str(entries.items[i])).text);
}

static void check_not_empty(struct compile *c, const struct conditions_text *match)
{
	policy_check_not_empty(match->network, c->path, "match.network", c->report);
	policy_check_not_empty(match->listener, c->path, "match.listener", c->report);
	policy_check_not_empty(match->certificate, c->path, "match.certificate", c->report);
	policy_check_not_empty(match->user, c->path, "match.user", c->report);
	policy_check_not_empty(match->group, c->path, "match.group", c->report);
	policy_check_not_empty(match->helo, c->path, "match.helo", c->report);
}

static unsigned conditions_of(const struct conditions_text *match)
{
	return (unsigned)(match->network.count > 0) << POLICY_NETWORK |
	       (unsigned)(match->listener.count > 0) << POLICY_LISTENER |
	       (unsigned)(match->tls != TLS_EITHER) << POLICY_TLS |
	       (unsigned)(match->certificate.count > 0) << POLICY_CERTIFICATE |
	       (unsigned)(match->user.count > 0) << POLICY_USER |
	       (unsigned)(match->group.count > 0) << POLICY_GROUP |
	       (unsigned)(match->helo.count > 0) << POLICY_HELO;
}

void policy_compile_conditions(struct policy *policy, const struct policy_text *text,
	const struct conditions_text *match, const char *path, struct conditions *out, struct report *report)
{
	struct compile c = { policy, text, path, report };
	char place[PLACE_MAX];

	check_not_empty(&c, match);
	snprintf(place, sizeof(place), "%s.match.network", path);
	out->networks = policy_compile_networks(policy, text, match->network, place, report);
	out->tls = match->tls;
	compile_certificates(&c, out, match->certificate);
	check_groups(&c, match->group);
	compile_patterns(&c, &out->listener, match->listener);
	compile_patterns(&c, &out->user, match->user);
	compile_patterns(&c, &out->group, match->group);
	compile_patterns(&c, &out->helo, match->helo);
	out->asked = conditions_of(match);
}
