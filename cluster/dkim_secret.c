#include "skein/cluster/dkim_secret.h"

#include "skein/cluster/secret.h"

/* "dkim 1 active 1790000000000\n", then the key. */
#define FORMAT "dkim 1 "
#define MIDDLE "._domainkey."

const char *const dkim_state_names[DKIM_STATES] = {
	[DKIM_STATE_CREATED] = "created",
	[DKIM_STATE_PUBLISHED] = "published",
	[DKIM_STATE_ACTIVE] = "active",
	[DKIM_STATE_RETIRED] = "retired",
};

static bool parse_state(struct span word, enum dkim_state *state_out)
{
	for (int i = 0; i < DKIM_STATES; i++)
		if (span_eq(word, span_of_str(dkim_state_names[i]))) {
			*state_out = (enum dkim_state)i;
			return true;
		}
	return false;
}

bool dkim_secret_parse(struct span text, struct dkim_secret *secret_out)
{
	size_t end = span_find(text, '\n'), space;
	struct span line = span_take(text, end);

	if (end == text.len || !span_starts_with(line, SPAN_LIT(FORMAT)))
		return false;
	line = span_drop(line, strlen(FORMAT));
	space = span_find(line, ' ');
	secret_out->pem = span_drop(text, end + 1);
	return space < line.len && parse_state(span_take(line, space), &secret_out->state) &&
	       span_parse_u64(span_drop(line, space + 1), INT64_MAX, &secret_out->since_ms);
}

void dkim_secret_format(const struct dkim_secret *secret, struct buf *text_out)
{
	buf_printf(text_out, FORMAT "%s %llu\n", dkim_state_names[secret->state],
		(unsigned long long)secret->since_ms);
	buf_append(text_out, secret->pem);
}

/* No label of a selector or a domain has a '_': the first such place is the only one. */
bool dkim_secret_name_parse(struct span name, struct dkim_secret_name *name_out)
{
	for (size_t at = 1; at < name.len; at++) {
		if (!span_starts_with(span_drop(name, at), SPAN_LIT(MIDDLE)))
			continue;
		name_out->selector = span_take(name, at);
		name_out->domain = span_drop(name, at + strlen(MIDDLE));
		return name_out->domain.len > 0;
	}
	return false;
}

static void append_lower(struct buf *out, struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		buf_append_byte(out, ascii_lower(text.ptr[i]));
}

bool dkim_secret_name_format(const struct dkim_secret_name *name, struct buf *out)
{
	size_t len = buf_len(out);
	bool is_name;

	append_lower(out, name->selector);
	buf_append_str(out, MIDDLE);
	append_lower(out, name->domain);
	is_name = secret_name_is_valid(span_drop(buf_span(out), len));
	if (!is_name)
		buf_truncate(out, len);
	return is_name;
}
