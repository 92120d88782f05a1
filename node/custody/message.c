#include "custody/message.h"

#include "skein/proto/base/alloc.h"

#include <stdio.h>

#define TO(stage) (1u << MESSAGE_##stage)

static const struct {
	const char *name;
	unsigned next;
} stages[MESSAGE_STAGE_COUNT] = {
	[MESSAGE_ARRIVING] = { "arriving", TO(READY) | TO(WAITING) | TO(FROZEN) | TO(AWAY) | TO(ENDED) },
	[MESSAGE_READY] = { "ready", TO(READY) | TO(TRYING) | TO(ARRIVING) | TO(REPORTING) | TO(FROZEN) |
					     TO(WAITING) | TO(AWAY) | TO(ENDED) },
	[MESSAGE_TRYING] = { "trying", TO(REPORTING) | TO(READY) | TO(ENDED) },
	[MESSAGE_REPORTING] = { "reporting", TO(READY) | TO(WAITING) | TO(FROZEN) | TO(AWAY) | TO(ENDED) },
	[MESSAGE_WAITING] = { "waiting",
		TO(WAITING) | TO(READY) | TO(REPORTING) | TO(FROZEN) | TO(AWAY) | TO(ENDED) },
	[MESSAGE_FROZEN] = { "frozen",
		TO(FROZEN) | TO(READY) | TO(WAITING) | TO(REPORTING) | TO(AWAY) | TO(ENDED) },
	[MESSAGE_AWAY] = { "away", TO(READY) | TO(WAITING) | TO(FROZEN) | TO(REPORTING) | TO(ENDED) },
	[MESSAGE_ENDED] = { "ended", 0 },
};

struct message *message_new(const struct msg_id *id)
{
	struct message *message = mem_zalloc(sizeof(*message));

	message->refs = 1;
	message->stage = MESSAGE_ARRIVING;
	list_init(&message->queue_link);
	holding_init(&message->holding, id);
	return message;
}

struct message *message_ref(struct message *message)
{
	message->refs++;
	return message;
}

void message_unref(struct message **message)
{
	struct message *gone = *message;

	*message = NULL;
	if (!gone || --gone->refs)
		return;
	CHECK(!list_is_linked(&gone->queue_link) && !heap_has(&gone->due));
	if (gone->body)
		body_unref(&gone->body);
	arena_fini(&gone->arena);
	buf_fini(&gone->packed);
	message_drop_signature(gone);
	message_unref(&gone->report);
	mem_free(gone);
}

void message_enter(struct message *message, enum message_stage stage)
{
	if (!(stages[message->stage].next & (1u << stage)))
		fprintf(stderr, "skein: a message cannot go from %s to %s\n", stages[message->stage].name,
			stages[stage].name);
	CHECK(stages[message->stage].next & (1u << stage));
	message->stage = stage;
}

const char *message_stage_name(enum message_stage stage)
{
	return stages[stage].name;
}

void message_pack(struct message *message)
{
	if (message->envelope.recipients && !message->readers) {
		buf_clear(&message->packed);
		envelope_encode(&message->envelope, &message->packed);
		message->envelope = (struct envelope){ 0 };
		arena_fini(&message->arena);
	}
	message_drop_signature(message);
	if (message->body)
		(void)body_evict(message->body);
}

void message_drop_signature(struct message *message)
{
	buf_fini(&message->signature.fields);
	message->signature = (struct message_signature){ .set = 0 };
}

void message_unpack(struct message *message)
{
	if (message->envelope.recipients)
		return;
	CHECK(envelope_decode(buf_span(&message->packed), &message->arena, &message->envelope) == ERR_OK);
	buf_fini(&message->packed);
}

enum err message_set_packed(struct message *message, struct span bytes)
{
	struct arena arena = { 0 };
	struct envelope envelope;
	enum err err = envelope_decode(bytes, &arena, &envelope);

	if (err) {
		arena_fini(&arena);
		return err;
	}
	arena_fini(&message->arena);
	buf_fini(&message->packed);
	message->arena = arena;
	message->envelope = envelope;
	return ERR_OK;
}

/* --- what is settled ---------------------------------------------------------------------------- */

static const char settled_of[RECIPIENT_STATE_COUNT] = {
	[RECIPIENT_PENDING] = SETTLED_PENDING,
	[RECIPIENT_DELIVERED] = SETTLED_DELIVERED,
	[RECIPIENT_FAILED] = SETTLED_FAILED,
	[RECIPIENT_EXPIRED] = SETTLED_EXPIRED,
	[RECIPIENT_CANCELLED] = SETTLED_CANCELLED,
};

struct span message_settled(const struct message *message, struct arena *arena)
{
	size_t count = message->envelope.recipient_count;
	char *text = arena_alloc(arena, count);

	for (size_t i = 0; i < count; i++)
		text[i] = settled_of[message->envelope.recipients[i].state];
	return span_of(text, count);
}

static enum recipient_state state_of(char settled)
{
	for (size_t i = 0; i < RECIPIENT_STATE_COUNT; i++) {
		if (settled_of[i] == settled)
			return (enum recipient_state)i;
	}
	return RECIPIENT_CANCELLED; /* withdrawn: nobody is told */
}

bool message_merge_settled(struct message *message, struct span settled)
{
	bool is_news = false;

	for (size_t i = 0; i < message->envelope.recipient_count && i < settled.len; i++) {
		struct envelope_recipient *recipient = &message->envelope.recipients[i];

		if (settled.ptr[i] == SETTLED_PENDING || recipient->state != RECIPIENT_PENDING)
			continue;
		recipient->state = state_of(settled.ptr[i]);
		is_news = true;
	}
	return is_news;
}
