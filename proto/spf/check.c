#include "spf/check_internal.h"

#include "skein/proto/base/alloc.h"
#include "spf/name_internal.h"

static const char *const result_names[] = {
	[SPF_NONE] = "none",
	[SPF_NEUTRAL] = "neutral",
	[SPF_PASS] = "pass",
	[SPF_FAIL] = "fail",
	[SPF_SOFTFAIL] = "softfail",
	[SPF_TEMPERROR] = "temperror",
	[SPF_PERMERROR] = "permerror",
};

const char *spf_result_name(enum spf_result result)
{
	return result_names[result];
}

void check_ask(
	struct spf_check *check, enum spf_query_type type, struct span name, check_on_answer_fn *on_answer)
{
	CHECK(!check->on_answer && name_is_askable(name));
	check->question = (struct spf_question){ type, name };
	check->on_answer = on_answer;
}

void check_ask_addresses(struct spf_check *check, struct span name, check_on_answer_fn *on_answer)
{
	check_ask(check, check->values.client_len == 4 ? SPF_QUERY_A : SPF_QUERY_AAAA, name, on_answer);
}

/* Whether the first `bits` bits are the same. */
static bool is_in_network(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned bytes = bits / 8, rest = bits % 8;

	return memcmp(a, b, bytes) == 0 && (!rest || (a[bytes] ^ b[bytes]) >> (8 - rest) == 0);
}

bool check_has_client(const struct spf_check *check, const struct spf_answer *answer, unsigned bits)
{
	const struct macro_values *values = &check->values;

	for (size_t i = 0; i < answer->count; i++) {
		struct span record = answer->records[i];

		if (record.len == values->client_len &&
			is_in_network((const uint8_t *)record.ptr, values->client, bits))
			return true;
	}
	return false;
}

struct spf_place check_place(struct spf_check *check, const struct spf_term *term)
{
	return (struct spf_place){ check_top(check)->domain, term->text, term->number };
}

void check_fail(struct spf_check *check, enum spf_result result, struct spf_place where, const char *fmt, ...)
{
	struct buf text = { 0 };
	va_list args;

	va_start(args, fmt);
	buf_vprintf(&text, fmt, args);
	va_end(args);
	check->verdict.result = result;
	check->verdict.problem = arena_dup(&check->arena, buf_span(&text));
	check->verdict.where = where;
	check->stage = STAGE_DONE;
	buf_fini(&text);
}

/* RFC 7208 5.2, 6.1: a domain without a policy is an error where a record names it. */
static void fail_without_record(struct spf_check *check, const char *why)
{
	const struct check_frame *frame = check_top(check);

	check_fail(check, frame->origin.number ? SPF_PERMERROR : SPF_NONE, frame->origin, "%.*s %s",
		SPAN_ARGS(frame->domain), why);
}

/* RFC 7208 4.5. Returns how many there are. */
static unsigned select_record(const struct spf_answer *answer, struct span *text_out)
{
	unsigned count = 0;

	for (size_t i = 0; i < answer->count; i++) {
		if (spf_record_is_one(answer->records[i])) {
			*text_out = answer->records[i];
			count++;
		}
	}
	return count;
}

static void parse_record(struct spf_check *check, struct span text)
{
	struct check_frame *frame = check_top(check);
	struct spf_record_problem problem;
	/* One byte too many is kept, so that it is seen to be too long. */
	size_t len = text.len > SPF_RECORD_LEN_MAX ? SPF_RECORD_LEN_MAX + 1 : text.len;
	struct span copy = arena_dup(&check->arena, span_take(text, len));

	if (!spf_record_parse(copy, &check->arena, &frame->record, &problem)) {
		struct spf_place where = { frame->domain, problem.term, problem.number };

		check_fail(check, SPF_PERMERROR, where, "%s", problem.what);
	}
}

static void on_record(struct spf_check *check, const struct spf_answer *answer)
{
	struct check_frame *frame = check_top(check);
	struct spf_place whole = { .domain = frame->domain };
	struct span text = { 0 };
	unsigned count = select_record(answer, &text);

	if (answer->status == SPF_ANSWER_TEMPERROR)
		check_fail(check, SPF_TEMPERROR, frame->origin,
			"the SPF record of %.*s cannot be looked up now", SPAN_ARGS(frame->domain));
	else if (answer->status == SPF_ANSWER_NXDOMAIN)
		fail_without_record(check, "does not exist");
	else if (count == 0)
		fail_without_record(check, "has no SPF record");
	else if (count > 1)
		check_fail(check, SPF_PERMERROR, whole, "the domain has %u SPF records", count);
	else
		parse_record(check, text);
}

static void enter(struct spf_check *check, struct span domain, struct spf_place origin)
{
	*check_top(check) = (struct check_frame){ .domain = domain, .origin = origin };
	check->progress = (struct check_progress){ 0 };
	check->stage = STAGE_TERM;
	if (name_is_domain(domain))
		check_ask(check, SPF_QUERY_TXT, domain, on_record);
	else
		fail_without_record(check, "is no domain name that the DNS could have");
}

void check_redirect(struct spf_check *check, struct span domain, struct spf_place origin)
{
	enter(check, domain, origin);
}

void check_include(struct spf_check *check, struct span domain, struct spf_place origin)
{
	CHECK(check->depth < SPF_DEPTH_MAX);
	check->depth++;
	enter(check, domain, origin);
}

void check_next_term(struct spf_check *check)
{
	check->progress = (struct check_progress){ 0 };
	check_top(check)->next++;
}

void check_leave(struct spf_check *check, enum spf_result result)
{
	struct check_frame *frame;

	while (check->depth > 1) {
		check->depth--;
		/* RFC 7208 5.2: an include matches when the other record passes. */
		if (result != SPF_PASS) {
			check_next_term(check);
			return;
		}
		frame = check_top(check);
		result = frame->record.terms[frame->next].qualifier;
	}
	frame = check_top(check);
	if (frame->next < frame->record.count)
		check->verdict.matched = check_place(check, &frame->record.terms[frame->next]);
	check->verdict.result = result;
	check->stage = result == SPF_FAIL && frame->record.exp.number ? STAGE_EXPLAIN_NAME : STAGE_DONE;
}

bool check_expand_name(struct spf_check *check, struct span spec, struct span *name_out)
{
	struct span domain = check_top(check)->domain;
	struct buf name = { 0 };

	check->values.domain = domain;
	if (macro_uses(spec, 'p')) {
		if (!check_find_client_name(check, domain, RANK_ANY, &check->values.validated))
			return false;
		if (!check->values.validated.len)
			check->values.validated = SPAN_LIT("unknown");
	}
	macro_expand_name(spec, &check->values, &name);
	*name_out = arena_dup(&check->arena, buf_span(&name));
	buf_fini(&name);
	return true;
}

static void run(struct spf_check *check)
{
	static void (*const stages[])(struct spf_check *) = {
		[STAGE_TERM] = check_run_term,
		[STAGE_EXPLAIN_NAME] = check_run_explain_name,
		[STAGE_EXPLAIN_TEXT] = check_run_explain_text,
	};

	while (!check->on_answer && check->stage != STAGE_DONE)
		stages[check->stage](check);
}

/* RFC 7208 5: an IPv4-mapped address is looked at as IPv4. */
static void set_client(struct macro_values *values, const struct spf_request *request)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	CHECK(request->client_len == 4 || request->client_len == 16);
	values->client_len = request->client_len;
	memcpy(values->client, request->client, request->client_len);
	if (request->client_len == 16 && memcmp(request->client, mapped, sizeof(mapped)) == 0) {
		values->client_len = 4;
		memcpy(values->client, request->client + sizeof(mapped), 4);
	}
}

/* RFC 7208 2.4, 4.3: without MAIL FROM it is postmaster at HELO; without a local part, postmaster. */
static void set_sender(struct spf_check *check, const struct spf_request *request)
{
	struct macro_values *values = &check->values;
	struct span sender = request->mail_from, domain;
	size_t at = sender.len;

	/* A quoted local part may have an "@" too. */
	while (at > 0 && sender.ptr[at - 1] != '@')
		at--;
	values->local = at > 1 ? span_take(sender, at - 1) : SPAN_LIT("postmaster");
	if (values->local.len > SPF_LOCAL_LEN_MAX)
		values->local.len = SPF_LOCAL_LEN_MAX;
	values->local = arena_dup(&check->arena, values->local);
	domain = sender.len ? name_without_dot(span_drop(sender, at)) : name_without_dot(request->helo);
	/* One byte too many is kept, so that it is seen to be too long. */
	if (domain.len > SPF_NAME_LEN_MAX + 1)
		domain.len = SPF_NAME_LEN_MAX + 1;
	values->sender_domain = arena_dup(&check->arena, domain);
	check->verdict.domain = values->sender_domain;
}

struct spf_check *spf_check_new(const struct spf_request *request)
{
	struct spf_check *check = mem_zalloc(sizeof(*check));
	struct macro_values *values = &check->values;

	set_client(values, request);
	values->helo = arena_dup(&check->arena, name_without_dot(request->helo));
	if (values->helo.len > SPF_NAME_LEN_MAX)
		values->helo.len = SPF_NAME_LEN_MAX;
	values->receiver =
		request->receiver.len ? arena_dup(&check->arena, request->receiver) : SPAN_LIT("unknown");
	values->now = request->now;
	set_sender(check, request);
	check->depth = 1;
	enter(check, values->sender_domain, (struct spf_place){ 0 });
	run(check);
	return check;
}

void spf_check_free(struct spf_check **check)
{
	if (!*check)
		return;
	arena_fini(&(*check)->arena);
	mem_free(*check);
	*check = NULL;
}

bool spf_check_question(const struct spf_check *check, struct spf_question *question_out)
{
	if (!check->on_answer)
		return false;
	*question_out = check->question;
	return true;
}

void spf_check_answer(struct spf_check *check, const struct spf_answer *answer)
{
	check_on_answer_fn *on_answer = check->on_answer;
	struct spf_answer normal = *answer;

	CHECK(on_answer);
	if (normal.status == SPF_ANSWER_RECORDS && !normal.count)
		normal.status = SPF_ANSWER_NO_DATA;
	if (normal.status != SPF_ANSWER_RECORDS)
		normal.count = 0;
	check->on_answer = NULL;
	on_answer(check, &normal);
	run(check);
}

const struct spf_verdict *spf_check_verdict(const struct spf_check *check)
{
	CHECK(check->stage == STAGE_DONE);
	return &check->verdict;
}
