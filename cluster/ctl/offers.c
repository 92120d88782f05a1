#include "offers.h"

#include "policy_file.h"
#include "queue_walk.h"
#include "roster.h"
#include "secret_rows.h"
#include "user_store.h"

#include "skein/cluster/abuse_store.h"
#include "skein/cluster/dkim_secret.h"
#include "skein/cluster/hop_store.h"

enum { DEADLINE_MS = 1000, MESSAGES_MAX = 50, NETWORKS_MAX = 200 };

struct offering {
	struct buf *out;
	const struct completion *completion;
	size_t messages, networks;
};

static void offer(struct offering *offering, struct span candidate, const char *what)
{
	completion_offer(offering->out, offering->completion, candidate, what);
}

static void offer_nodes(struct session *session, struct offering *offering)
{
	struct roster roster = { .count = 0 };

	if (!roster_load(&roster, session))
		for (size_t i = 0; i < roster.count; i++)
			if (roster.nodes[i].state != NODE_FORGOTTEN)
				offer(offering, roster.nodes[i].name,
					roster_state_name(roster.nodes[i].state));
	roster_fini(&roster);
}

static bool take_message(void *arg, const struct queue_view_record *record)
{
	struct offering *offering = arg;

	offer(offering, span_of_str(msg_id_format(&record->record.id).text), queue_state_name(record->state));
	return ++offering->messages < MESSAGES_MAX;
}

static void on_history(void *arg, const struct outcome *outcome, const struct policy_history *history)
{
	struct offering *offering = arg;

	for (size_t i = 0; outcome_is_ok(outcome) && i < history->count; i++) {
		struct buf number = { 0 }, when = { 0 };

		buf_append_u64(&number, history->notes[i].version.number);
		policy_file_print_time(&when, history->notes[i].version.at_ms);
		buf_append_byte(&when, '\0');
		offer(offering, buf_span(&number), buf_span(&when).ptr);
		buf_fini(&number);
		buf_fini(&when);
	}
}

/* --- of the policy ------------------------------------------------------------------------------- */

static void offer_networks(struct offering *offering, const struct policy *policy, size_t rule)
{
	struct cidr_list networks = policy_rule_networks(policy, rule);

	for (size_t i = 0; i < networks.count && offering->networks++ < NETWORKS_MAX; i++)
		offer(offering, span_of_str(cidr_format(&networks.items[i]).text),
			policy_rule(policy, rule)->name);
}

static void offer_rules(struct offering *offering, const struct policy *policy)
{
	for (size_t i = 0; i < policy_rule_count(policy); i++) {
		const struct policy_rule *rule = policy_rule(policy, i);

		if (offering->completion->kind == WORD_NETWORK)
			offer_networks(offering, policy, i);
		else
			offer(offering, span_of_str(rule->name), policy_effect_name(rule->effect));
	}
}

static void offer_channels(struct offering *offering, const struct alert_policy *alerts)
{
	for (size_t i = 0; i < alerts->channel_count; i++)
		offer(offering, span_of_str(alerts->channels[i].name), "");
}

static void offer_groups(struct offering *offering, struct text_list groups)
{
	for (size_t i = 0; i < groups.count; i++)
		offer(offering, span_of_str(groups.items[i]), "");
}

static void offer_from_policy(struct session *session, struct offering *offering)
{
	struct policy_file file = { .version = { 0, 0 } };
	struct policy *policy = NULL;

	if (!policy_file_load_current(&file, session))
		policy = policy_file_check(&file, "policy");
	if (policy && offering->completion->kind == WORD_CHANNEL)
		offer_channels(offering, policy_alerts(policy));
	else if (policy && offering->completion->kind == WORD_GROUP)
		offer_groups(offering, policy_groups(policy));
	else if (policy)
		offer_rules(offering, policy);
	policy_free(&policy);
	policy_file_fini(&file);
}

/* --- others -------------------------------------------------------------------------------------- */

static void on_hops(void *arg, const struct outcome *outcome, const struct hop_changes *changes)
{
	for (size_t i = 0; outcome_is_ok(outcome) && i < changes->count; i++)
		offer(arg, changes->rows[i].label, hop_state_names[changes->rows[i].state]);
}

static void on_bans(void *arg, const struct outcome *outcome, const struct ban_changes *changes)
{
	for (size_t i = 0; outcome_is_ok(outcome) && i < changes->count; i++) {
		char network[NETWORK_TEXT_LEN + 1];

		network_format(&changes->bans[i].network, network);
		offer(arg, span_of_str(network), "");
	}
}

static void offer_selector(struct offering *offering, const struct dkim_secret_name *name)
{
	const struct call *call = &offering->completion->call;
	struct buf full = { 0 };

	buf_printf(&full, "%.*s@%.*s", SPAN_ARGS(name->selector), SPAN_ARGS(name->domain));
	if (!call->word_count)
		offer(offering, buf_span(&full), "");
	else if (span_eq_nocase(name->domain, span_of_str(call->words[0])))
		offer(offering, name->selector, "");
	buf_fini(&full);
}

/* Domains and selectors are those of which keys are among the secrets. */
static void offer_secret(struct offering *offering, struct span secret)
{
	struct dkim_secret_name name;

	if (offering->completion->kind == WORD_SECRET)
		offer(offering, secret, "");
	else if (!dkim_secret_name_parse(secret, &name))
		return;
	else if (offering->completion->kind == WORD_DOMAIN)
		offer(offering, name.domain, "");
	else
		offer_selector(offering, &name);
}

static void offer_secrets(struct session *session, struct offering *offering)
{
	struct secret_rows rows;

	if (!secret_rows_load(&rows, session, false))
		for (size_t i = 0; i < rows.count; i++)
			offer_secret(offering, rows.rows[i].name);
	secret_rows_fini(&rows);
}

static enum ctl_exit offer_from_cluster(struct session *session, void *arg)
{
	struct offering *offering = arg;

	switch (offering->completion->kind) {
	case WORD_NODE:
		offer_nodes(session, offering);
		break;
	case WORD_MESSAGE:
		return queue_walk(session, NULL, take_message, offering);
	case WORD_VERSION:
	case WORD_VERSION_OR_FILE:
		(void)policy_history(session->link, session_now_ms(), on_history, offering);
		return session_finish(session);
	case WORD_RULE:
	case WORD_CHANNEL:
	case WORD_NETWORK:
	case WORD_GROUP:
		offer_from_policy(session, offering);
		break;
	case WORD_HOP:
		(void)hop_store_board(session->link, 0, session_now_ms(), on_hops, offering);
		return session_finish(session);
	case WORD_BAN:
		(void)abuse_store_bans(session->link, 0, session_now_ms(), on_bans, offering);
		return session_finish(session);
	case WORD_SECRET:
	case WORD_DOMAIN:
	case WORD_SELECTOR:
		offer_secrets(session, offering);
		break;
	default:
		break;
	}
	return CTL_OK;
}

static void offer_users(const struct ctl_options *options, struct offering *offering)
{
	struct user_file *file = NULL;
	const struct user_record *record;
	struct buf why = { 0 };
	size_t cursor = 0;

	if (options->users_file && user_store_read(options->users_file, &file, &why) == ERR_OK)
		while ((record = user_file_next(file, &cursor)))
			offer(offering, span_of_str(record->name), "");
	buf_fini(&why);
	user_file_free(&file);
}

void offers_append(struct buf *out, struct completion *completion)
{
	struct offering offering = { .out = out, .completion = completion };
	struct ctl_options options;
	struct session session;
	struct buf why = { 0 };

	if (completion->what != COMPLETE_VALUE || completion->kind < WORD_NODE || !completion->call.command)
		return;
	if (!options_take(&options, &completion->call, &why) ||
		(completion->kind != WORD_USER && !options_finish(&options, &why))) {
		buf_fini(&why);
	} else if (completion->kind == WORD_USER) {
		offer_users(&options, &offering);
	} else {
		options.deadline_ms = DEADLINE_MS;
		if (!session_open(&session, &options)) {
			(void)offer_from_cluster(&session, &offering);
			session_close(&session);
		}
	}
	options_fini(&options);
}
