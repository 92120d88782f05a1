#include "message_view.h"

#include "human.h"
#include "screen.h"

struct message_view message_view_of(const struct queue_view_record *record, struct arena *arena)
{
	struct message_view message = { .record = record };

	message.is_readable = envelope_decode(record->record.env, arena, &message.envelope) == ERR_OK;
	if (!message.is_readable)
		message.envelope = (struct envelope){ .recipient_count = 0 };
	return message;
}

static bool is_settled(const struct message_view *message, size_t index)
{
	struct span settled = message->record->record.settled;

	return index < settled.len && settled.ptr[index] != SETTLED_PENDING;
}

const char *message_recipient_state(const struct message_view *message, size_t index)
{
	static const char *const names[] = {
		[RECIPIENT_PENDING] = "pending",
		[RECIPIENT_DELIVERED] = "delivered",
		[RECIPIENT_FAILED] = "failed",
		[RECIPIENT_EXPIRED] = "expired",
		[RECIPIENT_CANCELLED] = "cancelled",
	};

	if (is_settled(message, index))
		return settled_name((enum settled)message->record->record.settled.ptr[index]);
	return names[message->envelope.recipients[index].state];
}

static bool is_pending(const struct message_view *message, size_t index)
{
	return !is_settled(message, index) && message->envelope.recipients[index].state == RECIPIENT_PENDING;
}

size_t message_pending_count(const struct message_view *message)
{
	size_t count = 0;

	for (size_t i = 0; i < message->envelope.recipient_count; i++)
		count += is_pending(message, i);
	return count;
}

const struct envelope_recipient *message_next_recipient(const struct message_view *message)
{
	for (size_t i = 0; i < message->envelope.recipient_count; i++)
		if (is_pending(message, i))
			return &message->envelope.recipients[i];
	return message->envelope.recipient_count ? &message->envelope.recipients[0] : NULL;
}

void message_append_path(struct buf *out, struct span addr)
{
	buf_append_byte(out, '<');
	buf_append(out, addr);
	buf_append_byte(out, '>');
}

void message_append_asks(struct buf *out, const struct message_view *message)
{
	envelope_append_handling(
		&message->envelope, message->envelope.arrival_ms + message->record->record.age_ms, out);
}

void message_append_reply(struct buf *out, const struct envelope_recipient *recipient)
{
	struct span text = recipient->diagnostic;

	if (recipient->status.code)
		buf_printf(out, "%u ", recipient->status.code);
	if (recipient->status.enhanced.class) {
		size_t from = buf_len(out);

		enhanced_code_append(out, recipient->status.enhanced);
		buf_append_byte(out, ' ');
		/* Most next hops begin with it. */
		if (span_starts_with(text, span_drop(buf_span(out), from)))
			text = span_drop(text, buf_len(out) - from);
	}
	for (size_t i = 0; i < text.len; i++)
		buf_append_byte(out, text.ptr[i] == '\n' ? ' ' : text.ptr[i]);
	if (recipient->remote.len)
		buf_printf(out, " (%.*s)", SPAN_ARGS(recipient->remote));
}

void message_append_next(struct buf *out, const struct queue_view_record *record, const struct roster *roster)
{
	switch (record->state) {
	case QUEUE_DUE:
		buf_append_str(out, "now");
		return;
	case QUEUE_DEFERRED:
		buf_append_str(out, "in ");
		human_duration(out, record->due_in_ms);
		return;
	case QUEUE_OWNED:
		buf_append_str(out, "at ");
		buf_append(out, roster_name(roster, &record->owner.node));
		return;
	case QUEUE_HELD:
	case QUEUE_QUARANTINED:
	case QUEUE_STATES:
		buf_append_str(out, "when released");
	}
}

void message_each_holder(const struct queue_view_record *record,
	void (*fn)(void *arg, const struct node_uuid *node), void *arg)
{
	struct span rest = record->holders;

	while (rest.len) {
		size_t len = span_find(rest, ' ');
		struct node_uuid node;

		if (node_uuid_parse(span_take(rest, len), &node))
			fn(arg, &node);
		rest = span_drop(rest, len < rest.len ? len + 1 : len);
	}
}

/* ---- JSON ---- */

static json_t *node_json(const struct node_uuid *node, const struct roster *roster)
{
	if (node_uuid_is_empty(node))
		return json_null();
	return json_pack("{s:o, s:s}", "name", json_of_span(roster_name(roster, node)), "uuid", node->text);
}

json_t *message_json(const struct message_view *message, const struct roster *roster)
{
	const struct queue_view_record *record = message->record;
	const struct envelope *envelope = &message->envelope;
	json_t *value = json_pack("{s:s, s:s}", "id", msg_id_format(&record->record.id).text, "state",
		queue_state_name(record->state));

	json_object_set_new(value, "age_ms", json_of_u64(record->record.age_ms));
	json_object_set_new(value, "size", json_of_u64(record->record.size));
	json_object_set_new(value, "attempts", json_of_u64(record->record.attempts));
	json_object_set_new(value, "due_in_ms",
		record->state == QUEUE_DEFERRED ? json_of_u64(record->due_in_ms) : json_null());
	json_object_set_new(value, "owner", node_json(&record->owner.node, roster));
	json_object_set_new(
		value, "sender", message->is_readable ? json_of_span(envelope->sender) : json_null());
	json_object_set_new(value, "recipient_count", json_of_u64(envelope->recipient_count));
	json_object_set_new(value, "pending_count", json_of_u64(message_pending_count(message)));
	return value;
}

static json_t *recipient_json(const struct message_view *message, size_t index)
{
	const struct envelope_recipient *recipient = &message->envelope.recipients[index];
	json_t *value = json_object();
	struct buf reply = { 0 };

	message_append_reply(&reply, recipient);
	json_object_set_new(value, "address", json_of_span(recipient->addr));
	json_object_set_new(value, "state", json_string(message_recipient_state(message, index)));
	json_object_set_new(value, "attempts", json_of_u64(recipient->attempts));
	json_object_set_new(value, "code", json_of_u64(recipient->status.code));
	json_object_set_new(value, "reply", json_of_span(buf_span(&reply)));
	json_object_set_new(value, "remote", json_of_span(recipient->remote));
	buf_fini(&reply);
	return value;
}

struct holders_json {
	json_t *array;
	const struct roster *roster;
};

static void add_holder(void *arg, const struct node_uuid *node)
{
	struct holders_json *holders = arg;

	json_array_append_new(holders->array, node_json(node, holders->roster));
}

void message_json_add_details(json_t *value, const struct message_view *message, const struct roster *roster)
{
	const struct queue_view_record *record = message->record;
	struct holders_json holders = { json_array(), roster };
	json_t *recipients = json_array();
	struct buf asks = { 0 };

	message_each_holder(record, add_holder, &holders);
	for (size_t i = 0; i < message->envelope.recipient_count; i++)
		json_array_append_new(recipients, recipient_json(message, i));
	json_object_set_new(value, "expires_in_ms", json_of_u64(record->record.expires_in_ms));
	json_object_set_new(value, "takeovers", json_of_u64(record->record.takeovers));
	json_object_set_new(value, "hold", json_boolean(record->hold));
	json_object_set_new(value, "cancel", json_boolean(record->record.cancel));
	json_object_set_new(value, "body_in_redis", json_boolean(record->record.pieces > 0));
	json_object_set_new(value, "origin", node_json(&record->record.origin, roster));
	json_object_set_new(value, "journals", holders.array);
	json_object_set_new(value, "envelope_readable", json_boolean(message->is_readable));
	json_object_set_new(value, "client_ip", json_of_span(message->envelope.client_ip));
	json_object_set_new(value, "helo", json_of_span(message->envelope.helo));
	json_object_set_new(value, "user", json_of_span(message->envelope.user));
	message_append_asks(&asks, message);
	json_object_set_new(value, "asks", json_of_span(buf_span(&asks)));
	json_object_set_new(value, "recipients", recipients);
	buf_fini(&asks);
}
