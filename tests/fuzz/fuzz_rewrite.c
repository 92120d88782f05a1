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

/* However it is cut, the result is the same; without rules it is the message; a second time changes nothing.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const remove[] = { "X", "to" };
	static const struct rewrite_rules none = { .remove_count = 0 };
	static const struct rewrite_rules some = {
		.remove = remove, .remove_count = 2, .from_domain = SPAN_LIT("n.e")
	};
	struct span message = span_of((const char *)data, size);
	struct buf whole = { 0 }, bytes = { 0 }, again = { 0 }, same = { 0 };

	run(&none, message, 3, &same);
	CHECK(span_eq(buf_span(&same), message));
	run(&some, message, SIZE_MAX, &whole);
	run(&some, message, 1, &bytes);
	CHECK(span_eq(buf_span(&whole), buf_span(&bytes)));
	run(&some, buf_span(&whole), SIZE_MAX, &again);
	CHECK(span_eq(buf_span(&whole), buf_span(&again)));
	buf_fini(&whole);
	buf_fini(&bytes);
	buf_fini(&again);
	buf_fini(&same);
	return 0;
}
