#include "track/track_hook_internal.h"

#include "skein/proto/base/alloc.h"

#include <stdio.h>

enum { BATCH_NAME_SIZE = 64, SYSLOG_QUEUE = 16 * 1024 * 1024 };

/* We encoded them ourselves. */
static bool next_event(struct span *bytes, struct track_event *event_out)
{
	if (!bytes->len)
		return false;
	CHECK(track_event_decode(bytes, event_out) == ERR_OK);
	return true;
}

/* --- webhooks --------------------------------------------------------------------------------------- */

static const char array_end[] = "]}";

/* As many of its events as body_max lets in, but one at least; the batch is cut behind them. */
static void write_body(struct track_hook *hook, struct hook_batch *batch, struct buf *out)
{
	bool is_array = hook->options.settings->format == HOOK_FORMAT_JSON;
	size_t end = is_array ? sizeof(array_end) - 1 : 0, events = 0, len = 0;
	struct span bytes = buf_span(&batch->bytes);
	struct track_event event;

	if (is_array)
		buf_append_str(out, "{\"events\":[");
	while (next_event(&bytes, &event)) {
		size_t before = buf_len(out);

		if (is_array && events)
			buf_append_byte(out, ',');
		track_event_json(&event, out);
		if (!is_array)
			buf_append_byte(out, '\n');
		if (events && buf_len(out) + end > hook->body_max) {
			buf_truncate(out, before);
			hook_cut(hook, batch, events, len);
			break;
		}
		events++;
		len = buf_len(&batch->bytes) - bytes.len;
	}
	if (is_array)
		buf_append_str(out, array_end);
	hook->body_len = buf_len(out);
}

static void on_posted(void *arg, enum notify_end end, const char *why)
{
	struct track_hook *hook = arg;
	const struct hook_result result = {
		.end = end, .is_too_large = hook->is_too_large, .wait_ms = hook->wait_ms, .why = why
	};

	hook->post = NULL;
	hook_sent(hook, &result);
}

static void post(struct track_hook *hook, struct hook_batch *batch)
{
	const struct hook_settings *settings = hook->options.settings;
	char name[BATCH_NAME_SIZE];
	const char *headers[] = { name };
	struct buf body = { 0 };
	struct web_post_request request = {
		.url = settings->url,
		.ca_file = settings->ca,
		.content_type =
			settings->format == HOOK_FORMAT_JSON ? "application/json" : "application/x-ndjson",
		.headers = headers,
		.header_count = ARRAY_LEN(headers),
		.timeout_ms = settings->timeout_ms,
		.wait_ms_out = &hook->wait_ms,
		.too_large_out = &hook->is_too_large,
		.fn = on_posted,
		.arg = hook,
	};

	if (*settings->secret || hook->secret)
		request.secret = (struct web_post_secret){ settings->header, settings->secret, hook->secret };
	hook->is_too_large = false;
	snprintf(name, sizeof(name), "Skein-Batch: %016llx-%llu", (unsigned long long)hook->run,
		(unsigned long long)batch->number);
	write_body(hook, batch, &body);
	request.body = buf_span(&body);
	hook->post = web_post_start(hook->options.notifier, &request);
	buf_fini(&body);
}

/* --- syslog ------------------------------------------------------------------------------------------- */

static enum syslog_severity severity_of(enum track_kind kind)
{
	switch (kind) {
	case TRACK_FAIL:
	case TRACK_EXPIRE:
	case TRACK_REJECT:
	case TRACK_TAKEOVER:
		return SYSLOG_WARNING;
	case TRACK_DEFER:
	case TRACK_BOUNCE:
	case TRACK_DISCARD:
		return SYSLOG_NOTICE;
	default:
		return SYSLOG_INFO;
	}
}

static void on_told(void *arg, enum notify_end end, const char *why)
{
	struct hook_told *told = arg;
	struct track_hook *hook = told->hook;
	struct hook_result result = { .why = hook->why };

	told->is_over = end != NOTIFY_LATER;
	if (end == NOTIFY_NEVER)
		hook->refused_now++;
	if (end == NOTIFY_LATER)
		hook->worst = end;
	if (end != NOTIFY_SENT)
		snprintf(hook->why, sizeof(hook->why), "%s", why);
	if (--hook->awaited)
		return;
	result.end = hook->worst;
	result.refused = hook->refused_now;
	if (result.end == NOTIFY_SENT)
		hook_forget_told(hook);
	hook_sent(hook, &result);
}

static void tell(
	struct track_hook *hook, const struct track_event *event, struct hook_told *told, struct buf *text)
{
	char session[24] = "";
	struct syslog_param params[3] = {
		{ "kind", span_of_str(track_kind_name(event->kind)) },
		{ "session", span_of_str(session) },
		{ "id", event->text[TRACK_ID] },
	};
	struct syslog_message message = {
		.severity = severity_of(event->kind),
		.time_us = event->time_us,
		.kind = params[0].value,
		.params = params,
		.param_count = 1,
	};

	if (event->session)
		snprintf(session, sizeof(session), "%016llx", (unsigned long long)event->session);
	params[1].value = span_of_str(session);
	if (params[1].value.len)
		message.param_count++;
	if (params[2].value.len)
		params[message.param_count++] = params[2];
	buf_clear(text);
	if (hook->options.settings->format == HOOK_FORMAT_PAIRS)
		track_event_pairs(event, text);
	else
		track_event_json(event, text);
	message.text = buf_span(text);
	told->hook = hook;
	hook->awaited++;
	syslog_send(hook->syslog, &message, on_told, told);
}

void hook_forget_told(struct track_hook *hook)
{
	mem_free(hook->told);
	hook->told = NULL;
	hook->refused_now = 0;
}

/* What of the batch was not told before. */
static void tell_all(struct track_hook *hook, const struct hook_batch *batch)
{
	struct span bytes = buf_span(&batch->bytes);
	struct track_event event;
	struct buf text = { 0 };

	if (!hook->told)
		hook->told = mem_zalloc(batch->events * sizeof(*hook->told));
	hook->worst = NOTIFY_SENT;
	for (size_t i = 0; next_event(&bytes, &event); i++)
		if (!hook->told[i].is_over)
			tell(hook, &event, &hook->told[i], &text);
	buf_fini(&text);
}

/* --- both ----------------------------------------------------------------------------------------------- */

void hook_send(struct track_hook *hook, struct hook_batch *batch)
{
	if (hook->syslog)
		tell_all(hook, batch);
	else
		post(hook, batch);
}

bool hook_read_secret(struct track_hook *hook, struct buf *why_out)
{
	const char *path = hook->options.settings->secret_file;
	const struct secret_value *secret;

	if (!*path)
		return true;
	secret = web_post_read_secret(path, why_out);
	if (!secret)
		return false;
	secret_value_unref(&hook->secret);
	hook->secret = secret;
	return true;
}

bool hook_way_open(struct track_hook *hook, struct buf *why_out)
{
	const struct hook_settings *settings = hook->options.settings;
	struct syslog_options options = {
		.url = settings->url,
		.ca_file = settings->ca,
		.app = "skein",
		.timeout_ms = settings->timeout_ms,
		.queue_bytes = SYSLOG_QUEUE, /* more than a batch can be */
	};

	if (target_is_web(&hook->target))
		return hook_read_secret(hook, why_out);
	if (!syslog_facility_parse(span_of_str(settings->facility), &options.facility))
		options.facility = 0;
	hook->syslog = syslog_new(hook->options.notifier, &options, why_out);
	return hook->syslog;
}

void hook_way_close(struct track_hook *hook)
{
	web_post_cancel(&hook->post);
	syslog_free(&hook->syslog);
	secret_value_unref(&hook->secret);
	hook_forget_told(hook);
}

bool hook_way_change(struct track_hook *hook, const struct hook_settings *settings, struct buf *why_out)
{
	const struct hook_settings *before = hook->options.settings;
	const struct secret_value *secret = hook->secret;
	struct target target = hook->target;
	struct syslog *syslog = hook->syslog;

	CHECK(!target_parse(settings->url, &hook->target));
	hook->options.settings = settings;
	hook->secret = NULL;
	hook->syslog = NULL;
	if (!hook_way_open(hook, why_out)) {
		hook->options.settings = before;
		hook->target = target;
		hook->secret = secret;
		hook->syslog = syslog;
		return false;
	}
	syslog_free(&syslog);
	secret_value_unref(&secret);
	/* Another receiver has none of the batch. */
	if (strcmp(before->url, settings->url) != 0)
		hook_forget_told(hook);
	return true;
}
