/*
 * The size allowed, then host, name and value of a parameter and the text, each to the next NUL. Checked: a
 * message keeps its bound, is one line of UTF-8, and can be taken apart again.
 */
#include "skein/proto/base/utf8.h"
#include "skein/proto/wire/syslog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct span next(struct span *rest)
{
	size_t end = span_find(*rest, '\0');
	struct span part = span_take(*rest, end);

	*rest = span_drop(*rest, end < rest->len ? end + 1 : end);
	return part;
}

/* What is behind the blank that ends a field. */
static struct span after_word(struct span rest)
{
	size_t end = span_find(rest, ' ');

	CHECK(end > 0 && end < rest.len);
	return span_drop(rest, end + 1);
}

/* What is behind the structured data. */
static struct span after_element(struct span rest)
{
	bool is_quoted = false;

	CHECK(rest.len && rest.ptr[0] == '[');
	for (size_t i = 1; i < rest.len; i++) {
		if (is_quoted && rest.ptr[i] == '\\')
			i++;
		else if (rest.ptr[i] == '"')
			is_quoted = !is_quoted;
		else if (!is_quoted && rest.ptr[i] == ']')
			return span_drop(rest, i + 1);
	}
	CHECK(!"the element ends");
	return rest;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = span_of((const char *)data, size), written;
	size_t size_max = SYSLOG_SIZE_MIN + (size ? data[0] : 0);
	struct syslog_param params[2] = { { .name = "one" }, { .name = "two" } };
	struct syslog_record record = {
		.time_us = size, .element = "skein@32473", .params = params, .param_count = 2
	};
	struct buf out = { 0 };

	rest = span_drop(rest, size ? 1 : 0);
	record.host = next(&rest);
	record.kind = next(&rest);
	params[0].value = next(&rest);
	params[1].value = next(&rest);
	record.text = rest;
	syslog_write(&record, size_max, &out);
	CHECK(buf_len(&out) <= size_max);
	written = buf_span(&out);
	CHECK(utf8_is_valid(written));
	for (size_t i = 0; i < written.len; i++)
		CHECK((unsigned char)written.ptr[i] >= ' ' && written.ptr[i] != 0x7f);
	for (size_t i = 0; i < 6; i++)
		written = after_word(written);
	written = after_element(written);
	CHECK(!written.len || written.ptr[0] == ' ');
	buf_fini(&out);
	return 0;
}
