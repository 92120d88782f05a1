/* skeinctl queue retry, hold, release, cancel: one call for each id, and a line about what it did. */
#include "call.h"
#include "confirm.h"
#include "human.h"
#include "screen.h"
#include "session.h"
#include "skein/cluster/queue_view.h"
#include "skein/proto/base/alloc.h"
#include "track_act.h"

#include <stdio.h>

struct act {
	bool (*call)(
		struct redis_link *link, const struct msg_id *id, uint64_t now_ms, outcome_fn *fn, void *arg);
	bool deletes;     /* and asks before */
	bool looks_first; /* and leaves alone what is held or with a node */
	const char *done, *pending;
	enum track_kind kind; /* of the event that tells of it */
};

struct target {
	struct acting *acting;
	struct msg_id id;
	const char *result; /* a sentence's end */
	bool is_done;
	struct buf why_gone;
};

struct acting {
	const struct act *act;
	struct session *session;
	struct target *targets;
	size_t count;
	enum ctl_exit exit;
};

static void set_gone(struct target *target, const struct outcome *outcome)
{
	bool is_unknown = outcome->why == SETTLED_PENDING;

	buf_printf(&target->why_gone, "is not in the queue%s%s", is_unknown ? "" : ": it was ",
		is_unknown ? "" : settled_name(outcome->why));
	buf_append_byte(&target->why_gone, '\0');
	target->result = buf_span(&target->why_gone).ptr;
}

static void on_done(void *arg, const struct outcome *outcome)
{
	struct target *target = arg;
	enum ctl_exit failed = session_check(outcome, msg_id_format(&target->id).text);

	if (failed)
		target->acting->exit = failed;
	else if (outcome->kind == OUTCOME_GONE)
		set_gone(target, outcome);
	else
		target->result = outcome->kind == OUTCOME_PENDING ? target->acting->act->pending
								  : target->acting->act->done;
	target->is_done = !failed && outcome->kind != OUTCOME_GONE;
}

static void on_look(void *arg, const struct outcome *outcome, const struct queue_view_record *record)
{
	struct target *target = arg;
	struct acting *acting = target->acting;
	enum ctl_exit failed = session_check(outcome, msg_id_format(&target->id).text);

	if (failed) {
		acting->exit = failed;
	} else if (!record) {
		set_gone(target, outcome);
	} else if (record->state == QUEUE_HELD || record->state == QUEUE_QUARANTINED) {
		target->result = "is held: skeinctl queue release lets it go";
	} else if (record->state == QUEUE_OWNED) {
		target->result = acting->act->pending;
		target->is_done = true;
	} else {
		(void)acting->act->call(
			acting->session->link, &target->id, session_now_ms(), on_done, target);
	}
}

static void print_text(const struct acting *acting)
{
	for (size_t i = 0; i < acting->count; i++) {
		const struct target *target = &acting->targets[i];

		if (target->result)
			printf("%s %s\n", msg_id_format(&target->id).text, target->result);
	}
}

static void print_json(const struct acting *acting)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < acting->count; i++) {
		const struct target *target = &acting->targets[i];

		json_array_append_new(rows,
			json_pack("{s:s, s:b, s:s}", "id", msg_id_format(&target->id).text, "done",
				target->is_done, "result", target->result ? target->result : "unknown"));
	}
	screen_print_json(json_pack("{s:o}", "messages", rows));
}

static enum ctl_exit track(struct acting *acting)
{
	struct track_act *told = track_act_new(acting->act->kind);

	for (size_t i = 0; i < acting->count; i++) {
		if (acting->targets[i].is_done)
			track_act_add(told, &acting->targets[i].id, acting->targets[i].result);
	}
	track_act_send(&told, acting->session);
	return session_finish(acting->session);
}

static enum ctl_exit work(struct session *session, void *arg)
{
	struct acting *acting = arg;
	enum ctl_exit exit;

	acting->session = session;
	for (size_t i = 0; i < acting->count; i++) {
		struct target *target = &acting->targets[i];

		if (acting->act->looks_first)
			(void)queue_show(session->link, &target->id, session_now_ms(), on_look, target);
		else
			(void)acting->act->call(
				session->link, &target->id, session_now_ms(), on_done, target);
	}
	exit = session_finish(session);
	if (!exit)
		exit = track(acting);
	if (session->is_json)
		print_json(acting);
	else
		print_text(acting);
	if (!exit)
		exit = acting->exit;
	for (size_t i = 0; i < acting->count && !exit; i++)
		exit = acting->targets[i].is_done ? CTL_OK : CTL_NEGATIVE;
	return exit;
}

static bool parse_ids(struct acting *acting, const char **words, struct buf *why)
{
	for (size_t i = 0; i < acting->count; i++) {
		acting->targets[i].acting = acting;
		if (!msg_id_parse(span_of_str(words[i]), &acting->targets[i].id)) {
			buf_printf(why,
				"\"%s\" is no message id: 26 letters and digits, as queue list shows them",
				words[i]);
			return false;
		}
	}
	return true;
}

static enum ctl_exit ask(const struct ctl_options *options, size_t count)
{
	struct buf messages = { 0 };
	enum ctl_exit exit;

	human_count(&messages, count, "message");
	exit = confirm_ask(options, "%.*s will be deleted, and nobody is told: there is no way back.",
		SPAN_ARGS(buf_span(&messages)));
	buf_fini(&messages);
	return exit;
}

static enum ctl_exit act_on_ids(const struct act *act, struct ctl_options *options, const struct call *call)
{
	struct acting acting = { .act = act, .count = call->word_count };
	struct buf why = { 0 };
	enum ctl_exit exit = CTL_OK;

	acting.targets = mem_zalloc(acting.count * sizeof(*acting.targets));
	/* All are read before any is touched. */
	if (!parse_ids(&acting, call->words, &why))
		exit = session_usage(&why);
	else if (act->deletes)
		exit = ask(options, acting.count);
	if (!exit)
		exit = session_run(options, work, &acting);
	for (size_t i = 0; i < acting.count; i++)
		buf_fini(&acting.targets[i].why_gone);
	mem_free(acting.targets);
	return exit;
}

enum ctl_exit cmd_queue_retry(struct ctl_options *options, const struct call *call)
{
	static const struct act act = { .call = queue_release,
		.looks_first = true,
		.done = "is due now",
		.pending = "is being delivered at the moment",
		.kind = TRACK_RETRY };

	return act_on_ids(&act, options, call);
}

enum ctl_exit cmd_queue_hold(struct ctl_options *options, const struct call *call)
{
	static const struct act act = { .call = queue_hold,
		.done = "is held",
		.pending = "will be held when its node lets go",
		.kind = TRACK_HOLD };

	return act_on_ids(&act, options, call);
}

enum ctl_exit cmd_queue_release(struct ctl_options *options, const struct call *call)
{
	static const struct act act = { .call = queue_release,
		.done = "is released and due now",
		.pending = "is being delivered at the moment, and not held afterwards",
		.kind = TRACK_RELEASE };

	return act_on_ids(&act, options, call);
}

enum ctl_exit cmd_queue_cancel(struct ctl_options *options, const struct call *call)
{
	static const struct act act = { .call = queue_cancel,
		.deletes = true,
		.done = "is cancelled",
		.pending = "will be cancelled when its node lets go, unless it is delivered first",
		.kind = TRACK_CANCEL };

	return act_on_ids(&act, options, call);
}
