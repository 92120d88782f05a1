#include "clean.h"
#include "smtp/content_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/*
 * The decoder of DATA. The first byte chooses options and how the rest is cut. Whole or cut, the outcome is
 * the same; and what is accepted is clean.
 */
struct outcome {
	struct buf content;
	enum smtp_reply_id fault;
	bool ended;
	size_t used;
};

static struct outcome decode(struct span wire, const struct smtp_server_options *options, size_t step)
{
	struct outcome outcome = { 0 };
	struct content content;
	size_t have = 0;

	content_start(&content, options);
	while (!outcome.ended && have < wire.len) {
		enum body_step result;

		have = wire.len - have < step ? wire.len : have + step;
		do {
			struct span run, in = span_of(wire.ptr + outcome.used, have - outcome.used);

			result = dot_next(&content, &in, &run);
			outcome.used = have - in.len;
			if (result == BODY_RUN)
				buf_append(&outcome.content, run);
		} while (result == BODY_RUN || result == BODY_FAULT);
		CHECK(result == BODY_END || have - outcome.used <= 2);
		outcome.ended = result == BODY_END;
	}
	outcome.fault = content.fault;
	CHECK(buf_len(&outcome.content) <= options->message_size_max);
	return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct smtp_server_options options;
	struct span wire = span_of((const char *)data + 1, size - 1);
	struct outcome whole, cut;

	if (!size)
		return 0;
	smtp_server_options_init(&options);
	options.bare_newline = data[0] & 1 ? SMTP_BARE_NEWLINE_NORMALISE : SMTP_BARE_NEWLINE_REFUSE;
	options.message_size_max = data[0] & 2 ? 40 : 1 << 20;
	options.text_line_max = data[0] & 4 ? 10 : 0;
	whole = decode(wire, &options, size);
	cut = decode(wire, &options, 1 + (data[0] >> 3) % 8);
	CHECK(whole.fault == cut.fault && whole.ended == cut.ended);
	CHECK(!whole.ended || whole.used == cut.used);
	if (!whole.fault) {
		CHECK(span_eq(buf_span(&whole.content), buf_span(&cut.content)));
		if (whole.ended)
			check_clean(buf_span(&whole.content));
	}
	if (whole.ended)
		CHECK(wire.ptr[whole.used - 3] == '.' && wire.ptr[whole.used - 1] == '\n');
	buf_fini(&whole.content);
	buf_fini(&cut.content);
	return 0;
}
