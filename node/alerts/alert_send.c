/*
 * A sending ends in a turn of its own (`told`): what ended it may be in the middle of its own work. A mail's
 * verdict comes from another thread and cannot be called back: it has memory of its own, which the sender
 * keeps.
 */
#include "alerts/alert_send.h"

#include "io/wall_clock.h"
#include "notify/syslog.h"
#include "notify/web_post.h"
#include "skein/proto/base/alloc.h"

#include <stdio.h>
#include <string.h>

enum { SEND_MS = 20000, SYSLOG_QUEUE = 64 * 1024 };

struct alert_sender {
	struct alert_sender_options options;
	struct list verdicts; /* verdict.link: awaited */
};

/* Of a mail. */
struct verdict {
	struct list link;
	struct loop_msg posted;
	struct alert_sender *sender;
	struct alert_sending *sending; /* NULL: nobody waits for it any more */
	enum custody_verdict verdict;
};

struct alert_sending {
	struct alert_sender *sender;
	json_t *notice;
	struct web_post *web;
	struct syslog *syslog;
	struct verdict *verdict;
	struct loop_task told;
	enum notify_end end;
	char why[NOTIFY_WHY_MAX];
	notify_fn *fn;
	void *arg;
};

struct alert_sender *alert_sender_new(const struct alert_sender_options *options)
{
	struct alert_sender *sender = mem_zalloc(sizeof(*sender));

	sender->options = *options;
	list_init(&sender->verdicts);
	return sender;
}

void alert_sender_free(struct alert_sender **pointer)
{
	struct alert_sender *sender = *pointer;

	*pointer = NULL;
	if (!sender)
		return;
	LIST_EACH_SAFE(it, &sender->verdicts)
	{
		list_remove(it);
		mem_free(LIST_ENTRY(it, struct verdict, link));
	}
	mem_free(sender);
}

struct notifier *alert_sender_notifier(const struct alert_sender *sender)
{
	return sender->options.notifier;
}

static void free_sending(struct alert_sending *sending)
{
	web_post_cancel(&sending->web);
	syslog_free(&sending->syslog);
	if (sending->verdict)
		sending->verdict->sending = NULL;
	loop_task_cancel(&sending->told);
	json_decref(sending->notice);
	mem_free(sending);
}

void alert_send_cancel(struct alert_sending **pointer)
{
	struct alert_sending *sending = *pointer;

	*pointer = NULL;
	if (sending)
		free_sending(sending);
}

static void tell(void *arg)
{
	struct alert_sending *sending = arg;
	notify_fn *fn = sending->fn;
	void *owner = sending->arg;
	enum notify_end end = sending->end;
	char why[NOTIFY_WHY_MAX];

	memcpy(why, sending->why, sizeof(why));
	free_sending(sending);
	fn(owner, end, why);
}

static void end(struct alert_sending *sending, enum notify_end how, const char *why)
{
	sending->end = how;
	snprintf(sending->why, sizeof(sending->why), "%s", why);
	loop_defer(sending->sender->options.loop, &sending->told);
}

/* --- web server --------------------------------------------------------------------------------- */

static void on_posted_web(void *arg, enum notify_end how, const char *why)
{
	struct alert_sending *sending = arg;

	sending->web = NULL;
	end(sending, how, why);
}

static void post_to(struct alert_sending *sending, const struct alert_channel *channel, const char *url)
{
	struct buf body = { 0 };
	struct web_post_request request = {
		.url = url,
		.ca_file = sending->sender->options.settings->route.ca,
		.content_type = "application/json",
		.secret = { *channel->secret ? "Authorization: Bearer" : NULL, channel->secret, NULL },
		.timeout_ms = SEND_MS,
		.fn = on_posted_web,
		.arg = sending,
	};

	alert_notice_form(sending->notice, channel->form, &body);
	request.body = buf_span(&body);
	sending->web = web_post_start(sending->sender->options.notifier, &request);
	buf_fini(&body);
}

/* The URL of a chat is a secret of its own: whoever knows it may post there. */
static void send_web(struct alert_sending *sending, const struct alert_channel *channel)
{
	struct secrets *secrets = sending->sender->options.secrets;
	const struct secret_value *value;
	char url[FETCH_URL_MAX];
	struct span text;
	struct buf why = { 0 };

	if (!*channel->url_secret) {
		post_to(sending, channel, channel->url);
		return;
	}
	value = secrets_get(secrets, channel->url_secret);
	text = value ? span_trim(secret_value_text(value)) : span_of("", 0);
	if (!value) {
		secrets_explain(secrets, channel->url_secret, &why);
		buf_append_byte(&why, '\0');
		end(sending, NOTIFY_LATER, buf_span(&why).ptr);
	} else if (!text.len || text.len >= sizeof(url)) {
		end(sending, NOTIFY_LATER, "the secret that webhook_secret names is no URL");
	} else {
		memcpy(url, text.ptr, text.len);
		url[text.len] = '\0';
		post_to(sending, channel, url);
		mem_wipe(url, sizeof(url));
	}
	secret_value_unref(&value);
	buf_fini(&why);
}

/* --- syslog ------------------------------------------------------------------------------------- */

static void on_logged(void *arg, enum notify_end how, const char *why)
{
	end(arg, how, why);
}

static enum syslog_severity severity_of(const json_t *notice)
{
	const char *severity = alert_notice_text(notice, "severity");

	if (strcmp(alert_notice_text(notice, "event"), "recovered") == 0)
		return SYSLOG_NOTICE;
	return strcmp(severity, "critical") == 0  ? SYSLOG_CRITICAL
	       : strcmp(severity, "warning") == 0 ? SYSLOG_WARNING
						  : SYSLOG_INFO;
}

static void send_syslog(struct alert_sending *sending, const struct alert_channel *channel)
{
	static const char *const names[] = { "id", "event", "alert", "subject", "severity", "since", "cure" };
	const struct syslog_options options = {
		.url = channel->url,
		.ca_file = sending->sender->options.settings->route.ca,
		.facility = 2, /* mail */
		.app = "skein",
		.timeout_ms = SEND_MS,
		.queue_bytes = SYSLOG_QUEUE,
	};
	struct syslog_param params[ARRAY_LEN(names)];
	struct syslog_message message = {
		.severity = severity_of(sending->notice),
		.time_us = wall_clock_ms() * 1000,
		.kind = SPAN_LIT("ALERT"),
		.params = params,
		.param_count = ARRAY_LEN(names),
	};
	struct buf why = { 0 }, line = { 0 };

	sending->syslog = syslog_new(sending->sender->options.notifier, &options, &why);
	if (!sending->syslog) {
		buf_append_byte(&why, '\0');
		end(sending, NOTIFY_LATER, buf_span(&why).ptr);
	} else {
		for (size_t i = 0; i < ARRAY_LEN(names); i++)
			params[i] = (struct syslog_param){ names[i],
				span_of_str(alert_notice_text(sending->notice, names[i])) };
		alert_notice_line(sending->notice, &line);
		message.text = buf_span(&line);
		syslog_send(sending->syslog, &message, on_logged, sending);
	}
	buf_fini(&why);
	buf_fini(&line);
}

/* --- mail --------------------------------------------------------------------------------------- */

static void on_verdict(void *arg)
{
	struct verdict *verdict = arg;
	struct alert_sending *sending = verdict->sending;
	bool is_taken = verdict->verdict == CUSTODY_TAKEN;

	list_remove(&verdict->link);
	mem_free(verdict);
	if (!sending)
		return;
	sending->verdict = NULL;
	end(sending, is_taken ? NOTIFY_SENT : NOTIFY_LATER, is_taken ? "" : "this node takes no mail now");
}

/* Any thread. */
static void on_custody(void *arg, enum custody_verdict how)
{
	struct verdict *verdict = arg;

	verdict->verdict = how; /* the post orders it */
	loop_post(verdict->sender->options.loop, &verdict->posted);
}

static void send_mail(struct alert_sending *sending, const struct alert_channel *channel)
{
	struct alert_sender *sender = sending->sender;
	uint64_t now_ms = wall_clock_ms();
	const struct alert_notice_mail mail = { channel->from, channel->mail,
		sender->options.settings->node.hostname, now_ms,
		wall_clock_offset_min((int64_t)(now_ms / 1000)) };
	struct own_mail own = { .sender = span_of_str(channel->from),
		.recipient = span_of_str(channel->mail) };
	struct verdict *verdict = mem_zalloc(sizeof(*verdict));
	struct buf content = { 0 };

	verdict->sender = sender;
	verdict->sending = sending;
	list_init(&verdict->link);
	list_push_back(&sender->verdicts, &verdict->link);
	loop_msg_init(&verdict->posted, on_verdict, verdict);
	sending->verdict = verdict;
	alert_notice_mail(sending->notice, &mail, &content);
	own.content = buf_span(&content);
	sender->options.post(sender->options.poster, &own, on_custody, verdict);
	buf_fini(&content);
}

struct alert_sending *alert_send_start(struct alert_sender *sender, const struct alert_channel *channel,
	json_t *notice, notify_fn *fn, void *arg)
{
	struct alert_sending *sending = mem_zalloc(sizeof(*sending));

	sending->sender = sender;
	sending->notice = json_incref(notice);
	sending->fn = fn;
	sending->arg = arg;
	loop_task_init(&sending->told, tell, sending);
	switch (channel->kind) {
	case ALERT_BY_MAIL:
		send_mail(sending, channel);
		break;
	case ALERT_BY_WEBHOOK:
		send_web(sending, channel);
		break;
	case ALERT_BY_SYSLOG:
		send_syslog(sending, channel);
		break;
	}
	return sending;
}
