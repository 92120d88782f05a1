/* skeinctl acl add, remove, list: networks of rules, as edits of the policy's text. */
#include "acl_text.h"
#include "call.h"
#include "policy_file.h"
#include "screen.h"

#include <stdio.h>

struct acl {
	enum acl_edit edit;
	struct cidr network;
	struct call_texts rules;
	const char *comment;
	struct policy_file current;
	struct policy *policy;
};

static enum ctl_exit load(struct acl *acl, struct session *session)
{
	enum ctl_exit exit = policy_file_load_current(&acl->current, session);

	if (exit)
		return exit;
	acl->policy = policy_file_check(&acl->current, "policy");
	return acl->policy ? CTL_OK : CTL_NEGATIVE;
}

static void acl_fini(struct acl *acl)
{
	policy_free(&acl->policy);
	policy_file_fini(&acl->current);
}

static bool is_same(const struct cidr *a, const struct cidr *b)
{
	return a->is_v6 == b->is_v6 && a->prefix == b->prefix &&
	       memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

static bool has_network(const struct acl *acl, size_t rule)
{
	struct cidr_list networks = policy_rule_networks(acl->policy, rule);

	for (size_t i = 0; i < networks.count; i++)
		if (is_same(&networks.items[i], &acl->network))
			return true;
	return false;
}

/* --- which rule is meant ------------------------------------------------------------------------- */

/* Where nothing is said: one that lets networks in, or the one that has this network. */
static bool is_meant(const struct acl *acl, size_t number)
{
	const struct policy_rule *rule = policy_rule(acl->policy, number);

	if (!(rule->conditions & 1u << POLICY_NETWORK))
		return false;
	return acl->edit == ACL_ADD ? rule->effect == POLICY_EFFECT_ALLOW : has_network(acl, number);
}

static enum ctl_exit choose_rule(struct acl *acl)
{
	struct buf names = { 0 };
	size_t found = 0;

	if (acl->rules.count)
		return CTL_OK;
	for (size_t i = 0; i < policy_rule_count(acl->policy); i++) {
		if (!is_meant(acl, i))
			continue;
		acl->rules.items[0] = policy_rule(acl->policy, i)->name;
		buf_printf(&names, "%s%s", found++ ? ", " : "", acl->rules.items[0]);
	}
	acl->rules.count = found == 1;
	if (found > 1)
		session_complain("which rule? Say --rule with one of: %.*s", SPAN_ARGS(buf_span(&names)));
	else if (!found && acl->edit == ACL_ADD)
		session_complain("no rule allows networks: write one with skeinctl policy edit");
	else if (!found)
		session_complain("no rule has %s", cidr_format(&acl->network).text);
	buf_fini(&names);
	return found == 1 ? CTL_OK : CTL_NEGATIVE;
}

/* --- editing ------------------------------------------------------------------------------------- */

static enum ctl_exit edit_text(struct acl *acl, struct policy_file *edited)
{
	struct buf why = { 0 };

	buf_append(&edited->text, buf_span(&acl->current.text));
	for (size_t i = 0; i < acl->rules.count && !buf_len(&why); i++) {
		struct buf next = { 0 };

		if (acl_text_edit(buf_span(&edited->text), acl->edit, span_of_str(acl->rules.items[i]),
			    &acl->network, &next, &why)) {
			buf_fini(&edited->text);
			edited->text = next;
		} else {
			session_complain("%s: %.*s", acl->rules.items[i], SPAN_ARGS(buf_span(&why)));
		}
	}
	if (!buf_len(&why))
		return CTL_OK;
	buf_fini(&why);
	return CTL_NEGATIVE;
}

static size_t count_networks(const struct policy *policy)
{
	size_t count = 0;

	for (size_t i = 0; i < policy_rule_count(policy); i++)
		count += policy_rule_networks(policy, i).count;
	return count;
}

/* Text was edited; what it means must have changed by just that. */
static enum ctl_exit check_edited(const struct acl *acl, const struct policy_file *edited)
{
	struct policy *policy = policy_file_check(edited, "policy");
	size_t before = count_networks(acl->policy), after = policy ? count_networks(policy) : 0;
	bool is_right = policy && (acl->edit == ACL_ADD ? after == before + acl->rules.count
							: after + acl->rules.count == before);

	policy_free(&policy);
	if (!is_right)
		session_complain("the text is laid out in a way that this cannot edit: skeinctl policy edit");
	return is_right ? CTL_OK : CTL_NEGATIVE;
}

static enum ctl_exit change(struct session *session, void *arg)
{
	struct acl *acl = arg;
	struct policy_file edited = { .version = { 0, 0 } };
	enum ctl_exit exit = load(acl, session);

	if (!exit)
		exit = choose_rule(acl);
	if (!exit)
		exit = edit_text(acl, &edited);
	if (!exit)
		exit = check_edited(acl, &edited);
	if (!exit) {
		struct policy_change put = { acl->current.version.number, buf_span(&edited.text),
			acl->comment };

		exit = policy_file_put(session, &put);
	}
	policy_file_fini(&edited);
	acl_fini(acl);
	return exit;
}

static enum ctl_exit run(struct ctl_options *options, enum acl_edit edit, const struct call *call)
{
	struct acl acl = {
		.edit = edit, .rules = call_texts(call, "rule"), .comment = call_text(call, "message")
	};
	const char *network = call_word(call, 0);
	const char *fault = cidr_parse(span_of_str(network), &acl.network);
	struct buf why = { 0 };

	if (fault) {
		buf_printf(&why, "\"%s\" %s", network, fault);
		return session_usage(&why);
	}
	return session_run(options, change, &acl);
}

enum ctl_exit cmd_acl_add(struct ctl_options *options, const struct call *call)
{
	return run(options, ACL_ADD, call);
}

enum ctl_exit cmd_acl_remove(struct ctl_options *options, const struct call *call)
{
	return run(options, ACL_REMOVE, call);
}

/* --- list ---------------------------------------------------------------------------------------- */

static void print_rows(const struct policy *policy)
{
	static const struct grid_column columns[] = { { .title = "NETWORK" }, { .title = "RULE" },
		{ .title = "EFFECT" }, { .title = "ALSO ASKS" } };
	struct grid grid;

	grid_init(&grid, columns, ARRAY_LEN(columns));
	for (size_t i = 0; i < policy_rule_count(policy); i++) {
		const struct policy_rule *rule = policy_rule(policy, i);
		struct cidr_list networks = policy_rule_networks(policy, i);

		for (size_t k = 0; k < networks.count; k++) {
			struct buf also = { 0 };

			for (enum policy_condition c = POLICY_NETWORK + 1; c < POLICY_CONDITIONS; c++)
				if (rule->conditions & 1u << c)
					buf_printf(&also, "%s%s", buf_len(&also) ? ", " : "",
						policy_condition_name(c));
			grid_printf(&grid, TINT_NONE, "%s", cidr_format(&networks.items[k]).text);
			grid_printf(&grid, TINT_NONE, "%s", rule->name);
			grid_printf(&grid, rule->effect == POLICY_EFFECT_DENY ? TINT_BAD : TINT_GOOD, "%s",
				policy_effect_name(rule->effect));
			grid_add(&grid, buf_span(&also), TINT_NONE);
			buf_fini(&also);
		}
	}
	screen_print_grid(&grid);
}

static json_t *rows_json(const struct policy *policy)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < policy_rule_count(policy); i++) {
		const struct policy_rule *rule = policy_rule(policy, i);
		struct cidr_list networks = policy_rule_networks(policy, i);

		for (size_t k = 0; k < networks.count; k++)
			json_array_append_new(rows,
				json_pack("{s:s, s:s, s:s}", "network", cidr_format(&networks.items[k]).text,
					"rule", rule->name, "effect", policy_effect_name(rule->effect)));
	}
	return rows;
}

static enum ctl_exit list(struct session *session, void *arg)
{
	struct acl *acl = arg;
	enum ctl_exit exit = load(acl, session);

	if (!exit && session->is_json)
		screen_print_json(rows_json(acl->policy));
	else if (!exit)
		print_rows(acl->policy);
	acl_fini(acl);
	return exit;
}

enum ctl_exit cmd_acl_list(struct ctl_options *options, const struct call *call)
{
	struct acl acl = { .policy = NULL };

	(void)call;
	return session_run(options, list, &acl);
}
