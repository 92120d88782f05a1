/*
 * Any message. The first byte says how it is cut. Checked: whole, in pieces and by a look alone it is the
 * same; what comes out is 7-bit and needs nothing further; no line of it is longer than 76 characters where
 * that of the message was not.
 */
#include "skein/proto/mail/downgrade.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum downgrade_verdict run(struct span message, size_t piece, struct buf *out, uint64_t *size_out)
{
	struct downgrade *downgrade = downgrade_new();
	enum downgrade_verdict verdict;

	while (message.len) {
		size_t len = message.len < piece ? message.len : piece;

		(void)downgrade_feed(downgrade, span_take(message, len), out);
		message = span_drop(message, len);
	}
	verdict = downgrade_end(downgrade, out);
	*size_out = downgrade_size(downgrade);
	downgrade_free(&downgrade);
	return verdict;
}

static size_t longest_line(struct span text)
{
	size_t longest = 0;

	while (text.len) {
		size_t len = span_find(text, '\n');

		longest = len > longest ? len : longest;
		text = span_drop(text, len < text.len ? len + 1 : len);
	}
	return longest;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf whole = { 0 }, cut = { 0 };
	struct span message = span_of((const char *)data, size);
	enum downgrade_verdict verdict;
	uint64_t whole_size, cut_size, looked_size;

	if (!size)
		return 0;
	message = span_drop(message, 1);
	verdict = run(message, SIZE_MAX, &whole, &whole_size);
	CHECK(run(message, (size_t)data[0] + 1, &cut, &cut_size) == verdict);
	CHECK(span_eq(buf_span(&whole), buf_span(&cut)));
	CHECK(run(message, SIZE_MAX, NULL, &looked_size) == verdict);
	CHECK(whole_size == buf_len(&whole) && cut_size == whole_size && looked_size == whole_size);
	if (verdict == DOWNGRADE_OK) {
		size_t longest = longest_line(message);

		CHECK(run(buf_span(&whole), SIZE_MAX, NULL, &looked_size) == DOWNGRADE_NEEDLESS);
		CHECK(longest_line(buf_span(&whole)) <= (longest > 77 ? longest : 77));
	}
	buf_fini(&whole);
	buf_fini(&cut);
	return 0;
}
