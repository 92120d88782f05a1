/*
 * Any lines "KEY<tab>TEXT" as what Redis knows of alerts: a look at it ends, what it makes can be read again,
 * and its notices fit into the outbox.
 */
#include "alerts/alert_notice.h"
#include "alerts/alert_round.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NOTES_MAX = 200 };

static size_t read_notes(struct span text, struct alert_note *notes)
{
	size_t count = 0;

	while (text.len && count < NOTES_MAX) {
		struct span line = span_take(text, span_find(text, '\n'));
		size_t tab = span_find(line, '\t');

		notes[count].name = span_take(line, tab);
		notes[count++].text = span_drop(line, tab < line.len ? tab + 1 : tab);
		text = span_drop(text, line.len < text.len ? line.len + 1 : line.len);
	}
	return count;
}

static void check_notice(const struct alert_happening *it)
{
	const struct alert_notice notice = {
		.id = "1-0-ops",
		.channel = "ops",
		.event = alert_news_name(it->news),
		.alert = alert_kind(it->alert)->name,
		.subject = it->subject,
		.text = it->text,
		.severity = it->severity,
		.what = alert_kind(it->alert)->what,
		.cure = alert_kind(it->alert)->cure,
		.since_ms = it->since_ms,
		.node = "relay-1",
	};
	json_t *json = alert_notice_json(&notice);
	char *text = json_dumps(json, JSON_COMPACT);

	CHECK(text && strlen(text) <= ALERT_NOTICE_MAX);
	free(text);
	json_decref(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct alert_round round;
	struct alert_note notes[NOTES_MAX] = { 0 };
	const struct alert_facts facts = { .has_queue = true, .queue_size = 20000 };
	struct alert_policy policy;
	struct alert_store_view view = { .now_ms = 1000000 };

	alert_policy_preset(&policy);
	view.firing = (struct alert_notes){ notes, read_notes(span_of((const char *)data, size), notes) };
	alert_round_run(&round, &(struct alert_round_input){ &facts, &policy, &view });
	for (size_t i = 0; i < round.happening_count; i++)
		check_notice(&round.happenings[i]);
	for (size_t i = 0; i < round.change_count; i++) {
		struct alert_state state;
		struct span text;

		CHECK(!round.changes[i].text.len || alert_state_read(round.changes[i].text, &state, &text));
	}
	alert_round_fini(&round);
	round = (struct alert_round){ .change_count = 0 };
	return 0;
}
