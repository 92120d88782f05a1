/* skeinctl queue show */
#include "call.h"
#include "human.h"
#include "message_view.h"
#include "screen.h"

#include <stdio.h>

enum { RECIPIENTS_SHOWN = 50 };

struct showing {
	struct msg_id id;
	bool with_all;
	struct session *session;
	struct roster roster;
	enum ctl_exit exit;
};

static void line(const char *label, struct buf *text)
{
	struct buf clean = { 0 };

	human_text(&clean, buf_span(text));
	printf("%-9s %.*s\n", label, SPAN_ARGS(buf_span(&clean)));
	buf_fini(&clean);
	buf_clear(text);
}

struct names {
	struct buf text;
	const struct roster *roster;
};

static void append_name(void *arg, const struct node_uuid *node)
{
	struct names *names = arg;

	buf_printf(&names->text, "%s%.*s", buf_len(&names->text) ? ", " : "",
		SPAN_ARGS(roster_name(names->roster, node)));
}

static void print_custody(
	const struct queue_view_record *record, const struct roster *roster, struct buf *text)
{
	struct names names = { .roster = roster };

	human_bytes(text, record->record.size);
	if (record->record.pieces)
		buf_append_str(text, ", body in Redis");
	else
		buf_printf(
			text, ", body at %.*s only", SPAN_ARGS(roster_name(roster, &record->record.body_at)));
	line("Size", text);
	message_each_holder(record, append_name, &names);
	line("Journals", &names.text);
	buf_fini(&names.text);
}

static void print_state(const struct queue_view_record *record, const struct roster *roster, struct buf *text)
{
	buf_printf(text, "%s, %s", queue_state_name(record->state),
		record->state == QUEUE_OWNED ? "" : "next try ");
	message_append_next(text, record, roster);
	if (record->hold && record->state == QUEUE_OWNED)
		buf_append_str(text, "; held when it lets go");
	if (record->record.cancel)
		buf_append_str(text, "; ends as cancelled when it lets go");
	line("State", text);
	human_duration(text, record->record.age_ms);
	buf_append_str(text, ", expires in ");
	human_duration(text, record->record.expires_in_ms);
	line("Age", text);
	human_count(text, record->record.attempts, "attempt");
	buf_append_str(text, ", ");
	human_count(text, record->record.takeovers, "takeover");
	buf_append_str(text, " after crashes");
	line("History", text);
}

static void print_envelope(const struct message_view *message, struct buf *text)
{
	const struct envelope *envelope = &message->envelope;

	message_append_path(text, envelope->sender);
	line("From", text);
	buf_printf(text, "%.*s, HELO %.*s", SPAN_ARGS(envelope->client_ip), SPAN_ARGS(envelope->helo));
	if (envelope->user.len)
		buf_printf(text, ", user %.*s", SPAN_ARGS(envelope->user));
	line("Client", text);
	message_append_asks(text, message);
	if (buf_len(text))
		line("Asks for", text);
}

static void print_recipients(const struct message_view *message, bool with_all)
{
	static const struct grid_column columns[] = { { .title = "RECIPIENT" }, { .title = "STATE" },
		{ .title = "TRIES", .is_number = true }, { .title = "LAST REPLY" } };
	size_t count = message->envelope.recipient_count;
	size_t shown = with_all || count < RECIPIENTS_SHOWN ? count : RECIPIENTS_SHOWN;
	struct buf reply = { 0 };
	struct grid grid;

	grid_init(&grid, columns, ARRAY_LEN(columns));
	for (size_t i = 0; i < shown; i++) {
		const struct envelope_recipient *recipient = &message->envelope.recipients[i];

		grid_add(&grid, recipient->addr, TINT_NONE);
		grid_printf(&grid, TINT_NONE, "%s", message_recipient_state(message, i));
		grid_printf(&grid, TINT_NONE, "%u", recipient->attempts);
		buf_clear(&reply);
		message_append_reply(&reply, recipient);
		grid_add(&grid, buf_span(&reply), TINT_NONE);
	}
	putchar('\n');
	screen_print_grid(&grid);
	if (shown < count)
		printf("the first %zu of %zu recipients: --all shows the rest\n", shown, count);
	buf_fini(&reply);
}

static void print_text(const struct showing *showing, const struct message_view *message)
{
	const struct queue_view_record *record = message->record;
	struct buf text = { 0 };

	buf_append_str(&text, msg_id_format(&record->record.id).text);
	line("Message", &text);
	print_state(record, &showing->roster, &text);
	print_custody(record, &showing->roster, &text);
	if (message->is_readable) {
		print_envelope(message, &text);
		print_recipients(message, showing->with_all);
	} else {
		buf_append_str(&text, "not readable by this skeinctl: written by a newer node, or damaged");
		line("Envelope", &text);
	}
	buf_fini(&text);
}

static void print_json(const struct showing *showing, const struct message_view *message)
{
	json_t *value = message_json(message, &showing->roster);

	message_json_add_details(value, message, &showing->roster);
	screen_print_json(value);
}

static void on_record(void *arg, const struct outcome *outcome, const struct queue_view_record *record)
{
	struct showing *showing = arg;
	struct arena arena = { 0 };

	showing->exit = session_check(outcome, "the message");
	if (showing->exit)
		return;
	if (!record) {
		session_complain("%s is not in the queue%s%s", msg_id_format(&showing->id).text,
			outcome->why == SETTLED_PENDING ? "" : ": it was ",
			outcome->why == SETTLED_PENDING ? " (or ended long ago)"
							: settled_name(outcome->why));
		showing->exit = CTL_NEGATIVE;
		return;
	}
	struct message_view message = message_view_of(record, &arena);

	if (showing->session->is_json)
		print_json(showing, &message);
	else
		print_text(showing, &message);
	arena_fini(&arena);
}

static enum ctl_exit work(struct session *session, void *arg)
{
	struct showing *showing = arg;
	enum ctl_exit exit = roster_load(&showing->roster, session);

	showing->session = session;
	if (!exit) {
		(void)queue_show(session->link, &showing->id, session_now_ms(), on_record, showing);
		exit = session_finish(session);
	}
	roster_fini(&showing->roster);
	return exit ? exit : showing->exit;
}

enum ctl_exit cmd_queue_show(struct ctl_options *options, const struct call *call)
{
	struct showing showing = { .with_all = call_has(call, "all") };
	const char *id = call_word(call, 0);
	struct buf why = { 0 };

	if (!msg_id_parse(span_of_str(id), &showing.id)) {
		buf_printf(
			&why, "\"%s\" is no message id: 26 letters and digits, as queue list shows them", id);
		return session_usage(&why);
	}
	return session_run(options, work, &showing);
}
