/*
 * alert: what a cluster may have to tell an administrator, as one table; what the policy says of each; and
 * the machine that makes of values, looked at again and again, one notice when it begins and one when it is
 * over. Pure: values and times are handed in.
 *
 * An alert has subjects: a sender, a node, a file; "cluster" where there is only one.
 */
#ifndef SKEIN_CLUSTER_ALERT_H
#define SKEIN_CLUSTER_ALERT_H

#include "skein/proto/base/buf.h"
#include "skein/proto/base/span.h"

enum alert {
	ALERT_SENDER_SPIKE,
	ALERT_LOGIN_FAILURES,
	ALERT_LOGIN_FAILURES_ALL,
	ALERT_DEFERRALS,
	ALERT_BOUNCES,
	ALERT_QUEUE_AGE,
	ALERT_QUEUE_SIZE,
	ALERT_NODE_LOST,
	ALERT_LEADER_CHANGE,
	ALERT_REDIS_UNSAFE,
	ALERT_REDIS_REPLICAS,
	ALERT_REDIS_MEMORY,
	ALERT_MAIL_DEGRADED,
	ALERT_CERTIFICATE,
	ALERT_DNS,
	ALERT_POLICY_DRIFT,
	ALERT_DISK,
	ALERT_LOG_DROPPED,
	ALERT_TRACK_LOST,
	ALERT_COUNT
};

enum alert_unit {
	ALERT_UNIT_NUMBER,
	ALERT_UNIT_TIMES, /* of what is usual */
	ALERT_UNIT_PERCENT,
	ALERT_UNIT_AGE,  /* ms */
	ALERT_UNIT_DAYS, /* left: fewer are worse */
};

enum alert_severity { ALERT_INFO, ALERT_WARNING, ALERT_CRITICAL };

struct alert_kind {
	const char *name; /* "queue-age" */
	enum alert_unit unit;
	uint64_t bound; /* fires above it; of days left: below */
	uint64_t least; /* of messages, for what says nothing about a few; 0: there is no such number */
	uint64_t for_ms;
	enum alert_severity severity;
	const char *what; /* what it means: "mail waits for too long" */
	const char *cure; /* what to look at first */
};

const struct alert_kind *alert_kind(enum alert alert);
bool alert_find(struct span name, enum alert *alert_out) WARN_UNUSED;
const char *alert_severity_name(enum alert_severity severity);
extern const char *const alert_severity_names[ALERT_CRITICAL + 1];
/* "25%", "2h30m", "12 days", "7 times" */
void alert_append_value(enum alert_unit unit, uint64_t value, struct buf *out);

/* --- what the policy says ----------------------------------------------------------------------- */

enum {
	ALERT_CHANNELS_MAX = 16,
	ALERT_SUBJECT_MAX = 320,
	ALERT_TEXT_MAX = 400,
	ALERT_FIRING_MAX = 300, /* subjects of all alerts */
};

enum alert_channel_kind { ALERT_BY_MAIL, ALERT_BY_WEBHOOK, ALERT_BY_SYSLOG };
enum alert_form { ALERT_FORM_JSON, ALERT_FORM_SLACK, ALERT_FORM_TEAMS };

struct alert_channel {
	const char *name;
	enum alert_channel_kind kind;
	const char *mail, *from;
	const char *url;        /* of a webhook or a syslog server; "" where url_secret names it */
	const char *url_secret; /* "": none */
	enum alert_form form;
	const char *secret; /* that a webhook gets as a bearer token; "": none */
};

struct alert_rule {
	bool is_on;
	uint64_t bound, least, for_ms;
	enum alert_severity severity;
	unsigned channels; /* set of 1 << its place */
};

struct alert_policy {
	struct alert_rule rules[ALERT_COUNT];
	struct alert_channel channels[ALERT_CHANNELS_MAX];
	size_t channel_count;
	uint64_t window_ms; /* in which messages and failures are counted */
	uint64_t repeat_ms; /* what goes on is told again; 0: it is not */
};

/*
 * How long a subject that nothing is known of any more still counts as it was: a node that restarts has not
 * spoken to its next hops yet, a new leader has not looked at the DNS, and what is put off is not tried
 * all the time. 0: what is not there is well.
 */
uint64_t alert_gone_ms(enum alert alert, const struct alert_policy *policy);
/* Each alert is over only when it was well for so long, so that it cannot come and go. */
uint64_t alert_calm_ms(enum alert alert, const struct alert_policy *policy);
/* "2026-12-03", from 1970 on */
void alert_append_day(int64_t unix_s, struct buf *out);

/* As it is where the policy says nothing: all alerts by the table, no channels. */
void alert_policy_preset(struct alert_policy *policy);

/* --- the machine -------------------------------------------------------------------------------- */

enum alert_phase {
	ALERT_CALM,    /* nothing is kept of it */
	ALERT_PENDING, /* not as it should be, not for long yet */
	ALERT_FIRING,
};

struct alert_state {
	enum alert_phase phase;
	uint64_t since_ms; /* when it began */
	uint64_t told_ms;  /* 0: nobody was told */
	uint64_t calm_ms;  /* FIRING: since when it is well; 0: it is not */
	uint64_t value;
};

enum alert_news { ALERT_NO_NEWS, ALERT_FIRED, ALERT_GOES_ON, ALERT_RECOVERED };
const char *alert_news_name(enum alert_news news); /* "fired" */

struct alert_look {
	const struct alert_rule *rule;
	enum alert_unit unit;
	bool has_value; /* false: nothing is known to be wrong */
	uint64_t value;
	uint64_t calm_ms; /* it must be well for, before it is over; */
	uint64_t gone_ms; /* without a value */
	bool is_silenced; /* nobody is told; of what they were told of before, its end all the same */
	uint64_t repeat_ms;
	uint64_t now_ms; /* a clock of the cluster; may go back */
};

/* Moves the state; returns what has happened. `tell_out`: channels are to be told. */
enum alert_news alert_step(struct alert_state *state, const struct alert_look *look, bool *tell_out);

/* Is the value such that the alert would fire? */
bool alert_is_bad(const struct alert_rule *rule, enum alert_unit unit, uint64_t value);

/* As Redis keeps it, and back. False: it is no such text. */
void alert_state_write(const struct alert_state *state, struct span text, struct buf *out);
bool alert_state_read(struct span from, struct alert_state *state_out, struct span *text_out) WARN_UNUSED;

const char *alert_phase_name(enum alert_phase phase);

#endif
