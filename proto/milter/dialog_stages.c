#include "milter/dialog_internal.h"

#include <stdio.h>

enum {
	DATA_VERSION_MIN = 4, /* before, filters did not know DATA */
	BRACKETED_MAX = ENVELOPE_ADDR_MAX + 3,
};

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
	[MILTER_STAGE_CONNECT] = { MILTER_NO_CONNECT, MILTER_MUTE_CONNECT, send_connect },
	[MILTER_STAGE_HELO] = { MILTER_NO_HELO, MILTER_MUTE_HELO, send_helo },
	[MILTER_STAGE_MAIL] = { MILTER_NO_MAIL, MILTER_MUTE_MAIL, send_mail },
	[MILTER_STAGE_RCPT] = { MILTER_NO_RCPT, MILTER_MUTE_RCPT, send_rcpt },
	[MILTER_STAGE_DATA] = { MILTER_NO_DATA, MILTER_MUTE_DATA, send_data },
	[MILTER_STAGE_HEADERS] = { MILTER_NO_HEADERS, MILTER_MUTE_HEADER, send_headers },
	[MILTER_STAGE_END_OF_HEADERS] = { MILTER_NO_END_OF_HEADERS, MILTER_MUTE_END_OF_HEADERS,
		send_end_of_headers },
	[MILTER_STAGE_BODY] = { MILTER_NO_BODY, MILTER_MUTE_BODY, send_body },
	[MILTER_STAGE_END_OF_BODY] = { 0, 0, send_end_of_body },
};

void milter_dialog_enter_next_stage(struct milter_dialog *dialog)
{
	CHECK(dialog->stage < MILTER_STAGE_END_OF_BODY);
	dialog->stage++;
	dialog->at = 0;
}

bool milter_dialog_tell(struct milter_dialog *dialog)
{
	while (!dialog->is_waiting && dialog->stage != MILTER_STAGE_OVER) {
		const struct stage_rule *rule = &stage_rules[dialog->stage];
		enum sending sending = dialog->steps & rule->no ? SENDING_DONE : rule->send(dialog);

		if (sending == SENDING_LATER)
			return false;
		if (sending == SENDING_ONE)
			dialog->is_waiting = !(dialog->steps & rule->mute);
		else
			milter_dialog_enter_next_stage(dialog);
	}
	return true;
}
