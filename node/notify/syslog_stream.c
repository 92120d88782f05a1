#include "notify/syslog_internal.h"

enum {
	OPEN_MS = 10 * 1000, /* TCP and TLS, each */
	WINDOW = 64 * 1024,  /* written at most before all of it is acknowledged */
	LOOK_FIRST_MS = 1,   /* at what is acknowledged; doubled */
	LOOK_MAX_MS = 50,
	KEEPALIVE_S = 60,
};

static void on_opened(struct syslog *self)
{
	self->is_open = true;
	stream_set_deadline(self->stream, 0);
	syslog_stream_push(self);
}

static void on_open(void *arg)
{
	struct syslog *self = arg;

	if (!self->tls) {
		on_opened(self);
		return;
	}
	stream_set_deadline(self->stream, OPEN_MS);
	stream_start_tls(self->stream, self->tls, self->target.host, STREAM_TLS_KEEP);
}

static void on_tls(void *arg, const struct tls_info *info)
{
	(void)info;
	on_opened(arg);
}

/* Collectors have nothing to say. */
static size_t on_data(void *arg, struct span bytes)
{
	(void)arg;
	return bytes.len;
}

static bool is_all_acknowledged(const struct syslog *self)
{
	return !stream_queued_bytes(self->stream) && stream_unacknowledged_bytes(self->stream) == 0;
}

/* What was written, and is acknowledged, has arrived. */
static void confirm(struct syslog *self)
{
	struct syslog_entry *entry;

	if (!syslog_first(&self->written) || !is_all_acknowledged(self))
		return;
	while ((entry = syslog_first(&self->written)))
		syslog_end(self, entry, NOTIFY_SENT, "");
	self->failures = 0;
	self->why[0] = '\0';
}

/* What nobody acknowledged comes first the next time, in its order. */
static void take_back(struct syslog *self)
{
	struct list waiting;

	list_init(&waiting);
	list_splice_back(&waiting, &self->written);
	list_splice_back(&waiting, &self->waiting);
	list_splice_back(&self->waiting, &waiting);
}

static void on_nothing(void *arg, enum err why, const char *text)
{
	(void)arg, (void)why, (void)text;
}

static void on_gone(struct syslog *self, const char *why)
{
	bool was_open = self->is_open, was_busy = !list_is_empty(&self->written);

	self->stream = NULL;
	self->is_open = false;
	loop_timer_cancel(self->loop, &self->look);
	take_back(self);
	if (!was_open && self->next_address < self->found.count)
		syslog_stream_open(self);
	else if (!was_open || was_busy)
		syslog_failed(self, why);
	else
		syslog_advance(self);
}

static void on_close(void *arg, enum err why, const char *text)
{
	(void)why;
	on_gone(arg, text);
}

/* It ends by itself. */
static void let_go(struct syslog *self, const char *why)
{
	static const struct stream_callbacks nobody = { .on_data = on_data, .on_close = on_nothing };

	stream_set_owner(self->stream, &nobody, NULL);
	stream_abort(self->stream);
	on_gone(self, why);
}

/* Nobody reads any more what we would write. */
static void on_eof(void *arg)
{
	struct syslog *self = arg;

	if (self->is_open)
		confirm(self);
	let_go(self, "the collector closed the connection");
}

static const struct stream_callbacks callbacks = {
	.on_open = on_open,
	.on_data = on_data,
	.on_eof = on_eof,
	.on_tls = on_tls,
	.on_close = on_close,
};

void syslog_stream_open(struct syslog *self)
{
	static const struct stream_options options = { .keepalive_s = KEEPALIVE_S };
	const struct address *address = &self->found.items[self->next_address++];

	self->stream = stream_connect(self->loop, &address->sa, &options, &callbacks, self);
	stream_set_deadline(self->stream, OPEN_MS);
}

static void write_window(struct syslog *self)
{
	struct syslog_entry *entry;
	size_t bytes = 0;

	while (bytes < WINDOW && (entry = syslog_first(&self->waiting))) {
		stream_write(self->stream, buf_span(&entry->bytes));
		bytes += buf_len(&entry->bytes);
		list_remove(&entry->link);
		list_push_back(&self->written, &entry->link);
	}
	self->look_ms = LOOK_FIRST_MS;
}

void syslog_stream_push(struct syslog *self)
{
	if (!self->is_open)
		return;
	confirm(self);
	if (!syslog_first(&self->written))
		write_window(self);
	if (!syslog_first(&self->written)) {
		loop_timer_cancel(self->loop, &self->look);
	} else if (!loop_timer_is_set(&self->look)) {
		loop_timer_set(self->loop, &self->look, self->look_ms);
		self->look_ms = self->look_ms * 2 < LOOK_MAX_MS ? self->look_ms * 2 : LOOK_MAX_MS;
	}
}

void syslog_stream_drop(struct syslog *self)
{
	if (self->stream)
		let_go(self, "the collector acknowledges nothing");
}

void syslog_stream_close(struct syslog *self)
{
	if (self->stream)
		stream_detach(&self->stream);
}
