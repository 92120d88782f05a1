/*
 * Delivery status notifications as messages of our own: read the original (all of a small one, else its top),
 * build, and put the result into the journal before anybody else hears of it (protocol.md, finding 35).
 */
#include "custody/custody_internal.h"
#include "custody/trail.h"
#include "io/wall_clock.h"
#include "skein/proto/base/alloc.h"
#include "skein/proto/mail/dsn.h"
#include "skein/proto/mail/rewrite.h"
#include "track/tracker.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>

enum { ORIGINAL_MAX = 50000, TOP_MAX = 16384 };

struct report {
	struct custody *custody;
	struct message *message, *dsn;
	report_fn *fn;
	int kind;
	size_t *idx, count;
	struct body_reader *reader;
	struct buf original, env;
	size_t wanted;
	bool is_whole;          /* the original is all there */
	struct loop_task start; /* so that the callback never comes from inside report_make() */
};

static void finish(struct report *report)
{
	struct custody *custody = report->custody;
	struct message *message = report->message, *dsn = report->dsn;
	report_fn *fn = report->fn;

	if (report->reader)
		body_reader_free(&report->reader);
	buf_fini(&report->original);
	buf_fini(&report->env);
	mem_free(report->idx);
	mem_free(report);
	custody->transfers--;
	message->readers--;
	fn(custody, message, dsn);
	if (message->stage == MESSAGE_AWAY)
		message_pack(message);
	message_unref(&message);
}

static void discard(struct report *report)
{
	struct ownership *ownership = report->custody->ownership;

	ownership_end_local(ownership, &report->dsn->holding);
	message_enter(report->dsn, MESSAGE_ENDED);
	ownership_forget(ownership, &report->dsn->holding);
	message_unref(&report->dsn);
}

static void on_journaled(void *arg, enum err err)
{
	struct report *report = arg;

	report->custody->appends--;
	if (err) {
		discard(report);
	} else {
		ownership_set_holder(&report->dsn->holding, true);
		body_mark_durable(report->dsn->body);
	}
	finish(report);
}

static void to_journal(struct report *report)
{
	struct message *dsn = report->dsn;
	struct journal_entry entry = {
		.type = JOURNAL_MESSAGE,
		.id = dsn->holding.id,
		.body = body_for_journal(dsn->body),
	};

	envelope_encode(&dsn->envelope, &report->env);
	entry.envelope = buf_span(&report->env);
	report->custody->appends++;
	journal_append(report->custody->journal, &entry, on_journaled, report);
}

static void on_sealed(void *arg, enum err err)
{
	struct report *report = arg;

	if (!err) {
		to_journal(report);
		return;
	}
	discard(report);
	finish(report);
}

static void fill_envelope(struct message *dsn, const struct message *original, struct dsn_needs needs,
	uint64_t size, uint64_t expire_ms)
{
	struct envelope *envelope = &dsn->envelope;
	struct msg_id_text id = msg_id_format(&dsn->holding.id);

	envelope->recipients = arena_zalloc(&dsn->arena, sizeof(struct envelope_recipient));
	envelope->recipient_count = 1;
	envelope->recipients[0].addr = arena_dup(&dsn->arena, original->envelope.sender);
	envelope->recipients[0].notify = DSN_NOTIFY_NEVER;
	envelope->smtputf8 = needs.needs_smtputf8;
	/* RFC 8689 5: its header is in there. */
	envelope->requiretls = original->envelope.requiretls;
	envelope->priority = original->envelope.priority;
	envelope->has_8bit = needs.needs_8bit;
	envelope->size = size;
	envelope->origin_id = span_of_str(arena_strdup(&dsn->arena, span_of_str(id.text)));
	envelope->arrival_ms = wall_clock_ms();
	envelope->expires_ms = envelope->arrival_ms + expire_ms;
}

/* What comes back is what would have left. */
static void edit_original(struct report *report)
{
	const struct rewrite_rules rules = { .edits = &report->message->envelope.edits };
	struct rewrite *rewrite = rewrite_new(&rules);
	struct buf edited = { 0 };

	rewrite_feed(rewrite, buf_span(&report->original), &edited);
	rewrite_end(rewrite, &edited);
	rewrite_free(&rewrite);
	buf_fini(&report->original);
	report->original = edited;
}

static void track_report(const struct report *report)
{
	static const char *const names[] = {
		[DSN_FAILED] = "failure", [DSN_DELAYED] = "delay", [DSN_RELAYED] = "success"
	};
	struct track_event event = { .kind = TRACK_BOUNCE };
	struct msg_id_text id, about = msg_id_format(&report->message->holding.id);

	trail_fill(&event, report->dsn, &id);
	event.recipients = report->count;
	event.text[TRACK_RECIPIENT] = report->message->envelope.sender;
	event.text[TRACK_TEXT] = span_of_str(names[report->kind]);
	event.text[TRACK_ABOUT] = span_of_str(about.text);
	track_write(report->custody->track, &event);
}

static void build(struct report *report)
{
	struct custody *custody = report->custody;
	struct msg_id id = msg_id_make(
		wall_clock_ms(), msg_id_shard(&report->message->holding.id), random_u64(custody->random));
	struct msg_id_text id_text = msg_id_format(&id);
	int64_t now_s = (int64_t)(wall_clock_ms() / 1000);
	uint64_t unguessable[2];
	char boundary[40];
	struct buf content = { 0 };
	struct dsn_needs needs;

	CHECK(getrandom(unguessable, sizeof(unguessable), 0) == (ssize_t)sizeof(unguessable));
	snprintf(boundary, sizeof(boundary), "%016" PRIx64 "%016" PRIx64, unguessable[0], unguessable[1]);
	needs = dsn_build(&report->message->envelope,
		&(struct dsn_options){
			.kind = (enum dsn_kind)report->kind,
			.reporting_mta = custody->settings->node.hostname,
			.boundary = boundary,
			.message_id = span_of_str(id_text.text),
			.now_unix_s = now_s,
			.offset_min = wall_clock_offset_min(now_s),
			.rcpt_idx = report->idx,
			.rcpt_count = report->count,
			.original = buf_span(&report->original),
			.original_is_whole = report->is_whole,
			.full_max = ORIGINAL_MAX,
		},
		&content);
	report->dsn = message_new(&id);
	report->dsn->body = body_new(custody->bodies, &id, buf_len(&content));
	(void)body_append(report->dsn->body, buf_span(&content));
	fill_envelope(
		report->dsn, report->message, needs, buf_len(&content), custody->settings->retry.expire_ms);
	ownership_add(custody->ownership, &message_ref(report->dsn)->holding, HOLDING_LOCAL, false);
	track_report(report);
	buf_fini(&content);
	if (body_seal(report->dsn->body, on_sealed, report))
		on_sealed(report, body_error(report->dsn->body));
}

static void read_original(struct report *report)
{
	struct span piece;

	while (buf_len(&report->original) < report->wanted) {
		size_t room = report->wanted - buf_len(&report->original);

		switch (body_reader_next(report->reader, &piece)) {
		case BODY_READ_PIECE:
			buf_append(&report->original, span_take(piece, piece.len < room ? piece.len : room));
			continue;
		case BODY_READ_WAIT:
			return;
		case BODY_READ_END:
		case BODY_READ_FAILED:
			break; /* the report goes out with what there is */
		}
		break;
	}
	body_reader_free(&report->reader);
	report->is_whole = buf_len(&report->original) == report->message->envelope.size;
	edit_original(report);
	build(report);
}

static void on_readable(void *arg)
{
	read_original(arg);
}

static void on_start(void *arg)
{
	struct report *report = arg;

	if (!report->message->body) {
		build(report);
		return;
	}
	report->reader = body_reader_new(report->message->body, ORIGINAL_MAX, on_readable, report);
	read_original(report);
}

void report_make(struct custody *custody, struct message *message, int dsn_kind, const size_t *idx,
	size_t count, report_fn *fn)
{
	struct report *report = mem_zalloc(sizeof(*report));

	report->custody = custody;
	report->message = message_ref(message);
	message->readers++;
	report->kind = dsn_kind;
	report->fn = fn;
	report->idx = mem_dup(idx, count * sizeof(*idx));
	report->count = count;
	report->wanted = message->envelope.size <= ORIGINAL_MAX ? (size_t)message->envelope.size : TOP_MAX;
	custody->transfers++;
	loop_task_init(&report->start, on_start, report);
	loop_defer(custody->loop, &report->start);
}
