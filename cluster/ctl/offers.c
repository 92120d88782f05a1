#include "offers.h"

#include "policy_file.h"
#include "queue_walk.h"
#include "roster.h"
#include "secret_rows.h"
#include "user_store.h"

#include "skein/cluster/dkim_secret.h"
#include "skein/cluster/hop_store.h"

enum { DEADLINE_MS = 1000, MESSAGES_MAX = 50 };

struct offering {
	struct buf *out;
	const struct completion *completion;
	size_t messages;
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

static void offer_rules(struct session *session, struct offering *offering)
{
	struct policy_file file = { .version = { 0, 0 } };
	struct policy *policy = NULL;

	if (!policy_file_load_current(&file, session))
		policy = policy_file_check(&file, "policy");
	for (size_t i = 0; policy && i < policy_rule_count(policy); i++) {
		const struct policy_rule *rule = policy_rule(policy, i);

		offer(offering, span_of_str(rule->name), policy_effect_name(rule->effect));
	}
	policy_free(&policy);
	policy_file_fini(&file);
}

static void on_hops(void *arg, const struct outcome *outcome, const struct hop_changes *changes)
{
	for (size_t i = 0; outcome_is_ok(outcome) && i < changes->count; i++)
		offer(arg, changes->rows[i].label, hop_state_names[changes->rows[i].state]);
}

/* Domains are those of which keys are among the secrets. */
static void offer_secrets(struct session *session, struct offering *offering, bool domains)
{
	struct secret_rows rows;

	if (!secret_rows_load(&rows, session, false)) {
		for (size_t i = 0; i < rows.count; i++) {
			struct dkim_secret_name name;

			if (!domains)
				offer(offering, rows.rows[i].name, "");
			else if (dkim_secret_name_parse(rows.rows[i].name, &name))
				offer(offering, name.domain, "");
		}
	}
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
		offer_rules(session, offering);
		break;
	case WORD_HOP:
		(void)hop_store_board(session->link, 0, session_now_ms(), on_hops, offering);
		return session_finish(session);
	case WORD_SECRET:
	case WORD_DOMAIN:
		offer_secrets(session, offering, offering->completion->kind == WORD_DOMAIN);
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
