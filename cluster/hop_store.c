#include "skein/cluster/hop_store.h"

#include "redis/call.h"
#include "skein/proto/base/alloc.h"

const char *const hop_state_names[HOP_STATES] = { [HOP_UP] = "up", [HOP_SLOW] = "slow", [HOP_DOWN] = "down" };

static void begin(struct call *call, struct redis_link *link, const char *function, enum call_mode mode)
{
	call_begin(call, link, function, mode);
	call_in_room(call, "hops");
	call_key(call, ":board", SPAN_LIT(""));
	call_key(call, ":changes", SPAN_LIT(""));
	call_key(call, ":version", SPAN_LIT(""));
}

bool hop_store_report(struct redis_link *link, const struct hop_report *report, uint64_t now_ms,
	hop_outcome_fn *fn, void *arg)
{
	struct call call;

	CHECK(report->label.len > 0 && report->label.len <= HOP_LABEL_MAX);
	CHECK(report->by.len > 0 && report->by.len <= HOP_BY_MAX && report->why.len <= HOP_WHY_MAX);
	CHECK(report->pause_ms <= HOP_PAUSE_MAX_MS);
	begin(&call, link, "hop_report", CALL_WRITES);
	call_arg(&call, report->label);
	call_arg_u64(&call, report->state);
	call_arg_u64(&call, report->pause_ms);
	call_arg_u64(&call, report->is_forced);
	call_arg(&call, report->by);
	call_arg(&call, report->why);
	return call_send_plain(&call, now_ms, fn, arg);
}

static void deliver_probe(const struct call_target *target, struct outcome *outcome, const redisReply *reply)
{
	uint64_t wait_ms = 0;

	if (reply) {
		struct reply_cursor reader = reply_read(reply);

		(void)reply_span(&reader);
		wait_ms = reply_u64(&reader);
		if (reader.bad)
			outcome_bad_reply(outcome);
	}
	((hop_probe_fn *)target->fn)(target->arg, outcome, wait_ms);
}

bool hop_store_probe(struct redis_link *link, struct span label, struct span by, uint64_t claim_ms,
	uint64_t now_ms, hop_probe_fn *fn, void *arg)
{
	struct call call;

	CHECK(label.len > 0 && label.len <= HOP_LABEL_MAX && by.len > 0 && by.len <= HOP_BY_MAX);
	begin(&call, link, "hop_probe", CALL_WRITES);
	call_arg(&call, label);
	call_arg(&call, by);
	call_arg_u64(&call, claim_ms);
	return call_send(&call, now_ms, deliver_probe, (struct call_target){ (call_any_fn *)fn, arg });
}

static bool read_row(struct reply_cursor *reader, struct hop_row *row)
{
	uint64_t state;

	row->label = reply_span(reader);
	state = reply_u64(reader);
	row->state = (enum hop_state)state;
	row->left_ms = reply_u64(reader);
	row->ended_ago_ms = reply_u64(reader);
	row->since_ms = reply_u64(reader);
	row->is_forced = reply_u64(reader) == 1;
	row->prober = reply_span(reader);
	row->by = reply_span(reader);
	row->why = reply_span(reader);
	return !reader->bad && state < HOP_STATES && row->label.len > 0 && row->label.len <= HOP_LABEL_MAX;
}

static void deliver_board(const struct call_target *target, struct outcome *outcome, const redisReply *reply)
{
	struct hop_changes changes = { .version = 0 };
	struct hop_row *rows = NULL;

	if (reply) {
		struct reply_cursor reader = reply_read(reply);

		(void)reply_span(&reader);
		changes.version = reply_u64(&reader);
		changes.is_all = reply_u64(&reader) == 1;
		rows = mem_alloc(reply->elements * sizeof(*rows));
		while (reply_has_more(&reader)) {
			struct reply_cursor row = reply_read(reply_array(&reader));

			if (!read_row(&row, &rows[changes.count++]))
				reader.bad = true;
		}
		if (reader.bad) {
			outcome_bad_reply(outcome);
			changes = (struct hop_changes){ .version = 0 };
		}
		changes.rows = rows;
	}
	((hop_board_fn *)target->fn)(target->arg, outcome, &changes);
	mem_free(rows);
}

bool hop_store_board(struct redis_link *link, uint64_t version, uint64_t now_ms, hop_board_fn *fn, void *arg)
{
	struct call call;

	begin(&call, link, "hop_board", CALL_READS);
	call_arg_u64(&call, version);
	return call_send(&call, now_ms, deliver_board, (struct call_target){ (call_any_fn *)fn, arg });
}
