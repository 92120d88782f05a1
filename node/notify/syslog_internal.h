/*
 * syslog_internal: what syslog.c (messages), syslog_stream.c (TCP, TLS) and syslog_datagram.c (UDP) share.
 *
 * A message: waiting → written → ended; written ones wait again when their connection breaks. UDP knows no
 * written ones.
 */
#ifndef NODE_NOTIFY_SYSLOG_INTERNAL_H
#define NODE_NOTIFY_SYSLOG_INTERNAL_H

#include "dns/address_search.h"
#include "io/stream.h"
#include "notify/notifier_internal.h"
#include "notify/syslog.h"
#include "notify/target.h"

struct syslog_entry {
	struct list link;
	struct buf bytes; /* as they go on the wire */
	uint64_t due_ms;  /* loop clock: later it is too late */
	notify_fn *fn;
	void *arg;
	enum notify_end end;
	char *why; /* NULL: "" */
};

struct syslog_datagrams; /* a socket */

struct syslog {
	struct notifier *notifier;
	struct loop *loop;
	struct target target;
	struct tls_context *tls; /* of TARGET_TLS */
	unsigned facility;
	char *app;
	char process[24];
	uint64_t timeout_ms;
	size_t queue_bytes;

	struct list waiting, written, ended;
	size_t bytes; /* of all three */
	struct loop_task tell;
	struct loop_timer due; /* of the oldest */

	/* The way to the collector: nothing, a search, a connection; or a pause after a failure. */
	struct address_search *search;
	struct address_list found;
	size_t next_address;
	struct stream *stream;
	bool is_open;
	struct syslog_datagrams *datagrams;
	uint64_t opened_ms;
	struct loop_timer look; /* at what was acknowledged; or to go on after a burst */
	uint64_t look_ms;
	struct loop_timer pause;
	unsigned failures;        /* in a row */
	char why[NOTIFY_WHY_MAX]; /* the last one */
};

/* syslog.c */

/* Takes the entry from its list. `why` is borrowed. */
void syslog_end(struct syslog *syslog, struct syslog_entry *entry, enum notify_end end, const char *why);
/* Does what can be done now: looks the collector up, or sends. */
void syslog_advance(struct syslog *syslog);
/* There is no way: waits, longer each time. */
void syslog_failed(struct syslog *syslog, const char *why);

static inline struct syslog_entry *syslog_first(const struct list *head)
{
	return list_is_empty(head) ? NULL : LIST_FIRST(head, struct syslog_entry, link);
}

/* syslog_stream.c, syslog_datagram.c: `open` goes to the next address that was found, `push` sends what
 * waits. */

void syslog_stream_open(struct syslog *syslog);
void syslog_stream_push(struct syslog *syslog);
/* A written message was not acknowledged in time: the connection is of no use. */
void syslog_stream_drop(struct syslog *syslog);
void syslog_stream_close(struct syslog *syslog);

void syslog_datagram_open(struct syslog *syslog);
void syslog_datagram_push(struct syslog *syslog);
void syslog_datagram_close(struct syslog *syslog);

#endif
