#include "daily/tls_rows.h"

#include "skein/proto/base/alloc.h"

#include <stdlib.h>

enum { FAILURES_MAX = 256, LINES_MAX = 256 };

/* A policy as it comes to be. */
struct draft {
	struct span name; /* "sts" */
	struct tls_report_policy policy;
	struct tls_report_failure *failures;
	struct span *strings, *hosts;
};

struct drafts {
	struct arena *arena;
	struct span domain;
	struct draft items[TLS_ROWS_POLICIES_MAX];
	size_t count;
};

static int compare_spans(struct span a, struct span b)
{
	size_t len = a.len < b.len ? a.len : b.len;
	int order = len ? memcmp(a.ptr, b.ptr, len) : 0;

	return order ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare_fields(const void *left, const void *right)
{
	const struct tls_counts_field *a = left, *b = right;

	return compare_spans(a->name, b->name);
}

static int compare_drafts(const void *left, const void *right)
{
	const struct draft *a = left, *b = right;

	return compare_spans(a->name, b->name);
}

static struct span next_word(struct span *rest)
{
	size_t end = span_find(*rest, ' ');
	struct span word = span_take(*rest, end);

	*rest = span_drop(*rest, end < rest->len ? end + 1 : end);
	return word;
}

/* False: a name that no node writes. */
static bool set_type(struct draft *draft, struct arena *arena)
{
	struct span tlsa = SPAN_LIT("tlsa/");

	if (span_eq(draft->name, SPAN_LIT("none"))) {
		draft->policy.type = SPAN_LIT("no-policy-found");
	} else if (span_eq(draft->name, SPAN_LIT("sts"))) {
		draft->policy.type = SPAN_LIT("sts");
	} else if (span_starts_with(draft->name, tlsa) && draft->name.len > tlsa.len) {
		draft->policy.type = SPAN_LIT("tlsa");
		draft->hosts = arena_alloc(arena, sizeof(*draft->hosts));
		draft->hosts[0] = span_drop(draft->name, tlsa.len);
		draft->policy.host_count = 1;
	} else {
		return false;
	}
	return true;
}

/* NULL: it makes no sense, or there is no room. */
static struct draft *find_or_make(struct drafts *drafts, struct span name)
{
	struct draft *draft = &drafts->items[drafts->count];

	for (size_t i = 0; i < drafts->count; i++)
		if (span_eq(drafts->items[i].name, name))
			return &drafts->items[i];
	if (drafts->count == TLS_ROWS_POLICIES_MAX)
		return NULL;
	*draft = (struct draft){ .name = arena_dup(drafts->arena, name), .policy.domain = drafts->domain };
	if (!set_type(draft, drafts->arena))
		return NULL;
	drafts->count++;
	return draft;
}

static struct span known(struct arena *arena, struct span word)
{
	return span_eq(word, SPAN_LIT("-")) ? span_of("", 0) : arena_dup(arena, word);
}

/* "POLICY success", "POLICY RESULT HOST SENDING-IP RECEIVING-IP" */
static void add_count(struct drafts *drafts, struct span rest, uint64_t count)
{
	struct draft *draft = find_or_make(drafts, next_word(&rest));
	struct span result = next_word(&rest);
	struct tls_report_failure *failure;

	if (!draft || !result.len)
		return;
	if (span_eq(result, SPAN_LIT("success"))) {
		draft->policy.good += count;
		return;
	}
	draft->policy.failed += count;
	if (draft->policy.failure_count == FAILURES_MAX)
		return;
	if (!draft->failures)
		draft->failures = arena_alloc(drafts->arena, FAILURES_MAX * sizeof(*draft->failures));
	failure = &draft->failures[draft->policy.failure_count++];
	failure->result = arena_dup(drafts->arena, result);
	failure->host = known(drafts->arena, next_word(&rest));
	failure->sending_ip = known(drafts->arena, next_word(&rest));
	failure->receiving_ip = known(drafts->arena, next_word(&rest));
	failure->count = count;
}

/* Without the CR of a policy's lines. */
static struct span trim_line(struct span line)
{
	if (line.len && line.ptr[line.len - 1] == '\r')
		line = span_take(line, line.len - 1);
	return span_trim(line);
}

/* The lines; of MTA-STS, the patterns too. */
static void add_text(struct drafts *drafts, struct span name, struct span text)
{
	struct draft *draft = find_or_make(drafts, name);
	bool has_patterns = draft && span_eq(name, SPAN_LIT("sts"));

	if (!draft || draft->strings)
		return;
	draft->strings = arena_alloc(drafts->arena, LINES_MAX * sizeof(*draft->strings));
	if (has_patterns)
		draft->hosts = arena_alloc(drafts->arena, LINES_MAX * sizeof(*draft->hosts));
	while (text.len && draft->policy.string_count < LINES_MAX) {
		struct span line = span_take(text, span_find(text, '\n'));
		struct span trimmed = arena_dup(drafts->arena, trim_line(line));

		text = span_drop(text, line.len < text.len ? line.len + 1 : line.len);
		if (!trimmed.len)
			continue;
		draft->strings[draft->policy.string_count++] = trimmed;
		if (has_patterns && span_starts_with(trimmed, SPAN_LIT("mx:")))
			draft->hosts[draft->policy.host_count++] = span_trim(span_drop(trimmed, 3));
	}
}

size_t tls_rows_policies(const struct tls_counts_day *day, struct arena *arena,
	struct tls_report_policy policies_out[TLS_ROWS_POLICIES_MAX])
{
	struct drafts *drafts = mem_zalloc(sizeof(*drafts));
	struct tls_counts_field *fields = mem_alloc((day->field_count + 1) * sizeof(*fields));
	size_t count;

	drafts->arena = arena;
	drafts->domain = arena_dup(arena, day->domain);
	for (size_t i = 0; i < day->field_count; i++)
		fields[i] = day->fields[i];
	qsort(fields, day->field_count, sizeof(*fields), compare_fields);
	for (size_t i = 0; i < day->field_count; i++) {
		struct span name = fields[i].name, rest = span_drop(name, name.len ? 1 : 0);
		uint64_t value;

		if (name.len && name.ptr[0] == '+' && span_parse_u64(fields[i].value, UINT64_MAX / 2, &value))
			add_count(drafts, rest, value);
		else if (name.len && name.ptr[0] == '=')
			add_text(drafts, rest, fields[i].value);
	}
	qsort(drafts->items, drafts->count, sizeof(drafts->items[0]), compare_drafts);
	count = drafts->count;
	for (size_t i = 0; i < count; i++) {
		policies_out[i] = drafts->items[i].policy;
		policies_out[i].failures = drafts->items[i].failures;
		policies_out[i].strings = drafts->items[i].strings;
		policies_out[i].hosts = drafts->items[i].hosts;
	}
	mem_free(fields);
	mem_free(drafts);
	return count;
}

bool tls_rows_is_told(const struct tls_counts_day *day, struct span uri)
{
	struct span told = SPAN_LIT("told ");

	for (size_t i = 0; i < day->field_count; i++)
		if (span_starts_with(day->fields[i].name, told) &&
			span_eq(span_drop(day->fields[i].name, told.len), uri))
			return true;
	return false;
}
