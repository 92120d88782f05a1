/*
 * An event: gathered in the batch that is built → the batch is full, or has waited → it is sent when its turn
 * comes → taken, refused, or sent again after a pause. While a batch is under way or waits, the one that is
 * built grows until it is full: a receiver that comes back gets few large ones.
 */
#include "track/track_hook.h"

#include "io/random.h"
#include "skein/proto/base/alloc.h"
#include "track/track_hook_internal.h"

enum {
	BATCH_BYTES = 64 * 1024,
	ASKED_MAX_MS = 3600 * 1000, /* for how long a receiver may ask us to wait */
};

static void advance(struct track_hook *hook);
static void change(struct track_hook *hook);

/* --- the queue ---------------------------------------------------------------------------------------- */

static struct hook_batch *first_batch(const struct track_hook *hook)
{
	return list_is_empty(&hook->batches) ? NULL : LIST_FIRST(&hook->batches, struct hook_batch, link);
}

static void batch_free(struct track_hook *hook, struct hook_batch *batch)
{
	hook->bytes -= buf_len(&batch->bytes);
	hook->events -= batch->events;
	meter_add(hook->options.meter, METRIC_HOOK_WAITING, -(int64_t)batch->events);
	list_remove(&batch->link);
	buf_fini(&batch->bytes);
	mem_free(batch);
}

static void count(struct track_hook *hook, enum hook_end end, size_t events)
{
	meter_add_at(hook->options.meter, METRIC_HOOK_EVENTS, end, (int64_t)events);
}

static void let_fall(struct track_hook *hook, struct hook_batch *batch)
{
	if (!hook->fallen)
		log_event(hook->options.log, LOG_ERROR, "hook-overflowing",
			LOG_STR("hook", hook->options.settings->name), LOG_U64("waiting", hook->events),
			LOG_END);
	hook->fallen += batch->events;
	count(hook, HOOK_END_FALLEN, batch->events);
	if (batch == first_batch(hook))
		hook_forget_told(hook);
	batch_free(hook, batch);
}

/* The oldest go, but not the one that is under way. */
static void make_room(struct track_hook *hook)
{
	while (hook->bytes > hook->options.settings->queue_size) {
		struct list *oldest = hook->batches.next;

		if (hook->is_sending && oldest != &hook->batches)
			oldest = oldest->next;
		if (oldest == &hook->batches)
			return;
		let_fall(hook, LIST_ENTRY(oldest, struct hook_batch, link));
	}
}

static void tell_caught_up(struct track_hook *hook)
{
	if (!hook->fallen || hook->bytes > hook->options.settings->queue_size / 2)
		return;
	log_event(hook->options.log, LOG_WARN, "hook-caught-up",
		LOG_STR("hook", hook->options.settings->name), LOG_U64("lost", hook->fallen), LOG_END);
	hook->fallen = 0;
}

/* --- batches ------------------------------------------------------------------------------------------ */

static void put_aside(struct track_hook *hook)
{
	list_push_back(&hook->batches, &hook->building->link);
	hook->building = NULL;
	hook->is_due = false;
	loop_timer_cancel(hook->options.loop, &hook->due);
}

static bool is_full(const struct track_hook *hook)
{
	return hook->building->events >= hook->options.settings->batch_events ||
	       buf_len(&hook->building->bytes) >= BATCH_BYTES;
}

static struct hook_batch *building(struct track_hook *hook)
{
	if (hook->building)
		return hook->building;
	hook->building = mem_zalloc(sizeof(*hook->building));
	list_init(&hook->building->link);
	hook->building->number = ++hook->last_number;
	loop_timer_set(hook->options.loop, &hook->due, hook->options.settings->batch_wait_ms);
	return hook->building;
}

void track_hook_take(struct track_hook *hook, const struct track_event *event)
{
	char encoded[TRACK_EVENT_MAX];
	struct track_event redacted = *event;
	struct hook_batch *batch;
	size_t len;

	if (!(hook->kinds & 1u << event->kind))
		return;
	if (hook->redaction.mode != TRACK_REDACT_NONE)
		track_event_redact(&redacted, &hook->redaction, &hook->arena);
	len = track_event_encode(&redacted, encoded);
	arena_reset(&hook->arena);
	batch = building(hook);
	buf_append(&batch->bytes, span_of(encoded, len));
	batch->events++;
	hook->bytes += len;
	hook->events++;
	meter_add(hook->options.meter, METRIC_HOOK_WAITING, 1);
	if (is_full(hook))
		put_aside(hook);
	make_room(hook);
}

const char *track_hook_name(const struct track_hook *hook)
{
	return hook->options.settings->name;
}

void track_hook_flush(struct track_hook *hook)
{
	advance(hook);
}

/* --- sending ------------------------------------------------------------------------------------------ */

static void advance(struct track_hook *hook)
{
	if (hook->is_sending || hook->next || hook->phase == HOOK_DONE || loop_timer_is_set(&hook->pause))
		return;
	if (!first_batch(hook) && hook->building && (hook->is_due || hook->phase == HOOK_LEAVING))
		put_aside(hook);
	if (!first_batch(hook))
		return;
	hook->is_sending = true;
	hook_send(hook, first_batch(hook));
}

static void on_change(void *arg)
{
	struct track_hook *hook = arg;

	change(hook);
	advance(hook);
}

/* Later: we may be inside a call of what the change would free. */
static void go_on(struct track_hook *hook)
{
	if (hook->next)
		loop_timer_set(hook->options.loop, &hook->changing, 0);
	else
		advance(hook);
}

static void on_due(void *arg)
{
	struct track_hook *hook = arg;

	hook->is_due = true;
	advance(hook);
}

static void on_pause_over(void *arg)
{
	advance(arg);
}

static void tell_recovered(struct track_hook *hook)
{
	if (!hook->failures && !hook->refused)
		return;
	log_event(hook->options.log, LOG_INFO, "hook-recovered",
		LOG_STR("hook", hook->options.settings->name), LOG_U64("failures", hook->failures),
		LOG_U64("refused", hook->refused), LOG_END);
	hook->failures = 0;
	hook->refused = 0;
}

/* The first of several in a row is told. */
static void note_refused(struct track_hook *hook, size_t events, const char *why)
{
	if (!hook->refused)
		log_event(hook->options.log, LOG_ERROR, "hook-refused",
			LOG_STR("hook", hook->options.settings->name), LOG_U64("events", events),
			LOG_STR("why", why), LOG_END);
	hook->refused += events;
	count(hook, HOOK_END_REFUSED, events);
}

static void wait_and_retry(struct track_hook *hook, const struct hook_result *result)
{
	const struct hook_settings *settings = hook->options.settings;
	uint64_t pause_ms, asked_ms = result->wait_ms < ASKED_MAX_MS ? result->wait_ms : ASKED_MAX_MS;

	if (!hook->failures)
		log_event(hook->options.log, LOG_WARN, "hook-failed", LOG_STR("hook", settings->name),
			LOG_STR("why", result->why), LOG_END);
	hook->failures++;
	meter_add(hook->options.meter, METRIC_HOOK_FAILURES, 1);
	if (hook->phase == HOOK_LEAVING) {
		hook->phase = HOOK_DONE;
		return;
	}
	pause_ms = notifier_pause_ms(
		hook->options.notifier, hook->failures, settings->retry_first_ms, settings->retry_max_ms);
	loop_timer_set(hook->options.loop, &hook->pause, pause_ms > asked_ms ? pause_ms : asked_ms);
}

void hook_cut(struct track_hook *hook, struct hook_batch *batch, size_t events, size_t len)
{
	struct hook_batch *rest = mem_zalloc(sizeof(*rest));

	CHECK(events > 0 && events < batch->events && len < buf_len(&batch->bytes));
	rest->number = ++hook->last_number;
	rest->events = batch->events - events;
	buf_append(&rest->bytes, span_drop(buf_span(&batch->bytes), len));
	batch->events = events;
	buf_truncate(&batch->bytes, len);
	list_insert_before(batch->link.next, &rest->link);
}

/* The receiver takes no request of this size: from now on they are half as large. */
static void note_too_large(struct track_hook *hook, struct hook_batch *batch)
{
	hook->body_max = hook->body_len / 2;
	/* What goes next under this name would be another batch. */
	batch->number = ++hook->last_number;
	log_event(hook->options.log, LOG_WARN, "hook-batch-too-large",
		LOG_STR("hook", hook->options.settings->name), LOG_U64("bytes", hook->body_len),
		LOG_U64("events", batch->events), LOG_U64("next", hook->body_max), LOG_END);
}

void hook_sent(struct track_hook *hook, const struct hook_result *result)
{
	struct hook_batch *batch = first_batch(hook);
	size_t refused = result->end == NOTIFY_NEVER ? batch->events : result->refused;

	hook->is_sending = false;
	if (result->end == NOTIFY_LATER) {
		wait_and_retry(hook, result);
		go_on(hook);
		return;
	}
	if (result->is_too_large && batch->events > 1) {
		note_too_large(hook, batch);
		go_on(hook);
		return;
	}
	if (refused < batch->events) {
		tell_recovered(hook);
		count(hook, HOOK_END_SENT, batch->events - refused);
	}
	if (refused)
		note_refused(hook, refused, result->why);
	batch_free(hook, batch);
	tell_caught_up(hook);
	go_on(hook);
}

/* --- life ----------------------------------------------------------------------------------------------- */

void track_hook_leave(struct track_hook *hook)
{
	hook->phase = HOOK_LEAVING;
	loop_timer_cancel(hook->options.loop, &hook->pause);
	advance(hook);
}

bool track_hook_is_idle(const struct track_hook *hook)
{
	return hook->phase == HOOK_DONE || !hook->events;
}

static uint32_t kinds_of(const struct text_list *names)
{
	uint32_t kinds = names->count ? 0 : UINT32_MAX;
	enum track_kind kind;

	for (size_t i = 0; i < names->count; i++)
		if (track_kind_find(span_of_str(names->items[i]), &kind))
			kinds |= 1u << kind;
	return kinds;
}

static void read_secret(struct track_hook *hook)
{
	struct buf why = { 0 };

	if (!hook_read_secret(hook, &why))
		log_event(hook->options.log, LOG_ERROR, "hook-secret-unreadable",
			LOG_STR("hook", hook->options.settings->name), LOG_SPAN("why", buf_span(&why)),
			LOG_END);
	buf_fini(&why);
}

/* To hook->next, if there is one and nothing is under way. */
static void change(struct track_hook *hook)
{
	const struct hook_settings *next = hook->next;
	struct buf why = { 0 };

	if (!next || hook->is_sending)
		return;
	hook->next = NULL;
	if (hook_way_change(hook, next, &why)) {
		hook->kinds = kinds_of(&next->events);
		hook->redaction.mode = next->redact;
		hook->failures = 0;
		loop_timer_cancel(hook->options.loop, &hook->pause);
		log_event(hook->options.log, LOG_INFO, "hook-reloaded", LOG_STR("hook", next->name),
			LOG_STR("what", "changed"), LOG_U64("waiting", hook->events), LOG_END);
	} else {
		log_event(hook->options.log, LOG_ERROR, "hook-not-reloaded", LOG_STR("hook", next->name),
			LOG_SPAN("why", buf_span(&why)), LOG_STR("then", "it stays as it was"), LOG_END);
	}
	buf_fini(&why);
}

void track_hook_reload(struct track_hook *hook, const struct hook_settings *settings)
{
	if (hook->phase != HOOK_SERVING)
		return;
	/* Somebody may have told the receiver to take more. */
	hook->body_max = SIZE_MAX;
	hook->next = NULL;
	if (settings_hook_is_same(hook->options.settings, settings)) {
		hook->options.settings = settings;
		read_secret(hook);
		return;
	}
	hook->next = settings;
	on_change(hook);
}

struct track_hook *track_hook_new(const struct track_hook_options *options, struct buf *why_out)
{
	struct track_hook *hook = mem_zalloc(sizeof(*hook));
	struct random random;
	const char *wrong = target_parse(options->settings->url, &hook->target);

	_Static_assert(TRACK_KIND_COUNT <= 32, "a bit for each kind");
	/* The rules of the settings have seen to it. */
	CHECK(!wrong);
	hook->options = *options;
	hook->kinds = kinds_of(&options->settings->events);
	hook->redaction.mode = options->settings->redact;
	memcpy(hook->redaction.key, options->redact_key, sizeof(hook->redaction.key));
	random_seed(&random);
	hook->run = random_u64(&random);
	hook->body_max = SIZE_MAX;
	list_init(&hook->batches);
	loop_timer_init(&hook->due, on_due, hook);
	loop_timer_init(&hook->pause, on_pause_over, hook);
	loop_timer_init(&hook->changing, on_change, hook);
	if (!hook_way_open(hook, why_out))
		track_hook_free(&hook);
	return hook;
}

void track_hook_free(struct track_hook **pointer)
{
	struct track_hook *hook = *pointer;
	struct hook_batch *batch;

	*pointer = NULL;
	if (!hook)
		return;
	if (hook->building)
		put_aside(hook);
	if (hook->events) {
		log_event(hook->options.log, LOG_WARN, "hook-left",
			LOG_STR("hook", hook->options.settings->name), LOG_U64("events", hook->events),
			LOG_END);
		count(hook, HOOK_END_FALLEN, hook->events);
	}
	hook_way_close(hook);
	while ((batch = first_batch(hook)))
		batch_free(hook, batch);
	loop_timer_cancel(hook->options.loop, &hook->due);
	loop_timer_cancel(hook->options.loop, &hook->pause);
	loop_timer_cancel(hook->options.loop, &hook->changing);
	arena_fini(&hook->arena);
	mem_wipe(&hook->redaction, sizeof(hook->redaction));
	mem_free(hook);
}
