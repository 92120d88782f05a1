/*
 * alert_send: one notice over one channel: by mail of the node's own, by a web server, by a collector of
 * syslog. Each ends by itself, with a deadline. All calls are for the loop's own thread.
 */
#ifndef NODE_ALERTS_ALERT_SEND_H
#define NODE_ALERTS_ALERT_SEND_H

#include "alerts/alert_notice.h"
#include "config/settings.h"
#include "custody/own_mail.h"
#include "notify/notifier.h"

struct alert_sender;
struct alert_sending;

/* All borrowed. */
struct alert_sender_options {
	struct loop *loop;
	const struct settings *settings; /* of the start */
	struct notifier *notifier;
	struct secrets *secrets;
	/* Takes a mail into custody; `fn` is told in any thread, once, unless the node ends before. */
	void (*post)(void *poster, const struct own_mail *mail, custody_fn *fn, void *arg);
	void *poster;
};

struct alert_sender *alert_sender_new(const struct alert_sender_options *options);
/* Everything has ended or was cancelled, and nobody calls back any more. Sets the pointer to NULL; NULL
 * inside is fine. */
void alert_sender_free(struct alert_sender **sender);
struct notifier *alert_sender_notifier(const struct alert_sender *sender);

/* `channel` is borrowed during the call, a reference to `notice` is taken. `fn` is called exactly once,
 * later, unless it is cancelled before; the handle is dead when it begins. */
struct alert_sending *alert_send_start(struct alert_sender *sender, const struct alert_channel *channel,
	json_t *notice, notify_fn *fn, void *arg);
/* Sets the pointer to NULL; NULL inside is fine. */
void alert_send_cancel(struct alert_sending **sending);

#endif
