#include "notify/syslog.h"

#include "notify/syslog_internal.h"
#include "skein/proto/base/alloc.h"

#include <stdio.h>
#include <unistd.h>

enum {
	PAUSE_FIRST_MS = 200,
	PAUSE_MAX_MS = 10 * 1000,
	ENTRY_COST = 128, /* what a message takes beside its bytes, about */
};

/* --- ends ------------------------------------------------------------------------------------------- */

static size_t cost(const struct syslog_entry *entry)
{
	return buf_len(&entry->bytes) + ENTRY_COST;
}

static void entry_free(struct syslog *self, struct syslog_entry *entry)
{
	self->bytes -= cost(entry);
	list_remove(&entry->link);
	buf_fini(&entry->bytes);
	mem_free(entry->why);
	mem_free(entry);
}

/* The callbacks may send more; they do not free us. */
static void tell(void *arg)
{
	struct syslog *self = arg;
	struct syslog_entry *entry;

	while ((entry = syslog_first(&self->ended))) {
		notify_fn *fn = entry->fn;
		void *fn_arg = entry->arg;
		enum notify_end how = entry->end;
		char *why = entry->why;

		entry->why = NULL;
		entry_free(self, entry);
		if (fn)
			fn(fn_arg, how, why ? why : "");
		mem_free(why);
	}
}

void syslog_end(struct syslog *self, struct syslog_entry *entry, enum notify_end how, const char *why)
{
	list_remove(&entry->link);
	list_push_back(&self->ended, &entry->link);
	entry->end = how;
	entry->why = *why ? mem_strdup(why) : NULL;
	loop_defer(self->loop, &self->tell);
}

/* --- time ------------------------------------------------------------------------------------------- */

static struct syslog_entry *oldest(const struct syslog *self)
{
	struct syslog_entry *entry = syslog_first(&self->written);

	return entry ? entry : syslog_first(&self->waiting);
}

static void arm_due(struct syslog *self)
{
	const struct syslog_entry *entry = oldest(self);
	uint64_t now_ms = loop_now_ms(self->loop);

	if (!entry)
		loop_timer_cancel(self->loop, &self->due);
	else
		loop_timer_set(self->loop, &self->due, entry->due_ms > now_ms ? entry->due_ms - now_ms : 0);
}

static void on_due(void *arg)
{
	struct syslog *self = arg;
	uint64_t now_ms = loop_now_ms(self->loop);
	struct syslog_entry *entry;
	bool is_stuck = false;

	while ((entry = oldest(self)) && entry->due_ms <= now_ms) {
		is_stuck = is_stuck || syslog_first(&self->written);
		syslog_end(self, entry, NOTIFY_LATER,
			is_stuck     ? "not acknowledged in time"
			: *self->why ? self->why
				     : "not sent in time");
	}
	if (is_stuck)
		syslog_stream_drop(self);
	arm_due(self);
}

/* --- the way ---------------------------------------------------------------------------------------- */

static void on_pause_over(void *arg)
{
	syslog_advance(arg);
}

void syslog_failed(struct syslog *self, const char *why)
{
	snprintf(self->why, sizeof(self->why), "%s", why);
	self->failures++;
	loop_timer_set(self->loop, &self->pause,
		notifier_pause_ms(self->notifier, self->failures, PAUSE_FIRST_MS, PAUSE_MAX_MS));
}

static void on_found(void *arg, const struct address_list *found, const char *why)
{
	struct syslog *self = arg;

	self->search = NULL;
	self->found = *found;
	self->next_address = 0;
	if (!found->count)
		syslog_failed(self, why);
	else if (self->target.kind == TARGET_UDP)
		syslog_datagram_open(self);
	else
		syslog_stream_open(self);
}

static void look_up(struct syslog *self)
{
	const struct address_request request = {
		.loop = self->loop,
		.resolver = self->notifier->options.resolver,
		.host = self->target.host,
		.port = self->target.port,
		.fn = on_found,
		.arg = self,
	};

	self->search = address_search_start(&request);
}

void syslog_advance(struct syslog *self)
{
	arm_due(self);
	if (list_is_empty(&self->waiting) || self->search || loop_timer_is_set(&self->pause))
		return;
	if (self->datagrams)
		syslog_datagram_push(self);
	else if (self->stream)
		syslog_stream_push(self);
	else
		look_up(self);
}

/* --- messages --------------------------------------------------------------------------------------- */

static void write_entry(struct syslog *self, const struct syslog_message *message, struct buf *out)
{
	const struct syslog_record record = {
		.facility = self->facility,
		.severity = message->severity,
		.time_us = message->time_us,
		.host = span_of_str(self->notifier->options.node),
		.app = span_of_str(self->app),
		.process = span_of_str(self->process),
		.kind = message->kind,
		.element = message->param_count ? SYSLOG_ELEMENT : NULL,
		.params = message->params,
		.param_count = message->param_count,
		.text = message->text,
	};
	struct buf text = { 0 };

	if (self->target.kind == TARGET_UDP) {
		syslog_write(&record, SYSLOG_SIZE_UDP, out);
		return;
	}
	syslog_write(&record, SYSLOG_SIZE_STREAM, &text);
	syslog_frame(buf_span(&text), out);
	buf_fini(&text);
}

void syslog_send(struct syslog *self, const struct syslog_message *message, notify_fn *fn, void *arg)
{
	struct syslog_entry *entry = mem_zalloc(sizeof(*entry));

	list_init(&entry->link);
	entry->fn = fn;
	entry->arg = arg;
	entry->due_ms = loop_now_ms(self->loop) + self->timeout_ms;
	write_entry(self, message, &entry->bytes);
	self->bytes += cost(entry);
	if (self->bytes > self->queue_bytes) {
		/* Its call alone waits, which takes no more than it does. */
		self->bytes -= buf_len(&entry->bytes);
		buf_fini(&entry->bytes);
		syslog_end(self, entry, NOTIFY_LATER, "the queue of messages is full");
		return;
	}
	list_push_back(&self->waiting, &entry->link);
	syslog_advance(self);
}

/* --- life ------------------------------------------------------------------------------------------- */

static bool prepare(struct syslog *self, const struct syslog_options *options, struct buf *why_out)
{
	const struct tls_client_options tls = {
		.verify = TLS_VERIFY_PEER,
		.ca_file = options->ca_file && *options->ca_file ? options->ca_file : NULL,
	};
	const char *wrong = target_parse(options->url, &self->target);

	if (!wrong && target_is_web(&self->target))
		wrong = "it begins with none of udp://, tcp://, tls://";
	if (wrong) {
		buf_printf(why_out, "%s: %s", options->url, wrong);
		return false;
	}
	return self->target.kind != TARGET_TLS || tls_client_new(&tls, &self->tls, why_out) == ERR_OK;
}

static void on_look(void *arg)
{
	struct syslog *self = arg;

	if (self->datagrams)
		syslog_datagram_push(self);
	else if (self->stream)
		syslog_stream_push(self);
}

struct syslog *syslog_new(
	struct notifier *notifier, const struct syslog_options *options, struct buf *why_out)
{
	struct syslog *self = mem_zalloc(sizeof(*self));

	if (!prepare(self, options, why_out)) {
		mem_free(self);
		return NULL;
	}
	self->notifier = notifier;
	self->loop = notifier->options.loop;
	self->facility = options->facility;
	self->app = mem_strdup(options->app);
	snprintf(self->process, sizeof(self->process), "%ld", (long)getpid());
	self->timeout_ms = options->timeout_ms;
	self->queue_bytes = options->queue_bytes;
	list_init(&self->waiting);
	list_init(&self->written);
	list_init(&self->ended);
	loop_task_init(&self->tell, tell, self);
	loop_timer_init(&self->due, on_due, self);
	loop_timer_init(&self->look, on_look, self);
	loop_timer_init(&self->pause, on_pause_over, self);
	return self;
}

static void drop(struct syslog *self, struct list *entries)
{
	LIST_EACH_SAFE(it, entries)
	entry_free(self, LIST_ENTRY(it, struct syslog_entry, link));
}

void syslog_free(struct syslog **pointer)
{
	struct syslog *self = *pointer;

	*pointer = NULL;
	if (!self)
		return;
	address_search_cancel(&self->search);
	syslog_stream_close(self);
	syslog_datagram_close(self);
	drop(self, &self->waiting);
	drop(self, &self->written);
	drop(self, &self->ended);
	loop_task_cancel(&self->tell);
	loop_timer_cancel(self->loop, &self->due);
	loop_timer_cancel(self->loop, &self->look);
	loop_timer_cancel(self->loop, &self->pause);
	tls_context_unref(&self->tls);
	mem_free(self->app);
	mem_free(self);
}
