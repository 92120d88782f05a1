#include "milter/dialog_internal.h"
#include "skein/proto/base/alloc.h"

/* "<a@b>", or without the brackets. False: it is not to be used. */
static bool take_address(const struct milter_dialog *dialog, struct span text, struct span *addr_out)
{
	if (text.len >= 2 && text.ptr[0] == '<' && text.ptr[text.len - 1] == '>')
		text = span_drop(span_take(text, text.len - 1), 1);
	*addr_out = text;
	return envelope_addr_is_safe(text, dialog->facts->envelope->smtputf8);
}

static void set_removed(struct milter_dialog *dialog, size_t recipient, bool is_removed)
{
	dialog->result.removed_count += (size_t)is_removed;
	dialog->result.removed_count -= (size_t)dialog->is_removed[recipient];
	dialog->is_removed[recipient] = is_removed;
}

/* NULL, or what is wrong. */
static const char *add_recipient(struct milter_dialog *dialog, struct span text)
{
	const struct envelope *envelope = dialog->facts->envelope;
	struct milter_result *result = &dialog->result;
	struct span addr;
	bool is_there = false;

	if (!take_address(dialog, text, &addr))
		return "it added a recipient that is no address";
	for (size_t i = 0; i < envelope->recipient_count; i++) {
		if (!span_eq_nocase(envelope->recipients[i].addr, addr))
			continue;
		set_removed(dialog, i, false);
		is_there = true;
	}
	for (size_t i = 0; i < result->added_count && !is_there; i++)
		is_there = span_eq_nocase(dialog->added[i], addr);
	if (is_there)
		return NULL;
	if (envelope->recipient_count + result->added_count >= ENVELOPE_RECIPIENTS_MAX)
		return "it added too many recipients";
	if (result->added_count == dialog->added_cap) {
		dialog->added_cap = dialog->added_cap ? dialog->added_cap * 2 : 8;
		dialog->added = mem_realloc(dialog->added, dialog->added_cap * sizeof(*dialog->added));
		result->added = dialog->added;
	}
	dialog->added[result->added_count++] = arena_dup(&dialog->arena, addr);
	return NULL;
}

static void delete_recipient(struct milter_dialog *dialog, struct span text)
{
	const struct envelope *envelope = dialog->facts->envelope;
	struct milter_result *result = &dialog->result;
	struct span addr;

	(void)take_address(dialog, text, &addr);
	for (size_t i = 0; i < envelope->recipient_count; i++) {
		if (span_eq_nocase(envelope->recipients[i].addr, addr))
			set_removed(dialog, i, true);
	}
	for (size_t i = 0; i < result->added_count; i++) {
		if (span_eq_nocase(dialog->added[i], addr))
			dialog->added[i--] = dialog->added[--result->added_count];
	}
}

static const char *change_sender(struct milter_dialog *dialog, struct span text)
{
	struct span addr;

	if (!take_address(dialog, text, &addr) && addr.len)
		return "it changed the sender to what is no address";
	dialog->result.has_sender = true;
	dialog->result.sender = arena_dup(&dialog->arena, addr);
	return NULL;
}

/* Behind the colon stands what the filter gave, or a space before it, as it was agreed upon. */
static struct span value_of(const struct milter_dialog *dialog, struct span text, struct buf *buf)
{
	if (dialog->steps & MILTER_LEADING_SPACE || !text.len)
		return text;
	buf_append_byte(buf, ' ');
	buf_append(buf, text);
	return buf_span(buf);
}

static const char *change_list(struct milter_dialog *dialog, const struct milter_answer *answer)
{
	struct buf spaced = { 0 };
	struct span name = answer->texts[0], value = value_of(dialog, answer->texts[1], &spaced);
	bool is_good;

	if (answer->kind == MILTER_ANSWER_ADD_HEADER)
		is_good = header_list_append(dialog->list, name, value);
	else if (answer->kind == MILTER_ANSWER_INSERT_HEADER)
		is_good = header_list_insert(dialog->list, answer->number, name, value);
	else
		is_good = header_list_change(dialog->list, name, answer->number, value);
	buf_fini(&spaced);
	return is_good ? NULL : "its changes to the header are too many, or to what is no field";
}

uint32_t milter_action_of(enum milter_answer_kind kind)
{
	switch (kind) {
	case MILTER_ANSWER_ADD_HEADER:
	case MILTER_ANSWER_INSERT_HEADER:
		return MILTER_MAY_ADD_HEADERS;
	case MILTER_ANSWER_CHANGE_HEADER:
		return MILTER_MAY_CHANGE_HEADERS;
	case MILTER_ANSWER_ADD_RCPT:
		return MILTER_MAY_ADD_RCPT | MILTER_MAY_ADD_RCPT_PAR;
	case MILTER_ANSWER_DELETE_RCPT:
		return MILTER_MAY_DELETE_RCPT;
	case MILTER_ANSWER_CHANGE_FROM:
		return MILTER_MAY_CHANGE_FROM;
	case MILTER_ANSWER_QUARANTINE:
		return MILTER_MAY_QUARANTINE;
	default:
		return 0;
	}
}

const char *milter_dialog_change(struct milter_dialog *dialog, const struct milter_answer *answer)
{
	switch (answer->kind) {
	case MILTER_ANSWER_ADD_RCPT:
		return add_recipient(dialog, answer->texts[0]);
	case MILTER_ANSWER_DELETE_RCPT:
		delete_recipient(dialog, answer->texts[0]);
		return NULL;
	case MILTER_ANSWER_CHANGE_FROM:
		return change_sender(dialog, answer->texts[0]);
	case MILTER_ANSWER_QUARANTINE:
		dialog->result.is_quarantined = true;
		dialog->result.quarantine_reason = arena_dup(&dialog->arena, answer->texts[0]);
		return NULL;
	default:
		return change_list(dialog, answer);
	}
}
