#include "skein/proto/milter/dialog.h"

#include "skein/proto/base/alloc.h"
#include "skein/proto/milter/frame.h"

#include <stdio.h>

/* In the order in which they are gone through. */
enum stage {
	STAGE_NEGOTIATE,
	STAGE_CONNECT,
	STAGE_HELO,
	STAGE_MAIL,
	STAGE_RCPT,
	STAGE_DATA,
	STAGE_HEADERS,
	STAGE_END_OF_HEADERS,
	STAGE_BODY,
	STAGE_END_OF_BODY,
	STAGE_OVER,
};

enum {
	ACTIONS = MILTER_MAY_ADD_HEADERS | MILTER_MAY_ADD_RCPT | MILTER_MAY_DELETE_RCPT |
		  MILTER_MAY_CHANGE_HEADERS | MILTER_MAY_QUARANTINE | MILTER_MAY_CHANGE_FROM |
		  MILTER_MAY_ADD_RCPT_PAR,
	STEPS = MILTER_NO_CONNECT | MILTER_NO_HELO | MILTER_NO_MAIL | MILTER_NO_RCPT | MILTER_NO_BODY |
		MILTER_NO_HEADERS | MILTER_NO_END_OF_HEADERS | MILTER_NO_DATA | MILTER_NO_UNKNOWN |
		MILTER_MAY_SKIP | MILTER_MUTE_CONNECT | MILTER_MUTE_HELO | MILTER_MUTE_MAIL |
		MILTER_MUTE_RCPT | MILTER_MUTE_DATA | MILTER_MUTE_UNKNOWN | MILTER_MUTE_HEADER |
		MILTER_MUTE_END_OF_HEADERS | MILTER_MUTE_BODY | MILTER_LEADING_SPACE,
	DATA_VERSION_MIN = 4, /* before, filters did not know DATA */
	BRACKETED_MAX = ENVELOPE_ADDR_MAX + 3,
};

struct milter_dialog {
	const struct milter_facts *facts;
	struct header_list *list;
	enum stage stage;
	bool is_waiting;                  /* for the answer to what was sent last */
	size_t at;                        /* of what the stage sends: recipients, fields */
	uint32_t version, actions, steps; /* as agreed upon */
	struct span body;
	bool has_body, is_last; /* a piece is there; no other follows it */
	bool is_list_saved;
	struct buf in, out;
	struct milter_result result;
	struct milter_reply reply;
	struct span *added;
	size_t added_cap;
	bool *is_removed;
	struct arena arena;
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
	if (dialog->is_list_saved && dialog->stage != STAGE_OVER)
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
	CHECK(dialog->stage == STAGE_OVER);
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
	dialog->stage = STAGE_OVER;
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

/* --- what is told ------------------------------------------------------------------------------- */

enum sending {
	SENDING_ONE,  /* of what the stage has to say */
	SENDING_DONE, /* nothing is left of it */
	SENDING_LATER,
};

static bool is_first(struct milter_dialog *dialog)
{
	return !dialog->at++;
}

static struct span bracketed(struct span addr, char text[BRACKETED_MAX])
{
	return span_of(text, (size_t)snprintf(text, BRACKETED_MAX, "<%.*s>", SPAN_ARGS(addr)));
}

static void put_client_macros(struct milter_dialog *dialog)
{
	const struct milter_facts *facts = dialog->facts;
	struct span name = facts->client_name.len ? facts->client_name : SPAN_LIT("unknown");
	char port[8];
	const struct milter_macro macros[] = {
		{ "j", facts->hostname },
		{ "{daemon_name}", facts->hostname }, /* as Postfix has it: rspamd names itself by it */
		{ "v", facts->software },
		{ "{client_addr}", facts->envelope->client_ip },
		{ "{client_port}", span_of(port, (size_t)snprintf(port, sizeof(port), "%u",
							 (unsigned)facts->client_port)) },
		{ "{client_name}", name },
		{ "{client_ptr}", name },
	};

	milter_put_macros(&dialog->out, MILTER_CONNECT, macros, ARRAY_LEN(macros));
}

static enum sending send_connect(struct milter_dialog *dialog)
{
	const struct milter_facts *facts = dialog->facts;
	struct span addr = facts->envelope->client_ip, name = facts->client_name;
	char literal[ENVELOPE_NAME_MAX + 3];

	if (!is_first(dialog))
		return SENDING_DONE;
	if (!name.len) {
		snprintf(literal, sizeof(literal), "[%.*s]", SPAN_ARGS(addr));
		name = span_of_str(addr.len ? literal : "localhost");
	}
	put_client_macros(dialog);
	milter_put_connect(&dialog->out, name, addr, facts->client_port);
	return SENDING_ONE;
}

static enum sending send_helo(struct milter_dialog *dialog)
{
	const struct milter_facts *facts = dialog->facts;
	const struct milter_macro macros[] = {
		{ "{tls_version}", facts->tls_version },
		{ "{cipher}", facts->cipher },
	};

	if (!is_first(dialog) || !facts->envelope->helo.len)
		return SENDING_DONE;
	milter_put_macros(&dialog->out, MILTER_HELO, macros, ARRAY_LEN(macros));
	milter_put(&dialog->out, MILTER_HELO, &facts->envelope->helo, 1);
	return SENDING_ONE;
}

static enum sending send_mail(struct milter_dialog *dialog)
{
	const struct envelope *envelope = dialog->facts->envelope;
	const struct milter_macro macros[] = {
		{ "i", envelope->origin_id },
		{ "{mail_addr}", envelope->sender },
		{ "{auth_authen}", envelope->user },
		{ "{auth_type}", dialog->facts->auth_type },
	};
	char text[BRACKETED_MAX], size[32];
	struct span words[4] = { bracketed(envelope->sender, text) };
	size_t count = 1;

	if (!is_first(dialog))
		return SENDING_DONE;
	if (envelope->size_declared) {
		snprintf(size, sizeof(size), "SIZE=%llu", (unsigned long long)envelope->size_declared);
		words[count++] = span_of_str(size);
	}
	if (envelope->has_8bit)
		words[count++] = SPAN_LIT("BODY=8BITMIME");
	if (envelope->smtputf8)
		words[count++] = SPAN_LIT("SMTPUTF8");
	milter_put_macros(&dialog->out, MILTER_MAIL, macros, ARRAY_LEN(macros));
	milter_put(&dialog->out, MILTER_MAIL, words, count);
	return SENDING_ONE;
}

static enum sending send_rcpt(struct milter_dialog *dialog)
{
	const struct envelope *envelope = dialog->facts->envelope;
	char text[BRACKETED_MAX];
	struct span addr, word;

	if (dialog->at == envelope->recipient_count)
		return SENDING_DONE;
	addr = envelope->recipients[dialog->at++].addr;
	word = bracketed(addr, text);
	milter_put_macros(&dialog->out, MILTER_RCPT,
		(const struct milter_macro[]){ { "i", envelope->origin_id }, { "{rcpt_addr}", addr } }, 2);
	milter_put(&dialog->out, MILTER_RCPT, &word, 1);
	return SENDING_ONE;
}

/* With the macros that go with every later command. */
static void put_alone(struct milter_dialog *dialog, enum milter_command command)
{
	const struct milter_macro id = { "i", dialog->facts->envelope->origin_id };

	milter_put_macros(&dialog->out, command, &id, 1);
	milter_put(&dialog->out, command, NULL, 0);
}

static enum sending send_data(struct milter_dialog *dialog)
{
	if (!is_first(dialog) || dialog->version < DATA_VERSION_MIN)
		return SENDING_DONE;
	put_alone(dialog, MILTER_DATA);
	return SENDING_ONE;
}

/* Filters know folds by LF alone. */
static void put_header(struct milter_dialog *dialog, struct span name, struct span value)
{
	struct buf text = { 0 };
	struct span words[2] = { name };

	if (!(dialog->steps & MILTER_LEADING_SPACE) && value.len && value.ptr[0] == ' ')
		value = span_drop(value, 1);
	for (size_t i = 0; i < value.len; i++) {
		if (value.ptr[i] != '\r' || i + 1 == value.len || value.ptr[i + 1] != '\n')
			buf_append_byte(&text, value.ptr[i]);
	}
	words[1] = buf_span(&text);
	milter_put(&dialog->out, MILTER_HEADER, words, 2);
	buf_fini(&text);
}

static enum sending send_headers(struct milter_dialog *dialog)
{
	struct span name, value;

	while (dialog->at < header_list_count(dialog->list)) {
		if (header_list_get(dialog->list, dialog->at++, &name, &value)) {
			put_header(dialog, name, value);
			return SENDING_ONE;
		}
	}
	return SENDING_DONE;
}

static enum sending send_end_of_headers(struct milter_dialog *dialog)
{
	if (!is_first(dialog))
		return SENDING_DONE;
	put_alone(dialog, MILTER_END_OF_HEADERS);
	return SENDING_ONE;
}

static enum sending send_body(struct milter_dialog *dialog)
{
	size_t len = dialog->body.len < MILTER_DATA_MAX ? dialog->body.len : MILTER_DATA_MAX;

	if (!dialog->has_body)
		return SENDING_LATER;
	if (!len) {
		dialog->has_body = false;
		return dialog->is_last ? SENDING_DONE : SENDING_LATER;
	}
	milter_put_body(&dialog->out, span_take(dialog->body, len));
	dialog->body = span_drop(dialog->body, len);
	return SENDING_ONE;
}

static enum sending send_end_of_body(struct milter_dialog *dialog)
{
	put_alone(dialog, MILTER_END_OF_BODY);
	header_list_save(dialog->list);
	dialog->is_list_saved = true;
	return SENDING_ONE;
}

struct stage_rule {
	uint32_t no, mute; /* steps that make it one that is not sent, or not answered */
	enum sending (*send)(struct milter_dialog *dialog);
};

static const struct stage_rule stage_rules[] = {
	[STAGE_CONNECT] = { MILTER_NO_CONNECT, MILTER_MUTE_CONNECT, send_connect },
	[STAGE_HELO] = { MILTER_NO_HELO, MILTER_MUTE_HELO, send_helo },
	[STAGE_MAIL] = { MILTER_NO_MAIL, MILTER_MUTE_MAIL, send_mail },
	[STAGE_RCPT] = { MILTER_NO_RCPT, MILTER_MUTE_RCPT, send_rcpt },
	[STAGE_DATA] = { MILTER_NO_DATA, MILTER_MUTE_DATA, send_data },
	[STAGE_HEADERS] = { MILTER_NO_HEADERS, MILTER_MUTE_HEADER, send_headers },
	[STAGE_END_OF_HEADERS] = { MILTER_NO_END_OF_HEADERS, MILTER_MUTE_END_OF_HEADERS,
		send_end_of_headers },
	[STAGE_BODY] = { MILTER_NO_BODY, MILTER_MUTE_BODY, send_body },
	[STAGE_END_OF_BODY] = { 0, 0, send_end_of_body },
};

static void enter_next_stage(struct milter_dialog *dialog)
{
	CHECK(dialog->stage < STAGE_END_OF_BODY);
	dialog->stage++;
	dialog->at = 0;
}

/* False: the body is wanted. */
static bool advance(struct milter_dialog *dialog)
{
	while (!dialog->is_waiting && dialog->stage != STAGE_OVER) {
		const struct stage_rule *rule = &stage_rules[dialog->stage];
		enum sending sending = dialog->steps & rule->no ? SENDING_DONE : rule->send(dialog);

		if (sending == SENDING_LATER)
			return false;
		if (sending == SENDING_ONE)
			dialog->is_waiting = !(dialog->steps & rule->mute);
		else
			enter_next_stage(dialog);
	}
	return true;
}

void milter_dialog_body(struct milter_dialog *dialog, struct span piece, bool is_last)
{
	CHECK(dialog->stage == STAGE_BODY && !dialog->has_body);
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
	enter_next_stage(dialog);
}

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

static uint32_t action_of(enum milter_answer_kind kind)
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

static const char *change(struct milter_dialog *dialog, const struct milter_answer *answer)
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

static void on_change(struct milter_dialog *dialog, const struct milter_answer *answer)
{
	const char *why;

	if (dialog->stage != STAGE_END_OF_BODY || !(dialog->actions & action_of(answer->kind))) {
		fail(dialog, "it changed what it may not change, or too early");
		return;
	}
	why = change(dialog, answer);
	if (why)
		fail(dialog, why);
}

static void on_skip(struct milter_dialog *dialog)
{
	if (dialog->stage == STAGE_END_OF_BODY) {
		fail(dialog, "it skipped the end");
		return;
	}
	dialog->is_waiting = false;
	dialog->has_body = false;
	enter_next_stage(dialog);
}

static void on_continue(struct milter_dialog *dialog)
{
	if (dialog->stage == STAGE_END_OF_BODY)
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
	} else if (dialog->stage == STAGE_NEGOTIATE) {
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
	*is_progress_out =
		parsed == PARSE_DONE && (answer.kind == MILTER_ANSWER_PROGRESS || action_of(answer.kind));
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

	while (dialog->stage != STAGE_OVER) {
		bool wants_body = !advance(dialog);

		if (take_answer(dialog, in, &is_progress)) {
			if (is_progress)
				return MILTER_PROGRESSES;
			continue;
		}
		return wants_body ? MILTER_WANTS_BODY : MILTER_WANTS_INPUT;
	}
	return MILTER_ENDED;
}
