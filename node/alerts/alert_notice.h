/*
 * alert_notice: what one channel is told of one alert: as JSON, which lies in the outbox and is the form
 * `json`, and in the forms of those who show it to people.
 */
#ifndef NODE_ALERTS_ALERT_NOTICE_H
#define NODE_ALERTS_ALERT_NOTICE_H

#include "skein/cluster/alert.h"

#include <jansson.h>

/* Borrowed. */
struct alert_notice {
	const char *id;
	const char *channel;
	const char *event; /* alert_news_name(), or "test" */
	const char *alert; /* name */
	struct span subject, text;
	enum alert_severity severity;
	const char *what, *cure;
	uint64_t since_ms, at_ms; /* unix */
	const char *node;
};

/* One object; `channel` is in it too, for the outbox. The caller's. */
json_t *alert_notice_json(const struct alert_notice *notice);

/* "critical: node-lost relay-3: the node is dead" */
void alert_notice_line(const json_t *notice, struct buf *out);
/* The body of a webhook. */
void alert_notice_form(const json_t *notice, enum alert_form form, struct buf *out);
/* A mail: header and body, lines end with CRLF, 7-bit. */
struct alert_notice_mail {
	const char *from, *to, *hostname;
	uint64_t now_ms;
	int offset_min;
};
void alert_notice_mail(const json_t *notice, const struct alert_notice_mail *mail, struct buf *out);

/* A text of the object; "" where there is none. */
const char *alert_notice_text(const json_t *notice, const char *key);

#endif
