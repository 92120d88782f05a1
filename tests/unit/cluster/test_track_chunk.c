/* Filters and chunks of tracking events. */
#include "cmocka_all.h"

#include "skein/cluster/track_chunk.h"
#include "skein/proto/base/alloc.h"

#include <stdio.h>

struct terms {
	uint64_t seen[32];
	size_t count;
};

static void on_term(void *arg, uint64_t term)
{
	struct terms *terms = arg;

	assert_true(terms->count < ARRAY_LEN(terms->seen));
	terms->seen[terms->count++] = term;
}

static bool has(const struct terms *terms, uint64_t term)
{
	for (size_t i = 0; i < terms->count; i++)
		if (terms->seen[i] == term)
			return true;
	return false;
}

static struct track_event sample_event(void)
{
	struct track_event event = { .kind = TRACK_RECEIVE, .time_us = 1000, .session = 7 };

	event.text[TRACK_NODE_NAME] = SPAN_LIT("node-1");
	event.text[TRACK_ID] = SPAN_LIT("01ABC");
	event.text[TRACK_CLIENT] = SPAN_LIT("10.1.2.3");
	event.text[TRACK_USER] = SPAN_LIT("Jane");
	event.text[TRACK_SENDER] = SPAN_LIT("Jane@Example.COM");
	event.text[TRACK_RECIPIENT] = SPAN_LIT("a@one.example b@two.example");
	return event;
}

static void an_event_is_found_by_each_of_its_terms(void **state)
{
	static const struct {
		enum track_term_kind kind;
		const char *text;
		bool is_there;
	} rows[] = {
		{ TRACK_TERM_ID, "01abc", true },
		{ TRACK_TERM_ID, "01ABD", false },
		{ TRACK_TERM_SENDER, "jane@example.com", true },
		{ TRACK_TERM_SENDER, "a@one.example", false },
		{ TRACK_TERM_SENDER_DOMAIN, "EXAMPLE.com", true },
		{ TRACK_TERM_RECIPIENT, "a@one.example", true },
		{ TRACK_TERM_RECIPIENT, "B@TWO.example", true },
		{ TRACK_TERM_RECIPIENT, "a@one.example b@two.example", false },
		{ TRACK_TERM_RECIPIENT_DOMAIN, "one.example", true },
		{ TRACK_TERM_RECIPIENT_DOMAIN, "two.example", true },
		{ TRACK_TERM_RECIPIENT_DOMAIN, "example.com", false },
		{ TRACK_TERM_CLIENT, "10.1.2.3", true },
		{ TRACK_TERM_CLIENT, "10.1.2.4", false },
		{ TRACK_TERM_NEIGHBOURS, "10.1.2.0/24", true },
		{ TRACK_TERM_NEIGHBOURS, "10.1.3.0/24", false },
		{ TRACK_TERM_USER, "jane", true },
	};
	struct track_event event = sample_event();
	struct terms terms = { .count = 0 };

	(void)state;
	track_terms_each(&event, on_term, &terms);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (has(&terms, track_term(rows[i].kind, span_of_str(rows[i].text))) != rows[i].is_there)
			fail_msg("row %zu: %s", i, rows[i].text);
	assert_true(has(&terms, track_term_session(SPAN_LIT("node-1"), 7)));
	assert_false(has(&terms, track_term_session(SPAN_LIT("node-2"), 7)));
}

static void an_address_is_the_same_however_it_is_written(void **state)
{
	struct track_event event = { .kind = TRACK_CONNECT };
	struct terms terms = { .count = 0 };

	(void)state;
	event.text[TRACK_CLIENT] = SPAN_LIT("2001:0db8:0:0::1");
	track_terms_each(&event, on_term, &terms);
	assert_true(has(&terms, track_term(TRACK_TERM_CLIENT, SPAN_LIT("2001:db8::1"))));
	assert_true(has(&terms, track_term(TRACK_TERM_NEIGHBOURS, SPAN_LIT("2001:db8::/64"))));
}

static void a_report_is_found_by_its_original(void **state)
{
	struct track_event event = { .kind = TRACK_BOUNCE };
	struct terms terms = { .count = 0 };

	(void)state;
	event.text[TRACK_ID] = SPAN_LIT("01REPORT");
	event.text[TRACK_ABOUT] = SPAN_LIT("01ORIGINAL");
	track_terms_each(&event, on_term, &terms);
	assert_true(has(&terms, track_term(TRACK_TERM_ID, SPAN_LIT("01REPORT"))));
	assert_true(has(&terms, track_term(TRACK_TERM_ID, SPAN_LIT("01ORIGINAL"))));
}

static uint64_t numbered_term(unsigned number)
{
	char text[32];

	snprintf(text, sizeof(text), "user%u@example.net", number);
	return track_term(TRACK_TERM_SENDER, span_of_str(text));
}

static void a_filter_has_what_it_was_made_of_and_little_else(void **state)
{
	enum { HELD = 2000, ASKED = 100000 };
	uint64_t terms[HELD];
	struct buf filter = { 0 };
	unsigned wrong = 0;

	(void)state;
	for (unsigned i = 0; i < HELD; i++)
		terms[i] = numbered_term(i);
	track_filter_make(terms, HELD, &filter);
	assert_in_range(buf_len(&filter), HELD, 2 * HELD);
	for (unsigned i = 0; i < HELD; i++)
		assert_true(track_filter_may_have(buf_span(&filter), terms[i]));
	for (unsigned i = 0; i < ASKED; i++)
		wrong += track_filter_may_have(buf_span(&filter), numbered_term(HELD + i));
	/* 0.8 in a hundred are expected. */
	assert_in_range(wrong, ASKED / 500, ASKED / 80);
	assert_false(track_filter_may_have(span_of(NULL, 0), terms[0]));
	buf_fini(&filter);
}

/* ---- chunks ---- */

static void add(struct track_chunk *chunk, const struct track_event *event, uint64_t number)
{
	char bytes[TRACK_EVENT_MAX];

	track_chunk_add(chunk, event, span_of(bytes, track_event_encode(event, bytes)), number);
}

static void add_numbered(struct track_chunk *chunk, uint64_t number, size_t text_len)
{
	static char text[TRACK_VALUE_MAX];
	struct track_event event = sample_event();

	memset(text, 'x', sizeof(text));
	event.time_us = 5000 + (number % 2 ? number : 100 - number);
	event.size = number;
	event.text[TRACK_TEXT] = span_of(text, text_len);
	add(chunk, &event, number);
}

static void what_is_sealed_opens_again(void **state)
{
	struct track_chunk *chunk = track_chunk_new(SPAN_LIT("node-1"), 0xabcdef);
	struct buf head_bytes = { 0 }, body = { 0 }, events = { 0 };
	struct track_head head;
	struct track_event event;
	struct span rest;

	(void)state;
	for (uint64_t number = 41; number < 51; number++)
		add_numbered(chunk, number, 20);
	track_chunk_seal(chunk, &head_bytes, &body);
	assert_int_equal(track_head_decode(buf_span(&head_bytes), &head), ERR_OK);
	assert_true(span_eq(head.node, SPAN_LIT("node-1")));
	assert_int_equal(head.run, 0xabcdef);
	assert_int_equal(head.first, 41);
	assert_int_equal(head.count, 10);
	assert_int_equal(head.from_us, 5041);
	assert_int_equal(head.to_us, 5058);
	assert_true(track_filter_may_have(head.filter, track_term(TRACK_TERM_USER, SPAN_LIT("jane"))));
	assert_int_equal(track_chunk_open(&head, buf_span(&body), &events), ERR_OK);
	rest = buf_span(&events);
	for (uint64_t number = 41; number < 51; number++) {
		assert_int_equal(track_event_decode(&rest, &event), ERR_OK);
		assert_int_equal(event.size, number);
	}
	assert_int_equal(rest.len, 0);
	buf_fini(&head_bytes);
	buf_fini(&body);
	buf_fini(&events);
	track_chunk_free(&chunk);
}

static void a_chunk_is_full_by_number_or_by_bytes(void **state)
{
	static const struct {
		size_t text_len, least, most;
	} rows[] = { { 20, TRACK_CHUNK_EVENTS, TRACK_CHUNK_EVENTS }, { 500, 380, 500 } };
	struct track_chunk *chunk = track_chunk_new(SPAN_LIT("node-1"), 1);
	struct buf head_bytes = { 0 }, body = { 0 };
	struct track_head head;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t number = 1;

		while (!track_chunk_is_full(chunk))
			add_numbered(chunk, number++, rows[i].text_len);
		assert_in_range(track_chunk_count(chunk), rows[i].least, rows[i].most);
		track_chunk_seal(chunk, &head_bytes, &body);
		assert_int_equal(track_head_decode(buf_span(&head_bytes), &head), ERR_OK);
		track_chunk_clear(chunk);
		assert_int_equal(track_chunk_count(chunk), 0);
		buf_clear(&head_bytes);
		buf_clear(&body);
	}
	buf_fini(&head_bytes);
	buf_fini(&body);
	track_chunk_free(&chunk);
}

static void a_cleared_chunk_has_forgotten_its_terms(void **state)
{
	struct track_chunk *chunk = track_chunk_new(SPAN_LIT("node-1"), 1);
	struct track_event event = { .kind = TRACK_NODE, .time_us = 1 };
	struct buf head_bytes = { 0 }, body = { 0 };
	struct track_head head;

	(void)state;
	add_numbered(chunk, 1, 0);
	track_chunk_clear(chunk);
	add(chunk, &event, 2);
	track_chunk_seal(chunk, &head_bytes, &body);
	assert_int_equal(track_head_decode(buf_span(&head_bytes), &head), ERR_OK);
	assert_int_equal(head.first, 2);
	assert_false(track_filter_may_have(head.filter, track_term(TRACK_TERM_USER, SPAN_LIT("jane"))));
	buf_fini(&head_bytes);
	buf_fini(&body);
	track_chunk_free(&chunk);
}

static void damage_is_told(void **state)
{
	struct track_chunk *chunk = track_chunk_new(SPAN_LIT("node-1"), 1);
	struct buf head_bytes = { 0 }, body = { 0 }, events = { 0 };
	struct track_head head, other;

	(void)state;
	add_numbered(chunk, 1, 100);
	track_chunk_seal(chunk, &head_bytes, &body);
	for (size_t len = 0; len < buf_len(&head_bytes); len++)
		assert_int_equal(
			track_head_decode(span_take(buf_span(&head_bytes), len), &head), ERR_CORRUPT);
	assert_int_equal(track_head_decode(buf_span(&head_bytes), &head), ERR_OK);
	for (size_t len = 0; len < buf_len(&body); len++)
		assert_int_equal(
			track_chunk_open(&head, span_take(buf_span(&body), len), &events), ERR_CORRUPT);
	other = head;
	other.raw_len--;
	assert_int_equal(track_chunk_open(&other, buf_span(&body), &events), ERR_CORRUPT);
	assert_int_equal(buf_len(&events), 0);
	buf_append_byte(&head_bytes, 0);
	assert_int_equal(track_head_decode(buf_span(&head_bytes), &head), ERR_CORRUPT);
	buf_fini(&head_bytes);
	buf_fini(&body);
	buf_fini(&events);
	track_chunk_free(&chunk);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_event_is_found_by_each_of_its_terms),
		cmocka_unit_test(an_address_is_the_same_however_it_is_written),
		cmocka_unit_test(a_report_is_found_by_its_original),
		cmocka_unit_test(a_filter_has_what_it_was_made_of_and_little_else),
		cmocka_unit_test(what_is_sealed_opens_again),
		cmocka_unit_test(a_chunk_is_full_by_number_or_by_bytes),
		cmocka_unit_test(a_cleared_chunk_has_forgotten_its_terms),
		cmocka_unit_test(damage_is_told),
	};

	return cmocka_run_group_tests_name("track_chunk", tests, NULL, NULL);
}
