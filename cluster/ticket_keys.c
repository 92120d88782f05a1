#include "skein/cluster/ticket_keys.h"

#include "redis/call.h"
#include "skein/proto/base/alloc.h"
#include "skein/proto/base/codec.h"

_Static_assert(sizeof(struct ticket_key) == TICKET_KEY_LEN, "a key is its bytes");

/* ---- a set ---- */

static void fill(struct ticket_key *key, const unsigned char fresh[TICKET_KEY_LEN])
{
	memcpy(key, fresh, sizeof(*key));
}

void ticket_set_make(struct ticket_set *set, uint64_t serial, const unsigned char fresh[3 * TICKET_KEY_LEN])
{
	CHECK(serial > 0);
	set->serial = serial;
	fill(&set->previous, fresh);
	fill(&set->current, fresh + TICKET_KEY_LEN);
	fill(&set->next, fresh + 2 * (size_t)TICKET_KEY_LEN);
}

void ticket_set_turn(struct ticket_set *set, const unsigned char fresh[TICKET_KEY_LEN])
{
	set->serial++;
	set->previous = set->current;
	set->current = set->next;
	fill(&set->next, fresh);
}

void ticket_set_encode(const struct ticket_set *set, unsigned char text[TICKET_SET_TEXT_LEN])
{
	for (unsigned i = 0; i < 8; i++)
		text[i] = (unsigned char)(set->serial >> (8 * i));
	memcpy(text + 8, &set->previous, TICKET_KEY_LEN);
	memcpy(text + 8 + TICKET_KEY_LEN, &set->current, TICKET_KEY_LEN);
	memcpy(text + 8 + 2 * (size_t)TICKET_KEY_LEN, &set->next, TICKET_KEY_LEN);
}

bool ticket_set_decode(struct ticket_set *set, struct span text, uint64_t serial)
{
	struct reader reader = { .rest = text };

	/* Redis says the serial beside it: a set that was put back must not pass for a newer one. */
	if (text.len != TICKET_SET_TEXT_LEN || get_u64(&reader) != serial)
		return false;
	ticket_set_make(set, serial, (const unsigned char *)reader.rest.ptr);
	return true;
}

/* ---- decisions ---- */

enum ticket_step ticket_keys_decide(const struct ticket_view *view)
{
	const struct ticket_store *store = view->store;
	uint64_t turn_ms = view->lifetime_ms / 2;
	/* A clock that was set back must not hold a turn up: one that seems to lie ahead is due. */
	uint64_t age_ms = store->now_ms >= store->turned_ms ? store->now_ms - store->turned_ms : turn_ms;

	if (!store->serial) {
		if (!view->leads)
			return TICKET_WAIT;
		return view->has_set ? TICKET_GIVE : TICKET_MAKE;
	}
	/* Who cannot open it has the wrong key, unless nobody turned it for a whole lifetime. */
	if (!view->can_open)
		return view->leads && age_ms >= 2 * view->lifetime_ms ? TICKET_MAKE : TICKET_WAIT;
	/* After so long every ticket has ended, and nobody knows where the keys have been. */
	if (age_ms >= 2 * view->lifetime_ms)
		return TICKET_MAKE;
	if (age_ms >= turn_ms + (view->leads ? 0 : turn_ms / 4))
		return TICKET_TURN;
	return TICKET_WAIT;
}

uint64_t ticket_keys_pause_ms(uint64_t lifetime_ms, bool has_set, uint64_t jitter)
{
	uint64_t pause_ms = lifetime_ms / 16;

	/* A node that has just come wants the keys before its clients come back. */
	if (pause_ms > 60000)
		pause_ms = 60000;
	if (!has_set && pause_ms > 1000)
		pause_ms = 1000;
	return pause_ms - jitter % (pause_ms / 4 + 1);
}

/* ---- Redis ---- */

static void deliver_read(const struct call_target *target, struct outcome *outcome, const redisReply *reply)
{
	struct ticket_store store = { .serial = 0 };

	if (reply) {
		struct reply_cursor reader = reply_read(reply);

		(void)reply_span(&reader);
		store.now_ms = reply_u64(&reader);
		store.serial = reply_u64(&reader);
		store.turned_ms = reply_u64(&reader);
		store.sealed = reply_span(&reader);
		if (reader.bad || store.sealed.len > TICKET_SEALED_MAX)
			outcome_bad_reply(outcome);
	}
	((ticket_keys_read_fn *)target->fn)(target->arg, outcome, &store);
}

bool ticket_keys_read(struct redis_link *link, uint64_t now_ms, ticket_keys_read_fn *fn, void *arg)
{
	struct call call;

	call_begin(&call, link, "tickets", CALL_READS);
	call_meta_key(&call, ":tickets", SPAN_LIT(""));
	return call_send(&call, now_ms, deliver_read, (struct call_target){ (call_any_fn *)fn, arg });
}

bool ticket_keys_write(struct redis_link *link, const struct ticket_keys_write *args, uint64_t now_ms,
	ticket_keys_write_fn *fn, void *arg)
{
	struct call call;

	CHECK(args->serial > args->replaces && args->sealed.len <= TICKET_SEALED_MAX);
	call_begin(&call, link, "tickets_turn", CALL_WRITES);
	call_meta_key(&call, ":tickets", SPAN_LIT(""));
	call_arg_u64(&call, args->replaces);
	call_arg_u64(&call, args->serial);
	call_arg_u64(&call, args->age_ms);
	call_arg(&call, args->sealed);
	return call_send_plain(&call, now_ms, fn, arg);
}
