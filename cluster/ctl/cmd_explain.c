/* skeinctl explain: what the policy says of a client, by the code that the nodes run. */
#include "arguments.h"
#include "command.h"
#include "human.h"
#include "policy_file.h"
#include "screen.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

enum { SHOWN_STEPS_MAX = 200 };

struct explaining {
	const char *client, *listener, *user, *helo, *from, *to, *tls_version, *subject, *sha256, *path;
	struct argument_texts groups, own;
	bool has_tls;
	bool is_json;
	struct sockaddr_storage address;
	struct span group_spans[ARGUMENT_TEXTS_MAX], own_spans[ARGUMENT_TEXTS_MAX];
	struct policy_subject who;

	struct policy_file file;
	struct policy *policy;
	struct policy_decision decision;
	struct policy_step steps[SHOWN_STEPS_MAX]; /* those not of other networks only */
	size_t step_count, elsewhere;
};

static const char *verdict_name(enum policy_verdict verdict)
{
	static const char *const names[] = {
		[POLICY_ALLOW] = "allow",
		[POLICY_DENY] = "deny",
		[POLICY_NEEDS_AUTH] = "needs-auth",
		[POLICY_NEEDS_TLS] = "needs-tls",
	};

	return names[verdict];
}

static const char *match_name(enum policy_match match)
{
	return match == POLICY_MATCHES ? "matches" : match == POLICY_DIFFERS ? "differs" : "open";
}

/* --- the decision -------------------------------------------------------------------------------- */

static void on_step(void *arg, const struct policy_step *step)
{
	struct explaining *explaining = arg;

	if (step->match == POLICY_DIFFERS && step->condition == POLICY_NETWORK)
		explaining->elsewhere++;
	else if (explaining->step_count < SHOWN_STEPS_MAX)
		explaining->steps[explaining->step_count++] = *step;
}

/* What is not said may come yet, as in a session that has just begun. */
static unsigned may_come(const struct explaining *explaining)
{
	return (explaining->user ? 0u : (unsigned)POLICY_LATER_AUTH) |
	       (explaining->who.tls == POLICY_TLS_NONE ? (unsigned)POLICY_LATER_TLS : 0u) |
	       (explaining->helo ? 0u : (unsigned)POLICY_LATER_HELO);
}

struct allowed {
	bool is_asked, is_allowed;
	const char *entry;
};

static struct allowed sender_of(const struct explaining *explaining)
{
	struct allowed allowed = { explaining->from && explaining->decision.verdict == POLICY_ALLOW, false,
		NULL };

	if (allowed.is_asked)
		allowed.is_allowed = policy_sender_allowed(explaining->policy, &explaining->decision,
			&explaining->who, span_of_str(explaining->from), &allowed.entry);
	return allowed;
}

static struct allowed recipient_of(const struct explaining *explaining)
{
	struct allowed allowed = { explaining->to && explaining->decision.verdict == POLICY_ALLOW, false,
		NULL };

	if (allowed.is_asked)
		allowed.is_allowed = policy_recipient_allowed(explaining->policy, &explaining->decision,
			span_of_str(explaining->to), &allowed.entry);
	return allowed;
}

/* --- as text ------------------------------------------------------------------------------------- */

static void print_step(const struct policy_step *step, struct buf *out)
{
	const char *condition = step->match == POLICY_MATCHES ? "" : policy_condition_name(step->condition);

	switch (step->match) {
	case POLICY_MATCHES:
		buf_printf(out, "  %-24s matches, and says %s\n", step->rule->name,
			policy_effect_name(step->rule->effect));
		break;
	case POLICY_DIFFERS:
		buf_printf(out, "  %-24s not: %s differs\n", step->rule->name, condition);
		break;
	case POLICY_OPEN:
		buf_printf(out, "  %-24s not yet: %s is not known, then it may say %s\n", step->rule->name,
			condition, policy_effect_name(step->rule->effect));
		break;
	}
}

static void print_verdict(const struct policy_decision *decision, struct buf *out)
{
	const struct policy_rule *asks = decision->rule && decision->rule->effect != POLICY_EFFECT_DENY
						 ? decision->rule
						 : decision->hope;

	switch (decision->verdict) {
	case POLICY_ALLOW:
		buf_printf(out, "allowed, by the rule \"%s\"", decision->rule->name);
		break;
	case POLICY_DENY:
		if (decision->rule)
			buf_printf(out, "denied, by the rule \"%s\"", decision->rule->name);
		else
			buf_append_str(out, "denied: no rule matches");
		break;
	case POLICY_NEEDS_AUTH:
		buf_printf(out, "denied until it has authenticated: see the rule \"%s\"", asks->name);
		break;
	case POLICY_NEEDS_TLS:
		buf_printf(out, "denied until TLS is on: see the rule \"%s\"", asks->name);
		break;
	}
	if (decision->rule && *decision->rule->comment)
		buf_printf(out, " (%s)", decision->rule->comment);
	buf_append_byte(out, '\n');
}

static void print_allowed(
	const struct allowed *allowed, const char *what, const char *address, struct buf *out)
{
	if (!allowed->is_asked)
		return;
	buf_printf(out, "%s <%s>: ", what, address);
	if (!allowed->is_allowed)
		buf_printf(out, "refused, it is not in the rule's %ss\n", what);
	else if (*allowed->entry)
		buf_printf(out, "allowed by %s\n", allowed->entry);
	else
		buf_append_str(out, "allowed, the rule names none\n");
}

static void append_amount(struct buf *out, const struct limit_rule *limit, uint64_t amount)
{
	static const char *const units[LIMIT_UNITS] = {
		[LIMIT_MESSAGES] = "messages",
		[LIMIT_RECIPIENTS] = "recipients",
		[LIMIT_CONNECTIONS] = "connections",
		[LIMIT_AUTH_FAILURES] = "failed logins",
	};

	if (limit->unit == LIMIT_BYTES)
		human_bytes(out, amount);
	else
		buf_printf(out, "%llu %s", (unsigned long long)amount, units[limit->unit]);
}

/* The counter that would be used; "" where it is not known from what was said. */
static const char *counter_of(const struct explaining *explaining, const struct limit_rule *limit)
{
	const char *from = explaining->from ? strrchr(explaining->from, '@') : NULL;
	const char *to = explaining->to ? strrchr(explaining->to, '@') : NULL;
	const char *value = NULL;

	switch (limit->key) {
	case LIMIT_PER_CLIENT:
		value = explaining->client;
		break;
	case LIMIT_PER_USER:
		value = explaining->user;
		break;
	case LIMIT_PER_SENDER:
		value = explaining->from;
		break;
	case LIMIT_PER_SENDER_DOMAIN:
		value = from ? from + 1 : NULL;
		break;
	case LIMIT_PER_RECIPIENT_DOMAIN:
		value = to ? to + 1 : NULL;
		break;
	case LIMIT_PER_CLUSTER:
		value = "the cluster";
		break;
	case LIMIT_PER_ROUTE:
	case LIMIT_KEYS:
		break;
	}
	return value ? value : "";
}

static void print_limit(const struct explaining *explaining, const struct limit_rule *limit, struct buf *out)
{
	const char *counter = counter_of(explaining, limit);

	buf_printf(out, "limit %s: ", limit->name);
	append_amount(out, limit, limit->rate);
	buf_append_str(out, " in ");
	human_duration(out, limit->period_us / 1000);
	buf_append_str(out, ", at once ");
	append_amount(out, limit, limit->burst);
	buf_printf(out, ", then %s", limit->action == LIMIT_DEFER ? "deferred" : "rejected");
	if (*counter)
		buf_printf(out, "; counted for %s", counter);
	buf_append_byte(out, '\n');
}

static void print_text(const struct explaining *explaining, struct buf *out)
{
	const struct allowed sender = sender_of(explaining), recipient = recipient_of(explaining);

	if (explaining->path)
		buf_printf(out, "policy: %s\n", explaining->path);
	else
		buf_printf(
			out, "policy: version %llu\n", (unsigned long long)explaining->file.version.number);
	if (explaining->elsewhere)
		buf_printf(out, "  %zu rule%s of other networks\n", explaining->elsewhere,
			explaining->elsewhere == 1 ? "" : "s");
	for (size_t i = 0; i < explaining->step_count; i++)
		print_step(&explaining->steps[i], out);
	print_verdict(&explaining->decision, out);
	print_allowed(&sender, "sender", explaining->from, out);
	print_allowed(&recipient, "recipient", explaining->to, out);
	if (explaining->decision.rule && explaining->decision.rule->size_max) {
		buf_append_str(out, "size: up to ");
		human_bytes(out, explaining->decision.rule->size_max);
		buf_append_byte(out, '\n');
	}
	for (size_t i = 0; i < explaining->decision.limit_count; i++)
		print_limit(explaining, explaining->decision.limits[i], out);
}

/* --- as JSON ------------------------------------------------------------------------------------- */

static json_t *text_or_null(const char *text)
{
	return text ? json_of_span(span_of_str(text)) : json_null();
}

static json_t *steps_json(const struct explaining *explaining)
{
	json_t *steps = json_array();

	for (size_t i = 0; i < explaining->step_count; i++) {
		const struct policy_step *step = &explaining->steps[i];

		json_array_append_new(
			steps, json_pack("{s:s, s:s, s:o, s:s}", "rule", step->rule->name, "match",
				       match_name(step->match), "condition",
				       step->match == POLICY_MATCHES
					       ? json_null()
					       : json_string(policy_condition_name(step->condition)),
				       "effect", policy_effect_name(step->rule->effect)));
	}
	return steps;
}

static json_t *limits_json(const struct explaining *explaining)
{
	json_t *limits = json_array();

	for (size_t i = 0; i < explaining->decision.limit_count; i++) {
		const struct limit_rule *limit = explaining->decision.limits[i];

		json_array_append_new(
			limits, json_pack("{s:s, s:o, s:o, s:o, s:s, s:o}", "name", limit->name, "rate",
					json_of_u64(limit->rate), "period_us", json_of_u64(limit->period_us),
					"burst", json_of_u64(limit->burst), "action",
					limit->action == LIMIT_DEFER ? "defer" : "reject", "counter",
					json_of_span(span_of_str(counter_of(explaining, limit)))));
	}
	return limits;
}

static json_t *allowed_json(const struct allowed *allowed)
{
	if (!allowed->is_asked)
		return json_null();
	return json_pack("{s:b, s:o}", "allowed", allowed->is_allowed, "by", text_or_null(allowed->entry));
}

static void print_json(const struct explaining *explaining)
{
	const struct policy_decision *decision = &explaining->decision;
	const struct allowed sender = sender_of(explaining), recipient = recipient_of(explaining);
	json_t *value = json_pack("{s:o, s:s, s:o, s:o, s:b}", "version",
		json_of_u64(explaining->file.version.number), "verdict", verdict_name(decision->verdict),
		"rule", text_or_null(decision->rule ? decision->rule->name : NULL), "would_help",
		text_or_null(decision->hope ? decision->hope->name : NULL), "final", decision->open == 0);

	json_object_set_new(value, "steps", steps_json(explaining));
	json_object_set_new(value, "rules_of_other_networks", json_of_u64(explaining->elsewhere));
	json_object_set_new(value, "sender", allowed_json(&sender));
	json_object_set_new(value, "recipient", allowed_json(&recipient));
	json_object_set_new(value, "size_max", json_of_u64(decision->rule ? decision->rule->size_max : 0));
	json_object_set_new(value, "limits", limits_json(explaining));
	screen_print_json(value);
}

/* --- the command --------------------------------------------------------------------------------- */

static enum ctl_exit explain_text(struct explaining *explaining)
{
	struct buf out = { 0 };
	enum ctl_exit exit = CTL_OK;

	explaining->policy =
		policy_file_check(&explaining->file, explaining->path ? explaining->path : "policy");
	if (!explaining->policy)
		return CTL_NEGATIVE;
	policy_explain(explaining->policy, &explaining->who, on_step, explaining, &explaining->decision);
	if (explaining->is_json) {
		print_json(explaining);
	} else {
		print_text(explaining, &out);
		exit = screen_print(&out) ? CTL_OK : CTL_REFUSED;
	}
	buf_fini(&out);
	return exit;
}

static enum ctl_exit explain_current(struct session *session, void *arg)
{
	struct explaining *explaining = arg;
	enum ctl_exit exit = policy_file_load_current(&explaining->file, session);

	return exit ? exit : explain_text(explaining);
}

static bool read_address(struct explaining *explaining)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&explaining->address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)&explaining->address;

	if (!explaining->client)
		return false;
	if (inet_pton(AF_INET, explaining->client, &v4->sin_addr) == 1)
		explaining->address.ss_family = AF_INET;
	else if (inet_pton(AF_INET6, explaining->client, &v6->sin6_addr) == 1)
		explaining->address.ss_family = AF_INET6;
	else
		return false;
	return true;
}

static bool read_tls(struct explaining *explaining, struct buf *why)
{
	bool is_1_3 = explaining->tls_version && strcmp(explaining->tls_version, "1.3") == 0;

	if (explaining->tls_version && !is_1_3 && strcmp(explaining->tls_version, "1.2") != 0) {
		buf_append_str(why, "--tls-version is 1.2 or 1.3");
		return false;
	}
	if (explaining->tls_version || explaining->has_tls || explaining->subject || explaining->sha256)
		explaining->who.tls = is_1_3 || !explaining->tls_version ? POLICY_TLS_1_3 : POLICY_TLS_1_2;
	return true;
}

static void describe(struct explaining *explaining)
{
	struct policy_subject *who = &explaining->who;

	for (size_t i = 0; i < explaining->groups.count; i++)
		explaining->group_spans[i] = span_of_str(explaining->groups.items[i]);
	for (size_t i = 0; i < explaining->own.count; i++)
		explaining->own_spans[i] = span_of_str(explaining->own.items[i]);
	who->address = (const struct sockaddr *)(const void *)&explaining->address;
	who->listener = span_of_str(explaining->listener);
	who->cert_subject = span_of_str(explaining->subject);
	who->cert_sha256 = span_of_str(explaining->sha256);
	who->user = span_of_str(explaining->user);
	who->groups = explaining->group_spans;
	who->group_count = explaining->groups.count;
	who->addresses = explaining->own_spans;
	who->address_count = explaining->own.count;
	who->helo = span_of_str(explaining->helo);
	who->later = may_come(explaining);
}

static enum ctl_exit run(struct ctl_options *options, struct explaining *explaining)
{
	enum ctl_exit exit;

	if (!explaining->path)
		return session_run(options, explain_current, explaining);
	exit = policy_file_read(&explaining->file, explaining->path);
	return exit ? exit : explain_text(explaining);
}

enum ctl_exit cmd_explain(struct ctl_options *options, int argc, char **argv)
{
	struct explaining e = { .client = NULL };
	struct argument arguments[] = {
		{ .name = "json", .kind = ARGUMENT_FLAG, .to.flag = &options->is_json },
		{ .name = "client", .kind = ARGUMENT_TEXT, .to.text = &e.client },
		{ .name = "listener", .kind = ARGUMENT_TEXT, .to.text = &e.listener },
		{ .name = "user", .kind = ARGUMENT_TEXT, .to.text = &e.user },
		{ .name = "group", .kind = ARGUMENT_TEXTS, .to.texts = &e.groups },
		{ .name = "own", .kind = ARGUMENT_TEXTS, .to.texts = &e.own },
		{ .name = "helo", .kind = ARGUMENT_TEXT, .to.text = &e.helo },
		{ .name = "from", .kind = ARGUMENT_TEXT, .to.text = &e.from },
		{ .name = "to", .kind = ARGUMENT_TEXT, .to.text = &e.to },
		{ .name = "tls", .kind = ARGUMENT_FLAG, .to.flag = &e.has_tls },
		{ .name = "tls-version", .kind = ARGUMENT_TEXT, .to.text = &e.tls_version },
		{ .name = "certificate", .kind = ARGUMENT_TEXT, .to.text = &e.subject },
		{ .name = "sha256", .kind = ARGUMENT_TEXT, .to.text = &e.sha256 },
		{ .name = "file", .kind = ARGUMENT_TEXT, .to.text = &e.path },
	};
	struct buf why = { 0 };
	enum ctl_exit exit;

	if (!arguments_parse(argc, argv, arguments, ARRAY_LEN(arguments), NULL, &why) || !read_tls(&e, &why))
		return session_usage(&why);
	if (!read_address(&e)) {
		buf_append_str(&why, "explain --client ADDRESS: which client?");
		return session_usage(&why);
	}
	e.is_json = options->is_json;
	describe(&e);
	exit = run(options, &e);
	policy_free(&e.policy);
	policy_file_fini(&e.file);
	return exit;
}
