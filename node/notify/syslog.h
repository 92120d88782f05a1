/*
 * syslog: messages of RFC 5424 to one collector, over UDP (RFC 5426), TCP with octet counting (RFC 6587) or
 * TLS (RFC 5425), in the order in which they were given. The connection is kept, and dialled again with
 * growing pauses. A message waits for at most its time; the queue is bounded.
 *
 * No collector says that it has a message. Over TCP and TLS one counts as sent once the collector's TCP has
 * acknowledged it; what was not when a connection breaks is sent again. Over UDP one counts as sent when it
 * left: what is lost on the way is lost.
 */
#ifndef NODE_NOTIFY_SYSLOG_H
#define NODE_NOTIFY_SYSLOG_H

#include "notify/notifier.h"
#include "skein/proto/wire/syslog.h"

/* Of our structured data; 32473 is the number that RFC 5612 gives to who has none. */
#define SYSLOG_ELEMENT "skein@32473"

struct syslog;

/* Borrowed during syslog_new(). */
struct syslog_options {
	const char *url;     /* udp, tcp or tls: see target.h */
	const char *ca_file; /* of TLS, PEM; "" or NULL: the system's authorities */
	unsigned facility;   /* syslog_facility_parse() */
	const char *app;     /* APP-NAME */
	uint64_t timeout_ms; /* of a message, from syslog_send() to its end */
	size_t queue_bytes;  /* of messages that have not ended */
};

/* Borrowed during syslog_send(). */
struct syslog_message {
	enum syslog_severity severity;
	uint64_t time_us;
	struct span kind;                  /* MSGID */
	const struct syslog_param *params; /* of SYSLOG_ELEMENT */
	size_t param_count;
	struct span text;
};

/* NULL: `why_out` has a sentence about the URL or the authorities. Reads their file: for the start. */
struct syslog *syslog_new(
	struct notifier *notifier, const struct syslog_options *options, struct buf *why_out);
/* What has not ended is dropped without a call; what was written may still arrive. Sets the pointer to NULL;
 * NULL is fine. */
void syslog_free(struct syslog **syslog);

/* `fn` may be NULL, and may send more, but not free us. A queue that is full ends it with NOTIFY_LATER. */
void syslog_send(struct syslog *syslog, const struct syslog_message *message, notify_fn *fn, void *arg);

#endif
