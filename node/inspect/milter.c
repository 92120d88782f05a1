/*
 * Happy path: where the filter is (a name is looked up by the system) → connected → the dialog: what it says
 * goes to the stream, what comes goes to it → it wants the body: pieces as the reader gives them → it has
 * ended → QUIT, and the owner is told. Every failure, and every time that is over, ends in fail(): the dialog
 * that did not end undoes what it changed.
 */
#include "inspect/milter.h"

#include "custody/trail.h"
#include "io/stream.h"
#include "outbound/outgoing.h"
#include "skein/proto/base/alloc.h"
#include "track/tracker.h"

#include <errno.h>
#include <stdio.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	ADDRESSES_MAX = 8,
	WHY_MAX = 200,
	PIECE = 64 * 1024,
	QUEUED_MAX = 256 * 1024, /* more of the body waits in the reader */
	BUSY_RETRY_MS = 50,      /* of a Unix socket whose backlog is full */
};

struct name_lookup {
	uv_getaddrinfo_t request;
	struct milter_desk *desk;
	struct milter_visit *visit; /* NULL: it is gone */
};

struct milter_visit {
	struct milter_desk *desk;
	struct milter_request request; /* the message is counted */
	milter_fn *fn;
	void *arg;
	uint64_t began_ms;
	struct name_lookup *lookup;
	struct address addresses[ADDRESSES_MAX];
	size_t address_count, address_next;
	struct stream *stream;
	struct milter_dialog *dialog; /* from when it is connected */
	struct header_edits edits;    /* of those before it */
	struct rewrite_rules rules;
	struct outgoing *outgoing; /* while the body is read */
	uint64_t skip;             /* octets of the header section that are still to be read over */
	bool is_reading;           /* the reader will say when it has more */
	bool wants_body;
	struct loop_timer step, total, busy;
	struct loop_task done;
	struct arena arena;
	char why[WHY_MAX]; /* "": no failure of the visit itself */
};

/* --- the end ------------------------------------------------------------------------------------ */

static void destroy(struct milter_visit *visit)
{
	struct loop *loop = visit->desk->loop;

	loop_timer_cancel(loop, &visit->step);
	loop_timer_cancel(loop, &visit->total);
	loop_timer_cancel(loop, &visit->busy);
	loop_task_cancel(&visit->done);
	if (visit->lookup)
		visit->lookup->visit = NULL;
	if (visit->stream)
		stream_detach(&visit->stream);
	outgoing_free(&visit->outgoing);
	milter_dialog_free(&visit->dialog);
	message_unref(&visit->request.message);
	arena_fini(&visit->arena);
	visit->desk->under_way--;
	mem_free(visit);
}

static void append_changes(const struct milter_result *result, struct buf *out)
{
	if (result->added_count || result->removed_count)
		buf_printf(
			out, "%zu recipients added, %zu removed", result->added_count, result->removed_count);
	if (result->quarantine_reason.len)
		buf_printf(out, "%squarantine: %.*s", buf_len(out) ? ", " : "",
			SPAN_ARGS(result->quarantine_reason));
	if (result->reply.text.len)
		buf_printf(out, "%s%.*s", buf_len(out) ? ", " : "", SPAN_ARGS(result->reply.text));
	if (result->outcome == MILTER_FAILED)
		buf_append_str(out, result->why);
}

static void track_result(
	const struct milter_visit *visit, const struct milter_result *result, uint64_t took_ms)
{
	static const char *const names[] = { "accepted", "refused", "discarded", "failed" };
	struct track_event event = { .kind = TRACK_FILTER };
	struct msg_id_text id;
	struct buf text = { 0 };

	append_changes(result, &text);
	trail_fill(&event, visit->request.message, &id);
	event.code = result->reply.code;
	event.latency_us = took_ms * 1000;
	event.text[TRACK_STATUS] = span_of_str(result->reply.enhanced);
	event.text[TRACK_TEXT] = buf_span(&text);
	event.text[TRACK_RULE] = span_of_str(names[result->outcome]);
	event.text[TRACK_ABOUT] = span_of_str(visit->request.filter->name);
	track_write(visit->desk->track, &event);
	buf_fini(&text);
}

static void tell(const struct milter_visit *visit, const struct milter_result *result)
{
	struct milter_desk *desk = visit->desk;
	uint64_t took_ms = loop_now_ms(desk->loop) - visit->began_ms;

	meter_add_at(desk->meter, METRIC_FILTER_RESULTS, (unsigned)result->outcome, 1);
	meter_observe(desk->meter, METRIC_FILTER_TIME, took_ms * 1000);
	if (result->outcome == MILTER_FAILED)
		log_event(desk->log, LOG_WARN, "filter-failed",
			LOG_STR("id", msg_id_format(&visit->request.message->holding.id).text),
			LOG_STR("filter", visit->request.filter->name), LOG_STR("why", result->why),
			LOG_U64("took_ms", took_ms), LOG_END);
	track_result(visit, result, took_ms);
}

static void on_done(void *arg)
{
	struct milter_visit *visit = arg;
	const struct milter_result failure = { .outcome = MILTER_FAILED, .why = visit->why };

	/* A dialog that did not end undoes its changes before the owner looks. */
	if (visit->why[0])
		milter_dialog_free(&visit->dialog);
	tell(visit, visit->why[0] ? &failure : milter_dialog_result(visit->dialog));
	visit->fn(visit->arg, visit->why[0] ? &failure : milter_dialog_result(visit->dialog));
	destroy(visit);
}

static void finish(struct milter_visit *visit)
{
	loop_timer_cancel(visit->desk->loop, &visit->step);
	loop_timer_cancel(visit->desk->loop, &visit->total);
	loop_timer_cancel(visit->desk->loop, &visit->busy);
	outgoing_free(&visit->outgoing);
	if (visit->stream)
		stream_detach(&visit->stream);
	loop_defer(visit->desk->loop, &visit->done);
}

/* `detail` may be NULL. */
static void fail(struct milter_visit *visit, const char *what, const char *detail)
{
	snprintf(visit->why, sizeof(visit->why), "%s%s%s", what, detail ? ": " : "", detail ? detail : "");
	finish(visit);
}

static void on_step_over(void *arg)
{
	struct milter_visit *visit = arg;

	fail(visit, visit->dialog ? "it did not answer in time" : "it was not reached in time", NULL);
}

static void on_total_over(void *arg)
{
	fail(arg, "it took too long", NULL);
}

/* --- the body ----------------------------------------------------------------------------------- */

static void expect_answer(struct milter_visit *visit)
{
	loop_timer_set(visit->desk->loop, &visit->step, visit->request.filter->answer_ms);
}

static bool is_held_up(const struct milter_visit *visit)
{
	return stream_queued_bytes(visit->stream) > QUEUED_MAX;
}

/* Of a piece, what is body. */
static struct span drop_header(struct milter_visit *visit, struct span piece)
{
	size_t len = visit->skip < piece.len ? (size_t)visit->skip : piece.len;

	visit->skip -= len;
	return span_drop(piece, len);
}

/* True: the dialog has a piece. */
static bool feed_body(struct milter_visit *visit)
{
	struct span piece;

	for (;;) {
		switch (outgoing_next(visit->outgoing, &piece)) {
		case BODY_READ_PIECE:
			piece = drop_header(visit, piece);
			if (!piece.len)
				continue;
			milter_dialog_body(visit->dialog, piece, false);
			return true;
		case BODY_READ_WAIT:
			visit->is_reading = true;
			return false;
		case BODY_READ_END: /* what it was told is what was stored */
			milter_dialog_body(visit->dialog, SPAN_LIT(""), true);
			return true;
		case BODY_READ_FAILED:
			fail(visit, "the stored message cannot be read",
				err_text(outgoing_error(visit->outgoing)));
			return false;
		}
	}
}

/* --- the dialog --------------------------------------------------------------------------------- */

static void send_output(struct milter_visit *visit)
{
	struct buf *out = milter_dialog_output(visit->dialog);

	if (!buf_len(out))
		return;
	stream_write(visit->stream, buf_span(out));
	buf_clear(out);
	expect_answer(visit);
}

static void pump(struct milter_visit *visit, struct span in)
{
	for (;;) {
		enum milter_event event = milter_dialog_next(visit->dialog, &in);

		send_output(visit);
		visit->wants_body = event == MILTER_WANTS_BODY;
		switch (event) {
		case MILTER_WANTS_INPUT:
			return;
		case MILTER_PROGRESSES:
			expect_answer(visit);
			break;
		case MILTER_WANTS_BODY:
			if (visit->is_reading || is_held_up(visit) || !feed_body(visit))
				return;
			break;
		case MILTER_ENDED:
			finish(visit);
			return;
		}
	}
}

static void on_body_ready(void *arg)
{
	struct milter_visit *visit = arg;

	visit->is_reading = false;
	if (visit->wants_body)
		pump(visit, span_of(NULL, 0));
}

/* --- the stream --------------------------------------------------------------------------------- */

static void connect_next(struct milter_visit *visit);

static void on_open(void *arg)
{
	struct milter_visit *visit = arg;
	const struct outgoing_change change = { .rules = &visit->rules };

	visit->skip = header_list_size(visit->request.list);
	visit->dialog = milter_dialog_new(&visit->request.facts, visit->request.list);
	visit->outgoing = outgoing_new(visit->request.message->body, &change, PIECE, on_body_ready, visit);
	pump(visit, span_of(NULL, 0));
}

static size_t on_data(void *arg, struct span bytes)
{
	pump(arg, bytes);
	return bytes.len;
}

static void on_drain(void *arg)
{
	struct milter_visit *visit = arg;

	expect_answer(visit);
	if (visit->wants_body && !visit->is_reading)
		pump(visit, span_of(NULL, 0));
}

static void on_close(void *arg, enum err why, const char *text)
{
	struct milter_visit *visit = arg;

	(void)why;
	visit->stream = NULL;
	if (visit->dialog)
		fail(visit, "the connection was lost", text);
	else if (visit->address_next < visit->address_count)
		connect_next(visit);
	else
		fail(visit, "it cannot be reached", text);
}

static const struct stream_callbacks callbacks = {
	.on_open = on_open,
	.on_data = on_data,
	.on_drain = on_drain,
	.on_close = on_close,
};

static const struct stream_options stream_options = { .output_low = QUEUED_MAX / 2 };

/* --- where it is -------------------------------------------------------------------------------- */

static void connect_next(struct milter_visit *visit)
{
	const struct address *address = &visit->addresses[visit->address_next++];

	visit->stream = stream_connect(visit->desk->loop, &address->sa, &stream_options, &callbacks, visit);
}

/* A Unix socket is connected at once, or not at all. */
static void connect_path(void *arg)
{
	struct milter_visit *visit = arg;
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	snprintf(name.sun_path, sizeof(name.sun_path), "%s", visit->request.filter->path);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&name, sizeof(name)) == 0) {
		visit->stream = stream_accept(visit->desk->loop, fd, &stream_options, &callbacks, visit);
		on_open(visit);
		return;
	}
	if (fd >= 0 && errno == EAGAIN)
		loop_timer_set(visit->desk->loop, &visit->busy, BUSY_RETRY_MS);
	else
		fail(visit, "it cannot be reached", strerrordesc_np(errno));
	if (fd >= 0)
		close(fd);
}

static void take_addresses(struct milter_visit *visit, const struct addrinfo *found)
{
	for (; found && visit->address_count < ADDRESSES_MAX; found = found->ai_next) {
		if (address_from_sockaddr(found->ai_addr, &visit->addresses[visit->address_count]))
			visit->address_count++;
	}
	if (visit->address_count)
		connect_next(visit);
	else
		fail(visit, "its name has no address", NULL);
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
	struct name_lookup *lookup = CONTAINER_OF(request, struct name_lookup, request);
	struct milter_visit *visit = lookup->visit;

	lookup->desk->under_way--;
	mem_free(lookup);
	if (visit)
		visit->lookup = NULL;
	/* If the time is over, the owner is told at the end of this turn. */
	if (visit && !visit->why[0]) {
		if (status < 0)
			fail(visit, "its name cannot be resolved", uv_strerror(status));
		else
			take_addresses(visit, found);
	}
	uv_freeaddrinfo(found);
}

static void resolve(struct milter_visit *visit)
{
	static const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG };
	struct name_lookup *lookup = mem_zalloc(sizeof(*lookup));
	char port[8];
	int status;

	lookup->desk = visit->desk;
	snprintf(port, sizeof(port), "%u", (unsigned)visit->request.filter->port);
	status = uv_getaddrinfo(&visit->desk->loop->uv, &lookup->request, on_resolved,
		visit->request.filter->host, port, &hints);
	if (status) {
		mem_free(lookup);
		fail(visit, "its name cannot be looked up", uv_strerror(status));
		return;
	}
	lookup->visit = visit;
	visit->lookup = lookup;
	visit->desk->under_way++;
}

static void seek(struct milter_visit *visit)
{
	const struct inspection_filter *filter = visit->request.filter;

	if (*filter->path) {
		loop_timer_set(visit->desk->loop, &visit->busy, 0);
	} else if (address_parse(span_of_str(filter->host), filter->port, &visit->addresses[0]) == ERR_OK) {
		visit->address_count = 1;
		connect_next(visit);
	} else {
		resolve(visit);
	}
}

/* --- from outside ------------------------------------------------------------------------------- */

struct milter_visit *milter_begin(
	struct milter_desk *desk, const struct milter_request *request, milter_fn *fn, void *arg)
{
	struct milter_visit *visit = mem_zalloc(sizeof(*visit));

	visit->desk = desk;
	visit->request = *request;
	visit->request.message = message_ref(request->message);
	visit->request.facts.envelope = &request->message->envelope;
	visit->request.facts.hostname = span_of_str(desk->hostname);
	visit->request.facts.software = SPAN_LIT("Skein " SKEIN_VERSION);
	visit->rules.edits = &visit->edits;
	visit->fn = fn;
	visit->arg = arg;
	visit->began_ms = loop_now_ms(desk->loop);
	desk->under_way++;
	loop_timer_init(&visit->step, on_step_over, visit);
	loop_timer_init(&visit->total, on_total_over, visit);
	loop_timer_init(&visit->busy, connect_path, visit);
	loop_task_init(&visit->done, on_done, visit);
	loop_timer_set(desk->loop, &visit->step, request->filter->connect_ms);
	loop_timer_set(desk->loop, &visit->total, request->filter->total_ms);
	if (header_list_edits(request->list, &visit->arena, &visit->edits))
		seek(visit);
	else
		fail(visit, "the header was changed in too many places before", NULL);
	return visit;
}

void milter_cancel(struct milter_visit **visit)
{
	if (*visit)
		destroy(*visit);
	*visit = NULL;
}
