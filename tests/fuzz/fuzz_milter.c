/*
 * Whatever a filter answers, and however it is cut, the dialog ends or waits; the edits that come of it are
 * valid, and a filter that fails leaves the header as it was.
 */
#include "skein/proto/milter/dialog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct run {
	enum milter_event event;
	enum milter_outcome outcome;
	size_t added, removed, list_size;
	unsigned pieces; /* of body that were given */
};

static struct run run(struct span answers, size_t piece)
{
	static const struct span stored = SPAN_LIT("Received: us\r\nFrom: a\r\nX: 1\r\nX: 2\r\n\r\n");
	static struct envelope_recipient recipients[] = { { .addr = SPAN_LIT("r@b") },
		{ .addr = SPAN_LIT("s@b") } };
	static const struct envelope envelope = { .recipients = recipients,
		.recipient_count = 2,
		.helo = SPAN_LIT("h"),
		.origin_id = SPAN_LIT("I") };
	static const struct milter_facts facts = { .envelope = &envelope };
	struct header_list *list = header_list_new(1, 1000);
	struct milter_dialog *dialog;
	struct run seen = { .event = MILTER_WANTS_INPUT };
	struct arena arena = { 0 };
	struct header_edits edits;

	CHECK(header_list_feed(list, stored) == HEADER_LIST_ENDED);
	dialog = milter_dialog_new(&facts, list);
	while (seen.event != MILTER_ENDED) {
		size_t len = answers.len < piece ? answers.len : piece;
		struct span in = span_take(answers, len);

		seen.event = milter_dialog_next(dialog, &in);
		CHECK(!in.len || seen.event == MILTER_ENDED);
		answers = span_drop(answers, len);
		if (seen.event == MILTER_WANTS_BODY)
			milter_dialog_body(dialog, SPAN_LIT("a body\r\n"), ++seen.pieces == 2);
		else if (!answers.len && seen.event == MILTER_WANTS_INPUT)
			break;
	}
	if (seen.event == MILTER_ENDED) {
		const struct milter_result *result = milter_dialog_result(dialog);

		seen.outcome = result->outcome;
		seen.added = result->added_count;
		seen.removed = result->removed_count;
		CHECK((result->outcome == MILTER_FAILED) == (result->why != NULL));
	}
	seen.list_size = header_list_size(list);
	milter_dialog_free(&dialog);
	CHECK(!header_list_edits(list, &arena, &edits) || header_edits_are_valid(&edits));
	if (seen.event != MILTER_ENDED || seen.outcome == MILTER_FAILED)
		CHECK(header_edits_are_none(&edits) && header_list_size(list) == stored.len);
	header_list_free(&list);
	arena_fini(&arena);
	return seen;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span answers = span_of((const char *)data, size);
	struct run whole = run(answers, SIZE_MAX), bytes = run(answers, 1);

	/* An answer that is half there when the body is wanted may be one to the body. */
	if (whole.pieces || bytes.pieces)
		return 0;
	CHECK(whole.event == bytes.event && whole.outcome == bytes.outcome);
	CHECK(whole.added == bytes.added && whole.removed == bytes.removed &&
		whole.list_size == bytes.list_size);
	return 0;
}
