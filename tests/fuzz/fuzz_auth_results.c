#include "skein/proto/base/check.h"
#include "skein/proto/wire/auth_results.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HOST SPAN_LIT("mx.example.org")

static bool is_ours(struct span field)
{
	size_t colon = span_find(field, ':');

	return auth_results_is_of(
		span_take(field, colon), span_drop(field, colon < field.len ? colon + 1 : colon), HOST);
}

/* Takes the next of parts that zero bytes part. */
static struct span take_part(struct span *rest)
{
	struct span part = span_take(*rest, span_find(*rest, '\0'));

	*rest = span_drop(*rest, part.len < rest->len ? part.len + 1 : part.len);
	return part;
}

/* Every line but the first begins with a space and has more than that; all is printable. */
static void check_lines(struct span field)
{
	CHECK(field.len > 2 && field.ptr[field.len - 2] == '\r' && field.ptr[field.len - 1] == '\n');
	for (size_t i = 0; i + 2 < field.len; i++) {
		if (field.ptr[i] == '\r') {
			CHECK(field.ptr[i + 1] == '\n' && field.ptr[i + 2] == ' ');
			CHECK(field.ptr[i + 3] != '\r');
			i++;
		} else {
			CHECK(field.ptr[i] >= ' ' && field.ptr[i] <= '~');
		}
	}
}

/* Outside of quotes and comments there is one semicolon for each result. */
static size_t count_results(struct span field)
{
	size_t count = 0, depth = 0;
	bool is_quoted = false;

	for (size_t i = 0; i < field.len; i++) {
		char c = field.ptr[i];

		if (c == '\\' && (is_quoted || depth))
			i++;
		else if (c == '"' && !depth)
			is_quoted = !is_quoted;
		else if (!is_quoted && (c == '(' || c == ')'))
			depth += c == '(' ? 1 : (size_t)-1;
		else if (c == ';' && !is_quoted && !depth)
			count++;
	}
	CHECK(!is_quoted && !depth);
	return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = span_of((const char *)data, size), rest = text;
	struct span comment = take_part(&rest), reason = take_part(&rest), value = take_part(&rest);
	const struct auth_property properties[] = { { "smtp.mailfrom", value }, { "header.d", rest } };
	const struct auth_resinfo results[] = { { "spf", "pass", comment, reason, properties, 2 },
		{ "dkim", "none", { 0 }, value, properties, 1 } };
	struct buf out = { 0 };

	(void)is_ours(text);
	auth_results_append(&out, HOST, results, ARRAY_LEN(results));
	check_lines(buf_span(&out));
	CHECK(count_results(buf_span(&out)) == ARRAY_LEN(results));
	CHECK(is_ours(buf_span(&out)));
	buf_fini(&out);
	return 0;
}
