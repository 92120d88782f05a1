#include "skein/cluster/tls_counts.h"

#include "redis/call.h"
#include "skein/proto/base/alloc.h"

static void begin(struct call *call, struct redis_link *link, const char *function)
{
	call_begin(call, link, function, CALL_WRITES);
	call_in_room(call, "tls");
	call_key(call, ":due", SPAN_LIT(""));
}

bool tls_counts_add(struct redis_link *link, const struct tls_counts_add *args, uint64_t now_ms,
	tls_counts_fn *fn, void *arg)
{
	struct call call;

	CHECK(args->count <= TLS_COUNTS_ADD_MAX);
	begin(&call, link, "tls_count");
	call_arg_u64(&call, args->delay_ms);
	call_arg_u64(&call, args->chance);
	for (size_t i = 0; i < args->count; i++) {
		const struct tls_count *count = &args->counts[i];

		CHECK(count->domain.len && count->field.len && count->field.len <= TLS_COUNTS_FIELD_MAX &&
			count->text.len <= TLS_COUNTS_TEXT_MAX);
		call_arg(&call, count->domain);
		call_arg(&call, count->field);
		if (count->field.ptr[0] == '+')
			call_arg_u64(&call, count->step);
		else
			call_arg(&call, count->text);
	}
	return call_send_plain(&call, now_ms, fn, arg);
}

static void read_fields(
	struct reply_cursor *reader, struct tls_counts_day *day, struct tls_counts_field *fields)
{
	while (reply_has_more(reader)) {
		struct tls_counts_field *field = &fields[day->field_count];

		field->name = reply_span(reader);
		field->value = reply_span(reader);
		if (reader->bad)
			return;
		if (!span_eq(field->name, SPAN_LIT("attempts")))
			day->field_count++;
		else if (!span_parse_u64(field->value, UINT32_MAX, &day->attempts))
			reader->bad = true;
	}
}

static void deliver_day(const struct call_target *target, struct outcome *outcome, const redisReply *reply)
{
	struct tls_counts_day day = { .day = 0 };
	struct tls_counts_field *fields = NULL;

	if (reply) {
		struct reply_cursor reader = reply_read(reply);

		(void)reply_span(&reader);
		if (!reader.bad && reply_has_more(&reader)) {
			fields = mem_alloc((reply->elements + 1) * sizeof(*fields));
			day.day = reply_u64(&reader);
			day.domain = reply_span(&reader);
			read_fields(&reader, &day, fields);
			day.fields = fields;
		}
		if (reader.bad)
			outcome_bad_reply(outcome);
	}
	((tls_counts_day_fn *)target->fn)(target->arg, outcome, &day);
	mem_free(fields);
}

bool tls_counts_claim(
	struct redis_link *link, uint64_t again_ms, uint64_t now_ms, tls_counts_day_fn *fn, void *arg)
{
	struct call call;

	begin(&call, link, "tls_claim");
	call_arg_u64(&call, again_ms);
	return call_send(&call, now_ms, deliver_day, (struct call_target){ (call_any_fn *)fn, arg });
}

bool tls_counts_told(struct redis_link *link, uint64_t day, struct span domain, struct span uri,
	uint64_t now_ms, tls_counts_fn *fn, void *arg)
{
	struct call call;

	begin(&call, link, "tls_told");
	call_arg_u64(&call, day);
	call_arg(&call, domain);
	call_arg(&call, uri);
	return call_send_plain(&call, now_ms, fn, arg);
}

bool tls_counts_done(struct redis_link *link, uint64_t day, struct span domain, uint64_t now_ms,
	tls_counts_fn *fn, void *arg)
{
	struct call call;

	begin(&call, link, "tls_done");
	call_arg_u64(&call, day);
	call_arg(&call, domain);
	return call_send_plain(&call, now_ms, fn, arg);
}
