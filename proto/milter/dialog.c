#include "skein/proto/milter/dialog.h"

#include "milter/dialog_internal.h"
#include "skein/proto/base/alloc.h"

enum {
	ACTIONS = MILTER_MAY_ADD_HEADERS | MILTER_MAY_ADD_RCPT | MILTER_MAY_DELETE_RCPT |
		  MILTER_MAY_CHANGE_HEADERS | MILTER_MAY_QUARANTINE | MILTER_MAY_CHANGE_FROM |
		  MILTER_MAY_ADD_RCPT_PAR,
	STEPS = MILTER_NO_CONNECT | MILTER_NO_HELO | MILTER_NO_MAIL | MILTER_NO_RCPT | MILTER_NO_BODY |
		MILTER_NO_HEADERS | MILTER_NO_END_OF_HEADERS | MILTER_NO_DATA | MILTER_NO_UNKNOWN |
		MILTER_MAY_SKIP | MILTER_MUTE_CONNECT | MILTER_MUTE_HELO | MILTER_MUTE_MAIL |
		MILTER_MUTE_RCPT | MILTER_MUTE_DATA | MILTER_MUTE_UNKNOWN | MILTER_MUTE_HEADER |
		MILTER_MUTE_END_OF_HEADERS | MILTER_MUTE_BODY | MILTER_LEADING_SPACE,
};

struct milter_dialog *milter_dialog_new(const struct milter_facts *facts, struct header_list *list)
{
	struct milter_dialog *dialog = mem_zalloc(sizeof(*dialog));

	dialog->facts = facts;
	dialog->list = list;
	dialog->is_waiting = true;
	dialog->is_removed = arena_zalloc(&dialog->arena, facts->envelope->recipient_count);
	dialog->result.is_removed = dialog->is_removed;
	milter_put_negotiation(&dialog->out, MILTER_VERSION, ACTIONS, STEPS);
	return dialog;
}

void milter_dialog_free(struct milter_dialog **dialog_ptr)
{
	struct milter_dialog *dialog = *dialog_ptr;

	*dialog_ptr = NULL;
	if (!dialog)
		return;
	if (dialog->is_list_saved && dialog->stage != MILTER_STAGE_OVER)
		header_list_restore(dialog->list);
	buf_fini(&dialog->in);
	buf_fini(&dialog->out);
	buf_fini(&dialog->reply.text);
	mem_free(dialog->added);
	arena_fini(&dialog->arena);
	mem_free(dialog);
}

struct buf *milter_dialog_output(struct milter_dialog *dialog)
{
	return &dialog->out;
}

const struct milter_result *milter_dialog_result(const struct milter_dialog *dialog)
{
	CHECK(dialog->stage == MILTER_STAGE_OVER);
	return &dialog->result;
}

/* --- the end ------------------------------------------------------------------------------------ */

static void finish(struct milter_dialog *dialog, enum milter_outcome outcome)
{
	const struct milter_result *result = &dialog->result;

	if (outcome == MILTER_ACCEPTED && !result->added_count &&
		result->removed_count == dialog->facts->envelope->recipient_count)
		outcome = MILTER_DISCARDED; /* there is nobody left */
	dialog->result.outcome = outcome;
	dialog->stage = MILTER_STAGE_OVER;
	milter_put(&dialog->out, MILTER_QUIT, NULL, 0);
}

static void fail(struct milter_dialog *dialog, const char *why)
{
	if (dialog->is_list_saved)
		header_list_restore(dialog->list);
	dialog->result.why = why;
	finish(dialog, MILTER_FAILED);
}

/* RFC 3463 3.8: delivery not authorized, message refused. */
static void refuse(struct milter_dialog *dialog, bool is_temporary)
{
	static const struct smtp_reply replies[] = {
		{ 550, "5.7.1", SPAN_LIT("The message was refused") },
		{ 451, "4.7.1", SPAN_LIT("The message cannot be taken now, try again later") },
	};

	dialog->result.reply = replies[is_temporary];
	finish(dialog, MILTER_REFUSED);
}

static void refuse_with(struct milter_dialog *dialog, struct span text)
{
	if (!milter_reply_parse(text, &dialog->reply)) {
		fail(dialog, "it gave a reply that is no refusal");
		return;
	}
	dialog->result.reply = (struct smtp_reply){ dialog->reply.code, dialog->reply.enhanced,
		buf_span(&dialog->reply.text) };
	finish(dialog, MILTER_REFUSED);
}

void milter_dialog_body(struct milter_dialog *dialog, struct span piece, bool is_last)
{
	CHECK(dialog->stage == MILTER_STAGE_BODY && !dialog->has_body);
	dialog->body = piece;
	dialog->has_body = true;
	dialog->is_last = is_last;
}

/* --- what it answers ---------------------------------------------------------------------------- */

static void on_negotiation(struct milter_dialog *dialog, const struct milter_answer *answer)
{
	if (answer->kind != MILTER_ANSWER_NEGOTIATE) {
		fail(dialog, "it did not answer the negotiation");
		return;
	}
	if (answer->version < MILTER_VERSION_MIN || answer->version > MILTER_VERSION) {
		fail(dialog, "it speaks another version of the protocol");
		return;
	}
	/* Some ask for all that there is, whatever is offered. */
	dialog->version = answer->version;
	dialog->actions = answer->actions & ACTIONS;
	dialog->steps = answer->steps & STEPS;
	milter_dialog_enter_next_stage(dialog);
}

static void on_change(struct milter_dialog *dialog, const struct milter_answer *answer)
{
	const char *why;

	if (dialog->stage != MILTER_STAGE_END_OF_BODY ||
		!(dialog->actions & milter_action_of(answer->kind))) {
		fail(dialog, "it changed what it may not change, or too early");
		return;
	}
	why = milter_dialog_change(dialog, answer);
	if (why)
		fail(dialog, why);
}

static void on_skip(struct milter_dialog *dialog)
{
	if (dialog->stage == MILTER_STAGE_END_OF_BODY) {
		fail(dialog, "it skipped the end");
		return;
	}
	dialog->is_waiting = false;
	dialog->has_body = false;
	milter_dialog_enter_next_stage(dialog);
}

static void on_continue(struct milter_dialog *dialog)
{
	if (dialog->stage == MILTER_STAGE_END_OF_BODY)
		finish(dialog, MILTER_ACCEPTED);
	else
		dialog->is_waiting = false;
}

static void on_verdict(struct milter_dialog *dialog, const struct milter_answer *answer)
{
	switch (answer->kind) {
	case MILTER_ANSWER_CONTINUE:
		on_continue(dialog);
		break;
	case MILTER_ANSWER_ACCEPT:
		finish(dialog, MILTER_ACCEPTED);
		break;
	case MILTER_ANSWER_REJECT:
	case MILTER_ANSWER_TEMPFAIL:
		refuse(dialog, answer->kind == MILTER_ANSWER_TEMPFAIL);
		break;
	case MILTER_ANSWER_DISCARD:
		finish(dialog, MILTER_DISCARDED);
		break;
	case MILTER_ANSWER_REPLY:
		refuse_with(dialog, answer->texts[0]);
		break;
	case MILTER_ANSWER_SKIP:
		on_skip(dialog);
		break;
	case MILTER_ANSWER_NEGOTIATE:
		fail(dialog, "it negotiated twice");
		break;
	default:
		on_change(dialog, answer);
	}
}

static void on_answer(struct milter_dialog *dialog, const struct milter_answer *answer)
{
	if (!dialog->is_waiting) {
		fail(dialog, "it answered what it was not asked");
	} else if (dialog->stage == MILTER_STAGE_NEGOTIATE) {
		on_negotiation(dialog, answer);
		dialog->is_waiting = false;
	} else {
		on_verdict(dialog, answer);
	}
}

/* False: there is no whole one yet. */
static bool take_answer(struct milter_dialog *dialog, struct span *in, bool *is_progress_out)
{
	struct milter_answer answer = { .number = 0 };
	size_t consumed = 0;
	enum parse_result parsed;

	buf_append(&dialog->in, *in);
	*in = span_drop(*in, in->len);
	parsed = milter_answer_parse(buf_span(&dialog->in), &answer, &consumed);
	if (parsed == PARSE_MORE)
		return false;
	*is_progress_out = parsed == PARSE_DONE &&
			   (answer.kind == MILTER_ANSWER_PROGRESS || milter_action_of(answer.kind));
	if (parsed == PARSE_BAD)
		fail(dialog, "its answer is malformed");
	else if (answer.kind != MILTER_ANSWER_PROGRESS)
		on_answer(dialog, &answer);
	buf_consume(&dialog->in, consumed);
	return true;
}

enum milter_event milter_dialog_next(struct milter_dialog *dialog, struct span *in)
{
	bool is_progress = false;

	while (dialog->stage != MILTER_STAGE_OVER) {
		bool wants_body = !milter_dialog_tell(dialog);

		if (take_answer(dialog, in, &is_progress)) {
			if (is_progress)
				return MILTER_PROGRESSES;
			continue;
		}
		return wants_body ? MILTER_WANTS_BODY : MILTER_WANTS_INPUT;
	}
	return MILTER_ENDED;
}
