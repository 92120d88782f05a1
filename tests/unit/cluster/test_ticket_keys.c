#include "queue_driver.h"

#include "skein/cluster/ticket_keys.h"

#define LIFETIME_MS UINT64_C(43200000)
#define NOW_MS      UINT64_C(1800000000000)

static unsigned char fresh[3 * TICKET_KEY_LEN];

static void make_fresh(unsigned char start)
{
	for (size_t i = 0; i < sizeof(fresh); i++)
		fresh[i] = (unsigned char)(start + i * 3);
}

/* ---- a set ---- */

static void a_turn_moves_every_key_by_one_place(void **state)
{
	struct ticket_set set, before;

	(void)state;
	make_fresh(1);
	ticket_set_make(&set, 7, fresh);
	assert_memory_equal(set.previous.name, fresh, 16);
	assert_memory_equal(set.next.mac, fresh + 3 * TICKET_KEY_LEN - 32, 32);
	before = set;
	make_fresh(99);
	ticket_set_turn(&set, fresh);
	assert_int_equal(set.serial, 8);
	assert_memory_equal(&set.previous, &before.current, TICKET_KEY_LEN);
	assert_memory_equal(&set.current, &before.next, TICKET_KEY_LEN);
	assert_memory_equal(&set.next, fresh, TICKET_KEY_LEN);
}

static void the_text_of_a_set_is_read_back_for_its_serial_only(void **state)
{
	unsigned char text[TICKET_SET_TEXT_LEN + 1] = { 0 };
	struct ticket_set set, back;

	(void)state;
	make_fresh(5);
	ticket_set_make(&set, UINT64_C(0x0102030405060708), fresh);
	ticket_set_encode(&set, text);
	for (size_t len = 0; len <= sizeof(text); len++)
		assert_int_equal(ticket_set_decode(&back, span_of((char *)text, len), set.serial),
			len == TICKET_SET_TEXT_LEN);
	assert_true(ticket_set_decode(&back, span_of((char *)text, TICKET_SET_TEXT_LEN), set.serial));
	assert_memory_equal(&back, &set, sizeof(set));
	assert_false(ticket_set_decode(&back, span_of((char *)text, TICKET_SET_TEXT_LEN), set.serial + 1));
}

/* ---- decisions ---- */

static void what_is_done_follows_from_what_redis_has(void **state)
{
	enum { HALF = LIFETIME_MS / 2, LATE = HALF + HALF / 4, LONG = 2 * LIFETIME_MS };
	static const struct {
		uint64_t serial, age_ms;
		bool can_open, has_set, leads;
		enum ticket_step step;
	} rows[] = {
		/* Nothing there: the leader's to make. */
		{ 0, 0, false, false, false, TICKET_WAIT },
		{ 0, 0, false, false, true, TICKET_MAKE },
		{ 0, 0, false, true, true, TICKET_GIVE },
		{ 0, 0, false, true, false, TICKET_WAIT },
		/* It is turned by the leader in time, by anybody when that is overdue. */
		{ 1, 0, true, true, true, TICKET_WAIT },
		{ 1, HALF - 1, true, true, true, TICKET_WAIT },
		{ 1, HALF, true, true, true, TICKET_TURN },
		{ 1, HALF, true, true, false, TICKET_WAIT },
		{ 1, LATE - 1, true, true, false, TICKET_WAIT },
		{ 1, LATE, true, true, false, TICKET_TURN },
		{ 1, LATE, true, false, false, TICKET_TURN },
		{ 1, LONG - 1, true, true, false, TICKET_TURN },
		{ 1, LONG, true, true, false, TICKET_MAKE },
		/* Somebody has another cluster key: we, most likely. */
		{ 1, 0, false, false, true, TICKET_WAIT },
		{ 1, LATE, false, true, true, TICKET_WAIT },
		{ 1, LONG - 1, false, false, true, TICKET_WAIT },
		{ 1, LONG, false, false, true, TICKET_MAKE },
		{ 1, LONG, false, false, false, TICKET_WAIT },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct ticket_store store = { NOW_MS, NOW_MS - rows[i].age_ms, rows[i].serial, { NULL, 0 } };
		struct ticket_view view = { &store, LIFETIME_MS, rows[i].can_open, rows[i].has_set,
			rows[i].leads };

		if (ticket_keys_decide(&view) != rows[i].step)
			fail_msg("row %zu: %d", i, ticket_keys_decide(&view));
	}
}

static void a_clock_that_was_set_back_does_not_stop_the_turns(void **state)
{
	struct ticket_store store = { NOW_MS, NOW_MS + 86400000, 1, { NULL, 0 } };
	struct ticket_view view = { &store, LIFETIME_MS, true, true, true };

	(void)state;
	assert_int_equal(ticket_keys_decide(&view), TICKET_TURN);
}

static void the_pause_is_bounded_and_short_without_keys(void **state)
{
	(void)state;
	for (uint64_t jitter = 0; jitter < 100000; jitter += 997) {
		assert_in_range(ticket_keys_pause_ms(LIFETIME_MS, true, jitter), 45000, 60000);
		assert_in_range(ticket_keys_pause_ms(LIFETIME_MS, false, jitter), 750, 1000);
		assert_in_range(ticket_keys_pause_ms(10000, true, jitter), 400, 625);
	}
}

/* ---- nodes together, on a clock of their own ---- */

struct peer {
	uint64_t look_ms;
	struct ticket_set set;
	bool has_set, leads, has_key;
};

static void look(
	struct peer *peer, struct ticket_store *store, struct ticket_set *stored, uint64_t lifetime_ms)
{
	bool can_open = store->serial && peer->has_key;
	struct ticket_view view = { store, lifetime_ms, can_open, peer->has_set, peer->leads };

	if (can_open) {
		peer->set = *stored;
		peer->has_set = true;
	}
	switch (ticket_keys_decide(&view)) {
	case TICKET_WAIT:
		return;
	case TICKET_MAKE:
		ticket_set_make(&peer->set, store->serial + 1, fresh);
		break;
	case TICKET_TURN:
		ticket_set_turn(&peer->set, fresh);
		break;
	case TICKET_GIVE:
		break;
	}
	peer->has_set = true;
	*stored = peer->set;
	store->serial = stored->serial;
	store->turned_ms = store->now_ms;
}

static bool opens(const struct ticket_set *set, const struct ticket_key *key)
{
	return memcmp(&set->previous, key, sizeof(*key)) == 0 ||
	       memcmp(&set->current, key, sizeof(*key)) == 0 || memcmp(&set->next, key, sizeof(*key)) == 0;
}

/* From when all have keys on: what one seals every other can open, at once and for half a lifetime. */
static void every_node_opens_what_another_has_sealed(void **state)
{
	enum { PEERS = 4 };
	static const uint64_t lifetimes_ms[] = { 10000, 600000, LIFETIME_MS };

	(void)state;
	for (size_t row = 0; row < 2 * ARRAY_LEN(lifetimes_ms); row++) {
		uint64_t lifetime_ms = lifetimes_ms[row / 2], seed = row + 1, sealed_ms = 0;
		struct peer peers[PEERS] = { 0 };
		struct ticket_store store = { .now_ms = NOW_MS };
		struct ticket_set stored = { 0 };
		struct ticket_key sealed = { .name = "" };
		bool is_settled = false;

		/* In odd rows the leader gets a wrong key after the first set: the others do its work. */
		for (size_t i = 0; i < PEERS; i++)
			peers[i] = (struct peer){ .leads = i == 0, .has_key = true };
		for (unsigned step = 0; step < 20000; step++) {
			struct peer *next = &peers[0];

			for (size_t i = 1; i < PEERS; i++)
				next = peers[i].look_ms < next->look_ms ? &peers[i] : next;
			store.now_ms = NOW_MS + next->look_ms;
			make_fresh((unsigned char)step);
			memcpy(fresh, &step, sizeof(step));
			look(next, &store, &stored, lifetime_ms);
			seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
			next->look_ms += ticket_keys_pause_ms(lifetime_ms, next->has_set, seed >> 33);
			is_settled = peers[1].has_set && peers[2].has_set && peers[3].has_set;
			if (!is_settled)
				continue;
			peers[0].has_key = row % 2 == 0;
			for (size_t a = row % 2; a < PEERS * PEERS; a++)
				if (a / PEERS >= row % 2 && a % PEERS >= row % 2)
					assert_true(
						opens(&peers[a / PEERS].set, &peers[a % PEERS].set.current));
			if (sealed_ms && store.now_ms < sealed_ms + lifetime_ms / 2 - lifetime_ms / 16)
				assert_true(opens(&peers[3].set, &sealed));
			if (!sealed_ms || store.now_ms >= sealed_ms + lifetime_ms / 2) {
				sealed = peers[2].set.current;
				sealed_ms = store.now_ms;
			}
		}
		assert_true(is_settled);
		assert_true(stored.serial > 5);
	}
}

/* ---- Redis ---- */

struct ticket_answer {
	unsigned calls;
	enum outcome_kind kind;
	struct ticket_store store;
	char sealed[TICKET_SEALED_MAX];
};

static void on_read(void *arg, const struct outcome *outcome, const struct ticket_store *store)
{
	struct ticket_answer *answer = arg;

	answer->calls++;
	answer->kind = outcome->kind;
	answer->store = *store;
	if (store->sealed.len)
		memcpy(answer->sealed, store->sealed.ptr, store->sealed.len);
	answer->store.sealed.ptr = answer->sealed;
}

static void on_written(void *arg, const struct outcome *outcome)
{
	struct ticket_answer *answer = arg;

	answer->calls++;
	answer->kind = outcome->kind;
}

static struct ticket_answer do_read(struct queue_driver *q)
{
	static struct ticket_answer answer;

	answer = (struct ticket_answer){ .calls = 0 };
	assert_true(ticket_keys_read(q->link, q->driver->now_ms, on_read, &answer));
	link_driver_settle(q->driver);
	assert_int_equal(answer.calls, 1);
	return answer;
}

static enum outcome_kind do_write(struct queue_driver *q, struct ticket_keys_write args)
{
	struct ticket_answer answer = { .calls = 0 };

	assert_true(ticket_keys_write(q->link, &args, q->driver->now_ms, on_written, &answer));
	link_driver_settle(q->driver);
	assert_int_equal(answer.calls, 1);
	return answer.kind;
}

static void what_is_written_is_read_with_its_age(void **state)
{
	struct queue_driver *q = *state;
	struct ticket_answer answer = do_read(q);

	assert_int_equal(answer.kind, OUTCOME_OK);
	assert_int_equal(answer.store.serial, 0);
	assert_int_equal(do_write(q, (struct ticket_keys_write){ 0, 5, 0, { "a\0b", 3 } }), OUTCOME_OK);
	pass_ms(q, 1500);
	answer = do_read(q);
	assert_int_equal(answer.store.serial, 5);
	assert_int_equal(answer.store.now_ms - answer.store.turned_ms, 1500);
	assert_int_equal(answer.store.sealed.len, 3);
	assert_memory_equal(answer.store.sealed.ptr, "a\0b", 3);
	assert_int_equal(do_write(q, (struct ticket_keys_write){ 5, 6, 700, { "c", 1 } }), OUTCOME_OK);
	answer = do_read(q);
	assert_int_equal(answer.store.now_ms - answer.store.turned_ms, 700);
	assert_span_equal(answer.store.sealed, "c");
}

static void of_two_turns_of_one_serial_the_first_holds(void **state)
{
	struct queue_driver *q = *state;

	assert_int_equal(do_write(q, (struct ticket_keys_write){ 0, 1, 0, SPAN_LIT("one") }), OUTCOME_OK);
	assert_int_equal(do_write(q, (struct ticket_keys_write){ 0, 1, 0, SPAN_LIT("two") }), OUTCOME_NOT);
	assert_int_equal(do_write(q, (struct ticket_keys_write){ 1, 2, 0, SPAN_LIT("three") }), OUTCOME_OK);
	assert_int_equal(do_write(q, (struct ticket_keys_write){ 1, 2, 0, SPAN_LIT("four") }), OUTCOME_NOT);
	assert_span_equal(do_read(q).store.sealed, "three");
}

#define ROW(name) cmocka_unit_test_setup(name, queue_driver_reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_turn_moves_every_key_by_one_place),
		cmocka_unit_test(the_text_of_a_set_is_read_back_for_its_serial_only),
		cmocka_unit_test(what_is_done_follows_from_what_redis_has),
		cmocka_unit_test(a_clock_that_was_set_back_does_not_stop_the_turns),
		cmocka_unit_test(the_pause_is_bounded_and_short_without_keys),
		cmocka_unit_test(every_node_opens_what_another_has_sealed),
		ROW(what_is_written_is_read_with_its_age),
		ROW(of_two_turns_of_one_serial_the_first_holds),
	};

	return cmocka_run_group_tests(tests, queue_driver_setup, queue_driver_teardown);
}
