/* Replies of the function library, decoded and checked: what comes from here on can be trusted to have its
 * form. */
#include "redis/call.h"

static const struct {
	const char *name; /* for the log; in upper case, what the functions answer */
	const char *reply;
} kinds[] = {
	[OUTCOME_OK] = { "ok", "OK" },
	[OUTCOME_UNREPLICATED] = { "unreplicated", NULL },
	[OUTCOME_HELD] = { "held", "HELD" },
	[OUTCOME_PENDING] = { "pending", "PENDING" },
	[OUTCOME_GONE] = { "gone", "GONE" },
	[OUTCOME_NOT] = { "not", "NOT" },
	[OUTCOME_BODY] = { "body", "BODY" },
	[OUTCOME_FENCED] = { "fenced", "FENCED" },
	[OUTCOME_NEWGEN] = { "newgen", "NEWGEN" },
	[OUTCOME_WAIT] = { "wait", "WAIT" },
	[OUTCOME_ALIVE] = { "alive", "ALIVE" },
	[OUTCOME_REFUSED] = { "refused", "REFUSED" },
	[OUTCOME_UNKNOWN] = { "unknown", NULL },
	[OUTCOME_ERROR] = { "error", NULL },
};

static const char *const refusals[] = {
	[REFUSAL_NONE] = "NONE",
	[REFUSAL_NAME] = "NAME",
	[REFUSAL_HOST] = "HOST",
	[REFUSAL_FORGOTTEN] = "FORGOTTEN",
	[REFUSAL_FORMAT] = "FORMAT",
	[REFUSAL_CLUSTER] = "CLUSTER",
};

/* What the first word of an error reply says; the last row is for "ERR Function not found". */
static const struct {
	const char *start;
	enum outcome_error error;
} errors[] = {
	{ "READONLY", ERROR_READONLY },
	{ "OOM", ERROR_FULL },
	{ "LOADING", ERROR_BUSY },
	{ "BUSY", ERROR_BUSY },
	{ "TRYAGAIN", ERROR_BUSY },
	{ "CLUSTERDOWN", ERROR_BUSY },
	{ "MASTERDOWN", ERROR_BUSY },
	{ "ERR Function not found", ERROR_FUNCTION },
};

const char *outcome_kind_name(enum outcome_kind kind)
{
	return kinds[kind].name;
}

const char *outcome_error_name(enum outcome_error error)
{
	static const char *const names[] = {
		[ERROR_OTHER] = "other",
		[ERROR_READONLY] = "readonly",
		[ERROR_FULL] = "full",
		[ERROR_BUSY] = "busy",
		[ERROR_FUNCTION] = "function",
		[ERROR_REPLY] = "reply",
	};

	return names[error];
}

const char *settled_name(enum settled why)
{
	static const char *const names[] = { "pending", "withdrawn", "cancelled", "expired", "failed",
		"delivered" };

	return names[why - SETTLED_PENDING];
}

static struct span text_of(const redisReply *reply)
{
	return span_of(reply->str, (size_t)reply->len);
}

static bool is_text(const redisReply *reply)
{
	return reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_STATUS;
}

void outcome_bad_reply(struct outcome *outcome)
{
	*outcome = (struct outcome){ .kind = OUTCOME_ERROR, .error = ERROR_REPLY };
	outcome->text = SPAN_LIT("the reply is not of the expected form");
}

static struct outcome outcome_of_error(struct span text)
{
	struct outcome outcome = { .kind = OUTCOME_ERROR, .error = ERROR_OTHER, .text = text };

	for (size_t i = 0; i < ARRAY_LEN(errors); i++)
		if (span_starts_with(text, span_of_str(errors[i].start)))
			outcome.error = errors[i].error;
	return outcome;
}

static bool find_kind(struct span word, enum outcome_kind *kind_out)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (kinds[i].reply && span_eq(word, span_of_str(kinds[i].reply))) {
			*kind_out = (enum outcome_kind)i;
			return true;
		}
	}
	return false;
}

static enum outcome_refusal read_refusal(struct reply_cursor *reader)
{
	struct span word = reply_span(reader);

	for (size_t i = 0; i < ARRAY_LEN(refusals); i++)
		if (span_eq(word, span_of_str(refusals[i])))
			return (enum outcome_refusal)i;
	reader->bad = true;
	return REFUSAL_NONE;
}

/* A word, or an array that begins with one; what goes with it follows. */
static struct outcome outcome_of_words(const redisReply *reply)
{
	struct reply_cursor reader = reply_read(reply);
	struct outcome outcome = { .why = SETTLED_PENDING };
	struct span word = is_text(reply) ? text_of(reply) : reply_span(&reader);

	if (!find_kind(word, &outcome.kind)) {
		outcome_bad_reply(&outcome);
		return outcome;
	}
	reader.bad = false;
	if (outcome.kind == OUTCOME_GONE)
		outcome.why = reply_settled(&reader);
	else if (outcome.kind == OUTCOME_FENCED)
		outcome.fence = reply_u64(&reader);
	else if (outcome.kind == OUTCOME_WAIT)
		outcome.wait_ms = reply_u64(&reader);
	else if (outcome.kind == OUTCOME_REFUSED)
		outcome.refusal = read_refusal(&reader);
	if (reader.bad)
		outcome_bad_reply(&outcome);
	return outcome;
}

struct outcome outcome_of_plain(enum redis_outcome how, const redisReply *reply)
{
	if (how == REDIS_UNKNOWN)
		return (struct outcome){ .kind = OUTCOME_UNKNOWN, .why = SETTLED_PENDING };
	if (reply->type == REDIS_REPLY_ERROR)
		return outcome_of_error(text_of(reply));
	return (struct outcome){ .kind = how == REDIS_UNREPLICATED ? OUTCOME_UNREPLICATED : OUTCOME_OK,
		.why = SETTLED_PENDING };
}

struct outcome outcome_of_reply(enum redis_outcome how, const redisReply *reply)
{
	struct outcome outcome = outcome_of_plain(how, reply), said;

	if (!outcome_is_ok(&outcome))
		return outcome;
	said = outcome_of_words(reply);
	if (said.kind == OUTCOME_OK)
		said.kind = outcome.kind;
	return said;
}

struct reply_cursor reply_read(const redisReply *array)
{
	return (struct reply_cursor){ .array = array, .bad = !array || array->type != REDIS_REPLY_ARRAY };
}

bool reply_has_more(const struct reply_cursor *reader)
{
	return !reader->bad && reader->next < reader->array->elements;
}

static const redisReply *next_element(struct reply_cursor *reader)
{
	if (!reply_has_more(reader)) {
		reader->bad = true;
		return NULL;
	}
	return reader->array->element[reader->next++];
}

uint64_t reply_u64(struct reply_cursor *reader)
{
	const redisReply *element = next_element(reader);
	uint64_t value = 0;

	if (element && element->type == REDIS_REPLY_INTEGER && element->integer >= 0)
		return (uint64_t)element->integer;
	if (!element || !is_text(element) || !span_parse_u64(text_of(element), UINT64_MAX, &value))
		reader->bad = true;
	return value;
}

struct span reply_span(struct reply_cursor *reader)
{
	const redisReply *element = next_element(reader);

	if (element && is_text(element))
		return text_of(element);
	reader->bad = true;
	return SPAN_LIT("");
}

const redisReply *reply_array(struct reply_cursor *reader)
{
	const redisReply *element = next_element(reader);

	if (element && element->type == REDIS_REPLY_ARRAY)
		return element;
	reader->bad = true;
	return NULL;
}

struct msg_id reply_id(struct reply_cursor *reader)
{
	struct msg_id id = { { 0 } };

	if (!msg_id_parse(reply_span(reader), &id))
		reader->bad = true;
	return id;
}

struct node_uuid reply_uuid(struct reply_cursor *reader)
{
	struct span text = reply_span(reader);
	struct node_uuid uuid;

	if (!node_uuid_parse(text, &uuid) && text.len > 0)
		reader->bad = true;
	return uuid;
}

struct incarnation reply_incarnation(struct reply_cursor *reader)
{
	struct span text = reply_span(reader);
	size_t mark = span_find(text, '#');
	struct incarnation node = { .epoch = 0 };

	if (text.len == 0)
		return node;
	if (mark == text.len || !node_uuid_parse(span_take(text, mark), &node.node) ||
		!span_parse_u64(span_drop(text, mark + 1), UINT64_MAX, &node.epoch))
		reader->bad = true;
	return node;
}

enum settled reply_settled(struct reply_cursor *reader)
{
	uint64_t why = reply_u64(reader);

	if (why > SETTLED_DELIVERED - SETTLED_PENDING) {
		reader->bad = true;
		why = 0;
	}
	return (enum settled)(SETTLED_PENDING + why);
}
