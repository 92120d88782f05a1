#include "cmocka_all.h"

#include "alerts/alert_round.h"

#include "skein/proto/base/alloc.h"

/* What one look makes of what Redis has: "change subject=text;" and "news subject told;". */
struct row {
	const char *name, *firing, *state, *silence;
	uint64_t queue_size; /* bound 10000 */
	const char *made;
};

#define X80      "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define LONG_KEY "node-lost " X80 X80 X80 X80 "x"

static const struct row rows[] = {
	{ "nothing", "", "", "", 0, "" },
	{ "what begins is pending", "", "", "", 10001,
		"change queue-size cluster=pending 1000000 0 0 10001 10001 messages are in the queue; the "
		"bound is 10000;" },
	{ "what goes on is not written again", "queue-size cluster", "pending 900000 0 0 5 x", "", 10001,
		"" },
	{ "what has lasted fires", "queue-size cluster", "pending 600000 0 0 5 x", "", 10001,
		"change queue-size cluster=firing 600000 1000000 0 10001 10001 messages are in the "
		"queue; the bound is 10000;fired queue-size cluster told;" },
	{ "in silence", "queue-size cluster", "pending 600000 0 0 5 x", "queue-size", 10001,
		"change queue-size cluster=firing 600000 0 0 10001 10001 messages are in the queue; the "
		"bound is 10000;fired "
		"queue-size cluster;" },
	{ "in silence of the subject", "queue-size cluster", "pending 600000 0 0 5 x", "queue-size cluster",
		10001,
		"change queue-size cluster=firing 600000 0 0 10001 10001 messages are in the queue; the "
		"bound is 10000;fired "
		"queue-size cluster;" },
	{ "another silence", "queue-size cluster", "pending 600000 0 0 5 x", "queue-size node", 10001,
		"change queue-size cluster=firing 600000 1000000 0 10001 10001 messages are in the "
		"queue; the bound is 10000;fired queue-size cluster told;" },
	{ "what is over goes", "queue-size cluster", "firing 1 2 600000 5 x", "", 100,
		"change queue-size cluster=;recovered queue-size cluster told;" },
	{ "a subject that is gone is over", "node-lost n9", "firing 1 2 900000 1 x", "", 0,
		"change node-lost n9=;recovered node-lost n9 told;" },
	{ "but not at once", "node-lost n9", "firing 1 2 0 1 x", "", 0,
		"change node-lost n9=firing 1 2 1000000 1 x;" },
	{ "what nobody has looked at yet goes on", "dns cluster", "firing 1 2 900000 1 x", "", 0, "" },
	{ "as a certificate of a next hop does", "certificate hop mx.example", "firing 1 2 900000 1 x", "", 0,
		"" },
	{ "what no version wrote goes", "queue-size cluster", "burning 1", "", 0,
		"change queue-size cluster=;" },
	{ "what no version wrote so long goes", LONG_KEY, "firing 1 2 0 1 x", "", 0,
		"change " LONG_KEY "=;" },
	{ "an alert that is not known goes", "no-such cluster", "firing 1 2 0 1 x", "", 0,
		"change no-such cluster=;" },
};

static void append(const struct alert_round *round, struct buf *out)
{
	for (size_t i = 0; i < round->change_count; i++)
		buf_printf(out, "change %.*s=%.*s;", SPAN_ARGS(round->changes[i].name),
			SPAN_ARGS(round->changes[i].text));
	for (size_t i = 0; i < round->happening_count; i++) {
		const struct alert_happening *it = &round->happenings[i];

		buf_printf(out, "%s %s %.*s%s;", alert_news_name(it->news), alert_kind(it->alert)->name,
			SPAN_ARGS(it->subject), it->is_told ? " told" : "");
	}
}

static void a_look_makes_changes_and_news(void **state)
{
	struct alert_round *round = mem_zalloc(sizeof(*round));
	struct alert_policy policy;
	struct buf made = { 0 };

	(void)state;
	alert_policy_preset(&policy);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		/* The reply is gone when what was made of it is read. */
		struct span key = span_of_str(rows[i].firing), words = span_of_str(rows[i].state);
		char *reply_key = mem_dup(key.ptr, key.len), *reply_words = mem_dup(words.ptr, words.len);
		const struct alert_note known = { .name = span_of(reply_key, key.len),
			.text = span_of(reply_words, words.len) };
		const struct alert_note silence = { .name = span_of_str(rows[i].silence),
			.text = SPAN_LIT("2000000 1 joe x") };
		const struct alert_store_view view = {
			.now_ms = 1000000,
			.firing = { &known, *rows[i].firing ? 1 : 0 },
			.silences = { &silence, *rows[i].silence ? 1 : 0 },
		};
		const struct alert_facts facts = {
			.now_ms = 1000000, .has_queue = true, .queue_size = rows[i].queue_size
		};
		const struct alert_round_input input = { &facts, &policy, &view };

		buf_clear(&made);
		alert_round_run(round, &input);
		memset(reply_key, '!', key.len);
		memset(reply_words, '!', words.len);
		mem_free(reply_key);
		mem_free(reply_words);
		append(round, &made);
		if (!span_eq(buf_span(&made), span_of_str(rows[i].made)))
			fail_msg("%s:\n%.*s\nwanted\n%s", rows[i].name, SPAN_ARGS(buf_span(&made)),
				rows[i].made);
	}
	buf_fini(&made);
	alert_round_fini(round);
	mem_free(round);
}

/* What a leader has written is what the next one begins with: it has nothing more to tell. */
static void another_leader_tells_nothing_again(void **state)
{
	struct alert_round *first = mem_zalloc(sizeof(*first)), *second = mem_zalloc(sizeof(*second));
	static const struct alert_node lost[] = { { .name = SPAN_LIT("n1"), .life = ALERT_NODE_DEAD } };
	struct alert_facts facts = { .now_ms = 1000000, .nodes = lost, .node_count = 1 };
	struct alert_store_view view = { .now_ms = 1000000 };
	struct alert_policy policy;
	const struct alert_round_input input = { &facts, &policy, &view };

	(void)state;
	alert_policy_preset(&policy);
	alert_round_run(first, &input);
	assert_int_equal(first->happening_count, 1);
	assert_true(first->happenings[0].is_told);
	view.firing = (struct alert_notes){ first->changes, first->change_count };
	for (unsigned look = 1; look < 5; look++) {
		facts.now_ms = view.now_ms = 1000000 + look * 5000;
		alert_round_run(second, &input);
		assert_int_equal(second->happening_count, 0);
		assert_int_equal(second->change_count, 0);
		assert_int_equal(second->firing[ALERT_NODE_LOST], 1);
	}
	alert_round_fini(first);
	alert_round_fini(second);
	mem_free(first);
	mem_free(second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_look_makes_changes_and_news),
		cmocka_unit_test(another_leader_tells_nothing_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
