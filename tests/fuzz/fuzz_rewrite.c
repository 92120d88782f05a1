#include "skein/proto/base/check.h"
#include "skein/proto/mail/rewrite.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void run(const struct rewrite_rules *rules, struct span message, size_t piece, struct buf *out)
{
	struct rewrite *rewrite = rewrite_new(rules);

	while (message.len) {
		size_t len = message.len < piece ? message.len : piece;

		rewrite_feed(rewrite, span_take(message, len), out);
		message = span_drop(message, len);
	}
	rewrite_end(rewrite, out);
	CHECK(rewrite_is_through(rewrite));
	rewrite_free(&rewrite);
}

/* However it is cut, the result is the same. */
static void run_both(const struct rewrite_rules *rules, struct span message, struct buf *out)
{
	struct buf bytes = { 0 };

	run(rules, message, SIZE_MAX, out);
	run(rules, message, 1, &bytes);
	CHECK(span_eq(buf_span(out), buf_span(&bytes)));
	buf_fini(&bytes);
}

/* Without rules it is the message; a second time changes nothing. Edits go first, then the rules. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const remove[] = { "X", "to" };
	static const struct header_change changes[] = {
		{ SPAN_LIT("from"), 2, SPAN_LIT(" c@d.e"), false },
		{ SPAN_LIT("From"), 1, SPAN_LIT("X: 1\r\nSender: c@d.e\r\n"), true },
		{ SPAN_LIT("subject"), 1, SPAN_LIT(""), false },
	};
	static const struct header_edits edits = { SPAN_LIT("A: 1\r\nTo: x\r\n"), SPAN_LIT("From: b@b\r\n"),
		changes, 3 };
	static const struct rewrite_rules none = { .remove_count = 0 }, edit = { .edits = &edits };
	static const struct rewrite_rules some = { SPAN_LIT(""), remove, 2, SPAN_LIT("n.e"), NULL };
	static const struct rewrite_rules both = { SPAN_LIT(""), remove, 2, SPAN_LIT("n.e"), &edits };
	struct span message = span_of((const char *)data, size);
	struct buf ruled = { 0 }, again = { 0 }, same = { 0 }, edited = { 0 }, at_once = { 0 }, then = { 0 };

	run(&none, message, 3, &same);
	CHECK(span_eq(buf_span(&same), message));
	run_both(&some, message, &ruled);
	run(&some, buf_span(&ruled), SIZE_MAX, &again);
	CHECK(span_eq(buf_span(&ruled), buf_span(&again)));
	run_both(&edit, message, &edited);
	run_both(&both, message, &at_once);
	run(&some, buf_span(&edited), SIZE_MAX, &then);
	CHECK(span_eq(buf_span(&at_once), buf_span(&then)));
	buf_fini(&ruled);
	buf_fini(&again);
	buf_fini(&same);
	buf_fini(&edited);
	buf_fini(&at_once);
	buf_fini(&then);
	return 0;
}
