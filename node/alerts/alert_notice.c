#include "alerts/alert_notice.h"

#include "skein/cluster/alert_store.h"
#include "skein/proto/base/check.h"
#include "skein/proto/mail/date.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { LINE_MAX_LEN = 900, SUBJECT_PART_MAX = 300 };

static json_t *text_json(struct span text)
{
	json_t *json = json_stringn(text.ptr, text.len);

	return json ? json : json_string("?"); /* no UTF-8 */
}

static json_t *time_json(uint64_t unix_ms)
{
	time_t when = (time_t)(unix_ms / 1000);
	char text[32] = "";
	struct tm utc;

	if (gmtime_r(&when, &utc))
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc);
	return json_string(text);
}

json_t *alert_notice_json(const struct alert_notice *notice)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:o, s:s, s:o, s:s, s:s, s:o, s:o, s:s}", "id", notice->id,
		"channel", notice->channel, "event", notice->event, "alert", notice->alert, "subject",
		text_json(notice->subject), "severity", alert_severity_name(notice->severity), "text",
		text_json(notice->text), "what", notice->what, "cure", notice->cure, "since",
		time_json(notice->since_ms), "at", time_json(notice->at_ms), "node", notice->node);
}

const char *alert_notice_text(const json_t *notice, const char *key)
{
	const char *text = json_string_value(json_object_get(notice, key));

	return text ? text : "";
}

static bool is_event(const json_t *notice, const char *event)
{
	return strcmp(alert_notice_text(notice, "event"), event) == 0;
}

/* What is over has no severity any more. */
static const char *headline(const json_t *notice)
{
	return is_event(notice, "recovered") ? "recovered"
	       : is_event(notice, "test")    ? "test"
					     : alert_notice_text(notice, "severity");
}

void alert_notice_line(const json_t *notice, struct buf *out)
{
	buf_printf(out, "%s: %s %s: %s", headline(notice), alert_notice_text(notice, "alert"),
		alert_notice_text(notice, "subject"), alert_notice_text(notice, "text"));
}

/* --- forms -------------------------------------------------------------------------------------- */

static json_t *json_line(const json_t *notice)
{
	struct buf line = { 0 };
	json_t *json;

	alert_notice_line(notice, &line);
	json = text_json(buf_span(&line));
	buf_fini(&line);
	return json;
}

/* Slack reads <!channel> and <https://...|text> out of a `text`: the name that somebody tried to log in with
 * shall not call everybody, nor show a link. */
static json_t *slack_line(const json_t *notice)
{
	struct buf line = { 0 }, out = { 0 };
	json_t *json;

	alert_notice_line(notice, &line);
	for (struct span rest = buf_span(&line); rest.len; rest = span_drop(rest, 1)) {
		char c = rest.ptr[0];

		if (c == '&' || c == '<' || c == '>')
			buf_append_str(&out, c == '&' ? "&amp;" : c == '<' ? "&lt;" : "&gt;");
		else
			buf_append_byte(&out, c);
	}
	json = text_json(buf_span(&out));
	buf_fini(&line);
	buf_fini(&out);
	return json;
}

static json_t *detail(const json_t *notice)
{
	struct buf text = { 0 };
	json_t *json;

	buf_printf(&text, "%s.\nTo do: %s.\nSince %s", alert_notice_text(notice, "what"),
		alert_notice_text(notice, "cure"), alert_notice_text(notice, "since"));
	json = text_json(buf_span(&text));
	buf_fini(&text);
	return json;
}

/* `text` is what a notification shows, blocks are the message. */
static json_t *slack(const json_t *notice)
{
	return json_pack("{s:o, s:b, s:[{s:s, s:{s:s, s:o}}, {s:s, s:[{s:s, s:o}]}]}", "text",
		slack_line(notice), "mrkdwn", 0, "blocks", "type", "section", "text", "type", "plain_text",
		"text", json_line(notice), "type", "context", "elements", "type", "plain_text", "text",
		detail(notice));
}

static json_t *fact(const json_t *notice, const char *title, const char *key)
{
	return json_pack("{s:s, s:s}", "title", title, "value", alert_notice_text(notice, key));
}

/* The line is a TextRun: a TextBlock would read Markdown, so that a peer's text could show a link. */
static json_t *teams(const json_t *notice)
{
	const char *color = is_event(notice, "recovered") || is_event(notice, "test")        ? "good"
			    : strcmp(alert_notice_text(notice, "severity"), "critical") == 0 ? "attention"
											     : "warning";
	json_t *facts =
		json_pack("[o, o, o, o]", fact(notice, "Means", "what"), fact(notice, "To do", "cure"),
			fact(notice, "Since", "since"), fact(notice, "Told by", "node"));
	json_t *run = json_pack("{s:s, s:o, s:s, s:s}", "type", "TextRun", "text", json_line(notice),
		"weight", "bolder", "color", color);
	json_t *card = json_pack("{s:s, s:s, s:s, s:[{s:s, s:[o]}, {s:s, s:o}]}", "$schema",
		"http://adaptivecards.io/schemas/adaptive-card.json", "type", "AdaptiveCard", "version",
		"1.4", "body", "type", "RichTextBlock", "inlines", run, "type", "FactSet", "facts", facts);

	return json_pack("{s:s, s:[{s:s, s:n, s:o}]}", "type", "message", "attachments", "contentType",
		"application/vnd.microsoft.card.adaptive", "contentUrl", "content", card);
}

static json_t *plain(const json_t *notice)
{
	json_t *copy = json_copy((json_t *)(uintptr_t)notice);

	json_object_del(copy, "channel");
	return copy;
}

void alert_notice_form(const json_t *notice, enum alert_form form, struct buf *out)
{
	json_t *json = form == ALERT_FORM_SLACK   ? slack(notice)
		       : form == ALERT_FORM_TEAMS ? teams(notice)
						  : plain(notice);
	char *text = json_dumps(json, JSON_COMPACT);

	CHECK(text);
	buf_append_str(out, text);
	free(text);
	json_decref(json);
}

/* --- mail --------------------------------------------------------------------------------------- */

/* 7-bit, on one line: a notice comes out of Redis, and makes no header field of its own. */
static void append_ascii(struct buf *out, const char *text, size_t len_max)
{
	for (size_t i = 0; text[i] && i < len_max; i++)
		buf_append_byte(out, text[i] < ' ' || text[i] > '~' ? '?' : text[i]);
}

static void append_row(struct buf *out, const char *name, const char *text)
{
	buf_printf(out, "%-9s", name);
	append_ascii(out, text, LINE_MAX_LEN);
	buf_append_str(out, "\r\n");
}

void alert_notice_mail(const json_t *notice, const struct alert_notice_mail *mail, struct buf *out)
{
	static const struct {
		const char *name, *key;
	} rows[] = { { "Alert:", "alert" }, { "About:", "subject" }, { "Event:", "event" },
		{ "Level:", "severity" }, { "Found:", "text" }, { "Means:", "what" }, { "To do:", "cure" },
		{ "Since:", "since" }, { "Node:", "node" }, { "Id:", "id" } };

	buf_printf(out, "From: Skein <%s>\r\nTo: <%s>\r\nSubject: [skein] ", mail->from, mail->to);
	append_ascii(out, headline(notice), SUBJECT_PART_MAX);
	buf_append_str(out, ": ");
	append_ascii(out, alert_notice_text(notice, "alert"), SUBJECT_PART_MAX);
	buf_append_byte(out, ' ');
	append_ascii(out, alert_notice_text(notice, "subject"), SUBJECT_PART_MAX);
	buf_append_str(out, "\r\nDate: ");
	mail_date_append(out, (int64_t)(mail->now_ms / 1000), mail->offset_min);
	buf_append_str(out, "\r\nMessage-ID: <alert.");
	append_ascii(out, alert_notice_text(notice, "id"), ALERT_NOTICE_ID_MAX);
	buf_printf(out, ".%llu@%s>\r\n", (unsigned long long)mail->now_ms, mail->hostname);
	buf_append_str(out, "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
			    "Content-Type: text/plain; charset=us-ascii\r\n\r\n");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		append_row(out, rows[i].name, alert_notice_text(notice, rows[i].key));
}
