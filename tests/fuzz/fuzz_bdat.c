#include "clean.h"
#include "smtp/content_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/*
 * The framing of BDAT. The first byte chooses options and how input is cut; then come chunks, each a length
 * byte and as many bytes of text; the last one is LAST. Whole or cut, in one chunk or many, the outcome is
 * the same.
 */
struct outcome {
	struct buf content;
	enum smtp_reply_id fault;
};

struct decoder {
	struct content content;
	struct bdat bdat;
	struct outcome outcome;
};

static void decode_chunk(struct decoder *decoder, struct span chunk, bool last, size_t step)
{
	size_t have = 0, used = 0;
	enum body_step result = BODY_MORE;

	decoder->bdat = (struct bdat){ chunk.len, last, decoder->bdat.holds_cr };
	while (result == BODY_MORE) {
		have = chunk.len - have < step ? chunk.len : have + step;
		do {
			struct span run, in = span_of(chunk.ptr + used, have - used);

			result = bdat_next(&decoder->bdat, &decoder->content, &in, &run);
			used = have - in.len;
			if (result == BODY_RUN)
				buf_append(&decoder->outcome.content, run);
		} while (result == BODY_RUN);
		CHECK(result != BODY_MORE || have < chunk.len);
	}
	decoder->outcome.fault = decoder->content.fault;
	CHECK((result == BODY_FAULT) == (decoder->content.fault != SMTP_REPLY_NONE));
	CHECK(result == BODY_FAULT || used == chunk.len);
}

/* Joins the chunks into one if `join` is not NULL. */
static struct outcome decode(
	struct span input, const struct smtp_server_options *options, size_t step, struct buf *join)
{
	struct decoder decoder = { 0 };

	content_start(&decoder.content, options);
	while (input.len && !decoder.outcome.fault) {
		size_t announced = (unsigned char)input.ptr[0];
		struct span rest = span_drop(input, 1);
		struct span chunk = span_take(rest, announced < rest.len ? announced : rest.len);

		input = span_drop(rest, chunk.len);
		if (join)
			buf_append(join, chunk);
		else
			decode_chunk(&decoder, chunk, !input.len, step);
	}
	if (join)
		decode_chunk(&decoder, buf_span(join), true, step);
	return decoder.outcome;
}

static void check_same(const struct outcome *a, const struct outcome *b)
{
	CHECK(a->fault == b->fault);
	if (!a->fault)
		CHECK(span_eq(buf_span(&a->content), buf_span(&b->content)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct smtp_server_options options;
	struct outcome whole, cut, joined;
	struct buf join = { 0 };
	struct span input = span_of((const char *)data + 1, size - 1);

	if (size < 2)
		return 0;
	smtp_server_options_init(&options);
	options.bare_newline = data[0] & 1 ? SMTP_BARE_NEWLINE_NORMALISE : SMTP_BARE_NEWLINE_REFUSE;
	options.message_size_max = data[0] & 2 ? 40 : 1 << 20;
	options.text_line_max = data[0] & 4 ? 10 : 0;
	whole = decode(input, &options, size, NULL);
	cut = decode(input, &options, 1 + (data[0] >> 3) % 8, NULL);
	joined = decode(input, &options, size, &join);
	check_same(&whole, &cut);
	check_same(&whole, &joined);
	if (!whole.fault)
		check_clean(buf_span(&whole.content));
	buf_fini(&whole.content);
	buf_fini(&cut.content);
	buf_fini(&joined.content);
	buf_fini(&join);
	return 0;
}
